//! One audit rule, whether it was read from the kernel or from a file: a field set with a meaning.

use std::fmt;
use std::path::PathBuf;

/// The kinds of access that a rule logs, as in `-p rwxa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perms {
    /// Reading.
    pub read: bool,
    /// Writing, creating, removing, renaming.
    pub write: bool,
    /// Executing.
    pub execute: bool,
    /// Changing attributes: owner, mode, extended attributes.
    pub attribute: bool,
}

impl Perms {
    /// All four, which is what a watch without `-p` logs.
    pub const ALL: Self = Self { read: true, write: true, execute: true, attribute: true };

    /// From the kernel's bits: execute 1, write 2, read 4, attribute 8.
    pub fn from_bits(bits: u32) -> Self {
        Self { execute: bits & 1 != 0, write: bits & 2 != 0, read: bits & 4 != 0, attribute: bits & 8 != 0 }
    }

    /// From letters such as `wa`; `None` for a letter that is none of `rwxa`.
    pub fn parse(letters: &str) -> Option<Self> {
        let mut perms = Self::default();
        for letter in letters.chars() {
            match letter.to_ascii_lowercase() {
                'r' => perms.read = true,
                'w' => perms.write = true,
                'x' => perms.execute = true,
                'a' => perms.attribute = true,
                _ => return None,
            }
        }
        Some(perms)
    }

    /// True when each of `other` is here too.
    pub fn contains(self, other: Self) -> bool {
        (self.read || !other.read)
            && (self.write || !other.write)
            && (self.execute || !other.execute)
            && (self.attribute || !other.attribute)
    }
}

impl fmt::Display for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, letter) in [(self.read, 'r'), (self.write, 'w'), (self.execute, 'x'), (self.attribute, 'a')] {
            if set {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// The list of the kernel that a rule is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// At the exit of a system call: all watches, and what logs file accesses.
    Exit,
    /// When a task is made: `never` here leaves all its system calls unlogged.
    Task,
    /// Messages from user space.
    User,
    /// Records that are dropped before they are written.
    Exclude,
    /// By type of file system.
    Filesystem,
    /// Any other list (`io_uring`, the removed `entry`).
    Other,
}

/// What a rule does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Log it.
    Always,
    /// Do not log it, whatever a later rule says.
    Never,
    /// The obsolete `possible`, which logs nothing by itself.
    Possible,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Any path.
    Any,
    /// `-F path=`: this name alone; of a directory its own entry, not what lies in it.
    Path(PathBuf),
    /// `-F dir=`: this directory with all below it.
    Dir(PathBuf),
    /// `-w` in a file: `dir` when a directory is there as it is loaded, else `path`.
    Watch(PathBuf),
}

/// The system calls that a rule is limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syscalls {
    /// All.
    All,
    /// Those whose bits are set, numbered as the rule's architecture numbers them.
    Numbers(Vec<u32>),
    /// Those named (or numbered) in a file.
    Names(Vec<String>),
}

/// The word size of the architecture that a rule is limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit system calls.
    B64,
    /// 32-bit system calls.
    B32,
}

/// One audit rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its list.
    pub list: List,
    /// What it does.
    pub action: Action,
    /// What it is about.
    pub target: Target,
    /// The accesses it is limited to; `None` for no such limit.
    pub perms: Option<Perms>,
    /// The architecture it is limited to; `None` for both.
    pub arch: Option<Arch>,
    /// The system calls it is limited to.
    pub syscalls: Syscalls,
    /// Its keys (`-k`).
    pub keys: Vec<String>,
    /// Every other field, as text: each of them narrows what the rule matches.
    pub narrowing: Vec<String>,
    /// The record types (`msgtype=`) that a rule of the exclude list drops.
    pub record_types: Vec<u32>,
    /// The rule as a person would write it.
    pub text: String,
    /// Where it was read: `kernel`, or `FILE:LINE`.
    pub origin: String,
}

impl Rule {
    /// A rule of a list with an action that matches everything.
    pub fn new(list: List, action: Action, origin: String) -> Self {
        Self {
            list,
            action,
            target: Target::Any,
            perms: None,
            arch: None,
            syscalls: Syscalls::All,
            keys: Vec::new(),
            narrowing: Vec::new(),
            record_types: Vec::new(),
            text: String::new(),
            origin,
        }
    }

    /// True when both match the same accesses and do the same, whatever their spelling and keys.
    pub fn same_meaning(&self, other: &Self) -> bool {
        self.list == other.list
            && self.action == other.action
            && self.target == other.target
            && self.perms == other.perms
            && self.arch == other.arch
            && self.syscalls == other.syscalls
            && self.narrowing == other.narrowing
    }
}

/// Writes a rule in the form that `auditctl` takes.
pub fn describe(rule: &Rule) -> String {
    let action = match rule.action {
        Action::Always => "always",
        Action::Never => "never",
        Action::Possible => "possible",
    };
    let list = match rule.list {
        List::Exit => "exit",
        List::Task => "task",
        List::User => "user",
        List::Exclude => "exclude",
        List::Filesystem => "filesystem",
        List::Other => "other",
    };
    let mut text = format!("-a {action},{list}");
    if let Some(arch) = rule.arch {
        text.push_str(if arch == Arch::B64 { " -F arch=b64" } else { " -F arch=b32" });
    }
    match &rule.syscalls {
        Syscalls::All => {}
        Syscalls::Numbers(numbers) if numbers.len() > 12 => text.push_str(&format!(" -S ({} calls)", numbers.len())),
        Syscalls::Numbers(numbers) => {
            let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
            text.push_str(&format!(" -S {}", list.join(",")));
        }
        Syscalls::Names(names) => text.push_str(&format!(" -S {}", names.join(","))),
    }
    match &rule.target {
        Target::Any => {}
        Target::Path(path) => text.push_str(&format!(" -F path={}", path.display())),
        Target::Dir(path) => text.push_str(&format!(" -F dir={}", path.display())),
        Target::Watch(path) => text = format!("-w {}", path.display()),
    }
    if let Some(perms) = rule.perms {
        let flag = if matches!(rule.target, Target::Watch(_)) { "-p " } else { "-F perm=" };
        text.push_str(&format!(" {flag}{perms}"));
    }
    for field in &rule.narrowing {
        text.push_str(&format!(" -F {field}"));
    }
    for key in &rule.keys {
        text.push_str(&format!(" -k {key}"));
    }
    text
}
