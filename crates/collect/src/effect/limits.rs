//! The limits in effect of a container's cgroups, with those that it inherits, and what it uses now.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::CWD;

use super::cgroup::{Membership, Version, for_controller};
use super::devices::DeviceRule;
use super::read::{Buffer, Datum, open_dir};
use crate::host::root::Unread;

/// The most cgroups above one that are asked for limits.
const LONGEST_CHAIN: usize = 32;

/// A limit of the cgroup and the one that is in effect: the smallest of it and of all above it. `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Set on the cgroup itself.
    pub own: Option<u64>,
    /// In effect, inherited ones included.
    pub effective: Option<u64>,
    /// The directory whose limit is in effect.
    pub from: PathBuf,
}

/// A share of processor time: `quota` of every `period`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuQuota {
    /// Microseconds of processor time.
    pub quota: u64,
    /// In each period of as many microseconds.
    pub period: u64,
}

impl CpuQuota {
    /// Thousandths of one processor.
    pub fn milli_cpus(self) -> u64 {
        self.quota.saturating_mul(1000) / self.period.max(1)
    }
}

/// What a container's cgroups limit, and its present usage. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The version of cgroups.
    pub version: Version,
    /// Memory: `memory.max`, `memory.limit_in_bytes`.
    pub memory_max: Datum<Limit>,
    /// Swap alone: version 2's `memory.swap.max`; on version 1 absent.
    pub swap_max: Datum<Limit>,
    /// Memory and swap together: version 1's `memory.memsw.limit_in_bytes`; on version 2 absent. Absent on version 1
    /// too where the kernel does not account for swap.
    pub memory_and_swap_max: Datum<Limit>,
    /// Memory in use.
    pub memory_current: Datum<u64>,
    /// The most memory that was in use; absent on kernels before 5.19 with version 2.
    pub memory_peak: Datum<u64>,
    /// The smallest share of processor time of the chain; `None` without a limit.
    pub cpu_quota: Datum<Option<CpuQuota>>,
    /// `cpu.weight` (1 to 10000, 100 by default) or version 1's `cpu.shares` (2 to 262144, 1024 by default).
    pub cpu_weight: Datum<u64>,
    /// The processors that it may use, as `0-3,7`; empty when not set on the cgroup itself.
    pub cpuset: Datum<String>,
    /// Processes and threads.
    pub pids_max: Datum<Limit>,
    /// Processes and threads now.
    pub pids_current: Datum<u64>,
    /// The most processes and threads there were; absent on kernels before 6.1.
    pub pids_peak: Datum<u64>,
    /// Version 1's `devices.list`; unknown on version 2, which keeps it in a BPF program.
    pub devices: Datum<Vec<DeviceRule>>,
}

/// Reads the limits of the cgroups that a process is a member of.
pub(super) fn read(memberships: &[Membership], version: Version, ancestors: &Ancestors, buffer: &mut Buffer) -> Limits {
    let group = |controller: &str| Group::find(memberships, controller, version, ancestors);
    match version {
        Version::V2 => {
            let all = group("");
            unified(&all, buffer)
        }
        Version::V1 => {
            let memory = group("memory");
            let (cpu, cpuset, pids, devices) = (group("cpu"), group("cpuset"), group("pids"), group("devices"));
            Limits {
                version,
                memory_max: memory.limit("memory.limit_in_bytes", buffer),
                swap_max: memory.none("memory.swap.max"),
                memory_and_swap_max: memory.limit("memory.memsw.limit_in_bytes", buffer),
                memory_current: memory.number("memory.usage_in_bytes", buffer),
                memory_peak: memory.number("memory.max_usage_in_bytes", buffer),
                cpu_quota: cpu.quota_v1(buffer),
                cpu_weight: cpu.number("cpu.shares", buffer),
                cpuset: cpuset.text("cpuset.cpus", buffer),
                pids_max: pids.limit("pids.max", buffer),
                pids_current: pids.number("pids.current", buffer),
                pids_peak: pids.number("pids.peak", buffer),
                devices: devices.devices(buffer),
            }
        }
    }
}

fn unified(all: &Group<'_>, buffer: &mut Buffer) -> Limits {
    Limits {
        version: Version::V2,
        memory_max: all.limit("memory.max", buffer),
        swap_max: all.limit("memory.swap.max", buffer),
        memory_and_swap_max: all.none("memory.memsw.limit_in_bytes"),
        memory_current: all.number("memory.current", buffer),
        memory_peak: all.number("memory.peak", buffer),
        cpu_quota: all.quota_v2(buffer),
        cpu_weight: all.number("cpu.weight", buffer),
        cpuset: all.text("cpuset.cpus", buffer),
        pids_max: all.limit("pids.max", buffer),
        pids_current: all.number("pids.current", buffer),
        pids_peak: all.number("pids.peak", buffer),
        devices: Datum::new(Err(Unread::Other("kept in a BPF program on cgroup v2".into())), &all.directory, "devices"),
    }
}

