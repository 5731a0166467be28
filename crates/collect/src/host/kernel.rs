//! The kernel: its version, its security modules, its control groups, the settings that bear on
//! containers.

use std::collections::BTreeMap;

use super::gap::Gap;
use super::mounts::Mount;
use super::process::Proc;
use super::root::{Root, Unread};

/// The version of control groups in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// Controllers in hierarchies of their own.
    V1,
    /// All controllers in the unified hierarchy.
    V2,
}

/// SELinux on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selinux {
    /// Not in the kernel, or not mounted.
    Absent,
    /// It logs and does not refuse.
    Permissive,
    /// It refuses.
    Enforcing,
}

/// What was read of the kernel. `None` is what could not be read; the gap says why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// Its release, such as `6.1.0-18-amd64`.
    pub release: Option<String>,
    /// Its build, with the number of a distribution's package in it on Debian.
    pub version: Option<String>,
    /// The architecture that this program was built for, which is the machine's, such as `x86_64`.
    pub machine: Option<String>,
    /// The version of control groups.
    pub cgroups: Option<Cgroups>,
    /// The security modules in use, in order.
    pub modules: Option<Vec<String>>,
    /// Whether AppArmor is in force.
    pub apparmor: Option<bool>,
    /// SELinux.
    pub selinux: Option<Selinux>,
    /// The settings of [`SYSCTLS`] that this kernel has, as text.
    pub sysctls: BTreeMap<&'static str, String>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Swap in bytes; 0 for none.
    pub swap: Option<u64>,
    /// Processors that are on line.
    pub processors: Option<u32>,
    /// The capabilities that process 1 may ever have: all that there are on this machine.
    pub capabilities: Option<u64>,
    /// Seconds since boot.
    pub uptime: Option<u64>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The settings that bear on containers.
pub const SYSCTLS: [&str; 22] = [
    "fs.protected_fifos",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.core_pattern",
    "kernel.dmesg_restrict",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.modules_disabled",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.sysrq",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "user.max_user_namespaces",
];

/// Reads all of it. The mounts are those of process 1 or of this process; without them the
/// version of control groups is taken from the files below `/sys/fs/cgroup`.
pub fn read(root: &Root, proc: Option<&Proc>, mounts: Option<&[Mount]>) -> Kernel {
    let mut kernel = Kernel::default();
    let Some(proc) = proc else {
        let reason = "no process file system is mounted there".to_owned();
        kernel.gaps.push(Gap { source: "/proc".into(), reason, affects: "the running kernel".into() });
        return kernel;
    };
    kernel.release = line(proc, "sys/kernel/osrelease", &mut kernel.gaps);
    kernel.version = line(proc, "sys/kernel/version", &mut kernel.gaps);
    if root.is_live() {
        kernel.machine = Some(std::env::consts::ARCH.to_owned());
    }
    for name in SYSCTLS {
        let path = format!("sys/{}", name.replace('.', "/"));
        // `bridge-nf-call-iptables` is there once the module is loaded; what is absent is no gap.
        match proc.read_entry(&path, 4096) {
            Ok(bytes) => {
                kernel.sysctls.insert(name, String::from_utf8_lossy(&bytes).trim().to_owned());
            }
            Err(Unread::Absent) => {}
            Err(why) => gap(&mut kernel.gaps, &path, &why),
        }
    }
    memory(proc, &mut kernel);
    match proc.read_entry("stat", 4 << 20) {
        Ok(bytes) => kernel.processors = Some(processors(&String::from_utf8_lossy(&bytes))),
        Err(why) => gap(&mut kernel.gaps, "stat", &why),
    }
    kernel.uptime = line(proc, "uptime", &mut kernel.gaps).and_then(|t| t.split('.').next()?.parse().ok());
    match proc.read(1, "status", 64 << 10) {
        Ok(bytes) => kernel.capabilities = bounding(&String::from_utf8_lossy(&bytes)),
        Err(why) => gap(&mut kernel.gaps, "1/status", &why),
    }
    kernel.cgroups = cgroups(root, mounts);
    if kernel.cgroups.is_none() {
        gap(&mut kernel.gaps, "/sys/fs/cgroup", &Unread::Absent);
    }
    modules(root, &mut kernel);
    kernel
}

fn gap(gaps: &mut Vec<Gap>, source: &str, why: &Unread) {
    gaps.push(Gap { source: source.to_owned(), reason: why.to_string(), affects: "the running kernel".into() });
}

fn line(proc: &Proc, name: &str, gaps: &mut Vec<Gap>) -> Option<String> {
    match proc.read_entry(name, 4 << 20) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned()),
        Err(why) => {
            gap(gaps, name, &why);
            None
        }
    }
}

