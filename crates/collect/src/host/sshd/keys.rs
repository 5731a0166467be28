//! Authorized keys: how many, where, with which restrictions. The keys themselves are not kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::accounts::{Accounts, User};
use crate::host::gap::Gap;
use crate::host::meta::Meta;
use crate::host::root::{Root, Unread};

const AFFECTS: &str = "who may log in with a key";
/// Accounts whose homes are looked into.
const MOST_USERS: usize = 5_000;

/// One file of authorized keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Who may log in by it; several where accounts share it.
    pub users: Vec<String>,
    /// Its path, owner and mode.
    pub meta: Meta,
    /// The number of keys in it.
    pub keys: u32,
    /// How many of them may run one command only, or hold the option `restrict`.
    pub restricted: u32,
    /// The options of the keys by name, with how many keys have them.
    pub options: BTreeMap<String, u32>,
    /// Lines that are neither a key nor a comment.
    pub unparsed: u32,
}

/// Reads the files that the patterns name for each account.
pub(super) fn read(root: &Root, accounts: &Accounts, patterns: &[String], gaps: &mut Vec<Gap>) -> Vec<KeyFile> {
    let mut files: BTreeMap<String, KeyFile> = BTreeMap::new();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    if accounts.users.len() > MOST_USERS {
        gaps.push(Gap::new("/etc/passwd", format!("only {MOST_USERS} homes are looked into"), AFFECTS));
    }
    for user in accounts.users.iter().take(MOST_USERS) {
        for pattern in patterns {
            let Some(path) = path(pattern, user) else { continue };
            if let Some(known) = files.get_mut(&path) {
                known.users.push(user.name.clone());
                continue;
            }
            if refused.contains(&path) {
                continue;
            }
            match file(root, &path) {
                Ok(mut found) => {
                    found.users.push(user.name.clone());
                    files.insert(path, found);
                }
                Err(unread) => {
                    gaps.extend(Gap::of(path.as_str(), &unread, format!("{AFFECTS} as {}", user.name)));
                    refused.insert(path);
                }
            }
        }
    }
    files.into_values().collect()
}

/// The path that a pattern names for an account; none where it has no home.
fn path(pattern: &str, user: &User) -> Option<String> {
    let home = user.home.trim_end_matches('/');
    if user.home.is_empty() && (pattern.contains("%h") || !pattern.starts_with('/')) {
        return None;
    }
    let mut path = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next()? {
                'h' => path.push_str(home),
                'u' => path.push_str(&user.name),
                'U' => path.push_str(&user.uid.to_string()),
                '%' => path.push('%'),
                _ => return None,
            },
            c => path.push(c),
        }
    }
    Some(if path.starts_with('/') { path } else { format!("{home}/{path}") })
}

fn file(root: &Root, path: &str) -> Result<KeyFile, Unread> {
    let text = root.read_text(path)?;
    let meta = Meta::read(root, path)?;
    let (users, options) = (Vec::new(), BTreeMap::new());
    let mut file = KeyFile { users, meta, keys: 0, restricted: 0, options, unparsed: 0 };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(options) = options_of(line) else {
            file.unparsed += 1;
            continue;
        };
        file.keys += 1;
        file.restricted += u32::from(options.iter().any(|option| option == "command" || option == "restrict"));
        for option in options {
            *file.options.entry(option).or_default() += 1;
        }
    }
    Ok(file)
}

/// The names of the options before a key; none when the line holds no key.
fn options_of(line: &str) -> Option<BTreeSet<String>> {
    if is_key(line) {
        return Some(BTreeSet::new());
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = line.char_indices().find_map(|(at, c)| {
        let ends = c.is_whitespace() && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })?;
    if !is_key(line[end..].trim_start()) {
        return None;
    }
    let (mut names, mut name, mut in_name) = (BTreeSet::new(), String::new(), true);
    (quoted, escaped) = (false, false);
    for c in line[..end].chars() {
        match c {
            ',' if !quoted => {
                names.insert(std::mem::take(&mut name));
                in_name = true;
            }
            '=' if !quoted => in_name = false,
            c if in_name && (c.is_ascii_alphanumeric() || c == '-') && name.len() < 40 => {
                name.push(c.to_ascii_lowercase())
            }
            _ => {}
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    names.insert(name);
    names.remove("");
    Some(names)
}

fn is_key(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let known =
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "webauthn-sk-"].iter().any(|prefix| kind.starts_with(prefix));
    known && words.next().is_some_and(|blob| blob.starts_with("AAAA"))
}
