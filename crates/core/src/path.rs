//! Paths as texts: lexically normalised, since the same file has many names.

use std::borrow::Cow;

/// An absolute path without `.`, `..`, doubled and trailing slashes, with `/var/run` as `/run`, which it is on every
/// Linux host. Anything else stays as it is.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if !path.starts_with('/') {
        return Cow::Borrowed(path);
    }
    let clean = path.len() == 1
        || (!path.ends_with('/') && !path.contains("//") && !path.contains("/.") && !path.starts_with("/var/run"));
    if clean {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
        if parts == ["var", "run"] {
            parts = vec!["run"];
        }
    }
    Cow::Owned(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, clean) in [
            ("/", "/"),
            ("//", "/"),
            ("/run/../run", "/run"),
            ("/var/run/docker.sock", "/run/docker.sock"),
            ("/var//run/", "/run"),
            ("/var/./run", "/run"),
            ("/var/run/..", "/"),
            ("/var/running", "/var/running"),
            ("/../..", "/"),
            ("/a/.hidden/..b", "/a/.hidden/..b"),
            ("relative/..", "relative/.."),
            ("", ""),
        ] {
            assert_eq!(normalise(path), clean, "{path}");
        }
    }
}
