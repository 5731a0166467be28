//! What may be kept of the values of dockerd's settings.

use std::net::IpAddr;

pub use seaworthy_core::dockerd::{Keep, Key, Kind, by_file, by_flag, by_short};

/// What stands for a value that is not kept.
pub const HIDDEN: &str = "***";

/// Options of log drivers whose values say how much is kept or what is named, and hold no secret.
const HARMLESS: [&str; 24] = [
    "max-size",
    "max-file",
    "compress",
    "mode",
    "max-buffer-size",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
    "cache-disabled",
    "cache-max-size",
    "cache-max-file",
    "cache-compress",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-skip-verify",
    "fluentd-async",
    "fluentd-max-retries",
    "awslogs-region",
    "awslogs-create-group",
    "gelf-compression-type",
    "splunk-insecureskipverify",
    "splunk-verify-connection",
];

/// Options of log drivers whose values are addresses: where the logs go.
const ADDRESSES: [&str; 4] = ["fluentd-address", "gelf-address", "splunk-url", "syslog-address"];

/// What is kept of an address that leads to the host itself; of others the number alone, where it is one.
pub const THIS_HOST: &str = "this host";

/// What may be kept of the value of a log driver's option; `None` where it may be a secret.
pub fn log_option(option: &str, value: &str) -> Option<String> {
    if ADDRESSES.contains(&option) {
        return whose(value).map(|ip| ip.map_or_else(|| THIS_HOST.to_owned(), |ip| ip.to_string()));
    }
    harmless(option).then(|| without_credentials(value))
}

/// Where an address (`tcp://host:514`, `unix:///dev/log`, `host:24224`) leads: `Some(None)` is the host itself by its very
/// form, `None` a name.
fn whose(address: &str) -> Option<Option<IpAddr>> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    if scheme.starts_with("unix") {
        return Some(None);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) => Some((!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)),
        Err(_) => (host.is_empty() || host == "localhost" || host.ends_with(".localhost")).then_some(None),
    }
}

/// True for an option of a log driver whose value may be kept.
fn harmless(option: &str) -> bool {
    HARMLESS.contains(&option)
}

/// A text with the user parts of the addresses in it, and the queries after them, taken out. A password may hold
/// whatever parts addresses elsewhere (a comma, a quote, a slash), so an address goes on until the next begins, and
/// its last `@` counts.
pub fn without_credentials(text: &str) -> String {
    let parts = |c: char| c == ',' || c.is_whitespace();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let begins = rest[..at].char_indices().rfind(|(_, c)| parts(*c)).map_or(0, |(i, c)| i + c.len_utf8());
        bare(&rest[..begins], &mut out);
        out.push_str(&rest[begins..at + 3]);
        let tail = &rest[at + 3..];
        // Another address begins with a scheme alone; `a,b@c://` is still this one.
        let scheme = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let begin =
            |next: usize| tail[..next].rfind(parts).filter(|at| scheme(tail[*at..next].trim_start_matches(parts)));
        let next = tail.find("://").and_then(begin).unwrap_or(tail.len());
        let (address, after) = tail.split_at(next);
        let shown = address.rfind('@').map_or(address, |at| {
            out.push_str(HIDDEN);
            &address[at..]
        });
        match shown.find(['?', '#']) {
            Some(query) => {
                out.push_str(&shown[..=query]);
                out.push_str(HIDDEN);
            }
            None => out.push_str(shown),
        }
        rest = after;
    }
    bare(rest, &mut out);
    out
}

/// Adds text in which an address without a scheme may hold a user part, too.
fn bare(text: &str, out: &mut String) {
    match (text.rfind('@'), text.find(':')) {
        (Some(at), Some(colon)) if colon < at => {
            out.push_str(HIDDEN);
            out.push_str(&text[at..]);
        }
        _ => out.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_parts_and_queries_are_taken_out() {
        for (text, shown) in [
            ("http://user:pa/ss@proxy:3128/x", "http://***@proxy:3128/x"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("user:secret@proxy:3128", "***@proxy:3128"),
            ("https://h/?token=abc", "https://h/?***"),
            ("http://a:b@c, http://d:e@f", "http://***@c, http://***@f"),
            ("http://user:pa,ss@proxy,tcp://u:p@h", "http://***@proxy,tcp://***@h"),
            ("http://user:pa,ss@proxy://u@h", "http://***@h"),
            ("http://user:it's@proxy", "http://***@proxy"),
            ("user:p@ss@proxy:3128", "***@proxy:3128"),
            ("/etc/docker/ca.pem", "/etc/docker/ca.pem"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
