//! Rights that quotas bound, and people whom Pod Security exempts.

use super::*;
use seaworthy_core::schema::kubernetes;

/// A power of the user `eve`, by its resources.
fn power(name: &str, namespace: Option<&str>, resources: &[&str]) -> Value {
    Value::Object(vec![
        ("power", name.into()),
        ("cluster_wide", namespace.is_none().into()),
        ("namespace", namespace.unwrap_or_default().into()),
        ("names", none()),
        ("resources", strings(resources)),
        ("through", none()),
    ])
}

/// The grants of `eve` in a cluster of two namespaces, one of which takes no more of some objects: where they lead, what
/// they are called, how certain they are.
fn grants(power: Value, closed: &[&str], exempt: &[&str], own_names: Value) -> Vec<(String, String, &'static str)> {
    let mut cluster = Target::new("prod", "kubernetes", "https://api");
    let mut add = |kind, id: &str, facts: Change<'_>| cluster.components.push(component(kind, id, id, facts));
    add(&kubernetes::CLUSTER, "cluster", &[]);
    add(&kubernetes::NAMESPACE, "shop", &[("name", "shop".into()), ("closed_objects", strings(closed))]);
    add(&kubernetes::NAMESPACE, "till", &[("name", "till".into()), ("closed_objects", none())]);
    let level = |name| (name, Value::from("baseline"));
    let defaults = Value::Object(vec![
        level("enforce"),
        ("enforce_version", "latest".into()),
        level("warn"),
        level("audit"),
        ("exempt_namespaces", none()),
        ("exempt_users", strings(exempt)),
        ("exempt_runtime_classes", none()),
    ]);
    add(&kubernetes::APISERVER, "server", &[("pod_security_defaults", defaults)]);
    add(&kubernetes::CONTROLLER_MANAGER, "manager", &[("use_service_account_credentials", own_names)]);
    let powers = Value::List(vec![power]);
    add(
        &kubernetes::SUBJECT,
        "eve",
        &[("kind", "User".into()), ("name", "eve".into()), ("powers", powers), ("gains", none())],
    );
    let snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![cluster] };
    let drawn = diagram(&snapshot, None);
    let grants = drawn.flows.iter().filter(|flow| flow.kind == FlowKind::Grant);
    grants.map(|flow| (drawn.elements[flow.to].name.clone(), flow.label.clone(), flow.certainty.word())).collect()
}

fn is(to: &str, label: &str, certainty: &'static str) -> (String, String, &'static str) {
    (to.to_owned(), label.to_owned(), certainty)
}

#[test]
fn a_quota_makes_a_right_to_what_it_bounds_possible_where_it_holds() {
    let of = |resources: &[&str], closed: &[&str]| {
        grants(power("create-workloads", Some("shop"), resources), closed, &[], Value::Bool(true))
    };
    let may = |certainty| vec![is("shop", "create-workloads", certainty)];
    assert_eq!(of(&["deployments.apps"], &[]), may("proven"));
    assert_eq!(of(&["deployments.apps"], &["jobs.batch"]), may("proven"));
    assert_eq!(of(&["deployments.apps"], &["deployments.apps"]), may("possible"));
    assert_eq!(of(&["deployments.apps"], &["replicasets.apps"]), may("possible"), "its set is what pods come of");
    assert_eq!(of(&["cronjobs.batch", "statefulsets.apps"], &["jobs.batch"]), may("proven"), "one way is left");
    assert_eq!(of(&["cronjobs.batch"], &["jobs.batch"]), may("possible"));
    // In the whole cluster it holds where no quota stands against it.
    let wide =
        grants(power("create-workloads", None, &["deployments.apps"]), &["deployments.apps"], &[], Value::Bool(true));
    assert_eq!(wide, [is("shop", "create-workloads", "possible"), is("till", "create-workloads", "proven")]);
    let pods = grants(power("create-pods", None, &["pods"]), &["deployments.apps"], &[], Value::Bool(true));
    assert_eq!(pods.len(), 1, "{pods:?}");
}

#[test]
fn who_is_exempt_makes_pods_that_are_held_to_no_level() {
    let pods = || power("create-pods", Some("shop"), &["pods"]);
    let past = |power: Value, exempt: &[&str], own: Value| {
        let all = grants(power, &[], exempt, own);
        all.into_iter().find(|(_, label, _)| label == "create-pods/exempt").map(|(.., certainty)| certainty)
    };
    assert_eq!(past(pods(), &["eve"], Value::Bool(true)), Some("proven"));
    assert_eq!(past(pods(), &["adam"], Value::Bool(true)), None);
    assert_eq!(past(power("read-secrets", Some("shop"), &["secrets"]), &["eve"], Value::Bool(true)), None);
    // Pods of a workload are made by a controller.
    let workloads = || power("create-workloads", Some("shop"), &["deployments.apps"]);
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    assert_eq!(past(workloads(), &["eve"], Value::Bool(true)), None);
    assert_eq!(past(workloads(), &[controller], Value::Bool(true)), Some("proven"));
    assert_eq!(past(workloads(), &[controller], Value::Bool(false)), None, "it has no name of its own");
    assert_eq!(past(workloads(), &["system:kube-controller-manager"], Value::Bool(false)), Some("proven"));
    assert_eq!(past(workloads(), &[controller], Value::unknown("unread")), Some("possible"));
    let other = "system:serviceaccount:kube-system:job-controller";
    assert_eq!(past(workloads(), &[other], Value::Bool(true)), None);
}

#[test]
fn a_volume_is_taken_where_there_is_one() {
    let taken = |phase: &str, decisive: Value| {
        let mut cluster = Target::new("prod", "kubernetes", "https://api");
        let mut add = |kind, id: &str, facts: Change<'_>| cluster.components.push(component(kind, id, id, facts));
        add(&kubernetes::CLUSTER, "cluster", &[]);
        add(&kubernetes::NAMESPACE, "shop", &[("name", "shop".into())]);
        add(&kubernetes::VOLUME, "root", &[("phase", phase.into()), ("decisive", decisive)]);
        let powers = Value::List(vec![power("take-volumes", Some("shop"), &["pods", "persistentvolumes"])]);
        add(&kubernetes::SUBJECT, "eve", &[("kind", "User".into()), ("name", "eve".into()), ("powers", powers)]);
        let snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![cluster] };
        let flows = diagram(&snapshot, None).flows;
        flows.iter().find(|flow| flow.label == "take-volumes").map(|flow| flow.certainty.word())
    };
    assert_eq!(taken("Released", true.into()), Some("proven"));
    assert_eq!(taken("Bound", true.into()), None);
    assert_eq!(taken("Released", false.into()), None);
    assert_eq!(taken("Released", Value::unknown("unread")), Some("possible"));
}
