//! `os-release`: what system it is.

use crate::host::gap::Gap;
use crate::host::root::{Root, Unread};

/// What the system calls itself; each is none where the file does not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, as `debian`; the file's own default is `linux`.
    pub id: Option<String>,
    /// `ID_LIKE`, split at spaces.
    pub id_like: Vec<String>,
    /// `VERSION_ID`, as `12`.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`, as `bookworm`.
    pub version_codename: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
    /// Which of the two files was read.
    pub path: Option<String>,
}

impl OsRelease {
    /// Reads `/etc/os-release`, or where it is absent `/usr/lib/os-release`.
    pub fn read(root: &Root, gaps: &mut Vec<Gap>) -> Self {
        let mut absent = true;
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            match root.read_text(path) {
                Ok(text) => return Self::parse(&text, path),
                Err(unread) => {
                    absent &= unread == Unread::Absent;
                    gaps.extend(Gap::of(path, &unread, "which system it is"));
                }
            }
        }
        if absent {
            gaps.push(Gap::new("/etc/os-release", Unread::Absent, "which system it is"));
        }
        Self::default()
    }

    fn parse(text: &str, path: &str) -> Self {
        let mut os = Self { path: Some(path.to_owned()), ..Self::default() };
        for line in text.lines().take(1000) {
            let Some((name, value)) = line.trim().split_once('=') else { continue };
            let value = unquote(value);
            match name {
                "ID" => os.id = Some(value),
                "ID_LIKE" => os.id_like = value.split_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => os.version_id = Some(value),
                "VERSION_CODENAME" => os.version_codename = Some(value),
                "PRETTY_NAME" => os.pretty_name = Some(value),
                _ => {}
            }
        }
        os
    }
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    match inner {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\$", "$").replace("\\`", "`").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}
