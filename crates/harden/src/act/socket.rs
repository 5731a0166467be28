//! Owner and mode of a live socket, by descriptor.

use std::fs::{File, Permissions};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use seaworthy_core::plan::{Owned, Rights};

use super::Undone;
use crate::{At as _, Failure};

/// A socket that is held, whatever its path becomes meanwhile.
struct Held {
    file: File,
    path: PathBuf,
}

impl Held {
    /// Holds the socket at a path; none where there is nothing.
    fn at(path: &Path) -> Result<Option<Self>, Failure> {
        let doing = || format!("open {}", path.display());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor: OwnedFd = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error).at(doing),
        };
        let file = File::from(descriptor);
        let kind = file.metadata().at(doing)?.mode() & libc::S_IFMT;
        if kind != libc::S_IFSOCK {
            return Err(Failure(format!("{}: it is no socket", path.display())));
        }
        Ok(Some(Self { file, path: path.to_owned() }))
    }

    fn rights(&self) -> Result<Owned, Failure> {
        let meta = self.file.metadata().at(|| format!("read {}", self.path.display()))?;
        Ok(Owned { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 })
    }

    fn set(&self, to: Owned) -> Result<(), Failure> {
        let doing = || format!("change owner and mode of {}", self.path.display());
        let now = self.rights()?;
        if (now.uid, now.gid) != (to.uid, to.gid) {
            let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
            rustix::fs::chownat(&self.file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH).at(doing)?;
        }
        if now.mode != to.mode {
            // fchmod takes no descriptor of this kind; the link in /proc leads to the same socket.
            let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            std::fs::set_permissions(link, Permissions::from_mode(to.mode)).at(doing)?;
        }
        let is = self.rights()?;
        if is == to {
            return Ok(());
        }
        Err(Failure(format!("{}: it is {} and not {}", doing(), shown(is), shown(to))))
    }
}

/// Owner, group and mode of the socket at a path; none where there is nothing.
pub(super) fn rights(path: &Path) -> Result<Option<Owned>, Failure> {
    Held::at(path)?.map(|held| held.rights()).transpose()
}

/// Gives the socket its new rights.
pub(super) fn apply(path: &Path, rights: &Rights) -> Result<(), Failure> {
    match Held::at(path)? {
        Some(held) => held.set(rights.after),
        None => Err(Failure(format!("change owner and mode of {}: it is gone", path.display()))),
    }
}

/// Gives back what was there of owner, group and mode, each where it is still what the change made of it.
pub(super) fn undo(path: &Path, rights: &Rights) -> Result<Undone, Failure> {
    let Some(held) = Held::at(path)? else { return Ok(Undone::Nothing) };
    let now = held.rights()?;
    let mut drifted = Vec::new();
    let mut back = |what: &str, before: u32, after: u32, now: u32| {
        if before == after || now == before {
            return now;
        }
        if now == after {
            return before;
        }
        drifted.push(format!("{}: {what}", rights.path));
        now
    };
    let (before, after) = (rights.before, rights.after);
    let to = Owned {
        uid: back("owner", before.uid, after.uid, now.uid),
        gid: back("group", before.gid, after.gid, now.gid),
        mode: back("mode", before.mode, after.mode, now.mode),
    };
    held.set(to)?;
    Ok(match (drifted.is_empty(), to == now) {
        (false, _) => Undone::Drifted(drifted),
        (true, true) => Undone::Nothing,
        (true, false) => Undone::Restored,
    })
}

/// Rights as people read them.
pub(super) fn shown(owned: Owned) -> String {
    format!("{}:{} {:04o}", owned.uid, owned.gid, owned.mode)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_gets_its_mode_and_gives_it_back_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        assert_eq!(rights(&path).unwrap(), None);
        let _listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let before = rights(&path).unwrap().unwrap();
        let change = Rights {
            path: "/run/docker.sock".into(),
            what: "socket".into(),
            before,
            after: Owned { mode: 0o660, ..before },
        };
        assert_eq!(undo(&path, &change).unwrap(), Undone::Nothing);
        apply(&path, &change).unwrap();
        assert_eq!(rights(&path).unwrap().unwrap().mode, 0o660);
        assert_eq!(undo(&path, &change).unwrap(), Undone::Restored);
        assert_eq!(rights(&path).unwrap(), Some(before));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(undo(&path, &change).unwrap(), Undone::Drifted(vec!["/run/docker.sock: mode".into()]));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(apply(&link, &change).unwrap_err().0.contains("no socket"));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(apply(&file, &change).unwrap_err().0.contains("no socket"));
    }
}
