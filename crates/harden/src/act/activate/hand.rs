//! The engine as somebody started it by hand: started again with the same arguments, environment and surroundings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde::{Deserialize, Serialize};

use super::launch::Launch;
use super::settings::Settings;
use crate::files::{Keep, Kept};
use crate::process::{Limits, NAMESPACES, Process, split};
use crate::{At as _, Failure};

/// How the engine was started, as far as its process shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hand {
    program: PathBuf,
    arguments: Vec<String>,
    /// A copy of its environment, which may hold secrets.
    pub(super) environment: Option<Kept>,
    directory: PathBuf,
    /// The namespaces that are not ours, by their numbers.
    namespaces: BTreeMap<String, u64>,
    /// Who else is in one of them.
    fellows: Vec<Process>,
    /// Its folder for what runs, by which programs that it starts are known; none where it is not the same to us.
    exec_root: Option<PathBuf>,
    /// What its standard input, output and error are.
    stdio: Vec<PathBuf>,
    limits: Limits,
    umask: u32,
    niceness: i32,
    out_of_memory: Option<String>,
    groups: BTreeMap<String, String>,
    /// Where it writes its number down, and that of the containerd that it starts. A process that has ended, and whose
    /// parent does not care, has its number still, and the engine would take it for running.
    numbers: Vec<PathBuf>,
}

impl Hand {
    pub(super) fn of(process: &Process, program: PathBuf) -> Result<Self, Failure> {
        let own = Process::of(std::process::id()).ok_or_else(|| Failure::new("/proc cannot be read"))?;
        let differs = |name: &&str| process.namespace(name) != own.namespace(name);
        let namespaces = NAMESPACES.into_iter().filter(differs);
        let namespaces: BTreeMap<String, u64> =
            namespaces.filter_map(|name| Some((name.to_owned(), process.namespace(name)?))).collect();
        let link = |name: &str| fs::read_link(process.at(name)).at(|| format!("read {}", process.at(name).display()));
        let settings = Settings::read(&Settings::place(process)?, &process.arguments()?)?;
        // Only files that are the same to us.
        let is_same = |file: &PathBuf| file.is_absolute() && process.namespace("mnt") == own.namespace("mnt");
        let numbers = settings.numbers().into_iter().filter(is_same).collect();
        let mask = process.status("Umask").and_then(|mask| u32::from_str_radix(&mask, 8).ok());
        let pid = Pid::from_raw(process.pid as i32);
        Ok(Self {
            program,
            arguments: process.arguments()?,
            environment: None,
            directory: link("cwd")?,
            fellows: fellows(&namespaces),
            exec_root: Some(settings.exec_root()).filter(is_same),
            namespaces,
            stdio: ["fd/0", "fd/1", "fd/2"].map(|name| link(name).unwrap_or_default()).into(),
            limits: Limits::of(process),
            umask: mask.unwrap_or(0o022),
            niceness: rustix::process::getpriority_process(pid).unwrap_or(0),
            out_of_memory: fs::read_to_string(process.at("oom_score_adj")).ok().map(|text| text.trim().to_owned()),
            groups: process.groups(),
            numbers,
        })
    }

    /// The process that runs this program with these arguments; its children that have not come to their own program
    /// yet look the same.
    pub(super) fn process(&self) -> Option<Process> {
        let same = |process: &Process| {
            process.arguments().is_ok_and(|a| a == self.arguments)
                && fs::read_link(process.at("exe")).is_ok_and(|exe| exe == self.program)
        };
        let all: Vec<Process> = processes().filter(same).collect();
        let is_child = |p: &&Process| p.parent().is_some_and(|(parent, _)| all.iter().any(|other| other.pid == parent));
        all.iter().find(|p| !is_child(p)).cloned()
    }

    /// The file that it logs to, where it is one.
    pub(super) fn log(&self, process: Option<&Process>) -> Option<PathBuf> {
        let path = process.and_then(|p| fs::read_link(p.at("fd/2")).ok()).or_else(|| self.stdio.get(2).cloned())?;
        fs::metadata(&path).is_ok_and(|m| m.is_file()).then_some(path)
    }

