//! What reaches into containers of real engines, and out of them, by ways that their configuration does not name: sockets
//! under second names, networks that keep nobody out, control groups that can be written to.

mod verdicts;

use std::process::Command;

use seaworthy_bed::{Daemon, Spec, Version};
use serde_json::{Value, json};
use verdicts::{Report, Wrong, over};

const SOCKET: &str = "container/no-runtime-socket";
const NEEDED: &str = "container/only-needed-ports";
const BOUND: &str = "container/bound-interface";
const GROUPS: &str = "container/cgroups-read-only";
const SENSITIVE: &str = "container/no-sensitive-mounts";
const ROOT: &str = "container/not-equal-to-root";
const PROTECTED: &str = "network/ports-protected";

#[test]
fn what_reaches_containers_of_engine_20() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    judge(&daemon);
}

#[test]
fn what_reaches_containers_of_engine_29() {
    let Some(daemon) = Daemon::require(Version::V29, Spec::default()) else { return };
    judge(&daemon);
}

#[test]
fn an_engine_that_filters_nothing_leaves_all_ports_open() {
    for (version, flags, with_ipv6) in [
        (Version::V20, &["--iptables=false"][..], "manual"),
        (Version::V29, &["--iptables=false", "--ip6tables=false"], "manual"),
        (Version::V29, &["--ip6tables=false"], "manual"),
    ] {
        let spec = Spec { args: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Spec::default() };
        let Some(daemon) = Daemon::require(version, spec) else { return };
        daemon.import_busybox("busybox:test");
        let mut wrong = Wrong::default();
        let plain = if flags.contains(&"--iptables=false") { "manual" } else { "pass" };
        networks(&daemon);
        for (network, _) in [("plain", plain), ("six", with_ipv6), ("inside", "pass")] {
            daemon.create(network, &on(network));
        }
        let report = Report::of(&daemon, &[]);
        for (container, verdict) in [("plain", plain), ("six", with_ipv6), ("inside", "pass")] {
            wrong.expect(&report, container, NEEDED, verdict);
        }
        wrong.finish(&format!("{} {}", version.name(), flags.join(" ")));
    }
}

#[test]
fn mounts_of_engine_20_bring_what_lies_beneath() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    beneath(&daemon);
}

#[test]
fn mounts_of_engine_29_bring_what_lies_beneath() {
    let Some(daemon) = Daemon::require(Version::V29, Spec::default()) else { return };
    beneath(&daemon);
}

