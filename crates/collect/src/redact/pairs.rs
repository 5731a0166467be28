//! Secrets that are told by the name before them: `NAME=value`, `"name": "value"`, `name: value`, `Header: value`.

use std::ops::Range;

use super::class::Class;
use super::name::{self, Strength};
use super::scan::Spans;
use super::value;

/// The longest name that is walked back over, in bytes.
const LONGEST_NAME: usize = 256;

/// Adds the value after every `=` and `:` whose name speaks of a secret.
pub(super) fn find(text: &str, out: &mut Spans) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr::memchr2_iter(b'=', b':', bytes) {
        if at < done {
            continue;
        }
        let Some(key) = name_before(bytes, at) else { continue };
        let Some(name) = text.get(key.range.clone()) else { continue };
        let Some((class, strength)) = name::judge(name) else { continue };
        let Some(range) = value_after(text, at, &key) else { continue };
        let Some(found) = text.get(range.clone()) else { continue };
        if let Some((class, certain)) = judge_value(found, class, strength, name) {
            done = range.end;
            out.add_named(range, class, certain, Some(key.range));
        }
    }
}

/// Whether a value under a name that speaks of secrets is one: its class, and whether to accuse.
pub(super) fn judge_value(found: &str, class: Class, strength: Strength, name: &str) -> Option<(Class, bool)> {
    if value::is_harmless(found, class == Class::Password) {
        return None;
    }
    if name.len() >= 4
        && name.as_bytes()[name.len() - 4..].eq_ignore_ascii_case(b"auth")
        && value::is_base64_of_user_and_password(found)
    {
        return Some((Class::DockerAuth, true));
    }
    let url = found.contains("://");
    match strength {
        // A URL under such a name is judged as a URL.
        Strength::Strong if url && class != Class::Password => None,
        Strength::Strong => Some((class, found.len() >= 3 && !is_placeholder(found) && !value::is_secret_path(found))),
        Strength::Weak if value::looks_random(found) => {
            Some((class, value::is_surely_random(found) && !name::is_public(name)))
        }
        Strength::Weak => {
            let digits = found.bytes().filter(u8::is_ascii_digit).count();
            let letters = found.bytes().filter(u8::is_ascii_alphabetic).count();
            (!url && found.len() >= 8 && digits > 0 && letters > 0 && !found.contains('/')).then_some((class, false))
        }
    }
}

/// `<your password>` stands for a value.
fn is_placeholder(found: &str) -> bool {
    (found.starts_with('<') && found.ends_with('>'))
        || (found.starts_with("${") && !found.contains(":-") && found.ends_with('}'))
}

/// A name before a separator.
struct Key {
    range: Range<usize>,
    quoted: bool,
    spaced: bool,
    /// Bytes before the name.
    before: usize,
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-') || b >= 0x80
}

fn name_before(bytes: &[u8], at: usize) -> Option<Key> {
    let floor = at.saturating_sub(LONGEST_NAME);
    let mut end = at;
    while end > floor && matches!(bytes[end - 1], b' ' | b'\t') && at - end < 4 {
        end -= 1;
    }
    let spaced = end < at;
    let mut quoted = false;
    if end > floor && matches!(bytes[end - 1], b'"' | b'\'') {
        quoted = true;
        end -= 1;
        while end > floor && bytes[end - 1] == b'\\' {
            end -= 1;
        }
    }
    if end > floor && bytes[end - 1] == b']' {
        end -= 1; // params[password]=…
    }
    let mut start = end;
    while start > floor && is_name_byte(bytes[start - 1]) {
        start -= 1;
    }
    // An escaped line break is no part of the name after it.
    if start > 0 && bytes[start - 1] == b'\\' && start < end && matches!(bytes[start], b'n' | b't' | b'r') {
        start += 1;
    }
    (start < end).then_some(Key { range: start..end, quoted, spaced, before: start })
}

/// The value after the separator at `at`, without its quotes; `None` when there is none or the separator is no such.
fn value_after(text: &str, at: usize, key: &Key) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let colon = bytes[at] == b':';
    let mut start = at + 1;
    while matches!(bytes.get(start), Some(b'=' | b'>' | b':')) && start < at + 3 {
        start += 1;
    }
    let unspaced = start;
    if colon || key.spaced || key.quoted {
        while matches!(bytes.get(start), Some(b' ' | b'\t')) {
            start += 1;
        }
    }
    let slashes = bytes[start..].iter().take(8).take_while(|b| **b == b'\\').count();
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(start + slashes) {
        let from = start + slashes + 1;
        return Some(from..quoted_end(bytes, from, *quote, slashes));
    }
    if matches!(bytes.get(start), Some(b'{' | b'['))
        && bytes.get(start + 1).is_none_or(|b| b"\"'\\{[ \t\n]}".contains(b))
    {
        return None; // an object or a list, whose own pairs are judged
    }
    let name = &text[key.range.clone()];
    if colon && unspaced == start && !key.quoted && !is_direct(bytes, key, start, name) {
        return None;
    }
    if is_header(name) && colon {
        let end = memchr::memchr3(b'\n', b'"', b'\'', &bytes[start..]).map_or(bytes.len(), |i| start + i);
        return Some(after_scheme(text, start..end));
    }
    // YAML's block: `password: |` and the value on the next line.
    if colon && matches!(bytes.get(start), Some(b'|' | b'>')) && bytes[start..].iter().take(3).any(|b| *b == b'\n') {
        start += memchr::memchr(b'\n', &bytes[start..])? + 1;
        while matches!(bytes.get(start), Some(b' ' | b'\t')) {
            start += 1;
        }
    }
    let build = is_instruction(text, key.before);
    let range = after_scheme(text, start..plain_end(bytes, start, build));
    Some(range)
}

