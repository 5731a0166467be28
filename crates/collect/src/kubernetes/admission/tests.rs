use serde_json::{Value as Json, json};

use crate::kubernetes::network::tests::{Bed, pod};

fn hook(more: Json) -> Json {
    let mut hook = json!({"name": "check.policy.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "policy", "name": "hook", "path": "/v"}, "caBundle": "Zm9v"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE", "UPDATE"]}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        hook[key] = value.clone();
    }
    hook
}

fn configuration(kind: &str, name: &str, hooks: Vec<Json>) -> Json {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}WebhookConfiguration"),
        "metadata": {"name": name}, "webhooks": hooks})
}

fn namespace(name: &str, labels: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn service(port: i64) -> Json {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook", "namespace": "policy"},
        "spec": {"selector": {"app": "hook"}, "ports": [{"port": port}]}})
}

const ID: &str = "ValidatingWebhook/c/check.policy.test";

fn bed(more: Json, objects: &[Json]) -> Bed {
    let mut all = vec![configuration("Validating", "c", vec![hook(more)])];
    all.extend_from_slice(objects);
    Bed::new(&all, vec![pod("Deployment/policy/hook", &["app=hook"], &[])])
}

#[test]
fn a_webhook_has_the_defaults_of_the_api_server() {
    let bed = bed(json!({}), &[service(443), namespace("policy", json!({}))]);
    for (fact, value) in [
        ("failure_policy", "Fail"),
        ("match_policy", "Equivalent"),
        ("namespace_selector", "\"\""),
        ("timeout", "10"),
        ("service", "policy/hook"),
        ("service_port", "443"),
        ("ca_bundle", "true"),
        ("side_effects", "None"),
        ("url", "none"),
        ("engine", "none"),
        ("sees", "[pods]"),
        ("guards", "true"),
        ("dangling", "false"),
        ("exempt_namespaces", "[]"),
        ("self_guarding", "true"),
        ("configuration", "c"),
    ] {
        assert_eq!(bed.shows(ID, fact), value, "{fact}");
    }
}

