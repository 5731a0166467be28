//! dockerd's command line.

/// Flags without a value of their own: what follows them is the next flag.
const SWITCHES: [&str; 25] = [
    "allow-direct-routing",
    "cri-containerd",
    "debug",
    "disable-legacy-registry",
    "experimental",
    "help",
    "icc",
    "init",
    "ip-forward",
    "ip-forward-no-drop",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "live-restore",
    "no-new-privileges",
    "raw-logs",
    "restart",
    "rootless",
    "selinux-enabled",
    "tls",
    "tlsverify",
    "userland-proxy",
    "validate",
    "version",
];

/// One-letter flags with the names that they stand for.
const SHORT: [(char, &str); 11] = [
    ('D', "debug"),
    ('G', "group"),
    ('H', "host"),
    ('b', "bridge"),
    ('g', "data-root"),
    ('h', "help"),
    ('l', "log-level"),
    ('p', "pidfile"),
    ('r', "restart"),
    ('s', "storage-driver"),
    ('v', "version"),
];

/// A flag as it was given, by its long name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes.
    pub name: String,
    /// Its value; none for a switch that stands alone.
    pub value: Option<String>,
}

impl Flag {
    /// As one argument.
    #[must_use]
    pub fn argument(&self) -> String {
        match &self.value {
            Some(value) => format!("--{}={value}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.value.as_deref().is_none_or(|v| matches!(v, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// The flags of a command line without the program's name.
#[must_use]
pub fn parse(arguments: &[String]) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if SWITCHES.contains(&long) => (long, None),
                None => (long, rest.next().cloned()),
            };
            flags.push(Flag { name: if name == "graph" { "data-root" } else { name }.to_owned(), value });
        } else if let Some(letters) = argument.strip_prefix('-') {
            cluster(letters, &mut rest, &mut flags);
        }
    }
    flags
}

/// One-letter flags behind one dash: the first that wants a value takes what is left.
fn cluster<'a>(letters: &str, rest: &mut impl Iterator<Item = &'a String>, flags: &mut Vec<Flag>) {
    for (at, letter) in letters.char_indices() {
        let Some((_, name)) = SHORT.iter().find(|(short, _)| *short == letter) else { return };
        let left = &letters[at + letter.len_utf8()..];
        let value = match left.strip_prefix('=') {
            Some(value) => Some(value.to_owned()),
            None if SWITCHES.contains(name) => None,
            None if left.is_empty() => rest.next().cloned(),
            None => Some(left.to_owned()),
        };
        let done = value.is_some();
        flags.push(Flag { name: (*name).to_owned(), value });
        if done || !SWITCHES.contains(name) {
            return;
        }
    }
}

/// The last value that a flag was given.
#[must_use]
pub fn value<'a>(flags: &'a [Flag], name: &str) -> Option<&'a str> {
    flags.iter().rev().find(|f| f.name == name)?.value.as_deref()
}

/// Whether a flag was given at all.
#[must_use]
pub fn has(flags: &[Flag], name: &str) -> bool {
    flags.iter().any(|f| f.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&arguments).iter().map(Flag::argument).collect()
    }

    #[test]
    fn flags_are_read_as_the_engine_reads_them() {
        assert_eq!(of("-H fd:// --containerd=/c.sock"), ["--host=fd://", "--containerd=/c.sock"]);
        assert_eq!(of("-DH unix:///s --icc --group a"), ["--debug", "--host=unix:///s", "--icc", "--group=a"]);
        assert_eq!(of("-Htcp://1:2 -D=false --graph /g"), ["--host=tcp://1:2", "--debug=false", "--data-root=/g"]);
        assert_eq!(
            of("--live-restore --authorization-plugin x -- --icc"),
            ["--live-restore", "--authorization-plugin=x"]
        );
        let flags = parse(&["--icc=false".into(), "--debug".into(), "--mtu".into()]);
        assert!(!flags[0].is_on() && flags[1].is_on() && has(&flags, "mtu") && value(&flags, "mtu").is_none());
    }
}
