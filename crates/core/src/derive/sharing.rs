//! What containers share: namespaces, volumes, the kernel.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Containers, MOST_NAMED, open_list};
use crate::component::Component;
use crate::fact::Source;
use crate::path::normalise;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// Facts about the host's namespaces, with the kind.
const HOST_NAMESPACES: [(&str, &str); 4] =
    [("host_network", "network"), ("host_pid", "pid"), ("host_ipc", "ipc"), ("host_uts", "uts")];

pub(super) fn derive(target: &mut Target) {
    let (namespaces, volumes) = {
        let containers = Containers::of(target);
        (namespaces(&containers), volumes(&containers))
    };
    let components = target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER));
    for ((component, namespaces), volumes) in components.zip(namespaces).zip(volumes) {
        component.set("shares_namespaces", namespaces, Source::place("its namespaces, and what all containers joined"));
        component.set("shares_volumes", volumes, Source::place("mounts of all containers"));
        let source = component.fact("sandboxed").source.clone();
        let kernel = match component.value("sandboxed") {
            Value::Bool(sandboxed) => Value::Bool(!sandboxed),
            other => Value::unknown(other.reason().map_or("its runtime is not known", |r| r)),
        };
        component.set("shares_kernel", kernel, source);
    }
}

fn namespaces(containers: &Containers<'_>) -> Vec<Value> {
    let mut joined_by: Vec<Vec<(&str, &str)>> = vec![Vec::new(); containers.all.len()];
    // Whoever's joins are not known may have joined any.
    let mut joiners: Vec<(usize, &Arc<str>)> = Vec::new();
    for (at, container) in containers.all.iter().enumerate() {
        let joins = container.value("joins");
        for join in joins.as_list().unwrap_or_default() {
            match join {
                Value::Str(join) => {
                    let Some((kind, name)) = join.split_once(':') else { continue };
                    if let Some(other) = containers.by_name.get(name).filter(|other| **other != at) {
                        joined_by[*other].push((kind, &container.name));
                    }
                }
                Value::Unknown(reason) => joiners.push((at, reason)),
                _ => {}
            }
        }
        if let Value::Unknown(reason) = joins {
            joiners.push((at, reason));
        }
    }
    let of = |(at, container): (usize, &&Component)| {
        let by_another = joiners.iter().find(|(joiner, _)| *joiner != at).map(|(_, reason)| *reason);
        let unknown = containers.unlisted.as_ref().or(by_another);
        own_namespaces(container, &joined_by[at], unknown)
    };
    containers.all.iter().enumerate().map(of).collect()
}

fn own_namespaces(container: &Component, joined_by: &[(&str, &str)], unknown: Option<&Arc<str>>) -> Value {
    let mut unknown = unknown.cloned();
    let mut shared: Vec<(&str, &str)> = Vec::new();
    for (fact, kind) in HOST_NAMESPACES {
        match container.value(fact) {
            Value::Bool(true) => shared.push((kind, "host")),
            Value::Unknown(reason) => {
                unknown.get_or_insert_with(|| Arc::clone(reason));
            }
            _ => {}
        }
    }
    match container.value("joins") {
        Value::List(joins) => {
            let mut joined: Vec<(&str, &str)> =
                joins.iter().filter_map(Value::as_str).filter_map(|join| join.split_once(':')).collect();
            joined.extend(joined_by);
            joined.sort_unstable();
            joined.dedup();
            shared.extend(joined);
            if let Some(reason) = joins.iter().find_map(Value::reason) {
                unknown.get_or_insert_with(|| Arc::clone(reason));
            }
        }
        other => {
            unknown
                .get_or_insert_with(|| other.reason().cloned().unwrap_or_else(|| "what it joined is no list".into()));
            shared.extend(joined_by);
        }
    }
    let entry = |kind: &str, with: Value| Value::Object(vec![("kind", kind.into()), ("with", with)]);
    let mut out: Vec<Value> = shared.iter().take(MOST_NAMED).map(|(kind, with)| entry(kind, (*with).into())).collect();
    if let Some((kind, _)) = shared.get(MOST_NAMED) {
        out.push(entry(kind, format!("{} more", shared.len() - MOST_NAMED).into()));
    }
    open_list(out, unknown.as_ref())
}

/// Who mounts one volume or directory, writers first.
struct Mounters<'a> {
    /// The container, by position, and whether it may write.
    all: Vec<(usize, &'a Value)>,
    writers: usize,
}

/// Mounts of one container: what is mounted, and whether it may write.
type Mounted<'a> = BTreeMap<(bool, String), &'a Value>;

static UNKNOWN_RW: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::unknown("not reported"));

