//! Settings of the SSH server: where they are the first that it reads, tested, taken without ending a session, and seen
//! in what it answers.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use seaworthy_core::plan::{LeaveGroup, Sshd};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::marked::Marked;
use super::people::{Accounts, Caller};
use super::{Act, Effect, Refusal, Undone};
use crate::files::Keep;
use crate::{At as _, Failure, Host, program};

mod config;
mod guard;
mod place;
mod server;

use config::Reading;
use server::{Connection, Running, Server};

/// Keywords of which every line counts, or that are no settings: the first does not win there.
const NO_FIRST: [&str; 13] = [
    "port",
    "listenaddress",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
    "acceptenv",
    "setenv",
    "hostkey",
    "hostcertificate",
    "subsystem",
    "include",
    "match",
];
/// The most accounts and addresses for which it is asked what is in effect.
const MOST: usize = 24;
/// How often a server that has just begun anew is tried, a second apart.
const TRIES: usize = 5;

/// What stands in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Undo {
    /// The file with the settings.
    file: Marked,
    /// The main file of the configuration.
    main: String,
    /// The settings, with those that an older sshd needs besides.
    set: Vec<(String, String)>,
    /// The server that ran.
    running: Option<Running>,
}

impl Undo {
    fn of(value: &Value) -> Result<Self, Failure> {
        Self::deserialize(value).at(|| "read the journal of sshd".to_owned())
    }
}

/// Refuses what locks somebody out once these have left their groups too.
pub(super) fn with_leaves(sshd: &Sshd, leaves: &[&LeaveGroup], host: &Host) -> Result<(), Refusal> {
    if leaves.is_empty() || !host.is_real() {
        return Ok(());
    }
    let server = installed(host)?;
    let set = whole(host, &server, &sshd.set)?;
    let accounts = Accounts::read(host)?;
    guard::nobody_is_locked_out(host, &server, &set, &Caller::here(&accounts), &accounts.without(leaves))
}

/// Refuses where leaving their groups locks somebody out of ssh, whatever else the plan does with it. What Match blocks
/// say of a group cannot be asked for before somebody has left it.
pub(super) fn lets_leave(leaves: &[&LeaveGroup], host: &Host) -> Result<(), Refusal> {
    if leaves.is_empty() || !host.is_real() {
        return Ok(());
    }
    let Some(server) = Server::find(host).ok().flatten() else { return Ok(()) };
    let unclear = |why: String| {
        let why = format!("whether everybody still comes in by ssh cannot be asked: {why}");
        if server::lives() { Err(Refusal::Refused(why)) } else { Ok(()) }
    };
    // One that was never set up (no host keys) lets nobody in anyhow.
    if let Err(why) = server.test(&[]) {
        return unclear(why.0);
    }
    let reading = Reading::of(host, &server.main, None)?;
    let mut criteria = reading.directives.iter().filter_map(|directive| directive.criteria.as_deref());
    if let Some(criteria) = criteria.find(|criteria| guard::names_group(criteria, leaves)) {
        return unclear(format!(
            "its configuration has a block `Match {criteria}`: leave the group by gpasswd --delete"
        ));
    }
    guard::leavers_come_in(host, &server, leaves, &Accounts::read(host)?)
}

