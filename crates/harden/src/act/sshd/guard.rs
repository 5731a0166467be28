//! Nobody is locked out by what becomes of sshd.
//!
//! After the change an account that is root, or may become root by sudo with what it has, must be able to log in by ssh;
//! and whoever applies over ssh must be, too, unless he is root and it is root's own login that is closed. What counts
//! is what can be proven: a key without conditions in a file that sshd takes, or a password where passwords stay. Keys
//! that a program or a certificate authority hands out are not asked for and count for nothing.

use seaworthy_core::plan::LeaveGroup;
use seaworthy_core::sshd::canonical;

use super::place::is_same;
use super::server::{Connection, Server, Settings};
use crate::act::people::{Accounts, Caller, Sudo, User};
use crate::act::{Refusal, keys};
use crate::{Failure, Host};

/// An address of no network (RFC 5737): whoever is not at a special one.
pub(super) const ANYWHERE: &str = "192.0.2.1";

/// Keywords that decide who comes in.
const DOORS: [&str; 6] = [
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "pubkeyauthentication",
    "permitrootlogin",
    "authenticationmethods",
    "usepam",
];

/// Refuses what would lock somebody out.
pub(super) fn nobody_is_locked_out(
    host: &Host,
    server: &Server,
    set: &[(String, String)],
    caller: &Caller,
    accounts: &Accounts,
) -> Result<(), Refusal> {
    if !set.iter().any(|(keyword, _)| DOORS.contains(&canonical(keyword).as_str())) {
        return Ok(());
    }
    let comes_in = |user: &User, address: &str| -> Result<bool, Failure> {
        let settings = after(server, set, &user.name, address)?;
        Ok(has_way(host, accounts, user, &settings))
    };
    let here = caller.address.as_deref().unwrap_or(ANYWHERE);
    let sudo = Sudo::read(host)?;
    let mut any = false;
    for user in accounts.administrators(&sudo) {
        any = any || comes_in(user, ANYWHERE)? || (here != ANYWHERE && comes_in(user, here)?);
    }
    if !any {
        return Err(Refusal::Refused(
            "nobody who can administer this host would come in by ssh any more: no account that is root, or may run \
             everything by sudo, is seen to have a key (or a password where one is taken); put a key into \
             ~/.ssh/authorized_keys of such an account first"
                .into(),
        ));
    }
    if !caller.over_ssh {
        return Ok(());
    }
    let root_off = set.iter().any(|(keyword, value)| canonical(keyword) == "permitrootlogin" && !is_same(value, "yes"));
    for name in &caller.names {
        let lost = || {
            Refusal::Refused(format!(
                "{name} applies this over ssh and would not come in any more: put a key into ~/.ssh/authorized_keys of \
                 {name} first and log in with it"
            ))
        };
        let user = accounts.user(name).ok_or_else(lost)?;
        let is_meant = user.uid == 0 && root_off;
        if !is_meant && !comes_in(user, here)? {
            return Err(lost());
        }
    }
    Ok(())
}

