//! Audit rules as the files hold them: `audit.rules` and `rules.d/*.rules`.

use std::path::PathBuf;

use super::rules::{Action, Arch, List, Perms, Rule, Syscalls, Target, describe};
use crate::host::gap::Gap;
use crate::host::root::{Root, Unread};

/// The file that is loaded when auditd starts.
pub const LOADED: &str = "/etc/audit/audit.rules";
/// The directory from which `augenrules` makes [`LOADED`].
pub const PARTS: &str = "/etc/audit/rules.d";
const MOST_RULES: usize = 20_000;

/// The rules that files would load, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileRules {
    /// The rules left at the end, after `-D`, `-d` and `-W`.
    pub rules: Vec<Rule>,
    /// The last `-e`, if any.
    pub enabled: Option<u32>,
    /// The files read, in order.
    pub files: Vec<String>,
    /// Lines that could not be understood, and files that could not be read.
    pub gaps: Vec<Gap>,
}

/// Both sources: what is loaded at the next start of auditd, and what made it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// From [`LOADED`]; `None` when it is not there.
    pub loaded: Option<FileRules>,
    /// From [`PARTS`]; `None` when it holds no `*.rules` file.
    pub parts: Option<FileRules>,
    /// True where `augenrules` is installed, so that the parts replace the loaded file at a start.
    pub merges: bool,
}

impl Files {
    /// The rules that a reboot would load.
    pub fn persistent(&self) -> Option<&FileRules> {
        match (&self.parts, &self.loaded) {
            (Some(parts), _) if self.merges => Some(parts),
            (_, Some(loaded)) => Some(loaded),
            _ => None,
        }
    }
}

/// Reads both sources.
pub fn read(root: &Root) -> Files {
    let merges = ["/sbin/augenrules", "/usr/sbin/augenrules"].iter().any(|p| root.stat(p).is_ok());
    let loaded = match root.read_text(LOADED) {
        Ok(text) => Some(parse(&text, LOADED)),
        Err(Unread::Absent) => None,
        Err(why) => Some(unread(LOADED, &why)),
    };
    Files { loaded, parts: read_parts(root), merges }
}

fn read_parts(root: &Root) -> Option<FileRules> {
    let mut names = match root.list(PARTS, 4096) {
        Ok(names) => names,
        Err(Unread::Absent) => return None,
        Err(why) => return Some(unread(PARTS, &why)),
    };
    names.retain(|n| n.to_string_lossy().ends_with(".rules"));
    if names.is_empty() {
        return None;
    }
    // augenrules sorts as `ls -v` does: runs of digits by their number.
    names.sort_by_key(|n| version_key(&n.to_string_lossy()));
    let mut all = FileRules::default();
    for name in names {
        let path = PathBuf::from(PARTS).join(name).to_string_lossy().into_owned();
        match root.read_text(&path) {
            Ok(text) => read_lines(&text, &path, &mut all, true),
            Err(why) => all.gaps.push(gap(&path, &why)),
        }
        all.files.push(path);
    }
    Some(all)
}

fn unread(path: &str, why: &Unread) -> FileRules {
    FileRules { gaps: vec![gap(path, why)], files: vec![path.to_owned()], ..FileRules::default() }
}

fn gap(path: &str, why: &Unread) -> Gap {
    Gap { source: path.to_owned(), reason: why.to_string(), affects: "audit rules that survive a reboot".into() }
}

fn version_key(name: &str) -> Vec<(u64, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(text);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        key.push((0, word.to_owned()));
        key.push((number.parse().unwrap_or(u64::MAX), String::new()));
        rest = tail;
    }
    key
}

/// Parses the text of one file; `path` names it in what is said about it.
pub fn parse(text: &str, path: &str) -> FileRules {
    let mut all = FileRules { files: vec![path.to_owned()], ..FileRules::default() };
    read_lines(text, path, &mut all, false);
    all
}

