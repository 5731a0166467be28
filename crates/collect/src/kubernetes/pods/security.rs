//! Security contexts: what the pod's says, what a container's says, and what the two make together.

use std::sync::Arc;

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{Node, Read, cut, value};
use super::sheet::Sheet;
use crate::docker::container::privileges::DEFAULTS;

/// What a pod's security context gives its containers.
#[derive(Clone, Debug)]
pub(super) struct PodContext {
    says_something: Read<bool>,
    run_as_user: Read<Option<i64>>,
    run_as_group: Read<Option<i64>>,
    run_as_non_root: Read<Option<bool>>,
    seccomp: Read<Option<String>>,
    apparmor: Read<Option<String>>,
    selinux: Value,
    host_process: Read<Option<bool>>,
    /// Profiles of containers by annotations: name and profile as written.
    annotated: Vec<(String, Read<String>)>,
    windows: bool,
}

/// Prefix of the annotations that named AppArmor profiles before there was a field.
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The annotations that named seccomp profiles before there was a field.
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Whether an annotation names a profile.
pub(super) fn names_a_profile(annotation: &str) -> bool {
    annotation.starts_with(APPARMOR) || annotation.starts_with(SECCOMP) || annotation == SECCOMP_POD
}

/// The type of a profile; none where there is no profile, empty where a profile has no type.
fn profile(context: Node<'_>, field: &str) -> Read<Option<String>> {
    let profile = context.get(field);
    if profile.map()?.is_none() {
        return Ok(None);
    }
    Ok(Some(cut(profile.get("type").text()?.unwrap_or_default()).to_owned()))
}

fn selinux(context: Node<'_>) -> Value {
    let options = context.get("seLinuxOptions");
    match options.map() {
        Ok(None) => Value::Null,
        Err(reason) => Value::Unknown(reason),
        Ok(Some(_)) => {
            let text = |key: &str| value(options.get(key).text().map(|text| cut(text.unwrap_or_default()).to_owned()));
            Value::Object(vec![
                ("user", text("user")),
                ("role", text("role")),
                ("type", text("type")),
                ("level", text("level")),
            ])
        }
    }
}

/// Whether there is a context that says anything.
fn says_something(context: Node<'_>) -> Read<bool> {
    Ok(context.map()?.is_some_and(|map| map.values().any(|v| !v.is_null())))
}

/// The facts of a pod's security context, and what its containers have of it.
pub(super) fn of_pod(sheet: &mut Sheet, spec: Node<'_>, annotations: Node<'_>, windows: bool) -> PodContext {
    let context = spec.get("securityContext");
    let out = PodContext {
        says_something: says_something(context),
        run_as_user: context.get("runAsUser").int(),
        run_as_group: context.get("runAsGroup").int(),
        run_as_non_root: context.get("runAsNonRoot").bool(),
        seccomp: profile(context, "seccompProfile"),
        apparmor: profile(context, "appArmorProfile"),
        selinux: selinux(context),
        host_process: context.at(&["windowsOptions", "hostProcess"]).bool(),
        annotated: profiles(annotations, APPARMOR),
        windows,
    };
    sheet.read("security_context", "spec.securityContext", out.says_something.clone());
    sheet.read("run_as_user", "spec.securityContext.runAsUser", out.run_as_user.clone());
    sheet.read("run_as_group", "spec.securityContext.runAsGroup", out.run_as_group.clone());
    sheet.read("run_as_non_root", "spec.securityContext.runAsNonRoot", out.run_as_non_root.clone());
    sheet.read("fs_group", "spec.securityContext.fsGroup", context.get("fsGroup").int());
    let groups = context.get("supplementalGroups").each(|group| value(group.required().int()));
    sheet.read("supplemental_groups", "spec.securityContext.supplementalGroups", groups.map(Value::List));
    sheet.read("seccomp", "spec.securityContext.seccompProfile.type", out.seccomp.clone());
    sheet.read("apparmor", "spec.securityContext.appArmorProfile.type", out.apparmor.clone());
    sheet.set("selinux", "spec.securityContext.seLinuxOptions", out.selinux.clone());
    sheet.read("windows_host_process", "spec.securityContext.windowsOptions.hostProcess", out.host_process.clone());
    let user = context.at(&["windowsOptions", "runAsUserName"]).text().map(|user| user.map(cut));
    sheet.read("windows_user", "spec.securityContext.windowsOptions.runAsUserName", user);
    let sysctls = context.get("sysctls").each(|sysctl| {
        let text = |key: &str| value(sysctl.get(key).required().text().map(|text| text.map(cut)));
        Value::Object(vec![("name", text("name")), ("value", text("value"))])
    });
    sheet.read("sysctls", "spec.securityContext.sysctls", sysctls.map(Value::List));
    annotation_facts(sheet, annotations, &out);
    out
}

