//! Hosts made of the demonstration's, as large as wanted: without an engine, and the same on every machine.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::snapshot_json;
use seaworthy_core::value::Value;

use crate::root;

/// Images and networks of a mixed host.
const KINDS: usize = 20;

/// How alike the containers of a host are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// One container again and again.
    Equal,
    /// Every container of the demonstration in turn, over twenty images and twenty networks.
    Mixed,
}

impl Mix {
    /// Both, in the order in which they are measured.
    pub const ALL: [Self; 2] = [Self::Equal, Self::Mixed];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Mixed => "mixed",
        }
    }
}

/// The demonstration's host with so many containers in place of its own; derived facts are not computed yet.
///
/// # Errors
/// Where the demonstration's snapshot cannot be read.
pub fn host(mix: Mix, containers: usize) -> Result<Snapshot> {
    let mut snapshot = demonstration()?;
    let target = snapshot.targets.first_mut().context("the demonstration has a target")?;
    let of = |target: &Target, kind: &'static Kind| target.of(kind).cloned().collect::<Vec<Component>>();
    let own = of(target, &docker::CONTAINER);
    let (images, networks) = (of(target, &docker::IMAGE), of(target, &docker::NETWORK));
    // The first in the order of names that runs, so that it has all facts of one that runs.
    let runs = |c: &&Component| c.value("running").as_bool() == Some(true);
    let one = own.iter().find(runs).or(own.first()).context("the demonstration has containers")?.clone();
    target.components.retain(|c| !std::ptr::eq(c.kind, &docker::CONTAINER));
    match mix {
        Mix::Equal => target.components.extend((0..containers).map(|i| named(&one, i))),
        Mix::Mixed => {
            let bridge = networks.iter().find(|n| n.value("default_bridge").as_bool() == Some(false));
            let bridge = bridge.context("the demonstration has a network")?;
            for k in 0..KINDS {
                target.components.push(image(&images[k % images.len()], k));
                target.components.push(network(bridge, k, containers));
            }
            target.components.extend((0..containers).map(|i| mixed(&own[i % own.len()], i)));
        }
    }
    Ok(snapshot)
}

fn demonstration() -> Result<Snapshot> {
    read(&root().join("crates/seaworthy/demo/snapshot.json.gz"))
}

/// A snapshot from a file, packed or not.
///
/// # Errors
/// Where it cannot be read, or is none.
pub fn read(path: &Path) -> Result<Snapshot> {
    let mut bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(&*bytes).read_to_end(&mut plain).with_context(|| path.display().to_string())?;
        bytes = plain;
    }
    snapshot_json::read(&bytes).with_context(|| path.display().to_string())
}

fn again(of: &Component, id: &str, name: &str) -> Component {
    let mut out = of.clone();
    (out.id, out.name) = (id.into(), name.into());
    out
}

fn set(component: &mut Component, fact: &str, value: impl Into<Value>) {
    component.set(fact, value, Source::place("bench"));
}

fn named(of: &Component, i: usize) -> Component {
    again(of, &format!("{i:064x}"), &format!("fleet-{i}"))
}

fn image_id(k: usize) -> String {
    format!("sha256:{k:064x}")
}

fn image(of: &Component, k: usize) -> Component {
    again(of, &image_id(k), &format!("registry.example:5000/app-{k}:1"))
}

fn network(of: &Component, k: usize, containers: usize) -> Component {
    let mut out = again(of, &format!("{k:064x}"), &format!("fleet-{k}"));
    let attached = (k..containers).step_by(KINDS).map(|i| format!("fleet-{i}"));
    set(&mut out, "containers", Value::strings(attached));
    out
}

fn mixed(of: &Component, i: usize) -> Component {
    let mut out = named(of, i);
    let k = i % KINDS;
    set(&mut out, "image", format!("registry.example:5000/app-{k}:1").as_str());
    set(&mut out, "image_id", image_id(k).as_str());
    // Whoever is on no network of its own, or in another's, stays there.
    if out.value("networks").as_list().is_some_and(|on| !on.is_empty()) {
        let own = format!("fleet-{k}");
        set(&mut out, "networks", Value::strings([own.as_str()]));
        set(&mut out, "network_mode", own.as_str());
        set(&mut out, "default_bridge", false);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_as_many_containers_as_wanted() {
        for mix in Mix::ALL {
            let snapshot = host(mix, 45).unwrap();
            assert_eq!(snapshot.targets[0].of(&docker::CONTAINER).count(), 45);
        }
        let mixed = host(Mix::Mixed, 45).unwrap();
        let images = mixed.targets[0].of(&docker::CONTAINER).filter_map(|c| c.value("image").as_str());
        assert_eq!(images.collect::<std::collections::BTreeSet<_>>().len(), KINDS);
    }
}
