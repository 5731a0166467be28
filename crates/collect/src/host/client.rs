//! The client side: what each user's docker command line keeps and is told.
//!
//! Of credentials only their presence is kept, never a value.

use super::accounts::{Accounts, User};
use super::gap::{Gap, Place};
use super::meta::{Kind, Meta};
use super::packages::{Installed, Packages};
use super::root::{Root, Unread};

mod config;
mod contexts;
mod environment;
mod shell;
mod url;

pub use config::Config;
pub use contexts::Context;
pub use environment::{ContentTrust, HostSetting};

const AFFECTS: &str = "what the docker command line of a user keeps and is told";
/// Homes that are looked into.
const MOST_HOMES: usize = 5_000;
/// Files of one kind below one directory.
const MOST_FILES: usize = 1_000;

/// What one home, or one directory of configuration, holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserClient {
    /// The accounts with this home.
    pub users: Vec<String>,
    /// The directory of configuration, `~/.docker` unless another is named.
    pub dir: String,
    /// Owner and mode of the directory; none when it is absent or could not be read.
    pub dir_meta: Option<Meta>,
    /// `config.json`; none when it is absent or could not be read.
    pub config: Option<Config>,
    /// The older `~/.dockercfg`, whose credentials are all in plain text, where there is one.
    pub dockercfg: Option<Meta>,
    /// Contexts beside the default one.
    pub contexts: Vec<Context>,
    /// TLS material in the directory itself: `ca.pem`, `cert.pem`, `key.pem`.
    pub tls: Vec<Meta>,
    /// Private keys of content trust.
    pub trust_keys: Vec<Meta>,
    /// Content trust as the files of the system and of this user set it; none where none sets it.
    pub content_trust: Option<ContentTrust>,
    /// `DOCKER_HOST` as those files set it.
    pub docker_host: Option<HostSetting>,
    /// False when a profile or environment file could not be read: what none of the others sets
    /// may then be set all the same.
    pub environment_complete: bool,
}

impl UserClient {
    fn told_by(&mut self, environment: &environment::State) {
        self.content_trust = environment.content_trust();
        self.docker_host = environment.docker_host();
        self.environment_complete = !environment.short;
    }
}

