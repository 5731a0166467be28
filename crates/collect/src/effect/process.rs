//! One process: what is in effect for it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use super::read::{Buffer, Datum, link, lossy, open_dir, vanished};
use super::sockets::{self, Listener};
use super::status::{IdRange, Status, parse_id_map};
use crate::host::root::Unread;

/// The security modules of the kernel, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lsms {
    /// Those in force, by the names of `/sys/kernel/security/lsm`.
    Known(Vec<String>),
    /// Could not be found out; the reason.
    Unknown(String),
}

impl Lsms {
    /// Finds out which modules are in force below a host's root: by the kernel's list, or, where securityfs is not
    /// mounted, by what AppArmor, SELinux and Smack show elsewhere. A kernel that has none of the three answers a
    /// question for its own label with EINVAL.
    pub fn read(root: &Path) -> Self {
        let mut buffer = Buffer::default();
        let dir = match open_dir(root) {
            Ok(dir) => dir,
            Err(gap) => return Self::Unknown(format!("{}: {gap}", root.display())),
        };
        match buffer.text(&dir, "sys/kernel/security/lsm") {
            Ok(text) => {
                return Self::Known(
                    text.trim().split(',').filter(|n| !n.is_empty()).map(str::to_owned).take(64).collect(),
                );
            }
            Err(Unread::Absent) => {}
            Err(gap) => return Self::Unknown(format!("/sys/kernel/security/lsm: {gap}")),
        }
        let enabled = buffer.text(&dir, "sys/module/apparmor/parameters/enabled").map(|t| t.trim() == "Y");
        let own = buffer.read(&dir, "proc/self/attr/current", 4096).map(<[u8]>::to_vec);
        let silent = own.is_err_and(|gap| gap == Unread::from(rustix::io::Errno::INVAL));
        match enabled {
            Ok(true) => Self::Known(vec!["apparmor".into()]),
            Ok(false) | Err(Unread::Absent) if silent => Self::Known(Vec::new()),
            _ => Self::Unknown("/sys/kernel/security/lsm: not there (securityfs is not mounted)".into()),
        }
    }

    /// True when a module that labels processes is in force: AppArmor, SELinux or Smack; `None` when that is unknown.
    pub fn labels(&self) -> Option<bool> {
        match self {
            Self::Known(names) => Some(names.iter().any(|n| matches!(n.as_str(), "apparmor" | "selinux" | "smack"))),
            Self::Unknown(_) => None,
        }
    }
}

/// A process of a container. Where a datum could not be read, its reason stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id as this process sees it.
    pub pid: u32,
    /// Capabilities, seccomp, no-new-privileges, ids.
    pub status: Datum<Status>,
    /// The path of its executable in its own root.
    pub exe: Datum<String>,
    /// The TCP sockets that it listens on.
    pub listeners: Datum<Vec<Listener>>,
}

impl Process {
    /// The base name of the executable, without the mark of a deleted one.
    pub fn program(&self) -> Option<&str> {
        let exe = self.exe.ok()?;
        let exe = exe.strip_suffix(" (deleted)").unwrap_or(exe);
        exe.rsplit('/').next().filter(|n| !n.is_empty())
    }

    /// True when its executable is that of an SSH server; an error when the executable could not be read.
    ///
    /// # Errors
    /// Why the executable could not be read. A server that was renamed is told by [`Process::listeners`] on port 22.
    pub fn is_ssh_server(&self) -> Result<bool, Unread> {
        const SERVERS: &[&str] = &[
            "sshd",
            "sshd-session",
            "sshd-auth",
            "dropbear",
            "dropbearmulti",
            "tinysshd",
            "lshd",
            "wolfsshd",
            "sftpgo",
            "sshpiperd",
            "bitvise",
        ];
        if let Err(gap) = &self.exe.value {
            return Err(gap.clone());
        }
        let program = self.program().unwrap_or("");
        // One binary of many names: dbclient and scp are in dropbearmulti too.
        if program == "dropbearmulti" {
            let name = self.status.value.as_ref().map_err(Clone::clone)?.name.as_str();
            return Ok(name.starts_with("dropbear"));
        }
        Ok(SERVERS.contains(&program))
    }
}

