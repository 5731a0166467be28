use super::*;
use crate::fact::Source;
use crate::schema::docker::{CONTAINER, FILE};

fn container(facts: &[(&str, Value)]) -> Component {
    let mut c = Component::new(&CONTAINER, "1", "web");
    for (name, value) in facts {
        c.set(name, value.clone(), Source::place("test"));
    }
    c
}

fn truth(text: &str, facts: &[(&str, Value)]) -> Truth {
    Predicate::compile(text, &CONTAINER).unwrap().evaluate(&container(facts)).truth
}

fn is_unknown(truth: &Truth) -> bool {
    matches!(truth, Truth::Unknown(_))
}

fn names(text: &str, facts: &[(&str, Value)]) -> Vec<&'static str> {
    let answer = Predicate::compile(text, &CONTAINER).unwrap().evaluate(&container(facts));
    answer.facts.iter().map(|i| CONTAINER.facts[i].name).collect()
}

#[test]
fn kleene_tables_hold() {
    let value = |t: Option<bool>| t.map_or(Value::unknown("denied"), Value::Bool);
    for a in [Some(true), Some(false), None] {
        for b in [Some(true), Some(false), None] {
            let facts = [("privileged", value(a)), ("running", value(b))];
            let and = match (a, b) {
                (Some(false), _) | (_, Some(false)) => Truth::False,
                (Some(true), Some(true)) => Truth::True,
                _ => Truth::Unknown("denied".into()),
            };
            let or = match (a, b) {
                (Some(true), _) | (_, Some(true)) => Truth::True,
                (Some(false), Some(false)) => Truth::False,
                _ => Truth::Unknown("denied".into()),
            };
            assert_eq!(truth("privileged && running", &facts), and, "{a:?} && {b:?}");
            assert_eq!(truth("privileged || running", &facts), or, "{a:?} || {b:?}");
        }
    }
    assert!(is_unknown(&truth("!privileged", &[])));
}

#[test]
fn the_facts_that_decided_are_named() {
    let facts = [("privileged", Value::Bool(false)), ("running", Value::Bool(true))];
    assert_eq!(names("running && privileged", &facts), ["privileged"]);
    assert_eq!(names("running || privileged", &facts), ["running"]);
    assert_eq!(names("running && !privileged", &facts), ["running", "privileged"]);
    assert_eq!(names("running && host_pid", &facts), ["host_pid"]);
}

#[test]
fn quantifiers_keep_unknown_elements() {
    let port = |ip: Value, wildcard: Value| {
        Value::Object(vec![
            ("host_ip", ip),
            ("host_port", Value::Int(80)),
            ("container_port", Value::Int(80)),
            ("protocol", "tcp".into()),
            ("wildcard", wildcard),
            ("loopback", Value::Bool(false)),
        ])
    };
    let unknown = port("x".into(), Value::unknown("not read"));
    let open = port("0.0.0.0".into(), Value::Bool(true));
    let bound = port("10.0.0.1".into(), Value::Bool(false));
    let all = "ports.all(p, !p.wildcard)";
    assert_eq!(truth(all, &[("ports", Value::List(vec![bound.clone()]))]), Truth::True);
    assert_eq!(truth(all, &[("ports", Value::List(vec![unknown.clone(), open.clone()]))]), Truth::False);
    assert!(is_unknown(&truth(all, &[("ports", Value::List(vec![unknown.clone(), bound.clone()]))])));
    assert!(is_unknown(&truth(all, &[])));
    let some = "ports.exists(p, p.wildcard)";
    assert_eq!(truth(some, &[("ports", Value::List(vec![unknown.clone(), open]))]), Truth::True);
    assert!(is_unknown(&truth(some, &[("ports", Value::List(vec![unknown.clone(), bound.clone()]))])));
    assert!(is_unknown(&truth("ports.filter(p, p.wildcard).size() == 0", &[("ports", Value::List(vec![unknown]))])));
    assert_eq!(
        truth("ports.map(p, p.host_port).exists(n, n < 1024)", &[("ports", Value::List(vec![bound]))]),
        Truth::True
    );
}

