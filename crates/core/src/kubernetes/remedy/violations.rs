//! What a level of Pod Security has against a pod, turned into what would please it.

use serde_json::{Value as Json, json};

use super::draft::Draft;
use super::{field, list, pod};
use crate::component::Component;
use crate::kubernetes::pod_security::{CAPABILITIES, VOLUMES};
use crate::value::Value;

/// Mends what a fact of the pod lists, of one control where one is named.
pub(super) fn mend<'a>(which: &[String], component: &'a Component, draft: &mut Draft<'a>) {
    let Some(fact) = which.first() else { return };
    let control = which.get(1);
    for violation in list(component, fact) {
        if control.is_some_and(|control| control != field(violation, "control")) {
            continue;
        }
        if violation.field("refused").and_then(Value::as_bool) == Some(true) {
            answer(violation, draft);
        }
    }
}

fn answer(violation: &Value, draft: &mut Draft<'_>) {
    let container = draft.named(field(violation, "container"));
    match (field(violation, "control"), field(violation, "fact"), container) {
        ("apparmor-profile", "apparmor_annotations", _) => pod::confined_by_annotation(draft),
        ("apparmor-profile", ..) => context(draft, container, profile("appArmorProfile")),
        ("seccomp-baseline" | "seccomp-restricted", "seccomp_annotations", _) => pod::no_seccomp_annotations(draft),
        // Said of a container that neither it nor its pod sets one: the pod's does for all.
        ("seccomp-restricted", _, Some(of)) if of.value("own_seccomp") == &Value::Null => {
            context(draft, None, profile("seccompProfile"));
        }
        ("seccomp-baseline" | "seccomp-restricted", ..) => context(draft, container, profile("seccompProfile")),
        ("capabilities-baseline", _, Some(container)) => keep_capabilities(draft, container, &CAPABILITIES, &[]),
        ("capabilities-restricted", _, Some(container)) => {
            keep_capabilities(draft, container, &["NET_BIND_SERVICE"], &["ALL"]);
        }
        ("host-namespaces", "host_network", _) => pod::own_network(draft),
        ("host-namespaces", "host_pid", _) => draft.pod(&json!({ "hostPID": null })),
        ("host-namespaces", "host_ipc", _) => draft.pod(&json!({ "hostIPC": null })),
        ("host-path-volumes", ..) => pod::volumes_of(draft, |kind| kind == "hostPath"),
        ("restricted-volumes", ..) => {
            pod::volumes_of(draft, |kind| !VOLUMES.contains(&kind));
        }
        ("host-ports", _, Some(container)) => pod::no_host_ports(container, draft),
        ("host-probes-and-lifecycle", _, Some(container)) => pod::no_probe_hosts(container, draft),
        ("privileged", _, Some(_)) => context(draft, container, json!({ "privileged": false })),
        ("proc-mount" | "proc-mount-restricted", _, Some(_)) => context(draft, container, json!({ "procMount": null })),
        ("selinux-options", ..) => {
            context(draft, container, json!({ "seLinuxOptions": { "user": null, "role": null, "type": null } }));
        }
        ("sysctls", ..) => safe_sysctls(draft),
        ("windows-host-process", ..) => {
            context(draft, container, json!({ "windowsOptions": { "hostProcess": null } }));
        }
        ("allow-privilege-escalation", _, Some(container)) => no_escalation(draft, container),
        ("run-as-non-root", _, Some(of)) if of.value("own_run_as_non_root") == &Value::Null => {
            context(draft, None, json!({ "runAsNonRoot": true }));
        }
        ("run-as-non-root", ..) => context(draft, container, json!({ "runAsNonRoot": true })),
        ("run-as-user", ..) => context(draft, container, json!({ "runAsUser": pod::USER })),
        _ => {}
    }
}

fn profile(key: &str) -> Json {
    json!({ key: { "type": "RuntimeDefault", "localhostProfile": null } })
}

/// Lays something over the security context of a container, else of the pod.
fn context<'a>(draft: &mut Draft<'a>, container: Option<&'a Component>, over: Json) {
    let over = json!({ "securityContext": over });
    match container {
        Some(container) => draft.container(container, &over),
        None => draft.pod(&over),
    }
}

/// Leaves only some of the capabilities that a container adds, and drops others beside those that it drops.
///
/// Several checks change these two lists, and whoever follows one remedy after another must not lose the first by the second.
/// What is added is therefore taken out element by element, whatever else was taken out by then. A list of what is dropped can
/// only be written whole: where the level restricted asks for all to be dropped and they are not, each remedy does that.
pub(super) fn keep_capabilities<'a>(draft: &mut Draft<'a>, container: &'a Component, kept: &[&str], drop: &[&str]) {
    let texts = |fact: &str| list(container, fact).iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let (added, dropped) = (texts("capabilities_added"), texts("capabilities_dropped"));
    let gone: Vec<&str> = added.iter().copied().filter(|capability| !kept.contains(capability)).collect();
    let mut capabilities = json!({});
    if !gone.is_empty() {
        capabilities["$deleteFromPrimitiveList/add"] = json!(gone);
    }
    if drop.iter().any(|capability| !dropped.contains(capability)) && !dropped.contains(&"ALL") {
        let all = drop.contains(&"ALL") || asks_for_all(draft, container);
        // Whoever drops all needs to name no other.
        capabilities["drop"] = if all { json!(["ALL"]) } else { json!([&dropped[..], drop].concat()) };
    }
    draft.container(container, &json!({ "securityContext": { "capabilities": capabilities } }));
}

/// Whether the level restricted has something against the capabilities of a container.
fn asks_for_all(draft: &Draft<'_>, container: &Component) -> bool {
    let name = container.value("name").as_str().unwrap_or_default();
    list(draft.of, "restricted_violations").iter().any(|violation| {
        field(violation, "control") == "capabilities-restricted"
            && field(violation, "container") == name
            && violation.field("refused").and_then(Value::as_bool) != Some(false)
    })
}

/// The API server takes no ban on escalation beside what is escalated already.
fn no_escalation<'a>(draft: &mut Draft<'a>, container: &'a Component) {
    draft.container(container, &json!({ "securityContext": { "allowPrivilegeEscalation": false } }));
    if container.value("privileged").as_bool() == Some(true) {
        draft.container(container, &json!({ "securityContext": { "privileged": false } }));
    }
    let added: Vec<&str> = list(container, "capabilities_added").iter().filter_map(Value::as_str).collect();
    if added.contains(&"SYS_ADMIN") {
        let left: Vec<&str> = added.into_iter().filter(|capability| *capability != "SYS_ADMIN").collect();
        keep_capabilities(draft, container, &left, &[]);
    }
}

/// The sysctls without those that the level does not take.
fn safe_sysctls(draft: &mut Draft<'_>) {
    let of = draft.of;
    let refused: Vec<&str> = ["baseline_violations", "restricted_violations"]
        .iter()
        .flat_map(|fact| list(of, fact))
        .filter(|violation| field(violation, "control") == "sysctls")
        .map(|violation| field(violation, "what"))
        .collect();
    let is_refused = |name: &str| refused.iter().any(|what| what.split([' ', ',', ';']).any(|word| word == name));
    let left: Vec<Json> = list(of, "sysctls")
        .iter()
        .filter(|sysctl| !is_refused(field(sysctl, "name")))
        .map(|sysctl| json!({ "name": field(sysctl, "name"), "value": field(sysctl, "value") }))
        .collect();
    let left = if left.is_empty() { Json::Null } else { json!(left) };
    draft.pod(&json!({ "securityContext": { "sysctls": left } }));
}
