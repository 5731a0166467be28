//! A new container in the place of another: the old one's own run specification with the remedy merged.
//!
//! # The order
//!
//! The two never run together, since they have the same ports and the same data, and the old one is never removed here.
//!
//! 1. The new one is created, not started, beside the old, as `NAME-seaworthy-TX`, from what `inspect` says of the old one
//!    (`spec`) with the changes merged (`options`). Up to API 1.43 one network goes with the creation; the others are
//!    connected now. Fixed addresses are given to it here and taken when it starts: a container that does not run holds none.
//! 2. The old one's restart policy is held (set to `no`), so that a start of the daemon does not bring it back.
//! 3. The old one is renamed to `NAME-before-TX`. Before it is stopped, because this tells recovery, whatever happened, that
//!    a stop may be on its way in the engine: while the old one has its own name, none is.
//! 4. The old one is stopped with its own signal and within its own time.
//! 5. The new one is renamed to `NAME`, and started if the old one ran.
//! 6. It is judged (`judge`): it runs on for a while, or becomes healthy, and all of it is as asked, which is read back.
//!
//! The new one carries a mark by which it is known again: `HostConfig.ContainerIDFile`, which the engine keeps and does not
//! use (`docker run --cidfile` leaves it there too), holds `seaworthy-TX-ID`. Names alone would not do: what others put under
//! the name since is not ours to remove. No label is added, since labels select containers.
//!
//! # The way back
//!
//! `undo` sees by the old one's name how far it came. It stops the new one, sets it aside as `NAME-after-TX`, gives the old
//! one its name back, starts it if it ran, gives it its restart policy back, and only then removes the new one, without its
//! volumes. Limits and a policy that were set on the new one since (`docker update`) go over to the old one: they are others'.
//! What the new one wrote into its own layer goes with it, as it was allowed for the old one's; where the old one had
//! written nothing there and the new one has, the new one is kept, stopped, as `NAME-after-TX`, and named.
//!
//! What a killed process asked of the engine is carried out all the same, perhaps after recovery has looked. So a creation
//! that is on its way is found by its name, which is reserved from its beginning, and is waited for; a stop is repeated,
//! and returns when the container has stopped; and in the end all is read again.
//!
//! Until [`prune`], two containers of that description are there, one of them stopped.
//!
//! # Compose
//!
//! A container of a Compose project is re-created in the same way, and its labels are kept, so that it stays the project's:
//! its `config-hash` being the same, `docker compose up` finds nothing to change. It holds only until Compose re-creates it,
//! after a change of its file or with `--force-recreate`: the same settings must go into the project, as an override file.
//! And as long as the old one is kept, Compose sees two containers of the service, which both carry the same number, and may
//! take either for the one too many: `docker compose up` then removes one of them, and `down` removes both. So the way back
//! is pruned before Compose is used again. [`compose_notices`] says this for the plan.
//!
//! # What is refused
//!
//! See `refuse`: what would be lost, or would break others, is found before anything is done.
//!
//! The engine's answers hold the container's secrets (its environment). They stay in memory: neither the plan nor the journal
//! holds a specification, and errors are cleared of them.

mod caps;
mod change;
mod json;
mod judge;
mod layer;
mod mounts;
mod options;
mod process;
mod refuse;
mod seen;
mod spec;
mod steps;
mod undo;

use seaworthy_core::plan;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::json::{field, id_of, is_running, name_of, object, text};
use self::seen::Seen;
use self::spec::Spec;
use crate::act::{Act, Effect, Refusal, Stage, Undone};
use crate::engine::Engine;
use crate::files::Keep;
use crate::{At as _, Failure, Host};

/// What undo needs: ids, names and the states before. No specification, since that holds secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Intent {
    /// The old one's id.
    id: String,
    /// Its name.
    name: String,
    /// The new one's name while it is made.
    aside: String,
    /// The old one's name while the new one stands in its place.
    before: String,
    /// The new one's name once the old one is back.
    after: String,
    /// What the new one is known by.
    mark: String,
    /// Whether the old one ran.
    running: bool,
    /// Whether its health check failed already.
    unhealthy: bool,
    /// Its restart policy.
    restart: Value,
    /// The id of the image, which stays the same.
    image: String,
    /// How the new one names it.
    reference: String,
    /// The ports that it had on the host while it ran.
    ports: Value,
    /// The networks of the new one.
    networks: Vec<String>,
    /// Whether it had written nothing into its own layer.
    clean_layer: bool,
    /// What was decided on the way, in sentences.
    notes: Vec<String>,
}

impl Intent {
    fn read(undo: &Value) -> Result<Self, Failure> {
        serde_json::from_value(undo.clone()).at(|| "read the journal's entry of a re-creation".into())
    }

    fn of(seen: &Seen, want: &Spec, clean_layer: bool, transaction: &str) -> Self {
        let (id, name) = (id_of(&seen.inspect), name_of(&seen.inspect));
        let stem = stem(name, id);
        let reference = field(&want.config, "Image").to_owned();
        let mut notes = Vec::new();
        if !seen.by_reference && reference == text(&seen.inspect, "/Image") {
            notes.push(format!(
                "the image is named by its id: {:?} leads to another one now, or to none",
                text(&seen.inspect, "/Config/Image")
            ));
        }
        notes.extend(chosen_ports(&seen.inspect));
        Self {
            id: id.into(),
            name: name.into(),
            aside: format!("{stem}-seaworthy-{transaction}"),
            before: format!("{stem}-before-{transaction}"),
            after: format!("{stem}-after-{transaction}"),
            mark: format!("seaworthy-{transaction}-{}", id.get(..12).unwrap_or(id)),
            running: is_running(&seen.inspect),
            unhealthy: text(&seen.inspect, "/State/Health/Status") == "unhealthy",
            restart: object(&seen.inspect, "/HostConfig/RestartPolicy").into(),
            image: text(&seen.inspect, "/Image").into(),
            reference,
            ports: object(&seen.inspect, "/NetworkSettings/Ports").into(),
            networks: want.endpoints.keys().cloned().collect(),
            clean_layer,
            notes,
        }
    }