/// Files of the cgroups above those of containers, which many containers share: read once while this lives.
#[derive(Debug, Default)]
pub(super) struct Ancestors(Mutex<HashMap<PathBuf, Result<String, Unread>>>);

impl Ancestors {
    fn read(&self, directory: &Path, file: &str, buffer: &mut Buffer) -> Result<String, Unread> {
        let path = directory.join(file);
        if let Some(known) = self.0.lock().ok().and_then(|m| m.get(&path).cloned()) {
            return known;
        }
        let read = open_dir(directory).and_then(|dir| buffer.record_text(dir, file).map(str::to_owned));
        if let Ok(mut known) = self.0.lock() {
            known.insert(path, read.clone());
        }
        read
    }
}

/// One cgroup with those above it, up to the mounted root.
struct Group<'a> {
    /// Those above, the nearest first.
    above: Vec<PathBuf>,
    ancestors: &'a Ancestors,
    /// True where the chain was cut.
    cut: bool,
    gap: Option<Unread>,
    version: Version,
    directory: Arc<str>,
    /// The directory, opened: several files are read below it. Where it could not be, each says why by its path.
    open: Option<OwnedFd>,
}

impl<'a> Group<'a> {
    fn find(memberships: &[Membership], controller: &str, version: Version, ancestors: &'a Ancestors) -> Self {
        let empty = |gap, directory: &str| Self {
            above: Vec::new(),
            ancestors,
            cut: false,
            gap: Some(gap),
            version,
            directory: directory.into(),
            open: None,
        };
        let Some(member) = for_controller(memberships, controller, version) else {
            let gap = Unread::Other(format!("the cgroup controller {controller} is not in use"));
            return empty(gap, controller);
        };
        let Some((directory, depth)) = &member.directory else {
            let gap = Unread::Other("its cgroup lies outside of what is mounted here".into());
            return empty(gap, &member.path);
        };
        let above = directory.ancestors().skip(1).take((*depth).min(LONGEST_CHAIN)).map(Path::to_owned).collect();
        Self {
            above,
            ancestors,
            cut: *depth > LONGEST_CHAIN,
            gap: None,
            version,
            directory: directory.to_string_lossy().into(),
            open: open_dir(directory).ok(),
        }
    }

    /// A file that this version does not have.
    fn none<T>(&self, file: &'static str) -> Datum<T> {
        Datum::new(Err(Unread::Absent), &self.directory, file)
    }