/// Container and profile of the annotations that begin with a prefix.
fn profiles(annotations: Node<'_>, prefix: &str) -> Vec<(String, Read<String>)> {
    let map = annotations.map().ok().flatten().into_iter().flatten();
    let named = map.filter_map(|(key, profile)| {
        let container = key.strip_prefix(prefix)?;
        Some((cut(container).to_owned(), Node::of(profile).text().map(|p| cut(p.unwrap_or_default()).to_owned())))
    });
    named.take(super::read::MOST_ITEMS).collect()
}

fn annotation_facts(sheet: &mut Sheet, annotations: Node<'_>, context: &PodContext) {
    let as_value = |(container, profile): &(String, Read<String>)| {
        Value::Object(vec![("container", container.as_str().into()), ("profile", value(profile.clone()))])
    };
    let mut seccomp = profiles(annotations, SECCOMP);
    if let Node::Is(_) = annotations.get(SECCOMP_POD) {
        let profile = annotations.get(SECCOMP_POD).text().map(|p| cut(p.unwrap_or_default()).to_owned());
        seccomp.insert(0, (String::new(), profile));
    }
    let readable = annotations.map().map(|_| ());
    let apparmor = readable.clone().map(|()| Value::List(context.annotated.iter().map(as_value).collect()));
    sheet.read("apparmor_annotations", "metadata.annotations", apparmor);
    let seccomp = readable.map(|()| Value::List(seccomp.iter().map(as_value).collect()));
    sheet.read("seccomp_annotations", "metadata.annotations", seccomp);
}

/// What a container's own says, where it says something, else the pod's.
fn over<T: Clone>(own: &Read<Option<T>>, pod: &Read<Option<T>>) -> Read<Option<T>> {
    match own {
        Ok(None) => pod.clone(),
        own => own.clone(),
    }
}

/// The facts of a container's security context. `name` finds its annotations.
pub(super) fn of_container(sheet: &mut Sheet, json: Node<'_>, name: &str, pod: &PodContext) {
    let context = json.get("securityContext");
    let set = match (says_something(context), &pod.says_something) {
        (Ok(true), _) | (_, Ok(true)) => Ok(true),
        (Ok(false), of_pod) => of_pod.clone(),
        (unknown, _) => unknown,
    };
    sheet.read("security_context", "securityContext", set);
    let privileged = context.get("privileged").bool().map(|p| p.unwrap_or(false));
    sheet.read("privileged", "securityContext.privileged", privileged.clone());
    let escalation = context.get("allowPrivilegeEscalation").bool();
    sheet.read("allow_privilege_escalation", "securityContext.allowPrivilegeEscalation", escalation.clone());
    let kept = escalation.map(|allowed| allowed == Some(false));
    sheet.read("no_new_privileges", "securityContext.allowPrivilegeEscalation", kept);
    capabilities(sheet, context, &privileged);
    users(sheet, context, pod);
    let read_only = context.get("readOnlyRootFilesystem").bool().map(|r| r.unwrap_or(false));
    sheet.read("readonly_rootfs", "securityContext.readOnlyRootFilesystem", read_only);
    let proc_mount = context.get("procMount").text().map(|mount| cut(mount.unwrap_or("Default")).to_owned());
    sheet.read("proc_mount", "securityContext.procMount", proc_mount);
    profiles_of_container(sheet, context, name, pod);
    let own = context.at(&["windowsOptions", "hostProcess"]).bool();
    let host_process = over(&own, &pod.host_process).map(|h| h.unwrap_or(false));
    sheet.read("own_windows_host_process", "securityContext.windowsOptions.hostProcess", own);
    sheet.read("windows_host_process", "securityContext.windowsOptions.hostProcess", host_process);
}

fn users(sheet: &mut Sheet, context: Node<'_>, pod: &PodContext) {
    let own_user = context.get("runAsUser").int();
    let own_non_root = context.get("runAsNonRoot").bool();
    let user = over(&own_user, &pod.run_as_user);
    let non_root = over(&own_non_root, &pod.run_as_non_root).map(|n| n.unwrap_or(false));
    sheet.read("own_run_as_user", "securityContext.runAsUser", own_user);
    sheet.read("own_run_as_non_root", "securityContext.runAsNonRoot", own_non_root);
    sheet.read("run_as_user", "securityContext.runAsUser", user.clone());
    sheet.read("run_as_non_root", "securityContext.runAsNonRoot", non_root.clone());
    let group = over(&context.get("runAsGroup").int(), &pod.run_as_group);
    sheet.read("run_as_group", "securityContext.runAsGroup", group);
    let root = match (&non_root, &user) {
        _ if pod.windows => Ok(false),
        // The kubelet does not start it as root then.
        (Ok(true), _) => Ok(false),
        (_, Ok(Some(user))) if *user != 0 => Ok(false),
        (Ok(false), Ok(Some(_))) => Ok(true),
        (Err(reason), _) | (_, Err(reason)) => Err(Arc::clone(reason)),
        (Ok(false), Ok(None)) => Err("neither container nor pod names a user: the image's decides".into()),
    };
    let possible = match (&root, &non_root, &user) {
        (Err(_), Ok(false), Ok(None)) => Ok(true),
        (root, ..) => root.clone(),
    };
    sheet.read("root_user", "securityContext.runAsUser", root);
    sheet.read("root_possible", "securityContext.runAsUser", possible);
}

