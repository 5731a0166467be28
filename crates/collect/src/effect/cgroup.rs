//! Where the cgroups of a process lie, and which processes are in them; versions 1 and 2.

use std::path::{Path, PathBuf};

use super::mounts;
use super::read::{Buffer, open_dir};
use crate::host::root::Unread;

/// The most processes of one container that are looked at.
pub const MOST_PROCESSES: usize = 4096;

/// The deepest nesting of cgroups that is followed, and the most directories below one.
const DEEPEST: usize = 32;
const MOST_DIRECTORIES: usize = 4096;

/// The version of cgroups that limits a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller; also where version 2 is mounted beside it without controllers (hybrid).
    V1,
    /// The one unified hierarchy.
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    /// The controllers; empty for version 2.
    controllers: Vec<String>,
    /// Where it is mounted.
    point: PathBuf,
    /// The cgroup that the mount shows as its root, as paths in `/proc/PID/cgroup` are written.
    root: String,
}

/// The hierarchies that are mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// Those in the text of a mount table; where `root` is not `/` only those below it. Of a hierarchy that is mounted
    /// twice the one that shows most wins.
    ///
    /// # Errors
    /// As [`mounts::parse`].
    pub fn parse(table: &str, root: &Path) -> Result<Self, Unread> {
        let mut out: Vec<Hierarchy> = Vec::new();
        for line in mounts::lines(table) {
            let line = line?;
            if !matches!(line.fs_type, "cgroup" | "cgroup2") || !Path::new(&*line.point).starts_with(root) {
                continue;
            }
            let new = Hierarchy {
                controllers: line.controllers().map(str::to_owned).collect(),
                point: PathBuf::from(&*line.point),
                root: line.root.into_owned(),
            };
            match out.iter_mut().find(|h| h.controllers == new.controllers) {
                Some(old) if new.root.len() < old.root.len() => *old = new,
                Some(_) => {}
                None => out.push(new),
            }
        }
        Ok(Self(out))
    }

    /// True when no controller of version 1 is mounted (the hierarchy of systemd has none).
    pub fn version(&self) -> Option<Version> {
        let real = |h: &Hierarchy| h.controllers.iter().any(|c| !c.starts_with("name="));
        if self.0.iter().any(real) {
            Some(Version::V1)
        } else if self.0.iter().any(|h| h.controllers.is_empty()) {
            Some(Version::V2)
        } else {
            None
        }
    }

    /// The hierarchy that a line of `/proc/PID/cgroup` is about.
    fn find(&self, controllers: &str) -> Option<&Hierarchy> {
        if controllers.is_empty() {
            return self.0.iter().find(|h| h.controllers.is_empty());
        }
        self.0
            .iter()
            .find(|h| !h.controllers.is_empty() && controllers.split(',').all(|c| h.controllers.iter().any(|o| o == c)))
    }
}

/// The cgroup of a process in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The controllers as `/proc/PID/cgroup` names them, separated by commas; empty for version 2.
    pub controllers: String,
    /// The cgroup's path in the hierarchy.
    pub path: String,
    /// Its directory here, when it can be seen, and how many directories up the mounted root lies.
    pub directory: Option<(PathBuf, usize)>,
}

/// Parses `/proc/PID/cgroup` and finds the directories.
///
/// # Errors
/// [`Unread::Other`] for a malformed line.
pub fn memberships(text: &str, hierarchies: &Hierarchies) -> Result<Vec<Membership>, Unread> {
    let malformed = || Unread::Other("has a malformed line".into());
    let mut out = Vec::new();
    for line in text.lines().take(64) {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let directory = hierarchies.find(controllers).and_then(|h| locate(h, path));
        out.push(Membership { controllers: controllers.to_owned(), path: path.to_owned(), directory });
    }
    Ok(out)
}

/// The directory of a cgroup; none where the mount shows another part of the hierarchy. In a cgroup namespace of our
/// own both the mount's root and the path begin with `/..`, and are compared as they are written.
fn locate(hierarchy: &Hierarchy, path: &str) -> Option<(PathBuf, usize)> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let root = hierarchy.root.trim_end_matches('/');
    let relative = path.strip_prefix(root)?;
    if !(relative.is_empty() || relative.starts_with('/')) {
        return None;
    }
    let mut directory = hierarchy.point.clone();
    let mut depth = 0;
    for part in relative.split('/').filter(|p| !p.is_empty()) {
        if part == ".." || part == "." {
            return None;
        }
        directory.push(part);
        depth += 1;
    }
    (depth <= 4 * DEEPEST).then_some((directory, depth))
}

