//! What a rule table means for one path: which accesses to it always leave a record.
//!
//! The first rule that matches decides, `never` as well as `always`, and a rule that is limited to
//! some users, programs, system calls or one word size leaves the rest to the rules after it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::rules::{Action, Arch, List, Perms, Rule, Syscalls, Target};
use crate::host::root::Root;

/// What lies at the path that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory: all below it is meant, too.
    Directory,
    /// Anything else: a file, a socket, or nothing yet.
    File,
}

/// What the rules log of the accesses to one path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The accesses of which every one leaves a record.
    pub logged: Perms,
    /// Those of which some do: the rules for them are narrowed, or others come first.
    pub partly: Perms,
    /// Why something is not logged, or only in part; in words.
    pub reasons: Vec<String>,
    /// The rules that log it, as text, with where they were read.
    pub rules: Vec<String>,
}

impl Coverage {
    /// True when every write and every change of attributes is logged.
    pub fn changes_logged(&self) -> bool {
        self.logged.write && self.logged.attribute
    }

    /// True when every execution is logged.
    pub fn execution_logged(&self) -> bool {
        self.logged.execute
    }

    fn say(&mut self, reason: String) {
        if !self.reasons.contains(&reason) && self.reasons.len() < 16 {
            self.reasons.push(reason);
        }
    }
}

/// A rule table made ready to be asked about paths: the links in the rules' paths are resolved.
#[derive(Debug)]
pub struct Table<'a> {
    rules: Vec<(&'a Rule, PathBuf)>,
    silent: Option<String>,
    excluded: Vec<String>,
}

impl<'a> Table<'a> {
    /// Prepares `rules`; `enabled` is the state in which they are (`Some(0)`: nothing is logged).
    pub fn new(root: &Root, rules: &'a [Rule], enabled: Option<u32>) -> Self {
        let mut silent = match enabled {
            Some(0) => Some("auditing is switched off (enabled 0)".to_owned()),
            _ => None,
        };
        let mut parents = HashMap::new();
        let mut table = Vec::new();
        let mut excluded = Vec::new();
        for rule in rules {
            match (rule.list, rule.action) {
                (List::Exit, _) => table.push((rule, rule_path(root, rule, &mut parents))),
                (List::Task, Action::Never) if rule.narrowing.is_empty() => {
                    silent.get_or_insert(format!("no task is audited ({}: {})", rule.origin, rule.text));
                }
                (List::Task, Action::Never) => excluded.push(format!("some tasks are not audited ({})", rule.text)),
                (List::Exclude, _) if drops_file_records(rule) => {
                    excluded.push(format!("records are dropped before they are written ({})", rule.text));
                }
                (List::Filesystem, Action::Never) if !only_kernel_filesystems(rule) => {
                    excluded.push(format!("accesses to some file systems are not logged ({})", rule.text));
                }
                _ => {}
            }
        }
        Self { rules: table, silent, excluded }
    }

    /// What the table logs of `path`, whose links are resolved first: it is the file itself that
    /// counts, and a rule on a link to it watches only the link.
    pub fn coverage(&self, root: &Root, path: &Path, kind: Kind) -> Coverage {
        let path = root.canonical(path).unwrap_or_else(|_| resolve_parent(root, path, &mut HashMap::new()));
        let mut coverage = Coverage::default();
        if let Some(silent) = &self.silent {
            coverage.say(silent.clone());
            return coverage;
        }
        let about: Vec<(&Rule, Hit)> =
            self.rules.iter().filter_map(|(rule, target)| Some((*rule, hit(rule, target, &path, kind)?))).collect();
        for access in [Access::Read, Access::Write, Access::Execute, Access::Attribute] {
            let sizes = [Arch::B64, Arch::B32].map(|arch| decide(&about, access, arch, &mut coverage));
            let whole = sizes.iter().all(|s| *s == Logged::Whole) && self.excluded.is_empty();
            let some = sizes.iter().any(|s| *s != Logged::Not);
            if some && !whole && sizes.contains(&Logged::Not) && sizes.contains(&Logged::Whole) {
                coverage.say("only the system calls of one word size are logged".into());
            }
            access.set(if whole { &mut coverage.logged } else { &mut coverage.partly }, some);
        }
        if coverage.partly != Perms::default() {
            for reason in &self.excluded {
                coverage.say(reason.clone());
            }
        }
        coverage
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Execute,
    Attribute,
}

impl Access {
    fn of(self, perms: Perms) -> bool {
        match self {
            Self::Read => perms.read,
            Self::Write => perms.write,
            Self::Execute => perms.execute,
            Self::Attribute => perms.attribute,
        }
    }

