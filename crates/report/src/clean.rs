//! Makes what was read from a host harmless: no terminal takes a command from it, no line runs away.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use seaworthy_core::value::Value;

/// The most characters of one value that a text shows.
pub const VALUE: usize = 200;

/// The most characters of a name that a text shows.
pub const NAME: usize = 80;

/// Text from anywhere, harmless and on one line: control, bidirectional and invisible characters are written out
/// (`\n`, `\u{1b}`), and at most 2,000 characters are kept.
pub fn one_line(text: &str) -> String {
    bounded(text, 2000).into_owned()
}

/// Whether a character could command a terminal, reorder or hide text, or break a line.
pub fn is_harmful(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Writes harmful characters out; all others stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut out, c);
    }
    Cow::Owned(out)
}

fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_harmful(c) => {
            // A String takes every write.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// The same, of at most `most` characters; what is cut is said by an ellipsis.
pub fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return clean(text);
    }
    match text.char_indices().nth(most) {
        None => clean(text),
        Some((end, _)) => Cow::Owned(format!("{}…", clean(&text[..end]))),
    }
}

/// Displays something, cleaned, of at most `most` characters: of a value of a megabyte only the beginning is built.
pub fn shown(what: &dyn fmt::Display, most: usize) -> String {
    let mut out = Short { text: String::new(), left: most };
    if write!(out, "{what}").is_err() {
        out.text.push('…');
    }
    out.text
}

/// A value as a text shows it.
pub fn value(value: &Value) -> String {
    shown(value, VALUE)
}

struct Short {
    text: String,
    left: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            push(&mut self.text, c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harm_is_written_out() {
        assert_eq!(one_line("a\x1b[2Jb\nc\u{202e}d\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}");
        assert_eq!(one_line("größe 箱 ok"), "größe 箱 ok");
        assert!(matches!(clean("größe"), Cow::Borrowed(_)));
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöüß", 3), "äöü…");
        assert_eq!(one_line(&"x".repeat(1 << 20)).chars().count(), 2001);
        let long = Value::strings(vec!["y"; 100_000]);
        assert_eq!(value(&long).chars().count(), VALUE + 1);
        assert_eq!(value(&Value::Str("x".repeat(VALUE).into())).chars().count(), VALUE);
    }
}
