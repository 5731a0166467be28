//! Manifests: objects of the API from files, handed to the gatherers that a cluster's objects go to.
//!
//! What is not there is unknown, since a cluster may have it all the same; a document that cannot be read may be any
//! object, so that no kind is complete then.

mod kustomize;
mod object;
mod removed;
mod set;
mod version;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use seaworthy_core::snapshot::{Gap, Target};
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::object::Place;
use super::yaml::{self, Broken, Document, Item};
use crate::redact::Redactor;
use object::Refused;
use set::Set;

pub use version::Version;
pub(crate) use walk::{is_manifest, walk};

/// The most gaps of one path that are told one by one.
const MOST_GAPS: usize = 64;

/// How deep lists of lists go.
const MOST_LISTS: usize = 8;

/// The most sets of objects that cannot be in one cluster.
const MOST_SETS: usize = 16;

/// The most objects of APIs that are served no more that are told.
const MOST_REMOVED: usize = 64;

/// The most kinds that nothing reads and that are named.
const MOST_NAMED: usize = 4;

/// The objects of the files of one path.
pub(crate) struct Manifests<'r> {
    version: Option<&'r Version>,
    redactor: &'r Redactor,
    sets: Vec<Set>,
    gaps: Vec<Gap>,
    /// How many gaps are not told.
    more_gaps: usize,
    /// The first reason for which objects of any kind may be missing.
    hidden: Option<String>,
    /// Kinds of which an object could not be read, with the reason.
    unread: HashMap<(&'static str, &'static str), String>,
    files: usize,
    objects: usize,
    /// Files without an object, and objects of kinds that nothing reads.
    other_files: usize,
    other_kinds: BTreeMap<String, usize>,
    /// Objects of APIs that are served no more: the first minor version without it, and what is told.
    removed: Vec<(u16, String)>,
}

/// What a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It holds objects, or some that could not be read.
    Manifest,
    /// It holds none.
    Other,
}

