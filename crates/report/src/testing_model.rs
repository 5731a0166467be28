//! A small assessment for tests, built by hand: a host with three containers of its own and as many workers as are
//! asked for, threats of every letter and status, a proven path and a possible one, three priorities. It uses nothing
//! of this crate, so that tests beside `src` can take it in by path too.

#![allow(dead_code, reason = "each test that takes this in uses its part of it")]

#[path = "testing_model/catalog.rs"]
mod catalog;

use std::sync::Arc;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::check::Check;
use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Certainty, Diagram, Element, FactRef, Flow, FlowKind, Shape, Zone, actor};
use seaworthy_core::fact::Source;
use seaworthy_core::remedy::Safety;
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::step::{CAPABILITIES, Counted, Cut, Exposure, Forecast, Hop, Path, Paths, Priority, State, Step};
use seaworthy_core::threat::{Blank, Instance, Rating, Status, Subject, Term, Threat};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::{Severity, Verdict};
use seaworthy_core::waiver::{Accepts, Waiver};

/// Everything that an assessment borrows.
pub struct World {
    pub snapshot: Snapshot,
    pub checks: Vec<Check>,
    pub benchmarks: Vec<Benchmark>,
    pub waivers: Vec<Waiver>,
    pub catalog: Vec<Threat>,
    pub steps: Vec<Step>,
    pub blanks: Vec<Blank>,
    /// The name of what is no component: the actor outside.
    pub outside: String,
}

/// Where the components of the usual host lie in its target.
pub mod at {
    pub const HOST: usize = 0;
    pub const DAEMON: usize = 1;
    pub const CLIENT: usize = 2;
    pub const WEB_IMAGE: usize = 3;
    pub const CI_IMAGE: usize = 4;
    pub const BRIDGE: usize = 5;
    pub const VOLUME: usize = 6;
    pub const WEB: usize = 7;
    pub const CI: usize = 8;
    pub const DB: usize = 9;
    /// The first of the workers.
    pub const WORKERS: usize = 10;
}

/// The usual host: `web` with a published port, `ci` with the engine's socket, `db` with a volume.
pub fn usual() -> World {
    with_workers(0)
}

/// The usual host with this many containers more, equal to each other but for every tenth, which has no memory limit.
pub fn with_workers(workers: usize) -> World {
    named(&["web", "ci", "db"], workers, "")
}

/// The usual host, where every name, value, reason and source that comes from outside is this text.
pub fn hostile(text: &str) -> World {
    let mut world = named(&[text, text, text], 2, text);
    let target = &mut world.snapshot.targets[0];
    target.name = text.to_owned();
    target.address = text.to_owned();
    target.about = text.to_owned();
    target.platform = text.to_owned();
    target.gap(text, text, text);
    world.outside = text.to_owned();
    world
}

fn named(names: &[&str; 3], workers: usize, hostile: &str) -> World {
    let mut target = Target::new("local", "docker", "unix:///var/run/docker.sock");
    target.about = "Engine 29.0.0".into();
    target.took_ms = 114;
    target.components = components(names, workers, hostile);
    target.gap("kernel audit rules", "needs CAP_AUDIT_CONTROL", "checks of audit rules");
    target.incomplete(&docker::SERVICE, "GET /services: the engine is no manager");
    World {
        snapshot: Snapshot { tool: "0.1.0".into(), collected_at: 1_790_000_000, targets: vec![target] },
        checks: catalog::checks(),
        benchmarks: catalog::benchmarks(),
        waivers: vec![Waiver {
            accepts: Accepts::Check("docker/container/memory".into()),
            component: names[2].into(),
            reason: format!("it has the machine to itself until the cache moves{hostile}"),
            owner: format!("platform{hostile}"),
            expires: "2030-01-01".into(),
        }],
        catalog: catalog::threats(),
        steps: catalog::steps(),
        blanks: catalog::blanks(),
        outside: "the internet".into(),
    }
}

