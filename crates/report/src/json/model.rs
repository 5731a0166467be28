//! The threat model as JSON: zones, flows, threats, paths, priorities.

use std::collections::HashMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::{Certainty, FactRef};
use seaworthy_core::fact::Fact;
use seaworthy_core::step::{Forecast, Hop, Path, Priority, State};
use seaworthy_core::threat::{Instance, Rating, Status, Subject};
use serde::{Serialize, Serializer};

use super::FactOut;
use crate::words;

/// A list that is empty where there is no model.
fn list<'r, T: Serialize, S: Serializer>(
    model: Option<&'r Assessment<'r>>,
    serializer: S,
    items: impl FnOnce(&'r Assessment<'r>) -> Vec<T>,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(model.map(items).unwrap_or_default())
}

/// The elements that are actors.
pub fn actors<'r>(model: Option<&'r Assessment<'r>>) -> impl Iterator<Item = (&'r Assessment<'r>, usize)> {
    model.into_iter().flat_map(|model| {
        let elements = model.diagram.elements.iter().enumerate();
        elements.filter(|(_, e)| e.component.is_none()).map(move |(i, _)| (model, i))
    })
}

/// A fact that something rests on.
#[derive(Serialize)]
struct RestsOn<'r> {
    component: &'r str,
    #[serde(flatten)]
    fact: FactOut<'r>,
}

fn facts<'r>(model: &'r Assessment<'r>, facts: &[FactRef]) -> Vec<RestsOn<'r>> {
    let named = facts.iter().filter_map(|f| model.fact(*f));
    named.map(|(component, name, fact)| RestsOn { component, fact: fact_out(name, fact) }).collect()
}

fn fact_out<'r>(name: &'r str, fact: &'r Fact) -> FactOut<'r> {
    FactOut { name, value: &fact.value, source: fact.source.to_string() }
}

fn reason(certainty: &Certainty) -> Option<&str> {
    match certainty {
        Certainty::Proven => None,
        Certainty::Possible(reason) => Some(reason),
    }
}

/// What a component or an actor is in the diagram.
#[derive(Serialize)]
pub struct ElementOut<'r> {
    element: &'r str,
    zone: &'r str,
    shape: &'r str,
    certainty: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
}

impl<'r> ElementOut<'r> {
    /// An element by position.
    pub fn new(model: &'r Assessment<'r>, at: usize) -> Self {
        let element = &model.diagram.elements[at];
        Self {
            element: &element.id,
            zone: model.diagram.zones.get(element.zone).map_or("", |z| z.id.as_str()),
            shape: element.shape.word(),
            certainty: element.certainty.word(),
            reason: reason(&element.certainty),
        }
    }
}

/// The zones.
pub struct Zones<'r>(pub Option<&'r Assessment<'r>>);

#[derive(Serialize)]
struct ZoneOut<'r> {
    id: &'r str,
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'r str>,
    boundary: &'r str,
    trust: u8,
    facts: Vec<RestsOn<'r>>,
}

impl Serialize for Zones<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        list(self.0, serializer, |model| {
            let zones = &model.diagram.zones;
            let out = zones.iter().map(|zone| ZoneOut {
                id: &zone.id,
                name: &zone.name,
                parent: zone.parent.and_then(|p| zones.get(p)).map(|z| z.id.as_str()),
                boundary: &zone.boundary,
                trust: zone.trust,
                facts: facts(model, &zone.facts),
            });
            out.collect()
        })
    }
}

/// The flows.
pub struct Flows<'r>(pub Option<&'r Assessment<'r>>);

#[derive(Serialize)]
struct FlowOut<'r> {
    id: &'r str,
    kind: &'r str,
    from: &'r str,
    to: &'r str,
    label: &'r str,
    crosses: bool,
    certainty: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    facts: Vec<RestsOn<'r>>,
}

impl Serialize for Flows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        list(self.0, serializer, |model| {
            let element = |i: usize| model.diagram.elements.get(i).map_or("", |e| e.id.as_str());
            let out = model.diagram.flows.iter().map(|flow| FlowOut {
                id: &flow.id,
                kind: flow.kind.word(),
                from: element(flow.from),
                to: element(flow.to),
                label: &flow.label,
                crosses: flow.crosses,
                certainty: flow.certainty.word(),
                reason: reason(&flow.certainty),
                facts: facts(model, &flow.facts),
            });
            out.collect()
        })
    }
}

