//! What is proposed first on small hosts, over the whole catalogue: what an experienced engineer would name.

#![allow(missing_docs, reason = "tests")]

use std::sync::LazyLock;

use seaworthy_catalog::Catalog;
use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::derive::derive;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::{Kind, docker, kind_named};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::step::{Cut, Path, Paths, Priority};
use seaworthy_core::threat::Instance;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;
use seaworthy_model::{judge, paths, rank, rate};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

fn object(fields: &[(&'static str, Value)]) -> Value {
    Value::Object(fields.to_vec())
}

fn none() -> Value {
    Value::List(Vec::new())
}

fn strings(items: &[&str]) -> Value {
    Value::strings(items.to_vec())
}

/// A host on which nothing is wrong but what every host lacks that nobody has hardened.
struct Host {
    target: Target,
}

impl Host {
    fn new() -> Self {
        let mut host = Self { target: Target::new("local", "docker", "unix:///run/docker.sock") };
        host.add(
            &docker::HOST,
            "host",
            &[
                ("os", "Debian 13".into()),
                ("kernel", "6.12.60".into()),
                ("apparmor", true.into()),
                ("selinux", false.into()),
                ("selinux_enforcing", false.into()),
                ("docker_group", true.into()),
                ("docker_group_members", none()),
                ("socket_group_members", none()),
                ("account_sources", none()),
                ("sudo_docker", none()),
                ("sshd_installed", true.into()),
                ("ssh_password", false.into()),
                ("ssh_root", "no".into()),
                ("ssh_empty_passwords", false.into()),
                ("ssh_keys", none()),
                ("listeners", none()),
                ("packages", none()),
                ("sysctls", none()),
                ("audit_enabled", true.into()),
                ("data_root", "/var/lib/docker".into()),
            ],
        );
        let socket = object(&[
            ("address", "unix:///run/docker.sock".into()),
            ("transport", "unix".into()),
            ("tls", "none".into()),
            ("loopback", true.into()),
            ("serves", "api".into()),
        ]);
        host.add(
            &docker::DAEMON,
            "dockerd",
            &[
                ("engine", "docker".into()),
                ("version", "29.9.0".into()),
                ("containerd_version", "2.9.0".into()),
                ("runc_version", "1.9.0".into()),
                ("uid", Value::Int(0)),
                ("rootless", false.into()),
                ("userns", false.into()),
                ("icc", true.into()),
                ("default_bridge", true.into()),
                ("iptables", true.into()),
                ("insecure_registries", none()),
                ("registry_mirrors", none()),
                ("listeners", Value::List(vec![socket])),
                ("authorization_plugins", none()),
                ("metrics_address", Value::Null),
                ("no_new_privileges", false.into()),
                ("live_restore", true.into()),
                ("userland_proxy", false.into()),
                ("seccomp_profile", "builtin".into()),
                ("apparmor", true.into()),
                ("selinux", false.into()),
                ("swarm", "inactive".into()),
                ("swarm_listen", none()),
            ],
        );
        let roles = [
            ("docker-socket", "/run/docker.sock", 0o660),
            ("docker-service", "/usr/lib/systemd/system/docker.service", 0o644),
            ("dockerd", "/usr/bin/dockerd", 0o755),
            ("etc-docker", "/etc/docker", 0o755),
            ("data-root", "/var/lib/docker", 0o710),
            ("runc", "/usr/bin/runc", 0o755),
            ("containerd", "/usr/bin/containerd", 0o755),
            ("daemon-json", "/etc/docker/daemon.json", 0o644),
            ("run-containerd", "/run/containerd", 0o711),
        ];
        for (role, path, mode) in roles {
            host.add(
                &docker::FILE,
                path,
                &[
                    ("role", role.into()),
                    ("path", path.into()),
                    ("exists", true.into()),
                    ("uid", Value::Int(0)),
                    ("gid", Value::Int(0)),
                    ("owner", "root".into()),
                    ("group", "root".into()),
                    ("owned_by_daemon", false.into()),
                    ("mode", Value::Int(mode)),
                    ("acl", none()),
                    ("audited", false.into()),
                    ("audited_by", none()),
                    ("audit_on_disk", false.into()),
                ],
            );
        }
        host
    }

    fn add(&mut self, kind: &'static Kind, name: &str, facts: &[(&str, Value)]) -> &mut Component {
        let mut component = Component::new(kind, name, name);
        for (fact, value) in facts {
            component.set(fact, value.clone(), Source::place("test"));
        }
        self.target.components.push(component);
        self.target.components.last_mut().expect("it was added")
    }

    fn set(&mut self, name: &str, fact: &str, value: impl Into<Value>) {
        let found = self.target.components.iter_mut().find(|c| &*c.name == name);
        found.expect("it was added").set(fact, value, Source::place("test"));
    }

    /// A container as an ordinary `docker run` makes it, on a network of its own, with a user of its own.
    fn container(&mut self, name: &str) {
        let own = format!("{name}-net");
        self.network(&own, false, &[name]);
        let capabilities =
            ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETUID"];
        self.add(
            &docker::CONTAINER,
            name,
            &[
                ("status", "running".into()),
                ("running", true.into()),
                ("image", format!("{name}:1").into()),
                ("image_id", format!("sha256:{name}").into()),
                ("image_reference", "tag".into()),
                ("project", Value::Null),
                ("service", Value::Null),
                ("root_user", false.into()),
                ("root_on_host", true.into()),
                ("userns_host", false.into()),
                ("privileged", false.into()),
                ("capabilities", strings(&capabilities)),
                ("capabilities_added", none()),
                ("no_new_privileges", false.into()),
                ("seccomp", "default".into()),
                ("apparmor", "docker-default".into()),
                ("selinux", Value::Null),
                ("masked_paths", true.into()),
                ("network_mode", own.as_str().into()),
                ("networks", strings(&[&own])),
                ("default_bridge", false.into()),
                ("host_network", false.into()),
                ("host_pid", false.into()),
                ("host_ipc", false.into()),
                ("host_uts", false.into()),
                ("host_cgroupns", false.into()),
                ("joins", none()),
                ("mounts", none()),
                ("devices", none()),
                ("all_devices", false.into()),
                ("readonly_rootfs", false.into()),
                ("memory_limit", Value::Null),
                ("memory_used", Value::Int(100 << 20)),
                ("oom_kill_disabled", false.into()),
                ("cpu_limited", false.into()),
                ("pids_limit", Value::Null),
                ("ports", none()),
                ("log_driver", "local".into()),
                ("log_bounded", true.into()),
                ("runtime", "runc".into()),
                ("sandboxed", false.into()),
                ("env_names", none()),
                ("env_secrets", none()),
                ("config_secrets", none()),
                ("groups_added", none()),
                ("links", none()),
                ("execs", none()),
                ("ssh_servers", none()),
            ],
        );
    }

    fn network(&mut self, name: &str, default: bool, containers: &[&str]) {
        self.add(
            &docker::NETWORK,
            name,
            &[
                ("driver", "bridge".into()),
                ("scope", "local".into()),
                ("default_bridge", default.into()),
                ("internal", false.into()),
                ("icc", true.into()),
                ("containers", strings(containers)),
            ],
        );
    }

    fn on_default_bridge(&mut self, names: &[&str]) {
        self.network("bridge", true, names);
        for name in names {
            self.set(name, "networks", strings(&["bridge"]));
            self.set(name, "network_mode", "bridge");
            self.set(name, "default_bridge", true);
        }
    }

    fn publish(&mut self, name: &str, host_ip: &str) {
        let port = object(&[
            ("host_ip", host_ip.into()),
            ("host_port", Value::Int(8080)),
            ("container_port", Value::Int(80)),
            ("protocol", "tcp".into()),
            ("wildcard", (host_ip == "0.0.0.0").into()),
            ("loopback", false.into()),
        ]);
        self.set(name, "ports", Value::List(vec![port]));
    }

    fn mount(&mut self, name: &str, kind: &str, source: &str, volume: &str) {
        let mount = object(&[
            ("type", kind.into()),
            ("source", source.into()),
            ("destination", "/mnt".into()),
            ("rw", true.into()),
            ("propagation", "rprivate".into()),
            ("volume", volume.into()),
        ]);
        self.set(name, "mounts", Value::List(vec![mount]));
    }

    fn secret(&mut self, name: &str) {
        let secret = object(&[("name", "PASSWORD".into()), ("class", "password".into()), ("length", "16-31".into())]);
        self.set(name, "env_secrets", Value::List(vec![secret]));
    }

    fn assess<T>(self, look: impl FnOnce(&Seen<'_>) -> T) -> T {
        let mut snapshot = Snapshot { tool: "0".into(), collected_at: 1_793_000_000, targets: vec![self.target] };
        derive(&mut snapshot, &CATALOG.flaws);
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
        let name =
            |s: seaworthy_core::step::State| s.capability().means.replace("{}", &self.diagram.elements[s.element].name);
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
    host.assess(|seen| {
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
    host.assess(|seen| assert_eq!(seen.first(), "container/unprivileged", "{}", seen.show()));
}

#[test]
fn a_user_namespace_keeps_a_privileged_container_from_the_host() {
    let mut host = Host::new();
    host.container("agent");
    host.set("agent", "root_user", true);
    host.set("agent", "privileged", true);
    host.set("agent", "root_on_host", false);
    host.assess(|seen| {
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
    // A privileged container that nobody reaches is less urgent.
    host.container("agent");
    host.set("agent", "root_user", true);
    host.set("agent", "privileged", true);
    host.assess(|seen| {
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
    host.assess(|seen| {
        let bridge = ["daemon/icc-off", "network/default-bridge-not-shared", "container/not-on-default-bridge"];
        assert!(bridge.contains(&seen.first()), "{}", seen.show());
        let proven = seen.proven();
        let network = "anybody on the host's networks";
        for to in ["the data and secrets of db", "the data and secrets of worker"] {
            assert!(proven.contains(&(network.into(), to.into())), "{}", seen.show());
        }
        // What the volume leaks no remedy of the catalogue cuts, and it is said.
        let leaks = seen.cut.uncut.iter().map(|p| seen.state(&seen.paths.list[*p]).1);
        assert!(leaks.into_iter().any(|to| to.ends_with("worker")), "{}", seen.show());
    });
}

#[test]
fn on_a_harmless_host_traces_rights_and_limits_come_first() {
    let mut host = Host::new();
    for name in ["web", "api"] {
        host.container(name);
    }
    host.publish("web", "192.0.2.10");
    host.assess(|seen| {
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
    let (gone, before) = build(false).assess(|seen| {
        assert_eq!(seen.first(), "container/no-runtime-socket", "{}", seen.show());
        let prints = |cut: bool| -> Vec<String> {
            let list = seen.paths.list.iter().enumerate();
            let wanted = list.filter(|(i, _)| seen.priorities[0].cuts.contains(i) == cut);
            wanted.map(|(_, p)| p.fingerprint.clone()).collect()
        };
        (prints(true), prints(false))
    });
    assert!(!gone.is_empty());
    build(true).assess(|seen| {
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
    let titles = || build().assess(|seen| seen.priorities.iter().map(|p| p.title.clone()).collect::<Vec<_>>());
    assert_eq!(titles(), titles());
    build().assess(|seen| {
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
    let mut snapshot = Snapshot { tool: "0".into(), collected_at: 1_793_000_000, targets: vec![host.target] };
    derive(&mut snapshot, &CATALOG.flaws);
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
