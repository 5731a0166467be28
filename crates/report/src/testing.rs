//! A small audit for tests: three checks of containers and one of the daemon, built by hand.

use seaworthy_core::audit::Audit;
use seaworthy_core::benchmark::{Benchmark, Control, Section};
use seaworthy_core::check::Check;
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::predicate::Predicate;
use seaworthy_core::remedy::{Remedy, Safety};
use seaworthy_core::schema::{docker, kind_named};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::verdict::Severity;
use seaworthy_core::waiver::{Accepts, Waiver};

use crate::{Format, Options, Report, View};

/// Everything that an audit borrows.
pub struct World {
    pub snapshot: Snapshot,
    pub checks: Vec<Check>,
    pub benchmarks: Vec<Benchmark>,
    pub waivers: Vec<Waiver>,
}

impl World {
    /// Its audit, of every check.
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(&self.snapshot, &self.checks, &self.benchmarks, &self.benchmarks[0], &self.waivers, |_| true)
    }
}

/// A check that demands `require`; `title` is its good state.
pub fn check(id: &str, about: &str, severity: Severity, title: &str, require: Option<&str>) -> Check {
    let kind = kind_named(about).unwrap();
    Check {
        id: id.into(),
        title: title.into(),
        about: about.into(),
        severity,
        select: None,
        when: None,
        require: require.map(|r| Predicate::compile(r, kind).unwrap()),
        manual: None,
        show: Vec::new(),
        remedy: Remedy {
            safety: Safety::Disruptive,
            edits: Vec::new(),
            changes: Vec::new(),
            fix: format!("Mend {id}."),
            by_hand: None,
        },
        rationale: format!("Why `{id}` matters.\n\nWhat breaks.\n"),
        cases: Vec::new(),
        file: format!("checks/{id}.md"),
    }
}

/// A container with what the checks ask for; no memory limit where `memory` is none.
pub fn container(id: &str, name: &str, privileged: Option<bool>, memory: Option<i64>) -> Component {
    let mut c = Component::new(&docker::CONTAINER, id, name);
    let source = |field: &'static str| Source::new(&format!("inspect {name}").into(), field);
    match privileged {
        Some(p) => c.set("privileged", p, source("HostConfig.Privileged")),
        None => c.set_unknown("privileged", "the container vanished", source("HostConfig.Privileged")),
    }
    c.set("memory_limit", memory, source("memory.max"));
    c.set("image", format!("registry.test/{name}:1"), source("Config.Image"));
    c
}

/// The checks.
fn checks() -> Vec<Check> {
    let container = "docker.container";
    let mut image = check("docker/container/image", container, Severity::Low, "Images are those that are meant", None);
    image.manual = Some("Whether this image is the one that should run.".into());
    image.show = vec!["image".into()];
    vec![
        check(
            "docker/daemon/icc-off",
            "docker.daemon",
            Severity::Medium,
            "Containers on the default bridge cannot reach each other",
            Some("!icc"),
        ),
        check(
            "docker/container/unprivileged",
            container,
            Severity::Critical,
            "Containers are not privileged",
            Some("!privileged"),
        ),
        check(
            "docker/container/memory",
            container,
            Severity::Medium,
            "Memory is limited",
            Some("memory_limit != null"),
        ),
        image,
    ]
}

fn control(id: &str, title: &str, checks: &[&str]) -> Control {
    let checks = checks.iter().map(|c| (*c).to_owned()).collect();
    Control { id: id.into(), title: title.into(), level: 1, automated: true, checks }
}

fn section(id: &str, title: &str) -> Section {
    Section { id: id.into(), title: title.into() }
}

/// A host with containers of the given names; the first is privileged, the last vanished, none has a memory limit
/// but the second.
pub fn world(names: &[&str]) -> World {
    let mut target = Target::new("local", "docker", "unix:///var/run/docker.sock");
    target.about = "Engine 29.0.0".into();
    target.took_ms = 114;
    let mut daemon = Component::new(&docker::DAEMON, "daemon", "daemon");
    daemon.set("icc", true, Source::new(&"GET /networks/bridge".into(), "Options.enable_icc"));
    target.components.push(daemon);
    for (i, name) in names.iter().enumerate() {
        let privileged = if i > 0 && i + 1 == names.len() { None } else { Some(i == 0) };
        let memory = (i == 1).then_some(64 << 20);
        target.components.push(container(&format!("{i:064x}"), name, privileged, memory));
    }
    target.gap("kernel audit rules", "needs CAP_AUDIT_CONTROL", "checks of audit rules");
    World {
        snapshot: Snapshot { tool: "0.1.0".into(), collected_at: 1_790_000_000, targets: vec![target] },
        checks: checks(),
        benchmarks: vec![Benchmark {
            id: "cis-docker-1.8.0".into(),
            title: "CIS Docker".into(),
            published: "2025-08".into(),
            sections: vec![section("2", "The daemon"), section("5", "Containers")],
            controls: vec![
                control("2.2", "The default bridge lets nothing through", &["docker/daemon/icc-off"]),
                control("5.1", "Images", &["docker/container/image"]),
                control("5.5", "Containers are not privileged", &["docker/container/unprivileged"]),
                control("5.99", "Nobody can judge this yet", &[]),
            ],
            aliases: Vec::new(),
        }],
        waivers: Vec::new(),
    }
}

/// The usual containers.
pub fn usual() -> World {
    world(&["ci", "web", "api", "db", "cache", "queue", "batch"])
}

/// A waiver until a day long after the snapshot.
pub fn waiver(check: &str, component: &str) -> Waiver {
    Waiver {
        accepts: Accepts::Check(check.into()),
        component: component.into(),
        reason: "it builds images | until the runner moves".into(),
        owner: "platform".into(),
        expires: "2030-01-01".into(),
    }
}

/// A rendering as text.
pub fn rendered(format: Format, view: View, world: &World, options: &Options) -> String {
    let mut out = Vec::new();
    crate::render(
        format,
        view,
        Report { audit: &world.audit(), model: None, since: None, narrowed: &[] },
        options,
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}
