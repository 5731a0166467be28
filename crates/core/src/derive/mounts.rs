//! The reach of mounts: what lies at or beneath the path of the host that a container was given.

use std::sync::Arc;

use super::{engine_directories, engine_sockets, open_list};
use crate::component::Component;
use crate::fact::Source;
use crate::kubernetes::host_path::{SOCKET_NAMES, SOCKETS};
use crate::path::normalise;
use crate::predicate::path_is_under;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// Directories that decide over the host: whoever reads or writes in them learns its secrets or becomes it. The
/// first eight are those that the benchmark names.
const SENSITIVE: &[&str] = &[
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/sys",
    "/usr",
    "/",
    "/root",
    "/bin",
    "/sbin",
    "/lib64",
    "/lib32",
    "/home",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/lib/rancher",
    "/var/spool/cron",
    "/var/log",
    "/run",
    "/run/systemd",
    "/run/dbus",
    "/run/user",
    PLUGINS,
];

/// How directories of the engine's own are named that lie elsewhere than usual; steps know them by it.
const OF_ENGINE: &str = "data of the engine in ";

/// Beneath these lie ordinary things too: there only the directory itself counts.
const ONLY_ITSELF: [&str; 4] = ["/", "/home", "/run", "/var/log"];

/// Network plugins, which few hosts have: a directory above counts only where they are there, and then the collector tells
/// them as a mount of their own.
pub const PLUGINS: &str = "/opt/cni";

/// What lies in a home directory and opens other doors: keys, credentials, settings that name them.
const OF_HOMES: &[&str] = &[".ssh", ".docker", ".gnupg", ".kube", ".aws", ".azure", ".config"];

/// What images are given from sensitive directories every day and without harm, read-only.
const HARMLESS_READ_ONLY: &[&str] = &[
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// Devices that images may be given, in whatever way: they lead nowhere.
const HARMLESS_DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

pub(super) fn derive(target: &mut Target) {
    let (sockets, sockets_unknown) = engine_sockets(target);
    let beside = containerd_sockets(target);
    let kept = engine_directories(target);
    let mut by_volume: Vec<(String, String)> = Vec::new();
    let mut socket_holders: Vec<Box<str>> = Vec::new();
    let mut mounts_unknown: Option<Arc<str>> = target.incomplete.get(docker::CONTAINER.name).map(|r| r.as_str().into());
    let mut holders_unknown = mounts_unknown.clone();
    for component in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER)) {
        let source = component.fact("mounts").source.clone();
        let mounts = match component.value("mounts") {
            Value::List(mounts) => mounts.clone(),
            other => {
                let reason = other.reason().cloned().unwrap_or_else(|| "its mounts are not a list".into());
                for fact in ["runtime_sockets", "sensitive_mounts", "shared_propagation"] {
                    component.set_unknown(fact, Arc::clone(&reason), source.clone());
                }
                mounts_unknown.get_or_insert_with(|| Arc::clone(&reason));
                holders_unknown.get_or_insert(reason);
                continue;
            }
        };
        let reached = runtime_sockets(&mounts, (&sockets, &beside), sockets_unknown.as_ref());
        match &reached {
            Value::List(found) if found.iter().any(|f| reaches_own(f, &sockets)) => {
                socket_holders.push(component.name.clone());
            }
            Value::Unknown(reason) => {
                holders_unknown.get_or_insert_with(|| Arc::clone(reason));
            }
            _ => {}
        }
        component.set("runtime_sockets", reached, source.clone());
        component.set("sensitive_mounts", sensitive(&mounts, &kept), source.clone());
        component.set("shared_propagation", shared(&mounts), source);
        by_volume.extend(volumes_of(component, &mounts));
    }
    set_holders(target, socket_holders, holders_unknown);
    set_volume_users(target, &by_volume, mounts_unknown);
}

/// The sockets of the containerd under the engine, wherever its configuration has put them: who speaks to it commands the
/// engine's containers, and makes others.
fn containerd_sockets(target: &Target) -> Vec<String> {
    let files = target.of(&docker::FILE).filter(|file| file.value("role").as_str() == Some("containerd-socket"));
    files
        .filter_map(|file| file.value("path").as_str())
        .filter(|path| path.starts_with('/'))
        .map(|path| normalise(path).into_owned())
        .collect()
}

