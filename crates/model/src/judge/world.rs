//! A small host for tests: components with the few facts that decide, checks over them, a diagram that follows them.

use seaworthy_core::audit::Audit;
use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::check::Check;
use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Certainty, Diagram, Element, Flow, FlowKind, Shape, Zone, actor};
use seaworthy_core::fact::Source;
use seaworthy_core::predicate::Predicate;
use seaworthy_core::remedy::{Remedy, Safety};
use seaworthy_core::schema::{self, docker};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::threat::{Formula, Instance, Loss, Status, Story, Stride, Subject, Surface, Threat};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Severity;
use seaworthy_core::waiver::Waiver;

/// A host with its checks and threats.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub snapshot: Snapshot,
    pub checks: Vec<Check>,
    pub threats: Vec<Threat>,
    pub waivers: Vec<Waiver>,
    pub skipped: Vec<&'static str>,
    pub diagram: Diagram,
}

/// The checks of every test, by id, kind and demand.
const CHECKS: &[(&str, &str, Option<&str>, Option<&str>)] = &[
    ("container/unprivileged", "docker.container", None, Some("!privileged")),
    ("container/no-new-privileges", "docker.container", Some("running"), Some("no_new_privileges")),
    ("container/looked-at", "docker.container", None, None),
    ("image/non-root", "docker.image", None, Some("!root_user")),
    ("network/no-icc", "docker.network", None, Some("!icc")),
    ("volume/local", "docker.volume", None, Some(r#"driver == "local""#)),
    ("registry/verified", "docker.registry", None, Some("!insecure")),
    ("daemon/no-icc", "docker.daemon", None, Some("!icc")),
    ("host/apparmor", "docker.host", None, Some("apparmor")),
    ("file/exists", "docker.file", None, Some("exists")),
];

impl World {
    /// An engine with a host, and nothing on it.
    pub fn new() -> Self {
        let checks = CHECKS.iter().map(|(id, about, when, require)| check(id, about, *when, *require)).collect();
        let target = Target::new("t", "docker", "unix:///x");
        let snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target] };
        let (threats, waivers, skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { snapshot, checks, threats, waivers, skipped, diagram: Diagram::default() };
        world.add("docker.daemon", "daemon", &[("icc", false.into())]);
        world.add("docker.host", "host", &[("apparmor", true.into())]);
        world
    }

    /// Adds a component; facts that are not given are unknown.
    pub fn add(&mut self, kind: &str, name: &str, facts: &[(&str, Value)]) -> usize {
        let kind = schema::kind_named(kind).unwrap();
        let mut component = Component::new(kind, name, name);
        for (fact, value) in facts {
            component.set(fact, value.clone(), Source::place("test"));
        }
        let components = &mut self.snapshot.targets[0].components;
        components.push(component);
        components.len() - 1
    }

    /// Adds a running container that passes every check.
    pub fn container(&mut self, name: &str, image: &str, networks: &[&str]) -> usize {
        self.add(
            "docker.container",
            name,
            &[
                ("privileged", false.into()),
                ("running", true.into()),
                ("no_new_privileges", true.into()),
                ("image_id", Value::Str(image.into())),
                ("networks", Value::strings(networks.to_vec())),
                ("mounts", Value::List(Vec::new())),
            ],
        )
    }

    pub fn set(&mut self, component: usize, fact: &str, value: impl Into<Value>) {
        self.snapshot.targets[0].components[component].set(fact, value, Source::place("test"));
    }

    pub fn forget(&mut self, component: usize, fact: &str) {
        self.set(component, fact, Value::unknown("it was forgotten"));
    }

    pub fn threat(&mut self, id: &str, about: &str, answered: Formula) -> &mut Threat {
        self.threats.push(threat(id, about, answered));
        self.threats.last_mut().unwrap()
    }

    /// Draws every component, and a flow from each container to each network that it names.
    pub fn draw(&mut self) {
        let zone = |id: &str| Zone {
            id: id.into(),
            name: id.into(),
            parent: None,
            boundary: String::new(),
            trust: 0,
            facts: Vec::new(),
        };
        let element = |id: String, name: &str, kind: &'static str, component: Option<usize>| Element {
            id,
            name: name.into(),
            kind,
            shape: Shape::Process,
            target: 0,
            component,
            zone: 0,
            certainty: Certainty::Proven,
            facts: Vec::new(),
        };
        let components = &self.snapshot.targets[0].components;
        let mut elements = vec![element("t/internet".into(), "the internet", actor::INTERNET, None)];
        for (i, c) in components.iter().enumerate() {
            elements.push(element(format!("t/{}:{}", c.kind.name, c.name), &c.name, c.kind.name, Some(i)));
        }
        let mut flows = Vec::new();
        for (i, c) in components.iter().enumerate().filter(|(_, c)| std::ptr::eq(c.kind, &docker::CONTAINER)) {
            for name in c.value("networks").as_list().unwrap_or_default().iter().filter_map(Value::as_str) {
                let to = components.iter().position(|n| n.kind.name == "docker.network" && &*n.name == name);
                flows.extend(to.map(|to| flow(FlowKind::ContainerNetwork, i + 1, to + 1, &elements)));
            }
            if c.value("ports").as_list().is_some_and(|ports| !ports.is_empty()) {
                flows.push(flow(FlowKind::PublishedPort, 0, i + 1, &elements));
            }
        }
        self.diagram = Diagram { zones: vec![zone("t")], elements, flows };
    }

    pub fn with_audit<T>(&self, f: impl FnOnce(&mut Audit<'_>) -> T) -> T {
        let benchmarks = [Benchmark {
            id: "b-1".into(),
            title: "B".into(),
            published: String::new(),
            sections: Vec::new(),
            controls: Vec::new(),
            aliases: Vec::new(),
        }];
        let wanted = |c: &Check| !self.skipped.contains(&c.id.as_str());
        let mut audit = Audit::new(&self.snapshot, &self.checks, &benchmarks, &benchmarks[0], &self.waivers, wanted);
        f(&mut audit)
    }

    pub fn judged(&self) -> super::Judged {
        self.with_audit(|audit| super::threats(audit, &self.threats, &self.diagram))
    }

    /// The instances of the first threat, by the name of their subjects.
    pub fn statuses(&self) -> Vec<(String, Status)> {
        let name = |i: usize| self.diagram.elements[i].name.clone();
        let subject = |instance: &Instance| match instance.subject {
            Subject::Element(i) => name(i),
            Subject::Flow(i) => {
                let flow = &self.diagram.flows[i];
                format!("{} → {}", name(flow.from), name(flow.to))
            }
            Subject::Unlisted(_) => "?".into(),
        };
        self.judged().instances.iter().filter(|i| i.threat == 0).map(|i| (subject(i), i.status)).collect()
    }
}

fn flow(kind: FlowKind, from: usize, to: usize, elements: &[Element]) -> Flow {
    Flow {
        id: format!("{kind}:{}>{}", elements[from].id, elements[to].id),
        kind,
        from,
        to,
        label: String::new(),
        crosses: true,
        certainty: Certainty::Proven,
        facts: Vec::new(),
    }
}

pub(crate) fn threat(id: &str, about: &str, answered: Formula) -> Threat {
    Threat {
        id: id.into(),
        title: id.into(),
        stride: vec![Stride::ElevationOfPrivilege],
        about: about.into(),
        crosses: None,
        flow: None,
        when: None,
        answered,
        loses: Loss::Host,
        attack: Vec::new(),
        surface: Surface::DockerHost,
        covers: Vec::new(),
        story: Story::default(),
        file: String::new(),
    }
}

pub(crate) fn predicate(text: &str, about: &str) -> Predicate {
    Predicate::compile(text, schema::kind_named(about).unwrap()).unwrap()
}

fn check(id: &str, about: &str, when: Option<&str>, require: Option<&str>) -> Check {
    Check {
        id: id.into(),
        title: id.into(),
        about: about.into(),
        severity: Severity::High,
        select: None,
        when: when.map(|w| predicate(w, about)),
        require: require.map(|r| predicate(r, about)),
        manual: require.is_none().then(|| "look".into()),
        show: Vec::new(),
        remedy: Remedy {
            safety: Safety::Safe,
            edits: Vec::new(),
            changes: Vec::new(),
            fix: "fix it".into(),
            by_hand: None,
        },
        rationale: String::new(),
        cases: Vec::new(),
        file: String::new(),
    }
}
