//! What a document is about, by digest, and which image that is.

use seaworthy_core::component::Component;
use seaworthy_core::value::Value;

/// The most digests and names of one document that are compared.
const MOST: usize = 64;

/// An image as a document names it.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// The digest of its configuration, which names one image of one platform.
    config: Option<String>,
    /// Digests of manifests and of indexes over several platforms.
    manifests: Vec<String>,
    /// Names, by which nothing is matched; they say what was meant.
    names: Vec<String>,
    /// `linux/amd64`.
    platform: Option<String>,
}

/// How a document stands to an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// It is about this image.
    Same,
    /// It is about this image on another platform, which it names.
    Platform(String),
    /// It is about another image of the same name: its digest.
    Name(String),
    /// It has nothing to do with it.
    None,
}

impl Subject {
    /// The digest of the configuration, where the text holds one.
    pub(super) fn config(&mut self, text: &str) {
        self.config = self.config.take().or_else(|| digest(text));
    }

    /// A digest of a manifest, where the text holds one: `app@sha256:…` too.
    pub(super) fn manifest(&mut self, text: &str) {
        if let Some(digest) = digest(text)
            && self.manifests.len() < MOST
            && !self.manifests.contains(&digest)
        {
            self.manifests.push(digest);
        }
    }

    /// A name that it goes by; a digest in it counts.
    pub(super) fn name(&mut self, text: &str) {
        self.manifest(text);
        if self.names.len() < MOST && !text.is_empty() {
            self.names.push(text.to_owned());
        }
    }

    /// The platform, where both halves are said.
    pub(super) fn platform(&mut self, os: Option<&str>, architecture: Option<&str>) {
        if let (Some(os), Some(architecture)) = (os, architecture) {
            self.platform = Some(format!("{os}/{architecture}"));
        }
    }

    /// A digest that tells it from others.
    pub(super) fn any_digest(&self) -> Option<&str> {
        self.manifests.first().or(self.config.as_ref()).map(String::as_str)
    }

    /// How it stands to an image of a snapshot.
    pub(super) fn relation(&self, image: &Component) -> Relation {
        let own = image.value("digests").as_list().unwrap_or_default();
        let own: Vec<&str> = own.iter().filter_map(Value::as_str).filter_map(|name| name.split('@').nth(1)).collect();
        let id = &*image.id;
        let is = |digest: &String| digest == id || own.contains(&digest.as_str());
        // Containerd's store has the digest of the manifest or index as id, the older stores that of the configuration.
        let id_is_config = !own.contains(&id) && !self.manifests.iter().any(|digest| digest == id);
        let other_config = self.config.as_deref().filter(|config| id_is_config && *config != id);
        let platform = image.value("platform").as_str();
        let other_platform = self.platform.as_deref().filter(|named| platform.is_some_and(|own| own != *named));
        if self.config.iter().chain(&self.manifests).any(is) {
            return match (other_platform, other_config) {
                (Some(platform), _) => Relation::Platform(platform.to_owned()),
                // One index, two images.
                (None, Some(config)) => Relation::Name(config.to_owned()),
                (None, None) => Relation::Same,
            };
        }
        let tags = image.value("tags").as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        let digests = image.value("digests").as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        let is_named = tags.chain(digests).any(|own| self.names.iter().any(|name| same_name(own, name)));
        if is_named {
            return Relation::Name(self.any_digest().unwrap_or("which it does not name").to_owned());
        }
        Relation::None
    }
}

/// The digest in a text: alone, or behind an `@`, also as package URLs encode it.
fn digest(text: &str) -> Option<String> {
    let text = text.split(['?', '#']).next().unwrap_or(text);
    let text = text.rsplit_once("%40").map_or(text, |(_, rest)| rest);
    let text = text.rsplit('@').next().unwrap_or(text).replace("%3A", ":").replace("%3a", ":");
    let (algorithm, hex) = text.trim().split_once(':')?;
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return None,
    };
    let is_hex = hex.len() == length && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_hex.then(|| format!("{algorithm}:{hex}"))
}

/// Whether two references have one repository, and one tag where both have one.
fn same_name(a: &str, b: &str) -> bool {
    let (a, b) = (parts(a), parts(b));
    a.0 == b.0 && (a.1.is_none() || b.1.is_none() || a.1 == b.1)
}

