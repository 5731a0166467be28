//! Results of the threat model: a threat on what it is about, and an entry from which a jewel can be reached, with the
//! ways there as code flows.

use std::collections::BTreeMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::Certainty;
use seaworthy_core::identity;
use seaworthy_core::step::{Basis, Capability, Path, State};
use seaworthy_core::threat::{Status, Subject, Threat};
use seaworthy_core::verdict::Severity;

use super::log::{CodeFlow, Fingerprints, Location, Message, Notification, ResultOut, Step, ThreadFlow};
use super::{FACTS, Item, NAME, Run, level, literal, location, suppression, taxa};
use crate::clean::{bounded, one_line, shown, value};
use crate::export::{decided, is_manual, reason, waiver};
use crate::words;

/// The most ways between an entry and a jewel that are told step by step: GitHub shows each in a list of its own.
const WAYS: usize = 3;

/// The most facts that a step names.
const STEP_FACTS: usize = 3;

/// The id of the rule of a threat.
pub fn threat_rule(threat: &Threat) -> String {
    format!("threat/{}", threat.id)
}

/// The id of the rule of the ways to a jewel.
pub fn path_rule(jewel: &Capability) -> String {
    format!("path/{}", jewel.name)
}

/// How much a jewel matters.
pub fn severity(jewel: &Capability) -> Severity {
    match jewel.jewel {
        Some(0 | 1) => Severity::Critical,
        Some(2 | 3) => Severity::High,
        Some(_) | None => Severity::Medium,
    }
}

/// The threats and paths of a target that are results, each with its rank and severity. What is answered only where
/// all is asked for. An impact that is not known is taken for the gravest, so that it is cut last.
pub fn ranked(model: &Assessment<'_>, target: usize, all: bool) -> Vec<(u8, Severity, Item)> {
    let threats = model.threats.iter().enumerate().filter(|(_, t)| t.target == target);
    let threats = threats.filter_map(|(i, instance)| {
        let rank = match instance.status {
            Status::Open => 0,
            Status::Accepted => 1,
            Status::Undetermined if is_manual(model, instance) => 3,
            Status::Undetermined => 2,
            Status::Answered if all => 4,
            Status::Answered => return None,
        };
        Some((rank, instance.impact.level.unwrap_or(Severity::Critical), Item::Threat(i)))
    });
    let here = |p: &Path| model.diagram.elements.get(p.to.element).is_some_and(|e| e.target == target);
    // Of each pair the place of its cheapest path, and whether one of its paths is proven.
    let mut pairs: BTreeMap<(State, State), (usize, bool)> = BTreeMap::new();
    for (i, path) in model.paths.list.iter().enumerate().filter(|(_, p)| here(p)) {
        pairs.entry((path.from, path.to)).or_insert((i, false)).1 |= path.certainty.is_proven();
    }
    let mut pairs: Vec<(usize, bool)> = pairs.into_values().collect();
    pairs.sort_unstable();
    let paths = pairs
        .into_iter()
        .map(|(i, proven)| (if proven { 0 } else { 2 }, severity(model.paths.list[i].to.capability()), Item::Path(i)));
    threats.chain(paths).collect()
}

/// Says of which pairs more paths exist than are listed.
pub fn more(model: &Assessment<'_>, target: usize) -> Vec<Notification> {
    let here = |s: &State| model.diagram.elements.get(s.element).is_some_and(|e| e.target == target);
    let pairs = model.paths.more.iter().filter(|(_, to, _)| here(to)).map(|(from, to, listed)| {
        let (from, to) = (bounded(&model.state(*from), 80).into_owned(), bounded(&model.state(*to), 80).into_owned());
        let text = format!("from {from} to {to} there are more ways than the {listed} that are listed");
        Notification::new("paths", "note", &text)
    });
    let mut out: Vec<Notification> = pairs.collect();
    if model.paths.unlisted > 0 {
        let pairs = words::count(model.paths.unlisted, "pair");
        let text = format!("the list of ways is full: of {pairs} none is listed although there is one");
        out.push(Notification::new("paths", "warning", &text));
    }
    for state in model.paths.unsearched.iter().filter(|s| here(s)).take(FACTS) {
        let text =
            format!("from {} no way was looked for, since there are too many", bounded(&model.state(*state), 80));
        out.push(Notification::new("paths", "warning", &text));
    }
    out
}