/// The client side of a host.
#[derive(Debug, Default)]
pub struct Client {
    /// Users whose home holds anything of docker's.
    pub users: Vec<UserClient>,
    /// Content trust as the files of the system set it for everybody.
    pub content_trust: Option<ContentTrust>,
    /// `DOCKER_HOST` as those files set it for everybody.
    pub docker_host: Option<HostSetting>,
    /// False when one of those files could not be read: what none of the others sets may then be
    /// set all the same.
    pub environment_complete: bool,
    /// The version of the docker command line by its package; none where it is not known or not
    /// installed. Content trust is gone from 29 on.
    pub cli_version: Option<String>,
    /// Where that was read.
    pub cli_version_at: Option<Place>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Client {
    /// Reads the homes of all accounts. `docker_config` is `$DOCKER_CONFIG` of the current user, and
    /// counts only on the running machine.
    pub fn read(root: &Root, accounts: &Accounts, packages: &Packages, docker_config: Option<&str>) -> Self {
        let mut client = Self::default();
        if let Installed::Yes(package) = packages.docker_cli() {
            client.cli_version = Some(package.version.clone());
            client.cli_version_at = Some(package.at.clone());
        }
        let system = environment::system(root, &mut client.gaps);
        client.content_trust = system.content_trust();
        client.docker_host = system.docker_host();
        client.environment_complete = !system.short;
        if let Some(reason) = accounts.beyond() {
            client.gaps.push(Gap::new("/etc/passwd", reason, AFFECTS));
        }
        for (home, users) in homes(accounts, &mut client.gaps) {
            client.home(root, &home, &users, &system);
        }
        if let Some(dir) = docker_config.filter(|dir| root.is_live() && dir.starts_with('/')) {
            let uid = rustix::process::getuid().as_raw();
            let user = accounts.user_by_uid(uid).map_or_else(|| uid.to_string(), |user| user.name.clone());
            if !client.users.iter().any(|known| known.dir == dir) {
                let mut found = client.directory(root, dir, vec![user]);
                found.told_by(&system);
                client.users.push(found);
            }
        }
        client
    }

    fn home(&mut self, root: &Root, home: &str, users: &[&User], system: &environment::State) {
        match root.stat(home) {
            Ok(_) => {}
            Err(Unread::Absent) => return,
            Err(unread) => return self.gaps.push(Gap::new(home, &unread, AFFECTS)),
        }
        let names: Vec<String> = users.iter().map(|user| user.name.clone()).collect();
        let own = environment::user(root, home, &users[0].shell, system, &mut self.gaps);
        let base = home.trim_end_matches('/');
        let mut found = self.directory(root, &format!("{base}/.docker"), names.clone());
        found.dockercfg = self.meta(root, &format!("{base}/.dockercfg"));
        found.told_by(&own);
        let told = found.content_trust != self.content_trust || found.docker_host != self.docker_host || own.short;
        if found.dir_meta.is_some() || found.dockercfg.is_some() || told {
            self.users.push(found);
        }
        if let Some(dir) = own.docker_config(base).filter(|dir| !self.users.iter().any(|known| known.dir == *dir)) {
            let mut found = self.directory(root, &dir, names);
            found.told_by(&own);
            if found.dir_meta.is_some() {
                self.users.push(found);
            }
        }
    }

    /// What a directory of configuration holds.
    fn directory(&mut self, root: &Root, dir: &str, users: Vec<String>) -> UserClient {
        let mut found = UserClient {
            users,
            dir: dir.to_owned(),
            dir_meta: self.meta(root, dir),
            config: None,
            dockercfg: None,
            contexts: Vec::new(),
            tls: Vec::new(),
            trust_keys: Vec::new(),
            content_trust: None,
            docker_host: None,
            environment_complete: true,
        };
        if found.dir_meta.is_none() {
            return found;
        }
        found.config = config::read(root, &format!("{dir}/config.json"), &mut self.gaps);
        found.contexts = contexts::read(root, &format!("{dir}/contexts"), &mut self.gaps);
        found.tls = ["ca.pem", "cert.pem", "key.pem"]
            .into_iter()
            .filter_map(|name| self.meta(root, &format!("{dir}/{name}")))
            .collect();
        self.trust_keys(root, &format!("{dir}/trust/private"), 0, &mut found.trust_keys);
        found
    }

    /// Keys lie in the directory itself, and of older versions in two directories below it.
    fn trust_keys(&mut self, root: &Root, dir: &str, depth: usize, into: &mut Vec<Meta>) {
        let names = match root.list(dir, MOST_FILES) {
            Ok(names) => names,
            Err(unread) => return self.gaps.extend(Gap::of(dir, &unread, AFFECTS)),
        };
        for name in names {
            let path = format!("{dir}/{}", name.to_string_lossy());
            match self.meta(root, &path) {
                Some(meta) if meta.kind == Kind::Directory && depth < 4 && into.len() < MOST_FILES => {
                    self.trust_keys(root, &path, depth + 1, into);
                }
                Some(meta) if meta.kind == Kind::File && path.ends_with(".key") => into.push(meta),
                _ => {}
            }
        }
    }

    /// Owner and mode; what is absent is none, what is refused a gap.
    fn meta(&mut self, root: &Root, path: &str) -> Option<Meta> {
        match Meta::read(root, path) {
            Ok(meta) => Some(meta),
            Err(unread) => {
                self.gaps.extend(Gap::of(path, &unread, AFFECTS));
                None
            }
        }
    }
}

/// Each home once, with the accounts that have it.
fn homes<'a>(accounts: &'a Accounts, gaps: &mut Vec<Gap>) -> Vec<(String, Vec<&'a User>)> {
    let mut homes: Vec<(String, Vec<&User>)> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for user in accounts.users.iter().filter(|user| user.home.starts_with('/')) {
        let home = if user.home.len() > 1 { user.home.trim_end_matches('/') } else { &user.home };
        match index.get(home).copied() {
            Some(at) => {
                let known: &mut (String, Vec<&User>) = &mut homes[at];
                known.1.push(user);
            }
            None if homes.len() == MOST_HOMES => {
                gaps.push(Gap::new("/etc/passwd", format!("only {MOST_HOMES} homes are looked into"), AFFECTS));
                break;
            }
            None => {
                index.insert(home.to_owned(), homes.len());
                homes.push((home.to_owned(), vec![user]));
            }
        }
    }
    homes
}

#[cfg(test)]
mod tests;
