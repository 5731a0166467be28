//! Files: read, kept, replaced and put back so that a crash at any moment leaves the old or the new one, whole.
//!
//! Nothing follows a link at the end of a path; directories on the way are resolved once.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::act::Undone;
use crate::{At as _, Failure};

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
    let doing = || format!("read {}", path.display());
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let file = match File::options().read(true).custom_flags(flags as i32).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at(doing),
    };
    let meta = file.metadata().at(doing)?;
    if !meta.is_file() {
        return Err(Failure(format!("{}: it is no regular file", doing())));
    }
    let mut bytes = Vec::new();
    (&file).take(LARGEST + 1).read_to_end(&mut bytes).at(doing)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure(format!("{}: it is larger than {} MiB", doing(), LARGEST >> 20)));
    }
    Ok(Some(Content { bytes, uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 }))
}

/// Puts a file in the place of what is there, by a temporary file beside it and a rename; both are on disk when it returns.
///
/// `expected` is the fingerprint of what is there now, none for no file: where it is something else, nothing is done.
///
/// # Errors
/// Where something else is there, or it cannot be written; what was there is there still.
pub fn replace(path: &Path, expected: Option<&str>, new: &Content) -> Result<(), Failure> {
    let doing = || format!("write {}", path.display());
    let parent = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let temporary = parent.join(format!(".{name}.seaworthy"));
    let _ = fs::remove_file(&temporary);
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(flags as i32)
        .open(&temporary)
        .at(doing)?;
    let written = (|| {
        file.write_all(&new.bytes)?;
        std::os::unix::fs::fchown(&file, Some(new.uid), Some(new.gid))?;
        file.set_permissions(fs::Permissions::from_mode(new.mode))?;
        file.sync_all()
    })();
    let is = written.at(doing).and_then(|()| read(path)).map(|c| c.map(|c| c.digest()));
    let done = is.and_then(|is| {
        if is.as_deref() == expected {
            fs::rename(&temporary, path).at(doing)
        } else {
            Err(Failure(format!("{}: it has changed meanwhile", doing())))
        }
    });
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done.and_then(|()| sync_directory(parent))
}

/// Removes a file whose content is known.
///
/// # Errors
/// Where something else is there, or it cannot be removed.
pub fn remove(path: &Path, expected: &str) -> Result<(), Failure> {
    match read(path)? {
        None => return Ok(()),
        Some(content) if content.digest() == expected => {
            fs::remove_file(path).at(|| format!("remove {}", path.display()))?
        }
        Some(_) => return Err(Failure(format!("remove {}: it has changed meanwhile", path.display()))),
    }
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

/// Has the entries of a directory on disk.
///
/// # Errors
/// Where it cannot be opened or synced.
pub fn sync_directory(path: &Path) -> Result<(), Failure> {
    File::open(path).and_then(|d| d.sync_all()).at(|| format!("sync {}", path.display()))
}

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
        let Some(content) = read(path)? else {
            return Ok(Kept { path: path.to_owned(), copy: None, digest: None, rights: None });
        };
        let digest = content.digest();
        let number = fs::read_dir(&self.dir).at(|| format!("read {}", self.dir.display()))?.count();
        let copy = format!("{number:03}");
        let place = self.dir.join(&copy);
        let kept = Content { bytes: content.bytes, uid: 0, gid: 0, mode: 0o600 };
        let own =
            Content { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw(), ..kept };
        replace(&place, None, &own)?;
        let rights = Some((content.uid, content.gid, content.mode));
        Ok(Kept { path: path.to_owned(), copy: Some(copy), digest: Some(digest), rights })
    }

    /// What a kept file held; none where there was no file.
    ///
    /// # Errors
    /// Where the copy cannot be read.
    pub fn copy(&self, kept: &Kept) -> Result<Option<Vec<u8>>, Failure> {
        let Some(copy) = &kept.copy else { return Ok(None) };
        let place = self.dir.join(copy);
        let content = read(&place)?.ok_or_else(|| Failure(format!("{}: the copy is gone", place.display())))?;
        Ok(Some(content.bytes))
    }

    /// Puts back what was kept, where what is there now is what the change made of it (`made`, none for no file).
    ///
    /// # Errors
    /// Where the copy cannot be read or the file not be written.
    pub fn restore(&self, kept: &Kept, made: Option<&str>) -> Result<Undone, Failure> {
        let now = read(&kept.path)?.map(|c| c.digest());
        if now == kept.digest {
            return Ok(Undone::Nothing);
        }
        if now.as_deref() != made {
            return Ok(Undone::Drifted(vec![kept.path.display().to_string()]));
        }
        match (&kept.copy, kept.rights) {
            (Some(copy), Some((uid, gid, mode))) => {
                let place = self.dir.join(copy);
                let bytes =
                    read(&place)?.ok_or_else(|| Failure(format!("{}: the copy is gone", place.display())))?.bytes;
                replace(&kept.path, now.as_deref(), &Content { bytes, uid, gid, mode })?;
            }
            _ => remove(&kept.path, made.unwrap_or_default())?,
        }
        Ok(Undone::Restored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_replaced_and_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let keep_dir = dir.path().join("keep");
        fs::create_dir(&keep_dir).unwrap();
        let mut keep = Keep::at(&keep_dir);
        let path = dir.path().join("f");
        fs::write(&path, "old").unwrap();
        let kept = keep.save(&path).unwrap();
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let new = Content { bytes: b"new".to_vec(), uid, gid, mode: 0o640 };
        assert!(replace(&path, None, &new).is_err());
        replace(&path, kept.digest.as_deref(), &new).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), new);
        assert_eq!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Restored);
        assert_eq!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Nothing);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        fs::write(&path, "other").unwrap();
        assert!(matches!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Drifted(_)));
        assert_eq!(fs::read(&path).unwrap(), b"other");
    }
}
