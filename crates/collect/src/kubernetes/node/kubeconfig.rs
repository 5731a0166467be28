//! Kubeconfigs: which server they lead to, whom they let act, and whether what lets them lies in the file. No token,
//! password or key is kept.

use serde_json::Value as Json;

use super::certificates::{self, Certificate};
use super::shared;

/// The most entries of one list.
const MOST: usize = 1_000;

/// Whom a kubeconfig lets act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    /// The name of the entry.
    pub user: String,
    /// certificate, token, token-file, password, exec, auth-provider or none.
    pub kind: &'static str,
    /// The certificate, or why it could not be read.
    pub certificate: Option<Result<Certificate, String>>,
    /// Whether the credential lies in this very file.
    pub inside: bool,
}

/// What a kubeconfig says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kubeconfig {
    /// The server of its current context, else of its only cluster.
    pub server: Option<String>,
    /// Whether a cluster of it is not verified.
    pub skips_verification: bool,
    /// Whom it lets act.
    pub credentials: Vec<Credential>,
}

/// Reads a kubeconfig; `read` reads the files that it names.
///
/// # Errors
/// Why it is none.
pub(super) fn parse(
    json: &Json,
    path: &str,
    read: impl Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Kubeconfig, String> {
    if json.get("kind").and_then(Json::as_str).is_some_and(|kind| kind != "Config") || !json.is_object() {
        return Err("it is no kubeconfig".to_owned());
    }
    let list = |name: &str| match &json[name] {
        Json::Null => Ok(&[][..]),
        Json::Array(items) if items.len() <= MOST => Ok(items.as_slice()),
        _ => Err(format!("its {name} make no sense")),
    };
    let named = |items: &'_ [Json], name: &str| items.iter().find(|i| i["name"].as_str() == Some(name)).cloned();
    let (clusters, users, contexts) = (list("clusters")?, list("users")?, list("contexts")?);
    let current = json["current-context"].as_str().and_then(|name| named(contexts, name));
    let cluster = match current.as_ref().and_then(|c| c["context"]["cluster"].as_str()) {
        Some(name) => named(clusters, name),
        None => clusters.first().filter(|_| clusters.len() == 1).cloned(),
    };
    let server = cluster.and_then(|c| c["cluster"]["server"].as_str().map(str::to_owned));
    let skips = clusters.iter().any(|c| c["cluster"]["insecure-skip-tls-verify"].as_bool() == Some(true));
    let credentials = users.iter().map(|entry| credential(entry, path, &read)).collect();
    Ok(Kubeconfig { server, skips_verification: skips, credentials })
}

fn credential(entry: &Json, path: &str, read: &impl Fn(&str) -> Result<Vec<u8>, String>) -> Credential {
    let user = &entry["user"];
    let text = |name: &str| user[name].as_str().filter(|t| !t.is_empty());
    let certificate = match (text("client-certificate-data"), text("client-certificate")) {
        (Some(data), _) => Some(base64(data).ok_or_else(|| "its certificate is no Base64".to_owned())),
        (None, Some(at)) => Some(read(&shared::beside(path, at))),
        (None, None) => None,
    };
    let certificate = certificate.map(|bytes| {
        let pem = certificates::pem(&bytes?)?;
        pem.certificates.into_iter().next().ok_or_else(|| "its file holds no certificate".to_owned())
    });
    let kind = if certificate.is_some() {
        "certificate"
    } else if text("token").is_some() {
        "token"
    } else if text("tokenFile").is_some() {
        "token-file"
    } else if text("password").is_some() {
        "password"
    } else if !user["exec"].is_null() {
        "exec"
    } else if !user["auth-provider"].is_null() {
        "auth-provider"
    } else {
        "none"
    };
    let inside = ["client-key-data", "token", "password"].iter().any(|name| text(name).is_some());
    Credential { user: entry["name"].as_str().unwrap_or_default().to_owned(), kind, certificate, inside }
}

/// Base64 as kubeconfigs have it: the standard alphabet, padded, blanks passed over.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_lets_act_is_told_without_being_kept() {
        let file = json!({ "kind": "Config", "current-context": "c",
            "contexts": [{ "name": "c", "context": { "cluster": "b", "user": "t" } }],
            "clusters": [{ "name": "a", "cluster": { "server": "https://a" } },
                         { "name": "b", "cluster": { "server": "https://b:6443", "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "t", "user": { "token": "S3CRET" } },
                      { "name": "e", "user": { "exec": { "command": "aws" } } },
                      { "name": "f", "user": { "client-certificate": "pki/a.pem", "client-key": "pki/a.key" } },
                      { "name": "n", "user": {} }] });
        let read = parse(&file, "/etc/kubernetes/x.conf", |path| Err(format!("asked for {path}"))).unwrap();
        assert_eq!((read.server.as_deref(), read.skips_verification), (Some("https://b:6443"), true));
        let kinds: Vec<_> = read.credentials.iter().map(|c| (c.kind, c.inside)).collect();
        assert_eq!(kinds, [("token", true), ("exec", false), ("certificate", false), ("none", false)]);
        assert_eq!(read.credentials[2].certificate, Some(Err("asked for /etc/kubernetes/pki/a.pem".into())));
        assert!(!format!("{read:?}").contains("S3CRET"));
        assert!(parse(&json!({ "kind": "Pod" }), "/x", |_| Ok(Vec::new())).is_err());
        assert!(parse(&json!({ "users": {} }), "/x", |_| Ok(Vec::new())).is_err());
    }

    #[test]
    fn base64_is_read() {
        assert_eq!(base64("aGVsbG8gd29ybGQ=").as_deref(), Some(&b"hello world"[..]));
        assert_eq!(base64("aGVs\nbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("a*"), None);
    }
}