/// Reads a process relative to its opened directory, so that another process that gets the same id meanwhile is never
/// read; its status last, which shows whether it was there until then. With it come the inodes of its sockets, where
/// there are any: whether one of them listens is found out for all processes at once.
pub(super) fn read(dir: &OwnedFd, base: &Arc<str>, pid: u32, buffer: &mut Buffer) -> (Process, Vec<u64>) {
    let exe = link(dir, "exe", |target| lossy(target).into_owned());
    let (sockets, value) = match sockets::inodes(dir) {
        Ok(inodes) if inodes.is_empty() => (inodes, Ok(Vec::new())),
        Ok(inodes) => (inodes, Err(Unread::Other("not looked for".into()))),
        Err(gap) => (Vec::new(), Err(gap)),
    };
    let status = buffer.record(dir, "status").and_then(|bytes| Status::parse(&lossy(bytes)));
    let process = Process {
        pid,
        status: Datum::new(status, base, "status"),
        exe: Datum::new(exe, base, "exe"),
        listeners: Datum::new(value, base, "fd"),
    };
    (process, sockets)
}

/// The map of user ids; `0 0 4294967295` where there is no user namespace.
pub(super) fn uid_map(dir: &OwnedFd, base: &Arc<str>, buffer: &mut Buffer) -> Datum<Vec<IdRange>> {
    Datum::new(buffer.text(dir, "uid_map").and_then(parse_id_map), base, "uid_map")
}

/// The label of AppArmor or SELinux; `None` where the kernel has neither. AppArmor's own file comes first, so that its
/// label is read where it is stacked with another module.
pub(super) fn label(dir: &OwnedFd, base: &Arc<str>, lsms: &Lsms, buffer: &mut Buffer) -> Datum<Option<String>> {
    const OWN: &str = "attr/apparmor/current";
    const ANY: &str = "attr/current";
    // The kernel's own list proves that no module labels anything.
    if lsms.labels() == Some(false) {
        return Datum::new(Ok(None), base, ANY);
    }
    let apparmor = matches!(lsms, Lsms::Known(names) if names.iter().any(|n| n == "apparmor"));
    let files: &[&'static str] = if apparmor { &[OWN, ANY] } else { &[ANY] };
    let mut last = Unread::Absent;
    for file in files {
        match buffer.read(dir, file, 4096) {
            Ok(bytes) if !bytes.is_empty() => {
                let text = lossy(bytes).trim_end_matches(['\0', '\n']).to_owned();
                return Datum::new(Ok(Some(text)), base, file);
            }
            Ok(_) => last = Unread::Other("is empty".into()),
            Err(gap) => last = gap,
        }
    }
    // EINVAL and ENOENT are what a kernel without such a module answers; only its own list would prove that.
    let silent = last == Unread::Absent || last == Unread::from(rustix::io::Errno::INVAL);
    let why = match lsms {
        Lsms::Unknown(why) if silent => {
            Unread::Other(format!("no label is told, and whether a security module is in force is not known: {why}"))
        }
        _ => last,
    };
    Datum::new(Err(why), base, ANY)
}

/// The time at which a process started, in clock ticks since the machine booted: field 22 of `stat`.
pub(super) fn start_time(dir: &OwnedFd, buffer: &mut Buffer) -> Result<u64, Unread> {
    let text = lossy(buffer.record(dir, "stat")?);
    // The name before it may hold anything, brackets too.
    let fields = text.rsplit_once(')').ok_or_else(vanished)?.1;
    fields
        .split_ascii_whitespace()
        .nth(19)
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| Unread::Other("has no start time".into()))
}
