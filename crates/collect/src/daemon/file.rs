//! Where `daemon.json` lies, what it holds, and whether it changed after the daemon started.

use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::config::{self, Content};
use super::find::Daemon;
use crate::host::root::{Root, Unread};

/// The largest `daemon.json` read: 4 MiB.
const LIMIT: usize = 4 << 20;
/// The kernel rounds the start of a process down to 10 ms, and dockerd takes longer than as much
/// again before it reads the file (30 ms were measured), so a change within both came before that.
const BEFORE_READING: i64 = 20_000_000;
/// File times come from a clock that may lag by a tick of at most 10 ms.
const CLOCK_LAG: i64 = 10_000_000;

/// The file as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It was read, and the engine would accept it.
    Read(Content),
    /// There is none, which is as good as an empty one.
    Absent,
    /// It was read, and the engine would refuse to start with it, for this reason.
    Refused(String),
    /// It could not be read, for this reason.
    Unread(String),
}

/// `daemon.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigFile {
    /// Its path as the daemon names it.
    pub path: String,
    /// Where it really lies, links resolved, as the daemon sees it; `None` where that is not known.
    pub real: Option<PathBuf>,
    /// What it holds now.
    pub state: State,
    /// A fingerprint of its bytes: 16 hexadecimal digits of SHA-256; none where there is no file, or it was not read.
    pub digest: Option<String>,
    /// The last change of the file, of a link on the way or of an entry, in nanoseconds since
    /// 1970; `None` where it is not known.
    pub changed_at: Option<i64>,
    /// What changed after the daemon started, in words; `None` when nothing did.
    pub changed_since_start: Option<String>,
}

/// Reads the file that a daemon uses, as an engine of this major version would.
pub fn read(daemon: &Daemon, major: u32) -> ConfigFile {
    let path = match &daemon.config_path {
        Ok(path) => path.clone(),
        Err(why) => return unreadable("daemon.json".into(), why.clone()),
    };
    let view = match daemon.view() {
        Ok(view) => view,
        Err(why) => return unreadable(path, format!("the daemon's file system cannot be entered: {why}")),
    };
    let mut file = read_at(&view, &path, daemon.flags.given("config-file"), daemon.started_at, major);
    file.changed_since_start = file.changed_since_start.or_else(|| mounted_over(daemon, &view, &path));
    file
}

/// Whether a file, or its directory, is mounted there by itself: it may have been put over the one that the daemon has
/// read, and nothing tells when. What a container was given was there before its daemon.
pub(crate) fn mounted_over(daemon: &Daemon, view: &Root, path: &str) -> Option<String> {
    if daemon.own_mounts != Some(true) {
        return None;
    }
    let real = view.canonical(path).unwrap_or_else(|_| path.into());
    // Elsewhere a directory of settings may well be part of a file system of its own.
    let directory = real.parent().filter(|directory| directory.starts_with("/etc/"));
    let places = std::iter::once(&*real).chain(directory);
    let mut mounted = places.filter(|place| view.is_mount_point(place) == Some(true));
    mounted.next().map(|place| format!("{} is mounted by itself, perhaps since dockerd started", place.display()))
}

/// What changed about a file after a process of any kind began that reads it when it starts: itself, a link or a
/// directory on the way, or, where it is gone, the directory that it lay in. None where nothing did.
pub(crate) fn change_since(view: &Root, path: &str, started_at: i64, who: &str) -> Option<String> {
    changes(view, Path::new(path), started_at).after_start.map(|why| why.replace("dockerd", who))
}

fn unreadable(path: String, why: String) -> ConfigFile {
    ConfigFile {
        path,
        real: None,
        state: State::Unread(why.clone()),
        digest: None,
        changed_at: None,
        changed_since_start: Some(why),
    }
}

