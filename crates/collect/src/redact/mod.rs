//! The one redactor: secrets are recognised and leave only name, class and length bucket.
//!
//! There are two thresholds. What is kept for a person to read ([`Redactor::text`] and its kin) hides whatever might be
//! a secret; what a check accuses of ([`Redactor::secrets_in`], [`EnvVar::secret`]) is what surely is one.
//! Values of variables are never kept, not even harmless ones.

mod class;
mod flags;
mod name;
mod pairs;
mod scan;
mod token;
mod url;
mod value;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use class::{Class, LengthBucket};
use scan::{Span, Spans};
use token::floor;

/// The most bytes of one text that are searched: 64 KiB. What lies beyond is never kept.
pub const MOST_SCANNED: usize = 64 << 10;

/// The most bytes of one text that are kept: 4 KiB, with a mark that says how long it was.
pub const MOST_KEPT: usize = 4 << 10;

/// The longest name that is kept, in bytes.
const MOST_NAME: usize = 256;

/// A variable of an environment, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// The name before `=`, at most 256 bytes.
    pub name: String,
    /// True when there is an `=` with at least one byte behind it.
    pub has_value: bool,
    /// The class, when the value surely is or holds a secret.
    pub secret: Option<Class>,
    /// How long the value was.
    pub length: LengthBucket,
}

/// A secret that a text holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretHit {
    /// Its class.
    pub class: Class,
    /// The name that it was given, where there is one.
    pub name: Option<String>,
    /// How long it was.
    pub length: LengthBucket,
}

/// Recognises secrets. What it needs is compiled when it is first needed, once for all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redactor;

impl Redactor {
    /// A redactor.
    pub fn new() -> Self {
        Self
    }

    /// Name, class and length of one `NAME=value` entry; the value is not kept.
    pub fn env(&self, entry: &str) -> EnvVar {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (entry, None),
        };
        let found = value.filter(|v| !v.is_empty()).and_then(|v| self.classify(name, v));
        EnvVar {
            name: self.name(name),
            has_value: value.is_some_and(|v| !v.is_empty()),
            secret: found,
            length: LengthBucket::of(value.map_or(0, str::len)),
        }
    }

    /// The class of a value under its name, when it surely is or holds a secret.
    pub fn classify(&self, name: &str, value: &str) -> Option<Class> {
        let value = cut(value, MOST_SCANNED);
        let by_form = self.scan(value).merged().into_iter().filter(|s| s.certain).map(|s| s.class).next();
        if by_form.is_some() {
            return by_form;
        }
        let trimmed = value.trim();
        if let Some((class, strength)) = name::judge(name) {
            let judged = pairs::judge_value(trimmed, class, strength, name);
            return judged.and_then(|(class, certain)| certain.then_some(class));
        }
        (value::is_surely_random(trimmed) && !name::is_public(name)).then_some(Class::HighEntropy)
    }

    /// The class of secret that a variable of this name is made for; none where the name does not surely say so.
    pub fn named(&self, name: &str) -> Option<Class> {
        name::judge(name).filter(|(_, strength)| *strength == name::Strength::Strong).map(|(class, _)| class)
    }

    /// The text with every secret replaced by `[redacted CLASS]`; at most [`MOST_KEPT`] bytes of it.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let seen = cut(text, MOST_SCANNED);
        let spans = self.scan_all(seen).merged();
        replace(text, seen, spans)
    }

    /// The text without what is surely a token by its own form, whatever stands around it; nothing else is changed.
    pub fn without_tokens<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // The shortest form has more bytes.
        if text.len() < 12 {
            return Cow::Borrowed(text);
        }
        let mut spans = Spans::default();
        token::find(text, &mut spans);
        let certain: Vec<Span> = spans.merged().into_iter().filter(|span| span.certain).collect();
        if certain.is_empty() { Cow::Borrowed(text) } else { replace(text, cut(text, MOST_SCANNED), certain) }
    }

    /// The arguments of a process, each as [`Redactor::text`]; also `--password x`, `-e NAME=value`, `mysql -px`.
    pub fn argv<S: AsRef<str>>(&self, argv: &[S]) -> Vec<String> {
        // One text with a byte between the arguments that none of them can hold, so that ranges stay comparable.
        let mut joined = String::new();
        let mut words = Vec::with_capacity(argv.len().min(1024));
        for arg in argv {
            let start = joined.len();
            joined.push_str(cut(arg.as_ref(), MOST_SCANNED));
            words.push(start..joined.len());
            if joined.len() > 16 * MOST_SCANNED {
                break;
            }
        }
        let mut spans = Spans::default();
        flags::find(&joined, &words, true, &mut spans);
        let by_flag = spans.merged();
        words
            .iter()
            .zip(argv)
            .map(|(range, arg)| {
                let seen = &joined[range.clone()];
                let mut own = self.scan_all(seen);
                for span in by_flag.iter().filter(|s| s.range.start >= range.start && s.range.end <= range.end) {
                    own.add(span.range.start - range.start..span.range.end - range.start, span.class, span.certain);
                }
                replace(arg.as_ref(), seen, own.merged()).into_owned()
            })
            .collect()
    }

    /// A URL without its userinfo and without the values of secret parameters.
    pub fn url(&self, url: &str) -> String {
        let seen = cut(url, MOST_SCANNED);
        let mut spans = self.scan_all(seen);
        url::find_userinfo(seen, &mut spans);
        replace(url, seen, spans.merged()).into_owned()
    }

    /// The value of an option (of a log driver, a volume, an annotation) under its name.
    pub fn option<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        let Some((class, strength)) = name::judge(name) else { return self.text(value) };
        match pairs::judge_value(value, class, strength, name) {
            Some((class, _)) => Cow::Owned(format!("[redacted {class}]")),
            None => self.text(value),
        }
    }

    /// The secrets that surely are in a text, in order; at most 64.
    pub fn secrets_in(&self, text: &str) -> Vec<SecretHit> {
        let seen = cut(text, MOST_SCANNED);
        let spans = self.scan_all(seen).merged();
        let hit = |span: Span| SecretHit {
            class: span.class,
            length: LengthBucket::of(span.range.len()),
            name: span.name.and_then(|r| seen.get(r)).map(|n| self.name(n)),
        };
        spans.into_iter().filter(|s| s.certain).take(64).map(hit).collect()
    }

    /// A name as it may be kept: short, and no secret itself.
    fn name(&self, name: &str) -> String {
        let short = cut(name, MOST_NAME);
        let text = self.text(name);
        if matches!(text, Cow::Borrowed(_)) && short.len() == name.len() {
            short.to_owned()
        } else {
            cut(&text, MOST_NAME).to_owned()
        }
    }

    /// Everything but what flags tell.
    fn scan(&self, text: &str) -> Spans {
        let mut spans = Spans::default();
        if text.is_empty() {
            return spans;
        }
        token::find(text, &mut spans);
        pairs::find(text, &mut spans);
        url::find(text, &mut spans);
        find_random(text, &mut spans);
        spans
    }

    fn scan_all(&self, text: &str) -> Spans {
        let mut spans = self.scan(text);
        if might_have_flags(text) {
            let mut words = Vec::new();
            flags::words(text, 0..text.len(), 2, &mut words);
            flags::find(text, &words, false, &mut spans);
        }
        spans
    }
}