#[test]
fn membership_and_conditionals_are_three_valued() {
    let list = Value::List(vec!["a".into(), Value::unknown("not read")]);
    assert_eq!(truth("'a' in networks", &[("networks", list.clone())]), Truth::True);
    assert!(is_unknown(&truth("'b' in networks", &[("networks", list)])));
    assert_eq!(truth("status in ['running', 'paused']", &[("status", "paused".into())]), Truth::True);
    assert_eq!(truth("privileged ? true : true", &[]), Truth::True);
    assert!(is_unknown(&truth("privileged ? true : false", &[])));
}

#[test]
fn optional_facts_need_a_guard() {
    let limit = [("memory_limit", Value::Null)];
    assert_eq!(truth("memory_limit != null && memory_limit > 0", &limit), Truth::False);
    assert_eq!(truth("memory_limit == null || memory_limit > 0", &limit), Truth::True);
    let error = Predicate::compile("memory_limit > 0", &CONTAINER).unwrap_err();
    assert!(error.message.contains("guard"), "{error}");
}

#[test]
fn errors_say_where_and_what() {
    for (text, offset, needle) in [
        ("privileged && nope", 14, "no fact `nope`"),
        ("size(privileged) == 0", 5, "has no size"),
        ("ports.all(p, p.nope == 1)", 14, "no field `nope`"),
        ("privileged == 1", 11, "never equal"),
        ("has(mounts.source)", 3, "unknown into an answer"),
        ("status.matches('(')", 15, "not a pattern"),
        ("status", 0, "not a truth value"),
        ("privileged &&", 13, ""),
        ("networks[0] == 'a'", 8, "not by index"),
        ("frobnicate(status)", 10, "no function"),
    ] {
        let error = Predicate::compile(text, &CONTAINER).unwrap_err();
        assert!(error.message.contains(needle), "{text}: {error}");
        assert!(error.offset.abs_diff(offset) <= 1, "{text}: at {} not {offset}", error.offset);
    }
    let long = format!("{}true", "true && ".repeat(300));
    assert!(Predicate::compile(&long, &CONTAINER).unwrap_err().message.contains("2048"));
    let deep = format!("{}true{}", "!(".repeat(500), ")".repeat(500));
    assert!(Predicate::compile(&deep, &CONTAINER).is_err());
}

#[test]
fn modes_are_compared_by_bits_and_paths_by_components() {
    let mode = |bits: i64, within: &str| {
        let mut f = Component::new(&FILE, "/x", "/x");
        f.set("mode", bits, Source::place("test"));
        Predicate::compile(&format!("mode.within('{within}')"), &FILE).unwrap().evaluate(&f).truth
    };
    assert_eq!(mode(0o606, "0660"), Truth::False);
    assert_eq!(mode(0o600, "0660"), Truth::True);
    assert_eq!(mode(0o4755, "0755"), Truth::False);
    assert!(path_is_under("/run/docker.sock", "/run") && path_is_under("/run", "/run/") && path_is_under("/x", "/"));
    assert!(!path_is_under("/runner", "/run"));
}

#[test]
fn a_compiled_predicate_survives_serialization() {
    let text = "ports.all(p, p.host_ip.matches('^127')) && !privileged";
    let compiled = Predicate::compile(text, &CONTAINER).unwrap();
    let back: Predicate = serde_json::from_str(&serde_json::to_string(&compiled).unwrap()).unwrap();
    let facts = [("ports", Value::List(vec![])), ("privileged", Value::Bool(false))];
    assert_eq!(back.evaluate(&container(&facts)), compiled.evaluate(&container(&facts)));
}

#[test]
fn an_unknown_element_may_stand_for_more() {
    let some = [("networks", Value::List(vec!["a".into(), Value::unknown("denied")]))];
    let none = [("networks", Value::List(vec![Value::unknown("denied")]))];
    assert_eq!(truth("networks.size() == 0", &some), Truth::False);
    assert_eq!(truth("networks.size() > 0", &some), Truth::True);
    assert_eq!(truth("networks.size() <= 0", &some), Truth::False);
    for text in ["networks.size() == 0", "networks.size() > 0", "networks.size() <= 1", "size(networks) >= 1"] {
        assert!(is_unknown(&truth(text, &none)), "{text}");
    }
    assert!(is_unknown(&truth("networks.size() == 1", &some)));
    assert!(is_unknown(&truth("networks.size() <= 1", &some)));
}
