//! The one line of an engine's log that says why it ended.

/// The longest cause that is told, in characters.
const LONGEST: usize = 400;

/// The cause in what the engine printed, from the line that gives it; else its last line.
pub(crate) fn cause(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let fatal = |l: &&&str| FATAL.iter().any(|word| l.contains(word));
    let line = lines.iter().rev().find(fatal).or(lines.last())?;
    Some(tidy(line))
}

/// How engines say that they end.
const FATAL: [&str; 7] = [
    "unable to configure the Docker daemon",
    "failed to start daemon",
    "failed to start cluster component",
    "Error initializing",
    "level=fatal",
    "failed to load listeners",
    "unknown flag",
];

/// A line without the frame of its log, bounded and without control characters.
pub(crate) fn tidy(line: &str) -> String {
    let said = quoted(line, "msg=").map(|msg| match quoted(line, "error=") {
        Some(error) => format!("{msg}: {error}"),
        None => msg,
    });
    let said = said.unwrap_or_else(|| line.to_owned());
    let plain: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.trim().replace("/run/seaworthy/daemon.json", "daemon.json");
    if plain.chars().count() <= LONGEST {
        return plain;
    }
    plain.chars().take(LONGEST).chain(['…']).collect()
}

/// A field of a log line: `msg="…"`, with its quotes resolved, or `msg=word`.
fn quoted(line: &str, field: &str) -> Option<String> {
    let at = line.find(&format!(" {field}"))? + 1 + field.len();
    let rest = &line[at..];
    let Some(rest) = rest.strip_prefix('"') else { return rest.split(' ').next().map(str::to_owned) };
    let (mut text, mut escaped) = (String::new(), false);
    for c in rest.chars() {
        match c {
            _ if escaped => {
                text.push(if c == 'n' || c == 't' { ' ' } else { c });
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => break,
            c => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_among_what_comes_after_it() {
        let log = "time=\"2026\" level=info msg=\"Starting up\"\n\
            failed to start daemon: opening seccomp profile (/x) failed: open /x: no such file or directory\n\
            time=\"2026\" level=info msg=\"stopping healthcheck\"\n";
        assert!(cause(log).unwrap().starts_with("failed to start daemon: opening seccomp profile (/x)"));
        assert_eq!(cause("a\n\nb \n").as_deref(), Some("b"));
        assert_eq!(cause(" \n"), None);
    }

    #[test]
    fn a_line_is_told_without_its_frame() {
        let line = "time=\"2026\" level=error msg=\"Handler for \\\"POST\\\" failed\" error=\"no \\x1b[31m such\" x=1";
        assert_eq!(tidy(line), "Handler for \"POST\" failed: no x1b[31m such");
        assert_eq!(tidy("bad\u{1b}[31m key in /run/seaworthy/daemon.json"), "bad [31m key in daemon.json");
        assert!(tidy(&"é".repeat(5000)).chars().count() == LONGEST + 1);
        assert_eq!(tidy("level=info msg=short more"), "short");
    }
}
