//! Commands for people to copy: quoted for a shell, and harmless to the terminal that shows them.

use std::fmt::Write as _;

use crate::clean::is_harmful;

/// A command's arguments on one line, each quoted where it has to be; control and invisible characters are written out in
/// the shell's own way (`$'\n'`), so that what is copied is what was meant.
pub fn quoted(command: &[String]) -> String {
    command.iter().map(|argument| one(argument)).collect::<Vec<_>>().join(" ")
}

fn one(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    if !argument.chars().any(is_harmful) {
        return format!("'{}'", argument.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in argument.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\'' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\{:03o}", u32::from(c));
            }
            // By their bytes: a code of its own would be read by the characters that follow it.
            c if is_harmful(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_is_shown_is_what_a_shell_reads() {
        for argument in
            ["plain-1", "", "a b", "it's", "$(id)", "`id`", "a\nb", "\u{1b}[2J1f", "x\u{202e}y'\\z", "-n", "ü箱"]
        {
            let shown = quoted(&["printf".into(), "%s".into(), argument.into()]);
            assert!(!shown.chars().any(is_harmful), "{shown:?}");
            let read = Command::new("bash").args(["-c", &shown]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&read.stdout), argument, "{shown}");
        }
    }
}
