//! Rules, and what they allow, as the API server's RBAC authorizer matches them.

use std::sync::Arc;

use crate::predicate::Truth;
use crate::value::Value;

/// Texts of a rule, and why there may be more of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words<'a> {
    /// Those that are known.
    pub known: Vec<&'a str>,
    /// Why there may be others, or others than these.
    pub more: Option<&'a Arc<str>>,
}

impl<'a> Words<'a> {
    /// All of them known.
    pub fn all(known: impl IntoIterator<Item = &'a str>) -> Self {
        Self { known: known.into_iter().collect(), more: None }
    }

    fn read(value: Option<&'a Value>) -> Self {
        match value {
            Some(Value::List(items)) => Self {
                known: items.iter().filter_map(Value::as_str).collect(),
                more: items.iter().find_map(Value::reason),
            },
            Some(Value::Unknown(reason)) => Self { known: Vec::new(), more: Some(reason) },
            _ => Self::default(),
        }
    }

    /// Whether one of them is as asked for.
    pub fn any(&self, is: impl Fn(&str) -> bool) -> Truth {
        if self.known.iter().any(|word| is(word)) { Truth::True } else { self.rest() }
    }

    /// What is to be said where none of the known does.
    fn rest(&self) -> Truth {
        self.more.map_or(Truth::False, |why| Truth::Unknown(Arc::clone(why)))
    }

    /// Proven to hold none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.more.is_none()
    }
}

/// One rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Verbs.
    pub verbs: Words<'a>,
    /// Groups of the API; the empty text is the core.
    pub groups: Words<'a>,
    /// Resources, with subresources as `pods/exec`.
    pub resources: Words<'a>,
    /// Names of objects; none is all.
    pub names: Words<'a>,
    /// Paths that are no resources.
    pub urls: Words<'a>,
}

/// What is asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Something with a resource.
    Resource {
        /// The verb.
        verb: &'a str,
        /// The API group; empty for the core.
        group: &'a str,
        /// The resource: `pods`.
        resource: &'a str,
        /// The subresource; empty for none.
        subresource: &'a str,
        /// The namespace; empty where it is over the whole cluster.
        namespace: &'a str,
        /// The object's name; empty where none is named: lists, and what is created at the top.
        name: &'a str,
    },
    /// Another path.
    Url {
        /// The verb: an HTTP method in small letters.
        verb: &'a str,
        /// The path.
        path: &'a str,
    },
}

impl Request<'_> {
    /// The namespace that it is in; empty for none.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Resource { namespace, .. } => namespace,
            Self::Url { .. } => "",
        }
    }
}

impl<'a> Rule<'a> {
    /// A rule of the schema's shape; where it is unknown as a whole, all its parts are.
    pub fn read(value: &'a Value) -> Self {
        if let Value::Unknown(reason) = value {
            let words = || Words { known: Vec::new(), more: Some(reason) };
            return Self { verbs: words(), groups: words(), resources: words(), names: words(), urls: words() };
        }
        let words = |name| Words::read(value.field(name));
        Self {
            verbs: words("verbs"),
            groups: words("api_groups"),
            resources: words("resources"),
            names: words("resource_names"),
            urls: words("non_resource_urls"),
        }
    }

    /// Whether it allows a request, its namespace aside, which is its binding's matter.
    pub fn allows(&self, request: &Request<'_>) -> Truth {
        match *request {
            Request::Resource { verb, group, resource, subresource, name, .. } => both(
                both(self.verb(verb), self.groups.any(|g| g == "*" || g == group)),
                both(self.resource(resource, subresource), self.name(name)),
            ),
            Request::Url { verb, path } => both(self.verb(verb), self.urls.any(|url| url_matches(url, path))),
        }
    }

    /// Whether it has a verb.
    pub fn verb(&self, verb: &str) -> Truth {
        self.verbs.any(|v| v == "*" || v == verb)
    }

    /// Whether it has a resource: all, by name, or a subresource of all. `pods/*` is no pattern: it matches nothing.
    pub fn resource(&self, resource: &str, subresource: &str) -> Truth {
        self.resources.any(|r| {
            if subresource.is_empty() {
                return r == "*" || r == resource;
            }
            let after = |first| r.strip_prefix(first).and_then(|rest: &str| rest.strip_prefix('/'));
            r == "*" || after(resource) == Some(subresource) || after("*") == Some(subresource)
        })
    }