impl Act for Sshd {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        is_clean(self)?;
        let server = installed(host)?;
        if let Some((keyword, _)) = self.set.iter().find(|(keyword, _)| server.is_set_at_start(keyword)) {
            let why =
                "its command line sets it, before every file; change it in /etc/default/ssh or /etc/sysconfig/sshd";
            return Err(Refusal::Refused(format!("sshd: {keyword}: {why}")));
        }
        if host.is_real() {
            let before = server.test(&[]).map_err(|why| {
                Failure(format!("sshd does not take its configuration as it is: {why}; repair that first"))
            });
            before?;
            server.test(&self.set)?;
        }
        let set = whole(host, &server, &self.set)?;
        place::find(host, &server.main, &set)?.check(host)?;
        if host.is_real() {
            let accounts = Accounts::read(host)?;
            guard::nobody_is_locked_out(host, &server, &set, &Caller::here(&accounts), &accounts)?;
        }
        Ok(())
    }

    fn prepare(&self, host: &Host, _: &mut Keep) -> Result<Value, Failure> {
        let server = installed(host)?;
        let set = whole(host, &server, &self.set)?;
        let file = place::find(host, &server.main, &set)?;
        let running = if host.is_real() { server.running(host)? } else { None };
        let undo = Undo { file, main: server.main, set, running };
        serde_json::to_value(undo).at(|| "write the journal of sshd".to_owned())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let Undo { file, running, .. } = Undo::of(undo)?;
        file.apply(host)?;
        if host.is_real() {
            let server = installed(host)?;
            // A server that reads what it does not take would end: it is not told then.
            server.test(&[])?;
            if let Err(why) = server.reload(host) {
                // It may have ended all the same, for an address or a key: nobody comes in until it is back.
                file.undo(host)?;
                let back = running.map_or(Ok(()), |was| server.revive(host, &was, true));
                return Err(back.err().map_or(why.clone(), |not| Failure(format!("{why}; {not}"))));
            }
        }
        Ok(())
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let Undo { file, main, set, running } = Undo::of(undo)?;
        if !file.stands(host)? {
            return Err(Failure(format!("{}: it does not hold what was written", file.path)));
        }
        let reading = Reading::of(host, &main, None)?;
        if let Some(by) = place::overruled(&reading, &set) {
            return Err(Failure(format!("{}: {by} says otherwise", file.path)));
        }
        if host.is_real() {
            is_in_effect(host, &installed(host)?, &reading, &set, running.is_some())?;
        }
        Ok(Effect::Pending("holds from the next login; keep this session open until a new one has worked".into()))
    }

    fn undo(&self, host: &Host, _: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let Undo { file, running, .. } = Undo::of(undo)?;
        let undone = file.undo(host)?;
        // Also where the file is back already: a crash may have come between the two.
        if host.is_real()
            && let Some(server) = Server::find(host)?
        {
            server.test(&[])?;
            if let Some(was) = &running {
                server.revive(host, was, false)?;
            }
            server.reload(host)?;
        }
        Ok(undone)
    }

    fn room(&self, host: &Host) -> Vec<(PathBuf, u64)> {
        let server = installed(host).and_then(|server| Ok((whole(host, &server, &self.set)?, server)));
        let marked = server.and_then(|(set, server)| place::find(host, &server.main, &set));
        marked.map(|marked| marked.takes(host)).into_iter().collect()
    }
}

fn installed(host: &Host) -> Result<Server, Failure> {
    Server::find(host)?.ok_or_else(|| Failure::new("no OpenSSH server is installed at the usual places"))
}

fn is_clean(sshd: &Sshd) -> Result<(), Refusal> {
    if sshd.set.is_empty() {
        return Err(Refusal::Refused("the plan names no setting of sshd".into()));
    }
    for (keyword, value) in &sshd.set {
        let is_word = !keyword.is_empty() && keyword.len() <= 64 && keyword.chars().all(|c| c.is_ascii_alphanumeric());
        let is_value = !value.is_empty() && value.len() <= 1024 && value.trim() == value;
        let is_plain = !value.chars().any(|c| c.is_control() || "#\"'\\".contains(c));
        if !is_word || !is_value || !is_plain || NO_FIRST.contains(&keyword.to_ascii_lowercase().as_str()) {
            return Err(Refusal::Refused(format!("the setting {keyword:?} of sshd is not made here")));
        }
    }
    Ok(())
}

