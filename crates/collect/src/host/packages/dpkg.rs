//! dpkg's status file and its lists of files.

use std::collections::BTreeMap;

use memchr::{memchr, memchr_iter, memmem};

use super::{DATABASE_LIMIT, Found, Manager, Owner, Package, Wanted};
use crate::host::gap::Place;
use crate::host::root::{Root, Unread};

const STATUS: &str = "/var/lib/dpkg/status";
/// Where images without dpkg keep one file per package.
const STATUS_D: &str = "/var/lib/dpkg/status.d";
const INFO: &str = "/var/lib/dpkg/info";
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
/// The most packages of one host.
const MOST_PACKAGES: usize = 200_000;

/// The wanted packages that are installed; none where the host has no dpkg.
pub(super) fn read(root: &Root, wanted: Wanted<'_>) -> Found {
    let mut found = Vec::new();
    let mut present = false;
    match root.read(STATUS, DATABASE_LIMIT) {
        Ok(bytes) => {
            present = true;
            scan(&bytes, STATUS, wanted, &mut found);
        }
        Err(Unread::Absent) => {}
        Err(unread) => return Err((STATUS.to_owned(), unread)),
    }
    match root.list(STATUS_D, MOST_PACKAGES) {
        Ok(names) => {
            for name in names {
                let path = format!("{STATUS_D}/{}", name.to_string_lossy());
                if path.ends_with(".md5sums") {
                    continue;
                }
                let bytes = root.read(&path, DATABASE_LIMIT).map_err(|unread| (path.clone(), unread))?;
                present = true;
                scan(&bytes, &path, wanted, &mut found);
            }
        }
        Err(Unread::Absent) => {}
        Err(unread) => return Err((STATUS_D.to_owned(), unread)),
    }
    Ok(present.then_some(found))
}

/// Jumps from one `Package:` line to the next and looks only into the wanted stanzas.
fn scan(bytes: &[u8], path: &str, wanted: Wanted<'_>, found: &mut Vec<Package>) {
    const FIELD: &[u8] = b"\nPackage:";
    let first = bytes.starts_with(&FIELD[1..]).then_some(0);
    let starts = first.into_iter().chain(memmem::find_iter(bytes, FIELD).map(|at| at + 1));
    let (mut line, mut counted) = (1, 0);
    for start in starts {
        let name_at = start + FIELD.len() - 1;
        let end = memchr(b'\n', &bytes[name_at..]).map_or(bytes.len(), |length| name_at + length);
        let Ok(name) = std::str::from_utf8(&bytes[name_at..end]) else { continue };
        let name = name.trim();
        if !wanted(name) {
            continue;
        }
        line += memchr_iter(b'\n', &bytes[counted..start]).count();
        counted = start;
        let stanza_end = memmem::find(&bytes[start..], b"\n\n").map_or(bytes.len(), |length| start + length);
        let stanza = String::from_utf8_lossy(&bytes[start..stanza_end]);
        if let Some(package) = package(name, &stanza, Place::new(path, line)) {
            found.push(package);
        }
    }
}

