//! Where a drop-in has to lie so that it is read last.
//!
//! systemd reads the drop-ins of a unit in the order of their names, whichever directory each is in; of two with the
//! same name only the one in the first directory counts. The last assignment of a setting wins.

use std::collections::BTreeMap;
use std::path::Path;

use seaworthy_core::plan::DropIn;
use seaworthy_core::systemd::SEARCH;

use crate::act::marked::names;
use crate::{Failure, Host, files};

/// The administrator's own.
const OURS: &str = "/etc/systemd/system";
/// The names that are tried, each later than the one before; the first is in the middle, where others can still come
/// after it.
const NAMES: [&str; 3] = ["50-seaworthy.conf", "zz-seaworthy.conf", "zzzz-seaworthy.conf"];

/// Whether there is a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Its file is there.
    There,
    /// It is masked.
    Masked,
    /// No directory has it.
    Absent,
}

/// Whether there is a unit, by the first file of its name.
pub(super) fn fragment(host: &Host, unit: &str) -> Result<Fragment, Failure> {
    for directory in SEARCH {
        let path = host.path(directory).join(unit);
        let Ok(meta) = path.symlink_metadata() else { continue };
        let is_null = std::fs::read_link(&path).is_ok_and(|target| target == Path::new("/dev/null"));
        return Ok(if is_null || (meta.is_file() && meta.len() == 0) { Fragment::Masked } else { Fragment::There });
    }
    Ok(Fragment::Absent)
}

/// The drop-in's path.
pub(super) fn find(host: &Host, drop_in: &DropIn) -> Result<String, Failure> {
    let mut over = None;
    for name in NAMES {
        let path = format!("{OURS}/{}.d/{name}", drop_in.unit);
        over = overruled(host, drop_in, &path)?;
        if over.is_none() {
            return Ok(path);
        }
    }
    let over = over.unwrap_or_default();
    Err(Failure(format!("{}: {over} comes after every name of ours; change it there by hand", drop_in.unit)))
}

/// The file because of which a drop-in at that path would not have the last word.
pub(super) fn overruled(host: &Host, drop_in: &DropIn, path: &str) -> Result<Option<String>, Failure> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for kind in directories(&drop_in.unit) {
        for directory in SEARCH {
            let directory = format!("{directory}/{kind}");
            for file in names(&host.path(&directory))? {
                // A name that is no text cannot be ours; where it would come after ours cannot be said.
                let file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if file.ends_with(".conf") {
                    first.entry(file.clone()).or_insert_with(|| format!("{directory}/{file}"));
                }
            }
        }
    }
    if let Some(other) = first.get(name).filter(|other| *other != path)
        && hides(other, path)
    {
        return Ok(Some(other.clone()));
    }
    for (file, path) in first {
        if file.as_str() > name && sets(host, &path, drop_in)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether one file of the same name hides the other: that of the more specific directory name, then the earlier in the
/// search. Ours has the most specific name, so only the search decides.
fn hides(other: &str, ours: &str) -> bool {
    let kind = |path: &str| path.rsplit('/').nth(1).unwrap_or_default().to_owned();
    let rank = |path: &str| SEARCH.iter().position(|directory| path.starts_with(&format!("{directory}/")));
    kind(other) == kind(ours) && rank(other) < rank(ours)
}

/// The names of the directories of a unit's drop-ins.
fn directories(unit: &str) -> Vec<String> {
    let mut names = vec![format!("{unit}.d")];
    let Some((stem, kind)) = unit.rsplit_once('.') else { return names };
    // An instance has those of its template, too.
    if let Some((template, instance)) = stem.split_once('@')
        && !instance.is_empty()
    {
        names.push(format!("{template}@.{kind}.d"));
    }
    let mut rest = stem;
    while let Some(at) = rest.rfind('-') {
        rest = &rest[..at];
        names.push(format!("{rest}-.{kind}.d"));
    }
    names.push(format!("{kind}.d"));
    names
}

/// Whether a file sets one of the settings; one that cannot be read may.
fn sets(host: &Host, path: &str, drop_in: &DropIn) -> Result<bool, Failure> {
    let real = host.path(path);
    let real = std::fs::canonicalize(&real).unwrap_or(real);
    if real == Path::new("/dev/null") {
        return Ok(false);
    }
    let Ok(Some(content)) = files::read(&real) else { return Ok(true) };
    let text = String::from_utf8_lossy(&content.bytes).into_owned();
    let mut in_section = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_section = section.strip_suffix(']') == Some(drop_in.section.as_str());
        } else if in_section && !line.starts_with(['#', ';']) {
            let name = line.split('=').next().unwrap_or_default().trim();
            if drop_in.set.iter().any(|(own, _)| own == name) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
