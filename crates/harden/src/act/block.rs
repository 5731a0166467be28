//! Blocks of lines in files that others own as well.
//!
//! A change puts its lines between two comments that name it, so that each of several transactions finds its own again
//! and takes nothing else out, in whichever order they are undone. What the lines of others say is never touched.

use serde::{Deserialize, Serialize};

const MARK: &str = "# seaworthy";

/// Where in a file a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Spot {
    /// Before everything else: where the first value counts.
    Top,
    /// After everything else: where the last value counts.
    End,
    /// Before the first `Match` of an `sshd_config`, at the end where there is none.
    BeforeMatch,
}

/// Lines and where they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The place.
    pub(super) spot: Spot,
    /// The lines, without their ends.
    pub(super) lines: Vec<String>,
}

/// What was made for the sake of a block, and goes with the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// The file.
    pub(super) file: bool,
    /// The directory that it is in.
    pub(super) directory: bool,
}

/// A text without a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Without {
    /// What is left.
    pub(super) text: String,
    /// Whether the block was there.
    pub(super) found: bool,
    /// What others have put into the block: it is left. By the names of the settings.
    pub(super) foreign: Vec<String>,
}

/// What the blocks of a text were made with.
pub(super) fn made(text: &str) -> Made {
    let notes =
        text.lines().filter(|line| line.starts_with(MARK)).filter_map(|line| line.split_once(" begin (")?.1.into());
    notes.fold(Made::default(), |made, notes: &str| Made {
        file: made.file || notes.contains("new file"),
        directory: made.directory || notes.contains("new directory"),
    })
}

/// The text with a block in it.
pub(super) fn insert(text: &str, id: &str, made: Made, part: &Part) -> String {
    let at = match part.spot {
        Spot::Top => 0,
        Spot::End => text.len(),
        Spot::BeforeMatch => first_match(text),
    };
    let (before, after) = text.split_at(at);
    let unended = !before.is_empty() && !before.ends_with('\n');
    let notes = [(made.file, "new file"), (made.directory, "new directory"), (unended, "new line")];
    let notes: Vec<&str> = notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let lines: String = part.lines.iter().map(|line| format!("{line}\n")).collect();
    let end = if unended { "\n" } else { "" };
    format!("{before}{end}{MARK} {id} begin{notes}\n{lines}{MARK} {id} end\n{after}")
}

/// Where the first `Match` begins, or the block of ours that it stands in.
fn first_match(text: &str) -> usize {
    let (mut at, mut block) = (0, None);
    for line in text.split_inclusive('\n') {
        let word = line.trim_start().split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        if word.trim_matches('"').eq_ignore_ascii_case("match") {
            return block.unwrap_or(at);
        }
        if line.starts_with(MARK) {
            block = line.contains(" begin").then_some(at);
        }
        at += line.len();
    }
    text.len()
}

/// The text without the block of that name, of which `ours` are the lines; what others put into it is left.
pub(super) fn remove(text: &str, id: &str, ours: &[String]) -> Without {
    let mut without = Without { text: String::new(), found: false, foreign: Vec::new() };
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if !begins(line, id) {
            without.text.push_str(line);
            continue;
        }
        without.found = true;
        let is_ours = |line: &str| ours.iter().any(|own| own == line.trim_end());
        let has_end = lines.clone().take_while(|l| !l.starts_with(MARK) || ends(l, id)).any(|l| ends(l, id));
        let mut inside: Vec<&str> = Vec::new();
        while let Some(line) = lines.next_if(|line| if has_end { !ends(line, id) } else { is_ours(line) }) {
            inside.push(line);
        }
        if has_end {
            lines.next();
        }
        let foreign: Vec<&&str> = inside.iter().filter(|line| !is_ours(line) && !line.trim().is_empty()).collect();
        // What others have put beneath our heading would lose its meaning without it.
        let is_heading = |line: &str| line.starts_with('[') || line.starts_with("Match ");
        if !foreign.is_empty() {
            let kept = inside.iter().filter(|line| !is_ours(line) || is_heading(line)).copied();
            without.text.extend(kept);
            without.foreign.extend(foreign.iter().map(|line| name(line)));
        } else if lines.peek().is_none() && notes(line).contains("new line") {
            without.text.pop();
        }
    }
    without
}

