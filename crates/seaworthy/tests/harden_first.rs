//! What is proposed first on small hosts, over the whole catalogue: what an experienced engineer would name.

#![allow(missing_docs, reason = "tests")]

mod hosts;

use hosts::{CATALOG, Host, object, strings};
use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::remedy::Safety;
use seaworthy_core::schema::{docker, kind_named};
use seaworthy_core::step::{Cut, Path, Paths, Priority};
use seaworthy_core::threat::Instance;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;
use seaworthy_model::{judge, paths, rank, rate};

fn assess<T>(host: Host, look: impl FnOnce(&Seen<'_>) -> T) -> T {
    let snapshot = host.snapshot();
    let catalog = &*CATALOG;
    let benchmark = &catalog.benchmarks[0];
    let audit = Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, benchmark, &[], |_| true);
    let diagram = seaworthy_model::diagram(&snapshot, None);
    let mut threats = judge::threats(&audit, &catalog.threats, &diagram).instances;
    let paths = paths::paths(&audit, &diagram, &catalog.steps);
    rate::rate(&mut threats, &catalog.threats, &diagram, &paths, &audit);
    let (priorities, cut) = rank::rank(&audit, &catalog.threats, &threats, &paths, &diagram);
    look(&Seen { audit: &audit, diagram: &diagram, threats: &threats, paths: &paths, priorities, cut })
}
/// What an assessment of a host shows.
struct Seen<'a> {
    audit: &'a Audit<'a>,
    diagram: &'a Diagram,
    threats: &'a [Instance],
    paths: &'a Paths,
    priorities: Vec<Priority>,
    cut: Cut,
}

impl Seen<'_> {
    /// The checks that a proposal closes.
    fn checks(&self, proposal: usize) -> Vec<&str> {
        let findings = self.priorities[proposal].closes.iter().map(|f| &self.audit.findings[*f]);
        let mut ids: Vec<&str> = findings.map(|f| self.audit.check(f).id.trim_start_matches("docker/")).collect();
        ids.dedup();
        ids
    }

    fn first(&self) -> &str {
        self.checks(0)[0]
    }

    fn state(&self, path: &Path) -> (String, String) {
        let name = |s: seaworthy_core::step::State| s.words(self.diagram, self.audit.snapshot);
        (name(path.from), name(path.to))
    }

    /// The pairs of which there is a proven path.
    fn proven(&self) -> Vec<(String, String)> {
        let proven = self.paths.list.iter().filter(|p| p.certainty.is_proven());
        let mut pairs: Vec<(String, String)> = proven.map(|p| self.state(p)).collect();
        pairs.sort();
        pairs.dedup();
        pairs
    }

    /// Everything for a reader of a failed test.
    fn show(&self) -> String {
        let mut out = String::new();
        for path in &self.paths.list {
            let steps: Vec<&str> = path.hops.iter().map(|h| CATALOG.steps[h.step].id.as_str()).collect();
            let (from, to) = self.state(path);
            out += &format!("{} {} {from} → {to}: {}\n", path.effort, path.certainty.word(), steps.join(", "));
        }
        for (i, p) in self.priorities.iter().take(12).enumerate() {
            out += &format!("{}. {} [{}]\n", i + 1, p.title, self.checks(i).join(", "));
            out += &format!("   {}\n", p.why.join("; "));
            out += &format!("   {}; left {} threats, {:?} paths\n", p.breaks.join("; "), p.threats_left, p.paths_left);
        }
        let fixes: Vec<&str> = self.cut.fixes.iter().map(|(title, _)| title.as_str()).collect();
        out += &format!("cut: {fixes:?} {} uncut {}\n", self.cut.smallest, self.cut.uncut.len());
        out
    }
}

fn some_containers(host: &mut Host) {
    for name in ["web", "api", "db"] {
        host.container(name);
    }
    host.publish("web", "0.0.0.0");
    host.set("web", "root_user", true);
    host.secret("db");
}

#[test]
fn a_socket_mounted_in_a_ci_container_comes_first() {
    let mut host = Host::new();
    some_containers(&mut host);
    host.container("ci");
    host.set("ci", "root_user", true);
    host.mount("ci", "bind", "/run/docker.sock", "");
    assess(host, |seen| {
        assert_eq!(seen.first(), "container/no-runtime-socket", "{}", seen.show());
        let first = &seen.priorities[0];
        assert!(first.title.ends_with(": ci") && first.breaks == ["re-creates ci"], "{first:?}");
        let proven = seen.proven();
        assert!(proven.contains(&("code in ci".into(), "root on the host".into())), "{}", seen.show());
        assert!(first.why[0].contains("leaves no path to root on the host from code in ci"), "{first:?}");
        assert!(seen.cut.fixes.iter().any(|(title, _)| *title == first.title), "{}", seen.show());
    });
}

