use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;
use serde_json::{Value as Json, json};

use crate::kubernetes::network::tests::{Bed, component};

fn namespace(labels: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

fn modes(labels: Json) -> Vec<String> {
    let bed = Bed::new(&[namespace(labels)], vec![]);
    ["enforce", "enforce_version", "audit", "audit_version", "warn", "warn_version"]
        .map(|fact| match bed.fact("Namespace/shop", fact) {
            Value::Unknown(_) => "unknown".to_owned(),
            known => known.to_string(),
        })
        .into()
}

fn label(mode: &str) -> String {
    format!("pod-security.kubernetes.io/{mode}")
}

/// Labels by their modes, and what each mode and its version then are.
type Case<'a> = (&'a [(&'a str, &'a str)], [&'a str; 6]);

/// Each by what `PolicyToEvaluate` of the API server makes of it.
#[test]
fn labels_of_pod_security_are_read_as_the_api_server_reads_them() {
    let cases: [Case<'_>; 8] = [
        (&[], ["none"; 6]),
        (&[("enforce", "restricted")], ["restricted", "none", "none", "none", "restricted", "none"]),
        (
            &[("enforce", "baseline"), ("warn", "privileged")],
            ["baseline", "none", "none", "none", "privileged", "none"],
        ),
        (&[("enforce", "baseline")], ["baseline", "none", "none", "none", "unknown", "none"]),
        (&[("enforce", "privileged")], ["privileged", "none", "none", "none", "none", "none"]),
        (
            &[("enforce", "restricted"), ("enforce-version", "v1.25")],
            ["restricted", "v1.25", "none", "none", "restricted", "v1.25"],
        ),
        // A level that is not known is enforced as the strictest, and neither logged nor warned of.
        (
            &[("enforce", "Baseline"), ("audit", "strict"), ("warn", "")],
            ["restricted", "none", "privileged", "none", "privileged", "none"],
        ),
        (
            &[("enforce", "baseline"), ("enforce-version", "1.25"), ("warn", "baseline"), ("warn-version", "v1.025")],
            ["baseline", "latest", "none", "none", "baseline", "latest"],
        ),
    ];
    for (labels, expected) in cases {
        let labels: serde_json::Map<_, _> = labels.iter().map(|(k, v)| (label(k), Json::from(*v))).collect();
        assert_eq!(modes(Json::Object(labels.clone())), expected, "{labels:?}");
    }
    let bed = Bed::new(&[namespace(json!({"pod-security.kubernetes.io/enforce": "Baseline"}))], vec![]);
    assert_eq!(bed.shows("Namespace/shop", "invalid_labels"), "[pod-security.kubernetes.io/enforce=Baseline]");
    assert_eq!(modes(json!({"pod-security.kubernetes.io/enforce": true}))[0], "unknown");
}

#[test]
fn limits_and_quotas_stand_with_their_namespace() {
    let bed = Bed::new(
        &[
            namespace(json!({})),
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"},
                "spec": {"hard": {"limits.memory": "8Gi", "pods": 10}}, "status": {"used": {"limits.memory": "1Gi", "pods": 3}}}),
            json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "shop"},
                "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}, "defaultRequest": {"cpu": "100m"}}]}}),
            json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "m", "namespace": "elsewhere"}, "spec": {"limits": []}}),
        ],
        vec![],
    );
    assert_eq!(
        bed.shows("Namespace/shop", "quotas"),
        "[{name: q, resource: limits.memory, hard: 8Gi, used: 1Gi, scoped: false}, \
         {name: q, resource: pods, hard: 10, used: 3, scoped: false}]"
    );
    assert_eq!(
        bed.shows("Namespace/shop", "limit_ranges"),
        "[{name: l, type: Container, resource: cpu, default_limit: 2, default_request: 100m, max: 2}, \
         {name: l, type: Container, resource: memory, default_limit: none, default_request: 1Mi, max: none}]"
    );
    assert_eq!(bed.shows("Namespace/shop", "budgets"), "[]");
}

#[test]
fn quotas_tell_of_what_no_more_is_made() {
    let facts = |hard: Json, used: Json| {
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"},
            "spec": {"hard": hard}, "status": {"used": used}});
        let bed = Bed::new(&[namespace(json!({})), quota], vec![]);
        ["closed_objects", "takes_claims"].map(|fact| bed.shows("Namespace/shop", fact))
    };
    let none = || json!({});
    assert_eq!(facts(none(), none()), ["[]", "true"]);
    assert_eq!(facts(json!({"count/jobs.batch": "0"}), none())[0], "[jobs.batch]");
    assert_eq!(facts(json!({"count/jobs.batch": "2"}), json!({"count/jobs.batch": "1"}))[0], "[]");
    assert_eq!(
        facts(json!({"replicationcontrollers": "2"}), json!({"replicationcontrollers": 2}))[0],
        "[replicationcontrollers]"
    );
    assert!(facts(json!({"count/jobs.batch": "2"}), none())[0].contains("unknown"), "how many there are is not told");
    assert_eq!(facts(json!({"persistentvolumeclaims": "0"}), none())[1], "false");
    let sizes = |used: &str| facts(json!({"requests.storage": "10Gi"}), json!({"requests.storage": used}))[1].clone();
    assert_eq!(sizes("900Mi"), "true");
    assert!(sizes("10Gi").contains("unknown"));
}

