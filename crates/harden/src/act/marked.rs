//! A file in which a change has blocks of its own: what stands in the journal, done and undone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Undone;
use super::block::{self, Made, Part};
use crate::files::{self, Content};
use crate::{At as _, Failure, Host};

/// What a change makes of a file, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marked {
    /// The file, as the host has it.
    pub(super) path: String,
    /// The name of its blocks.
    id: String,
    /// The fingerprint of what was there; none where there was no file.
    before: Option<String>,
    /// Whether the file goes with its last block.
    new_file: bool,
    /// Whether the directory goes with it.
    new_directory: bool,
    /// The blocks.
    parts: Vec<Part>,
}

impl Marked {
    /// Works out what becomes of a file, and its new text.
    pub(super) fn plan(host: &Host, path: &str, parts: Vec<Part>) -> Result<(Self, String), Failure> {
        let real = host.path(path);
        let now = files::read(&real)?;
        let text = now.as_ref().map_or(Ok(String::new()), |content| text(&real, content))?;
        let known = block::made(&text);
        let made = Made {
            file: now.is_none() || known.file,
            directory: (now.is_none() && !directory(&real).is_dir()) || known.directory,
        };
        // Several changes of one transaction may have blocks in one file, and are told apart by what they say.
        let lines: Vec<&str> = parts.iter().flat_map(|part| &part.lines).map(String::as_str).collect();
        let said = files::digest(lines.join("\n").as_bytes());
        let marked = Self {
            path: path.to_owned(),
            id: format!("{}.{}", host.transaction, said.get(..8).unwrap_or_default()),
            before: now.map(|content| content.digest()),
            new_file: made.file,
            new_directory: made.directory,
            parts,
        };
        let new = marked.with(&text);
        Ok((marked, new))
    }

    /// Whether the file can be written.
    pub(super) fn check(&self, host: &Host) -> Result<(), Failure> {
        files::replaceable(&host.path(&self.path))
    }

    /// Puts the blocks in, unless they are in already. What stands around them may have changed meanwhile: other changes
    /// of the same plan write into the same file.
    pub(super) fn apply(&self, host: &Host) -> Result<(), Failure> {
        let path = host.path(&self.path);
        let now = files::read(&path)?;
        let text = now.as_ref().map_or(Ok(String::new()), |content| text(&path, content))?;
        if block::remove(&text, &self.id, &self.lines()).found {
            return Ok(());
        }
        let bytes = self.with(&text).into_bytes();
        make_directory(directory(&path))?;
        let digest = now.as_ref().map(Content::digest);
        let content = match now {
            Some(now) => Content { bytes, ..now },
            None => Content::own(bytes, 0o644),
        };
        files::replace(&path, digest.as_deref(), &content)
    }

    /// The file and about the most bytes that it will have.
    pub(super) fn room(host: &Host, path: &str, parts: &[Part]) -> (PathBuf, u64) {
        let path = host.path(path);
        let size = fs::symlink_metadata(&path).map_or(0, |meta| meta.len().min(files::LARGEST));
        let lines: usize = parts.iter().flat_map(|part| &part.lines).map(|line| line.len() + 1).sum();
        // Each block has its two comments.
        let comments = 200 * parts.len();
        (path, size.saturating_add((lines + comments) as u64))
    }

    /// The same of what was worked out.
    pub(super) fn takes(&self, host: &Host) -> (PathBuf, u64) {
        Self::room(host, &self.path, &self.parts)
    }

    /// Whether all of the blocks are in the file as they were put there.
    pub(super) fn stands(&self, host: &Host) -> Result<bool, Failure> {
        let path = host.path(&self.path);
        let Some(now) = files::read(&path)? else { return Ok(false) };
        let text = text(&path, &now)?;
        let without = block::remove(&text, &self.id, &self.lines());
        let lost = self.lines().iter().any(|line| !text.lines().any(|l| l.trim_end() == line));
        Ok(without.found && without.foreign.is_empty() && !lost)
    }

    /// Takes the blocks out, and the file and its directory where they were made for them and nothing else is in them.
    pub(super) fn undo(&self, host: &Host) -> Result<Undone, Failure> {
        let path = host.path(&self.path);
        // What a crash left beside it would keep the directory.
        files::sweep(&path)?;
        let Some(now) = files::read(&path)? else {
            self.clear_directory(&path)?;
            return Ok(Undone::Nothing);
        };
        let text = text(&path, &now)?;
        let without = block::remove(&text, &self.id, &self.lines());
        let named = |what: &str| format!("{}: {what}", self.path);
        if !without.found {
            // Without the comments nobody can tell whose line it is.
            let untouched = Some(now.digest()) == self.before;
            let like_ours = self.settings().filter(|own| text.lines().any(|l| l.trim() == own.trim()));
            let named: Vec<String> = like_ours.map(|line| named(&block::name(line))).collect();
            return Ok(if untouched || named.is_empty() { Undone::Nothing } else { Undone::Drifted(named) });
        }
        if without.text.trim().is_empty() && self.new_file {
            files::remove(&path, &now.digest())?;
            self.clear_directory(&path)?;
        } else {
            let content = Content { bytes: without.text.into_bytes(), ..now.clone() };
            files::replace(&path, Some(&now.digest()), &content)?;
        }
        if without.foreign.is_empty() {
            return Ok(Undone::Restored);
        }
        Ok(Undone::Drifted(without.foreign.iter().map(|name| named(name)).collect()))
    }

    fn with(&self, text: &str) -> String {
        let made = Made { file: self.new_file, directory: self.new_directory };
        self.parts.iter().fold(text.to_owned(), |text, part| block::insert(&text, &self.id, made, part))
    }

