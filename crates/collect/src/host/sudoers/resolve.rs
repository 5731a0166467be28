//! From parsed rules to grants: aliases, hosts, targets, denials, passwords.

use std::cell::Cell;
use std::collections::HashMap;

use super::command;
use super::grants::{deny, grant_last, settle, sides, targets};
use super::parse::{Command, Defaults, Item, Rule, Rules};
use super::people::names;
use super::{AFFECTS, Grant, Password, RunAs, Tool, Who};
use crate::host::accounts::Accounts;
use crate::host::gap::Gap;
use crate::host::glob;
use crate::host::root::Root;

/// Aliases within aliases, at most.
const DEEPEST: usize = 32;
/// Elements of lists that are looked at for all rules together: aliases that name each other can
/// multiply without end.
const MOST_STEPS: usize = 2_000_000;
/// Grants of one host, at most.
const MOST_GRANTS: usize = 5_000;

/// What a rule's meaning depends on.
pub(super) struct Resolver<'a> {
    root: &'a Root,
    accounts: &'a Accounts,
    group: &'a str,
    docker_members: Vec<String>,
    rules: &'a Rules,
    host: Option<String>,
    steps: Cell<usize>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        root: &'a Root,
        accounts: &'a Accounts,
        group: &'a str,
        rules: &'a Rules,
        host: Option<String>,
    ) -> Self {
        let docker_members = accounts.members(group).names.into_iter().map(|member| member.name).collect();
        Self { root, accounts, group, docker_members, rules, host, steps: Cell::new(0) }
    }

    /// The grants of all rules in their order, what later rules deny taken away.
    pub(super) fn grants(&self, gaps: &mut Vec<Gap>) -> Vec<Grant> {
        let mut grants = Vec::new();
        for rule in &self.rules.rules {
            let (applies, host_certain) = self.applies(rule);
            if applies {
                self.rule(rule, host_certain, &mut grants, gaps);
            }
            if grants.len() > MOST_GRANTS || self.steps.get() > MOST_STEPS {
                gaps.push(Gap::new(rule.at.to_string(), "too many rules; the rest is not read", AFFECTS));
                break;
            }
        }
        settle(&mut grants, self.accounts);
        grants
    }

    fn rule(&self, rule: &Rule, host_certain: bool, grants: &mut Vec<Grant>, gaps: &mut Vec<Gap>) {
        let (included, excluded) = sides(&self.expand(&rule.users, &self.rules.users));
        let mut commands = Vec::new();
        self.expand_commands(&rule.commands, None, 0, &mut commands);
        for command in &commands {
            let Some(run_as) = self.run_as(command) else { continue };
            if command.negated {
                for who in included.iter().take_while(|_| self.step()) {
                    deny(grants, who, command);
                }
                continue;
            }
            let (via, args) = match command::judge(self.root, &command.path, command.args.as_deref()) {
                Ok(Some(judged)) => judged,
                Ok(None) => continue,
                Err(reason) => {
                    gaps.push(Gap::new(rule.at.to_string(), reason, AFFECTS));
                    continue;
                }
            };
            for who in &included {
                if grants.len() > MOST_GRANTS || !self.step() {
                    return;
                }
                // Each grant holds all of them.
                self.steps.set(self.steps.get() + excluded.len());
                let grant = Grant {
                    tool: Tool::Sudo,
                    who: who.clone(),
                    except: excluded.clone(),
                    run_as,
                    targets: targets(command),
                    via: via.clone(),
                    args: args.clone(),
                    denied: Vec::new(),
                    password: self.password(who, command),
                    host_certain,
                    dated: command.dated,
                    at: rule.at.clone(),
                };
                grant_last(grants, grant);
            }
        }
    }

    /// Whether a rule is meant for this host, and whether that is certain. The last match decides.
    fn applies(&self, rule: &Rule) -> (bool, bool) {
        let hosts = self.expand(&rule.hosts, &self.rules.hosts);
        for item in hosts.iter().rev() {
            match self.is_this_host(&item.text) {
                Some(true) => return (!item.negated, true),
                Some(false) => {}
                None if item.negated => {}
                None => return (true, false),
            }
        }
        (false, true)
    }

    /// None for addresses and netgroups, and where the host's name is unknown.
    fn is_this_host(&self, pattern: &str) -> Option<bool> {
        if pattern == "ALL" {
            return Some(true);
        }
        let is_address = pattern.contains(['/', ':']) || pattern.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if pattern.starts_with('+') || is_address {
            return None;
        }
        let name = self.host.as_deref()?.to_ascii_lowercase();
        let pattern = pattern.to_ascii_lowercase();
        let short = name.split('.').next().unwrap_or_default();
        if glob::matches(&pattern, &name, false) || glob::matches(&pattern, short, false) {
            return Some(true);
        }
        // The name may be the short form of what the rule spells out.
        if !name.contains('.') && pattern.split('.').next() == Some(short) { None } else { Some(false) }
    }

    /// Whose rights the command gets, as far as they give docker.
    fn run_as(&self, command: &Command) -> Option<RunAs> {
        let Some((users, groups)) = command.run_as.as_deref() else {
            let default = self.rules.defaults.iter().filter(|defaults| defaults.scope.is_none()).flat_map(|d| &d.set);
            let default = default
                .filter(|(name, _)| name == "runas_default")
                .filter_map(|(_, value)| value.as_deref())
                .next_back();
            return self.user_gives(default.unwrap_or("root"));
        };
        let (mut as_user, mut as_group) = (None, None);
        let list = self.expand(users, &self.rules.run_as);
        for item in &list {
            // Beside `ALL, !root` stand the members of the group that `ALL` covers.
            match (item.negated, self.user_gives(&item.text)) {
                (false, Some(gives)) => as_user = Some(gives),
                (true, Some(RunAs::Root)) if item.text != "ALL" && as_user == Some(RunAs::Root) => {
                    let others = list.iter().any(|item| !item.negated && item.text == "ALL");
                    as_user = (others && !self.docker_members.is_empty()).then_some(RunAs::DockerGroup);
                }
                (true, Some(_)) if item.text == "ALL" => as_user = None,
                _ => {}
            }
        }
        let list = self.expand(groups, &self.rules.run_as);
        for item in &list {
            if self.is_docker_group(&item.text) {
                as_group = (!item.negated).then_some(RunAs::DockerGroup);
            }
        }
        as_user.or(as_group)
    }

    fn user_gives(&self, name: &str) -> Option<RunAs> {
        // Looking through very many accounts for each of very many names would take minutes.
        self.steps.set(self.steps.get() + self.accounts.users.len() / 64);
        let id = name.strip_prefix('#').and_then(|id| id.parse().ok());
        let named = match id {
            Some(id) => self.accounts.user_by_uid(id),
            None => self.accounts.user(name),
        };
        let group_members = |group: &str| self.accounts.members(group).names.into_iter().map(|member| member.name);
        let root = name == "ALL" || name == "root" || id == Some(0) || named.is_some_and(|user| user.uid == 0);
        if root
            || name
                .strip_prefix('%')
                .is_some_and(|group| group == "root" || group_members(group).any(|name| name == "root"))
        {
            return Some(RunAs::Root);
        }
        let is_member = |name: &str| self.docker_members.iter().any(|member| member == name);
        let member = is_member(named.map_or(name, |user| &user.name))
            || name
                .strip_prefix('%')
                .is_some_and(|group| group == self.group || group_members(group).any(|name| is_member(&name)));
        member.then_some(RunAs::DockerGroup)
    }

    fn is_docker_group(&self, name: &str) -> bool {
        let name = name.strip_prefix('%').unwrap_or(name);
        let gid = self.accounts.group(self.group).map(|group| group.gid);
        let same_id = |id: &str| id.parse().ok() == gid && gid.is_some();
        name == "ALL" || name == self.group || name.strip_prefix('#').is_some_and(same_id)
    }

    /// Later defaults win over earlier ones, a tag of the rule over both.
    fn password(&self, who: &Who, command: &Command) -> Password {
        if command.no_password {
            return Password::None;
        }
        let mut password = Password::Own;
        for defaults in &self.rules.defaults {
            if !self.defaults_hold(defaults, who) {
                continue;
            }
            for (name, value) in &defaults.set {
                match name.as_str() {
                    "!authenticate" => password = Password::None,
                    "authenticate" if password == Password::None => password = Password::Own,
                    "targetpw" | "rootpw" | "runaspw" if password == Password::Own => password = Password::Target,
                    "!targetpw" | "!rootpw" | "!runaspw" if password == Password::Target => password = Password::Own,
                    "exempt_group"
                        if value.as_deref().is_some_and(|group| self.overlap(&Who::Group(group.to_owned()), who)) =>
                    {
                        password = Password::None;
                    }
                    _ => {}
                }
            }
        }
        password
    }

    fn defaults_hold(&self, defaults: &Defaults, who: &Who) -> bool {
        match defaults.scope {
            None => true,
            Some(':') => {
                let users = self.expand(&defaults.of, &self.rules.users);
                let (included, excluded) = sides(&users);
                // What loosens for one of those whom the rule names loosens the rule.
                let loosens = defaults.set.iter().any(|(name, _)| name == "!authenticate");
                let meant = |one: &Who| one == who || *one == Who::All || (loosens && self.overlap(one, who));
                included.iter().any(meant) && !excluded.contains(who)
            }
            // What holds on some hosts or for some commands or targets is taken to hold where it
            // loosens and not where it tightens.
            Some(_) => defaults.set.iter().all(|(name, _)| name == "!authenticate"),
        }
    }

    /// Whether somebody is known to be meant by both.
    fn overlap(&self, one: &Who, other: &Who) -> bool {
        if one == other {
            return true;
        }
        // As with users who give root: many accounts for each of many names would take minutes.
        self.steps.set(self.steps.get() + 1 + self.accounts.users.len() / 64);
        let (one, _) = names(one, self.accounts);
        names(other, self.accounts).0.iter().any(|name| one.contains(name))
    }

    /// Counts one more element; false once there were too many.
    fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        self.steps.get() <= MOST_STEPS
    }

    /// Aliases of commands in place; what stood before the alias holds for what it names.
    fn expand_commands(&self, list: &[Command], outer: Option<&Command>, depth: usize, into: &mut Vec<Command>) {
        for command in list {
            if !self.step() {
                return;
            }
            let mut command = command.clone();
            if let Some(outer) = outer {
                command.negated ^= outer.negated;
                command.no_password = outer.no_password;
                command.dated |= outer.dated;
                command.run_as.clone_from(&outer.run_as);
            }
            match self.rules.commands.get(&command.path) {
                Some(alias) if command.args.is_none() && depth < DEEPEST => {
                    self.expand_commands(alias, Some(&command), depth + 1, into);
                }
                Some(_) => {}
                None => into.push(command),
            }
        }
    }

    /// A list with its aliases in place.
    fn expand(&self, list: &[Item], aliases: &HashMap<String, Vec<Item>>) -> Vec<Item> {
        let mut into = Vec::new();
        self.expand_into(list, aliases, false, 0, &mut into);
        into
    }

    /// `negated` turns every element over.
    fn expand_into(
        &self,
        list: &[Item],
        aliases: &HashMap<String, Vec<Item>>,
        negated: bool,
        depth: usize,
        into: &mut Vec<Item>,
    ) {
        for item in list {
            if !self.step() {
                return;
            }
            let negated = negated != item.negated;
            match aliases.get(&item.text) {
                Some(alias) if depth < DEEPEST => self.expand_into(alias, aliases, negated, depth + 1, into),
                Some(_) => {}
                None => into.push(Item { negated, text: item.text.clone() }),
            }
        }
    }
}
