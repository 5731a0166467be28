//! What `sshd_config` and its includes say, in the order in which sshd reads them.

use std::path::Path;

use glob::{MatchOptions, Pattern};

use seaworthy_core::sshd::{split, words};

use crate::act::marked::{names, text};
use crate::{Failure, Host, files};

/// As deep as sshd itself follows includes.
const DEEPEST: usize = 16;
const MOST_FILES: usize = 500;
const MOST_DIRECTIVES: usize = 20_000;
/// Where an include lies that is not absolute.
const HOME: &str = "/etc/ssh";

/// One line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// The keyword in lower case, under its newer name.
    pub(super) keyword: String,
    /// The value, its words parted by one blank.
    pub(super) value: String,
    /// For whom, as written after Match; none outside of Match blocks.
    pub(super) criteria: Option<String>,
    /// The file.
    pub(super) file: String,
}

/// All that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// In the order in which sshd reads it.
    pub(super) directives: Vec<Directive>,
    /// The patterns of includes outside of Match blocks.
    pub(super) includes: Vec<String>,
    files: usize,
}

/// A file as it would be, in the place of what is there.
pub(super) struct Instead<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl Reading {
    /// Reads a configuration. A file that cannot be read may say anything, and is a failure.
    pub(super) fn of(host: &Host, main: &str, instead: Option<&Instead>) -> Result<Self, Failure> {
        let mut reading = Self::default();
        reading.file(host, main, None, 0, instead)?;
        Ok(reading)
    }

    /// What holds for connections that no Match block names: the first value.
    pub(super) fn first(&self, keyword: &str) -> Option<&Directive> {
        self.directives.iter().find(|d| d.criteria.is_none() && d.keyword == keyword)
    }

    /// What Match blocks set; the first that is met wins, over everything outside of them.
    pub(super) fn conditional(&self, keyword: &str) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(move |d| d.criteria.is_some() && d.keyword == keyword)
    }

    fn file(
        &mut self,
        host: &Host,
        path: &str,
        criteria: Option<&str>,
        depth: usize,
        instead: Option<&Instead>,
    ) -> Result<(), Failure> {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES || self.directives.len() > MOST_DIRECTIVES {
            return Err(Failure(format!("read {path}: sshd's includes lead too deep or to too many files")));
        }
        let text = match instead {
            Some(instead) if instead.path == path => instead.text.to_owned(),
            _ => content(host, path)?,
        };
        // A Match block ends with the file that it is in.
        let mut inner = criteria.map(str::to_owned);
        for line in text.lines() {
            let Some((keyword, rest)) = split(line) else { continue };
            let words = words(rest);
            match keyword.as_str() {
                "match" => {
                    let own = words.join(" ");
                    inner = Some(criteria.map_or_else(|| own.clone(), |outer| format!("{outer} {own}")));
                }
                "include" => {
                    for pattern in words {
                        let pattern = if pattern.starts_with('/') { pattern } else { format!("{HOME}/{pattern}") };
                        for path in expanded(host, &pattern, instead)? {
                            self.file(host, &path, inner.as_deref(), depth + 1, instead)?;
                        }
                        if inner.is_none() {
                            self.includes.push(pattern);
                        }
                    }
                }
                _ => {
                    let (value, file) = (words.join(" "), path.to_owned());
                    self.directives.push(Directive { keyword, value, criteria: inner.clone(), file });
                }
            }
        }
        Ok(())
    }
}

/// sshd follows links.
fn content(host: &Host, path: &str) -> Result<String, Failure> {
    let real = host.path(path);
    let real = std::fs::canonicalize(&real).unwrap_or(real);
    match files::read(&real)? {
        Some(content) => text(&real, &content),
        None => Err(Failure(format!("read {}: it is not there", real.display()))),
    }
}

/// The files that an include names, in the order of `glob(3)`; `instead` among them where it is new.
fn expanded(host: &Host, pattern: &str, instead: Option<&Instead>) -> Result<Vec<String>, Failure> {
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for directory in found {
            if !is_pattern(part) {
                next.push(format!("{directory}/{part}"));
                continue;
            }
            let there = names(&host.path(&directory)).unwrap_or_default();
            let mut there: Vec<String> =
                there.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
            let new = instead.and_then(|i| i.path.strip_prefix(&directory)?.strip_prefix('/'));
            there.extend(new.filter(|name| !name.contains('/')).map(str::to_owned));
            for name in there {
                if matches(part, &name)? {
                    next.push(format!("{directory}/{name}"));
                }
            }
        }
        found = next;
    }
    let is_new = |path: &str| instead.is_some_and(|instead| instead.path == path);
    found.retain(|path| is_new(path) || host.path(path).exists());
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?', '[', '\\'])
}

/// Whether a name is meant by one part of a pattern, as `glob(3)` has it.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool, Failure> {
    let unclear = || Failure(format!("{pattern}: a pattern of sshd's includes that is not understood here"));
    // These two read otherwise in the library.
    if pattern.contains('\\') || pattern.contains("[^") || pattern.contains("[[") {
        return Err(unclear());
    }
    let single = pattern.split("**").collect::<Vec<_>>().join("*");
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    Ok(Pattern::new(&single).map_err(|_| unclear())?.matches_with(name, options))
}

/// The directory of a pattern whose last part alone is one, and that part.
pub(super) fn directory(pattern: &str) -> Option<(&str, &str)> {
    let (directory, part) = pattern.rsplit_once('/')?;
    (is_pattern(part) && !is_pattern(directory) && Path::new(directory).is_absolute()).then_some((directory, part))
}