#[test]
fn selectors_exempt_namespaces_and_conditions_leave_it_open() {
    let spaces = [namespace("policy", json!({"skip": "yes"})), namespace("shop", json!({})), service(443)];
    let selector = json!({"namespaceSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}});
    let exempt = bed(selector, &spaces);
    assert_eq!(exempt.shows(ID, "exempt_namespaces"), "[policy]");
    assert_eq!(exempt.shows(ID, "self_guarding"), "false");
    assert!(!exempt.shows("Namespace/policy", "guarded_by").contains("check.policy.test"));
    assert!(exempt.shows("Namespace/shop", "guarded_by").contains(ID));
    let conditions = bed(json!({"matchConditions": [{"name": "not-own", "expression": "true"}]}), &spaces);
    assert!(conditions.fact(ID, "self_guarding").is_unknown());
    let objects = bed(json!({"objectSelector": {"matchLabels": {"app": "other"}}}), &spaces);
    assert_eq!(objects.shows(ID, "self_guarding"), "false");
    let ignored = bed(json!({"failurePolicy": "Ignore"}), &spaces);
    assert_eq!(ignored.shows(ID, "self_guarding"), "false");
}

#[test]
fn what_it_sees_is_by_group_resource_operation_and_scope() {
    let rule = |group: &str, resource: &str, operation: &str, scope: &str| {
        bed(
            json!({"rules": [{"apiGroups": [group], "apiVersions": ["*"], "resources": [resource],
            "operations": [operation], "scope": scope}]}),
            &[],
        )
        .shows(ID, "sees")
    };
    assert_eq!(rule("", "pods", "CREATE", "*"), "[pods]");
    assert_eq!(rule("", "pods", "DELETE", "*"), "[]");
    assert_eq!(rule("", "pods", "CREATE", "Cluster"), "[]");
    assert_eq!(rule("apps", "pods", "CREATE", "*"), "[]");
    assert_eq!(rule("", "pods/*", "CONNECT", "*"), "[exec]");
    assert_eq!(
        rule("*", "*", "*", "*"),
        "[pods, workloads, service-accounts, rbac, secrets, namespaces, network-policies]"
    );
    assert_eq!(
        rule("*", "*/*", "*", "*"),
        "[pods, workloads, exec, service-accounts, rbac, secrets, namespaces, network-policies]"
    );
    assert!(bed(json!({"rules": [7]}), &[]).fact(ID, "sees").is_unknown());
    assert!(bed(json!({"rules": "all"}), &[]).fact(ID, "guards").is_unknown());
}

#[test]
fn a_service_that_is_not_there_is_dangling_and_a_url_is_no_service() {
    assert_eq!(bed(json!({}), &[]).shows(ID, "dangling"), "true");
    assert_eq!(bed(json!({}), &[service(8443)]).shows(ID, "dangling"), "true", "it has no such port");
    let url = bed(json!({"clientConfig": {"url": "https://user:hunter2@hooks.example.test/v?token=s3cr3tvalue"}}), &[]);
    let shown = url.shows(ID, "url");
    assert!(
        shown.contains("hooks.example.test") && !shown.contains("hunter2") && !shown.contains("s3cr3tvalue"),
        "{shown}"
    );
    assert_eq!(url.shows(ID, "dangling"), "false");
    assert_eq!(url.shows(ID, "ca_bundle"), "false");
    let unread =
        Bed::of("kubernetes", &[configuration("Validating", "c", vec![hook(json!({}))])], vec![], &["services"]);
    assert!(unread.fact(ID, "dangling").is_unknown());
}

#[test]
fn engines_are_known_by_a_word_of_their_names() {
    let engine = |kind: &str, name: &str| {
        let bed = Bed::new(&[configuration(kind, name, vec![hook(json!({}))])], vec![]);
        bed.shows(&format!("{kind}Webhook/{name}/check.policy.test"), "engine")
    };
    assert_eq!(engine("Validating", "gatekeeper-validating-webhook-configuration"), "gatekeeper");
    assert_eq!(engine("Mutating", "kyverno-resource-mutating-webhook-cfg"), "kyverno");
    assert_eq!(engine("Validating", "propagator"), "none", "opa is no word of it");
}

#[test]
fn a_policy_without_a_binding_that_denies_enforces_nothing() {
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"},
        "spec": {"validations": [{"expression": "true"}], "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}]}}});
    let binding = |actions: Json| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": actions,
            "matchResources": {"namespaceSelector": {"matchLabels": {"env": "prod"}}}}})
    };
    let spaces = [namespace("prod", json!({"env": "prod"})), namespace("test", json!({}))];
    let with = |more: &[Json]| {
        let mut all = vec![policy.clone()];
        all.extend_from_slice(&spaces);
        all.extend_from_slice(more);
        Bed::new(&all, vec![])
    };
    let id = "ValidatingAdmissionPolicy/p";
    assert_eq!(with(&[]).shows(id, "enforces"), "false");
    assert_eq!(with(&[binding(json!(["Warn", "Audit"]))]).shows(id, "enforces"), "false");
    let denies = with(&[binding(json!(["Deny"]))]);
    assert_eq!(denies.shows(id, "enforces"), "true");
    assert_eq!(denies.shows(id, "guards"), "true");
    assert_eq!(denies.shows(id, "exempt_namespaces"), "[test]");
    assert!(denies.shows("Namespace/prod", "guarded_by").contains(id));
    assert!(!denies.shows("Namespace/test", "guarded_by").contains(id));
    // What one namespace is refused says nothing of another, where the same policy only warns.
    let mut warns = binding(json!(["Warn"]));
    warns["metadata"]["name"] = json!("everywhere");
    warns["spec"]["matchResources"] = Json::Null;
    let both = with(&[binding(json!(["Deny"])), warns]);
    assert!(both.shows("Namespace/prod", "guarded_by").contains(id));
    assert!(!both.shows("Namespace/test", "guarded_by").contains(id));
    // Where it chooses among objects, whoever makes one may be left out: that is no guard, and no hole for certain.
    let but = |path: &str, value: Json| {
        let (mut policy, mut binding) = (policy.clone(), binding(json!(["Deny"])));
        match path.strip_prefix("/binding") {
            Some(path) => binding["spec"]["matchResources"][path.trim_start_matches('/')] = value,
            None => policy["spec"][path] = value,
        }
        let all = [&[policy, binding][..], &spaces].concat();
        Bed::new(&all, vec![]).fact("Namespace/prod", "guarded_by").clone()
    };
    assert!(but("matchConditions", json!([{"name": "c", "expression": "true"}])).is_unknown());
    assert!(but("paramKind", json!({"apiVersion": "v1", "kind": "ConfigMap"})).is_unknown());
    assert!(but("/binding/objectSelector", json!({"matchLabels": {"guard": "yes"}})).is_unknown());
    assert!(but("/binding/excludeResourceRules", json!([{"resourceNames": ["x"]}])).is_unknown());
    assert!(!but("validations", json!([])).to_string().contains(id), "it only notes");
    let unread = Bed::of("kubernetes", std::slice::from_ref(&policy), vec![], &["validatingadmissionpolicybindings"]);
    assert!(unread.fact(id, "enforces").is_unknown());
}

#[test]
fn kyverno_enforces_where_a_policy_or_rule_says_so() {
    let policy = |spec: Json| {
        let object =
            json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "k"}, "spec": spec});
        Bed::new(&[object], vec![]).shows("KyvernoClusterPolicy/k", "enforces")
    };
    let rules = |action: Json| json!([{"name": "r", "validate": {"failureAction": action}}]);
    assert_eq!(policy(json!({"rules": rules(Json::Null)})), "false", "it audits by default");
    assert_eq!(policy(json!({"rules": rules(Json::Null), "validationFailureAction": "enforce"})), "true");
    assert_eq!(policy(json!({"rules": rules(json!("Enforce")), "validationFailureAction": "Audit"})), "true");
    assert_eq!(policy(json!({"rules": rules(json!("Enforce")), "admission": false})), "false");
    assert!(policy(json!({"rules": 7})).starts_with("unknown"));
}
