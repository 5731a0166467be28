//! What a value alone tells: a reference, a switch, a digest, or something that looks random.

/// True when a value cannot be a secret whatever its name: empty, a switch, a reference to where the secret is, a mask.
pub(super) fn is_harmless(value: &str, password: bool) -> bool {
    let value = value.trim();
    if value.is_empty()
        || is_word_of_switch(value)
        || is_reference(value)
        || is_secret_path(value)
        || is_public_key(value)
    {
        return true;
    }
    let bytes = value.as_bytes();
    let few_digits = if password { 3 } else { 5 };
    if bytes.len() <= few_digits && bytes.iter().all(u8::is_ascii_digit) {
        return true;
    }
    // `****` and `xxxx` are what is left of a value; an already redacted one stays as it is.
    bytes.iter().all(|b| *b == b'*')
        || bytes.iter().all(|b| b.eq_ignore_ascii_case(&b'x'))
        || value.starts_with("[redacted")
}

/// A public key of SSH, as `authorized_keys` has it, or of PEM.
fn is_public_key(value: &str) -> bool {
    ["ssh-rsa AAAA", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp", "sk-ssh-ed25519@", "-----BEGIN PUBLIC KEY-----"]
        .iter()
        .any(|beginning| value.starts_with(beginning))
}

fn is_word_of_switch(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "none",
        "null",
        "nil",
        "undefined",
        "enabled",
        "disabled",
        "required",
        "optional",
        "\"\"",
        "''",
        "t",
        "f",
        "y",
        "n",
    ];
    WORDS.iter().any(|w| value.eq_ignore_ascii_case(w))
}

/// `${VAR}`, `$VAR`, `$(command)`, `{{ .Values.x }}`, `%VAR%`, `vault:…`, `arn:…`: names where the value is kept.
fn is_reference(value: &str) -> bool {
    let is_name =
        |s: &str| !s.is_empty() && s.len() <= 128 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if let Some(rest) = value.strip_prefix('$') {
        if let Some(name) = rest.strip_prefix('{').and_then(|r| r.strip_suffix('}')) {
            return is_name(name.trim_end_matches([':', '?', '-']));
        }
        if rest.starts_with('(') && rest.ends_with(')') {
            return true;
        }
        // `$ecret` could be a password: only names in capitals are believed.
        return is_name(rest) && !rest.bytes().any(|b| b.is_ascii_lowercase()) && !rest.as_bytes()[0].is_ascii_digit();
    }
    let wrapped = |a: &str, b: &str| {
        value.strip_prefix(a).and_then(|r| r.strip_suffix(b)).is_some_and(|r| !r.contains(['\'', '"']))
    };
    wrapped("{{", "}}")
        || value.strip_prefix('%').and_then(|r| r.strip_suffix('%')).is_some_and(is_name)
        || ["arn:aws", "op://", "vault:", "awssm://", "gcpsm://", "azurekv://", "secretref:"]
            .iter()
            .any(|p| value.starts_with(p))
}

/// A path under a directory that hosts and images really have: `/run/secrets/x`, `/etc/ssl/key.pem`, `./key`.
pub(super) fn is_secret_path(value: &str) -> bool {
    const TOP: &[&str] = &[
        "app",
        "certs",
        "conf",
        "config",
        "data",
        "dev",
        "etc",
        "home",
        "keys",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "secrets",
        "srv",
        "ssl",
        "sys",
        "tmp",
        "usr",
        "vagrant",
        "var",
        "vault",
        "workspace",
    ];
    let value = value.strip_prefix("file://").unwrap_or(value);
    if value.len() > 512 || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-@:+".contains(&b)) {
        return false;
    }
    if value.starts_with("./") || value.starts_with("~/") || value.starts_with("../") {
        return true;
    }
    let Some(rest) = value.strip_prefix('/') else { return false };
    let top = rest.split('/').next().unwrap_or("");
    TOP.contains(&top) && !rest.split('/').any(looks_random)
}

/// Shannon's entropy of the bytes, in bits per byte.
pub(super) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u16; 256];
    let bytes = &bytes[..bytes.len().min(1024)];
    for b in bytes {
        counts[usize::from(*b)] += 1;
    }
    let total = bytes.len() as f32;
    counts.iter().filter(|c| **c > 0).map(|c| f32::from(*c) / total).map(|p| -p * p.log2()).sum()
}

/// The shortest run that is judged by its looks, in bytes.
pub(super) const SHORTEST_RANDOM: usize = 20;

/// Counts over a run of base64 or hex characters.
struct Looks {
    upper: usize,
    lower: usize,
    digit: usize,
    hex: bool,
    transitions: usize,
    letters: usize,
}

fn looks(run: &str) -> Looks {
    let mut out = Looks { upper: 0, lower: 0, digit: 0, hex: true, transitions: 0, letters: 0 };
    let mut previous = 0u8;
    for b in run.bytes().take(1024) {
        let kind = match b {
            b'A'..=b'Z' => 1,
            b'a'..=b'z' => 2,
            b'0'..=b'9' => 3,
            _ => 0,
        };
        match kind {
            1 => out.upper += 1,
            2 => out.lower += 1,
            3 => out.digit += 1,
            _ => {}
        }
        out.hex &= b.is_ascii_hexdigit();
        out.letters += usize::from(kind != 0);
        out.transitions += usize::from(kind != 0 && previous != 0 && kind != previous);
        previous = kind;
    }
    out
}

