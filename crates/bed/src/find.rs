//! Where the engines' binaries are, and what to say when they are not there.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The engines that tests can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Docker Engine 20.10 (API 1.41, graph drivers), as Debian packages it.
    V20,
    /// Docker Engine 29 (API 1.44 and later, containerd's image store), built by `cargo xtask test`.
    V29,
}

impl Version {
    /// The bed's name in messages: `engine20`, `engine29`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V20 => "engine20",
            Version::V29 => "engine29",
        }
    }
}

/// The binaries of one engine.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The engine.
    pub dockerd: PathBuf,
    /// The folder that goes first in the engine's `PATH`, where it is not the machine's own.
    pub path: Option<PathBuf>,
    /// The containerd to start for it; none where the engine starts its own.
    pub containerd: Option<PathBuf>,
    /// A static busybox: makes images, and brings the loopback device up.
    pub busybox: PathBuf,
}

/// The folder where built engines lie: `SEAWORTHY_BEDS`, else `target/beds` of this workspace.
pub fn beds_dir() -> PathBuf {
    match env::var_os("SEAWORTHY_BEDS") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/beds"),
    }
}

/// Looks for what the engine needs.
///
/// # Errors
/// One line that says what is missing and what would bring it.
pub fn find(version: Version) -> Result<Binaries, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("starting an engine needs root".into());
    }
    let busybox = program("busybox")?;
    if !is_static(&busybox) {
        return Err(format!("{} is not static (busybox-static is)", busybox.display()));
    }
    let found = match version {
        Version::V20 => Binaries { dockerd: engine20(program("dockerd")?)?, path: None, containerd: None, busybox },
        Version::V29 => {
            let dir = beds_dir().join("engine29");
            let built = |name: &str| {
                let path = dir.join(name);
                if path.is_file() {
                    Ok(path)
                } else {
                    Err(format!("{name} is not built ({}; cargo xtask test builds it)", dir.display()))
                }
            };
            built("docker-proxy")?;
            built("runc")?;
            Binaries {
                dockerd: built("dockerd")?,
                containerd: Some(program("containerd")?),
                path: Some(dir.clone()),
                busybox,
            }
        }
    };
    program("iptables")?;
    if version == Version::V20 {
        program("containerd")?;
        program("runc")?;
    }
    namespaces_work()?;
    Ok(found)
}

/// The machine may have another engine: tests of this one would say nothing about it.
fn engine20(dockerd: PathBuf) -> Result<PathBuf, String> {
    let output = Command::new(&dockerd).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", dockerd.display()))?;
    let says = String::from_utf8_lossy(&output.stdout);
    if says.contains(" 20.10.") { Ok(dockerd) } else { Err(format!("{} is {}", dockerd.display(), says.trim())) }
}

/// A program without an interpreter (`PT_INTERP`) runs in an image that has nothing else.
pub(crate) fn is_static(program: &Path) -> bool {
    let Ok(elf) = std::fs::read(program) else { return false };
    let number = |at: usize, bytes: usize| {
        let field = elf.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    // ELF64, little-endian: e_phoff, e_phentsize, e_phnum; p_type is each program header's first word.
    let (Some(at), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else { return false };
    elf.starts_with(b"\x7fELF\x02\x01") && (0..count).all(|header| number(at + header * size, 4) != Some(3))
}

/// Whether this process may make network namespaces; a root inside an ordinary container may not.
pub(crate) fn namespaces_work() -> Result<(), String> {
    let status = Command::new("unshare").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("network namespaces are not allowed here (unshare -n)".into()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed (cargo xtask test installs it where it may)"))
}

/// Says on one line of stderr that the running test is skipped for want of a bed. `cargo xtask test` counts these lines.
///
/// # Panics
/// Where `SEAWORTHY_BEDS_REQUIRED` is set: there a missing bed is a failure.
pub fn skip(bed: &str, why: &str) {
    if env::var_os("SEAWORTHY_BEDS_REQUIRED").is_some() {
        panic!("bed {bed} is required and missing: {why}");
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed");
    // Not eprintln!: the test harness keeps that back for tests that pass.
    let _ = writeln!(std::io::stderr(), "SKIPPED bed={bed} why={:?} test={test}", why.replace('\n', " "));
}

#[cfg(test)]
mod tests {
    use super::is_static;

    #[test]
    fn this_test_has_an_interpreter() {
        assert!(!is_static(&std::env::current_exe().unwrap()));
    }
}
