//! An audit policy, evaluated as the API server does: the first rule that fits a request says what is logged of it.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

/// Levels from the least to the most.
const LEVELS: [&str; 4] = ["None", "Metadata", "Request", "RequestResponse"];
/// The most rules that are read.
const MOST: usize = 10_000;

const READ: &[&str] = &["get", "list", "watch"];
const CHANGE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const CONNECT: &[&str] = &["get", "create", "update", "patch", "delete"];

/// A kind of request.
struct Request {
    name: &'static str,
    /// Groups and resources with their subresource.
    of: &'static [(&'static str, &'static str)],
    namespaced: bool,
    reads: &'static [&'static str],
    changes: &'static [&'static str],
}

const REQUESTS: &[Request] = &[
    Request { name: "secrets", of: &[("", "secrets")], namespaced: true, reads: READ, changes: CHANGE },
    Request { name: "configmaps", of: &[("", "configmaps")], namespaced: true, reads: READ, changes: CHANGE },
    Request {
        name: "tokenreviews",
        of: &[("authentication.k8s.io", "tokenreviews")],
        namespaced: false,
        reads: &[],
        changes: &["create"],
    },
    Request { name: "pods", of: &[("", "pods")], namespaced: true, reads: READ, changes: CHANGE },
    Request { name: "deployments", of: &[("apps", "deployments")], namespaced: true, reads: READ, changes: CHANGE },
    Request {
        name: "roles",
        of: &[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ],
        namespaced: true,
        reads: READ,
        changes: CHANGE,
    },
    Request { name: "pods/exec", of: &[("", "pods/exec")], namespaced: true, reads: &[], changes: &["get", "create"] },
    Request {
        name: "pods/attach",
        of: &[("", "pods/attach")],
        namespaced: true,
        reads: &[],
        changes: &["get", "create"],
    },
    Request {
        name: "pods/portforward",
        of: &[("", "pods/portforward")],
        namespaced: true,
        reads: &[],
        changes: &["get", "create"],
    },
    Request { name: "pods/proxy", of: &[("", "pods/proxy")], namespaced: true, reads: &[], changes: CONNECT },
    Request { name: "services/proxy", of: &[("", "services/proxy")], namespaced: true, reads: &[], changes: CONNECT },
    Request { name: "nodes/proxy", of: &[("", "nodes/proxy")], namespaced: false, reads: &[], changes: CONNECT },
    Request {
        name: "pods/ephemeralcontainers",
        of: &[("", "pods/ephemeralcontainers")],
        namespaced: true,
        reads: &["get"],
        changes: &["update", "patch"],
    },
    Request {
        name: "serviceaccounts/token",
        of: &[("", "serviceaccounts/token")],
        namespaced: true,
        reads: &[],
        changes: &["create"],
    },
];

/// Whether a rule fits the requests of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fits {
    Never,
    /// Some of them: by who asks, where, or for which name.
    Some,
    All,
}

/// What is logged of requests that matter. Without a log that is nothing, whatever the policy says.
pub(super) fn levels(policy: Option<&Json>, logged: bool) -> Result<Value, String> {
    let rules = match policy {
        Some(policy) if logged => rules(policy)?,
        _ => Vec::new(),
    };
    Ok(Value::List(REQUESTS.iter().map(|request| level(&rules, request)).collect()))
}

struct Rule<'j> {
    level: usize,
    json: &'j Json,
}

fn rules(policy: &Json) -> Result<Vec<Rule<'_>>, String> {
    if policy.get("kind").and_then(Json::as_str) != Some("Policy") {
        return Err("it is no audit policy".to_owned());
    }
    let omitted = texts(&policy["omitStages"])?;
    let list = policy["rules"].as_array().filter(|r| !r.is_empty()).ok_or("it has no rules")?;
    if list.len() > MOST {
        return Err(format!("it has more than {MOST} rules"));
    }
    list.iter()
        .map(|json| {
            let name = json["level"].as_str().unwrap_or_default();
            let level = LEVELS.iter().position(|l| *l == name).ok_or("a rule of it has no level")?;
            let all: Vec<&str> = texts(&json["omitStages"])?.into_iter().chain(omitted.iter().copied()).collect();
            let silent = ["RequestReceived", "ResponseStarted", "ResponseComplete"].iter().all(|s| all.contains(s));
            Ok(Rule { level: if silent { 0 } else { level }, json })
        })
        .collect()
}

