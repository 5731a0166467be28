//! The documentation that is derived from the catalogue, the fact schema and the program, so that it cannot go stale.

mod benchmarks;
mod checks;
mod coverage;
mod facts;
mod flaws;
mod markdown;
mod program;
mod steps;
mod threats;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use seaworthy_catalog::Catalog;

use crate::root;

/// The first line of every page that is wholly derived; a page with this line that nobody derives any more is stale.
const HEADER: &str = "<!-- Derived by `cargo xtask pages --write`; edit what it is derived from. -->\n";

/// A page: its path in the repository and the text that it should have.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// A page that is derived as a whole.
    fn whole(path: impl Into<PathBuf>, text: &str) -> Self {
        Self { path: path.into(), text: format!("{HEADER}{text}") }
    }
}

/// The pages that follow from the catalogue and the schema; whoever adds one adds it here.
fn from_catalog(catalog: &Catalog) -> Result<Vec<Page>> {
    let newest = catalog.newest("cis-docker").context("the catalogue has no benchmark cis-docker")?;
    Ok(vec![
        Page::whole("docs/checks.md", &checks::page(catalog, newest)),
        Page::whole(format!("docs/benchmarks/{}.md", newest.id), &benchmarks::newest(catalog, newest)),
        Page::whole("docs/benchmarks/cis-docker-versions.md", &benchmarks::versions(catalog, newest)),
        Page::whole("docs/facts.md", &facts::page()),
        Page::whole("docs/flaws.md", &flaws::page(&catalog.flaws)),
        Page::whole("docs/coverage.md", &coverage::page(catalog)?),
        Page::whole("docs/threats.md", &threats::page(catalog)),
        Page::whole("docs/steps.md", &steps::page(catalog)),
    ])
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
    let root = root();
    let mut pages = from_catalog(&load(&root)?)?;
    let mut fresh = bring_up_to_date(&root, &pages, write)?;
    // These run the program, which takes a build: what needs none is written before.
    for page in [program::commands, program::readme] {
        let page = page(&root)?;
        fresh &= bring_up_to_date(&root, std::slice::from_ref(&page), write)?;
        pages.push(page);
    }
    for left in left_behind(&root.join("docs"), &root, &pages)? {
        eprintln!("{}: nothing derives it any more; remove it", left.display());
        fresh = false;
    }
    Ok(fresh)
}

fn load(root: &Path) -> Result<Catalog> {
    seaworthy_catalog::whole(&root.join("catalog")).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("catalog/{error}")).collect();
        anyhow!("{}", lines.join("\n"))
    })
}

/// Whether every page has the text that it should have, after writing those that had not.
fn bring_up_to_date(root: &Path, pages: &[Page], write: bool) -> Result<bool> {
    let mut fresh = true;
    for page in pages {
        let path = root.join(&page.path);
        if fs::read_to_string(&path).is_ok_and(|now| now == page.text) {
            continue;
        }
        if write {
            let context = || path.display().to_string();
            fs::create_dir_all(path.parent().unwrap_or(root)).with_context(context)?;
            fs::write(&path, &page.text).with_context(context)?;
            println!("wrote {}", page.path.display());
        } else {
            eprintln!("{}: stale (cargo xtask pages --write)", page.path.display());
            fresh = false;
        }
    }
    Ok(fresh)
}

/// Derived files beneath a folder that are no page any more.
fn left_behind(folder: &Path, root: &Path, pages: &[Page]) -> Result<Vec<PathBuf>> {
    let (mut left, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path().strip_prefix(root)?.to_path_buf();
            let derived = fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with(HEADER));
            if derived && pages.iter().all(|page| page.path != path) {
                left.push(path);
            }
        }
    }
    left.sort();
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{bring_up_to_date, from_catalog, left_behind, load, markdown};
    use crate::root;

    #[test]
    fn what_follows_from_the_catalogue_is_up_to_date() {
        let pages = from_catalog(&load(&root()).unwrap()).unwrap();
        assert!(bring_up_to_date(&root(), &pages, false).unwrap(), "run cargo xtask pages --write");
        assert_eq!(left_behind(&root().join("docs/benchmarks"), &root(), &pages).unwrap(), Vec::<PathBuf>::new());
        assert!(!left_behind(&root().join("docs/benchmarks"), &root(), &[]).unwrap().is_empty(), "sees derived pages");
    }

    #[test]
    fn every_link_between_pages_leads_somewhere() {
        let mut dead = Vec::new();
        for path in documents(&root()) {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            let folder = root().join(&path).parent().unwrap().to_path_buf();
            let links =
                markdown::links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
            for link in links {
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let there = fs::read_to_string(folder.join(file));
                let leads = match &there {
                    Ok(text) => anchor.is_empty() || markdown::anchors(text).contains(&anchor.to_owned()),
                    Err(_) => anchor.is_empty() && folder.join(file).exists(),
                };
                if !leads {
                    dead.push(format!("{}: {link}", path.display()));
                }
            }
        }
        assert!(dead.is_empty(), "{}", dead.join("\n"));
    }

    /// The documents for people: those at the root and those in `docs`.
    fn documents(root: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in ["", "docs", "docs/benchmarks"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let path = Path::new(folder).join(entry.unwrap().file_name());
                found.extend(path.extension().is_some_and(|e| e == "md").then_some(path));
            }
        }
        assert!(found.len() > 6);
        found
    }
}
