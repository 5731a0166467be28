//! Changes in words, by section and way.

use seaworthy_core::diff::{Change, Component, Diff, Flow, Kind, Mitigation, Path, Seen, Threat, Way};
use seaworthy_core::step::Basis;
use serde_json::{Value, json};

use crate::clean::{bounded, one_line};
use crate::words;

/// What a way is called in a section.
pub type Words = fn(Way) -> &'static str;

/// Of threats.
pub const THREATS: Words = |way| match way {
    Way::Opened => "opened",
    Way::Unknown => "undetermined",
    Way::Accepted => "accepted",
    Way::Gone => "gone",
    Way::Won => "answered",
    Way::New => "new",
    Way::Known => "known",
    Way::Lost | Way::Proven | Way::Other => "changed",
};

/// Of paths.
pub const PATHS: Words = |way| match way {
    Way::New => "new",
    Way::Proven => "proven",
    Way::Unknown => "unknown",
    Way::Gone => "cut",
    Way::Known => "known",
    Way::Opened | Way::Lost | Way::Accepted | Way::Won | Way::Other => "changed",
};

/// Of flows.
pub const FLOWS: Words = |way| match way {
    Way::Gone => "gone",
    other => PATHS(other),
};

/// Of components.
pub const COMPONENTS: Words = FLOWS;

/// Of mitigations.
pub const MITIGATIONS: Words = |way| match way {
    Way::Lost => "lost",
    Way::Unknown => "unknown",
    Way::Won => "won",
    Way::Known => "known",
    Way::Opened | Way::New | Way::Proven | Way::Accepted | Way::Gone | Way::Other => "changed",
};

/// One change.
pub struct Row {
    /// What changed. Cleaned.
    pub what: String,
    /// What it was, or why it is unknown. Cleaned.
    pub detail: String,
}

/// The changes of one way.
pub struct Group {
    pub way: Way,
    pub word: &'static str,
    pub rows: Vec<Row>,
}

/// The changes of one kind of thing.
pub struct Section {
    pub title: &'static str,
    /// Its name in JSON.
    key: &'static str,
    pub groups: Vec<Group>,
}

impl Section {
    fn new<T: Kind + Tell>(title: &'static str, key: &'static str, word: Words, changes: &[Change<T>]) -> Self {
        let group = |way| {
            let rows: Vec<Row> = changes.iter().filter(|c| c.way() == way).filter_map(row).collect();
            (!rows.is_empty()).then(|| Group { way, word: word(way), rows })
        };
        Self { title, key, groups: Way::ALL.into_iter().filter_map(group).collect() }
    }

    /// `2 opened, 1 answered`.
    pub fn counts(&self) -> String {
        let counts = self.groups.iter().map(|g| format!("{} {}", words::thousands(g.rows.len()), g.word));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// Its name with how many there are of each way.
    pub fn json(&self) -> (String, Value) {
        let counts = self.groups.iter().map(|g| (g.word.to_owned(), json!(g.rows.len())));
        (self.key.to_owned(), Value::Object(counts.collect()))
    }
}

/// The sections in their order, also empty ones.
pub fn sections(diff: &Diff) -> [Section; 5] {
    [
        Section::new("Threats", "threats", THREATS, &diff.threats),
        Section::new("Attack paths", "paths", PATHS, &diff.paths),
        Section::new("Flows over a boundary", "flows", FLOWS, &diff.flows),
        Section::new("Components", "components", COMPONENTS, &diff.components),
        Section::new("Mitigations", "mitigations", MITIGATIONS, &diff.mitigations),
    ]
}

fn row<T: Kind + Tell>(change: &Change<T>) -> Option<Row> {
    let last = change.last()?;
    let detail = match (&change.before, &change.after) {
        (_, Seen::Unlisted(reason)) => format!("not listed: {}", bounded(reason, 200)),
        (before, after) => T::detail(before.there(), after.there()),
    };
    Some(Row { what: last.what(), detail })
}

/// What can be told of a thing.
pub trait Tell {
    /// What it is, in a line. Cleaned.
    fn what(&self) -> String;

