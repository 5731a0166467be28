//! Where files of the catalogue may lie: the path is the id, so a misplaced file would never be found.

use std::path::{Path, PathBuf};

/// Complaints about files under `catalog/` that no loader would reach.
pub fn check(files: &[PathBuf]) -> Vec<String> {
    let misplaced = files.iter().filter(|path| path.starts_with("catalog") && !reachable(path));
    misplaced
        .map(|path| {
            format!(
                "{}: not a place of the catalogue (checks/PLATFORM/KIND/NAME.md, threats/PLATFORM/KIND/NAME.md, \
                 steps/NAME.toml, versions/NAME.toml, benchmarks/FAMILY/VERSION.toml, rows.toml, stride.toml; lower case)",
                path.display()
            )
        })
        .collect()
}

fn reachable(path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    let parts: Vec<&str> = path.split('/').collect();
    let plain = parts.iter().all(|part| {
        part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    });
    let ends =
        |extension: &str| parts.last().and_then(|name| name.strip_suffix(extension)).is_some_and(|n| !n.is_empty());
    let platform = parts.get(2).is_some_and(|platform| matches!(*platform, "docker" | "kubernetes"));
    plain
        && match (parts.get(1).copied(), parts.len()) {
            (Some("checks"), 5) => platform && ends(".md"),
            (Some("threats"), 5) => platform && ends(".md"),
            (Some("steps" | "versions"), 3) => ends(".toml"),
            (Some("benchmarks"), 4) => ends(".toml"),
            (Some("rows.toml" | "stride.toml"), 2) => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn knows_the_places() {
        for (path, good) in [
            ("catalog/checks/docker/daemon/icc-off.md", true),
            ("catalog/checks/docker/icc-off.md", false),
            ("catalog/checks/docker/daemon/icc-off.markdown", false),
            ("catalog/checks/docker/daemon/ICC.md", false),
            ("catalog/checks/podman/daemon/icc-off.md", false),
            ("catalog/threats/docker/container/socket.md", true),
            ("catalog/threats/docker/socket.md", false),
            ("catalog/rows.toml", true),
            ("catalog/stride.toml", true),
            ("catalog/other.toml", false),
            ("catalog/steps/escape.toml", true),
            ("catalog/versions/docker.toml", true),
            ("catalog/benchmarks/cis-docker/1.8.0.toml", true),
            ("catalog/benchmarks/cis-docker/.toml", false),
            ("catalog/readme.md", false),
        ] {
            assert_eq!(super::reachable(Path::new(path)), good, "{path}");
        }
    }
}