#[test]
fn a_privileged_container_comes_first() {
    let mut host = Host::new();
    some_containers(&mut host);
    host.container("agent");
    host.set("agent", "root_user", true);
    host.set("agent", "privileged", true);
    host.set("agent", "masked_paths", false);
    host.set("agent", "seccomp", "unconfined");
    host.set("agent", "apparmor", "unconfined");
    host.set("agent", "all_devices", true);
    host.set("agent", "capabilities", strings(&["SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "NET_RAW", "MKNOD"]));
    assess(host, |seen| assert_eq!(seen.first(), "container/unprivileged", "{}", seen.show()));
}

#[test]
fn a_user_namespace_keeps_a_privileged_container_from_the_host() {
    let mut host = Host::new();
    host.container("agent");
    host.set("agent", "root_user", true);
    host.set("agent", "privileged", true);
    host.set("agent", "root_on_host", false);
    assess(host, |seen| {
        let to_root = seen.proven().into_iter().any(|(_, to)| to == "root on the host");
        assert!(!to_root, "{}", seen.show());
    });
}

#[test]
fn an_api_that_asks_nobody_comes_first() {
    let mut host = Host::new();
    some_containers(&mut host);
    let listener = |address: &str, transport: &str, loopback: bool| {
        object(&[
            ("address", address.into()),
            ("transport", transport.into()),
            ("tls", "none".into()),
            ("loopback", loopback.into()),
            ("serves", "api".into()),
        ])
    };
    let open = vec![listener("unix:///run/docker.sock", "unix", true), listener("tcp://0.0.0.0:2375", "tcp", false)];
    host.set("dockerd", "listeners", Value::List(open));
    host.let_through("dockerd", "0.0.0.0", 2375);
    // A privileged container that nobody reaches is less urgent.
    host.container("agent");
    host.set("agent", "root_user", true);
    host.set("agent", "privileged", true);
    assess(host, |seen| {
        assert_eq!(seen.first(), "daemon/tls-mutual", "{}", seen.show());
        let proven = seen.proven();
        let network = ("anybody on the host's networks".into(), "root on the host".into());
        assert!(proven.contains(&network), "{}", seen.show());
    });
}

#[test]
fn strangers_on_the_default_bridge_with_a_shared_volume_are_parted() {
    let mut host = Host::new();
    some_containers(&mut host);
    host.container("worker");
    host.on_default_bridge(&["web", "api", "db"]);
    host.add(&docker::VOLUME, "uploads", &[("driver", "local".into()), ("binds", Value::Null)]);
    host.mount("web", "volume", "/var/lib/docker/volumes/uploads/_data", "uploads");
    host.mount("worker", "volume", "/var/lib/docker/volumes/uploads/_data", "uploads");
    assess(host, |seen| {
        let bridge = ["daemon/icc-off", "network/default-bridge-not-shared", "container/not-on-default-bridge"];
        assert!(bridge.contains(&seen.first()), "{}", seen.show());
        let proven = seen.proven();
        let network = "anybody on the host's networks";
        for to in ["the data and secrets of db", "the data and secrets of worker"] {
            assert!(proven.contains(&(network.into(), to.into())), "{}", seen.show());
        }
        // Whether the volume should be shared a person has to decide: it is proposed, after what is wanted.
        let shared =
            (0..seen.priorities.len()).find(|i| seen.checks(*i) == ["volume/one-writer"]).expect("it is proposed");
        assert!(shared > 0 && seen.priorities[shared].safety == Safety::Manual, "{}", seen.show());
        assert!(!seen.priorities[shared].cuts.is_empty(), "{}", seen.show());
    });
}

#[test]
fn on_a_harmless_host_traces_rights_and_limits_come_first() {
    let mut host = Host::new();
    for name in ["web", "api"] {
        host.container(name);
    }
    host.publish("web", "192.0.2.10");
    assess(host, |seen| {
        assert!(seen.proven().iter().all(|(_, to)| to == "the host's availability"), "{}", seen.show());
        let first: Vec<&str> = (0..3).flat_map(|i| seen.checks(i)).collect();
        let has = |part: &str| first.iter().any(|id| id.contains(part));
        assert!(has("audited") && has("no-new-privileges") && has("-limited"), "{}", seen.show());
    });
}

#[test]
fn what_is_said_to_be_cut_is_gone_when_it_is_done() {
    let build = |fixed: bool| {
        let mut host = Host::new();
        some_containers(&mut host);
        host.on_default_bridge(&["web", "api", "db"]);
        host.container("ci");
        // Of Compose, so that it is the same container with the mount and without.
        host.set("ci", "service", "ci");
        host.set("ci", "root_user", true);
        if !fixed {
            host.mount("ci", "bind", "/run/docker.sock", "");
        }
        host
    };
    let (gone, before) = assess(build(false), |seen| {
        assert_eq!(seen.first(), "container/no-runtime-socket", "{}", seen.show());
        let prints = |cut: bool| -> Vec<String> {
            let list = seen.paths.list.iter().enumerate();
            let wanted = list.filter(|(i, _)| seen.priorities[0].cuts.contains(i) == cut);
            wanted.map(|(_, p)| p.fingerprint.clone()).collect()
        };
        (prints(true), prints(false))
    });
    assert!(!gone.is_empty());
    assess(build(true), |seen| {
        let after: Vec<&String> = seen.paths.list.iter().map(|p| &p.fingerprint).collect();
        assert!(gone.iter().all(|f| !after.contains(&f)), "still there: {}", seen.show());
        assert!(after.iter().all(|f| before.contains(f)), "{}", seen.show());
    });
}

#[test]
fn what_was_accepted_or_passes_is_not_proposed_and_the_order_is_stable() {
    let build = || {
        let mut host = Host::new();
        some_containers(&mut host);
        host
    };
    let titles = || assess(build(), |seen| seen.priorities.iter().map(|p| p.title.clone()).collect::<Vec<_>>());
    assert_eq!(titles(), titles());
    assess(build(), |seen| {
        let closed = seen.priorities.iter().flat_map(|p| &p.closes);
        assert!(closed.clone().all(|f| seen.audit.findings[*f].judgement.verdict == Verdict::Fail));
        assert_eq!(closed.count(), seen.audit.count(Verdict::Fail), "each failure belongs to one proposal");
        let left: Vec<usize> = seen.priorities.iter().map(|p| p.threats_left).collect();
        assert!(left.windows(2).all(|w| w[0] >= w[1]) && !seen.threats.is_empty());
        assert!(kind_named("docker.container").is_some());
    });
}

/// For a person with a clock: `cargo test -p seaworthy --test harden_first -- --ignored --nocapture`.
#[test]
#[ignore = "prints how long a thousand containers take; says nothing about right or wrong"]
fn a_thousand_containers() {
    let mut host = Host::new();
    for i in 0..1000 {
        let name = format!("c{i}");
        host.container(&name);
        host.set(&name, "networks", strings(&[["front", "back", "jobs"][i % 3]]));
        host.set(&name, "root_user", i % 2 == 0);
        host.set(&name, "no_new_privileges", i % 5 == 0);
        host.set(&name, "privileged", i % 97 == 0);
        if i % 7 == 0 {
            host.publish(&name, "0.0.0.0");
        }
        if i % 11 == 0 {
            host.secret(&name);
        }
    }
    for name in ["front", "back", "jobs"] {
        host.network(name, false, &["c1", "c2"]);
    }
    let snapshot = host.snapshot();
    let catalog = &*CATALOG;
    let audit = Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, &catalog.benchmarks[0], &[], |_| true);
    let diagram = seaworthy_model::diagram(&snapshot, None);
    let begin = std::time::Instant::now();
    let threats = judge::threats(&audit, &catalog.threats, &diagram).instances;
    println!("judge {:?}", begin.elapsed());
    let begin = std::time::Instant::now();
    let paths = paths::paths(&audit, &diagram, &catalog.steps);
    println!("paths {:?}: {} listed, graph {}", begin.elapsed(), paths.list.len(), paths.graph.len());
    let begin = std::time::Instant::now();
    let (priorities, _) = rank::rank(&audit, &catalog.threats, &threats, &paths, &diagram);
    println!("rank {:?}: {}", begin.elapsed(), priorities.len());
}

#[test]
fn audit_rules_and_what_records_them_are_one_proposal() {
    let build = |enabled: bool| {
        let mut host = Host::new();
        host.set("host", "audit_enabled", enabled);
        host
    };
    assess(build(false), |seen| {
        let of = |i: &usize| seen.checks(*i).iter().any(|id| id.ends_with("-audited"));
        let place = (0..seen.priorities.len()).find(of).expect("it is proposed");
        assert!(seen.checks(place).contains(&"host/audit-enabled"), "{}", seen.show());
        let title = &seen.priorities[place].title;
        assert_eq!(title, "Audit recording switched on, with rules for 8 files");
    });
    assess(build(true), |seen| {
        let titles: Vec<&str> = seen.priorities.iter().map(|p| p.title.as_str()).collect();
        assert!(titles.iter().any(|t| t.starts_with("Audit rules for 8 files")), "{titles:?}");
    });
}
