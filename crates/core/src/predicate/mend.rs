//! The least change of facts by which a predicate holds, where only one is plausible: what a forecast takes for the
//! effect of a remedy.
//!
//! It never guesses. Where several changes would do, where a text or a number would have to be made up inside a list, or
//! where something would have to be added, nothing is changed: the forecast then says less than will come true.

use super::eval::{Truth, evaluate, evaluate_over};
use super::{Expr, Quantifier};
use crate::component::Component;
use crate::fact::Source;
use crate::value::Value;

/// What a text becomes that must be another than it is; nobody compares with it.
const OTHER: &str = "as the check demands";

/// What was done to make something hold; ordered by how much it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    /// It held already.
    Nothing,
    /// Elements were taken out of lists.
    Removed,
    /// Values were set.
    Set,
}

/// Changes a component so that an expression is true. False, and nothing changed, where that is not plain.
pub(super) fn mend(root: &Expr, component: &mut Component) -> bool {
    let mut mended = component.clone();
    if want(root, true, &mut mended).is_none() || evaluate(root, &mended).truth != Truth::True {
        return false;
    }
    *component = mended;
    true
}

fn is(expr: &Expr, truth: bool, component: &Component) -> bool {
    evaluate(expr, component).truth == if truth { Truth::True } else { Truth::False }
}

fn set(component: &mut Component, fact: u16, value: Value) -> Option<Done> {
    let spec = component.kind.facts.get(usize::from(fact))?;
    spec.ty.conforms(&value).ok()?;
    component.set(spec.name, value, Source::place("forecast"));
    Some(Done::Set)
}

fn want(expr: &Expr, truth: bool, component: &mut Component) -> Option<Done> {
    if is(expr, truth, component) {
        return Some(Done::Nothing);
    }
    match expr {
        Expr::Fact(fact) => set(component, *fact, truth.into()),
        Expr::Not(inner) => want(inner, !truth, component),
        Expr::And(a, b) if truth => Some(want(a, true, component)?.max(want(b, true, component)?)),
        Expr::Or(a, b) if !truth => Some(want(a, false, component)?.max(want(b, false, component)?)),
        Expr::And(a, b) | Expr::Or(a, b) => one_of(a, b, truth, component),
        Expr::Equal(a, b) => equal(a, b, truth, component),
        Expr::Within(fact, bits) if truth => {
            let Expr::Fact(fact) = **fact else { return None };
            let mode = component.fact_at(usize::from(fact)).value.as_int()?;
            set(component, fact, (mode & i64::from(*bits)).into())
        }
        Expr::In(item, list) => member(item, list, truth, component),
        Expr::Quantified(Quantifier::All, list, body) if truth => each(list, body, true, component),
        Expr::Quantified(Quantifier::Exists, list, body) if !truth => each(list, body, false, component),
        _ => None,
    }
}

/// One of two suffices: the only one that can be had, else the only one for which it is enough to take something away.
fn one_of(a: &Expr, b: &Expr, truth: bool, component: &mut Component) -> Option<Done> {
    let tried = [a, b].map(|side| {
        let mut other = component.clone();
        want(side, truth, &mut other).map(|done| (done, other))
    });
    let (done, changed) =
        match tried {
            [Some(one), None] | [None, Some(one)] => one,
            [Some(one), Some(two)] if (one.0 <= Done::Removed) != (two.0 <= Done::Removed) => {
                if one.0 <= Done::Removed { one } else { two }
            }
            _ => return None,
        };
    *component = changed;
    Some(done)
}

fn equal(a: &Expr, b: &Expr, truth: bool, component: &mut Component) -> Option<Done> {
    let value = match b {
        Expr::Null => Value::Null,
        Expr::Bool(value) => (*value).into(),
        Expr::Int(value) => (*value).into(),
        Expr::Str(value) => Value::Str(value.clone()),
        _ => return None,
    };
    match (a, truth) {
        (Expr::Size(list), true) if value == Value::Int(0) => emptied(list, component),
        (Expr::Fact(fact), true) => set(component, *fact, value),
        (Expr::Fact(fact), false) => match value {
            Value::Bool(is) => set(component, *fact, (!is).into()),
            Value::Str(_) => set(component, *fact, OTHER.into()),
            // Of an optional fact any value will do: a limit, a name.
            Value::Null => set(component, *fact, 1i64.into()).or_else(|| set(component, *fact, OTHER.into())),
            _ => None,
        },
        _ => None,
    }
}

