//! Which groups, versions and resources of the API a server serves.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value as Json;

use super::client::{Api, JSON};
use super::failure::Failure;
use crate::kubernetes::gather::Resource;

/// The most that is read of a discovery answer, in bytes: 16 MiB; a thousand custom resources are 1 MiB.
const MOST: usize = 16 << 20;
/// The newest form of discovery, then older ones, then the oldest, which names no resources.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What a server serves.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// Versions by group, the preferred first; the core's group is empty.
    groups: BTreeMap<String, Vec<String>>,
    /// Resources by group/version, where the server tells them all at once.
    resources: BTreeMap<String, HashSet<String>>,
    /// Groups and versions that did not answer the server itself: aggregated APIs that are down.
    stale: BTreeSet<String>,
    /// Why some of it is not known.
    pub unread: Vec<String>,
}

/// Whether a resource can be listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// By this version.
    Version(&'static str),
    /// The server does not have it: it is surely not there.
    Absent,
    /// The group is there in other versions only, which are named.
    Other(String),
    /// The group's server is down.
    Down,
}

impl Served {
    /// Asks once.
    pub(super) async fn ask(api: &Api) -> Self {
        let mut served = Self::default();
        let (core, groups) = tokio::join!(api.get("/api", AGGREGATED, MOST), api.get("/apis", AGGREGATED, MOST));
        for (path, answer) in [("/api", core), ("/apis", groups)] {
            let told = answer.and_then(|bytes| served.take(&bytes));
            if let Err(failure) = told {
                served.unread.push(format!("GET {path}: {failure}"));
            }
        }
        served
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let json: Json = serde_json::from_slice(bytes).map_err(|e| Failure::Foreign(e.to_string()))?;
        match json["kind"].as_str() {
            Some("APIGroupDiscoveryList") => json["items"].as_array().into_iter().flatten().for_each(|g| self.group(g)),
            Some("APIGroupList") => json["groups"].as_array().into_iter().flatten().for_each(|g| self.old_group(g)),
            Some("APIVersions") => {
                let versions = json["versions"].as_array().into_iter().flatten();
                let versions = versions.filter_map(|v| v.as_str()).map(str::to_owned).collect();
                self.groups.insert(String::new(), versions);
            }
            _ => return Err(Failure::Foreign("no list of groups; check the kubeconfig's server".into())),
        }
        Ok(())
    }

    fn group(&mut self, group: &Json) {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        let mut versions = Vec::new();
        for version in group["versions"].as_array().into_iter().flatten() {
            let Some(of) = version["version"].as_str() else { continue };
            versions.push(of.to_owned());
            let key = key(name, of);
            if version["freshness"].as_str() == Some("Stale") {
                self.stale.insert(key.clone());
            }
            let plurals = version["resources"].as_array().into_iter().flatten();
            self.resources.insert(key, plurals.filter_map(|r| r["resource"].as_str()).map(str::to_owned).collect());
        }
        self.groups.insert(name.to_owned(), versions);
    }

    fn old_group(&mut self, group: &Json) {
        let Some(name) = group["name"].as_str() else { return };
        let versions = group["versions"].as_array().into_iter().flatten();
        let versions = versions.filter_map(|v| v["version"].as_str()).map(str::to_owned).collect();
        self.groups.insert(name.to_owned(), versions);
    }

    /// Groups with versions, as `apiVersion` has them.
    pub(super) fn names(&self) -> Vec<String> {
        self.groups.iter().flat_map(|(group, versions)| versions.iter().map(|v| key(group, v))).collect()
    }

    /// By which version a resource is listed. Where discovery was refused, the preferred is tried.
    pub(super) fn choose(&self, resource: &Resource) -> Choice {
        let Some(first) = resource.versions.first().copied() else { return Choice::Absent };
        let Some(versions) = self.groups.get(resource.group) else {
            return if self.unread.is_empty() { Choice::Absent } else { Choice::Version(first) };
        };
        let served = |v: &&'static str| versions.iter().any(|have| have == v);
        let lists = |v: &&'static str| {
            self.resources.get(&key(resource.group, v)).is_none_or(|all| all.contains(resource.plural))
        };
        let known: Vec<&'static str> = resource.versions.iter().copied().filter(|v| served(v)).collect();
        if let Some(version) = known.iter().copied().find(|v| lists(v)) {
            return Choice::Version(version);
        }
        let down = versions.iter().any(|v| self.stale.contains(&key(resource.group, v)));
        let elsewhere = versions
            .iter()
            .any(|v| self.resources.get(&key(resource.group, v)).is_some_and(|all| all.contains(resource.plural)));
        match (down, known.is_empty(), elsewhere || self.resources.is_empty()) {
            (true, ..) => Choice::Down,
            (false, true, true) => Choice::Other(versions.join(", ")),
            _ => Choice::Absent,
        }
    }
}

/// `v1`, `apps/v1`.
pub(super) fn key(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The server's version: its text and minor number.
pub(super) async fn version(api: &Api) -> Result<(String, Option<i64>), Failure> {
    let bytes = api.get("/version", JSON, MOST).await?;
    let foreign = || Failure::Foreign("no version of Kubernetes; check the kubeconfig's server".into());
    let json: Json = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
    let text = json["gitVersion"].as_str().filter(|text| text.starts_with('v')).ok_or_else(foreign)?;
    let text = crate::engine::sanitize(text.trim_start_matches('v'), 64);
    let minor = text.split('.').nth(1).and_then(|minor| minor.parse().ok());
    Ok((text, minor))
}
