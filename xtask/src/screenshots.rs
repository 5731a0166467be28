//! Pictures of the page, for the documentation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use seaworthy_bed::{Browser, find_browser};

use crate::root;

/// Each picture: name, width, height, whether the whole page, medium, colour scheme.
const PICTURES: [(&str, u32, u32, bool, &str, &str); 4] = [
    ("page-wide", 1280, 1500, false, "", "light"),
    ("page-narrow", 390, 1600, false, "", "light"),
    ("page-dark", 1280, 1500, false, "", "dark"),
    ("page-print", 800, 1130, false, "print", "light"),
];

/// Takes pictures of the demonstration's page, or of a page that is given, into `docs/img`.
///
/// # Errors
/// Where there is no browser, the page cannot be made, or a file cannot be written.
pub fn run(args: &[String]) -> Result<bool> {
    let program = find_browser().map_err(|why| anyhow!(why))?;
    let folder = root().join("docs/img");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let page = match args {
        [] => demonstration()?,
        [page] => PathBuf::from(page),
        _ => bail!("usage: cargo xtask screenshots [PAGE.html]"),
    };
    let page = page.canonicalize().with_context(|| page.display().to_string())?;
    let browser = Browser::start(&program).map_err(|why| anyhow!("{}: {why}", program.display()))?;
    take(&browser, &page, &folder).map_err(|why| anyhow!("{}: {why}", page.display()))?;
    Ok(true)
}

fn take(browser: &Browser, page: &Path, folder: &Path) -> Result<(), String> {
    browser.open(page)?;
    for (name, width, height, whole, media, scheme) in PICTURES {
        browser.show_as(width, height, media, scheme)?;
        let path = folder.join(format!("{name}.png"));
        fs::write(&path, browser.screenshot(whole)?).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The page of the demonstration, made by the program itself.
fn demonstration() -> Result<PathBuf> {
    let page = root().join("target/demonstration.html");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "-q", "-p", "seaworthy", "--", "assess", "--demo", "-f", "html", "-o"]).arg(&page);
    let status = command.current_dir(root()).status().context("cargo run")?;
    if !status.success() {
        bail!("seaworthy assess --demo -f html ended with {status}");
    }
    Ok(page)
}
