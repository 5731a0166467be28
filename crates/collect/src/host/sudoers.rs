//! Who may run docker as root, or as its group, by sudo or doas.
//!
//! Rules are read with their includes, aliases and tags. Of several rules that match, sudo takes
//! the last one; a later denial therefore takes an earlier grant away. What could not be read or
//! parsed is a gap, and the grants are then "at least these".

use super::accounts::Accounts;
use super::gap::{Gap, Place};
use super::root::Root;

mod command;
mod cursor;
mod doas;
mod grants;
mod lines;
mod parse;
mod people;
mod resolve;

pub use command::{Args, Via};
pub use people::People;

/// Whom a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everybody.
    All,
    /// A user by name.
    User(String),
    /// A user by id.
    Uid(u32),
    /// The members of a group by name.
    Group(String),
    /// The members of a group by id.
    Gid(u32),
    /// A netgroup, or a group of another source: its members are not in the host's files.
    Foreign(String),
}

/// Whose rights a command gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// Those of root.
    Root,
    /// Those of the group that owns the engine's socket.
    DockerGroup,
}

/// Which password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// None.
    None,
    /// The caller's own.
    Own,
    /// That of the account that the command runs as: the rule gives nothing to those who do not
    /// know it.
    Target,
}

/// Which tool a rule belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `sudo`.
    Sudo,
    /// `doas`.
    Doas,
}

/// One rule's way to docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tool that reads the rule.
    pub tool: Tool,
    /// Whom it names.
    pub who: Who,
    /// Those whom it leaves out, or whom a later rule denies everything.
    pub except: Vec<Who>,
    /// Whose rights the command gets.
    pub run_as: RunAs,
    /// As whom the rule lets it run, as written: `users:groups`.
    pub targets: String,
    /// Which command it allows that gives docker.
    pub via: Via,
    /// With which arguments.
    pub args: Args,
    /// Commands that the rule or a later one denies again. Beside [`Via::All`] or a shell they
    /// hold nobody back.
    pub denied: Vec<String>,
    /// Which password is asked for.
    pub password: Password,
    /// False when it could not be decided whether the rule is meant for this host.
    pub host_certain: bool,
    /// True when the rule holds only between two dates.
    pub dated: bool,
    /// Where the rule stands.
    pub at: Place,
}

/// Who may run docker by sudo or doas.
#[derive(Debug, Default)]
pub struct Reach {
    /// The grants, without those of root himself, in the order of the rules: a later one decides
    /// where two name the same user.
    pub grants: Vec<Grant>,
    /// Sources of rules beyond the files, from the line `sudoers` of nsswitch.
    pub beyond_files: Vec<String>,
    /// The files that were read.
    pub files: Vec<String>,
    /// What could not be read or parsed.
    pub gaps: Vec<Gap>,
}

impl Reach {
    /// Reads the rules of sudo and doas. `group` is the group that owns the engine's socket.
    pub fn read(root: &Root, accounts: &Accounts, group: &str) -> Self {
        let mut reach = Self::default();
        if let Some(reason) = &accounts.nsswitch.unread {
            reach.gaps.push(Gap::new("/etc/nsswitch.conf", reason, AFFECTS));
        }
        let sources = accounts.nsswitch.beyond_files("sudoers");
        for source in &sources {
            let reason = format!("rules of {source} are not read");
            reach.gaps.push(Gap::new("/etc/nsswitch.conf", reason, AFFECTS));
        }
        reach.beyond_files = sources;
        for path in ["/etc/sudoers", "/etc/sudoers-rs"] {
            let source = lines::Source::read(root, path);
            reach.files.extend(source.files);
            reach.gaps.extend(source.gaps);
            let (rules, gaps) = parse::Rules::parse(&source.lines);
            reach.gaps.extend(gaps);
            let resolver = resolve::Resolver::new(root, accounts, group, &rules, source.host);
            reach.grants.extend(resolver.grants(&mut reach.gaps));
        }
        doas::read(root, accounts, group, &mut reach);
        reach.grants.retain(|grant| !is_root(&grant.who, accounts));
        reach
    }

    /// True when the grants are all there are.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.beyond_files.is_empty()
    }
}

pub(crate) const AFFECTS: &str = "who may run docker by sudo or doas";

fn is_root(who: &Who, accounts: &Accounts) -> bool {
    match who {
        Who::Uid(uid) => *uid == 0,
        Who::User(name) => name == "root" || accounts.user(name).is_some_and(|user| user.uid == 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
