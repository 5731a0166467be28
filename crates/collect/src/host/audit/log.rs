//! The audit log's records of accesses to the paths that matter here: who did what to which file.
//!
//! The log is written by others and as long as they please, so the last [`MOST_BYTES`] of it are read, through its rotated
//! parts, and what comes before is said to be unknown. That is what auditd keeps in one file unless it is told otherwise, and
//! takes ten to twenty milliseconds of a processor; they pass on a thread of its own, while packages and accounts are read and
//! the engine is asked. Where there is no log, one `open` fails and that is all.
//!
//! Arguments of commands (`EXECVE`, `PROCTITLE`) may hold secrets and are never looked at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::calls::{Act, Called};
use super::record::{self, Fields, Kind, Stamp};
use super::trail;
use super::watched::Watched;
use crate::host::root::{Root, Unread};

/// Where auditd writes.
pub const LOG: &str = "/var/log/audit/audit.log";
/// The bytes read from the end of the log and of its rotated parts: 8 MiB.
const MOST_BYTES: u64 = 8 << 20;
/// The most rotated parts that are looked for: auditd's own limit is 999, its default 5.
const MOST_PARTS: usize = 8;
/// The most paths of one event that are looked at; a rename has five.
const MOST_PATHS: usize = 16;

/// One access to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, and its serial number.
    pub stamp: Stamp,
    /// The path, absolute, its directory's links resolved.
    pub path: String,
    /// What was done to it.
    pub act: Act,
    /// The user who logged in, whoever he became since; `None` for what no login began.
    pub login_uid: Option<u32>,
    /// The user as whom it was done; `None` where the record does not tell.
    pub uid: Option<u32>,
    /// The executable; empty where the record does not tell.
    pub exe: String,
    /// The key of the rule that logged it; empty where it has none.
    pub key: String,
    /// Whether it succeeded.
    pub success: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// When what is told here begins, in milliseconds since 1970: of what was before, nothing is known.
    pub began: i64,
    /// The accesses, the latest last.
    pub events: Vec<Event>,
}

/// Reads the end of the log and returns the accesses to paths that matter, each proven to be to the file that has the
/// path now, or had it before one that was logged took its place.
///
/// # Errors
/// [`Unread`] with the reason: on most hosts root alone may read it.
pub fn read(root: &Root, watched: &Watched) -> Result<Log, Unread> {
    let text = tail(root, MOST_BYTES)?;
    let lines = || text.split(|b| *b == b'\n');
    let began = lines().find_map(record::time).ok_or_else(|| Unread::Other("it holds no record yet".into()))?;
    let mut log = trail::prove(root, &accesses(lines(), watched), watched);
    log.began = log.began.max(began);
    Ok(log)
}

/// The last bytes of the log, rotated parts first, from the beginning of a record.
fn tail(root: &Root, most: u64) -> Result<Vec<u8>, Unread> {
    let mut parts = vec![end_of(root, LOG, most)?];
    let mut left = most - parts[0].0.len() as u64;
    for number in 1..=MOST_PARTS {
        // Only what joins what was read is of use.
        if left == 0 || !parts[parts.len() - 1].1 {
            break;
        }
        let Ok(part) = end_of(root, &format!("{LOG}.{number}"), left) else { break };
        left -= part.0.len() as u64;
        parts.push(part);
    }
    let mut text = Vec::new();
    for (bytes, whole) in parts.into_iter().rev() {
        // Half a line may look like another one.
        let from = if whole { 0 } else { bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1) };
        if text.is_empty() && from == 0 {
            text = bytes;
        } else {
            text.extend_from_slice(&bytes[from..]);
        }
    }
    Ok(text)
}

/// The last bytes of a file, and whether that is all of it.
fn end_of(root: &Root, path: &str, most: u64) -> Result<(Vec<u8>, bool), Unread> {
    let real = root.canonical(path)?;
    let inside = root.path().join(real.strip_prefix("/").unwrap_or(&real));
    // The links are resolved already; one that was put there since is not followed.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, &inside, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Unread::WrongType("something else"));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let mut file = std::fs::File::from(fd);
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or(0));
    file.take(size.min(most)).read_to_end(&mut bytes)?;
    Ok((bytes, size <= most))
}

/// A path of an event as the records have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// The part that it plays.
    pub part: Part,
    /// The device.
    pub device: (u32, u32),
    /// The inode.
    pub inode: u64,
}

/// The part that a path plays in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It was there before and after.
    Normal,
    /// It was made.
    Create,
    /// It was removed.
    Delete,
    /// It is the directory of another one.
    Parent,
}

/// An event of which a path may matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// Who did what, as of [`Event`], the path not proven yet.
    pub event: Event,
    /// What it does to a file that was there before and is there after it; none where it only reads it.
    pub does: Option<Act>,
    /// The paths that have a name, absolute, and all that the records say of each.
    pub items: Vec<(Option<String>, Item)>,
}