/// The instances of threats.
pub struct Threats<'r>(pub Option<&'r Assessment<'r>>);

#[derive(Serialize)]
struct ThreatOut<'r> {
    threat: &'r str,
    title: &'r str,
    stride: Vec<&'static str>,
    surface: &'static str,
    covers: &'r [String],
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<SubjectOut<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<SubjectOut<'r>>,
    target: &'r str,
    decided_by: Vec<Decided<'r>>,
    facts: Vec<RestsOn<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<super::WaiverOut<'r>>,
    loses: &'static str,
    attack: &'r [String],
    likelihood: RatingOut<'r>,
    impact: RatingOut<'r>,
    fingerprint: &'r str,
}

#[derive(Serialize)]
struct SubjectOut<'r> {
    kind: &'r str,
    id: &'r str,
    name: String,
}

#[derive(Serialize)]
struct Decided<'r> {
    check: &'r str,
    component: &'r str,
    verdict: seaworthy_core::verdict::Verdict,
    finding: String,
}

#[derive(Serialize)]
struct RatingOut<'r> {
    level: Option<&'static str>,
    terms: Vec<TermOut<'r>>,
}

#[derive(Serialize)]
struct TermOut<'r> {
    text: &'r str,
    facts: Vec<RestsOn<'r>>,
}

fn rating<'r>(model: &'r Assessment<'r>, rating: &'r Rating) -> RatingOut<'r> {
    RatingOut {
        level: rating.level.map(seaworthy_core::verdict::Severity::word),
        terms: rating.terms.iter().map(|t| TermOut { text: &t.text, facts: facts(model, &t.facts) }).collect(),
    }
}

fn decided<'r>(model: &'r Assessment<'r>, findings: &[usize]) -> Vec<Decided<'r>> {
    let audit = model.audit;
    let out = findings.iter().map(|i| {
        let finding = &audit.findings[*i];
        Decided {
            check: &audit.check(finding).id,
            component: audit.component_name(finding),
            verdict: finding.judgement.verdict,
            finding: audit.fingerprint(finding),
        }
    });
    out.collect()
}

fn threat<'r>(model: &'r Assessment<'r>, instance: &'r Instance) -> ThreatOut<'r> {
    let threat = model.threat(instance);
    let name = model.subject_name(instance);
    let (component, flow) = match instance.subject {
        Subject::Element(i) => {
            let element = model.diagram.elements.get(i);
            let out = element.map(|e| SubjectOut { kind: e.kind, id: &e.id, name });
            (out, None)
        }
        Subject::Flow(i) => {
            let flow = model.diagram.flows.get(i);
            (None, flow.map(|f| SubjectOut { kind: f.kind.word(), id: &f.id, name }))
        }
        Subject::Unlisted(_) => (Some(SubjectOut { kind: &threat.about, id: "*", name }), None),
    };
    ThreatOut {
        threat: &threat.id,
        title: &threat.title,
        stride: threat.stride.iter().map(|s| s.word()).collect(),
        surface: threat.surface.word(),
        covers: &threat.covers,
        status: instance.status,
        component,
        flow,
        target: model.audit.snapshot.targets.get(instance.target).map_or("", |t| t.name.as_str()),
        decided_by: decided(model, &instance.decided_by),
        facts: facts(model, &instance.facts),
        reason: instance.reason.as_deref(),
        waiver: instance.waiver.and_then(|w| model.audit.waivers.get(w)).map(|w| super::WaiverOut {
            reason: &w.reason,
            owner: &w.owner,
            expires: &w.expires,
        }),
        loses: threat.loses.word(),
        attack: &threat.attack,
        likelihood: rating(model, &instance.likelihood),
        impact: rating(model, &instance.impact),
        fingerprint: &instance.fingerprint,
    }
}

impl Serialize for Threats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instances = self.0.into_iter().flat_map(|m| m.threats.iter().map(move |t| threat(m, t)));
        serializer.collect_seq(instances)
    }
}

/// The attack paths.
pub struct Paths<'r>(pub Option<&'r Assessment<'r>>);

#[derive(Serialize)]
struct PathOut<'r> {
    from: StateOut<'r>,
    to: StateOut<'r>,
    certainty: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumes: Vec<&'r str>,
    effort: u32,
    stands_for: (usize, usize),
    steps: Vec<HopRef<'r>>,
    fingerprint: &'r str,
}

#[derive(Serialize)]
struct StateOut<'r> {
    capability: &'static str,
    element: &'r str,
    name: &'r str,
    text: String,
}

