//! The stage that the shadow plays on: namespaces of one thread, in which nothing of the host can be written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change, mount_remount, unmount,
};
use rustix::thread::UnshareFlags;

use super::candidate::HOME;

/// Takes this thread, and what it starts, out of the host: what it mounts from now on nobody else sees.
///
/// The thread must not start threads of its own afterwards, and what it starts first is process 1 of its namespace.
///
/// # Errors
/// One line, where it is not allowed.
pub(super) fn set() -> Result<(), String> {
    leave().map_err(|e| format!("namespaces of its own are not allowed here: {e}"))?;
    let step = |what: &str, done: io::Result<()>| done.map_err(|e| format!("{what}: {e}"));
    step("a loopback device", loopback())?;
    step("keep mounts to itself", mount_change("/", PRIVATE).map_err(Into::into))?;
    step("a private /run", private_run())?;
    step("a copy of /etc", copy_etc())?;
    // Where the kernel refuses a new one the old one is there still, which costs warnings.
    let _ = fresh_sys();
    step("make the host unwritable", lock_all())
}

const PRIVATE: MountPropagationFlags = MountPropagationFlags::PRIVATE.union(MountPropagationFlags::REC);

#[allow(unsafe_code, reason = "unshare is unsafe for descriptors alone, which stay shared here")]
fn leave() -> io::Result<()> {
    let all = UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    // SAFETY: the table of file descriptors is not among what is unshared.
    unsafe { rustix::thread::unshare_unsafe(all) }.map_err(Into::into)
}

/// Brings the loopback device of this network namespace up.
#[allow(unsafe_code, reason = "neither std nor rustix can set the flags of a device")]
fn loopback() -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let any = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: libc::IFF_UP as libc::c_short },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    // SAFETY: the socket is open for the whole call, and `request` is a valid `ifreq` with a name that ends with zero.
    let done = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A mount of this thread: where it is and its flags.
struct Mount {
    point: PathBuf,
    flags: MountFlags,
}

/// The mounts of this thread, in the order in which they were made. `/proc/self` would be another thread's.
fn mounts() -> io::Result<Vec<Mount>> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let each = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        let has = |name: &str| options.split(',').any(|o| o == name);
        let names = [
            ("nosuid", MountFlags::NOSUID),
            ("nodev", MountFlags::NODEV),
            ("noexec", MountFlags::NOEXEC),
            ("noatime", MountFlags::NOATIME),
            ("nodiratime", MountFlags::NODIRATIME),
            ("relatime", MountFlags::RELATIME),
        ];
        let flags = names.into_iter().filter(|(name, _)| has(name)).map(|(_, flag)| flag);
        Some(Mount { point: unescape(point), flags: flags.collect() })
    });
    Ok(each.collect())
}

/// Blanks, tabs, newlines and backslashes stand as three octal digits.
fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let (bytes, mut plain, mut at) = (field.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\');
        let code = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 8).ok());
        plain.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 4 } else { 1 };
    }
    std::ffi::OsString::from_vec(plain).into()
}

fn private_run() -> io::Result<()> {
    // What the real engine has mounted there must not be held while it wants to let go of it.
    let beneath: Vec<Mount> = mounts()?.into_iter().filter(|m| is_beneath(&m.point, "/run")).collect();
    for each in beneath.iter().rev() {
        let _ = unmount(&each.point, UnmountFlags::DETACH);
    }
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), c"mode=755,size=512m")?;
    // Once /var/run was a directory.
    if fs::symlink_metadata("/var/run").is_ok_and(|m| m.is_dir()) {
        mount("tmpfs", "/var/run", "tmpfs", MountFlags::empty(), c"mode=755,size=64m")?;
    }
    fs::create_dir("/run/lock")?;
    fs::create_dir(HOME)?;
    // Users of a mapped namespace must get through.
    fs::set_permissions(HOME, std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    ["tmp", "upper", "work", "old"].into_iter().try_for_each(|dir| fs::create_dir(Path::new(HOME).join(dir)))
}

