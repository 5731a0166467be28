//! The version of Kubernetes that files are judged for.

use std::str::FromStr;

/// A version of Kubernetes: `1.35`, `v1.35.4`, `1.33.5-gke.1200`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it was given, without the `v`.
    pub text: String,
    /// The minor version: 35.
    pub minor: u16,
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("`{}` is no version of Kubernetes; 1.35 or 1.35.4 is", crate::docker::history::within(text, 40));
        let plain = text.strip_prefix('v').unwrap_or(text);
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| is_number)
        };
        let (version, more) =
            plain.split_once(['-', '+']).map_or((plain, None), |(version, more)| (version, Some(more)));
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        if more.is_some_and(|more| more.is_empty() || more.len() > 64 || !more.chars().all(is_word)) {
            return Err(refused());
        }
        let mut parts = version.split('.');
        let (major, minor, patch) = (parts.next().and_then(number), parts.next().and_then(number), parts.next());
        if patch.is_some_and(|patch| number(patch).is_none()) || parts.next().is_some() {
            return Err(refused());
        }
        match (major, minor) {
            (Some(1), Some(minor)) => Ok(Self { text: plain.to_owned(), minor }),
            _ => Err(refused()),
        }
    }
}
