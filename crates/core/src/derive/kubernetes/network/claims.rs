//! Claims that give the pods that mount them a path of whichever node they run on that decides what runs there as root.

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
}

impl<'a> Claims<'a> {
    pub(super) fn of(view: &View<'a>) -> Self {
        let mut out = Self { found: HashMap::new(), unknown: HashMap::new(), unlisted: view.partial(&k8s::VOLUME) };
        for volume in view.of(&k8s::VOLUME) {
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

/// Whether a volume is such a path of whichever node: a local volume is of one, and is left to the pods that have it.
fn gives(volume: &Component) -> Result<bool, Arc<str>> {
    let known = |fact: &str| match volume.value(fact) {
        Value::Unknown(why) => Err(Arc::clone(why)),
        value => Ok(value),
    };
    if known("type")?.as_str() != Some("hostPath") || !known("path")?.as_str().is_some_and(decides) {
        return Ok(false);
    }
    Ok(known("phase")?.as_str() == Some("Bound") && known("bound_to_nodes")? == &Value::Bool(false))
}
