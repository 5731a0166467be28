//! Owner, mode and access list of a path.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::root::{Root, Unread};

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// A FIFO or anything else.
    Other,
}

/// A path's owner, mode and access list, links resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The path as it was asked for.
    pub path: PathBuf,
    /// Where it leads, inside the root.
    pub real: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The twelve bits of its mode.
    pub mode: u32,
    /// What its access list grants beyond the mode, or why that could not be read.
    pub list: Result<Vec<Entry>, String>,
    /// The device and the inode, by which a socket is told from another at the same path.
    pub file: (u64, u64),
}

/// An entry of a POSIX access list that names a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// True for a group, false for a user.
    pub group: bool,
    /// Its number.
    pub id: u32,
    /// What it grants once the mask is applied: read 4, write 2, execute 1.
    pub grants: u32,
}

/// Reads owner, mode and access list of what a path leads to.
///
/// # Errors
/// [`Unread::Absent`] when nothing is there; the reason otherwise.
pub fn access(root: &Root, path: impl AsRef<Path>) -> Result<Access, Unread> {
    let path = path.as_ref();
    let stat = root.stat(path)?;
    let real = root.canonical(path)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        _ => Kind::Other,
    };
    Ok(Access {
        path: path.to_owned(),
        kind,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        list: list(root, &real),
        file: (stat.st_dev, stat.st_ino),
        real,
    })
}

fn list(root: &Root, real: &Path) -> Result<Vec<Entry>, String> {
    let path = root.path().join(real.strip_prefix("/").unwrap_or(real));
    let mut buffer = [0u8; 16 << 10];
    // The links are resolved, so the last component is none: a link put there since is not followed.
    match rustix::fs::lgetxattr(&path, "system.posix_acl_access", &mut buffer[..]) {
        Ok(length) => parse(&buffer[..length]).ok_or("its access list is of a form that is not known".into()),
        // No list, or a file system without any.
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(Vec::new()),
        Err(errno) => Err(format!("its access list cannot be read: {}", std::io::Error::from(errno))),
    }
}

/// Parses the attribute: version 2, then entries of tag, permissions and number, little-endian; none where it is of
/// another form.
pub fn parse(bytes: &[u8]) -> Option<Vec<Entry>> {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    let (version, entries) = bytes.split_at_checked(4)?;
    if version != [2, 0, 0, 0] || !entries.len().is_multiple_of(8) {
        return None;
    }
    let mut mask = 7;
    let mut found = Vec::new();
    for entry in entries.chunks_exact(8) {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let permissions = u32::from(u16::from_le_bytes([entry[2], entry[3]]) & 7);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        match tag {
            USER | GROUP => found.push(Entry { group: tag == GROUP, id, grants: permissions }),
            MASK => mask = permissions,
            _ => {}
        }
    }
    for entry in &mut found {
        entry.grants &= mask;
    }
    found.retain(|e| e.grants != 0);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_list_grants_what_its_mask_leaves() {
        let none = u32::MAX;
        let all = attribute(&[
            (1, 6, none),
            (2, 7, 1000),
            (2, 1, 1001),
            (4, 4, none),
            (8, 6, 50),
            (0x10, 6, none),
            (0x20, 0, none),
        ]);
        let found = parse(&all).unwrap();
        assert_eq!(found, [Entry { group: false, id: 1000, grants: 6 }, Entry { group: true, id: 50, grants: 6 }]);
        assert_eq!(parse(&all[..9]), None);
        assert_eq!(parse(&[1, 0, 0, 0]), None);
        assert_eq!(parse(&attribute(&[(1, 6, none)])).unwrap(), []);
    }

    #[test]
    fn owner_mode_kind_and_list_of_what_a_link_leads_to() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("/file", dir.path().join("link")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let access = super::access(&root, "/link").unwrap();
        assert_eq!((access.kind, access.mode, access.real.as_path()), (Kind::File, 0o640, Path::new("/file")));
        assert_eq!(access.uid, std::fs::metadata(&file).unwrap().uid());
        assert_eq!(access.list, Ok(Vec::new()));
        // Granting to oneself and to one more needs no right but the owner's.
        let list =
            attribute(&[(1, 6, u32::MAX), (2, 6, 4711), (4, 0, u32::MAX), (0x10, 6, u32::MAX), (0x20, 0, u32::MAX)]);
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(&file, "system.posix_acl_access", &list, flags).is_ok() {
            let access = super::access(&root, "/link").unwrap();
            assert_eq!(access.list, Ok(vec![Entry { group: false, id: 4711, grants: 6 }]));
            // The group's bits of the mode are the mask then, and grant the group nothing.
            assert_eq!(access.mode, 0o660);
        }
        assert_eq!(super::access(&root, "/none").unwrap_err(), Unread::Absent);
    }
}
