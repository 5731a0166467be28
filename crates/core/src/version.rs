//! Comparing versions: as Debian's packages order them, and as upstream projects mean them.
//!
//! The two differ where it matters: Debian's `1.6.20~ds1` is upstream's 1.6.20 with files taken
//! out, and sorts before `1.6.20` by Debian's rule; `28.0.0-rc.1` comes before 28.0.0 upstream,
//! and after it by Debian's rule.

use std::cmp::Ordering;
use std::fmt;

/// Orders two versions as dpkg does: epoch, then upstream version, then revision, with `~` before
/// everything, even the end. Never fails: what is no version is ordered all the same.
///
/// The rule is that of Debian Policy, section 5.6.12.
pub fn compare_debian(a: &str, b: &str) -> Ordering {
    let (a, b) = (Debian::split(a), Debian::split(b));
    let epochs = compare_digits(a.epoch, b.epoch);
    epochs.then_with(|| compare_part(a.upstream, b.upstream)).then_with(|| compare_part(a.revision, b.revision))
}

/// The three parts of a Debian version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debian<'a> {
    /// Digits before the first colon; empty means 0.
    pub epoch: &'a str,
    /// The upstream part, with Debian's own marks (`+dfsg1`, `~ds1`) still in it.
    pub upstream: &'a str,
    /// What follows the last hyphen; empty where there is none.
    pub revision: &'a str,
}

impl<'a> Debian<'a> {
    /// Splits a version; one without a colon has no epoch, one without a hyphen no revision.
    pub fn split(version: &'a str) -> Self {
        let version = version.trim();
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
            _ => ("", version),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, upstream, revision }
    }
}

fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Letters before other characters, `~` before all and the end between them.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let word = |text: &[u8]| text.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let (words_a, words_b) = (word(a), word(b));
        for index in 0..words_a.max(words_b) {
            let at = |text: &[u8], end: usize| if index < end { text.get(index).copied() } else { None };
            let order = weight(at(a, words_a)).cmp(&weight(at(b, words_b)));
            if order != Ordering::Equal {
                return order;
            }
        }
        (a, b) = (&a[words_a..], &b[words_b..]);
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits_a, digits_b) = (digits(a), digits(b));
        let number = |text: &[u8], end: usize| {
            let zeros = text[..end].iter().take_while(|byte| **byte == b'0').count();
            (zeros, end - zeros)
        };
        let ((zeros_a, len_a), (zeros_b, len_b)) = (number(a, digits_a), number(b, digits_b));
        let order = len_a.cmp(&len_b).then_with(|| a[zeros_a..digits_a].cmp(&b[zeros_b..digits_b]));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[digits_a..], &b[digits_b..]);
        if a.is_empty() && b.is_empty() {
            return Ordering::Equal;
        }
    }
}

/// A version as an upstream project numbers its releases: `20.10.24`, `v1.7.13`, `28.0.0-rc.1`.
///
/// What packagers add does not count (`+dfsg1`, `~ds1`, `-ce`, build metadata after `+`); a missing
/// number is 0; candidates (`alpha`, `beta`, `rc`, `pre`, `dev`) come before their release.
#[derive(Debug, Clone)]
pub struct Version {
    numbers: Vec<u64>,
    candidate: Option<(Stage, Vec<u64>)>,
    build: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Development,
    Alpha,
    Beta,
    Candidate,
}

impl Version {
    /// Reads an upstream version; none for text that does not begin with a number (after an
    /// optional `v`), as `dev` or `unknown`, and for numbers that do not fit 64 bits.
    ///
    /// A kernel's build number counts after the release's: `6.1.0-13-amd64` is over `6.1.0-12-amd64`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split('+').next().unwrap_or_default();
        let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
        let (release, suffix) = text.split_at(end);
        let release = release.trim_end_matches('.');
        let numbers = release.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
        let mut version = Self { numbers, candidate: None, build: Vec::new() };
        version.take_suffix(suffix);
        Some(version)
    }

    /// The upstream version in the version of a Debian, RPM or Alpine package: epoch, revision and
    /// release are left out (`5:20.10.24+dfsg1-1+deb12u1`, `1.7.13-r0`).
    pub fn of_package(text: &str) -> Option<Self> {
        Self::parse(Debian::split(text).upstream)
    }

    fn take_suffix(&mut self, suffix: &str) {
        let mut pieces = words_and_numbers(suffix).peekable();
        if let Some(Piece::Word(word)) = pieces.peek()
            && let Some(stage) = stage(word)
        {
            pieces.next();
            let numbers = pieces.map_while(|piece| match piece {
                Piece::Number(number) => Some(number),
                Piece::Word(_) => None,
            });
            self.candidate = Some((stage, numbers.collect()));
            return;
        }
        self.build.extend(pieces.map_while(|piece| match piece {
            Piece::Number(number) => Some(number),
            Piece::Word(_) => None,
        }));
    }

    /// True for a candidate that comes before its release.
    pub fn is_candidate(&self) -> bool {
        self.candidate.is_some()
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.numbers.first().copied().unwrap_or(0)
    }

    /// The second number, 0 where there is none.
    pub fn minor(&self) -> u64 {
        self.numbers.get(1).copied().unwrap_or(0)
    }
}

