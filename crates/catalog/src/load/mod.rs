//! Reading a catalogue from a directory: checks, benchmarks and the table of flaws.

mod benchmark;
mod cases;
mod check;
mod complete;
mod rows;
mod step;
mod threat;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::check::Check;
use seaworthy_core::flaw::FlawTable;
use seaworthy_core::step::Step;
use seaworthy_core::threat::{Alone, Blank, Row, Threat};
use serde::{Deserialize, Serialize};

pub use benchmark::parse_all as parse_benchmarks;
pub use cases::component as case_component;
pub use check::parse as parse_check;
pub use step::parse as parse_step;
pub use threat::parse as parse_threat;

/// The largest file of a catalogue, in bytes.
const LARGEST: u64 = 256 << 10;
/// The most files of a catalogue.
const MOST: usize = 5000;

/// Everything that a catalogue holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// The checks, by id.
    pub checks: Vec<Check>,
    /// The benchmarks, newest first within a family.
    pub benchmarks: Vec<Benchmark>,
    /// Known flaws of versions.
    pub flaws: FlawTable,
    /// The threats, by id.
    pub threats: Vec<Threat>,
    /// The attack steps, by id.
    pub steps: Vec<Step>,
    /// Cells of the matrix of element kind by letter that are blank, with the reason.
    pub blanks: Vec<Blank>,
    /// Checks that answer no threat, with the reason.
    pub alone: Vec<Alone>,
    /// The rows of the lists of threats that its threats cover.
    pub rows: Vec<Row>,
}

/// A catalogue with the places of what is only wrong beside the rest of it.
#[derive(Default)]
struct Loaded {
    catalog: Catalog,
    /// Of its rows, blanks and lone checks.
    rows: Vec<Position>,
    blanks: Vec<Position>,
    alone: Vec<Position>,
}

/// A place in a file.
#[derive(Clone, Debug)]
struct Position {
    file: String,
    line: usize,
    column: usize,
}

impl Position {
    /// The place of a byte of the file's text.
    fn of(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Self { file: file.to_owned(), line, column }
    }

    /// Where a file begins.
    fn top(file: &str) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1 }
    }

    fn error(&self, message: impl Into<String>) -> LoadError {
        LoadError { file: self.file.clone(), line: self.line, column: self.column, message: message.into() }
    }
}

/// What is wrong with a file of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file, relative to the catalogue.
    pub file: String,
    /// The line, from 1; 0 when it is the file as a whole.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl LoadError {
    fn whole(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }

    /// An error at a byte of the file's text.
    fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        Position::of(file, text, offset).error(message)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for LoadError {}

/// Loads the program's own catalogue: what [`directory`] loads, complete. Every row is covered, every check answers a
/// threat or says why not, every cell of the matrix is filled or says why not.
///
/// # Errors
/// Every error of every file, sorted by file.
pub fn whole(dir: &Path) -> Result<Catalog, Vec<LoadError>> {
    let loaded = read_all(dir, &Catalog::default())?;
    let mut errors = complete::check(&loaded);
    if errors.is_empty() {
        return Ok(loaded.catalog);
    }
    errors.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Err(errors)
}

/// Loads a catalogue: `checks/**/*.md`, `benchmarks/**/*.toml`, `versions/*.toml`, `rows.toml`, `threats/**/*.md`,
/// `steps/*.toml`, `stride.toml`. What is not there is left empty. Threats and steps may name the checks and rows of
/// `beside` too.
///
/// # Errors
/// Every error of every file, sorted by file.
pub fn directory(dir: &Path, beside: &Catalog) -> Result<Catalog, Vec<LoadError>> {
    read_all(dir, beside).map(|loaded| loaded.catalog)
}

fn read_all(dir: &Path, beside: &Catalog) -> Result<Loaded, Vec<LoadError>> {
    let mut loaded = Loaded::default();
    let mut errors = Vec::new();
    read_checks(dir, &mut loaded.catalog, &mut errors);
    read_model(dir, beside, &mut loaded, &mut errors);
    if errors.is_empty() {
        return Ok(loaded);
    }
    errors.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Err(errors)
}