    /// The specification that the new one is made from, also after the old one was stopped and its policy held.
    fn wanted(&self, action: &plan::Recreate, old: &Seen) -> Result<Spec, Refusal> {
        let mut old = old.clone();
        for (section, key, value) in
            [("HostConfig", "RestartPolicy", &self.restart), ("NetworkSettings", "Ports", &self.ports)]
        {
            if let Some(Value::Object(section)) = old.inspect.get_mut(section) {
                section.insert(key.into(), value.clone());
            }
        }
        let mut want = options::merge(&Spec::of(&old), &action.set, &old)?;
        want.config.insert("Image".into(), self.reference.as_str().into());
        Ok(want)
    }
}

/// What becomes of ports of the host that the engine chose: it chooses anew whenever a container starts.
fn chosen_ports(inspect: &Value) -> Option<String> {
    let bound = object(inspect, "/HostConfig/PortBindings");
    let all = json::flag(inspect, "/HostConfig/PublishAllPorts");
    let is_chosen = |inside: &String| match json::items(bound.get(inside)) {
        [] => all,
        bindings => bindings.iter().any(|b| matches!(text(b, "/HostPort"), "" | "0")),
    };
    let ports = object(inspect, "/NetworkSettings/Ports");
    let chosen = ports.iter().filter(|(inside, got)| !json::items(Some(got)).is_empty() && is_chosen(inside));
    let named: Vec<String> = chosen.take(8).map(|(i, got)| format!("{i} (was {})", text(got, "/0/HostPort"))).collect();
    let names = named.join(", ");
    (!named.is_empty()).then(|| format!("the engine chooses another port of the host at each start: for {names}"))
}

/// The part of the other names that comes from the container's: whole, or, where it is very long, its beginning and its id.
fn stem(name: &str, id: &str) -> String {
    const LONGEST: usize = 128;
    match name.get(..LONGEST) {
        Some(head) if name.len() > LONGEST => format!("{head}-{}", id.get(..12).unwrap_or(id)),
        _ => name.to_owned(),
    }
}

fn engine(host: &Host) -> Result<&Engine, Failure> {
    host.engine.as_ref().ok_or_else(|| Failure::new("the engine is not at hand: a container is re-created through it"))
}

impl Act for plan::Recreate {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        refuse::check(self, host, engine(host)?)
    }

    fn prepare(&self, host: &Host, _keep: &mut Keep) -> Result<Value, Failure> {
        let engine = engine(host)?;
        let seen = steps::old(host, engine, &self.container.id)?;
        if name_of(&seen.inspect) != self.container.name {
            return Err(Failure(format!("the container {} has another name now: plan again", self.container.name)));
        }
        let want = options::merge(&Spec::of(&seen), &self.set, &seen).map_err(|r| Failure(r.to_string()))?;
        let clean = layer::changes(engine, &seen.inspect)?.is_empty();
        let intent = Intent::of(&seen, &want, clean, &host.transaction);
        serde_json::to_value(intent).at(|| "write the journal's entry".into())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        steps::apply(self, host, engine(host)?, &Intent::read(undo)?)
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        judge::verify(self, host, engine(host)?, &Intent::read(undo)?)
    }

    fn undo(&self, host: &Host, _keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        undo::undo(self, host, engine(host)?, &Intent::read(undo)?)
    }

    fn notes(&self, undo: &Value) -> Vec<String> {
        let notes = Intent::read(undo).map(|intent| intent.notes).unwrap_or_default();
        notes.iter().map(|note| format!("{}: {note}", self.container.name)).collect()
    }

    fn stage(&self) -> Stage {
        Stage::Engine
    }
}

/// Removes what a re-creation kept for its way back: the old container where the new one stands in its place, the new one
/// where the old one is back. Volumes stay. Returns the names of what was removed; nothing where there is nothing left.
///
/// # Errors
/// Where the engine refuses. What runs is never removed.
pub fn prune(host: &Host, undo: &Value) -> Result<Vec<String>, Failure> {
    undo::prune(engine(host)?, &Intent::read(undo)?)
}

/// What the user of a Compose project has to know when one of its containers is re-created, with what its file then has to
/// say; nothing for others.
#[must_use]
pub fn compose_notices(action: &plan::Recreate) -> Vec<String> {
    let Some((project, service)) = &action.compose else { return Vec::new() };
    let (add, remove) = crate::export::in_file(&action.set);
    let mut there = Vec::new();
    if !add.is_empty() {
        there.push(format!("add {}", add.join("; ")));
    }
    if !remove.is_empty() {
        there.push(format!("take out {}", remove.join("; ")));
    }
    vec![
        format!(
            "{project}/{service}: Compose is not asked, and makes it from its own files again after a change of them or with \
             --force-recreate: change the service there too: {} (harden export -f compose writes an override)",
            there.join("; ")
        ),
        format!(
            "{project}/{service}: until the old container is pruned (harden history --prune), Compose sees two of this \
             service, and `docker compose up` or `down` may remove either: prune before using it"
        ),
    ]
}