/// Whether what a mount reaches is a socket of this engine, and not only a place where engines have theirs.
fn reaches_own(reach: &Value, sockets: &[String]) -> bool {
    text(reach, "reaches").is_some_and(|socket| sockets.iter().any(|own| own == socket))
}

fn text<'a>(mount: &'a Value, name: &str) -> Option<&'a str> {
    mount.field(name).and_then(Value::as_str)
}

/// The path of the host behind a mount; none for tmpfs and for volumes that lie in the engine's own care.
fn host_path(mount: &Value) -> Result<Option<String>, Arc<str>> {
    if let Some(reason) = mount.reason() {
        return Err(Arc::clone(reason));
    }
    match (text(mount, "type"), mount.field("source")) {
        (Some("tmpfs" | "npipe" | "cluster" | "image"), _) => Ok(None),
        (_, Some(Value::Str(source))) if source.starts_with('/') => Ok(Some(normalise(source).into_owned())),
        (_, Some(Value::Unknown(reason))) => Err(Arc::clone(reason)),
        _ => Ok(None),
    }
}

fn reach(mount: &Value, path: &str, reaches: impl Into<Box<str>>) -> Value {
    let rw = mount.field("rw").cloned().unwrap_or_else(|| Value::unknown("not reported"));
    Value::Object(vec![("source", path.into()), ("reaches", Value::Str(reaches.into())), ("rw", rw)])
}

/// Of the mounts those that reach a socket: of the engine's, of those beside it, of those at usual places.
fn runtime_sockets(
    mounts: &[Value],
    (sockets, beside): (&[String], &[String]),
    sockets_unknown: Option<&Arc<str>>,
) -> Value {
    let mut found = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for mount in mounts {
        let path = match host_path(mount) {
            Ok(Some(path)) => path,
            Ok(None) => continue,
            Err(reason) => {
                unknown.get_or_insert(reason);
                continue;
            }
        };
        let known = sockets.iter().chain(beside).map(String::as_str).chain(SOCKETS.iter().copied());
        let name = path.rsplit('/').next().unwrap_or_default();
        let hit = known.filter(|s| path_is_under(s, &path)).map(str::to_owned).next();
        let hit = hit.or_else(|| SOCKET_NAMES.contains(&name).then(|| path.clone()));
        match (hit, sockets_unknown) {
            (Some(socket), _) => found.push(reach(mount, &path, socket)),
            // A volume of the engine's own holds no socket of the host; a bound directory may.
            (None, Some(reason)) if text(mount, "type") != Some("volume") => {
                let why =
                    format!("which sockets the engine listens on is not known ({reason}), and {path} may hold one");
                unknown.get_or_insert_with(|| why.into());
            }
            _ => {}
        }
    }
    match unknown {
        Some(reason) if found.is_empty() => Value::Unknown(reason),
        _ => Value::List(found),
    }
}

fn sensitive(mounts: &[Value], kept: &[String]) -> Value {
    let mut found = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for mount in mounts {
        match host_path(mount) {
            Ok(Some(path)) => {
                if let Some(directory) = sensitive_path(&path, mount, kept) {
                    found.push(reach(mount, &path, directory));
                }
            }
            Ok(None) => {}
            Err(reason) => {
                unknown.get_or_insert(reason);
            }
        }
    }
    match unknown {
        Some(reason) if found.is_empty() => Value::Unknown(reason),
        _ => Value::List(found),
    }
}

