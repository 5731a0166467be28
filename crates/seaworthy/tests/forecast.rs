//! What is forecast of a host is what is found on it when it was done.

#![allow(missing_docs, reason = "tests")]

mod hosts;

use hosts::{CATALOG, Host, none, strings};
use proptest::prelude::*;
use seaworthy_core::audit::Audit;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::step::Forecast;
use seaworthy_core::verdict::Verdict;
use seaworthy_model::{Exposure, Knowledge, forecast};

fn audit(snapshot: &Snapshot) -> Audit<'_> {
    let catalog = &*CATALOG;
    Audit::new(snapshot, &catalog.checks, &catalog.benchmarks, &catalog.benchmarks[0], &[], |_| true)
}

fn after(audit: &Audit<'_>, closed: &[usize]) -> Forecast {
    let catalog = &*CATALOG;
    let knowledge = Knowledge { threats: &catalog.threats, steps: &catalog.steps, blanks: &catalog.blanks };
    forecast(audit, knowledge, &Exposure::default(), closed)
}

/// The findings of checks on components that fail, or that a person has to decide.
fn failing(audit: &Audit<'_>, checks: &[&str], names: &[&str]) -> Vec<usize> {
    let wanted = |i: &usize| {
        let finding = &audit.findings[*i];
        matches!(finding.judgement.verdict, Verdict::Fail | Verdict::Manual)
            && checks.iter().any(|c| audit.check(finding).id == format!("docker/{c}"))
            && names.contains(&audit.component_name(finding))
    };
    let found: Vec<usize> = (0..audit.findings.len()).filter(wanted).collect();
    assert!(!found.is_empty(), "{checks:?} fails nowhere on {names:?}");
    found
}

/// A host with what is wrong, and the same where that was mended.
fn host(wrong: impl Fn(&mut Host)) -> Snapshot {
    let mut host = Host::new();
    for name in ["web", "api", "ci"] {
        host.container(name);
        // Of Compose, so that it is the same container when it was made anew.
        host.set(name, "service", name);
        host.set(name, "root_user", true);
    }
    host.publish("web", "0.0.0.0");
    wrong(&mut host);
    host.snapshot()
}

/// Closing some findings is forecast to leave what is found where they are closed.
fn comes_true(wrong: impl Fn(&mut Host), mended: impl Fn(&mut Host), checks: &[&str], names: &[&str]) {
    let (before, done) = (host(wrong), host(mended));
    let before = audit(&before);
    let told = after(&before, &failing(&before, checks, names));
    assert_ne!(told, after(&before, &[]), "{checks:?} changes nothing");
    assert_eq!(told, after(&audit(&done), &[]), "{checks:?}");
}

#[test]
fn a_socket_taken_from_a_container_takes_what_follows_from_it() {
    // The engine is commanded by whoever holds it, the container is equal to root: neither finding is closed by itself.
    let wrong = |host: &mut Host| host.mount("ci", "bind", "/run/docker.sock", "");
    comes_true(wrong, |_| (), &["container/no-runtime-socket"], &["ci"]);
    // What reaches the socket and more besides goes as a whole.
    let wrong = |host: &mut Host| host.mount("ci", "bind", "/run", "");
    comes_true(wrong, |_| (), &["container/no-runtime-socket", "container/no-sensitive-mounts"], &["ci"]);
}

#[test]
fn without_the_flag_the_engine_gives_its_defaults() {
    let defaults = |host: &mut Host| {
        let own = [
            "CHOWN",
            "DAC_OVERRIDE",
            "FSETID",
            "FOWNER",
            "MKNOD",
            "NET_RAW",
            "SETGID",
            "SETUID",
            "SETFCAP",
            "SETPCAP",
            "NET_BIND_SERVICE",
            "SYS_CHROOT",
            "KILL",
            "AUDIT_WRITE",
        ];
        host.set("ci", "capabilities", strings(&own));
    };
    let wrong = |host: &mut Host| {
        host.set("ci", "privileged", true);
        host.set("ci", "capabilities", strings(&["SYS_ADMIN", "SYS_MODULE", "NET_RAW", "CHOWN"]));
        host.set("ci", "capabilities_added", strings(&["SYS_ADMIN", "SYS_MODULE"]));
        host.set("ci", "all_devices", true);
        host.set("ci", "seccomp", "unconfined");
        host.set("ci", "apparmor", "unconfined");
        host.set("ci", "masked_paths", false);
    };
    comes_true(wrong, defaults, &["container/unprivileged"], &["ci"]);
}

