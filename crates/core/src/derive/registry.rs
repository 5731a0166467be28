//! Registries as components: nobody lists them, so they follow from the names of images, from what the engine is
//! configured for, and from the credentials that clients keep.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::only;
use crate::cidr::{network, within};
use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// What a client's list says for the old file that holds credentials without saying here for which registries.
const OLD_FILE: &str = "~/.dockercfg";

/// What is known about one address.
#[derive(Default)]
struct Registry {
    insecure: bool,
    mirror: Option<Value>,
    used_by: Vec<Box<str>>,
    kept_by: Vec<Box<str>>,
}

/// All of them, and why there may be more.
#[derive(Default)]
struct Registries {
    by_address: BTreeMap<String, Registry>,
    /// Networks in which the engine verifies nothing.
    networks: Vec<(String, IpAddr, u32)>,
    insecure_unknown: Option<Arc<str>>,
    mirrors_unknown: Option<Arc<str>>,
    images_unknown: Option<Arc<str>>,
    clients_unknown: Option<Arc<str>>,
}

/// Puts the registries into the target, in place of those that an earlier run put there.
pub(super) fn derive(target: &mut Target) {
    target.components.retain(|c| !std::ptr::eq(c.kind, &docker::REGISTRY));
    let found = Registries::of(target);
    let unknown = [&found.images_unknown, &found.insecure_unknown, &found.mirrors_unknown, &found.clients_unknown];
    if let Some(reason) = unknown.into_iter().flatten().next() {
        target.incomplete(&docker::REGISTRY, reason.to_string());
    }
    let components: Vec<Component> = found.by_address.iter().map(|(a, r)| found.component(a, r)).collect();
    target.components.extend(components);
}

impl Registries {
    fn of(target: &Target) -> Self {
        let mut out = Self {
            images_unknown: target.incomplete.get(docker::IMAGE.name).map(|r| r.as_str().into()),
            clients_unknown: target.incomplete.get(docker::CLIENT.name).map(|r| r.as_str().into()),
            ..Self::default()
        };
        out.images(target);
        out.daemon(target);
        out.clients(target);
        out
    }

    fn at(&mut self, address: String) -> &mut Registry {
        self.by_address.entry(address).or_default()
    }

    fn images(&mut self, target: &Target) {
        for image in target.of(&docker::IMAGE) {
            for name in texts(image.value("registries"), &mut self.images_unknown) {
                if let Some(address) = address(name) {
                    self.by_address.entry(address).or_default().used_by.push(image.name.clone());
                }
            }
        }
    }

    fn daemon(&mut self, target: &Target) {
        let mut unknown = None;
        for entry in texts(only(target, &docker::DAEMON, "insecure_registries"), &mut unknown) {
            if let Some((ip, length)) = network(entry) {
                self.networks.push((entry.to_owned(), ip, length));
            } else if let Some(address) = address(entry) {
                self.by_address.entry(address).or_default().insecure = true;
            }
        }
        self.insecure_unknown = unknown;
        match only(target, &docker::DAEMON, "registry_mirrors") {
            Value::List(mirrors) => {
                for mirror in mirrors {
                    match mirror.field("address").unwrap_or(mirror) {
                        Value::Str(text) => {
                            let insecure = mirror.field("insecure").cloned();
                            let Some(address) = address(text) else { continue };
                            self.at(address).mirror =
                                Some(insecure.unwrap_or_else(|| Value::unknown("it was not said")));
                        }
                        other => note(other, &mut self.mirrors_unknown),
                    }
                }
            }
            other => note(other, &mut self.mirrors_unknown),
        }
    }

    fn clients(&mut self, target: &Target) {
        for client in target.of(&docker::CLIENT) {
            let user = client.value("user").as_str().unwrap_or(&client.name);
            for entry in texts(client.value("plain_credentials"), &mut self.clients_unknown) {
                if entry == OLD_FILE {
                    let why = format!("for which registries {user} keeps credentials in {OLD_FILE} is not known");
                    self.clients_unknown.get_or_insert_with(|| why.into());
                } else if let Some(address) = address(entry) {
                    self.by_address.entry(address).or_default().kept_by.push(user.into());
                }
            }
        }
    }

