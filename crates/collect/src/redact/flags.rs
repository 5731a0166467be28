//! Secrets on command lines: `--password x`, `-psecret` of mysql, `-u user:password` of curl.

use std::ops::Range;

use super::class::Class;
use super::name;
use super::pairs;
use super::scan::Spans;
use super::value;

/// What the value of a short flag is for a program.
#[derive(Clone, Copy)]
enum Takes {
    /// The secret itself.
    Secret,
    /// The secret, written to the flag without a space.
    Glued,
    /// `user:password`, of which the user stays.
    UserAndPassword,
}

/// Programs by their base name (a prefix where it ends in `*`), the flag, and what it takes.
const PROGRAMS: &[(&str, &str, Takes)] = &[
    ("mysql*", "-p", Takes::Glued),
    ("mariadb*", "-p", Takes::Glued),
    ("xtrabackup", "-p", Takes::Glued),
    ("sshpass", "-p", Takes::Secret),
    ("sshpass", "-p", Takes::Glued),
    ("login", "-p", Takes::Secret),
    ("redis-cli", "-a", Takes::Secret),
    ("valkey-cli", "-a", Takes::Secret),
    ("mongo*", "-p", Takes::Secret),
    ("curl", "-u", Takes::UserAndPassword),
    ("curl", "-U", Takes::UserAndPassword),
    ("wget", "-u", Takes::UserAndPassword),
    ("ldap*", "-w", Takes::Secret),
    ("smbclient", "-U", Takes::UserAndPassword),
    ("lftp", "-u", Takes::UserAndPassword),
    ("sqlcmd", "-P", Takes::Secret),
    ("mosquitto_*", "-P", Takes::Secret),
    ("keytool", "-storepass", Takes::Secret),
    ("keytool", "-keypass", Takes::Secret),
    ("openssl", "-k", Takes::Secret),
    ("openssl", "-K", Takes::Secret),
    ("zip", "-P", Takes::Secret),
    ("unzip", "-P", Takes::Secret),
    ("7z*", "-p", Takes::Glued),
    ("ipmitool", "-P", Takes::Secret),
    ("snmp*", "-A", Takes::Secret),
    ("snmp*", "-X", Takes::Secret),
    ("cypher-shell", "-p", Takes::Secret),
    ("clickhouse*", "--password", Takes::Secret),
    ("influx", "-t", Takes::Secret),
    ("rclone", "--pass", Takes::Secret),
];

/// Long flags that take `user:password`.
const USER_FLAGS: &[&str] =
    &["--user", "--proxy-user", "--userpwd", "--creds", "--src-creds", "--dest-creds", "--basic-auth", "--requestauth"];

/// Settings whose value is the next word, without dashes (`redis-server requirepass x`, `net rpc`).
const BARE: &[&str] = &["requirepass", "masterauth"];

/// Adds what the words give away; each word is a range of `text`.
pub(super) fn find(text: &str, words: &[Range<usize>], whole: bool, out: &mut Spans) {
    piped(text, words, out);
    let mut seen: u64 = 0; // programs met so far, one bit for each row of PROGRAMS
    let (mut previous, mut earlier) = ("", "");
    for (i, range) in words.iter().enumerate() {
        let word = &text[range.clone()];
        let next = words.get(i + 1);
        if !word.starts_with('-') {
            seen |= rows_of(word);
            if BARE.iter().any(|b| word.eq_ignore_ascii_case(b)) {
                add_next(text, next, Class::Password, out);
            }
            // A line of `.netrc`.
            if word == "password" && earlier == "login" {
                add_next(text, next, Class::Password, out);
            }
            if matches!(previous, "ENV" | "ARG") && matches!(name::judge(word), Some((_, name::Strength::Strong))) {
                add_next(text, next, Class::Password, out);
            }
            if whole && previous != "-c" {
                whole_pair(text, range, word, out);
            }
        } else if !whole || !whole_pair(text, range, word, out) {
            flag(text, range, word, next, seen, out);
        }
        earlier = previous;
        previous = word;
    }
}

/// An argument that is `name=value` as a whole: its value may hold anything, spaces too.
fn whole_pair(text: &str, range: &Range<usize>, word: &str, out: &mut Spans) -> bool {
    let Some(sign) = word.bytes().take(256).position(|b| b == b'=') else { return false };
    let key = word[..sign].trim_start_matches('-');
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return false;
    }
    let Some((class, strength)) = name::judge(key) else { return false };
    let at = range.start + sign + 1..range.end;
    if let Some((class, certain)) = pairs::judge_value(&text[at.clone()], class, strength, key) {
        out.add_named(at, class, certain, Some(range.start + sign - key.len()..range.start + sign));
    }
    true
}

