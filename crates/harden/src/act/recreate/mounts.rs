//! Volumes: each is attached to the new container by its name, at the place that it had.

use serde_json::{Map, Value, json};

use super::json::{flag, inner, items, strings, text};
use super::spec::Spec;

/// Names the anonymous volumes of a container in its specification: the data in them survive only if they are named.
///
/// Anonymous are those of the image's and the command line's `VOLUME`s, and of binds and mounts without a source.
pub(super) fn by_name(spec: &mut Spec, inspect: &Value) {
    for mount in items(inspect.pointer("/Mounts")) {
        let (name, place) = (text(mount, "/Name"), text(mount, "/Destination"));
        if text(mount, "/Type") != "volume" || name.is_empty() {
            continue;
        }
        name_in_binds(spec, name, place);
        if let Some(given) = given_mount(spec, place) {
            if given.get("Source").and_then(Value::as_str).unwrap_or_default().is_empty() {
                given.insert("Source".into(), name.into());
            }
        } else if inner(&spec.config, "Volumes").contains_key(place) && !is_bound(spec, place) {
            attach(spec, mount);
        }
    }
}

/// Attaches what comes from other containers (`--volumes-from`) by itself, so that they are no longer needed.
pub(super) fn resolve_volumes_from(spec: &mut Spec, inspect: &Value) {
    for mount in items(inspect.pointer("/Mounts")) {
        let place = text(mount, "/Destination");
        if !is_bound(spec, place) && given_mount(spec, place).is_none() {
            attach(spec, mount);
        }
    }
    spec.host.remove("VolumesFrom");
}

/// What is mounted at a place, in no matter which way, is taken away; whether something was.
pub(super) fn take_away(spec: &mut Spec, place: &str) -> bool {
    let place = settled(place);
    let mut gone = false;
    if let Some(Value::Array(binds)) = spec.host.get_mut("Binds") {
        let before = binds.len();
        binds.retain(|b| settled(bind_place(b.as_str().unwrap_or_default())) != place);
        gone |= binds.len() != before;
    }
    if let Some(Value::Array(mounts)) = spec.host.get_mut("Mounts") {
        let before = mounts.len();
        mounts.retain(|m| settled(text(m, "/Target")) != place);
        gone |= mounts.len() != before;
    }
    for (holder, key) in [(&mut spec.config, "Volumes"), (&mut spec.host, "Tmpfs")] {
        if let Some(Value::Object(places)) = holder.get_mut(key) {
            let before = places.len();
            places.retain(|p, _| settled(p) != place);
            gone |= places.len() != before;
        }
    }
    gone
}

/// Whether the specification mounts something there by `--mount`.
pub(super) fn is_given(spec: &mut Spec, place: &str) -> bool {
    given_mount(spec, place).is_some()
}

/// Gives a directory of the host that is mounted by `--mount` the options of `SOURCE:DESTINATION[:OPTIONS]` and leaves it
/// all others, which that form has no words for. False where it is not mounted so.
pub(super) fn set_options(spec: &mut Spec, bind: &str) -> bool {
    let mut parts = bind.split(':');
    let (source, options) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    let Some(mount) = given_mount(spec, bind_place(bind)) else { return false };
    let is =
        |key: &str, value: &str| mount.get(key).and_then(Value::as_str).is_some_and(|v| settled(v) == settled(value));
    if !is("Type", "bind") || !is("Source", source) {
        return false;
    }
    let known = |o: &str| matches!(o, "ro" | "rw") || is_propagation(o);
    if !options.split(',').filter(|o| !o.is_empty()).all(known) {
        return false;
    }
    for option in options.split(',').filter(|o| !o.is_empty()) {
        if is_propagation(option) {
            let mut bind = inner(mount, "BindOptions");
            bind.insert("Propagation".into(), option.into());
            mount.insert("BindOptions".into(), bind.into());
        } else {
            mount.insert("ReadOnly".into(), (option == "ro").into());
        }
    }
    true
}

fn is_propagation(option: &str) -> bool {
    matches!(option, "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared")
}

/// A place without what means the same.
pub(super) fn settled(place: &str) -> &str {
    let bare = place.trim_end_matches('/');
    if bare.is_empty() { "/" } else { bare }
}

/// `source:place:options`, `source:place`, or a place alone.
pub(super) fn bind_place(bind: &str) -> &str {
    let mut parts = bind.split(':');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first)
}

fn name_in_binds(spec: &mut Spec, name: &str, place: &str) {
    let Some(Value::Array(binds)) = spec.host.get_mut("Binds") else { return };
    for bind in binds {
        if bind.as_str().is_some_and(|b| !b.contains(':') && settled(b) == settled(place)) {
            *bind = format!("{name}:{place}").into();
        }
    }
}

fn is_bound(spec: &Spec, place: &str) -> bool {
    strings(spec.host.get("Binds")).iter().any(|b| settled(bind_place(b)) == settled(place))
}

fn given_mount<'a>(spec: &'a mut Spec, place: &str) -> Option<&'a mut Map<String, Value>> {
    let mounts = spec.host.get_mut("Mounts")?.as_array_mut()?;
    mounts.iter_mut().find(|m| settled(text(m, "/Target")) == settled(place))?.as_object_mut()
}

fn attach(spec: &mut Spec, mount: &Value) {
    let kind = text(mount, "/Type");
    let source = if kind == "volume" { text(mount, "/Name") } else { text(mount, "/Source") };
    let mut entry = json!({ "Type": kind, "Source": source, "Target": text(mount, "/Destination") });
    if !flag(mount, "/RW") {
        entry["ReadOnly"] = true.into();
    }
    let propagation = text(mount, "/Propagation");
    if kind == "bind" && !propagation.is_empty() {
        entry["BindOptions"] = json!({ "Propagation": propagation });
    }
    match spec.host.get_mut("Mounts") {
        Some(Value::Array(mounts)) => mounts.push(entry),
        _ => {
            spec.host.insert("Mounts".into(), json!([entry]));
        }
    }
}