/// `merged`: `-D` and `-e` of parts are moved by augenrules to the start and the end.
fn read_lines(text: &str, path: &str, all: &mut FileRules, merged: bool) {
    for (index, line) in text.lines().enumerate() {
        if all.rules.len() >= MOST_RULES {
            let reason = format!("more than {MOST_RULES} rules");
            all.gaps.push(Gap { source: path.to_owned(), reason, affects: "audit rules after it".into() });
            return;
        }
        let origin = format!("{path}:{}", index + 1);
        let words = match split(line) {
            Some(words) if words.is_empty() => continue,
            Some(words) => words,
            None => {
                misread(all, origin, "a quote is not closed");
                continue;
            }
        };
        if let Err(why) = apply(&words, &origin, all, merged) {
            misread(all, origin, &why);
        }
    }
}

fn misread(all: &mut FileRules, origin: String, why: &str) {
    if all.gaps.len() < 64 {
        let reason = format!("{why}; auditctl stops at a rule that it cannot load, so those after it may be missing");
        all.gaps.push(Gap { source: origin, reason, affects: "audit rules that survive a reboot".into() });
    }
}

/// Splits a line into words at blanks, with quotes and backslashes; `None` for an open quote.
fn split(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if line.starts_with('#') {
        return Some(Vec::new());
    }
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, open) = (Some(c), true),
            (None, '\\') => word.extend(chars.next()),
            (None, c) if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (None, c) => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

fn apply(words: &[String], origin: &str, all: &mut FileRules, merged: bool) -> Result<(), String> {
    let Some(first) = words.first() else { return Ok(()) };
    match first.as_str() {
        "-D" => {
            if !merged {
                all.rules.clear();
            }
        }
        "-e" => {
            let value = words.get(1).and_then(|w| w.parse().ok()).ok_or("-e wants 0, 1 or 2")?;
            all.enabled = Some(value);
        }
        "-a" | "-A" | "-w" => {
            let rule = rule(words, origin)?;
            if first == "-A" { all.rules.insert(0, rule) } else { all.rules.push(rule) }
        }
        "-d" | "-W" => {
            let mut shape = words.to_vec();
            shape[0] = if first == "-d" { "-a".into() } else { "-w".into() };
            let gone = rule(&shape, origin)?;
            all.rules.retain(|r| !r.same_meaning(&gone));
        }
        // Settings of the daemon and of the queue, which are not rules.
        "-b" | "-f" | "-r" | "-c" | "-i" | "-t" | "-q" | "-s" | "-l" | "-v" | "-h" => {}
        long if long.starts_with("--") => {}
        _ => return Err("an option that is not known".into()),
    }
    Ok(())
}

fn rule(words: &[String], origin: &str) -> Result<Rule, String> {
    let mut rule = Rule::new(List::Exit, Action::Always, origin.to_owned());
    let mut calls: Vec<String> = Vec::new();
    let mut all_calls = false;
    let mut words = words.iter();
    while let Some(option) = words.next() {
        let mut value = || words.next().map(String::as_str).ok_or(format!("{option} wants a value"));
        match option.as_str() {
            "-w" => {
                rule.target = Target::Watch(PathBuf::from(value()?));
                rule.perms.get_or_insert(Perms::ALL);
            }
            "-p" => rule.perms = Some(Perms::parse(value()?).ok_or("-p wants letters of rwxa")?),
            "-k" => rule.keys.push(value()?.to_owned()),
            "-a" | "-A" => (rule.list, rule.action) = list_and_action(value()?)?,
            "-S" => {
                for call in value()?.split(',').filter(|c| !c.is_empty()) {
                    all_calls |= call == "all";
                    calls.push(call.to_owned());
                }
            }
            "-F" => field(&mut rule, value()?)?,
            "-C" => rule.narrowing.push(value()?.to_owned()),
            other => return Err(format!("{} is not known in a rule", other.chars().take(20).collect::<String>())),
        }
    }
    if !all_calls && !calls.is_empty() {
        rule.syscalls = Syscalls::Names(calls);
    }
    rule.text = describe(&rule);
    Ok(rule)
}

fn list_and_action(text: &str) -> Result<(List, Action), String> {
    let (mut list, mut action) = (None, None);
    for part in text.split(',') {
        match part {
            "exit" => list = Some(List::Exit),
            "task" => list = Some(List::Task),
            "user" => list = Some(List::User),
            "exclude" => list = Some(List::Exclude),
            "filesystem" => list = Some(List::Filesystem),
            "io_uring" | "entry" => list = Some(List::Other),
            "always" => action = Some(Action::Always),
            "never" => action = Some(Action::Never),
            "possible" => action = Some(Action::Possible),
            _ => return Err("a list or an action that is not known".into()),
        }
    }
    list.zip(action).ok_or("-a wants a list and an action".into())
}

