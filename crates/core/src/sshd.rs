//! How lines of `sshd_config` are read, as sshd itself does it.

/// The keyword in lower case, under its newer name.
#[must_use]
pub fn canonical(keyword: &str) -> String {
    let keyword = keyword.to_ascii_lowercase();
    match keyword.as_str() {
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication".to_owned(),
        _ => keyword,
    }
}

/// Keyword and the rest; none for blank lines and comments. An `=` may stand between them.
#[must_use]
pub fn split(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let line = line.strip_prefix('"').unwrap_or(line);
    let end = line.find(|c: char| c.is_whitespace() || c == '=' || c == '"').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
    Some((canonical(keyword), rest.strip_prefix('=').unwrap_or(rest)))
}

/// Words up to a comment; quotes keep blanks, and a backslash escapes quotes, itself and blanks.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) if chars.peek().is_some_and(|next| "\\\"' ".contains(*next)) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
