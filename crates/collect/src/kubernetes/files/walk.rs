//! Which files of a directory are manifests, and which are only what manifests are made from.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::kustomize;
use crate::host::root::Unread;
use crate::kubernetes::yaml::LARGEST;

/// The most entries beneath a directory that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// How deep directories are followed.
const DEEPEST: usize = 32;

/// What lies beneath a directory.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Manifests, in the order of their names.
    pub files: Vec<PathBuf>,
    /// What holds objects that are not read, with the reason.
    pub lost: Vec<(String, String)>,
    /// What makes something else of objects that are read, with the reason.
    pub changed: Vec<(String, String)>,
    entries: usize,
}

/// A name that manifests go by.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Looks for manifests in a directory and in those beneath it. Hidden directories are passed over, links to directories
/// are named and not followed.
pub(crate) fn walk(directory: &Path) -> Found {
    let mut found = Found::default();
    found.directory(directory, 0);
    found
}

impl Found {
    fn lose(&mut self, path: &Path, why: impl Into<String>) {
        self.lost.push((path.display().to_string(), why.into()));
    }

    fn directory(&mut self, directory: &Path, depth: usize) {
        if depth > DEEPEST {
            return self.lose(directory, format!("directories deeper than {DEEPEST} are not looked into"));
        }
        let (mut files, mut directories) = match self.entries(directory) {
            Ok(entries) => entries,
            Err(why) => return self.lose(directory, why),
        };
        files.sort();
        directories.sort();
        let is_named = |path: &Path, names: &[&str]| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(&name))
        };
        if files.iter().any(|file| is_named(file, &["Chart.yaml"])) {
            let parts = |path: &PathBuf| is_named(path, &["templates", "charts"]);
            if directories.iter().any(parts) {
                let shown = quoted(directory);
                self.lose(
                    directory,
                    format!("a Helm chart, which is not rendered here: `helm template {shown} | seaworthy audit -`"),
                );
            }
            directories.retain(|path| !parts(path));
            files.retain(|path| !is_named(path, &["Chart.yaml", "values.yaml", "values.schema.json"]));
        }
        let patches = self.kustomization(directory, &files);
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if is_manifest(&file) && !kustomize::is_named_so(name) && !patches.contains(name) {
                self.files.push(file);
            }
        }
        for directory in directories {
            self.directory(&directory, depth + 1);
        }
    }

    /// Files and directories that lie directly in a directory.
    fn entries(&mut self, directory: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(directory).map_err(|why| Unread::from(why).to_string())? {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                return Err(format!("more than {MOST_ENTRIES} entries are beneath the path; name fewer"));
            }
            let entry = entry.map_err(|why| Unread::from(why).to_string())?;
            let path = if directory.as_os_str() == "." { PathBuf::from(entry.file_name()) } else { entry.path() };
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let kind = entry.file_type().map_err(|why| Unread::from(why).to_string())?;
            if kind.is_dir() {
                if !is_hidden && entry.file_name() != "node_modules" {
                    directories.push(path);
                }
            } else if kind.is_symlink() && path.is_dir() {
                if !is_hidden {
                    self.lose(&path, "a link to a directory, which is not followed; name it");
                }
            } else {
                files.push(path);
            }
        }
        Ok((files, directories))
    }

    /// What a kustomization makes of the directory; the files in it that are no objects.
    fn kustomization(&mut self, directory: &Path, files: &[PathBuf]) -> HashSet<String> {
        let named =
            |path: &&PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(kustomize::is_named_so);
        let Some(file) = files.iter().find(named) else { return HashSet::new() };
        let run = format!("`kubectl kustomize {} | seaworthy audit -`", quoted(directory));
        let shown = file.display().to_string();
        let bytes = std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST as u64);
        let Some(read) = bytes.then(|| std::fs::read(file).ok()).flatten().and_then(|bytes| kustomize::read(&bytes))
        else {
            self.lost.push((shown, format!("a kustomization that cannot be read; {run} tells what it makes")));
            return HashSet::new();
        };
        if read.makes {
            self.lost.push((shown, format!("a kustomization that makes objects, which is not built here: {run}")));
        } else if read.changes {
            self.changed
                .push((shown, format!("a kustomization that changes these objects, which is not built here: {run}")));
        }
        read.named
    }
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('-') {
        return text;
    }
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}
