//! Capabilities: their names, Docker's default set, and the set that a configuration asks for.

/// The names by bit, without `CAP_`, as Linux 5.9 and later number them.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Every capability that has a name.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// Docker's default: AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, NET_RAW, SETFCAP,
/// SETGID, SETPCAP, SETUID, SYS_CHROOT. The engine has given these fourteen since 1.2.
pub const DOCKER_DEFAULT: u64 = 0xa804_25fb;

/// The bit of a name, with or without `CAP_`, in any case.
pub fn bit(name: &str) -> Option<u64> {
    let name = name.trim();
    let bare = match name.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("CAP_") => &name[4..],
        _ => name,
    };
    NAMES.iter().position(|n| n.eq_ignore_ascii_case(bare)).map(|i| 1 << i)
}

/// The names of a set, in the order of their bits; a bit without a name is `41`, `42`, ….
pub fn caps_to_names(caps: u64) -> Vec<String> {
    (0..64)
        .filter(|i| caps & (1 << i) != 0)
        .map(|i: usize| NAMES.get(i).map_or_else(|| i.to_string(), |n| (*n).to_owned()))
        .collect()
}

/// The capabilities that a container is given as its engine reads the configuration: privileged is all; else the
/// default without those dropped, then those added; `ALL` added is all but those dropped by name, `ALL` dropped is those
/// added by name.
/// `host_bounding` is `CapBnd` of the host's pid 1: nothing outside of it can be had. A name that is not known gives
/// nothing (an engine refuses it).
pub fn configured_capabilities<S: AsRef<str>>(privileged: bool, add: &[S], drop: &[S], host_bounding: u64) -> u64 {
    if privileged {
        return host_bounding;
    }
    let is_all = |names: &[S]| {
        names
            .iter()
            .any(|n| n.as_ref().trim().eq_ignore_ascii_case("ALL") || n.as_ref().trim().eq_ignore_ascii_case("CAP_ALL"))
    };
    let bits = |names: &[S]| names.iter().filter_map(|n| bit(n.as_ref())).fold(0, |all, b| all | b);
    // As moby's TweakCapabilities: ALL added is all but what is dropped by name, also beside ALL dropped;
    // ALL dropped is what is added by name.
    let caps = if is_all(add) {
        ALL & !bits(drop)
    } else if is_all(drop) {
        bits(add)
    } else {
        (DOCKER_DEFAULT & !bits(drop)) | bits(add)
    };
    caps & host_bounding
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];

    #[test]
    fn the_default_has_fourteen() {
        assert_eq!(DOCKER_DEFAULT.count_ones(), 14);
        let mut names = caps_to_names(DOCKER_DEFAULT);
        names.sort();
        assert_eq!(
            names.join(" "),
            "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
        );
        assert_eq!(bit("cap_sys_admin"), Some(1 << 21));
        assert_eq!(bit("Checkpoint_Restore"), Some(1 << 40));
        assert_eq!(bit("SYS_NOTHING"), None);
        assert_eq!(caps_to_names(1 << 63), ["63"]);
    }

    #[test]
    fn configurations_are_read_as_the_engine_reads_them() {
        assert_eq!(configured_capabilities(false, NONE, NONE, ALL), DOCKER_DEFAULT);
        assert_eq!(configured_capabilities(true, NONE, &["ALL"], ALL), ALL);
        assert_eq!(configured_capabilities(false, &["all"], NONE, ALL), ALL);
        assert_eq!(configured_capabilities(false, &["ALL"], &["CAP_SYS_ADMIN"], ALL), ALL & !(1 << 21));
        assert_eq!(configured_capabilities(false, NONE, &["ALL"], ALL), 0);
        assert_eq!(configured_capabilities(false, &["NET_BIND_SERVICE"], &["all"], ALL), 1 << 10);
        assert_eq!(
            configured_capabilities(false, &["sys_ptrace"], &["cap_chown"], ALL),
            (DOCKER_DEFAULT | 1 << 19) & !1
        );
        assert_eq!(configured_capabilities(true, NONE, NONE, 0x1ff_feff_ffff), 0x1ff_feff_ffff);
    }
}
