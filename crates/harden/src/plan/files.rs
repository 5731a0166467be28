//! Owners, modes and audit rules of files.

use seaworthy_core::component::Component;
use seaworthy_core::dockerd::given;
use seaworthy_core::plan::{Owned, Pending, Watch};
use seaworthy_core::remedy::Setting;

use super::piece::{Not, Piece, Resolved, argv};
use super::world::{self, Known, World, list, maybe, number, text, texts, truth};
use crate::act::audit::{fades, noise};

/// The mode that a file may have at most, or its owner.
pub(super) fn rights(
    world: &World<'_>,
    file: &Component,
    mode: Option<&str>,
    owner: Option<&str>,
) -> Result<Resolved, Not> {
    let (path, what, before) = as_it_is(file)?;
    let within = mode.map(octal).transpose()?;
    if within.is_some() {
        no_acl(file, path)?;
    }
    let (uid, gid) = match owner {
        None => (None, None),
        Some("root:root") => (Some(0), Some(0)),
        Some(other) => {
            let (user, group) = other.split_once(':').unwrap_or((other, other));
            (Some(user_number(user)?), Some(group_number(world, group)?.0))
        }
    };
    let mut out =
        Resolved::from(Piece::Rights { path: path.to_owned(), what: what.to_owned(), before, uid, gid, within });
    // Only its owner changes: the list stays, and what it grants.
    if !list(file, "acl")?.is_empty() {
        let entries = texts(file, "acl")?.join(", ");
        out.notes.push(format!("{path}: its access control list grants more than its mode does, and stays: {entries}"));
    }
    match text(file, "role")? {
        "docker-service" | "docker-socket-unit" | "containerd-service" => {
            out.breaks.push(format!("an upgrade of its package may set owner and mode of {path} anew"));
        }
        "containerd-socket" => {
            out.breaks.push(format!("containerd makes {path} anew when it starts, by [grpc] in its configuration"));
        }
        _ => {}
    }
    Ok(out)
}

fn as_it_is(file: &Component) -> Known<(&str, &str, Owned)> {
    let what = match text(file, "type")? {
        what @ ("file" | "directory" | "socket") => what,
        other => return Err(format!("{} is a {other}, whose rights are not changed", file.name)),
    };
    let id = |fact: &str| u32::try_from(number(file, fact)?).map_err(|_| format!("{fact} of {} is odd", file.name));
    Ok((text(file, "path")?, what, Owned { uid: id("uid")?, gid: id("gid")?, mode: id("mode")? & 0o7777 }))
}

/// Access lists are not kept in the plan's before and after: a person takes them away.
fn no_acl(file: &Component, path: &str) -> Result<(), Not> {
    if list(file, "acl")?.is_empty() {
        return Ok(());
    }
    let entries = texts(file, "acl")?.join(", ");
    Err(Not::Hand {
        what: format!(
            "Its access control list ({entries}) grants more than its mode does. See who needs that, then take it away and plan again"
        ),
        command: argv(&["setfacl", "--remove-all", path]),
    })
}

/// A file in somebody's home: whoever owns the directory can put another file in its place, so that nobody else changes it
/// safely by its path.
pub(super) fn of_user(client: &Component) -> Not {
    let path = text(client, "config").unwrap_or("~/.docker/config.json");
    let user = text(client, "user").unwrap_or("that user");
    Not::Hand {
        what: format!(
            "As {user}: its directory is theirs, and root changing it by its path could be led to another file"
        ),
        command: argv(&["chmod", "0600", path]),
    }
}

fn octal(text: &str) -> Known<u32> {
    u32::from_str_radix(text, 8).map_err(|_| format!("{text} is no mode"))
}

fn user_number(name: &str) -> Known<u32> {
    match name {
        "root" => Ok(0),
        _ => name.parse().map_err(|_| format!("the number of user {name} is not among the facts")),
    }
}

/// A group's number; where group docker does not exist, root's.
fn group_number(world: &World<'_>, name: &str) -> Known<(u32, &'static str)> {
    match name {
        "root" => Ok((0, "root")),
        "docker" => match maybe(world.host()?, "docker_group_gid")? {
            Some(gid) => Ok((u32::try_from(gid).map_err(|_| "group docker has an odd number".to_owned())?, "docker")),
            None => Ok((0, "root")),
        },
        _ => Err(format!("the number of group {name} is not among the facts")),
    }
}

