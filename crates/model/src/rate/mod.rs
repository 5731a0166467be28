//! Ratings: how likely a threat is and how much it costs, each with the terms that it follows from.
//!
//! **Impact** begins with what the threat says is lost:
//!
//! | lost | level |
//! | --- | --- |
//! | root on the host, the engine's API | critical |
//! | other containers' data, secrets, a registry's credentials, trust in what runs | high |
//! | availability of the host or the engine | high |
//! | availability of anything else, the trace of who did what | medium |
//! | knowledge of the host | low |
//!
//! What was read raises or lowers it, one level a term: *lowered*, where root on the host or the engine is lost, if the
//! engine runs without root's rights, or if root inside the container is not root of the host and nothing known makes
//! it equal to that; *lowered*, if no container was made from the image; *raised* to critical, where rights are gained
//! in a container whose code can take the host as root.
//!
//! **Likelihood** follows from the cheapest way there from outside (an actor or a client):
//!
//! | the efforts of its steps together | proven | possible |
//! | --- | --- | --- |
//! | at most 2 | critical | high |
//! | at most 5 | high | medium |
//! | at most 10 | medium | low |
//! | more | low | low |
//!
//! A flow is reached over the cheaper of its ends; one that begins at an actor, without effort. What goes to a registry
//! leaves the host, which is medium at most and low where it is only possible: whoever attacks it there must stand on
//! its way. Kinds at which no capability is held (files, the swarm) are reached as the host is. Without any way, proven
//! or possible, the likelihood is low; but none is given where components could not be listed, since the way might lead
//! over them. *Lowered*, if the container does not run.

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::sync::Arc;

use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Certainty, Diagram, Element, FactRef, Flow};
use seaworthy_core::step::{Basis, CAPABILITIES, Exposure, Paths};
use seaworthy_core::threat::{Instance, Loss, Rating, Stride, Subject, Term, Threat};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Severity;

/// Rates every instance. `diagram` and `paths` are those of the audit's snapshot.
pub fn rate(instances: &mut [Instance], threats: &[Threat], diagram: &Diagram, paths: &Paths, audit: &Audit<'_>) {
    let rater = Rater::new(diagram, paths, audit);
    let lost: Vec<Rating> = threats.iter().map(lost).collect();
    for instance in instances {
        instance.impact = rater.impact(instance, &threats[instance.threat], &lost[instance.threat]);
        instance.likelihood = rater.likelihood(instance);
    }
}

/// What was read of an element that raises or lowers a rating.
#[derive(Default)]
struct Traits {
    /// Root inside is not root of the host, and nothing known makes it equal to that.
    unrooted: Option<Term>,
    /// Its code can take the host as root.
    equal_to_root: Option<Term>,
    /// No container was made from it.
    unused: Option<Term>,
    /// It does not run.
    stopped: Option<Term>,
}

struct Rater<'a> {
    diagram: &'a Diagram,
    paths: &'a Paths,
    audit: &'a Audit<'a>,
    /// By element.
    traits: Vec<OnceCell<Traits>>,
    /// By element, how it is reached from outside.
    reach: Vec<OnceCell<Rating>>,
    /// By flow, how it is reached: several threats are about one.
    flows: Vec<OnceCell<Rating>>,
    /// By target: that its engine runs without root's rights.
    rootless: Vec<Option<Term>>,
    /// By target: its host.
    hosts: Vec<Option<usize>>,
}

impl<'a> Rater<'a> {
    fn new(diagram: &'a Diagram, paths: &'a Paths, audit: &'a Audit<'a>) -> Self {
        let targets = audit.snapshot.targets.len();
        let elements = diagram.elements.len();
        let mut rater = Self {
            diagram,
            paths,
            audit,
            traits: std::iter::repeat_with(OnceCell::new).take(elements).collect(),
            reach: std::iter::repeat_with(OnceCell::new).take(elements).collect(),
            flows: std::iter::repeat_with(OnceCell::new).take(diagram.flows.len()).collect(),
            rootless: vec![None; targets],
            hosts: vec![None; targets],
        };
        for (e, element) in diagram.elements.iter().enumerate().filter(|(_, e)| e.target < targets) {
            match element.kind {
                "docker.host" | "kubernetes.cluster" => rater.hosts[element.target] = Some(e),
                "docker.daemon" => rater.rootless[element.target] = rater.rootless_of(element),
                _ => {}
            }
        }
        rater
    }

