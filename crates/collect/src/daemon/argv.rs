//! dockerd's command line, parsed as pflag parses it. Secrets do not outlive the parsing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::go;
use super::keys::{self, HIDDEN, Keep, Key, Kind, without_credentials};

/// The most words taken; the kernel's limit on their bytes is far below that.
const MOST: usize = 20_000;

/// The flags that a daemon was started with, by their names in `daemon.json`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Flags that no engine known here has: their names only.
    pub unknown: Vec<String>,
    /// True for each of `http-proxy` and `https-proxy` that carries a user part.
    pub proxy_credentials: bool,
    /// The command line as it may be shown: without secrets.
    pub shown: Vec<String>,
}

impl Flags {
    /// True when the flag of this setting was given.
    pub fn given(&self, file: &str) -> bool {
        self.values.contains_key(file)
    }

    /// The last value given, which is the one that counts for single values.
    pub fn last(&self, file: &str) -> Option<&str> {
        self.values.get(file)?.last().map(String::as_str)
    }

    /// Every value given, in order.
    pub fn all(&self, file: &str) -> &[String] {
        self.values.get(file).map_or(&[], Vec::as_slice)
    }

    /// The names of the settings given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.values.keys().copied()
    }

    /// A boolean that was given; the inner `None` for a text that Go refuses.
    pub fn boolean(&self, file: &str) -> Option<Option<bool>> {
        self.last(file).map(go::boolean)
    }

    /// The value as `daemon.json` would hold it; `None` when it was not given or makes no sense.
    pub fn value(&self, file: &str) -> Option<Value> {
        let given = self.values.get(file)?;
        let last = given.last()?;
        Some(match keys::by_file(file)?.kind {
            Kind::Bool => Value::Bool(go::boolean(last)?),
            Kind::Number => Value::from(last.parse::<i64>().ok()?),
            Kind::Text | Kind::Ignored => Value::from(last.as_str()),
            Kind::List | Kind::Object => given.iter().map(|v| Value::from(v.as_str())).collect(),
            Kind::Map if file == "default-ulimits" => given
                .iter()
                .filter_map(|v| go::ulimit(v))
                .map(|(name, soft, hard)| {
                    let limit = serde_json::json!({"Name": name, "Soft": soft, "Hard": hard});
                    (name, limit)
                })
                .collect::<Map<_, _>>()
                .into(),
            Kind::Map => given
                .iter()
                .map(|v| v.split_once('=').unwrap_or((v, "")))
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect::<Map<_, _>>()
                .into(),
        })
    }
}

/// Parses a daemon's arguments, the first of which is its name.
pub fn parse(arguments: &[String]) -> Flags {
    let mut flags = Flags::default();
    flags.shown.extend(arguments.first().map(|a| without_credentials(a)));
    let mut words = arguments.iter().skip(1).take(MOST).map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            long_flag(&mut flags, long, &mut words);
        } else if word.len() > 1 && word.starts_with('-') {
            short_flags(&mut flags, &word[1..], &mut words);
        } else {
            // dockerd takes no arguments, so this may be anything; a unit's variables are shown.
            let variable =
                word.strip_prefix('$').is_some_and(|n| n.chars().all(|c| c.is_alphanumeric() || "_{}".contains(c)));
            flags.shown.push(if variable { word.to_owned() } else { HIDDEN.into() });
        }
    }
    flags
}

fn long_flag<'a>(flags: &mut Flags, text: &str, words: &mut impl Iterator<Item = &'a str>) {
    let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
    let Some(key) = keys::by_flag(name) else {
        flags.unknown.push(without_credentials(name));
        flags.shown.push(format!("--{}{}", without_credentials(name), if value.is_some() { "=***" } else { "" }));
        return;
    };
    let value = match (value, key.kind) {
        (Some(value), _) => value,
        (None, Kind::Bool | Kind::Ignored) => "true",
        (None, _) => words.next().unwrap_or_default(),
    };
    add(flags, key, value);
}

