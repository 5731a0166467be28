//! Addresses without the credentials that people write into them.

/// The part after the scheme and before the path.
fn authority(url: &str) -> (usize, usize) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    (start, end)
}

/// True when the address holds a user or a password.
pub(super) fn has_userinfo(url: &str) -> bool {
    let (start, end) = authority(url);
    // A password may hold unescaped slashes: an @ further on counts too.
    url[start..end].contains('@') || (url[start..].contains('@') && url[start..end].contains(':'))
}

/// The address without user, password, query and fragment. A socket's path is left as it is.
pub(super) fn without_userinfo(url: &str) -> String {
    if let Some(path) = url.strip_prefix("unix://").or_else(|| url.strip_prefix("npipe://")) {
        return format!("{}{path}", &url[..url.len() - path.len()]);
    }
    let (start, _) = authority(url);
    let rest = if has_userinfo(url) { url[start..].rsplit('@').next().unwrap_or_default() } else { &url[start..] };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{}{rest}", &url[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_and_addresses_stay() {
        for (url, expected) in [
            ("tcp://user:pa@ss@host:2376/x?token=1", "tcp://host:2376/x"),
            ("ssh://root@host", "ssh://host"),
            ("http://u:p/w@proxy:3128", "http://proxy:3128"),
            ("user:secret@host", "host"),
            ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
            ("https://index.docker.io/v1/", "https://index.docker.io/v1/"),
            ("localhost:5000", "localhost:5000"),
        ] {
            assert_eq!(without_userinfo(url), expected);
            assert_eq!(has_userinfo(url), url.contains('@'), "{url}");
        }
    }
}
