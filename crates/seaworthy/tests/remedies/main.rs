//! Remedies of clusters on a real cluster: for every check whose remedy changes objects, something that fails it, the
//! command as it is printed, in a shell, as a dry run of the server and then in earnest; and the check passes.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod order;
mod rights;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use common::Sea;
use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes};
use seaworthy_catalog::Catalog;
use serde_json::{Value, json};

use cases::{Case, Then};

/// How long controllers may take to make pods anew on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Bed {
    cluster: Cluster,
    sea: Sea,
}

impl Bed {
    fn start() -> Option<Self> {
        // Without a node nothing is scheduled, so that pods are there at once and gone at once.
        let spec = ClusterSpec {
            controller_manager: Some(Vec::new()),
            apiserver: vec!["--allow-privileged=true".into()],
            ..ClusterSpec::default()
        };
        let cluster = Cluster::require(Kubernetes::V135, spec)?;
        let sea = Sea::new();
        // What is copied is `kubectl …`; here it is the bed's, and in a dry run where that is asked for.
        let kubectl = cluster.kubectl_program().display().to_string();
        let script = format!(
            "#!/bin/sh\nverb=$1; shift\nif [ -n \"$DRY\" ]; then set -- --dry-run=server \"$@\"; fi\nexec '{kubectl}' \"$verb\" \"$@\"\n"
        );
        let path = sea.write("bin/kubectl", script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { cluster, sea })
    }

    /// What an audit finds, by check and component.
    fn findings(&self) -> BTreeMap<(String, String), Value> {
        let config = self.cluster.kubeconfig().display().to_string();
        let run = self.sea.run(&["audit", "--kubeconfig", &config, "--only", "kubernetes", "--secrets", "-f", "json"]);
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{run:?}");
        let report = run.json();
        let findings = report["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                ((text(&finding["check"]), text(&finding["component"]["name"])), finding.clone())
            })
            .collect()
    }

    /// Runs a line in a shell as a person would who copied it.
    fn shell(&self, line: &str, dry: bool) -> Result<String, String> {
        let mut command = Command::new("bash");
        command.args(["-c", line]).env_clear().current_dir(self.sea.dir());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.sea.dir().join("bin").display()));
        command.env("KUBECONFIG", self.cluster.kubeconfig()).env("HOME", self.sea.dir());
        if dry {
            command.env("DRY", "1");
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What a manifest becomes with a piece laid over it, taken by the server in a dry run.
    fn piece(&self, change: &Value) -> Result<(), String> {
        let of = |key: &str| change["object"][key].as_str().unwrap_or_default();
        let (namespace, kind, name) = (of("namespace"), of("kind").to_lowercase(), of("name"));
        let live = self.cluster.kubectl(&["get", "-n", namespace, &kind, name, "-o", "json"]);
        assert_eq!(live.status, 0, "{live:?}");
        let file = self.sea.write("live.json", &live.stdout);
        let patch = change["body"].to_string();
        let changed = self.cluster.kubectl(&[
            "patch",
            "--local",
            "-f",
            file.to_str().unwrap(),
            "--type=strategic",
            "-p",
            &patch,
            "-o",
            "json",
        ]);
        if changed.status != 0 {
            return Err(changed.stderr);
        }
        let mut object: Value = serde_json::from_str(&changed.stdout).unwrap();
        object["metadata"] = json!({ "name": format!("{name}-anew"), "namespace": namespace });
        object["status"] = Value::Null;
        if kind == "job" {
            object["spec"]["selector"] = Value::Null;
            object["spec"]["template"]["metadata"]["labels"] = Value::Null;
        }
        let made = self.cluster.kubectl_as(
            &self.cluster.kubeconfig(),
            &["create", "--dry-run=server", "-f", "-"],
            object.to_string().as_bytes(),
        );
        if made.status == 0 { Ok(()) } else { Err(made.stderr) }
    }
}

