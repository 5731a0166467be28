//! The controls of the level restricted.

use super::baseline::{proc_mount, wrong_seccomp};
use super::reading::{Found, itself, text};
use super::{Control, Level, Pod, Revision};
use crate::value::Value;

const fn control(name: &'static str, revisions: &'static [Revision], instead_of: Option<&'static str>) -> Control {
    Control { name, level: Level::Restricted, revisions, instead_of }
}

const fn since(since: u32, judge: fn(&Pod<'_>, &mut Found)) -> Revision {
    Revision { since, judge }
}

pub(super) static CONTROLS: &[Control] = &[
    control(
        "allow-privilege-escalation",
        &[since(8, escalation), since(25, |pod, found| unless_windows(pod, found, escalation))],
        None,
    ),
    control(
        "capabilities-restricted",
        &[since(22, capabilities), since(25, |pod, found| unless_windows(pod, found, capabilities))],
        Some("capabilities-baseline"),
    ),
    control("proc-mount-restricted", &[since(35, proc_mount)], Some("proc-mount")),
    control("restricted-volumes", &[since(0, volumes)], Some("host-path-volumes")),
    control(
        "run-as-non-root",
        &[since(0, non_root), since(35, |pod, found| unless_own_users(pod, found, non_root))],
        None,
    ),
    control("run-as-user", &[since(23, user), since(35, |pod, found| unless_own_users(pod, found, user))], None),
    control(
        "seccomp-restricted",
        &[since(19, seccomp), since(25, |pod, found| unless_windows(pod, found, seccomp))],
        Some("seccomp-baseline"),
    ),
];

/// A pod that names Windows cannot set what only Linux has; the API server sees to that.
fn unless_windows(pod: &Pod<'_>, found: &mut Found, judge: fn(&Pod<'_>, &mut Found)) {
    found.unless(pod, "os", &"windows".into(), judge);
}

/// Root of a user namespace of its own is nobody on the node.
fn unless_own_users(pod: &Pod<'_>, found: &mut Found, judge: fn(&Pod<'_>, &mut Found)) {
    found.unless(pod, "host_users", &Value::Bool(false), judge);
}

fn escalation(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        found.forbid(container, "allow_privilege_escalation", |allowed| match allowed {
            Value::Bool(false) => None,
            Value::Bool(true) => Some("allowPrivilegeEscalation is true".into()),
            _ => Some("allowPrivilegeEscalation is not set to false".into()),
        });
    });
}

fn capabilities(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        let fact = "capabilities_dropped";
        match container.value(fact) {
            // One that drops everything does so whatever else stands there.
            Value::List(dropped) if dropped.iter().any(|name| name.as_str() == Some("ALL")) => {}
            Value::List(dropped) if dropped.iter().any(Value::is_unknown) => {
                found.forbid_any(container, fact, |_| Ok(None));
            }
            _ => found.forbid(container, fact, |_| Some("does not drop ALL".into())),
        }
        found.forbid_any(container, "capabilities_added", |name| {
            let name = name.as_str().unwrap_or_default();
            Ok((name != "NET_BIND_SERVICE").then(|| format!("adds {name}")))
        });
    });
}

/// Types of volumes that a pod may have itself; others only through claims.
pub(crate) const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Other types that Kubernetes has or had. One of neither list is newer than this, and may be allowed.
const REFUSED: [&str; 21] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

fn volumes(pod: &Pod<'_>, found: &mut Found) {
    found.forbid_any(itself(pod), "volumes", |volume| {
        let (name, kind) = (text(volume, "name")?, text(volume, "type")?);
        match (ALLOWED.contains(&kind), REFUSED.contains(&kind)) {
            (true, _) => Ok(None),
            (_, true) => Ok(Some(format!("volume {name} is of type {kind}"))),
            _ => Err(format!("volume {name} is of a type that is not known here: {kind}").into()),
        }
    });
}

fn non_root(pod: &Pod<'_>, found: &mut Found) {
    let of_pod = pod.pod.value("run_as_non_root");
    if of_pod == &Value::Bool(false) {
        found.refuse(itself(pod), "run_as_non_root", "runAsNonRoot is false");
    }
    found.each(pod, |found, container| match container.value("own_run_as_non_root") {
        Value::Bool(true) => {}
        // It leaves it to the pod.
        Value::Null => match of_pod {
            Value::Bool(_) => {}
            Value::Unknown(_) => found.forbid(itself(pod), "run_as_non_root", |_| None),
            _ => found.refuse(container, "own_run_as_non_root", "runAsNonRoot is set neither by it nor by the pod"),
        },
        _ => found.forbid(container, "own_run_as_non_root", |_| Some("runAsNonRoot is false".into())),
    });
}

fn user(pod: &Pod<'_>, found: &mut Found) {
    let zero = |user: &Value| (user == &Value::Int(0)).then(|| "runAsUser is 0".to_owned());
    found.forbid(itself(pod), "run_as_user", zero);
    found.each(pod, |found, container| found.forbid(container, "own_run_as_user", zero));
}

fn seccomp(pod: &Pod<'_>, found: &mut Found) {
    let of_pod = pod.pod.value("seccomp");
    found.forbid(itself(pod), "seccomp", wrong_seccomp);
    found.each(pod, |found, container| match (container.value("own_seccomp"), of_pod) {
        (Value::Null, Value::Null) => {
            found.refuse(container, "own_seccomp", "a seccomp profile is set neither by it nor by the pod");
        }
        // It has the pod's; what is wrong or unknown of that was said above.
        (Value::Null, _) => {}
        _ => found.forbid(container, "own_seccomp", wrong_seccomp),
    });
}
