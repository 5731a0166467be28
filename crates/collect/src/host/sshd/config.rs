//! `sshd_config` with its includes and Match blocks.

use seaworthy_core::sshd::{split, words};

use super::{AFFECTS, DEFAULTS, LISTS, Setting};
use crate::host::gap::{Gap, Place};
use crate::host::glob;
use crate::host::root::{Root, Unread};

/// As deep as sshd itself follows includes.
const DEEPEST: usize = 16;
const MOST_FILES: usize = 500;
const MOST_DIRECTIVES: usize = 20_000;
/// The bytes of all files together: 16 MiB. One that includes itself would be read again and again.
const MOST_BYTES: usize = 16 << 20;
/// The bytes of a condition that are kept, since every line beneath it keeps them.
const MOST_CRITERIA: usize = 512;

/// One line that sets something.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) keyword: String,
    pub(super) value: String,
    /// For whom, as written after Match; none outside of Match blocks.
    pub(super) criteria: Option<String>,
    pub(super) at: Place,
}

/// All lines in the order in which sshd reads them.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) directives: Vec<Directive>,
    /// Files that could not be read: how many directives came before, whether all connections
    /// would have read it, and why.
    holes: Vec<(usize, bool, String)>,
    files: usize,
    bytes: usize,
}

impl Parsed {
    /// Reads a file with its includes; false when it is absent.
    pub(super) fn read(&mut self, root: &Root, path: &str, gaps: &mut Vec<Gap>) -> bool {
        self.file(root, path, None, 0, gaps) != Err(Unread::Absent)
    }

    /// Options of the command line come before every file.
    pub(super) fn arguments(&mut self, words: &[(String, Place)]) {
        let mut words = words.iter();
        while let Some((word, at)) = words.next() {
            let mut after = |flag: &str| match word.strip_prefix(flag) {
                Some("") => words.next().map(|(next, _)| next.clone()),
                rest => rest.map(str::to_owned),
            };
            if let Some(option) = after("-o") {
                self.directive(&option, None, at.clone());
            } else if let Some(port) = after("-p") {
                self.directive(&format!("port {port}"), None, at.clone());
            }
        }
    }

    /// Why some file is missing here.
    pub(super) fn unread(&self) -> Option<&str> {
        self.holes.first().map(|(_, _, reason)| reason.as_str())
    }

    /// The first value outside of Match blocks wins; a block for all connections wins over it.
    pub(super) fn first(&self, keyword: &str, default: &str) -> Setting {
        let of = |wanted: Option<&str>| {
            let mut all = self.directives.iter().enumerate();
            all.find(|(_, directive)| directive.keyword == keyword && directive.criteria.as_deref() == wanted)
        };
        let found = of(Some("all")).or_else(|| of(None));
        let before = found.map_or(usize::MAX, |(index, _)| index);
        if let Some((_, _, reason)) = self.holes.iter().find(|(at, general, _)| *general && *at <= before) {
            return Setting::Unknown(reason.clone());
        }
        match found {
            Some((_, found)) => Setting::Known { value: found.value.clone(), at: Some(found.at.clone()) },
            None => Setting::Known { value: default.to_owned(), at: None },
        }
    }

    /// What the files that could be read say of a setting.
    pub(super) fn first_read(&self, keyword: &str) -> Option<&str> {
        let found = self.directives.iter().find(|d| d.keyword == keyword && d.criteria.is_none())?;
        Some(&found.value)
    }

    /// All values outside of Match blocks.
    pub(super) fn list(&self, keyword: &str, default: &str) -> Setting {
        if let Some((_, _, reason)) = self.holes.iter().find(|(_, general, _)| *general) {
            return Setting::Unknown(reason.clone());
        }
        let all = self.directives.iter().filter(|d| d.keyword == keyword && d.criteria.is_none());
        let all: Vec<&Directive> = all.collect();
        let values: Vec<&str> = all.iter().map(|d| d.value.as_str()).collect();
        let value = if values.is_empty() { default.to_owned() } else { values.join(" ") };
        Setting::Known { value, at: all.first().map(|d| d.at.clone()) }
    }

    fn file(
        &mut self,
        root: &Root,
        path: &str,
        criteria: Option<&str>,
        depth: usize,
        gaps: &mut Vec<Gap>,
    ) -> Result<(), Unread> {
        self.files += 1;
        let text = if depth > DEEPEST || self.files > MOST_FILES || self.bytes > MOST_BYTES {
            Err(Unread::Other("includes lead too deep or to too many files".to_owned()))
        } else {
            root.read_text(path)
        };
        let text = match text {
            Ok(text) => text,
            Err(unread) => {
                if unread != Unread::Absent {
                    self.hole(criteria, path, &unread, gaps);
                }
                return Err(unread);
            }
        };
        self.bytes += text.len();
        // A Match block ends with the file that it is in.
        let mut inner: Option<String> = criteria.map(str::to_owned);
        for (index, line) in text.lines().enumerate() {
            let at = Place::new(path, index + 1);
            let Some((keyword, rest)) = split(line) else { continue };
            match keyword.as_str() {
                "match" => {
                    let own = words(rest).join(" ");
                    let own = if own.eq_ignore_ascii_case("all") { "all".to_owned() } else { own };
                    inner = Some(shortened(match criteria {
                        Some(outer) if outer != "all" => format!("{outer} and {own}"),
                        _ => own,
                    }));
                }
                "include" => self.includes(root, rest, inner.as_deref(), depth, gaps),
                _ => self.directive(line, inner.as_deref(), at),
            }
            if self.directives.len() > MOST_DIRECTIVES {
                let unread = Unread::Other(format!("more than {MOST_DIRECTIVES} settings"));
                self.hole(inner.as_deref(), path, &unread, gaps);
                return Err(unread);
            }
        }
        Ok(())
    }

