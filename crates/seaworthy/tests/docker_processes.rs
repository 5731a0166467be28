//! What happens in containers of real engines after their start: commands by exec, SSH servers, pauses and ends, limits
//! that were changed behind the engine's back; and what an ordinary user cannot see of it.

mod verdicts;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use seaworthy_bed::{ContextFile, Daemon, Spec, Version};
use serde_json::{Value, json};
use verdicts::{Report, Wrong};

#[test]
fn processes_of_engine_20_are_seen() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    judge(&daemon);
}

#[test]
fn processes_of_engine_29_are_seen() {
    let Some(daemon) = Daemon::require(Version::V29, Spec::default()) else { return };
    judge(&daemon);
}

const ROOT_EXEC: &str = "container/no-root-exec";
const SSH: &str = "container/no-ssh-server";

fn judge(daemon: &Daemon) {
    let busybox = std::fs::read("/bin/busybox").unwrap();
    daemon.import_busybox("busybox:test");
    daemon.build(
        "ssh:1",
        "FROM busybox:test\nCOPY passwd /etc/passwd\nCOPY sshd script /sbin/\nRUN mkdir /x && mv /sbin/script /x/sshd\n",
        &[
            ContextFile::new("passwd", b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"),
            ContextFile { path: "sshd", mode: 0o755, bytes: &busybox },
            ContextFile { path: "script", mode: 0o755, bytes: b"#!/bin/sh\nsleep 3600\n" },
        ],
    );
    let mut expected = execs(daemon);
    expected.extend(servers(daemon));
    behind_the_back(daemon);
    let ended = daemon.run("ended", &container(&["sleep", "3600"], "1000"));
    daemon.request("POST", &format!("/containers/{ended}/kill"), None);
    until("ended", || daemon.inspect(&ended)["State"]["Status"] == "exited");

    let report = Report::of(daemon, &[]);
    let mut wrong = Wrong::default();
    for (name, check, verdict) in &expected {
        wrong.expect(&report, name, check, verdict);
    }
    for check in ["memory-limited", "pids-limited", "cpu-limited"] {
        wrong.expect(&report, "loosened", &format!("container/{check}"), "fail");
        wrong.expect(&report, "tight", &format!("container/{check}"), "pass");
        wrong.expect(&report, "tightened", &format!("container/{check}"), "pass");
    }
    wrong.expect(&report, "ended", SSH, "not-applicable");
    wrong.expect(&report, "ended", "container/non-root-user", "pass");
    ordinary_user(daemon, &mut wrong);
    elsewhere(daemon, &mut wrong);
    wrong.finish(daemon.version().name());
}

fn container(command: &[&str], user: &str) -> Value {
    json!({ "Image": "ssh:1", "Cmd": command, "User": user })
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < patience, "{what} never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

type Expected = (&'static str, &'static str, &'static str);

/// Commands that were started in a container of a user, and of root.
fn execs(daemon: &Daemon) -> Vec<Expected> {
    const NONE: &str = "";
    let cases = [
        ("exec-none", "1000", None, "pass"),
        ("exec-same", "1000", Some(NONE), "pass"),
        ("exec-zero", "1000", Some("0"), "fail"),
        ("exec-root", "1000", Some("root"), "fail"),
        ("exec-toor", "1000", Some("toor"), "fail"),
        ("exec-app", "1000", Some("app"), "pass"),
        ("exec-number", "1000", Some("5:0"), "pass"),
        ("root-same", "", Some(NONE), "pass"),
        ("root-root", "", Some("root"), "fail"),
        ("root-app", "", Some("app"), "pass"),
    ];
    for (name, user, exec, _) in cases {
        let id = daemon.run(name, &container(&["sleep", "3600"], user));
        if let Some(user) = exec {
            start_exec(daemon, &id, &json!({ "Cmd": ["sleep", "3600"], "User": user }));
        }
    }
    let id = daemon.run("exec-privileged", &container(&["sleep", "3600"], "1000"));
    let exec = json!({ "Cmd": ["sleep", "3600"], "Privileged": true });
    // It may fail to start where this machine lacks a capability; the engine knows it all the same.
    let (status, answer) = daemon.request("POST", &format!("/containers/{id}/exec"), Some(&exec));
    assert_eq!(status, 201, "{answer}");
    let mut out: Vec<Expected> = cases.iter().map(|(name, _, _, verdict)| (*name, ROOT_EXEC, *verdict)).collect();
    out.push(("exec-none", "container/no-privileged-exec", "pass"));
    out.push(("exec-root", "container/no-privileged-exec", "pass"));
    out.push(("exec-privileged", "container/no-privileged-exec", "fail"));
    out
}

fn start_exec(daemon: &Daemon, id: &str, exec: &Value) {
    let (status, answer) = daemon.request("POST", &format!("/containers/{id}/exec"), Some(exec));
    assert_eq!(status, 201, "{answer}");
    let exec = answer["Id"].as_str().unwrap().to_owned();
    let (status, answer) = daemon.request("POST", &format!("/exec/{exec}/start"), Some(&json!({ "Detach": true })));
    assert_eq!(status, 200, "{answer}");
}

/// SSH servers by their executable or their port, and what only has the name.
fn servers(daemon: &Daemon) -> Vec<Expected> {
    let binary = ["sh", "-c", "exec -a sleep /sbin/sshd 3600"];
    let behind = ["sh", "-c", "(exec -a sleep /sbin/sshd 3600) & sleep 3600"];
    let cases: [(&'static str, &[&str], &'static str); 7] = [
        ("ssh-none", &["sleep", "3600"], "pass"),
        ("ssh-binary", &binary, "fail"),
        ("ssh-behind", &behind, "fail"),
        ("ssh-paused", &behind, "fail"),
        ("ssh-script", &["/x/sshd"], "pass"),
        ("ssh-port", &["nc", "-l", "-p", "22", "-e", "cat"], "fail"),
        ("other-port", &["nc", "-l", "-p", "2222", "-e", "cat"], "pass"),
    ];
    for (name, command, _) in &cases {
        let id = daemon.run(name, &container(command, "0"));
        if matches!(*name, "ssh-behind" | "ssh-paused") {
            until(name, || {
                let (_, top) = daemon.request("GET", &format!("/containers/{id}/top"), None);
                top["Processes"].as_array().is_some_and(|all| all.len() == 3 || all.len() == 2)
            });
        }
        if *name == "ssh-paused" {
            assert_eq!(daemon.request("POST", &format!("/containers/{id}/pause"), None).0, 204);
        }
    }
    daemon.create("ssh-created", &container(&["/sbin/sshd"], "0"));
    let mut out: Vec<Expected> = cases.iter().map(|(name, _, verdict)| (*name, SSH, *verdict)).collect();
    out.push(("ssh-created", SSH, "not-applicable"));
    out
}

/// Limits that were given, taken away in the control group, and given there only.
fn behind_the_back(daemon: &Daemon) {
    let limits = json!({ "Memory": 64 << 20, "MemorySwap": 128 << 20, "PidsLimit": 50, "CpuShares": 512 });
    let with = |limits: &Value| json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "User": "1000", "HostConfig": limits });
    daemon.run("tight", &with(&limits));
    let loosened = daemon.run("loosened", &with(&limits));
    let tightened = daemon.run("tightened", &with(&json!({})));
    let second = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let loose: &[(&str, &str, &str)] = if second {
        &[("", "memory.max", "max"), ("", "pids.max", "max"), ("", "cpu.weight", "100")]
    } else {
        &[
            ("memory", "memory.memsw.limit_in_bytes", "-1"),
            ("memory", "memory.limit_in_bytes", "-1"),
            ("pids", "pids.max", "max"),
            ("cpu", "cpu.shares", "1024"),
        ]
    };
    let tight: &[(&str, &str, &str)] = if second {
        &[("", "memory.max", "67108864"), ("", "pids.max", "40"), ("", "cpu.weight", "10")]
    } else {
        &[("memory", "memory.limit_in_bytes", "67108864"), ("pids", "pids.max", "40"), ("cpu", "cpu.shares", "100")]
    };
    for (id, changes) in [(&loosened, loose), (&tightened, tight)] {
        let pid = &daemon.inspect(id)["State"]["Pid"];
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        for (controller, file, value) in changes {
            let is_it = |line: &&str| line.split(':').nth(1).is_some_and(|c| c.split(',').any(|c| c == *controller));
            let path = groups.lines().find(is_it).and_then(|line| line.splitn(3, ':').nth(2)).unwrap();
            std::fs::write(format!("/sys/fs/cgroup/{controller}{path}/{file}"), value)
                .unwrap_or_else(|error| panic!("{controller}{path}/{file}: {error}"));
        }
    }
}

/// Who may use the socket and nothing else sees less, and what he does not see is unknown.
fn ordinary_user(daemon: &Daemon, wrong: &mut Wrong) {
    for path in [daemon.dir().to_path_buf(), daemon.socket()] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // The program may lie where others cannot go.
    let program = daemon.dir().join("seaworthy");
    seaworthy_bed::copy_program(std::path::Path::new(env!("CARGO_BIN_EXE_seaworthy")), &program);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.args(["audit", "--docker", &daemon.host(), "-f", "json", "--timeout", "60"]);
    let report = Report::run(command);
    for name in ["ssh-none", "ssh-script", "ssh-binary", "ssh-paused"] {
        wrong.expect(&report, name, SSH, "unknown");
    }
    wrong.expect(&report, "ssh-created", SSH, "not-applicable");
    wrong.expect(&report, "exec-zero", ROOT_EXEC, "fail");
}

/// An engine of another machine says what is configured; what only processes show is unknown.
fn elsewhere(daemon: &Daemon, wrong: &mut Wrong) {
    let proxy = Proxy::to(daemon);
    let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    command.args(["audit", "--docker", &proxy.host, "-f", "json", "--timeout", "60"]);
    let report = Report::run(command);
    for name in ["ssh-none", "ssh-binary"] {
        wrong.expect(&report, name, SSH, "unknown");
    }
    wrong.expect(&report, "exec-toor", ROOT_EXEC, "unknown");
    wrong.expect(&report, "exec-zero", ROOT_EXEC, "fail");
    wrong.expect(&report, "tight", "container/memory-limited", "pass");
    wrong.expect(&report, "tightened", "container/memory-limited", "fail");
}

/// A TCP port on loopback that leads to an engine's socket.
struct Proxy {
    host: String,
}

impl Proxy {
    fn to(daemon: &Daemon) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let socket = daemon.socket();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(engine) = std::os::unix::net::UnixStream::connect(&socket) else { return };
                let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let (mut from, mut to) = (engine, client);
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        });
        Self { host }
    }
}