    fn component(&self, element: &Element) -> Option<&'a Component> {
        self.audit.snapshot.targets.get(element.target)?.components.get(element.component?)
    }

    /// A term that rests on one fact of an element.
    fn term(&self, element: &Element, fact: &str, text: impl Into<String>) -> Option<Term> {
        let (component, own) = (element.component?, self.component(element)?);
        let fact = FactRef { target: element.target, component, fact: own.kind.index(fact)? };
        Some(Term { text: text.into(), facts: vec![fact] })
    }

    fn rootless_of(&self, daemon: &Element) -> Option<Term> {
        let rootless = self.component(daemon)?.value("rootless").as_bool()?;
        rootless.then(|| self.term(daemon, "rootless", "the engine runs without root's rights on the host"))?
    }

    fn traits(&self, e: usize) -> &Traits {
        static NONE: Traits = Traits { unrooted: None, equal_to_root: None, unused: None, stopped: None };
        self.traits.get(e).map_or(&NONE, |cell| cell.get_or_init(|| self.read_traits(e)))
    }

    fn read_traits(&self, e: usize) -> Traits {
        let element = &self.diagram.elements[e];
        let Some(component) = self.component(element) else { return Traits::default() };
        let is = |fact: &str, wanted: bool| component.value(fact).as_bool() == Some(wanted);
        match element.kind {
            "docker.container" => {
                let equal = component.value("equal_to_root").as_list().map(|why| why.first().map(ToString::to_string));
                let unrooted = matches!(equal, Some(None)) && is("root_on_host", false);
                let unrooted = unrooted.then(|| {
                    let mut term = self.term(element, "root_on_host", "root inside is not root of the host")?;
                    term.facts.extend(self.term(element, "equal_to_root", "")?.facts);
                    Some(term)
                });
                let equal_to_root = equal.flatten().map(|why| {
                    self.term(element, "equal_to_root", format!("its code can take the host as root: {why}"))
                });
                let stopped = is("running", false).then(|| self.term(element, "running", "it does not run"));
                Traits {
                    unrooted: unrooted.flatten(),
                    equal_to_root: equal_to_root.flatten(),
                    unused: None,
                    stopped: stopped.flatten(),
                }
            }
            "docker.image" => {
                let unused = component.value("used_by").as_list().is_some_and(<[Value]>::is_empty);
                let unused = unused.then(|| self.term(element, "used_by", "no container was made from it"));
                Traits { unused: unused.flatten(), ..Traits::default() }
            }
            _ => Traits::default(),
        }
    }

    /// The element whose traits count: the subject's, of a flow those of the end that the threat is about.
    fn bearer(&self, instance: &Instance, threat: &Threat) -> Option<usize> {
        match instance.subject {
            Subject::Element(e) => Some(e),
            Subject::Flow(f) => {
                let flow = self.diagram.flows.get(f)?;
                [flow.from, flow.to].into_iter().find(|e| self.diagram.elements[*e].kind == threat.about)
            }
            Subject::Unlisted(_) => None,
        }
    }

    /// `lost` is what the threat weighs before anything raises or lowers it.
    fn impact(&self, instance: &Instance, threat: &Threat, lost: &Rating) -> Rating {
        let (mut level, mut rating) = (base(threat), lost.clone());
        let bearer = self.bearer(instance, threat);
        let traits = bearer.map(|e| self.traits(e));
        let host = matches!(threat.loses, Loss::Host | Loss::Engine);
        let rootless = self.rootless.get(instance.target).and_then(Option::as_ref).filter(|_| host);
        let unrooted = traits.and_then(|t| t.unrooted.as_ref()).filter(|_| threat.loses == Loss::Host);
        let unused = traits.and_then(|t| t.unused.as_ref());
        for term in rootless.or(unrooted).into_iter().chain(unused) {
            level = lower(level);
            rating.add(Term { text: format!("{}: {}", term.text, level.word()), facts: term.facts.clone() });
        }
        let gains = threat.stride.contains(&Stride::ElevationOfPrivilege) && !host;
        if let Some(term) = traits.and_then(|t| t.equal_to_root.as_ref()).filter(|_| gains) {
            level = Severity::Critical;
            rating.add(Term { text: format!("{}: {}", term.text, level.word()), facts: term.facts.clone() });
        }
        rating.level = Some(level);
        rating
    }

    fn likelihood(&self, instance: &Instance) -> Rating {
        match instance.subject {
            Subject::Element(e) => self.reached(e).clone(),
            Subject::Flow(f) => {
                let rating = self.flows.get(f).map(|rating| rating.get_or_init(|| self.flow(&self.diagram.flows[f])));
                rating.cloned().unwrap_or_default()
            }
            Subject::Unlisted(_) => unrated("what could not be listed is in no diagram, so no way there is known"),
        }
    }

    fn flow(&self, flow: &Flow) -> Rating {
        let ends = [flow.from, flow.to];
        let element = |e: &usize| &self.diagram.elements[*e];
        let certainty = ends.iter().fold(flow.certainty.clone(), |c, e| c.and(&element(e).certainty));
        if let Some(actor) = ends.iter().map(element).find(|e| e.component.is_none()) {
            let text = format!("{} is at one of its ends ({})", actor.name, word(&certainty));
            return rated(level(0, certainty.is_proven()), text, flow.facts.clone());
        }
        if let Some(registry) = ends.iter().map(element).find(|e| e.kind == "docker.registry") {
            let text = format!("it leaves the host for {} ({})", registry.name, word(&certainty));
            let level = if certainty.is_proven() { Severity::Medium } else { Severity::Low };
            return rated(level, text, flow.facts.clone());
        }
        let cheaper = ends.into_iter().min_by_key(|e| self.exposure(*e).map_or((true, 0), |x| (false, x.effort)));
        let mut rating = cheaper.map(|e| self.reached(e).clone()).unwrap_or_default();
        if let (Certainty::Possible(why), Some(level)) = (&flow.certainty, rating.level) {
            rating.level = Some(lower(level));
            rating.add(Term { text: format!("it only may be there: {why}"), facts: flow.facts.clone() });
        }
        rating
    }

    /// The element at which the exposure of another is read: itself, or its host where no capability is held at it.
    fn read_at(&self, e: usize) -> usize {
        let element = &self.diagram.elements[e];
        let held = element.component.is_none() || CAPABILITIES.iter().any(|c| c.is_at(element.kind));
        let host = self.hosts.get(element.target).copied().flatten().filter(|_| !held);
        let at = host.unwrap_or(e);
        self.paths.class_of.get(at).copied().unwrap_or(at)
    }

    fn exposure(&self, e: usize) -> Option<&'a Exposure> {
        self.paths.exposure.get(self.read_at(e))?.as_ref()
    }

    fn reached(&self, e: usize) -> &Rating {
        self.reach[e].get_or_init(|| self.read_reach(e))
    }

    fn read_reach(&self, e: usize) -> Rating {
        let element = &self.diagram.elements[e];
        let at = self.read_at(e);
        let Some(exposure) = self.paths.exposure.get(at) else {
            return unrated("the ways from outside were not worked out");
        };
        let mut rating = match exposure {
            Some(exposure) => self.way(element, exposure),
            None => self.no_way(element),
        };
        if let (Some(term), Some(level)) = (&self.traits(e).stopped, rating.level) {
            rating.level = Some(lower(level));
            rating.add(term.clone());
        }
        rating
    }

    fn way(&self, element: &Element, exposure: &Exposure) -> Rating {
        let entry = self.diagram.elements.get(exposure.entry.element);
        let who = exposure.entry.words(self.diagram, self.audit.snapshot);
        let certainty = exposure.certainty.and(&element.certainty);
        let held = CAPABILITIES.iter().any(|c| c.is_at(element.kind));
        let host = match self.audit.snapshot.targets.get(element.target).map(|t| t.platform.as_str()) {
            _ if held => "",
            Some("kubernetes") => "the cluster is ",
            _ => "the host is ",
        };
        let text = match exposure.steps {
            0 => format!("attacks begin here: {who} ({})", word(&certainty)),
            steps => format!(
                "{host}reached by {who} in {steps} step{}, effort {} ({})",
                if steps == 1 { "" } else { "s" },
                exposure.effort,
                match Basis::of(&certainty, exposure.assumes) {
                    Basis::Assumed => "assumed: a step of it takes for granted what no fact says".to_owned(),
                    Basis::Proven | Basis::Possible => word(&certainty),
                }
            ),
        };
        let mut facts = element.facts.clone();
        facts.extend(entry.map(|e| e.facts.as_slice()).unwrap_or_default());
        rated(level(exposure.effort, certainty.is_proven()), text, facts)
    }

    fn no_way(&self, element: &Element) -> Rating {
        let incomplete = self.audit.snapshot.targets.get(element.target).map(|t| &t.incomplete);
        let missing = incomplete.and_then(|i| i.iter().find(|(kind, _)| CAPABILITIES.iter().any(|c| c.is_at(kind))));
        match missing {
            Some((kind, reason)) => {
                unrated(format!("no way from outside is known, but not every {kind} could be listed: {reason}"))
            }
            None => rated(Severity::Low, "no way from outside is known", element.facts.clone()),
        }
    }
}

