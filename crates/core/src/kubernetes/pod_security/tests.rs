use super::*;
use crate::fact::Source;
use crate::schema::kubernetes::{CONTAINER, POD};

fn set(component: &mut Component, facts: &[(&str, Value)]) {
    for (name, value) in facts {
        component.set(name, value.clone(), Source::place("test"));
    }
}

fn none() -> Value {
    Value::List(vec![])
}

/// A pod that restricted takes.
fn pod(facts: &[(&str, Value)]) -> Component {
    let mut out = Component::new(&POD, "Pod/shop/web", "shop/web");
    let good = [
        ("host_network", false.into()),
        ("host_pid", false.into()),
        ("host_ipc", false.into()),
        ("host_users", Value::Null),
        ("os", Value::Null),
        ("volumes", none()),
        ("sysctls", none()),
        ("apparmor", Value::Null),
        ("apparmor_annotations", none()),
        ("seccomp_annotations", none()),
        ("seccomp", "RuntimeDefault".into()),
        ("selinux", Value::Null),
        ("windows_host_process", Value::Null),
        ("run_as_user", Value::Null),
        ("run_as_non_root", true.into()),
        ("containers", Value::strings(["app"])),
    ];
    set(&mut out, &good);
    set(&mut out, facts);
    out
}

fn container(facts: &[(&str, Value)]) -> Component {
    let mut out = Component::new(&CONTAINER, "Pod/shop/web/app", "shop/web/app");
    let good = [
        ("name", "app".into()),
        ("privileged", false.into()),
        ("allow_privilege_escalation", false.into()),
        ("capabilities_added", none()),
        ("capabilities_dropped", Value::strings(["ALL"])),
        ("own_run_as_user", Value::Null),
        ("own_run_as_non_root", Value::Null),
        ("own_seccomp", Value::Null),
        ("own_apparmor", Value::Null),
        ("own_selinux", Value::Null),
        ("own_windows_host_process", Value::Null),
        ("proc_mount", "Default".into()),
        ("ports", none()),
        ("probe_hosts", none()),
    ];
    set(&mut out, &good);
    set(&mut out, facts);
    out
}

fn judged(level: Level, minor: u32, pod: &Component, container: &Component) -> Vec<(&'static str, bool)> {
    let found = violations(level, minor, &Pod { pod, containers: &[container] });
    found.into_iter().map(|v| (v.control, v.undecided.is_none())).collect()
}

#[test]
fn what_is_known_to_be_wrong_refuses_beside_what_is_unknown() {
    let unknown = || Value::unknown("x");
    assert_eq!(judged(Level::Restricted, 37, &pod(&[]), &container(&[])), []);
    let c = container(&[("privileged", unknown()), ("proc_mount", "Unmasked".into())]);
    assert_eq!(judged(Level::Baseline, 37, &pod(&[]), &c), [("privileged", false), ("proc-mount", true)]);
    let c = container(&[("capabilities_added", Value::List(vec![unknown(), "SYS_ADMIN".into()]))]);
    assert_eq!(judged(Level::Baseline, 37, &pod(&[]), &c), [("capabilities-baseline", true)]);
    let c = container(&[("capabilities_dropped", Value::List(vec![unknown(), "ALL".into()]))]);
    assert_eq!(judged(Level::Restricted, 37, &pod(&[]), &c), [], "it drops everything");
    let c = container(&[("capabilities_dropped", Value::List(vec![unknown(), "KILL".into()]))]);
    assert_eq!(judged(Level::Restricted, 37, &pod(&[]), &c), [("capabilities-restricted", false)]);
}