    /// Ends the running one and starts it again in the same surroundings.
    pub(super) fn restart(&self, old: &Process, end: Duration) -> Result<(), Failure> {
        let doing = || format!("restart dockerd, process {}", old.pid);
        let pid = Pid::from_raw(old.pid as i32).ok_or_else(|| Failure(doing()))?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).at(doing)?;
        // The number may have passed on before it was held.
        if !old.lives() {
            return Err(Failure(format!("{}: it has ended meanwhile", doing())));
        }
        let open = |name: &str| fs::File::open(old.at(name)).map(OwnedFd::from).at(doing);
        let mut namespaces = Vec::new();
        // Into the mount namespace last: /proc may be another one there.
        for name in self.namespaces.keys().filter(|n| *n != "mnt").chain(self.namespaces.keys().filter(|n| *n == "mnt"))
        {
            namespaces.push(open(&format!("ns/{name}"))?);
        }
        let stdio = [0, 1, 2].map(|fd| {
            let own = pidfd_getfd(&handle, fd, PidfdGetfdFlags::empty());
            own.map(Stdio::from).unwrap_or_else(|_| self.reopened(fd as usize))
        });
        let environment = old.environment()?;
        let launch = Launch {
            namespaces,
            root: Some(open("root")?),
            directory: Some(open("cwd")?),
            stdio,
            limits: self.limits.clone(),
            mask: self.umask,
            after: Some((handle, end)),
        };
        let deaf = || self.forget_numbers(Some(old.pid));
        launch.run(self.command(&environment), &|pid| self.surround(pid), &deaf)
    }

    /// Starts it where it is down: in the surroundings that can still be found.
    pub(super) fn start(&self, keep: Option<&Keep>) -> Result<(), Failure> {
        let kept = keep.zip(self.environment.as_ref());
        let environment = match kept {
            Some((keep, kept)) => split(&keep.bytes(kept)?.unwrap_or_default()),
            None => return Err(Failure::new("start dockerd: it has ended, and its environment is not at hand")),
        };
        let mut namespaces = Vec::new();
        for (name, number) in &self.namespaces {
            namespaces.push(self.namespace(name, *number).ok_or_else(|| {
                let line = self.arguments.join(" ");
                Failure(format!(
                    "start dockerd: its {name} namespace has ended with it: make it again and start {line}"
                ))
            })?);
        }
        let directory = fs::File::open(&self.directory).map(OwnedFd::from).ok();
        let stdio = [0, 1, 2].map(|fd| self.reopened(fd));
        let launch = Launch {
            namespaces,
            root: None,
            directory,
            stdio,
            limits: self.limits.clone(),
            mask: self.umask,
            after: None,
        };
        self.forget_numbers(None);
        launch.run(self.command(&environment), &|pid| self.surround(pid), &|| {})
    }

    /// A namespace by its number, where somebody is still in it or `ip netns` keeps it.
    ///
    /// The kernel gives a number again as soon as its namespace has ended, so that whoever has it now may be in another
    /// one. Believed is who was there when the number was read, and what the engine itself has started since.
    fn namespace(&self, name: &str, number: u64) -> Option<OwnedFd> {
        let own = Process::of(std::process::id())?;
        let believed = |p: &Process| {
            self.fellows.contains(p) || (p.namespace("user") == own.namespace("user") && self.has_started(p))
        };
        let kept = fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|e| e.path());
        let kept = kept.filter(|_| name == "net");
        let lived = processes().filter(|p| p.namespace(name) == Some(number) && believed(p));
        let found = kept.chain(lived.map(|p| p.at("ns").join(name))).filter_map(|path| fs::File::open(path).ok());
        // What was opened cannot become another any more.
        found.into_iter().find(|file| file.metadata().is_ok_and(|m| m.ino() == number)).map(OwnedFd::from)
    }

    /// Whether the engine has started a process: its containerd, and what keeps its containers, name a place beneath its
    /// folder. That of another user's can say so too.
    fn has_started(&self, process: &Process) -> bool {
        let Some(folder) = &self.exec_root else { return false };
        let beneath = |word: &String| word.starts_with('/') && Path::new(word).starts_with(folder);
        fs::metadata(process.at("")).is_ok_and(|m| m.uid() == 0)
            && process.arguments().is_ok_and(|words| words.iter().any(beneath))
    }

    /// Removes the numbers that engines left which have ended, or are about to be ended.
    fn forget_numbers(&self, ending: Option<u32>) {
        for file in &self.numbers {
            let written = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
            if written.is_some_and(|pid| Some(pid) == ending || Process::of(pid).is_none()) {
                let _ = fs::remove_file(file);
            }
        }
    }

    fn command(&self, environment: &[Vec<u8>]) -> Command {
        let mut command = Command::new(&self.program);
        if let Some((name, rest)) = self.arguments.split_first() {
            command.arg0(name).args(rest);
        }
        command.env_clear();
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        for variable in environment {
            if let Some(at) = variable.iter().position(|b| *b == b'=') {
                command.env(os(&variable[..at]), os(&variable[at + 1..]));
            }
        }
        command
    }

    /// What only others can set for a process: its control groups, its place when memory is short, its niceness.
    fn surround(&self, pid: u32) {
        let own = Process::of(pid).map(|p| p.groups()).unwrap_or_default();
        for (hierarchy, path) in self.groups.iter().filter(|(hierarchy, path)| own.get(*hierarchy) != Some(path)) {
            let name = hierarchy.strip_prefix("name=").unwrap_or(hierarchy);
            let base = Path::new("/sys/fs/cgroup").join(name);
            let group = base.join(path.trim_start_matches('/'));
            let _ = fs::write(group.join("cgroup.procs"), pid.to_string());
        }
        if let Some(score) = &self.out_of_memory {
            let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), score);
        }
        let _ = rustix::process::setpriority_process(Pid::from_raw(pid as i32), self.niceness);
    }

    /// A standard stream by its path: a file is appended to, a device is used, anything else is gone.
    fn reopened(&self, fd: usize) -> Stdio {
        let path =
            self.stdio.get(fd).filter(|path| fs::metadata(path).is_ok_and(|m| !m.is_dir()) && path.is_absolute());
        let opened = path.and_then(|path| match fd {
            0 => fs::File::open(path).ok(),
            _ => fs::File::options().append(true).open(path).ok(),
        });
        opened.map_or_else(Stdio::null, |file| Stdio::from(OwnedFd::from(file)))
    }
}

