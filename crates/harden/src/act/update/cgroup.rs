//! What the kernel limits: a container's control group as it is, on versions 1 and 2.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{At as _, Failure, Host};

/// Bytes from which a memory limit is none: no machine has as many, and what the engine is told to lift one is above it.
pub const UNLIMITED: u64 = 1 << 60;

/// The most control groups above one that are looked at.
const DEEPEST: usize = 32;

/// The largest file of a control group, or table of mounts, that is read, in bytes.
const LONGEST: u64 = 4 << 20;

/// A limit with the smallest of it and of those above it; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of the container's own group.
    pub own: Option<u64>,
    /// In effect.
    pub effective: Option<u64>,
}

/// Limits and use of a container's control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Memory, in bytes.
    pub memory: Limit,
    /// Swap: on version 2 alone, on version 1 together with memory; none where the kernel does not account for it.
    pub swap: Option<Option<u64>>,
    /// Whether swap is counted together with memory.
    pub together: bool,
    /// Memory in use, in bytes.
    pub used: u64,
    /// Processes and threads.
    pub pids: Limit,
    /// Those that there are.
    pub running: u64,
    /// Thousandths of a CPU.
    pub cpus: Limit,
}

/// Reads them for the container's first process.
pub fn read(host: &Host, pid: u64, id: &str) -> Result<Seen, Failure> {
    let of = Groups::of(host, pid, id)?;
    let memory = of.group("memory")?;
    let (pids, cpu) = (of.group("pids")?, of.group("cpu")?);
    let sized = |limit: Limit| Limit { own: finite(limit.own), effective: finite(limit.effective) };
    let (max, swap, used) = if memory.unified {
        ("memory.max", "memory.swap.max", "memory.current")
    } else {
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.usage_in_bytes")
    };
    Ok(Seen {
        memory: sized(memory.limit(max, plain)?),
        swap: memory.file(0, swap)?.map(|text| plain(&text)).transpose()?.map(finite),
        together: !memory.unified,
        used: memory.number(used)?,
        pids: pids.limit("pids.max", plain)?,
        running: pids.number("pids.current")?,
        cpus: if cpu.unified { cpu.limit("cpu.max", share)? } else { cpu.quota()? },
    })
}

fn finite(limit: Option<u64>) -> Option<u64> {
    limit.filter(|bytes| *bytes < UNLIMITED)
}

/// `max` and `-1` are no limit.
fn plain(text: &str) -> Result<Option<u64>, Failure> {
    match text.trim() {
        "max" | "-1" => Ok(None),
        number => number.parse().map(Some).at(|| format!("a limit of a control group is {number:?}")),
    }
}

/// Quota and period as thousandths of a CPU.
fn share(text: &str) -> Result<Option<u64>, Failure> {
    let (quota, period) = text.trim().split_once(' ').unwrap_or((text.trim(), "100000"));
    let period = plain(period)?.unwrap_or(100_000).max(1);
    Ok(plain(quota)?.map(|quota| quota.saturating_mul(1000) / period))
}

/// The control groups of one process.
struct Groups {
    /// Lines of `/proc/PID/cgroup`: controllers and path.
    lines: Vec<(String, String)>,
    mounts: Vec<Mount>,
    id: String,
}

/// A mounted hierarchy.
struct Mount {
    unified: bool,
    controllers: Vec<String>,
    root: String,
    point: PathBuf,
}

impl Groups {
    fn of(host: &Host, pid: u64, id: &str) -> Result<Self, Failure> {
        let text = text(&host.path(&format!("/proc/{pid}/cgroup")))?;
        let lines = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        });
        let mounts = self::text(&host.path("/proc/self/mountinfo"))?;
        let mounts = mounts.lines().filter_map(|line| mount(host, line)).collect();
        Ok(Self { lines: lines.collect(), mounts, id: id.to_owned() })
    }

    /// The container's own group for a controller: the one that has its name, whatever lies below it.
    fn group(&self, controller: &str) -> Result<Group, Failure> {
        let has = |all: &str| all.split(',').any(|c| c == controller);
        let old = self.lines.iter().find(|(all, _)| has(all)).and_then(|(_, path)| {
            Some((path, self.mounts.iter().find(|m| m.controllers.iter().any(|c| c == controller))?))
        });
        let new = || {
            let (_, path) = self.lines.iter().find(|(all, _)| all.is_empty())?;
            Some((path, self.mounts.iter().find(|m| m.unified)?))
        };
        let lost = || Failure(format!("the control group ({controller}) of container {} is not found", self.id));
        let (path, mount) = old.or_else(new).ok_or_else(lost)?;
        let within = path.strip_prefix(mount.root.trim_end_matches('/')).ok_or_else(lost)?;
        let parts: Vec<&str> = within.split('/').filter(|p| !p.is_empty()).collect();
        let own = parts.iter().position(|part| part.contains(&self.id)).ok_or_else(lost)?;
        if parts.iter().any(|p| matches!(*p, "." | "..")) || own > DEEPEST {
            return Err(lost());
        }
        let levels = (1..=own + 1).rev().map(|n| mount.point.join(parts[..n].join("/"))).collect();
        Ok(Group { levels, unified: mount.unified })
    }
}

