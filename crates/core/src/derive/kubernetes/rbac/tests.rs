use super::*;

/// A cluster in the making.
struct Cluster(Target);

/// verbs, groups, resources, names
type Line<'a> = (&'a str, &'a str, &'a str, &'a str);

fn words(text: &str) -> Value {
    Value::List(text.split_whitespace().map(|word| Value::from(if word == "core" { "" } else { word })).collect())
}

fn rule((verbs, groups, resources, names): Line<'_>) -> Value {
    Value::Object(vec![
        ("verbs", words(verbs)),
        ("api_groups", words(groups)),
        ("resources", words(resources)),
        ("resource_names", words(names)),
        ("non_resource_urls", words("")),
    ])
}

fn label(key: &str, value: &str) -> Value {
    Value::Object(vec![("key", key.into()), ("value", value.into())])
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self(Target::new("test", "kubernetes", ""));
        let mut component = Component::new(&CLUSTER, "cluster", "test");
        component.set("minor", 35i64, Source::place("test"));
        cluster.0.components.push(component);
        cluster
    }

    fn add(&mut self, kind: &'static Kind, id: &str, facts: Vec<(&str, Value)>) -> &mut Self {
        let mut component = Component::new(kind, id, id);
        for (fact, value) in facts {
            component.set(fact, value, Source::place("test"));
        }
        self.0.components.push(component);
        self
    }

    /// `ClusterRole/name` or `Role/namespace/name`.
    fn role(&mut self, id: &str, rules: &[Line<'_>]) -> &mut Self {
        self.labelled_role(id, rules, &[])
    }

    fn labelled_role(&mut self, id: &str, rules: &[Line<'_>], labels: &[(&str, &str)]) -> &mut Self {
        let parts: Vec<&str> = id.split('/').collect();
        let namespace = if parts.len() == 3 { parts[1] } else { "" };
        let labels = labels.iter().map(|(key, value)| label(key, value)).collect();
        self.add(
            &ROLE,
            id,
            vec![
                ("kind", parts[0].into()),
                ("namespace", namespace.into()),
                ("name", parts[parts.len() - 1].into()),
                ("labels", Value::List(labels)),
                ("rules", Value::List(rules.iter().copied().map(rule).collect())),
                ("aggregates", Value::List(Vec::new())),
            ],
        )
    }

    /// Binds to `ClusterRole/x` or `Role/x` subjects as `User/alice`, `Group/dev`, `ServiceAccount/shop/ci`.
    fn bind(&mut self, id: &str, role: &str, subjects: &[&str]) -> &mut Self {
        let parts: Vec<&str> = id.split('/').collect();
        let (kind, name) = role.split_once('/').expect("a role has a kind");
        let mut bound = Vec::new();
        for subject in subjects {
            let (kind, name) = subject.split_once('/').expect("a subject has a kind");
            let (namespace, name) =
                if kind == "ServiceAccount" { name.split_once('/').unwrap_or(("", name)) } else { ("", name) };
            bound.push(Value::Object(vec![
                ("kind", kind.into()),
                ("name", name.into()),
                ("namespace", namespace.into()),
            ]));
        }
        self.add(
            &BINDING,
            id,
            vec![
                ("kind", parts[0].into()),
                ("namespace", if parts.len() == 3 { parts[1] } else { "" }.into()),
                ("name", parts[parts.len() - 1].into()),
                ("labels", Value::List(Vec::new())),
                ("role", Value::Object(vec![("kind", kind.into()), ("name", name.into())])),
                ("subjects", Value::List(bound)),
            ],
        )
    }

    fn account(&mut self, namespace: &str, name: &str) -> &mut Self {
        let id = format!("ServiceAccount/{namespace}/{name}");
        self.add(&SERVICE_ACCOUNT, &id, vec![("namespace", namespace.into()), ("name", name.into())])
    }

    fn subject(&mut self, kind: &str, name: &str) -> &mut Self {
        self.add(&SUBJECT, &format!("{kind}/{name}"), vec![("kind", kind.into()), ("name", name.into())])
    }

    fn value(&mut self, id: &str, fact: &str) -> Value {
        derive(&mut self.0);
        let component = self.0.components.iter().find(|c| &*c.id == id);
        component.unwrap_or_else(|| panic!("no {id}")).value(fact).clone()
    }

    fn set(&mut self, id: &str, fact: &str, value: Value) -> &mut Self {
        let component = self.0.components.iter_mut().find(|c| &*c.id == id).expect("it is there");
        component.set(fact, value, Source::place("test"));
        self
    }
}

fn list(value: &Value) -> Vec<String> {
    let text = |v: &Value| if v.is_unknown() { "?".to_owned() } else { v.to_string() };
    value.as_list().map_or_else(|| vec![text(value)], |items| items.iter().map(text).collect())
}

/// The powers of a user to whom these rules are bound in the cluster.
fn powers(rules: &[Line<'_>]) -> Vec<String> {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/r", rules)
        .bind("ClusterRoleBinding/b", "ClusterRole/r", &["User/eve"])
        .subject("User", "eve");
    list(&cluster.value("User/eve", "power_names"))
}

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTS: &str = "certificates.k8s.io";

#[test]
fn a_verb_alone_is_no_power() {
    let none: [&[Line<'_>]; 9] = [
        &[("bind", RBAC, "clusterroles roles", "")],
        &[("escalate", RBAC, "clusterroles roles", "")],
        &[("update patch create", RBAC, "clusterroles roles", "")],
        &[("impersonate", "core", "groups", "")],
        &[("approve", CERTS, "signers", "")],
        &[("update", CERTS, "certificatesigningrequests/approval", "")],
        &[("bind", "core", "clusterroles", ""), ("create", RBAC, "events", "")],
        &[("get list", "apps", "secrets", ""), ("create", "core", "deployments", "")],
        &[("create", "core", "pods/* secrets/x", ""), ("get", "core", "pods", "")],
    ];
    for rules in none {
        assert_eq!(powers(rules), Vec::<String>::new(), "{rules:?}");
    }
}

#[test]
fn what_a_power_really_needs_gives_it() {
    let some: [(&[Line<'_>], &[&str]); 15] = [
        (
            &[("bind", RBAC, "clusterroles", "admin"), ("create", RBAC, "clusterrolebindings", "")],
            &["bind-cluster-wide", "share-rights"],
        ),
        (&[("bind", RBAC, "roles", ""), ("patch", RBAC, "rolebindings", "team")], &["bind", "share-rights"]),
        (&[("escalate patch", RBAC, "clusterroles", "")], &["escalate-cluster-wide"]),
        (&[("escalate", RBAC, "roles", "a"), ("update", RBAC, "roles", "a b")], &["escalate"]),
        (&[("escalate", RBAC, "roles", "a"), ("update", RBAC, "roles", "b")], &[]),
        (&[("escalate", RBAC, "roles", "a"), ("create", RBAC, "roles", "")], &[]),
        (
            &[("impersonate", "core", "groups", "admins"), ("impersonate", "core", "users", "x")],
            &["impersonate-groups", "impersonate-users"],
        ),
        (
            &[("impersonate", "core", "groups serviceaccounts", "")],
            &["impersonate-groups", "impersonate-service-accounts"],
        ),
        (
            &[
                ("approve", CERTS, "signers", "kubernetes.io/*"),
                ("update", CERTS, "certificatesigningrequests/approval", ""),
            ],
            &["approve-certificates"],
        ),
        (&[("create", "core", "serviceaccounts/token", "ci")], &["mint-tokens"]),
        (
            &[("create get", "core", "secrets", "")],
            &["create-legacy-tokens", "create-bootstrap-tokens", "read-secrets", "write-secrets"],
        ),
        (&[("update", "core", "secrets", "x")], &["change-bootstrap-tokens", "write-secrets"]),
        // A pod brings its claim along.
        (
            &[("create", "core", "pods persistentvolumes", "")],
            &["create-pods", "mount-node-volumes", "create-persistent-volumes"],
        ),
        (
            &[("create", "core", "pods", ""), ("patch", "core", "persistentvolumes", "a")],
            &["create-pods", "take-volumes"],
        ),
        (&[("get", "core", "nodes/proxy", "")], &["nodes-proxy"]),
    ];
    for (rules, expected) in some {
        assert_eq!(powers(rules), expected, "{rules:?}");
    }
}

#[test]
fn names_never_let_one_create_and_limit_the_rest() {
    assert_eq!(powers(&[("create", "core", "pods secrets", "web")]), Vec::<String>::new());
    assert_eq!(powers(&[("create", "core", "pods", "core web")]), ["create-pods"], "the empty name is no name");
    assert_eq!(powers(&[("list", "core", "secrets", "core")]), ["read-secrets", "list-secrets"]);
    assert_eq!(powers(&[("get", "core", "secrets", "db")]), ["read-secrets"]);
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/r", &[("get", "core", "secrets", "db web")])
        .bind("ClusterRoleBinding/b", "ClusterRole/r", &["User/eve"])
        .subject("User", "eve");
    let all = cluster.value("User/eve", "powers");
    let read = &all.as_list().expect("a list")[0];
    assert_eq!(read.field("names").map(list).as_deref(), Some(&["db".to_owned(), "web".to_owned()][..]));
    assert_eq!(read.field("cluster_wide"), Some(&Value::Bool(true)));
    assert_eq!(list(&cluster.value("User/eve", "cluster_powers")), Vec::<String>::new());
}

#[test]
fn exec_by_get_ends_with_1_35() {
    let with = |minor: Value| {
        let mut cluster = Cluster::new();
        cluster
            .role("ClusterRole/r", &[("get", "core", "pods/exec", "")])
            .bind("ClusterRoleBinding/b", "ClusterRole/r", &["User/eve"])
            .subject("User", "eve")
            .set("cluster", "minor", minor);
        list(&cluster.value("User/eve", "power_names"))
    };
    assert_eq!(with(Value::Int(34)), ["exec"]);
    assert_eq!(with(Value::Int(35)), Vec::<String>::new());
    assert_eq!(with(Value::unknown("no version")), ["?"]);
    assert_eq!(powers(&[("create", "core", "pods/exec", "")]), ["exec"]);
}

#[test]
fn a_role_binding_grants_in_its_namespace_and_nothing_of_the_cluster() {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/r", &[("*", "*", "*", "")])
        .bind("RoleBinding/shop/b", "ClusterRole/r", &["ServiceAccount/ci"])
        .account("shop", "ci")
        .account("other", "ci");
    let names = list(&cluster.value("ServiceAccount/shop/ci", "power_names"));
    for power in
        ["everything", "create-pods", "read-secrets", "impersonate-service-accounts", "bind", "label-namespaces"]
    {
        assert!(names.contains(&power.to_owned()), "{power}");
    }
    for power in [
        "bind-cluster-wide",
        "impersonate-users",
        "nodes-proxy",
        "edit-webhooks",
        "create-persistent-volumes",
        "edit-cluster-dns",
    ] {
        assert!(!names.contains(&power.to_owned()), "{power}");
    }
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "cluster_powers")), Vec::<String>::new());
    assert_eq!(list(&cluster.value("ServiceAccount/other/ci", "power_names")), Vec::<String>::new());
}

#[test]
fn rights_of_several_bindings_make_one_power_and_both_are_named() {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/binder", &[("bind", RBAC, "clusterroles", "")])
        .role("Role/shop/writer", &[("create", RBAC, "rolebindings", "")])
        .bind("ClusterRoleBinding/a", "ClusterRole/binder", &["Group/system:serviceaccounts:shop"])
        .bind("RoleBinding/shop/b", "Role/writer", &["User/system:serviceaccount:shop:ci"])
        .account("shop", "ci");
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), ["bind", "share-rights"]);
    let powers = cluster.value("ServiceAccount/shop/ci", "powers");
    let bind = &powers.as_list().expect("a list")[0];
    assert_eq!(bind.field("namespace"), Some(&"shop".into()));
    let through = bind.field("through").and_then(Value::as_list).expect("a list");
    let text = |i: usize, field| through[i].field(field).and_then(Value::as_str).map(str::to_owned).expect("a text");
    assert_eq!(
        (text(0, "subject"), text(0, "binding")),
        ("Group/system:serviceaccounts:shop".into(), "ClusterRoleBinding/a".into())
    );
    assert_eq!((text(1, "subject"), text(1, "role")), ("ServiceAccount/shop/ci".into(), "Role/shop/writer".into()));
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "bindings")), ["RoleBinding/shop/b"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "groups")), ["Group/system:serviceaccounts:shop"]);
}

