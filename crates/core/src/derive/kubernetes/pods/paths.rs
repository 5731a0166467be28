//! Paths of the node that pods and containers reach, by their own volumes and through claims.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Pods, more_containers};
use crate::component::Component;
use crate::derive::open_list;
use crate::fact::Source;
use crate::kubernetes::host_path::{joined, socket, worth};
use crate::schema::kubernetes;
use crate::snapshot::Target;
use crate::value::Value;

/// What is found, and why there may be more.
#[derive(Default)]
struct Reach {
    found: Vec<Value>,
    unknown: Option<Arc<str>>,
}

impl Reach {
    fn note(&mut self, reason: &Arc<str>) {
        self.unknown.get_or_insert_with(|| Arc::clone(reason));
    }

    /// A path, or what of it a container has; where that is not known it may be anything beneath.
    fn add(&mut self, volume: &str, path: &str, sub_path: &Result<&str, Arc<str>>, rw: Value) {
        let path = match sub_path {
            Ok(sub_path) => joined(path, sub_path),
            Err(reason) => {
                let [path, class, reaches] = [(); 3].map(|()| Value::Unknown(Arc::clone(reason)));
                let of =
                    [("volume", volume.into()), ("path", path), ("class", class), ("reaches", reaches), ("rw", rw)];
                self.found.push(Value::Object(of.into()));
                return self.note(reason);
            }
        };
        let found = worth(&path, rw == Value::Bool(false));
        self.found.push(entry(volume, &path, found.class, &found.reaches, rw));
    }

    fn value(&self) -> Value {
        open_list(self.found.clone(), self.unknown.as_ref())
    }

    /// Those of which something holds.
    fn only(&self, which: impl Fn(&Value) -> bool) -> Value {
        open_list(self.found.iter().filter(|found| which(found)).cloned().collect(), self.unknown.as_ref())
    }
}

fn entry(volume: &str, path: &str, class: &'static str, reaches: &str, rw: Value) -> Value {
    Value::Object(vec![
        ("volume", volume.into()),
        ("path", path.into()),
        ("class", class.into()),
        ("reaches", reaches.into()),
        ("rw", rw),
    ])
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, Arc<str>> {
    match value.field(field) {
        Some(Value::Str(text)) => Ok(text),
        Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
        _ => Err(value.reason().cloned().unwrap_or_else(|| "it is not known".into())),
    }
}

/// Paths of the node by claim, `namespace/name`; or why they are not all known.
struct Claims<'a> {
    paths: HashMap<&'a str, Vec<&'a str>>,
    unknown: Option<Arc<str>>,
}

impl<'a> Claims<'a> {
    fn of(target: &'a Target) -> Self {
        let kind = &kubernetes::VOLUME;
        let mut out =
            Self { paths: HashMap::new(), unknown: target.incomplete.get(kind.name).map(|r| r.as_str().into()) };
        let files = target.platform == "files";
        if files {
            out.unknown = Some("which volume a claim is bound to, only the cluster knows".into());
        }
        for volume in target.of(kind) {
            // A volume that was released keeps the name of a claim that is gone; another of that name has another volume.
            match volume.value("phase") {
                Value::Str(phase) if &**phase != "Bound" => continue,
                Value::Unknown(reason) if !files && volume.value("path") != &Value::Null => {
                    out.unknown.get_or_insert_with(|| Arc::clone(reason));
                    continue;
                }
                _ => {}
            }
            match (volume.value("claim"), volume.value("path")) {
                (Value::Str(claim), Value::Str(path)) => out.paths.entry(claim).or_default().push(path),
                (Value::Unknown(reason), _) | (Value::Str(_), Value::Unknown(reason)) => {
                    out.unknown.get_or_insert_with(|| Arc::clone(reason));
                }
                _ => {}
            }
        }
        out
    }
}