/// A threat on what it is about.
pub fn threat<'r>(run: &Run<'r>, model: &'r Assessment<'r>, i: usize) -> ResultOut<'r> {
    let instance = &model.threats[i];
    let threat = model.threat(instance);
    let (kind, level) = match instance.status {
        Status::Open | Status::Accepted => ("fail", instance.impact.level.map_or("warning", level)),
        Status::Undetermined if is_manual(model, instance) => ("review", "none"),
        Status::Undetermined => ("open", "none"),
        Status::Answered => ("pass", "none"),
    };
    let subject = model.subject_name(instance);
    let word = instance.status.word();
    let mut text = format!("{}: {word}: {}.", bounded(&subject, NAME), one_line(threat.title.trim_end_matches('.')));
    if instance.status == Status::Undetermined
        && let Some(reason) = reason(model, instance)
    {
        text.push_str(&format!(" {reason}."));
    }
    for line in decided(model, instance) {
        text.push_str(&format!(" {line}."));
    }
    let location = match instance.subject {
        Subject::Element(e) => located(run, model, e),
        Subject::Flow(f) => location(run.target, "flow", &flow_path(model, f)),
        Subject::Unlisted(_) => location(run.target, words::kind(&threat.about), ""),
    };
    let accepting = (instance.status == Status::Accepted).then(|| waiver(model, instance)).flatten();
    ResultOut {
        rule_id: threat_rule(threat).into(),
        rule_index: run.rules.index(Item::Threat(i)),
        kind,
        level,
        message: Message { text: literal(&text) },
        locations: [location],
        partial_fingerprints: fingerprints(&instance.fingerprint),
        suppressions: accepting.map(|w| vec![suppression(w)]),
        taxa: taxa::of(threat),
        code_flows: Vec::new(),
    }
}

fn fingerprints(own: &str) -> Fingerprints {
    Fingerprints { line: format!("{own}:1"), own: own.to_owned() }
}

/// `published-port/the internet/web/0.0.0.0:8080 → 80/tcp`.
fn flow_path(model: &Assessment<'_>, flow: usize) -> String {
    let Some(flow) = model.diagram.flows.get(flow) else { return String::new() };
    let name = |e: usize| model.diagram.elements.get(e).map_or("", |e| e.name.as_str());
    format!("{}/{}/{}/{}", flow.kind.word(), name(flow.from), name(flow.to), flow.label)
}

fn located<'r>(run: &Run<'r>, model: &'r Assessment<'r>, element: usize) -> Location<'r> {
    match model.diagram.elements.get(element) {
        Some(element) => location(run.target, words::kind(element.kind), &element.name),
        None => location(run.target, "element", ""),
    }
}

