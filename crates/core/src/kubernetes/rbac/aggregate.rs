//! ClusterRoles that gather the rules of others, as the controller does it: what a role of this kind has itself is
//! overwritten with the rules of all that its selectors choose, itself excepted, and so on until nothing changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rule::both;
use crate::predicate::Truth;
use crate::value::Value;

/// A ClusterRole, as far as gathering needs it: values of the schema's facts.
#[derive(Clone, Copy, Debug)]
pub struct Gathering<'a> {
    /// `labels`.
    pub labels: &'a Value,
    /// `rules`.
    pub rules: &'a Value,
    /// `aggregates`.
    pub aggregates: &'a Value,
}

/// The most rules that one role gathers.
const MOST: usize = 4096;

/// The most roles that gather; a cluster has about ten.
const MOST_GATHERING: usize = 512;

/// The rules of each role after gathering, in the order of the roles; for those that gather none nothing. An unknown
/// stands where others may belong to it.
pub fn gathered(roles: &[Gathering<'_>]) -> Vec<Option<Vec<Value>>> {
    let mut all: Vec<Option<Vec<Value>>> = vec![None; roles.len()];
    let gathering: Vec<usize> = (0..roles.len()).filter(|at| gathers(&roles[*at])).collect();
    if gathering.len() > MOST_GATHERING {
        let why = Value::unknown(format!("more than {MOST_GATHERING} roles gather the rules of others"));
        gathering.iter().for_each(|at| all[*at] = Some(vec![why.clone()]));
        return all;
    }
    let members: HashMap<usize, Vec<(usize, Truth)>> = gathering.iter().map(|at| (*at, members(roles, *at))).collect();
    let reach: HashMap<usize, Vec<usize>> = gathering.iter().map(|at| (*at, reached(&members, *at))).collect();
    for at in &gathering {
        let mut rules = Rules::default();
        for this in reach[at].iter().chain([at]) {
            if let Some(reason) = roles[*this].aggregates.reason() {
                rules.may_be_more(reason);
            }
            // In a circle it depends on who came first whether what was written in one of them stays.
            if reach[this].contains(this) && written(roles[*this].rules) {
                rules.may_be_more(&"roles gather each other's rules".into());
            }
            for (other, truth) in &members[this] {
                match truth {
                    Truth::Unknown(reason) => rules.may_be_more(reason),
                    _ if members.contains_key(other) => {}
                    _ => rules.take(roles[*other].rules),
                }
            }
        }
        all[*at] = Some(rules.finish());
    }
    all
}

/// Whether a role gathers, as far as it is known.
pub fn gathers(role: &Gathering<'_>) -> bool {
    role.aggregates.as_list().is_none_or(|selectors| !selectors.is_empty())
}

/// The roles that one of its selectors chooses or may choose, itself excepted.
fn members(roles: &[Gathering<'_>], at: usize) -> Vec<(usize, Truth)> {
    let others = roles.iter().enumerate().filter(|(other, _)| *other != at);
    let chosen = others.map(|(other, role)| (other, chosen(role.labels, roles[at].aggregates)));
    chosen.filter(|(_, truth)| *truth != Truth::False).collect()
}

/// The roles that gather whose rules come to one, over others; itself where they lead in a circle.
fn reached(members: &HashMap<usize, Vec<(usize, Truth)>>, at: usize) -> Vec<usize> {
    let (mut seen, mut left) = (Vec::new(), vec![at]);
    let mut known = HashSet::new();
    while let Some(this) = left.pop() {
        for (other, _) in members[&this].iter().filter(|(other, _)| members.contains_key(other)) {
            if known.insert(*other) {
                seen.push(*other);
                left.push(*other);
            }
        }
    }
    seen
}

fn written(rules: &Value) -> bool {
    rules.as_list().is_none_or(|rules| !rules.is_empty())
}

#[derive(Default)]
struct Rules<'a> {
    all: Vec<&'a Value>,
    seen: HashSet<&'a Value>,
    more: Option<Arc<str>>,
}

impl<'a> Rules<'a> {
    fn take(&mut self, rules: &'a Value) {
        match rules {
            Value::List(rules) => {
                for rule in rules {
                    if self.all.len() >= MOST {
                        return self.may_be_more(&"it gathers more rules than are followed".into());
                    }
                    if self.seen.insert(rule) {
                        self.all.push(rule);
                    }
                }
            }
            Value::Unknown(reason) => self.may_be_more(reason),
            _ => {}
        }
    }

    fn may_be_more(&mut self, reason: &Arc<str>) {
        self.more.get_or_insert_with(|| Arc::clone(reason));
    }

    fn finish(self) -> Vec<Value> {
        self.all.into_iter().cloned().chain(self.more.map(Value::Unknown)).collect()
    }
}

/// Whether one of a role's selectors chooses labels.
pub fn chosen(labels: &Value, selectors: &Value) -> Truth {
    let selectors = match selectors {
        Value::List(selectors) => selectors,
        Value::Unknown(reason) => return Truth::Unknown(Arc::clone(reason)),
        _ => return Truth::False,
    };
    let mut unknown = None;
    for selector in selectors {
        match selects(selector, labels) {
            Truth::True => return Truth::True,
            Truth::Unknown(reason) => unknown = Some(reason),
            Truth::False => {}
        }
    }
    unknown.map_or(Truth::False, Truth::Unknown)
}

fn selects(selector: &Value, labels: &Value) -> Truth {
    let part = |name| match selector {
        Value::Unknown(reason) => Err(Truth::Unknown(Arc::clone(reason))),
        _ => match selector.field(name) {
            Some(Value::List(items)) => Ok(items),
            Some(Value::Unknown(reason)) => Err(Truth::Unknown(Arc::clone(reason))),
            _ => Err(Truth::Unknown("the selector does not tell".into())),
        },
    };
    let (equal, expressions) = match (part("labels"), part("expressions")) {
        (Ok(equal), Ok(expressions)) => (equal, expressions),
        (Err(why), _) | (_, Err(why)) => return why,
    };
    let first = equal.iter().map(|label| match (text(label, "key"), text(label, "value")) {
        (Ok(key), Ok(value)) => value_of(labels, key, &|v| v == Some(value)),
        (Err(why), _) | (_, Err(why)) => why,
    });
    let then = expressions.iter().map(|expression| expressed(expression, labels));
    first.chain(then).fold(Truth::True, both)
}

fn expressed(expression: &Value, labels: &Value) -> Truth {
    let (key, operator) = match (text(expression, "key"), text(expression, "operator")) {
        (Ok(key), Ok(operator)) => (key, operator),
        (Err(why), _) | (_, Err(why)) => return why,
    };
    let values = expression.field("values").and_then(Value::as_list).unwrap_or_default();
    if let Some(reason) = values.iter().find_map(Value::reason) {
        return Truth::Unknown(Arc::clone(reason));
    }
    let among = |v: Option<&str>| v.is_some_and(|v| values.iter().any(|one| one.as_str() == Some(v)));
    match operator {
        "In" => value_of(labels, key, &among),
        "NotIn" => value_of(labels, key, &|v| !among(v)),
        "Exists" => value_of(labels, key, &|v| v.is_some()),
        "DoesNotExist" => value_of(labels, key, &|v| v.is_none()),
        other => Truth::Unknown(format!("the operator {other:.32?} is not known").into()),
    }
}

fn text<'a>(of: &'a Value, field: &str) -> Result<&'a str, Truth> {
    match of.field(field) {
        Some(Value::Str(text)) => Ok(text),
        Some(Value::Unknown(reason)) => Err(Truth::Unknown(Arc::clone(reason))),
        _ => Err(Truth::Unknown(of.reason().map_or_else(|| "the selector does not tell".into(), Arc::clone))),
    }
}