/// `/etc` with everything in it, where what is written goes into memory: user namespaces make users and groups.
fn copy_etc() -> io::Result<()> {
    let old = Path::new(HOME).join("old");
    mount_bind_recursive("/etc", &old)?;
    let layers = std::ffi::CString::new(format!("lowerdir=/etc,upperdir={HOME}/upper,workdir={HOME}/work"))?;
    mount("overlay", "/etc", "overlay", MountFlags::empty(), layers.as_c_str())?;
    carry_over("/etc", &old)
}

/// sysfs shows the devices of the network namespace that it was mounted in.
fn fresh_sys() -> io::Result<()> {
    let old = Path::new(HOME).join("old");
    mount_bind_recursive("/sys", &old)?;
    mount("sysfs", "/sys", "sysfs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    carry_over("/sys", &old)
}

/// Puts what was mounted beneath a directory, and lies beneath `old` now, on top again, and lets go of `old`.
fn carry_over(dir: &str, old: &Path) -> io::Result<()> {
    let points: Vec<PathBuf> =
        mounts()?.iter().filter_map(|m| Some(m.point.strip_prefix(old).ok()?.to_owned())).collect();
    let mut carried: Vec<&PathBuf> = Vec::new();
    for point in points.iter().filter(|p| !p.as_os_str().is_empty()) {
        if !carried.iter().any(|c| point.starts_with(c)) {
            mount_bind_recursive(old.join(point), Path::new(dir).join(point))?;
            carried.push(point);
        }
    }
    unmount(old, UnmountFlags::DETACH).map_err(Into::into)
}

/// Makes every mount read-only but our own and those that engines must write: control groups, the network's settings.
fn lock_all() -> io::Result<()> {
    for each in mounts()?.iter().rev() {
        if is_a_containers(&each.point) {
            // Held here, the real engine could not remove it.
            let _ = unmount(&each.point, UnmountFlags::DETACH);
            continue;
        }
        let open = ["/run", "/var/run", "/etc", "/sys", "/proc", "/dev"];
        if open.iter().any(|dir| each.point == Path::new(dir) || is_beneath(&each.point, dir)) {
            continue;
        }
        let flags = MountFlags::BIND | MountFlags::RDONLY | each.flags;
        match mount_remount(&each.point, flags, c"") {
            Ok(()) => {}
            // Covered by another mount, or another user's: not to be reached from here.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS)
                if each.point != Path::new("/") => {}
            Err(error) => return Err(io::Error::other(format!("{}: {error}", each.point.display()))),
        }
    }
    Ok(())
}

/// Whether an engine mounts it for one container: its root, its shared memory, its network namespace.
fn is_a_containers(point: &Path) -> bool {
    let part = |n: usize| point.iter().rev().nth(n).and_then(|p| p.to_str()).unwrap_or_default();
    matches!(part(0), "merged" | "rootfs") || part(1) == "netns" || (part(0) == "shm" && part(1) == "mounts")
}

fn is_beneath(point: &Path, dir: &str) -> bool {
    point != Path::new(dir) && point.starts_with(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescape(r"/mnt/a\040b\134c"), PathBuf::from(r"/mnt/a b\c"));
        assert_eq!(unescape(r"/mnt/\9\04"), PathBuf::from(r"/mnt/\9\04"));
        assert!(mounts().unwrap().iter().any(|m| m.point == Path::new("/")));
        assert!(is_a_containers(Path::new("/var/lib/docker/overlay2/x/merged")));
        assert!(is_a_containers(Path::new("/d/containers/x/mounts/shm")) && !is_a_containers(Path::new("/dev/shm")));
        assert!(is_beneath(Path::new("/run/x"), "/run") && !is_beneath(Path::new("/runs"), "/run"));
    }
}