fn package(name: &str, stanza: &str, at: Place) -> Option<Package> {
    let field = |wanted: &str| {
        stanza.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    // A package that was removed but not purged keeps its stanza; images without dpkg write no
    // status at all.
    if let Some(status) = field("Status") {
        let state = status.split_whitespace().nth(2)?;
        if matches!(state, "not-installed" | "config-files") {
            return None;
        }
    }
    let version = field("Version")?.to_owned();
    let source = field("Source").and_then(|source| source.split_whitespace().next()).map(str::to_owned);
    Some(Package { name: name.to_owned(), version, source, manager: Manager::Dpkg, at })
}

/// Who owns each of the asked files, each given in its possible spellings.
pub(super) fn owners(root: &Root, asked: &[Vec<String>], installed: &[Package]) -> Vec<Owner> {
    let mut found: Vec<Option<String>> = vec![None; asked.len()];
    let diversions = diversions(root);
    let mut search = |list: &[u8], name: &str| {
        for (owner, spellings) in found.iter_mut().zip(asked) {
            if owner.is_none() && spellings.iter().any(|path| owns(list, name, path, &diversions)) {
                *owner = Some(name.to_owned());
            }
        }
        found.iter().all(Option::is_some)
    };
    // The packages that matter here own nearly everything that is asked for, and their lists are at hand by name; the
    // directory has thousands of others, which are looked through only for what is left.
    let mut likely: Vec<&str> = installed.iter().map(|package| package.name.as_str()).collect();
    likely.sort_unstable();
    likely.dedup();
    let mut done = false;
    for name in likely.iter().filter(|name| is_name(name)) {
        let list = if done { break } else { root.read(format!("{INFO}/{name}.list"), DATABASE_LIMIT) };
        done = list.is_ok_and(|list| search(&list, name));
    }
    let mut unread = None;
    if !done {
        let names = match root.list(INFO, 4 * MOST_PACKAGES) {
            Ok(names) => names,
            Err(unread) => return vec![Owner::Unknown(format!("{INFO}: {unread}")); asked.len()],
        };
        for file in &names {
            let file = file.to_string_lossy();
            let Some(name) = file.strip_suffix(".list").and_then(|file| file.split(':').next()) else { continue };
            let path = format!("{INFO}/{file}");
            match root.read(&path, DATABASE_LIMIT) {
                Ok(list) if search(&list, name) => break,
                Ok(_) => {}
                Err(reason) => unread = Some(format!("{path}: {reason}")),
            }
        }
    }
    let versions = versions(root, found.iter().flatten(), installed);
    let answer = |owner: Option<String>| match (owner, &unread) {
        (Some(name), _) => Owner::Package { version: versions.get(&name).cloned(), name },
        (None, Some(reason)) => Owner::Unknown(reason.clone()),
        (None, None) => Owner::Nobody,
    };
    found.into_iter().map(answer).collect()
}

/// What dpkg takes for a package's name: nothing that leads to another directory.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.contains('/')
}

fn owns(list: &[u8], package: &str, path: &str, diversions: &[Diversion]) -> bool {
    // A diverted path belongs to the package that diverts it; the other packages' file of that
    // name lies at the place it was diverted to.
    let written = match diversions.iter().find(|d| d.to == path || d.from == path) {
        Some(diversion) if diversion.to == path && package != diversion.by => diversion.from.as_str(),
        Some(diversion) if diversion.from == path && package != diversion.by => return false,
        _ => path,
    };
    memmem::find_iter(list, written.as_bytes()).any(|at| {
        let before = at == 0 || list[at - 1] == b'\n';
        let after = list.get(at + written.len()).is_none_or(|byte| *byte == b'\n');
        before && after
    })
}

struct Diversion {
    from: String,
    to: String,
    by: String,
}

fn diversions(root: &Root) -> Vec<Diversion> {
    let Ok(text) = root.read_text(DIVERSIONS) else { return Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    let (triples, _) = lines.as_chunks::<3>();
    let owned = |[from, to, by]: &[&str; 3]| Diversion { from: (*from).into(), to: (*to).into(), by: (*by).into() };
    triples.iter().map(owned).collect()
}

fn versions<'a>(
    root: &Root,
    names: impl Iterator<Item = &'a String>,
    installed: &[Package],
) -> BTreeMap<String, String> {
    let known = |name: &str| installed.iter().find(|package| package.name == name).map(|p| p.version.clone());
    let mut versions = BTreeMap::new();
    let mut missing = Vec::new();
    for name in names {
        match known(name) {
            Some(version) => _ = versions.insert(name.clone(), version),
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty()
        && let Ok(Some(found)) = read(root, &|name| missing.contains(&name))
    {
        versions.extend(found.into_iter().map(|package| (package.name, package.version)));
    }
    versions
}