fn volumes(containers: &Containers<'_>) -> Vec<Value> {
    let mut mounted: Vec<(Mounted<'_>, Option<Arc<str>>)> = Vec::with_capacity(containers.all.len());
    mounted.extend(containers.all.iter().map(|container| mounts_of(container)));
    let mut by_source: HashMap<&(bool, String), Mounters<'_>> = HashMap::new();
    for (at, (these, _)) in mounted.iter().enumerate() {
        for (source, rw) in these {
            let mounters = by_source.entry(source).or_insert_with(|| Mounters { all: Vec::new(), writers: 0 });
            mounters.all.push((at, rw));
            mounters.writers += usize::from(may_write(rw));
        }
    }
    let name = |at: usize| &*containers.all[at].name;
    for mounters in by_source.values_mut() {
        mounters.all.sort_by_key(|(at, rw)| (!may_write(rw), name(*at), *at));
    }
    // What one that is not known mounts may be what any other does.
    let mut not_known = mounted.iter().enumerate().filter_map(|(at, (_, reason))| Some((at, reason.as_ref()?)));
    let not_known = [not_known.next(), not_known.next()];
    let of = |(at, (these, own)): (usize, &(Mounted<'_>, Option<Arc<str>>))| {
        let mut out = Vec::new();
        for (source, rw) in these {
            let Some(mounters) = by_source.get(source) else { continue };
            // Two that only read a directory of the host pass nothing on; a volume is told all the same.
            if mounters.all.len() < 2 || !source.0 && mounters.writers == 0 {
                continue;
            }
            shared(at, &source.1, rw, mounters, &name, &mut out);
        }
        let another = not_known.into_iter().flatten().find(|(other, _)| *other != at).map(|(_, reason)| reason);
        let others = containers.unlisted.as_ref().or(another);
        let unknown = match own {
            Some(own) => Some(own).filter(|_| containers.all.len() > 1 || others.is_some()),
            // Whoever mounts nothing shares nothing.
            None => others.filter(|_| !these.is_empty()),
        };
        open_list(out, unknown)
    };
    mounted.iter().enumerate().map(of).collect()
}

fn may_write(rw: &Value) -> bool {
    rw.as_bool() != Some(false)
}

fn shared<'a>(
    at: usize,
    source: &str,
    rw: &Value,
    mounters: &Mounters<'_>,
    name: &impl Fn(usize) -> &'a str,
    out: &mut Vec<Value>,
) {
    let entry = |with: Value, with_rw: &Value| {
        Value::Object(vec![("volume", source.into()), ("with", with), ("rw", rw.clone()), ("with_rw", with_rw.clone())])
    };
    let room = MOST_NAMED.saturating_sub(out.len());
    let others = mounters.all.iter().filter(|(other, _)| *other != at).take(room);
    out.extend(others.map(|(other, with_rw)| entry(name(*other).into(), with_rw)));
    let more = (mounters.all.len() - 1).saturating_sub(room);
    if more > 0 && out.len() <= MOST_NAMED {
        let any_writes = (mounters.writers > 0).into();
        out.push(entry(format!("{more} more").into(), &any_writes));
    }
}

/// What a container mounts: volumes (true) by name and directories of the host (false) by path; of several mounts of
/// the same the one that writes. And why there may be more.
fn mounts_of(container: &Component) -> (Mounted<'_>, Option<Arc<str>>) {
    let mut out = Mounted::new();
    let mounts = match container.value("mounts") {
        Value::List(mounts) => mounts,
        other => {
            let reason = other.reason().cloned().unwrap_or_else(|| "its mounts are not a list".into());
            return (out, Some(reason));
        }
    };
    let mut unknown = None;
    for mount in mounts {
        let text = |field: &str| mount.field(field).and_then(Value::as_str).unwrap_or_default();
        let reason =
            mount.reason().or_else(|| ["type", "source", "volume"].iter().find_map(|f| mount.field(f)?.reason()));
        let source = match (text("volume"), text("type"), text("source")) {
            (volume, ..) if !volume.is_empty() => (true, volume.to_owned()),
            (_, "bind", path) if path.starts_with('/') => (false, normalise(path).into_owned()),
            _ => {
                unknown = unknown.or_else(|| reason.cloned());
                continue;
            }
        };
        let rw = mount.field("rw").unwrap_or(&UNKNOWN_RW);
        let known = out.entry(source).or_insert(rw);
        if may_write(rw) && !may_write(known) {
            *known = rw;
        }
    }
    (out, unknown)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{container, strings, target};
    use super::*;

    fn mount(volume: &str, path: &str, rw: bool) -> Value {
        let kind = if volume.is_empty() { "bind" } else { "volume" };
        Value::Object(vec![
            ("type", kind.into()),
            ("source", path.into()),
            ("destination", "/x".into()),
            ("rw", rw.into()),
            ("propagation", "rprivate".into()),
            ("volume", volume.into()),
        ])
    }

    fn fact(target: &Target, name: &str, fact: &str) -> String {
        target.of(&docker::CONTAINER).find(|c| &*c.name == name).unwrap().value(fact).to_string()
    }

    #[test]
    fn namespaces_are_shared_both_ways() {
        let mut t = target(vec![
            container("web", &[("host_ipc", true.into())]),
            container("side", &[("joins", strings(&["network:web", "pid:web"]))]),
            container("alone", &[]),
        ]);
        derive(&mut t);
        assert_eq!(
            fact(&t, "web", "shares_namespaces"),
            "[{kind: ipc, with: host}, {kind: network, with: side}, {kind: pid, with: side}]"
        );
        assert_eq!(fact(&t, "side", "shares_namespaces"), "[{kind: network, with: web}, {kind: pid, with: web}]");
        assert_eq!(fact(&t, "alone", "shares_namespaces"), "[]");
        assert_eq!(fact(&t, "alone", "shares_kernel"), "true");
    }

    #[test]
    fn whoever_is_not_known_may_have_joined() {
        let mut t = target(vec![container("web", &[]), container("x", &[("joins", Value::unknown("denied"))])]);
        derive(&mut t);
        assert_eq!(fact(&t, "web", "shares_namespaces"), "unknown (denied)");
        assert_eq!(fact(&t, "x", "shares_namespaces"), "unknown (denied)");
        for (namespace, _) in HOST_NAMESPACES {
            let mut t = target(vec![container("web", &[(namespace, Value::unknown("denied"))]), container("x", &[])]);
            derive(&mut t);
            assert_eq!(fact(&t, "web", "shares_namespaces"), "unknown (denied)", "{namespace}");
            assert_eq!(fact(&t, "x", "shares_namespaces"), "[]");
        }
        let mut t = target(vec![container("web", &[("host_pid", true.into())])]);
        t.incomplete(&docker::CONTAINER, "not listed");
        derive(&mut t);
        assert_eq!(fact(&t, "web", "shares_namespaces"), "[{kind: pid, with: host}, unknown (not listed)]");
    }

    #[test]
    fn volumes_and_written_directories_are_shared() {
        let of = |mounts: Vec<Value>| ("mounts", Value::List(mounts));
        let mut t = target(vec![
            container("web", &[of(vec![mount("data", "/v/data", true), mount("", "/srv/../etc/tz", false)])]),
            container("db", &[of(vec![mount("data", "/v/data", false), mount("", "/etc/tz", false)])]),
            container("log", &[of(vec![mount("", "/srv/log", true)])]),
            container("ship", &[of(vec![mount("", "/srv/log/", false)])]),
        ]);
        derive(&mut t);
        assert_eq!(fact(&t, "web", "shares_volumes"), "[{volume: data, with: db, rw: true, with_rw: false}]");
        assert_eq!(fact(&t, "db", "shares_volumes"), "[{volume: data, with: web, rw: false, with_rw: true}]");
        assert_eq!(fact(&t, "ship", "shares_volumes"), "[{volume: /srv/log, with: log, rw: false, with_rw: true}]");
    }

    #[test]
    fn unknown_mounts_may_be_shared_with_any() {
        let shared = ("mounts", Value::List(vec![mount("data", "/v", true)]));
        let mut t = target(vec![
            container("web", std::slice::from_ref(&shared)),
            container("db", &[shared]),
            container("alone", &[]),
            container("x", &[("mounts", Value::unknown("denied"))]),
        ]);
        derive(&mut t);
        assert_eq!(
            fact(&t, "web", "shares_volumes"),
            "[{volume: data, with: db, rw: true, with_rw: true}, unknown (denied)]"
        );
        assert_eq!(fact(&t, "alone", "shares_volumes"), "[]", "it mounts nothing");
        assert_eq!(fact(&t, "x", "shares_volumes"), "unknown (denied)");
    }

    #[test]
    fn thousands_on_one_volume_are_bounded() {
        let all = (0..3000)
            .map(|i| container(&format!("c{i:04}"), &[("mounts", Value::List(vec![mount("data", "/v", i == 7)]))]));
        let mut t = target(all.collect());
        derive(&mut t);
        let shares = t.components[0].value("shares_volumes").as_list().unwrap().to_vec();
        assert_eq!(shares.len(), MOST_NAMED + 1);
        assert_eq!(shares[0].field("with"), Some(&"c0007".into()), "who writes comes first");
        assert_eq!(shares[MOST_NAMED].field("with"), Some(&"2935 more".into()));
    }

    #[test]
    fn a_sandbox_has_its_own_kernel() {
        for (sandboxed, expected) in [(true.into(), "false"), (Value::unknown("denied"), "unknown (denied)")] {
            let mut t = target(vec![container("web", &[("sandboxed", sandboxed)])]);
            derive(&mut t);
            assert_eq!(fact(&t, "web", "shares_kernel"), expected);
        }
    }
}
