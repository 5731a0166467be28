//! Which packages are installed, which one owns a file, and what system it is.
//!
//! dpkg, apk, pacman and rpm are read from their own files.

use super::gap::{Gap, Place};
use super::root::{Root, Unread};

mod apk;
mod dpkg;
mod os;
mod pacman;
mod rpm;

pub use os::OsRelease;

/// The most bytes of one database file: 64 MiB.
const DATABASE_LIMIT: usize = 64 << 20;

/// Packages whose version matters here, by their names in all distributions.
const WANTED: [&str; 38] = [
    "apparmor",
    "audit",
    "auditd",
    "conmon",
    "containerd",
    "containerd.io",
    "cri-o",
    "crun",
    "doas",
    "docker",
    "docker-buildx-plugin",
    "docker-ce",
    "docker-ce-cli",
    "docker-ce-rootless-extras",
    "docker-cli",
    "docker-compose-plugin",
    "docker-ee",
    "docker-engine",
    "docker.io",
    "linux",
    "linux-lts",
    "linux-virt",
    "moby-cli",
    "moby-containerd",
    "moby-engine",
    "moby-runc",
    "nerdctl",
    "opendoas",
    "openssh",
    "openssh-server",
    "podman",
    "podman-docker",
    "rootlesskit",
    "runc",
    "sudo",
    "sudo-rs",
    "systemd",
    "uidmap",
];

fn is_wanted(name: &str) -> bool {
    WANTED.binary_search(&name).is_ok() || name.starts_with("linux-image-")
}

/// Which database a package was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu and their kin.
    Dpkg,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
    /// Fedora, Red Hat and their kin, SUSE.
    Rpm,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name, without an architecture.
    pub name: String,
    /// Its full version, as the database writes it.
    pub version: String,
    /// The name of the source package, where it differs from `name`.
    pub source: Option<String>,
    /// Which database says so.
    pub manager: Manager,
    /// Where it was read.
    pub at: Place,
}

/// Whether a package is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed<'a> {
    /// It is.
    Yes(&'a Package),
    /// The databases were read and do not have it.
    No,
    /// They could not be read, with the reason.
    Unknown(&'a str),
}

/// Which package a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This one put it there.
    Package {
        /// The package's name.
        name: String,
        /// Its installed version; none where the database does not tell.
        version: Option<String>,
    },
    /// No package owns it: it came by other ways.
    Nobody,
    /// The database could not be read, with the reason.
    Unknown(String),
}

/// The packages that matter here.
#[derive(Debug, Default)]
pub struct Packages {
    /// Those installed of the ones that matter: engines, runtimes, kernels, servers of SSH, sudo.
    pub installed: Vec<Package>,
    /// The databases that were found.
    pub managers: Vec<Manager>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    unknown: Option<String>,
}

const AFFECTS: &str = "versions of packages, and which package owns a file";

impl Packages {
    /// Reads the databases that the host has.
    pub fn read(root: &Root) -> Self {
        let mut packages = Self::default();
        for (manager, read) in READERS {
            match read(root, &is_wanted) {
                Ok(Some(found)) => {
                    packages.managers.push(manager);
                    packages.installed.extend(found);
                }
                Ok(None) => {}
                // The tool of rpm, on a system of another, leaves a database behind that nobody fills.
                Err(_) if manager == Manager::Rpm && !packages.managers.is_empty() => {}
                Err((source, unread)) => {
                    packages.managers.push(manager);
                    packages.unknown.get_or_insert_with(|| format!("{source}: {unread}"));
                    packages.gaps.push(Gap::new(source, &unread, AFFECTS));
                }
            }
        }
        if packages.managers.is_empty() {
            let (source, reason) = ("/var/lib/dpkg/status", "no package database that this version reads");
            packages.unknown = Some(format!("{source}: {reason}"));
            packages.gaps.push(Gap::new(source, reason, AFFECTS));
        }
        packages
    }

