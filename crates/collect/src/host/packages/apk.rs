//! Alpine's database of installed packages.

use super::{DATABASE_LIMIT, Found, Manager, Owner, Package, Wanted};
use crate::host::gap::Place;
use crate::host::root::{Root, Unread};

/// Newer releases keep it below `/usr`.
const PATHS: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// The text of the database with its path; none where the host has no apk.
fn text(root: &Root) -> Result<Option<(&'static str, String)>, (String, Unread)> {
    for path in PATHS {
        match root.read(path, DATABASE_LIMIT) {
            Ok(bytes) => return Ok(Some((path, String::from_utf8_lossy(&bytes).into_owned()))),
            Err(Unread::Absent) => {}
            Err(unread) => return Err((path.to_owned(), unread)),
        }
    }
    Ok(None)
}

/// The wanted packages that are installed; none where the host has no apk.
pub(super) fn read(root: &Root, wanted: Wanted<'_>) -> Found {
    let Some((path, text)) = text(root)? else { return Ok(None) };
    let mut found = Vec::new();
    let mut current: Option<Package> = None;
    for (number, line) in text.lines().enumerate() {
        match line.split_once(':') {
            Some(("P", name)) if wanted(name) => {
                let at = Place::new(path, number + 1);
                let (name, version) = (name.to_owned(), String::new());
                current = Some(Package { name, version, source: None, manager: Manager::Apk, at });
            }
            Some(("V", version)) => {
                if let Some(package) = &mut current {
                    package.version = version.to_owned();
                }
            }
            Some(("o", origin)) => {
                if let Some(package) = current.as_mut().filter(|package| package.name != origin) {
                    package.source = Some(origin.to_owned());
                }
            }
            // The version comes before the name in a stanza or after it: only its end closes it.
            None if line.is_empty() => found.extend(current.take()),
            _ => {}
        }
    }
    found.extend(current);
    found.retain(|package| !package.version.is_empty());
    Ok(Some(found))
}

/// Who owns each of the asked files, each given in its possible spellings.
pub(super) fn owners(root: &Root, asked: &[Vec<String>]) -> Vec<Owner> {
    let text = match text(root) {
        Ok(Some((_, text))) => text,
        Ok(None) => return vec![Owner::Nobody; asked.len()],
        Err((source, unread)) => return vec![Owner::Unknown(format!("{source}: {unread}")); asked.len()],
    };
    let mut owners = vec![Owner::Nobody; asked.len()];
    let (mut name, mut version, mut dir) = ("", "", "");
    for line in text.lines() {
        match line.split_once(':') {
            Some(("P", value)) => name = value,
            Some(("V", value)) => version = value,
            Some(("F", value)) => dir = value,
            Some(("R", file)) => {
                let is_it = |path: &String| {
                    path.strip_prefix('/').and_then(|path| path.strip_prefix(dir)?.strip_prefix('/')) == Some(file)
                };
                for (owner, spellings) in owners.iter_mut().zip(asked) {
                    if spellings.iter().any(is_it) {
                        let version = (!version.is_empty()).then(|| version.to_owned());
                        *owner = Owner::Package { name: name.to_owned(), version };
                    }
                }
            }
            _ if line.is_empty() => (name, version, dir) = ("", "", ""),
            _ => {}
        }
    }
    owners
}
