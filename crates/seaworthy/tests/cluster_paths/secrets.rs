//! Reading secrets: by list, by name, by an empty change, through a pod.

use serde_json::{Value, json};

use super::ground::{Case, Ground, binding, local, miss, named, rule, user_subject, way};

pub fn cases() -> Vec<Case> {
    let gold = |me: &str| {
        vec![
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": me, "name": "gold"}, "stringData": {"key": "open sesame"}}),
        ]
    };
    let rights = |me: &str, rule: Value| [gold(me), local(me, &[rule])].concat();
    let on = |verbs: &[&str]| rule(&[""], &["secrets"], verbs);
    let of = |verbs: &[&str], name: &str| named(&[""], &["secrets"], verbs, &[name]);
    const READS: &[&str] = &["user-credential", "may-read-secrets"];
    const NAMED: &[&str] = &["user-credential", "may-read-named-secrets"];
    let holds = |text: &str| text.contains("b3BlbiBzZXNhbWU=");
    let list =
        move |ground: &Ground, me: &str| assert!(holds(&ground.does(me, &["get", "secrets", "-n", me, "-o", "json"])));
    let get = move |ground: &Ground, me: &str| {
        assert!(holds(&ground.does(me, &["get", "secret", "gold", "-n", me, "-o", "json"])))
    };
    let cannot = |ground: &Ground, me: &str| {
        ground.refused(me, &["get", "secret", "gold", "-n", me], &Value::Null);
        ground.refused(me, &["get", "secrets", "-n", me], &Value::Null);
    };
    vec![
        way("secrets-list", "secrets-list", rights("secrets-list", on(&["list"])), READS, list),
        way("secrets-get", "secrets-get", rights("secrets-get", on(&["get"])), READS, get),
        way("secrets-named", "secrets-named", rights("secrets-named", of(&["get"], "gold")), NAMED, get),
        // The answer to a patch is the object.
        way("secrets-patch", "secrets-patch", rights("secrets-patch", on(&["patch"])), READS, move |ground, me| {
            let path = format!("/api/v1/namespaces/{me}/secrets/gold");
            let (status, secret) = ground.cluster.client_for(me, &[]).patch(&path, &json!({}));
            assert!(status == 200 && holds(&secret.to_string()), "{status}");
        }),
        // So is that to a deletion in the foreground, which need not even be one.
        way("secrets-delete", "secrets-delete", rights("secrets-delete", on(&["delete"])), READS, move |ground, me| {
            let path = format!("/api/v1/namespaces/{me}/secrets/gold");
            let tried = format!("{path}?propagationPolicy=Foreground&dryRun=All");
            let (status, secret) = ground.cluster.client_for(me, &[]).delete(&tried);
            assert!(status == 200 && holds(&secret.to_string()), "{status}");
            assert_eq!(ground.cluster.get(&path).0, 200);
        }),
        miss("secrets-other", "secrets-other", rights("secrets-other", of(&["get"], "silver")), cannot),
        miss("secrets-list-named", "secrets-list-named", rights("secrets-list-named", of(&["list"], "silver")), cannot),
        miss("secrets-write", "secrets-write", rights("secrets-write", on(&["create", "update"])), cannot),
        miss(
            "secrets-view",
            "secrets-view",
            [
                gold("secrets-view"),
                vec![binding(
                    "RoleBinding",
                    json!({"namespace": "secrets-view", "name": "view"}),
                    "ClusterRole",
                    "view",
                    &[user_subject("secrets-view")],
                )],
            ]
            .concat(),
            cannot,
        ),
        way(
            "secrets-edit",
            "secrets-edit",
            [
                gold("secrets-edit"),
                vec![binding(
                    "RoleBinding",
                    json!({"namespace": "secrets-edit", "name": "edit"}),
                    "ClusterRole",
                    "edit",
                    &[user_subject("secrets-edit")],
                )],
            ]
            .concat(),
            READS,
            list,
        ),
        miss(
            "secrets-by-no-pod",
            "secrets-by-no-pod",
            [
                vec![super::pods::quota("secrets-by-no-pod")],
                rights("secrets-by-no-pod", rule(&[""], &["pods"], &["create"])),
            ]
            .concat(),
            |ground, me| {
                let there = || {
                    let path = format!("/api/v1/namespaces/{me}/resourcequotas/none");
                    ground.cluster.get(&path).1["status"]["hard"].is_object()
                };
                assert!(super::ground::until(60, there));
                let idle = super::ground::idle();
                ground.refused(me, &["create", "-f", "-"], &super::ground::pod(me, "taken", &idle));
            },
        ),
        way(
            "secrets-by-pod",
            "secrets-by-pod",
            rights("secrets-by-pod", rule(&[""], &["pods"], &["create"])),
            &["user-credential", "may-create-pods", "namespace-secrets"],
            |ground, me| {
                let more = json!({"volumeMounts": [{"name": "gold", "mountPath": "/gold"}]});
                let volumes = json!({"volumes": [{"name": "gold", "secret": {"secretName": "gold"}}]});
                ground.creates(
                    me,
                    &super::ground::pod(me, "taken", &super::ground::spec(&super::ground::container(&more), &volumes)),
                );
                ground.cluster.wait_for_pod_running(me, "taken");
                assert_eq!(ground.cluster.exec(me, "taken", "app", &["cat", "/gold/key"]).stdout, "open sesame");
            },
        ),
    ]
}