/// Records of one event, in pieces of the text.
#[derive(Default)]
struct Raw<'a> {
    syscall: Option<&'a [u8]>,
    cwd: Option<&'a [u8]>,
    how: Option<&'a [u8]>,
    paths: Vec<&'a [u8]>,
    matters: bool,
}

/// The events of which a path matters, in the order of their time.
fn accesses<'a>(lines: impl Iterator<Item = &'a [u8]>, watched: &Watched) -> Vec<Access> {
    let mut events: HashMap<Stamp, Raw<'a>> = HashMap::new();
    for line in lines {
        let Some((kind, stamp, fields)) = record::head(line) else { continue };
        let raw = match events.entry(stamp) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(Raw::default()),
        };
        match kind {
            Kind::Syscall => raw.syscall = Some(fields),
            Kind::Cwd => raw.cwd = Some(fields),
            Kind::OpenHow => raw.how = Some(fields),
            Kind::Path if raw.paths.len() < MOST_PATHS => {
                raw.matters |= watched.may_matter(field(fields, b"name").unwrap_or_default());
                raw.paths.push(fields);
            }
            Kind::Path => {}
        }
    }
    let mut found: Vec<Access> =
        events.iter().filter(|(_, raw)| raw.matters).filter_map(|(stamp, raw)| access(*stamp, raw)).collect();
    found.retain(|access| access.items.iter().any(|(path, _)| path.as_deref().is_some_and(|p| watched.matters(p))));
    found.sort_by_key(|access| access.event.stamp);
    found
}

fn field<'a>(fields: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    Fields::own(fields).find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn access(stamp: Stamp, raw: &Raw<'_>) -> Option<Access> {
    let fields = raw.syscall?;
    let mut called = Called { how: raw.how.and_then(|how| field(how, b"oflag")), ..Called::default() };
    let path = String::new();
    let (exe, key) = (String::new(), String::new());
    let mut event = Event { stamp, path, act: Act::Unknown, login_uid: None, uid: None, exe, key, success: false };
    let user = |value| record::int(value).and_then(|n| u32::try_from(n).ok()).filter(|n| *n != u32::MAX);
    for (name, value) in Fields::own(fields) {
        match name {
            b"arch" => called.arch = value,
            b"syscall" => called.number = record::int(value),
            b"a0" => called.arguments[0] = value,
            b"a1" => called.arguments[1] = value,
            b"a2" => called.arguments[2] = value,
            b"a3" => called.arguments[3] = value,
            b"auid" => event.login_uid = user(value),
            b"uid" => event.uid = user(value),
            b"success" => event.success = value == b"yes",
            b"exe" => event.exe = record::text(value).unwrap_or_default(),
            // Several keys are one text with a byte between them.
            b"key" => event.key = record::text(value).unwrap_or_default().replace('\u{1}', " "),
            _ => {}
        }
    }
    let cwd = raw.cwd.and_then(|cwd| field(cwd, b"cwd")).and_then(record::text);
    let items = raw.paths.iter().filter_map(|fields| item(fields, cwd.as_deref())).collect();
    Some(Access { event, does: called.act(), items })
}

fn item(fields: &[u8], cwd: Option<&str>) -> Option<(Option<String>, Item)> {
    let (mut name, mut part, mut device, mut inode) = (None, None, None, None);
    for (field, value) in Fields::own(fields) {
        match field {
            b"name" => name = record::text(value),
            b"inode" => inode = record::int(value),
            b"dev" => device = record::device(value),
            b"nametype" => {
                part = match value {
                    b"NORMAL" => Some(Part::Normal),
                    b"CREATE" => Some(Part::Create),
                    b"DELETE" => Some(Part::Delete),
                    b"PARENT" => Some(Part::Parent),
                    _ => None,
                }
            }
            _ => {}
        }
    }
    let path = name.and_then(|name| absolute(&name, cwd));
    // What failed has no file, and is told all the same.
    let (device, inode) = (device.unwrap_or_default(), inode.unwrap_or_default());
    Some((path, Item { part: part?, device, inode }))
}

/// A path from the root, without `.`; none where it is relative to what is not known, and where `..` is in it, since
/// what that leads to depends on links.
fn absolute(name: &str, cwd: Option<&str>) -> Option<String> {
    let whole = if name.starts_with('/') { Path::new(name).to_owned() } else { Path::new(cwd?).join(name) };
    let mut out = String::new();
    for component in whole.components() {
        match component {
            std::path::Component::RootDir => {}
            std::path::Component::Normal(part) => {
                out.push('/');
                out.push_str(part.to_str()?);
            }
            _ => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests;