/// The ways from one entry to one jewel; `i` is one of them.
pub fn path<'r>(run: &Run<'r>, model: &'r Assessment<'r>, i: usize) -> ResultOut<'r> {
    let Path { from, to, .. } = model.paths.list[i];
    let mut ways: Vec<&Path> = model.paths.list.iter().filter(|p| (p.from, p.to) == (from, to)).collect();
    ways.sort_by_key(|p| p.basis());
    let firmest = ways.first().map_or(Basis::Possible, |p| p.basis());
    let known = firmest.facts_known();
    let jewel = to.capability();
    let word = firmest.word();
    let (begin, end) = (said(model, from), said(model, to));
    let mut text = format!("{begin}: {word}: {} to {end}.", words::count(ways.len(), "way"));
    if let Some(first) = ways.first() {
        text.push_str(&format!(" The first: {}.", way(model, first)));
        for (number, of) in [(first.stands_for.0, &begin), (first.stands_for.1, &end)] {
            if number > 1 {
                text.push_str(&format!(" {of} stands for {} equal ones.", words::thousands(number)));
            }
        }
    }
    if ways.len() > WAYS {
        text.push_str(&format!(" {WAYS} of them are shown; a report as JSON has all."));
    }
    let flow = |path: &&'r Path| CodeFlow {
        message: Message { text: literal(&way(model, path)) },
        thread_flows: [ThreadFlow { locations: steps(run, model, path) }],
    };
    ResultOut {
        rule_id: path_rule(jewel).into(),
        rule_index: run.rules.index(Item::Path(i)),
        kind: if known { "fail" } else { "open" },
        level: if known { level(severity(jewel)) } else { "none" },
        message: Message { text: literal(&text) },
        locations: [located(run, model, to.element)],
        partial_fingerprints: fingerprints(&identity::fingerprint(&[&held(model, from), &held(model, to)])),
        suppressions: None,
        taxa: Vec::new(),
        code_flows: ways.iter().take(WAYS).map(flow).collect(),
    }
}

fn said(model: &Assessment<'_>, state: State) -> String {
    bounded(&model.state(state), NAME).into_owned()
}

/// A capability at an element, by what survives re-creation.
fn held(model: &Assessment<'_>, state: State) -> String {
    let element = model.diagram.elements.get(state.element).map_or("", |e| e.id.as_str());
    format!("{} at {element}", state.capability().name)
}

/// `assumed, 2 steps, effort 5; it assumes a flaw in the service behind the port`.
fn way(model: &Assessment<'_>, path: &Path) -> String {
    let mut text =
        format!("{}, {}, effort {}", path.basis().word(), words::count(path.hops.len(), "step"), path.effort);
    if let Certainty::Possible(reason) = &path.certainty {
        text.push_str(&format!("; it would be proven if this were known: {}", one_line(reason.trim_end_matches('.'))));
    }
    let assumed: Vec<_> = model.assumptions(path).into_iter().map(one_line).collect();
    if !assumed.is_empty() {
        text.push_str(&format!("; it assumes {}", assumed.join(", and ")));
    }
    text
}

/// Where the path begins, and where each step leads.
fn steps<'r>(run: &Run<'r>, model: &'r Assessment<'r>, path: &'r Path) -> Vec<Step<'r>> {
    let place = |element, text: &str, order, importance, taxa| {
        let mut location = located(run, model, element);
        location.message = Some(Message { text: literal(text) });
        Step { location, execution_order: order, importance, taxa }
    };
    let begin = bounded(&model.state(path.from), NAME).into_owned();
    let mut out = vec![place(path.from.element, &begin, 0, "essential", Vec::new())];
    for (i, hop) in path.hops.iter().enumerate() {
        let gained = model.state(hop.to);
        let mut text = format!("{}: gains {}.", bounded(&model.hop(hop), NAME), bounded(&gained, NAME));
        if let Certainty::Possible(reason) = &hop.certainty {
            text.push_str(&format!(" Only possible: {}.", one_line(reason.trim_end_matches('.'))));
        }
        if let Some(assumed) = model.assumption(hop) {
            text.push_str(&format!(" Assumes {}.", one_line(assumed)));
        }
        for (component, name, fact) in hop.facts.iter().take(STEP_FACTS).filter_map(|f| model.fact(*f)) {
            let (component, source) = (bounded(component, 80), shown(&fact.source, 200));
            text.push_str(&format!(" {component}: {name} = {} ({source}).", value(&fact.value)));
        }
        let technique = taxa::technique(&model.steps[hop.step].attack);
        out.push(place(hop.to.element, &text, i + 1, "essential", technique.into_iter().collect()));
    }
    out
}