    /// Whether one of the packages that matter here is installed.
    pub fn find(&self, name: &str) -> Installed<'_> {
        match (self.installed.iter().find(|package| package.name == name), &self.unknown) {
            (Some(package), _) => Installed::Yes(package),
            (None, Some(reason)) => Installed::Unknown(reason),
            (None, None) => Installed::No,
        }
    }

    /// The first of several names that is installed; unknown only where none is found.
    pub fn find_any(&self, names: &[&str]) -> Installed<'_> {
        let mut answer = Installed::No;
        for name in names {
            match self.find(name) {
                yes @ Installed::Yes(_) => return yes,
                other => answer = other,
            }
        }
        answer
    }

    /// The package of the docker command line, under any of its names.
    pub fn docker_cli(&self) -> Installed<'_> {
        self.find_any(&["docker-ce-cli", "docker-cli", "moby-cli", "docker.io", "docker-ee", "docker-engine", "docker"])
    }

    /// The installed kernels.
    pub fn kernels(&self) -> impl Iterator<Item = &Package> {
        let plain = ["linux", "linux-lts", "linux-virt"];
        let is_kernel = move |name: &str| name.starts_with("linux-image-") || plain.contains(&name);
        self.installed.iter().filter(move |package| is_kernel(&package.name))
    }

    /// Which package owns each of these files, in the order asked. Links are followed, and a path
    /// below `/usr` counts as the one beside it where the system has merged the two.
    pub fn owners(&self, root: &Root, paths: &[&str]) -> Vec<Owner> {
        let mut owners = match &self.unknown {
            Some(reason) => vec![Owner::Unknown(reason.clone()); paths.len()],
            None => vec![Owner::Nobody; paths.len()],
        };
        let asked: Vec<Vec<String>> = paths.iter().map(|path| spellings(root, path)).collect();
        for manager in &self.managers {
            let found = match manager {
                Manager::Dpkg => dpkg::owners(root, &asked, &self.installed),
                Manager::Apk => apk::owners(root, &asked),
                Manager::Pacman => pacman::owners(root, &asked),
                Manager::Rpm => rpm::owners(root, &asked),
            };
            for (owner, found) in owners.iter_mut().zip(found) {
                if matches!(owner, Owner::Nobody) || matches!(found, Owner::Package { .. }) {
                    *owner = found;
                }
            }
        }
        owners
    }
}

type Wanted<'a> = &'a dyn Fn(&str) -> bool;
type Found = Result<Option<Vec<Package>>, (String, Unread)>;
type Reader = for<'a> fn(&Root, Wanted<'a>) -> Found;

const READERS: [(Manager, Reader); 4] = [
    (Manager::Dpkg, dpkg::read),
    (Manager::Apk, apk::read),
    (Manager::Pacman, pacman::read),
    (Manager::Rpm, rpm::read),
];

/// The ways in which a database may write a path: as asked, as resolved, and either with and
/// without `/usr` where `/bin` and its kin are links into it.
fn spellings(root: &Root, path: &str) -> Vec<String> {
    let mut all = vec![path.to_owned()];
    if let Ok(resolved) = root.canonical(path) {
        all.push(resolved.to_string_lossy().into_owned());
    }
    for index in 0..all.len() {
        let Some(other) = beside_usr(&all[index]) else { continue };
        let top = other.trim_start_matches("/usr").split('/').nth(1).unwrap_or_default();
        if root.read_link(format!("/{top}")).is_ok() {
            all.push(other);
        }
    }
    all.sort();
    all.dedup();
    all
}

fn beside_usr(path: &str) -> Option<String> {
    let merged =
        |rest: &str| ["bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"].iter().any(|top| rest.starts_with(top));
    match path.strip_prefix("/usr/") {
        Some(rest) if merged(rest) => Some(format!("/{rest}")),
        None if merged(path.strip_prefix('/')?) => Some(format!("/usr{path}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
