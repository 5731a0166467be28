//! `/proc/PID/status`, parsed in one pass.

use crate::host::root::Unread;

/// The mode of seccomp in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seccomp {
    /// No filter.
    Disabled,
    /// Strict mode: read, write, exit.
    Strict,
    /// One filter or more; what they allow is not told.
    Filter,
}

/// What `status` tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The name of the thread group's leader, at most 15 bytes; its writer chooses it.
    pub name: String,
    /// Inheritable, permitted, effective, bounding and ambient capabilities, one bit each.
    pub inheritable: u64,
    /// The permitted set.
    pub permitted: u64,
    /// The effective set.
    pub effective: u64,
    /// The bounding set.
    pub bounding: u64,
    /// The ambient set.
    pub ambient: u64,
    /// Whether new privileges can be gained by execution; `None` on kernels before 4.10.
    pub no_new_privileges: Option<bool>,
    /// Seccomp in effect; `None` where the kernel is built without it.
    pub seccomp: Option<Seccomp>,
    /// Real, effective, saved and file-system user ids, as the reader's user namespace sees them.
    pub uids: [u32; 4],
    /// The same for groups.
    pub gids: [u32; 4],
    /// The process id in each pid namespace, from the reader's to the innermost.
    pub ns_pids: Vec<u32>,
    /// True when it is dead and only waits to be collected.
    pub zombie: bool,
}

impl Status {
    /// Parses the file.
    ///
    /// # Errors
    /// [`Unread::Other`] that names the first field that is missing or malformed.
    pub fn parse(text: &str) -> Result<Self, Unread> {
        let mut caps: [Option<u64>; 5] = [None; 5];
        let (mut name, mut uids, mut gids) = (String::new(), None, None);
        let (mut no_new_privileges, mut seccomp) = (None, None);
        let (mut ns_pids, mut zombie) = (Vec::new(), false);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key {
                "Name" => name = value.chars().take(64).collect(),
                "State" => zombie = value.starts_with(['Z', 'X']),
                "Uid" => uids = four(value),
                "Gid" => gids = four(value),
                "NSpid" => ns_pids = value.split_ascii_whitespace().take(40).filter_map(|n| n.parse().ok()).collect(),
                "CapInh" => caps[0] = hex(value),
                "CapPrm" => caps[1] = hex(value),
                "CapEff" => caps[2] = hex(value),
                "CapBnd" => caps[3] = hex(value),
                "CapAmb" => caps[4] = hex(value),
                "NoNewPrivs" => no_new_privileges = Some(bit(value)?),
                "Seccomp" => seccomp = Some(seccomp_mode(value)?),
                _ => {}
            }
        }
        let missing = |field: &str| Unread::Other(format!("has no readable {field}"));
        Ok(Self {
            name,
            inheritable: caps[0].ok_or_else(|| missing("CapInh"))?,
            permitted: caps[1].ok_or_else(|| missing("CapPrm"))?,
            effective: caps[2].ok_or_else(|| missing("CapEff"))?,
            bounding: caps[3].ok_or_else(|| missing("CapBnd"))?,
            // Kernels before 4.3 know no ambient set.
            ambient: caps[4].unwrap_or(0),
            no_new_privileges,
            seccomp,
            uids: uids.ok_or_else(|| missing("Uid"))?,
            gids: gids.ok_or_else(|| missing("Gid"))?,
            ns_pids,
            zombie,
        })
    }
}

fn four(value: &str) -> Option<[u32; 4]> {
    let mut numbers = value.split_ascii_whitespace().map(|n| n.parse().ok());
    let mut next = || numbers.next().flatten();
    Some([next()?, next()?, next()?, next()?])
}

fn hex(value: &str) -> Option<u64> {
    u64::from_str_radix(value, 16).ok()
}

fn bit(value: &str) -> Result<bool, Unread> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Unread::Other("has a NoNewPrivs that is neither 0 nor 1".into())),
    }
}

fn seccomp_mode(value: &str) -> Result<Seccomp, Unread> {
    match value {
        "0" => Ok(Seccomp::Disabled),
        "1" => Ok(Seccomp::Strict),
        "2" => Ok(Seccomp::Filter),
        _ => Err(Unread::Other("has a Seccomp mode that is not known".into())),
    }
}

/// A line of `uid_map` or `gid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first id inside the namespace.
    pub inside: u32,
    /// The id outside, in the reader's namespace, that the first stands for.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// Parses a map of ids; at most 340 lines, as the kernel allows.
///
/// # Errors
/// [`Unread::Other`] for a malformed line.
pub fn parse_id_map(text: &str) -> Result<Vec<IdRange>, Unread> {
    let line = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(|n| n.parse::<u32>().ok());
        let mut next = || numbers.next().flatten();
        Some(IdRange { inside: next()?, outside: next()?, count: next()? })
    };
    text.lines().take(340).map(|l| line(l).ok_or_else(|| Unread::Other("has a malformed line".into()))).collect()
}

/// The id outside that an id inside stands for.
pub fn outside_id(map: &[IdRange], inside: u32) -> Option<u32> {
    let range = map.iter().find(|r| inside >= r.inside && inside - r.inside < r.count)?;
    range.outside.checked_add(inside - range.inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "Name:\tsleep\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t2211\nNgid:\t0\nPid:\t2211\nPPid:\t2190\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nNSpid:\t2211\t1\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn a_recorded_status_is_read() {
        let status = Status::parse(RECORDED).unwrap();
        assert_eq!(status.effective, 0xa804_25fb);
        assert_eq!(status.no_new_privileges, Some(true));
        assert_eq!(status.seccomp, Some(Seccomp::Filter));
        assert_eq!(status.uids, [1000; 4]);
        assert_eq!(status.ns_pids, [2211, 1]);
        assert!(!status.zombie);
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_assumed() {
        let without = RECORDED.replace("CapEff", "CapXxx");
        assert_eq!(Status::parse(&without), Err(Unread::Other("has no readable CapEff".into())));
        let without = RECORDED.replace("NoNewPrivs:\t1\n", "").replace("Seccomp:\t2\n", "");
        let status = Status::parse(&without).unwrap();
        assert_eq!((status.no_new_privileges, status.seccomp), (None, None));
        assert!(Status::parse(&RECORDED.replace("NoNewPrivs:\t1", "NoNewPrivs:\t7")).is_err());
        assert!(Status::parse("").is_err());
    }

    #[test]
    fn maps_of_ids() {
        let map = parse_id_map("         0     100000      65536\n").unwrap();
        assert_eq!(outside_id(&map, 0), Some(100_000));
        assert_eq!(outside_id(&map, 65_536), None);
        assert!(parse_id_map("0 x 1").is_err());
    }
}