/// `password:hunter2` without a space is a pair, `secret:latest` and `/x/token:/y` are an image and a mount.
fn is_direct(bytes: &[u8], key: &Key, start: usize, name: &str) -> bool {
    let glued = key.before > 0 && matches!(bytes[key.before - 1], b'/' | b'@' | b':');
    let plain =
        !name.contains(['-', '.']) || name.ends_with("_authToken") || name.starts_with("x-") || name.starts_with("X-");
    let rest = &bytes[start..];
    let word = &rest[..rest.iter().take(128).position(|b| b.is_ascii_whitespace()).unwrap_or(rest.len().min(128))];
    let tag = word == b"latest"
        || word.first().is_some_and(|b| *b == b'/')
        || word.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    !glued && plain && !tag
}

fn is_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-registry-auth"]
        .iter()
        .any(|h| name.eq_ignore_ascii_case(h))
}

/// `Bearer x` keeps its first word.
fn after_scheme(text: &str, range: Range<usize>) -> Range<usize> {
    const SCHEMES: &[&str] = &["bearer ", "basic ", "token ", "digest ", "apikey ", "negotiate "];
    let Some(found) = text.get(range.clone()) else { return range };
    for scheme in SCHEMES {
        if found.len() > scheme.len() && found.as_bytes()[..scheme.len()].eq_ignore_ascii_case(scheme.as_bytes()) {
            return range.start + scheme.len()..range.end;
        }
    }
    range
}

fn quoted_end(bytes: &[u8], from: usize, quote: u8, slashes: usize) -> usize {
    let mut run = 0;
    for (i, b) in bytes[from..].iter().enumerate() {
        match b {
            b'\\' => run += 1,
            b if *b == quote && run <= slashes && !(slashes == 0 && run == 1) => return from + i - run.min(slashes),
            _ => run = 0,
        }
    }
    bytes.len()
}

/// True where a Dockerfile's `ENV`, `ARG`, `LABEL` or the `|1 NAME=value` of a build stands before the name: values
/// there may hold spaces.
fn is_instruction(text: &str, before: usize) -> bool {
    let head = &text[..before];
    let head = &head[super::token::floor(head, head.len().saturating_sub(4096))..];
    text.as_bytes().first() == Some(&b'|') || ["ENV ", "ARG ", "LABEL "].iter().any(|i| head.contains(i))
}

/// The end of a value without quotes. White space ends it; a comma, an ampersand and a semicolon do so only where
/// another pair or nothing follows, since passwords hold them as well.
fn plain_end(bytes: &[u8], start: usize, spaces: bool) -> usize {
    let mut i = start;
    let mut open = 0usize;
    while i < bytes.len() {
        match bytes[i] {
            b'{' | b'(' | b'[' => open += 1,
            b'}' | b')' | b']' if open > 0 => open -= 1,
            b'\n' | b'\r' | b'\0' => return i,
            b' ' | b'\t' => {
                let rest = &bytes[i + 1..];
                if !spaces
                    || pair_follows(rest)
                    || rest.starts_with(b"/bin/")
                    || rest.starts_with(b"#")
                    || rest.starts_with(b"&&")
                {
                    return i;
                }
            }
            b',' | b'&' | b';' | b'|' if soft_end(&bytes[i + 1..], bytes[i]) => return i,
            b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'>' if closes(&bytes[i + 1..]) => return i,
            b'\\' if matches!(bytes.get(i + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'')) => return i,
            _ => {}
        }
        i += 1;
    }
    i
}

/// After a bracket or a quote nothing of the same word follows.
fn closes(rest: &[u8]) -> bool {
    rest.first().is_none_or(|b| b.is_ascii_whitespace() || b",;:)]}>\"'`&|\\@#".contains(b))
}

fn soft_end(rest: &[u8], delimiter: u8) -> bool {
    match rest.first() {
        None => true,
        Some(b) if b.is_ascii_whitespace() || *b == delimiter => true,
        _ => pair_follows(rest) || (delimiter == b',' && option_follows(rest)),
    }
}

/// `name=` or `"name":` stands at the beginning.
fn pair_follows(rest: &[u8]) -> bool {
    let rest = if matches!(rest.first(), Some(b'"' | b'\'')) { &rest[1..] } else { rest };
    let name = rest.iter().take(64).take_while(|b| is_name_byte(**b) || **b == b'"').count();
    name > 0 && matches!(rest.get(name), Some(b'=' | b':'))
}

/// A mount option without a value stands at the beginning.
fn option_follows(rest: &[u8]) -> bool {
    const OPTIONS: &[&[u8]] = &[
        b"rw",
        b"ro",
        b"soft",
        b"hard",
        b"nolock",
        b"noperm",
        b"noexec",
        b"nosuid",
        b"nodev",
        b"seal",
        b"mfsymlinks",
        b"nobrl",
        b"noatime",
    ];
    let word = rest.iter().take(32).take_while(|b| is_name_byte(**b)).count();
    OPTIONS.contains(&&rest[..word]) && rest.get(word).is_none_or(|b| matches!(b, b',' | b' ' | b'"' | b'\''))
}
