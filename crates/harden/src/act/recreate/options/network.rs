//! Networks that a container joins and leaves, and legacy links.

use seaworthy_core::plan::SpecChange;
use serde_json::{Value, json};

use super::{Merge, clears, refused, stale};
use crate::act::Refusal;
use crate::act::recreate::json::{Object, field, strings};
use crate::act::recreate::seen::first_network;
use crate::act::recreate::spec::link;

impl Merge<'_> {
    pub(super) fn network(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let mode = self.spec.mode().to_owned();
        let was = first_network(self.was.mode()).to_owned();
        let (mut left_first, mut left) = (false, Object::new());
        for gone in &change.remove {
            let gone = first_network(gone);
            let endpoint = self.spec.endpoints.remove(gone);
            let is_first = gone == first_network(&mode);
            if endpoint.is_none() && !is_first && gone != was && !self.was.endpoints.contains_key(gone) {
                return Err(stale(change, gone));
            }
            left_first |= is_first;
            left = endpoint.unwrap_or(left);
        }
        for joined in &change.add {
            if joined == "host" || joined.starts_with("container:") || joined.is_empty() {
                return Err(refused(change, "a network of its own is joined, or none"));
            }
            if joined != "none" {
                self.spec.endpoints.entry(joined.clone()).or_insert_with(|| carried(&left));
            } else if change.add.len() > 1 || !self.spec.endpoints.is_empty() {
                return Err(refused(change, "none goes with no other network"));
            }
        }
        if left_first {
            let first = change.add.first().or_else(|| self.spec.endpoints.keys().next()).cloned();
            let first = first.ok_or_else(|| refused(change, "it would be in no network: name one, or none"))?;
            self.start_in(&first, &mode);
        } else if !change.add.is_empty() && !self.spec.has_networks() {
            return Err(refused(change, &format!("it cannot join a network while it is on {mode}")));
        }
        Ok(())
    }

    fn start_in(&mut self, first: &str, before: &str) {
        self.spec.host.insert("NetworkMode".into(), first.into());
        let links = strings(self.spec.host.get("Links"));
        if let (false, Some(endpoint)) = (links.is_empty(), self.spec.endpoints.get_mut(first)) {
            // Links of the default bridge are the container's, those of any other network its endpoint's.
            endpoint.insert("Links".into(), json!(links));
            self.spec.host.insert("Links".into(), Value::Null);
        }
        if before == "host" && field(&self.spec.config, "Hostname") == self.seen.host_name {
            // The host's name came with its network.
            self.spec.config.remove("Hostname");
        }
        if before.starts_with("container:") {
            // As did the name of the container that it joined.
            self.spec.config.remove("Domainname");
        }
        if !self.spec.has_networks() {
            self.spec.config.remove("MacAddress");
        }
    }

    pub(super) fn link(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        if change.add.iter().any(|a| !a.is_empty()) {
            return Err(refused(change, "links are only taken away"));
        }
        let all = clears(change);
        let gone: Vec<String> = change.remove.iter().map(|l| link(l)).collect();
        let of_networks = self.was.endpoints.values().flat_map(|e| strings(e.get("Links")));
        let was: Vec<String> = strings(self.was.host.get("Links")).into_iter().chain(of_networks).collect();
        if let Some(missing) = gone.iter().find(|g| !was.contains(g)) {
            return Err(stale(change, missing));
        }
        for holder in std::iter::once(&mut self.spec.host).chain(self.spec.endpoints.values_mut()) {
            let mut links = strings(holder.get("Links"));
            links.retain(|l| !all && !gone.contains(l));
            holder.insert("Links".into(), json!(links));
        }
        Ok(())
    }
}

/// What goes along from a network that is left to one that is joined: names, not addresses.
fn carried(left: &Object) -> Object {
    let named = left.iter().filter(|(key, _)| matches!(key.as_str(), "Aliases" | "Links"));
    named.map(|(key, value)| (key.clone(), value.clone())).collect()
}
