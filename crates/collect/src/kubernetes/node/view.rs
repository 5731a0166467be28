//! The file system as a process sees it.

use std::path::{Component, Path, PathBuf};

use super::sheet::Files;
use crate::daemon::file::change_since;
use crate::host::process::{Proc, Process, started_at};
use crate::host::root::{Root, Unread};

/// The largest configuration file: 4 MiB.
const LARGEST: usize = 4 << 20;
/// The most entries of a directory.
const MOST: usize = 4_096;
/// The deepest nesting of directories that is walked.
const DEEPEST: usize = 8;

/// The file system of a process.
pub(super) struct View {
    /// Its root, or why that may not be entered.
    pub root: Result<Root, String>,
    /// Whether it is the host's own.
    pub is_host: bool,
    cwd: Option<String>,
    started_at: i64,
    who: String,
}

impl View {
    /// The view of a process.
    pub fn of(host: &Root, proc: &Proc, process: &Process, who: &str) -> Self {
        let pid = process.pid;
        let entered = proc.entry(pid, "root");
        let theirs = rustix::fs::stat(&entered).ok().map(|s| (s.st_dev, s.st_ino));
        let ours = rustix::fs::stat(host.path()).ok().map(|s| (s.st_dev, s.st_ino));
        // In another mount namespace other things may lie at the same path, even if the root directory is one.
        let mounts = proc.namespace(pid, "mnt");
        let is_host = theirs.is_some() && theirs == ours && mounts.is_some() && mounts == of_host(host, proc);
        let root = match (is_host, theirs) {
            (true, _) => Root::open(host.path()).map_err(|why| why.to_string()),
            (false, Some(_)) => Root::open(&entered).map_err(|why| why.to_string()),
            (false, None) => Err(format!("the file system of process {pid} may not be entered: it needs root")),
        };
        let cwd = proc.link(pid, "cwd").ok().filter(|cwd| cwd.starts_with('/') && !cwd.ends_with(" (deleted)"));
        Self { root, is_host, cwd, started_at: started_at(process.start_ticks), who: who.to_owned() }
    }

    /// A view of a directory, as a process that began at a moment would have it.
    #[cfg(test)]
    pub fn for_test(root: Root, cwd: &str, started_at: i64) -> Self {
        Self { root: Ok(root), is_host: true, cwd: Some(cwd.to_owned()), started_at, who: "it".to_owned() }
    }

    fn enter(&self) -> Result<&Root, String> {
        self.root.as_ref().map_err(Clone::clone)
    }
}

/// The mount namespace in which the host's files are seen: that of its first process, else, where these are read through
/// no other, our own.
fn of_host(host: &Root, proc: &Proc) -> Option<u64> {
    let own =
        || (host.is_live() && proc.numbers_are_ours()).then(|| proc.namespace(std::process::id(), "mnt")).flatten();
    proc.namespace(1, "mnt").or_else(own)
}

impl Files for View {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.enter()?.read(path, LARGEST).map_err(|why| why.to_string())
    }

    fn walk(&self, path: &str) -> Result<Vec<String>, String> {
        let root = self.enter()?;
        let mut found = Vec::new();
        walk(root, Path::new(path), Path::new(""), 0, &mut found)?;
        Ok(found)
    }

    fn changed(&self, path: &str) -> Option<String> {
        match self.enter() {
            Ok(root) => change_since(root, path, self.started_at, &self.who),
            Err(why) => Some(why),
        }
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        if path.starts_with('/') {
            return Ok(path.to_owned());
        }
        let cwd = self.cwd.as_deref().ok_or("it is relative to the process's working directory, which is not known")?;
        Ok(clean(&Path::new(cwd).join(path)).to_string_lossy().into_owned())
    }
}

/// A path without `.`, and without `..` where these are resolved by their words, as Go's `filepath.Abs` does.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

/// Entries in the order in which Go walks: by name, a directory's before what follows it. Links are not followed.
fn walk(root: &Root, top: &Path, below: &Path, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("its directories are nested deeper than {DEEPEST}"));
    }
    for name in root.list(top.join(below), MOST).map_err(|why| why.to_string())? {
        let path = below.join(&name);
        let kind = root.lstat(top.join(&path)).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(rustix::fs::FileType::Directory) => walk(root, top, &path, depth + 1, found)?,
            Ok(_) => found.push(path.to_string_lossy().into_owned()),
            Err(Unread::Absent) => {}
            Err(why) => return Err(format!("{}: {why}", path.display())),
        }
        if found.len() > MOST {
            return Err(format!("it holds more than {MOST} entries"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;

    #[test]
    fn directories_are_walked_as_go_walks_and_circles_end() {
        let (dir, root) = host(&[("/d/20.conf", ""), ("/d/10/b.conf", ""), ("/d/10/a.conf", ""), ("/d/99.conf", "")]);
        std::os::unix::fs::symlink("..", dir.path().join("d/10/up")).unwrap();
        let view = View::for_test(root, "/srv/x", 0);
        assert_eq!(view.walk("/d").unwrap(), ["10/a.conf", "10/b.conf", "10/up", "20.conf", "99.conf"]);
        assert!(view.walk("/none").is_err());
        assert_eq!(view.absolute("../k/c.yaml").unwrap(), "/srv/k/c.yaml");
    }
}
