//! What each crate's manifest takes from the workspace.

use std::path::Path;

use toml::Table;

/// Complaints about a crate's `Cargo.toml`; other files have none.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    if path.file_name().is_none_or(|name| name != "Cargo.toml") {
        return Vec::new();
    }
    let Ok(manifest) = text.parse::<Table>() else { return vec![format!("{}: not TOML", path.display())] };
    let Some(package) = manifest.get("package") else { return Vec::new() };
    if manifest.contains_key("workspace") {
        // A workspace of its own, beside ours: fuzzing.
        return Vec::new();
    }
    let inherits =
        |table: Option<&toml::Value>| table.and_then(|table| table.get("workspace")?.as_bool()) == Some(true);
    let mut complaints = Vec::new();
    // Without it a crate escapes missing_docs, and every other lint that the workspace sets.
    if !inherits(manifest.get("lints")) {
        complaints.push(format!("{}: wants [lints] workspace = true", path.display()));
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherits(package.get(key)) {
            complaints.push(format!("{}: wants {key}.workspace = true", path.display()));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn complaints(text: &str) -> usize {
        super::check(Path::new("crates/a/Cargo.toml"), text).len()
    }

    #[test]
    fn a_crate_takes_the_workspaces_lints() {
        let package = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
                       rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n";
        assert_eq!(complaints(&format!("{package}[lints]\nworkspace = true\n")), 0);
        assert_eq!(complaints(package), 1);
        assert_eq!(complaints("[package]\nname = \"a\"\nversion = \"1\"\n"), 6);
        assert_eq!(complaints("[workspace]\n"), 0);
    }
}