    /// A file of the cgroup itself.
    fn own_text<'b>(&self, file: &str, buffer: &'b mut Buffer) -> Result<&'b str, Unread> {
        if let Some(gap) = &self.gap {
            return Err(gap.clone());
        }
        let read = match &self.open {
            Some(open) => buffer.record_text(open, file),
            None => buffer.record_text(CWD, &format!("{}/{file}", self.directory)),
        };
        match read {
            // The cgroup is there without this file, or it is gone with all of them.
            Err(Unread::Absent) => Err(if self.is_gone() { super::read::vanished() } else { Unread::Absent }),
            read => read,
        }
    }

    /// Whether the cgroup is there no more, or another one under its name.
    fn is_gone(&self) -> bool {
        let number = |dir: &OwnedFd| rustix::fs::fstat(dir).map(|stat| stat.st_ino).ok();
        match (open_dir(Path::new(&*self.directory)), &self.open) {
            (Ok(now), Some(then)) => number(&now) != number(then),
            (now, _) => now.is_err_and(|gap| gap == Unread::Absent),
        }
    }

    /// The text of a file of the cgroup itself (0) or of one above it (1, 2, …).
    fn level(&self, level: usize, file: &str, buffer: &mut Buffer) -> Result<String, Unread> {
        match level.checked_sub(1) {
            None => self.own_text(file, buffer).map(str::to_owned),
            Some(i) => self.ancestors.read(&self.above[i], file, buffer),
        }
    }

    fn own<T>(&self, file: &'static str, buffer: &mut Buffer, parse: impl Fn(&str) -> Result<T, Unread>) -> Datum<T> {
        let value = self.own_text(file, buffer).and_then(parse);
        Datum::new(value, &self.directory, file)
    }

    fn number(&self, file: &'static str, buffer: &mut Buffer) -> Datum<u64> {
        self.own(file, buffer, |t| t.trim().parse().map_err(|_| Unread::Other("is no number".into())))
    }

    fn text(&self, file: &'static str, buffer: &mut Buffer) -> Datum<String> {
        let mut datum = self.own(file, buffer, |t| Ok(t.trim().chars().take(256).collect::<String>()));
        if self.version == Version::V2 && datum.value == Err(Unread::Absent) {
            // The controller is not given to this cgroup, so nothing is set.
            datum.value = Ok(String::new());
        }
        datum
    }

    /// How many of those above may bound it. The mounted root is not among them: what it says, where it says anything,
    /// is the bound of the whole machine, or of the container that plays it.
    fn bounded(&self) -> usize {
        if self.cut { self.above.len() } else { self.above.len().saturating_sub(1) }
    }

    /// The smallest of the chain. On version 2 a file that is missing is a controller not given to that cgroup, which
    /// then sets no limit of its own; on version 1 it is missing for all (swap is not accounted for).
    fn limit(&self, file: &'static str, buffer: &mut Buffer) -> Datum<Limit> {
        Datum::new(self.smallest(file, buffer), &self.directory, file)
    }

    fn smallest(&self, file: &str, buffer: &mut Buffer) -> Result<Limit, Unread> {
        if let Some(gap) = &self.gap {
            return Err(gap.clone());
        }
        let mut out = Limit { own: None, effective: None, from: PathBuf::from(&*self.directory) };
        for level in 0..=self.bounded() {
            let value = match self.level(level, file, buffer) {
                Ok(text) => parse_limit(&text)?,
                // The root of version 2 has no limits, as that of version 1 for pids.
                Err(Unread::Absent) if self.version == Version::V2 => None,
                Err(gap) => return Err(gap),
            };
            if level == 0 {
                out.own = value;
            }
            if let Some(bytes) = value
                && out.effective.is_none_or(|e| bytes < e)
            {
                out.effective = value;
                if level > 0 {
                    out.from.clone_from(&self.above[level - 1]);
                }
            }
        }
        if self.cut && out.effective.is_none() {
            return Err(Unread::Other(format!("more than {LONGEST_CHAIN} cgroups lie above it")));
        }
        Ok(out)
    }

    /// The quota that gives the least processor time of the chain.
    fn least(
        &self,
        file: &'static str,
        mut one: impl FnMut(usize) -> Result<Option<CpuQuota>, Unread>,
    ) -> Datum<Option<CpuQuota>> {
        let mut fold = || {
            if let Some(gap) = &self.gap {
                return Err(gap.clone());
            }
            let mut least: Option<CpuQuota> = None;
            for level in 0..=self.bounded() {
                let quota = match one(level) {
                    Err(Unread::Absent) if self.version == Version::V2 || level > 0 => None,
                    other => other?,
                };
                if let Some(new) = quota
                    && least.is_none_or(|l| new.milli_cpus() < l.milli_cpus())
                {
                    least = quota;
                }
            }
            Ok(least)
        };
        Datum::new(fold(), &self.directory, file)
    }

    fn quota_v2(&self, buffer: &mut Buffer) -> Datum<Option<CpuQuota>> {
        self.least("cpu.max", |level| {
            let text = self.level(level, "cpu.max", buffer)?;
            let (quota, period) = text.trim().split_once(' ').ok_or_else(|| Unread::Other("is malformed".into()))?;
            pair(quota, period)
        })
    }

    fn quota_v1(&self, buffer: &mut Buffer) -> Datum<Option<CpuQuota>> {
        self.least("cpu.cfs_quota_us", |level| match self.level(level, "cpu.cfs_quota_us", buffer)?.trim() {
            "-1" => Ok(None),
            quota => pair(quota, self.level(level, "cpu.cfs_period_us", buffer)?.trim()),
        })
    }

    fn devices(&self, buffer: &mut Buffer) -> Datum<Vec<DeviceRule>> {
        self.own("devices.list", buffer, |t| {
            let malformed = || Unread::Other("has a malformed rule".into());
            t.lines().take(1024).map(|l| DeviceRule::parse(l).ok_or_else(malformed)).collect()
        })
    }
}

/// `max`, `-1` and what no machine has are no limit.
fn parse_limit(text: &str) -> Result<Option<u64>, Unread> {
    /// Version 1 writes no limit as 2^63 - 1 rounded down to a page; where an engine has lifted a limit of swap on version
    /// 2, it is that less the memory. No machine has as much as this.
    const NONE: u64 = 1 << 60;
    match text.trim() {
        "max" | "-1" => Ok(None),
        number => match number.parse::<u64>() {
            Ok(n) if n >= NONE => Ok(None),
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(Unread::Other("is no limit".into())),
        },
    }
}

