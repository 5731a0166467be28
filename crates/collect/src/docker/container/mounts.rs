//! Mounts: what of the host is in the container, where, and how.

use std::sync::Arc;

use seaworthy_core::value::Value;

use super::super::context::{Beneath, VolumeSource};
use super::super::json::{MOST_ITEMS, Node, Read, cut, other_type};
use super::super::sheet::Sheet;
use super::Reading;
use seaworthy_core::derive::PLUGINS;
use seaworthy_core::path::normalise;
use seaworthy_core::predicate::path_is_under;

/// One mount on its way to the fact.
#[derive(Clone)]
struct Mount<'a> {
    kind: &'a str,
    source: &'a str,
    destination: &'a str,
    rw: Read<bool>,
    propagation: &'a str,
    volume: &'a str,
}

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    let mounts = read(c).map(|mounts| Value::List(mounts.iter().flat_map(|mount| objects(c, mount)).collect()));
    sheet.read("mounts", "Mounts", mounts);
}

/// Those in effect, and those configured ones that are not among them: a container that was only created may have
/// the latter alone, and `--tmpfs` is never listed.
fn read<'a>(c: &Reading<'a>) -> Read<Vec<Mount<'a>>> {
    let mut mounts = Vec::new();
    for item in c.doc.get("Mounts").list()? {
        let item = Node::of(item);
        mounts.push(Mount {
            kind: item.get("Type").text()?,
            source: item.get("Source").text_or_empty()?,
            destination: item.get("Destination").text()?,
            rw: item.get("RW").bool(),
            propagation: item.get("Propagation").text_or_empty()?,
            volume: item.get("Name").text_or_empty()?,
        });
    }
    let mut asked = Vec::new();
    for bind in c.host.get("Binds").texts()? {
        asked.extend(parse_bind(bind));
    }
    for item in c.host.get("Mounts").list_or_empty()? {
        asked.push(parse_mount(Node::of(item))?);
    }
    for (destination, options) in c.host.get("Tmpfs").map_or_empty()? {
        let options = options.as_str().ok_or_else(other_type)?;
        let rw = !options.split(',').any(|option| option == "ro");
        asked.push(Mount { kind: "tmpfs", source: "", destination, rw: Ok(rw), propagation: "", volume: "" });
    }
    for mount in asked {
        let same = |listed: &Mount<'_>| normalise(listed.destination) == normalise(mount.destination);
        if !mounts.iter().any(same) && mounts.len() < MOST_ITEMS {
            mounts.push(mount);
        }
    }
    // The engine lists them in another order each time.
    mounts.sort_by(|a, b| a.destination.cmp(b.destination));
    Ok(mounts)
}

/// Whether control groups of the host come along with a mount, to be written to.
pub(super) fn brings_control_groups(c: &Reading<'_>) -> Read<bool> {
    const GROUPS: &str = "/sys/fs/cgroup";
    let mut perhaps: Option<Arc<str>> = None;
    for mount in read(c)?.iter().filter(|mount| matches!(mount.kind, "bind" | "volume")) {
        let source = match source(c, mount) {
            Ok(source) => source,
            Err(reason) => {
                perhaps = Some(reason);
                continue;
            }
        };
        let (within, beneath) = (path_is_under(&source, GROUPS), path_is_under(GROUPS, &source));
        if (within || beneath) && mount.rw != Ok(false) {
            return Ok(true);
        }
        if !beneath || alone(c, mount) {
            continue;
        }
        match topmost_alone(c, mount) {
            Ok(false) => {}
            Ok(true) if !within => return Ok(true),
            // Version 1 has its own mounts there, version 2 has none.
            Ok(true) => perhaps = Some("which version of control groups the host has is not known here".into()),
            Err(reason) => perhaps = Some(reason),
        }
    }
    perhaps.map_or(Ok(false), Err)
}

/// Whether read-only reaches the topmost mount alone, and not what is mounted beneath it: until 25.0, where it was asked
/// for, and for whoever creates a container by an API before 1.44, which the engine keeps and does not tell.
fn topmost_alone(c: &Reading<'_>, mount: &Mount<'_>) -> Read<bool> {
    let options = configured(c, mount).map(|item| item.get("BindOptions"));
    let asks = |name| options.is_some_and(|options| options.opt(name).bool().unwrap_or(false));
    if c.podman() || asks("ReadOnlyForceRecursive") {
        return Ok(false);
    }
    if c.ctx.engine.api < (1, 44) || asks("ReadOnlyNonRecursive") {
        return Ok(true);
    }
    Err("whether read-only reaches what is mounted beneath depends on who created the container, and is not told"
        .into())
}