fn mount(host: &Host, line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let unified = match right.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let controllers = if unified { "" } else { right.nth(1)? };
    let controllers = controllers.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect();
    let point = host.path(left.get(4)?);
    Some(Mount { unified, controllers, root: (*left.get(3)?).to_owned(), point })
}

/// A group and those above it, up to the mounted root.
struct Group {
    levels: Vec<PathBuf>,
    unified: bool,
}

impl Group {
    /// A file of the group (0) or of one above it; none where it has no such file.
    fn file(&self, level: usize, name: &str) -> Result<Option<String>, Failure> {
        let path = self.levels[level].join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.levels[level].is_dir() => Ok(None),
            _ => text(&path).map(Some),
        }
    }

    fn limit(&self, name: &str, parse: impl Fn(&str) -> Result<Option<u64>, Failure>) -> Result<Limit, Failure> {
        let mut out = Limit::default();
        for level in 0..self.levels.len() {
            // On version 2 a controller that is not given to a group limits nothing there.
            let found = self.file(level, name)?;
            if found.is_none() && !self.unified {
                return Err(Failure(format!("{} is not there", self.levels[level].join(name).display())));
            }
            let value = found.map_or(Ok(None), |text| parse(&text))?;
            if level == 0 {
                out.own = value;
            }
            out.effective = out.effective.into_iter().chain(value).min();
        }
        Ok(out)
    }

    /// Version 1's quota, which lies in two files.
    fn quota(&self) -> Result<Limit, Failure> {
        let mut out = Limit::default();
        for level in 0..self.levels.len() {
            let read = |name| self.file(level, name).map(Option::unwrap_or_default);
            let text = read("cpu.cfs_quota_us")?;
            let value = if text.trim().is_empty() {
                None
            } else {
                share(&format!("{} {}", text.trim(), read("cpu.cfs_period_us")?.trim()))?
            };
            if level == 0 {
                out.own = value;
            }
            out.effective = out.effective.into_iter().chain(value).min();
        }
        Ok(out)
    }

    fn number(&self, name: &str) -> Result<u64, Failure> {
        let path = self.levels[0].join(name);
        text(&path)?.trim().parse().at(|| format!("read {}", path.display()))
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).at(|| format!("read {}", path.display()))?;
    file.take(LONGEST).read_to_end(&mut bytes).at(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host { root: dir.path().into(), engine: None, daemon: None, transaction: "0".into() };
        (dir, host)
    }

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn version_two_is_read_from_the_group_that_has_the_containers_name() {
        let scope = "sys/fs/cgroup/system.slice/docker-abc.scope";
        let file = |name: &str| format!("{scope}/{name}");
        let (_dir, host) = host(&[
            ("proc/self/mountinfo", V2),
            // Its first process has made a group of its own below.
            ("proc/7/cgroup", "0::/system.slice/docker-abc.scope/init\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
            (&file("memory.max"), "9223372036854771712\n"),
            (&file("memory.swap.max"), "9223372035781033984\n"),
            (&file("memory.current"), "4096\n"),
            (&file("pids.max"), "100\n"),
            (&file("pids.current"), "3\n"),
            (&file("cpu.max"), "50000 100000\n"),
            (&file("init/memory.max"), "5\n"),
        ]);
        let seen = read(&host, 7, "abc").unwrap();
        assert_eq!(seen.memory, Limit { own: None, effective: Some(1 << 30) });
        assert_eq!((seen.swap, seen.together, seen.used), (Some(None), false, 4096));
        assert_eq!((seen.pids.own, seen.running, seen.cpus.own), (Some(100), 3, Some(500)));
        assert!(read(&host, 7, "other").unwrap_err().0.contains("not found"));
        assert!(read(&host, 8, "abc").is_err());
    }

    #[test]
    fn without_swap_accounting_swap_is_not_known() {
        let at = |name: &str| format!("sys/fs/cgroup/docker/abc/{name}");
        let (dir, host) = host(&[
            ("proc/self/mountinfo", V2),
            ("proc/7/cgroup", "0::/docker/abc\n"),
            (&at("memory.max"), "max\n"),
            (&at("memory.current"), "1\n"),
            (&at("pids.max"), "max\n"),
            (&at("pids.current"), "1\n"),
            (&at("cpu.max"), "max 100000\n"),
        ]);
        let seen = read(&host, 7, "abc").unwrap();
        assert_eq!((seen.memory.own, seen.swap, seen.pids.own, seen.cpus.own), (None, None, None, None));
        fs::write(dir.path().join(at("memory.max")), "much\n").unwrap();
        assert!(read(&host, 7, "abc").unwrap_err().0.contains("much"));
    }
}
