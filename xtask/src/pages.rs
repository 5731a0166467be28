//! The documentation that is derived from the catalogue and the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::root;

/// A page: its path in the repository and the text that it should have.
struct Page {
    path: PathBuf,
    text: String,
}

/// Every derived page; whoever adds one adds it here.
fn pages() -> Result<Vec<Page>> {
    Ok(Vec::new())
}

/// `--check` says which pages are stale, `--write` brings them up to date.
///
/// # Errors
/// Where a page cannot be derived or written.
pub fn run(args: &[String]) -> Result<bool> {
    let write = match args {
        [flag] if flag == "--check" => false,
        [flag] if flag == "--write" => true,
        _ => bail!("pages takes --check or --write"),
    };
    let mut stale = 0;
    for page in pages()? {
        let path = root().join(&page.path);
        if fs::read_to_string(&path).is_ok_and(|now| now == page.text) {
            continue;
        }
        if write {
            fs::write(&path, page.text).with_context(|| path.display().to_string())?;
            println!("wrote {}", page.path.display());
        } else {
            eprintln!("{}: stale (cargo xtask pages --write)", page.path.display());
            stale += 1;
        }
    }
    Ok(stale == 0)
}
