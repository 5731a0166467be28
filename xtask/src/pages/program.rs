//! What the program itself says: its help, and the demonstration in the README.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::Page;
use super::markdown::block;

/// The help of every command.
///
/// # Errors
/// When the program cannot be built or fails.
pub fn commands(root: &Path) -> Result<Page> {
    let overview = run(root, &["--help"])?;
    let mut help = format!("# Commands\n\n{}", block(&overview));
    for command in listed(&overview) {
        help.push_str(&format!("\n## seaworthy {command}\n\n"));
        help.push_str(&block(&run(root, &[command, "--help"])?));
    }
    Ok(Page::whole("docs/commands.md", &help))
}

/// The README, with what the program says of the demonstration.
///
/// # Errors
/// When the program cannot be built or fails, or the README has no place for it.
pub fn readme(root: &Path) -> Result<Page> {
    let readme = fs::read_to_string(root.join("README.md")).context("README.md")?;
    let text = put(&readme, "demo", &block(&run(root, &["assess", "--demo"])?)).context("README.md")?;
    let cluster = block(&run(root, &["assess", "--demo", "kubernetes"])?);
    let text = put(&text, "demo-cluster", &cluster).context("README.md")?;
    Ok(Page { path: "README.md".into(), text })
}

/// What the program prints: in 100 columns, without colour, without anybody's configuration.
fn run(root: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "seaworthy", "--"]).args(args).current_dir(root).stdin(Stdio::null());
    command.env("COLUMNS", "100").env("NO_COLOR", "1").env("XDG_CONFIG_HOME", "/nonexistent");
    let output = command.output().context("cargo run")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("seaworthy {}: {}: {}", args.join(" "), output.status, said.trim());
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("seaworthy {}", args.join(" ")))?;
    if let Some(odd) = text.chars().find(|c| c.is_control() && *c != '\n') {
        bail!("seaworthy {} prints the control character {odd:?}", args.join(" "));
    }
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

/// The commands that the program's own help lists.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let entries = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    // A line that begins deeper goes on with the entry above it.
    entries.filter(|entry| !entry.starts_with(' ')).filter_map(|entry| entry.split(' ').next())
}

/// A text with what stands between `<!-- NAME -->` and `<!-- end NAME -->` replaced.
fn put(text: &str, name: &str, block: &str) -> Result<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->\n"));
    let parts = text.split_once(&start).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) =
        parts.with_context(|| format!("there must be a line {} and a line {}", start.trim(), end.trim()))?;
    Ok(format!("{before}{start}{block}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{listed, put};

    #[test]
    fn finds_the_commands_in_the_help() {
        let help = "About\n\nUsage: x\n\nCommands:\n  assess  Judge\n          and tell\n  man     Print\n\nOptions:\n  -h  Help\n";
        assert_eq!(listed(help).collect::<Vec<_>>(), ["assess", "man"]);
        assert_eq!(listed("Usage: x\n").count(), 0);
    }

    #[test]
    fn replaces_only_what_stands_between_the_marks() {
        let text = "a\n<!-- x -->\nold\n<!-- end x -->\nb\n";
        let new = put(text, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x -->\nnew\n<!-- end x -->\nb\n");
        assert_eq!(put(&new, "x", "new\n").unwrap(), new);
        assert!(put("a\n", "x", "new\n").is_err());
        assert!(put("<!-- end x -->\n<!-- x -->\n", "x", "new\n").is_err());
    }
}
