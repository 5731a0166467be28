//! Build steps that switch the verification of what they fetch off.

use super::{commands, file_name};

/// Whether a step switches verification off.
pub(crate) fn is_unverified(text: &str) -> bool {
    commands(text).any(|words| {
        // What stands in a comment is not done.
        let end = words.iter().position(|word| word.starts_with('#')).unwrap_or(words.len());
        let words = &words[..end];
        configures(words) || (!is_printed(words) && runs_unverified(words))
    })
}

/// Whether a `NAME=value` of the environment does so for every program that heeds it.
pub(super) fn is_switch(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else { return false };
    let value = value.trim_matches(['"', '\'']).to_ascii_lowercase();
    let (on, off) = (matches!(value.as_str(), "1" | "true" | "yes"), matches!(value.as_str(), "0" | "false" | "no"));
    match name.to_ascii_uppercase().as_str() {
        "GIT_SSL_NO_VERIFY" => on,
        "NODE_TLS_REJECT_UNAUTHORIZED" | "PYTHONHTTPSVERIFY" | "NPM_CONFIG_STRICT_SSL" | "CONDA_SSL_VERIFY" => off,
        "PIP_TRUSTED_HOST" => !value.is_empty(),
        _ => false,
    }
}

/// Whether a command only prints its words, into a file perhaps.
fn is_printed(words: &[&str]) -> bool {
    words.first().is_some_and(|word| matches!(file_name(word), "echo" | "printf"))
}

/// Settings by which other programs verify nothing, given to them or printed into their files.
fn configures(words: &[&str]) -> bool {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let has = |options: &[&str]| words.iter().any(|word| options.contains(&word.as_str()));
    let off = || has(&["false", "0", "no", "off"]);
    has(&["trusted=yes", "allow-insecure=yes", "gpgcheck=0", "sslverify=0", "sslverify=false"])
        || has(&["strict-ssl=false", "--strict-ssl=false", "--no-strict-ssl", "http.sslverify=false"])
        || (has(&["strict-ssl", "http.sslverify", "ssl_verify", "ssl_verify:"]) && off())
        || words.iter().any(|word| is_switch(word))
}

/// Programs that are told by a flag to verify nothing.
fn runs_unverified(words: &[&str]) -> bool {
    let has = |options: &[&str]| words.iter().any(|word| options.contains(word));
    let starts = |prefixes: &[&str]| {
        words.iter().any(|word| prefixes.iter().any(|prefix| word.to_ascii_lowercase().starts_with(prefix)))
    };
    let runs = |programs: &[&str]| words.iter().any(|word| programs.contains(&file_name(word)));
    (runs(&["curl"]) && (has(&["--insecure", "--proxy-insecure"]) || words.iter().any(|word| is_insecure(word))))
        || (runs(&["wget"]) && has(&["--no-check-certificate"]))
        || (runs(&["apt-get", "apt", "aptitude"])
            && (has(&["--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"])
                || words.iter().any(|word| is_option_of_apt(word))))
        || (runs(&["apk"]) && has(&["--allow-untrusted"]))
        || (runs(&["yum", "dnf", "microdnf", "tdnf"])
            && (has(&["--nogpgcheck", "--no-gpgchecks"])
                || starts(&["--setopt=sslverify=false", "--setopt=sslverify=0", "--setopt=gpgcheck=0"])))
        || (runs(&["zypper"]) && has(&["--no-gpg-checks", "--allow-unsigned-rpm"]))
        || (runs(&["rpm"]) && has(&["--nosignature", "--nodigest", "--nogpg"]))
        || (runs(&["pip", "pip3"]) && starts(&["--trusted-host"]))
}

/// Whether among the short options that a word of curl holds there is `-k`. One that takes a value ends them.
fn is_insecure(word: &str) -> bool {
    const WITH_VALUE: &str = "AbcCdDeEFhHKmoPQrtTuUwxXyYz";
    let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else { return false };
    letters.chars().take_while(|letter| !WITH_VALUE.contains(*letter)).any(|letter| letter == 'k')
}

fn is_option_of_apt(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let on = !word.ends_with("false") && !word.ends_with("=0");
    ((word.contains("allowunauthenticated=") || word.contains("allowinsecurerepositories=")) && on)
        || word.contains("verify-peer=false")
}