fn source(component: &str, field: &'static str) -> Source {
    Source::new(&format!("inspect {component}").into(), field)
}

fn components(names: &[&str; 3], workers: usize, hostile: &str) -> Vec<Component> {
    let name = |usual: &'static str| if hostile.is_empty() { usual } else { hostile };
    let mut host = Component::new(&docker::HOST, "host", name("build-01"));
    host.set("kernel", "6.1.0", Source::place("/proc/sys/kernel/osrelease"));
    host.set_unknown("audit_enabled", format!("needs CAP_AUDIT_CONTROL{hostile}"), Source::place("audit netlink"));
    let mut daemon = Component::new(&docker::DAEMON, "daemon", name("dockerd"));
    daemon.set("icc", true, Source::new(&"GET /networks/bridge".into(), "Options.enable_icc"));
    daemon.set("authorization_plugins", Value::List(Vec::new()), Source::place("GET /info"));
    let mut client = Component::new(&docker::CLIENT, "root", name("root"));
    client.set("plain_credentials", vec!["registry.test"], Source::place("/root/.docker/config.json"));
    let mut bridge = Component::new(&docker::NETWORK, "b0", name("bridge"));
    bridge.set("icc", true, Source::new(&"GET /networks/b0".into(), "Options"));
    bridge.set("internal", false, Source::new(&"GET /networks/b0".into(), "Internal"));
    let mut volume = Component::new(&docker::VOLUME, "data", name("data"));
    volume.set("driver", "local", Source::place("GET /volumes/data"));
    let mut all = vec![host, daemon, client];
    for id in ["web", "ci"] {
        let image_name = format!("registry.test/{id}:1");
        let mut image = Component::new(&docker::IMAGE, format!("sha256:{id}"), name("").to_owned() + &image_name);
        image.set("root_user", id == "ci", Source::new(&format!("inspect {image_name}").into(), "Config.User"));
        all.push(image);
    }
    all.extend([bridge, volume]);
    all.extend(names.iter().enumerate().map(|(i, n)| container(&format!("c{i}"), n, i)));
    all.extend((0..workers).map(|i| {
        let worker = format!("worker-{i:04}{hostile}");
        container(&worker, &worker, if i % 10 == 9 { 4 } else { 3 })
    }));
    all
}

/// A container: 0 publishes a port, 1 has the socket, 2 has a volume and was not wholly read, 3 is quiet, 4 has no
/// memory limit.
fn container(id: &str, name: &str, sort: usize) -> Component {
    let mut c = Component::new(&docker::CONTAINER, id, name);
    c.set("privileged", sort == 1, source(name, "HostConfig.Privileged"));
    c.set("running", true, source(name, "State"));
    c.set("image", format!("registry.test/{name}:1"), source(name, "Config.Image"));
    c.set("memory_limit", (sort == 3).then_some(64 << 20), source(name, "memory.max"));
    if sort == 2 {
        c.set_unknown("readonly_rootfs", "/proc/2211/mountinfo: permission denied", source(name, "mountinfo"));
    } else {
        c.set("readonly_rootfs", sort != 1, source(name, "mountinfo"));
    }
    let socket = Value::Object(vec![
        ("source", "/run/docker.sock".into()),
        ("reaches", "/run/docker.sock".into()),
        ("rw", true.into()),
    ]);
    c.set("runtime_sockets", Value::List((sort == 1).then_some(socket).into_iter().collect()), source(name, "Mounts"));
    let port = Value::Object(vec![
        ("host_ip", "0.0.0.0".into()),
        ("host_port", 8080.into()),
        ("container_port", 80.into()),
        ("protocol", "tcp".into()),
        ("wildcard", true.into()),
        ("loopback", false.into()),
    ]);
    c.set("ports", Value::List((sort == 0).then_some(port).into_iter().collect()), source(name, "Ports"));
    c
}

