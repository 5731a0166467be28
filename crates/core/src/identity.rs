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
        // What is kept for the way back takes nothing from what stands in its place now.
        let (aside, positions) = apart(target, positions);
        let free = (1usize..).map(|n| format!("{base}#aside{n}")).filter(|id| !taken.contains(id.as_str()));
        for (i, id) in aside.into_iter().zip(free) {
            out[i] = id;
        }
        if positions.len() < 2 {
            continue;
        }
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

/// Those of equal containers that were set aside when they were made anew, and all others.
fn apart(target: &Target, positions: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let names: BTreeSet<&str> = positions.iter().map(|i| &*target.components[*i].name).collect();
    positions.into_iter().partition(|i| {
        let component = &target.components[*i];
        std::ptr::eq(component.kind, &docker::CONTAINER) && aside(&component.name, &names).is_some()
    })
}

/// The transaction that set a container aside when it made it anew, where its name and those of the others say so:
/// `NAME-before-TX` is kept while the new one stands in its place, `NAME-after-TX` once the old one is back.
pub fn aside<'n>(name: &'n str, names: &BTreeSet<&str>) -> Option<&'n str> {
    let (rest, transaction) = name.rsplit_once('-')?;
    let is_id = transaction.len() >= 8 && transaction.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let of = ["-before", "-after", "-seaworthy"].iter().find_map(|how| rest.strip_suffix(how))?;
    let stands = names.contains(of) || names.iter().any(|other| *other != name && is_long(other, of));
    (is_id && stands).then_some(transaction)
}

/// Whether a name is so long that only its beginning, with an id, is in the one that it was set aside under.
fn is_long(name: &str, of: &str) -> bool {
    of.rsplit_once('-').is_some_and(|(head, id)| head.len() >= 128 && id.len() == 12 && name.starts_with(head))
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
    fn what_was_set_aside_takes_no_name_from_what_stands_in_its_place() {
        let ids = |names: &[&str], service: &str| {
            let mut target = Target::new("t", "docker", "unix:///x");
            target.components = names.iter().map(|name| container(name, name, "web:1")).collect();
            target.components.iter_mut().for_each(|c| c.set("service", service, Source::place("test")));
            let ids = identities(&target);
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
            ids
        };
        let long = "x".repeat(140);
        let long_aside = format!("{}-0123456789ab-before-12ab34cd", &long[..128]);
        for service in ["", "web"] {
            let one = ids(&["web"], service);
            for aside in ["web-before-12ab34cd", "web-after-12ab34cd", "web-seaworthy-0123456789ab"] {
                assert_eq!(ids(&[aside, "web"], service)[1], one[0], "{aside}");
            }
            assert_eq!(ids(&[&long, &long_aside], service)[0], ids(&[&long], service)[0]);
            let two = ids(&["web-1", "web-2"], service);
            let both = ids(&["web-1", "web-2", "web-1-before-12ab34cd", "web-2-before-12ab34cd"], service);
            assert_eq!(both[..2], two);
            // What only looks so is somebody of its own.
            for other in ["web-before-friday", "api-before-12ab34cd", "web-before-12ab"] {
                let equal = ids(&["web", "web2"], service).len();
                let ids = ids(&["web", other], service);
                assert!(equal == ids.len() && ids.iter().all(|id| !id.contains("aside")), "{other}: {ids:?}");
            }
        }
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
