//! Devices that containers are given, by what one can do with them.

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceClass {
    /// null, zero, full, random, tty and their like, which every container has.
    Harmless,
    /// A disk or a part of one: the host's files, around all permissions.
    Disk,
    /// Physical memory, ports, and what reaches them: `/dev/mem`, `/dev/kmem`, `/dev/port`, `/dev/cpu/N/msr`, `/dev/uio*`,
    /// `/dev/vfio/noiommu-*`.
    Memory,
    /// `/dev` as a whole, or another directory of devices that holds more than one class.
    All,
    /// Virtual machines: `/dev/kvm`, `/dev/vhost-*`.
    Kvm,
    /// File systems in user space.
    Fuse,
    /// Tunnels.
    Tun,
    /// Keyboards and mice: what is typed can be read.
    Input,
    /// Sound, and with it the microphone.
    Sound,
    /// Cameras.
    Video,
    /// Graphics and accelerators.
    Graphics,
    /// Serial lines, USB, I2C, GPIO, SPI: machines outside.
    Bus,
    /// A device that is none of these.
    Other,
}

impl DeviceClass {
    /// The stable name that reports show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::All => "all",
            Self::Kvm => "kvm",
            Self::Fuse => "fuse",
            Self::Tun => "tun",
            Self::Input => "input",
            Self::Sound => "sound",
            Self::Video => "video",
            Self::Graphics => "graphics",
            Self::Bus => "bus",
            Self::Other => "other",
        }
    }

    /// True where having it is as good as having the host.
    pub const fn gives_host(self) -> bool {
        matches!(self, Self::Disk | Self::Memory | Self::All)
    }
}

/// The class of a device's path on the host.
pub fn device_class(path: &str) -> DeviceClass {
    let clean = normalise(path);
    let Some(rest) = clean.strip_prefix("/dev") else {
        return if clean == "/" { DeviceClass::All } else { DeviceClass::Other };
    };
    let name = rest.trim_start_matches('/');
    let first = name.split('/').next().unwrap_or("");
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| first.starts_with(p));
    let is = |names: &[&str]| names.contains(&first);
    // `sda`, `vdb1`, `xvda`: letters, then digits.
    let lettered = |prefix: &str| {
        first.strip_prefix(prefix).is_some_and(|r| {
            !r.is_empty()
                && r.as_bytes()[0].is_ascii_lowercase()
                && r.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
    };
    if name.is_empty() {
        DeviceClass::All
    } else if is(&[
        "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd", "stdin",
        "stdout", "stderr",
    ]) {
        DeviceClass::Harmless
    } else if is(&["mem", "kmem", "port", "kcore", "crash", "oldmem"])
        // Registers of a processor, memory of a PCI device and what it reaches without an IOMMU: the kernel's by a detour.
        || (first == "cpu" && name.ends_with("/msr"))
        || starts(&["uio", "dax"])
        || name.starts_with("vfio/noiommu-")
    {
        DeviceClass::Memory
    } else if is(&["block", "char"]) && name == first {
        DeviceClass::All
    } else if ["mapper/control", "loop-control", "btrfs-control"].contains(&name) {
        // They open no disk; what they command takes SYS_ADMIN, but for a loop device without a file.
        DeviceClass::Other
    } else if ["sd", "vd", "xvd", "hd"].iter().any(|p| lettered(p))
        || starts(&[
            "nvme", "dm-", "loop", "md", "mmcblk", "sr", "nbd", "rbd", "zd", "bcache", "drbd", "sg", "zram", "pmem",
            "dasd", "mtd",
        ])
        || is(&["mapper", "disk", "block", "zvol", "bsg", "root", "cdrom", "zfs"])
    {
        DeviceClass::Disk
    } else if is(&["kvm"]) || starts(&["vhost", "vfio", "sev", "sgx"]) {
        DeviceClass::Kvm
    } else if is(&["fuse", "cuse"]) {
        DeviceClass::Fuse
    } else if (first == "net" && name != "net/") || starts(&["tap", "tun", "ppp"]) {
        DeviceClass::Tun
    } else if is(&["input", "uinput", "hidraw"]) || starts(&["hidraw", "event"]) {
        DeviceClass::Input
    } else if is(&["snd", "dsp", "mixer", "audio"]) {
        DeviceClass::Sound
    } else if starts(&["video", "media", "v4l"]) {
        DeviceClass::Video
    } else if is(&["dri", "kfd", "dxg"]) || starts(&["nvidia", "accel", "fb", "apex", "davinci", "habana", "mali"]) {
        DeviceClass::Graphics
    } else if is(&["bus", "usb", "serial"])
        || starts(&["ttyS", "ttyUSB", "ttyACM", "ttyAMA", "i2c-", "gpiochip", "spidev", "usbmon", "tpm"])
    {
        DeviceClass::Bus
    } else {
        DeviceClass::Other
    }
}

/// Dots and doubled slashes taken out, as the kernel would resolve them without links.
fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').take(256) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What a device cgroup rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// `a`: both kinds.
    All,
    /// `b`: block.
    Block,
    /// `c`: character.
    Character,
}

/// A rule such as `c 1:3 rwm`, of `HostConfig.DeviceCgroupRules` and of cgroup v1's `devices.list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    /// The kind.
    pub kind: DeviceKind,
    /// The major number; `None` is every one.
    pub major: Option<u32>,
    /// The minor number; `None` is every one.
    pub minor: Option<u32>,
    /// Reading is allowed.
    pub read: bool,
    /// Writing is allowed.
    pub write: bool,
    /// Making nodes is allowed.
    pub mknod: bool,
}