impl<'r> Manifests<'r> {
    pub fn new(version: Option<&'r Version>, redactor: &'r Redactor) -> Self {
        Self {
            version,
            redactor,
            sets: Vec::new(),
            gaps: Vec::new(),
            more_gaps: 0,
            hidden: None,
            unread: HashMap::new(),
            files: 0,
            objects: 0,
            other_files: 0,
            other_kinds: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// Takes the objects of a file. What cannot be read in it may be an object where it `names` the fields of one.
    pub fn file(&mut self, name: &str, bytes: &[u8], names: bool) -> Kind {
        let name: Arc<str> = name.into();
        let (objects, gaps) = (self.objects, self.gaps.len() + self.more_gaps);
        let others: usize = self.other_kinds.values().sum();
        let read = yaml::documents(bytes, |read| {
            if names || read.is_ok() {
                self.document(&name, read);
            }
        });
        if let (Err(why), true) = (read, names) {
            self.lost(&*name, why);
        }
        let is_manifest = objects < self.objects
            || gaps < self.gaps.len() + self.more_gaps
            || others < self.other_kinds.values().sum();
        if is_manifest {
            self.files += 1;
            return Kind::Manifest;
        }
        self.other_files += 1;
        Kind::Other
    }

    /// A file that is known to hold no object, by its text alone.
    pub fn other(&mut self) {
        self.other_files += 1;
    }

    /// Something that could not be read, in which objects of any kind may be.
    pub fn lost(&mut self, source: impl Into<String>, reason: impl Into<String>) {
        let (source, reason) = (source.into(), reason.into());
        self.hidden.get_or_insert_with(|| format!("{source}: {reason}"));
        self.gap(source, reason, "the objects in it");
    }

    /// Something that is not as it seems, and hides no object.
    pub fn gap(&mut self, source: impl Into<String>, reason: impl Into<String>, affects: &str) {
        if self.gaps.len() == MOST_GAPS {
            self.more_gaps += 1;
            return;
        }
        self.gaps.push(Gap { source: source.into(), reason: reason.into(), affects: affects.to_owned() });
    }

    fn document(&mut self, name: &Arc<str>, read: Result<Document, Broken>) {
        match read {
            Ok(document) => {
                let before = self.objects;
                let Document { line, mut json, marks, doubts } = document;
                let place = Place { name: Arc::clone(name), positions: Some(marks.clone()) };
                if let Some(items) = items(&mut json) {
                    let list =
                        List { marks: &marks, name, api_version: text(&json, "apiVersion"), kind: text(&json, "kind") };
                    self.list(&list, items, &mut Vec::new());
                } else {
                    self.object(&mut json, &place, line);
                }
                let is_object = before < self.objects;
                for doubt in doubts.iter().filter(|_| is_object) {
                    self.gap(&**name, doubt, "what other readers take it for");
                }
            }
            Err(Broken { line, reason, is_template }) => {
                let reason = if is_template {
                    format!("line {line}: it is a template that nobody rendered: {reason}; {RENDER}")
                } else {
                    format!("line {line}: {reason}")
                };
                self.lost(&**name, reason);
            }
        }
    }

    fn list(&mut self, list: &List<'_>, items: Vec<Json>, steps: &mut Vec<usize>) {
        if steps.len() == MOST_LISTS {
            self.lost(&**list.name, format!("lists in lists, deeper than {MOST_LISTS}"));
            return;
        }
        let of_items = list.kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        for (i, mut item) in items.into_iter().enumerate() {
            steps.push(i);
            if let Some(fields) = item.as_object_mut() {
                // The API server leaves both out of the items of its lists.
                for (field, of_list) in [("apiVersion", Some(&*list.api_version)), ("kind", of_items)] {
                    if let Some(value) = of_list.filter(|_| !fields.contains_key(field)) {
                        fields.insert(field.to_owned(), Json::from(value));
                    }
                }
            }
            if let Some(within) = self::items(&mut item) {
                let inner = List { api_version: text(&item, "apiVersion"), kind: text(&item, "kind"), ..*list };
                self.list(&inner, within, steps);
            } else {
                let positions = Item { document: Arc::clone(list.marks), steps: steps.as_slice().into() };
                let place = Place { name: Arc::clone(list.name), positions: Some(Arc::new(positions)) };
                let line = place.positions.as_ref().and_then(|of| of.of("")).map_or(1, |(line, _)| line);
                self.object(&mut item, &place, line);
            }
            steps.pop();
        }
    }

    /// Remembers an object that is written for an API that is served no more.
    fn removed(&mut self, json: &Json, place: &Place, line: usize) {
        let (api, kind) = (text(json, "apiVersion"), text(json, "kind"));
        if let Some(removed) = removed::of(&api, &kind).filter(|_| self.removed.len() < MOST_REMOVED) {
            let name = crate::docker::history::within(json["metadata"]["name"].as_str().unwrap_or_default(), 253);
            let told = format!("{api} {kind} {name}, not served since 1.{}: {}:{line}", removed.since, place.name);
            self.removed.push((removed.since, told));
        }
    }

    fn object(&mut self, json: &mut Json, place: &Place, line: usize) {
        self.removed(json, place, line);
        match object::accept(json) {
            Ok(resource) => {
                self.objects += 1;
                let identity = object::identity(resource, json);
                for set in &mut self.sets {
                    if set.add(&identity, json, place, self.redactor) {
                        return;
                    }
                }
                if self.sets.len() == MOST_SETS {
                    self.lost(
                        &*place.name,
                        format!("line {line}: {} is given more than {MOST_SETS} times", identity.shown()),
                    );
                    return;
                }
                let mut set = Set::new();
                set.add(&identity, json, place, self.redactor);
                self.sets.push(set);
            }
            Err(Refused::NoObject) => {}
            Err(Refused::OtherKind(kind)) => *self.other_kinds.entry(kind).or_default() += 1,
            Err(Refused::Wrong(resource, why)) => {
                let reason = format!("line {line}: {why}");
                self.unread.entry(resource).or_insert_with(|| format!("{}: {reason}", place.name));
                self.gap(&*place.name, reason, "this object");
            }
        }
    }

    /// Puts the components into the target. Objects that cannot be in one cluster with the others, since they have the
    /// same name, go to targets of their own.
    pub fn finish(mut self, target: &mut Target) -> Vec<Target> {
        if self.more_gaps > 0 {
            let more = std::mem::take(&mut self.more_gaps);
            let reason = format!("{more} more documents or files could not be read, or hold keys twice");
            self.gaps.push(Gap { source: target.name.clone(), reason, affects: "the objects in them".to_owned() });
        }
        if self.files == 0 && self.gaps.is_empty() {
            return Vec::new();
        }
        if self.sets.is_empty() {
            self.sets.push(Set::new());
        }
        target.about = self.about();
        target.gaps.append(&mut self.gaps);
        let mut more = Vec::new();
        let removed = self.removed_apis();
        for (i, set) in self.sets.into_iter().enumerate() {
            let unread = |group, kind| match &self.hidden {
                Some(reason) => Some(reason.as_str()),
                None => self.unread.get(&(group, kind)).map(String::as_str),
            };
            if i == 0 {
                set.finish(target, self.version, removed.clone(), unread);
                continue;
            }
            let mut other = Target::new(target.name.clone(), "files", target.address.clone());
            other.about = "objects of names that the others have already".to_owned();
            set.finish(&mut other, self.version, removed.clone(), unread);
            more.push(other);
        }
        more
    }

    /// The objects that the version does not serve; unknown where files do not say the version, or hide objects.
    fn removed_apis(&self) -> Value {
        let told: Vec<Value> = match self.version {
            None if self.removed.is_empty() => Vec::new(),
            None => return Value::unknown("files do not say the version: --kubernetes-version does"),
            Some(version) => {
                let gone = self.removed.iter().filter(|(since, _)| *since <= version.minor);
                gone.map(|(_, told)| Value::from(told.as_str())).collect()
            }
        };
        match &self.hidden {
            Some(reason) if told.is_empty() => Value::unknown(reason.as_str()),
            _ => Value::List(told),
        }
    }

    /// `7 objects in 3 files, 2 of kinds that no check reads (Foo, Bar), 1 file without any`.
    fn about(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut about = format!("{} in {}", count(self.objects, "object"), count(self.files, "file"));
        let others: usize = self.other_kinds.values().sum();
        if others > 0 {
            let named: Vec<&str> = self.other_kinds.keys().take(MOST_NAMED).map(String::as_str).collect();
            let more = if self.other_kinds.len() > MOST_NAMED { ", …" } else { "" };
            about.push_str(&format!(", {others} more of kinds that nothing reads ({}{more})", named.join(", ")));
        }
        if self.other_files > 0 {
            about.push_str(&format!(", {} without any", count(self.other_files, "file")));
        }
        about
    }
}

/// What to do with a template.
const RENDER: &str = "give what renders it: `helm template CHART | seaworthy audit -`";

/// A list of objects.
#[derive(Clone)]
struct List<'l> {
    marks: &'l Arc<yaml::Marks>,
    name: &'l Arc<str>,
    api_version: String,
    kind: String,
}

/// The items of a list, taken out of it; of a `List` without any, none.
fn items(json: &mut Json) -> Option<Vec<Json>> {
    let is_list = json.get("kind")?.as_str()?.ends_with("List") && json.get("apiVersion")?.is_string();
    match json.get_mut("items").filter(|_| is_list)? {
        Json::Array(items) => Some(std::mem::take(items)),
        Json::Null => Some(Vec::new()),
        _ => None,
    }
}

fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}

/// The target that a file's bytes alone give; for tests of the reader.
pub fn target(bytes: &[u8], version: Option<&Version>, redactor: &Redactor) -> Target {
    let mut manifests = Manifests::new(version, redactor);
    manifests.file("manifest.yaml", bytes, true);
    let mut target = Target::new("manifest.yaml", "files", "/manifest.yaml");
    manifests.finish(&mut target);
    crate::assemble::scrub::scrub(&mut target, redactor);
    target
}
