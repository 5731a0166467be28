//! One process: what is in effect for it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use super::namespaces::Namespaces;
use super::read::{Buffer, Datum, open_dir, vanished};
use super::sockets::{self, Listener};
use super::status::{IdRange, Rlimits, Status, outside_id, parse_id_map};
use crate::host::root::Unread;
use crate::redact::Redactor;

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
    /// The label of AppArmor or SELinux; `None` where the kernel has neither.
    pub label: Datum<Option<String>>,
    /// The map of user ids; `0 0 4294967295` where there is no user namespace.
    pub uid_map: Datum<Vec<IdRange>>,
    /// The map of group ids.
    pub gid_map: Datum<Vec<IdRange>>,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Limits of open files and processes.
    pub limits: Datum<Rlimits>,
    /// The path of its executable in its own root.
    pub exe: Datum<String>,
    /// Its arguments, secrets taken out; at most 16 KiB of them were read.
    pub argv: Datum<Vec<String>>,
    /// Adjustment of its score when memory runs out: -1000 to 1000.
    pub oom_score_adj: Datum<i32>,
    /// The TCP sockets that it listens on.
    pub listeners: Datum<Vec<Listener>>,
}

impl Process {
    /// The host's user id that uid 0 of the container stands for; `None` when root is not mapped at all.
    ///
    /// # Errors
    /// Why the map could not be read.
    pub fn root_maps_to(&self) -> Result<Option<u32>, Unread> {
        self.uid_map.value.as_ref().map(|map| outside_id(map, 0)).map_err(Clone::clone)
    }

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

/// The most bytes of arguments that are read.
const MOST_ARGUMENTS: usize = 16 << 10;

/// What reading a process needs besides its directory.
pub(super) struct Context<'c> {
    pub(super) lsms: &'c Lsms,
    pub(super) redactor: &'c Redactor,
    pub(super) buffer: &'c mut Buffer,
}

/// Reads all of a process but its mounts, relative to its opened directory, so that another process that gets the same
/// id meanwhile is never read. With it come the inodes of its sockets, where there are any.
pub(super) fn read(dir: &OwnedFd, base: &str, pid: u32, context: &mut Context<'_>) -> (Process, Vec<u64>) {
    let place = |file: &str| -> Arc<str> { format!("{base}/{file}").into() };
    let status = Datum::new(lossy(context.buffer, dir, "status").and_then(|t| Status::parse(&t)), place("status"));
    let label = label(dir, base, context);
    let buffer = &mut *context.buffer;
    let map = |buffer: &mut Buffer, file: &str| Datum::new(buffer.text(dir, file).and_then(parse_id_map), place(file));
    let uid_map = map(buffer, "uid_map");
    let gid_map = map(buffer, "gid_map");
    let namespaces = Namespaces::read(dir, format!("{base}/ns"), buffer);
    let limits = Datum::new(buffer.text(dir, "limits").and_then(Rlimits::parse), place("limits"));
    let exe = Datum::new(buffer.link(dir, "exe"), place("exe"));
    let argv = Datum::new(arguments(dir, buffer, context.redactor), place("cmdline"));
    let number = |t: &str| t.trim().parse().map_err(|_| Unread::Other("is no number".into()));
    let oom_score_adj = Datum::new(buffer.text(dir, "oom_score_adj").and_then(number), place("oom_score_adj"));
    // Whether one of them listens is found out for all processes at once.
    let (sockets, value) = match sockets::inodes(dir, buffer) {
        Ok(inodes) if inodes.is_empty() => (inodes, Ok(Vec::new())),
        Ok(inodes) => (inodes, Err(Unread::Other("not looked for".into()))),
        Err(gap) => (Vec::new(), Err(gap)),
    };
    let listeners = Datum::new(value, place("fd"));
    let process =
        Process { pid, status, label, uid_map, gid_map, namespaces, limits, exe, argv, oom_score_adj, listeners };
    (process, sockets)
}

fn lossy(buffer: &mut Buffer, dir: &OwnedFd, file: &str) -> Result<String, Unread> {
    Ok(String::from_utf8_lossy(buffer.read(dir, file, super::read::MOST)?).into_owned())
}

/// AppArmor's own file first, so that its label is read where it is stacked with another module.
fn label(dir: &OwnedFd, base: &str, context: &mut Context<'_>) -> Datum<Option<String>> {
    let apparmor = matches!(context.lsms, Lsms::Known(names) if names.iter().any(|n| n == "apparmor"));
    let files: &[&str] = if apparmor { &["attr/apparmor/current", "attr/current"] } else { &["attr/current"] };
    let mut last = Unread::Absent;
    for file in files {
        match context.buffer.read(dir, file, 4096) {
            Ok(bytes) if !bytes.is_empty() => {
                let text = String::from_utf8_lossy(bytes);
                let text = text.trim_end_matches(['\0', '\n']).to_owned();
                return Datum::new(Ok(Some(text)), format!("{base}/{file}"));
            }
            Ok(_) => last = Unread::Other("is empty".into()),
            Err(gap) => last = gap,
        }
    }
    let path = format!("{base}/attr/current");
    // EINVAL and ENOENT are what a kernel without such a module answers; only its own list proves that.
    let silent = last == Unread::Absent || last == Unread::from(rustix::io::Errno::INVAL);
    match (silent, context.lsms) {
        (true, Lsms::Known(_)) if context.lsms.labels() == Some(false) => Datum::new(Ok(None), path),
        (true, Lsms::Unknown(why)) => Datum::new(
            Err(Unread::Other(format!(
                "no label is told, and whether a security module is in force is not known: {why}"
            ))),
            path,
        ),
        _ => Datum::new(Err(last), path),
    }
}

fn arguments(dir: &OwnedFd, buffer: &mut Buffer, redactor: &Redactor) -> Result<Vec<String>, Unread> {
    // Longer command lines are cut; nothing of them is judged but names.
    let bytes = match buffer.read(dir, "cmdline", 8 * MOST_ARGUMENTS) {
        Ok(bytes) => &bytes[..bytes.len().min(MOST_ARGUMENTS)],
        Err(Unread::TooLarge(_)) => return Err(Unread::TooLarge(8 * MOST_ARGUMENTS)),
        Err(gap) => return Err(gap),
    };
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let argv: Vec<&str> = text.split('\0').take(1024).collect();
    Ok(redactor.argv(&argv))
}

/// The time at which a process started, in clock ticks since the machine booted: field 22 of `stat`.
pub(super) fn start_time(dir: &OwnedFd, buffer: &mut Buffer) -> Result<u64, Unread> {
    let text = lossy(buffer, dir, "stat")?;
    // The name before it may hold anything, brackets too.
    let fields = text.rsplit_once(')').ok_or_else(vanished)?.1;
    fields
        .split_ascii_whitespace()
        .nth(19)
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| Unread::Other("has no start time".into()))
}
