//! Which accesses were to the very files that checks look at.
//!
//! A record has the path as the process named it, and a process in a container, in a chroot or behind a mount may mean
//! another file by the same name. So the inode and its device must be those of the file that has the path now, or of one
//! that was logged when it was replaced or removed; of what was made or removed, else, those of its directory. What is
//! not proven so is left out: nobody is named for another file.

use std::collections::{BTreeMap, HashMap};

use super::calls::Act;
use super::log::{Access, Event, Item, Log, Part};
use super::watched::Watched;
use crate::host::root::Root;

/// The most accesses that are kept of one kind to one path, the latest ones.
const MOST_ALIKE: usize = 16;
/// The most that are kept.
const MOST: usize = 512;
/// The most directories of which the links are resolved.
const MOST_DIRS: usize = 1024;

/// A file by its device and inode.
type File = ((u32, u32), u64);

/// A path of an access.
struct Met<'a> {
    access: &'a Access,
    /// As the access names it.
    name: &'a str,
    item: Item,
}

/// Keeps what is proven, and of much that is alike the latest.
pub(super) fn prove(root: &Root, accesses: &[Access], watched: &Watched) -> Log {
    let mut places = Places { root, dirs: HashMap::new() };
    let mut paths: BTreeMap<String, Vec<Met<'_>>> = BTreeMap::new();
    for access in accesses {
        for (name, item) in &access.items {
            let Some(name) = name.as_deref().filter(|name| item.part != Part::Parent && watched.matters(name)) else {
                continue;
            };
            if let Some(path) = places.resolved(name) {
                paths.entry(path).or_default().push(Met { access, name, item: *item });
            }
        }
    }
    let mut log = Log::default();
    for (path, met) in paths {
        log.events.extend(of_path(root, &path, &met));
    }
    // What was refused is kept last: whoever may do nothing could else push out what others did.
    log.events.sort_by_key(|event| (event.success, event.stamp));
    if let Some(over) = log.events.len().checked_sub(MOST) {
        let dropped: Vec<Event> = log.events.drain(..over).collect();
        let last = dropped.iter().filter(|event| event.success).map(|event| event.stamp.at).max();
        log.began = last.map_or(0, |at| at + 1);
    }
    log.events.sort_by_key(|event| event.stamp);
    log
}

struct Places<'a> {
    root: &'a Root,
    dirs: HashMap<String, Option<String>>,
}

impl Places<'_> {
    /// The path with the links of its directory resolved; its own name stays.
    fn resolved(&mut self, path: &str) -> Option<String> {
        let (dir, name) = path.rsplit_once('/')?;
        let dir = if dir.is_empty() { "/" } else { dir };
        if !self.dirs.contains_key(dir) {
            if self.dirs.len() == MOST_DIRS {
                return None;
            }
            let real = self.root.canonical(dir).ok().and_then(|real| real.to_str().map(str::to_owned));
            self.dirs.insert(dir.to_owned(), real);
        }
        let real = self.dirs.get(dir)?.as_deref()?;
        Some(format!("{}/{name}", real.trim_end_matches('/')))
    }
}

/// The accesses to one path that are proven, from the latest to the first.
fn of_path(root: &Root, path: &str, met: &[Met<'_>]) -> Vec<Event> {
    let dir = path.rsplit_once('/').map_or("/", |(dir, _)| if dir.is_empty() { "/" } else { dir });
    let dir = file_at(root, dir);
    // The file that has the path, and those that had it before.
    let mut files: Vec<File> = file_at(root, path).into_iter().collect();
    let mut alike: HashMap<(Act, bool), usize> = HashMap::new();
    let mut out = Vec::new();
    for Met { access, name, item } in met.iter().rev() {
        let items = || access.items.iter().map(|(_, item)| item);
        let in_dir = || items().any(|i| i.part == Part::Parent && dir.is_some_and(|dir| is(dir, *i)));
        let proven = files.iter().any(|file| is(*file, *item)) || (item.part != Part::Normal && in_dir());
        if !proven {
            continue;
        }
        let act = match item.part {
            Part::Normal => access.does,
            Part::Create if items().any(|i| i.part == Part::Delete && i.inode == item.inode) => Some(Act::Rename),
            Part::Create => Some(Act::Create),
            Part::Delete => {
                if access.event.success {
                    files.push((item.device, item.inode));
                }
                // What another took the place of is told with that.
                let made =
                    |(other, i): &(Option<String>, Item)| i.part == Part::Create && other.as_deref() == Some(name);
                (!access.items.iter().any(made)).then_some(Act::Remove)
            }
            Part::Parent => None,
        };
        let Some(act) = act else { continue };
        let so_far = alike.entry((act, access.event.success)).or_default();
        *so_far += 1;
        if *so_far <= MOST_ALIKE {
            out.push(Event { path: path.to_owned(), act, ..access.event.clone() });
        }
    }
    out
}

/// Whether a record's inode and device are those of a file.
fn is(file: File, item: Item) -> bool {
    file.1 == item.inode && same_device(file.0, item.device)
}

fn file_at(root: &Root, path: &str) -> Option<File> {
    let stat = root.stat(path).ok()?;
    Some(((rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev)), stat.st_ino))
}

/// The kernel's log names the file system's own device, and stat(2) one that it makes up for a part of it where the file
/// system has such parts, as btrfs does; both are without a driver then.
fn same_device(a: (u32, u32), b: (u32, u32)) -> bool {
    a == b || (a.0 == 0 && b.0 == 0)
}
