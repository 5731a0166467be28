//! The text of a file, and the documents in it.

/// The text, without the mark that some editors begin it with.
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16, which kubectl does not read; write it as UTF-8".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|why| {
        let line = memchr::memchr_iter(b'\n', &bytes[..why.valid_up_to()]).count() + 1;
        format!("it is not UTF-8 in line {line}")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((at, found)) = text.char_indices().find(|(_, c)| is_refused(*c)) {
        let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() + 1;
        let found = u32::from(found);
        return Err(match found {
            0 => format!("it is binary, not a text (line {line})"),
            // Readers differ in whether a line, and with it a comment, ends there.
            0x85 | 0x2028 | 0x2029 => format!("line {line} holds U+{found:04X}, at which readers part lines or do not"),
            _ => format!("line {line} holds the character U+{found:04X}, which readers of YAML refuse"),
        });
    }
    Ok(text)
}

/// Characters that Kubernetes' reader refuses, and those that it takes for the end of a line where others do not.
fn is_refused(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => false,
        '\0'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    }
}

/// A part of a file that is one document.
pub(super) struct Part<'t> {
    /// The line that it begins in, from 1.
    pub line: usize,
    pub text: &'t str,
}

/// The documents: what lies between lines that begin with `---`. Comments and directives before such a line belong to the
/// document after it.
pub(super) fn parts(whole: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = whole;
    let mut line = 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (length, lines) = part(rest);
        let found = Part { line, text: &rest[..length] };
        rest = &rest[length..];
        line += lines;
        Some(found)
    })
}

/// Bytes and lines of the first document.
fn part(text: &str) -> (usize, usize) {
    let (mut end, mut lines) = (0, 0);
    let mut has_begun = false;
    for line in text.split_inclusive('\n') {
        let marks =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marks && has_begun {
            break;
        }
        has_begun |= marks || !matches!(line.trim_start().chars().next(), None | Some('#' | '%'));
        end += line.len();
        lines += breaks(line);
    }
    (end, lines)
}

/// The ends of lines as YAML has them: also a carriage return alone is one.
fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    memchr::memchr2_iter(b'\n', b'\r', bytes).filter(ends).count()
}
