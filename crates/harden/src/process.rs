//! A process of this host, as `/proc` shows it.

mod limits;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use limits::Limits;

use crate::{At as _, Failure};

/// The longest command line or environment that is read, in bytes.
const LONGEST: u64 = 4 << 20;

/// The namespaces that a program can be put into again when it is started anew.
pub const NAMESPACES: [&str; 5] = ["cgroup", "ipc", "mnt", "net", "uts"];

/// A process that cannot be taken for another: by its number and when it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub started: u64,
    /// Names the start of the machine.
    pub boot: String,
}

impl Process {
    /// The process with a number; none where there is none, or where it has ended and only waits to be noticed.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        Some(Self { pid, started: stat.started, boot: boot() })
    }

    /// Whether it is there still.
    #[must_use]
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// A path beneath its directory in `/proc`.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }

    /// Its program's file.
    ///
    /// # Errors
    /// Where it cannot be read, or has been replaced or removed since the process started.
    pub fn program(&self) -> Result<PathBuf, Failure> {
        let link = self.at("exe");
        let path = fs::read_link(&link).at(|| format!("read {}", link.display()))?;
        let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        let seen = self.at("root").join(path.strip_prefix("/").unwrap_or(&path));
        match (fs::metadata(&link), fs::metadata(&seen)) {
            (Ok(running), Ok(there)) if same(&running, &there) => Ok(path),
            _ => Err(Failure(format!(
                "{}: the program was replaced since process {} started: restart it first, in a quiet moment",
                path.display(),
                self.pid
            ))),
        }
    }

    /// Its arguments, the program's name first.
    ///
    /// # Errors
    /// Where they cannot be read or are no text.
    pub fn arguments(&self) -> Result<Vec<String>, Failure> {
        let text = self.strings("cmdline")?;
        let text: Result<Vec<String>, _> = text.into_iter().map(String::from_utf8).collect();
        text.at(|| format!("read {}", self.at("cmdline").display()))
    }

    /// Its environment, as bytes: `NAME=VALUE`. May hold secrets.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn environment(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.strings("environ")
    }

    fn strings(&self, name: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let path = self.at(name);
        let mut bytes = Vec::new();
        let read = fs::File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
        read.at(|| format!("read {}", path.display()))?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure(format!("read {}: it is longer than {} MiB", path.display(), LONGEST >> 20)));
        }
        Ok(split(&bytes))
    }

    /// A line of its status: `CapEff`, `Uid`, `Umask`, …
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        let status = fs::read_to_string(self.at("status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.trim().to_owned())
    }

    /// The number of a namespace that it is in: `net`, `mnt`, …
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<u64> {
        fs::metadata(self.at("ns").join(name)).ok().map(|m| m.ino())
    }

    /// Its parent's number and name.
    #[must_use]
    pub fn parent(&self) -> Option<(u32, String)> {
        let parent = Stat::of(self.pid)?.parent;
        let name = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap_or_default();
        Some((parent, name.trim().to_owned()))
    }

    /// Its control groups: by hierarchy (the controllers' names; none for the unified one), the path.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.at("cgroup")).unwrap_or_default();
        let line = |l: &str| {
            let mut parts = l.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        };
        text.lines().filter_map(line).collect()
    }

    /// The unit of systemd that it belongs to, by its control group: the whole path.
    #[must_use]
    pub fn slice(&self) -> Option<String> {
        let groups = self.groups();
        groups.get("name=systemd").or_else(|| groups.get("")).cloned()
    }
}

/// What sets the rights of a process, by its status; another with the same has the same.
#[must_use]
pub fn rights(process: &Process) -> Vec<Option<String>> {
    ["CapBnd", "CapEff", "NoNewPrivs", "Seccomp", "Uid", "Gid"].map(|field| process.status(field)).into()
}

/// Strings that each end with a zero byte.
pub fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() { Vec::new() } else { bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect() }
}

struct Stat {
    parent: u32,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything; the state is the third field, the start the 22nd.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X" | "x") {
            return None;
        }
        Some(Self { parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

/// Names this start of the machine.
#[must_use]
pub fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Who listens at a Unix socket, as far as the kernel tells: whoever began to listen, which may have ended since.
#[must_use]
pub fn listener(socket: &Path) -> Option<u32> {
    let stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
    peer(&stream)
}

#[allow(unsafe_code, reason = "rustix takes the process number for non-zero, but it is 0 outside our namespace")]
fn peer(stream: &std::os::unix::net::UnixStream) -> Option<u32> {
    use std::os::fd::AsRawFd as _;
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the socket is open for the whole call, `peer` and `length` are valid for writes, `length` is the size of
    // `peer`, and any bytes are a valid `ucred`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    u32::try_from(peer.pid).ok().filter(|pid| result == 0 && *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").env("A", "b").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.lives());
        // spawn returns while the kernel still sets the new program up.
        while process.arguments().unwrap().len() != 2 {
            std::thread::yield_now();
        }
        assert_eq!(process.parent().unwrap().0, std::process::id());
        assert!(process.environment().unwrap().contains(&b"A=b".to_vec()));
        assert_eq!(process.arguments().unwrap(), ["sleep", "60"]);
        assert!(process.program().unwrap().is_absolute());
        assert_eq!(process.status("Threads").as_deref(), Some("1"));
        assert!(process.namespace("net").is_some() && process.slice().is_some_and(|s| s.starts_with('/')));
        child.kill().unwrap();
        // Ended and not waited for: it counts as gone.
        while process.lives() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(Process::of(process.pid).is_none_or(|other| other != process));
    }

    #[test]
    fn a_listener_is_known_by_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(listener(&path), Some(std::process::id()));
        assert_eq!(listener(&dir.path().join("none")), None);
    }

    #[test]
    fn strings_end_with_a_zero_byte() {
        assert_eq!(split(b"a\0\0b\0"), [b"a".to_vec(), Vec::new(), b"b".to_vec()]);
        assert!(split(b"").is_empty());
    }
}
