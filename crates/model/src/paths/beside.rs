//! Containers that meet without an element of the diagram between them: over a legacy link, or at a directory of the host
//! that both mount. Never told pair by pair: a link is one entry of one container, a directory a list of who mounts it.

use std::collections::{BTreeMap, HashMap};

use seaworthy_core::component::Component;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::path::normalise;
use seaworthy_core::schema::docker;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::value::Value;

use super::ground::Tri;

/// The most directories of which containers with unknown mounts are taken for possible mounters.
const MOST_UNKNOWN: usize = 64;

/// Who meets whom.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// For each element the containers that it is linked to, and whether surely.
    pub(super) linked: HashMap<usize, Vec<(usize, Tri)>>,
    /// For each element the directories that it shares, by position, and whether it writes there.
    pub(super) at: HashMap<usize, Vec<(usize, Mount)>>,
    /// For each directory who mounts it.
    mounters: Vec<Vec<(usize, Mount)>>,
}

/// How a container mounts a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Mount {
    /// Whether it does.
    there: Tri,
    /// Whether it may write.
    writes: Tri,
}

impl Beside {
    pub(super) fn new(snapshot: &Snapshot, diagram: &Diagram) -> Self {
        let mut out = Self::default();
        for target in 0..snapshot.targets.len() {
            let of_target = diagram.elements.iter().enumerate().filter(|(_, e)| e.target == target);
            let containers: Vec<(usize, &Component)> = of_target
                .filter(|(_, e)| e.kind == docker::CONTAINER.name)
                .filter_map(|(i, e)| Some((i, snapshot.targets[target].components.get(e.component?)?)))
                .collect();
            out.links(&containers);
            out.directories(&containers);
        }
        out
    }

    /// `/db:/web/db`: the container that is linked to, then the name that it has here.
    fn links(&mut self, containers: &[(usize, &Component)]) {
        let by_name: HashMap<&str, usize> = containers.iter().map(|(i, c)| (&*c.name, *i)).collect();
        for (element, container) in containers {
            let mut to: Vec<(usize, Tri)> = Vec::new();
            for link in container.value("links").as_list().unwrap_or_default().iter().filter_map(Value::as_str) {
                let name = link.split(':').next().unwrap_or_default().trim_start_matches('/');
                to.extend(by_name.get(name).filter(|other| *other != element).map(|other| (*other, Tri::Yes)));
            }
            if !to.is_empty() {
                to.sort_unstable();
                to.dedup();
                self.linked.insert(*element, to);
            }
        }
    }

    /// Directories of the host that two mount and one may write to. Those that decide over the host are another matter, and
    /// sockets are no place to keep anything.
    fn directories(&mut self, containers: &[(usize, &Component)]) {
        let mut by_path: BTreeMap<String, BTreeMap<usize, Mount>> = BTreeMap::new();
        let mut unknown: Vec<usize> = Vec::new();
        for (element, container) in containers {
            let Value::List(mounts) = container.value("mounts") else {
                unknown.push(*element);
                continue;
            };
            let reached = |fact: &str, path: &str| {
                let all = container.value(fact).as_list().unwrap_or_default();
                all.iter().any(|m| m.field("source").and_then(Value::as_str) == Some(path))
            };
            for mount in mounts.iter().filter(|m| m.field("type").and_then(Value::as_str) == Some("bind")) {
                let Some(source) = mount.field("source").and_then(Value::as_str).filter(|s| s.starts_with('/')) else {
                    continue;
                };
                let path = normalise(source).into_owned();
                if reached("sensitive_mounts", &path) || reached("runtime_sockets", &path) {
                    continue;
                }
                let writes = mount.field("rw").map_or(Tri::Perhaps, Tri::of_value);
                let here = by_path.entry(path).or_default().entry(*element);
                let known = here.or_insert(Mount { there: Tri::Yes, writes });
                known.writes = known.writes.max(writes);
            }
        }
        let shared = |mounters: &BTreeMap<usize, Mount>| {
            mounters.len() + unknown.len() >= 2 && mounters.values().any(|m| m.writes != Tri::No)
        };
        for (i, mut mounters) in by_path.into_values().filter(shared).enumerate() {
            if i < MOST_UNKNOWN {
                let may = Mount { there: Tri::Perhaps, writes: Tri::Perhaps };
                unknown.iter().for_each(|element| {
                    mounters.entry(*element).or_insert(may);
                });
            }
            if mounters.len() < 2 {
                continue;
            }
            let directory = self.mounters.len();
            for (element, mount) in &mounters {
                self.at.entry(*element).or_default().push((directory, *mount));
            }
            self.mounters.push(mounters.into_iter().collect());
        }
    }

    /// The containers that share a directory with this one: where they keep what this one reads, or where this one writes
    /// what they read.
    pub(super) fn sharing(&self, element: usize, write: bool) -> Vec<(usize, Tri)> {
        let mut found: BTreeMap<usize, Tri> = BTreeMap::new();
        for (directory, own) in self.at.get(&element).map_or(&[][..], Vec::as_slice) {
            for (other, theirs) in self.mounters[*directory].iter().filter(|(other, _)| *other != element) {
                let writer = if write { own.writes } else { theirs.writes };
                let truth = writer.min(own.there).min(theirs.there);
                let known = found.entry(*other).or_insert(Tri::No);
                *known = truth.max(*known);
            }
        }
        found.into_iter().filter(|(_, truth)| *truth != Tri::No).collect()
    }

    /// The containers that this one is linked to.
    pub(super) fn linked(&self, element: usize) -> Vec<(usize, Tri)> {
        self.linked.get(&element).cloned().unwrap_or_default()
    }
}