/// Reads the file at a path of a file system; `required`: the daemon would not have started without.
pub fn read_at(view: &Root, path: &str, required: bool, started_at: i64, major: u32) -> ConfigFile {
    let changes = changes(view, Path::new(path), started_at);
    let mut file = ConfigFile {
        path: path.to_owned(),
        real: view.canonical(path).ok(),
        state: State::Absent,
        digest: None,
        changed_at: changes.latest,
        changed_since_start: changes.after_start,
    };
    match view.read(path, LIMIT) {
        Ok(bytes) => {
            file.digest = Some(crate::fingerprint(&[&bytes]));
            file.state = match config::parse(&bytes, major) {
                Ok(content) => State::Read(content),
                Err(why) => State::Refused(why),
            }
        }
        Err(Unread::Absent) => {
            if required {
                file.changed_since_start = Some(format!("{path} was there when the daemon started and is gone"));
            }
        }
        Err(why) => file.state = State::Unread(format!("{path}: {why}")),
    }
    file
}

#[derive(Default)]
struct Changes {
    latest: Option<i64>,
    after_start: Option<String>,
}

impl Changes {
    fn add(&mut self, at: i64, start: i64, what: impl FnOnce() -> String) {
        self.latest = Some(self.latest.map_or(at, |l| l.max(at)));
        if at > start {
            self.after_start.get_or_insert_with(what);
        }
    }
}

fn modified(stat: &Stat) -> i64 {
    nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64)
}

fn touched(stat: &Stat) -> i64 {
    nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64)
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Walks a path component by component, as the kernel does, and looks at what could have changed
/// its meaning: each link, each directory that was put in the place of another, the file itself,
/// or, where that is missing, the directory that it was removed from.
fn changes(view: &Root, path: &Path, start: i64) -> Changes {
    let start = start.saturating_add(BEFORE_READING);
    let mut found = Changes::default();
    let mut pending: Vec<PathBuf> = components(path);
    let mut current = PathBuf::from("/");
    let mut parent: Option<Stat> = view.lstat("/").ok();
    for _ in 0..256 {
        let Some(next) = pending.pop() else { return found };
        if next == Path::new("..") {
            current.pop();
            parent = view.lstat(&current).ok();
            continue;
        }
        let here = current.join(&next);
        let stat = match view.lstat(&here) {
            Ok(stat) => stat,
            Err(Unread::Absent) => {
                if let (true, Some(directory)) = (pending.is_empty(), parent) {
                    removed(view, &current, &directory, start, &mut found);
                }
                return found;
            }
            Err(why) => {
                found.after_start.get_or_insert(format!("{}: {why}", here.display()));
                return found;
            }
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                found.add(modified(&stat).max(touched(&stat)), start, || changed(&here));
                match view.read_link(&here) {
                    Ok(target) => {
                        if target.is_absolute() {
                            current = PathBuf::from("/");
                            parent = view.lstat("/").ok();
                        }
                        pending.extend(components(&target));
                    }
                    Err(why) => {
                        found.after_start.get_or_insert(format!("{}: {why}", here.display()));
                        return found;
                    }
                }
            }
            FileType::Directory if !pending.is_empty() => {
                // Renaming a directory touches it and modifies the one that holds it; changing its
                // owner or mode does only the former, which leaves the file in it as it was.
                let moved = touched(&stat) > modified(&stat)
                    && parent.is_some_and(|p| modified(&p) >= touched(&stat).saturating_sub(CLOCK_LAG));
                if moved && touched(&stat) > start {
                    found.add(touched(&stat), start, || format!("{} may have been replaced", here.display()));
                }
                parent = Some(stat);
                current = here;
            }
            _ => {
                found.add(modified(&stat).max(touched(&stat)), start, || changed(&here));
                return found;
            }
        }
    }
    found.after_start.get_or_insert("its links lead in a circle".into());
    found
}

