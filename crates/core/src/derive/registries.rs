//! Registries that images come from, against those that the user allows.

use std::sync::Arc;

use crate::fact::Source;
use crate::schema::{docker, kubernetes};
use crate::snapshot::Snapshot;
use crate::value::Value;
use crate::waiver::matches;

/// Sets which registries of each image are not among the allowed ones, and of each registry whether it is (`*` stands for anything, letters of either
/// case are equal); without a list null, which says that there is none. Done apart from [`super::derive`], because the
/// list belongs to whoever judges and not to the snapshot.
pub fn registries(snapshot: &mut Snapshot, allowed: Option<&[String]>) {
    let source = Source::place("its registries against seaworthy.toml");
    let allowed: Option<Vec<String>> = allowed.map(|list| list.iter().map(|name| name.to_ascii_lowercase()).collect());
    let images = snapshot.targets.iter_mut().flat_map(|target| target.components.iter_mut());
    for image in images.filter(|c| std::ptr::eq(c.kind, &docker::IMAGE)) {
        let value = match &allowed {
            None => Value::Null,
            Some(allowed) => foreign(image.value("registries"), allowed),
        };
        image.set("registries_not_allowed", value, source.clone());
    }
    let source = Source::place("its address against seaworthy.toml");
    let registries = snapshot.targets.iter_mut().flat_map(|target| target.components.iter_mut());
    for registry in registries.filter(|c| std::ptr::eq(c.kind, &docker::REGISTRY)) {
        let value = match (&allowed, registry.value("address")) {
            (None, _) => Value::Null,
            (Some(allowed), Value::Str(address)) => allowed.iter().any(|pattern| matches(pattern, address)).into(),
            (Some(_), other) => Value::unknown(other.reason().map_or("its address is not known", |r| r)),
        };
        registry.set("allowed", value, source.clone());
    }
    let source = Source::place("its image against seaworthy.toml");
    let containers = snapshot.targets.iter_mut().flat_map(|target| target.components.iter_mut());
    for container in containers.filter(|c| std::ptr::eq(c.kind, &kubernetes::CONTAINER)) {
        let value = match (&allowed, container.value("image_registry")) {
            (None, _) => Value::Null,
            (Some(allowed), Value::Str(name)) => {
                let name = name.to_ascii_lowercase();
                allowed.iter().any(|pattern| matches(pattern, &name)).into()
            }
            (Some(_), other) => Value::unknown(other.reason().map_or("its image is not known", |r| r)),
        };
        container.set("registry_allowed", value, source.clone());
    }
}

fn foreign(registries: &Value, allowed: &[String]) -> Value {
    let items = match registries {
        Value::List(items) => items,
        Value::Unknown(reason) => return Value::Unknown(Arc::clone(reason)),
        _ => return Value::unknown("its registries are not a list"),
    };
    let is_allowed = |name: &str| allowed.iter().any(|pattern| matches(pattern, &name.to_ascii_lowercase()));
    let foreign: Vec<Value> =
        items.iter().filter(|item| item.as_str().is_some_and(|n| !is_allowed(n))).cloned().collect();
    match items.iter().find_map(Value::reason) {
        Some(reason) if foreign.is_empty() => Value::Unknown(Arc::clone(reason)),
        _ => Value::List(foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(registries: &[&str], allowed: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = allowed.iter().map(|a| (*a).to_owned()).collect();
        let value = foreign(&Value::strings(registries.to_vec()), &allowed);
        value.as_list().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    #[test]
    fn a_registry_is_allowed_by_its_whole_name() {
        assert!(found(&["docker.io"], &["docker.io"]).is_empty());
        assert!(found(&["registry.example.com:5000"], &["*.example.com:5000"]).is_empty());
        assert_eq!(found(&["docker.io.example.net"], &["docker.io"]), ["docker.io.example.net"]);
        assert_eq!(found(&["registry.example.com:5001"], &["registry.example.com"]), ["registry.example.com:5001"]);
        assert_eq!(found(&["docker.io", "quay.io"], &["docker.io"]), ["quay.io"]);
        assert_eq!(found(&["docker.io"], &[]), ["docker.io"]);
    }

    #[test]
    fn images_of_pods_are_held_against_the_same_list() {
        let mut target = crate::snapshot::Target::new("t", "kubernetes", "");
        for registry in ["Registry.example.com", "docker.io", ""] {
            let mut container = crate::component::Component::new(&kubernetes::CONTAINER, registry, registry);
            if !registry.is_empty() {
                container.set("image_registry", registry, Source::place("test"));
            }
            target.components.push(container);
        }
        let mut snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target] };
        let mut allowed = |list: Option<&[String]>| {
            registries(&mut snapshot, list);
            let values = snapshot.targets[0].components.iter().map(|c| c.value("registry_allowed"));
            values
                .map(|value| if value.is_unknown() { "unknown".to_owned() } else { value.to_string() })
                .collect::<Vec<_>>()
        };
        assert_eq!(allowed(Some(&["registry.example.com".into()])), ["true", "false", "unknown"]);
        assert_eq!(allowed(Some(&[])), ["false", "false", "unknown"]);
        assert_eq!(allowed(None), ["none", "none", "none"]);
    }

    #[test]
    fn what_is_unknown_is_not_allowed() {
        assert!(foreign(&Value::unknown("denied"), &["*".into()]).is_unknown());
        let one = Value::List(vec![Value::unknown("denied")]);
        assert!(foreign(&one, &["docker.io".into()]).is_unknown());
    }
}
