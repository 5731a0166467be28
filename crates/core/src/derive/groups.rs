//! Containers in the group of the engine's socket: inside it has no name, and people give its number.

use std::sync::Arc;

use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// What stands in a list of groups for that of the engine's socket, whatever its number and name.
const NAME: &str = "docker";

pub(super) fn derive(target: &mut Target) {
    let sockets = target.of(&docker::FILE).filter(|f| f.value("role").as_str() == Some("docker-socket"));
    let mut of_sockets: Vec<i64> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    let mut any = false;
    for socket in sockets.filter(|f| *f.value("exists") != Value::Bool(false)) {
        any = true;
        match socket.value("gid") {
            Value::Int(gid) => of_sockets.push(*gid),
            other => unknown = other.reason().cloned().or(unknown),
        }
    }
    if !any {
        unknown.get_or_insert_with(|| "whose group the engine's socket has is not known".into());
    }
    for container in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER)) {
        let fact = container.fact("groups_added");
        let Value::List(groups) = &fact.value else { continue };
        if groups.iter().any(|g| g.is_unknown() || g.as_str() == Some(NAME)) {
            continue;
        }
        let Some(more) = further(container, groups, &of_sockets, unknown.as_ref()) else { continue };
        let groups: Vec<Value> = groups.iter().cloned().chain([more]).collect();
        let source = Source::place(format!("{}, and the group of the engine's socket", fact.source));
        container.set("groups_added", Value::List(groups), source);
    }
}

/// The name of the socket's group where a container has its number, or the reason why that is not known.
fn further(container: &Component, groups: &[Value], sockets: &[i64], unknown: Option<&Arc<str>>) -> Option<Value> {
    let primary = container.value("user").as_str().and_then(|user| user.split_once(':')).map(|(_, group)| group);
    let numbers: Vec<i64> =
        groups.iter().filter_map(Value::as_str).chain(primary).filter_map(|group| group.parse().ok()).collect();
    // The group 0 goes by its own name.
    let has = numbers.iter().any(|gid| *gid > 0 && sockets.contains(gid));
    let may = unknown.filter(|_| numbers.iter().any(|gid| *gid > 0));
    match (has, may, container.value("root_on_host")) {
        // Numbers inside a user namespace are others outside.
        (false, None, _) | (_, _, Value::Bool(false)) => None,
        (true, _, Value::Bool(true)) => Some(NAME.into()),
        (true, _, mapped) => Some(Value::unknown(mapped.reason().map_or("how groups are mapped is not known", |r| r))),
        (false, Some(why), _) => Some(Value::Unknown(Arc::clone(why))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(added: &[&str], user: &str, on_host: bool, gid: Value) -> Value {
        let mut target = Target::new("local", "docker", "unix:///run/docker.sock");
        let place = Source::place("test");
        let mut socket = Component::new(&docker::FILE, "docker-socket:/run/docker.sock", "/run/docker.sock");
        socket.set("role", "docker-socket", place.clone());
        socket.set("exists", true, place.clone());
        socket.set("gid", gid, place.clone());
        let mut ci = Component::new(&docker::CONTAINER, "ci", "ci");
        ci.set("groups_added", Value::strings(added.iter().copied()), place.clone());
        ci.set("user", user, place.clone());
        ci.set("root_on_host", on_host, place);
        target.components.extend([socket, ci]);
        derive(&mut target);
        derive(&mut target);
        target.components[1].value("groups_added").clone()
    }

    #[test]
    fn the_number_of_the_sockets_group_is_known_again() {
        let docker = Value::Int(990);
        for (added, user, expected) in [
            (&["990"][..], "1000", &["990", "docker"][..]),
            (&["991"], "1000", &["991"]),
            (&["docker"], "1000", &["docker"]),
            (&[], "1000:990", &["docker"]),
            (&[], "1000:1000", &[]),
        ] {
            let expected = Value::strings(expected.iter().copied());
            assert_eq!(groups(added, user, true, docker.clone()), expected, "{added:?} {user}");
        }
        assert_eq!(groups(&["990"], "1000", false, docker), Value::strings(["990"]), "a user namespace");
        let unread = groups(&["990"], "1000", true, Value::unknown("not read"));
        assert!(unread.as_list().is_some_and(|all| all.iter().any(Value::is_unknown)), "{unread:?}");
        assert_eq!(groups(&[], "1000", true, Value::unknown("not read")), Value::List(Vec::new()));
    }
}