#[test]
fn grants_to_everybody_reach_everybody() {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/r", &[("get", "core", "secrets", "")])
        .bind("ClusterRoleBinding/a", "ClusterRole/r", &["Group/system:authenticated"])
        .bind("ClusterRoleBinding/b", "ClusterRole/r", &["User/system:anonymous"])
        .account("shop", "ci");
    for (kind, name) in
        [("User", "eve"), ("Group", "dev"), ("Group", "system:serviceaccounts"), ("Group", "system:unauthenticated")]
    {
        cluster.subject(kind, name);
        assert_eq!(list(&cluster.value(&format!("{kind}/{name}"), "power_names")), ["read-secrets"], "{name}");
    }
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), ["read-secrets"]);
    assert_eq!(list(&cluster.value("ClusterRoleBinding/a", "everybody")), ["system:authenticated"]);
    assert_eq!(list(&cluster.value("ClusterRoleBinding/b", "everybody")), ["system:anonymous"]);
}

#[test]
fn accounts_are_named_as_users_too() {
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/r", &[("get", "core", "secrets", "")]).account("shop", "default").bind(
        "RoleBinding/shop/b",
        "ClusterRole/r",
        &["User/system:serviceaccount:shop:default", "User/system:serviceaccount:ci:bot", "User/eve"],
    );
    for (fact, accounts) in [
        ("default_accounts", "ServiceAccount/shop/default"),
        ("foreign_subjects", "ServiceAccount/ci/bot"),
        ("missing_subjects", "ServiceAccount/ci/bot"),
    ] {
        assert_eq!(list(&cluster.value("RoleBinding/shop/b", fact)), [accounts], "{fact}");
    }
}