/// The facts of a component, by name.
fn facts(kind: &Kind, component: usize, names: &[&str]) -> Vec<FactRef> {
    names.iter().map(|n| FactRef { target: 0, component, fact: kind.index(n).unwrap() }).collect()
}

impl World {
    /// Its audit, of every check.
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(&self.snapshot, &self.checks, &self.benchmarks, &self.benchmarks[0], &self.waivers, |_| true)
    }

    /// The assessment of its audit.
    pub fn assessment<'a>(&'a self, audit: &'a Audit<'a>) -> Assessment<'a> {
        let diagram = self.diagram();
        let threats = self.instances(audit, &diagram);
        let paths = self.paths(audit, &diagram);
        let priorities = priorities(audit, &threats);
        let cut = Cut {
            fixes: vec![(
                "Take the engine's socket from ci".into(),
                failing(audit, "docker/container/no-runtime-socket"),
            )],
            smallest: true,
            uncut: Vec::new(),
        };
        Assessment {
            audit,
            catalog: &self.catalog,
            steps: &self.steps,
            blanks: &self.blanks,
            diagram,
            threats,
            paths,
            priorities,
            cut,
            forecast: Some((
                3,
                Forecast {
                    threats: [5, 2, 0, 3],
                    instances: [6, 4, 0, 9],
                    paths: Counted { proven: 0, assumed: 0, possible: 1 },
                    pairs: Counted { proven: 0, assumed: 0, possible: 1 },
                    more: true,
                    controls: [3, 4, 1, 0, 0],
                    failing: 12,
                },
            )),
            waiver_problems: vec!["the waiver of the threat `docker/gone` for `old` is orphaned".into()],
        }
    }

    fn diagram(&self) -> Diagram {
        let zone = |id: &str, name: &str, parent, boundary: &str, trust| Zone {
            id: format!("local/{id}"),
            name: name.into(),
            parent,
            boundary: boundary.into(),
            trust,
            facts: Vec::new(),
        };
        let mut zones = vec![
            zone("outside", "Outside", None, "everything beyond the host's addresses", 0),
            zone("host", "Host", None, "the host's kernel and its users", 90),
            zone("containers", "Containers", Some(1), "namespaces and cgroups of one shared kernel", 20),
            zone("network/bridge", "Network bridge", Some(2), "the bridge's packet filter", 20),
        ];
        zones[2].facts = facts(&docker::DAEMON, at::DAEMON, &["icc"]);
        let outside = |id: &str, name: &str, kind, shape, zone| Element {
            id: format!("local/{id}"),
            name: name.into(),
            kind,
            shape,
            target: 0,
            component: None,
            zone,
            certainty: Certainty::Proven,
            facts: Vec::new(),
        };
        let mut elements = vec![
            outside("internet", &self.outside, actor::INTERNET, Shape::Actor, 0),
            outside("local-user", "a user of the host", actor::LOCAL_USER, Shape::Actor, 1),
            outside("registry", "registry.test", "docker.registry", Shape::Store, 0),
        ];
        elements[0].certainty =
            Certainty::Possible("whether 0.0.0.0:8080 can be reached from outside was not read".into());
        for (i, component) in self.snapshot.targets[0].components.iter().enumerate() {
            let (shape, zone) = match component.kind.name {
                "docker.image" | "docker.volume" => (Shape::Store, 1),
                "docker.network" => (Shape::Process, 3),
                "docker.container" => (Shape::Process, if i % 2 == 0 { 2 } else { 3 }),
                _ => (Shape::Process, 1),
            };
            elements.push(Element {
                id: format!("local/{}:{}", component.kind.name, component.id),
                name: component.name.to_string(),
                kind: component.kind.name,
                shape,
                target: 0,
                component: Some(i),
                zone,
                certainty: Certainty::Proven,
                facts: component
                    .kind
                    .index("running")
                    .map_or_else(Vec::new, |fact| vec![FactRef { target: 0, component: i, fact }]),
            });
        }
        let flows = self.flows(&elements);
        Diagram { zones, elements, flows }
    }

    fn flows(&self, elements: &[Element]) -> Vec<Flow> {
        use FlowKind as K;
        let of = |component: usize| component + 3;
        let container = |c, fact| facts(&docker::CONTAINER, c, &[fact]);
        let mut flows = vec![
            (
                K::ApiLocal,
                1,
                of(at::DAEMON),
                "/run/docker.sock".to_owned(),
                facts(&docker::DAEMON, at::DAEMON, &["authorization_plugins"]),
            ),
            (K::Pull, 2, of(at::DAEMON), "registry.test".into(), Vec::new()),
            (
                K::Login,
                of(at::CLIENT),
                2,
                "registry.test".into(),
                facts(&docker::CLIENT, at::CLIENT, &["plain_credentials"]),
            ),
            (K::PublishedPort, 0, of(at::WEB), "0.0.0.0:8080 → 80/tcp".into(), container(at::WEB, "ports")),
            (K::VolumeMount, of(at::DB), of(at::VOLUME), "/var/lib/db".into(), Vec::new()),
            (
                K::SocketMount,
                of(at::CI),
                of(at::DAEMON),
                "/run/docker.sock".into(),
                container(at::CI, "runtime_sockets"),
            ),
            (K::Image, of(at::WEB_IMAGE), of(at::WEB), String::new(), container(at::WEB, "image")),
            (K::Image, of(at::CI_IMAGE), of(at::CI), String::new(), container(at::CI, "image")),
            (K::Control, of(at::DAEMON), of(at::HOST), String::new(), Vec::new()),
        ];
        for c in at::WEB..self.snapshot.targets[0].components.len() {
            flows.push((
                K::ContainerNetwork,
                of(c),
                of(at::BRIDGE),
                format!("eth0 of {}", elements[of(c)].name),
                Vec::new(),
            ));
        }
        let outside = Certainty::Possible("whether the packet filter lets it through was not read".into());
        let flow = |(i, (kind, from, to, label, facts)): (usize, (K, usize, usize, String, Vec<FactRef>))| Flow {
            id: format!("local/{}/{i}", kind.word()),
            kind,
            from,
            to,
            label,
            crosses: elements[from].zone != elements[to].zone,
            certainty: if kind == K::PublishedPort { outside.clone() } else { Certainty::Proven },
            facts,
        };
        flows.into_iter().enumerate().map(flow).collect()
    }

    fn instances(&self, audit: &Audit<'_>, diagram: &Diagram) -> Vec<Instance> {
        let by_component = diagram.by_component();
        let mut out = Vec::new();
        for (t, threat) in self.catalog.iter().enumerate() {
            for (f, finding) in audit.findings.iter().enumerate() {
                if !threat.answered.checks().contains(&audit.check(finding).id.as_str()) {
                    continue;
                }
                let status = match finding.judgement.verdict {
                    Verdict::NotApplicable => continue,
                    Verdict::Pass => Status::Answered,
                    Verdict::Unknown | Verdict::Manual => Status::Undetermined,
                    Verdict::Fail if audit.waived[f].is_some() => Status::Accepted,
                    Verdict::Fail => Status::Open,
                };
                let element = finding.component.and_then(|c| by_component.get(&(0, c)).copied());
                let flow = element.zip(threat.flow).and_then(|(e, kind)| {
                    diagram.flows.iter().position(|f| f.kind == kind && (f.from == e || f.to == e))
                });
                let subject = match (element, threat.flow, flow) {
                    (None, ..) => Subject::Unlisted(0),
                    (Some(_), Some(_), None) => continue,
                    (Some(_), _, Some(flow)) => Subject::Flow(flow),
                    (Some(element), None, _) => Subject::Element(element),
                };
                let fingerprint = format!("{:016x}", out.len());
                out.push(self.instance(audit, (t, f), subject, status, fingerprint));
            }
        }
        out
    }

    fn instance(
        &self,
        audit: &Audit<'_>,
        (threat, f): (usize, usize),
        subject: Subject,
        status: Status,
        fingerprint: String,
    ) -> Instance {
        let finding = &audit.findings[f];
        let decided: Vec<FactRef> = finding.component.map_or_else(Vec::new, |component| {
            finding.judgement.facts.iter().map(|fact| FactRef { target: 0, component, fact }).collect()
        });
        let name = audit.component_name(finding);
        let rating = |level, text: String, facts: &[FactRef]| Rating {
            level: Some(level),
            terms: std::sync::Arc::new(vec![Term { text, facts: facts.to_vec() }]),
        };
        let severity = audit.check(finding).severity;
        Instance {
            threat,
            subject,
            target: 0,
            status,
            decided_by: vec![f],
            facts: Vec::new(),
            reason: finding.component.is_none().then(|| "they could not be listed".into()),
            waiver: audit.waived[f],
            likelihood: if status == Status::Undetermined {
                Rating::default()
            } else {
                rating(Severity::Medium, format!("{name} is 1 step from {}", self.outside), &decided)
            },
            impact: rating(severity, format!("what is lost is {}", self.catalog[threat].loses.title()), &[]),
            fingerprint,
        }
    }

    fn paths(&self, audit: &Audit<'_>, diagram: &Diagram) -> Paths {
        let of = |component: usize| component + 3;
        let state = |name: &str, element| State {
            capability: CAPABILITIES.iter().position(|c| c.name == name).unwrap(),
            element,
        };
        let (ci, engine) = (state("code", of(at::CI)), state("engine", of(at::DAEMON)));
        let root = state("host-root", of(at::HOST));
        let (internet, web) = (state("internet", 0), state("code", of(at::WEB)));
        let socket = failing(audit, "docker/container/no-runtime-socket");
        let hop = |step: &str, from: State, to: State, facts: Vec<FactRef>, cut_by: &[usize]| Hop {
            step: self.steps.iter().position(|s| s.id == step).unwrap(),
            from,
            to,
            flow: diagram.flows.iter().position(|f| {
                (f.from, f.to) == (from.element, to.element) || (f.to, f.from) == (from.element, to.element)
            }),
            certainty: Certainty::Proven,
            assumes: step == "exploit-service",
            facts,
            cut_by: cut_by.to_vec(),
        };
        let container = |c, fact| facts(&docker::CONTAINER, c, &[fact]);
        let mut enter = hop("exploit-service", internet, web, container(at::WEB, "ports"), &[]);
        let why: Arc<str> = "whether the packet filter lets it through was not read".into();
        enter.certainty = Certainty::Possible(why.clone());
        let icc = failing(audit, "docker/daemon/icc-off");
        let cross = hop("neighbour", web, ci, facts(&docker::DAEMON, at::DAEMON, &["icc"]), &icc);
        let take = hop("mounted-socket", ci, engine, container(at::CI, "runtime_sockets"), &socket);
        let become_root = hop("engine-is-root", engine, root, Vec::new(), &[]);
        let path = |certainty, effort, hops: Vec<Hop>, fingerprint: char| Path {
            from: hops[0].from,
            to: hops[hops.len() - 1].to,
            certainty,
            effort,
            hops,
            stands_for: (1, 1),
            fingerprint: fingerprint.to_string().repeat(16),
        };
        let list = vec![
            path(Certainty::Proven, 2, vec![take.clone(), become_root.clone()], 'a'),
            path(Certainty::Possible(why), 14, vec![enter, cross, take, become_root], 'b'),
        ];
        let mut exposure: Vec<Option<Exposure>> = vec![None; diagram.elements.len()];
        exposure[of(at::WEB)] = Some(Exposure {
            entry: internet,
            effort: 8,
            certainty: list[1].certainty.clone(),
            assumes: true,
            steps: 1,
        });
        // Of equal workers the first stands for all.
        let mut class_of: Vec<usize> = (0..diagram.elements.len()).collect();
        for (i, class) in class_of.iter_mut().enumerate().skip(of(at::WORKERS)) {
            let worker = i - of(at::WORKERS);
            *class = if worker % 10 == 9 { of(at::WORKERS + 9) } else { of(at::WORKERS + worker % 2) };
        }
        Paths { list, more: vec![(internet, root, 1)], exposure, class_of, ..Paths::default() }
    }
}

