//! Manifests given as paths, with the program itself: what is in them has its place, what is not is unknown, and nothing
//! that others wrote stops the rest.

mod common;

use std::process::Stdio;

use common::{FORMATS, Run, Sea};
use serde_json::{Value, json};

const ACCOUNTS: &str = "# who runs what
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
automountServiceAccountToken: no
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: ci
automountServiceAccountToken: true
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [\"\"], resources: [secrets], verbs: [get, list]}
";

const CHECK: &str = "```toml
about = \"kubernetes.service-account\"
severity = \"medium\"
require = \"automount != null && !automount\"

[remedy]
safety = \"manual\"
fix = \"Set it to false.\"
```
# Its token is mounted only where a pod asks for it
Who holds the token acts as the account.

## Cases
```toml pass
automount = false
```
```toml fail
automount = true
```
```toml fail
null = [\"automount\"]
```
```toml unknown
```
";

/// A folder with a check of its own, so that no other check decides what is seen.
fn sea() -> Sea {
    let sea = Sea::new();
    sea.write("own/checks/kubernetes/service-account/no-token.md", CHECK);
    sea
}

fn audit(sea: &Sea, arguments: &[&str]) -> Run {
    let own = ["audit", "--catalog", "own", "--check", "kubernetes/service-account/no-token"];
    sea.run(&[&own[..], arguments].concat())
}

/// The same with a text on standard input.
fn given(sea: &Sea, arguments: &[&str], text: &str) -> Run {
    let file = sea.write("input.txt", text);
    let mut command = sea.command(&[&["collect", "-"][..], arguments].concat());
    command.stdin(std::fs::File::open(file).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Names of service accounts with the verdict on each; of the list that is not there, `(not listed)`.
fn verdicts(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = run.json()["findings"].as_array().cloned().unwrap();
    findings.iter().map(|f| (text(&f["component"]["name"]), text(&f["verdict"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, verdict)| ((*name).to_owned(), (*verdict).to_owned())).collect()
}

#[test]
fn objects_are_judged_with_their_places_in_every_format() {
    let sea = sea();
    sea.write("k8s/accounts.yaml", ACCOUNTS);
    let run = audit(&sea, &["k8s", "-f", "json", "--all"]);
    run.ended(0);
    assert_eq!(verdicts(&run), pairs(&[("default/ci", "fail"), ("shop/web", "pass")]));
    let fact = &run.json()["findings"][0]["facts"][0];
    assert_eq!(fact["source"], "k8s/accounts.yaml: 11:1 automountServiceAccountToken", "{fact}");
    let target = &run.json()["targets"][0];
    assert_eq!((&target["platform"], &target["name"]), (&json!("files"), &json!("k8s")));
    assert_eq!(target["about"], "3 objects in 1 file");

    let sarif = audit(&sea, &["./k8s/accounts.yaml", "-f", "sarif"]);
    let log = sarif.json();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let place =
        json!({"artifactLocation": {"uri": "k8s/accounts.yaml"}, "region": {"startLine": 11, "startColumn": 1}});
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["locations"][0]["physicalLocation"], place);

    for format in FORMATS {
        let run = audit(&sea, &["k8s", "-f", format]);
        run.ended(0);
        assert!(run.out.contains("default/ci"), "{format}: {}", run.out);
        sea.run(&["assess", "k8s", "-f", format]).ended(0);
    }
    audit(&sea, &["k8s", "--fail-on", "medium"]).ended(1);
    audit(&sea, &["k8s", "--fail-on", "high"]).ended(0);
}

#[test]
fn what_no_file_says_is_unknown_and_does_not_fail_a_gate_on_files() {
    let sea = sea();
    sea.write("role.yaml", ACCOUNTS.rsplit("---\n").next().unwrap());
    let run = audit(&sea, &["role.yaml", "-f", "json"]);
    assert_eq!(verdicts(&run), pairs(&[("(not listed)", "unknown")]));
    assert!(run.out.contains("only a cluster knows: these are files"));
    audit(&sea, &["role.yaml", "--fail-on", "low"]).ended(0);
    audit(&sea, &["role.yaml", "--strict"]).ended(0);
    let text = audit(&sea, &["role.yaml"]);
    assert!(text.out.contains("only a cluster knows") && !text.out.contains("(not listed)"), "{text:?}");
    // A document that cannot be read may be any object.
    sea.write("role.yaml", format!("{}---\na: [\n", ACCOUNTS.rsplit("---\n").next().unwrap()));
    let run = audit(&sea, &["role.yaml", "-f", "json"]);
    assert!(run.out.contains("role.yaml: line "), "{}", run.out);
    audit(&sea, &["role.yaml", "--fail-on", "low"]).ended(3);
    audit(&sea, &["role.yaml", "--fail-on", "low", "--allow-unknown"]).ended(0);
}

#[test]
fn lists_json_directories_and_standard_input_hold_objects() {
    let sea = sea();
    let one = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}, "automountServiceAccountToken": false});
    let mut bare = one("typed");
    bare.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "kind" | "apiVersion"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [one("a"), {"apiVersion": "v1", "kind": "List", "items": [one("b")]}]});
    let typed = json!({"apiVersion": "v1", "items": [bare], "kind": "ServiceAccountList"});
    sea.write("k/list.json", serde_json::to_string_pretty(&list).unwrap());
    sea.write("k/deep/er/typed.YML", typed.to_string());
    sea.write("k/.hidden/x.yaml", one("hidden").to_string());
    sea.write("k/compose.yaml", "services:\n  web: {image: nginx}\n");
    sea.write("k/empty.yaml", "# nothing\n---\n---\n");
    sea.write("k/null.json", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": null}");
    sea.write("k/Dockerfile", "FROM scratch\nUSER 1\n");
    std::os::unix::fs::symlink("..", sea.dir().join("k/deep/loop")).unwrap();
    let run = audit(&sea, &["k", "-f", "json", "--all"]);
    let found = verdicts(&run);
    for name in ["default/a", "default/b", "default/typed"] {
        assert!(found.contains(&(name.to_owned(), "pass".to_owned())), "{name}: {found:?}");
    }
    assert!(!run.out.contains("hidden") && run.out.contains("a link to a directory, which is not followed"));
    assert!(
        run.out.contains("list.json: 1")
            && run.out.contains("docker.dockerfile")
                == sea.run(&["audit", "k", "-f", "json"]).out.contains("docker.dockerfile")
    );

    let run = given(&sea, &["--kubernetes-version", "v1.29.3"], &list.to_string());
    run.ended(0);
    assert!(run.out.contains("standard input") && run.out.contains("1.29.3"), "{}", run.out);
    given(&sea, &[], "").failed_with("standard input: no Kubernetes object is in it");
    given(&sea, &["-"], &list.to_string()).failed_with("standard input can be read only once");
}

#[test]
fn what_is_no_manifest_is_one_line() {
    let sea = sea();
    sea.write("compose.yaml", "services:\n  web: {image: nginx}\n");
    sea.write("values.yaml", "replicas: 1\n");
    sea.write("other/a.yaml", "a: 1\n");
    sea.write("k.yaml", ACCOUNTS);
    sea.run(&["audit", "compose.yaml"]).failed_with("compose.yaml: no Kubernetes object is in it");
    sea.run(&["audit", "k.yaml", "values.yaml"]).failed_with("values.yaml: no Kubernetes object is in it");
    sea.run(&["audit", "other"]).failed_with("other: no Dockerfile is in it, and no Kubernetes object beneath it");
    sea.run(&["audit", "nothing.yaml"]).failed_with("nothing.yaml: ");
    for version in ["", "2.0", "1", "1.x", "1.2.3.4", "latest", "1.35-"] {
        let run = sea.run(&["audit", "k.yaml", "--kubernetes-version", version]);
        assert_eq!(run.code, Some(2), "{version}: {run:?}");
    }
    let run = sea.run(&["audit", "--kubernetes-version", "1.35"]);
    assert!(run.code == Some(2) && run.err.contains("PATH"), "{run:?}");
}

#[test]
fn templates_are_named_with_what_renders_them() {
    let sea = sea();
    sea.write("chart/Chart.yaml", "apiVersion: v2\nname: web\n");
    sea.write("chart/values.yaml", "a: 1\n");
    sea.write(
        "chart/templates/sa.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: {{ .Release.Name }}}\n",
    );
    sea.write("base/kustomization.yaml", "resources: [sa.yaml]\npatches:\n- path: ./patch.yaml\n");
    sea.write("base/sa.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: base}\n");
    sea.write(
        "base/patch.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: patched}\nautomountServiceAccountToken: false\n",
    );
    sea.write("alone/t.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \"{{ name }}\"}\n");
    for (path, words) in [
        ("chart", "`helm template chart | seaworthy audit -`"),
        ("base", "`kubectl kustomize base | seaworthy audit -`"),
        ("alone", "it is a template that nobody rendered"),
    ] {
        let run = audit(&sea, &[path, "--gaps", "-f", "json"]);
        run.ended(0);
        assert!(run.out.contains(words), "{path}: {}", run.out);
        let named = |name: &str| verdicts(&run).iter().any(|(found, _)| found == name);
        assert!(named("default/base") == (path == "base") && !named("default/patched"), "{:?}", verdicts(&run));
        // What a template makes is not known: nothing passes for want of it.
        let hides = path != "base";
        audit(&sea, &[path, "--fail-on", "medium"]).ended(if hides { 3 } else { 1 });
    }
}

#[test]
fn hostile_files_cost_a_line_each_and_no_more() {
    let sea = sea();
    sea.write("k/good.yaml", ACCOUNTS);
    let mut bomb = "apiVersion: &a0 [v1, v1, v1, v1, v1, v1, v1, v1, v1, v1]\n".to_owned();
    for i in 1..10 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    let account = |more: &str| format!("apiVersion: v1\nkind: ServiceAccount\n{more}");
    let files: [(&str, Vec<u8>, &str); 12] = [
        ("bomb.yaml", bomb.into_bytes(), "aliases expand to more than"),
        ("cyclic.yaml", b"apiVersion: &a [*a]\n".to_vec(), "holds an alias of itself"),
        ("deep.yaml", format!("apiVersion: {}", "[".repeat(100_000)).into_bytes(), "line 1: "),
        ("tabs.yaml", b"apiVersion: v1\nmetadata:\n\tname: x\n".to_vec(), "tabs.yaml"),
        ("latin.yaml", b"apiVersion: v1 # caf\xe9\n".to_vec(), "it is not UTF-8 in line 1"),
        ("wide.yaml", b"\xff\xfea\0".to_vec(), "it is UTF-16"),
        ("nameless.yaml", account("").into_bytes(), "a ServiceAccount without a name"),
        ("long.yaml", account(&format!("metadata: {{name: {}}}\n", "x".repeat(2000))).into_bytes(), "longer than 253"),
        (
            "twice.yaml",
            account("metadata: {name: twice}\nkind: ServiceAccount\n").into_bytes(),
            "is given again in line 4",
        ),
        (
            "old.yaml",
            b"apiVersion: v1beta3\nkind: ServiceAccount\nmetadata: {name: x}\n".to_vec(),
            "of version v1beta3 is not read",
        ),
        (
            "typed.yaml",
            account("metadata: {name: typed}\nautomountServiceAccountToken: perhaps\n").into_bytes(),
            "default/typed",
        ),
        ("paint.yaml", account("metadata: {name: \"\\e[31m\\r\\n\"}\n").into_bytes(), "default/"),
    ];
    for (name, bytes, _) in &files {
        sea.write(&format!("k/{name}"), bytes);
    }
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"k/\xff\x1b[31m.yaml".as_slice());
    std::fs::write(sea.dir().join::<&std::ffi::OsStr>(odd), account("metadata: {name: odd}\n")).unwrap();
    let run = audit(&sea, &["k", "--gaps", "-f", "json", "--all"]);
    run.ended(0);
    for (name, _, words) in &files {
        assert!(run.out.contains(words), "{name}: {words}");
    }
    let found = verdicts(&run);
    for (name, verdict) in
        [("default/ci", "fail"), ("shop/web", "pass"), ("default/odd", "fail"), ("default/typed", "unknown")]
    {
        assert!(found.contains(&(name.to_owned(), verdict.to_owned())), "{name}: {found:?}");
    }
    for format in FORMATS {
        let run = audit(&sea, &["k", "--gaps", "-f", format]);
        run.ended(0);
        assert!(!run.out.contains(['\u{1b}', '\r']), "{format}");
    }
}

#[test]
fn objects_of_one_name_are_of_different_clusters() {
    let sea = sea();
    let of = |mounts: bool| {
        format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web}}\nautomountServiceAccountToken: {mounts}\n"
        )
    };
    sea.write("k/dev.yaml", of(true));
    sea.write("k/prod.yaml", of(false));
    sea.write("k/prod-again.yaml", of(false));
    let run = audit(&sea, &["k", "-f", "json", "--all"]);
    assert_eq!(verdicts(&run), pairs(&[("default/web", "fail"), ("default/web", "pass")]));
    let names: Vec<_> = run.json()["targets"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["k", "k#2"]);
}

const BENCHMARK: &str = "id = \"cis-kubernetes-0.0.1\"
title = \"A benchmark of one control\"
published = \"2026-11\"
source = \"Made for this test.\"

[[section]]
id = \"1\"
title = \"Accounts\"

[[control]]
id = \"1.1\"
title = \"Tokens are mounted where they are asked for\"
level = 1
status = \"manual\"
checks = [\"kubernetes/service-account/no-token\"]
";

#[test]
fn each_platform_that_was_read_shows_its_benchmark() {
    let sea = sea();
    sea.write("own/benchmarks/cis-kubernetes/0.0.1.toml", BENCHMARK);
    sea.write("k.yaml", ACCOUNTS);
    sea.write("Dockerfile", "FROM scratch\nUSER 1\n");
    let shown = |arguments: &[&str]| {
        let run = sea.run(&[&["audit", "--catalog", "own", "-f", "json"][..], arguments].concat());
        run.ended(0);
        let summary = run.json()["summary"].clone();
        let beside = summary["beside"].as_array().cloned().unwrap_or_default();
        let ids = std::iter::once(&summary["benchmark"]).chain(&beside).map(|b| b["id"].as_str().unwrap().to_owned());
        ids.map(|id| id.rsplit_once('-').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["k.yaml"]), ["cis-kubernetes"]);
    assert_eq!(shown(&["k.yaml", "Dockerfile"]), ["cis-kubernetes"]);
    assert_eq!(shown(&["Dockerfile"]), ["cis-docker"]);
    assert_eq!(shown(&["k.yaml", "--demo"]), ["cis-docker", "cis-kubernetes"]);
    assert_eq!(shown(&["k.yaml", "--demo", "--benchmark", "cis-kubernetes"]), ["cis-kubernetes"]);
    assert_eq!(shown(&["k.yaml", "--benchmark", "cis-docker"]), ["cis-docker"]);
    sea.write("seaworthy.toml", "benchmark = \"cis-docker-1.6.0\"\n");
    assert_eq!(shown(&["k.yaml", "--demo"]), ["cis-docker", "cis-kubernetes"]);
    assert_eq!(shown(&["k.yaml"]), ["cis-kubernetes"]);
    for format in FORMATS {
        let run = sea.run(&["assess", "--catalog", "own", "k.yaml", "--demo", "-f", format, "--all"]);
        run.ended(0);
        assert!(run.out.contains("CIS Docker") || matches!(format, "csv" | "sarif" | "json"), "{format}");
    }
    sea.run(&["audit", "k.yaml", "--benchmark", "cis-podman"]).failed_with("there is no benchmark `cis-podman`");
}

/// The program under another name, as a plugin is installed.
fn installed(sea: &Sea, path: &str) {
    let path = sea.dir().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seaworthy"), path).unwrap();
}

/// What a program of the machine says; none where it is not installed.
fn said(sea: &Sea, program: &str, arguments: &[&str]) -> Option<Run> {
    let path = format!("{}:{}", sea.dir().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        eprintln!("skipped: {program} is not installed");
        return None;
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(sea.dir()).env("HOME", sea.dir()).env("PATH", path).env_remove("KUBECONFIG");
    Some(common::run(command))
}

#[test]
fn kubectl_and_docker_know_it_as_a_plugin() {
    let sea = sea();
    sea.write("k.yaml", ACCOUNTS);
    installed(&sea, "bin/kubectl-seaworthy");
    installed(&sea, ".docker/cli-plugins/docker-seaworthy");
    let own = ["seaworthy", "audit", "k.yaml", "--catalog", "own", "--check", "kubernetes/service-account/no-token"];
    for program in ["kubectl", "docker"] {
        let Some(run) = said(&sea, program, &own) else { continue };
        run.ended(0);
        assert!(run.out.contains("default/ci"), "{program}: {run:?}");
        let run = said(&sea, program, &["seaworthy", "audit", "--wrong"]).unwrap();
        assert!(run.code == Some(2) && run.err.contains(&format!("{program} seaworthy")), "{program}: {run:?}");
    }
    if let Some(run) = said(&sea, "docker", &["--help"]) {
        assert!(run.out.contains("seaworthy"), "{run:?}");
    }
}