/// The sensitive directory that a mount reaches: it is one, lies in one, or holds one.
fn sensitive_path(path: &str, mount: &Value, kept: &[String]) -> Option<String> {
    let volume = text(mount, "type") == Some("volume");
    let in_volumes =
        |root: &String| path.strip_prefix(&format!("{root}/volumes/")).is_some_and(|rest| !rest.is_empty());
    if volume && kept.iter().any(in_volumes) {
        return None;
    }
    if volume && path.ends_with("/_data") && path.contains("/volumes/") {
        return None;
    }
    if HARMLESS_DEVICES.contains(&path) {
        return None;
    }
    let read_only = mount.field("rw").and_then(Value::as_bool) == Some(false);
    if read_only && HARMLESS_READ_ONLY.iter().any(|h| path_is_under(path, h)) {
        return None;
    }
    let of_home = home(path);
    let directories = SENSITIVE.iter().copied().chain(kept.iter().map(String::as_str)).chain(of_home.as_deref());
    let holds = |d: &str| d != PLUGINS && path_is_under(d, path);
    let reaches = |d: &&str| holds(d) || (!ONLY_ITSELF.contains(d) && path_is_under(path, d));
    directories.into_iter().filter(reaches).max_by_key(|d| usize::from(path_is_under(path, d)) * 1000 + d.len()).map(
        |d| {
            if SENSITIVE.contains(&d) || of_home.as_deref() == Some(d) {
                d.to_owned()
            } else {
                format!("{OF_ENGINE}{d}")
            }
        },
    )
}

/// Whether a path of a host is one of the directories that decide over it, or lies in one: by such a name a directory
/// is told that has several.
pub fn is_known_place(path: &str) -> bool {
    let inside = |d: &&str| if ONLY_ITSELF.contains(d) { path == *d } else { path_is_under(path, d) };
    SENSITIVE.iter().any(inside) || path_is_under(path, "/run") || home(path).is_some()
}

/// The home directory that a path is, or what opens doors in one: `/home/ann` is somebody's keys, `/home/ann/shop` is
/// what she works on.
fn home(path: &str) -> Option<String> {
    let mut parts = path.strip_prefix("/home/")?.splitn(3, '/');
    let user = parts.next().filter(|user| !user.is_empty())?;
    match parts.next() {
        None => Some(format!("/home/{user}")),
        Some(inside) if OF_HOMES.contains(&inside) => Some(format!("/home/{user}/{inside}")),
        Some(_) => None,
    }
}

fn shared(mounts: &[Value]) -> Value {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for mount in mounts {
        match mount.field("propagation").unwrap_or(mount) {
            Value::Str(p) if matches!(&**p, "shared" | "rshared") => {
                found.push(text(mount, "destination").unwrap_or("a mount").into());
            }
            Value::Unknown(reason) => {
                unknown.get_or_insert_with(|| Arc::clone(reason));
            }
            _ => {}
        }
    }
    match unknown {
        Some(reason) if found.is_empty() => Value::Unknown(reason),
        _ => Value::strings(found),
    }
}

fn volumes_of(component: &Component, mounts: &[Value]) -> Vec<(String, String)> {
    // Once each, also where it is mounted at several places: whoever may write at one of them writes.
    let mut used: Vec<(&str, bool)> = Vec::new();
    for mount in mounts {
        let Some(name) = text(mount, "volume").filter(|n| !n.is_empty()) else { continue };
        let writes = mount.field("rw").and_then(Value::as_bool) != Some(false);
        match used.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known |= writes,
            None => used.push((name, writes)),
        }
    }
    let how = |writes: bool| if writes { "rw" } else { "ro" };
    used.into_iter().map(|(name, writes)| (name.to_owned(), format!("{} ({})", component.name, how(writes)))).collect()
}

fn set_holders(target: &mut Target, holders: Vec<Box<str>>, unknown: Option<Arc<str>>) {
    let source = Source::place("mounts of all containers");
    for daemon in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::DAEMON)) {
        match &unknown {
            Some(reason) if holders.is_empty() => {
                daemon.set_unknown("socket_mounted_by", Arc::clone(reason), source.clone());
            }
            _ => daemon.set("socket_mounted_by", Value::strings(holders.clone()), source.clone()),
        }
    }
}

