//! The attack steps: each can be taken somewhere, and what is said to cut it does.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_catalog::{Catalog, case_component};
use seaworthy_core::check::{Case, Check};
use seaworthy_core::component::Component;
use seaworthy_core::predicate::{Predicate, Truth};
use seaworthy_core::schema::kind_named;
use seaworthy_core::step::{CAPABILITIES, Step, Through, capability};
use seaworthy_core::verdict::Verdict;

/// Paths of a node that steps lead from, whether a pod has them by itself or by a claim.
macro_rules! paths_of_node {
    () => {
        r#"
            { volume = "root", path = "/", class = "root", reaches = "/", rw = true },
            { volume = "kubelet", path = "/var/lib/kubelet", class = "kubelet", reaches = "/var/lib/kubelet", rw = false },
            { volume = "pods", path = "/var/lib/kubelet/pods", class = "kubelet", reaches = "/var/lib/kubelet", rw = false },
            { volume = "pki", path = "/etc/kubernetes/pki", class = "pki", reaches = "/etc/kubernetes/pki", rw = false },
            { volume = "etcd", path = "/var/lib/etcd", class = "etcd", reaches = "/var/lib/etcd", rw = false },
            { volume = "etcd-keys", path = "/etc/kubernetes/pki/etcd", class = "pki", reaches = "/etc/kubernetes/pki", rw = false },
            { volume = "rancher", path = "/var/lib/rancher", class = "credentials", reaches = "/var/lib/rancher", rw = false },
        "#
    };
}

