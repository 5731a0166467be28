//! Containers on real engines: each differs from one that passes in one thing, and only the checks that are about that
//! thing may say something else of it.

mod verdicts;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use seaworthy_bed::{ContextFile, Daemon, Spec, Version};
use serde_json::{Value, json};
use verdicts::{Report, Wrong, over};

/// A container, how it differs from the one that passes, and what is said of it besides.
type Case<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);

#[test]
fn containers_of_engine_20_are_judged_by_what_they_do() {
    let Some(daemon) = Daemon::require(Version::V20, spec()) else { return };
    judge(&daemon);
}

#[test]
fn containers_of_engine_29_are_judged_by_what_they_do() {
    let Some(daemon) = Daemon::require(Version::V29, spec()) else { return };
    judge(&daemon);
}

fn spec() -> Spec {
    Spec::default()
}

/// As hard as a container gets here. Without a network it also starts three times as fast.
fn hard(image: &str) -> Value {
    json!({
        "Image": image, "Cmd": ["sleep", "3600"], "User": "1000:1000",
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 1_000_000_000_000i64 },
        "HostConfig": {
            "NetworkMode": "none", "CgroupnsMode": "private", "ReadonlyRootfs": true, "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"], "Memory": 64 << 20, "MemorySwap": 64 << 20, "CpuShares": 512,
            "PidsLimit": 50, "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 5 },
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m" } },
            "Ulimits": [{ "Name": "nofile", "Soft": 100, "Hard": 200 }],
        },
    })
}

fn judge(daemon: &Daemon) {
    let image = prepare(daemon);
    let hard = hard(&image);
    daemon.run("hard", &hard);
    daemon.create("idle", &hard);
    let (cases, idle) = (cases(daemon), idle_cases(daemon));
    let mut wrong = Wrong::default();
    // Some join others, which must be there.
    for second in [false, true] {
        let is_now = |case: &&Case<'_>| second == (case.0.starts_with("join") || case.0 == "links");
        let now: Vec<&Case<'_>> = cases.iter().filter(is_now).collect();
        side_by_side(&now, |(name, changes, _)| {
            let body = over(&hard, changes);
            daemon.create(&format!("{name}-idle"), &body);
            daemon.run(name, &body);
        });
    }
    for (name, changes, _) in &idle {
        daemon.create(name, &over(&hard, changes));
    }
    let report = Report::of(daemon, &[]);
    for (name, running) in [("hard", true), ("idle", false)] {
        for check in report.of_component("container", name).keys() {
            let expected = match check.trim_start_matches("container/") {
                "apparmor" | "selinux" => "not-applicable",
                "reports-healthy" | "no-ssh-server" if !running => "not-applicable",
                "current-image" => "manual",
                "root-not-host-root" => "fail",
                _ => "pass",
            };
            wrong.expect(&report, name, check, expected);
        }
    }
    for (name, _, other) in &cases {
        wrong.expect_like(&report, "container", "hard", name, other);
        let mut other = without_processes(other);
        // From Engine 25 on only the mounts of what runs tell whether read-only reaches what is mounted beneath.
        if daemon.version() == Version::V29 && matches!(*name, "mount-root" | "mount-link-root") {
            other.push(("cgroups-read-only", "unknown"));
        }
        wrong.expect_like(&report, "container", "idle", &format!("{name}-idle"), &other);
    }
    for (name, _, other) in &idle {
        wrong.expect_like(&report, "container", "idle", name, other);
    }
    for (component, check, verdict) in OTHERS {
        wrong.expect(&report, component, check, verdict);
    }
    wrong.finish(daemon.version().name());
}

/// The networks and volumes that the containers use.
const OTHERS: &[(&str, &str, &str)] = &[
    ("bridge", "network/default-bridge-not-shared", "fail"),
    ("quiet", "network/default-bridge-not-shared", "not-applicable"),
    ("quiet", "network/not-on-host-link", "pass"),
    ("quiet", "network/overlay-encrypted", "not-applicable"),
    ("plain", "volume/no-host-bind", "pass"),
    ("plain", "volume/one-writer", "manual"),
    ("etc", "volume/no-host-bind", "fail"),
    ("run", "volume/no-host-bind", "fail"),
    ("run", "volume/no-option-secrets", "pass"),
    ("inline", "volume/one-writer", "manual"),
];