impl DeviceRule {
    /// Parses one rule; `None` when it is malformed. In `a …` the kernel ignores the numbers.
    pub fn parse(rule: &str) -> Option<Self> {
        let mut words = rule.split_ascii_whitespace();
        let kind = match words.next()? {
            "a" => DeviceKind::All,
            "b" => DeviceKind::Block,
            "c" => DeviceKind::Character,
            _ => return None,
        };
        let (major, minor) = words.next().unwrap_or("*:*").split_once(':')?;
        let access = words.next().unwrap_or("rwm");
        let number = |n: &str| if n == "*" { Some(None) } else { n.parse().ok().map(Some) };
        let (major, minor) = if kind == DeviceKind::All { (None, None) } else { (number(major)?, number(minor)?) };
        if words.next().is_some() || !access.bytes().all(|b| b"rwm".contains(&b)) {
            return None;
        }
        Some(Self {
            kind,
            major,
            minor,
            read: access.contains('r'),
            write: access.contains('w'),
            mknod: access.contains('m'),
        })
    }

    /// True when it opens every device of a kind for reading or writing (`c *:* m` lets nodes be made only: every
    /// Docker container has that rule).
    pub fn is_all_devices(&self) -> bool {
        self.major.is_none() && (self.read || self.write)
    }

    /// True when it opens disks or physical memory: all block devices, every one of a disk's major number, or
    /// character major 1 with minors 1, 2 and 4 (mem, kmem, port).
    pub fn gives_host(&self) -> bool {
        /// Major numbers of the kernel's list for disks: IDE, loop is left out, SCSI, MD, mmc, dm, virtio, NVMe (259).
        const DISKS: &[u32] = &[
            3, 8, 9, 22, 65, 66, 67, 68, 69, 70, 71, 128, 129, 130, 131, 132, 133, 134, 135, 179, 202, 252, 253, 254,
            259,
        ];
        if !self.read && !self.write {
            return false;
        }
        match (self.kind, self.major) {
            (_, None) => true,
            (DeviceKind::Block, Some(major)) => DISKS.contains(&major),
            (DeviceKind::Character, Some(1)) => self.minor.is_none_or(|m| matches!(m, 1 | 2 | 4)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_classed() {
        for (path, class) in [
            ("/dev/sda", DeviceClass::Disk),
            ("/dev/nvme0n1p2", DeviceClass::Disk),
            ("/dev/vdb1", DeviceClass::Disk),
            ("/dev/mapper/root", DeviceClass::Disk),
            ("/dev/dm-0", DeviceClass::Disk),
            ("/dev//loop0", DeviceClass::Disk),
            ("/dev/disk/by-id/x", DeviceClass::Disk),
            ("/dev/mem", DeviceClass::Memory),
            ("/dev/cpu/0/msr", DeviceClass::Memory),
            ("/dev/cpu/0/cpuid", DeviceClass::Other),
            ("/dev/uio0", DeviceClass::Memory),
            ("/dev/vfio/noiommu-0", DeviceClass::Memory),
            ("/dev/vfio/12", DeviceClass::Kvm),
            ("/dev/mtd0", DeviceClass::Disk),
            ("/dev/mapper/control", DeviceClass::Other),
            ("/dev/loop-control", DeviceClass::Other),
            ("/dev/kmsg", DeviceClass::Other),
            ("/dev/../dev/./port", DeviceClass::Memory),
            ("/dev", DeviceClass::All),
            ("/dev/", DeviceClass::All),
            ("/", DeviceClass::All),
            ("/dev/kvm", DeviceClass::Kvm),
            ("/dev/fuse", DeviceClass::Fuse),
            ("/dev/net/tun", DeviceClass::Tun),
            ("/dev/input/event0", DeviceClass::Input),
            ("/dev/snd", DeviceClass::Sound),
            ("/dev/dri/renderD128", DeviceClass::Graphics),
            ("/dev/nvidia0", DeviceClass::Graphics),
            ("/dev/null", DeviceClass::Harmless),
            ("/dev/ttyUSB0", DeviceClass::Bus),
            ("/dev/whatever", DeviceClass::Other),
            ("/srv/x", DeviceClass::Other),
        ] {
            assert_eq!(device_class(path), class, "{path}");
        }
    }

    #[test]
    fn rules_are_judged_by_what_they_open() {
        for (rule, all, host) in [
            ("a *:* rwm", true, true),
            ("a", true, true),
            ("c *:* rwm", true, true),
            ("b *:* r", true, true),
            ("c *:* m", false, false),
            ("b *:* m", false, false),
            ("b 8:* rwm", false, true),
            ("c 1:1 r", false, true),
            ("c 1:3 rwm", false, false),
            ("c 10:229 rwm", false, false),
        ] {
            let parsed = DeviceRule::parse(rule).unwrap();
            assert_eq!((parsed.is_all_devices(), parsed.gives_host()), (all, host), "{rule}");
        }
        for bad in ["", "x 1:1 r", "c 1 r", "c a:b r", "c 1:1 x", "c 1:1 r extra"] {
            assert_eq!(DeviceRule::parse(bad), None, "{bad}");
        }
    }
}