fn begins(line: &str, id: &str) -> bool {
    let rest = line.strip_prefix(MARK).and_then(|rest| rest.trim_start().strip_prefix(id));
    rest.is_some_and(|rest| rest.starts_with(" begin"))
}

fn ends(line: &str, id: &str) -> bool {
    line.trim_end() == format!("{MARK} {id} end")
}

fn notes(line: &str) -> &str {
    line.split_once(" begin (").map_or("", |(_, notes)| notes)
}

/// The name of what a line sets: never its value, which may be a secret.
pub(super) fn name(line: &str) -> String {
    let line = line.trim().trim_start_matches("export ");
    let end =
        line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len()).min(line.floor_char_boundary(60));
    line[..end].chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(spot: Spot, lines: &[&str]) -> Part {
        Part { spot, lines: lines.iter().map(|l| (*l).to_owned()).collect() }
    }

    #[test]
    fn two_blocks_come_out_in_either_order() {
        let (one, two) = (part(Spot::Top, &["A no"]), part(Spot::Top, &["A yes", "B 1"]));
        let first = insert("# theirs\nA maybe\n", "t1.1", Made::default(), &one);
        let both = insert(&first, "t2.1", Made::default(), &two);
        assert!(both.starts_with("# seaworthy t2.1 begin\nA yes\nB 1\n# seaworthy t2.1 end\n# seaworthy t1.1 begin\n"));
        let one_out = remove(&both, "t1.1", &one.lines);
        assert_eq!(remove(&one_out.text, "t2.1", &two.lines).text, "# theirs\nA maybe\n");
        let two_out = remove(&both, "t2.1", &two.lines);
        assert_eq!(two_out.text, first);
        assert_eq!(remove(&two_out.text, "t1.1", &one.lines).text, "# theirs\nA maybe\n");
        assert!(!remove("A no\n", "t1.1", &one.lines).found);
    }

    #[test]
    fn what_others_put_into_a_block_is_left_and_named() {
        let part = part(Spot::End, &["[Socket]", "SocketMode=0660", "SocketUser=root"]);
        let text = insert("", "t.1", Made { file: true, directory: true }, &part);
        assert_eq!(made(&text), Made { file: true, directory: true });
        let edited = text.replace("SocketMode=0660", "SocketMode=0666\nBacklog=3");
        let without = remove(&edited, "t.1", &part.lines);
        assert_eq!(without.text, "[Socket]\nSocketMode=0666\nBacklog=3\n");
        assert_eq!(without.foreign, ["SocketMode", "Backlog"]);
    }

    #[test]
    fn a_block_without_its_end_ends_with_its_last_own_line() {
        let part = part(Spot::Top, &["A no"]);
        let text = insert("B 1\nA no\n", "t.1", Made::default(), &part).replace("# seaworthy t.1 end\n", "");
        assert_eq!(remove(&text, "t.1", &part.lines).text, "B 1\nA no\n");
    }

    #[test]
    fn conditions_go_before_the_first_condition_and_before_a_block_that_holds_it() {
        let part = part(Spot::BeforeMatch, &["Match all", "    A no"]);
        let text = insert("A yes\n match User x\n A yes\n", "t1.1", Made::default(), &part);
        assert!(text.starts_with("A yes\n# seaworthy t1.1 begin\nMatch all\n    A no\n# seaworthy t1.1 end\n match"));
        let text = insert(&text, "t2.1", Made::default(), &part);
        assert!(text.starts_with("A yes\n# seaworthy t2.1 begin\n"), "{text}");
        assert!(insert("A yes\n", "t.1", Made::default(), &part).starts_with("A yes\n# seaworthy"));
    }

    proptest! {
        #[test]
        fn a_block_leaves_no_trace(
            text in "([a-zA-Z# =\\[\\]é\r\n-]|Match |# seaworthy x begin){0,40}",
            spot in prop_oneof![Just(Spot::Top), Just(Spot::End), Just(Spot::BeforeMatch)],
            lines in proptest::collection::vec("[a-zA-Z=\\[\\] ]{0,8}[a-z]", 1..4),
        ) {
            let part = Part { spot, lines };
            let with = insert(&text, "0123456789ab.1", Made::default(), &part);
            let without = remove(&with, "0123456789ab.1", &part.lines);
            prop_assert!(without.found && without.foreign.is_empty());
            prop_assert_eq!(without.text, text);
        }
    }
}