/// A dash at the beginning or after white space, a quote or a bracket, or one of the words that take a secret without.
fn might_have_flags(text: &str) -> bool {
    let bytes = text.as_bytes();
    let starts = |i: usize| i == 0 || matches!(bytes[i - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b',' | b'[');
    memchr::memchr_iter(b'-', bytes).any(starts)
        || ["requirepass", "masterauth", "chpasswd", "ENV ", "ARG ", "login "]
            .iter()
            .any(|w| memchr::memmem::find(bytes, w.as_bytes()).is_some())
}

/// Adds runs that look random, save for digests and identifiers.
fn find_random(text: &str, out: &mut Spans) {
    let bytes = text.as_bytes();
    let mut start = 0;
    while start + value::SHORTEST_RANDOM <= bytes.len() {
        // A run of the shortest length has its last byte here, so most of a clean text is skipped in strides.
        let probe = start + value::SHORTEST_RANDOM - 1;
        if let Some(back) = bytes[start..=probe].iter().rposition(|b| !value::is_run_byte(*b)) {
            start += back + 1;
            continue;
        }
        let end = bytes[probe..].iter().position(|b| !value::is_run_byte(*b)).map_or(bytes.len(), |i| probe + i);
        random_run(text, start, end, out);
        start = end;
    }
}

fn random_run(text: &str, start: usize, end: usize, out: &mut Spans) {
    let run = &text[start..end];
    let head = &text[floor(text, start.saturating_sub(12))..start];
    let is_digest = ["sha256:", "sha512:", "sha384:", "sha1:", "md5:", "@sha256:"].iter().any(|p| head.ends_with(p))
        || ["sha256-", "sha512-", "sha384-", "AAAAB3Nza", "AAAAC3Nza", "AAAAE2Vj"].iter().any(|p| run.starts_with(p));
    if is_digest {
        return;
    }
    // `NAME=value` without a break is two runs.
    if !run.trim_end_matches('=').contains('=') && value::looks_random(run) {
        out.add(start..end, Class::HighEntropy, false);
        return;
    }
    // Parts of a path, of `name=value`, of words joined by dashes.
    let mut at = start;
    for part in run.split(['/', '=']) {
        if value::looks_random(part) {
            out.add(at..at + part.len(), Class::HighEntropy, false);
        }
        at += part.len() + 1;
    }
}

/// The first bytes of a text, cut between two characters.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most { text } else { &text[..floor(text, most)] }
}

/// Puts the marks in; `seen` is the searched beginning of `text`, and nothing after it is kept.
fn replace<'t>(text: &'t str, seen: &str, spans: Vec<Span>) -> Cow<'t, str> {
    if spans.is_empty() && text.len() <= MOST_KEPT {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(seen.len().min(MOST_KEPT) + 64);
    let mut at = 0;
    for span in spans {
        out.push_str(&seen[at.min(span.range.start)..span.range.start]);
        // Writing to a string does not fail.
        let _ = write!(out, "[redacted {}]", span.class);
        at = span.range.end;
        if out.len() > MOST_KEPT {
            break;
        }
    }
    if out.len() <= MOST_KEPT {
        out.push_str(cut(&seen[at..], MOST_KEPT + 4));
    }
    if text.len() > MOST_SCANNED || out.len() > MOST_KEPT {
        out.truncate(floor(&out, MOST_KEPT));
        let _ = write!(out, "… ({} bytes)", text.len());
    }
    Cow::Owned(out)
}
