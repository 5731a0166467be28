//! Claims that give the pods that mount them a path of whichever node they run on that decides what runs there as root:
//! those that are there, and those that whoever makes pods can have made.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::super::open_list;
use super::super::pods::decides;
use super::{MOST, View};
use crate::component::Component;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

/// Such claims by their namespaces.
pub(super) struct Claims<'a> {
    found: HashMap<&'a str, Vec<Value>>,
    /// Why a namespace may have others.
    unknown: HashMap<&'a str, Arc<str>>,
    unlisted: Option<Arc<str>>,
    free: Vec<Free<'a>>,
    /// Why whoever makes pods may not have claims made with them.
    alone: Option<Arc<str>>,
}

/// A volume that nobody has claimed.
struct Free<'a> {
    /// Its name, or why it may be none.
    volume: Result<&'a str, Arc<str>>,
    /// The claim that it is kept for: its namespace and its name.
    kept: Option<(&'a str, &'a str)>,
}

/// From this minor version on a pod brings claims of its own along, whatever gates are set.
const GENERIC_EPHEMERAL: i64 = 23;

impl<'a> Claims<'a> {
    pub(super) fn of(view: &View<'a>) -> Self {
        let minor = view.of(&k8s::CLUSTER).next().map(|cluster| cluster.value("minor"));
        let alone = match minor.and_then(Value::as_int) {
            Some(minor) if minor >= GENERIC_EPHEMERAL => None,
            Some(_) => Some("in this version only whoever may create claims has one made".into()),
            None => Some("whether pods bring claims along depends on the cluster's version".into()),
        };
        let (found, unknown, unlisted) = (HashMap::new(), HashMap::new(), view.partial(&k8s::VOLUME));
        let mut out = Self { found, unknown, unlisted, free: Vec::new(), alone };
        for volume in view.of(&k8s::VOLUME) {
            out.free.extend(free(volume));
            let claim = match volume.value("claim") {
                Value::Str(claim) => claim,
                Value::Unknown(why) => {
                    out.unlisted.get_or_insert_with(|| Arc::clone(why));
                    continue;
                }
                _ => continue,
            };
            let Some((namespace, name)) = claim.split_once('/') else { continue };
            match gives(volume) {
                Ok(true) => out.found.entry(namespace).or_default().push(name.into()),
                Ok(false) => {}
                Err(why) => _ = out.unknown.entry(namespace).or_insert(why),
            }
        }
        out
    }

    /// Those of a namespace.
    pub(super) fn of_namespace(&self, namespace: &str) -> Value {
        let found = self.found.get(namespace).map_or(&[][..], Vec::as_slice);
        let found = found.iter().take(MOST).cloned().collect();
        open_list(found, self.unknown.get(namespace).or(self.unlisted.as_ref()))
    }
}

impl Claims<'_> {
    /// The volumes that a claim of a namespace gets that a pod there brings along.
    pub(super) fn free_in(&self, namespace: &str) -> Value {
        let (mut found, mut unknown) = (Vec::new(), self.unlisted.clone());
        for free in &self.free {
            if free.kept.is_some_and(|(of, _)| of != namespace) {
                continue;
            }
            // The claim of a pod is called as the pod and its volume are: POD-VOLUME.
            let named = free.kept.is_none_or(|(_, claim)| {
                claim.split_once('-').is_some_and(|(pod, volume)| !pod.is_empty() && !volume.is_empty())
            });
            match (&free.volume, &self.alone) {
                (Ok(name), None) if named => found.push(Value::from(*name)),
                (Ok(name), None) => {
                    let why = || format!("{name} is kept for a claim whose name no pod brings along").into();
                    unknown = unknown.or_else(|| Some(why()));
                }
                (Ok(_), Some(why)) | (Err(why), _) => unknown = unknown.or_else(|| Some(Arc::clone(why))),
            }
        }
        found.truncate(MOST);
        open_list(found, unknown.as_ref())
    }
}

/// A volume as one that nobody has claimed; none where it surely is none, or is no such path.
fn free(volume: &Component) -> Option<Free<'_>> {
    let kept = volume.value("claim").as_str().and_then(|claim| claim.split_once('/'));
    let is = || -> Result<bool, Arc<str>> {
        let available = is_decisive(volume)? && known(volume, "phase")?.as_str() == Some("Available");
        known(volume, "claim").map(|_| available)
    };
    match is() {
        Ok(false) => None,
        Ok(true) => Some(Free { volume: Ok(&volume.name), kept }),
        Err(why) => Some(Free { volume: Err(why), kept }),
    }
}

/// The same as a fact.
pub(super) fn decisive(volume: &Component) -> Value {
    is_decisive(volume).map_or_else(Value::Unknown, Value::Bool)
}

/// Whether a volume is such a path of whichever node: a local volume is of one, and is left to the pods that have it.
fn is_decisive(volume: &Component) -> Result<bool, Arc<str>> {
    if known(volume, "type")?.as_str() != Some("hostPath") || !known(volume, "path")?.as_str().is_some_and(decides) {
        return Ok(false);
    }
    // A kubelet mounts no path with options, and gives none as a device.
    let plain = known(volume, "mount_options")?.as_list().is_some_and(<[Value]>::is_empty);
    Ok(plain
        && known(volume, "mode")?.as_str() == Some("Filesystem")
        && known(volume, "bound_to_nodes")? == &Value::Bool(false))
}

/// Whether a claim has such a volume already.
fn gives(volume: &Component) -> Result<bool, Arc<str>> {
    if !is_decisive(volume)? {
        return Ok(false);
    }
    Ok(known(volume, "phase")?.as_str() == Some("Bound"))
}

fn known<'v>(volume: &'v Component, fact: &str) -> Result<&'v Value, Arc<str>> {
    match volume.value(fact) {
        Value::Unknown(why) => Err(Arc::clone(why)),
        value => Ok(value),
    }
}
