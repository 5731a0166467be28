//! The files that kubeadm lays out: certificates, keys, kubeconfigs.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::control::{Addresses, SERVICE};
use super::pki::{Authority, Pair, Subject, token_keys, write};

/// The group that kubeadm binds to `cluster-admin`.
pub(crate) const ADMINS: &str = "kubeadm:cluster-admins";

/// What a kubeconfig logs in with.
pub(crate) enum Login<'a> {
    Certificate(&'a Pair),
    Token(&'a str),
}

/// Who signs in a cluster.
#[derive(Debug)]
pub(crate) struct Authorities {
    pub(crate) cluster: Authority,
    front_proxy: Authority,
    etcd: Authority,
}

impl Authorities {
    pub(crate) fn new() -> Self {
        let [cluster, front_proxy, etcd] = ["kubernetes", "front-proxy-ca", "etcd-ca"].map(Authority::new);
        Self { cluster, front_proxy, etcd }
    }

    /// Writes `etc/kubernetes` of a control plane; returns the certificate that no policy limits.
    pub(crate) fn lay_out(&self, dir: &Path, at: &Addresses) -> io::Result<Pair> {
        let etc = dir.join("etc/kubernetes");
        let pki = etc.join("pki");
        self.cluster.pair().write(&pki.join("ca"))?;
        self.front_proxy.pair().write(&pki.join("front-proxy-ca"))?;
        self.etcd.pair().write(&pki.join("etcd/ca"))?;
        let (key, public) = token_keys();
        write(&pki.join("sa.key"), key, 0o600)?;
        write(&pki.join("sa.pub"), public, 0o644)?;
        let hosts = server_names(at);
        let subject = |name, groups, hosts, both| Subject { name, groups, hosts, both, expired: false };
        let local = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        for (authority, path, subject) in [
            (&self.cluster, "apiserver", subject("kube-apiserver", &[], &hosts, false)),
            (
                &self.cluster,
                "apiserver-kubelet-client",
                subject("kube-apiserver-kubelet-client", &[ADMINS], &[], false),
            ),
            (&self.front_proxy, "front-proxy-client", subject("front-proxy-client", &[], &[], false)),
            (&self.etcd, "apiserver-etcd-client", subject("kube-apiserver-etcd-client", &[], &[], false)),
            (&self.etcd, "etcd/healthcheck-client", subject("kube-etcd-healthcheck-client", &[], &[], false)),
            (&self.etcd, "etcd/peer", subject("etcd", &[], &local, true)),
            (&self.etcd, "etcd/server", subject("etcd", &[], &local, true)),
        ] {
            authority.issue(subject).write(&pki.join(path))?;
        }
        std::fs::create_dir_all(etc.join("manifests"))?;
        for (file, name, groups) in [
            ("admin.conf", "kubernetes-admin", &[ADMINS][..]),
            ("controller-manager.conf", "system:kube-controller-manager", &[]),
            ("scheduler.conf", "system:kube-scheduler", &[]),
        ] {
            let pair = self.cluster.issue(subject(name, groups, &[], false));
            self.kubeconfig(&etc.join(file), at, name, Login::Certificate(&pair))?;
        }
        let name = "kubernetes-super-admin";
        let pair = self.cluster.issue(subject(name, &["system:masters"], &[], false));
        self.kubeconfig(&etc.join("super-admin.conf"), at, name, Login::Certificate(&pair))?;
        Ok(pair)
    }

    pub(crate) fn kubeconfig(&self, path: &Path, at: &Addresses, user: &str, login: Login<'_>) -> io::Result<PathBuf> {
        let authority = BASE64_STANDARD.encode(self.cluster.certificate());
        let login = match login {
            Login::Certificate(pair) => format!(
                "client-certificate-data: {}\n    client-key-data: {}",
                BASE64_STANDARD.encode(&pair.certificate),
                BASE64_STANDARD.encode(&pair.key)
            ),
            Login::Token(token) => format!("token: {token}"),
        };
        let (server, user) = (at.api, Value::from(user));
        let text = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    \
             server: https://{server}\n  name: kubernetes\ncontexts:\n- context:\n    cluster: kubernetes\n    \
             user: {user}\n  name: bed\ncurrent-context: bed\nkind: Config\nusers:\n- name: {user}\n  user:\n    {login}\n"
        );
        write(path, text, 0o600)?;
        Ok(path.to_path_buf())
    }
}

fn server_names(at: &Addresses) -> Vec<String> {
    let service =
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    let mut names: Vec<String> =
        service.into_iter().chain(["localhost", SERVICE, "127.0.0.1"]).map(String::from).collect();
    for address in [at.api.ip().to_string(), at.advertised.to_string()] {
        if !names.contains(&address) {
            names.push(address);
        }
    }
    names
}

/// YAML of a value: each scalar as JSON writes it.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value, 0);
    text
}

fn put(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let nested = matches!(value, Value::Object(map) if !map.is_empty())
                    || matches!(value, Value::Array(list) if !list.is_empty());
                text.push_str(&format!("{indent}{}:{}", plain(key), if nested { "\n" } else { " " }));
                put(text, value, depth + usize::from(nested));
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                let mut item = String::new();
                put(&mut item, value, depth + 1);
                // The item's first line begins after the dash, where its own indentation would have ended.
                text.push_str(&format!("{indent}- {}", item.trim_start_matches(' ')));
            }
        }
        scalar => text.push_str(&format!("{scalar}\n")),
    }
}

/// A key that means itself goes without quotes.
fn plain(key: &str) -> String {
    let is_word = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    if is_word { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn yaml_nests() {
        let value = json!({ "a": { "b": [{ "c": "x", "d": [1, "2"] }, "e"], "f": {} }, "g h": null });
        let text =
            "a:\n  b:\n    - c: \"x\"\n      d:\n        - 1\n        - \"2\"\n    - \"e\"\n  f: {}\n\"g h\": null\n";
        assert_eq!(super::yaml(&value), text);
    }
}
