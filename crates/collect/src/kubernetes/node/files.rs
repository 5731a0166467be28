//! Files and directories of a node as components, each in the part that it plays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes;
use seaworthy_core::value::Value;

use super::certificates::{self, Pem};
use super::view::View;
use super::{document, kubeconfig};
use crate::host::accounts::Accounts;
use crate::host::paths::{self, Access, Kind};
use crate::host::root::{Root, Unread};
use crate::redact::Redactor;

/// The most files of a node.
const MOST: usize = 4_096;
/// The largest file whose content is looked at.
const LARGEST: usize = 1 << 20;

/// Who uses a file.
#[derive(Clone)]
pub(super) struct User {
    /// The component's id.
    pub component: String,
    /// What it is: kube-proxy.
    pub name: &'static str,
    /// The user that it runs as, where that is known.
    pub uid: Option<u32>,
}

/// The files of a node.
pub(super) struct Files<'a> {
    pub host: &'a Root,
    pub accounts: &'a Accounts,
    pub redactor: &'a Redactor,
    pub node: &'a str,
    pub collected_at: i64,
    found: BTreeMap<(&'static str, String), Component>,
    users: BTreeMap<(&'static str, String), Vec<String>>,
    /// Whether there were more than are kept.
    pub cut: bool,
}

impl<'a> Files<'a> {
    pub fn new(
        host: &'a Root,
        accounts: &'a Accounts,
        redactor: &'a Redactor,
        node: &'a str,
        collected_at: i64,
    ) -> Self {
        let (found, users) = (BTreeMap::new(), BTreeMap::new());
        Self { host, accounts, redactor, node, collected_at, found, users, cut: false }
    }

    /// A file of the host.
    pub fn add(&mut self, role: &'static str, path: &str) {
        self.put(role, path, None, self.host, None);
    }

    /// A file of the host where it is there.
    pub fn add_existing(&mut self, role: &'static str, path: &str) -> bool {
        let exists = !matches!(self.host.stat(path), Err(Unread::Absent));
        if exists {
            self.add(role, path);
        }
        exists
    }

    /// A file as a component sees it, under the host's own path where that is the same file.
    pub fn add_of(&mut self, role: &'static str, path: &str, view: &View, user: &User) {
        let Ok(root) = &view.root else {
            let shown = if view.is_host { path.to_owned() } else { format!("{}:{path}", user.name) };
            let why = view.root.as_ref().err().cloned().unwrap_or_default();
            self.unread(role, &shown, &why, user);
            return;
        };
        if view.is_host {
            self.put(role, path, None, self.host, Some(user));
            return;
        }
        let same = |at: &str| match (self.host.stat(at), root.stat(path)) {
            (Ok(a), Ok(b)) => (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino),
            _ => false,
        };
        if same(path) {
            self.put(role, path, None, self.host, Some(user));
        } else {
            self.put(role, path, Some(user.name), root, Some(user));
        }
    }

    /// The components.
    pub fn finish(mut self) -> Vec<Component> {
        let found = std::mem::take(&mut self.found);
        found
            .into_iter()
            .map(|(key, mut c)| {
                let mut users = self.users.remove(&key).unwrap_or_default();
                users.sort();
                c.set("used_by", Value::strings(users), Source::place("arguments of the node's components"));
                c
            })
            .collect()
    }

    fn unread(&mut self, role: &'static str, shown: &str, why: &str, user: &User) {
        let key = (role, shown.to_owned());
        self.users.entry(key.clone()).or_default().push(user.component.clone());
        let mut c = self.named(role, shown);
        c.set("seen_as", Value::Null, Source::place(shown));
        c.rest_unknown(&why.into(), &Source::place(shown));
        self.found.entry(key).or_insert(c);
    }

    fn named(&self, role: &'static str, shown: &str) -> Component {
        let text = self.redactor.text(shown).into_owned();
        let mut c = Component::new(&kubernetes::FILE, format!("{role}:{}:{text}", self.node), text.as_str());
        let source = || Source::place(text.as_str());
        c.set("role", role, source());
        c.set("path", text.as_str(), source());
        c.set("node", self.node, source());
        c
    }

    fn put(&mut self, role: &'static str, path: &str, of: Option<&str>, root: &Root, user: Option<&User>) {
        let access = paths::access(root, path);
        let real = access.as_ref().map_or_else(|_| path.to_owned(), |a| a.real.to_string_lossy().into_owned());
        let shown = of.map_or_else(|| real.clone(), |name| format!("{name}:{real}"));
        let key = (role, shown.clone());
        if let Some(user) = user {
            let users = self.users.entry(key.clone()).or_default();
            if !users.contains(&user.component) {
                users.push(user.component.clone());
            }
        }
        if self.found.contains_key(&key) {
            return;
        }
        if self.found.len() >= MOST {
            self.cut = true;
            return;
        }
        let mut c = self.named(role, &shown);
        let source = || Source::place(shown.as_str());
        let seen_as = if of.is_none() && real != path { Value::from(path) } else { Value::Null };
        c.set("seen_as", seen_as, source());
        match &access {
            Ok(access) => self.present(&mut c, access, root, &shown, user),
            Err(Unread::Absent) => {
                c.set("exists", false, source());
                c.set("type", Value::Null, source());
                c.rest_unknown(&"it is not there".into(), &source());
            }
            Err(why) => c.rest_unknown(&why.to_string().into(), &source()),
        }
        self.found.insert(key, c);
    }

    fn present(&self, c: &mut Component, access: &Access, root: &Root, shown: &str, user: Option<&User>) {
        let source = || Source::place(shown);
        c.set("exists", true, source());
        let kind = match access.kind {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Socket => "socket",
            Kind::Device | Kind::Other => "other",
        };
        c.set("type", kind, source());
        c.set("uid", i64::from(access.uid), source());
        c.set("gid", i64::from(access.gid), source());
        c.set("owner", self.user(access.uid), source());
        c.set("group", self.group(access.gid), source());
        match user.map(|user| user.uid) {
            Some(Some(uid)) => c.set("owned_by_process", uid == access.uid, source()),
            Some(None) => c.set_unknown("owned_by_process", "the user of the process is unknown", source()),
            None => c.set_unknown("owned_by_process", "no process uses it", source()),
        }
        c.set("mode", i64::from(access.mode), source());
        self.rights(c, access, shown);
        let parents = exposed(root, &access.real);
        c.set("exposed_parents", parents.unwrap_or_else(Value::unknown), source());
        self.content(c, access, root, shown);
    }

    fn rights(&self, c: &mut Component, access: &Access, shown: &str) {
        let place = || Source::place(format!("{shown}: system.posix_acl_access"));
        let by_mode = |bits: u32| access.mode & bits != 0;
        match &access.list {
            Ok(entries) => {
                let granting: Vec<_> = entries.iter().filter(|e| e.grants != 0 && e.id != 0).collect();
                let text = granting.iter().map(|e| {
                    let name = if e.group { self.group(e.id) } else { self.user(e.id) };
                    let bits = [(4, 'r'), (2, 'w'), (1, 'x')]
                        .map(|(bit, letter)| if e.grants & bit != 0 { letter } else { '-' });
                    format!("{} {name}: {}", if e.group { "group" } else { "user" }, bits.iter().collect::<String>())
                });
                c.set("acl", Value::strings(text.collect::<Vec<_>>()), place());
                let listed = |bit: u32| granting.iter().any(|e| e.grants & bit != 0);
                c.set("readable_by_others", by_mode(0o044) || listed(4), place());
                c.set("writable_by_others", by_mode(0o022) || listed(2), place());
            }
            Err(why) => {
                c.set_unknown("acl", why.as_str(), place());
                for (fact, bits) in [("readable_by_others", 0o044), ("writable_by_others", 0o022)] {
                    match by_mode(bits) {
                        true => c.set(fact, true, place()),
                        false => c.set_unknown(fact, why.as_str(), place()),
                    }
                }
            }
        }
    }

    fn user(&self, uid: u32) -> String {
        self.accounts.user_by_uid(uid).map_or_else(|| uid.to_string(), |u| u.name.clone())
    }

    fn group(&self, gid: u32) -> String {
        self.accounts.group_names(gid).first().map_or_else(|| gid.to_string(), |name| (*name).to_owned())
    }

    /// Certificates and credentials, where the part that it plays may have them.
    fn content(&self, c: &mut Component, access: &Access, root: &Root, shown: &str) {
        let role = c.value("role").as_str().unwrap_or_default().to_owned();
        let source = || Source::place(shown);
        let pem =
            matches!(role.as_str(), "pki-cert" | "pki-key" | "kubelet-client-ca" | "kubelet-cert" | "kubelet-key");
        let config = role.ends_with("-conf") || role.ends_with("kubeconfig");
        if access.kind != Kind::File || !(pem || config) {
            c.set("certificates", Value::List(Vec::new()), source());
            c.set("private_key", false, source());
            c.set("credentials", Value::List(Vec::new()), source());
            c.set("server", Value::Null, source());
            c.set("skips_verification", false, source());
            return;
        }
        let bytes = match root.read(&access.real, LARGEST) {
            Ok(bytes) => bytes,
            Err(why) => {
                c.rest_unknown(&why.to_string().into(), &source());
                return;
            }
        };
        if pem { self.pem(c, &bytes, shown) } else { self.kubeconfig(c, &bytes, root, &access.real, shown) }
    }

    fn pem(&self, c: &mut Component, bytes: &[u8], shown: &str) {
        let source = || Source::place(shown);
        c.set("server", Value::Null, source());
        c.set("skips_verification", false, source());
        let Pem { certificates, private_key } = match certificates::pem(bytes) {
            Ok(pem) => pem,
            Err(why) => {
                c.rest_unknown(&why.into(), &source());
                return;
            }
        };
        let text = |t: &str| Value::from(self.redactor.text(t).into_owned());
        let values = certificates.iter().take(128).map(|c| c.value(text, self.collected_at)).collect();
        c.set("certificates", Value::List(values), source());
        c.set("private_key", private_key, source());
        let acts = certificates.first().filter(|_| private_key);
        let acts = acts.map(|certificate| self.credential("", "certificate", Some(Ok(certificate)), true));
        c.set("credentials", Value::List(acts.into_iter().collect()), source());
    }

    fn kubeconfig(&self, c: &mut Component, bytes: &[u8], root: &Root, path: &Path, shown: &str) {
        let source = || Source::place(shown);
        c.set("certificates", Value::List(Vec::new()), source());
        let read = |at: &str| root.read(at, LARGEST).map_err(|why| format!("{at}: {why}"));
        let parsed = document::parse(bytes).and_then(|json| kubeconfig::parse(&json, &path.to_string_lossy(), read));
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(why) => {
                c.rest_unknown(&why.into(), &source());
                return;
            }
        };
        let server = parsed.server.map(|server| self.redactor.url(&server));
        c.set("server", server, source());
        c.set("skips_verification", parsed.skips_verification, source());
        let inside = parsed.credentials.iter().any(|c| c.inside && c.kind == "certificate");
        c.set("private_key", inside, source());
        let acts = parsed.credentials.iter().map(|credential| {
            let certificate = credential.certificate.as_ref().map(|c| c.as_ref().map_err(String::as_str));
            self.credential(&credential.user, credential.kind, certificate, credential.inside)
        });
        c.set("credentials", Value::List(acts.collect()), source());
    }

    fn credential(
        &self,
        user: &str,
        kind: &str,
        certificate: Option<Result<&certificates::Certificate, &str>>,
        inside: bool,
    ) -> Value {
        let text = |t: &str| Value::from(self.redactor.text(t).into_owned());
        let (name, groups, days) = match certificate {
            Some(Ok(certificate)) => (
                text(&certificate.common_name),
                Value::List(certificate.organizations.iter().map(|o| text(o)).collect()),
                Value::Int(certificate.days_left(self.collected_at)),
            ),
            Some(Err(why)) => (Value::unknown(why), Value::unknown(why), Value::unknown(why)),
            None => (Value::from(""), Value::List(Vec::new()), Value::Null),
        };
        Value::Object(vec![
            ("user", text(user)),
            ("kind", kind.into()),
            ("common_name", name),
            ("organizations", groups),
            ("expires_in_days", days),
            ("inside", inside.into()),
        ])
    }
}

/// Directories above a path in which somebody else than root may put another in its place.
fn exposed(root: &Root, path: &Path) -> Result<Value, String> {
    let mut found: Vec<String> = Vec::new();
    let mut at: Option<PathBuf> = path.parent().map(Path::to_owned);
    for _ in 0..128 {
        let Some(here) = at else { break };
        let access = paths::access(root, &here).map_err(|why| format!("{}: {why}", here.display()))?;
        let listed = access.list.as_ref().map_err(Clone::clone)?.iter().any(|e| e.id != 0 && e.grants & 2 != 0);
        // In a directory with the sticky bit only owners of entries may move these.
        let open = (access.mode & 0o022 != 0 || listed) && access.mode & 0o1000 == 0;
        if open || access.uid != 0 {
            found.push(here.to_string_lossy().into_owned());
        }
        at = here.parent().map(Path::to_owned);
    }
    Ok(Value::strings(found))
}
