//! The catalogue of the hand-built assessment.

use seaworthy_core::benchmark::{Benchmark, Control, Section};
use seaworthy_core::check::Check;
use seaworthy_core::diagram::FlowKind;
use seaworthy_core::predicate::Predicate;
use seaworthy_core::remedy::{Edit, Remedy, Safety, Setting};
use seaworthy_core::schema::kind_named;
use seaworthy_core::step::Step;
use seaworthy_core::threat::{Blank, Formula, Loss, Story, Stride, Surface, Threat};
use seaworthy_core::verdict::Severity;

fn check(id: &str, about: &str, severity: Severity, title: &str, require: &str) -> Check {
    let kind = kind_named(about).unwrap();
    Check {
        id: id.into(),
        title: title.into(),
        about: about.into(),
        severity,
        select: None,
        when: None,
        require: Some(Predicate::compile(require, kind).unwrap()),
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

/// The checks: one for each threat.
pub fn checks() -> Vec<Check> {
    use Severity::{Critical, High, Low, Medium};
    let (daemon, container) = ("docker.daemon", "docker.container");
    let mut all = vec![
        check(
            "docker/host/audit",
            "docker.host",
            Medium,
            "The kernel records what happens to Docker's files",
            "audit_enabled",
        ),
        check(
            "docker/client/no-plain-credentials",
            "docker.client",
            Medium,
            "Clients keep no credentials in plain text",
            "size(plain_credentials) == 0",
        ),
        check(
            "docker/daemon/icc-off",
            daemon,
            Medium,
            "Containers on the default bridge cannot reach each other",
            "!icc",
        ),
        check("docker/image/user", "docker.image", Low, "Images set a user", "!root_user"),
        check("docker/container/unprivileged", container, Critical, "Containers are not privileged", "!privileged"),
        check(
            "docker/container/no-runtime-socket",
            container,
            Critical,
            "Containers do not hold an engine's socket",
            "size(runtime_sockets) == 0",
        ),
        check("docker/container/memory", container, Medium, "Memory is limited", "memory_limit != null"),
        check("docker/container/read-only", container, Low, "Root file systems are read-only", "readonly_rootfs"),
        check(
            "docker/container/narrow-ports",
            container,
            High,
            "Ports are published on chosen addresses",
            "ports.all(p, !p.wildcard)",
        ),
        check("docker/service/networks", "docker.service", Low, "Services use encrypted networks", "true"),
    ];
    // One whose remedy makes a container anew, and one that a plan carries out without; the others are a person's.
    for check in &mut all {
        check.remedy.edits = match check.id.as_str() {
            "docker/container/no-runtime-socket" => {
                vec![Edit::Recreate([("volume".to_owned(), Setting::Str("proposed".to_owned()))].into())]
            }
            "docker/daemon/icc-off" => vec![Edit::DaemonJson([("icc".to_owned(), Setting::Bool(false))].into())],
            _ => Vec::new(),
        };
    }
    all
}

/// One benchmark with a control for most of the checks.
pub fn benchmarks() -> Vec<Benchmark> {
    let control = |id: &str, title: &str, checks: &[&str]| Control {
        id: id.into(),
        title: title.into(),
        level: 1,
        automated: true,
        checks: checks.iter().map(|c| (*c).to_owned()).collect(),
    };
    let section = |id: &str, title: &str| Section { id: id.into(), title: title.into() };
    vec![Benchmark {
        id: "cis-docker-1.8.0".into(),
        title: "CIS Docker 1.8.0".into(),
        published: "2025-08".into(),
        sections: vec![section("1", "The host"), section("2", "The daemon"), section("5", "Containers")],
        controls: vec![
            control("1.1.3", "The kernel's audit watches dockerd", &["docker/host/audit"]),
            control("2.2", "The default bridge lets nothing through", &["docker/daemon/icc-off"]),
            control("5.5", "Containers are not privileged", &["docker/container/unprivileged"]),
            control("5.11", "Memory is limited", &["docker/container/memory"]),
            control("5.13", "Root file systems are read-only", &["docker/container/read-only"]),
            control("5.14", "Ports are bound to chosen addresses", &["docker/container/narrow-ports"]),
            control("5.32", "The engine's socket is not mounted", &["docker/container/no-runtime-socket"]),
            control("5.99", "Nobody can judge this yet", &[]),
        ],
        aliases: Vec::new(),
    }]
}

fn threat(id: &str, title: &str, stride: &[Stride], surface: Surface, loses: Loss, check: &str) -> Threat {
    let about = format!("docker.{}", check.split('/').nth(1).unwrap());
    Threat {
        id: id.into(),
        title: title.into(),
        stride: stride.to_vec(),
        about,
        crosses: None,
        flow: None,
        when: None,
        answered: Formula::Check(check.into()),
        loses,
        attack: vec!["T1611".into()],
        surface,
        covers: vec!["DM01".into()],
        story: Story {
            who: format!("Whoever would profit from this: *{title}*."),
            how: format!(
                "He uses what `{check}` asks about.\nIt needs no special tool; [the check](https://example.test) says more."
            ),
            lost: "What is lost is **more** than it seems:\n\n- the first thing\n- the second thing".into(),
            answer: format!("The check `{check}` answers it."),
            remains: "A flaw in the kernel remains.".into(),
        },
        file: format!("threats/{id}.md"),
    }
}

/// A threat for each check, of every letter and surface.
pub fn threats() -> Vec<Threat> {
    use Stride::{DenialOfService, ElevationOfPrivilege, InformationDisclosure, Repudiation, Spoofing, Tampering};
    use Surface::{DockerClient, DockerHost, DockerRegistry};
    let mut all = vec![
        threat(
            "docker/client/credentials-taken",
            "Kept credentials let somebody else push images",
            &[Spoofing, InformationDisclosure],
            DockerClient,
            Loss::RegistryCredentials,
            "docker/client/no-plain-credentials",
        ),
        threat(
            "docker/host/unrecorded-change",
            "The engine's files change without a trace",
            &[Repudiation],
            DockerHost,
            Loss::Traceability,
            "docker/host/audit",
        ),
        threat(
            "docker/daemon/neighbours-listen",
            "Containers on the default bridge read each other's traffic",
            &[InformationDisclosure, Spoofing],
            DockerHost,
            Loss::Containers,
            "docker/daemon/icc-off",
        ),
        threat(
            "docker/container/engine-socket-mounted",
            "A container drives the engine",
            &[ElevationOfPrivilege],
            DockerHost,
            Loss::Engine,
            "docker/container/no-runtime-socket",
        ),
        threat(
            "docker/container/privileged",
            "A privileged container takes the host",
            &[ElevationOfPrivilege],
            DockerHost,
            Loss::Host,
            "docker/container/unprivileged",
        ),
        threat(
            "docker/container/memory-taken",
            "One container takes all memory",
            &[DenialOfService],
            DockerHost,
            Loss::Availability,
            "docker/container/memory",
        ),
        threat(
            "docker/container/altered",
            "What runs is altered after it was built",
            &[Tampering],
            DockerRegistry,
            Loss::Images,
            "docker/container/read-only",
        ),
        threat(
            "docker/container/exposed-port",
            "A published port is reached by everybody",
            &[InformationDisclosure],
            DockerHost,
            Loss::Information,
            "docker/container/narrow-ports",
        ),
        threat(
            "docker/image/root",
            "An image starts as root",
            &[ElevationOfPrivilege],
            DockerRegistry,
            Loss::Containers,
            "docker/image/user",
        ),
        threat(
            "docker/service/plain-overlay",
            "An overlay's traffic is read",
            &[InformationDisclosure],
            DockerHost,
            Loss::Secrets,
            "docker/service/networks",
        ),
    ];
    all[7].flow = Some(FlowKind::PublishedPort);
    all
}

/// The steps of the two paths.
pub fn steps() -> Vec<Step> {
    let step = |id: &str, title: &str, from: &str, to: &str, over, effort, attack: &str| Step {
        id: id.into(),
        title: title.into(),
        from: from.into(),
        to: to.into(),
        over,
        through: None,
        powers: Vec::new(),
        when: None,
        at: None,
        effort,
        assumes: (id == "exploit-service").then(|| "a flaw in the service behind the port".into()),
        attack: attack.into(),
        source: "https://example.test/steps".into(),
        cut: Vec::new(),
        story: format!("Why {id} works."),
        file: format!("steps/{id}.toml"),
    };
    vec![
        step(
            "mounted-socket",
            "{from} opens the socket of {to}",
            "code",
            "engine",
            Some(FlowKind::SocketMount),
            1,
            "T1610",
        ),
        step(
            "engine-is-root",
            "{from} starts a container that owns {to}",
            "engine",
            "host-root",
            Some(FlowKind::Control),
            1,
            "T1611",
        ),
        step(
            "exploit-service",
            "{from} breaks into {to} through its published port",
            "internet",
            "code",
            Some(FlowKind::PublishedPort),
            8,
            "T1190",
        ),
        step("neighbour", "{from} breaks into {to} over the bridge", "code", "code", None, 4, "T1210"),
    ]
}

/// A blank cell of the matrix.
pub fn blanks() -> Vec<Blank> {
    let blank = |kind: &str, letter, reason: &str| Blank { kind: kind.into(), letter, reason: reason.into() };
    vec![
        blank("docker.volume", Stride::Spoofing, "a volume does not act and is nobody"),
        blank("actor", Stride::Tampering, "what is outside the system is not ours to alter"),
    ]
}
