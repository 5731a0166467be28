//! Roles and bindings that are made up, the same ones at every run, and questions that follow what the cluster made of them:
//! what roles in a circle hold depends on whom the controller came to first.

use seaworthy_core::schema::kubernetes::{BINDING, ROLE};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::{Value as Json, json};

pub const NAMESPACES: [&str; 4] = ["shop", "dev", "ops", "lab"];

const VERBS: [&str; 10] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind"];
const GROUPS: [&str; 5] = ["", "apps", "batch", "rbac.authorization.k8s.io", "example.org"];
const RESOURCES: [&str; 10] = [
    "pods",
    "pods/exec",
    "pods/log",
    "secrets",
    "deployments",
    "deployments/scale",
    "jobs",
    "clusterroles",
    "serviceaccounts/token",
    "widgets",
];
/// What looks like a pattern; some of it is one.
const PATTERNS: [&str; 6] = ["*", "*/exec", "*/scale", "pods/*", "*/*", "pod*"];
const NAMES: [&str; 5] = ["a", "b", "c", "", "*"];
const URLS: [&str; 8] = ["/healthz", "/healthz/*", "/api*", "/metrics", "*", "/logs/**", "/x/*/y", "/openapi/"];
const PATHS: [&str; 9] =
    ["/healthz", "/healthz/etcd", "/api", "/apis/apps", "/metrics", "/metrics/", "/logs/a", "/x/*/y", "/x/z/y"];
const USERS: [&str; 6] = [
    "alice",
    "bob",
    "system:anonymous",
    "system:serviceaccount:shop:ci",
    "system:serviceaccount:dev:ci",
    "system:serviceaccount:shop:default",
];
const CROWDS: [&str; 7] = [
    "devs",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:shop",
    "system:serviceaccounts:dev",
    "system:masters",
];
const LABELS: [&str; 4] = ["l0", "l1", "l2", "l3"];

/// Numbers that look random and are the same at every run (SplitMix64).
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below")
    }

    /// Whether something that happens once in so many times does.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn some(&mut self, all: &[&'static str], least: usize, most: usize) -> Vec<&'static str> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.of(all)).collect()
    }
}

/// What is created: the path beneath the group's, and the object.
pub struct Made {
    pub objects: Vec<(String, Json)>,
}

pub fn make(seed: u64) -> Made {
    let mut dice = Dice(seed);
    let mut objects = Vec::new();
    for n in 0..60 {
        objects.push(("clusterroles".to_owned(), cluster_role(&mut dice, n)));
    }
    for n in 0..40 {
        let rules: Vec<Json> = (0..dice.below(4)).map(|_| rule(&mut dice)).collect();
        let role = json!({ "metadata": { "name": format!("r{n}") }, "rules": rules });
        objects.push((format!("namespaces/{}/roles", dice.of(&NAMESPACES)), role));
    }
    for n in 0..120 {
        objects.push(binding(&mut dice, n));
    }
    Made { objects }
}

fn cluster_role(dice: &mut Dice, n: usize) -> Json {
    let mut rules: Vec<Json> = (0..dice.below(4)).map(|_| rule(dice)).collect();
    if dice.one_in(3) {
        rules.push(
            json!({ "verbs": dice.some(&["get", "head", "*"], 1, 2), "nonResourceURLs": dice.some(&URLS, 1, 3) }),
        );
    }
    let mut labels = serde_json::Map::new();
    for label in LABELS {
        if dice.one_in(3) {
            labels.insert(label.to_owned(), dice.of(&["x", "y"]).into());
        }
    }
    let mut role = json!({ "metadata": { "name": format!("c{n}"), "labels": labels }, "rules": rules });
    // Some gather the rules of others, some of these in circles, with rules of their own or without.
    if n.is_multiple_of(5) {
        let selectors: Vec<Json> = (0..1 + dice.below(2)).map(|_| selector(dice)).collect();
        role["aggregationRule"] = json!({ "clusterRoleSelectors": selectors });
        if dice.one_in(2) {
            role["rules"] = json!([]);
        }
    }
    role
}

fn selector(dice: &mut Dice) -> Json {
    let mut selector = json!({});
    if dice.one_in(2) {
        selector["matchLabels"] = json!({ dice.of(&LABELS): dice.of(&["x", "y"]) });
    }
    let expression = |dice: &mut Dice| {
        let operator = dice.of(&["In", "NotIn", "Exists", "DoesNotExist"]);
        let mut expression = json!({ "key": dice.of(&LABELS), "operator": operator });
        if operator.ends_with("In") {
            expression["values"] = json!(dice.some(&["x", "y", "z"], 1, 2));
        }
        expression
    };
    // What the cluster itself has is left out, so that not every role becomes an administrator's.
    let mut expressions = vec![json!({ "key": "kubernetes.io/bootstrapping", "operator": "DoesNotExist" })];
    expressions.extend((0..1 + dice.below(2)).map(|_| expression(dice)));
    selector["matchExpressions"] = json!(expressions);
    selector
}

fn rule(dice: &mut Dice) -> Json {
    let mut verbs = dice.some(&VERBS, 1, 3);
    let mut groups = dice.some(&GROUPS, 1, 2);
    let mut resources = dice.some(&RESOURCES, 1, 3);
    if dice.one_in(12) {
        verbs.push("*");
    }
    if dice.one_in(8) {
        groups.push("*");
    }
    if dice.one_in(4) {
        resources.push(dice.of(&PATTERNS));
    }
    let mut rule = json!({ "verbs": verbs, "apiGroups": groups, "resources": resources });
    if dice.one_in(3) {
        rule["resourceNames"] = json!(dice.some(&NAMES, 1, 2));
    }
    rule
}

