//! Containers of a real engine, seen from the host: what was asked for is what is in effect.

use std::path::Path;

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_collect::effect::namespaces::Namespace;
use seaworthy_collect::effect::status::Seccomp;
use seaworthy_collect::effect::{Lsms, Observation, Proc, Target, caps};
use seaworthy_collect::host::root::Unread;
use serde_json::{Value, json};

fn look(daemon: &Daemon, proc: &Proc, id: &str) -> Result<Observation, Unread> {
    let inspect = daemon.inspect(id);
    let pid = inspect["State"]["Pid"].as_u64().and_then(|p| u32::try_from(p).ok()).unwrap();
    let id = inspect["Id"].as_str().unwrap();
    proc.observe(Target { pid, id, started_at: None })
}

fn container(host_config: &Value, cmd: &Value) -> Value {
    json!({ "Image": "busybox:test", "Cmd": cmd, "HostConfig": host_config })
}

#[test]
fn what_was_asked_for_is_seen_in_effect() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    daemon.import_busybox("busybox:test");
    let proc = Proc::open(Path::new("/"), Lsms::Known(Vec::new()), None).unwrap();
    let sleep = json!(["sleep", "3600"]);

    let plain = daemon.run("plain", &container(&json!({}), &sleep));
    let seen = look(&daemon, &proc, &plain).unwrap();
    let status = seen.init.status.value.as_ref().unwrap();
    assert_eq!(status.effective, caps::DOCKER_DEFAULT & proc.host_bounding().value.unwrap());
    assert_eq!((status.seccomp, status.no_new_privileges), (Some(Seccomp::Filter), Some(false)));
    assert_eq!(seen.root_read_only(), Ok(false));
    assert_eq!(seen.shares_with_host(Namespace::Pid, &proc), Ok(false));
    assert_eq!(seen.limits.as_ref().unwrap().memory_max.ok().unwrap().own, None);

    let tight = json!({
        "Memory": 64 << 20, "PidsLimit": 50, "NanoCpus": 500_000_000, "ReadonlyRootfs": true, "PidMode": "host",
        "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
    });
    let tight = daemon.run("tight", &container(&tight, &sleep));
    let seen = look(&daemon, &proc, &tight).unwrap();
    let status = seen.init.status.value.as_ref().unwrap();
    assert_eq!((status.effective, status.bounding), (0, 0));
    assert_eq!((status.seccomp, status.no_new_privileges), (Some(Seccomp::Disabled), Some(true)));
    assert_eq!(seen.root_read_only(), Ok(true));
    assert_eq!(seen.shares_with_host(Namespace::Pid, &proc), Ok(true));
    let limits = seen.limits.as_ref().unwrap();
    assert_eq!(limits.memory_max.ok().unwrap().effective, Some(64 << 20));
    assert_eq!(limits.pids_max.ok().unwrap().effective, Some(50));
    assert_eq!(limits.cpu_quota.value.as_ref().unwrap().unwrap().milli_cpus(), 500);
}

#[test]
fn other_processes_listeners_and_paused_ones_are_seen_and_dead_ones_are_unknown() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    daemon.import_busybox("busybox:test");
    let proc = Proc::open(Path::new("/"), Lsms::Known(Vec::new()), None).unwrap();
    let script = json!(["sh", "-c", "nc -l -p 22 -e cat & nc -l -p 22; sleep 3600"]);
    let web = daemon.run("web", &container(&json!({}), &script));

    let listens =
        |o: &Observation| o.processes().any(|p| p.listeners.ok().is_some_and(|l| l.iter().any(|l| l.port == 22)));
    // The shell takes a moment to start them.
    let seen = (0..100)
        .find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            look(&daemon, &proc, &web).ok().filter(listens)
        })
        .expect("the listener on port 22 was never seen");
    assert!(seen.incomplete.is_none() && !seen.others.ok().unwrap().is_empty());

    assert_eq!(daemon.request("POST", &format!("/containers/{web}/pause"), None).0, 204);
    assert!(look(&daemon, &proc, &web).is_ok_and(|o| listens(&o)));
    assert_eq!(daemon.request("POST", &format!("/containers/{web}/unpause"), None).0, 204);

    let pid = seen.init.pid;
    assert_eq!(daemon.request("POST", &format!("/containers/{web}/kill"), None).0, 204);
    let id = daemon.inspect(&web)["Id"].as_str().unwrap().to_owned();
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        proc.observe(Target { pid, id: &id, started_at: None }).is_err()
    });
    assert!(gone);
}
