//! What the tests of this crate stand on: a root of their own, and faults that only the kernel can make.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, XattrFlags, ioctl_getflags, ioctl_setflags};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use serde_json::Value;

use crate::act::{Act, Effect, Refusal, Undone};
use crate::files::Keep;
use crate::{Failure, Host};

/// A host's root in a temporary directory, with a keep beside it.
pub struct Bench {
    pub host: Host,
    pub keep: Keep,
    pub dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::under(dir, |dir| dir.join("root"))
    }

    /// With root and keep somewhere beneath a temporary directory.
    pub fn under(dir: tempfile::TempDir, root: impl Fn(&Path) -> PathBuf) -> Self {
        let root = root(dir.path());
        let keep = root.parent().unwrap().join("keep");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&keep).unwrap();
        let host = Host { root, engine: None, daemon: None, transaction: "0123456789ab".into() };
        Self { host, keep: Keep::at(&keep), dir }
    }

    pub fn path(&self, absolute: &str) -> PathBuf {
        self.host.path(absolute)
    }

    pub fn write(&self, absolute: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, absolute: &str) -> String {
        fs::read_to_string(self.path(absolute)).unwrap()
    }

    pub fn check(&self, act: &dyn Act) -> Result<(), String> {
        act.check(&self.host).map_err(|refusal| refusal.to_string())
    }

    pub fn stale(&self, act: &dyn Act) -> String {
        match act.check(&self.host) {
            Err(Refusal::Stale(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    /// Check, prepare, apply, verify; returns what undo needs.
    pub fn apply(&mut self, act: &dyn Act) -> Value {
        self.check(act).unwrap();
        let undo = act.prepare(&self.host, &mut self.keep).unwrap();
        act.apply(&self.host, &undo).unwrap();
        assert_eq!(act.verify(&self.host, &undo).unwrap(), Effect::InEffect);
        undo
    }

    pub fn undo(&self, act: &dyn Act, undo: &Value) -> Result<Undone, Failure> {
        act.undo(&self.host, &self.keep, undo)
    }
}

/// Whether this process is root; else the test is skipped aloud.
pub fn root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        seaworthy_bed::skip("root", "changing owners, flags and mounts needs root");
    }
    is
}

/// Something mounted, until it is dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// A small memory file system; none where mounting is not allowed here.
    pub fn memory(place: &Path, options: &std::ffi::CStr) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        Self::done(place, mount("seaworthy-test", place, "tmpfs", MountFlags::empty(), options))
    }

    /// A file or directory mounted over another.
    pub fn bind(from: &Path, place: &Path) -> Option<Self> {
        Self::done(place, mount_bind(from, place))
    }

    fn done(place: &Path, mounted: rustix::io::Result<()>) -> Option<Self> {
        match mounted {
            Ok(()) => Some(Self(place.to_owned())),
            Err(error) => {
                seaworthy_bed::skip("mount", &error.to_string());
                None
            }
        }
    }

    pub fn read_only(&self, on: bool) {
        let flags = if on { MountFlags::RDONLY } else { MountFlags::empty() };
        mount_remount(&self.0, flags, c"").unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A file or directory with a flag of `chattr`, until it is dropped.
pub struct Flagged(fs::File, IFlags);

impl Flagged {
    pub fn new(path: &Path, flag: IFlags) -> Option<Self> {
        let file = fs::File::open(path).unwrap();
        let set = ioctl_getflags(&file).and_then(|is| ioctl_setflags(&file, is | flag));
        match set {
            Ok(()) => Some(Self(file, flag)),
            Err(error) => {
                seaworthy_bed::skip("chattr", &error.to_string());
                None
            }
        }
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        let _ = ioctl_getflags(&self.0).and_then(|is| ioctl_setflags(&self.0, is - self.1));
    }
}

/// Sets an extended attribute; whether the file system has such.
pub fn set_attribute(path: &Path, name: &str, value: &[u8]) -> bool {
    match rustix::fs::setxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(error) => {
            seaworthy_bed::skip("xattr", &format!("{name}: {error}"));
            false
        }
    }
}

/// An extended attribute; none where it is not there.
pub fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(4096);
    rustix::fs::getxattr(path, name, rustix::buffer::spare_capacity(&mut value)).ok()?;
    Some(value)
}

pub const ACL: &str = "system.posix_acl_access";
pub const DEFAULT_ACL: &str = "system.posix_acl_default";

/// An ACL with the modes of owner, group, others, and of one user by name.
pub fn acl(owner: u16, user: (u32, u16), group: u16, mask: u16, other: u16) -> Vec<u8> {
    let none = u32::MAX;
    let entries =
        [(0x01, owner, none), (0x02, user.1, user.0), (0x04, group, none), (0x10, mask, none), (0x20, other, none)];
    let bytes = entries.iter().flat_map(|(tag, permissions, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes()[..], &id.to_le_bytes()[..]].concat()
    });
    2u32.to_le_bytes().into_iter().chain(bytes).collect()
}