fn level(rules: &[Rule<'_>], request: &Request) -> Value {
    let span = |verbs: &[&str]| {
        let mut reached: Option<(usize, usize)> = None;
        for (group, resource) in request.of {
            for verb in verbs {
                let (low, high) = reach(rules, request, group, resource, verb);
                let (l, h) = reached.unwrap_or((low, high));
                reached = Some((l.min(low), h.max(high)));
            }
        }
        reached
    };
    let (reads, changes) = (span(request.reads), span(request.changes).unwrap_or((0, 0)));
    let (low, high) = reads.map_or(changes, |r| (r.0.min(changes.0), r.1.max(changes.1)));
    Value::Object(vec![
        ("request", request.name.into()),
        ("lowest", LEVELS[low].into()),
        ("changes", LEVELS[changes.0].into()),
        ("highest", LEVELS[high].into()),
    ])
}

/// The least and the most that may be logged of requests with one verb. A rule that fits only some of them is taken
/// for one that decides over some, whatever came before it.
fn reach(rules: &[Rule<'_>], request: &Request, group: &str, resource: &str, verb: &str) -> (usize, usize) {
    let (mut low, mut high) = (usize::MAX, 0);
    for rule in rules {
        let fits = fits(rule.json, request, group, resource, verb);
        if fits != Fits::Never {
            low = low.min(rule.level);
            high = high.max(rule.level);
        }
        if fits == Fits::All {
            return (low, high);
        }
    }
    // What no rule fits is not logged.
    (0, high)
}

fn fits(rule: &Json, request: &Request, group: &str, resource: &str, verb: &str) -> Fits {
    let list = |name: &str| texts(&rule[name]).unwrap_or_default();
    let verbs = list("verbs");
    if !verbs.is_empty() && !verbs.contains(&verb) {
        return Fits::Never;
    }
    let mut fits = if list("users").is_empty() && list("userGroups").is_empty() { Fits::All } else { Fits::Some };
    let namespaces = list("namespaces");
    let resources = rule["resources"].as_array().map_or(&[][..], Vec::as_slice);
    if namespaces.is_empty() && resources.is_empty() {
        return if list("nonResourceURLs").is_empty() { fits } else { Fits::Never };
    }
    if !namespaces.is_empty() {
        match (request.namespaced, namespaces.contains(&"")) {
            // Requests for all namespaces at once have none.
            (true, _) => fits = Fits::Some,
            (false, true) => {}
            (false, false) => return Fits::Never,
        }
    }
    if resources.is_empty() {
        return fits;
    }
    let named = resources.iter().map(|entry| names(entry, group, resource));
    match named.fold(Fits::Never, |best, next| match (best, next) {
        (Fits::All, _) | (_, Fits::All) => Fits::All,
        (Fits::Some, _) | (_, Fits::Some) => Fits::Some,
        _ => Fits::Never,
    }) {
        Fits::Never => Fits::Never,
        Fits::Some => Fits::Some,
        Fits::All => fits,
    }
}

/// Whether an entry of a rule's resources names this one.
fn names(entry: &Json, group: &str, resource: &str) -> Fits {
    if entry["group"].as_str().unwrap_or_default() != group {
        return Fits::Never;
    }
    let list = texts(&entry["resources"]).unwrap_or_default();
    let (base, sub) = resource.split_once('/').map_or((resource, None), |(b, s)| (b, Some(s)));
    let named = list.is_empty()
        || list.iter().any(|name| {
            *name == resource
                || *name == "*"
                || sub.is_some_and(|sub| name.strip_prefix("*/") == Some(sub))
                || name.strip_suffix("/*") == Some(base)
        });
    match (named, list.is_empty() || texts(&entry["resourceNames"]).unwrap_or_default().is_empty()) {
        (false, _) => Fits::Never,
        (true, true) => Fits::All,
        (true, false) => Fits::Some,
    }
}

fn texts(json: &Json) -> Result<Vec<&str>, String> {
    match json {
        Json::Null => Ok(Vec::new()),
        Json::Array(items) => items
            .iter()
            .map(|i| i.as_str().ok_or_else(|| "a list of it holds something else than text".into()))
            .collect(),
        _ => Err("something of it is no list".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rules: Json, request: &str) -> [String; 3] {
        let policy = json!({ "kind": "Policy", "apiVersion": "audit.k8s.io/v1", "rules": rules });
        let levels = levels(Some(&policy), true).unwrap();
        let found = levels.as_list().unwrap().iter().find(|l| l.field("request").unwrap().as_str() == Some(request));
        ["lowest", "changes", "highest"].map(|f| found.unwrap().field(f).unwrap().as_str().unwrap().to_owned())
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = json!([
            { "level": "None", "resources": [{ "group": "", "resources": ["secrets"] }] },
            { "level": "Metadata" },
        ]);
        assert_eq!(of(rules.clone(), "secrets"), ["None", "None", "None"]);
        assert_eq!(of(rules, "configmaps"), ["Metadata", "Metadata", "Metadata"]);
    }

    #[test]
    fn verbs_that_are_shared_out_cover_all_of_them() {
        let secrets = json!([{ "group": "", "resources": ["secrets"] }]);
        let rules = json!([
            { "level": "Metadata", "verbs": ["get", "list", "watch"], "resources": secrets },
            { "level": "RequestResponse", "verbs": CHANGE, "resources": secrets },
            { "level": "None" },
        ]);
        assert_eq!(of(rules.clone(), "secrets"), ["Metadata", "RequestResponse", "RequestResponse"]);
        assert_eq!(of(rules, "pods/exec"), ["None", "None", "None"]);
    }

    #[test]
    fn an_exemption_of_one_user_or_namespace_leaves_a_hole() {
        let rules = json!([{ "level": "None", "users": ["mallory"] }, { "level": "Metadata" }]);
        assert_eq!(of(rules, "secrets"), ["None", "None", "Metadata"]);
        let rules = json!([
            { "level": "None", "namespaces": ["dev"], "verbs": ["get"] },
            { "level": "Metadata" },
        ]);
        assert_eq!(of(rules.clone(), "secrets"), ["None", "Metadata", "Metadata"]);
        assert_eq!(of(rules, "tokenreviews"), ["Metadata", "Metadata", "Metadata"]);
    }

    #[test]
    fn subresources_are_named_by_themselves() {
        let pods = json!([{ "level": "Metadata", "resources": [{ "group": "", "resources": ["pods"] }] }]);
        assert_eq!(of(pods, "pods/exec"), ["None", "None", "None"]);
        for name in ["pods/exec", "pods/*", "*/exec", "*"] {
            let rules = json!([{ "level": "Request", "resources": [{ "group": "", "resources": [name] }] }]);
            assert_eq!(of(rules, "pods/exec"), ["Request", "Request", "Request"], "{name}");
        }
        let other = json!([{ "level": "Request", "resources": [{ "group": "apps", "resources": ["*"] }] }]);
        assert_eq!(of(other, "pods/exec")[0], "None");
    }

    #[test]
    fn rules_for_other_paths_do_not_count_and_all_stages_omitted_is_nothing() {
        let rules = json!([{ "level": "None", "nonResourceURLs": ["/*"] }, { "level": "Metadata" }]);
        assert_eq!(of(rules, "secrets")[0], "Metadata");
        let rules =
            json!([{ "level": "Metadata", "omitStages": ["RequestReceived", "ResponseStarted", "ResponseComplete"] }]);
        assert_eq!(of(rules, "secrets")[0], "None");
    }

    #[test]
    fn what_is_no_policy_is_refused_and_without_a_log_nothing_is_kept() {
        assert!(levels(Some(&json!({ "kind": "Policy", "rules": [] })), true).is_err());
        assert!(levels(Some(&json!({ "kind": "Policy", "rules": [{ "level": "all" }] })), true).is_err());
        let policy = json!({ "kind": "Policy", "rules": [{ "level": "Metadata" }] });
        let value = levels(Some(&policy), false).unwrap();
        assert!(value.as_list().unwrap().iter().all(|l| l.field("highest").unwrap().as_str() == Some("None")));
    }
}