/// The membership for a controller: that of its own line in version 1, the unified one else.
pub fn for_controller<'m>(memberships: &'m [Membership], controller: &str, version: Version) -> Option<&'m Membership> {
    match version {
        Version::V2 => memberships.iter().find(|m| m.controllers.is_empty()),
        Version::V1 => memberships.iter().find(|m| m.controllers.split(',').any(|c| c == controller)),
    }
}

/// The processes of a cgroup and of those below it, in no order; bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Process ids as this process sees them.
    pub pids: Vec<u32>,
    /// True when there were more than [`MOST_PROCESSES`], or cgroups nested deeper than is followed.
    pub truncated: bool,
    /// How many there are that this process cannot see, since they are in another pid namespace.
    pub unseen: usize,
}

/// Walks a cgroup and everything below it.
///
/// # Errors
/// When one of the directories cannot be read; a cgroup below that went away meanwhile has no processes.
pub(super) fn members(directory: &Path, buffer: &mut Buffer) -> Result<Members, Unread> {
    let mut out = Members::default();
    let mut todo = vec![(directory.to_owned(), 0)];
    let mut seen = 0;
    while let Some((path, depth)) = todo.pop() {
        seen += 1;
        match one(&path, depth, &mut todo, &mut out, buffer) {
            Err(Unread::Absent) if depth > 0 => {}
            other => other?,
        }
        if seen > MOST_DIRECTORIES || out.truncated {
            out.truncated = true;
            break;
        }
    }
    out.pids.sort_unstable();
    out.pids.dedup();
    Ok(out)
}

fn one(
    path: &Path,
    depth: usize,
    todo: &mut Vec<(PathBuf, usize)>,
    out: &mut Members,
    buffer: &mut Buffer,
) -> Result<(), Unread> {
    let dir = open_dir(path)?;
    for line in buffer.text(&dir, "cgroup.procs")?.lines() {
        match line.parse::<u32>() {
            Ok(0) => out.unseen += 1,
            Ok(pid) if out.pids.len() < MOST_PROCESSES => out.pids.push(pid),
            Ok(_) => out.truncated = true,
            Err(_) => return Err(Unread::Other("cgroup.procs has a malformed line".into())),
        }
    }
    // A cgroup's directory has two links and one for each below it; file systems of fixtures say so too.
    if rustix::fs::fstat(&dir).map_err(super::read::reason)?.st_nlink <= 2 {
        return Ok(());
    }
    if depth >= DEEPEST {
        out.truncated = true;
        return Ok(());
    }
    for entry in std::fs::read_dir(path)?.take(MOST_DIRECTORIES) {
        let entry = entry?;
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            todo.push((entry.path(), depth + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn hierarchies(text: &str) -> Hierarchies {
        Hierarchies::parse(text, Path::new("/")).unwrap()
    }

    #[test]
    fn version_one_has_a_directory_for_each_controller() {
        let all = hierarchies(V1);
        assert_eq!(all.version(), Some(Version::V1));
        let found = memberships("4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n", &all).unwrap();
        assert_eq!(
            for_controller(&found, "memory", Version::V1).unwrap().directory,
            Some(("/sys/fs/cgroup/memory/docker/abc".into(), 2))
        );
        assert_eq!(
            for_controller(&found, "cpu", Version::V1).unwrap().directory,
            Some(("/sys/fs/cgroup/cpu,cpuacct/docker/abc".into(), 2))
        );
        assert_eq!(for_controller(&found, "pids", Version::V1), None);
    }

    #[test]
    fn version_two_and_namespaces_of_our_own() {
        let two = hierarchies("30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
        assert_eq!(two.version(), Some(Version::V2));
        let found = memberships("0::/system.slice/docker-abc.scope\n", &two).unwrap();
        assert_eq!(found[0].directory, Some(("/sys/fs/cgroup/system.slice/docker-abc.scope".into(), 2)));
        let own = hierarchies("30 23 0:26 /../.. /host/sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        let found = memberships("0::/../../system.slice/docker-abc.scope\n", &own).unwrap();
        assert_eq!(found[0].directory, Some(("/host/sys/fs/cgroup/system.slice/docker-abc.scope".into(), 2)));
        let outside =
            memberships("0::/../other\n", &hierarchies("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"))
                .unwrap();
        assert_eq!(outside[0].directory, None);
        assert_eq!(hierarchies("").version(), None);
        assert!(memberships("nonsense", &own).is_err());
    }

    #[test]
    fn members_below_are_found_and_those_unseen_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        for (at, text) in [("cgroup.procs", "10\n11\n"), ("a/cgroup.procs", "0\n12\n"), ("a/b/cgroup.procs", "13\n")] {
            std::fs::write(dir.path().join(at), text).unwrap();
        }
        let members = members(dir.path(), &mut Buffer::default()).unwrap();
        assert_eq!(members, Members { pids: vec![10, 11, 12, 13], truncated: false, unseen: 1 });
    }
}
