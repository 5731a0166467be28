//! The options of `docker run` that remedies change, merged into a run specification.
//!
//! | option | `remove` | `add` |
//! | --- | --- | --- |
//! | `privileged` | | `false` |
//! | `cap-drop`, `cap-add` | names | names; dropping one also takes it from those added |
//! | `security-opt` | an entry, or its key; `systempaths=unconfined` | an entry, in the place of what has its key; `seccomp=builtin` |
//! | `volume` | destinations, mounted in whatever way | `SOURCE:DESTINATION[:OPTIONS]`, in the place of what is there |
//! | `tmpfs` | destinations | `DESTINATION[:OPTIONS]` |
//! | `publish` | `HOST_IP:HOST_PORT:PORT/PROTOCOL` | the same |
//! | `env`, `label`, `log-opt` | names | `NAME=VALUE` |
//! | `network` | `host`, `bridge`, `container:…`, a network | networks, or `none`; the first is the one it starts in where that was left |
//! | `link` | `NAME:ALIAS`, as `inspect` shows it or as it is given; nothing and nothing added: all | |
//! | `device` | paths on the host or inside | `HOST[:INSIDE[:rwm]]` |
//! | `device-cgroup-rule`, `group-add` | entries; nothing and an empty one added: all | entries |
//! | `pid`, `ipc`, `uts`, `cgroupns`, `userns`, `cgroup-parent` | | the mode; `private`: its own; nothing: the engine's default |
//! | `user`, `health-cmd`, `image` | | the value; an image only by another reference to the same one |
//! | `read-only`, `oom-kill-disable` | | `true`, `false` |
//! | `memory`, `memory-swap` | | bytes, or with `k`, `m`, `g`; swap goes with memory where it is not given |
//! | `cpus`, `pids-limit`, `restart` | | as `docker run` takes them |

mod lists;
mod network;
mod places;
mod publish;
mod single;

use seaworthy_core::plan::SpecChange;
use serde_json::Value;

use super::json::{field, strings};
use super::seen::Seen;
use super::spec::Spec;
use crate::act::Refusal;

/// What a change is merged with.
struct Merge<'a> {
    /// The specification as it becomes.
    spec: Spec,
    /// As it was before the first change: what was there may be taken away twice, what was not is stale.
    was: Spec,
    seen: &'a Seen,
    all: &'a [SpecChange],
}

/// The specification of a container with changes merged, in their order.
///
/// # Errors
/// [`Refusal::Stale`] where what is to be taken away was not there; [`Refusal::Refused`] where an option is not known, or
/// a value means nothing.
pub(super) fn merge(spec: &Spec, changes: &[SpecChange], seen: &Seen) -> Result<Spec, Refusal> {
    let mut merge = Merge { spec: spec.clone(), was: spec.clone(), seen, all: changes };
    for change in changes {
        merge.take(change)?;
    }
    merge.drop_labels_of_the_engine();
    Ok(merge.spec)
}

impl Merge<'_> {
    fn take(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        match change.option.as_str() {
            "privileged" => self.privileged(change),
            "cap-drop" => self.cap_drop(change),
            "cap-add" => self.cap_add(change),
            "security-opt" => self.security_opt(change),
            "group-add" => self.entries("GroupAdd", change),
            "device-cgroup-rule" => self.entries("DeviceCgroupRules", change),
            "device" => self.device(change),
            "volume" => self.volume(change),
            "tmpfs" => self.tmpfs(change),
            "publish" => self.publish(change),
            "env" => self.env(change),
            "label" => self.label(change),
            "log-opt" => self.log_opt(change),
            "network" => self.network(change),
            "link" => self.link(change),
            "pid" => self.mode("PidMode", "", change),
            "ipc" => self.mode("IpcMode", "private", change),
            "uts" => self.mode("UTSMode", "", change),
            "cgroupns" => self.mode("CgroupnsMode", "private", change),
            "userns" => self.mode("UsernsMode", "", change),
            "cgroup-parent" => self.mode("CgroupParent", "", change),
            "user" => self.user(change),
            "health-cmd" => self.health_cmd(change),
            "image" => self.image(change),
            "read-only" => self.truth("ReadonlyRootfs", change),
            "oom-kill-disable" => self.truth("OomKillDisable", change),
            "memory" => self.memory(change),
            "memory-swap" => self.memory_swap(change),
            "cpus" => self.cpus(change),
            "pids-limit" => self.pids_limit(change),
            "restart" => self.restart(change),
            "command" => Err(refused(change, "a command is changed by hand: what belongs there only its author knows")),
            _ => Err(refused(change, "this build does not know how to change it")),
        }
    }

    /// The engine writes `label=…` into the options of containers that are privileged or share the processes or the
    /// memory of the host or of another container. Where that ends, the labels go too.
    fn drop_labels_of_the_engine(&mut self) {
        let shares = |spec: &Spec, key: &str| {
            let mode = field(&spec.host, key);
            mode == "host" || mode.starts_with("container:")
        };
        let labelled = |spec: &Spec| {
            spec.host.get("Privileged") == Some(&Value::Bool(true))
                || shares(spec, "PidMode")
                || shares(spec, "IpcMode")
        };
        if !labelled(&self.was) || labelled(&self.spec) {
            return;
        }
        let asked: Vec<&String> =
            self.all.iter().filter(|c| c.option == "security-opt").flat_map(|c| c.add.iter()).collect();
        let options = strings(self.spec.host.get("SecurityOpt"));
        let kept: Vec<Value> = (options.into_iter())
            .filter(|o| !(o.starts_with("label=") || o.starts_with("label:")) || asked.contains(&o))
            .map(Value::from)
            .collect();
        self.spec.host.insert("SecurityOpt".into(), kept.into());
    }
}

fn refused(change: &SpecChange, why: &str) -> Refusal {
    Refusal::Refused(format!("--{}: {why}", change.option))
}

fn stale(change: &SpecChange, what: &str) -> Refusal {
    Refusal::Stale(format!("the container has no --{} {what}", change.option))
}

/// The one value of an option that has one; empty where it is taken away.
fn one(change: &SpecChange) -> Result<&str, Refusal> {
    match change.add.as_slice() {
        [] => Ok(""),
        [value] => Ok(value.trim()),
        _ => Err(refused(change, "it takes one value")),
    }
}

/// Whether all of an option's entries are taken away: nothing named, and nothing but an empty one added.
fn clears(change: &SpecChange) -> bool {
    change.remove.is_empty() && change.add.iter().all(|a| a.trim().is_empty())
}

/// The part before `=`.
fn key(entry: &str) -> &str {
    entry.split('=').next().unwrap_or(entry)
}
