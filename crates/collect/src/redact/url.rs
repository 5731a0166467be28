//! Passwords in URLs and in `user:password@host`.

use std::ops::Range;

use super::class::Class;
use super::scan::Spans;
use super::value;

/// Userinfo of one URL.
struct UserInfo {
    all: Range<usize>,
    password: Option<Range<usize>>,
}

/// Adds the password of every URL, and of every `user:password@host` without a scheme.
pub(super) fn find(text: &str, out: &mut Spans) {
    if memchr::memchr(b'@', text.as_bytes()).is_none() {
        return;
    }
    for info in userinfos(text) {
        match info.password {
            Some(p) if value::is_harmless(&text[p.clone()], false) => {}
            Some(p) => out.add(p, Class::UrlPassword, true),
            // A lone user that is long or random is a token.
            None if info.all.len() >= SHORTEST_TOKEN => out.add(info.all, Class::UrlPassword, false),
            None => {}
        }
    }
    find_bare(text, out);
}

/// A user name of as many bytes is taken for a token.
const SHORTEST_TOKEN: usize = 20;

/// Adds the whole userinfo of the URLs, for the strict form.
pub(super) fn find_userinfo(text: &str, out: &mut Spans) {
    for info in userinfos(text) {
        out.add(info.all, Class::UrlPassword, info.password.is_some());
    }
    find_bare(text, out);
}

fn userinfos(text: &str) -> Vec<UserInfo> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("://") {
        let start = at + found + 3;
        at = start;
        let end = bytes[start..]
            .iter()
            .position(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\'))
            .map_or(bytes.len(), |i| start + i);
        let end = text[start..end].find("://").map_or(end, |i| start + i);
        let authority =
            bytes[start..end].iter().position(|b| matches!(b, b'/' | b'?' | b'#')).map_or(end, |i| start + i);
        let sign = match memchr::memrchr(b'@', &bytes[start..authority]) {
            Some(i) => Some(start + i),
            None => unencoded(bytes, start, authority, end),
        };
        let Some(sign) = sign else { continue };
        let password = memchr::memchr(b':', &bytes[start..sign]).map(|i| start + i + 1..sign);
        out.push(UserInfo { all: start..sign, password });
        at = sign;
    }
    out
}

/// The `@` of a password that holds `/`, `?` or `#` as they are; `host:8080/x@y` has none.
fn unencoded(bytes: &[u8], start: usize, authority: usize, end: usize) -> Option<usize> {
    let colon = start + memchr::memchr(b':', &bytes[start..authority])?;
    let port = &bytes[colon + 1..authority];
    if !port.is_empty() && port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    memchr::memrchr(b'@', &bytes[authority..end]).map(|i| authority + i)
}

/// `user:password@tcp(host:3306)/db`, `user:password@proxy:3128`.
fn find_bare(text: &str, out: &mut Spans) {
    let bytes = text.as_bytes();
    let mut floor = 0;
    for at in memchr::memchr_iter(b'@', bytes) {
        let rest = &bytes[at + 1..];
        if rest.starts_with(b"sha256:") || rest.starts_with(b"sha512:") {
            continue;
        }
        let start = bytes[floor..at]
            .iter()
            .rposition(|b| {
                b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'=' | b',' | b'<' | b'>' | b'`' | b'\\')
            })
            .map_or(floor, |i| floor + i + 1);
        floor = at;
        let word = &text[start..at];
        let Some(colon) = word.find(':') else { continue };
        let (user, password) = (&word[..colon], &word[colon + 1..]);
        let host = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'[' | b'(' | b'$' | b'{'))
            .count();
        if host == 0 || user.contains('/') || password.starts_with("//") || value::is_harmless(password, false) {
            continue;
        }
        let after = rest.get(host).copied();
        let clear = after == Some(b':') || rest[..host].contains(&b'(') || rest[..host].contains(&b'.');
        out.add(start + colon + 1..at, Class::UrlPassword, clear && !password.contains('/') && password.len() >= 3);
    }
}
