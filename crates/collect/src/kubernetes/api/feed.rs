//! Pages of lists, parsed once each and handed object by object to the gatherers that want them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value as Json;

use super::discovery::key;
use super::failure::Failure;
use super::items;
use crate::kubernetes::gather::{Gather, Resource};
use crate::kubernetes::object::{Object, Place};
use crate::redact::Redactor;

/// The gatherers, each fed by one thread at a time.
pub(super) struct Feed {
    gatherers: Vec<Mutex<Box<dyn Gather>>>,
    redactor: std::sync::Arc<Redactor>,
}

/// A resource with those who want it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub resource: Resource,
    by: Vec<usize>,
}

/// What one list brought so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Objects by a hash of their uid, with the pass that brought them last: one that a list brings again, because it was
    /// begun anew, is handed on once.
    objects: HashMap<u64, u8>,
    /// How often the list was begun anew.
    pub pass: u8,
    /// Items without a name: no object of the API is so.
    pub nameless: usize,
}

/// What a page says besides its objects.
#[derive(Debug)]
pub(super) struct Page {
    /// How to go on, where there is more.
    pub next: Option<String>,
    /// Whether it has objects, none of which any page before had in this pass.
    pub is_repeated: bool,
}

impl Feed {
    pub(super) fn new(gatherers: Vec<Box<dyn Gather>>, redactor: std::sync::Arc<Redactor>) -> Self {
        Self { gatherers: gatherers.into_iter().map(Mutex::new).collect(), redactor }
    }

    /// Every resource that some gatherer wants, once each, without secrets: their values are never asked for.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = Vec::new();
        for (i, gatherer) in self.gatherers.iter().enumerate() {
            let gatherer = gatherer.lock().unwrap_or_else(PoisonError::into_inner);
            for resource in gatherer.resources() {
                if resource.group.is_empty() && resource.plural == "secrets" {
                    continue;
                }
                let same = |w: &&mut Wanted| (w.resource.group, w.resource.plural) == (resource.group, resource.plural);
                match all.iter_mut().find(same) {
                    Some(wanted) => {
                        wanted.resource.optional &= resource.optional;
                        if !wanted.by.contains(&i) {
                            wanted.by.push(i);
                        }
                    }
                    None => all.push(Wanted { resource: *resource, by: vec![i] }),
                }
            }
        }
        // The longest first: what is asked for last should be short.
        all.sort_by_key(|w| match w.resource.plural {
            "pods" => 0,
            "replicasets" => 1,
            "configmaps" => 2,
            "namespaces" | "nodes" => 3,
            _ => 4,
        });
        all
    }

    /// Hands on the objects of a page, each as it is parsed: a whole page as a tree takes ten times its text. What comes
    /// before an error has been handed on, and stays true.
    pub(super) fn page(&self, wanted: &Wanted, version: &str, bytes: &Bytes, seen: &mut Seen) -> Result<Page, Failure> {
        // In the order of the gatherers everywhere, so that no two pages wait for one another.
        let by = wanted.by.iter().filter_map(|i| self.gatherers.get(*i));
        let mut by: Vec<_> = by.map(|g| g.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let api_version = key(wanted.resource.group, version);
        let kind = wanted.resource.kind;
        let (mut any, mut news) = (false, false);
        let next = items::each(bytes, |mut item| {
            let (keep, is_news) = name(&mut item, &api_version, kind, seen);
            any = true;
            news |= is_news;
            if keep {
                let place = place(&item, kind);
                by.iter_mut().for_each(|gatherer| gatherer.add(Object { json: &item, place: &place }, &self.redactor));
            }
        })?;
        Ok(Page { next, is_repeated: any && !news })
    }

    /// Tells those who want a resource that it could not be listed.
    pub(super) fn unread(&self, wanted: &Wanted, reason: &str) {
        for gatherer in wanted.by.iter().filter_map(|i| self.gatherers.get(*i)) {
            gatherer.lock().unwrap_or_else(PoisonError::into_inner).unread(&wanted.resource, reason);
        }
    }

    /// The gatherers, when all was handed on.
    pub(super) fn into_gatherers(self) -> impl Iterator<Item = Box<dyn Gather>> {
        self.gatherers.into_iter().map(|g| g.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Gives an item of a list its kind. Whether it is handed on, and whether this pass had it not yet.
fn name(item: &mut Json, api_version: &str, kind: &str, seen: &mut Seen) -> (bool, bool) {
    let mut hash = DefaultHasher::new();
    let meta = &item["metadata"];
    let Some(object) = meta["name"].as_str() else {
        seen.nameless += 1;
        return (false, false);
    };
    (meta["namespace"].as_str(), object, meta["uid"].as_str()).hash(&mut hash);
    if let Some(before) = seen.objects.insert(hash.finish(), seen.pass) {
        return (false, before != seen.pass);
    }
    if let Json::Object(map) = item {
        map.insert("apiVersion".to_owned(), api_version.into());
        map.insert("kind".to_owned(), kind.into());
    }
    (true, true)
}

/// `pod shop/web`.
fn place(item: &Json, kind: &str) -> Place {
    let (name, namespace) =
        (item["metadata"]["name"].as_str().unwrap_or_default(), item["metadata"]["namespace"].as_str());
    let kind = kind.to_lowercase();
    Place::of_server(match namespace.filter(|n| !n.is_empty()) {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

/// How to go on after a page, read from its first bytes, so that the next one comes while this one is parsed. Go writes
/// the list's metadata before the items; where it is otherwise, nothing is lost but time.
pub(super) fn glance(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(8 << 10)];
    let at = memchr::memmem::find(head, b"\"items\":")?;
    let mut whole = head[..at].to_vec();
    whole.extend_from_slice(b"\"items\":null}");
    let json: Json = serde_json::from_slice(&whole).ok()?;
    items::way_on(&json["metadata"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_is_seen_before_the_page_is_parsed() {
        let page =
            br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"abc"},"items":[{"#;
        assert_eq!(glance(page).as_deref(), Some("abc"));
        assert_eq!(glance(br#"{"apiVersion":"v1","items":[],"metadata":{"continue":"abc"}}"#), None);
        assert_eq!(glance(b"{\"kind\":\"PodList\",\"metadata\":{}"), None);
    }
}
