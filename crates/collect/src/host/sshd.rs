//! sshd: is it there, what is in effect, and who may come in with a key.

use super::accounts::Accounts;
use super::gap::{Gap, Place};
use super::root::{Root, Unread};
use super::units::{self, Fragment};

mod config;
mod keys;

pub use keys::KeyFile;

/// Where the configuration lies; the second is the vendor's, read where the first is absent.
const CONFIGS: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];
const SERVERS: [&str; 4] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
const OTHERS: [&str; 4] = ["/usr/sbin/dropbear", "/usr/bin/dropbear", "/usr/sbin/tinysshd", "/usr/bin/tinysshd"];
/// Where distributions keep the arguments that sshd is started with, and under which name.
const ARGUMENTS: [(&str, &str); 3] =
    [("/etc/default/ssh", "SSHD_OPTS"), ("/etc/sysconfig/sshd", "OPTIONS"), ("/etc/sysconfig/ssh", "SSHD_OPTS")];

/// The units of the server, as distributions call them.
const UNITS: [&str; 2] = ["ssh.service", "sshd.service"];

const AFFECTS: &str = "the settings of sshd";

/// What holds where no line says otherwise, by OpenSSH's own defaults (since 7.0; names and values
/// in lower case).
const DEFAULTS: [(&str, &str); 24] = [
    ("addressfamily", "any"),
    ("allowstreamlocalforwarding", "yes"),
    ("allowtcpforwarding", "yes"),
    ("authenticationmethods", "any"),
    ("authorizedkeyscommand", "none"),
    ("authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("authorizedprincipalsfile", "none"),
    ("disableforwarding", "no"),
    ("gatewayports", "no"),
    ("gssapiauthentication", "no"),
    ("hostbasedauthentication", "no"),
    ("ignorerhosts", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("kerberosauthentication", "no"),
    ("maxauthtries", "6"),
    ("passwordauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("permitrootlogin", "prohibit-password"),
    ("permittunnel", "no"),
    ("permituserenvironment", "no"),
    ("pubkeyauthentication", "yes"),
    ("strictmodes", "yes"),
    ("trustedusercakeys", "none"),
    ("usepam", "no"),
];
/// Settings whose lines add up.
const LISTS: [&str; 6] = ["port", "listenaddress", "allowusers", "denyusers", "allowgroups", "denygroups"];

/// Whether the server is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// Its executable is at this path.
    Installed(String),
    /// It is at none of the usual places.
    Absent,
    /// It could not be looked for, with the reason.
    Unknown(String),
}

/// A setting in effect for connections that no Match block names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Its value, in lower case where it is a keyword of sshd.
    Known {
        /// The value; several are separated by a blank.
        value: String,
        /// Where it was read; none for sshd's own default.
        at: Option<Place>,
    },
    /// A file that may set it could not be read, with the reason.
    Unknown(String),
}

impl Setting {
    /// The value where it is known.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// A setting within a Match block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchSetting {
    /// For whom it holds, as written: `User alice`.
    pub criteria: String,
    /// The keyword in lower case.
    pub keyword: String,
    /// The value.
    pub value: String,
    /// True when it allows more than the setting outside the block, or when that is unknown and it
    /// allows anything at all.
    pub looser: bool,
    /// Where it was read.
    pub at: Place,
}

/// What is known of sshd.
#[derive(Debug)]
pub struct Sshd {
    /// Whether it is installed.
    pub server: Server,
    /// Other servers of SSH that are installed; their settings are not read.
    pub other_servers: Vec<String>,
    /// The configuration that was read; none where there is none.
    pub config: Option<String>,
    /// What Match blocks set.
    pub matches: Vec<MatchSetting>,
    /// False when a file that may hold Match blocks could not be read.
    pub matches_complete: bool,
    /// The files of authorized keys that exist and could be read.
    pub keys: Vec<KeyFile>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    parsed: config::Parsed,
}

impl Sshd {
    /// Reads configuration and keys; `accounts` tells whose homes to look into.
    pub fn read(root: &Root, accounts: &Accounts) -> Self {
        let mut gaps = Vec::new();
        let mut arguments = arguments(root, &mut gaps);
        arguments.extend(unit_arguments(root, &mut gaps));
        let named = config::file_argument(&arguments);
        let mut parsed = config::Parsed::default();
        parsed.arguments(&arguments);
        let mut config = None;
        for path in named.iter().map(String::as_str).chain(CONFIGS.into_iter().filter(|_| named.is_none())) {
            if parsed.read(root, path, &mut gaps) {
                config = Some(path.to_owned());
                break;
            }
        }
        let mut sshd = Self {
            server: server(root),
            other_servers: OTHERS.into_iter().filter(|path| root.stat(path).is_ok()).map(str::to_owned).collect(),
            config,
            matches: Vec::new(),
            matches_complete: parsed.unread().is_none(),
            keys: Vec::new(),
            gaps,
            parsed,
        };
        sshd.matches = sshd.match_settings();
        let patterns = sshd.key_patterns();
        sshd.keys = keys::read(root, accounts, &patterns, &mut sshd.gaps);
        sshd
    }

    /// The setting in effect, by its keyword in any case; `ChallengeResponseAuthentication` is
    /// `KbdInteractiveAuthentication`. A keyword that is not kept here is unknown.
    pub fn setting(&self, keyword: &str) -> Setting {
        let keyword = seaworthy_core::sshd::canonical(keyword);
        if LISTS.contains(&keyword.as_str()) {
            return self.parsed.list(&keyword, if keyword == "port" { "22" } else { "" });
        }
        match DEFAULTS.iter().find(|(name, _)| *name == keyword) {
            Some((_, default)) => self.parsed.first(&keyword, default),
            None => Setting::Unknown(format!("{keyword} is not read")),
        }
    }

    /// The addresses that the configuration lets it listen on, as `address:port`, IPv6 in brackets;
    /// none when a file could not be read.
    pub fn listeners(&self) -> Option<Vec<String>> {
        let ports = self.setting("port");
        let addresses = self.setting("listenaddress");
        let (ports, addresses) = (ports.value()?, addresses.value()?);
        let family = self.setting("addressfamily");
        let any = match family.value()? {
            "inet" => "0.0.0.0",
            "inet6" => "::",
            _ => "0.0.0.0 ::",
        };
        let addresses = if addresses.is_empty() { any } else { addresses };
        Some(addresses.split(' ').flat_map(|address| config::sockets(address, ports)).collect())
    }

    fn match_settings(&self) -> Vec<MatchSetting> {
        // Of several blocks that a connection meets the first counts: after one for all, none does.
        let mut settled = std::collections::BTreeSet::new();
        let conditional = self.parsed.directives.iter().filter(|directive| {
            let Some(criteria) = directive.criteria.as_deref() else { return false };
            let counts = !settled.contains(&directive.keyword);
            if criteria == "all" {
                settled.insert(directive.keyword.clone());
            }
            counts
        });
        let told = conditional.map(|directive| {
            let outside = self.setting(&directive.keyword);
            let looser = match (config::looseness(&directive.keyword, &directive.value), outside.value()) {
                (None, _) => false,
                (Some(inside), None) => inside > 0,
                (Some(inside), Some(outside)) => {
                    config::looseness(&directive.keyword, outside).is_none_or(|outside| inside > outside)
                }
            };
            MatchSetting {
                criteria: directive.criteria.clone().unwrap_or_default(),
                keyword: directive.keyword.clone(),
                value: directive.value.clone(),
                looser,
                at: directive.at.clone(),
            }
        });
        told.collect()
    }

    /// The files of keys that hold for anybody, Match blocks included.
    fn key_patterns(&mut self) -> Vec<String> {
        let keyword = "authorizedkeysfile";
        let mut values = Vec::new();
        match self.setting(keyword) {
            Setting::Known { value, .. } => values.push(value),
            Setting::Unknown(reason) => {
                self.gaps.push(Gap::new("AuthorizedKeysFile", reason, "who may log in with a key"));
                values.push(self.parsed.first_read(keyword).unwrap_or(".ssh/authorized_keys").to_owned());
            }
        }
        values.extend(self.matches.iter().filter(|set| set.keyword == keyword).map(|set| set.value.clone()));
        let mut patterns: Vec<String> = values.iter().flat_map(|value| value.split(' ')).map(str::to_owned).collect();
        patterns.retain(|pattern| !pattern.is_empty() && pattern != "none");
        patterns.sort();
        patterns.dedup();
        patterns
    }
}

fn server(root: &Root) -> Server {
    let mut unknown = None;
    for path in SERVERS {
        match root.stat(path) {
            Ok(_) => return Server::Installed(path.to_owned()),
            Err(Unread::Absent) => {}
            Err(unread) => unknown = Some(format!("{path}: {unread}")),
        }
    }
    unknown.map_or(Server::Absent, Server::Unknown)
}

/// The arguments that the distribution's own file gives to sshd, with where they stand.
fn arguments(root: &Root, gaps: &mut Vec<Gap>) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    for (path, name) in ARGUMENTS {
        let text = match root.read_text(path) {
            Ok(text) => text,
            Err(unread) => {
                gaps.extend(Gap::of(path, &unread, AFFECTS));
                continue;
            }
        };
        for (number, line) in text.lines().enumerate() {
            let Some(value) = line.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            let at = Place::new(path, number + 1);
            // The last assignment counts.
            found.retain(|(_, place): &(String, Place)| place.path != path);
            found.extend(seaworthy_core::sshd::words(value).into_iter().map(|word| (word, at.clone())));
        }
    }
    found
}

