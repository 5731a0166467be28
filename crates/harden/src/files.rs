//! Files: read, kept, replaced and put back so that a crash at any moment leaves the old or the new one, whole.
//!
//! The directory of a file is opened once, and everything is done relative to it; nothing follows a link at the end of
//! a path. A file takes another's place by a temporary file beside it: written, synced, given the other's owner, mode,
//! extended attributes and ACL, and renamed. The temporary's name tells whose it is and what it holds, so what a crash
//! leaves is found and removed by [`sweep`], which [`Keep::restore`] and [`Own::undo`] call.

mod extra;
mod facts;
mod keep;
mod own;
mod place;
mod room;
#[cfg(test)]
mod tests;

use std::path::Path;

use sha2::{Digest as _, Sha256};

pub use extra::Extra;
pub(crate) use extra::{hex, unhex};
pub use facts::{Facts, Kind, facts, why};
pub use keep::{Keep, Kept};
pub use own::Own;

pub use room::Room;

use crate::{At as _, Failure};
use place::{Place, Seen};

/// The largest file that is edited, in bytes.
pub const LARGEST: u64 = 4 << 20;

/// A regular file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The permission bits (07777).
    pub mode: u32,
}

impl Content {
    /// A file that this process makes: root's where it is root, else its own.
    #[must_use]
    pub fn own(bytes: Vec<u8>, mode: u32) -> Self {
        let uid = rustix::process::geteuid();
        let gid = if uid.is_root() { 0 } else { rustix::process::getegid().as_raw() };
        Self { bytes, uid: uid.as_raw(), gid, mode }
    }

    /// A fingerprint of what it holds: 16 hexadecimal digits of SHA-256.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.bytes)
    }
}

/// A fingerprint of bytes: 16 hexadecimal digits of SHA-256, as snapshots have it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Reads a regular file; none where there is none.
///
/// # Errors
/// Where it is a link, no regular file, larger than [`LARGEST`], or cannot be read.
pub fn read(path: &Path) -> Result<Option<Content>, Failure> {
    let Some(place) = Place::open(path).at(|| format!("read {}", path.display()))? else { return Ok(None) };
    match place.look()? {
        Seen::Absent => Ok(None),
        Seen::File(present) => Ok(Some(present.content)),
        Seen::Other(kind) => Err(Failure(format!("read {}: it is {}, no regular file", path.display(), kind.words()))),
    }
}

/// What lies at a path, without following a link there; none where there is nothing.
///
/// # Errors
/// Where that cannot be told.
pub fn kind(path: &Path) -> Result<Option<Kind>, Failure> {
    let doing = || format!("look at {}", path.display());
    Place::open(path).at(doing)?.map_or(Ok(None), |place| place.kind().at(doing))
}

/// Whether [`replace`] could put a file there, as far as can be told without writing: reads only.
///
/// # Errors
/// One line with the reason: a link, a device, a file with several names, a bind-mounted, immutable or signed one, a
/// read-only file system, links in a circle, a missing right.
pub fn replaceable(path: &Path) -> Result<(), Failure> {
    let doing = || format!("write {}", path.display());
    if let Some(place) = Place::open(path).at(doing)? {
        let seen = place.look()?;
        return place.refuse(&seen);
    }
    // Its directory is made, then: in the nearest that is there.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty() && p.file_name().is_some());
    match parent {
        Some(parent) if kind(parent)? == Some(Kind::Link) => {
            Err(Failure(format!("{}: its directory is a link that leads nowhere", doing())))
        }
        Some(parent) => replaceable_directory(parent).at(doing),
        None => Ok(()),
    }
}

fn replaceable_directory(path: &Path) -> Result<(), Failure> {
    match Place::open(path).at(|| "its directory".into())? {
        Some(place) => place.refuse_directory(),
        None => path.parent().map_or(Ok(()), replaceable_directory),
    }
}

/// Puts a file in the place of what is there, by a temporary file beside it and a rename; both are on disk when it
/// returns. The extended attributes and the ACL of what is there go over to it; owner and mode are those of `new`.
///
/// `expected` is the fingerprint of what is there now, none for no file: where it is something else, nothing is done.
///
/// # Errors
/// Where something else is there, where [`replaceable`] says so, or it cannot be written; what was there is there
/// still. Where the directory cannot be synced, or it reads back otherwise, the new file may be there.
pub fn replace(path: &Path, expected: Option<&str>, new: &Content) -> Result<(), Failure> {
    put(path, expected, new, None)
}

/// As [`replace`], with the extended attributes of a file that is not there any more.
fn put(path: &Path, expected: Option<&str>, new: &Content, extra: Option<&Extra>) -> Result<(), Failure> {
    let doing = || format!("write {}", path.display());
    let place =
        Place::open(path).at(doing)?.ok_or_else(|| Failure(format!("{}: its directory is missing", doing())))?;
    let seen = place.look()?;
    place.expect(&seen, expected)?;
    place.refuse(&seen)?;
    let extra = match &seen {
        Seen::File(present) => Some(&present.extra),
        _ => extra,
    };
    let temporary = place.temporary(new, extra)?;
    place.expect(&place.look()?, expected)?;
    temporary.take_place(expected.is_none())?;
    place.sync()?;
    match place.look()? {
        Seen::File(present) if present.content == *new => Ok(()),
        _ => Err(Failure(format!("{}: it was written and reads back otherwise", doing()))),
    }
}

/// Removes a file whose content is known.
///
/// # Errors
/// Where something else is there, or it cannot be removed.
pub fn remove(path: &Path, expected: &str) -> Result<(), Failure> {
    let Some(place) = Place::open(path).at(|| format!("remove {}", path.display()))? else { return Ok(()) };
    match place.look()? {
        Seen::Absent => Ok(()),
        seen => {
            place.expect(&seen, Some(expected))?;
            place.refuse(&seen)?;
            place.unlink()?;
            place.sync()
        }
    }
}

/// Removes the temporary files that a crash left beside a file, and says whether there were any.
///
/// # Errors
/// Where the directory cannot be read, or one cannot be removed.
pub fn sweep(path: &Path) -> Result<bool, Failure> {
    let doing = || format!("clear up beside {}", path.display());
    Place::open(path).at(doing)?.map_or(Ok(false), |place| place.sweep().at(doing))
}

/// Has the entries of a directory on disk.
///
/// # Errors
/// Where it cannot be opened or synced.
pub fn sync_directory(path: &Path) -> Result<(), Failure> {
    std::fs::File::open(path).and_then(|d| d.sync_all()).at(|| format!("sync {}", path.display()))
}
