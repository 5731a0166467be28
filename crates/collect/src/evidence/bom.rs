//! CycloneDX 1.4 to 1.6.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::document::{Scan, Statement, named, texts};
use super::subject::Subject;
use super::tally::{Entry, Fix, Found, Grade, Summed, Tally};
use super::text::{Few, Part, Text};

/// The most packages that one entry affects.
const MOST_AFFECTED: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    timestamp: Text,
    component: Part<Component>,
    tools: Tools,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Text,
    purl: Text,
    name: Text,
    version: Text,
    hashes: Few<Part<Hash>, 16>,
    properties: Few<Part<Property>, 4096>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hash {
    alg: Text,
    content: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Property {
    name: Text,
    value: Text,
}

/// A list up to 1.4, an object with lists from 1.5 on.
#[derive(Debug, Default)]
struct Tools(Vec<Part<Tool>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tool {
    name: Text,
    version: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolLists {
    components: Few<Part<Tool>, 16>,
}

impl<'de> Deserialize<'de> for Tools {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Tools;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tools")
            }
            fn visit_unit<E>(self) -> Result<Tools, E> {
                Ok(Tools::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Tools, A::Error> {
                Few::<_, 16>::deserialize(SeqAccessDeserializer::new(list)).map(|few| Tools(few.0))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tools, A::Error> {
                ToolLists::deserialize(MapAccessDeserializer::new(map)).map(|lists| Tools(lists.components.0))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vulnerability {
    id: Text,
    ratings: Few<Part<Rating>, 32>,
    recommendation: Text,
    affects: Few<Part<Affected>, MOST_AFFECTED>,
    analysis: Part<Analysis>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rating {
    severity: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Affected {
    #[serde(rename = "ref")]
    reference: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Analysis {
    state: Text,
}

impl Entry for Vulnerability {
    fn add_to(self, tally: &mut Tally) {
        tally.looked = true;
        let state = self.analysis.0.state;
        if matches!(state.some(), Some("resolved" | "resolved_with_pedigree" | "false_positive" | "not_affected")) {
            return;
        }
        // Sources rate differently; an unrated one says nothing against the others.
        let rated = self.ratings.0.iter().map(|rating| Grade::of(&rating.0.severity.0));
        let grade = rated.filter(|grade| *grade != Grade::Unrated).min().unwrap_or(Grade::Unrated);
        // The format has no field for the fixed version; Trivy says it here.
        let upgrade = self.recommendation.some().filter(|text| text.to_ascii_lowercase().contains("upgrade "));
        let fix = upgrade.map_or(Fix::Unsaid, |text| {
            let version = text.rsplit_once(" to version ").map_or(text, |(_, version)| version);
            Fix::In(version.split(';').next().unwrap_or(version).trim().into())
        });
        let mut affected: Vec<Box<str>> = self.affects.0.iter().map(|a| package_of(&a.0.reference.0).into()).collect();
        if affected.is_empty() {
            affected.push("".into());
        }
        for package in affected {
            tally.add(Found { grade, fix: fix.clone(), id: self.id.0.clone(), package });
        }
    }
}

/// The package of a reference: its name and version where it is a package URL, else the reference itself.
fn package_of(reference: &str) -> String {
    let Some(purl) = reference.strip_prefix("pkg:") else { return reference.to_owned() };
    let path = purl.split(['?', '#']).next().unwrap_or(purl);
    let (name, version) = match path.rsplit_once('@') {
        Some((name, version)) => (name, version),
        None => (path, ""),
    };
    let name = name.split_once('/').map_or(name, |(_, name)| name);
    format!("{name} {version}").trim().replace("%2B", "+").replace("%3A", ":").replace("%40", "@")
}

/// What a document says whose `metadata` and `vulnerabilities` these are.
pub(super) fn statement(metadata: Metadata, vulnerabilities: Option<Summed<Vulnerability>>) -> (Subject, Statement) {
    let component = metadata.component.0;
    let mut subject = Subject::default();
    for property in &component.properties.0 {
        match &*property.0.name.0 {
            "aquasecurity:trivy:ImageID" => subject.config(&property.0.value.0),
            "aquasecurity:trivy:RepoDigest" | "aquasecurity:trivy:RepoTag" | "aquasecurity:trivy:Reference" => {
                subject.name(&property.0.value.0);
            }
            _ => {}
        }
    }
    for text in [&component.purl, &component.reference, &component.version] {
        subject.manifest(&text.0);
    }
    for hash in &component.hashes.0 {
        if hash.0.alg.some() == Some("SHA-256") {
            subject.manifest(&format!("sha256:{}", hash.0.content.0));
        }
    }
    let architecture = component.purl.0.split(['?', '&']).find_map(|part| part.strip_prefix("arch="));
    subject.platform(Some("linux"), architecture);
    subject.name(&component.name.0);
    let tool = metadata.tools.0.iter().find(|tool| tool.0.name.some().is_some());
    let scanner = tool.map_or_else(
        || "CycloneDX".to_owned(),
        |tool| format!("{} (CycloneDX)", named(&tool.0.name.0, &tool.0.version)),
    );
    // Tools write an empty list also where they were not asked to look.
    let unproven = match &vulnerabilities {
        Some(list) if list.tally.looked => None,
        _ => Some("it lists no vulnerability, and nothing in it says that any were looked for"),
    };
    let scan = Scan {
        scanner,
        dates: texts(&[&metadata.timestamp]),
        tally: vulnerabilities.unwrap_or_default().tally,
        os_ended: None,
        unproven,
    };
    (subject, Statement::Scan(Box::new(scan)))
}
