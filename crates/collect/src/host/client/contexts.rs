//! Contexts of the docker command line: `contexts/meta/ID/meta.json`, `contexts/tls/ID/…`.

use serde_json::Value;

use super::url::without_userinfo;
use super::{AFFECTS, MOST_FILES};
use crate::host::gap::Gap;
use crate::host::meta::{Kind, Meta};
use crate::host::root::Root;

/// One context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The engine's address without user and password; none where it has none.
    pub host: Option<String>,
    /// True when the engine's certificate is not verified.
    pub skip_tls_verify: bool,
    /// Its TLS material: `ca.pem`, `cert.pem`, `key.pem`.
    pub tls: Vec<Meta>,
    /// Path, owner and mode of its description.
    pub meta: Meta,
}

/// Reads all contexts below a directory.
pub(super) fn read(root: &Root, dir: &str, gaps: &mut Vec<Gap>) -> Vec<Context> {
    let metas = format!("{dir}/meta");
    let ids = match root.list(&metas, MOST_FILES) {
        Ok(ids) => ids,
        Err(unread) => {
            gaps.extend(Gap::of(metas, &unread, AFFECTS));
            return Vec::new();
        }
    };
    let mut contexts = Vec::new();
    for id in ids.iter().map(|id| id.to_string_lossy()) {
        let path = format!("{metas}/{id}/meta.json");
        let read = root.read_text(&path).and_then(|text| Ok((text, Meta::read(root, &path)?)));
        let (text, meta) = match read {
            Ok(read) => read,
            Err(unread) => {
                gaps.extend(Gap::of(path, &unread, AFFECTS));
                continue;
            }
        };
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            gaps.push(Gap::new(path, "is no JSON", AFFECTS));
            continue;
        };
        let endpoint = &value["Endpoints"]["docker"];
        contexts.push(Context {
            name: value["Name"].as_str().unwrap_or(&id).to_owned(),
            host: endpoint["Host"].as_str().filter(|host| !host.is_empty()).map(without_userinfo),
            skip_tls_verify: endpoint["SkipTLSVerify"].as_bool().unwrap_or(false),
            tls: material(root, &format!("{dir}/tls/{id}"), gaps),
            meta,
        });
    }
    contexts
}

/// The files of a context's endpoints.
fn material(root: &Root, dir: &str, gaps: &mut Vec<Gap>) -> Vec<Meta> {
    let mut found = Vec::new();
    let mut list = |dir: &str| match root.list(dir, MOST_FILES) {
        Ok(names) => names.iter().map(|name| format!("{dir}/{}", name.to_string_lossy())).collect(),
        Err(unread) => {
            gaps.extend(Gap::of(dir, &unread, AFFECTS));
            Vec::new()
        }
    };
    let mut paths = Vec::new();
    for endpoint in list(dir) {
        if Meta::read(root, &endpoint).is_ok_and(|meta| meta.kind == Kind::Directory) {
            paths.extend(list(&endpoint));
        }
    }
    for path in paths.into_iter().take(MOST_FILES) {
        match Meta::read(root, &path) {
            Ok(meta) => found.push(meta),
            Err(unread) => gaps.extend(Gap::of(path, &unread, AFFECTS)),
        }
    }
    found
}