/// A list, or those of its elements that a filter lets through, taken away.
fn emptied(list: &Expr, component: &mut Component) -> Option<Done> {
    match list {
        Expr::Fact(fact) => set(component, *fact, Value::List(Vec::new())).map(|_| Done::Removed),
        Expr::Quantified(Quantifier::Filter, list, body) => each(list, body, false, component),
        _ => None,
    }
}

fn member(item: &Expr, list: &Expr, truth: bool, component: &mut Component) -> Option<Done> {
    match (item, list, truth) {
        (Expr::Str(item), Expr::Fact(fact), false) => {
            let kept = component.fact_at(usize::from(*fact)).value.as_list()?.iter();
            let kept = kept.filter(|own| own.as_str() != Some(item)).cloned().collect();
            set(component, *fact, Value::List(kept)).map(|_| Done::Removed)
        }
        (Expr::Fact(fact), Expr::List(items), true) => match items.first()? {
            Expr::Str(first) => set(component, *fact, Value::Str(first.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Makes a condition true or false of each element of a list: by setting a field of those of which it is not, else, where
/// it must be false, by taking them out. What is unknown in a list stays.
fn each(list: &Expr, body: &Expr, truth: bool, component: &mut Component) -> Option<Done> {
    let Expr::Fact(fact) = *list else { return None };
    let mut elements = component.fact_at(usize::from(fact)).value.as_list()?.to_vec();
    let wanted = if truth { Truth::True } else { Truth::False };
    let mut done = Done::Nothing;
    let mut failed = false;
    elements.retain_mut(|element| {
        if evaluate_over(body, component, element) == wanted {
            return true;
        }
        if set_field(body, truth, element) && evaluate_over(body, component, element) == wanted {
            done = done.max(Done::Set);
            return true;
        }
        let out = !truth && names(body);
        failed |= !out;
        done = done.max(Done::Removed);
        !out
    });
    if failed {
        return None;
    }
    set(component, fact, Value::List(elements))?;
    Some(done)
}

/// Sets the one field by which a condition on an element comes true or false.
fn set_field(body: &Expr, truth: bool, element: &mut Value) -> bool {
    let (name, value) = match body {
        Expr::Not(inner) => return set_field(inner, !truth, element),
        Expr::And(a, b) if truth => return set_field(a, true, element) && set_field(b, true, element),
        Expr::Or(a, b) if !truth => return set_field(a, false, element) && set_field(b, false, element),
        Expr::And(a, b) | Expr::Or(a, b) => {
            let mut changed = [element.clone(), element.clone()];
            let done = [set_field(a, truth, &mut changed[0]), set_field(b, truth, &mut changed[1])];
            let [one, two] = changed;
            match done {
                [true, false] => *element = one,
                [false, true] => *element = two,
                _ => return false,
            }
            return true;
        }
        Expr::Field(of, name) if matches!(**of, Expr::Var(0)) => (name, truth.into()),
        Expr::Equal(of, value) if truth => match (&**of, &**value) {
            (Expr::Field(of, name), Expr::Str(value)) if matches!(**of, Expr::Var(0)) => {
                (name, Value::Str(value.clone()))
            }
            _ => return false,
        },
        _ => return false,
    };
    let Value::Object(fields) = element else { return false };
    match fields.iter_mut().find(|(own, _)| **own == **name) {
        Some((_, own)) => {
            *own = value;
            true
        }
        None => false,
    }
}

/// Whether a condition tells elements by name alone, so that an element of which it holds is one that must not be there.
fn names(body: &Expr) -> bool {
    match body {
        Expr::Not(a) => names(a),
        Expr::And(a, b) | Expr::Or(a, b) => names(a) && names(b),
        Expr::In(..) | Expr::Equal(..) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Predicate;
    use super::*;
    use crate::schema::{Kind, docker};

    fn object(fields: &[(&'static str, Value)]) -> Value {
        Value::Object(fields.to_vec())
    }

    fn mended(kind: &'static Kind, text: &str, facts: &[(&str, Value)]) -> Option<Component> {
        let mut component = Component::new(kind, "1", "web");
        for (name, value) in facts {
            component.set(name, value.clone(), Source::place("test"));
        }
        let predicate = Predicate::compile(text, kind).unwrap();
        let before = component.clone();
        let done = predicate.mend(&mut component);
        assert_eq!(done, predicate.evaluate(&component).truth == Truth::True);
        if !done {
            assert!(before.facts().eq(component.facts()), "{text} changed something all the same");
        }
        done.then_some(component)
    }

    fn container(text: &str, facts: &[(&str, Value)], fact: &str) -> Option<Value> {
        mended(&docker::CONTAINER, text, facts).map(|c| c.value(fact).clone())
    }

    #[test]
    fn the_plain_change_is_made() {
        assert_eq!(container("!privileged", &[("privileged", true.into())], "privileged"), Some(false.into()));
        let held = ("capabilities", Value::strings(["CHOWN", "NET_RAW", "SYS_ADMIN"]));
        let without = container("!(\"NET_RAW\" in capabilities)", std::slice::from_ref(&held), "capabilities");
        assert_eq!(without, Some(Value::strings(["CHOWN", "SYS_ADMIN"])));
        let without = container("!capabilities.exists(c, c in [\"NET_RAW\", \"SYS_ADMIN\"])", &[held], "capabilities");
        assert_eq!(without, Some(Value::strings(["CHOWN"])));
        assert_eq!(
            container("memory_limit != null", &[("memory_limit", Value::Null)], "memory_limit"),
            Some(1i64.into())
        );
        let secrets =
            Value::List(vec![object(&[("name", "P".into()), ("class", "password".into()), ("length", "1".into())])]);
        let empty = container("config_secrets.size() == 0", &[("config_secrets", secrets)], "config_secrets");
        assert_eq!(empty, Some(Value::List(Vec::new())));
        let other = container("seccomp != \"unconfined\"", &[("seccomp", "unconfined".into())], "seccomp");
        assert_eq!(other, Some(OTHER.into()));
    }

    #[test]
    fn fields_are_set_where_an_element_need_not_go() {
        let rule = |password: bool| {
            let text = |name: &'static str| (name, Value::from("x"));
            object(&[text("who"), text("commands"), ("password", password.into()), text("source")])
        };
        let facts = [("sudo_docker", Value::List(vec![rule(false), rule(true)]))];
        let host = mended(&docker::HOST, "sudo_docker.all(s, s.password)", &facts).unwrap();
        assert_eq!(host.value("sudo_docker"), &Value::List(vec![rule(true), rule(true)]));
    }

    #[test]
    fn nothing_is_guessed() {
        let daemon = |text: &str, facts: &[(&str, Value)]| mended(&docker::DAEMON, text, facts).is_some();
        // Two ways, and both set something.
        assert!(!daemon("userns || rootless", &[("userns", false.into()), ("rootless", false.into())]));
        // A list would have to be filled.
        assert!(!daemon("authorization_plugins.size() > 0", &[("authorization_plugins", Value::List(vec![]))]));
        // An unknown fact becomes what it must be: it is assumed to pass.
        assert!(daemon("!icc", &[]));
        // An unknown list has no elements that could be changed.
        assert!(container("!capabilities.exists(c, c == \"BPF\")", &[], "capabilities").is_none());
    }

    #[test]
    fn of_two_ways_the_one_that_only_takes_away_is_taken() {
        let facts = [
            ("docker_group", true.into()),
            ("account_sources", Value::List(vec![])),
            ("docker_group_members", Value::strings(["ann"])),
        ];
        let text = "(!docker_group && account_sources.size() == 0) || docker_group_members.size() == 0";
        let host = mended(&docker::HOST, text, &facts).unwrap();
        assert_eq!(host.value("docker_group"), &true.into());
        assert_eq!(host.value("docker_group_members"), &Value::List(vec![]));
    }
}
