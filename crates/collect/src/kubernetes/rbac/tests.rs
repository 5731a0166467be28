use serde_json::json;

use super::*;
use crate::kubernetes::object::Place;

fn gathered(objects: &[Json]) -> Target {
    let mut gatherer = Box::new(Rbac::default());
    let redactor = Redactor::new();
    for json in objects {
        let place = Place::of_server("test");
        gatherer.add(Object { json, place: &place }, &redactor);
    }
    let mut target = Target::new("test", "kubernetes", "");
    gatherer.finish(&mut target);
    target
}

fn component<'a>(target: &'a Target, id: &str) -> &'a Component {
    target.components.iter().find(|c| &*c.id == id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn roles_and_bindings_are_read_with_their_subjects() {
    let target = gathered(&[
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a", "labels": {"x": "y"}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}, "matchExpressions": [{"key": "z", "operator": "Exists"}]}]},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": null}, {"verbs": ["get"], "nonResourceURLs": ["/x*"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "eve"}, {"kind": "Group", "name": "system:authenticated"}, {"kind": "ServiceAccount", "name": "ci"}]}),
    ]);
    let role = component(&target, "ClusterRole/a");
    let expected = "[{verbs: [get], api_groups: [\"\"], resources: [pods], resource_names: [], non_resource_urls: []}, \
                    {verbs: [get], api_groups: [], resources: [], resource_names: [], non_resource_urls: [/x*]}]";
    assert_eq!(role.value("rules").to_string(), expected);
    let expected = "[{labels: [{key: x, value: y}], expressions: [{key: z, operator: Exists, values: []}]}]";
    assert_eq!(role.value("aggregates").to_string(), expected);
    let binding = component(&target, "RoleBinding/default/b");
    assert_eq!(binding.value("role").to_string(), "{kind: Role, name: r}");
    assert_eq!(binding.value("subjects").as_list().map(<[Value]>::len), Some(3));
    assert_eq!(component(&target, "Group/system:authenticated").value("everybody"), &Value::Bool(true));
    assert_eq!(component(&target, "User/eve").value("everybody"), &Value::Bool(false));
    assert!(target.incomplete.is_empty());
}

#[test]
fn what_is_of_another_type_is_unknown_and_null_is_empty() {
    let target = gathered(&[
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a", "namespace": "shop"}, "rules": null}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "b", "namespace": "shop"},
            "rules": [{"verbs": "get", "resources": [7], "apiGroups": []}, 3], "aggregationRule": 1}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "c", "namespace": "shop"}, "subjects": [{"kind": "User"}]}),
        json!({"apiVersion": "example.org/v1", "kind": "Role", "metadata": {"name": "foreign"}}),
    ]);
    assert_eq!(component(&target, "Role/shop/a").value("rules"), &Value::List(Vec::new()));
    let rules = component(&target, "Role/shop/b").value("rules").as_list().expect("a list");
    assert!(rules[0].field("verbs").is_some_and(Value::is_unknown) && rules[1].is_unknown());
    assert!(component(&target, "Role/shop/b").value("aggregates").is_unknown());
    let binding = component(&target, "RoleBinding/shop/c");
    assert!(binding.value("role").is_unknown());
    assert!(binding.value("subjects").as_list().is_some_and(|all| all[0].is_unknown()));
    assert!(target.incomplete.contains_key("kubernetes.subject"), "there may be subjects that are not known");
    assert!(!target.components.iter().any(|c| c.id.contains("foreign")));
}

#[test]
fn service_accounts_are_read_with_their_three_states() {
    let of = |more: Json| {
        let mut json = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": "shop",
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/ci"}}});
        json.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        gathered(&[json])
    };
    let automount = |more| component(&of(more), "ServiceAccount/shop/ci").value("automount").clone();
    assert_eq!(automount(json!({})), Value::Null);
    assert_eq!(automount(json!({"automountServiceAccountToken": null})), Value::Null);
    assert_eq!(automount(json!({"automountServiceAccountToken": false})), Value::Bool(false));
    assert!(automount(json!({"automountServiceAccountToken": "false"})).is_unknown());
    let target = of(json!({"secrets": [{"name": "ci-token-x"}], "imagePullSecrets": [{"name": "pull"}, 4]}));
    let account = component(&target, "ServiceAccount/shop/ci");
    assert_eq!(account.value("secrets").to_string(), "[ci-token-x]");
    assert!(account.value("image_pull_secrets").as_list().is_some_and(|all| all[1].is_unknown()));
    let expected = "[{provider: aws, identity: arn:aws:iam::111122223333:role/ci}]";
    assert_eq!(account.value("cloud_identities").to_string(), expected);
}

#[test]
fn a_list_that_was_not_read_leaves_its_kinds_incomplete() {
    let mut gatherer = Box::new(Rbac::default());
    let resources = gatherer.resources();
    gatherer.unread(&resources[3], "forbidden");
    let mut target = Target::new("test", "kubernetes", "");
    gatherer.finish(&mut target);
    let kinds: Vec<_> = target.incomplete.keys().copied().collect();
    assert_eq!(kinds, ["kubernetes.binding", "kubernetes.subject"]);
}
