//! `paths`.

use anyhow::Result;
use seaworthy_report::View;

use super::audit::{Wanted, run_wanted};
use crate::arguments::PathsArguments;
use crate::exit::Exit;

/// Whether it reads as a file's name, even if none is there.
fn is_named_as_file(path: &std::path::Path) -> bool {
    let text = path.to_string_lossy();
    ["/", "./", "../"].iter().any(|begin| text.starts_with(begin))
        || [".json", ".json.gz"].iter().any(|end| text.ends_with(end))
}

/// Shows the paths that were asked for. `--from` is an entry, or a snapshot where it names a file.
pub fn run(arguments: &PathsArguments) -> Result<Exit> {
    let mut audit = arguments.audit.clone();
    let is_file = |path: &std::path::PathBuf| path.as_os_str() == "-" || path.exists() || is_named_as_file(path);
    let (files, entries): (Vec<_>, Vec<_>) = audit.target.source.from.into_iter().partition(is_file);
    audit.target.source.from = files;
    let entries: Vec<String> = entries.iter().map(|e| e.to_string_lossy().into_owned()).collect();
    let from = entries.iter().chain(&arguments.entry).map(String::as_str).collect();
    let to = arguments.to.iter().map(String::as_str).collect();
    run_wanted(&audit, View::Paths, &Wanted { from, to })
}