#[test]
fn masters_need_no_binding() {
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/view", &[]).subject("Group", "system:masters");
    assert_eq!(
        list(&cluster.value("Group/system:masters", "power_names")).len(),
        crate::kubernetes::rbac::POWERS.len()
    );
    assert_eq!(list(&cluster.value("Group/system:masters", "granted_powers")), Vec::<String>::new());
}

#[test]
fn what_dangles_is_named_and_roles_without_bindings_give_nobody_anything() {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/unbound", &[("*", "*", "*", "")])
        .bind("ClusterRoleBinding/lost", "ClusterRole/gone", &["ServiceAccount/shop/ci", "ServiceAccount/shop/gone"])
        .account("shop", "ci");
    assert_eq!(cluster.value("ClusterRoleBinding/lost", "role_missing"), Value::Bool(true));
    assert_eq!(list(&cluster.value("ClusterRoleBinding/lost", "missing_subjects")), ["ServiceAccount/shop/gone"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), Vec::<String>::new());
    cluster.0.incomplete(&ROLE, "no right to list clusterroles");
    cluster.0.incomplete(&SERVICE_ACCOUNT, "no right to list service accounts");
    assert!(cluster.value("ClusterRoleBinding/lost", "role_missing").is_unknown());
    assert_eq!(list(&cluster.value("ClusterRoleBinding/lost", "missing_subjects")), ["?"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), ["?"]);
}

