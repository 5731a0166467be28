//! Benchmarks: published, numbered demands, each answered by checks.

use serde::{Deserialize, Serialize};

/// One version of a published benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Benchmark {
    /// `cis-docker-1.8.0`.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Year and month of its publication.
    pub published: String,
    /// Its sections.
    pub sections: Vec<Section>,
    /// Its controls, in the order of their ids.
    pub controls: Vec<Control>,
    /// Ids that older tools gave to its controls.
    pub aliases: Vec<(String, String)>,
}

impl Benchmark {
    /// The family: `cis-docker`.
    pub fn family(&self) -> &str {
        self.id.rsplit_once('-').map_or(&self.id, |(family, _)| family)
    }

    /// The version: `1.8.0`.
    pub fn version(&self) -> &str {
        self.id.rsplit_once('-').map_or("", |(_, version)| version)
    }

    /// A control by its id or by an alias of it.
    pub fn control(&self, id: &str) -> Option<&Control> {
        let id = self.aliases.iter().find(|(alias, _)| alias == id).map_or(id, |(_, id)| id);
        self.controls.iter().find(|c| c.id == id)
    }
}

/// A chapter of a benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Section {
    /// Its number.
    pub id: String,
    /// What it is about, in our own words.
    pub title: String,
}

/// A numbered demand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Control {
    /// Its number in this version.
    pub id: String,
    /// The good state, in our own words.
    pub title: String,
    /// The benchmark's level, 1 or 2.
    pub level: u8,
    /// Whether the benchmark itself calls it automated.
    pub automated: bool,
    /// The checks that answer it.
    pub checks: Vec<String>,
}

/// Orders ids by their numbers: `2.9` before `2.10`.
pub fn id_order(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |id: &str| id.split('.').map(|p| p.parse::<u32>().unwrap_or(u32::MAX)).collect::<Vec<_>>();
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}
