//! Who may run everything as root by sudo, as far as plain rules say.

use std::collections::BTreeSet;

use super::{User, lines};
use crate::act::marked::names;
use crate::{Failure, Host};

const MOST_FILES: usize = 200;
const DEEPEST: usize = 8;
const PROGRAMS: [&str; 2] = ["/usr/bin/sudo", "/usr/local/bin/sudo"];

/// sudo's plain rules.
#[derive(Clone, Debug, Default)]
pub(in crate::act) struct Sudo {
    /// Whom a rule names, as written, and whether it asks for a password.
    grants: Vec<(String, bool)>,
    /// Whom a rule names that also denies something: they do not count.
    denied: BTreeSet<String>,
    /// Whether the password asked for is another's.
    other_password: bool,
    files: usize,
}

impl Sudo {
    /// Reads the rules with their includes; none where sudo is not installed.
    pub(in crate::act) fn read(host: &Host) -> Result<Self, Failure> {
        let mut sudo = Self::default();
        if PROGRAMS.iter().any(|path| host.path(path).exists()) {
            sudo.file(host, "/etc/sudoers", 0)?;
        }
        Ok(sudo)
    }

    /// Whether some rule lets the user run everything as root with the password that he has.
    pub(super) fn gives_all(&self, user: &User, groups: &BTreeSet<&str>, has_password: bool) -> bool {
        let is_meant = |who: &str| match who.strip_prefix('%') {
            Some(group) => groups.contains(group),
            None => who == user.name || who == format!("#{}", user.uid),
        };
        if self.denied.iter().any(|who| who == "ALL" || is_meant(who)) {
            return false;
        }
        // Of several rules sudo takes the last.
        let last = self.grants.iter().rfind(|(who, _)| is_meant(who));
        last.is_some_and(|(_, asks)| !asks || (has_password && !self.other_password))
    }

    fn file(&mut self, host: &Host, path: &str, depth: usize) -> Result<(), Failure> {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES {
            return Err(Failure(format!("read {path}: sudo's includes lead too deep or to too many files")));
        }
        let mut whole = String::new();
        for line in lines(host, path)? {
            whole.push_str(line.trim_end());
            if whole.ends_with('\\') {
                whole.pop();
                continue;
            }
            self.line(host, path, whole.trim(), depth)?;
            whole.clear();
        }
        Ok(())
    }

    fn line(&mut self, host: &Host, path: &str, line: &str, depth: usize) -> Result<(), Failure> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let target = rest.trim().trim_matches('"');
        let target = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("{}/{target}", path.rsplit_once('/').map_or("", |(dir, _)| dir)),
        };
        match word {
            "@include" | "#include" => return self.file(host, &target, depth + 1),
            "@includedir" | "#includedir" => {
                for file in names(&host.path(&target))? {
                    // sudo leaves out names with a dot and those of editors' backups.
                    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or(".");
                    if !name.contains('.') && !name.ends_with('~') {
                        self.file(host, &format!("{}/{name}", target.trim_end_matches('/')), depth + 1)?;
                    }
                }
                return Ok(());
            }
            _ => {}
        }
        let is_number = word.strip_prefix('#').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if word.starts_with("Defaults") {
            self.other_password |= ["rootpw", "targetpw", "runaspw"].iter().any(|name| rest.contains(name));
        } else if !word.is_empty() && (!word.starts_with('#') || is_number) && !word.ends_with("_Alias") {
            self.rule(word, rest);
        }
        Ok(())
    }

    /// `WHO ALL=(ALL:ALL) NOPASSWD: ALL` and nothing less plain.
    fn rule(&mut self, who: &str, rest: &str) {
        let rest = rest.split(" #").next().unwrap_or_default();
        if rest.contains('!') || who.contains('!') {
            self.denied.extend(who.split(',').map(|who| who.trim_start_matches('!').to_owned()));
            return;
        }
        let Some((hosts, what)) = rest.split_once('=') else { return };
        let bare: String = what.chars().filter(|c| !c.is_whitespace()).collect();
        let runs = ["(ALL:ALL)", "(ALL)", "(root)", "(root:root)", "(root:ALL)"];
        let mut command = runs.iter().find_map(|run| bare.strip_prefix(run)).unwrap_or(&bare);
        let mut asks = true;
        while let Some((tag, after)) = command.split_once(':') {
            match tag {
                "NOPASSWD" => asks = false,
                "PASSWD" => asks = true,
                "SETENV" | "EXEC" | "LOG_INPUT" | "LOG_OUTPUT" | "NOLOG_INPUT" | "NOLOG_OUTPUT" | "FOLLOW" => {}
                _ => return,
            }
            command = after;
        }
        if hosts.trim() == "ALL" && command == "ALL" {
            self.grants.extend(who.split(',').map(|who| (who.to_owned(), asks)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::root;
    use super::*;

    fn gives(rules: &str, groups: &[&str], has_password: bool) -> bool {
        let (_dir, host) = root(&[("/usr/bin/sudo", ""), ("/etc/sudoers", rules)]);
        let user = User { name: "ann".into(), uid: 1000, gid: 1000, home: "/".into(), shell: "/bin/sh".into() };
        Sudo::read(&host).unwrap().gives_all(&user, &groups.iter().copied().collect(), has_password)
    }

    #[test]
    fn only_plain_rules_count() {
        for rules in [
            "ann ALL=(ALL:ALL) ALL",
            "ann\tALL = ( ALL : ALL ) SETENV: ALL # all",
            "ann ALL=(root) \\\n ALL",
            "ben,ann ALL=ALL",
            "%ops ALL=(ALL) ALL",
            "#1000 ALL=(ALL) ALL",
            "Defaults env_reset\nann ALL=(ALL) NOPASSWD:ALL",
        ] {
            assert!(gives(rules, &["ops"], true), "{rules}");
        }
        for rules in [
            "# ann ALL=(ALL) ALL",
            "ann ALL=(ALL) /usr/bin/docker",
            "ann ALL=(ALL) ALL, !/bin/su",
            "ann ALL=(ALL) ALL\nann ALL=(ALL) !ALL",
            "ann web=(ALL) ALL",
            "ann ALL=(www) ALL",
            "annie ALL=(ALL) ALL",
            "User_Alias ADM = ann\nADM ALL=(ALL) ALL",
            "Defaults targetpw\nann ALL=(ALL) ALL",
            "ann ALL=(ALL) ALL\nALL ALL=(ALL) !ALL",
            "Defaults rootpw\nann ALL=(ALL) NOPASSWD: ALL\n%ops ALL=(ALL) ALL",
        ] {
            assert!(!gives(rules, &["ops"], true), "{rules}");
        }
        assert!(!gives("ann ALL=(ALL) ALL", &[], false) && gives("ann ALL=(ALL) NOPASSWD: ALL", &[], false));
    }

    #[test]
    fn an_include_of_itself_ends_and_no_sudo_gives_nothing() {
        let (_dir, host) = root(&[("/usr/bin/sudo", ""), ("/etc/sudoers", "@include /etc/sudoers\n")]);
        assert!(Sudo::read(&host).unwrap_err().0.contains("too deep"));
        let (_dir, host) = root(&[("/etc/sudoers", "ann ALL=(ALL) ALL\n")]);
        assert!(Sudo::read(&host).unwrap().grants.is_empty());
    }
}