pub(super) fn derive(target: &mut Target, pods: &Pods) {
    let mut facts: Vec<(usize, Vec<(&'static str, Value)>)> = Vec::new();
    let claims = Claims::of(target);
    for &at in &pods.all {
        let pod = &target.components[at];
        let mut of_pod = Reach::default();
        for &i in pods.containers_of(pod) {
            let (own, by_claim) = of_container(&target.components[i], pod, &claims);
            of_pod.found.extend(own.found.iter().cloned());
            if let Some(reason) = &own.unknown {
                of_pod.note(reason);
            }
            facts.push((i, container_facts(&own, &by_claim)));
        }
        if let Some(reason) = more_containers(pod) {
            of_pod.note(&reason);
        }
        unmounted(pod, &mut of_pod);
        of_pod.found.sort_by_key(Value::to_string);
        of_pod.found.dedup();
        facts.push((at, vec![("host_paths", of_pod.value())]));
    }
    let source = Source::place("volumes and mounts");
    for (i, facts) in facts {
        for (name, value) in facts {
            target.components[i].set(name, value, source.clone());
        }
    }
}

fn container_facts(own: &Reach, by_claim: &Reach) -> Vec<(&'static str, Value)> {
    let read_only = |found: &Value| found.field("rw") == Some(&Value::Bool(false));
    let is_sensitive = |found: &Value| text(found, "path").is_ok_and(|path| worth(path, read_only(found)).sensitive);
    let sockets = own.found.iter().filter_map(|found| {
        let socket = socket(text(found, "path").ok()?)?;
        let (volume, path) = (text(found, "volume").ok()?, text(found, "path").ok()?);
        Some(entry(volume, path, "runtime-socket", &socket, found.field("rw").cloned().unwrap_or(Value::Null)))
    });
    vec![
        ("host_paths", own.value()),
        ("claim_paths", by_claim.value()),
        ("runtime_sockets", open_list(sockets.collect(), own.unknown.as_ref())),
        ("sensitive_host_paths", own.only(is_sensitive)),
    ]
}

/// What the mounts of a container reach: by hostPath volumes, and by claims.
fn of_container(container: &Component, pod: &Component, claims: &Claims<'_>) -> (Reach, Reach) {
    let (mut own, mut by_claim) = (Reach::default(), Reach::default());
    let (mounts, volumes) = match (container.value("mounts"), pod.value("volumes")) {
        (Value::List(mounts), Value::List(volumes)) => (mounts, volumes),
        (Value::Unknown(reason), _) | (_, Value::Unknown(reason)) => {
            own.note(reason);
            by_claim.note(reason);
            return (own, by_claim);
        }
        _ => return (own, by_claim),
    };
    if let Some(reason) = volumes.iter().chain(mounts).find_map(Value::reason) {
        own.note(reason);
        by_claim.note(reason);
    }
    devices(container, pod, volumes, claims, &mut by_claim);
    for mount in mounts.iter().filter(|mount| !mount.is_unknown()) {
        let Ok(name) = text(mount, "volume") else {
            let reason: Arc<str> = "a mount of it could not be read".into();
            own.note(&reason);
            by_claim.note(&reason);
            continue;
        };
        let rw = mount.field("rw").cloned().unwrap_or_else(|| Value::unknown("not reported"));
        let sub_path = text(mount, "sub_path");
        for volume in volumes.iter().filter(|volume| text(volume, "name").is_ok_and(|of| of == name)) {
            match (text(volume, "type"), text(volume, "source")) {
                (Ok("hostPath"), Ok(path)) => own.add(name, path, &sub_path, rw.clone()),
                (Ok("hostPath"), Err(reason)) => own.note(&reason),
                _ => by_claims_of(pod, volume, &mut by_claim, |claim, by_claim| {
                    through_claim(by_claim, name, claim, &sub_path, &rw, claims);
                }),
            }
        }
    }
    (own, by_claim)
}

/// Claims that it has as devices: of a local volume that is the node's own disk or partition, read and written past files.
fn devices(container: &Component, pod: &Component, volumes: &[Value], claims: &Claims<'_>, by_claim: &mut Reach) {
    let names = match container.value("volume_devices") {
        Value::List(names) => names,
        Value::Unknown(reason) => return by_claim.note(reason),
        _ => return,
    };
    for name in names.iter().filter_map(Value::as_str) {
        for volume in volumes.iter().filter(|volume| text(volume, "name").is_ok_and(|of| of == name)) {
            let rw = match volume.field("read_only") {
                Some(Value::Bool(read_only)) => Value::Bool(!read_only),
                Some(Value::Unknown(reason)) => Value::Unknown(Arc::clone(reason)),
                _ => Value::Bool(true),
            };
            by_claims_of(pod, volume, by_claim, |claim, by_claim| {
                through_claim(by_claim, name, claim, &Ok(""), &rw, claims);
            });
        }
    }
}

/// Goes through the claims of a volume, `namespace/name`: the one that it names, or those that each pod brings along,
/// which are called as the pod and the volume are.
fn by_claims_of(pod: &Component, volume: &Value, by_claim: &mut Reach, mut go: impl FnMut(&str, &mut Reach)) {
    let namespace = pod.value("namespace").as_str().unwrap_or_default();
    match (text(volume, "type"), text(volume, "source")) {
        (Ok("persistentVolumeClaim"), Ok(claim)) => go(&format!("{namespace}/{claim}"), by_claim),
        (Ok("persistentVolumeClaim"), Err(reason)) => by_claim.note(&reason),
        (Ok("ephemeral"), _) => {
            let end = format!("-{}", text(volume, "name").unwrap_or_default());
            let volumes = pod.value("volumes").as_list().unwrap_or_default();
            let is_named = |claim: &str| volumes.iter().any(|other| text(other, "source") == Ok(claim));
            if let Some(reason) = pod.value("claims").reason() {
                by_claim.note(reason);
            }
            for claim in pod.value("claims").as_list().unwrap_or_default() {
                match claim {
                    Value::Str(claim) if claim.ends_with(&end) && !is_named(claim) => {
                        go(&format!("{namespace}/{claim}"), by_claim);
                    }
                    Value::Unknown(reason) => by_claim.note(reason),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn through_claim(
    reach: &mut Reach,
    volume: &str,
    claim: &str,
    sub_path: &Result<&str, Arc<str>>,
    rw: &Value,
    claims: &Claims<'_>,
) {
    // A claim that a set makes for each of its pods stands for all of them.
    let matches = |known: &&str| match claim.strip_suffix('*') {
        Some(stem) => known.strip_prefix(stem).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())),
        None => *known == claim,
    };
    for path in claims.paths.iter().filter(|(known, _)| matches(known)).flat_map(|(_, paths)| paths) {
        reach.add(volume, path, sub_path, rw.clone());
    }
    reach.found.sort_by_key(Value::to_string);
    reach.found.dedup();
    if let Some(reason) = &claims.unknown {
        reach.note(reason);
    }
}

/// Volumes of the node that no container mounts: they are there for whoever adds a mount.
fn unmounted(pod: &Component, reach: &mut Reach) {
    let Value::List(volumes) = pod.value("volumes") else {
        if let Some(reason) = pod.value("volumes").reason() {
            reach.note(reason);
        }
        return;
    };
    for volume in volumes {
        match (text(volume, "name"), text(volume, "type"), text(volume, "source")) {
            (Ok(name), Ok("hostPath"), Ok(path)) => {
                let mounted = reach.found.iter().any(|found| text(found, "volume").is_ok_and(|of| of == name));
                if !mounted {
                    reach.add(name, path, &Ok(""), Value::Bool(false));
                }
            }
            (_, Ok("hostPath"), Err(reason)) | (_, Err(reason), _) => reach.note(&reason),
            _ => {}
        }
    }
}