fn memory(proc: &Proc, kernel: &mut Kernel) {
    match proc.read_entry("meminfo", 64 << 10) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            kernel.memory = kibibytes(&text, "MemTotal:");
            kernel.swap = kibibytes(&text, "SwapTotal:");
        }
        Err(why) => gap(&mut kernel.gaps, "meminfo", &why),
    }
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|l| l.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn processors(text: &str) -> u32 {
    let lines =
        text.lines().filter(|l| l.strip_prefix("cpu").is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())));
    u32::try_from(lines.count()).unwrap_or(u32::MAX)
}

fn bounding(status: &str) -> Option<u64> {
    let text = status.lines().find_map(|l| l.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(text.trim(), 16).ok()
}

fn cgroups(root: &Root, mounts: Option<&[Mount]>) -> Option<Cgroups> {
    let at = |m: &&Mount| m.point.starts_with("/sys/fs/cgroup");
    if let Some(mounts) = mounts {
        // Hybrid hosts mount the unified hierarchy beside the controllers, which stay with v1.
        if mounts.iter().filter(at).any(|m| m.kind == "cgroup") {
            return Some(Cgroups::V1);
        }
        if mounts.iter().filter(at).any(|m| m.kind == "cgroup2") {
            return Some(Cgroups::V2);
        }
    }
    if root.stat("/sys/fs/cgroup/cgroup.controllers").is_ok() {
        return Some(Cgroups::V2);
    }
    root.stat("/sys/fs/cgroup/memory").is_ok().then_some(Cgroups::V1)
}

fn modules(root: &Root, kernel: &mut Kernel) {
    match root.read("/sys/kernel/security/lsm", 4096) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            kernel.modules = Some(text.trim().split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect());
        }
        // Not every host mounts it; what the modules themselves say is below.
        Err(Unread::Absent) => {}
        Err(why) => gap(&mut kernel.gaps, "/sys/kernel/security/lsm", &why),
    }
    // A root without `/sys` says nothing about the kernel.
    let sys = root.stat("/sys/kernel").is_ok();
    kernel.apparmor = match root.read("/sys/module/apparmor/parameters/enabled", 16) {
        Ok(bytes) => Some(bytes.first() == Some(&b'Y')),
        Err(Unread::Absent) if sys => Some(false),
        Err(why) => {
            gap(&mut kernel.gaps, "/sys/module/apparmor/parameters/enabled", &why);
            None
        }
    };
    kernel.selinux = match root.read("/sys/fs/selinux/enforce", 16) {
        Ok(bytes) if bytes.first() == Some(&b'1') => Some(Selinux::Enforcing),
        Ok(_) => Some(Selinux::Permissive),
        Err(Unread::Absent) if sys => Some(Selinux::Absent),
        Err(why) => {
            gap(&mut kernel.gaps, "/sys/fs/selinux/enforce", &why);
            None
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn this_kernel_is_read() {
        let root = Root::open(Path::new("/")).unwrap();
        let proc = Proc::open(&root).unwrap();
        let kernel = read(&root, Some(&proc), None);
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(kernel.release.as_deref(), Some(release.trim()));
        assert!(kernel.processors.unwrap() >= 1 && kernel.memory.unwrap() > 1 << 20);
        assert!(kernel.sysctls.contains_key("kernel.randomize_va_space"));
        assert_eq!(read(&root, None, None).gaps.len(), 1);
    }

    #[test]
    fn modules_and_control_groups_of_another_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut kernel = Kernel::default();
        modules(&root, &mut kernel);
        assert_eq!((kernel.apparmor, kernel.selinux, kernel.gaps.len()), (None, None, 2));
        for (path, text) in [
            ("sys/kernel/security/lsm", "lockdown,capability,apparmor"),
            ("sys/module/apparmor/parameters/enabled", "Y\n"),
            ("sys/fs/selinux/enforce", "0"),
            ("sys/fs/cgroup/cgroup.controllers", "memory"),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut kernel = Kernel::default();
        modules(&root, &mut kernel);
        assert_eq!(kernel.modules.unwrap(), ["lockdown", "capability", "apparmor"]);
        assert_eq!((kernel.apparmor, kernel.selinux), (Some(true), Some(Selinux::Permissive)));
        assert_eq!(cgroups(&root, None), Some(Cgroups::V2));
    }

    #[test]
    fn numbers_of_proc() {
        assert_eq!(kibibytes("MemTotal:       16 kB\nSwapTotal: 0 kB\n", "SwapTotal:"), Some(0));
        assert_eq!(kibibytes("MemTotal:       16 kB\n", "MemTotal:"), Some(16384));
        assert_eq!(bounding("CapBnd:\t000001fffeffffff\n"), Some(0x1ff_feff_ffff));
    }
}
