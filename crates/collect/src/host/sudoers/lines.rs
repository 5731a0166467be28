//! The files of sudoers as one sequence of logical lines.

use super::AFFECTS;
use crate::host::gap::{Gap, Place};
use crate::host::root::{Root, Unread};

/// As deep as sudo itself follows includes.
const DEEPEST: usize = 128;
const MOST_FILES: usize = 1000;
const MOST_LINES: usize = 100_000;
/// The bytes of all files together: 16 MiB. One that includes itself would be read again and again.
const MOST_BYTES: usize = 16 << 20;

/// One logical line without its comment, continuations joined.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) at: Place,
}

/// Every line that sudo would read, in its order.
#[derive(Default)]
pub(super) struct Source {
    pub(super) lines: Vec<Line>,
    pub(super) files: Vec<String>,
    pub(super) gaps: Vec<Gap>,
    /// The host's name, where it could be read.
    pub(super) host: Option<String>,
    bytes: usize,
    /// Those that are being read, the outermost first.
    open: Vec<String>,
}

impl Source {
    pub(super) fn read(root: &Root, path: &str) -> Self {
        let mut source = Self { host: host_name(root), ..Self::default() };
        source.file(root, path, 0);
        source
    }

    fn file(&mut self, root: &Root, path: &str, depth: usize) {
        let too_many = self.files.len() >= MOST_FILES || self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES;
        // sudo follows a circle until it is too deep, and reads nothing new there.
        let circle = self.open.iter().any(|open| open == path);
        if depth > DEEPEST || too_many || circle {
            let reason = "includes lead too deep, in a circle or to too much; the rest is not read";
            if !self.gaps.iter().any(|gap| gap.reason == reason) {
                self.gaps.push(Gap::new(path, reason, AFFECTS));
            }
            return;
        }
        let text = match root.read_text(path) {
            Ok(text) => text,
            Err(unread) => return self.gaps.extend(Gap::of(path, &unread, AFFECTS)),
        };
        self.files.push(path.to_owned());
        self.bytes += text.len();
        self.open.push(path.to_owned());
        self.read_lines(root, path, &text, depth);
        self.open.pop();
    }

    fn read_lines(&mut self, root: &Root, path: &str, text: &str, depth: usize) {
        let mut joined = String::new();
        let mut first = 0;
        for (index, physical) in text.lines().enumerate() {
            if self.lines.len() >= MOST_LINES {
                return self.gaps.push(Gap::new(path, format!("more than {MOST_LINES} lines"), AFFECTS));
            }
            if joined.is_empty() {
                first = index + 1;
                if let Some((is_dir, target)) = include(physical) {
                    self.include(root, &Place::new(path, first), (is_dir, &target), depth);
                    continue;
                }
            }
            let (content, commented) = without_comment(physical);
            joined.push_str(content);
            let slashes = joined.bytes().rev().take_while(|byte| *byte == b'\\').count();
            if !commented && slashes % 2 == 1 {
                joined.pop();
                joined.push(' ');
                continue;
            }
            self.push(path, first, &mut joined);
        }
        self.push(path, first, &mut joined);
    }

    fn push(&mut self, path: &str, line: usize, text: &mut String) {
        if !text.trim().is_empty() {
            self.lines.push(Line { text: text.trim().to_owned(), at: Place::new(path, line) });
        }
        text.clear();
    }

    fn include(&mut self, root: &Root, at: &Place, (is_dir, target): (bool, &str), depth: usize) {
        let from = &at.path;
        let Some(target) = self.expand(target) else {
            let source = at.to_string();
            return self.gaps.push(Gap::new(source, "includes a file by the host's name, which is unknown", AFFECTS));
        };
        let target = match target.strip_prefix('/') {
            Some(_) => target,
            None => format!("{}/{target}", from.rsplit_once('/').map_or("", |(dir, _)| dir)),
        };
        if !is_dir {
            return self.file(root, &target, depth + 1);
        }
        match root.list(&target, MOST_FILES) {
            Ok(names) => {
                for name in names.iter().map(|name| name.to_string_lossy()) {
                    if name.contains('.') || name.ends_with('~') {
                        continue;
                    }
                    let path = format!("{}/{name}", target.trim_end_matches('/'));
                    // sudo reads regular files only and passes over the rest.
                    if matches!(root.read(&path, 0), Err(Unread::WrongType(_) | Unread::Absent)) {
                        continue;
                    }
                    self.file(root, &path, depth + 1);
                }
            }
            Err(unread) => self.gaps.extend(Gap::of(target, &unread, AFFECTS)),
        }
    }

    /// `%h` is the host's name up to its first dot.
    fn expand(&self, path: &str) -> Option<String> {
        if !path.contains("%h") {
            return Some(path.replace("%%", "%"));
        }
        let short = self.host.as_deref()?.split('.').next()?;
        Some(path.replace("%h", short).replace("%%", "%"))
    }
}

fn host_name(root: &Root) -> Option<String> {
    let live = root.is_live().then(|| root.read_text("/proc/sys/kernel/hostname").ok()).flatten();
    let name = live.or_else(|| root.read_text("/etc/hostname").ok())?;
    let name = name.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(name.to_owned())
}

/// Whether a line includes a file (false) or a directory (true), and which.
fn include(line: &str) -> Option<(bool, String)> {
    let line = line.trim_start();
    let rest = line.strip_prefix('@').or_else(|| line.strip_prefix('#'))?.strip_prefix("include")?;
    let (is_dir, rest) = match rest.strip_prefix("dir") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    let path = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => unescaped_word(rest),
    };
    (!path.is_empty()).then_some((is_dir, path))
}

fn unescaped_word(text: &str) -> String {
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            ' ' | '\t' => break,
            other => word.push(other),
        }
    }
    word
}

/// A `#` begins a comment unless it is escaped, quoted, or begins the number of a user or group.
fn without_comment(line: &str) -> (&str, bool) {
    let bytes = line.as_bytes();
    let mut quoted = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            b'#' if !quoted => {
                let next = bytes.get(at + 1).copied().unwrap_or(b' ');
                let number =
                    next.is_ascii_digit() || (next == b'-' && bytes.get(at + 2).is_some_and(u8::is_ascii_digit));
                if !number {
                    return (&line[..at], true);
                }
            }
            _ => {}
        }
        at += 1;
    }
    (line, false)
}