/// From 1.35 on a pod with users of its own may be root at the level restricted.
#[test]
fn who_is_root_at_a_level_depends_on_its_version() {
    let root = |minor: i64, version: &str| {
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": version});
        let cluster = component(&k8s::CLUSTER, "cluster", &[("minor", minor.into())]);
        Bed::new(&[namespace(labels)], vec![cluster]).shows("Namespace/shop", "takes_root_users")
    };
    assert_eq!(root(34, "latest"), "false");
    assert_eq!(root(35, "v1.34"), "false");
    assert!(root(35, "latest").contains("unknown"));
    assert!(root(35, "v1.35").contains("unknown"));
}

#[test]
fn quotas_with_scopes_leave_a_side_or_perhaps_none() {
    let takes = |scopes: &[&str]| {
        let quota = |(at, scope): (usize, &&str)| {
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": format!("q{at}"), "namespace": "shop"},
                "spec": {"hard": {"pods": "0"}, "scopes": [scope]}})
        };
        let mut objects = vec![namespace(json!({}))];
        objects.extend(scopes.iter().enumerate().map(quota));
        Bed::new(&objects, vec![]).shows("Namespace/shop", "takes_pods")
    };
    assert_eq!(takes(&["Terminating"]), "true");
    assert!(takes(&["Terminating", "NotTerminating"]).contains("unknown"));
}

#[test]
fn a_budget_that_never_lets_go_is_told_from_one_that_waits() {
    let deadlock = |spec: Json, status: Json| {
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "b", "namespace": "shop"}, "spec": spec, "status": status});
        let bed = Bed::new(&[namespace(json!({})), budget], vec![]);
        let budgets = bed.fact("Namespace/shop", "budgets").clone();
        budgets.as_list().unwrap()[0].field("deadlock").unwrap().as_bool()
    };
    let three = || json!({"expectedPods": 3, "disruptionsAllowed": 0});
    assert_eq!(deadlock(json!({"maxUnavailable": 0}), json!({})), Some(true));
    assert_eq!(deadlock(json!({"maxUnavailable": "0%"}), json!({})), Some(true));
    assert_eq!(deadlock(json!({"minAvailable": "100%"}), json!({})), Some(true));
    assert_eq!(deadlock(json!({"minAvailable": 3}), three()), Some(true));
    assert_eq!(deadlock(json!({"minAvailable": "67%"}), three()), Some(true), "rounded up");
    assert_eq!(deadlock(json!({"minAvailable": 2}), three()), Some(false), "one is down just now");
    assert_eq!(deadlock(json!({"maxUnavailable": 1}), three()), Some(false));
    assert_eq!(deadlock(json!({"minAvailable": 1}), Json::Null), None, "from a file nobody knows how many there are");
    assert_eq!(deadlock(json!({"minAvailable": true}), three()), None);
}

#[test]
fn what_stands_over_a_namespace_is_its_label_or_the_servers_default() {
    let server = |defaults: Value| {
        let facts = [("pod_security_defaults", defaults), ("admission_plugins", Value::strings(["PodSecurity"]))];
        component(&k8s::APISERVER, "apiserver", &facts)
    };
    let defaults = |level: &str, exempt: &[&str]| {
        Value::Object(vec![
            ("enforce", level.into()),
            ("enforce_version", "latest".into()),
            ("warn", "privileged".into()),
            ("audit", "privileged".into()),
            ("exempt_namespaces", Value::strings(exempt.to_vec())),
            ("exempt_users", Value::List(Vec::new())),
            ("exempt_runtime_classes", Value::List(Vec::new())),
        ])
    };
    let guarded = |labels: Json, servers: Vec<seaworthy_core::component::Component>| {
        Bed::new(&[namespace(labels)], servers).fact("Namespace/shop", "guarded_by").clone()
    };
    let restricted = || json!({"pod-security.kubernetes.io/enforce": "restricted"});
    assert_eq!(guarded(restricted(), vec![]).to_string(), "[pod-security:restricted]");
    assert!(guarded(json!({}), vec![]).is_unknown(), "the default was not read");
    assert_eq!(guarded(json!({}), vec![server(defaults("privileged", &[]))]).to_string(), "[]");
    assert_eq!(guarded(json!({}), vec![server(defaults("baseline", &[]))]).to_string(), "[pod-security:baseline]");
    assert_eq!(guarded(restricted(), vec![server(defaults("baseline", &["shop"]))]).to_string(), "[]", "it is exempt");
    // Whoever makes a pod chooses its runtime class.
    let past = |class: &str| match defaults("baseline", &[]) {
        Value::Object(mut fields) => {
            let exempt = fields.iter_mut().find(|(name, _)| *name == "exempt_runtime_classes").unwrap();
            exempt.1 = Value::strings([class]);
            server(Value::Object(fields))
        }
        other => server(other),
    };
    assert!(guarded(restricted(), vec![past("fast")]).is_unknown(), "pods of a class are exempt");
    let classes = Value::List(vec![Value::Object(vec![("name", "kata".into()), ("handler", "kata".into())])]);
    let cluster = || component(&k8s::CLUSTER, "cluster", &[("runtime_classes", classes.clone())]);
    assert_eq!(
        guarded(restricted(), vec![past("fast"), cluster()]).to_string(),
        "[pod-security:restricted]",
        "there is none"
    );
    assert!(guarded(restricted(), vec![past("kata"), cluster()]).is_unknown());
}