fn binding(dice: &mut Dice, n: usize) -> (String, Json) {
    let in_cluster = dice.one_in(3);
    let namespace = dice.of(&NAMESPACES);
    let to_role = !in_cluster && dice.one_in(2);
    // Some lead to roles that are not there.
    let (kind, name) = if to_role {
        ("Role", format!("r{}", dice.below(44)))
    } else {
        ("ClusterRole", format!("c{}", dice.below(64)))
    };
    let subjects: Vec<Json> = (0..dice.below(4)).map(|_| subject(dice, in_cluster)).collect();
    let object = json!({ "metadata": { "name": format!("b{n}") },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name }, "subjects": subjects });
    let path =
        if in_cluster { "clusterrolebindings".to_owned() } else { format!("namespaces/{namespace}/rolebindings") };
    (path, object)
}

fn subject(dice: &mut Dice, in_cluster: bool) -> Json {
    let named = |kind: &str, name: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name });
    match dice.below(4) {
        0 => named("User", dice.of(&USERS)),
        1 => named("Group", dice.of(&CROWDS[..6])),
        _ => {
            let mut account = json!({ "kind": "ServiceAccount", "name": dice.of(&["ci", "default"]) });
            // In a namespace it may be left out.
            if in_cluster || dice.one_in(2) {
                account["namespace"] = dice.of(&NAMESPACES).into();
            }
            account
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    pub user: String,
    pub groups: Vec<String>,
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    pub path: Option<String>,
}

/// Questions; half of them near to what some rule allows to whom it is bound, since most made-up ones are denied.
pub fn asks(target: &Target, count: usize) -> Vec<Ask> {
    let mut dice = Dice(42);
    let rules: Vec<&Value> =
        target.of(&ROLE).filter_map(|role| role.value("effective_rules").as_list()).flatten().collect();
    let subjects: Vec<(&Value, &str)> = target
        .of(&BINDING)
        .filter_map(|binding| Some((binding.value("subjects").as_list()?, binding.value("namespace").as_str()?)))
        .flat_map(|(subjects, namespace)| subjects.iter().map(move |subject| (subject, namespace)))
        .collect();
    (0..count)
        .map(|at| {
            let mut ask = any(&mut dice);
            if at % 2 == 0 {
                let rule = dice.of(&rules);
                near(&mut dice, &mut ask, rule);
            }
            if at % 3 != 0 {
                let (subject, namespace) = dice.of(&subjects);
                as_subject(&mut ask, subject, namespace);
            }
            ask
        })
        .collect()
}

fn any(dice: &mut Dice) -> Ask {
    let (resource, subresource) = split(dice.of(&RESOURCES));
    let many: Vec<String> = dice.some(&CROWDS, 0, 2).into_iter().map(str::to_owned).collect();
    Ask {
        user: dice.of(&USERS).to_owned(),
        groups: if dice.one_in(8) {
            many
        } else {
            many.into_iter().filter(|group| group != "system:masters").collect()
        },
        verb: dice.of(&VERBS).to_owned(),
        group: dice.of(&GROUPS).to_owned(),
        resource,
        subresource,
        namespace: if dice.one_in(4) { String::new() } else { dice.of(&NAMESPACES).to_owned() },
        name: dice.of(&["", "", "a", "b", "z"]).to_owned(),
        path: dice.one_in(8).then(|| dice.of(&PATHS).to_owned()),
    }
}

fn split(resource: &str) -> (String, String) {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    (resource.to_owned(), subresource.to_owned())
}

/// Takes verb, group, resource, name or path from a rule.
fn near(dice: &mut Dice, ask: &mut Ask, rule: &Value) {
    let mut one = |field: &str| {
        let items: Vec<&str> = rule.field(field)?.as_list()?.iter().filter_map(Value::as_str).collect();
        if items.is_empty() { None } else { Some(dice.of(&items).to_owned()) }
    };
    if let Some(path) = one("non_resource_urls") {
        ask.path = Some(path.replace('*', "some"));
    } else {
        ask.path = None;
    }
    if let Some(verb) = one("verbs").filter(|verb| verb != "*") {
        ask.verb = verb;
    }
    if let Some(group) = one("api_groups").filter(|group| group != "*") {
        ask.group = group;
    }
    if let Some(resource) = one("resources").filter(|resource| !resource.contains('*')) {
        (ask.resource, ask.subresource) = split(&resource);
    }
    if let Some(name) = one("resource_names") {
        ask.name = name;
    }
}

fn as_subject(ask: &mut Ask, subject: &Value, namespace: &str) {
    let text = |field: &str| subject.field(field).and_then(Value::as_str).unwrap_or_default();
    if !namespace.is_empty() && ask.path.is_none() {
        ask.namespace = namespace.to_owned();
    }
    match text("kind") {
        "Group" => ask.groups = vec![text("name").to_owned()],
        "ServiceAccount" => {
            let of = if text("namespace").is_empty() { namespace } else { text("namespace") };
            ask.user = format!("system:serviceaccount:{of}:{}", text("name"));
        }
        _ => ask.user = text("name").to_owned(),
    }
}