/// The parts of a path, the first of them last, as a stack.
fn components(path: &Path) -> Vec<PathBuf> {
    let part = |c| match c {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(part).collect()
}

fn changed(path: &Path) -> String {
    format!("{} changed after dockerd started", path.display())
}

/// A directory that lost or gained an entry after the start may have lost the file.
fn removed(view: &Root, directory: &Path, stat: &Stat, start: i64, found: &mut Changes) {
    let at = modified(stat);
    // Engine 20.10 writes its key there as it starts, which is no change of the configuration.
    let key = view.lstat(directory.join("key.json")).map(|s| modified(&s));
    let by_start = at.saturating_sub(start) < 60_000_000_000;
    let explained = by_start && key.is_ok_and(|k| at.saturating_sub(k).abs() <= 2 * CLOCK_LAG);
    if !explained {
        found.add(at, start, || {
            format!("{} changed after dockerd started: a file may have been removed", directory.display())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> i64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64
    }

    fn host() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/docker")).unwrap();
        std::fs::create_dir_all(dir.path().join("srv")).unwrap();
        std::fs::write(dir.path().join("srv/real.json"), r#"{"icc":false}"#).unwrap();
        std::os::unix::fs::symlink("/srv/real.json", dir.path().join("etc/docker/daemon.json")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    }

    fn later() -> i64 {
        // File times may lag behind the clock; wait until a change is surely after this moment.
        let at = now();
        std::thread::sleep(std::time::Duration::from_millis(50));
        at + 12_000_000
    }

    const PATH: &str = "/etc/docker/daemon.json";

    #[test]
    fn an_old_file_is_unchanged_and_a_changed_target_link_or_mode_is_not() {
        let (dir, root) = host();
        let start = later();
        let file = read_at(&root, PATH, false, start, 29);
        assert_eq!(file.changed_since_start, None);
        assert_eq!(file.real.as_deref(), Some(Path::new("/srv/real.json")));
        assert!(matches!(&file.state, State::Read(c) if c.keys["icc"] == false));
        std::fs::write(dir.path().join("srv/real.json"), "{}").unwrap();
        assert!(read_at(&root, PATH, false, start, 29).changed_since_start.unwrap().contains("/srv/real.json"));

        let (dir, root) = host();
        let start = later();
        std::fs::remove_file(dir.path().join("etc/docker/daemon.json")).unwrap();
        std::os::unix::fs::symlink("../../srv/real.json", dir.path().join("etc/docker/daemon.json")).unwrap();
        assert!(read_at(&root, PATH, false, start, 29).changed_since_start.unwrap().contains(PATH));

        let (dir, root) = host();
        let start = later();
        let old = std::fs::File::options().write(true).open(dir.path().join("srv/real.json")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(read_at(&root, PATH, false, start, 29).changed_since_start.is_some(), "a forged mtime");
    }

    #[test]
    fn a_replaced_directory_counts_and_its_mode_alone_does_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, root) = host();
        let start = later();
        std::fs::set_permissions(dir.path().join("etc/docker"), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(read_at(&root, PATH, false, start, 29).changed_since_start, None);
        std::fs::rename(dir.path().join("etc/docker"), dir.path().join("etc/old")).unwrap();
        std::fs::rename(dir.path().join("etc/old"), dir.path().join("etc/docker")).unwrap();
        assert!(read_at(&root, PATH, false, start, 29).changed_since_start.is_some());
    }

    #[test]
    fn a_file_that_is_gone_may_have_been_there() {
        let (dir, root) = host();
        std::fs::remove_file(dir.path().join("etc/docker/daemon.json")).unwrap();
        let start = later();
        let file = read_at(&root, PATH, false, start, 29);
        assert_eq!((&file.state, &file.changed_since_start), (&State::Absent, &None));
        assert!(read_at(&root, PATH, true, start, 29).changed_since_start.is_some());
        std::fs::write(dir.path().join("etc/docker/key.json"), "{}").unwrap();
        assert_eq!(read_at(&root, PATH, false, start, 29).changed_since_start, None);
        std::fs::write(dir.path().join("etc/docker/x"), "{}").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::fs::remove_file(dir.path().join("etc/docker/x")).unwrap();
        assert!(read_at(&root, PATH, false, start, 29).changed_since_start.is_some());
    }

    #[test]
    fn links_in_a_circle_end() {
        let (dir, root) = host();
        std::fs::remove_file(dir.path().join("srv/real.json")).unwrap();
        std::os::unix::fs::symlink("/etc/docker/daemon.json", dir.path().join("srv/real.json")).unwrap();
        let file = read_at(&root, PATH, false, now(), 29);
        assert!(matches!(file.state, State::Unread(_)));
    }
}