    fn set(self, perms: &mut Perms, value: bool) {
        match self {
            Self::Read => perms.read = value,
            Self::Write => perms.write = value,
            Self::Execute => perms.execute = value,
            Self::Attribute => perms.attribute = value,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logged {
    Whole,
    Partly,
    Not,
}

/// How a rule's path meets the path that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    /// It covers it, with all below a directory.
    Whole,
    /// It covers the entry of the directory, not what lies in it.
    EntryOnly,
    /// It covers something below the directory only.
    Below,
}

fn hit(rule: &Rule, target: &Path, path: &Path, kind: Kind) -> Option<Hit> {
    let whole = match &rule.target {
        Target::Any => return Some(Hit::Whole),
        Target::Dir(_) => path.starts_with(target),
        Target::Watch(_) if path != target => path.starts_with(target),
        Target::Watch(_) => true,
        Target::Path(_) if path == target && kind == Kind::Directory => return Some(Hit::EntryOnly),
        Target::Path(_) => path == target,
    };
    if whole {
        return Some(Hit::Whole);
    }
    (kind == Kind::Directory && target.starts_with(path)).then_some(Hit::Below)
}

fn decide(about: &[(&Rule, Hit)], access: Access, arch: Arch, coverage: &mut Coverage) -> Logged {
    let (mut some, mut gap) = (false, false);
    for (rule, hit) in about {
        if rule.perms.is_some_and(|p| !access.of(p)) || rule.arch.is_some_and(|a| a != arch) {
            continue;
        }
        let calls = calls(&rule.syscalls, access, arch);
        if calls == Logged::Not || (*hit == Hit::Below && rule.action != Action::Never) {
            continue;
        }
        let narrow = narrowness(rule, *hit, calls);
        let words = format!("{}: {}", rule.origin, rule.text);
        match (rule.action, narrow) {
            (Action::Always, None) => {
                if !coverage.rules.contains(&words) {
                    coverage.rules.push(words);
                }
                return if gap { Logged::Partly } else { Logged::Whole };
            }
            (Action::Always, Some(why)) => {
                some = true;
                coverage.say(format!("{why} ({words})"));
            }
            (Action::Never, None) => {
                coverage.say(format!("an earlier rule leaves it unlogged ({words})"));
                return if some { Logged::Partly } else { Logged::Not };
            }
            (Action::Never, Some(_)) => {
                gap = true;
                coverage.say(format!("an earlier rule leaves a part of it unlogged ({words})"));
            }
            (Action::Possible, _) => {}
        }
    }
    if some { Logged::Partly } else { Logged::Not }
}

fn narrowness(rule: &Rule, hit: Hit, calls: Logged) -> Option<String> {
    match hit {
        Hit::EntryOnly => return Some("it watches the directory's entry, not what lies in it".into()),
        Hit::Below => return Some("it is about something below".into()),
        Hit::Whole => {}
    }
    if !rule.narrowing.is_empty() {
        return Some(format!("limited by {}", rule.narrowing.join(" and ")));
    }
    (calls == Logged::Partly).then(|| "limited to some system calls".into())
}

/// The calls (name, number on x86-64, number on i386) without which an access is not fully logged.
type Calls = &'static [(&'static str, u32, u32)];
const OPENING: Calls = &[("open", 2, 5), ("openat", 257, 295)];
const EXECUTING: Calls = &[("execve", 59, 11), ("execveat", 322, 358)];
const WRITING: Calls = &[
    ("open", 2, 5),
    ("openat", 257, 295),
    ("truncate", 76, 92),
    ("rename", 82, 38),
    ("renameat", 264, 302),
    ("renameat2", 316, 353),
    ("unlink", 87, 10),
    ("unlinkat", 263, 301),
];
const CHANGING: Calls = &[
    ("chmod", 90, 15),
    ("fchmod", 91, 94),
    ("fchmodat", 268, 306),
    ("chown", 92, 182),
    ("fchown", 93, 95),
    ("lchown", 94, 16),
    ("fchownat", 260, 298),
    ("setxattr", 188, 226),
    ("lsetxattr", 189, 227),
    ("fsetxattr", 190, 228),
    ("removexattr", 197, 235),
    ("lremovexattr", 198, 236),
    ("fremovexattr", 199, 237),
];
/// Calls that 64-bit ARM and RISC-V never had.
const OLD: [&str; 6] = ["open", "rename", "unlink", "chmod", "chown", "lchown"];

fn calls(listed: &Syscalls, access: Access, arch: Arch) -> Logged {
    let needed = match access {
        Access::Read => OPENING,
        Access::Write => WRITING,
        Access::Execute => EXECUTING,
        Access::Attribute => CHANGING,
    };
    let intel = cfg!(any(target_arch = "x86_64", target_arch = "x86"));
    let number = |call: &(&str, u32, u32)| if arch == Arch::B64 { call.1 } else { call.2 };
    let has = |call: &(&str, u32, u32)| match listed {
        Syscalls::All => true,
        Syscalls::Numbers(numbers) => numbers.contains(&number(call)),
        Syscalls::Names(names) => names.iter().any(|n| n == call.0 || (intel && n.parse::<u32>() == Ok(number(call)))),
    };
    match listed {
        Syscalls::All => Logged::Whole,
        // The numbers of other machines are not in the table, so nothing is proven by them.
        Syscalls::Numbers(_) if !intel => Logged::Partly,
        _ => {
            let mut needed = needed.iter().filter(|c| intel || !OLD.contains(&c.0));
            let held = needed.clone().filter(|c| has(c)).count();
            match held {
                0 => Logged::Not,
                _ if needed.all(has) => Logged::Whole,
                _ => Logged::Partly,
            }
        }
    }
}

/// The record types without which an access to a file is not to be found: SYSCALL and PATH. Without CWD, which many
/// published sets of rules drop, the name of a file may be relative; its inode and the rule's key tell it still.
fn drops_file_records(rule: &Rule) -> bool {
    rule.record_types.is_empty() || rule.record_types.iter().any(|t| matches!(t, 1300 | 1302))
}

/// True when a rule of the file system list names debugfs or tracefs, where no file of ours lies.
fn only_kernel_filesystems(rule: &Rule) -> bool {
    const VIRTUAL: [&str; 6] = [
        "fstype=tracefs",
        "fstype=debugfs",
        "fstype=1953653091",
        "fstype=1684170528",
        "fstype=0x74726163",
        "fstype=0x64626720",
    ];
    rule.narrowing.iter().any(|n| VIRTUAL.contains(&n.as_str()))
}

fn rule_path(root: &Root, rule: &Rule, parents: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    match &rule.target {
        Target::Any => PathBuf::new(),
        Target::Path(path) | Target::Dir(path) | Target::Watch(path) => resolve_parent(root, path, parents),
    }
}

/// Resolves the links above the last component, as the kernel does when it adds a watch.
fn resolve_parent(root: &Root, path: &Path, parents: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let path: PathBuf = path.components().filter(|c| !matches!(c, Component::CurDir)).collect();
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return path;
    };
    let resolved = parents
        .entry(parent.to_owned())
        .or_insert_with(|| root.canonical(parent).unwrap_or_else(|_| parent.to_owned()));
    resolved.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::audit::file::parse;