#[test]
fn an_unknown_exemption_leaves_undecided_what_it_may_exempt() {
    let c = container(&[("allow_privilege_escalation", Value::Null), ("privileged", true.into())]);
    let windows = pod(&[("os", "windows".into())]);
    assert_eq!(judged(Level::Restricted, 25, &windows, &c), [("privileged", true)]);
    assert_eq!(
        judged(Level::Restricted, 24, &windows, &c),
        [("privileged", true), ("allow-privilege-escalation", true)]
    );
    let unknown = pod(&[("os", Value::unknown("x"))]);
    assert_eq!(
        judged(Level::Restricted, 25, &unknown, &c),
        [("privileged", true), ("allow-privilege-escalation", false)]
    );
    assert_eq!(judged(Level::Restricted, 25, &unknown, &container(&[])), [], "nothing to be exempt from");
    let root = pod(&[("host_users", false.into()), ("run_as_user", 0.into()), ("run_as_non_root", Value::Null)]);
    let unmasked = container(&[("proc_mount", "Unmasked".into())]);
    assert_eq!(judged(Level::Restricted, 35, &root, &unmasked), [("proc-mount-restricted", true)]);
    assert_eq!(judged(Level::Baseline, 35, &root, &unmasked), []);
}

#[test]
fn containers_that_could_not_be_read_leave_every_question_about_them_undecided() {
    let lost = pod(&[("containers", Value::List(vec!["app".into(), Value::unknown("x")]))]);
    let found = judged(Level::Restricted, 37, &lost, &container(&[]));
    assert!(found.iter().all(|(_, refused)| !refused));
    let controls: std::collections::BTreeSet<_> = found.iter().map(|(control, _)| *control).collect();
    let of_pod_alone = ["host-namespaces", "restricted-volumes", "sysctls"];
    let all: std::collections::BTreeSet<_> = names(Level::Restricted, 37).into_iter().collect();
    assert_eq!(controls, all.into_iter().filter(|c| !of_pod_alone.contains(c)).collect());
}

#[test]
fn an_unknown_type_of_volume_is_undecided_and_a_pod_that_says_nothing_of_root_is_refused_by_container() {
    let volume = |kind: &str| {
        let fields = [("name", "v"), ("type", kind), ("source", ""), ("path_type", "")];
        let mut fields: Vec<(&'static str, Value)> = fields.into_iter().map(|(k, v)| (k, v.into())).collect();
        fields.extend([("read_only", false.into()), ("size_limit", Value::Null)]);
        ("volumes", Value::List(vec![Value::Object(fields)]))
    };
    assert_eq!(
        judged(Level::Restricted, 37, &pod(&[volume("newFabric")]), &container(&[])),
        [("restricted-volumes", false)]
    );
    assert_eq!(judged(Level::Restricted, 37, &pod(&[volume("nfs")]), &container(&[])), [("restricted-volumes", true)]);
    assert_eq!(judged(Level::Baseline, 37, &pod(&[volume("nfs")]), &container(&[])), []);
    let says_nothing = pod(&[("run_as_non_root", Value::Null)]);
    assert_eq!(judged(Level::Restricted, 37, &says_nothing, &container(&[])), [("run-as-non-root", true)]);
    let unknown = pod(&[("run_as_non_root", Value::unknown("x"))]);
    assert_eq!(judged(Level::Restricted, 37, &unknown, &container(&[])), [("run-as-non-root", false)]);
    let own = container(&[("own_run_as_non_root", true.into())]);
    assert_eq!(judged(Level::Restricted, 37, &unknown, &own), [], "the pod's does not matter then");
}

#[test]
fn versions_are_read_as_the_api_server_reads_them() {
    assert_eq!(minor_named("v1.35"), Some(35));
    for latest in ["latest", "v1.035", "v2.1", "1.35", "v1.", "v1.x", "v1.99999999999"] {
        assert_eq!(minor_named(latest), None, "{latest}");
    }
    assert_eq!(minor_in_force(Some(36), Some(34)), 34, "a server knows no newer policy than its own");
    assert_eq!(minor_in_force(Some(20), Some(34)), 20);
    assert_eq!(minor_in_force(None, Some(34)), 34);
    assert_eq!(minor_in_force(None, None), NEWEST);
    assert_eq!(minor_in_force(Some(99), None), NEWEST);
    assert_eq!((level_named("baseline"), level_named("privileged")), (Some(Level::Baseline), None));
}