fn state<'r>(model: &'r Assessment<'r>, state: State) -> StateOut<'r> {
    let element = model.diagram.elements.get(state.element);
    StateOut {
        capability: state.capability().name,
        element: element.map_or("", |e| e.id.as_str()),
        name: element.map_or("", |e| e.name.as_str()),
        text: model.state(state),
    }
}

#[derive(Serialize)]
struct HopOut<'r> {
    step: &'r str,
    title: String,
    component: &'r str,
    attack: &'r str,
    gains: StateOut<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<&'r str>,
    certainty: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumes: Option<&'r str>,
    facts: Vec<RestsOn<'r>>,
    cut_by: Vec<Decided<'r>>,
}

fn hop<'r>(model: &'r Assessment<'r>, hop: &'r Hop) -> HopOut<'r> {
    let step = &model.steps[hop.step];
    HopOut {
        step: &step.id,
        title: model.hop(hop),
        component: model.diagram.elements.get(hop.from.element).map_or("", |e| e.name.as_str()),
        attack: &step.attack,
        gains: state(model, hop.to),
        flow: hop.flow.and_then(|f| model.diagram.flows.get(f)).map(|f| f.id.as_str()),
        certainty: hop.basis().word(),
        reason: reason(&hop.certainty),
        assumes: model.assumption(hop),
        facts: facts(model, &hop.facts),
        cut_by: decided(model, &hop.cut_by),
    }
}

/// A step of a path: which, from where, and where in `steps` its facts are.
#[derive(Serialize)]
struct HopRef<'r> {
    step: &'r str,
    component: &'r str,
    taken: usize,
}

/// What tells a hop from others: thousands of paths share a few hundred.
type Key = (usize, State, State, Option<usize>);

fn key(hop: &Hop) -> Key {
    (hop.step, hop.from, hop.to, hop.flow)
}

/// The distinct hops of all paths, in the order in which they first occur.
fn hops<'r>(model: &'r Assessment<'r>) -> (Vec<&'r Hop>, HashMap<Key, usize>) {
    let (mut list, mut places) = (Vec::new(), HashMap::new());
    for hop in model.paths.list.iter().flat_map(|p| &p.hops) {
        places.entry(key(hop)).or_insert_with(|| {
            list.push(hop);
            list.len() - 1
        });
    }
    (list, places)
}

/// The steps that paths take.
pub struct Steps<'r>(pub Option<&'r Assessment<'r>>);

impl Serialize for Steps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        list(self.0, serializer, |model| hops(model).0.into_iter().map(|h| hop(model, h)).collect())
    }
}

fn path<'r>(model: &'r Assessment<'r>, places: &HashMap<Key, usize>, path: &'r Path) -> PathOut<'r> {
    let refer = |hop: &'r Hop| HopRef {
        step: &model.steps[hop.step].id,
        component: model.diagram.elements.get(hop.from.element).map_or("", |e| e.name.as_str()),
        taken: places.get(&key(hop)).copied().unwrap_or_default(),
    };
    PathOut {
        from: state(model, path.from),
        to: state(model, path.to),
        certainty: path.basis().word(),
        assumes: model.assumptions(path),
        effort: path.effort,
        stands_for: path.stands_for,
        steps: path.hops.iter().map(refer).collect(),
        fingerprint: &path.fingerprint,
    }
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = self.0.map(|m| hops(m).1).unwrap_or_default();
        let places = &places;
        let paths = self.0.into_iter().flat_map(|m| m.paths.list.iter().map(move |p| path(m, places, p)));
        serializer.collect_seq(paths)
    }
}

/// What to harden.
pub struct Priorities<'r>(pub Option<&'r Assessment<'r>>);

#[derive(Serialize)]
struct PriorityOut<'r> {
    /// The checks whose remedies it is.
    remedy: Vec<&'r str>,
    title: &'r str,
    closes: Vec<Decided<'r>>,
    answers: Vec<&'r str>,
    cuts: Vec<&'r str>,
    safety: &'static str,
    breaks: &'r [String],
    why: &'r [String],
    threats_left: usize,
    proven_paths_left: usize,
    assumed_paths_left: usize,
    possible_paths_left: usize,
    command: String,
}