/// What is mounted beneath a directory comes along or not, and read-only reaches it or not.
fn beneath(daemon: &Daemon) {
    let new = daemon.version() == Version::V29;
    daemon.import_busybox("busybox:test");
    let dir = daemon.dir().display().to_string();
    for path in ["outer/etc", "outer/plain"] {
        std::fs::create_dir_all(daemon.dir().join(path)).unwrap();
    }
    let bound = Command::new("mount").args(["--bind", "/etc"]).arg(daemon.dir().join("outer/etc")).status();
    assert!(bound.is_ok_and(|status| status.success()));
    for (name, how, device) in
        [("flat", "bind", "{dir}/outer"), ("deep", "rbind", "{dir}/outer"), ("root", "bind", "/")]
    {
        let options = json!({ "type": "none", "o": how, "device": device.replace("{dir}", &dir) });
        let (status, answer) =
            daemon.request("POST", "/volumes/create", Some(&json!({ "Name": name, "DriverOpts": options })));
        assert_eq!(status, 201, "{answer}");
    }
    let host = |config: Value| over(&on("none"), &json!({ "HostConfig": config }));
    let bind = |bind: &str| host(json!({ "Binds": [bind.replace("{dir}", &dir)] }));
    let read_only = |source: &str, options: Value| {
        let source = source.replace("{dir}", &dir);
        let mount =
            json!({ "Type": "bind", "Source": source, "Target": "/h", "ReadOnly": true, "BindOptions": options });
        host(json!({ "Mounts": [mount] }))
    };
    let part = |path: &str| {
        let mount = json!({ "Type": "volume", "Source": "root", "Target": "/h", "VolumeOptions": { "Subpath": path } });
        host(json!({ "Mounts": [mount] }))
    };
    // Of a container that does not run, Engine 29 does not tell whether it was created by an API before 1.44.
    let untold = if new { "unknown" } else { "fail" };
    let mut cases = vec![
        ("volume-flat", bind("flat:/h"), [(SENSITIVE, ["pass"; 2]), (ROOT, ["pass"; 2])]),
        ("volume-deep", bind("deep:/h"), [(SENSITIVE, ["fail"; 2]), (ROOT, ["fail"; 2])]),
        ("bind", bind("{dir}/outer:/h"), [(SENSITIVE, ["fail"; 2]), (ROOT, ["fail"; 2])]),
        (
            "bind-read-only",
            bind("{dir}/outer:/h:ro"),
            [(SENSITIVE, ["fail"; 2]), (ROOT, [if new { "pass" } else { "fail" }, untold])],
        ),
    ];
    if new {
        let (top, all) = (json!({ "ReadOnlyNonRecursive": true }), json!({ "ReadOnlyForceRecursive": true }));
        cases.push((
            "read-only-topmost",
            read_only("{dir}/outer", top.clone()),
            [(SENSITIVE, ["fail"; 2]), (ROOT, ["fail"; 2])],
        ));
        cases.push(("read-only-all", read_only("{dir}/outer", all), [(SENSITIVE, ["fail"; 2]), (ROOT, ["pass"; 2])]));
        cases.push(("groups-topmost", read_only("/sys", top), [(SENSITIVE, ["fail"; 2]), (GROUPS, ["fail"; 2])]));
        let plain = format!("{}/outer/plain", dir.trim_start_matches('/'));
        cases.push(("part", part(&plain), [(SENSITIVE, ["pass"; 2]), (SOCKET, ["pass"; 2])]));
        let outer = format!("{}/outer", dir.trim_start_matches('/'));
        cases.push(("part-above", part(&outer), [(SENSITIVE, ["pass"; 2]), (SOCKET, ["pass"; 2])]));
        cases.push(("part-etc", part("etc"), [(SENSITIVE, ["fail"; 2]), (SOCKET, ["pass"; 2])]));
    }
    for (name, body, _) in &cases {
        daemon.run(name, body);
        daemon.create(&format!("{name}-idle"), body);
    }
    // As older clients do it.
    let old = daemon.request("POST", "/v1.41/containers/create?name=old", Some(&bind("{dir}/outer:/h:ro")));
    assert_eq!(old.0, 201, "{}", old.1);
    daemon.start_container("old");
    let report = Report::of(daemon, &[]);
    let mut wrong = Wrong::default();
    for (name, _, expected) in &cases {
        for (check, [running, idle]) in expected {
            wrong.expect(&report, name, check, running);
            wrong.expect(&report, &format!("{name}-idle"), check, idle);
        }
    }
    wrong.expect(&report, "old", ROOT, "fail");
    wrong.finish(daemon.version().name());
}

fn on(network: &str) -> Value {
    json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "HostConfig": { "NetworkMode": network } })
}

fn networks(daemon: &Daemon) {
    let mode = |mode: &str| json!({ "com.docker.network.bridge.gateway_mode_ipv4": mode });
    let six = json!({ "EnableIPv6": true, "IPAM": { "Config": [{ "Subnet": "fd77:1::/64" }] } });
    for (name, settings) in [
        ("plain", json!({})),
        ("routed", json!({ "Options": mode("routed") })),
        ("unprotected", json!({ "Options": mode("nat-unprotected") })),
        ("inside", json!({ "Options": mode("nat-unprotected"), "Internal": true })),
        ("six", six),
    ] {
        let (status, answer) =
            daemon.request("POST", "/networks/create", Some(&over(&settings, &json!({ "Name": name }))));
        assert_eq!(status, 201, "{name}: {answer}");
    }
}