/// The settings with what an sshd before 8.7 needs besides: there the older name is a setting of its own, and one that
/// says yes brings keyboard-interactive back.
fn whole(host: &Host, server: &Server, set: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
    const OLD: &str = "ChallengeResponseAuthentication";
    let mut set = set.to_vec();
    let value = |set: &[(String, String)], name: &str| {
        set.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    if let Some(interactive) = value(&set, "KbdInteractiveAuthentication")
        && value(&set, OLD).is_none()
        && host.is_real()
        && server.effective(&[], None)?.contains_key(&OLD.to_lowercase())
    {
        set.push((OLD.to_owned(), interactive));
    }
    Ok(set)
}

/// Asks sshd what holds for everybody and for connections that a Match block may mean, then the running server itself.
fn is_in_effect(
    host: &Host,
    server: &Server,
    reading: &Reading,
    set: &[(String, String)],
    ran: bool,
) -> Result<(), Failure> {
    let connections = connections(host, reading)?;
    for connection in std::iter::once(None).chain(connections.iter().map(Some)) {
        let settings = server.effective(&[], connection)?;
        for (keyword, value) in set {
            // Both names are shown by a server that has both, else the newer.
            let now = settings
                .get(&keyword.to_lowercase())
                .or_else(|| settings.get(&seaworthy_core::sshd::canonical(keyword)));
            let now = now.map_or_else(String::new, |all| all.join(" "));
            if !place::is_same(&now, value) {
                let whom = connection.map_or_else(String::new, |c| format!(" for {} from {}", c.user, c.address));
                return Err(Failure(format!("sshd -T: {keyword} is {now:?} and not {value}{whom}")));
            }
        }
    }
    if !ran {
        return Ok(());
    }
    let running = server.running(host)?.ok_or_else(|| Failure::new("sshd: it ran before and does not any more"))?;
    let addresses = server::listeners(&server.effective(&[], None)?);
    let Some(address) = addresses.first() else { return Ok(()) };
    let off = |name: &str| {
        set.iter().any(|(k, v)| seaworthy_core::sshd::canonical(k) == name && v.eq_ignore_ascii_case("no"))
    };
    let refused = [("passwordauthentication", "password"), ("kbdinteractiveauthentication", "keyboard-interactive")];
    let refused: Vec<&str> = refused.into_iter().filter(|(name, _)| off(name)).map(|(_, method)| method).collect();
    let mut why = String::new();
    for _ in 0..TRIES {
        match answers(*address, &refused) {
            Ok(()) => return Ok(()),
            Err(failure) => why = failure.0,
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    Err(Failure(format!("sshd ({}) at {address}: {why}", running.pid)))
}

/// root, whoever applies, those who can log in and whom Match blocks name, each from anywhere; root from the addresses
/// that Match blocks name.
fn connections(host: &Host, reading: &Reading) -> Result<BTreeSet<Connection>, Failure> {
    let accounts = Accounts::read(host)?;
    let caller = Caller::here(&accounts);
    let mut users: Vec<String> = vec!["root".into()];
    let mut addresses: Vec<String> = vec![guard::ANYWHERE.into(), "127.0.0.1".into()];
    users.extend(caller.names);
    addresses.extend(caller.address);
    for criteria in reading.directives.iter().filter_map(|directive| directive.criteria.as_deref()) {
        let words: Vec<&str> = criteria.split([' ', '=']).collect();
        for pair in words.windows(2) {
            let names = pair[1].split(',').map(str::to_owned);
            match pair[0].to_ascii_lowercase().as_str() {
                "user" => users.extend(names),
                "address" => addresses.extend(names.filter_map(|name| Some(name.split('/').next()?.to_owned()))),
                _ => {}
            }
        }
    }
    users.extend(accounts.users.iter().filter(|u| u.uid >= 1000 && accounts.can_work(u)).map(|u| u.name.clone()));
    let mut seen = BTreeSet::new();
    users.retain(|user| guard::is_plain(user) && seen.insert(user.clone()));
    addresses.retain(|address| address.parse::<std::net::IpAddr>().is_ok() && seen.insert(address.clone()));
    let from = |user: &String, address: &String| Connection { user: user.clone(), address: address.clone() };
    let anywhere = guard::ANYWHERE.to_owned();
    let mut all: BTreeSet<Connection> = users.iter().take(MOST).map(|user| from(user, &anywhere)).collect();
    all.extend(addresses.iter().take(MOST).map(|address| from(&users[0], address)));
    Ok(all)
}

/// Whether the running server greets, and offers none of these methods: asked for by a client that has no credentials.
fn answers(address: SocketAddr, refused: &[&str]) -> Result<(), Failure> {
    const SHORT: Duration = Duration::from_secs(10);
    const CLIENT: &str = "/usr/bin/ssh";
    if refused.is_empty() || !std::path::Path::new(CLIENT).exists() {
        let mut stream = TcpStream::connect_timeout(&address, SHORT).at(|| "connect".to_owned())?;
        stream.set_read_timeout(Some(SHORT)).at(|| "connect".to_owned())?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).at(|| "wait for its greeting".to_owned())?;
        return if &greeting == b"SSH-" { Ok(()) } else { Err(Failure::new("it does not greet as an SSH server")) };
    }
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let options = [
        "BatchMode=yes",
        "PreferredAuthentications=none",
        "PubkeyAuthentication=no",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=10",
        "LogLevel=ERROR",
    ];
    let mut command = vec![CLIENT, "-F", "/dev/null", "-p", &port, "-l", "root"];
    command.extend(options.iter().flat_map(|option| ["-o", option]));
    command.extend(["--", &ip, "true"]);
    let ended = program::run(&command, Duration::from_secs(30))?;
    let told = ended.stderr.lines().rev().find_map(|line| line.split_once("Permission denied (")?.1.strip_suffix(")."));
    let Some(offered) = told else {
        return Err(Failure(format!("a client without credentials is not turned away: {}", ended.complaint())));
    };
    match offered.split(',').find(|method| refused.contains(method)) {
        None => Ok(()),
        Some(method) => Err(Failure(format!("it still offers {method}"))),
    }
}

#[cfg(test)]
mod tests;