#[test]
fn bindings_that_were_not_read_leave_nobody_harmless() {
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/r", &[("get", "core", "secrets", "")]).account("shop", "ci");
    cluster.bind("ClusterRoleBinding/b", "ClusterRole/r", &["ServiceAccount/shop/ci"]);
    cluster.0.incomplete(&BINDING, "no right to list clusterrolebindings");
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), ["read-secrets", "?"]);
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/r", &[("get", "core", "secrets", "")]).account("shop", "ci");
    cluster.bind("ClusterRoleBinding/b", "ClusterRole/r", &[]);
    cluster.set("ClusterRoleBinding/b", "subjects", Value::List(vec![Value::unknown("it is a number")]));
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "power_names")), ["?"]);
}

#[test]
fn what_kubernetes_ships_is_told_from_what_was_edited() {
    let shipped = [("kubernetes.io/bootstrapping", "rbac-defaults")];
    let own: [Line<'_>; 3] = [
        ("get list", "core", "namespaces", ""),
        ("delete", "core", "pods", ""),
        ("get list delete", "core", "nodes", ""),
    ];
    let with = |rules: &[Line<'_>], labels: &[(&str, &str)], subjects: &[&str]| {
        let id = "ClusterRole/system:controller:node-controller";
        let mut cluster = Cluster::new();
        cluster.labelled_role(id, rules, labels).bind(
            "ClusterRoleBinding/system:controller:node-controller",
            id,
            subjects,
        );
        let labels = labels.iter().map(|(k, v)| label(k, v)).collect();
        cluster.set("ClusterRoleBinding/system:controller:node-controller", "labels", Value::List(labels));
        cluster.account("kube-system", "node-controller");
        let role = cluster.value(id, "shipped");
        let binding = cluster.value("ClusterRoleBinding/system:controller:node-controller", "shipped");
        let granted = list(&cluster.value("ServiceAccount/kube-system/node-controller", "granted_powers"));
        (role, binding, granted)
    };
    let (yes, no) = (Value::Bool(true), Value::Bool(false));
    let controller = "ServiceAccount/kube-system/node-controller";
    assert_eq!(with(&own[1..], &shipped, &[controller]), (yes.clone(), yes.clone(), vec![]));
    let edited = [own[1], ("get", "core", "secrets", "")];
    let granted = vec!["read-secrets".to_owned(), "delete-pods".to_owned()];
    assert_eq!(with(&edited, &shipped, &[controller]), (no.clone(), no.clone(), granted), "a rule more");
    assert_eq!(with(&own[1..2], &[], &[controller]).0, no, "its name alone");
    let (role, binding, _) = with(&own[1..2], &shipped, &[controller, "User/eve"]);
    assert_eq!((role, binding), (yes, no), "a subject more");
}

