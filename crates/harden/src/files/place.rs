//! A place for a file: its directory, opened, and its name in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{
    Access, AtFlags, CWD, Dir, Gid, Mode, OFlags, RenameFlags, StatVfsMountFlags, Uid, accessat, fchmod, fchown,
    fstatvfs, fsync, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::facts::{Facts, Kind, facts, facts_at, refusal, why};
use super::{Content, Extra, LARGEST};
use crate::{At as _, Failure};

/// Parts a temporary's name: `.NAME.seaworthy-DIGEST`.
const MARK: &str = ".seaworthy-";

/// What lies at a place.
#[derive(Debug)]
pub(super) enum Seen {
    Absent,
    File(Present),
    Other(Kind),
}

/// A regular file that is there.
#[derive(Debug)]
pub(super) struct Present {
    pub content: Content,
    pub extra: Extra,
    pub facts: Facts,
}

/// A directory and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    dir: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Place {
    /// None where the directory is missing. Links among the directories are resolved here, once.
    pub fn open(path: &Path) -> Result<Option<Self>, String> {
        let name = path.file_name().ok_or("it names no file")?.to_owned();
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match openat(CWD, parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(dir) => Ok(Some(Self { dir, name, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(why(error)),
        }
    }

    pub fn kind(&self) -> Result<Option<Kind>, String> {
        match facts_at(&self.dir, &self.name, AtFlags::empty()) {
            Ok(facts) => Ok(Some(facts.kind)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(why(error)),
        }
    }

    pub fn look(&self) -> Result<Seen, Failure> {
        let doing = || format!("read {}", self.path.display());
        match self.kind().at(doing)? {
            Some(Kind::File) => {}
            Some(kind) => return Ok(Seen::Other(kind)),
            None => return Ok(Seen::Absent),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(openat(&self.dir, &self.name, flags, Mode::empty()).map_err(why).at(doing)?);
        let facts = facts(&file).map_err(why).at(doing)?;
        if facts.kind != Kind::File {
            return Ok(Seen::Other(facts.kind));
        }
        let mut bytes = Vec::new();
        (&file).take(LARGEST + 1).read_to_end(&mut bytes).map_err(why).at(doing)?;
        if bytes.len() as u64 > LARGEST {
            return Err(Failure(format!("{}: it is larger than {} MiB", doing(), LARGEST >> 20)));
        }
        let content = Content { bytes, uid: facts.uid, gid: facts.gid, mode: facts.mode };
        let extra = Extra::of(&file).at(doing)?;
        Ok(Seen::File(Present { content, extra, facts }))
    }

    /// Whether what is there is what is expected.
    pub fn expect(&self, seen: &Seen, expected: Option<&str>) -> Result<(), Failure> {
        let fault = match (seen, expected) {
            (Seen::File(present), Some(digest)) if present.content.digest() == digest => return Ok(()),
            (Seen::Absent, None) => return Ok(()),
            (Seen::Absent, Some(_)) => "it is gone".to_owned(),
            (Seen::Other(kind), _) => format!("it is {}, no regular file", kind.words()),
            (Seen::File(_), None) => "a file is there now".into(),
            (Seen::File(_), Some(_)) => "it has changed meanwhile".into(),
        };
        Err(Failure(format!("write {}: {fault}; nothing was written", self.path.display())))
    }

    /// Why it cannot be replaced by a rename, as far as can be told without trying.
    pub fn refuse(&self, seen: &Seen) -> Result<(), Failure> {
        let doing = || format!("write {}", self.path.display());
        let fault = match seen {
            Seen::Absent => None,
            Seen::Other(kind) => Some(format!("it is {}, no regular file", kind.words())),
            Seen::File(Present { facts, extra, .. }) => refusal(facts).or_else(|| {
                let signed = extra.names().find(|n| ["security.ima", "security.evm"].contains(n));
                signed.map(|name| format!("it is sealed by a hash or a signature ({name}); change it by hand"))
            }),
        };
        match fault {
            Some(fault) => Err(Failure(format!("{}: {fault}", doing()))),
            None => self.refuse_directory().at(doing),
        }
    }

    pub fn refuse_directory(&self) -> Result<(), Failure> {
        let doing = || "its directory".to_owned();
        let facts = facts(&self.dir).map_err(why).at(doing)?;
        if facts.immutable || facts.append_only {
            let letter = if facts.immutable { 'i' } else { 'a' };
            let line =
                format!("its directory may not be changed (chattr +{letter}); lift that first (chattr -{letter})");
            return Err(Failure(line));
        }
        if fstatvfs(&self.dir).map_err(why).at(doing)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err(Failure::new("its file system is read-only"));
        }
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        accessat(&self.dir, ".", rights, AtFlags::EACCESS).map_err(why).at(doing)
    }

    /// A new file beside it, on disk, with everything that the one in its place will have.
    pub fn temporary(&self, new: &Content, extra: Option<&Extra>) -> Result<Temporary<'_>, Failure> {
        let doing = || format!("write {}", self.path.display());
        let mut name = self.prefix();
        name.push(new.digest());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(&self.dir, &name, flags, Mode::RUSR | Mode::WUSR);
        let opened = match open() {
            // A crash left it.
            Err(Errno::EXIST) => unlinkat(&self.dir, &name, AtFlags::empty()).and_then(|()| open()),
            opened => opened,
        };
        let mut file = File::from(opened.map_err(why).at(doing)?);
        let temporary = Temporary { place: self, name, placed: false };
        file.write_all(&new.bytes).map_err(why).at(doing)?;
        fchown(&file, Some(Uid::from_raw(new.uid)), Some(Gid::from_raw(new.gid))).map_err(why).at(doing)?;
        // After the owner, for a change of it takes capabilities away; before the mode, which an ACL sets as well.
        if let Some(extra) = extra {
            extra.give(&file).at(doing)?;
        }
        fchmod(&file, Mode::from_raw_mode(new.mode)).map_err(why).at(doing)?;
        file.sync_all().map_err(why).at(doing)?;
        Ok(temporary)
    }

    fn prefix(&self) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(MARK);
        name
    }

    pub fn unlink(&self) -> Result<(), Failure> {
        let doing = || format!("remove {}", self.path.display());
        unlinkat(&self.dir, &self.name, AtFlags::empty()).map_err(why).at(doing)
    }

    pub fn sync(&self) -> Result<(), Failure> {
        fsync(&self.dir).map_err(why).at(|| format!("sync the directory of {}", self.path.display()))
    }

    /// Removes temporaries that were left: by name, what follows the mark being a fingerprint.
    pub fn sweep(&self) -> Result<bool, String> {
        let prefix = self.prefix();
        let mut left = Vec::new();
        for entry in Dir::read_from(&self.dir).map_err(why)? {
            let entry = entry.map_err(why)?;
            let name = entry.file_name().to_bytes();
            let rest = name.strip_prefix(prefix.as_bytes());
            if rest.is_some_and(|r| r.len() == 16 && r.iter().all(u8::is_ascii_hexdigit)) {
                left.push(OsStr::from_bytes(name).to_owned());
            }
        }
        for name in &left {
            match unlinkat(&self.dir, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(why(error)),
            }
        }
        if !left.is_empty() {
            fsync(&self.dir).map_err(why)?;
        }
        Ok(!left.is_empty())
    }
}

/// A file beside the place, which goes away unless it takes the place.
pub(super) struct Temporary<'a> {
    place: &'a Place,
    name: OsString,
    placed: bool,
}

impl Temporary<'_> {
    /// Renames it to the place; `vacant`: only where nothing is.
    pub fn take_place(mut self, vacant: bool) -> Result<(), Failure> {
        let Place { dir, name, path } = self.place;
        let plainly = || renameat(dir, &self.name, dir, name);
        let done = if vacant {
            match renameat_with(dir, &self.name, dir, name, RenameFlags::NOREPLACE) {
                // Not every file system knows the flag; that nothing is there was seen a moment ago.
                Err(Errno::INVAL | Errno::NOSYS) => plainly(),
                done => done,
            }
        } else {
            plainly()
        };
        done.map_err(why).at(|| format!("write {}", path.display()))?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.placed {
            let _ = unlinkat(&self.place.dir, &self.name, AtFlags::empty());
        }
    }
}