/// The failing findings of a check.
fn failing(audit: &Audit<'_>, check: &str) -> Vec<usize> {
    let fails = |f: &usize| {
        let finding = &audit.findings[*f];
        finding.judgement.verdict == Verdict::Fail && audit.check(finding).id == check && audit.waived[*f].is_none()
    };
    (0..audit.findings.len()).filter(fails).collect()
}

fn priorities(audit: &Audit<'_>, threats: &[Instance]) -> Vec<Priority> {
    let mut left = threats.iter().filter(|t| t.status == Status::Open).count();
    let name = |f: &usize| audit.component_name(&audit.findings[*f]).to_owned();
    let mut priority = |check: &str, title: &str, cuts: &[usize], breaks: &str, paths_left| {
        let closes = failing(audit, check);
        let answers: Vec<usize> = (0..threats.len())
            .filter(|t| threats[*t].status == Status::Open && closes.contains(&threats[*t].decided_by[0]))
            .collect();
        left -= answers.len();
        let first = closes.first().map(name).unwrap_or_default();
        Priority {
            title: title.replace("{}", &first),
            cuts: cuts.to_vec(),
            safety: if breaks.is_empty() { Safety::Safe } else { Safety::Disruptive },
            breaks: if breaks.is_empty() { Vec::new() } else { vec![breaks.replace("{}", &first)] },
            why: vec![
                format!("it cuts {} paths, the cheapest of which costs 2", cuts.len()),
                format!("it answers {} open threats", answers.len()),
            ],
            threats_left: left,
            paths_left,
            assumed_left: 0,
            closes,
            answers,
        }
    };
    vec![
        priority(
            "docker/container/no-runtime-socket",
            "{} mounts the engine's socket",
            &[0, 1],
            "re-creates {}",
            (0, 0),
        ),
        priority(
            "docker/daemon/icc-off",
            "Containers on the default bridge reach each other",
            &[],
            "restarts dockerd",
            (0, 0),
        ),
        priority("docker/container/memory", "{} and others have no memory limit", &[], "", (0, 0)),
    ]
}

/// The fixture says what it promises, so that a test built on it tests something.
#[test]
fn every_status_letter_and_certainty_is_there() {
    let world = usual();
    let audit = world.audit();
    let assessment = world.assessment(&audit);
    for status in Status::ALL {
        assert!(assessment.threats.iter().any(|t| t.status == status), "{status:?}");
    }
    use seaworthy_core::threat::Stride;
    for letter in Stride::ALL.into_iter().filter(|l| *l != Stride::Repudiation) {
        let mut told = assessment.told().into_iter();
        assert!(told.any(|t| t.status == Status::Open && t.threat.stride.contains(&letter)), "{letter:?}");
    }
    assert!(assessment.threats.iter().any(|t| matches!(t.subject, Subject::Unlisted(_))));
    assert!(assessment.threats.iter().any(|t| matches!(t.subject, Subject::Flow(_))));
    assert_eq!(assessment.paths.list.iter().filter(|p| p.certainty.is_proven()).count(), 1);
    assert!(assessment.priorities.iter().all(|p| !p.closes.is_empty()));
    let many = with_workers(100);
    assert!(many.assessment(&many.audit()).threats.len() > 400);
}
