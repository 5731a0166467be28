//! Giving oneself rights: bind and escalate, with what each really needs; aggregation.

use serde_json::{Value, json};

use super::ground::{Case, Ground, RBAC, binding, local, miss, named, rule, until, user_subject, way, wide};

const ADMIN: &str = "cluster-admin";
const GIVES: &[&str] = &["user-credential", "may-bind-anything"];

fn proof(ground: &Ground, me: &str) {
    let may = || ground.kubectl(me, &["get", "secrets", "-n", "kube-system"], &Value::Null).status == 0;
    assert!(until(30, may), "{me} is no administrator");
}

fn not(ground: &Ground, me: &str) {
    ground.refused(me, &["get", "secrets", "-n", "kube-system"], &Value::Null);
}

fn own(me: &str, role: &str) -> Value {
    binding("ClusterRoleBinding", json!({"name": format!("taken-{me}")}), "ClusterRole", role, &[user_subject(me)])
}

fn all() -> Value {
    rule(&["*"], &["*"], &["*"])
}

fn patch(ground: &Ground, me: &str, what: &[&str], patch: &Value) -> i32 {
    let patch = patch.to_string();
    ground.kubectl(me, &[&["patch"], what, &["--type=merge", "-p", &patch]].concat(), &Value::Null).status
}

pub fn cases() -> Vec<Case> {
    [bind(), bind_in_namespaces(), escalate()].into_iter().flatten().collect()
}

fn on(resource: &str, verbs: &[&str]) -> Value {
    rule(&[RBAC], &[resource], verbs)
}

fn of(resource: &str, verbs: &[&str], names: &[&str]) -> Value {
    named(&[RBAC], &[resource], verbs, names)
}