/// The most processes in the engine's namespaces that are remembered.
const MOST_FELLOWS: usize = 256;

/// All processes.
fn processes() -> impl Iterator<Item = Process> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Process::of)
}

/// Those that are in one of the namespaces.
fn fellows(namespaces: &BTreeMap<String, u64>) -> Vec<Process> {
    let within = |p: &Process| namespaces.iter().any(|(name, number)| p.namespace(name) == Some(*number));
    processes().filter(within).take(MOST_FELLOWS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_found_through_those_who_were_in_it_and_not_by_its_number_alone() {
        let own = Process::of(std::process::id()).unwrap();
        let number = own.namespace("net").unwrap();
        let namespaces = BTreeMap::from([("net".to_owned(), number)]);
        assert!(fellows(&namespaces).contains(&own));
        let hand = |fellows: Vec<Process>, exec_root: Option<&Path>| Hand {
            program: "/usr/bin/dockerd".into(),
            arguments: Vec::new(),
            environment: None,
            directory: "/".into(),
            namespaces: namespaces.clone(),
            fellows,
            exec_root: exec_root.map(Path::to_owned),
            stdio: Vec::new(),
            limits: Limits::default(),
            umask: 0o022,
            niceness: 0,
            out_of_memory: None,
            groups: BTreeMap::new(),
            numbers: Vec::new(),
        };
        assert!(hand(Vec::new(), None).namespace("net", number).is_none(), "whoever has the number is believed");
        assert!(hand(vec![own.clone()], None).namespace("net", number).is_some());
        assert!(hand(vec![own.clone()], None).namespace("net", number + 1).is_none());
        // The same number, and another process.
        let later = Process { started: own.started + 1, ..own };
        assert!(hand(vec![later], None).namespace("net", number).is_none());
        // What the engine has started since.
        let root = tempfile::tempdir().unwrap();
        let mut shim = Command::new("sh");
        let shim = shim.args(["-c", "read line", "sh"]).arg(root.path().join("containerd/containerd.sock"));
        let mut shim = shim.stdin(Stdio::piped()).spawn().unwrap();
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(hand(Vec::new(), Some(root.path())).namespace("net", number).is_some(), is_root);
        assert!(hand(Vec::new(), Some(&root.path().join("other"))).namespace("net", number).is_none());
        drop(shim.stdin.take());
        shim.wait().unwrap();
    }
}