/// True when a run of base64 or hex characters is probably no word, path or version: enough to hide it. Words change
/// between capitals, small letters and digits seldom, random text at two of three places. Full hex digests (40, 64, 96
/// and 128 digits) and UUIDs are identifiers and stay.
pub(super) fn looks_random(run: &str) -> bool {
    let run = run.trim_end_matches('=');
    let n = run.len();
    if n < SHORTEST_RANDOM || is_uuid(run) {
        return false;
    }
    let l = looks(run);
    if l.hex {
        return !matches!(n, 40 | 64 | 96 | 128) && l.digit >= 2 && l.lower + l.upper >= 2;
    }
    let share = l.transitions as f32 / n.min(1024) as f32;
    let kinds = usize::from(l.upper > 0) + usize::from(l.lower > 0) + usize::from(l.digit > 0);
    // The length of an AWS secret key.
    if n == 40
        && kinds == 3
        && l.upper >= 6
        && l.digit >= 1
        && l.letters >= 36
        && share >= 0.22
        && entropy(run.as_bytes()) >= 4.2
    {
        return true;
    }
    match kinds {
        3 => share >= if run.contains('/') { 0.36 } else { 0.3 } && entropy(run.as_bytes()) >= 3.4,
        // Swarm's identifiers have 25 small letters and digits, overlay2's links 26 capitals and digits.
        // Names of pods and builds are words joined by dashes.
        2 => run.split(['-', '_']).any(|part| part.len() >= 28) && share >= 0.25 && entropy(run.as_bytes()) >= 3.4,
        _ => false,
    }
}

/// True when a whole value is so random that nothing but a secret explains it: enough to accuse.
pub(super) fn is_surely_random(value: &str) -> bool {
    let run = value.trim_end_matches('=');
    if run.len() < 32
        || run.len() > 1024
        || !run.bytes().all(is_run_byte)
        || run.starts_with("AAAA")
        || run.starts_with("MII")
    {
        return false;
    }
    let l = looks(run);
    !l.hex
        && l.upper > 2
        && l.lower > 2
        && l.digit > 1
        && l.transitions as f32 / run.len() as f32 >= 0.45
        && entropy(run.as_bytes()) >= 4.3
}

/// Bytes of base64, base64url and hex.
pub(super) fn is_run_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-')
}

fn is_uuid(run: &str) -> bool {
    let b = run.as_bytes();
    b.len() == 36
        && b.iter()
            .enumerate()
            .all(|(i, c)| if matches!(i, 8 | 13 | 18 | 23) { *c == b'-' } else { c.is_ascii_hexdigit() })
}

/// Decodes base64 (either alphabet, padding optional) as far as needed to see `user:password` in it.
pub(super) fn is_base64_of_user_and_password(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    if text.len() < 6 || text.len() > 4096 {
        return false;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let (mut bits, mut have) = (0u32, 0u32);
    for b in text.bytes() {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = (bits << 6) | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            decoded.push(((bits >> have) & 0xff) as u8);
        }
    }
    let printable = decoded.iter().all(|b| (0x20..0x7f).contains(b));
    printable && decoded.iter().position(|b| *b == b':').is_some_and(|at| at > 0 && at + 1 < decoded.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_switches_and_masks_are_harmless() {
        for value in [
            "",
            "true",
            "NO",
            "0",
            "12",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "$(cat /x)",
            "{{ .Values.password }}",
            "%PW%",
            "/run/secrets/db",
            "/etc/ssl/private/key.pem",
            "****",
            "xxxxxx",
            "[redacted password]",
            "./key.pem",
        ] {
            assert!(is_harmless(value, true), "{value}");
        }
        for value in
            ["hunter2", "1234", "$ecret", "${PW:-hunter2}", "/x7Tz9QpL3vKd8+mN2wRb6YcH4sFgJ1uE5aZ0oI", "changeme"]
        {
            assert!(!is_harmless(value, true), "{value}");
        }
    }

    #[test]
    fn random_text_is_told_from_words_digests_and_paths() {
        for run in
            ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "9fKq3LmZx81PvTqR5sWd", "d41d8cd98f00b204e9800998ecf8427e"]
        {
            assert!(looks_random(run), "{run}");
        }
        for run in [
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "123e4567-e89b-12d3-a456-426614174000",
            "usr/local/lib/python3/dist-packages",
            "x86_64-unknown-linux-gnu-build-17",
            "getApplicationContextFactory",
            "12345678901234567890",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!looks_random(run), "{run}");
        }
    }

    #[test]
    fn registry_credentials_are_decoded() {
        assert!(is_base64_of_user_and_password("dXNlcjpwYXNz"));
        assert!(!is_base64_of_user_and_password("aGVsbG93b3JsZA=="));
        assert!(!is_base64_of_user_and_password("not base64"));
    }
}
