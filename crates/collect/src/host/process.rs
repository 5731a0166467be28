//! Processes as `/proc` shows them, robust against those that end while they are read.
//!
//! The list costs two calls for each process (its stat and its executable); everything else is
//! asked for single processes.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::time::{ClockId, clock_gettime};

use super::gap::Gap;
use super::root::{Root, Unread};

const PROC_MAGIC: u64 = 0x9fa0;
/// The most processes listed.
const MOST: usize = 100_000;
/// The most bytes of arguments taken: what the kernel allows for one argument.
pub const ARGUMENTS: usize = 128 << 10;
/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, 100 on every Linux.
const TICKS: i64 = 100;

/// A process file system.
#[derive(Debug)]
pub struct Proc {
    dir: OwnedFd,
    path: PathBuf,
    ours: bool,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number in the namespace of the process file system.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its name of at most 15 bytes, which it chooses itself.
    pub name: String,
    /// Its executable; `None` where that may not be read, and for threads of the kernel.
    pub exe: Option<String>,
    /// True when the executable was removed or replaced since it was started.
    pub exe_deleted: bool,
    /// When it was started, in hundredths of a second since boot.
    pub start_ticks: u64,
}

impl Process {
    /// The last component of its executable's path.
    pub fn program(&self) -> Option<&str> {
        self.exe.as_deref().and_then(|e| e.rsplit('/').next())
    }
}

/// All processes that could be seen.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// By ascending number.
    pub all: Vec<Process>,
    /// What was withheld.
    pub gaps: Vec<Gap>,
}

/// The owner of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub effective_uid: u32,
    /// Effective group id.
    pub effective_gid: u32,
}

impl Proc {
    /// Opens the process file system of the root.
    ///
    /// # Errors
    /// [`Unread::Absent`] where none is mounted there.
    pub fn open(root: &Root) -> Result<Self, Unread> {
        let path = root.path().join("proc");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, &path, flags, Mode::empty())?;
        if rustix::fs::fstatfs(&dir)?.f_type as u64 != PROC_MAGIC {
            return Err(Unread::Absent);
        }
        let itself = rustix::fs::readlinkat(&dir, "self", Vec::new()).ok();
        let ours = itself.and_then(|s| s.to_str().ok()?.parse().ok()) == Some(std::process::id());
        Ok(Self { dir, path, ours })
    }

    /// True when its numbers are those of our own process namespace, so that a number that the
    /// kernel gives (the peer of a socket) means the same process here.
    pub fn numbers_are_ours(&self) -> bool {
        self.ours
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a process's entry, such as `/proc/12/net/tcp`.
    pub fn entry(&self, pid: u32, name: &str) -> PathBuf {
        self.path.join(pid.to_string()).join(name)
    }

    /// Reads an entry of a process, at most `limit` bytes.
    ///
    /// # Errors
    /// [`Unread::Absent`] when the process is gone; [`Unread::TooLarge`] over the limit.
    pub fn read(&self, pid: u32, name: &str, limit: usize) -> Result<Vec<u8>, Unread> {
        self.read_entry(&format!("{pid}/{name}"), limit)
    }

    /// Reads an entry that is of no process, such as `sys/kernel/osrelease`.
    ///
    /// # Errors
    /// As [`Proc::read`].
    pub fn read_entry(&self, name: &str, limit: usize) -> Result<Vec<u8>, Unread> {
        use std::io::Read as _;
        let fd = rustix::fs::openat(&self.dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::with_capacity(limit.min(1024));
        let read = std::fs::File::from(fd).take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if read > limit { Err(Unread::TooLarge(limit)) } else { Ok(bytes) }
    }

    /// Where a link of a process points, such as `exe`, `cwd`, `ns/net`.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn link(&self, pid: u32, name: &str) -> Result<String, Unread> {
        let target = rustix::fs::readlinkat(&self.dir, format!("{pid}/{name}"), Vec::with_capacity(256))?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// The inode of a namespace of a process, `None` where it may not be read.
    pub fn namespace(&self, pid: u32, kind: &str) -> Option<u64> {
        let link = self.link(pid, &format!("ns/{kind}")).ok()?;
        link.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
    }

    /// Lists every process with its executable.
    pub fn list(&self) -> Processes {
        let mut found = Processes::default();
        let pids = match self.pids() {
            Ok(pids) => pids,
            Err(why) => {
                found.gaps.push(self.gap(why.to_string()));
                return found;
            }
        };
        let mut withheld = 0usize;
        for pid in pids {
            match self.process(pid) {
                Ok((process, denied)) => {
                    withheld += usize::from(denied);
                    found.all.push(process);
                }
                Err(Unread::Absent | Unread::Other(_)) => {}
                Err(_) => withheld += 1,
            }
        }
        found.all.sort_by_key(|p| p.pid);
        if withheld > 0 {
            let reason = format!(
                "permission denied for {withheld} processes of other users: their executables need root or CAP_SYS_PTRACE"
            );
            found.gaps.push(self.gap(reason));
        }
        found
    }

    /// One process, and whether its executable was denied.
    ///
    /// # Errors
    /// [`Unread::Absent`] when it is gone.
    pub fn process(&self, pid: u32) -> Result<(Process, bool), Unread> {
        let stat = self.read(pid, "stat", 4096)?;
        let mut process = parse_stat(&String::from_utf8_lossy(&stat)).ok_or(Unread::Absent)?;
        let denied = match self.link(pid, "exe") {
            Ok(exe) => {
                let kept = exe.strip_suffix(" (deleted)");
                process.exe_deleted = kept.is_some();
                process.exe = Some(kept.unwrap_or(&exe).to_owned());
                false
            }
            Err(why) => why == Unread::Denied,
        };
        Ok((process, denied))
    }

    fn pids(&self) -> Result<Vec<u32>, Unread> {
        let mut pids = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let entry = entry?;
            if let Some(pid) = entry.file_name().to_str().ok().and_then(|n| n.parse().ok()) {
                if pids.len() == MOST {
                    return Err(Unread::TooLarge(MOST));
                }
                pids.push(pid);
            }
        }
        Ok(pids)
    }

    fn gap(&self, reason: String) -> Gap {
        Gap { source: self.path.display().to_string(), reason, affects: "processes".into() }
    }

    /// The arguments of a process. They may hold secrets and must not outlive their parsing.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn arguments(&self, pid: u32) -> Result<Vec<String>, Unread> {
        let bytes = self.read(pid, "cmdline", ARGUMENTS)?;
        Ok(split_zero(&bytes))
    }

    /// The values of some variables in the environment with which a process was started. They may
    /// hold secrets and must not outlive their parsing.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn variables(&self, pid: u32, names: &[&str]) -> Result<Vec<(String, String)>, Unread> {
        let bytes = self.read(pid, "environ", 4 << 20)?;
        let wanted =
            |entry: &&[u8]| names.iter().any(|n| entry.strip_prefix(n.as_bytes()).is_some_and(|r| r.starts_with(b"=")));
        let text = bytes.split(|b| *b == 0).filter(wanted).map(|e| String::from_utf8_lossy(e).into_owned());
        Ok(text.filter_map(|e| e.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()))).collect())
    }

    /// Who a process runs as.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn owner(&self, pid: u32) -> Result<Owner, Unread> {
        let status = self.read(pid, "status", 64 << 10)?;
        parse_owner(&String::from_utf8_lossy(&status)).ok_or(Unread::Other("its status names no user".into()))
    }

    /// The numbers of the sockets that a process holds.
    ///
    /// # Errors
    /// [`Unread::Denied`] without root or CAP_SYS_PTRACE for processes of others.
    pub fn sockets(&self, pid: u32) -> Result<Vec<u64>, Unread> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, format!("{pid}/fd"), flags, Mode::empty())?;
        let mut sockets = Vec::new();
        for entry in rustix::fs::Dir::read_from(&dir)?.take(1 << 20) {
            let entry = entry?;
            let Ok(target) = rustix::fs::readlinkat(&dir, entry.file_name(), Vec::with_capacity(64)) else { continue };
            let inode: Option<u64> =
                target.to_str().ok().and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            sockets.extend(inode);
        }
        Ok(sockets)
    }
}

