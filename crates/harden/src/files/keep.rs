//! Copies of files, kept while a transaction may have to be undone.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::{Place, Seen};
use super::room::{self, Room};
use super::{Content, Extra, put, read, remove, replace, sweep};
use crate::act::Undone;
use crate::{At as _, Failure};

/// The name of the file in a keep that holds room for the way back.
const RESERVE: &str = "reserve";

/// The most copies in one keep.
const MOST: usize = 10_000;

/// Where copies of files are kept while a transaction may have to be undone.
#[derive(Clone, Debug)]
pub struct Keep {
    dir: PathBuf,
}

/// A file as it was before, by its copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// The copy's name in the keep; none where there was no file.
    pub copy: Option<String>,
    /// The fingerprint of what it held; none where there was no file.
    pub digest: Option<String>,
    /// The owner, the group and the permission bits; none where there was no file.
    pub rights: Option<(u32, u32, u32)>,
    /// Its extended attributes, the ACL among them.
    #[serde(default)]
    pub extra: Extra,
}

impl Keep {
    /// A keep in a directory that is there and that only its owner may enter.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Copies a file, on disk when it returns; that there is none is kept too.
    ///
    /// # Errors
    /// Where it cannot be read or copied.
    pub fn save(&mut self, path: &Path) -> Result<Kept, Failure> {
        let none = Kept { path: path.to_owned(), copy: None, digest: None, rights: None, extra: Extra::default() };
        let Some(place) = Place::open(path).at(|| format!("read {}", path.display()))? else { return Ok(none) };
        let present = match place.look()? {
            Seen::Absent => return Ok(none),
            Seen::File(present) => present,
            Seen::Other(kind) => {
                return Err(Failure(format!("keep {}: it is {}, no regular file", path.display(), kind.words())));
            }
        };
        let Content { bytes, uid, gid, mode } = present.content;
        let copy = self.free_name()?;
        let own = Content { gid: rustix::process::getegid().as_raw(), ..Content::own(bytes, 0o600) };
        replace(&self.dir.join(&copy), None, &own)?;
        let digest = Some(own.digest());
        Ok(Kept { copy: Some(copy), digest, rights: Some((uid, gid, mode)), extra: present.extra, ..none })
    }

    fn free_name(&self) -> Result<String, Failure> {
        let mut names = (0..MOST).map(|number| format!("{number:03}"));
        let free = |name: &String| fs::symlink_metadata(self.dir.join(name)).is_err();
        names.find(free).ok_or_else(|| Failure(format!("{}: it holds {MOST} copies, too many", self.dir.display())))
    }

    /// What was kept of a file; none where there was no file.
    ///
    /// # Errors
    /// Where the copy is gone, was changed, or cannot be read.
    pub fn bytes(&self, kept: &Kept) -> Result<Option<Vec<u8>>, Failure> {
        let (Some(copy), Some(digest)) = (&kept.copy, &kept.digest) else { return Ok(None) };
        let place = self.dir.join(copy);
        let gone = |what| Failure(format!("{}: the copy of {} {what}", place.display(), kept.path.display()));
        let content = read(&place)?.ok_or_else(|| gone("is gone"))?;
        if content.digest() != *digest {
            return Err(gone("is damaged"));
        }
        Ok(Some(content.bytes))
    }

    /// Puts back what was kept, where what is there now is what the change made of it (`made`, none for no file).
    ///
    /// Only the content is put back where a file is there: its owner, mode and attributes went over to the one that
    /// the change made, and whoever changed them since is not undone here. Where the change removed it, all come back.
    ///
    /// # Errors
    /// Where the copy cannot be read or the file not be written.
    pub fn restore(&self, kept: &Kept, made: Option<&str>) -> Result<Undone, Failure> {
        let path = &kept.path;
        sweep(path)?;
        let drifted = |what: &str| Ok(Undone::Drifted(vec![format!("{}{what}", path.display())]));
        let now = match Place::open(path).at(|| format!("read {}", path.display()))?.map(|p| p.look()).transpose()? {
            None | Some(Seen::Absent) => None,
            Some(Seen::File(present)) => Some(present.content),
            Some(Seen::Other(kind)) => return drifted(&format!(" is {} now", kind.words())),
        };
        let digest = now.as_ref().map(Content::digest);
        if digest == kept.digest {
            return Ok(Undone::Nothing);
        }
        if digest.as_deref() != made {
            return drifted(if now.is_none() { " was removed since" } else { "" });
        }
        match (self.bytes(kept)?, now, kept.rights) {
            (Some(bytes), Some(now), _) => replace(path, made, &Content { bytes, ..now })?,
            (Some(bytes), None, Some((uid, gid, mode))) => {
                put(path, None, &Content { bytes, uid, gid, mode }, Some(&kept.extra))?;
            }
            (Some(_), None, None) => return Err(Failure(format!("{}: its rights were not kept", path.display()))),
            (None, ..) => remove(path, made.unwrap_or_default())?,
        }
        Ok(Undone::Restored)
    }

    /// Takes room in the keep's file system, so that the way back has it later; given back by [`Keep::release`].
    ///
    /// # Errors
    /// Where there is not as much.
    pub fn reserve(&self, bytes: u64) -> Result<(), Failure> {
        room::reserve(&self.dir.join(RESERVE), bytes)
    }

    /// Gives the reserved room back: at the end, and before undoing.
    ///
    /// # Errors
    /// Where it cannot be given back.
    pub fn release(&self) -> Result<(), Failure> {
        let path = self.dir.join(RESERVE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).at(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Room for a copy of a file in the keep, held until it is dropped.
    ///
    /// # Errors
    /// Where there is not as much.
    pub fn room(&self, bytes: u64) -> Result<Room, Failure> {
        Room::beside(&self.dir.join(RESERVE), bytes)
    }
}
