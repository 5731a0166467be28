//! What a source file must have and must not have.

use std::path::Path;

/// Longest Rust file, in lines.
const MAX_LINES: usize = 600;

/// Macros that must not be left over. Written in halves, so that this file does not name them.
const LEFT_OVERS: [&str; 3] = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!(")];

/// Attributes that must give their reason.
const SILENCERS: [&str; 2] = [concat!("[", "allow("), concat!("[", "expect(")];

/// Paths of somebody's machine.
const MACHINE: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/go"),
    concat!("/ro", "ot/.cargo"),
    concat!("/ro", "ot/.rustup"),
    concat!("/ro", "ot/.cache"),
    concat!("/home/", "runner"),
];

/// Complaints about one text file.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |line: usize, what: String| complaints.push(format!("{}:{line}: {what}", path.display()));
    for (number, line) in text.lines().enumerate() {
        if let Some(place) = MACHINE.iter().find(|place| names(line, place)) {
            complain(number + 1, format!("a path of one machine ({place})"));
        }
    }
    if path.extension().is_some_and(|extension| extension == "rs") {
        rust(path, text, &mut complain);
    }
    complaints
}

fn rust(path: &Path, text: &str, complain: &mut impl FnMut(usize, String)) {
    let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
    if !is_test && !text.starts_with("//!") {
        complain(1, "does not begin with a //! that says what the file is for".into());
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complain(lines, format!("{lines} lines: split it along a noun (at most {MAX_LINES})"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(left) = LEFT_OVERS.iter().find(|left| names(line, left)) {
            complain(number + 1, format!("{left}…) is left over"));
        }
    }
    for silencer in SILENCERS {
        for (at, _) in text.match_indices(silencer) {
            let attribute = text[at..].split_once(")]").map_or(&text[at..], |(attribute, _)| attribute);
            let hash = text[..at].trim_end_matches('!').ends_with('#');
            if hash && !attribute.contains("reason =") {
                let line = text[..at].lines().count();
                complain(line, format!("#{silencer}…)] without a reason ="));
            }
        }
    }
}

/// Whether the line has the macro or path, not a longer one that ends so (`overlay2/ID/work/`).
fn names(line: &str, left_over: &str) -> bool {
    line.match_indices(left_over)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn complaints(path: &str, text: &str) -> usize {
        super::check(Path::new(path), text).len()
    }

    #[test]
    fn sees_what_is_left_over() {
        assert_eq!(complaints("src/a.rs", "//! A.\nfn a() {}\n"), 0);
        assert_eq!(complaints("src/a.rs", "fn a() {}\n"), 1);
        assert_eq!(complaints("tests/a.rs", "fn a() {}\n"), 0);
        assert_eq!(complaints("src/a/tests.rs", "fn a() {}\n"), 0);
        assert_eq!(complaints("src/a.rs", concat!("//! A.\nfn a() { to", "do!() }\n")), 1);
        assert_eq!(complaints("src/a.rs", "//! A.\nfn a() { my_todo!() }\n"), 0);
        assert_eq!(complaints("src/a.rs", &format!("//! A.\n{}", "\n".repeat(600))), 1);
    }

    #[test]
    fn silence_needs_a_reason() {
        assert_eq!(complaints("src/a.rs", concat!("//! A.\n#[", "allow(dead_code)]\nfn a() {}\n")), 1);
        assert_eq!(
            complaints("src/a.rs", concat!("//! A.\n#[", "expect(\n    dead_code,\n    reason = \"b\"\n)]\n")),
            0
        );
        assert_eq!(complaints("src/a.rs", concat!("//! A.\n#![", "allow(dead_code)]\n")), 1);
    }

    #[test]
    fn sees_machine_paths_in_any_text() {
        assert_eq!(complaints("README.md", concat!("see /wo", "rk/main\n")), 1);
        assert_eq!(complaints("README.md", concat!("an overlay's id/wo", "rk/\n")), 0);
    }
}