/// The moment of a start in nanoseconds since 1970, by the clocks of this machine. The kernel
/// counts starts in hundredths of a second, so it is up to that much too early.
pub fn started_at(start_ticks: u64) -> i64 {
    let nanoseconds = |t: rustix::time::Timespec| t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec);
    let boot = nanoseconds(clock_gettime(ClockId::Realtime)) - nanoseconds(clock_gettime(ClockId::Boottime));
    boot.saturating_add(i64::try_from(start_ticks).unwrap_or(i64::MAX).saturating_mul(1_000_000_000 / TICKS))
}

fn split_zero(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect()
}

/// Parses `/proc/PID/stat`. The name may hold blanks and parentheses, so its end is the last one.
pub fn parse_stat(text: &str) -> Option<Process> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Process {
        pid: pid.trim().parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        name: name.to_owned(),
        exe: None,
        exe_deleted: false,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// The owner in the text of `/proc/PID/status`; none where a line of it is missing.
pub fn parse_owner(status: &str) -> Option<Owner> {
    let ids = |name: &str| -> Option<(u32, u32)> {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        let mut ids = line.split_whitespace().map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    let (uid, effective_uid) = ids("Uid:")?;
    Some(Owner { uid, effective_uid, effective_gid: ids("Gid:")?.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "12 (a) (b) 1 2) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2";
        let process = parse_stat(text).unwrap();
        assert_eq!((process.pid, process.parent, process.start_ticks), (12, 7, 4711));
        assert_eq!(process.name, "a) (b) 1 2");
        assert_eq!(parse_stat("12 (a"), None);
        assert_eq!(parse_stat("12 (a) S 1"), None);
    }

    #[test]
    fn arguments_keep_empty_ones() {
        assert_eq!(split_zero(b"dockerd\0\0-H\0"), ["dockerd", "", "-H"]);
        assert!(split_zero(b"").is_empty());
    }

    #[test]
    fn this_process_is_found_with_its_executable_owner_and_start() {
        let proc = Proc::open(&Root::open(Path::new("/")).unwrap()).unwrap();
        assert!(proc.numbers_are_ours());
        let own = std::process::id();
        let all = proc.list();
        let process = all.all.iter().find(|p| p.pid == own).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(process.exe.as_deref(), exe.to_str());
        assert_eq!(proc.owner(own).unwrap().effective_uid, rustix::process::geteuid().as_raw());
        assert_eq!(proc.arguments(own).unwrap(), std::env::args().collect::<Vec<_>>());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
        assert!(started_at(process.start_ticks) <= now);
    }

    #[test]
    fn a_directory_that_is_no_process_file_system_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        assert_eq!(Proc::open(&Root::open(dir.path()).unwrap()).unwrap_err(), Unread::Absent);
    }
}
