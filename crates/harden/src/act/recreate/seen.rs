//! Everything that is read of a container before another is made of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{field, id_of, items, object, strings, text};
use crate::engine::{Engine, segment};
use crate::{Failure, Host, files};

/// Since this version of the API a container may be created with more than one network, and a network's own entry holds
/// the hardware address that was configured for it.
pub(super) const ALL_NETWORKS_AT_CREATE: (u32, u32) = (1, 44);

/// A container as its engine describes it, with what is needed to make another like it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `GET /containers/ID/json`.
    pub inspect: Value,
    /// `GET /images/ID/json` of the very image that it was made from; null where that is gone.
    pub image: Value,
    /// Whether the reference that it was created by still leads to that image.
    pub by_reference: bool,
    /// The engine's newest API.
    pub api: (u32, u32),
    /// The host's name, which containers in the host's network take.
    pub host_name: String,
    /// Hardware addresses that were configured, by network.
    pub macs: BTreeMap<String, String>,
    /// Whether a container is gone that volumes were taken from.
    pub lost_source: bool,
}

impl Seen {
    /// Reads a container; none where there is no such.
    pub fn of(host: &Host, engine: &Engine, id: &str) -> Result<Option<Self>, Failure> {
        let Some(mut inspect) = engine.find(&format!("/containers/{}/json", segment(id)))? else { return Ok(None) };
        name_volumes(engine, &mut inspect)?;
        let api = api_version(engine)?;
        let image_id = text(&inspect, "/Image");
        let image = engine.find(&format!("/images/{}/json", segment(image_id)))?.unwrap_or_default();
        let named = image_of(engine, text(&inspect, "/Config/Image"))?;
        let by_reference = named.as_deref() == Some(image_id);
        let info = engine.get("/info")?;
        let macs = macs(host, engine, &inspect, api, text(&info, "/DockerRootDir"))?;
        let host_name = text(&info, "/Name").to_owned();
        let mut lost_source = false;
        for source in strings(inspect.pointer("/HostConfig/VolumesFrom")) {
            let source = segment(source.split(':').next().unwrap_or_default());
            lost_source |= engine.find(&format!("/containers/{source}/json"))?.is_none();
        }
        Ok(Some(Self { inspect, image, by_reference, api, host_name, macs, lost_source }))
    }
}

/// Engine 29 does not name a volume that was asked for by its place alone in `Binds`: it is found by where it lies.
fn name_volumes(engine: &Engine, inspect: &mut Value) -> Result<(), Failure> {
    let Some(Value::Array(mounts)) = inspect.pointer_mut("/Mounts") else { return Ok(()) };
    let is_nameless = |m: &Value| text(m, "/Type") == "volume" && text(m, "/Name").is_empty();
    if !mounts.iter().any(is_nameless) {
        return Ok(());
    }
    let volumes = engine.get("/volumes")?;
    for mount in mounts.iter_mut().filter(|m| is_nameless(m)) {
        let source = text(mount, "/Source").to_owned();
        let volume = items(volumes.pointer("/Volumes")).iter().find(|v| text(v, "/Mountpoint") == source);
        if let (Some(volume), false) = (volume, source.is_empty()) {
            mount["Name"] = text(volume, "/Name").into();
        }
    }
    Ok(())
}

/// The id of the image that a reference leads to now; none where to no image.
pub(super) fn image_of(engine: &Engine, reference: &str) -> Result<Option<String>, Failure> {
    if reference.is_empty() {
        return Ok(None);
    }
    let image = engine.find(&format!("/images/{}/json", segment(reference)))?;
    Ok(image.map(|i| id_of(&i).to_owned()))
}

fn api_version(engine: &Engine) -> Result<(u32, u32), Failure> {
    let version = engine.get("/version")?;
    let said = text(&version, "/ApiVersion");
    let parts = said.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parts
        .ok_or_else(|| Failure(format!("the engine at {} does not say which API it speaks", engine.socket().display())))
}

/// The addresses that somebody configured, apart from those that the engine made up.
///
/// Up to 1.43 the container's configuration holds the one that there can be. Since 1.44 it is the network's, and what
/// `inspect` shows of a running container may be made up; the version 1.44 of the answer shows the configured one of the
/// first network, and the engine's own record on disk shows all, where it can be read.
fn macs(
    host: &Host,
    engine: &Engine,
    inspect: &Value,
    api: (u32, u32),
    root: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut macs = BTreeMap::new();
    if api < ALL_NETWORKS_AT_CREATE {
        return Ok(macs);
    }
    let id = id_of(inspect);
    let older = engine.get(&format!("/v1.44/containers/{}/json", segment(id)))?;
    let configured = text(&older, "/Config/MacAddress");
    if !configured.is_empty() {
        macs.insert(first_network(text(inspect, "/HostConfig/NetworkMode")).to_owned(), configured.to_owned());
    }
    if object(inspect, "/NetworkSettings/Networks").len() > 1 && root.starts_with('/') {
        let record = host.path(&format!("{root}/containers/{id}/config.v2.json"));
        let content = files::read(&record).ok().flatten().and_then(|c| serde_json::from_slice::<Value>(&c.bytes).ok());
        for (network, endpoint) in object(&content.unwrap_or_default(), "/NetworkSettings/Networks") {
            let desired = endpoint.as_object().map(|e| field(e, "DesiredMacAddress")).unwrap_or_default();
            if !desired.is_empty() {
                macs.insert(network, desired.to_owned());
            }
        }
    }
    Ok(macs)
}

/// The network that a mode stands for, by the name under which `inspect` lists it.
pub(super) fn first_network(mode: &str) -> &str {
    if matches!(mode, "" | "default") { "bridge" } else { mode }
}
