//! Options that may be given several times.

use seaworthy_core::plan::SpecChange;
use serde_json::{Value, json};

use super::{Merge, clears, key, refused, stale};
use crate::act::Refusal;
use crate::act::recreate::caps;
use crate::act::recreate::json::{field, inner, items, object, strings, text};

impl Merge<'_> {
    /// A list of texts of `HostConfig`, taken as they are; numbers of groups are the same however they are spelt.
    pub(super) fn entries(&mut self, name: &str, change: &SpecChange) -> Result<(), Refusal> {
        let (mut now, was) = (strings(self.spec.host.get(name)), strings(self.was.host.get(name)));
        if clears(change) {
            now.clear();
        }
        let number = |text: &str| text.parse::<i64>().ok();
        let same = |entry: &str, gone: &str| entry == gone || number(entry).is_some_and(|n| number(gone) == Some(n));
        remove(&mut now, &was, change, same)?;
        for entry in change.add.iter().filter(|e| !e.is_empty()) {
            if !now.contains(entry) {
                now.push(entry.clone());
            }
        }
        self.spec.host.insert(name.into(), json!(now));
        Ok(())
    }

    pub(super) fn cap_drop(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        self.capabilities("CapDrop", change)?;
        // An added one outweighs a dropped one; what is dropped now is meant to go.
        let mut added = strings(self.spec.host.get("CapAdd"));
        added.retain(|a| !change.add.iter().any(|d| caps::bare(d) == caps::bare(a)));
        self.spec.host.insert("CapAdd".into(), json!(added));
        Ok(())
    }

    pub(super) fn cap_add(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        self.capabilities("CapAdd", change)
    }

    fn capabilities(&mut self, name: &str, change: &SpecChange) -> Result<(), Refusal> {
        let same = |a: &str, b: &str| caps::bare(a) == caps::bare(b);
        let (mut now, was) = (strings(self.spec.host.get(name)), strings(self.was.host.get(name)));
        remove(&mut now, &was, change, same)?;
        for added in &change.add {
            let bare = caps::bare(added);
            if bare != "ALL" && caps::bit(&bare).is_none() {
                return Err(refused(change, &format!("{added:?} is no capability")));
            }
            if bare == "ALL" && name == "CapDrop" {
                now.clear();
            }
            if !now.iter().any(|n| same(n, &bare)) {
                now.push(bare);
            }
        }
        self.spec.host.insert(name.into(), json!(now));
        Ok(())
    }

    pub(super) fn security_opt(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let (mut now, was) = (strings(self.spec.host.get("SecurityOpt")), strings(self.was.host.get("SecurityOpt")));
        for gone in &change.remove {
            if gone.starts_with("systempaths") {
                // The client turns it into two empty lists; null is the engine's own.
                self.spec.host.insert("MaskedPaths".into(), Value::Null);
                self.spec.host.insert("ReadonlyPaths".into(), Value::Null);
                continue;
            }
            let names = |o: &String| o == gone || subject(o) == *gone;
            if !was.iter().any(names) {
                return Err(stale(change, gone));
            }
            now.retain(|o| !names(o));
        }
        for added in &change.add {
            let about = subject(added);
            now.retain(|o| subject(o) != about && !(about.starts_with("label=") && is_label_off(o)));
            // Engines before 23.0 know no such profile by name: theirs is the one that holds where none is named.
            if added != "seccomp=builtin" || self.seen.api >= (1, 42) {
                now.push(added.clone());
            }
        }
        self.spec.host.insert("SecurityOpt".into(), json!(now));
        Ok(())
    }

    pub(super) fn device(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let (mut now, was) = (items(self.spec.host.get("Devices")).to_vec(), items(self.was.host.get("Devices")));
        for gone in &change.remove {
            let is = |d: &Value| text(d, "/PathOnHost") == gone || text(d, "/PathInContainer") == gone;
            if !was.iter().any(is) {
                return Err(stale(change, gone));
            }
            now.retain(|d| !is(d));
        }
        for added in change.add.iter().filter(|a| !a.is_empty()) {
            let mut parts = added.splitn(3, ':');
            let outside = parts.next().unwrap_or_default();
            let inside = parts.next().unwrap_or(outside);
            let rights = parts.next().unwrap_or("rwm");
            if !outside.starts_with('/') || !inside.starts_with('/') {
                return Err(refused(change, "it is HOST[:INSIDE[:rwm]], both paths absolute"));
            }
            now.push(json!({ "PathOnHost": outside, "PathInContainer": inside, "CgroupPermissions": rights }));
        }
        self.spec.host.insert("Devices".into(), now.into());
        Ok(())
    }

    pub(super) fn tmpfs(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let mut now = inner(&self.spec.host, "Tmpfs");
        let was = inner(&self.was.host, "Tmpfs");
        for gone in &change.remove {
            if now.remove(gone).is_none() && !was.contains_key(gone) {
                return Err(stale(change, gone));
            }
        }
        for added in &change.add {
            let (place, options) = added.split_once(':').unwrap_or((added, ""));
            if !place.starts_with('/') {
                return Err(refused(change, "it is DESTINATION[:OPTIONS], the destination absolute"));
            }
            now.insert(place.into(), options.into());
        }
        self.spec.host.insert("Tmpfs".into(), now.into());
        Ok(())
    }

    pub(super) fn env(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let (mut now, was) = (strings(self.spec.config.get("Env")), strings(self.was.config.get("Env")));
        remove(&mut now, &was, change, |entry, gone| key(entry) == gone)?;
        let image = strings(self.seen.image.pointer("/Config/Env"));
        for gone in &change.remove {
            if image.iter().any(|i| key(i) == gone) {
                // The engine would take it from the image again; a name without a value takes it away.
                now.push(gone.clone());
            }
        }
        for added in &change.add {
            now.retain(|entry| key(entry) != key(added));
            now.push(added.clone());
        }
        self.spec.config.insert("Env".into(), json!(now));
        Ok(())
    }

    pub(super) fn label(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let mut now = inner(&self.spec.config, "Labels");
        let was = inner(&self.was.config, "Labels");
        let image = object(&self.seen.image, "/Config/Labels");
        for gone in &change.remove {
            if image.contains_key(gone) {
                return Err(refused(change, &format!("{gone:?} is the image's own: build the image without it")));
            }
            if now.remove(gone).is_none() && !was.contains_key(gone) {
                return Err(stale(change, gone));
            }
        }
        for added in &change.add {
            let (name, value) = added.split_once('=').ok_or_else(|| refused(change, "it is NAME=VALUE"))?;
            now.insert(name.into(), value.into());
        }
        self.spec.config.insert("Labels".into(), now.into());
        Ok(())
    }

    pub(super) fn log_opt(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let mut log = inner(&self.spec.host, "LogConfig");
        let mut options = inner(&log, "Config");
        let was = inner(&inner(&self.was.host, "LogConfig"), "Config");
        for gone in &change.remove {
            if options.remove(gone).is_none() && !was.contains_key(gone) {
                return Err(stale(change, gone));
            }
        }
        for added in &change.add {
            let (name, value) = added.split_once('=').ok_or_else(|| refused(change, "it is NAME=VALUE"))?;
            let driver = field(&log, "Type");
            if name.starts_with("max-") && !matches!(driver, "" | "json-file" | "local") {
                return Err(refused(change, &format!("the log driver {driver} bounds nothing by {name}")));
            }
            options.insert(name.into(), value.into());
        }
        log.insert("Config".into(), options.into());
        self.spec.host.insert("LogConfig".into(), log.into());
        Ok(())
    }
}

/// Takes away what a change names; what was never there is stale.
fn remove(
    now: &mut Vec<String>,
    was: &[String],
    change: &SpecChange,
    same: impl Fn(&str, &str) -> bool,
) -> Result<(), Refusal> {
    for gone in &change.remove {
        if !was.iter().any(|entry| same(entry, gone)) {
            return Err(stale(change, gone));
        }
        now.retain(|entry| !same(entry, gone));
    }
    Ok(())
}

/// What a security option is about: `seccomp`, `no-new-privileges`, `label=type`.
fn subject(option: &str) -> String {
    let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (name, value.split_once(':')) {
        ("label", Some((part, _))) => format!("label={part}"),
        ("label", None) => format!("label={value}"),
        _ => name.to_owned(),
    }
}

fn is_label_off(option: &str) -> bool {
    matches!(option, "label=disable" | "label:disable")
}