/// The arguments that the server's unit gives to it; variables are not followed.
fn unit_arguments(root: &Root, gaps: &mut Vec<Gap>) -> Vec<(String, Place)> {
    for name in UNITS {
        let unit = units::read(root, name);
        let Fragment::File(own) = &unit.fragment else { continue };
        let mut command: Vec<(String, Place)> = Vec::new();
        for path in std::iter::once(own).chain(&unit.drop_ins) {
            let place = path.display().to_string();
            match root.read_text(path) {
                Ok(text) => exec_start(&text, &place, &mut command),
                Err(unread) => gaps.extend(Gap::of(&place, &unread, AFFECTS)),
            }
        }
        let is_server = |word: &str| word.trim_start_matches(['-', '@', ':', '+', '!']).ends_with("/sshd");
        if command.first().is_some_and(|(word, _)| is_server(word)) {
            command.remove(0);
            command.retain(|(word, _)| !word.starts_with('$'));
            return command;
        }
    }
    Vec::new()
}

/// Takes the command of a unit's file in the place of the one before it.
fn exec_start(text: &str, place: &str, command: &mut Vec<(String, Place)>) {
    units::assignments(text, |line, name, value| {
        if name == "ExecStart" {
            let at = Place::new(place, line);
            *command = seaworthy_core::sshd::words(value).into_iter().map(|word| (word, at.clone())).collect();
        }
    });
}

#[cfg(test)]
mod tests;
