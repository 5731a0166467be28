//! Generated questions, answered by the engine and by a reading of the rules that is as plain as it is slow: every rule is
//! taken apart into single permissions, and every binding is looked at.

use proptest::prelude::*;

use super::{Grants, Request, Who};
use crate::component::Component;
use crate::fact::Source;
use crate::predicate::Truth;
use crate::schema::kubernetes::{BINDING, ROLE};
use crate::snapshot::Target;
use crate::value::Value;

type Texts = Vec<&'static str>;

#[derive(Clone, Debug)]
struct Line {
    verbs: Texts,
    groups: Texts,
    resources: Texts,
    names: Texts,
    urls: Texts,
}

#[derive(Clone, Debug)]
struct Binds {
    namespace: &'static str,
    role: (&'static str, &'static str),
    subjects: Vec<(&'static str, &'static str, &'static str)>,
}

#[derive(Clone, Debug)]
struct World {
    /// Namespace (empty for a ClusterRole), name, rules.
    roles: Vec<(&'static str, &'static str, Vec<Line>)>,
    bindings: Vec<Binds>,
}

const VERBS: [&str; 5] = ["get", "list", "create", "bind", "*"];
const GROUPS: [&str; 3] = ["", "apps", "*"];
const RESOURCES: [&str; 9] =
    ["pods", "pods/exec", "pods/*", "*/exec", "*", "secrets", "deployments", "deployments/scale", "*/*"];
const NAMES: [&str; 3] = ["a", "b", ""];
const URLS: [&str; 6] = ["/healthz", "/healthz/*", "/api*", "*", "/a/**", "/"];
const NAMESPACES: [&str; 3] = ["", "shop", "dev"];
const USERS: [&str; 5] =
    ["eve", "system:anonymous", "system:serviceaccount:shop:ci", "system:serviceaccount:dev:ci", "ci"];
const GROUPS_OF_USERS: [&str; 6] = [
    "dev",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:shop",
    "system:masters",
];

fn some(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Texts> {
    prop::collection::vec(prop::sample::select(of), 0..=most)
}

fn line() -> impl Strategy<Value = Line> {
    (some(&VERBS, 2), some(&GROUPS, 2), some(&RESOURCES, 2), some(&NAMES, 2), some(&URLS, 2))
        .prop_map(|(verbs, groups, resources, names, urls)| Line { verbs, groups, resources, names, urls })
}

fn subject() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    prop_oneof![
        prop::sample::select(&USERS[..]).prop_map(|name| ("User", name, "")),
        prop::sample::select(&GROUPS_OF_USERS[..5]).prop_map(|name| ("Group", name, "")),
        prop::sample::select(&NAMESPACES[..]).prop_map(|namespace| ("ServiceAccount", "ci", namespace)),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let lines = || prop::collection::vec(line(), 0..3);
    let role = (prop::sample::select(&NAMESPACES[..]), prop::sample::select(&["r", "q"][..]), lines());
    let binds = (
        prop::sample::select(&NAMESPACES[..]),
        (prop::sample::select(&["Role", "ClusterRole"][..]), prop::sample::select(&["r", "q", "gone"][..])),
        prop::collection::vec(subject(), 0..3),
    );
    let binds = binds.prop_map(|(namespace, role, subjects)| Binds { namespace, role, subjects });
    (prop::collection::vec(role, 0..6), prop::collection::vec(binds, 0..6)).prop_map(|(mut roles, bindings)| {
        roles.sort_by_key(|(namespace, name, _)| (*namespace, *name));
        roles.dedup_by_key(|(namespace, name, _)| (*namespace, *name));
        World { roles, bindings }
    })
}

#[derive(Clone, Debug)]
struct Question {
    user: &'static str,
    groups: Texts,
    url: bool,
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    namespace: &'static str,
    name: &'static str,
    path: &'static str,
}

fn question() -> impl Strategy<Value = Question> {
    (
        (prop::sample::select(&USERS[..]), some(&GROUPS_OF_USERS, 2), prop::bool::weighted(0.2)),
        prop::sample::select(&VERBS[..4]),
        prop::sample::select(&["", "apps", "batch"][..]),
        prop::sample::select(&["pods", "pods/exec", "secrets", "deployments", "deployments/scale", "jobs"][..]),
        prop::sample::select(&NAMESPACES[..]),
        prop::sample::select(&NAMES[..]),
        prop::sample::select(&["/healthz", "/healthz/etcd", "/api", "/apis/apps", "/a/b", "/"][..]),
    )
        .prop_map(|((user, groups, url), verb, group, resource, namespace, name, path)| Question {
            user,
            groups,
            url,
            verb,
            group,
            resource,
            namespace,
            name,
            path,
        })
}

/// The answer by taking everything apart.
fn plainly(world: &World, asked: &Question) -> bool {
    if asked.groups.contains(&"system:masters") {
        return true;
    }
    world.bindings.iter().any(|binding| {
        let holds_here = binding.namespace.is_empty() || (!asked.url && binding.namespace == asked.namespace);
        let bound = binding.subjects.iter().any(|(kind, name, namespace)| match *kind {
            "User" => asked.user == *name,
            "Group" => asked.groups.contains(name),
            _ => {
                let of = if namespace.is_empty() { binding.namespace } else { namespace };
                !of.is_empty() && asked.user == format!("system:serviceaccount:{of}:{name}")
            }
        });
        let lies_in = if binding.role.0 == "Role" { binding.namespace } else { "" };
        let there = |role: &&(&'static str, &'static str, Vec<Line>)| {
            role.0 == lies_in && role.1 == binding.role.1 && !(binding.role.0 == "Role" && lies_in.is_empty())
        };
        let role = world.roles.iter().find(there);
        holds_here && bound && role.is_some_and(|(.., lines)| lines.iter().any(|line| single(line, asked)))
    })
}

/// Whether one of the single permissions of a rule is the one that is asked for.
fn single(line: &Line, asked: &Question) -> bool {
    for verb in &line.verbs {
        if !["*", asked.verb].contains(verb) {
            continue;
        }
        if asked.url {
            let path = |url: &&str| match url.find('*') {
                Some(star) if url[star..].bytes().all(|b| b == b'*') => asked.path.starts_with(&url[..star]),
                _ => **url == *asked.path,
            };
            if line.urls.iter().any(path) {
                return true;
            }
            continue;
        }
        for group in &line.groups {
            for resource in &line.resources {
                let subresource = asked.resource.split('/').nth(1).unwrap_or_default();
                let of_all = if subresource.is_empty() { String::new() } else { format!("*/{subresource}") };
                let named = line.names.is_empty() || line.names.contains(&asked.name);
                let is = *resource == "*" || *resource == asked.resource || (!of_all.is_empty() && *resource == of_all);
                if ["*", asked.group].contains(group) && is && named {
                    return true;
                }
            }
        }
    }
    false
}

fn texts(items: &[&str]) -> Value {
    Value::strings(items.iter().copied())
}

fn target(world: &World) -> Target {
    let mut target = Target::new("generated", "kubernetes", "");
    let place = || Source::place("generated");
    for (namespace, name, lines) in &world.roles {
        let id = if namespace.is_empty() { format!("ClusterRole/{name}") } else { format!("Role/{namespace}/{name}") };
        let mut role = Component::new(&ROLE, id, *name);
        let rules = lines.iter().map(|line| {
            Value::Object(vec![
                ("verbs", texts(&line.verbs)),
                ("api_groups", texts(&line.groups)),
                ("resources", texts(&line.resources)),
                ("resource_names", texts(&line.names)),
                ("non_resource_urls", texts(&line.urls)),
            ])
        });
        role.set("namespace", *namespace, place());
        role.set("effective_rules", Value::List(rules.collect()), place());
        target.components.push(role);
    }
    for (at, binds) in world.bindings.iter().enumerate() {
        let mut binding = Component::new(&BINDING, format!("{}/{at}", binds.namespace), "b");
        binding.set("namespace", binds.namespace, place());
        let role = Value::Object(vec![("kind", binds.role.0.into()), ("name", binds.role.1.into())]);
        binding.set("role", role, place());
        let subjects = binds.subjects.iter().map(|(kind, name, namespace)| {
            Value::Object(vec![("kind", (*kind).into()), ("name", (*name).into()), ("namespace", (*namespace).into())])
        });
        binding.set("subjects", Value::List(subjects.collect()), place());
        target.components.push(binding);
    }
    target
}

fn ask(grants: &Grants<'_>, asked: &Question) -> Truth {
    let who = Who {
        user: Some(asked.user.to_owned()),
        groups: asked.groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let (resource, subresource) = asked.resource.split_once('/').unwrap_or((asked.resource, ""));
    let Question { verb, group, namespace, name, path, .. } = *asked;
    let request = if asked.url {
        Request::Url { verb, path }
    } else {
        Request::Resource { verb, group, resource, subresource, namespace, name }
    };
    grants.allows(&who, &request).truth
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn generated_questions_are_answered_as_by_taking_everything_apart(
        world in world(),
        questions in prop::collection::vec(question(), 40),
    ) {
        let target = target(&world);
        let grants = Grants::of(&target);
        for asked in &questions {
            let expected = if plainly(&world, asked) { Truth::True } else { Truth::False };
            prop_assert_eq!(ask(&grants, asked), expected, "{:?}", asked);
        }
    }
}
