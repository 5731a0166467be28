//! Results of the threat model: a threat on what it is about, and a way to a jewel with its steps as a code flow.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::step::{Capability, Path, State};
use seaworthy_core::threat::{Status, Subject, Threat};
use seaworthy_core::verdict::Severity;

use super::log::{CodeFlow, Fingerprints, Location, Message, Notification, ResultOut, Step, ThreadFlow};
use super::{FACTS, Item, NAME, Run, level, literal, location, suppression, taxa};
use crate::clean::{bounded, one_line, shown, value};
use crate::export::{decided, is_manual, reason, waiver};
use crate::words;

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
    let paths = model.paths.list.iter().enumerate().filter(|(_, p)| here(p));
    let paths =
        paths.map(|(i, p)| (if p.certainty.is_proven() { 0 } else { 2 }, severity(p.to.capability()), Item::Path(i)));
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

/// A way to a jewel.
pub fn path<'r>(run: &Run<'r>, model: &'r Assessment<'r>, i: usize) -> ResultOut<'r> {
    let path = &model.paths.list[i];
    let jewel = path.to.capability();
    let proven = path.certainty.is_proven();
    let said = |state: State| bounded(&model.state(state), NAME).into_owned();
    let mut text = format!(
        "{}: {}: a way to {} in {}, effort {}.",
        said(path.from),
        path.certainty.word(),
        said(path.to),
        words::count(path.hops.len(), "step"),
        path.effort,
    );
    if let seaworthy_core::diagram::Certainty::Possible(reason) = &path.certainty {
        text.push_str(&format!(" It would be proven if this were known: {}.", one_line(reason.trim_end_matches('.'))));
    }
    for (number, of) in [(path.stands_for.0, path.from), (path.stands_for.1, path.to)] {
        if number > 1 {
            text.push_str(&format!(" {} stands for {} equal ones.", said(of), words::thousands(number)));
        }
    }
    ResultOut {
        rule_id: path_rule(jewel).into(),
        rule_index: run.rules.index(Item::Path(i)),
        kind: if proven { "fail" } else { "open" },
        level: if proven { level(severity(jewel)) } else { "none" },
        message: Message { text: literal(&text) },
        locations: [located(run, model, path.to.element)],
        partial_fingerprints: fingerprints(&path.fingerprint),
        suppressions: None,
        taxa: Vec::new(),
        code_flows: vec![CodeFlow {
            message: Message { text: literal(&text) },
            thread_flows: [ThreadFlow { locations: steps(run, model, path) }],
        }],
    }
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
        if let seaworthy_core::diagram::Certainty::Possible(reason) = &hop.certainty {
            text.push_str(&format!(" Only possible: {}.", one_line(reason.trim_end_matches('.'))));
        }
        for (component, name, fact) in hop.facts.iter().take(FACTS).filter_map(|f| model.fact(*f)) {
            let (component, source) = (bounded(component, 80), shown(&fact.source, 200));
            text.push_str(&format!(" {component}: {name} = {} ({source}).", value(&fact.value)));
        }
        let technique = taxa::technique(&model.steps[hop.step].attack);
        out.push(place(hop.to.element, &text, i + 1, "essential", technique.into_iter().collect()));
    }
    out
}