#[test]
fn what_a_remedy_prints_is_taken_by_the_server_and_the_check_passes() {
    let Some(bed) = Bed::start() else { return };
    let cases = cases::all();
    cases::set_up(&bed.cluster, &cases);
    let mut before = bed.findings();
    // Controllers make pods in their own time.
    let began = Instant::now();
    while cases.iter().any(|case| !is_open(found(&before, case))) && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(500));
        before = bed.findings();
    }
    let mut wrong = String::new();
    let mut lines: Vec<(&Case, String)> = Vec::new();
    for case in &cases {
        let finding = found(&before, case);
        let changes = finding["remedy"]["changes"].as_array().cloned().unwrap_or_default();
        if !is_open(finding) || changes.is_empty() {
            let _ = writeln!(wrong, "{} on {}: no failure with changes: {finding}", case.check, case.component);
            continue;
        }
        for change in &changes {
            let taken = match change["command"].as_str() {
                Some(line) => {
                    lines.push((case, line.to_owned()));
                    bed.shell(line, true).map(drop)
                }
                None => bed.piece(change),
            };
            if let Err(why) = taken {
                let _ = writeln!(wrong, "{} on {}: {change}\n    {why}", case.check, case.component);
            }
        }
    }
    // Many checks ask for the same change.
    let mut done = BTreeSet::new();
    for (case, line) in &lines {
        if matches!(case.then, Then::Passes)
            && done.insert(line)
            && let Err(why) = bed.shell(line, false)
        {
            let _ = writeln!(wrong, "{} on {}: {line}\n    {why}", case.check, case.component);
        }
    }
    let began = Instant::now();
    let left = loop {
        let after = bed.findings();
        let open = |case: &&Case| {
            let finding = found(&after, case);
            matches!(case.then, Then::Passes) && !finding.is_null() && finding["verdict"] != "pass"
        };
        let left: Vec<String> = cases.iter().filter(open).map(|case| format!("{}", found(&after, case))).collect();
        if left.is_empty() || began.elapsed() > PATIENCE {
            break left;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(wrong.is_empty() && left.is_empty(), "refused:\n{wrong}still open:\n{}", left.join("\n"));
    println!("{} cases, {} commands taken", cases.len(), lines.len());
    one_namespace(&bed);
}

/// What was not asked for is told once, not of every kind and check.
fn one_namespace(bed: &Bed) {
    let config = bed.cluster.kubeconfig().display().to_string();
    let arguments = ["audit", "--kubeconfig", &config, "--only", "kubernetes", "-n", "bare"];
    let text = bed.sea.run(&arguments).out;
    assert_eq!(text.matches("follows from namespaces that were not asked for").count(), 1, "{text}");
    // It may stand beside what decided in a list that is not known whole.
    assert!(text.matches("(--namespace)").count() < 5, "{text}");
    let gaps = bed.sea.run(&[&arguments[..], &["--gaps"]].concat()).out;
    assert_eq!(gaps.matches("other namespaces were not asked for").count(), 1, "{gaps}");
    assert!(!gaps.contains("list of pods"), "{gaps}");
    let all = bed.sea.run(&[&arguments[..], &["--all"]].concat()).out;
    assert!(all.contains("(--namespace)"), "{all}");
}

/// Whether something fails, or waits for a person.
fn is_open(finding: &Value) -> bool {
    finding["verdict"] == "fail" || finding["verdict"] == "manual"
}

fn found<'a>(findings: &'a BTreeMap<(String, String), Value>, case: &Case) -> &'a Value {
    findings.get(&(format!("kubernetes/{}", case.check), case.component.clone())).unwrap_or(&Value::Null)
}

#[test]
fn every_check_whose_remedy_changes_objects_is_tried() {
    let tried: BTreeSet<String> = cases::all().iter().map(|case| format!("kubernetes/{}", case.check)).collect();
    let excused: BTreeMap<String, &str> =
        cases::NOT_HERE.iter().map(|(check, why)| (format!("kubernetes/{check}"), *why)).collect();
    for check in &Catalog::embedded().checks {
        let changes = !check.remedy.changes.is_empty();
        let is_tried = tried.contains(&check.id);
        assert!(!is_tried || changes, "{} is tried, and changes nothing", check.id);
        assert_eq!(
            changes && !is_tried,
            excused.contains_key(&check.id),
            "{}: tried, or excused with a reason",
            check.id
        );
    }
    assert!(excused.values().all(|why| !why.is_empty()));
}