    /// How it was and is, in a line. Cleaned.
    fn detail(before: Option<&Self>, after: Option<&Self>) -> String;

    /// All of it.
    fn json(&self) -> Value;
}

fn name(text: &str) -> String {
    bounded(text, 200).into_owned()
}

/// How certain something was, where it was there.
fn certainty(before: Option<Basis>, after: Option<Basis>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before != after => format!("was {}, is {}", before.word(), after.word()),
        (before, after) => after.or(before).map(Basis::word).unwrap_or_default().to_owned(),
    }
}

fn of_flow(flow: &Flow) -> Basis {
    if flow.proven { Basis::Proven } else { Basis::Possible }
}

impl Tell for Threat {
    fn what(&self) -> String {
        format!("{}: {}", name(&self.subject), name(&self.title))
    }

    fn detail(before: Option<&Self>, after: Option<&Self>) -> String {
        let mut parts = Vec::new();
        if let Some(before) = before {
            parts.push(format!("was {}", before.status.word()));
        }
        if let Some(after) = after {
            if before.is_none() {
                parts.push(format!("is {}", after.status.word()));
            }
            parts.extend(after.reason.iter().map(|r| name(r)));
        }
        parts.join("; ")
    }

    fn json(&self) -> Value {
        json!({
            "threat": one_line(&self.threat),
            "title": one_line(&self.title),
            "subject": one_line(&self.subject),
            "status": self.status,
            "reason": self.reason.as_deref().map(one_line),
        })
    }
}

impl Tell for Path {
    fn what(&self) -> String {
        format!("{} → {}", name(&self.ends.0), name(&self.ends.1))
    }

    fn detail(before: Option<&Self>, after: Option<&Self>) -> String {
        let effort = after.or(before).map_or(0, |p| p.effort);
        format!("{}, effort {effort}", certainty(before.map(|p| p.basis), after.map(|p| p.basis)))
    }

    fn json(&self) -> Value {
        json!({
            "from": one_line(&self.ends.0),
            "to": one_line(&self.ends.1),
            "certainty": self.basis.word(),
            "effort": self.effort,
        })
    }
}

impl Tell for Flow {
    fn what(&self) -> String {
        let label = if self.label.trim().is_empty() { String::new() } else { format!(" ({})", name(&self.label)) };
        format!("{} → {}: {}{label}", name(&self.ends.0), name(&self.ends.1), name(&self.kind))
    }

    fn detail(before: Option<&Self>, after: Option<&Self>) -> String {
        certainty(before.map(of_flow), after.map(of_flow))
    }

    fn json(&self) -> Value {
        json!({
            "kind": one_line(&self.kind),
            "from": one_line(&self.ends.0),
            "to": one_line(&self.ends.1),
            "label": one_line(&self.label),
            "certainty": of_flow(self).word(),
        })
    }
}

impl Tell for Component {
    fn what(&self) -> String {
        format!("{} {}", name(words::kind(&self.kind)), name(&self.name))
    }

    fn detail(before: Option<&Self>, after: Option<&Self>) -> String {
        after.or(before).map_or_else(String::new, |c| format!("on {}", name(&c.target)))
    }

    fn json(&self) -> Value {
        json!({ "kind": one_line(&self.kind), "name": one_line(&self.name), "target": one_line(&self.target) })
    }
}

impl Tell for Mitigation {
    fn what(&self) -> String {
        format!("{}: {}", name(&self.component), name(&self.title))
    }

    fn detail(before: Option<&Self>, after: Option<&Self>) -> String {
        let of = after.or(before).map(|m| name(&m.check)).unwrap_or_default();
        match (before, after) {
            (Some(before), Some(after)) => format!("{} → {}; {of}", before.verdict.word(), after.verdict.word()),
            _ => of,
        }
    }

    fn json(&self) -> Value {
        json!({
            "check": one_line(&self.check),
            "title": one_line(&self.title),
            "component": one_line(&self.component),
            "kind": one_line(&self.kind),
            "target": one_line(&self.target),
            "verdict": self.verdict,
        })
    }
}
