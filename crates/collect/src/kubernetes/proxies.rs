//! kube-proxy where a DaemonSet of kube-system runs it: by the arguments of its pods and the ConfigMap that holds the file that
//! they name. A file that was changed after the container began is not taken for what is in effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::{NODE, PROXY};
use seaworthy_core::snapshot::Target;
use serde_json::Value as Json;

use super::command;
use super::field::{list, text};
use super::gather::{CONFIG_MAPS, Gather, PODS, Resource};
use super::node::{Flags, Style, ToldFile, ToldPod, from_argv};
use super::object::Object;
use crate::redact::Redactor;

/// The namespace of what belongs to the cluster itself.
const SYSTEM: &str = "kube-system";
/// What such a file says of itself.
const MARK: &str = "KubeProxyConfiguration";
/// The most ConfigMaps that hold one.
const MOST_MAPS: usize = 64;
/// The most bytes of one file: no ConfigMap holds more.
const MOST_BYTES: usize = 1 << 20;

/// A file that a volume of a ConfigMap lays into a container.
struct Laid {
    path: String,
    map: String,
    key: String,
}

/// A pod that runs kube-proxy.
struct Seen {
    node: String,
    argv: Vec<String>,
    variables: Vec<(String, String)>,
    image: String,
    uid: Option<i64>,
    place: Arc<str>,
    /// Where the file of its configuration comes from.
    laid: Option<Laid>,
    /// Since when the container runs.
    started: Option<String>,
}

/// A ConfigMap that holds a configuration.
struct Map {
    data: BTreeMap<String, String>,
    /// When it was changed last; none where that is not told.
    changed: Option<String>,
}

/// Gathers what tells of kube-proxy.
#[derive(Default)]
pub(super) struct Proxies {
    seen: Vec<Seen>,
    maps: BTreeMap<String, Map>,
    pods_unread: Option<String>,
    maps_unread: Option<String>,
}

impl Gather for Proxies {
    fn resources(&self) -> &'static [Resource] {
        &[PODS, CONFIG_MAPS]
    }

    fn add(&mut self, object: Object<'_>, _: &Redactor) {
        if object.namespace() != SYSTEM {
            return;
        }
        match object.kind() {
            "Pod" => {
                self.seen.extend(pod(&object));
            }
            "ConfigMap" if self.maps.len() < MOST_MAPS => {
                if let Some(map) = map(object.json) {
                    self.maps.insert(object.name().to_owned(), map);
                }
            }
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        let unread = if resource.kind == "Pod" { &mut self.pods_unread } else { &mut self.maps_unread };
        *unread = Some(reason.to_owned());
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        if target.platform != "kubernetes" {
            return;
        }
        self.seen.sort_by(|a, b| (&a.node, &a.place).cmp(&(&b.node, &b.place)));
        let mut components: Vec<Component> = Vec::new();
        let mut before: (&str, usize) = ("", 0);
        for seen in &self.seen {
            before = if before.0 == seen.node { (before.0, before.1 + 1) } else { (&seen.node, 1) };
            components.extend(self.component(seen, before.1));
        }
        components.retain(|c| !target.of(&PROXY).any(|known| known.id == c.id));
        target.components.append(&mut components);
        if let Some(why) = self.missing(target) {
            target.incomplete(&PROXY, why);
        }
    }
}

impl Proxies {
    /// Why a node may have a kube-proxy that was not seen.
    fn missing(&self, target: &Target) -> Option<String> {
        if let Some(why) = self.pods_unread.as_ref().or_else(|| target.incomplete.get(NODE.name)) {
            return Some(why.clone());
        }
        let told: BTreeSet<&str> = target.of(&PROXY).filter_map(|c| c.value("node").as_str()).collect();
        let mut nodes = target.of(&NODE).map(|node| &*node.name).peekable();
        let none = nodes.peek().is_none();
        let first = nodes.find(|node| !told.contains(node));
        match first {
            Some(node) => Some(format!(
                "no pod of kube-system tells of a kube-proxy on {node}: run `seaworthy collect` there and join it"
            )),
            None if none => Some("no node is seen: run `seaworthy collect` on each and join it".to_owned()),
            None => None,
        }
    }

    fn component(&self, seen: &Seen, nth: usize) -> Option<Component> {
        let place;
        let mut files = Vec::new();
        if let Some(laid) = &seen.laid {
            place = format!("configmap {SYSTEM}/{}", laid.map);
            files.push(ToldFile { path: &laid.path, content: self.content(laid, seen), place: &place });
        }
        let pod = ToldPod {
            node: &seen.node,
            nth,
            found_by: "pod",
            argv: &seen.argv,
            image: &seen.image,
            variables: &seen.variables,
            place: &seen.place,
            uid: seen.uid,
            files: &files,
        };
        from_argv(&pod, &Redactor)
    }