fn read_checks(dir: &Path, catalog: &mut Catalog, errors: &mut Vec<LoadError>) {
    for (file, text) in files(&dir.join("checks"), "checks", "md", errors) {
        match check::parse(&file, &text) {
            Ok(check) => catalog.checks.push(check),
            Err(mut found) => errors.append(&mut found),
        }
    }
    catalog.checks.sort_by(|a, b| a.id.cmp(&b.id));
    let benchmarks = files(&dir.join("benchmarks"), "benchmarks", "toml", errors);
    match benchmark::parse_all(&benchmarks, &catalog.checks) {
        Ok(found) => catalog.benchmarks = found,
        Err(mut found) => errors.append(&mut found),
    }
    for (file, text) in files(&dir.join("versions"), "versions", "toml", errors) {
        match toml::from_str::<FlawTable>(&text) {
            Ok(table) => {
                catalog.flaws.dated = table.dated;
                catalog.flaws.flaws.extend(table.flaws);
            }
            Err(e) => errors.push(toml_error(&file, &text, 0, &e)),
        }
    }
}

/// Threats, steps, and what they are measured by.
fn read_model(dir: &Path, beside: &Catalog, loaded: &mut Loaded, errors: &mut Vec<LoadError>) {
    if let Some(text) = single(dir, "rows.toml", errors) {
        match rows::parse("rows.toml", &text) {
            Ok(found) => (loaded.catalog.rows, loaded.rows) = found.into_iter().unzip(),
            Err(mut found) => errors.append(&mut found),
        }
    }
    let catalog = &mut loaded.catalog;
    let checks: HashSet<&str> = catalog.checks.iter().chain(&beside.checks).map(|c| c.id.as_str()).collect();
    let rows: HashSet<&str> = catalog.rows.iter().chain(&beside.rows).map(|r| r.id.as_str()).collect();
    for (file, text) in files(&dir.join("threats"), "threats", "md", errors) {
        match threat::parse(&file, &text, &checks, &rows) {
            Ok(threat) => catalog.threats.push(threat),
            Err(mut found) => errors.append(&mut found),
        }
    }
    for (file, text) in files(&dir.join("steps"), "steps", "toml", errors) {
        match step::parse(&file, &text, &checks) {
            Ok(step) => catalog.steps.push(step),
            Err(mut found) => errors.append(&mut found),
        }
    }
    if let Some(text) = single(dir, "stride.toml", errors) {
        match threat::stride("stride.toml", &text, &checks) {
            Ok((blanks, alone)) => {
                (catalog.blanks, loaded.blanks) = blanks.into_iter().unzip();
                (catalog.alone, loaded.alone) = alone.into_iter().unzip();
            }
            Err(mut found) => errors.append(&mut found),
        }
    }
    catalog.threats.sort_by(|a, b| a.id.cmp(&b.id));
    catalog.steps.sort_by(|a, b| a.id.cmp(&b.id));
}

/// The text of a file that may be there.
fn single(dir: &Path, name: &str, errors: &mut Vec<LoadError>) -> Option<String> {
    let path = dir.join(name);
    if !path.exists() {
        return None;
    }
    read(&path).map_err(|why| errors.push(LoadError::whole(name, why))).ok()
}

/// The error of a TOML block that begins at byte `start` of the file.
fn toml_error(file: &str, text: &str, start: usize, error: &toml::de::Error) -> LoadError {
    let offset = start + error.span().map_or(0, |s| s.start);
    LoadError::at(file, text, offset, error.message().lines().next().unwrap_or("not TOML").to_owned())
}

/// The files beneath a directory with an ending, sorted, with their texts; names relative to the catalogue.
fn files(dir: &Path, prefix: &str, ending: &str, errors: &mut Vec<LoadError>) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(dir, 0, &mut paths, errors);
    paths.sort();
    let mut out = Vec::new();
    for path in paths {
        let relative = path.strip_prefix(dir).unwrap_or(&path);
        let name = format!("{prefix}/{}", relative.display());
        if path.extension().is_none_or(|e| e != ending) {
            errors.push(LoadError::whole(&name, format!("only .{ending} files belong here")));
            continue;
        }
        match read(&path) {
            Ok(text) => out.push((name, text)),
            Err(why) => errors.push(LoadError::whole(&name, why)),
        }
    }
    out
}

fn walk(dir: &Path, depth: usize, out: &mut Vec<PathBuf>, errors: &mut Vec<LoadError>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth < 8 {
            walk(&path, depth + 1, out, errors);
        } else if out.len() < MOST {
            out.push(path);
        } else {
            errors.push(LoadError::whole(&path.display().to_string(), format!("more than {MOST} files")));
            return;
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err("not a regular file".into());
    }
    if meta.len() > LARGEST {
        return Err(format!("larger than {LARGEST} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}