    fn ask(text: &str, path: &str, kind: Kind) -> Coverage {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path();
        std::fs::create_dir_all(host.join("etc/docker")).unwrap();
        std::fs::create_dir_all(host.join("usr/lib")).unwrap();
        std::fs::create_dir_all(host.join("run")).unwrap();
        std::fs::create_dir_all(host.join("var")).unwrap();
        std::os::unix::fs::symlink("usr/lib", host.join("lib")).unwrap();
        std::os::unix::fs::symlink("/run", host.join("var/run")).unwrap();
        std::fs::write(host.join("usr/lib/real"), "").unwrap();
        std::os::unix::fs::symlink("real", host.join("usr/lib/link")).unwrap();
        let root = Root::open(host).unwrap();
        let file = parse(text, "audit.rules");
        assert!(file.gaps.is_empty(), "{:?}", file.gaps);
        Table::new(&root, &file.rules, file.enabled).coverage(&root, Path::new(path), kind)
    }

    #[test]
    fn a_watch_on_a_parent_covers_what_lies_below_it() {
        for (rules, path) in [
            ("-w /etc/docker -p wa -k docker", "/etc/docker/daemon.json"),
            ("-w /etc -p wa", "/etc/docker/daemon.json"),
            ("-a always,exit -F dir=/etc/docker -F perm=wa", "/etc/docker/daemon.json"),
            ("-a exit,always -F path=/etc/docker/daemon.json -F perm=wa", "/etc/docker/daemon.json"),
            ("-w /lib/unit -p wa", "/usr/lib/unit"),
            ("-w /run/docker.sock", "/var/run/docker.sock"),
            ("-a always,exit -F arch=b64 -F dir=/etc\n-a always,exit -F arch=b32 -F dir=/etc", "/etc/x"),
            ("-A always,exit -F dir=/etc -F perm=wa\n-a never,exit -F dir=/etc", "/etc/x"),
        ] {
            assert!(ask(rules, path, Kind::File).changes_logged(), "{rules}");
        }
    }