fn parts(name: &str) -> (&str, Option<&str>) {
    let (name, has_digest) = match name.split_once('@') {
        Some((name, _)) => (name, true),
        None => (name, false),
    };
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    };
    let mut repository = repository;
    for prefix in ["index.docker.io/", "registry-1.docker.io/", "docker.io/"] {
        repository = repository.strip_prefix(prefix).unwrap_or(repository);
    }
    let repository = repository.strip_prefix("library/").unwrap_or(repository);
    (repository, tag.filter(|_| !has_digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::fact::Source;
    use seaworthy_core::schema::docker::IMAGE;

    fn hex(letter: char) -> String {
        format!("sha256:{}", letter.to_string().repeat(64))
    }

    fn image(id: &str, tags: &[&str], digests: &[String], platform: &str) -> Component {
        let mut image = Component::new(&IMAGE, id, "x");
        image.set("tags", Value::strings(tags.to_vec()), Source::place("test"));
        image.set("digests", Value::strings(digests.iter().map(String::as_str)), Source::place("test"));
        image.set("platform", platform, Source::place("test"));
        image
    }

    #[test]
    fn digests_are_found_wherever_tools_write_them() {
        let plain = hex('a');
        let encoded = plain.replace(':', "%3A");
        for text in [
            plain.clone(),
            format!("app@{plain}"),
            format!("registry:5000/a/b:1@{plain}"),
            format!("pkg:oci/app@{plain}?repository_url=index.docker.io%2Flibrary%2Fapp&arch=amd64"),
            format!("pkg:oci/app@{encoded}?arch=amd64"),
            format!("pkg:oci/app%40{encoded}"),
        ] {
            assert_eq!(digest(&text).as_deref(), Some(plain.as_str()), "{text}");
        }
        for text in ["", "app:1", "sha256:", "sha256:abc", "md5:aaaa", &plain.to_uppercase(), &format!("{plain}a")] {
            assert_eq!(digest(text), None, "{text}");
        }
    }

    #[test]
    fn one_image_is_found_by_each_of_its_digests_and_by_no_name() {
        let local = image(&hex('1'), &["app:1"], &[format!("registry/app@{}", hex('2'))], "linux/amd64");
        let mut subject = Subject::default();
        subject.name("app:1");
        subject.manifest(&hex('9'));
        assert_eq!(subject.relation(&local), Relation::Name(hex('9')));
        subject.manifest(&format!("elsewhere/app@{}", hex('2')));
        assert_eq!(subject.relation(&local), Relation::Same);
        // The same index, and the configuration of another platform in it.
        subject.config(&hex('3'));
        assert_eq!(subject.relation(&local), Relation::Name(hex('3')));
        let mut subject = Subject::default();
        subject.config(&hex('1'));
        assert_eq!(subject.relation(&local), Relation::Same);
        subject.platform(Some("linux"), Some("arm64"));
        assert_eq!(subject.relation(&local), Relation::Platform("linux/arm64".into()));
        assert_eq!(Subject::default().relation(&local), Relation::None);
    }

    #[test]
    fn in_containerds_store_the_id_is_a_manifest() {
        let local = image(&hex('2'), &["app:1"], &[format!("app@{}", hex('2'))], "linux/amd64");
        let mut subject = Subject::default();
        subject.config(&hex('1'));
        assert_eq!(subject.relation(&local), Relation::None);
        subject.manifest(&hex('2'));
        assert_eq!(subject.relation(&local), Relation::Same);
        let untagged = image(&hex('2'), &[], &[], "linux/amd64");
        assert_eq!(subject.relation(&untagged), Relation::Same);
    }

    #[test]
    fn names_are_compared_as_docker_reads_them() {
        assert!(same_name("nginx:1", "docker.io/library/nginx:1"));
        assert!(same_name("nginx:1", "index.docker.io/library/nginx"));
        assert!(same_name("a/b@sha256:00", "a/b:7"));
        assert!(!same_name("nginx:1", "nginx:2"));
        assert!(!same_name("nginx", "evil/nginx"));
        assert!(!same_name("localhost:5000/a", "localhost:5001/a"));
    }
}