fn priority<'r>(model: &'r Assessment<'r>, place: usize, priority: &'r Priority) -> PriorityOut<'r> {
    let audit = model.audit;
    let mut remedy: Vec<&str> = priority.closes.iter().map(|i| audit.check(&audit.findings[*i]).id.as_str()).collect();
    remedy.sort_unstable();
    remedy.dedup();
    let left = priority.left();
    PriorityOut {
        command: words::planned(model, place, priority)
            .unwrap_or_else(|| format!("seaworthy explain {}", remedy.first().copied().unwrap_or_default())),
        remedy,
        title: &priority.title,
        closes: decided(model, &priority.closes),
        answers: priority.answers.iter().map(|i| model.threats[*i].fingerprint.as_str()).collect(),
        cuts: priority.cuts.iter().map(|i| model.paths.list[*i].fingerprint.as_str()).collect(),
        safety: priority.safety.word(),
        breaks: &priority.breaks,
        why: &priority.why,
        threats_left: priority.threats_left,
        proven_paths_left: left.proven,
        assumed_paths_left: left.assumed,
        possible_paths_left: left.possible,
    }
}

impl Serialize for Priorities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        list(self.0, serializer, |m| m.priorities.iter().enumerate().map(|(i, p)| priority(m, i + 1, p)).collect())
    }
}

/// The model in numbers.
#[derive(Serialize)]
pub struct ModelSummary<'r> {
    /// Threats by the worst status of their instances.
    threats: Counted,
    /// Instances by status.
    instances: Counted,
    /// Threats that are open, by letter.
    open_by_letter: std::collections::BTreeMap<char, usize>,
    paths: PathsCounted<'r>,
    smallest_cut: CutOut<'r>,
    /// What is left where the first priorities are carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastOut>,
}

#[derive(Serialize)]
struct ForecastOut {
    /// How many priorities.
    priorities: usize,
    threats: Counted,
    instances: Counted,
    paths: seaworthy_core::step::Counted,
    pairs: seaworthy_core::step::Counted,
    more: bool,
    controls: super::Counts,
    failing: usize,
}

impl ForecastOut {
    fn new((priorities, of): &(usize, Forecast)) -> Self {
        Self {
            priorities: *priorities,
            threats: Counted(of.threats),
            instances: Counted(of.instances),
            paths: of.paths,
            pairs: of.pairs,
            more: of.more,
            controls: super::Counts(of.controls),
            failing: of.failing,
        }
    }
}

struct Counted([usize; 4]);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Status::ALL.iter().map(|s| s.word()).zip(self.0))
    }
}

#[derive(Serialize)]
struct PathsCounted<'r> {
    #[serde(flatten)]
    counted: seaworthy_core::step::Counted,
    /// Pairs of which more paths exist than are listed.
    more: Vec<More<'r>>,
    /// Pairs of which no path is listed although there is one.
    unlisted: usize,
    /// Entries from which no path was looked for.
    unsearched: Vec<StateOut<'r>>,
}

#[derive(Serialize)]
struct More<'r> {
    from: StateOut<'r>,
    to: StateOut<'r>,
    listed: usize,
}

#[derive(Serialize)]
struct CutOut<'r> {
    fixes: Vec<FixOut<'r>>,
    smallest: bool,
    uncut: Vec<&'r str>,
}

#[derive(Serialize)]
struct FixOut<'r> {
    title: &'r str,
    closes: Vec<Decided<'r>>,
}

impl<'r> ModelSummary<'r> {
    /// Counts a model.
    pub fn new(model: &'r Assessment<'r>) -> Self {
        let more = model.paths.more.iter();
        let more =
            more.map(|(from, to, listed)| More { from: state(model, *from), to: state(model, *to), listed: *listed });
        Self {
            threats: Counted(model.counted()),
            instances: Counted(Status::ALL.map(|s| model.threats.iter().filter(|t| t.status == s).count())),
            open_by_letter: model.open_by_letter().into_iter().map(|(s, open)| (s.letter(), open)).collect(),
            paths: PathsCounted {
                counted: model.paths_counted(),
                more: more.collect(),
                unlisted: model.paths.unlisted,
                unsearched: model.paths.unsearched.iter().map(|s| state(model, *s)).collect(),
            },
            smallest_cut: CutOut {
                fixes: model
                    .cut
                    .fixes
                    .iter()
                    .map(|(title, closes)| FixOut { title, closes: decided(model, closes) })
                    .collect(),
                smallest: model.cut.smallest,
                uncut: model.cut.uncut.iter().map(|i| model.paths.list[*i].fingerprint.as_str()).collect(),
            },
            forecast: model.forecast.as_ref().map(ForecastOut::new),
        }
    }
}