#[test]
fn who_can_start_pods_can_use_the_accounts_of_the_namespace() {
    let mut cluster = Cluster::new();
    cluster
        .role("ClusterRole/deploy", &[("patch", "apps", "deployments", "")])
        .role("ClusterRole/admin-of-all", &[("*", "*", "*", "")])
        .bind("RoleBinding/shop/b", "ClusterRole/deploy", &["User/dev", "ServiceAccount/shop/ci"])
        .bind("ClusterRoleBinding/a", "ClusterRole/admin-of-all", &["User/root"])
        .account("shop", "ci")
        .account("shop", "web")
        .account("other", "web");
    cluster.subject("User", "dev").subject("User", "root");
    assert_eq!(list(&cluster.value("ServiceAccount/shop/web", "usable_by")), ["ServiceAccount/shop/ci", "User/dev"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "usable_by")), ["User/dev"]);
    assert_eq!(list(&cluster.value("ServiceAccount/other/web", "usable_by")), Vec::<String>::new());
}

#[test]
fn files_say_what_is_in_them_and_no_more() {
    let mut cluster = Cluster::new();
    cluster.0.platform = "files".into();
    cluster.bind("ClusterRoleBinding/a", "ClusterRole/cluster-admin", &["ServiceAccount/shop/ci"]);
    cluster.bind("RoleBinding/shop/b", "ClusterRole/view", &["ServiceAccount/shop/web"]);
    cluster.bind("RoleBinding/shop/c", "ClusterRole/theirs", &["ServiceAccount/shop/web"]);
    cluster.account("shop", "ci").account("shop", "web");
    let ci = list(&cluster.value("ServiceAccount/shop/ci", "power_names"));
    assert!(ci.contains(&"everything".to_owned()) && !ci.contains(&"?".to_owned()), "{ci:?}");
    assert_eq!(list(&cluster.value("ServiceAccount/shop/web", "power_names")), ["read-logs", "read-config-maps", "?"]);
    assert!(cluster.value("RoleBinding/shop/c", "role_missing").is_unknown());
}

#[test]
fn a_fact_holds_512_powers_and_each_of_them_once() {
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/r", &[("get", "core", "secrets", ""), ("create", "core", "pods", "")]);
    for n in 0..300 {
        cluster.bind(&format!("RoleBinding/n{n}/b"), "ClusterRole/r", &["User/eve"]);
    }
    cluster.subject("User", "eve");
    let powers = cluster.value("User/eve", "powers");
    let powers = powers.as_list().expect("a list");
    let known: Vec<_> = powers.iter().filter_map(|power| power.field("power")?.as_str()).collect();
    assert_eq!((powers.len(), known.len()), (513, 512));
    assert!(known.contains(&"create-pods") && known.contains(&"read-secrets"));
    assert_eq!(list(&cluster.value("User/eve", "power_names")), ["read-secrets", "create-pods"]);
}