#[test]
fn plain_settings_come_true() {
    let wrong = |host: &mut Host| host.set("ci", "host_pid", true);
    comes_true(wrong, |_| (), &["container/own-pid-namespace"], &["ci"]);
    let wrong = |host: &mut Host| host.secret("api");
    comes_true(wrong, |_| (), &["container/no-env-secrets"], &["api"]);
    let wrong = |host: &mut Host| host.set("/run/docker.sock", "mode", seaworthy_core::value::Value::Int(0o666));
    comes_true(wrong, |_| (), &["file/docker-socket-mode"], &["/run/docker.sock"]);
    let wrong = |host: &mut Host| {
        host.set("host", "docker_group_members", strings(&["ann"]));
        host.set("host", "socket_group_members", strings(&["ann"]));
    };
    comes_true(wrong, |_| (), &["host/docker-group-trusted", "host/socket-group-trusted"], &["host"]);
}

#[test]
fn neighbours_on_the_default_bridge_are_parted() {
    let wrong = |host: &mut Host| host.on_default_bridge(&["web", "api"]);
    let off = |host: &mut Host| {
        host.on_default_bridge(&["web", "api"]);
        host.set("dockerd", "icc", false);
        host.set("bridge", "icc", false);
    };
    comes_true(wrong, off, &["daemon/icc-off"], &["dockerd"]);
    let moved = |host: &mut Host| {
        host.on_default_bridge(&["web", "api"]);
        host.set("web", "default_bridge", false);
        host.set("web", "networks", none());
        host.set("bridge", "containers", strings(&["api"]));
    };
    comes_true(wrong, moved, &["container/not-on-default-bridge"], &["web"]);
}

#[test]
fn what_no_plain_change_of_facts_would_do_passes_all_the_same() {
    // Of two ways to have it none is chosen; the steps that it cuts are cut.
    let before = host(|host| {
        let listener = hosts::object(&[
            ("address", "tcp://192.168.1.2:2375".into()),
            ("transport", "tcp".into()),
            ("tls", "none".into()),
            ("loopback", false.into()),
            ("serves", "api".into()),
        ]);
        host.set("dockerd", "listeners", seaworthy_core::value::Value::List(vec![listener]));
    });
    let before = audit(&before);
    let now = after(&before, &[]);
    let told = after(&before, &failing(&before, &["daemon/tls-mutual"], &["dockerd"]));
    assert!(told.instances[0] < now.instances[0] && told.failing < now.failing, "{told:?}");
    assert!(told.pairs.proven < now.pairs.proven, "{told:?}");
}

fn demo() -> Snapshot {
    let mut snapshot = seaworthy_collect::read_snapshot(include_bytes!("../demo/snapshot.json.gz").as_slice()).unwrap();
    seaworthy_core::derive::derive(&mut snapshot, &CATALOG.flaws);
    snapshot
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is closed, nothing is worse than before, and what is closed no longer fails.
    #[test]
    fn closing_findings_never_opens_any(choices in prop::collection::vec(any::<prop::sample::Index>(), 0..30)) {
        let snapshot = demo();
        let audit = audit(&snapshot);
        let fails = |i: &usize| audit.findings[*i].judgement.verdict == Verdict::Fail;
        let failing: Vec<usize> = (0..audit.findings.len()).filter(fails).collect();
        let mut closed: Vec<usize> = choices.iter().map(|c| failing[c.index(failing.len())]).collect();
        closed.sort_unstable();
        closed.dedup();
        let (now, told) = (after(&audit, &[]), after(&audit, &closed));
        prop_assert!(told.instances[0] <= now.instances[0], "{told:?} {now:?}");
        let which: Vec<_> = closed.iter().map(|i| (audit.check(&audit.findings[*i]).id.as_str(), audit.component_name(&audit.findings[*i]))).collect();
        prop_assert!(told.failing + closed.len() <= now.failing, "{which:?} {told:?} {now:?}");
        let known = |f: &Forecast| f.pairs.proven + f.pairs.assumed;
        prop_assert!(known(&told) <= known(&now) && told.pairs.proven <= now.pairs.proven, "{told:?} {now:?}");
        prop_assert!(told.pairs.all() <= now.pairs.all());
        prop_assert!(told.controls[1] <= now.controls[1]);
    }
}