enum Piece<'a> {
    Word(&'a str),
    Number(u64),
}

fn words_and_numbers(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.flat_map(|part| {
        let digits = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
        let (word, rest) = part.split_at(digits);
        let number = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number);
        let word = (!word.is_empty()).then_some(Piece::Word(word));
        let tail = (!tail.is_empty()).then_some(Piece::Word(tail));
        [word, number.parse().ok().map(Piece::Number), tail].into_iter().flatten()
    })
}

fn stage(word: &str) -> Option<Stage> {
    match word.to_ascii_lowercase().as_str() {
        "dev" | "git" | "snapshot" => Some(Stage::Development),
        "alpha" | "a" => Some(Stage::Alpha),
        "beta" | "b" => Some(Stage::Beta),
        "rc" | "pre" | "preview" | "tp" => Some(Stage::Candidate),
        _ => None,
    }
}

fn compare_numbers(a: &[u64], b: &[u64]) -> Ordering {
    let at = |list: &[u64], index: usize| list.get(index).copied().unwrap_or(0);
    (0..a.len().max(b.len())).map(|i| at(a, i).cmp(&at(b, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let candidates = match (&self.candidate, &other.candidate) {
            (None, None) => Ordering::Equal,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, x)), Some((b, y))) => a.cmp(b).then_with(|| compare_numbers(x, y)),
        };
        compare_numbers(&self.numbers, &other.numbers)
            .then(candidates)
            .then_with(|| compare_numbers(&self.build, &other.build))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        f.write_str(&join(&self.numbers))?;
        if let Some((stage, numbers)) = &self.candidate {
            let stage = match stage {
                Stage::Development => "dev",
                Stage::Alpha => "alpha",
                Stage::Beta => "beta",
                Stage::Candidate => "rc",
            };
            write!(f, "-{stage}")?;
            if !numbers.is_empty() {
                write!(f, ".{}", join(numbers))?;
            }
        } else if !self.build.is_empty() {
            write!(f, "-{}", join(&self.build))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_versions_are_ordered_as_dpkg_orders_them() {
        // Each is before the next; the ties are below.
        let rising = [
            "0.9~~",
            "0.9~",
            "0.9",
            "1.0~rc1-1",
            "1.0-1~bpo1",
            "1.0-1",
            "1.0-1+deb12u1",
            "1.0-1+deb12u2",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0.1-1",
            "1.10",
            "1:0.1",
            "10:0.1",
        ];
        for (index, a) in rising.iter().enumerate() {
            for (other, b) in rising.iter().enumerate() {
                assert_eq!(compare_debian(a, b), index.cmp(&other), "{a} against {b}");
            }
        }
        for (a, b) in [("1.0", "0:1.0"), ("1.0-0", "1.0"), ("1.00", "1.0"), ("1.0-", "1.0"), ("", "0"), ("a0", "a")] {
            assert_eq!(compare_debian(a, b), Ordering::Equal, "{a} against {b}");
        }
        assert_eq!(compare_debian("99999999999999999999999", "99999999999999999999998"), Ordering::Greater);
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text} is a version"))
    }

    #[test]
    fn upstream_versions_are_ordered_as_their_projects_mean_them() {
        let rising = [
            "1.1.5",
            "v1.1.12",
            "1.6.33",
            "v1.7.0-alpha.1",
            "1.7.0-beta.0",
            "1.7.0-beta.4",
            "1.7.0-rc.2",
            "1.7.0~rc.10",
            "1.7",
            "v1.7.13",
            "6.1.0-12-amd64",
            "6.1.0-13-amd64",
            "19.03.0-beta1",
            "19.03.0",
            "19.03.15",
            "20.10.24+dfsg1",
            "28.0.0-rc.1",
            "28.0.0",
            "28.0.1",
        ];
        for (index, a) in rising.iter().enumerate() {
            for (other, b) in rising.iter().enumerate() {
                assert_eq!(version(a).cmp(&version(b)), index.cmp(&other), "{a} against {b}");
            }
        }
        for (a, b) in
            [("1.6.20~ds1", "1.6.20"), ("20.10.24+dfsg1", "v20.10.24"), ("17.12.1-ce", "17.12.1"), ("1.7", "1.7.0")]
        {
            assert_eq!(version(a), version(b), "{a} and {b}");
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "dev", "v", "unknown-version", "99999999999999999999.1", "-1", "master@abc"] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn packages_lose_what_packagers_add() {
        for (package, upstream) in [
            ("5:20.10.24+dfsg1-1+deb12u1", "20.10.24"),
            ("5:29.0.1-1~debian.12~bookworm", "29.0.1"),
            ("5:29.0.0~rc.1-1~debian.12~bookworm", "29.0.0-rc.1"),
            ("1.6.20~ds1-1+deb12u1", "1.6.20"),
            ("1.7.13-r0", "1.7.13"),
            ("20.10.25+azure-ubuntu22.04u2", "20.10.25"),
            ("3:24.0.7-1.el9", "24.0.7"),
        ] {
            assert_eq!(Version::of_package(package).map(|v| v.to_string()).as_deref(), Some(upstream), "{package}");
        }
    }
}