/// `source:destination[:options]`, a volume where the source is no path.
fn parse_bind(bind: &str) -> Option<Mount<'_>> {
    let mut parts = bind.splitn(3, ':');
    let (source, destination) = (parts.next()?, parts.next()?);
    let options = parts.next().unwrap_or("");
    let is_path = source.starts_with(['/', '.', '~']);
    let rw = Ok(!options.split(',').any(|option| option == "ro"));
    let propagation = options.split(',').find(|option| PROPAGATIONS.contains(option)).unwrap_or("");
    let (kind, source, volume) = if is_path { ("bind", source, "") } else { ("volume", "", source) };
    Some(Mount { kind, source, destination, rw, propagation, volume })
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];

fn parse_mount(item: Node<'_>) -> Read<Mount<'_>> {
    let kind = item.get("Type").text()?;
    let source = item.get("Source").text_or_empty()?;
    let read_only = item.get("ReadOnly");
    let is_volume = matches!(kind, "volume" | "cluster");
    Ok(Mount {
        kind,
        source: if is_volume { "" } else { source },
        destination: item.get("Target").text()?,
        rw: if read_only.is_unset() { Ok(true) } else { read_only.bool().map(|read_only| !read_only) },
        propagation: item.get("BindOptions").opt("Propagation").text_or_empty()?,
        volume: if is_volume { source } else { "" },
    })
}

/// What is told of one mount: of a volume that is made of layers each of them.
fn objects(c: &Reading<'_>, mount: &Mount<'_>) -> Vec<Value> {
    let volume = c.ctx.volumes.as_ref().ok().and_then(|volumes| volumes.get(mount.volume));
    let Some(VolumeSource::Layers(layers)) = volume else {
        let source = source(c, mount);
        let path = source.as_deref().unwrap_or_default();
        let mut all = beneath(c, mount, path);
        all.extend(plugins(c, mount, path));
        all.extend(second_names(c, mount, path));
        all.insert(0, object(c, mount, source, mount.rw.clone()));
        return all;
    };
    let one = |(path, rw): &(Box<str>, bool)| {
        let path = within(c, mount, path);
        object(c, mount, Ok(resolved(c, &path)), if *rw { mount.rw.clone() } else { Ok(false) })
    };
    layers.iter().map(one).collect()
}

/// What lies mounted beneath a directory that is bound, by its own name: it comes along, unless that was refused.
fn beneath(c: &Reading<'_>, mount: &Mount<'_>, source: &str) -> Vec<Value> {
    if !matches!(mount.kind, "bind" | "volume") || source.is_empty() || alone(c, mount) {
        return Vec::new();
    }
    let comes_along = |at: &str| c.seen().is_none_or(|o| o.mounted.is_empty() || o.mounted.contains_key(at));
    let one = |below: Beneath| {
        let destination = inside(mount, &below.path);
        let shown = c.seen().and_then(|o| o.mounted.get(destination.as_str()));
        let rw = match (shown, below.read_only, &mount.rw) {
            (Some(mounted), ..) => Ok(!mounted.read_only),
            (None, true, _) => Ok(false),
            (None, false, Ok(false)) => topmost_alone(c, mount),
            (None, false, rw) => rw.clone(),
        };
        comes_along(&destination).then(|| part(c, mount, &destination, Ok(below.name), rw))
    };
    c.ctx.host.mounted_below(source).into_iter().take(MOST_ITEMS).filter_map(one).collect()
}

/// The network plugins in `/opt`, which the kubelet runs as root: of the directories that decide over a host the one that
/// few have, so that whoever is given `/opt` is given it only there.
fn plugins(c: &Reading<'_>, mount: &Mount<'_>, path: &str) -> Option<Value> {
    if path != "/opt" {
        return None;
    }
    let source = match (c.ctx.host.resolve(PLUGINS), c.ctx.host.resolve("/")) {
        (Some(_), _) => Ok(PLUGINS.to_owned()),
        (None, Some(_)) => return None,
        (None, None) => Err(format!("whether the host has {PLUGINS} could not be seen").into()),
    };
    Some(part(c, mount, &inside(mount, "cni"), source, mount.rw.clone()))
}

/// Sockets by which an engine is commanded that lie in a directory under another name.
fn second_names(c: &Reading<'_>, mount: &Mount<'_>, path: &str) -> Vec<Value> {
    if !matches!(mount.kind, "bind" | "volume") || path.is_empty() {
        return Vec::new();
    }
    match c.ctx.host.sockets_below(path) {
        Ok(found) => {
            let one = |s: Beneath| part(c, mount, &inside(mount, &s.path), Ok(s.name), mount.rw.clone());
            found.into_iter().take(MOST_ITEMS).map(one).collect()
        }
        Err(why) => vec![part(c, mount, mount.destination, Err(why), mount.rw.clone())],
    }
}

/// Where in the container something beneath a mount lies.
fn inside(mount: &Mount<'_>, path: &str) -> String {
    normalise(&format!("{}/{path}", mount.destination)).into_owned()
}

/// Something beneath a mount, as a mount of its own.
fn part(c: &Reading<'_>, mount: &Mount<'_>, destination: &str, source: Read<String>, rw: Read<bool>) -> Value {
    object(c, &Mount { kind: "bind", destination, volume: "", ..mount.clone() }, source, rw)
}

/// Whether it was bound without what lies mounted beneath it, as parts of a volume and most volumes are.
fn alone(c: &Reading<'_>, mount: &Mount<'_>) -> bool {
    let refused = |item: Node<'_>| item.get("BindOptions").opt("NonRecursive").bool().unwrap_or(false);
    if configured(c, mount).is_some_and(refused) || subpath(c, mount).is_some() {
        return true;
    }
    let volume = c.ctx.volumes.as_ref().ok().and_then(|volumes| volumes.get(mount.volume));
    matches!(volume, Some(VolumeSource::Binds(_) | VolumeSource::Disk(_) | VolumeSource::Layers(_)))
}

/// What was asked for in the long form.
fn configured<'a>(c: &Reading<'a>, mount: &Mount<'_>) -> Option<Node<'a>> {
    let items = c.host.get("Mounts").list_or_empty().unwrap_or_default();
    let is_it =
        |item: &Node<'_>| item.get("Target").text().is_ok_and(|at| normalise(at) == normalise(mount.destination));
    items.iter().map(Node::of).find(is_it)
}

/// The part of a volume that is mounted, where it is not the whole.
fn subpath<'a>(c: &Reading<'a>, mount: &Mount<'_>) -> Option<&'a str> {
    let path = configured(c, mount)?.get("VolumeOptions").opt("Subpath").text().ok()?;
    Some(path).filter(|path| !path.is_empty())
}

/// A directory that a volume shows, or the part of it that is mounted.
fn within(c: &Reading<'_>, mount: &Mount<'_>, directory: &str) -> String {
    subpath(c, mount).map_or_else(|| directory.to_owned(), |part| format!("{directory}/{part}"))
}

fn object(c: &Reading<'_>, mount: &Mount<'_>, source: Read<String>, rw: Read<bool>) -> Value {
    let source = super::super::json::value(source);
    let configured = match (mount.propagation, mount.kind) {
        ("", "tmpfs") => "private",
        // Neither engine nor runtime spread a mount that does not ask for it.
        ("", _) => "rprivate",
        (said, _) => said,
    };
    let shown =
        c.seen().and_then(|o| o.mounted.get(normalise(mount.destination).as_ref())).map(|shown| shown.propagation);
    // A mount that was not given as shared can be made so within the container, which reaches nobody else; one that
    // was given as shared counts as what the kernel shows.
    let propagation = match shown {
        Some(shown) if configured.ends_with("shared") && shown != "shared" => shown,
        _ => configured,
    };
    Value::Object(vec![
        ("type", cut(mount.kind).into()),
        ("source", source),
        ("destination", cut(mount.destination).into()),
        ("rw", super::super::json::value(rw)),
        ("propagation", cut(propagation).into()),
        ("volume", cut(mount.volume).into()),
    ])
}

/// The path on the host. A volume whose options bind a directory of the host is that directory, one of a disk that the
/// host has mounted is what is mounted there, whatever its mountpoint says.
fn source(c: &Reading<'_>, mount: &Mount<'_>) -> Read<String> {
    match mount.kind {
        "tmpfs" => return Ok(String::new()),
        "npipe" | "image" => return Ok(cut(mount.source).to_owned()),
        _ => {}
    }
    if mount.volume.is_empty() {
        return Ok(resolved(c, mount.source));
    }
    match &c.ctx.volumes {
        Err(reason) => Err(format!("the volumes could not be listed: {reason}").into()),
        Ok(volumes) => match volumes.get(mount.volume) {
            Some(volume) => {
                let shown = match volume {
                    VolumeSource::Binds(path) | VolumeSource::BindsAll(path) => Some(path.to_string()),
                    VolumeSource::Disk(disk) => c.ctx.host.mounted_at(disk),
                    // Layers are told each by itself.
                    VolumeSource::Own | VolumeSource::Layers(_) => None,
                };
                // A device or another part of the host may be mounted there, by whatever driver.
                let shown = shown.or_else(|| known_as(c, mount)).map(|path| resolved(c, &within(c, mount, &path)));
                Ok(shown.unwrap_or_else(|| normalise(mount.source).into_owned()))
            }
            None => Err(Arc::from("its volume is not among the engine's volumes")),
        },
    }
}

/// What of the host a volume shows that is no directory of the engine's own.
fn known_as(c: &Reading<'_>, mount: &Mount<'_>) -> Option<String> {
    let own = format!("/volumes/{}/_data", mount.volume);
    c.ctx.host.known_as(mount.source).filter(|name| !name.ends_with(&own))
}

fn resolved(c: &Reading<'_>, path: &str) -> String {
    let path = normalise(cut(path));
    c.ctx.host.resolve(&path).unwrap_or_else(|| path.into_owned())
}
