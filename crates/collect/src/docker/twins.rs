//! Other names of the sockets that command engines: a hard link is the same socket, and nothing in its path says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Stat};
use seaworthy_core::kubernetes::host_path::SOCKETS;

use super::context::Beneath;
use super::json::Read;
use crate::host::root::Root;

/// The most entries of one directory, with all beneath it, that are looked through for a second name.
const MOST_ENTRIES: usize = 4096;

/// The directories beneath one that are looked into.
const DEEPEST: usize = 8;

/// A socket by what it is.
#[derive(Debug)]
struct Socket {
    device: u64,
    inode: u64,
    /// Whether it has a second name.
    linked: bool,
    path: String,
}

/// How far a directory was looked through.
struct Looked {
    /// Entries that may still be looked at.
    left: usize,
    found: Vec<Beneath>,
}

/// The sockets of a host by which engines are commanded.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<Socket>);

impl Sockets {
    /// Those at the paths given, and at the usual ones.
    pub fn at(root: &Root, given: &[String]) -> Self {
        let mut found = Self::default();
        for path in given.iter().map(String::as_str).chain(SOCKETS.iter().copied()).filter(|p| p.starts_with('/')) {
            let Ok(stat) = root.stat(path) else { continue };
            if is_socket(&stat) && found.known(&stat).is_none() {
                let (device, inode, linked) = (stat.st_dev, stat.st_ino, stat.st_nlink > 1);
                let real = root.canonical(path).ok().and_then(|real| real.to_str().map(str::to_owned));
                found.0.push(Socket { device, inode, linked, path: real.unwrap_or_else(|| path.to_owned()) });
            }
        }
        found
    }

    /// The path by which a socket is known, whatever it is called here; none for anything else.
    pub fn name_of(&self, root: &Root, path: &Path) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.known(&root.stat(path).ok()?)
    }

    fn known(&self, stat: &Stat) -> Option<&str> {
        let same = |s: &&Socket| (s.device, s.inode) == (stat.st_dev, stat.st_ino);
        self.0.iter().filter(|_| is_socket(stat)).find(same).map(|s| s.path.as_str())
    }

    /// Second names of them beneath a directory, which is looked through only where one has any.
    ///
    /// # Errors
    /// Why there may be more than those that were found, where none was.
    pub fn below(&self, root: &Root, directory: &Path) -> Read<Vec<Beneath>> {
        if !self.0.iter().any(|s| s.linked) {
            return Ok(Vec::new());
        }
        let mut looked = Looked { left: MOST_ENTRIES, found: Vec::new() };
        let whole = self.walk(root, directory, Path::new(""), DEEPEST, &mut looked);
        if whole || !looked.found.is_empty() {
            return Ok(looked.found);
        }
        let why =
            "a socket of an engine has a second name, and not all of this directory could be looked through for it";
        Err(Arc::from(why))
    }

    /// Whether all was looked at. Other file systems are passed over: a hard link never leaves its own.
    fn walk(&self, root: &Root, directory: &Path, inside: &Path, deeper: usize, looked: &mut Looked) -> bool {
        let on_one = |stat: &Stat| self.0.iter().any(|s| s.linked && s.device == stat.st_dev);
        match root.lstat(directory) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                if !on_one(&stat) {
                    return true;
                }
            }
            Ok(_) => return true,
            Err(_) => return false,
        }
        let Ok(names) = root.list(directory, looked.left) else { return false };
        looked.left -= names.len();
        let mut whole = true;
        for name in names {
            let (path, inside): (PathBuf, PathBuf) = (directory.join(&name), inside.join(&name));
            let Ok(stat) = root.lstat(&path) else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if on_one(&stat) => {
                    whole &= deeper > 0 && self.walk(root, &path, &inside, deeper - 1, looked);
                }
                FileType::Socket => {
                    if let (Some(name), Some(path)) = (self.known(&stat), inside.to_str()) {
                        looked.found.push(Beneath { path: path.to_owned(), name: name.to_owned(), read_only: false });
                    }
                }
                _ => {}
            }
        }
        whole
    }
}

fn is_socket(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Socket
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_hard_link_is_known_by_what_it_is_and_found_beneath_directories() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("app/deep")).unwrap();
        let _engine = UnixListener::bind(at("engine.s")).unwrap();
        let _other = UnixListener::bind(at("app/other.s")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let sockets = || Sockets::at(&root, &["/engine.s".to_owned()]);
        // Without a second name nothing is looked through.
        assert_eq!(sockets().below(&root, Path::new("/app")), Ok(Vec::new()));
        std::fs::hard_link(at("engine.s"), at("app/deep/x")).unwrap();
        let sockets = sockets();
        assert_eq!(sockets.name_of(&root, Path::new("/app/deep/x")), Some("/engine.s"));
        assert_eq!(sockets.name_of(&root, Path::new("/app/other.s")), None);
        let below = sockets.below(&root, Path::new("/app")).unwrap();
        assert_eq!(below.iter().map(|b| (&*b.path, &*b.name)).collect::<Vec<_>>(), [("deep/x", "/engine.s")]);
        // What is too large to be looked through may hold it.
        std::fs::create_dir(at("large")).unwrap();
        for number in 0..=MOST_ENTRIES {
            std::fs::write(at(&format!("large/{number}")), "").unwrap();
        }
        assert!(sockets.below(&root, Path::new("/large")).is_err());
        assert!(sockets.below(&root, Path::new("/none")).is_err());
    }
}