/// Refuses where whoever leaves a group would not come in by ssh any more, or no administrator would: sshd may let in
/// by groups (`AllowGroups`), and what it asks is who is in them at the login.
pub(super) fn leavers_come_in(
    host: &Host,
    server: &Server,
    leaves: &[&LeaveGroup],
    accounts: &Accounts,
) -> Result<(), Refusal> {
    let after = accounts.without(leaves);
    for leave in leaves {
        let Some(user) = accounts.user(&leave.user) else { continue };
        let settings = self::after(server, &[], &user.name, ANYWHERE)?;
        if is_let_in(accounts, user, &settings) && !is_let_in(&after, user, &settings) {
            let (user, group) = (&leave.user, &leave.group);
            return Err(Refusal::Refused(format!(
                "{user} comes in by ssh as a member of {group} alone (AllowGroups in sshd's configuration): put him into \
                 another group that is allowed, or name one that he is in there, first"
            )));
        }
    }
    let sudo = Sudo::read(host)?;
    let comes_in = |accounts: &Accounts| -> Result<bool, Failure> {
        for user in accounts.administrators(&sudo) {
            if has_way(host, accounts, user, &self::after(server, &[], &user.name, ANYWHERE)?) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if comes_in(accounts)? && !comes_in(&after)? {
        let names: Vec<&str> = leaves.iter().map(|leave| leave.user.as_str()).collect();
        return Err(Refusal::Refused(format!(
            "nobody who can administer this host would come in by ssh once {} left: give another administrator a key first",
            names.join(" and ")
        )));
    }
    Ok(())
}

/// Whether what stands after Match may mean a group that somebody leaves.
pub(super) fn names_group(criteria: &str, leaves: &[&LeaveGroup]) -> bool {
    let words: Vec<&str> = criteria.split([' ', '=']).collect();
    let means = |pattern: &str| {
        let plain = glob::Pattern::new(&pattern.trim_start_matches('!').replace("**", "*"));
        plain.map_or(true, |plain| leaves.iter().any(|leave| plain.matches(&leave.group)))
    };
    words.windows(2).any(|pair| pair[0].eq_ignore_ascii_case("group") && pair[1].split(',').any(means))
}

/// What would hold for a user: our settings come before everything, Match blocks included.
fn after(server: &Server, set: &[(String, String)], user: &str, address: &str) -> Result<Settings, Failure> {
    if !is_plain(user) || address.contains([',', '=']) {
        return Ok(Settings::new());
    }
    let connection = Connection { user: user.to_owned(), address: address.to_owned() };
    let mut settings = server.effective(set, Some(&connection))?;
    for (keyword, value) in set {
        settings.insert(canonical(keyword), vec![value.clone()]);
    }
    Ok(settings)
}

/// Whether `-C` can name the user.
pub(super) fn is_plain(user: &str) -> bool {
    !user.is_empty() && user.len() <= 64 && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Whether the user is seen to have a way in. Without settings nothing is.
fn has_way(host: &Host, accounts: &Accounts, user: &User, settings: &Settings) -> bool {
    let is =
        |keyword: &str, value: &str| settings.get(keyword).is_some_and(|all| all.iter().any(|v| is_same(v, value)));
    let root = settings.get("permitrootlogin").and_then(|all| all.first()).map_or("no", String::as_str);
    let (root_by_key, root_at_all) = (is_same(root, "prohibit-password"), is_same(root, "yes"));
    if !is_let_in(accounts, user, settings) || (user.uid == 0 && !root_by_key && !root_at_all) {
        return false;
    }
    let chains: Vec<&str> =
        settings.get("authenticationmethods").into_iter().flatten().flat_map(|v| v.split(' ')).collect();
    let alone = |method: &str| {
        chains.is_empty() || chains.iter().any(|chain| *chain == "any" || chain.split(':').next() == Some(method))
    };
    let pam = is("usepam", "yes");
    let patterns = settings.get("authorizedkeysfile").map_or(String::new(), |all| all.join(" "));
    if is("pubkeyauthentication", "yes")
        && alone("publickey")
        && (pam || !accounts.is_locked(user))
        && keys::of(host, user, &patterns) > 0
    {
        return true;
    }
    let typed = (is("passwordauthentication", "yes") && alone("password"))
        || (is("kbdinteractiveauthentication", "yes") && pam && alone("keyboard-interactive"));
    typed && accounts.has_password(user) && (user.uid != 0 || root_at_all)
}

/// Whether the lists of users and groups let somebody pass. A pattern that is not plainly understood, or that asks for a
/// host, lets nobody pass and denies everybody.
fn is_let_in(accounts: &Accounts, user: &User, settings: &Settings) -> bool {
    let groups: Vec<&str> = accounts.groups_of(user).into_iter().collect();
    let name = [user.name.as_str()];
    let listed = |keyword: &str, names: &[&str], unclear: bool| {
        let mut patterns = settings.get(keyword)?.iter().flat_map(|all| all.split_whitespace());
        Some(patterns.any(|pattern| {
            let plain = glob::Pattern::new(&pattern.replace("**", "*")).ok();
            match plain.filter(|_| !pattern.contains(['!', '[', '@'])) {
                Some(plain) => names.iter().any(|name| plain.matches(name)),
                None => unclear,
            }
        }))
    };
    !listed("denyusers", &name, true).unwrap_or(false)
        && !listed("denygroups", &groups, true).unwrap_or(false)
        && listed("allowusers", &name, false).unwrap_or(true)
        && listed("allowgroups", &groups, false).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::people::tests::root;

    fn passes(lists: &[(&str, &str)]) -> bool {
        let (_dir, host) = root(&[
            ("/etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n"),
            ("/etc/group", "ann:x:1000:\nops:x:5:ann\n"),
        ]);
        let accounts = Accounts::read(&host).unwrap();
        let mut settings = Settings::new();
        for (keyword, value) in lists {
            settings.entry((*keyword).to_owned()).or_default().push((*value).to_owned());
        }
        is_let_in(&accounts, accounts.user("ann").unwrap(), &settings)
    }

    #[test]
    fn a_block_for_a_group_is_found_whatever_its_pattern() {
        let leave = LeaveGroup { group: "docker".into(), user: "ann".into() };
        for criteria in ["Group docker", "group wheel,dock*", "User bob Group !docker", "Group=docker", "Group d?cker"]
        {
            assert!(names_group(criteria, &[&leave]), "{criteria}");
        }
        for criteria in ["Group sftponly", "User docker", "Address 10.0.0.0/8", "All", ""] {
            assert!(!names_group(criteria, &[&leave]), "{criteria}");
        }
    }

    #[test]
    fn lists_let_pass_only_what_they_plainly_say() {
        assert!(passes(&[]) && passes(&[("allowusers", "bob a*")]) && passes(&[("allowgroups", "ops")]));
        assert!(passes(&[("denyusers", "bob"), ("allowusers", "bob"), ("allowusers", "a?n")]));
        for lists in [
            [("allowusers", "bob")],
            [("allowusers", "ann@10.0.0.1")],
            [("allowusers", "!bob")],
            [("allowusers", "[a]nn")],
            [("allowgroups", "sudo")],
            [("denyusers", "a**n")],
            [("denyusers", "bob@*")],
            [("denygroups", "o*")],
        ] {
            assert!(!passes(&lists), "{lists:?}");
        }
    }
}