fn field(rule: &mut Rule, text: &str) -> Result<(), String> {
    let at = text.find(['!', '=', '<', '>', '&']).ok_or("-F wants field, operator and value")?;
    let (name, rest) = text.split_at(at);
    let op = ["!=", ">=", "<=", "&=", "=", ">", "<", "&"].iter().find(|op| rest.starts_with(**op));
    let op = *op.ok_or("-F wants an operator")?;
    let value = &rest[op.len()..];
    match (name, op) {
        ("path", "=") => rule.target = Target::Path(PathBuf::from(value)),
        ("dir", "=") => rule.target = Target::Dir(PathBuf::from(value)),
        ("perm", "=") => rule.perms = Some(Perms::parse(value).ok_or("perm wants letters of rwxa")?),
        ("key", "=") => rule.keys.push(value.to_owned()),
        ("arch", "=") => {
            rule.arch = Some(match value {
                "b64" | "x86_64" | "aarch64" | "ppc64" | "ppc64le" | "s390x" | "riscv64" => Arch::B64,
                "b32" | "i386" | "i486" | "i586" | "i686" | "arm" | "ppc" | "s390" => Arch::B32,
                _ => return Err("an architecture that is not known".into()),
            });
        }
        ("msgtype", "=") => rule.record_types.push(record_type(value)),
        _ => {
            let value = if matches!(value, "4294967295" | "-1") && name.ends_with("uid") { "unset" } else { value };
            rule.narrowing.push(format!("{name}{op}{value}"));
        }
    }
    Ok(())
}

/// The number of a record type; 0 for one whose loss does not hide accesses to files.
fn record_type(name: &str) -> u32 {
    match name {
        "SYSCALL" => 1300,
        "PATH" => 1302,
        "CWD" => 1307,
        other => other.parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_comments() {
        assert_eq!(split("  # -w /etc").unwrap(), Vec::<String>::new());
        assert_eq!(split(r#"-w "/a b" -k 'c d' -p\ x"#).unwrap(), ["-w", "/a b", "-k", "c d", "-p x"]);
        assert_eq!(split(r#"-w "/a"#), None);
    }

    #[test]
    fn a_line_that_is_not_understood_is_a_gap_and_the_rest_is_read() {
        let file =
            parse("-w /etc -p q\n-x\n-a always\n-w\n-w /run -p wa -k r\n-e 2\n-b 8192\n--loginuid-immutable", "f");
        assert_eq!(file.gaps.len(), 4);
        assert_eq!(file.gaps[0].source, "f:1");
        assert_eq!((file.rules.len(), file.enabled), (1, Some(2)));
        assert_eq!(file.rules[0].text, "-w /run -p wa -k r");
        assert_eq!(file.rules[0].origin, "f:5");
    }

    #[test]
    fn parts_are_read_in_the_order_of_augenrules_and_win_where_it_is_installed() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path();
        std::fs::create_dir_all(host.join("etc/audit/rules.d")).unwrap();
        std::fs::create_dir_all(host.join("usr/sbin")).unwrap();
        std::fs::write(host.join("etc/audit/rules.d/10-a.rules"), "-w /ten\n-D\n").unwrap();
        std::fs::write(host.join("etc/audit/rules.d/9-b.rules"), "-w /nine\n").unwrap();
        std::fs::write(host.join("etc/audit/rules.d/other.txt"), "-w /no\n").unwrap();
        std::fs::write(host.join("etc/audit/audit.rules"), "-w /loaded\n").unwrap();
        let root = Root::open(host).unwrap();
        let paths = |f: &Files| f.persistent().unwrap().rules.iter().map(|r| r.text.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&read(&root)), ["-w /loaded -p rwxa"]);
        std::fs::write(host.join("usr/sbin/augenrules"), "").unwrap();
        assert_eq!(paths(&read(&root)), ["-w /nine -p rwxa", "-w /ten -p rwxa"]);
    }
}
