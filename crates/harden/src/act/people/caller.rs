//! Who it is that applies, and whether over the network.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use super::Accounts;

/// Deeper than any login.
const DEEPEST: usize = 64;
/// What `/proc/self/loginuid` says where nobody logged in.
const NOBODY: u32 = u32::MAX;

/// Who it is that applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::act) struct Caller {
    /// The accounts behind the process: who logged in, and who called sudo.
    pub(in crate::act) names: BTreeSet<String>,
    /// Whether the login came over ssh, or cannot be told from one that did.
    pub(in crate::act) over_ssh: bool,
    /// The address it came from.
    pub(in crate::act) address: Option<String>,
}

impl Caller {
    /// The one who runs this process.
    pub(in crate::act) fn here(accounts: &Accounts) -> Self {
        let mut names: BTreeSet<String> =
            ["SUDO_USER", "DOAS_USER"].into_iter().filter_map(|name| env::var(name).ok()).collect();
        let uid = env::var("PKEXEC_UID").ok().and_then(|uid| uid.parse().ok());
        let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|uid| uid.trim().parse().ok());
        for uid in [uid, login.filter(|uid| *uid != NOBODY)].into_iter().flatten() {
            names.extend(accounts.by_uid(uid).map(|user| user.name.clone()));
        }
        let connection = env::var("SSH_CONNECTION").or_else(|_| env::var("SSH_CLIENT")).ok();
        let over_ssh = connection.is_some() || comes_from_ssh();
        if over_ssh && names.is_empty() {
            let own = rustix::process::getuid().as_raw();
            names.extend(accounts.by_uid(own).map(|user| user.name.clone()));
        }
        let address = connection.and_then(|c| c.split(' ').next().map(str::to_owned)).filter(|a| !a.is_empty());
        Self { names, over_ssh, address }
    }
}

/// Whether a process above this one serves ssh; sudo takes the variables away. What runs under a terminal multiplexer
/// hangs on that one's server, which tells nothing of the login, and counts as coming over ssh.
fn comes_from_ssh() -> bool {
    let mut pid = rustix::process::getpid().as_raw_nonzero().get();
    for _ in 0..DEEPEST {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        let Some((name, after)) = above(&stat) else { return false };
        if ["sshd", "dropbear", "tmux", "screen", "SCREEN", "mosh-server"].iter().any(|known| name.starts_with(known)) {
            return true;
        }
        if after <= 1 {
            return false;
        }
        pid = after;
    }
    false
}

/// The name and the parent in `/proc/PID/stat`; the name may hold anything, brackets included.
fn above(stat: &str) -> Option<(&str, i32)> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let name = head.split_once('(')?.1;
    Some((name, tail.split(' ').nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_brackets_in_its_name_has_a_parent() {
        assert_eq!(above("12 (a) R 9 (b) S 7 12 12 0"), Some(("a) R 9 (b", 7)));
        assert_eq!(above("rubbish"), None);
    }
}