fn set_volume_users(target: &mut Target, used: &[(String, String)], unknown: Option<Arc<str>>) {
    let source = Source::place("mounts of all containers");
    for volume in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::VOLUME)) {
        let users: Vec<&str> = used.iter().filter(|(v, _)| **v == *volume.name).map(|(_, u)| u.as_str()).collect();
        let users = users.into_iter().map(Value::from).collect();
        volume.set("used_by", open_list(users, unknown.as_ref()), source.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, path: &str, rw: bool) -> Value {
        Value::Object(vec![
            ("type", kind.into()),
            ("source", path.into()),
            ("destination", "/x".into()),
            ("rw", rw.into()),
            ("propagation", "rprivate".into()),
            ("volume", if kind == "volume" { "v".into() } else { "".into() }),
        ])
    }

    fn sockets(path: &str) -> usize {
        let (own, beside) = (["/srv/engine/d.sock".into()], ["/srv/layers/c.s".into()]);
        runtime_sockets(&[mount("bind", path, false)], (&own, &beside), None).as_list().unwrap().len()
    }

    fn is_sensitive(kind: &str, path: &str, rw: bool) -> bool {
        !sensitive(&[mount(kind, path, rw)], &["/data/docker".into(), "/data/containerd".into()])
            .as_list()
            .unwrap()
            .is_empty()
    }

    #[test]
    fn sockets_are_reached_through_parents_links_and_odd_spellings() {
        for path in [
            "/var/run/docker.sock",
            "/run",
            "/var/run/",
            "/",
            "/run/../run/docker.sock",
            "/srv/engine",
            "/srv/layers/c.s",
            "/srv/layers",
            "/run//containerd",
            "/home/u/docker.sock",
        ] {
            assert_eq!(sockets(path), 1, "{path}");
        }
        for path in ["/srv/app", "/runner", "/var/lib/app", "/srv/engine2"] {
            assert_eq!(sockets(path), 0, "{path}");
        }
    }

    #[test]
    fn an_unknown_listener_leaves_bound_directories_unknown() {
        let reason: Arc<str> = "denied".into();
        assert!(runtime_sockets(&[mount("bind", "/srv/app", true)], (&[], &[]), Some(&reason)).is_unknown());
        assert_eq!(
            runtime_sockets(&[mount("volume", "/var/lib/docker/volumes/v/_data", true)], (&[], &[]), Some(&reason)),
            Value::List(vec![])
        );
        assert!(!runtime_sockets(&[mount("bind", "/run/docker.sock", true)], (&[], &[]), Some(&reason)).is_unknown());
    }

    #[test]
    fn sensitive_directories_are_judged_by_reach() {
        for (path, rw) in [
            ("/", false),
            ("/etc", false),
            ("/etc/shadow", false),
            ("/etc/localtime", true),
            ("/proc/1", false),
            ("/data/docker/overlay2", true),
            ("/data/containerd/io.containerd.snapshotter.v1.overlayfs", false),
            ("/data", true),
            ("/var", true),
            ("/usr/bin", true),
            ("/run", true),
            ("/dev/sda", false),
            ("/home/ann", false),
            ("/home/ann/.ssh", false),
            ("/home/ann/.docker/config.json", false),
            ("/root/.ssh", false),
            ("/opt/cni", false),
            ("/opt/cni/bin", true),
        ] {
            assert!(is_sensitive("bind", path, rw), "{path}");
        }
        for (path, rw) in [
            ("/etc/localtime", false),
            ("/etc/ssl/certs", false),
            ("/srv/www", true),
            ("/home/app/data", true),
            ("/home/ann/.local/share/app", true),
            ("/homes/ann", true),
            ("/etcetera", true),
            ("/var/log/app", true),
            ("/run/app", true),
            ("/dev/null", true),
            ("/opt", true),
            ("/opt/app", true),
        ] {
            assert!(!is_sensitive("bind", path, rw), "{path}");
        }
        assert!(!is_sensitive("volume", "/data/docker/volumes/v/_data", true));
        assert!(is_sensitive("volume", "/etc", true), "a volume whose options bind /etc");
        let found = sensitive(&[mount("bind", "/data", false)], &["/data/docker".into()]);
        assert_eq!(text(&found.as_list().unwrap()[0], "reaches"), Some("data of the engine in /data/docker"));
    }

    #[test]
    fn a_directory_of_many_names_is_known_by_some() {
        for path in ["/", "/etc/ssh", "/root", "/root/.ssh", "/home/ann", "/var/lib/docker/volumes", "/run/docker.sock"]
        {
            assert!(is_known_place(path), "{path}");
        }
        for path in ["/var/roothome", "/srv/conf", "/home/ann/shop", "/var/log/app", "/data/docker"] {
            assert!(!is_known_place(path), "{path}");
        }
    }
}
