//! Builds the whole machine: Debian's packages on a disk, booted once, and once more to be put to sleep.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use seaworthy_bed::{Image, Machine, Recipe};

use super::{find, run};

/// Where Debian's packages come from when apt here knows of no place for the machine's release.
const MIRROR: &str = "http://deb.debian.org/debian";

/// Builds it, unless what is there was built from the same recipe for the same emulator.
pub fn machine() -> Result<(), String> {
    let recipe = Recipe::NOW;
    let target = Image::place();
    let qemu = Command::new("qemu-system-x86_64").arg("--version").output();
    let qemu = qemu.map_err(|error| format!("qemu-system-x86_64: {error}"))?;
    let version = String::from_utf8_lossy(&qemu.stdout).lines().next().unwrap_or_default().to_owned();
    // Memory that was stored by one version may not be another's.
    let stamp = format!("{}{version}\n", recipe.stamp());
    let complete =
        ["vmlinuz", "initrd", "disk.raw", "warm.qcow2", "memory"].iter().all(|name| target.join(name).is_file());
    if complete && Image::find().is_ok() && fs::read_to_string(target.join("stamp")).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("not built, since only root could boot it".into());
    }
    eprintln!("beds: building the machine, once (minutes)");
    let begun = Instant::now();
    let at = |error: io::Error| format!("{}: {error}", target.display());
    if target.exists() {
        fs::remove_dir_all(&target).map_err(at)?;
    }
    fs::create_dir_all(&target).map_err(at)?;
    let target = target.canonicalize().map_err(at)?;
    let root = target.join("root");
    install(&recipe, &root)?;
    kernel(&recipe, &root, &target)?;
    let mut disk = Command::new(find("mkfs.ext4").ok_or("mkfs.ext4 is not installed")?);
    disk.args(["-q", "-F", "-L", "machine", "-d"]).arg(&root).arg(target.join("disk.raw"));
    run(disk.arg(format!("{}K", recipe.disk >> 10)))?;
    fs::remove_dir_all(&root).map_err(at)?;
    eprintln!("beds: booting the machine twice");
    Machine::finish_image(&target)?;
    fs::write(target.join("stamp"), stamp).map_err(at)?;
    eprintln!("beds: built the machine in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Debian and the agent in a folder.
fn install(recipe: &Recipe, root: &Path) -> Result<(), String> {
    let packages: Vec<&str> = recipe.packages.split_whitespace().collect();
    let mut debian = Command::new("mmdebstrap");
    debian.args(["--mode=root", "--variant=apt", "--quiet", "--dpkgopt=force-unsafe-io"]);
    for dir in ["doc", "info", "locale", "man"] {
        debian.arg(format!("--dpkgopt=path-exclude=/usr/share/{dir}/*"));
    }
    debian.arg(format!("--include={}", packages.join(","))).arg(recipe.suite).arg(root).arg(mirror(recipe.suite));
    // The initial file system is made here: the kernel's package need not.
    run(debian.env("LC_ALL", "C").env("INITRD", "No"))?;
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.map_err(|error| format!("{}: {error}", path.display()))
    };
    write("usr/local/lib/bed/agent.pl", recipe.agent)?;
    write("etc/systemd/system/bed-agent.service", recipe.unit)?;
    write("tmp/setup", recipe.setup)?;
    run(Command::new("chroot").arg(root).args(["sh", "/tmp/setup"]).env("LC_ALL", "C"))?;
    fs::remove_file(root.join("tmp/setup")).map_err(|error| format!("setup: {error}"))
}

/// The kernel, and an initial file system of what it needs to see the disk.
fn kernel(recipe: &Recipe, root: &Path, target: &Path) -> Result<(), String> {
    let at = |error: io::Error| format!("the kernel: {error}");
    let names = fs::read_dir(root.join("boot")).map_err(at)?.flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_prefix("vmlinuz-")?.to_owned()));
    let version = names.max().ok_or("the machine has no kernel")?;
    fs::copy(root.join(format!("boot/vmlinuz-{version}")), target.join("vmlinuz")).map_err(at)?;
    let initial = target.join("initial");
    for dir in ["bin", "dev", "modules", "root"] {
        fs::create_dir_all(initial.join(dir)).map_err(at)?;
    }
    let mut order = Vec::new();
    for path in recipe.modules.iter().map(|module| needed(root, &version, module)).collect::<Result<Vec<_>, _>>()? {
        for path in path {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !order.contains(&name) {
                fs::copy(&path, initial.join("modules").join(&name)).map_err(at)?;
                order.push(name);
            }
        }
    }
    fs::write(initial.join("modules/order"), order.join("\n") + "\n").map_err(at)?;
    fs::copy(root.join("bin/busybox"), initial.join("bin/busybox")).map_err(at)?;
    symlink("busybox", initial.join("bin/sh")).map_err(at)?;
    fs::write(initial.join("init"), recipe.init).map_err(at)?;
    let pack = "chmod 755 init && bin/busybox find . | bin/busybox cpio -o -H newc >../initrd";
    run(Command::new("sh").args(["-c", pack]).current_dir(&initial))?;
    fs::remove_dir_all(&initial).map_err(at)
}

/// A module's file and those of the modules that it needs, in the order in which they are loaded.
fn needed(root: &Path, version: &str, module: &str) -> Result<Vec<PathBuf>, String> {
    let mut list = Command::new("chroot");
    list.arg(root).args(["modprobe", "--set-version", version, "--show-depends", module]);
    let text = run(&mut list)?;
    let paths = text.lines().filter_map(|line| line.strip_prefix("insmod ")).map(str::trim);
    Ok(paths.map(|path| root.join(path.trim_start_matches('/'))).collect())
}

/// Where apt takes this release from on this machine.
fn mirror(suite: &str) -> String {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"]);
    let text = targets.output().map(|output| output.stdout).unwrap_or_default();
    let known = String::from_utf8_lossy(&text).lines().find_map(|line| {
        let uri = line.strip_prefix(&format!("Debian {suite} main "))?;
        Some(uri.trim_end_matches('/').to_owned())
    });
    known.unwrap_or_else(|| MIRROR.into())
}
