//! What the commands of a build step do, as far as their words tell.

use std::borrow::Cow;

use crate::docker::history::{commands, file_name};

/// The lines of a command joined where the builder or the shell joins them; comment lines between them are left out.
pub(super) fn joined(text: &str, escape: char) -> Cow<'_, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut continues = false;
    for line in text.lines() {
        if continues && (line.trim_start().starts_with('#') || line.trim().is_empty()) {
            continue;
        }
        let trimmed = line.trim_end();
        match trimmed.strip_suffix(escape) {
            Some(rest) => {
                out.push_str(rest);
                out.push(' ');
                continues = true;
            }
            None => {
                out.push_str(trimmed);
                out.push('\n');
                continues = false;
            }
        }
    }
    Cow::Owned(out)
}

const SHELLS: [&str; 11] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node"];

const FETCHERS: [&str; 5] = ["curl", "wget", "fetch", "http", "aria2c"];

/// Whether a command hands a here-document to a shell; without a command the builder's shell runs it.
pub(super) fn runs_here_doc(command: &str) -> bool {
    command.split(['\n', ';', '&', '|']).filter(|part| part.contains("<<")).any(|part| {
        let before = part.split("<<").next().unwrap_or("");
        let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
        match words(before).into_iter().find(|word| !is_prefix(word)) {
            None => true,
            Some(first) => SHELLS[..6].contains(&file_name(first)) && !words(before).contains(&"-c"),
        }
    })
}

/// Whether something fetched from the network is run at once.
pub(super) fn pipes_to_shell(text: &str) -> bool {
    let substitutes = ["$(curl", "$(wget", "<(curl", "<(wget", "`curl", "`wget"];
    text.split(['\n', ';']).flat_map(|part| part.split("&&")).flat_map(|part| part.split("||")).any(|part| {
        let mut fetched = false;
        for command in part.split('|') {
            let words = words(command);
            if fetched && words.iter().find(|w| !is_prefix(w)).is_some_and(|w| SHELLS.contains(&file_name(w))) {
                return true;
            }
            fetched |= words.iter().any(|word| FETCHERS.contains(&file_name(word)));
        }
        let first = words(part).into_iter().find(|word| !is_prefix(word));
        let runs = first.is_some_and(|w| SHELLS.contains(&file_name(w)) || matches!(w, "eval" | "source" | "."));
        runs && substitutes.iter().any(|form| part.contains(form))
    })
}

fn words(command: &str) -> Vec<&str> {
    let quotes = ['"', '\'', '(', ')', '{', '}', '[', ']', ','];
    command.split_whitespace().map(|word| word.trim_matches(quotes)).filter(|word| !word.is_empty()).collect()
}

/// What may stand before the command that matters: `sudo -E env A=b bash`.
fn is_prefix(word: &str) -> bool {
    matches!(word, "sudo" | "env" | "exec" | "command" | "nohup" | "time" | "then" | "do" | "else" | "if")
        || word.starts_with('-')
        || word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Whether a step makes this account under a number that is not 0, or that the system chooses.
pub(super) fn makes_account(text: &str, name: &str) -> bool {
    commands(text).any(|words| {
        let makes = words.iter().any(|word| matches!(file_name(word), "useradd" | "adduser"));
        makes && words.contains(&name) && !asks_for_zero(&words)
    })
}

fn asks_for_zero(words: &[&str]) -> bool {
    words.iter().enumerate().any(|(i, word)| {
        let next = words.get(i + 1).copied().unwrap_or("");
        let zero = |text: &str| text.is_empty() || text.contains('$') || text.parse::<i64>().is_ok_and(|n| n == 0);
        match word.split_once('=') {
            Some(("--uid", value)) => zero(value),
            _ if matches!(*word, "-u" | "--uid") => zero(next),
            _ => {
                matches!(*word, "-o" | "--non-unique")
                    // Options together: `-ou 0`, `-u0`.
                    || (word.starts_with('-') && !word.starts_with("--") && word.contains('u') && (word.ends_with('0') || zero(next)))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_from_the_network_are_told_from_files() {
        for bad in [
            "curl -fsSL https://example.com/x | sh",
            "set -e; wget -qO- https://example.com/x | sudo -E bash -s -- -y",
            "curl https://example.com | tee x | /bin/bash",
            "bash -c \"$(curl -fsSL https://example.com/x)\"",
            "bash <(curl -s https://example.com/x)",
            "eval \"$(curl https://example.com/x)\"",
            "A=b curl https://example.com | A=b python3 -",
        ] {
            assert!(pipes_to_shell(bad), "{bad}");
        }
        for good in [
            "curl -fsSLo x https://example.com/x && sha256sum -c x.sum && sh x",
            "curl https://example.com/key | gpg --dearmor > /k",
            "curl x | tar xz || sh fallback.sh",
            "echo $(curl x)",
            "VERSION=$(curl x) && echo",
            "cat x | sh",
        ] {
            assert!(!pipes_to_shell(good), "{good}");
        }
    }

    #[test]
    fn an_account_is_made_with_a_number_of_its_own() {
        for made in ["useradd -r app", "adduser -D -u 1000 app", "adduser --system --uid=10001 app", "x && useradd app"]
        {
            assert!(makes_account(made, "app"), "{made}");
        }
        for not in [
            "useradd other",
            "useradd -o -u 0 app",
            "useradd --uid=0 app",
            "adduser -u $U app",
            "useradd -ou 0 app",
            "useradd -u0 app",
            "echo app",
        ] {
            assert!(!makes_account(not, "app"), "{not}");
        }
    }

    #[test]
    fn continued_lines_are_one() {
        assert_eq!(joined("curl \\\n  # why\n\n -k x", '\\').trim(), "curl   -k x");
        assert_eq!(joined("a `\r\n b\r\nc", '`'), "a   b\nc\n");
        assert!(runs_here_doc("<<EOF") && runs_here_doc("bash -e <<EOF") && runs_here_doc("cat <<A >x && sh <<B"));
        assert!(!runs_here_doc("cat <<EOF > /x") && !runs_here_doc("python3 <<EOF"));
    }
}