/// Owner and mode of the engine's socket, kept over its restart: by a drop-in where systemd makes it; dockerd itself makes
/// it root's, 0660, and of the group that it is given.
pub(super) fn socket(
    world: &World<'_>,
    file: &Component,
    settings: &std::collections::BTreeMap<String, Setting>,
) -> Result<Resolved, Not> {
    let (path, what, before) = as_it_is(file)?;
    no_acl(file, path)?;
    let (mut uid, mut gid, mut within) = (None, None, None);
    let mut set = Vec::new();
    for (name, value) in settings {
        let Setting::Str(value) = value else { return Err(format!("{name} takes text").into()) };
        let mut value = value.clone();
        match name.as_str() {
            "SocketMode" => within = Some(octal(&value)?),
            "SocketUser" => uid = Some(user_number(&value)?),
            "SocketGroup" => {
                let (number, group) = group_number(world, &value)?;
                gid = Some(number);
                value = group.to_owned();
            }
            other => return Err(format!("{other} is no setting of a socket that is known here").into()),
        }
        set.push((name.clone(), value));
    }
    // The group first: it alone is what members of group docker use.
    set.sort();
    let rights = Piece::Rights { path: path.to_owned(), what: what.to_owned(), before, uid, gid, within };
    let mut out = Resolved::default();
    if within.is_some_and(|within| before.mode & 0o007 & !within != 0) {
        out.breaks.push("every local user who is neither root nor in the socket's group loses the engine".into());
    }
    if gid.is_some_and(|gid| gid != before.gid) {
        let group = text(file, "group").unwrap_or("its group");
        out.breaks.push(format!("members of group {group} lose the engine"));
    }
    let arguments = texts(world.daemon()?, "arguments")?;
    if arguments.iter().any(|a| a.contains("fd://")) {
        out.pieces.push(Piece::Socket { rights: Box::new(rights), set });
        return Ok(out);
    }
    let keys = texts(world.daemon()?, "config_keys")?;
    let flag = given(&arguments, "group");
    if gid.is_some() && (keys.contains(&"group") || flag.is_some()) {
        let where_to = if flag.is_some() { "an argument of dockerd" } else { "daemon.json" };
        return Err(format!("dockerd gives its socket the group that {where_to} names; change it there").into());
    }
    out.pieces.push(rights);
    Ok(out)
}

/// The directory beneath `/run` that is not there yet when auditd loads its rules at a boot, where the files would need
/// a line for something in it.
fn made_late(watch: &Watch) -> Option<&str> {
    let (parent, _) = watch.path.rsplit_once('/')?;
    let beneath = ["/run/", "/var/run/"].iter().any(|run| parent.starts_with(run));
    (watch.disk && beneath).then_some(parent)
}

/// An audit rule on a file or directory.
pub(super) fn watch(world: &World<'_>, file: &Component, permissions: &str) -> Result<Resolved, Not> {
    let host = world.host()?;
    let records = truth(host, "audit_enabled")?;
    let path = text(file, "path")?;
    let mut watch = Watch {
        path: path.to_owned(),
        directory: text(file, "type")? == "directory",
        permissions: permissions.to_owned(),
        kernel: !truth(file, "audited")?,
        disk: !truth(file, "audit_on_disk")?,
    };
    let needs_kernel = watch.kernel;
    let roots: Vec<String> = text(host, "data_root").ok().map(str::to_owned).into_iter().collect();
    let mut breaks = Vec::new();
    if let Some(parent) = made_late(&watch) {
        let why = format!(
            "{parent} is made after auditd has loaded its rules at a boot: a line would fail there, and stop those after it"
        );
        if !watch.kernel {
            return Err(Not::Left(why));
        }
        watch.disk = false;
        breaks.push(format!("the rule for {} holds until the next start of the machine alone: {why}", watch.path));
    }
    if let Some(noise) = noise(&watch, &roots) {
        breaks.push(format!("{noise}; the log grows fast, and auditd does what it is set to when the disk is full"));
    }
    breaks.extend(fades(&watch));
    if needs_kernel && !records {
        breaks.push("recording is off in the kernel and is switched on; where auditd does not run the records go to the kernel's log".into());
    }
    let mut out = Resolved { breaks, ..Resolved::from(Piece::Watch(watch)) };
    if needs_kernel && world::truth(host, "audit_immutable")? {
        out.pending = Some(Pending::Reboot);
    }
    Ok(out)
}
