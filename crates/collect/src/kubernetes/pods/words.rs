//! Commands and arguments, secrets taken out, and what they hint at.

use seaworthy_core::value::Value;

use super::image::Image;
use super::read::{Node, cut_to, other_type, too_many};
use super::sheet::Sheet;
use crate::docker::secrets::Secrets;
use crate::redact::Redactor;

/// The most words of a command that are kept, and the most bytes of each.
const MOST_WORDS: usize = 64;
const MOST_WORD: usize = 512;

/// The words of a command, or none that are not texts.
pub(super) fn texts<'a>(node: Node<'a>) -> Vec<&'a str> {
    node.list().unwrap_or_default().iter().take(1024).filter_map(|word| word.as_str()).collect()
}

/// Words as they may be kept.
fn kept(words: &[String]) -> Value {
    let mut out: Vec<Value> = words.iter().take(MOST_WORDS).map(|word| Value::from(cut_to(word, MOST_WORD))).collect();
    if words.len() > MOST_WORDS {
        out.push(Value::unknown(format!("only the first {MOST_WORDS} words are kept")));
    }
    Value::List(out)
}

/// A command in one text, secrets taken out; at most 256 bytes of it.
pub(super) fn one_line(node: Node<'_>, redactor: &Redactor) -> String {
    cut_to(&redactor.argv(&texts(node)).join(" "), 256).to_owned()
}

/// The facts of command and arguments; the secrets in them are added.
pub(super) fn fill(
    sheet: &mut Sheet,
    json: Node<'_>,
    image: Option<&Image<'_>>,
    redactor: &Redactor,
    secrets: &mut Secrets,
) {
    let (command, args) = (json.get("command"), json.get("args"));
    let words: Vec<&str> = texts(command).into_iter().chain(texts(args)).collect();
    // Together, since a flag of the command may take the first argument as its value.
    let clean = redactor.argv(&words);
    let (first, rest) = clean.split_at(texts(command).len().min(clean.len()));
    secrets.arguments(redactor, "command", &words);
    let whole = |node: Node<'_>, words: &[String]| match node.list() {
        Err(reason) => Value::Unknown(reason),
        Ok(items) if items.len() > 1024 => Value::Unknown(too_many()),
        Ok(items) if items.iter().any(|item| !item.is_string()) => Value::Unknown(other_type()),
        Ok(_) => kept(words),
    };
    let unreadable = |node: Node<'_>| node.list().map(|items| items.iter().any(|item| !item.is_string()));
    let unknown = [command, args].into_iter().find_map(|node| match unreadable(node) {
        Err(reason) => Some(reason),
        Ok(true) => Some(other_type()),
        Ok(false) => None,
    });
    sheet.set("command", "command", whole(command, first));
    sheet.set("args", "args", whole(args, rest));
    let hint = |found: bool| match &unknown {
        Some(reason) if !found => Value::Unknown(reason.clone()),
        _ => Value::Bool(found),
    };
    let calls = |program: &str| words.iter().any(|word| calls(word, program));
    sheet.set("runs_sudo", "command, args", hint(calls("sudo")));
    let listens = json.get("ports").list().unwrap_or_default().iter().any(|port| port["containerPort"] == 22);
    let named = image.is_some_and(|image| {
        let name = image.repository.rsplit('/').next().unwrap_or_default();
        ["sshd", "openssh", "openssh-server", "dropbear"].contains(&name)
    });
    let ssh = calls("sshd") || calls("dropbear") || listens || named;
    sheet.set("ssh_server", "command, args, ports, image", hint(ssh));
}

/// Whether a word, which may be a script, calls a program.
fn calls(word: &str, program: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || ";|&()'\"`$".contains(c);
    word.split(separates).any(|part| part.rsplit('/').next() == Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_scripts() {
        for word in ["sudo", "/usr/bin/sudo", "apt update && sudo apt install x", "$(sudo id)", "exec /usr/sbin/sudo"] {
            assert!(calls(word, "sudo"), "{word}");
        }
        for word in ["sudoku", "pseudo", "--sudo=no", "/etc/sudoers"] {
            assert!(!calls(word, "sudo"), "{word}");
        }
    }
}