    /// What a file holds, as long as it is what the container began with.
    fn content(&self, laid: &Laid, seen: &Seen) -> Result<&str, String> {
        let name = format!("configmap {SYSTEM}/{}", laid.map);
        let Some(map) = self.maps.get(&laid.map) else {
            return Err(self
                .maps_unread
                .clone()
                .unwrap_or_else(|| format!("{name} holds no configuration of kube-proxy")));
        };
        let content = map.data.get(&laid.key).ok_or_else(|| format!("{name} has no key {}", laid.key))?;
        match (&map.changed, &seen.started) {
            (Some(changed), Some(started)) if changed <= started => Ok(content),
            (Some(_), Some(_)) => Err(format!("{name} was changed after the container began")),
            _ => Err(format!("whether {name} was changed after the container began is not told")),
        }
    }
}

/// A time of the API that can be compared as text.
fn time(json: &Json) -> Option<String> {
    json.as_str().filter(|text| text.len() == 20 && text.ends_with('Z')).map(str::to_owned)
}

fn map(json: &Json) -> Option<Map> {
    let data: BTreeMap<String, String> = json["data"]
        .as_object()?
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .filter(|(_, value)| value.len() <= MOST_BYTES && value.contains(MARK))
        .collect();
    if data.is_empty() {
        return None;
    }
    let fields = json["metadata"]["managedFields"].as_array().filter(|fields| !fields.is_empty());
    let times = fields.and_then(|fields| fields.iter().map(|f| time(&f["time"])).collect::<Option<Vec<_>>>());
    Some(Map { data, changed: times.and_then(|times| times.into_iter().max()) })
}

/// A pod of a DaemonSet that runs kube-proxy on a node.
fn pod(object: &Object<'_>) -> Option<Seen> {
    let json = object.json;
    let owners = list(json, "metadata.ownerReferences").ok()?;
    let of_set =
        owners.iter().any(|o| o["kind"] == "DaemonSet" && o["apiVersion"] == "apps/v1" && o["controller"] == true);
    if !of_set || json["status"]["phase"] != "Running" {
        return None;
    }
    let node = text(json, "spec.nodeName").ok().flatten()?.to_owned();
    let containers = list(json, "spec.containers").ok()?;
    let (container, command) = containers.iter().find_map(|container| {
        let command = command::of(json, container)?;
        let name = command.argv.first()?.rsplit('/').next()?;
        (name == "kube-proxy").then_some((container, command))
    })?;
    let running = command::running(json, container)?;
    Some(Seen {
        node,
        // The file that counts is the one that is named last.
        laid: Flags::parse(&command.argv[1..], Style::Pflag)
            .last("config")
            .and_then(|path| laid(json, container, path)),
        argv: command.argv,
        variables: command.variables,
        image: running.image.to_owned(),
        uid: running.uid,
        place: Arc::clone(&object.place.name),
        started: time(running.since),
    })
}

/// The key of the ConfigMap that lies at a path of a container.
fn laid(pod: &Json, container: &Json, path: &str) -> Option<Laid> {
    let under = |mount: &Json| {
        let at = mount["mountPath"].as_str()?.trim_end_matches('/');
        let rest = path.strip_prefix(at)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (at.len(), rest.trim_start_matches('/').to_owned()))
    };
    let mounts = list(container, "volumeMounts").ok()?;
    let (mount, (_, rest)) =
        mounts.iter().filter_map(|m| Some((m, under(m)?))).max_by_key(|(_, (length, _))| *length)?;
    if mount["subPathExpr"].is_string() {
        return None;
    }
    let file = match mount["subPath"].as_str().filter(|sub| !sub.is_empty()) {
        Some(sub) if rest.is_empty() => sub.to_owned(),
        Some(_) => return None,
        None => rest,
    };
    let volume = list(pod, "spec.volumes").ok()?.iter().find(|v| v["name"] == mount["name"])?;
    let source = &volume["configMap"];
    let map = source["name"].as_str()?.to_owned();
    let items = list(source, "items").ok()?;
    let key = match items.iter().find(|item| item["path"] == file.as_str()) {
        Some(item) => item["key"].as_str()?.to_owned(),
        None if items.is_empty() => file,
        None => return None,
    };
    (!key.is_empty() && !key.contains('/')).then(|| Laid { path: path.to_owned(), map, key })
}

#[cfg(test)]
mod tests;