fn base(threat: &Threat) -> Severity {
    match threat.loses {
        Loss::Host | Loss::Engine | Loss::Cluster | Loss::Node => Severity::Critical,
        Loss::Containers | Loss::Pods | Loss::Secrets | Loss::RegistryCredentials | Loss::Images | Loss::Cloud => {
            Severity::High
        }
        Loss::Availability
            if matches!(
                threat.about.as_str(),
                "docker.host" | "docker.daemon" | "kubernetes.apiserver" | "kubernetes.etcd" | "kubernetes.node"
            ) =>
        {
            Severity::High
        }
        Loss::Availability | Loss::Traceability => Severity::Medium,
        Loss::Information => Severity::Low,
    }
}

fn lost(threat: &Threat) -> Rating {
    let level = base(threat);
    let text = format!("{} would be lost: {}", threat.loses.title(), level.word());
    Rating { level: Some(level), terms: terms(text, Vec::new()) }
}

/// How likely an attack of an effort is.
fn level(effort: u32, proven: bool) -> Severity {
    let level = match effort {
        0..=2 => Severity::Critical,
        3..=5 => Severity::High,
        6..=10 => Severity::Medium,
        _ => Severity::Low,
    };
    if proven { level } else { lower(level) }
}

fn lower(level: Severity) -> Severity {
    match level {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
    }
}

/// How certain something is, with the reason where it is only possible.
fn word(certainty: &Certainty) -> String {
    match certainty {
        Certainty::Proven => "proven".to_owned(),
        Certainty::Possible(why) => format!("possible: {why}"),
    }
}

fn terms(text: String, facts: Vec<FactRef>) -> Arc<Vec<Term>> {
    Arc::new(vec![Term { text, facts }])
}

fn rated(level: Severity, text: impl Into<String>, mut facts: Vec<FactRef>) -> Rating {
    facts.sort_unstable();
    facts.dedup();
    Rating { level: Some(level), terms: terms(text.into(), facts) }
}

fn unrated(text: impl Into<String>) -> Rating {
    Rating { level: None, terms: terms(text.into(), Vec::new()) }
}
