//! Foreign text made fit for a line of an error.

use std::fmt::Write as _;

/// The most characters of a peer's own words that an error repeats.
pub const PEER_TEXT_LIMIT: usize = 200;

/// Makes foreign text fit for one line of an error: at most `limit` characters of it (then `…`),
/// control and direction-changing characters escaped, and the userinfo of URLs taken out.
#[must_use]
pub fn sanitize(text: &str, limit: usize) -> String {
    // Enough for `limit` characters of four bytes and then some, so that a megabyte costs little.
    let (cleaned, whole) = strip_userinfo(text, limit.saturating_mul(8));
    let mut out = String::new();
    for (count, c) in cleaned.trim().chars().enumerate() {
        if count == limit {
            out.push('…');
            return out;
        }
        if is_unprintable(c) {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    if !whole {
        out.push('…');
    }
    out
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Takes `user:password@` out of every URL in the text.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    strip_userinfo(text, usize::MAX).0
}

/// The text without userinfo, at most about `enough` bytes of it, and whether that is all of it.
fn strip_userinfo(text: &str, enough: usize) -> (String, bool) {
    let mut out = String::new();
    let mut rest = text;
    while out.len() < enough {
        let Some(start) = rest.find("://") else {
            let mut end = rest.len().min(enough);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            out.push_str(&rest[..end]);
            return (out, end == rest.len());
        };
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        // The authority ends where a path, query, quote or blank begins. A password may itself
        // hold an unescaped '/', so an '@' before the next blank or quote counts too.
        let word =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')).unwrap_or(after.len());
        let authority = after[..word].find(['/', '?', '#']).unwrap_or(word);
        let cut = match after[..authority].rfind('@') {
            Some(position) => position + 1,
            None => match after[..word].find('@') {
                Some(position) if holds_password(&after[..position]) => position + 1,
                _ => 0,
            },
        };
        rest = &after[cut..];
    }
    (out, rest.is_empty())
}

/// Whether what stands before an `@` behind the first `/` is `user:pass/word` and not `host:port/path`.
fn holds_password(before: &str) -> bool {
    let first = before.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(sanitize("a\x1b[31mb\nc\u{202e}d", 100), "a\\u{1b}[31mb\\nc\\u{202e}d");
    }

    #[test]
    fn bounds_long_text() {
        let cut = sanitize(&"x".repeat(1 << 20), 10);
        assert_eq!(cut, "xxxxxxxxxx…");
        assert_eq!(sanitize("éééé", 4), "éééé");
        assert_eq!(sanitize(&"é".repeat(1000), 3), "ééé…");
    }

    #[test]
    fn takes_credentials_out_of_urls() {
        assert_eq!(
            sanitize("proxy http://me:s3cret@proxy:3128/ and tcp://x@y, tcp://a:1/b@c", 200),
            "proxy http://proxy:3128/ and tcp://y, tcp://a:1/b@c"
        );
        let long = format!("http://u:{}@h/", "hunter2".repeat(10_000));
        assert_eq!(sanitize(&long, 20), "http://h/");
        assert!(!sanitize(&"://".repeat(300_000), 20).contains("@"));
        assert_eq!(without_userinfo("https://u:pa/ss@h/x"), "https://h/x");
        assert_eq!(without_userinfo("https://h/x@y"), "https://h/x@y");
        assert_eq!(without_userinfo("://"), "://");
    }
}