fn bind() -> Vec<Case> {
    let create = |ground: &Ground, me: &str| {
        ground.creates(me, &own(me, "cluster-admin"));
        proof(ground, me);
    };
    let cannot = |ground: &Ground, me: &str| {
        ground.refused(me, &["create", "-f", "-"], &own(me, "cluster-admin"));
        not(ground, me);
    };
    let join = |ground: &Ground, me: &str, name: &str| {
        patch(ground, me, &["clusterrolebinding", name], &json!({"subjects": [user_subject(me)]}))
    };
    let strong = |me: &str| {
        vec![binding(
            "ClusterRoleBinding",
            json!({"name": format!("strong-{me}")}),
            "ClusterRole",
            "cluster-admin",
            &[user_subject("old-boss")],
        )]
    };
    let weak = |me: &str| {
        vec![binding(
            "ClusterRoleBinding",
            json!({"name": format!("weak-{me}")}),
            "ClusterRole",
            "view",
            &[user_subject("old-boss")],
        )]
    };
    vec![
        way(
            "bind",
            ADMIN,
            wide("bind", &[on("clusterroles", &["bind"]), on("clusterrolebindings", &["create"])]),
            GIVES,
            create,
        ),
        way(
            "bind-named",
            ADMIN,
            wide(
                "bind-named",
                &[of("clusterroles", &["bind"], &["cluster-admin"]), on("clusterrolebindings", &["create"])],
            ),
            GIVES,
            create,
        ),
        miss(
            "bind-view",
            ADMIN,
            wide("bind-view", &[of("clusterroles", &["bind"], &["view"]), on("clusterrolebindings", &["create"])]),
            cannot,
        ),
        miss("bind-alone", ADMIN, wide("bind-alone", &[on("clusterroles", &["bind"])]), cannot),
        miss(
            "bind-without",
            ADMIN,
            wide("bind-without", &[on("clusterrolebindings", &["create", "update", "patch", "get"])]),
            cannot,
        ),
        miss(
            "bind-roles",
            ADMIN,
            wide("bind-roles", &[on("roles", &["bind"]), on("clusterrolebindings", &["create"])]),
            cannot,
        ),
        way(
            "bind-join",
            ADMIN,
            [
                strong("bind-join"),
                wide(
                    "bind-join",
                    &[
                        on("clusterroles", &["bind"]),
                        of("clusterrolebindings", &["patch", "get"], &["strong-bind-join"]),
                    ],
                ),
            ]
            .concat(),
            GIVES,
            move |ground, me| {
                assert_eq!(join(ground, me, "strong-bind-join"), 0);
                proof(ground, me);
            },
        ),
        // The role of a binding can never be changed.
        miss(
            "bind-join-weak",
            ADMIN,
            [
                weak("bind-join-weak"),
                wide(
                    "bind-join-weak",
                    &[
                        on("clusterroles", &["bind"]),
                        of("clusterrolebindings", &["patch", "get"], &["weak-bind-join-weak"]),
                    ],
                ),
            ]
            .concat(),
            move |ground, me| {
                assert_eq!(join(ground, me, "weak-bind-join-weak"), 0);
                assert_ne!(
                    patch(
                        ground,
                        me,
                        &["clusterrolebinding", "weak-bind-join-weak"],
                        &json!({"roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}})
                    ),
                    0
                );
                not(ground, me);
            },
        ),
    ]
}

fn bind_in_namespaces() -> Vec<Case> {
    let role = |me: &str, role: &str| {
        binding("RoleBinding", json!({"namespace": me, "name": "taken"}), "ClusterRole", role, &[user_subject(me)])
    };
    let lists = |ground: &Ground, me: &str| ground.kubectl(me, &["get", "secrets", "-n", me], &Value::Null).status == 0;
    let take = move |ground: &Ground, me: &str, name: &str| {
        ground.creates(me, &role(me, name));
        assert!(until(30, || lists(ground, me)));
        not(ground, me);
    };
    let binds = || on("rolebindings", &["create"]);
    vec![
        way(
            "bind-in",
            "bind-in",
            local("bind-in", &[on("clusterroles", &["bind"]), binds()]),
            &["user-credential", "may-bind-secrets"],
            move |ground, me| take(ground, me, "cluster-admin"),
        ),
        way(
            "bind-in-edit",
            "bind-in-edit",
            local("bind-in-edit", &[of("clusterroles", &["bind"], &["edit"]), binds()]),
            &["user-credential", "may-bind-secrets"],
            move |ground, me| take(ground, me, "edit"),
        ),
        miss(
            "bind-in-view",
            "bind-in-view",
            local("bind-in-view", &[of("clusterroles", &["bind"], &["view"]), binds()]),
            move |ground, me| {
                ground.creates(me, &role(me, "view"));
                ground.refused(me, &["get", "secrets", "-n", me], &Value::Null);
            },
        ),
        // Roles of the namespace alone, of which there is only his own.
        miss(
            "bind-in-roles",
            "bind-in-roles",
            local("bind-in-roles", &[on("roles", &["bind", "create"]), binds()]),
            move |ground, me| {
                ground.refused(me, &["create", "-f", "-"], &role(me, "edit"));
            },
        ),
        // There is no binding whose subjects he could change but his own.
        miss(
            "bind-in-change",
            "bind-in-change",
            local("bind-in-change", &[on("clusterroles", &["bind"]), on("rolebindings", &["update", "patch", "get"])]),
            move |ground, me| {
                ground.refused(me, &["create", "-f", "-"], &role(me, "edit"));
            },
        ),
    ]
}

fn escalate() -> Vec<Case> {
    let writes = |ground: &Ground, me: &str| patch(ground, me, &["clusterrole", me], &json!({"rules": [all()]}));
    let write = move |ground: &Ground, me: &str| {
        assert_eq!(writes(ground, me), 0);
        proof(ground, me);
    };
    let cannot = move |ground: &Ground, me: &str| {
        assert_ne!(writes(ground, me), 0);
        not(ground, me);
    };
    let role = |me: &str, labels: Value| json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": format!("taken-{me}"), "labels": labels}, "rules": [all()]});
    let makes = || on("clusterroles", &["escalate", "create"]);
    let gathering = |me: &str, label: &str| {
        let selector = json!({"clusterRoleSelectors": [{"matchLabels": {format!("gather-{label}"): "true"}}]});
        vec![
            json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": format!("gather-{me}")}, "aggregationRule": selector, "rules": []}),
            binding(
                "ClusterRoleBinding",
                json!({"name": format!("gather-{me}")}),
                "ClusterRole",
                &format!("gather-{me}"),
                &[user_subject(me)],
            ),
        ]
    };
    vec![
        way("escalate", ADMIN, wide("escalate", &[on("clusterroles", &["escalate", "patch", "get"])]), GIVES, write),
        way(
            "escalate-named",
            ADMIN,
            wide("escalate-named", &[of("clusterroles", &["escalate", "patch", "get"], &["escalate-named"])]),
            GIVES,
            write,
        ),
        miss(
            "escalate-other",
            ADMIN,
            wide("escalate-other", &[of("clusterroles", &["escalate", "patch", "get"], &["taken-nothing"])]),
            cannot,
        ),
        miss("escalate-alone", ADMIN, wide("escalate-alone", &[on("clusterroles", &["escalate"])]), cannot),
        miss(
            "escalate-write",
            ADMIN,
            wide("escalate-write", &[on("clusterroles", &["patch", "update", "get", "create"])]),
            cannot,
        ),
        // A role that nobody is bound to gives nothing.
        miss("escalate-create", ADMIN, wide("escalate-create", &[makes()]), move |ground, me| {
            ground.creates(me, &role(me, json!({})));
            not(ground, me);
        }),
        way(
            "escalate-gather",
            ADMIN,
            [gathering("escalate-gather", "a"), wide("escalate-gather", &[makes()])].concat(),
            GIVES,
            move |ground, me| {
                ground.creates(me, &role(me, json!({"gather-a": "true"})));
                proof(ground, me);
            },
        ),
        // Without escalate he puts in only what he has.
        miss(
            "escalate-gather-weak",
            ADMIN,
            [gathering("escalate-gather-weak", "b"), wide("escalate-gather-weak", &[on("clusterroles", &["create"])])]
                .concat(),
            move |ground, me| {
                ground.refused(me, &["create", "-f", "-"], &role(me, json!({"gather-b": "true"})));
                not(ground, me);
            },
        ),
        // A binding to a role that is not there waits for whoever makes the role.
        way(
            "escalate-missing",
            ADMIN,
            [vec![own("escalate-missing", "taken-escalate-missing")], wide("escalate-missing", &[makes()])].concat(),
            GIVES,
            move |ground, me| {
                ground.creates(me, &role(me, json!({})));
                proof(ground, me);
            },
        ),
        // In a namespace: only with a role of it that he is bound to.
        way(
            "escalate-in",
            "escalate-in",
            local("escalate-in", &[on("roles", &["escalate", "patch", "get"])]),
            &["user-credential", "may-bind-secrets"],
            |ground, me| {
                assert_eq!(patch(ground, me, &["role", me, "-n", me], &json!({"rules": [all()]})), 0);
                assert!(until(30, || ground.kubectl(me, &["get", "secrets", "-n", me], &Value::Null).status == 0));
            },
        ),
        miss(
            "escalate-in-create",
            "escalate-in-create",
            local("escalate-in-create", &[on("roles", &["escalate", "create"])]),
            |ground, me| {
                ground.creates(me, &json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": {"namespace": me, "name": "taken"}, "rules": [all()]}));
                ground.refused(me, &["get", "secrets", "-n", me], &Value::Null);
            },
        ),
    ]
}
