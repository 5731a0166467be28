//! Files that a change makes as a whole, with the directories that they need.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fchmod, fsync, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::facts::why;
use super::{Content, Keep, Kept, read, replace, sync_directory};
use crate::act::Undone;
use crate::{At as _, Failure};

/// A file with what a change makes of it. This goes to the journal before [`Own::put`] is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// What was there before.
    pub kept: Kept,
    /// The fingerprint of what it becomes.
    pub made: String,
    /// The directories that are missing and will be made, the outermost first.
    pub directories: Vec<PathBuf>,
}

impl Own {
    /// Keeps what is there and looks which directories are missing; changes nothing.
    ///
    /// # Errors
    /// Where what is there cannot be read or kept.
    pub fn prepare(keep: &mut Keep, path: &Path, new: &Content) -> Result<Self, Failure> {
        let missing = path.ancestors().skip(1).take_while(|p| !p.as_os_str().is_empty() && !p.exists());
        let mut directories: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        directories.reverse();
        Ok(Self { kept: keep.save(path)?, made: new.digest(), directories })
    }

    /// Puts the file there, which is the one that it was prepared for; done before, it does nothing.
    ///
    /// # Errors
    /// Where something else is there than was kept, or it cannot be written.
    pub fn put(&self, new: &Content) -> Result<(), Failure> {
        let path = &self.kept.path;
        if new.digest() != self.made {
            return Err(Failure(format!("write {}: it is not what was prepared", path.display())));
        }
        for directory in &self.directories {
            make_directory(directory)?;
        }
        match read(path)? {
            Some(now) if now.digest() == self.made => Ok(()),
            _ => replace(path, self.kept.digest.as_deref(), new),
        }
    }

    /// Whether the file is there as it was made.
    ///
    /// # Errors
    /// Where it is not, or cannot be read.
    pub fn verify(&self) -> Result<(), Failure> {
        let path = self.kept.path.display();
        match read(&self.kept.path)? {
            Some(now) if now.digest() == self.made => Ok(()),
            Some(_) => Err(Failure(format!("{path}: it holds something else than was written"))),
            None => Err(Failure(format!("{path}: it is gone"))),
        }
    }

    /// Puts back what was there, and takes away the directories that were made for it where nothing else is in them.
    ///
    /// # Errors
    /// As [`Keep::restore`].
    pub fn undo(&self, keep: &Keep) -> Result<Undone, Failure> {
        let undone = keep.restore(&self.kept, Some(&self.made))?;
        Ok(if self.remove_directories()? && undone == Undone::Nothing { Undone::Restored } else { undone })
    }

    /// Takes away the directories that were made for the file, where nothing is in them; whether there were any.
    ///
    /// # Errors
    /// Where one cannot be removed for another reason.
    pub fn remove_directories(&self) -> Result<bool, Failure> {
        let mut removed = false;
        for directory in self.directories.iter().rev() {
            match unlinkat(CWD, directory, AtFlags::REMOVEDIR) {
                Ok(()) => removed = true,
                Err(Errno::NOENT) => continue,
                // Others put something into it, or something in the place of it.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => break,
                Err(error) => return Err(why(error)).at(|| format!("remove {}", directory.display())),
            }
            if let Some(parent) = directory.parent().filter(|p| p.is_dir()) {
                sync_directory(parent)?;
            }
        }
        Ok(removed)
    }
}

/// Makes a directory that all may enter, whatever the umask; one that is there is left as it is.
fn make_directory(path: &Path) -> Result<(), Failure> {
    let doing = || format!("make {}", path.display());
    match mkdirat(CWD, path, Mode::from_raw_mode(0o755)) {
        Ok(()) => {}
        Err(Errno::EXIST) if path.is_dir() => return Ok(()),
        Err(error) => return Err(why(error)).at(doing),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(why).at(doing)?;
    fchmod(&directory, Mode::from_raw_mode(0o755)).and_then(|()| fsync(&directory)).map_err(why).at(doing)?;
    path.parent().map_or(Ok(()), sync_directory)
}
