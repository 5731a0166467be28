//! The machine's disk and kernel: what they are made from, and whether they are there.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// What the image is made from. `cargo xtask test` follows it.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Debian's release.
    pub suite: &'static str,
    /// The packages besides the essential ones.
    pub packages: &'static str,
    /// A shell script for the new root, before its first boot.
    pub setup: &'static str,
    /// `/init` of the initial file system: loads what `/modules/order` lists and goes on with the disk.
    pub init: &'static str,
    /// The kernel modules without which there is no disk and no agent.
    pub modules: &'static [&'static str],
    /// What answers [`super::Machine`] from inside, and goes to `/usr/local/lib/bed/agent.pl`.
    pub agent: &'static str,
    /// Its unit, `bed-agent.service`.
    pub unit: &'static str,
    /// The disk's size.
    pub disk: u64,
}

impl Recipe {
    /// The one of this version of the tests.
    pub const NOW: Self = Self {
        suite: "bookworm",
        packages: include_str!("../../machine/packages"),
        setup: include_str!("../../machine/setup"),
        init: include_str!("../../machine/init"),
        modules: &["virtio_pci", "virtio_blk", "virtio_console"],
        agent: include_str!("../../machine/agent.pl"),
        unit: include_str!("../../machine/agent.service"),
        disk: 4 << 30,
    };

    /// What the image was made from, as text; an image of another text is not this recipe's.
    pub fn stamp(&self) -> String {
        format!("{self:?}\n{:?}\n{}\n", super::qemu::HARDWARE, super::qemu::KERNEL)
    }
}

/// A complete image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where it lies.
    pub dir: PathBuf,
    pub(super) qemu: PathBuf,
    pub(super) qemu_img: PathBuf,
    pub(super) busybox: PathBuf,
    /// Whether its kernel ran under KVM here.
    pub(super) kvm: bool,
}

impl Image {
    /// The folder of this recipe's image. Each recipe has its own, so that building one takes none away from under a
    /// machine that runs.
    pub fn place() -> PathBuf {
        let mut hasher = DefaultHasher::new();
        Recipe::NOW.stamp().hash(&mut hasher);
        crate::beds_dir().join("machine").join(format!("{:016x}", hasher.finish()))
    }

    /// Looks for the image and for what runs it.
    ///
    /// # Errors
    /// One line that says what is missing and what would bring it.
    pub fn find() -> Result<Self, String> {
        let image = Self::unproven(&Self::place())?;
        let stamp = fs::read_to_string(image.dir.join("stamp")).unwrap_or_default();
        if !stamp.starts_with(&Recipe::NOW.stamp()) {
            return Err(format!("the image is not built ({}; cargo xtask test builds it)", image.dir.display()));
        }
        if image.kvm && !kvm_might_do() {
            return Err("the image sleeps in KVM, which is not to be had any more (cargo xtask test builds it)".into());
        }
        Ok(image)
    }

    /// The image in a folder, whatever it was made from.
    ///
    /// # Errors
    /// One line that says what else is missing.
    pub fn unproven(dir: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("building and booting a machine needs root".into());
        }
        let program = crate::find::program;
        let (qemu, qemu_img) = (program("qemu-system-x86_64")?, program("qemu-img")?);
        let busybox = program("busybox")?;
        // Absolute, since the private disks name it.
        let dir = std::path::absolute(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let dir = dir.canonicalize().unwrap_or(dir);
        let kvm = fs::read_to_string(dir.join("accelerator")).is_ok_and(|text| text.trim() == "kvm");
        Ok(Self { dir, qemu, qemu_img, busybox, kvm })
    }

    /// What of the disk was there when the machine was put to sleep.
    pub(super) fn warm_disk(&self) -> PathBuf {
        self.dir.join("warm.qcow2")
    }

    /// The disk of a machine that was shut down.
    pub(super) fn disk(&self) -> PathBuf {
        self.dir.join("disk.raw")
    }

    /// The memory of the machine that sleeps.
    pub(super) fn memory(&self) -> PathBuf {
        self.dir.join("memory")
    }
}

/// Whether KVM might do here; whether a kernel runs under it is another question. What offers it on a processor without
/// the extensions (a paravirtual host) does not get far.
pub(super) fn kvm_might_do() -> bool {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let extensions = processor.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm"));
    extensions && fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}
