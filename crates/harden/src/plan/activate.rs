//! How the engine takes new settings: by a reload or a restart, which containers stop meanwhile, and how they come back.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::component::Component;
use seaworthy_core::dockerd::given;
use seaworthy_core::plan::{Activate, Activation, ContainerRef, SetKey};
use seaworthy_core::schema::docker;

use super::daemon::is_reloadable;
use super::world::{Known, World, list, maybe, named, part, text, texts, truth};

/// How long dockerd takes to stop and start beside its containers, in seconds: up to 2 were measured on engines 20.10
/// and 29, with a margin of none.
pub(super) const RESTART_SECONDS: u64 = 2;

/// How long the engine waits for a container that says nothing, in seconds: its default.
pub(super) const STOP_SECONDS: u64 = 10;

/// How settings take effect, and what that stops.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    pub activate: Activate,
    /// All that stop.
    pub stops: Vec<ContainerRef>,
    /// For about how long, with where the number comes from.
    pub seconds: Option<(u64, String)>,
    /// What to know about it, in sentences.
    pub warnings: Vec<String>,
}

/// Whether settings need a restart: one that a reload does not take, or any where a reload would switch authorization
/// off.
pub(super) fn needs_restart(world: &World<'_>, keys: &BTreeMap<String, SetKey>) -> Known<bool> {
    if !keys.keys().all(|key| is_reloadable(key)) {
        return Ok(true);
    }
    let daemon = world.daemon()?;
    Ok(!texts(daemon, "authorization_plugins")?.is_empty()
        || given(&texts(daemon, "arguments")?, "authorization-plugins").is_some()
        || texts(daemon, "config_keys")?.contains(&"authorization-plugins"))
}

/// What making settings take effect comes to; an error where it may not be done, with the reason.
pub(super) fn outlook(world: &World<'_>, keys: &BTreeMap<String, SetKey>) -> Known<Outlook> {
    if let Some(gap) = world.target.gaps.iter().find(|g| g.source == "daemon.json" && g.affects == "the next start") {
        return Err(gap.reason.clone());
    }
    let mut warnings = others(world);
    if !needs_restart(world, keys)? {
        let activate =
            Activate { how: Activation::Reload, returns: Vec::new(), started_again: Vec::new(), stop_all: false };
        return Ok(Outlook { activate, stops: Vec::new(), seconds: None, warnings });
    }
    if let Some(why) = world.target.incomplete.get(docker::CONTAINER.name) {
        return Err(format!("the engine has to restart, and not all containers could be read: {why}"));
    }
    let daemon = world.daemon()?;
    let live = truth(daemon, "live_restore")?;
    let mut running = Vec::new();
    for container in world.containers.values() {
        if truth(container, "running")? || text(container, "status")? == "restarting" {
            running.push(*container);
        }
    }
    // What stands in the way of closing the default bridge: running containers that the engine takes up again.
    let stop_all = live && keys.contains_key("icc") && !running.is_empty();
    let survive = live && !stop_all;
    removed(world, survive)?;
    if stop_all {
        warnings.push("The engine keeps containers running over its restart (live-restore), and while one runs the default bridge stays open: all of them are stopped first.".to_owned());
    }
    let mut out = Activate { how: Activation::Restart, returns: Vec::new(), started_again: Vec::new(), stop_all };
    let mut stops = Vec::new();
    if survive {
        let ports = running.iter().any(|c| list(c, "ports").is_ok_and(|p| !p.is_empty()));
        if ports && truth(daemon, "userland_proxy") == Ok(true) {
            warnings.push("Containers go on running, but what reaches published ports through dockerd's proxy (loopback, IPv6) pauses until it is back.".to_owned());
        }
    } else {
        for container in in_order(&running) {
            let returns = !stop_all && (returns(container)? || truth(container, "swarm_task")?);
            let list = if returns { &mut out.returns } else { &mut out.started_again };
            list.push(named(container));
            stops.push(named(container));
            if text(container, "status")? == "paused" {
                warnings.push(format!("{} is paused and comes back running.", container.name));
            }
        }
    }
    let seconds = Some(seconds(if survive { &[] } else { &running })?);
    Ok(Outlook { activate: out, stops, seconds, warnings })
}

/// What others have written into daemon.json since the engine started takes effect with the plan's own settings.
fn others(world: &World<'_>) -> Vec<String> {
    let Ok(daemon) = world.daemon() else { return Vec::new() };
    if truth(daemon, "config_changed_since_start") != Ok(true) {
        return Vec::new();
    }
    let names: Vec<&str> =
        list(daemon, "configured_not_active").unwrap_or_default().iter().map(|d| part(d, "name")).take(8).collect();
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    vec![format!("daemon.json was changed after the engine started, and what was changed takes effect too{names}.")]
}

/// Refuses what would make the engine delete containers: with `--rm` those that are not running when it starts.
fn removed(world: &World<'_>, survive: bool) -> Known<()> {
    let mut lost = Vec::new();
    for container in world.containers.values() {
        if truth(container, "auto_remove")? && !(survive && truth(container, "running")?) {
            lost.push(&*container.name);
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    let more = lost.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let names = lost[..lost.len().min(5)].join(", ");
    Err(format!(
        "the engine has to restart, and would delete what was started with --rm, with its anonymous volumes: {names}{more}; let it end first"
    ))
}

/// Whether the engine starts a container by itself after its restart. Of on-failure that hangs on how the program ends.
fn returns(container: &Component) -> Known<bool> {
    Ok(matches!(text(container, "restart_policy")?, "always" | "unless-stopped"))
}

/// For how long containers stand still at most, and where that comes from.
fn seconds(stopping: &[&Component]) -> Known<(u64, String)> {
    let mut longest: Option<(u64, &str)> = None;
    for container in stopping {
        let wait = maybe(container, "stop_timeout")?.map_or(STOP_SECONDS, |s| u64::try_from(s).unwrap_or(STOP_SECONDS));
        if longest.is_none_or(|(most, _)| wait > most) {
            longest = Some((wait, &container.name));
        }
    }
    let base = format!("dockerd restarts in about {RESTART_SECONDS} s as measured");
    Ok(match longest {
        None => (RESTART_SECONDS, base),
        Some((wait, name)) => (
            RESTART_SECONDS + wait,
            format!("{base}, and a container has up to its stop timeout to end: {wait} s for {name}"),
        ),
    })
}

/// Containers so that each comes after those whose namespaces it joined or that it is linked to.
fn in_order<'a>(containers: &[&'a Component]) -> Vec<&'a Component> {
    let mut left: Vec<&Component> = containers.to_vec();
    left.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let mut out = Vec::with_capacity(left.len());
    let mut waiting: BTreeSet<&str> = left.iter().map(|c| &*c.name).collect();
    loop {
        let before = left.len();
        left.retain(|container| {
            let ready = !needs(container).iter().any(|other| *other != &*container.name && waiting.contains(other));
            if ready {
                waiting.remove(&*container.name);
                out.push(*container);
            }
            !ready
        });
        if left.is_empty() || left.len() == before {
            // What needs itself in a circle cannot run, and keeps its order.
            out.append(&mut left);
            return out;
        }
    }
}

/// The containers that must run before a container does.
pub(super) fn needs(container: &Component) -> Vec<&str> {
    let joined = texts(container, "joins").unwrap_or_default().into_iter();
    let joined = joined.filter_map(|j| j.split_once(':').map(|(_, name)| name));
    let links = texts(container, "links").unwrap_or_default().into_iter();
    let linked = links.map(|link| link.split(':').next().unwrap_or(link).trim_start_matches('/'));
    joined.chain(linked).collect()
}
