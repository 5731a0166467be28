//! Brings the engines that tests need onto this machine, where it may; otherwise says what is missing and why.
//!
//! It installs what Debian has, never at the price of a package that is there, and builds Engine 29, Kubernetes and a
//! machine once.
//! Every step is said aloud on stderr.

mod kubernetes;
mod machine;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_bed::{Kubernetes, POD_SECURITY, Version};

use crate::root;

/// A bed that this machine does not have.
pub struct Missing {
    /// Its name, as skipped tests give it.
    pub name: String,
    /// One line.
    pub why: String,
}

/// Programs that engines and browsers are, or need, and the Debian package that brings each.
const ENGINES: [(&str, &str); 15] = [
    ("dockerd", "docker.io"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("auditctl", "auditd"),
    ("busybox", "busybox-static"),
    ("gcc", "gcc"),
    ("pkg-config", "pkg-config"),
    ("/usr/include/seccomp.h", "libseccomp-dev"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("sudo", "sudo"),
    ("systemctl", "systemd"),
    ("chromium", "chromium"),
];

/// Those that a Kubernetes cluster and its node need besides, which for the rest is built.
const CLUSTER: [(&str, &str); 3] =
    [("etcd", "etcd-server"), ("ip", "iproute2"), ("/usr/lib/cni/bridge", "containernetworking-plugins")];

/// Those that a whole machine needs besides; apart, so that where they cannot be had the engines can.
const MACHINE: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("mmdebstrap", "mmdebstrap"),
    ("mkfs.ext4", "e2fsprogs"),
];

/// The services that these packages would start.
const SERVICES: [&str; 7] = [
    "docker.socket",
    "docker.service",
    "containerd.service",
    "auditd.service",
    "ssh.socket",
    "ssh.service",
    "etcd.service",
];

/// Prepares every bed; returns those that cannot be had.
pub fn prepare() -> Vec<Missing> {
    seaworthy_bed::sweep();
    let installed = install(&ENGINES);
    let built = engine29();
    let mut missing = Vec::new();
    for version in [Version::V20, Version::V29] {
        let Err(why) = seaworthy_bed::find(version) else { continue };
        let cause = match (&built, &installed) {
            (Err(build), _) if version == Version::V29 => Some(build),
            (_, Err(install)) => Some(install),
            _ => None,
        };
        let why = cause.map_or_else(|| why.clone(), |cause| format!("{why}: {cause}"));
        missing.push(Missing { name: version.name().into(), why: why.replace('\n', " ") });
    }
    if let Err(why) = seaworthy_bed::find_browser() {
        let why = installed.err().map_or_else(|| why.clone(), |cause| format!("{why}: {cause}"));
        missing.push(Missing { name: "chromium".into(), why: why.replace('\n', " ") });
    }
    missing.extend(clusters());
    let built = install(&MACHINE).and_then(|()| machine::machine());
    if let Err(why) = seaworthy_bed::Image::find() {
        let why = built.err().map_or_else(|| why.clone(), |cause| format!("{why}: {cause}"));
        missing.push(Missing { name: "machine".into(), why: why.replace('\n', " ") });
    }
    missing
}

/// Prepares the Kubernetes releases, and the cases that come with them.
fn clusters() -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut miss = |name: &str, why: String| missing.push(Missing { name: name.into(), why: why.replace('\n', " ") });
    let installed = install(&CLUSTER);
    for version in Kubernetes::ALL {
        // Minutes of building are in vain where a cluster could not run.
        let built = installed.clone().and_then(|()| match find("etcd") {
            Some(_) => kubernetes::kubernetes(version),
            None => Err("not built, since there is no etcd to serve it".into()),
        });
        if let Err(why) = seaworthy_bed::find_cluster(version, true) {
            miss(version.name(), built.err().map_or_else(|| why.clone(), |cause| format!("{why}: {cause}")));
        }
    }
    let fetched = kubernetes::pod_security();
    if let Err(why) = seaworthy_bed::find_pod_security_cases() {
        miss(POD_SECURITY, fetched.err().map_or_else(|| why.clone(), |cause| format!("{why}: {cause}")));
    }
    missing
}