    /// Whether it holds over an object by its name. Only a rule without names holds where none is given.
    pub fn name(&self, name: &str) -> Truth {
        if self.names.is_empty() { Truth::True } else { self.names.any(|n| n == name) }
    }
}

/// Both of two.
pub(super) fn both(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
        (Truth::True, Truth::True) => Truth::True,
    }
}

/// A `*` at the end stands for whatever follows, and so do several.
pub(super) fn url_matches(url: &str, path: &str) -> bool {
    url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule<'a>(verbs: &[&'a str], groups: &[&'a str], resources: &[&'a str], names: &[&'a str]) -> Rule<'a> {
        let words = |items: &[&'a str]| Words::all(items.iter().copied());
        let (verbs, groups, resources, names) = (words(verbs), words(groups), words(resources), words(names));
        Rule { verbs, groups, resources, names, urls: Words::default() }
    }

    fn asks(rule: &Rule<'_>, verb: &str, group: &str, resource: &str, name: &str) -> Truth {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        rule.allows(&Request::Resource { verb, group, resource, subresource, namespace: "", name })
    }

    #[test]
    fn subresources_are_matched_by_name_and_for_all_resources_only() {
        let all = rule(&["*"], &[""], &["pods/*"], &[]);
        for resource in ["pods", "pods/exec", "pods/log"] {
            assert_eq!(asks(&all, "create", "", resource, "web"), Truth::False, "pods/* is no pattern: {resource}");
        }
        let exec = rule(&["create"], &[""], &["*/exec", "pods/log"], &[]);
        assert_eq!(asks(&exec, "create", "", "pods/exec", "web"), Truth::True);
        assert_eq!(asks(&exec, "create", "", "pods/log", "web"), Truth::True);
        assert_eq!(asks(&exec, "create", "", "pods", "web"), Truth::False);
        assert_eq!(asks(&rule(&["create"], &[""], &["pods"], &[]), "create", "", "pods/exec", ""), Truth::False);
        assert_eq!(asks(&rule(&["create"], &[""], &["*"], &[]), "create", "", "pods/exec", ""), Truth::True);
    }

    #[test]
    fn the_wildcard_of_a_group_is_not_the_core() {
        assert_eq!(asks(&rule(&["get"], &[""], &["deployments"], &[]), "get", "apps", "deployments", ""), Truth::False);
        assert_eq!(asks(&rule(&["get"], &["*"], &["secrets"], &[]), "get", "", "secrets", "db"), Truth::True);
    }

    #[test]
    fn names_never_match_what_has_none() {
        let named = rule(&["create", "list", "get"], &[""], &["secrets"], &["db"]);
        assert_eq!(asks(&named, "get", "", "secrets", "db"), Truth::True);
        assert_eq!(asks(&named, "get", "", "secrets", "web"), Truth::False);
        assert_eq!(asks(&named, "create", "", "secrets", ""), Truth::False);
        assert_eq!(asks(&named, "list", "", "secrets", ""), Truth::False);
    }

    #[test]
    fn paths_end_in_stars_and_know_no_others() {
        for (url, path, matches) in [
            ("*", "/metrics", true),
            ("/healthz/*", "/healthz/etcd", true),
            ("/healthz/*", "/healthz", false),
            ("/healthz*", "/healthzzz", true),
            ("/a/**", "/a/b", true),
            ("/*/b", "/a/b", false),
            ("/metrics", "/metrics/", false),
        ] {
            assert_eq!(url_matches(url, path), matches, "{url} {path}");
        }
    }

    #[test]
    fn what_is_unknown_decides_only_where_the_rest_does_not() {
        let why: Arc<str> = "not read".into();
        let mut rule = rule(&["get"], &[""], &["pods"], &[]);
        rule.verbs.more = Some(&why);
        assert_eq!(asks(&rule, "get", "", "pods", "x"), Truth::True);
        assert_eq!(asks(&rule, "list", "", "pods", ""), Truth::Unknown("not read".into()));
        assert_eq!(asks(&rule, "list", "", "nodes", ""), Truth::False);
        rule.names.more = Some(&why);
        assert_eq!(asks(&rule, "get", "", "pods", "x"), Truth::Unknown("not read".into()));
    }
}