    fn includes(&mut self, root: &Root, patterns: &str, criteria: Option<&str>, depth: usize, gaps: &mut Vec<Gap>) {
        for pattern in words(patterns) {
            let pattern = if pattern.starts_with('/') { pattern } else { format!("/etc/ssh/{pattern}") };
            match glob::expand(root, &pattern) {
                Ok(paths) => {
                    for path in paths {
                        // What could not be read is noted as a hole; the other files still count.
                        _ = self.file(root, &path, criteria, depth + 1, gaps);
                        if self.files > MOST_FILES {
                            return;
                        }
                    }
                }
                Err((dir, unread)) => self.hole(criteria, &dir, &unread, gaps),
            }
        }
    }

    fn hole(&mut self, criteria: Option<&str>, path: &str, unread: &Unread, gaps: &mut Vec<Gap>) {
        let general = criteria.is_none_or(|criteria| criteria == "all");
        self.holes.push((self.directives.len(), general, format!("{path}: {unread}")));
        gaps.push(Gap::new(path, unread, AFFECTS));
    }

    fn directive(&mut self, line: &str, criteria: Option<&str>, at: Place) {
        let Some((keyword, rest)) = split(line) else { return };
        let is_list = LISTS.contains(&keyword.as_str());
        if !is_list && !DEFAULTS.iter().any(|(name, _)| *name == keyword) {
            return;
        }
        let words = words(rest);
        let Some(first) = words.first() else { return };
        let value = match keyword.as_str() {
            // What follows are arguments of a program.
            "authorizedkeyscommand" => first.clone(),
            "authorizedkeysfile" | "authorizedprincipalsfile" | "trustedusercakeys" => words.join(" "),
            "permitrootlogin" if first.eq_ignore_ascii_case("without-password") => "prohibit-password".to_owned(),
            "listenaddress" => first.clone(),
            _ if is_list || keyword == "authenticationmethods" => words.join(" "),
            _ => first.to_ascii_lowercase(),
        };
        // sshd takes these from no Match block.
        let global_only =
            matches!(keyword.as_str(), "port" | "listenaddress" | "usepam" | "addressfamily" | "strictmodes");
        if !(global_only && criteria.is_some()) {
            self.directives.push(Directive { keyword, value, criteria: criteria.map(str::to_owned), at });
        }
    }
}

/// A condition as it is kept.
fn shortened(mut criteria: String) -> String {
    if criteria.len() > MOST_CRITERIA {
        criteria.truncate(criteria.floor_char_boundary(MOST_CRITERIA));
        criteria.push('…');
    }
    criteria
}

/// The file that `-f` names.
pub(super) fn file_argument(words: &[(String, Place)]) -> Option<String> {
    let mut words = words.iter().map(|(word, _)| word.as_str());
    while let Some(word) = words.next() {
        match word.strip_prefix("-f") {
            Some("") => return words.next().map(str::to_owned),
            Some(path) => return Some(path.to_owned()),
            None => {}
        }
    }
    None
}

/// How much a value allows; none for settings where that is no question.
pub(super) fn looseness(keyword: &str, value: &str) -> Option<u8> {
    match keyword {
        "permitrootlogin" => Some(match value {
            "no" => 0,
            "forced-commands-only" => 1,
            "prohibit-password" => 2,
            _ => 3,
        }),
        "strictmodes" | "ignorerhosts" | "disableforwarding" => Some(u8::from(value == "no")),
        "passwordauthentication"
        | "kbdinteractiveauthentication"
        | "permitemptypasswords"
        | "hostbasedauthentication"
        | "pubkeyauthentication"
        | "allowtcpforwarding"
        | "allowstreamlocalforwarding"
        | "gatewayports"
        | "permittunnel"
        | "permituserenvironment"
        | "gssapiauthentication"
        | "kerberosauthentication" => Some(u8::from(value != "no")),
        _ => None,
    }
}

/// `ListenAddress` with the ports that it gets where it names none.
pub(super) fn sockets(address: &str, ports: &str) -> Vec<String> {
    let host = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if let Some((inside, after)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match after.strip_prefix(':') {
            Some(port) => vec![format!("{}:{port}", host(inside))],
            None => ports.split(' ').map(|port| format!("{}:{port}", host(inside))).collect(),
        };
    }
    if let Some((name, port)) = address.split_once(':')
        && !port.contains(':')
    {
        return vec![format!("{name}:{port}")];
    }
    let address = if address == "*" { "0.0.0.0" } else { address };
    ports.split(' ').map(|port| format!("{}:{port}", host(address))).collect()
}