    fn lines(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| part.lines.clone()).collect()
    }

    fn settings(&self) -> impl Iterator<Item = &String> {
        let all = self.parts.iter().flat_map(|part| &part.lines);
        all.filter(|line| !line.starts_with(['#', '[']) && !line.starts_with("Match "))
    }

    fn clear_directory(&self, path: &Path) -> Result<(), Failure> {
        let directory = directory(path);
        if !self.new_directory || !directory.is_dir() {
            return Ok(());
        }
        match fs::remove_dir(directory) {
            Ok(()) => files::sync_directory(directory.parent().unwrap_or(Path::new("/"))),
            // Others have put something into it: it stays.
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) => Err(error).at(|| format!("remove {}", directory.display())),
        }
    }
}

/// What a file holds, where it is text.
pub(super) fn text(path: &Path, content: &Content) -> Result<String, Failure> {
    let text = std::str::from_utf8(&content.bytes).map(str::to_owned);
    text.map_err(|_| Failure(format!("read {}: it is not UTF-8; it has to be edited by hand", path.display())))
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    let doing = || format!("create {}", path.display());
    fs::create_dir(path).at(doing)?;
    // Whatever the caller's umask takes away.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).at(doing)?;
    files::sync_directory(path.parent().unwrap_or(Path::new("/")))
}

/// The names in a directory, sorted by their bytes; none where it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    /// More is no configuration.
    const MOST: usize = 4096;
    let doing = || format!("read {}", path.display());
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at(doing),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.at(doing)?.path());
        if names.len() > MOST {
            return Err(Failure(format!("{}: it holds more than {MOST} files", doing())));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::block::Spot;
    use super::*;

    fn host(root: &Path, transaction: &str) -> Host {
        Host { root: root.into(), engine: None, daemon: None, transaction: transaction.into() }
    }

    fn part(line: &str) -> Vec<Part> {
        vec![Part { spot: Spot::End, lines: vec![line.into()] }]
    }

    #[test]
    fn the_file_and_its_directory_go_with_the_last_block() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (host(dir.path(), "aaaaaaaaaaaa"), host(dir.path(), "bbbbbbbbbbbb"));
        for first_out in [true, false] {
            let (first, _) = Marked::plan(&one, "/d/f.conf", part("A=1")).unwrap();
            first.apply(&one).unwrap();
            first.apply(&one).unwrap();
            let (second, _) = Marked::plan(&two, "/d/f.conf", part("A=2")).unwrap();
            second.apply(&two).unwrap();
            assert!(first.stands(&one).unwrap() && second.stands(&two).unwrap());
            let (early, late) = if first_out { (&first, &second) } else { (&second, &first) };
            assert_eq!(early.undo(&one).unwrap(), Undone::Restored);
            assert_eq!(early.undo(&one).unwrap(), Undone::Nothing);
            assert!(late.stands(&two).unwrap() && dir.path().join("d/f.conf").exists());
            assert_eq!(late.undo(&two).unwrap(), Undone::Restored);
            assert!(!dir.path().join("d").exists());
            assert_eq!(late.undo(&two).unwrap(), Undone::Nothing);
        }
    }

    #[test]
    fn a_file_of_others_stays_as_it_was_even_when_it_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        let path = dir.path().join("d/f.conf");
        for text in ["", "\n", "B=1", "B=1\r\nC=2\r\n"] {
            fs::write(&path, text).unwrap();
            let host = host(dir.path(), "aaaaaaaaaaaa");
            let (marked, _) = Marked::plan(&host, "/d/f.conf", part("A=1")).unwrap();
            assert_eq!(marked.undo(&host).unwrap(), Undone::Nothing);
            marked.apply(&host).unwrap();
            assert_eq!(marked.undo(&host).unwrap(), Undone::Restored);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_changes_of_one_transaction_that_were_prepared_together_both_stand_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path(), "aaaaaaaaaaaa");
        let (one, _) = Marked::plan(&host, "/d/f.conf", part("A=1")).unwrap();
        let (two, _) = Marked::plan(&host, "/d/f.conf", part("B=1")).unwrap();
        one.apply(&host).unwrap();
        two.apply(&host).unwrap();
        assert!(one.stands(&host).unwrap() && two.stands(&host).unwrap());
        assert_eq!(two.undo(&host).unwrap(), Undone::Restored);
        assert!(one.stands(&host).unwrap());
        assert_eq!(one.undo(&host).unwrap(), Undone::Restored);
        assert!(!dir.path().join("d").exists());
    }

    #[test]
    fn what_others_wrote_meanwhile_and_later_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.conf");
        let host = host(dir.path(), "aaaaaaaaaaaa");
        let (marked, _) = Marked::plan(&host, "/f.conf", part("A=1")).unwrap();
        // Written by somebody between the two.
        fs::write(&path, "B=1\n").unwrap();
        marked.apply(&host).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}C=3\n").replace("A=1", "A=7")).unwrap();
        assert!(!marked.stands(&host).unwrap());
        assert_eq!(marked.undo(&host).unwrap(), Undone::Drifted(vec!["/f.conf: A".into()]));
        assert_eq!(fs::read_to_string(&path).unwrap(), "B=1\nA=7\nC=3\n");
        fs::write(&path, "A=1\n").unwrap();
        assert_eq!(marked.undo(&host).unwrap(), Undone::Drifted(vec!["/f.conf: A".into()]));
        fs::write(&path, [0xff, b'\n']).unwrap();
        assert!(Marked::plan(&host, "/f.conf", part("A=1")).unwrap_err().0.contains("UTF-8"));
    }
}
