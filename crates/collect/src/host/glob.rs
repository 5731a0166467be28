//! Shell patterns (`*`, `?`, `[a-z]`, `\`), as `fnmatch` and `glob` read them.

use super::root::{Root, Unread};

/// The most paths that one pattern may name.
const MOST_PATHS: usize = 10_000;

/// True when the text holds a character that makes it a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a pattern matches the whole text. With `pathname`, no wildcard matches a slash.
pub fn matches(pattern: &str, text: &str, pathname: bool) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the text after the last star does not fit: one character further.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        if let Some(next) = one(&pattern, p, text[t], pathname) {
            (p, t) = (next, t + 1);
            continue;
        }
        match star {
            Some((at, from)) if !(pathname && text[from] == '/') => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The place after the pattern's element at `p` when that element matches `c`.
fn one(pattern: &[char], p: usize, c: char, pathname: bool) -> Option<usize> {
    match pattern.get(p)? {
        '?' => (!(pathname && c == '/')).then_some(p + 1),
        '\\' if p + 1 < pattern.len() => (pattern[p + 1] == c).then_some(p + 2),
        '[' => match class(pattern, p, c) {
            Some((true, end)) if !(pathname && c == '/') => Some(end),
            Some(_) => None,
            None => (c == '[').then_some(p + 1),
        },
        plain => (*plain == c).then_some(p + 1),
    }
}

/// Whether a bracket expression matches, and where it ends; none when it is never closed.
fn class(pattern: &[char], start: usize, c: char) -> Option<(bool, usize)> {
    let mut at = start + 1;
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == ']' && at > first {
            return Some((found != negated, at + 1));
        }
        if low == '[' && pattern.get(at + 1) == Some(&':') {
            let end = (at + 2..pattern.len()).find(|i| pattern[*i] == ':' && pattern.get(i + 1) == Some(&']'))?;
            let name: String = pattern[at + 2..end].iter().collect();
            found |= in_class(&name, c);
            at = end + 2;
            continue;
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some('-'), Some(high)) if *high != ']' => {
                found |= (low..=*high).contains(&c);
                at += 3;
            }
            _ => {
                found |= low == c;
                at += 1;
            }
        }
    }
}

fn in_class(name: &str, c: char) -> bool {
    match name {
        "alnum" => c.is_ascii_alphanumeric(),
        "alpha" => c.is_ascii_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "lower" => c.is_ascii_lowercase(),
        "upper" => c.is_ascii_uppercase(),
        "punct" => c.is_ascii_punctuation(),
        "space" => c.is_ascii_whitespace(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// The existing paths that an absolute pattern names, sorted; names with a leading dot only where
/// the pattern has one.
///
/// # Errors
/// The directory that could not be listed, with the reason. An absent one is an empty answer.
pub fn expand(root: &Root, pattern: &str) -> Result<Vec<String>, (String, Unread)> {
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !is_pattern(part) {
                next.push(format!("{base}/{}", part.replace('\\', "")));
                continue;
            }
            let dir = if base.is_empty() { "/" } else { base.as_str() };
            let names = match root.list(dir, MOST_PATHS) {
                Ok(names) => names,
                Err(Unread::Absent) => continue,
                Err(unread) => return Err((dir.to_owned(), unread)),
            };
            let names = names.iter().map(|name| name.to_string_lossy());
            let fits = |name: &str| (!name.starts_with('.') || part.starts_with('.')) && matches(part, name, true);
            next.extend(names.filter(|name| fits(name)).map(|name| format!("{base}/{name}")));
            if next.len() > MOST_PATHS {
                return Err((pattern.to_owned(), Unread::TooLarge(MOST_PATHS)));
            }
        }
        found = next;
    }
    if is_pattern(pattern) {
        found.retain(|path| !matches!(root.lstat(path), Err(Unread::Absent)));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, text, with, without) in [
            ("/usr/bin/docker*", "/usr/bin/docker-compose", true, true),
            ("/usr/*", "/usr/bin/docker", false, true),
            ("/usr/*/docker", "/usr/bin/docker", true, true),
            ("*", "", true, true),
            ("a?c", "a/c", false, true),
            ("[a-c]x", "bx", true, true),
            ("[!a-c]x", "bx", false, false),
            ("[[:digit:]]*", "7up", true, true),
            ("[]x]", "]", true, true),
            ("[abc", "[abc", true, true),
            ("\\*", "*", true, true),
            ("\\*", "x", false, false),
            ("*a*b*c", "xxaxxbxxc", true, true),
            ("*a*b*c", "xxaxxbxx", false, false),
        ] {
            assert_eq!(matches(pattern, text, true), with, "{pattern} {text} as a path");
            assert_eq!(matches(pattern, text, false), without, "{pattern} {text}");
        }
        let (many, text) = ("*a".repeat(200), "a".repeat(5000) + "b");
        assert!(!matches(&many, &text, false));
    }

    #[test]
    fn expansion_is_sorted_and_leaves_hidden_names() {
        let (_dir, root) =
            host(&[("/etc/d/b.conf", ""), ("/etc/d/a.conf", ""), ("/etc/d/.c.conf", ""), ("/etc/d/x", "")]);
        assert_eq!(expand(&root, "/etc/*/*.conf").unwrap(), ["/etc/d/a.conf", "/etc/d/b.conf"]);
        assert_eq!(expand(&root, "/none/*.conf").unwrap(), Vec::<String>::new());
        assert_eq!(expand(&root, "/none/file").unwrap(), ["/none/file"]);
    }
}
