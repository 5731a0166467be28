//! Identity: what names a component across re-creation.
//!
//! A container is named by its Compose project and service or its swarm service; else by its image's repository and
//! the part of its run specification that no remedy changes, with an ordinal among equals. A decision taken on a
//! finding is thus found again after the container was re-created, also with a remedy applied.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::component::Component;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// The identities of a target's components, in their order: stable texts, unique within the target.
pub fn identities(target: &Target) -> Vec<String> {
    let bases: Vec<String> = target.components.iter().map(base).collect();
    let mut equal: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, base) in bases.iter().enumerate() {
        equal.entry(base).or_default().push(i);
    }
    let mut out = bases.clone();
    let taken: BTreeSet<&str> = equal.keys().copied().collect();
    for (base, mut positions) in equal.iter().map(|(b, p)| (*b, p.clone())).filter(|(_, p)| p.len() > 1) {
        positions.sort_by(|a, b| {
            let name = |i: &usize| (&target.components[*i].name, &target.components[*i].id);
            name(a).cmp(&name(b))
        });
        if let Some(named) = by_name(target, &positions, base) {
            for (i, id) in named {
                out[i] = id;
            }
            continue;
        }
        // A hostile name may look like another one's ordinal: those are passed over.
        let free = (2usize..).map(|n| format!("{base}#{n}")).filter(|id| !taken.contains(id.as_str()));
        for (i, id) in positions.into_iter().skip(1).zip(free) {
            out[i] = id;
        }
    }
    out
}

/// Equal containers of no service are told apart by their names, all of them: by their order a decision on one would
/// pass to the next when the first is gone. None where they are copies of one service, or names are no help.
fn by_name(target: &Target, positions: &[usize], base: &str) -> Option<Vec<(usize, String)>> {
    let named = |i: &usize| {
        let component = &target.components[*i];
        let copy = component.value("service").as_str().is_some_and(|s| !s.is_empty());
        let is_container = std::ptr::eq(component.kind, &docker::CONTAINER);
        (is_container && !copy && !component.name.is_empty()).then(|| (*i, format!("{base}|{}", component.name)))
    };
    let named: Vec<(usize, String)> = positions.iter().map(named).collect::<Option<_>>()?;
    let different: BTreeSet<&str> = named.iter().map(|(_, id)| id.as_str()).collect();
    (different.len() == named.len()).then_some(named)
}

fn base(component: &Component) -> String {
    let kind = component.kind.name;
    if std::ptr::eq(component.kind, &docker::CONTAINER) {
        return format!("{kind}:{}", container(component));
    }
    if std::ptr::eq(component.kind, &docker::FILE) {
        let role = component.value("role").as_str().unwrap_or_default();
        return format!("{kind}:{role}:{}", component.id);
    }
    if std::ptr::eq(component.kind, &docker::HOST) || std::ptr::eq(component.kind, &docker::DAEMON) {
        return kind.to_owned();
    }
    // In a cluster two workloads of different kinds may have one name; their ids are as lasting.
    if kind.starts_with("kubernetes.") {
        return format!("{kind}:{}", component.id);
    }
    format!("{kind}:{}", component.name)
}

fn container(component: &Component) -> String {
    let text = |name: &str| component.value(name).as_str().unwrap_or_default().to_owned();
    let (project, service) = (text("project"), text("service"));
    if !service.is_empty() {
        return format!("{project}/{service}");
    }
    // What remedies take away is left out: bound directories and sockets, and variables that hold secrets.
    let mounts = component.value("mounts").as_list().unwrap_or_default().iter();
    let volumes = mounts.filter(|m| m.field("type").and_then(Value::as_str) == Some("volume"));
    let mut destinations: Vec<&str> = volumes.filter_map(|m| m.field("destination").and_then(Value::as_str)).collect();
    destinations.sort_unstable();
    let secrets = component.value("env_secrets").as_list().unwrap_or_default();
    let is_secret = |name: &str| {
        name.ends_with("_FILE") || secrets.iter().any(|s| s.field("name").and_then(Value::as_str) == Some(name))
    };
    let names = component.value("env_names").as_list().unwrap_or_default().iter();
    let mut variables: Vec<&str> = names.filter_map(Value::as_str).filter(|name| !is_secret(name)).collect();
    variables.sort_unstable();
    let command = component.value("command").to_string();
    format!("{}|{command}|{}|{}", repository(&text("image")), destinations.join(","), variables.join(","))
}

/// An image reference without tag and digest.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// A short, stable fingerprint over texts: 16 hexadecimal digits of SHA-256.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut out = String::with_capacity(16);
    for byte in hasher.finalize().iter().take(8) {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Source;

    fn container(id: &str, name: &str, image: &str) -> Component {
        let mut c = Component::new(&docker::CONTAINER, id, name);
        c.set("image", image, Source::place("test"));
        c
    }

    #[test]
    fn a_recreated_container_keeps_its_identity() {
        let mut before = Target::new("t", "docker", "unix:///x");
        before.components =
            vec![container("1", "web", "registry:5000/web:1"), container("2", "web2", "registry:5000/web:1")];
        let mut after = before.clone();
        after.components =
            vec![container("9", "web2", "registry:5000/web:2"), container("8", "web", "registry:5000/web:2")];
        after.components[0].set("privileged", true, Source::place("test"));
        let (b, a) = (identities(&before), identities(&after));
        assert_eq!((&b[0], &b[1]), (&a[1], &a[0]));
        assert_ne!(b[0], b[1]);
    }

    #[test]
    fn what_remedies_take_away_is_not_who_it_is() {
        let mount = |kind: &str, destination: &str| {
            Value::Object(vec![
                ("type", kind.into()),
                ("source", "/run/docker.sock".into()),
                ("destination", destination.into()),
                ("rw", true.into()),
                ("propagation", "rprivate".into()),
                ("volume", "".into()),
            ])
        };
        let secret = Value::Object(vec![
            ("name", "DB_PASSWORD".into()),
            ("class", "password".into()),
            ("length", "8-15".into()),
        ]);
        let mut before = container("1", "ci", "ci:1");
        before.set(
            "mounts",
            Value::List(vec![mount("bind", "/run/docker.sock"), mount("volume", "/data")]),
            Source::place("t"),
        );
        before.set("env_names", Value::strings(["PATH", "DB_PASSWORD"]), Source::place("t"));
        before.set("env_secrets", Value::List(vec![secret]), Source::place("t"));
        let mut after = container("2", "ci", "ci:1");
        after.set("mounts", Value::List(vec![mount("volume", "/data")]), Source::place("t"));
        after.set("env_names", Value::strings(["DB_PASSWORD_FILE", "PATH"]), Source::place("t"));
        after.set("env_secrets", Value::List(vec![]), Source::place("t"));
        assert_eq!(base(&before), base(&after));
    }

    #[test]
    fn identities_are_unique_also_for_names_that_look_like_ordinals() {
        let mut target = Target::new("t", "docker", "unix:///x");
        let network = |id: &str, name: &str| Component::new(&docker::NETWORK, id, name);
        target.components = vec![network("1", ""), network("2", ""), network("3", "#2"), network("4", "")];
        let mut ids = identities(&target);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn repositories_are_told_from_ports() {
        assert_eq!(repository("localhost:5000/a"), "localhost:5000/a");
        assert_eq!(repository("localhost:5000/a:1"), "localhost:5000/a");
        assert_eq!(repository("a@sha256:00"), "a");
        assert_ne!(fingerprint(&["a", "bc"]), fingerprint(&["ab", "c"]));
    }
}