/// Components on which steps can be taken, by kind: of each kind a few, since some steps rule others out.
const WORST: &[(&str, &str)] = &[
    (
        "kubernetes.container",
        concat!(
            r#"
        running = true
        live = true
        static_pod = false
        kind = "regular"
        stdin = true
        root_user = true
        equal_to_root = ["it is privileged"]
        privileged = true
        root_possible = true
        runtime_sockets = [{ volume = "run", path = "/run", class = "runtime-socket", reaches = "/run/docker.sock", rw = true }]
        token_mounted = true
        seccomp = "Unconfined"
        volume_devices = ["disk"]
        null = ["memory_limit", "runtime_class"]
        sensitive_host_paths = [
            { volume = "logs", path = "/var/log", class = "logs", reaches = "/var/log", rw = true },
"#,
            paths_of_node!(),
            r#"
        ]
        claim_paths = [
            { volume = "disk", path = "/dev/sda", class = "dev", reaches = "/dev", rw = true },
"#,
            paths_of_node!(),
            r#"
        ]
        "#
        ),
    ),
    (
        "kubernetes.container",
        r#"
        running = true
        equal_to_root = ["it has SYS_ADMIN"]
        privileged = false
        runtime_sockets = []
        "#,
    ),
    ("kubernetes.container", "equal_to_root = [\"it is privileged\"]\nprivileged = true\nroot_possible = false"),
    ("kubernetes.node", "control_plane = true\nprovider = \"aws\"\nready = true\nkubelet_version = \"1.35.4\""),
    ("kubernetes.node", "control_plane = true\nprovider = \"k3s\"\nready = true\nkubelet_version = \"1.35.4+k3s1\""),
    (
        "kubernetes.namespace",
        "guarded_by = []\ntakes_pods = true\ntakes_root_pods = true\ntakes_root_users = true\ntakes_root_pods_unlabelled = true\ntakes_commands = true\ntakes_root_containers = true\ntakes_claims = true\ntakes_changes = true\ntakes_input = true\nfree_volumes = [\"root\"]\ndecisive_claims = [\"data\"]",
    ),
    ("kubernetes.namespace", "guarded_by = [\"kyverno\"]\njudged_by_others = true\ntakes_root_pods = true"),
    (
        "kubernetes.cluster",
        "anonymous_requests = true\nsigns_no_clients = false\napproves_no_nodes = false\nallows_everything = true\nnew_namespaces_open = true",
    ),
    (
        "kubernetes.kubelet",
        r#"
        anonymous_auth = true
        authorization_mode = "AlwaysAllow"
        enable_server = true
        debugging_handlers = true
        "#,
    ),
    ("kubernetes.etcd", "client_cert_auth = false"),
    ("kubernetes.subject", "kind = \"User\"\nname = \"system:anonymous\"\neverybody = true"),
    ("kubernetes.subject", "kind = \"User\"\nname = \"alice\"\neverybody = false\ngranted_powers = [\"exec\"]"),
    (
        "docker.host",
        r#"
        kernel_flaws = ["CVE-2022-0847"]
        sshd_installed = true
        ssh_password = true
        ssh_empty_passwords = true
        ssh_root = "yes"
        sudo_docker = [{ who = "u", commands = "ALL", password = false, source = "/etc/sudoers:1" }]
        ssh_keys = [{ user = "root", count = 1, path = "/root/.ssh/authorized_keys", writable_by_others = true }]
        "#,
    ),
    (
        "docker.daemon",
        r#"
        rootless = false
        icc = true
        runc_flaws = ["CVE-2019-5736"]
        engine_flaws = ["CVE-2026-41567"]
        containerd_flaws = ["CVE-2020-15257", "CVE-2024-25621"]
        listeners = [{ address = "tcp://0.0.0.0:2375", transport = "tcp", tls = "none", loopback = false, serves = "api" }]
        "#,
    ),
    (
        "docker.client",
        r#"
        user = "admin"
        config = "/root/.docker/config.json"
        config_exposed = true
        plain_credentials = ["registry.example"]
        credential_store = "pass"
        "#,
    ),
    (
        "docker.network",
        r#"
        driver = "bridge"
        internal = true
        default_bridge = false
        icc = true
        reachable = true
        containers = ["web", "db"]
        "#,
    ),
    (
        "docker.network",
        r#"
        driver = "bridge"
        internal = false
        default_bridge = true
        icc = true
        reachable = true
        containers = ["web", "db"]
        "#,
    ),
    (
        "docker.network",
        r#"
        driver = "bridge"
        internal = false
        default_bridge = true
        icc = false
        reachable = true
        containers = ["web", "db"]
        "#,
    ),
    (
        "docker.network",
        r#"
        driver = "bridge"
        internal = false
        default_bridge = false
        icc = true
        reachable = true
        containers = ["web", "db"]
        "#,
    ),
    ("docker.volume", r#"used_by = ["web (rw)", "db (rw)"]"#),
    ("docker.volume", r#"options = ["type=ext4", "device=/dev/sda1"]"#),
    ("docker.container", CONTAINER),
    ("docker.container", CONFINED),
    ("docker.container", PRIVILEGED),
    ("docker.container", HOST_PID),
];

const CONTAINER: &str = r#"
running = true
ports = [{ host_ip = "0.0.0.0", host_port = 80, container_port = 80, protocol = "tcp", wildcard = true, loopback = false }]
ssh_servers = ["/usr/sbin/sshd"]
root_user = true
root_on_host = true
sandboxed = false
privileged = false
no_new_privileges = false
seccomp = "unconfined"
apparmor = "unconfined"
null = ["selinux", "memory_limit", "pids_limit"]
capabilities = ["SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "DAC_READ_SEARCH", "BPF", "MKNOD", "KILL", "NET_RAW"]
all_devices = true
devices = [{ path = "/dev/sda", permissions = "rwm", class = "disk" }]
masked_paths = false
host_pid = true
host_network = true
default_bridge = true
joins = ["pid:db"]
links = ["/db:/web/db"]
groups_added = ["docker"]
runtime_sockets = [{ source = "/run", reaches = "/run/containerd/containerd.sock", rw = false }]
equal_to_root = ["writes to /"]
sensitive_mounts = [{ source = "/", reaches = "/", rw = true }, { source = "/root", reaches = "/root", rw = true }, { source = "/etc", reaches = "/etc", rw = false }, { source = "/var/lib/docker", reaches = "/var/lib/docker", rw = false }]
mounts = [{ type = "volume", source = "/v", destination = "/v", rw = true, propagation = "rprivate", volume = "v" }]
env_secrets = [{ name = "PASSWORD", class = "password", length = "8-15" }]
config_secrets = [{ name = "--password", class = "password", length = "8-15" }]
log_bounded = false
"#;

const CONFINED: &str = r#"
running = true
root_on_host = true
sandboxed = false
privileged = false
apparmor = "docker-default"
capabilities = ["SYS_ADMIN"]
null = ["selinux"]
"#;

const HOST_PID: &str = r#"
running = true
host_pid = true
root_on_host = true
sandboxed = false
apparmor = "docker-default"
null = ["selinux"]
capabilities = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE", "SYS_PTRACE"]
capabilities_added = []
env_secrets = [{ name = "PASSWORD", class = "password", length = "8-15" }]
"#;

const PRIVILEGED: &str = "running = true\nroot_on_host = true\nsandboxed = false\nprivileged = true";

/// Any check of a kind: facts of a component are read by a check's kind.
fn any(catalog: &Catalog, kind: &str) -> Check {
    Check { about: kind.to_owned(), ..catalog.checks[0].clone() }
}

fn component(check: &Check, facts: &str) -> Component {
    let case = Case { verdict: Verdict::Fail, facts: facts.to_owned(), line: 1 };
    case_component(check, &case).unwrap_or_else(|e| panic!("{}: {e:?}", check.about))
}

fn worst(catalog: &Catalog, kind: &str) -> Vec<Component> {
    WORST.iter().filter(|(k, _)| *k == kind).map(|(_, facts)| component(&any(catalog, kind), facts)).collect()
}

/// Those of the end at which a check cuts a step: what one container joined or is linked to, the other cannot undo.
fn cut_at(step: &Step) -> Vec<(&'static str, &Predicate)> {
    let both = [(&step.from, &step.when), (&step.to, &step.at)];
    let ends = match step.through {
        Some(Through::Joined | Through::Linked) => &both[..1],
        Some(Through::JoinedBy) => &both[1..],
        _ => &both[..],
    };
    let at = |name: &str| capability(name).expect("the loader looked it up").about;
    ends.iter().filter_map(|(held, p)| p.as_ref().map(|p| (at(held), p))).collect()
}

/// The predicates of a step with the kinds that they are about.
fn predicates(step: &Step) -> Vec<(&'static str, &Predicate)> {
    let at = |name: &str| capability(name).expect("the loader looked it up").about;
    let both = [(at(&step.from), &step.when), (at(&step.to), &step.at)];
    both.into_iter().filter_map(|(kind, p)| p.as_ref().map(|p| (kind, p))).collect()
}

#[test]
fn every_step_can_be_taken_somewhere() {
    let catalog = Catalog::embedded();
    for step in &catalog.steps {
        for (kind, predicate) in predicates(step) {
            let holds = worst(&catalog, kind).iter().any(|c| predicate.evaluate(c).truth == Truth::True);
            assert!(holds, "{}: `{}` holds of no {kind} of this test", step.file, predicate.text);
        }
    }
}

/// Over a component on which the step can be taken, the facts of each case in which the check passes.
#[test]
fn what_cuts_a_step_makes_it_impossible() {
    let catalog = Catalog::embedded();
    let mut tried = 0;
    for step in &catalog.steps {
        for id in &step.cut {
            let check = catalog.check(id).expect("the loader looked it up");
            for (_, predicate) in cut_at(step).into_iter().filter(|(kind, _)| *kind == check.about) {
                for case in check.cases.iter().filter(|c| c.verdict == Verdict::Pass) {
                    let passing = case_component(check, case).expect("the loader has read it");
                    for mut component in worst(&catalog, &check.about) {
                        for (name, fact) in passing.facts().filter(|(_, f)| !f.value.is_unknown()) {
                            component.set(name, fact.value.clone(), fact.source.clone());
                        }
                        let truth = predicate.evaluate(&component).truth;
                        let place = format!("{}:{}", check.file, case.line);
                        assert!(truth != Truth::True, "{}: possible although {id} passes as in {place}", step.file);
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 100, "only {tried} were tried");
}

/// A check about a component that is neither end, the daemon nor the host must come in with the flow.
#[test]
fn what_cuts_a_step_is_found_beside_it() {
    let catalog = Catalog::embedded();
    for step in &catalog.steps {
        let ends = [&step.from, &step.to].map(|c| capability(c).expect("the loader looked it up").about);
        for id in &step.cut {
            let about = &catalog.check(id).expect("the loader looked it up").about;
            let near = ends.contains(&about.as_str())
                || ["docker.daemon", "docker.host", "kubernetes.apiserver"].contains(&about.as_str());
            assert!(near || step.over.is_some(), "{}: {id} is about {about}", step.file);
        }
    }
}

#[test]
fn every_capability_is_gained_and_used() {
    let catalog = Catalog::embedded();
    for held in CAPABILITIES {
        let gained = held.entry || catalog.steps.iter().any(|s| s.to == held.name);
        let used = held.jewel.is_some() || catalog.steps.iter().any(|s| s.from == held.name);
        assert!(gained && used, "{} is not gained or leads nowhere", held.name);
    }
}

#[test]
fn steps_are_about_kinds_that_there_are() {
    for held in CAPABILITIES {
        let known =
            held.about.starts_with("actor.") || held.about == "docker.registry" || kind_named(held.about).is_some();
        assert!(known, "{} is held at {}", held.name, held.about);
    }
}

#[test]
fn titles_and_techniques_are_well_formed() {
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    let mut sources = BTreeSet::new();
    for step in Catalog::embedded().steps {
        let bare = step.title.replace("{from}", "").replace("{to}", "");
        assert!(!bare.contains(['{', '}']) && !step.title.ends_with('.'), "{}: {}", step.file, step.title);
        let digits = step.attack.strip_prefix('T').unwrap_or_default();
        assert!(digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_digit() || c == '.'), "{}", step.file);
        sources.insert(step.source.clone());
        if let Some(other) = titles.insert(format!("{} {} {}", step.title, step.from, step.to), step.id.clone()) {
            panic!("{} and {other} say the same", step.id);
        }
    }
    assert!(sources.len() > 20);
}

#[test]
fn steps_that_need_what_no_fact_says_assume_it() {
    let catalog = Catalog::embedded();
    let assumes: BTreeSet<&str> = catalog.steps.iter().filter(|s| s.assumes.is_some()).map(|s| s.id.as_str()).collect();
    for id in ["service-flaw", "setuid", "ssh-password-internet", "sudo-with-password", "taint-volume", "arp-spoofing"]
    {
        assert!(assumes.contains(id), "{id} rests on nothing that was read");
    }
    // What is assumed is never one command that everybody knows; only the strict modes of sshd are a switch.
    let easy = |s: &&Step| s.assumes.is_some() && s.effort < 3 && s.id != "writable-root-keys";
    assert!(catalog.steps.iter().find(easy).is_none());
    // A flaw of which the version is a fact is none that nobody read.
    for id in ["runc-flaw", "kernel-flaw-unfiltered", "privileged", "mounted-socket", "own-data"] {
        assert!(!assumes.contains(id), "{id} rests on facts");
    }
}