/// `-abc`: booleans may be joined; the first that wants a value takes the rest, or the next word.
fn short_flags<'a>(flags: &mut Flags, text: &str, words: &mut impl Iterator<Item = &'a str>) {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let Some(key) = keys::by_short(letter) else {
            flags.unknown.push(letter.to_string());
            flags.shown.push(format!("-{letter}***"));
            return;
        };
        let rest = letters.as_str();
        if let Some(value) = rest.strip_prefix('=').filter(|v| !v.is_empty()) {
            add(flags, key, value);
            return;
        }
        match key.kind {
            Kind::Bool | Kind::Ignored => add(flags, key, "true"),
            _ if !rest.is_empty() => {
                add(flags, key, rest);
                return;
            }
            _ => {
                add(flags, key, words.next().unwrap_or_default());
                return;
            }
        }
    }
}

fn add(flags: &mut Flags, key: &'static Key, value: &str) {
    let kept = keep(key, value);
    if matches!(key.file, "http-proxy" | "https-proxy") && value.contains('@') {
        flags.proxy_credentials = true;
    }
    let bare = key.kind == Kind::Bool && kept == "true";
    flags.shown.push(if bare { format!("--{}", key.flag) } else { format!("--{}={kept}", key.flag) });
    // `--graph` is the old name of `--data-root`.
    let file = if key.file == "graph" { "data-root" } else { key.file };
    if !file.is_empty() {
        flags.values.entry(file).or_default().push(kept);
    }
}

fn keep(key: &Key, value: &str) -> String {
    match (key.keep, key.file) {
        (Keep::Value, _) => without_credentials(value),
        (Keep::Names, file) => match value.split_once('=') {
            Some((name, value)) if file == "log-opts" => {
                format!("{name}={}", keys::log_option(name, value).unwrap_or_else(|| HIDDEN.into()))
            }
            // The value of a runtime is the path of its executable.
            Some((name, path)) if file == "runtimes" => format!("{name}={}", without_credentials(path)),
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => without_credentials(value),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_spelling_of_pflag_is_read() {
        let f = flags("dockerd -H fd:// -Htcp://0.0.0.0:2375 -H=unix:///s --host tcp://a --host=tcp://b -Dl debug");
        assert_eq!(f.all("hosts"), ["fd://", "tcp://0.0.0.0:2375", "unix:///s", "tcp://a", "tcp://b"]);
        assert_eq!(f.boolean("debug"), Some(Some(true)));
        assert_eq!(f.last("log-level"), Some("debug"));
    }

    #[test]
    fn a_boolean_takes_its_value_only_after_an_equals_sign_and_the_last_wins() {
        let f = flags("dockerd --icc=false --iptables false --live-restore --live-restore=0 --tls=maybe");
        assert_eq!(f.boolean("icc"), Some(Some(false)));
        assert_eq!(f.boolean("iptables"), Some(Some(true)));
        assert_eq!(f.boolean("live-restore"), Some(Some(false)));
        assert_eq!(f.boolean("tls"), Some(None));
        assert_eq!(f.boolean("userland-proxy"), None);
    }

    #[test]
    fn nothing_after_two_dashes_is_a_flag_and_unknown_ones_are_kept_by_name() {
        let f = flags("dockerd --new-thing=secret -- --icc=false");
        assert_eq!((f.unknown.as_slice(), f.given("icc")), (&["new-thing".to_owned()][..], false));
        assert_eq!(f.shown, ["dockerd", "--new-thing=***"]);
    }

    #[test]
    fn no_secret_is_kept() {
        let f = flags(
            "dockerd --http-proxy http://u:S3CRET@p:1 --log-opt splunk-token=S3CRET --log-opt max-size=10m \
             --label k=S3CRET --registry-mirror https://u:S3CRET@m S3CRET --bogus=S3CRET -zS3CRET",
        );
        assert!(!format!("{f:?}").contains("S3CRET"), "{f:?}");
        assert!(f.proxy_credentials);
        assert_eq!(f.value("log-opts").unwrap()["max-size"], "10m");
    }

    #[test]
    fn values_have_the_shape_of_the_file() {
        let f = flags("dockerd --default-ulimit nofile=1:2 --mtu=1400 --dns 1.1.1.1");
        assert_eq!(f.value("default-ulimits").unwrap()["nofile"]["Hard"], 2);
        assert_eq!(f.value("mtu").unwrap(), 1400);
        assert_eq!(f.value("dns").unwrap(), serde_json::json!(["1.1.1.1"]));
    }
}