#[test]
fn pods_are_found_by_their_account() {
    use crate::schema::kubernetes::POD;
    let mut cluster = Cluster::new();
    let mut pod = |id: &str, mounted: Value| {
        let facts = vec![("namespace", "shop".into()), ("service_account", "ci".into()), ("token_mounted", mounted)];
        cluster.add(&POD, id, facts);
    };
    pod("Pod/shop/a", true.into());
    pod("Pod/shop/b", false.into());
    cluster.account("shop", "ci").account("shop", "web");
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "used_by")), ["Pod/shop/a", "Pod/shop/b"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "mounted_by")), ["Pod/shop/a"]);
    assert_eq!(list(&cluster.value("ServiceAccount/shop/web", "used_by")), Vec::<String>::new());
    cluster.set("Pod/shop/b", "token_mounted", Value::unknown("not read"));
    assert_eq!(list(&cluster.value("ServiceAccount/shop/ci", "mounted_by")), ["Pod/shop/a", "?"]);
}

/// What somebody can give himself, as `power@namespace by role`.
fn gains(cluster: &mut Cluster, id: &str) -> Vec<String> {
    let value = cluster.value(id, "gains");
    let text = |value: &Value, field: &str| value.field(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = |gain: &Value| {
        let by = gain.field("through").and_then(Value::as_list).unwrap_or_default();
        let by: Vec<String> = by.iter().map(|through| text(through, "role")).collect();
        format!("{}@{} by {}", text(gain, "power"), text(gain, "namespace"), by.join(","))
    };
    value.as_list().expect("known").iter().map(one).collect()
}

const ROLES: &str = "rbac.authorization.k8s.io";

/// A cluster where alice has these rights everywhere.
fn alice(rules: &[Line<'_>]) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.role("ClusterRole/cluster-admin", &[("*", "*", "*", "")]);
    cluster.role("ClusterRole/own", rules).bind("ClusterRoleBinding/own", "ClusterRole/own", &["User/alice"]);
    cluster.subject("User", "alice");
    cluster
}

#[test]
fn binding_needs_both_rights_and_gives_what_the_role_has() {
    let bind = ("bind", ROLES, "clusterroles", "");
    let create = ("create", ROLES, "clusterrolebindings", "");
    let both = gains(&mut alice(&[bind, create]), "User/alice");
    assert_eq!(both, ["everything@ by ClusterRole/cluster-admin,ClusterRole/own"]);
    assert_eq!(gains(&mut alice(&[bind]), "User/alice"), [""; 0]);
    assert_eq!(gains(&mut alice(&[create]), "User/alice"), [""; 0]);
    assert_eq!(gains(&mut alice(&[("bind", ROLES, "clusterroles", "own"), create]), "User/alice"), [""; 0]);
    // To change the subjects of a binding is enough where it binds the role.
    let change = ("patch", ROLES, "clusterrolebindings", "other");
    let mut cluster = alice(&[bind, change]);
    assert_eq!(gains(&mut cluster, "User/alice"), [""; 0]);
    cluster.bind("ClusterRoleBinding/other", "ClusterRole/cluster-admin", &[]);
    assert_eq!(gains(&mut cluster, "User/alice"), ["everything@ by ClusterRole/cluster-admin"]);
}

#[test]
fn escalating_needs_a_role_that_one_is_bound_to() {
    let (write, make) = (("escalate patch", ROLES, "clusterroles", ""), ("escalate create", ROLES, "clusterroles", ""));
    assert_eq!(gains(&mut alice(&[write]), "User/alice"), ["everything@ by ClusterRole/own"]);
    assert_eq!(gains(&mut alice(&[("escalate patch", ROLES, "clusterroles", "other")]), "User/alice"), [""; 0]);
    let mut cluster = alice(&[make]);
    assert_eq!(gains(&mut cluster, "User/alice"), [""; 0]);
    cluster.bind("ClusterRoleBinding/waits", "ClusterRole/missing", &["User/alice"]);
    assert_eq!(gains(&mut cluster, "User/alice"), ["everything@ by ClusterRole/missing"]);
    let mut cluster = alice(&[make]);
    cluster.role("ClusterRole/gathers", &[]).bind("ClusterRoleBinding/gathers", "ClusterRole/gathers", &["User/alice"]);
    assert_eq!(gains(&mut cluster, "User/alice"), [""; 0]);
    let at = cluster.0.components.iter_mut().find(|c| &*c.id == "ClusterRole/gathers").expect("it was added");
    at.set(
        "aggregates",
        Value::List(vec![Value::Object(vec![("labels", Value::List(vec![])), ("expressions", Value::List(vec![]))])]),
        Source::place("test"),
    );
    assert_eq!(gains(&mut cluster, "User/alice"), ["everything@ by ClusterRole/gathers"]);
}
