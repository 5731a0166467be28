//! One container: from its inspect, and from what is in effect for it, to its facts.

mod devices;
mod identity;
mod isolation;
mod joins;
mod limits;
mod logs;
mod mounts;
mod ports;
pub(crate) mod privileges;
mod security;
mod vanished;

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::docker::CONTAINER;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::context::{Context, HostView, Running};
use super::json::{MOST_ITEMS, Node, Read, cut, podman_hides};
use super::observed::Observed;
use super::secrets::{Secrets, environment};
use super::sheet::Sheet;

pub(crate) use identity::image_reference;
pub(super) use identity::layers;
pub use identity::user_number;
pub use joins::{Mode, Modes, resolve_joins};
pub use ports::{ServicePorts, add_service_ports};
pub use security::SecurityOptions;
pub use vanished::vanished;

/// A container that was read, with what is needed to finish it once all the others are known.
#[derive(Debug)]
pub struct Mapped {
    /// The container with its facts.
    pub component: Component,
    /// Whose namespaces it is in.
    pub modes: Modes,
    /// The exec instances that the engine still knows.
    pub execs: Vec<Box<str>>,
    /// The swarm service that it is a task of.
    pub swarm_service: Option<Box<str>>,
    /// The image's id.
    pub image: Option<Box<str>>,
}

/// One container that is being read.
struct Reading<'a> {
    doc: Node<'a>,
    config: Node<'a>,
    host: Node<'a>,
    ctx: &'a Context<'a>,
    running: Read<bool>,
    privileged: Read<bool>,
    observed: Read<Observed>,
}

impl<'a> Reading<'a> {
    fn new(inspect: &'a Json, ctx: &'a Context<'a>, observed: Read<Observed>) -> Self {
        let doc = Node::of(inspect);
        let host = doc.get("HostConfig");
        let running = identity::running(doc.get("State"));
        Self { doc, config: doc.get("Config"), host, ctx, running, privileged: host.get("Privileged").bool(), observed }
    }

    fn is_privileged(&self) -> bool {
        self.privileged == Ok(true)
    }

    fn podman(&self) -> bool {
        self.ctx.engine.podman
    }

    /// What was seen, when it was.
    fn seen(&self) -> Option<&Observed> {
        self.observed.as_ref().ok()
    }