fn install(packages: &[(&str, &'static str)]) -> Result<(), String> {
    let mut wanted: Vec<&str> =
        packages.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    // docker.io brings its own; naming them could only disturb what apt chooses.
    if wanted.contains(&"docker.io") {
        wanted.retain(|package| !matches!(*package, "containerd" | "runc"));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let list = wanted.join(" ");
    if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        return Err(format!("not root or no apt: cannot install {list}"));
    }
    let update = || run(Command::new("apt-get").args(["update", "-q"]));
    // The rehearsal shows a list of packages that is missing, and refuses what would remove a package that is there.
    if apt("-s", &wanted).is_err() {
        update()?;
        apt("-s", &wanted)?;
    }
    let before = Running::now();
    // The lists may be older than the archive.
    let done = apt("-y", &wanted).or_else(|_| update().and_then(|_| apt("-y", &wanted)));
    before.stop_what_came_after();
    // A package whose service may not start here (auditd) ends apt with an error and is there all the same.
    let absent = packages.iter().find(|(program, package)| wanted.contains(package) && find(program).is_none());
    match (done, absent) {
        (Err(error), Some((program, _))) => Err(format!("{program} is missing: {error}")),
        _ => Ok(()),
    }
}

fn apt(how: &str, packages: &[&str]) -> Result<String, String> {
    let mut command = Command::new("apt-get");
    command.args(["install", "-q", how, "--no-install-recommends", "--no-remove"]).args(packages);
    run(command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C").env("NEEDRESTART_SUSPEND", "1"))
}

/// The services and daemons that ran before apt did.
struct Running {
    units: BTreeSet<&'static str>,
    daemons: BTreeSet<i32>,
}

impl Running {
    fn now() -> Self {
        Self { units: SERVICES.into_iter().filter(|unit| active(unit)).collect(), daemons: daemons() }
    }

    /// Stops what the packages' installation started: nobody asked for it. What ran before goes on.
    fn stop_what_came_after(&self) {
        for unit in SERVICES.into_iter().filter(|unit| !self.units.contains(unit) && active(unit)) {
            eprintln!("beds: stopping and disabling {unit}, which the installation started");
            let _ = run(Command::new("systemctl").args(["disable", "--now", unit]));
        }
        for pid in daemons().difference(&self.daemons) {
            eprintln!("beds: stopping process {pid}, which the installation started");
            if let Some(pid) = Pid::from_raw(*pid) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    }
}

fn active(unit: &str) -> bool {
    Path::new("/run/systemd/system").is_dir()
        && Command::new("systemctl").args(["is-active", "--quiet", unit]).status().is_ok_and(|status| status.success())
}

/// Daemons with the paths that the packages give them; one that somebody started by hand names its own.
fn daemons() -> BTreeSet<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let by_hand = line.contains("--data-root") || line.contains("/tmp/");
        // An SSH server's sessions belong to people; only what listens is one.
        let is_daemon = match comm.trim() {
            "dockerd" | "containerd" | "auditd" | "etcd" => true,
            "sshd" => line.contains("[listener]"),
            _ => false,
        };
        is_daemon && !by_hand
    })
    .collect()
}

/// Builds Engine 29 and the runc that it needs, unless what is there was built from the same modules.
fn engine29() -> Result<(), String> {
    let sources = root().join("xtask/beds");
    let target = seaworthy_bed::beds_dir().join("engine29");
    let stamp: String = ["engine29/go.mod", "engine29/go.sum", "runc/go.mod", "runc/go.sum"]
        .iter()
        .map(|path| fs::read_to_string(sources.join(path)).map_err(|error| format!("{path}: {error}")))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let complete = ["dockerd", "docker-proxy", "runc"].iter().all(|name| target.join(name).is_file());
    if complete && fs::read_to_string(target.join("stamp")).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("not built, since only root could start it".into());
    }
    let go = find_go()?;
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let target = target.canonicalize().map_err(|error| format!("{}: {error}", target.display()))?;
    eprintln!("beds: building Engine 29, once (minutes)");
    let moby = "github.com/moby/moby/v2";
    let mut engine = build(&go, &sources.join("engine29"), &target);
    engine.env("CGO_ENABLED", "0").arg(format!("-ldflags=-s -w -X {moby}/dockerversion.Version=29.1.0"));
    run(engine.args([format!("{moby}/cmd/dockerd"), format!("{moby}/cmd/docker-proxy")]))?;
    // Debian's runc 1.1 does not know the time namespace that Engine 29 asks for.
    let mut runc = build(&go, &sources.join("runc"), &target);
    runc.env("CGO_ENABLED", "1").args(["-tags=seccomp", "-ldflags=-s -w -X main.version=1.3.4"]);
    run(runc.arg("github.com/opencontainers/runc"))?;
    fs::write(target.join("stamp"), stamp).map_err(|error| format!("{}: {error}", target.display()))
}

fn find_go() -> Result<PathBuf, String> {
    let go = find("go").or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|path| path.is_file()));
    go.ok_or_else(|| "go is not installed".into())
}

fn build(go: &Path, module: &Path, target: &Path) -> Command {
    let mut out = target.as_os_str().to_owned();
    out.push("/");
    let mut command = Command::new(go);
    command.current_dir(module).args(["build", "-trimpath", "-buildvcs=false", "-o"]).arg(out).env("GOWORK", "off");
    command
}

/// Runs a command aloud; its error is the last line of what it said.
fn run(command: &mut Command) -> Result<String, String> {
    let line =
        std::iter::once(command.get_program()).chain(command.get_args()).collect::<Vec<_>>().join(OsStr::new(" "));
    let line = line.to_string_lossy().into_owned();
    eprintln!("beds: {line}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("{line}: {last}"))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    dirs.map(|dir| dir.join(program)).find(|path| path.is_file())
}