fn pair(quota: &str, period: &str) -> Result<Option<CpuQuota>, Unread> {
    let malformed = || Unread::Other("is malformed".into());
    if matches!(quota, "max" | "-1") {
        return Ok(None);
    }
    let quota = quota.parse().map_err(|_| malformed())?;
    let period = period.parse().ok().filter(|p| *p > 0).ok_or_else(malformed)?;
    Ok(Some(CpuQuota { quota, period }))
}

#[cfg(test)]
mod tests {
    use super::super::cgroup::{Hierarchies, memberships};
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn limits_of(dir: &tempfile::TempDir, mountinfo: &str, cgroup: &str) -> Limits {
        let mountinfo = mountinfo.replace("DIR", dir.path().to_str().unwrap());
        let all = Hierarchies::parse(&mountinfo, Path::new("/")).unwrap();
        read(&memberships(cgroup, &all).unwrap(), all.version().unwrap(), &Ancestors::default(), &mut Buffer::default())
    }

    #[test]
    fn version_two_takes_the_smallest_of_the_chain() {
        let dir = tree(&[
            ("cgroup.procs", ""),
            ("s.slice/memory.max", "1073741824\n"),
            ("s.slice/cpu.max", "50000 100000\n"),
            ("s.slice/pids.max", "max\n"),
            ("s.slice/d/memory.max", "max\n"),
            ("s.slice/d/memory.swap.max", "0\n"),
            ("s.slice/d/memory.current", "4096\n"),
            ("s.slice/d/cpu.max", "max 100000\n"),
            ("s.slice/d/pids.max", "100\n"),
            ("s.slice/d/pids.current", "7\n"),
            ("s.slice/d/pids.peak", "31\n"),
        ]);
        let l = limits_of(&dir, "30 1 0:26 / DIR rw - cgroup2 cgroup2 rw\n", "0::/s.slice/d\n");
        let memory = l.memory_max.value.unwrap();
        assert_eq!((memory.own, memory.effective, memory.from), (None, Some(1 << 30), dir.path().join("s.slice")));
        assert_eq!(l.swap_max.value.unwrap().own, Some(0));
        assert_eq!(l.cpu_quota.value.unwrap().unwrap().milli_cpus(), 500);
        assert_eq!(l.pids_max.value.unwrap().effective, Some(100));
        assert_eq!(l.memory_current.value, Ok(4096));
        assert!(l.devices.value.is_err() && l.memory_and_swap_max.value.is_err());
        assert_eq!(l.memory_peak.value, Err(Unread::Absent));
        assert_eq!((l.pids_current.value, l.pids_peak.value), (Ok(7), Ok(31)));
    }

    #[test]
    fn version_one_reads_each_controller() {
        let dir = tree(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/d/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/d/x/memory.limit_in_bytes", "536870912\n"),
            ("memory/d/x/memory.usage_in_bytes", "1\n"),
            ("pids/d/pids.max", "max\n"),
            ("pids/d/x/pids.max", "max\n"),
            ("devices/d/x/devices.list", "a *:* rwm\n"),
        ]);
        let mounts = "1 1 0:1 / DIR/memory rw - cgroup cgroup rw,memory\n2 1 0:1 / DIR/pids rw - cgroup cgroup rw,pids\n3 1 0:1 / DIR/devices rw - cgroup cgroup rw,devices\n";
        let l = limits_of(&dir, mounts, "4:memory:/d/x\n3:pids:/d/x\n2:devices:/d/x\n");
        let memory = l.memory_max.value.unwrap();
        assert_eq!((memory.own, memory.effective), (Some(512 << 20), Some(512 << 20)));
        assert_eq!(l.memory_and_swap_max.value, Err(Unread::Absent));
        assert_eq!(l.pids_max.value.unwrap().effective, None);
        assert!(l.devices.value.unwrap()[0].is_all_devices());
        assert!(matches!(l.cpu_quota.value, Err(Unread::Other(_))));
    }

    #[test]
    fn a_cgroup_that_is_gone_has_no_limits_to_tell() {
        let dir = tree(&[("cgroup.procs", "")]);
        let l = limits_of(&dir, "30 1 0:26 / DIR rw - cgroup2 cgroup2 rw\n", "0::/gone\n");
        assert_eq!(l.memory_max.value, Err(super::super::read::vanished()));
        assert!(parse_limit("junk").is_err());
        for none in ["max", "-1", "9223372036854771712", "9223372036787662848"] {
            assert_eq!(parse_limit(none), Ok(None), "{none}");
        }
    }
}
