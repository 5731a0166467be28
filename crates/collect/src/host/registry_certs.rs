//! Certificates by which the engine trusts registries, and with which it names itself to them.

use super::accounts::Accounts;
use super::gap::Gap;
use super::meta::{Kind, Meta};
use super::root::{Root, Unread};

/// Where a daemon that runs as root looks.
const SYSTEM: &str = "/etc/docker/certs.d";
const AFFECTS: &str = "owner and mode of registry certificates";
const MOST_FILES: usize = 2_000;
const MOST_HOMES: usize = 5_000;

/// What a file is for, by its suffix, as the engine reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `*.crt`: an authority that is trusted.
    Authority,
    /// `*.cert`: the engine's own certificate.
    Certificate,
    /// `*.key`: the private key to it.
    Key,
}

/// One file below a `certs.d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryCert {
    /// The registry, `host` or `host:port`, by the name of its directory.
    pub registry: String,
    /// What it is for.
    pub role: Role,
    /// Path, where it leads, owner and mode.
    pub meta: Meta,
}

/// One `certs.d` that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertsDir {
    /// Owner and mode of the directory.
    pub meta: Meta,
    /// Whose it is: none for that of the daemon that runs as root, else the accounts whose rootless
    /// daemon reads it.
    pub rootless: Option<Vec<String>>,
    /// The directories of registries in it.
    pub registries: Vec<Meta>,
    /// The files in them.
    pub files: Vec<RegistryCert>,
}

/// The `certs.d` of a host with what could not be read.
#[derive(Debug, Default)]
pub struct RegistryCerts {
    /// Those that exist; none is a fact where `gaps` is empty.
    pub dirs: Vec<CertsDir>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl RegistryCerts {
    /// Reads the system's directory and that of each account's rootless daemon.
    pub fn read(root: &Root, accounts: &Accounts) -> Self {
        let mut certs = Self::default();
        certs.dir(root, SYSTEM, None);
        let mut homes: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
        for user in accounts.users.iter().filter(|user| user.home.starts_with('/')).take(MOST_HOMES) {
            homes.entry(user.home.trim_end_matches('/')).or_default().push(user.name.clone());
        }
        for (home, users) in homes {
            certs.dir(root, &format!("{home}/.config/docker/certs.d"), Some(users));
        }
        certs
    }

    fn dir(&mut self, root: &Root, path: &str, rootless: Option<Vec<String>>) {
        let Some(meta) = self.meta(root, path) else { return };
        let mut dir = CertsDir { meta, rootless, registries: Vec::new(), files: Vec::new() };
        for registry in self.list(root, path) {
            let below = format!("{path}/{registry}");
            let Some(meta) = self.meta(root, &below) else { continue };
            if meta.kind != Kind::Directory {
                continue;
            }
            dir.registries.push(meta);
            for name in self.list(root, &below) {
                let Some(role) = role(&name) else { continue };
                let file = format!("{below}/{name}");
                match Meta::read(root, &file) {
                    Ok(meta) => dir.files.push(RegistryCert { registry: registry.clone(), role, meta }),
                    // A link that leads nowhere is no certificate, but it is there.
                    Err(Unread::Absent) => self.gaps.push(Gap::new(file, "a link that leads nowhere", AFFECTS)),
                    Err(unread) => self.gaps.push(Gap::new(file, &unread, AFFECTS)),
                }
            }
            if dir.files.len() > MOST_FILES {
                self.gaps.push(Gap::new(path, format!("more than {MOST_FILES} files; the rest is not read"), AFFECTS));
                break;
            }
        }
        self.dirs.push(dir);
    }

    fn meta(&mut self, root: &Root, path: &str) -> Option<Meta> {
        Meta::read(root, path).map_err(|unread| self.gaps.extend(Gap::of(path, &unread, AFFECTS))).ok()
    }

    fn list(&mut self, root: &Root, path: &str) -> Vec<String> {
        match root.list(path, MOST_FILES) {
            Ok(names) => names.iter().map(|name| name.to_string_lossy().into_owned()).collect(),
            Err(unread) => {
                self.gaps.extend(Gap::of(path, &unread, AFFECTS));
                Vec::new()
            }
        }
    }
}

fn role(name: &str) -> Option<Role> {
    match name.rsplit_once('.')?.1 {
        "crt" => Some(Role::Authority),
        "cert" => Some(Role::Certificate),
        "key" => Some(Role::Key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::host::testing::host;

    #[test]
    fn files_are_told_with_registry_role_mode_and_where_they_lead() {
        let base = "/etc/docker/certs.d/reg.example:5000";
        let (dir, root) = host(&[
            ("/etc/passwd", "a:x:1000:1000::/home/a:/bin/sh\nb:x:1001:1000::/home/a/:/bin/sh\n"),
            (&format!("{base}/client.key"), ""),
            (&format!("{base}/client.cert"), ""),
            (&format!("{base}/README"), ""),
            ("/etc/docker/certs.d/stray.crt", ""),
            ("/etc/ssl/real.crt", ""),
            ("/home/a/.config/docker/certs.d/x/ca.crt", ""),
        ]);
        symlink("/etc/ssl/real.crt", dir.path().join(format!("{}/ca.crt", &base[1..]))).unwrap();
        symlink("/none", dir.path().join(format!("{}/dead.crt", &base[1..]))).unwrap();
        symlink("loop.crt", dir.path().join(format!("{}/loop.crt", &base[1..]))).unwrap();
        let mode = std::fs::Permissions::from_mode(0o604);
        std::fs::set_permissions(dir.path().join(format!("{}/client.key", &base[1..])), mode).unwrap();
        let certs = RegistryCerts::read(&root, &Accounts::read(&root));
        let [system, own] = certs.dirs.as_slice() else { panic!("{certs:?}") };
        let told: Vec<_> =
            system.files.iter().map(|file| (file.role, file.meta.path.rsplit('/').next().unwrap())).collect();
        let expected = [(Role::Authority, "ca.crt"), (Role::Certificate, "client.cert"), (Role::Key, "client.key")];
        assert_eq!(told, expected);
        assert_eq!(system.files[0].registry, "reg.example:5000");
        assert_eq!(system.files[0].meta.resolved.as_deref(), Some("/etc/ssl/real.crt"));
        assert_eq!(system.files[2].meta.mode, 0o604);
        assert_eq!((system.rootless.as_deref(), system.registries.len()), (None, 1));
        assert_eq!(own.rootless.as_deref(), Some(["a".to_owned(), "b".to_owned()].as_slice()));
        let reasons: Vec<_> = certs.gaps.iter().map(|gap| gap.reason.as_str()).collect();
        assert_eq!(reasons, ["a link that leads nowhere", "its links lead in a circle"]);
    }

    #[test]
    fn none_is_a_fact_and_a_file_in_its_place_a_gap() {
        let (_dir, root) = host(&[]);
        let certs = RegistryCerts::read(&root, &Accounts::default());
        assert!(certs.dirs.is_empty() && certs.gaps.is_empty());
    }
}
