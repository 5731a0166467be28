//! The rules of the house, as a check that runs with the tests.

mod catalog;
mod edges;
mod manifests;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::root;

/// Says on stderr what breaks a rule, one line each.
///
/// # Errors
/// Where cargo or a file cannot be read.
pub fn run() -> Result<bool> {
    let complaints = check(&root())?;
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: clean");
    }
    Ok(complaints.is_empty())
}

fn check(root: &Path) -> Result<Vec<String>> {
    let files = files(root)?;
    let mut complaints = edges::check(root)?;
    complaints.extend(catalog::check(&files));
    for path in &files {
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        complaints.extend(sources::check(path, &text));
        complaints.extend(manifests::check(path, &text));
    }
    Ok(complaints)
}

/// Every file of the repository, relative to it, in order; not what git or cargo made.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if matches!(entry.file_name().to_str(), Some(".git" | "target")) {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path.strip_prefix(root)?.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let complaints = super::check(&crate::root()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
