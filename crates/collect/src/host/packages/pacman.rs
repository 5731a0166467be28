//! Arch's database: one directory `NAME-VERSION-RELEASE` per package.

use super::{DATABASE_LIMIT, Found, Manager, Owner, Package, Wanted};
use crate::host::gap::Place;
use crate::host::root::{Root, Unread};

const LOCAL: &str = "/var/lib/pacman/local";
const MOST_PACKAGES: usize = 200_000;

/// `NAME-VERSION-RELEASE` into name and version with release.
fn split(directory: &str) -> Option<(&str, &str)> {
    let release = directory.rfind('-')?;
    let version = directory[..release].rfind('-')?;
    Some((&directory[..version], &directory[version + 1..]))
}

fn directories(root: &Root) -> Result<Option<Vec<String>>, (String, Unread)> {
    match root.list(LOCAL, MOST_PACKAGES) {
        Ok(names) => Ok(Some(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())),
        Err(Unread::Absent) => Ok(None),
        Err(unread) => Err((LOCAL.to_owned(), unread)),
    }
}

/// The wanted packages that are installed; none where the host has no pacman.
pub(super) fn read(root: &Root, wanted: Wanted<'_>) -> Found {
    let Some(directories) = directories(root)? else { return Ok(None) };
    let package = |directory: &String| {
        let (name, version) = split(directory)?;
        wanted(name).then(|| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            source: None,
            manager: Manager::Pacman,
            at: Place::new(format!("{LOCAL}/{directory}"), 0),
        })
    };
    Ok(Some(directories.iter().filter_map(package).collect()))
}

/// Who owns each of the asked files, each given in its possible spellings.
pub(super) fn owners(root: &Root, asked: &[Vec<String>]) -> Vec<Owner> {
    let directories = match directories(root) {
        Ok(found) => found.unwrap_or_default(),
        Err((source, unread)) => return vec![Owner::Unknown(format!("{source}: {unread}")); asked.len()],
    };
    let mut owners = vec![Owner::Nobody; asked.len()];
    let mut unread = None;
    for directory in &directories {
        let Some((name, version)) = split(directory) else { continue };
        let path = format!("{LOCAL}/{directory}/files");
        let text = match root.read(&path, DATABASE_LIMIT) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(reason) => {
                unread = Some(format!("{path}: {reason}"));
                continue;
            }
        };
        for line in text.lines() {
            for (owner, spellings) in owners.iter_mut().zip(asked) {
                if spellings.iter().any(|path| path.strip_prefix('/') == Some(line)) {
                    *owner = Owner::Package { name: name.to_owned(), version: Some(version.to_owned()) };
                }
            }
        }
        if !owners.contains(&Owner::Nobody) {
            return owners;
        }
    }
    if let Some(reason) = unread {
        for owner in owners.iter_mut().filter(|owner| **owner == Owner::Nobody) {
            *owner = Owner::Unknown(reason.clone());
        }
    }
    owners
}