    #[test]
    fn what_only_looks_like_a_watch_does_not_cover() {
        for (rules, path) in [
            ("-w /etc/docker -p r", "/etc/docker/daemon.json"),
            ("-w /etc/docker -p w", "/etc/docker/daemon.json"),
            ("# -w /etc/docker -p wa", "/etc/docker/daemon.json"),
            ("-w /etc/docker2 -p wa", "/etc/docker"),
            ("-w /etc/docker/daemon.json.bak -p wa", "/etc/docker/daemon.json"),
            ("-a never,exit -F dir=/etc/docker\n-w /etc/docker -p wa", "/etc/docker/daemon.json"),
            ("-w /etc/docker -p wa\n-A never,exit -F dir=/etc", "/etc/docker/daemon.json"),
            ("-a always,exit -F dir=/etc/docker -F perm=wa -F auid>=1000", "/etc/docker/daemon.json"),
            ("-a always,exit -F arch=b64 -F dir=/etc/docker -F perm=wa", "/etc/docker/daemon.json"),
            ("-a always,exit -S open -F dir=/etc/docker -F perm=wa", "/etc/docker/daemon.json"),
            ("-a always,exit -F dir=/etc/docker -F exe=/usr/bin/vi", "/etc/docker/daemon.json"),
            ("-w /etc -p wa\n-a never,task", "/etc/docker/daemon.json"),
            ("-w /etc -p wa\n-e 0", "/etc/docker/daemon.json"),
            ("-w /etc -p wa\n-a exclude,always -F msgtype=SYSCALL", "/etc/docker/daemon.json"),
            ("-w /etc -p wa\n-D", "/etc/docker/daemon.json"),
            ("-w /usr/lib/link -p wa", "/usr/lib/link"),
            ("-a always,exit -F path=/etc -F perm=wa", "/etc/docker"),
        ] {
            let coverage = ask(rules, path, Kind::File);
            assert!(!coverage.changes_logged(), "{rules}: {coverage:?}");
        }
    }

    #[test]
    fn a_directory_needs_a_recursive_watch() {
        assert!(ask("-w /etc/docker -p wa", "/etc/docker", Kind::Directory).changes_logged());
        let entry = ask("-a always,exit -F path=/etc/docker -F perm=wa", "/etc/docker", Kind::Directory);
        assert!(!entry.changes_logged() && entry.partly.write);
        let below = ask("-a never,exit -F path=/etc/docker/key\n-w /etc/docker -p wa", "/etc/docker", Kind::Directory);
        assert!(!below.changes_logged() && below.partly.write);
    }

    #[test]
    fn rules_about_other_calls_and_records_change_nothing() {
        for rules in [
            "-a never,exit -F arch=b64 -S adjtimex\n-w /etc -p wa",
            "-a always,exclude -F msgtype=CWD\n-w /etc -p wa",
            "-a never,filesystem -F fstype=tracefs\n-w /etc -p wa",
            "-a never,user -F auid=0\n-w /etc",
        ] {
            let coverage = ask(rules, "/etc/docker", Kind::Directory);
            assert!(coverage.changes_logged(), "{rules}: {coverage:?}");
        }
        assert!(ask("-w /usr/lib/real -p x", "/usr/lib/real", Kind::File).execution_logged());
    }
}