/// Four at once: an engine spends most of a start waiting.
fn side_by_side<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// Checks on what runs do not apply to what does not.
fn without_processes<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    other.iter().copied().filter(|(check, _)| !matches!(*check, "reports-healthy" | "no-ssh-server")).collect()
}

/// Images, networks, volumes, links and mounts that the containers use; returns the image's id.
fn prepare(daemon: &Daemon) -> String {
    daemon.import_busybox("busybox:test");
    daemon.import_busybox("busybox:latest");
    daemon.build(
        "names:1",
        "FROM busybox:test\nCOPY passwd /etc/passwd\nCOPY busybox /sbin/sshd\n",
        &[
            ContextFile::new("passwd", b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"),
            ContextFile { path: "busybox", mode: 0o755, bytes: &std::fs::read("/bin/busybox").unwrap_or_default() },
        ],
    );
    let made = |path: &str, body: Value| {
        let (status, answer) = daemon.request("POST", path, Some(&body));
        assert_eq!(status, 201, "{path}: {answer}");
    };
    made("/networks/create", json!({ "Name": "quiet" }));
    let bind = |device: &str| json!({ "type": "none", "o": "bind", "device": device });
    made("/volumes/create", json!({ "Name": "plain" }));
    made("/volumes/create", json!({ "Name": "etc", "DriverOpts": bind("/etc") }));
    made("/volumes/create", json!({ "Name": "run", "DriverOpts": bind("/var/run/") }));
    for (name, kind) in [("proc", "proc"), ("sys", "sysfs")] {
        made("/volumes/create", json!({ "Name": name, "DriverOpts": { "type": kind, "device": kind } }));
    }
    let at = |name: &str| daemon.dir().join(name);
    for (name, target) in [("to-root", "/"), ("to-run", "/var/run"), ("to-data", "plain-data")] {
        std::os::unix::fs::symlink(target, at(name)).unwrap();
    }
    std::fs::create_dir_all(at("plain-data/under")).unwrap();
    std::fs::create_dir(at("etc-again")).unwrap();
    let bound = Command::new("mount").args(["--bind", "/etc"]).arg(at("etc-again")).status();
    assert!(bound.is_ok_and(|status| status.success()));
    std::fs::create_dir_all(at("root-of-chroot/etc")).unwrap();
    let bound = Command::new("mount").args(["--bind", "/etc"]).arg(at("root-of-chroot/etc")).status();
    assert!(bound.is_ok_and(|status| status.success()));
    std::fs::create_dir(at("sockets")).unwrap();
    std::fs::write(at("sockets/it"), "").unwrap();
    let bound = Command::new("mount").arg("--bind").arg(daemon.socket()).arg(at("sockets/it")).status();
    assert!(bound.is_ok_and(|status| status.success()));
    let node = Command::new("mknod").arg(at("backup")).args(["b", "8", "1"]).status();
    assert!(node.is_ok_and(|status| status.success()));
    // The bed takes away what is mounted beneath it.
    std::fs::create_dir(at("shared")).unwrap();
    for arguments in [["-t", "tmpfs", "none"].as_slice(), &["--make-shared"]] {
        assert!(Command::new("mount").args(arguments).arg(at("shared")).status().is_ok_and(|status| status.success()));
    }
    let (_, image) = daemon.request("GET", "/images/busybox:test/json", None);
    image["Id"].as_str().unwrap().to_owned()
}

/// Containers that run, and the same ones that were only created.
fn cases(daemon: &Daemon) -> Vec<Case<'static>> {
    let dir = daemon.dir().display().to_string();
    let host = |config: Value| json!({ "HostConfig": config });
    let bind = |bind: &str| json!({ "HostConfig": { "Binds": [bind.replace("{dir}", &dir)] } });
    let cap = |add: &str| json!({ "HostConfig": { "CapAdd": [add] } });
    let option = |option: &str| json!({ "HostConfig": { "SecurityOpt": ["no-new-privileges", option] } });
    let only = |option: &str| json!({ "HostConfig": { "SecurityOpt": [option] } });
    let restart = |name: &str, most: i64| json!({ "HostConfig": { "RestartPolicy": { "Name": name, "MaximumRetryCount": most } } });
    let publish = |port: &str, address: &str, at: &str| json!({ "ExposedPorts": { port: {} }, "HostConfig": { "NetworkMode": "quiet", "PortBindings": { port: [{ "HostIp": address, "HostPort": at }] } } });
    let log = |driver: &str, options: Value| {
        json!({ "HostConfig": { "LogConfig": null } })
            .as_object()
            .map(|_| json!({ "HostConfig": { "LogConfig": { "Type": driver, "Config": options } } }))
            .unwrap()
    };
    let seccomp = |condition: &str| {
        format!(
            r#"seccomp={{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["mount","ptrace","bpf","unshare"],"action":"SCMP_ACT_ERRNO",{condition}}}]}}"#
        )
    };
    let cpus = daemon.request("GET", "/info", None).1["NCPU"].as_i64().unwrap();
    const ADDED: &[(&str, &str)] =
        &[("no-added-capabilities", "fail"), ("no-dangerous-capabilities", "fail"), ("not-equal-to-root", "fail")];
    // Before Engine 25 read-only does not reach what is mounted beneath, such as control groups.
    let root = [SOCKET, &[("cgroups-read-only", "fail")]].concat().leak();
    let root: &[(&str, &str)] = if daemon.version() == Version::V20 { root } else { SOCKET };
    const SOCKET: &[(&str, &str)] =
        &[("no-sensitive-mounts", "fail"), ("no-runtime-socket", "fail"), ("not-equal-to-root", "fail")];
    const ONLY_SOCKET: &[(&str, &str)] = &[("no-runtime-socket", "fail"), ("not-equal-to-root", "fail")];
    const READS: &[(&str, &str)] = &[("no-sensitive-mounts", "fail")];
    const WRITES: &[(&str, &str)] = &[("no-sensitive-mounts", "fail"), ("not-equal-to-root", "fail")];
    const ROOT: &[(&str, &str)] = &[("non-root-user", "fail")];
    const NO_SECCOMP: &[(&str, &str)] = &[("seccomp", "fail")];
    const GAINS: &[(&str, &str)] = &[("no-new-privileges", "fail")];
    const ENDLESS: &[(&str, &str)] = &[("restart-bounded", "fail")];
    const NEEDED: (&str, &str) = ("only-needed-ports", "manual");
    const WIDE: &[(&str, &str)] = &[NEEDED, ("bound-interface", "fail")];
    const NO_CPU: &[(&str, &str)] = &[("cpu-limited", "fail")];
    const NO_PIDS: &[(&str, &str)] = &[("pids-limited", "fail")];
    const TAG: &[(&str, &str)] = &[("image-pinned", "fail")];
    let mut cases: Vec<Case<'static>> = vec![
        // Capabilities.
        ("cap-admin", cap("SYS_ADMIN"), ADDED),
        ("cap-lower", cap("sys_admin"), ADDED),
        ("cap-prefix", cap("CAP_SYS_ADMIN"), ADDED),
        ("cap-ptrace", cap("SYS_PTRACE"), &[("no-added-capabilities", "fail"), ("no-dangerous-capabilities", "fail")]),
        ("cap-time", cap("SYS_TIME"), &[("no-added-capabilities", "fail")]),
        ("cap-bind", cap("NET_BIND_SERVICE"), &[]),
        ("cap-raw", cap("net_raw"), &[("no-raw-sockets", "fail")]),
        ("cap-usual", host(json!({ "CapDrop": null })), &[("no-raw-sockets", "fail")]),
        ("cap-drop-lower", host(json!({ "CapDrop": ["all"] })), &[]),
        (
            "cap-ptrace-pid",
            host(json!({ "CapAdd": ["SYS_PTRACE"], "PidMode": "host" })),
            &[
                ("no-added-capabilities", "fail"),
                ("no-dangerous-capabilities", "fail"),
                ("own-pid-namespace", "fail"),
                ("not-equal-to-root", "fail"),
            ],
        ),
        // Mounts by their reach.
        ("mount-root", bind("/:/host:ro"), root),
        ("mount-run", bind("/run:/h:ro"), SOCKET),
        ("mount-var-run", bind("/var/run:/h"), SOCKET),
        ("mount-dots", bind("/run/../run:/h"), SOCKET),
        ("mount-own-socket", bind("{dir}/docker.sock:/var/run/docker.sock"), ONLY_SOCKET),
        ("mount-own-parent", bind("{dir}:/h:ro"), SOCKET),
        ("mount-link-root", bind("{dir}/to-root:/h:ro"), root),
        ("mount-link-run", bind("{dir}/to-run:/h:ro"), SOCKET),
        ("mount-link-data", bind("{dir}/to-data:/h"), &[]),
        ("mount-etc-ro", bind("/etc:/h:ro"), READS),
        ("mount-etc-again", bind("{dir}/etc-again:/h:ro"), READS),
        ("mount-etc-again-rw", bind("{dir}/etc-again/cron.d:/h"), WRITES),
        ("mount-opt", bind("/opt:/h:ro"), if Path::new("/opt/cni").exists() { READS } else { &[] }),
        ("mount-beneath", bind("{dir}/root-of-chroot:/h"), WRITES),
        ("mount-socket-again", bind("{dir}/sockets/it:/h"), ONLY_SOCKET),
        ("mount-socket-beneath", bind("{dir}/sockets:/h"), ONLY_SOCKET),
        ("volume-proc", bind("proc:/h"), WRITES),
        ("volume-sys", bind("sys:/h:ro"), READS),
        ("mount-engine-data", bind("{dir}/data/containers:/h:ro"), READS),
        ("mount-engine-data-rw", bind("{dir}/data/containers:/h"), WRITES),
        ("mount-etc", bind("/etc:/h"), WRITES),
        ("mount-proc", bind("/proc:/h:ro"), READS),
        ("mount-dev", bind("/dev:/h"), WRITES),
        ("mount-null", bind("/dev/null:/h"), &[]),
        ("mount-boot", bind("/boot:/h:ro"), READS),
        ("mount-localtime", bind("/etc/localtime:/etc/localtime:ro"), &[]),
        ("mount-timezone", bind("/etc/timezone:/etc/timezone:ro"), &[]),
        ("mount-data", bind("{dir}/plain-data/under:/h"), &[]),
        ("volume-plain", bind("plain:/h"), &[]),
        ("volume-new", json!({ "Volumes": { "/h": {} } }), &[]),
        ("volume-etc", bind("etc:/h:ro"), READS),
        ("volume-etc-rw", bind("etc:/h"), WRITES),
        ("volume-run", bind("run:/h"), SOCKET),
        (
            "mount-long",
            host(json!({ "Mounts": [{ "Type": "bind", "Source": "/usr", "Target": "/h", "ReadOnly": true }] })),
            READS,
        ),
        (
            "volume-inline",
            host(
                json!({ "Mounts": [{ "Type": "volume", "Source": "inline", "Target": "/h", "VolumeOptions": { "DriverConfig": {
                "Name": "local", "Options": { "type": "none", "o": "bind,ro", "device": "/etc" } } } }] }),
            ),
            WRITES,
        ),
        ("tmpfs", host(json!({ "Tmpfs": { "/tmp": "" } })), &[]),
        ("mount-slave", bind("{dir}/shared:/h:rslave"), &[]),
        ("mount-spread", bind("{dir}/shared:/h:rshared"), &[("no-shared-propagation", "fail")]),
        // Namespaces, also those of others.
        ("host-pid", host(json!({ "PidMode": "host" })), &[("own-pid-namespace", "fail")]),
        ("host-ipc", host(json!({ "IpcMode": "host" })), &[("own-ipc-namespace", "fail")]),
        ("host-uts", host(json!({ "UTSMode": "host" })), &[("own-uts-namespace", "fail")]),
        ("host-cgroup", host(json!({ "CgroupnsMode": "host" })), &[("own-cgroup-namespace", "fail")]),
        ("share-ipc", host(json!({ "IpcMode": "shareable" })), &[]),
        (
            "host-net",
            host(json!({ "NetworkMode": "host" })),
            &[
                ("own-network", "fail"),
                NEEDED,
                ("bound-interface", "not-applicable"),
                ("no-privileged-ports", "not-applicable"),
            ],
        ),
        (
            "join-net",
            host(json!({ "NetworkMode": "container:host-net" })),
            &[("own-network", "fail"), ("own-namespaces", "fail"), NEEDED],
        ),
        (
            "join-pid",
            host(json!({ "PidMode": "container:host-pid" })),
            &[("own-pid-namespace", "fail"), ("own-namespaces", "fail")],
        ),
        (
            "join-ipc",
            host(json!({ "IpcMode": "container:host-ipc" })),
            &[("own-ipc-namespace", "fail"), ("own-namespaces", "fail")],
        ),
        ("join-hard", host(json!({ "NetworkMode": "container:hard" })), &[("own-namespaces", "fail")]),
        ("host-users", host(json!({ "UsernsMode": "host" })), &[("user-namespace-kept", "fail")]),
        ("net-quiet", host(json!({ "NetworkMode": "quiet" })), &[]),
        ("net-bridge", host(json!({ "NetworkMode": "bridge" })), &[("not-on-default-bridge", "fail")]),
        ("net-default", host(json!({ "NetworkMode": "default" })), &[("not-on-default-bridge", "fail")]),
        (
            "join-bridge",
            host(json!({ "NetworkMode": "container:net-bridge" })),
            &[("own-namespaces", "fail"), ("not-on-default-bridge", "fail")],
        ),
        // What holds processes back.
        ("seccomp-off", option("seccomp=unconfined"), NO_SECCOMP),
        ("seccomp-off-colon", option("seccomp:unconfined"), NO_SECCOMP),
        ("seccomp-all", option(r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#), NO_SECCOMP),
        ("seccomp-log", option(r#"seccomp={"defaultAction":"SCMP_ACT_LOG","syscalls":[]}"#), NO_SECCOMP),
        (
            "seccomp-nearly-all",
            option(
                r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO"}]}"#,
            ),
            NO_SECCOMP,
        ),
        ("seccomp-elsewhere", option(&seccomp(r#""includes":{"arches":["s390x"]}"#)), NO_SECCOMP),
        (
            "seccomp-by-arguments",
            option(&seccomp(r#""args":[{"index":0,"value":4294967295,"op":"SCMP_CMP_EQ"}]"#)),
            NO_SECCOMP,
        ),
        ("seccomp-later", option(&seccomp(r#""includes":{"minKernel":"99.0"}"#)), NO_SECCOMP),
        ("seccomp-before", option(&seccomp(r#""includes":{"minKernel":"3.0"}"#)), &[]),
        ("seccomp-unless-admin", option(&seccomp(r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#)), &[]),
        (
            "seccomp-not-admin",
            over(&option(&seccomp(r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#)), &cap("SYS_ADMIN")),
            &[
                ("seccomp", "fail"),
                ("no-added-capabilities", "fail"),
                ("no-dangerous-capabilities", "fail"),
                ("not-equal-to-root", "fail"),
            ],
        ),
        (
            "seccomp-custom",
            option(
                r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount","ptrace","bpf","unshare","init_module"],"action":"SCMP_ACT_ERRNO"}]}"#,
            ),
            &[],
        ),
        ("apparmor-off", option("apparmor=unconfined"), &[]),
        ("gains", host(json!({ "SecurityOpt": null })), GAINS),
        ("gains-false", only("no-new-privileges:false"), GAINS),
        ("gains-equals", only("no-new-privileges=false"), GAINS),
        ("gains-not", only("no-new-privileges:true"), &[]),
        (
            "gains-itself",
            json!({ "Cmd": ["setpriv", "--nnp", "sleep", "3600"], "HostConfig": { "SecurityOpt": null } }),
            GAINS,
        ),
        ("gains-not-equals", only("no-new-privileges=true"), &[]),
        ("paths-open", host(json!({ "MaskedPaths": [], "ReadonlyPaths": [] })), &[("masked-paths", "fail")]),
        // Users.
        ("user-none", json!({ "User": "" }), ROOT),
        ("user-root", json!({ "User": "root" }), ROOT),
        ("user-zero", json!({ "User": "0" }), ROOT),
        ("user-zeros", json!({ "User": "0:0" }), ROOT),
        ("user-group", json!({ "User": ":1000" }), ROOT),
        ("user-number", json!({ "User": "1000" }), &[]),
        ("user-root-group", json!({ "User": "1000:0" }), &[]),
        ("user-name", json!({ "User": "sailor" }), &[]),
        (
            "user-toor",
            json!({ "User": "toor", "Image": "names:1" }),
            &[("non-root-user", "fail"), ("image-pinned", "fail")],
        ),
        ("user-app", json!({ "User": "app", "Image": "names:1" }), TAG),
        ("groups-zeros", host(json!({ "GroupAdd": ["00"] })), &[("no-powerful-groups", "fail")]),
        ("groups", host(json!({ "GroupAdd": ["0"] })), &[("no-powerful-groups", "fail")]),
        // Limits.
        (
            "memory-none",
            host(json!({ "Memory": 0, "MemorySwap": 0 })),
            &[("memory-limited", "fail"), ("swap-limited", "not-applicable")],
        ),
        (
            "memory-beyond",
            host(json!({ "Memory": 1i64 << 50, "MemorySwap": 1i64 << 50 })),
            &[("memory-limited", "fail"), ("swap-limited", "not-applicable")],
        ),
        ("swap-free", host(json!({ "MemorySwap": -1 })), &[("swap-limited", "fail")]),
        ("swap-twice", host(json!({ "MemorySwap": 0 })), &[]),
        ("cpu-none", host(json!({ "CpuShares": 0 })), NO_CPU),
        ("cpu-shares-usual", host(json!({ "CpuShares": 1024 })), NO_CPU),
        ("cpu-quota", host(json!({ "CpuShares": 0, "NanoCpus": 500_000_000 })), &[]),
        ("cpu-period", host(json!({ "CpuShares": 0, "CpuQuota": 50_000, "CpuPeriod": 100_000 })), &[]),
        ("cpu-quota-of-all", host(json!({ "CpuShares": 0, "NanoCpus": cpus * 1_000_000_000 })), NO_CPU),
        ("cpu-set", host(json!({ "CpuShares": 0, "CpusetCpus": "0" })), &[]),
        ("pids-zero", host(json!({ "PidsLimit": 0 })), NO_PIDS),
        ("pids-minus", host(json!({ "PidsLimit": -1 })), NO_PIDS),
        ("pids-none", host(json!({ "PidsLimit": null })), NO_PIDS),
        ("ulimits-none", host(json!({ "Ulimits": null })), &[("ulimits", "manual")]),
        ("oom", host(json!({ "OomKillDisable": true })), &[("oom-kill-kept", "fail")]),
        ("parent", host(json!({ "CgroupParent": "/elsewhere" })), &[("default-cgroup", "fail")]),
        // Restarts.
        ("restart-none", host(json!({ "RestartPolicy": null })), &[]),
        ("restart-no", restart("no", 0), &[]),
        ("restart-one", restart("on-failure", 1), &[]),
        ("restart-endless", restart("on-failure", 0), ENDLESS),
        ("restart-six", restart("on-failure", 6), ENDLESS),
        ("restart-always", restart("always", 0), ENDLESS),
        ("restart-stopped", restart("unless-stopped", 0), ENDLESS),
        // Ports.
        ("port-any", publish("80/tcp", "", "8080"), WIDE),
        ("port-four", publish("80/tcp", "0.0.0.0", "8081"), WIDE),
        ("port-local", publish("80/tcp", "127.0.0.1", "8083"), &[NEEDED]),
        ("port-low", publish("80/tcp", "127.0.0.1", "80"), &[NEEDED, ("no-privileged-ports", "fail")]),
        ("port-udp", publish("53/udp", "127.0.0.1", "53"), &[NEEDED, ("no-privileged-ports", "fail")]),
        ("port-range", publish("80/tcp", "127.0.0.1", "1020-1023"), &[NEEDED, ("no-privileged-ports", "fail")]),
        ("port-high-range", publish("80/tcp", "127.0.0.1", "9000-9010"), &[NEEDED]),
        (
            "port-all",
            json!({ "ExposedPorts": { "80/tcp": {} }, "HostConfig": { "NetworkMode": "quiet", "PublishAllPorts": true } }),
            WIDE,
        ),
        ("port-exposed", json!({ "ExposedPorts": { "80/tcp": {} } }), &[]),
        // Files, health, logs, devices, the rest.
        (
            "writable",
            host(json!({ "ReadonlyRootfs": false })),
            &[("read-only-root", "fail"), ("files-unchanged", "manual")],
        ),
        (
            "health-none",
            json!({ "Healthcheck": { "Test": ["NONE"] } }),
            &[("healthy", "fail"), ("reports-healthy", "not-applicable")],
        ),
        (
            "health-missing",
            json!({ "Healthcheck": null }),
            &[("healthy", "fail"), ("reports-healthy", "not-applicable")],
        ),
        ("health-shell", json!({ "Healthcheck": { "Test": ["CMD-SHELL", "true"] } }), &[]),
        ("log-endless", log("json-file", json!(null)), &[("log-bounded", "fail")]),
        ("log-none", log("none", json!(null)), &[]),
        ("log-local", log("local", json!(null)), &[]),
        (
            "device-null",
            host(
                json!({ "Devices": [{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm" }] }),
            ),
            &[("no-host-devices", "fail")],
        ),
        (
            "links",
            host(json!({ "Links": ["net-bridge:other"], "NetworkMode": "bridge" })),
            &[("no-links", "fail"), ("not-on-default-bridge", "fail")],
        ),
        ("sysctls", host(json!({ "Sysctls": { "net.core.somaxconn": "1024" } })), &[("no-sysctls", "manual")]),
        ("image-tag", json!({ "Image": "busybox:test" }), TAG),
        ("image-latest", json!({ "Image": "busybox" }), &[("image-pinned", "fail"), ("image-not-latest", "fail")]),
        ("env-secret", json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] }), &[("no-env-secrets", "fail")]),
        ("env-plain", json!({ "Env": ["PORT=80", "PASSWORD_FILE=/run/secrets/db"] }), &[]),
        (
            "label-secret",
            json!({ "Labels": { "api.token": "c2VjcmV0c2VjcmV0MTIz" } }),
            &[("no-config-secrets", "fail")],
        ),
        (
            "cmd-secret",
            json!({ "Cmd": ["sh", "-c", "exec sleep 3600 # --password=hunter2hunter2"] }),
            &[("no-config-secrets", "fail")],
        ),
        (
            "health-secret",
            json!({ "Healthcheck": { "Test": ["CMD", "curl", "http://user:hunter2hunter2@127.0.0.1/"] } }),
            &[("no-config-secrets", "fail")],
        ),
    ];
    // The bed gives Engine 29 a containerd of its own, whose socket is called as its configuration says.
    if daemon.dir().join("containerd/c.sock").exists() {
        cases.push(("mount-containerd", bind("{dir}/containerd/c.sock:/h"), ONLY_SOCKET));
    }
    cases
}

/// Containers that this machine cannot start.
fn idle_cases(daemon: &Daemon) -> Vec<Case<'static>> {
    let node = daemon.dir().join("backup").display().to_string();
    let host = |config: Value| json!({ "HostConfig": config });
    const ALL: &[(&str, &str)] = &[
        ("no-added-capabilities", "fail"),
        ("no-dangerous-capabilities", "fail"),
        ("no-raw-sockets", "fail"),
        ("not-equal-to-root", "fail"),
    ];
    const DISK: &[(&str, &str)] =
        &[("no-host-devices", "fail"), ("no-raw-devices", "fail"), ("not-equal-to-root", "fail")];
    const OPENED_NOT: &[(&str, &str)] = &[("no-host-devices", "fail")];
    let device = |path: &str, how: &str| {
        host(json!({ "Devices": [{ "PathOnHost": path, "PathInContainer": "/dev/x", "CgroupPermissions": how }] }))
    };
    const EVERY: &[(&str, &str)] = &[
        ("no-host-devices", "fail"),
        ("no-raw-devices", "fail"),
        ("no-all-devices", "fail"),
        ("not-equal-to-root", "fail"),
    ];
    vec![
        (
            "privileged",
            host(json!({ "Privileged": true })),
            &[
                ("unprivileged", "fail"),
                ("no-added-capabilities", "fail"),
                ("no-dangerous-capabilities", "fail"),
                ("no-raw-sockets", "fail"),
                ("not-equal-to-root", "fail"),
                ("seccomp", "fail"),
                ("masked-paths", "fail"),
                ("cgroups-read-only", "fail"),
                ("no-host-devices", "fail"),
                ("no-all-devices", "fail"),
                ("no-raw-devices", "fail"),
            ],
        ),
        ("cap-all", host(json!({ "CapAdd": ["ALL"], "CapDrop": null })), ALL),
        ("cap-all-lower", host(json!({ "CapAdd": ["all"], "CapDrop": null })), ALL),
        (
            "device-disk",
            host(
                json!({ "Devices": [{ "PathOnHost": "/dev/vda", "PathInContainer": "/dev/x", "CgroupPermissions": "r" }] }),
            ),
            DISK,
        ),
        (
            "device-named",
            host(json!({ "Devices": [{ "PathOnHost": node, "PathInContainer": "/dev/x", "CgroupPermissions": "r" }] })),
            DISK,
        ),
        ("device-unopened", device("/dev/vda", "m"), OPENED_NOT),
        ("device-kmsg", device("/dev/kmsg", "r"), OPENED_NOT),
        ("device-control", device("/dev/mapper/control", "rwm"), OPENED_NOT),
        ("rule-all", host(json!({ "DeviceCgroupRules": ["a *:* rwm"] })), EVERY),
        ("rule-disks", host(json!({ "DeviceCgroupRules": ["b 8:* rwm"] })), DISK),
        ("rule-harmless", host(json!({ "DeviceCgroupRules": ["c 1:3 rwm"] })), &[("no-host-devices", "fail")]),
        ("mount-shared", host(json!({ "Binds": ["/srv:/h:rshared"] })), &[("no-shared-propagation", "fail")]),
        (
            "mount-shared-long",
            host(
                json!({ "Mounts": [{ "Type": "bind", "Source": "/srv", "Target": "/h", "BindOptions": { "Propagation": "shared" } }] }),
            ),
            &[("no-shared-propagation", "fail")],
        ),
        (
            "join-idle",
            host(json!({ "NetworkMode": "container:host-net-idle", "PidMode": "container:host-pid-idle" })),
            &[
                ("own-network", "fail"),
                ("own-pid-namespace", "fail"),
                ("own-namespaces", "fail"),
                ("only-needed-ports", "manual"),
            ],
        ),
    ]
}