fn flag(text: &str, range: &Range<usize>, word: &str, next: Option<&Range<usize>>, seen: u64, out: &mut Spans) {
    let (flag, attached) =
        word.split_once('=').map_or((word, None), |(f, v)| (f, Some(range.end - v.len()..range.end)));
    if USER_FLAGS.contains(&flag) {
        // `docker run --user app:app` is a user and a group.
        user_and_password(text, attached.as_ref().or(next), flag != "--user", out);
        return;
    }
    for (row, (_, short, takes)) in PROGRAMS.iter().enumerate() {
        if seen & (1 << row) == 0 {
            continue;
        }
        let cluster = word.len() < 16 && !word.starts_with("--") && short.len() == 2 && word.ends_with(&short[1..]);
        if cluster && word != *short && matches!(takes, Takes::UserAndPassword) {
            user_and_password(text, next, true, out);
        }
        if !word.starts_with(short) {
            continue;
        }
        let glued = range.start + short.len()..range.end;
        match takes {
            Takes::Glued if !glued.is_empty() => add(text, glued, Class::Password, out),
            Takes::Secret if glued.is_empty() => add_next(text, next, Class::Password, out),
            // `-sSu` ends in the flag.
            Takes::UserAndPassword if glued.is_empty() => user_and_password(text, next, true, out),
            Takes::UserAndPassword => user_and_password(text, Some(&glued), true, out),
            _ => {}
        }
    }
    let key = flag.trim_start_matches('-');
    if attached.is_none() && key.len() > 2 {
        let class = match name::judge(key) {
            Some((class, name::Strength::Strong)) => class,
            _ if key.eq_ignore_ascii_case("pass")
                || key.eq_ignore_ascii_case("passin")
                || key.eq_ignore_ascii_case("passout") =>
            {
                Class::Password
            }
            _ => return,
        };
        add_next(text, next, class, out);
    }
}

/// `echo x | docker login --password-stdin`, `echo user:x | chpasswd`, `htpasswd -b file user x`.
fn piped(text: &str, words: &[Range<usize>], out: &mut Spans) {
    let word = |i: usize| words.get(i).map_or("", |r| &text[r.clone()]);
    let fed = (0..words.len())
        .any(|i| matches!(word(i), "--password-stdin" | "chpasswd" | "--passphrase-fd" | "--passwd-file"));
    for i in 0..words.len() {
        match word(i) {
            "echo" | "printf" if fed => {
                let Some(range) = (i + 1..words.len()).find(|j| !word(*j).starts_with('-')).and_then(|j| words.get(j))
                else {
                    continue;
                };
                match text[range.clone()].find(':') {
                    Some(colon) => add(text, range.start + colon + 1..range.end, Class::Password, out),
                    None => add(text, range.clone(), Class::Password, out),
                }
            }
            "htpasswd" => {
                let mut plain = (i + 1..words.len().min(i + 12)).filter(|j| !word(*j).starts_with('-'));
                let flags = (i + 1..words.len().min(i + 12)).any(|j| word(j).starts_with('-') && word(j).contains('b'));
                let nameless =
                    (i + 1..words.len().min(i + 12)).any(|j| word(j).starts_with('-') && word(j).contains('n'));
                if let Some(range) =
                    plain.nth(if nameless { 1 } else { 2 }).filter(|_| flags).and_then(|j| words.get(j))
                {
                    add(text, range.clone(), Class::Password, out);
                }
            }
            _ => {}
        }
    }
}

fn add_next(text: &str, next: Option<&Range<usize>>, class: Class, out: &mut Spans) {
    if let Some(range) = next.filter(|r| !text[(*r).clone()].starts_with("--")) {
        add(text, range.clone(), class, out);
    }
}

fn add(text: &str, range: Range<usize>, class: Class, out: &mut Spans) {
    let found = &text[range.clone()];
    // openssl's `pass:x` and `env:x`.
    let range = if found.starts_with("pass:") { range.start + 5..range.end } else { range };
    if !value::is_harmless(&text[range.clone()], true) && !found.starts_with("env:") && !found.starts_with("file:") {
        out.add(range, class, found.len() >= 3 && !found.starts_with('-'));
    }
}

fn user_and_password(text: &str, range: Option<&Range<usize>>, sure: bool, out: &mut Spans) {
    let Some(range) = range else { return };
    let word = &text[range.clone()];
    // The user of `docker run --user 1000:1000` is no secret.
    if let Some(sign) = word.find([':', '%', ',']) {
        let password = range.start + sign + 1..range.end;
        let found = &text[password.clone()];
        if !found.bytes().all(|b| b.is_ascii_digit()) && !value::is_harmless(found, true) {
            out.add(password, Class::Password, sure);
        }
    }
}

fn rows_of(word: &str) -> u64 {
    if word.len() > 256 {
        return 0;
    }
    let base = word.rsplit('/').next().unwrap_or(word);
    let mut rows = 0;
    for (row, (program, ..)) in PROGRAMS.iter().enumerate() {
        let fits = match program.strip_suffix('*') {
            Some(prefix) => base.starts_with(prefix),
            None => base == *program,
        };
        rows |= u64::from(fits) << row;
    }
    rows
}

/// The words of a shell's or a JSON array's text, quotes taken off; quoted words with spaces are opened once more.
pub(super) fn words(text: &str, within: Range<usize>, depth: u8, out: &mut Vec<Range<usize>>) {
    /// The most words of one text.
    const MOST_WORDS: usize = 16_384;
    let bytes = text.as_bytes();
    let mut i = within.start;
    while i < within.end && out.len() < MOST_WORDS {
        match bytes[i] {
            b if b.is_ascii_whitespace()
                || matches!(b, b',' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b';' | b'|') =>
            {
                i += 1
            }
            quote @ (b'"' | b'\'') => {
                let start = i + 1;
                let end = memchr::memchr(quote, &bytes[start..within.end]).map_or(within.end, |n| start + n);
                let nested = depth > 0 && bytes[start..end].contains(&b' ');
                if nested {
                    words(text, start..end, depth - 1, out);
                } else {
                    out.push(start..end);
                }
                i = end + 1;
            }
            _ => {
                let start = i;
                while i < within.end && !bytes[i].is_ascii_whitespace() && !matches!(bytes[i], b'"' | b'\'' | b';') {
                    i += 1;
                }
                let end = if matches!(bytes[i - 1], b',' | b']' | b')') && i - 1 > start { i - 1 } else { i };
                out.push(start..end);
            }
        }
    }
}