    fn component(&self, address: &str, registry: &Registry) -> Component {
        let mut c = Component::new(&docker::REGISTRY, address, address);
        let place: Arc<str> = "GET /info".into();
        let configured = Source::new(&place, "RegistryConfig");
        c.set("address", address, Source::place("names of images, the engine's registries, clients' credentials"));
        c.set("insecure", self.insecure(address, registry), configured.clone());
        let mirror = match (&registry.mirror, &self.mirrors_unknown) {
            (Some(_), _) => true.into(),
            (None, Some(reason)) => Value::Unknown(Arc::clone(reason)),
            (None, None) => false.into(),
        };
        c.set("mirror", mirror, configured);
        let images = listed(&registry.used_by, self.images_unknown.as_ref());
        c.set("used_by", images, Source::place("registries of all images"));
        let users = listed(&registry.kept_by, self.clients_unknown.as_ref());
        c.set("credentials_kept_by", users, Source::place("plain_credentials of all clients"));
        c
    }

    fn insecure(&self, address: &str, registry: &Registry) -> Value {
        let host = host(address);
        let ip = host.parse::<IpAddr>();
        if host == "localhost" || ip.as_ref().is_ok_and(IpAddr::is_loopback) {
            return false.into();
        }
        if registry.insecure || registry.mirror == Some(Value::Bool(true)) {
            return true.into();
        }
        let lies_in = |(_, network, length): &&(String, IpAddr, u32)| match &ip {
            Ok(ip) => within(*ip, *network, *length),
            Err(_) => true,
        };
        match (self.networks.iter().find(lies_in), &ip) {
            (Some(_), Ok(_)) => return true.into(),
            (Some((text, ..)), Err(_)) => {
                return Value::unknown(format!(
                    "whether {host} lies in {text}, where nothing is verified, was not looked up"
                ));
            }
            (None, _) => {}
        }
        if let Some(Value::Unknown(reason)) = &registry.mirror {
            return Value::Unknown(Arc::clone(reason));
        }
        match &self.insecure_unknown {
            Some(reason) => Value::Unknown(Arc::clone(reason)),
            None => false.into(),
        }
    }
}

/// The known texts of a list; the first reason why one or all of them are not known is kept.
fn texts<'a>(list: &'a Value, unknown: &mut Option<Arc<str>>) -> Vec<&'a str> {
    match list {
        Value::List(items) => {
            for item in items {
                note(item, unknown);
            }
            items.iter().filter_map(Value::as_str).collect()
        }
        other => {
            note(other, unknown);
            Vec::new()
        }
    }
}

fn note(value: &Value, unknown: &mut Option<Arc<str>>) {
    if let Value::Unknown(reason) = value {
        unknown.get_or_insert_with(|| Arc::clone(reason));
    }
}

/// A list of names, each once, to which an unknown one belongs when there may be more.
fn listed(names: &[Box<str>], unknown: Option<&Arc<str>>) -> Value {
    let mut names: Vec<&str> = names.iter().map(|n| &**n).collect();
    names.sort_unstable();
    names.dedup();
    match unknown {
        Some(reason) if names.is_empty() => Value::Unknown(Arc::clone(reason)),
        Some(reason) => {
            let known = names.into_iter().map(Value::from);
            Value::List(known.chain([Value::Unknown(Arc::clone(reason))]).collect())
        }
        None => Value::strings(names),
    }
}

/// Host and port in small letters, without scheme, user and path; none where nothing is left.
fn address(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    match authority.as_str() {
        "" => None,
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => Some("docker.io".to_owned()),
        _ => Some(authority),
    }
}