fn judge(daemon: &Daemon) {
    let new = daemon.version() == Version::V29;
    daemon.import_busybox("busybox:test");
    networks(daemon);
    let at = |name: &str| daemon.dir().join(name);
    std::fs::create_dir_all(at("linked/deep")).unwrap();
    std::fs::create_dir_all(at("empty")).unwrap();
    std::fs::hard_link(daemon.socket(), at("linked/deep/s")).unwrap();
    let dir = daemon.dir().display().to_string();
    let bind = |bind: &str| over(&on("none"), &json!({ "HostConfig": { "Binds": [bind.replace("{dir}", &dir)] } }));
    let publish = |network: &str, address: &str| {
        let ports = json!({ "80/tcp": [{ "HostIp": address, "HostPort": "" }] });
        over(&on(network), &json!({ "ExposedPorts": { "80/tcp": {} }, "HostConfig": { "PortBindings": ports } }))
    };
    let option = |option: &str| over(&on("none"), &json!({ "HostConfig": { "SecurityOpt": [option] } }));
    let past = if new { "manual" } else { "pass" };
    // An engine before 27 gives addresses of IPv6 and filters nothing of it.
    let six = if new { "pass" } else { "manual" };
    let mut cases = vec![
        ("socket-link", bind("{dir}/linked/deep/s:/h"), vec![(SOCKET, "fail")]),
        ("socket-linked", bind("{dir}/linked:/h:ro"), vec![(SOCKET, "fail")]),
        ("socket-none", bind("{dir}/empty:/h"), vec![(SOCKET, "pass")]),
        ("net-plain", on("plain"), vec![(NEEDED, "pass"), (BOUND, "pass")]),
        ("net-routed", on("routed"), vec![(NEEDED, "pass")]),
        ("net-unprotected", on("unprotected"), vec![(NEEDED, past)]),
        ("net-inside", on("inside"), vec![(NEEDED, "pass")]),
        ("net-six", on("six"), vec![(NEEDED, six)]),
        ("port-routed", publish("routed", "127.0.0.1"), vec![(NEEDED, "manual"), (BOUND, "pass")]),
        ("port-any-routed", publish("routed", "0.0.0.0"), vec![(BOUND, if new { "pass" } else { "fail" })]),
        ("port-any", publish("plain", "0.0.0.0"), vec![(NEEDED, "manual"), (BOUND, "fail")]),
        ("port-inside", publish("inside", ""), vec![(NEEDED, "pass"), (BOUND, "pass")]),
        ("groups-usual", on("none"), vec![(GROUPS, "pass")]),
        ("groups-bound", bind("/sys/fs/cgroup:/h"), vec![(GROUPS, "fail")]),
        // Before Engine 25 read-only does not reach what is mounted beneath.
        ("groups-beneath", bind("/sys:/h:ro"), vec![(GROUPS, if new { "pass" } else { "fail" })]),
    ];
    let idle_only = |name: &str, check: &str| (new && name == "groups-beneath" && check == GROUPS).then_some("unknown");
    if new {
        cases.push(("groups-open", option("writable-cgroups=true"), vec![(GROUPS, "fail")]));
        cases.push(("groups-shut", option("writable-cgroups=false"), vec![(GROUPS, "pass")]));
    }
    for (name, body, _) in &cases {
        daemon.run(name, body);
        daemon.create(&format!("{name}-idle"), body);
    }
    // Of several networks one publishes.
    let both = daemon.create("port-both", &publish("inside", ""));
    let joined = daemon.request("POST", "/networks/plain/connect", Some(&json!({ "Container": both })));
    assert_eq!(joined.0, 200, "{}", joined.1);
    let report = Report::of(daemon, &[]);
    let mut wrong = Wrong::default();
    for (name, _, expected) in &cases {
        for (check, verdict) in expected {
            wrong.expect(&report, name, check, verdict);
            // Whether it was created by an API before 1.44 only its mounts tell.
            let idle = idle_only(name, check).unwrap_or(verdict);
            wrong.expect(&report, &format!("{name}-idle"), check, idle);
        }
    }
    wrong.expect(&report, "port-both", BOUND, "fail");
    for (network, verdict) in
        [("plain", "pass"), ("routed", "pass"), ("unprotected", "fail"), ("inside", "pass"), ("six", "pass")]
    {
        wrong.expect(&report, network, PROTECTED, verdict);
    }
    wrong.finish(daemon.version().name());
}
