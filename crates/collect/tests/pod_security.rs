//! Kubernetes' own published cases of Pod Security, each read as a manifest, turned into facts, and judged at the level
//! and version that its folder says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seaworthy_collect::kubernetes::gather::Gather as _;
use seaworthy_collect::kubernetes::object::{Object, Place};
use seaworthy_collect::kubernetes::pods::Pods;
use seaworthy_collect::kubernetes::yaml::documents;
use seaworthy_collect::redact::Redactor;
use seaworthy_core::component::Component;
use seaworthy_core::kubernetes::pod_security::{Level, NEWEST, Pod, Violation, violations};
use seaworthy_core::schema::kubernetes::{CONTAINER, POD};
use seaworthy_core::snapshot::Target;
use serde_json::Value as Json;

/// How many there are for versions 1.0 to 1.37.
const CASES: usize = 4537;

/// The names of Kubernetes' controls in its cases, with ours; of baseline's also the one that stands in for it.
const CONTROLS: [(&str, &[&str]); 19] = [
    ("allowprivilegeescalation", &["allow-privilege-escalation"]),
    ("apparmorprofile", &["apparmor-profile"]),
    ("capabilities_baseline", &["capabilities-baseline", "capabilities-restricted"]),
    ("capabilities_restricted", &["capabilities-restricted"]),
    ("hostnamespaces", &["host-namespaces"]),
    ("hostpathvolumes", &["host-path-volumes", "restricted-volumes"]),
    ("hostports", &["host-ports"]),
    ("hostprobesandhostlifecycle", &["host-probes-and-lifecycle"]),
    ("privileged", &["privileged"]),
    ("procmount", &["proc-mount", "proc-mount-restricted"]),
    ("procmount_restricted", &["proc-mount-restricted"]),
    ("restrictedvolumes", &["restricted-volumes"]),
    ("runasnonroot", &["run-as-non-root"]),
    ("runasuser", &["run-as-user"]),
    ("seccompprofile_baseline", &["seccomp-baseline", "seccomp-restricted"]),
    ("seccompprofile_restricted", &["seccomp-restricted"]),
    ("selinuxoptions", &["selinux-options"]),
    ("sysctls", &["sysctls"]),
    ("windowshostprocess", &["windows-host-process"]),
];

fn read(path: &Path) -> Json {
    let mut found = None;
    let bytes = std::fs::read(path).expect("a case is readable");
    documents(&bytes, |document| found = Some(document.expect("a case is YAML").json)).expect("a case is text");
    found.expect("a case holds a pod")
}

fn judged(pod: &Json, level: Level, minor: u32, redactor: &Redactor) -> Vec<Violation> {
    let mut pods = Box::new(Pods::default());
    let place = Place::of_server("case");
    pods.add(Object { json: pod, place: &place }, redactor);
    let mut target = Target::new("case", "files", "case");
    pods.finish(&mut target);
    let containers: Vec<&Component> = target.of(&CONTAINER).collect();
    let pod = target.of(&POD).next().expect("one pod");
    violations(level, minor, &Pod { pod, containers: &containers })
}

/// Every file of a folder and those beneath it.
fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the cases") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            out.push(path);
        }
    }
}

/// Why a case is judged otherwise than Kubernetes says.
fn differs(path: &Path, root: &Path, redactor: &Redactor) -> Option<String> {
    let place = path.strip_prefix(root).expect("beneath the root");
    let parts: Vec<&str> = place.iter().map(|part| part.to_str().expect("a name")).collect();
    let [level, version, verdict, file] = parts[..] else {
        return Some("its path says neither level nor version".into());
    };
    let level = match level {
        "baseline" => Level::Baseline,
        "restricted" => Level::Restricted,
        other => return Some(format!("no level {other}")),
    };
    let minor: u32 = version.strip_prefix("v1.").expect("a version").parse().expect("a number");
    let found = judged(&read(path), level, minor, redactor);
    if let Some(undecided) = found.iter().find(|violation| violation.undecided.is_some()) {
        return Some(format!("undecided: {undecided:?}"));
    }
    match verdict {
        "pass" => found.first().map(|violation| format!("refused: {violation:?}")),
        "fail" => {
            let name = file.trim_end_matches(".yaml").trim_end_matches(|c: char| c.is_ascii_digit());
            let by = CONTROLS.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours).unwrap_or_default();
            let refused = found.iter().any(|violation| by.contains(&violation.control));
            (!refused).then(|| format!("not refused by {by:?}: {found:?}"))
        }
        other => Some(format!("no verdict {other}")),
    }
}

#[test]
fn every_published_case_is_judged_as_kubernetes_judges_it() {
    let Some(root) = seaworthy_bed::pod_security_cases() else { return };
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let redactor = Redactor::new();
    let mut by_version: BTreeMap<String, usize> = BTreeMap::new();
    let mut differing = Vec::new();
    for path in &paths {
        match differs(path, &root, &redactor) {
            Some(why) => differing.push(format!("{}: {why}", path.display())),
            None => {
                *by_version.entry(path.iter().rev().nth(2).unwrap_or_default().to_string_lossy().into()).or_default() +=
                    1
            }
        }
    }
    let agreed = paths.len() - differing.len();
    println!("Pod Security: {agreed} of {} published cases are judged as Kubernetes judges them", paths.len());
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing[..differing.len().min(20)].join("\n"));
    assert_eq!(paths.len(), CASES, "the published cases");
    assert_eq!(by_version.len(), NEWEST as usize + 1, "versions 1.0 to 1.{NEWEST}");
}
