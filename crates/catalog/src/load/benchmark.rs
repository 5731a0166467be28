//! Benchmarks: published ids mapped to checks.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::benchmark::{Benchmark, Control, Section, id_order};
use seaworthy_core::check::Check;
use serde::Deserialize;

use super::{LoadError, toml_error};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    id: String,
    title: String,
    published: String,
    #[serde(default)]
    #[allow(dead_code, reason = "for the reader of the file; the product shows ids as facts")]
    source: String,
    base: Option<String>,
    #[serde(default)]
    same: BTreeMap<String, String>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default, rename = "section")]
    sections: Vec<Section>,
    #[serde(default, rename = "control")]
    controls: Vec<FrontControl>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct FrontControl {
    id: String,
    title: String,
    level: u8,
    status: Status,
    checks: Vec<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Automated,
    Manual,
}

impl From<FrontControl> for Control {
    fn from(c: FrontControl) -> Self {
        Self { id: c.id, title: c.title, level: c.level, automated: c.status == Status::Automated, checks: c.checks }
    }
}

/// Parses benchmarks from their files' names and texts, which may build on one another.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn parse_all(files: &[(String, String)], checks: &[Check]) -> Result<Vec<Benchmark>, Vec<LoadError>> {
    let mut errors = Vec::new();
    let mut fronts = Vec::new();
    for (file, text) in files {
        match toml::from_str::<Front>(text) {
            Ok(front) => fronts.push((file.as_str(), front)),
            Err(e) => errors.push(toml_error(file, text, 0, &e)),
        }
    }
    let known: BTreeSet<&str> = checks.iter().map(|c| c.id.as_str()).collect();
    let mut out = Vec::new();
    for (file, front) in &fronts {
        let base = front.base.as_ref().map(|id| fronts.iter().find(|(_, f)| f.id == *id));
        let base = match base {
            Some(None) => {
                errors.push(LoadError::whole(file, "its base is not in the catalogue"));
                continue;
            }
            Some(Some((_, base))) => Some(base),
            None => None,
        };
        out.push(resolve(file, front, base, &known, &mut errors));
    }
    out.sort_by(|a, b| a.family().cmp(b.family()).then_with(|| id_order(b.version(), a.version())));
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn resolve(
    file: &str,
    front: &Front,
    base: Option<&Front>,
    known: &BTreeSet<&str>,
    errors: &mut Vec<LoadError>,
) -> Benchmark {
    let mut controls: Vec<Control> = front.controls.iter().cloned().map(Control::from).collect();
    for (here, there) in &front.same {
        match base.and_then(|b| b.controls.iter().find(|c| c.id == *there)) {
            Some(control) => controls.push(Control { id: here.clone(), ..control.clone().into() }),
            None => errors.push(LoadError::whole(file, format!("`{here}`: its base has no control `{there}`"))),
        }
    }
    controls.sort_by(|a, b| id_order(&a.id, &b.id));
    for pair in controls.windows(2).filter(|pair| pair[0].id == pair[1].id) {
        errors.push(LoadError::whole(file, format!("control `{}` is there twice", pair[0].id)));
    }
    for control in &controls {
        if control.checks.is_empty() {
            errors.push(LoadError::whole(file, format!("control `{}` has no check", control.id)));
        }
        for check in control.checks.iter().filter(|c| !known.contains(c.as_str())) {
            errors.push(LoadError::whole(file, format!("control `{}`: there is no check `{check}`", control.id)));
        }
    }
    let sections = match (front.sections.is_empty(), base) {
        (true, Some(base)) => base.sections.clone(),
        _ => front.sections.clone(),
    };
    Benchmark {
        id: front.id.clone(),
        title: front.title.clone(),
        published: front.published.clone(),
        sections,
        controls,
        aliases: front.aliases.clone().into_iter().collect(),
    }
}
