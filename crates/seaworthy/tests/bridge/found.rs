//! What the program told.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// An assessment.
pub struct Found {
    json: Value,
}

/// A path of it.
pub struct Way<'a> {
    found: &'a Found,
    path: &'a Value,
    /// proven, assumed or possible.
    pub certainty: &'a str,
    /// Its steps in order.
    pub steps: Vec<&'a str>,
}

impl Way<'_> {
    /// The facts of all steps: `shop root_user`.
    pub fn facts(&self) -> Vec<String> {
        let hops = self.path["steps"].as_array().into_iter().flatten();
        let taken = hops.filter_map(|hop| self.found.json["steps"].get(usize::try_from(hop["taken"].as_u64()?).ok()?));
        let facts = taken.flat_map(|step| step["facts"].as_array().into_iter().flatten());
        facts.map(|fact| format!("{} {}", text(&fact["component"]), text(&fact["name"]))).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The only component of a kind in a target of a snapshot.
pub fn component<'a>(target: &'a Value, kind: &str) -> &'a Value {
    let all: Vec<&Value> =
        target["components"].as_array().into_iter().flatten().filter(|c| c["kind"] == kind).collect();
    assert_eq!(all.len(), 1, "{kind}");
    all[0]
}

impl Found {
    /// Runs a command that prints an assessment.
    pub fn run(mut command: Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)));
        Self { json }
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.json[key].as_array().into_iter().flatten()
    }

    /// The paths from one to another, each by its words, the cheapest first.
    pub fn all(&self, from: &str, to: &str) -> Vec<Way<'_>> {
        let is = |p: &&Value| p["from"]["text"] == from && p["to"]["text"] == to;
        self.list("paths").filter(is).map(|path| self.way(path)).collect()
    }

    fn way<'a>(&'a self, path: &'a Value) -> Way<'a> {
        let steps = path["steps"].as_array().into_iter().flatten().map(|step| text(&step["step"])).collect();
        Way { found: self, path, certainty: text(&path["certainty"]), steps }
    }

    /// Those that rest on this.
    pub fn only(&self, from: &str, to: &str, certainty: &str) -> Vec<Way<'_>> {
        let all: Vec<_> = self.all(from, to).into_iter().filter(|way| way.certainty == certainty).collect();
        assert!(!all.is_empty(), "no {certainty} way from {from} to {to}: {}", self.show());
        all
    }

    /// How many rest on this.
    pub fn count(&self, from: &str, to: &str, certainty: &str) -> usize {
        self.all(from, to).iter().filter(|way| way.certainty == certainty).count()
    }

    /// The fingerprints of those whose facts are all known.
    pub fn fingerprints(&self, from: &str, to: &str) -> BTreeSet<&str> {
        let known = self.all(from, to).into_iter().filter(|way| way.certainty != "possible");
        known.map(|way| text(&way.path["fingerprint"])).collect()
    }

    /// The fingerprints of all paths.
    pub fn every_fingerprint(&self) -> BTreeSet<&str> {
        self.list("paths").map(|path| text(&path["fingerprint"])).collect()
    }

    /// The checks of the first proposal.
    pub fn first(&self) -> Vec<&str> {
        let first = self.list("priorities").next().expect("a proposal");
        first["remedy"].as_array().into_iter().flatten().map(text).collect()
    }

    /// What the first proposal says that it cuts.
    pub fn cut_first(&self) -> BTreeSet<&str> {
        let first = self.list("priorities").next().expect("a proposal");
        first["cuts"].as_array().into_iter().flatten().map(text).collect()
    }

    /// Everything for the reader of a failed test.
    pub fn show(&self) -> String {
        let mut out = String::from("\n");
        for p in self.list("paths") {
            let way = self.way(p);
            out += &format!(
                "{} {} → {}: {}\n",
                way.certainty,
                text(&p["from"]["text"]),
                text(&p["to"]["text"]),
                way.steps.join(", ")
            );
        }
        for (at, p) in self.list("priorities").take(8).enumerate() {
            out += &format!("{}. {} {}: {}\n", at + 1, text(&p["title"]), p["remedy"], p["why"]);
        }
        out
    }
}
