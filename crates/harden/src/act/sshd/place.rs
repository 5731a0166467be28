//! Where settings have to stand so that sshd takes them.
//!
//! Outside of Match blocks sshd takes the first value of a keyword that it reads. What a Match block sets that is met by
//! a connection wins over that, and of several such blocks the first. A block ends with the file that it is in. So the
//! settings go before everything else, and where a Match block says otherwise, a `Match all` with them goes before it.

use super::config::{Instead, Reading, directory, matches};
use crate::act::block::{Part, Spot};
use crate::act::marked::Marked;
use crate::{Failure, Host};

/// The names that are tried, each earlier than the one before: sshd reads an include's files in the order of their bytes.
const NAMES: [&str; 4] = ["00-seaworthy.conf", "00-0-seaworthy.conf", "0-seaworthy.conf", "+seaworthy.conf"];

/// What becomes of which file so that the settings are those in effect: a drop-in where an include makes it possible,
/// else the main file.
pub(super) fn find(host: &Host, main: &str, set: &[(String, String)]) -> Result<Marked, Failure> {
    let parts = parts(&Reading::of(host, main, None)?, set);
    let mut unfit = None;
    for path in candidates(host, main)? {
        let (marked, text) = Marked::plan(host, &path, parts.clone())?;
        let reading = Reading::of(host, main, Some(&Instead { path: &path, text: &text }))?;
        match overruled(&reading, set) {
            None => return Ok(marked),
            Some(by) => unfit = Some(by),
        }
    }
    let by = unfit.unwrap_or_else(|| format!("{main} includes no directory and is not for editing"));
    Err(Failure(format!("sshd: no place comes before what says otherwise ({by}); change it there by hand")))
}

/// The files that may hold the settings, the best first.
fn candidates(host: &Host, main: &str) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    for pattern in Reading::of(host, main, None)?.includes {
        let Some((directory, part)) = directory(&pattern).filter(|(directory, _)| directory.starts_with("/etc/"))
        else {
            continue;
        };
        for name in NAMES {
            if matches(part, name)? {
                paths.push(format!("{directory}/{name}"));
            }
        }
    }
    // What lies in /usr is the vendor's.
    if main.starts_with("/etc/") {
        paths.push(main.to_owned());
    }
    paths.dedup();
    Ok(paths)
}

fn parts(reading: &Reading, set: &[(String, String)]) -> Vec<Part> {
    let line = |(keyword, value): &(String, String)| format!("{keyword} {value}");
    let mut parts = vec![Part { spot: Spot::Top, lines: set.iter().map(line).collect() }];
    let contested = set.iter().filter(|(keyword, value)| {
        reading.conditional(&seaworthy_core::sshd::canonical(keyword)).any(|other| !is_same(&other.value, value))
    });
    let contested: Vec<String> = contested.map(|setting| format!("    {}", line(setting))).collect();
    if !contested.is_empty() {
        let lines = std::iter::once("Match all".to_owned()).chain(contested).collect();
        parts.push(Part { spot: Spot::BeforeMatch, lines });
    }
    parts
}

/// What keeps one of the settings from being in effect for every connection.
pub(super) fn overruled(reading: &Reading, set: &[(String, String)]) -> Option<String> {
    for (keyword, value) in set {
        let name = seaworthy_core::sshd::canonical(keyword);
        match reading.first(&name) {
            Some(first) if is_same(&first.value, value) => {}
            Some(first) => return Some(format!("{keyword} in {}", first.file)),
            None => return Some(format!("{keyword} is not read")),
        }
        for other in reading.conditional(&name) {
            if !is_same(&other.value, value) {
                return Some(format!("{keyword} under Match in {}", other.file));
            }
            if other.criteria.as_deref().is_some_and(|criteria| criteria.eq_ignore_ascii_case("all")) {
                break;
            }
        }
    }
    None
}

/// Whether two values say the same.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let plain = |value: &str| match value.to_ascii_lowercase().as_str() {
        "without-password" => "prohibit-password".to_owned(),
        lower => lower.to_owned(),
    };
    plain(one) == plain(other)
}