/// What the bed cannot fail, by facts alone.
#[test]
fn what_no_bed_shows_is_worked_out_from_the_facts() {
    use seaworthy_core::component::Component;
    use seaworthy_core::fact::Source;
    use seaworthy_core::kubernetes::remedy::{Act, Form, Index, Places, proposals};
    use seaworthy_core::schema::kubernetes::{CONTAINER, NAMESPACE, POD};
    use seaworthy_core::snapshot::Target;
    use seaworthy_core::value::Value as Fact;

    let catalog = Catalog::embedded();
    let set = |component: &mut Component, name: &str, value: Fact| component.set(name, value, Source::place("test"));
    let mut pod = Component::new(&POD, "Pod/shop/web", "shop/web");
    let texts: &[(&str, &str)] =
        &[("namespace", "shop"), ("name", "web"), ("workload", "Deployment/web"), ("workload_kind", "Deployment")];
    texts.iter().for_each(|(name, value)| set(&mut pod, name, (*value).into()));
    set(&mut pod, "containers", Fact::strings(["app"]));
    set(&mut pod, "naked", false.into());
    let mut app = Component::new(&CONTAINER, "Pod/shop/web/app", "shop/web/app");
    let digest = format!("sha256:{}", "a".repeat(64));
    let texts: &[(&str, &str)] =
        &[("name", "app"), ("pod", "Pod/shop/web"), ("kind", "regular"), ("image", "r.test/app:1")];
    texts.iter().for_each(|(name, value)| set(&mut app, name, (*value).into()));
    set(&mut app, "image_ids", Fact::strings([format!("r.test/app@{digest}")]));
    let mut shop = Component::new(&NAMESPACE, "Namespace/shop", "shop");
    set(&mut shop, "name", "shop".into());
    set(&mut shop, "invalid_labels", Fact::strings(["pod-security.kubernetes.io/audit=strict"]));

    let patch = |platform: &str, check: &str, of: &Component| {
        let mut target = Target::new("t", platform, "");
        target.components = vec![pod.clone(), app.clone(), shop.clone()];
        let places = Places::of(&target);
        let changes = &catalog.check(&format!("kubernetes/{check}")).unwrap().remedy.changes;
        proposals(changes, &Index { target: &target, places: &places }, of)
    };
    let strategic = |spec: Value| vec![Act::Patch(Form::Strategic, json!({ "spec": { "template": spec } }))];
    let acts = |check: &str, of: &Component| {
        patch("kubernetes", check, of).into_iter().map(|proposal| proposal.act).collect::<Vec<_>>()
    };
    let pinned = json!({ "spec": { "containers": [{ "name": "app", "image": format!("r.test/app:1@{digest}") }] } });
    assert_eq!(acts("container/image-pinned", &app), strategic(pinned));
    let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/audit": "restricted" } } });
    assert_eq!(acts("namespace/pod-security-labels-valid", &shop), [Act::Patch(Form::Merge, labels)]);
    let pids = json!({ "spec": { "hostPID": null } });
    assert_eq!(acts("pod/own-pid-namespace", &pod), strategic(pids));
    // In a file it is the manifest that is changed, and nothing is said to the cluster of whoever reads it.
    let told = patch("files", "pod/own-pid-namespace", &pod);
    assert!(told.iter().all(|proposal| matches!(proposal.act, Act::Piece(..)) && proposal.commands().is_empty()));
    // Who is at the top is not known: whatever is patched might be put back.
    let mut lost = pod.clone();
    lost.id = "Pod/shop/lost".into();
    lost.set_unknown("workload", "denied", Source::place("test"));
    let mut target = Target::new("t", "kubernetes", "");
    target.components = vec![lost.clone()];
    let places = Places::of(&target);
    let changes = &catalog.check("kubernetes/pod/own-pid-namespace").unwrap().remedy.changes;
    assert!(proposals(changes, &Index { target: &target, places: &places }, &lost).is_empty());
}