fn host(address: &str) -> &str {
    match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => address.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(address: &str, insecure: Value) -> Value {
        Value::Object(vec![("address", address.into()), ("insecure", insecure)])
    }

    fn target() -> Target {
        let source = || Source::place("test");
        let mut target = Target::new("t", "docker", "unix:///x");
        let mut daemon = Component::new(&docker::DAEMON, "daemon", "daemon");
        daemon.set("insecure_registries", Value::strings(["registry.internal:5000"]), source());
        daemon.set("registry_mirrors", Value::List(vec![mirror("http://mirror.internal/", true.into())]), source());
        let mut image = Component::new(&docker::IMAGE, "1", "web:1");
        image.set("registries", Value::strings(["docker.io", "registry.internal:5000"]), source());
        let mut client = Component::new(&docker::CLIENT, "/root/.docker", "root");
        client.set("user", "root", source());
        client.set("plain_credentials", Value::strings(["https://index.docker.io/v1/"]), source());
        target.components = vec![daemon, image, client];
        target
    }

    fn fact(target: &Target, address: &str, fact: &str) -> String {
        let registry = target.of(&docker::REGISTRY).find(|c| &*c.name == address);
        registry.unwrap_or_else(|| panic!("no {address}")).value(fact).to_string()
    }

    #[test]
    fn each_registry_is_there_once_with_what_is_known_of_it() {
        let mut t = target();
        derive(&mut t);
        derive(&mut t);
        let names: Vec<&str> = t.of(&docker::REGISTRY).map(|c| &*c.name).collect();
        assert_eq!(names, ["docker.io", "mirror.internal", "registry.internal:5000"]);
        assert_eq!(fact(&t, "docker.io", "insecure"), "false");
        assert_eq!(fact(&t, "docker.io", "used_by"), "[web:1]");
        assert_eq!(fact(&t, "docker.io", "credentials_kept_by"), "[root]");
        assert_eq!(fact(&t, "mirror.internal", "insecure"), "true");
        assert_eq!(fact(&t, "mirror.internal", "mirror"), "true");
        assert_eq!(fact(&t, "mirror.internal", "used_by"), "[]");
        assert_eq!(fact(&t, "registry.internal:5000", "insecure"), "true");
        assert_eq!(fact(&t, "registry.internal:5000", "mirror"), "false");
        assert!(!t.incomplete.contains_key(docker::REGISTRY.name));
    }

    #[test]
    fn what_could_not_be_read_leaves_the_list_open() {
        for (at, name) in [(0, "insecure_registries"), (0, "registry_mirrors"), (1, "registries")] {
            let mut t = target();
            t.components[at].set_unknown(name, "denied", Source::place("test"));
            derive(&mut t);
            assert_eq!(t.incomplete.get(docker::REGISTRY.name).map(String::as_str), Some("denied"), "{name}");
        }
        let mut t = target();
        t.components[0].set_unknown("insecure_registries", "denied", Source::place("test"));
        derive(&mut t);
        assert_eq!(fact(&t, "docker.io", "insecure"), "unknown (denied)");
        assert_eq!(fact(&t, "mirror.internal", "insecure"), "true");
        let mut t = target();
        t.incomplete(&docker::IMAGE, "not listed");
        derive(&mut t);
        assert_eq!(fact(&t, "docker.io", "used_by"), "[web:1, unknown (not listed)]");
        assert_eq!(fact(&t, "mirror.internal", "used_by"), "unknown (not listed)");
    }

    #[test]
    fn the_old_file_of_credentials_does_not_say_for_which() {
        let mut t = target();
        t.components[2].set("plain_credentials", Value::strings([OLD_FILE]), Source::place("test"));
        derive(&mut t);
        assert!(fact(&t, "docker.io", "credentials_kept_by").starts_with("unknown (for which registries root"));
        assert!(t.incomplete.contains_key(docker::REGISTRY.name));
    }

    #[test]
    fn networks_without_verification_decide_by_address() {
        let insecure = |name: &str| {
            let mut t = target();
            let networks = Value::strings(["10.0.0.0/8"]);
            t.components[0].set("insecure_registries", networks, Source::place("test"));
            t.components[1].set("registries", Value::strings([name]), Source::place("test"));
            derive(&mut t);
            assert!(!t.of(&docker::REGISTRY).any(|c| c.name.contains('/')));
            t.of(&docker::REGISTRY).find(|c| &*c.name == name).unwrap().value("insecure").as_bool()
        };
        assert_eq!(insecure("10.1.2.3:5000"), Some(true));
        assert_eq!(insecure("11.1.2.3:5000"), Some(false));
        assert_eq!(insecure("127.0.0.1:5000"), Some(false));
        assert_eq!(insecure("[::1]:5000"), Some(false));
        assert_eq!(insecure("registry.example.com"), None);
    }

    #[test]
    fn addresses_lose_scheme_user_and_path() {
        for (text, expected) in [
            ("https://index.docker.io/v1/", Some("docker.io")),
            ("HTTP://u:p@Mirror.Example:5000/v2", Some("mirror.example:5000")),
            ("registry.example", Some("registry.example")),
            ("https:///", None),
            ("", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }
}