fn capabilities(sheet: &mut Sheet, context: Node<'_>, privileged: &Read<bool>) {
    let lists = context.get("capabilities");
    let added = lists.get("add").texts();
    let dropped = lists.get("drop").texts();
    let held = match (privileged, &added, &dropped) {
        (Ok(true), ..) => Value::strings(["ALL"]),
        (Ok(false), Ok(added), Ok(dropped)) => effective(added, dropped),
        (Err(reason), ..) | (_, Err(reason), _) | (_, _, Err(reason)) => Value::Unknown(Arc::clone(reason)),
    };
    sheet.read("capabilities_added", "securityContext.capabilities.add", added.map(Value::List));
    sheet.read("capabilities_dropped", "securityContext.capabilities.drop", dropped.map(Value::List));
    sheet.set("capabilities", "securityContext.capabilities", held);
}

/// As containerd works them out: everything or nothing first, then what is added, then what is dropped.
fn effective(added: &[Value], dropped: &[Value]) -> Value {
    if let Some(reason) = added.iter().chain(dropped).find_map(Value::reason) {
        return Value::Unknown(Arc::clone(reason));
    }
    let plain = |values: &[Value]| -> Vec<String> {
        let upper = values.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase);
        upper.map(|name| name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)).collect()
    };
    let (added, dropped) = (plain(added), plain(dropped));
    let is_all = |name: &String| name == "ALL";
    let mut held: Vec<String> = match (dropped.iter().any(is_all), added.iter().any(is_all)) {
        (true, _) => Vec::new(),
        (false, true) => vec!["ALL".to_owned()],
        (false, false) => DEFAULTS.iter().map(|&name| name.to_owned()).collect(),
    };
    held.extend(added.into_iter().filter(|name| !is_all(name)));
    // Of all but a few, the few cannot be named as missing; whoever has all but one has enough.
    held.retain(|name| !dropped.contains(name));
    held.sort_unstable();
    held.dedup();
    Value::strings(held)
}

fn profiles_of_container(sheet: &mut Sheet, context: Node<'_>, name: &str, pod: &PodContext) {
    let own_seccomp = profile(context, "seccompProfile");
    let set = over(&own_seccomp, &pod.seccomp);
    sheet.read("own_seccomp", "securityContext.seccompProfile.type", own_seccomp);
    sheet.read("seccomp_set", "securityContext.seccompProfile.type", set);
    let own_apparmor = profile(context, "appArmorProfile");
    let apparmor = match over(&own_apparmor, &pod.apparmor) {
        Ok(None) => annotated(name, pod),
        set => set,
    };
    sheet.read("own_apparmor", "securityContext.appArmorProfile.type", own_apparmor);
    sheet.read("apparmor", "securityContext.appArmorProfile.type", apparmor);
    let own = selinux(context);
    let options = if own == Value::Null { pod.selinux.clone() } else { own.clone() };
    sheet.set("own_selinux", "securityContext.seLinuxOptions", own);
    sheet.set("selinux", "securityContext.seLinuxOptions", options);
}

/// The type that the annotation of a container says in the fields' words.
fn annotated(container: &str, pod: &PodContext) -> Read<Option<String>> {
    let Some((_, profile)) = pod.annotated.iter().find(|(name, _)| name == container) else { return Ok(None) };
    let profile = profile.clone()?;
    Ok(match profile.as_str() {
        "" => None,
        "runtime/default" => Some("RuntimeDefault".to_owned()),
        "unconfined" => Some("Unconfined".to_owned()),
        other if other.starts_with("localhost/") => Some("Localhost".to_owned()),
        _ => Some(profile),
    })
}

/// Whether a pod names Windows as its system.
pub(super) fn is_windows(spec: Node<'_>) -> bool {
    matches!(spec.at(&["os", "name"]), Node::Is(Json::String(name)) if name == "windows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(added: &[&str], dropped: &[&str]) -> String {
        let values = |texts: &[&str]| texts.iter().map(|&t| Value::from(t)).collect::<Vec<_>>();
        effective(&values(added), &values(dropped)).to_string()
    }

    #[test]
    fn capabilities_are_those_that_containerd_gives() {
        assert_eq!(caps(&[], &["ALL"]), "[]");
        assert_eq!(caps(&["NET_BIND_SERVICE"], &["ALL"]), "[NET_BIND_SERVICE]");
        assert_eq!(caps(&["ALL"], &[]), "[ALL]");
        assert_eq!(caps(&["ALL"], &["ALL"]), "[]");
        assert_eq!(caps(&["cap_sys_admin"], &["all"]), "[SYS_ADMIN]");
        assert!(caps(&[], &["NET_RAW"]).contains("SYS_CHROOT") && !caps(&[], &["NET_RAW"]).contains("NET_RAW"));
        assert!(effective(&[Value::unknown("x")], &[]).is_unknown());
    }
}