    /// Sets a fact from what was seen; where it was not, from what `configured` says.
    fn effect<T: Clone + Into<Value>>(
        &self,
        sheet: &mut Sheet,
        name: &'static str,
        seen: (&'static str, impl FnOnce(&Observed) -> &Read<T>),
        configured: (&'static str, impl FnOnce() -> Read<T>),
    ) {
        if let Some(observed) = self.seen()
            && let Ok(value) = (seen.1)(observed)
        {
            sheet.seen(name, &observed.place, seen.0, Ok(value.clone()));
            return;
        }
        sheet.read(name, configured.0, (configured.1)());
    }

    /// As [`Reading::effect`] for what only the running process shows: `idle` when there is none.
    fn only_seen<T: Clone + Into<Value>>(
        &self,
        sheet: &mut Sheet,
        name: &'static str,
        seen: (&'static str, impl FnOnce(&Observed) -> &Read<T>),
        idle: T,
    ) {
        match (&self.observed, &self.running) {
            (Ok(observed), _) => sheet.seen(name, &observed.place, seen.0, (seen.1)(observed).clone()),
            (Err(_), Ok(false)) => sheet.read(name, "State", Ok(idle)),
            (Err(reason), _) => sheet.read(name, "", Err::<T, _>(Arc::clone(reason))),
        }
    }
}

/// Looks at the process of a container that its inspect says to run.
///
/// # Errors
/// Why nothing of it can be seen: that it does not run among others.
pub fn observe(inspect: &Json, host: &dyn HostView) -> Read<Observed> {
    let doc = Node::of(inspect);
    let state = doc.get("State");
    if !identity::running(state)? {
        return Err("it does not run".into());
    }
    match u32::try_from(state.get("Pid").int()?) {
        Ok(pid) if pid > 0 => host.observe(Running {
            id: doc.get("Id").text().unwrap_or(""),
            pid,
            started_at: timestamp(state.get("StartedAt")),
        }),
        _ => Err("the engine gave no process for it".into()),
    }
}

/// A container from `GET /containers/ID/json` and from what was seen of its process. Namespaces that it shares with other containers, ports of its swarm
/// service and its execs are added when those are known.
pub fn container(inspect: &Json, ctx: &Context<'_>, observed: Read<Observed>) -> Mapped {
    let c = Reading::new(inspect, ctx, observed);
    let id = c.doc.get("Id").text().unwrap_or("");
    let name = c.doc.get("Name").text().map_or(id, |name| name.trim_start_matches('/'));
    let mut sheet = Sheet::new(&CONTAINER, id, cut(name), format!("inspect {}", cut(name)));
    identity::fill(&mut sheet, &c);
    privileges::fill(&mut sheet, &c);
    security::fill(&mut sheet, &c);
    isolation::fill(&mut sheet, &c);
    mounts::fill(&mut sheet, &c);
    devices::fill(&mut sheet, &c);
    limits::fill(&mut sheet, &c);
    ports::fill(&mut sheet, &c);
    logs::fill(&mut sheet, &c);
    health(&mut sheet, &c);
    contents(&mut sheet, &c);
    processes(&mut sheet, &c);
    let text = |node: Node<'_>| node.text().ok().filter(|text| !text.is_empty()).map(Box::from);
    Mapped {
        component: sheet.component,
        modes: Modes::of(id, name, c.host),
        execs: c.doc.get("ExecIDs").texts().unwrap_or_default().into_iter().take(256).map(Box::from).collect(),
        swarm_service: text(c.config.get("Labels").opt("com.docker.swarm.service.name")),
        image: text(c.doc.get("Image")),
    }
}

/// A moment, in seconds since 1970-01-01 UTC; none where there is none.
fn timestamp(node: Node<'_>) -> Option<i64> {
    let moment: jiff::Timestamp = node.text().ok()?.parse().ok()?;
    Some(moment.as_second()).filter(|seconds| *seconds > 0)
}

/// Health: an empty test was already replaced by the image's when the container was created, so that one that is
/// empty still, `NONE` or of an unknown form means that there is no check.
fn health(sheet: &mut Sheet, c: &Reading<'_>) {
    let test = c.config.get("Healthcheck").opt("Test").texts_or_empty();
    let checked = test.map(|test| matches!(test.as_slice(), ["CMD" | "CMD-SHELL", command, ..] if !command.is_empty()));
    let status = c.doc.get("State").get("Health").opt("Status");
    let health = match &checked {
        Ok(false) => Ok(None),
        Err(reason) => Err(Arc::clone(reason)),
        // Nothing is checked of one that does not run; what the engine keeps is the last answer of before its end.
        Ok(true) if c.running == Ok(false) => Ok(None),
        Ok(true) if status.is_unset() => Err("its health check has not run yet".into()),
        Ok(true) => status.text().map(|status| (!matches!(status, "" | "none")).then(|| cut(status))),
    };
    sheet.read("healthcheck", "Config.Healthcheck", checked);
    sheet.read("health", "State.Health.Status", health);
}

/// Environment, secrets of the configuration, and the lists that stand there as they are.
fn contents(sheet: &mut Sheet, c: &Reading<'_>) {
    let redactor = c.ctx.redactor;
    let (names, secrets) = match environment(redactor, c.config.get("Env")) {
        Ok((names, secrets)) => (Ok(names), Ok(secrets)),
        Err(reason) => (Err(Arc::clone(&reason)), Err(reason)),
    };
    sheet.read("env_names", "Config.Env", names);
    sheet.read("env_secrets", "Config.Env", secrets);
    sheet.read("config_secrets", "Config, HostConfig", config_secrets(c));
    sheet.read("exposed_ports", "Config.ExposedPorts", keys(c.config, "ExposedPorts"));
    let sysctls = match c.host.get("Sysctls").map_or_empty() {
        Ok(map) if map.is_empty() && c.podman() => Err(podman_hides()),
        Ok(map) => Ok(Value::strings(
            map.iter()
                .take(256)
                .map(|(k, v)| redactor.text(&format!("{k}={}", v.as_str().unwrap_or("?"))).into_owned()),
        )),
        Err(reason) => Err(reason),
    };
    sheet.read("sysctls", "HostConfig.Sysctls", sysctls);
    sheet.read("groups_added", "HostConfig.GroupAdd", c.host.get("GroupAdd").texts().map(groups));
    sheet.read("links", "HostConfig.Links", c.host.get("Links").texts().map(super::json::strings));
    sheet.set("changed_files", "", Value::Null);
}

/// Groups by name, and by number as the engine reads it: `00` and `+0` are 0.
fn groups(added: Vec<&str>) -> Value {
    let plain = |group: &str| group.parse::<i64>().map_or_else(|_| cut(group).to_owned(), |number| number.to_string());
    Value::strings(added.into_iter().take(MOST_ITEMS).map(plain))
}

/// The keys of an object that the API leaves out when it is empty.
fn keys(parent: Node<'_>, key: &str) -> Read<Value> {
    Ok(super::json::strings(parent.get(key).map_or_empty()?.keys().map(String::as_str)))
}

fn config_secrets(c: &Reading<'_>) -> Read<Value> {
    let redactor = c.ctx.redactor;
    let mut secrets = Secrets::default();
    secrets.arguments(redactor, "command", &identity::command(c.doc)?);
    let test = c.config.get("Healthcheck").opt("Test").texts_or_empty()?;
    secrets.arguments(redactor, "health check", test.get(1..).unwrap_or_default());
    secrets.named(redactor, "label", c.config.get("Labels").map()?);
    secrets.named(redactor, "log option", c.host.get("LogConfig").opt("Config").map_or_empty()?);
    secrets.named(redactor, "annotation", c.host.get("Annotations").map_or_empty()?);
    Ok(secrets.into_value())
}

/// What only processes show.
fn processes(sheet: &mut Sheet, c: &Reading<'_>) {
    c.only_seen(sheet, "memory_used", ("cgroup memory in use", |o| &o.memory_used), None);
    c.only_seen(sheet, "memory_peak", ("cgroup memory peak", |o| &o.memory_peak), None);
    c.only_seen(sheet, "pids_used", ("cgroup pids.current", |o| &o.pids_used), None);
    c.only_seen(sheet, "pids_peak", ("cgroup pids.peak", |o| &o.pids_peak), None);
    c.only_seen(sheet, "processes", ("its cgroup's processes", |o| &o.processes), Value::List(Vec::new()));
    c.only_seen(sheet, "ssh_servers", ("its cgroup's processes", |o| &o.ssh_servers), Value::List(Vec::new()));
    let none = match c.doc.get("ExecIDs").texts() {
        Ok(ids) if ids.is_empty() => Ok(Value::List(Vec::new())),
        Ok(_) => Err("its execs have not been read".into()),
        Err(reason) => Err(reason),
    };
    sheet.read("execs", "ExecIDs", none);
}

#[cfg(test)]
mod tests;