/// What is asked of the value of a label; where labels are not all known, neither is the answer.
fn value_of(labels: &Value, key: &str, is: &dyn Fn(Option<&str>) -> bool) -> Truth {
    let labels = match labels {
        Value::List(labels) => labels,
        Value::Unknown(reason) => return Truth::Unknown(Arc::clone(reason)),
        _ => return Truth::False,
    };
    let label = labels.iter().find(|label| label.field("key").and_then(Value::as_str) == Some(key));
    if let Some(reason) = label.map_or_else(|| labels.iter().find_map(Value::reason), |l| l.field("value")?.reason()) {
        return Truth::Unknown(Arc::clone(reason));
    }
    let value = label.and_then(|label| label.field("value")).and_then(Value::as_str);
    if is(value) { Truth::True } else { Truth::False }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Value {
        Value::List(
            pairs.iter().map(|(k, v)| Value::Object(vec![("key", (*k).into()), ("value", (*v).into())])).collect(),
        )
    }

    fn selector(equal: &[(&str, &str)], expressions: &[(&str, &str, &[&str])]) -> Value {
        let expressions = expressions.iter().map(|(key, operator, values)| {
            let values = Value::strings(values.iter().copied());
            Value::Object(vec![("key", (*key).into()), ("operator", (*operator).into()), ("values", values)])
        });
        Value::Object(vec![("labels", labels(equal)), ("expressions", Value::List(expressions.collect()))])
    }

    fn rules(verbs: &[&str]) -> Value {
        Value::List(verbs.iter().map(|verb| Value::Object(vec![("verbs", Value::strings([*verb]))])).collect())
    }

    fn verbs(gathered: Option<&Vec<Value>>) -> Vec<String> {
        let words = |rule: &Value| rule.field("verbs").map_or_else(|| "?".to_owned(), ToString::to_string);
        gathered.expect("it gathers").iter().map(words).collect()
    }

    fn all(roles: &[(Value, Value, Value)]) -> Vec<Option<Vec<Value>>> {
        let roles: Vec<Gathering<'_>> =
            roles.iter().map(|(labels, rules, aggregates)| Gathering { labels, rules, aggregates }).collect();
        gathered(&roles)
    }

    #[test]
    fn what_is_written_in_a_role_that_gathers_is_lost_and_what_others_gather_comes_along() {
        let none = || Value::List(Vec::new());
        let gather = |label: &str| Value::List(vec![selector(&[(label, "true")], &[])]);
        let got = all(&[
            (none(), rules(&["own"]), gather("a")),
            (labels(&[("a", "true")]), rules(&["overwritten"]), gather("b")),
            (labels(&[("b", "true")]), rules(&["get", "list"]), none()),
            (labels(&[("a", "false")]), rules(&["delete"]), none()),
        ]);
        assert_eq!(verbs(got[0].as_ref()), ["[get]", "[list]"]);
        assert_eq!(verbs(got[1].as_ref()), ["[get]", "[list]"]);
        assert_eq!(got[2], None);
    }

    #[test]
    fn what_comes_by_two_ways_is_no_circle() {
        let none = || Value::List(Vec::new());
        let gather = |label: &str| Value::List(vec![selector(&[(label, "true")], &[])]);
        let got = all(&[
            (none(), none(), gather("a")),
            (labels(&[("a", "true")]), rules(&["left"]), gather("b")),
            (labels(&[("a", "true")]), rules(&["right"]), gather("b")),
            (labels(&[("b", "true")]), rules(&["lost"]), gather("c")),
            (labels(&[("c", "true")]), rules(&["get"]), none()),
        ]);
        assert_eq!(verbs(got[0].as_ref()), ["[get]"]);
    }

    #[test]
    fn circles_end_and_say_what_depends_on_who_came_first() {
        let none = || Value::List(Vec::new());
        let gather = |label: &str| Value::List(vec![selector(&[(label, "true")], &[])]);
        let circle = |own: &[&str]| {
            all(&[
                (labels(&[("a", "true")]), rules(own), gather("b")),
                (labels(&[("b", "true")]), none(), gather("a")),
                (labels(&[("a", "true")]), rules(&["get"]), none()),
            ])
        };
        assert_eq!(verbs(circle(&[])[0].as_ref()), ["[get]"]);
        assert_eq!(verbs(circle(&["watch"])[1].as_ref()), ["[get]", "?"]);
    }

    #[test]
    fn selectors_are_read_as_the_api_reads_them() {
        let have = labels(&[("tier", "web"), ("team", "a")]);
        let one = |equal: &[(&str, &str)], expressions: &[(&str, &str, &[&str])]| {
            chosen(&have, &Value::List(vec![selector(equal, expressions)]))
        };
        assert_eq!(one(&[], &[]), Truth::True, "an empty selector chooses all");
        assert_eq!(chosen(&have, &Value::List(Vec::new())), Truth::False, "no selector chooses none");
        assert_eq!(one(&[("tier", "web")], &[("team", "In", &["a", "b"])]), Truth::True);
        assert_eq!(one(&[("tier", "web")], &[("team", "NotIn", &["a"])]), Truth::False);
        assert_eq!(one(&[], &[("other", "NotIn", &["a"])]), Truth::True, "absent is not in");
        assert_eq!(one(&[], &[("other", "Exists", &[])]), Truth::False);
        assert_eq!(one(&[], &[("other", "DoesNotExist", &[]), ("tier", "Exists", &[])]), Truth::True);
        assert!(matches!(one(&[], &[("tier", "Like", &["w"])]), Truth::Unknown(_)));
    }
}
