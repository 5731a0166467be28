use super::*;
use crate::fact::Source;

const FILE: &str = "/etc/docker/daemon.json";

/// An access at a moment, by alice.
fn event(at: i64, path: &str, act: &str) -> Value {
    Value::Object(vec![
        ("at", at.into()),
        ("path", path.into()),
        ("act", act.into()),
        ("success", true.into()),
        ("login_uid", Value::Int(1000)),
        ("login", "alice".into()),
        ("uid", Value::Int(0)),
        ("exe", "/usr/bin/chmod".into()),
        ("key", "docker".into()),
    ])
}

fn failed(event: &Value) -> Value {
    let Value::Object(mut fields) = event.clone() else { panic!("{event}") };
    fields[3] = ("success", false.into());
    Value::Object(fields)
}

fn snapshot(collected_at: i64, mode: impl Into<Value>, log: Result<Vec<Value>, &str>) -> Snapshot {
    let mut file = Component::new(&docker::FILE, "daemon-json", FILE);
    file.set("mode", mode, Source::place(FILE));
    let mut host = Component::new(&docker::HOST, "host", "host");
    host.set("machine", "m", Source::place("/etc/machine-id"));
    let log = log.map_or_else(Value::unknown, Value::List);
    host.set("audit_log", log, Source::place("/var/log/audit/audit.log"));
    host.set("audit_log_since", 0, Source::place("/var/log/audit/audit.log"));
    let mut target = Target::new("local", "docker", "unix:///run/docker.sock");
    (target.components, target.took_ms) = (vec![host, file], 500);
    Snapshot { tool: "0".into(), collected_at, targets: vec![target] }
}

/// Whom the trail names for the file's mode: when, what, how many before.
fn named<'s>(before: &Snapshot, after: &'s Snapshot) -> Vec<(i64, &'s str, usize)> {
    let trail = Trail::between(before, after);
    let (was, is) = (&before.targets[0].components[1], &after.targets[0].components[1]);
    let deeds = trail.of("local", Some(was), Some(is), &BTreeSet::from(["mode"]));
    deeds.into_iter().map(|deed| (deed.at, deed.act, deed.earlier)).collect()
}

#[test]
fn the_latest_that_can_have_changed_it_between_the_two_is_named() {
    let before = snapshot(100, 0o644, Err("none"));
    let log = vec![
        event(101_499, FILE, "attributes"), // the first collection may not have been over
        event(103_000, FILE, "attributes"),
        event(104_000, FILE, "rename"),
        event(105_000, FILE, "attributes"),
        failed(&event(106_000, FILE, "attributes")),
        event(107_000, FILE, "write"), // which leaves a mode alone
        event(107_000, FILE, "unknown"),
        event(107_000, FILE, "execute"),
        event(108_000, "/etc/docker", "attributes"),
        event(108_000, "/etc/docker/daemon.json.bak", "attributes"),
        event(201_000, FILE, "attributes"), // the second collection had begun
    ];
    let after = snapshot(200, 0o666, Ok(log));
    assert_eq!(named(&before, &after), [(105_000, "attributes", 2)]);
    let trail = Trail::between(&before, &after);
    assert!(trail.silent.is_empty(), "{:?}", trail.silent);
}

#[test]
fn nobody_is_named_on_doubt() {
    let log = || Ok(vec![event(150_000, FILE, "attributes")]);
    let before = snapshot(100, 0o644, log());
    assert_eq!(named(&before, &snapshot(200, 0o666, log())).len(), 1);
    assert_eq!(named(&before, &snapshot(200, 0o644, log())), [], "it is the same");
    let unread = Value::unknown("denied");
    assert_eq!(named(&before, &snapshot(200, unread.clone(), log())), [], "it is not known now");
    assert_eq!(named(&snapshot(100, unread, log()), &snapshot(200, 0o666, log())), [], "it was not known");
    assert_eq!(named(&snapshot(200, 0o644, log()), &snapshot(100, 0o666, log())), [], "backwards in time");
    assert_eq!(named(&snapshot(149, 0o644, log()), &snapshot(200, 0o666, log())), [], "too near to the first");

    let mut other = snapshot(200, 0o666, log());
    other.targets[0].components[0].set("machine", "n", Source::place("/etc/machine-id"));
    assert_eq!(named(&before, &other), []);
    assert_eq!(
        Trail::between(&before, &other).silent,
        [("local", "the earlier snapshot is of another machine".to_owned())]
    );
}

#[test]
fn where_the_log_could_not_be_read_the_reason_is_told() {
    let (before, after) = (snapshot(100, 0o644, Ok(vec![])), snapshot(200, 0o666, Err("permission denied")));
    assert_eq!(named(&before, &after), []);
    let silent = Trail::between(&before, &after).silent;
    assert_eq!(silent, [("local", "/var/log/audit/audit.log: permission denied".to_owned())]);
    let mut late = snapshot(200, 0o666, Ok(vec![event(150_000, FILE, "attributes")]));
    late.targets[0].components[0].set("audit_log_since", 120, Source::place("/var/log/audit/audit.log"));
    assert_eq!(named(&before, &late).len(), 1);
    assert_eq!(Trail::between(&before, &late).silent.len(), 1);
}

#[test]
fn what_came_was_made_and_what_went_was_removed() {
    let acts = ["attributes", "create", "remove", "write"];
    let log = acts.iter().enumerate().map(|(i, act)| event(150_000 + i as i64, FILE, act)).collect();
    let (before, after) = (snapshot(100, 0o644, Err("")), snapshot(200, 0o644, Ok(log)));
    let trail = Trail::between(&before, &after);
    let file = &after.targets[0].components[1];
    let act = |was, is| {
        let deeds = trail.of("local", was, is, &BTreeSet::from(["mode"]));
        deeds.iter().map(|deed| deed.act.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(act(None, Some(file)), ["create"]);
    assert_eq!(act(Some(file), None), ["remove"]);
    assert_eq!(act(None, None), [""; 0]);
}

#[test]
fn only_the_very_file_is_what_a_fact_was_read_from() {
    for (place, path, fact, expected) in [
        (FILE, FILE, "icc", true),
        ("/etc/group:12", "/etc/group", "docker_group_members", true),
        ("the socket's group, /etc/group, /etc/passwd", "/etc/passwd", "socket_group_members", true),
        ("/etc/sudoers and its includes", "/etc/sudoers.d/crew", "sudo_docker", true),
        ("/etc/audit", "/etc/audit/rules.d/docker.rules", "audit_on_disk", true),
        ("/etc/docker", "/etc/docker/daemon.json", "mode", false),
        ("/etc/docker/daemon", FILE, "icc", false),
        ("/", FILE, "icc", false),
        ("", FILE, "icc", false),
        ("GET /info: /etc/docker/daemon.json", FILE, "icc", false),
        ("/etc/sudoers", "/etc/sudoers.d/crew", "sudo_docker", false),
    ] {
        assert_eq!(read_from(place, path, fact), expected, "{place} {path} {fact}");
    }
}
