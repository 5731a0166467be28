//! References to images, in their parts.

/// A reference in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image<'a> {
    pub(super) registry: &'a str,
    pub(super) repository: String,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
    /// digest, tag, latest or invalid.
    pub(super) reference: &'static str,
}

/// The parts, as runtimes read them: without a registry it is Docker's, without a tag and a digest it is `latest`.
pub(super) fn parse(text: &str) -> Image<'_> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => ("docker.io", name),
    };
    let repository = match registry {
        "docker.io" | "index.docker.io" if !path.contains('/') => format!("library/{path}"),
        _ => path.to_owned(),
    };
    let valid = is_path(path)
        && tag.is_none_or(|tag| {
            !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        })
        && digest.is_none_or(|digest| {
            digest.split_once(':').is_some_and(|(kind, hex)| {
                !kind.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
            })
        });
    let reference = match (valid, digest, tag) {
        (false, ..) => "invalid",
        (_, Some(_), _) => "digest",
        (_, None, Some("latest") | None) => "latest",
        _ => "tag",
    };
    Image { registry, repository, tag, digest, reference }
}

/// Lower case, digits and what may separate them.
fn is_path(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b))
        })
}

/// The policy that the API server gives a container without one.
pub(super) fn default_pull_policy(image: &Image<'_>) -> &'static str {
    match (image.reference, image.tag) {
        ("latest", _) | ("digest", Some("latest")) => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let by_digest = format!("ghcr.io/a/b:1@{digest}");
        let latest_by_digest = format!("a:latest@{digest}");
        for (text, registry, repository, tag, reference, policy) in [
            ("nginx", "docker.io", "library/nginx", None, "latest", "Always"),
            ("nginx:latest", "docker.io", "library/nginx", Some("latest"), "latest", "Always"),
            ("nginx:1.27", "docker.io", "library/nginx", Some("1.27"), "tag", "IfNotPresent"),
            ("team/app:1", "docker.io", "team/app", Some("1"), "tag", "IfNotPresent"),
            ("localhost/app", "localhost", "app", None, "latest", "Always"),
            ("registry:5000/app", "registry:5000", "app", None, "latest", "Always"),
            ("registry.example:5000/a/b:2", "registry.example:5000", "a/b", Some("2"), "tag", "IfNotPresent"),
            (&by_digest, "ghcr.io", "a/b", Some("1"), "digest", "IfNotPresent"),
            (&latest_by_digest, "docker.io", "library/a", Some("latest"), "digest", "Always"),
            ("", "docker.io", "library/", None, "invalid", "IfNotPresent"),
            ("Nginx:1", "docker.io", "library/Nginx", Some("1"), "invalid", "IfNotPresent"),
            ("a b", "docker.io", "library/a b", None, "invalid", "IfNotPresent"),
            ("a:", "docker.io", "library/a", Some(""), "invalid", "IfNotPresent"),
            ("a@sha256:beef", "docker.io", "library/a", None, "invalid", "IfNotPresent"),
            ("{{ .Values.image }}", "docker.io", "library/{{ .Values.image }}", None, "invalid", "IfNotPresent"),
        ] {
            let image = parse(text);
            let found = (image.registry, image.repository.as_str(), image.tag, image.reference);
            assert_eq!(found, (registry, repository, tag, reference), "{text}");
            assert_eq!(default_pull_policy(&image), policy, "{text}");
        }
    }
}
