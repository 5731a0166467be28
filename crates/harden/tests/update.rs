//! `docker update` on real engines: what the engine shows, what the kernel limits, and the way back.

use std::fs;
use std::path::PathBuf;

use seaworthy_bed::{Bridge, Daemon, Spec, Version};
use seaworthy_core::plan::{Action, ContainerRef, SetField, Update};
use seaworthy_harden::act::{Act, Effect, Refusal, Undone, act};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::files::Keep;
use seaworthy_harden::host::Host;
use serde_json::{Value, json};

const MIB: i64 = 1 << 20;
/// As the kernel has a container without limits.
const NONE: [&str; 4] = ["none", "none", "max", "none"];

fn engines() -> impl Iterator<Item = Daemon> {
    [Version::V20, Version::V29].into_iter().filter_map(|version| {
        let daemon = Daemon::require(version, Spec { bridge: Bridge::None, ..Spec::default() })?;
        daemon.import_busybox("busybox:test");
        Some(daemon)
    })
}

fn host(daemon: &Daemon) -> Host {
    let engine = Some(Engine::at(&daemon.socket()).unwrap());
    Host { root: "/".into(), engine, daemon: None, transaction: "0".into() }
}

fn keep() -> Keep {
    Keep::at(&PathBuf::from("/nowhere"))
}

fn run(daemon: &Daemon, name: &str, limits: &Value) -> String {
    daemon.run(name, &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "HostConfig": limits }))
}

fn update(id: &str, set: &[(&str, Value, Value)]) -> Action {
    let field = |(field, before, after): &(&str, Value, Value)| SetField {
        field: (*field).to_owned(),
        before: before.clone(),
        after: after.clone(),
        why: "the user's".into(),
    };
    let container = ContainerRef { id: id.into(), name: "web".into() };
    Action::Update(Update { container, compose: None, set: set.iter().map(field).collect() })
}

fn host_config(daemon: &Daemon, id: &str, name: &str) -> Value {
    daemon.inspect(id)["HostConfig"][name].clone()
}

/// The container's control group for a controller, and whether it is of version 2.
fn group(daemon: &Daemon, id: &str, controller: &str) -> (PathBuf, bool) {
    let pid = daemon.inspect(id)["State"]["Pid"].as_u64().unwrap();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.splitn(3, ':').skip(1).collect()).collect();
    let Some(line) = lines.iter().find(|line| line[0].split(',').any(|c| c == controller)) else {
        let line = lines.iter().find(|line| line[0].is_empty()).unwrap();
        return (PathBuf::from(format!("/sys/fs/cgroup{}", line[1])), true);
    };
    let mounts = [line[0], controller].map(|mount| PathBuf::from(format!("/sys/fs/cgroup/{mount}{}", line[1])));
    (mounts.into_iter().find(|dir| dir.is_dir()).unwrap(), false)
}

/// Memory, memory with swap, processes, and microseconds of CPU time in a tenth of a second, as the kernel has them.
fn limits(daemon: &Daemon, id: &str) -> [String; 4] {
    let read = |controller: &str, old: &str, new: &str| {
        let (dir, unified) = group(daemon, id, controller);
        let text = fs::read_to_string(dir.join(if unified { new } else { old })).unwrap();
        (text.trim().to_owned(), unified)
    };
    let finite = |text: &str| text.parse::<u64>().ok().filter(|n| *n < 1 << 60);
    let (memory, _) = read("memory", "memory.limit_in_bytes", "memory.max");
    let (swap, alone) = read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    let (memory, swap) = (finite(&memory), finite(&swap));
    let both = if alone { memory.zip(swap).map(|(memory, swap)| memory + swap) } else { swap };
    // Without a limit of memory, none of swap may be left.
    assert!(memory.is_some() || swap.is_none(), "{memory:?} {swap:?}");
    let (quota, _) = read("cpu", "cpu.cfs_quota_us", "cpu.max");
    let (period, unified) = read("cpu", "cpu.cfs_period_us", "cpu.max");
    let quota = quota.split(' ').next().unwrap().parse::<i64>().ok().filter(|n| *n > 0);
    let period: i64 = if unified { period.rsplit(' ').next() } else { Some(&*period) }.unwrap().parse().unwrap();
    let text = |limit: Option<u64>| limit.map_or("none".to_owned(), |n| n.to_string());
    let quota = quota.map(|quota| (quota * 100_000 / period).unsigned_abs());
    [text(memory), text(both), read("pids", "pids.max", "pids.max").0, text(quota)]
}

/// The kernel's own words for the limit of memory: what was never limited and what is unlimited again look the same.
fn memory(daemon: &Daemon, id: &str) -> String {
    let (dir, unified) = group(daemon, id, "memory");
    fs::read_to_string(dir.join(if unified { "memory.max" } else { "memory.limit_in_bytes" })).unwrap()
}

/// Checks, prepares, applies and verifies; returns what the journal has.
fn carry_out(change: &dyn Act, host: &Host) -> Value {
    change.check(host).unwrap();
    let undo = change.prepare(host, &mut keep()).unwrap();
    assert!(change.verify(host, &undo).is_err(), "nothing was done yet");
    assert_eq!(change.undo(host, &keep(), &undo).unwrap(), Undone::Nothing);
    change.apply(host, &undo).unwrap();
    change.apply(host, &undo).unwrap();
    assert_eq!(change.verify(host, &undo).unwrap(), Effect::InEffect);
    undo
}

#[test]
fn every_field_is_in_effect_and_given_back() {
    for daemon in engines() {
        let host = host(&daemon);
        let id = run(&daemon, "web", &json!({}));
        let was = limits(&daemon, &id);
        let in_words = memory(&daemon, &id);
        assert_eq!([&was[0], &was[1], &was[3]], ["none"; 3]);
        let set = |pids: Value| {
            let memory = ("memory", Value::Null, json!(64 * MIB));
            let restart = ("restart", json!("no"), json!("on-failure:5"));
            update(&id, &[memory, ("pids-limit", pids, json!(50)), ("cpus", Value::Null, json!(500)), restart])
        };
        let action = set(Value::Null);
        let change = act(&action).unwrap();
        let undo = carry_out(&*change, &host);
        assert_eq!(limits(&daemon, &id), ["67108864", "67108864", "50", "50000"]);
        assert_eq!(host_config(&daemon, &id, "RestartPolicy"), json!({ "Name": "on-failure", "MaximumRetryCount": 5 }));
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Nothing);
        assert!(change.verify(&host, &undo).is_err());
        assert_eq!(limits(&daemon, &id), was);
        assert_eq!(memory(&daemon, &id), in_words);
        assert_eq!(host_config(&daemon, &id, "RestartPolicy")["Name"], "no");
        // It starts again without limits, can be limited again, and by others.
        assert_eq!(daemon.request("POST", &format!("/containers/{id}/restart?t=0"), None).0, 204);
        assert_eq!(limits(&daemon, &id), was);
        assert_eq!(memory(&daemon, &id), in_words);
        // Under systemd its own limit of processes is configured by now.
        let pids = host_config(&daemon, &id, "PidsLimit");
        let action = set(if pids == json!(0) { Value::Null } else { pids });
        let change = act(&action).unwrap();
        let undo = carry_out(&*change, &host);
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
        let theirs = json!({ "NanoCpus": 1_000_000_000, "Memory": 64 * MIB, "MemorySwap": 64 * MIB });
        assert_eq!(daemon.request("POST", &format!("/containers/{id}/update"), Some(&theirs)).0, 200);
        // Whoever changed it since is left alone, field by field.
        let Undone::Drifted(named) = change.undo(&host, &keep(), &undo).unwrap() else { panic!("drifted") };
        assert!(named.len() == 1 && named[0].starts_with("cpus of container \"web\": 1000"), "{named:?}");
    }
}

#[test]
fn limits_that_were_there_come_back_as_they_were() {
    for daemon in engines() {
        let host = host(&daemon);
        for (name, config, before) in [
            ("twice", json!({ "Memory": 512 * MIB, "PidsLimit": 300, "NanoCpus": 2_000_000_000 }), json!(2000)),
            (
                "open",
                json!({ "Memory": 512 * MIB, "MemorySwap": -1, "PidsLimit": 300, "CpuQuota": 20_000 }),
                json!(200),
            ),
            (
                "half",
                json!({ "Memory": 32 * MIB, "MemorySwap": 48 * MIB, "PidsLimit": 20,
                "CpuPeriod": 50_000, "CpuQuota": 20_000 }),
                json!(400),
            ),
        ] {
            let id = run(&daemon, name, &config);
            let was = (limits(&daemon, &id), daemon.inspect(&id)["HostConfig"].clone());
            let set = [
                ("memory", config["Memory"].clone(), json!(64 * MIB)),
                ("pids-limit", config["PidsLimit"].clone(), json!(100)),
                ("cpus", before, json!(1000)),
            ];
            let action = update(&id, &set);
            let change = act(&action).unwrap();
            let undo = carry_out(&*change, &host);
            assert_eq!(limits(&daemon, &id), ["67108864", "67108864", "100", "100000"], "{name}");
            assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
            assert_eq!((limits(&daemon, &id), daemon.inspect(&id)["HostConfig"].clone()), was, "{name}");
        }
    }
}

#[test]
fn a_stopped_container_is_configured() {
    for daemon in engines() {
        let host = host(&daemon);
        let id = daemon.create("web", &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
        let action = update(&id, &[("memory", Value::Null, json!(64 * MIB)), ("pids-limit", Value::Null, json!(50))]);
        let change = act(&action).unwrap();
        let undo = carry_out(&*change, &host);
        // Started and undone while it runs.
        daemon.start_container(&id);
        assert_eq!(limits(&daemon, &id), ["67108864", "67108864", "50", "none"]);
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
        assert_eq!(limits(&daemon, &id), NONE);
    }
}

#[test]
fn what_the_engine_ignores_is_found_out() {
    for daemon in engines() {
        let host = host(&daemon);
        let id = run(&daemon, "web", &json!({}));
        let was = limits(&daemon, &id);
        let action = update(&id, &[("pids-limit", Value::Null, json!(50)), ("memory", Value::Null, json!(64 * MIB))]);
        let change = act(&action).unwrap();
        let undo = change.prepare(&host, &mut keep()).unwrap();
        // The limit of processes is one of the fields that some API answers with 200 and ignores: those before 1.40,
        // which engine 29 no longer speaks. There a zero is what it ignores.
        let body = match daemon.version() {
            Version::V20 => json!({ "PidsLimit": 50, "Memory": 64 * MIB, "MemorySwap": 64 * MIB }),
            Version::V29 => json!({ "PidsLimit": 50, "Memory": 0, "MemorySwap": 0 }),
        };
        let api = if daemon.version() == Version::V20 { "/v1.39" } else { "" };
        let (status, answer) = daemon.request("POST", &format!("{api}/containers/{id}/update"), Some(&body));
        assert_eq!(status, 200, "{answer}");
        let ignored = if daemon.version() == Version::V20 { "pids-limit" } else { "memory" };
        let failure = change.verify(&host, &undo).unwrap_err();
        assert!(failure.0.starts_with(ignored) && failure.0.contains("ignored"), "{failure}");
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
        assert_eq!(limits(&daemon, &id), was);
        // And what the engine shows while the kernel says something else.
        change.apply(&host, &undo).unwrap();
        fs::write(group(&daemon, &id, "pids").0.join("pids.max"), "max").unwrap();
        let failure = change.verify(&host, &undo).unwrap_err();
        assert!(failure.0.starts_with("pids-limit") && failure.0.contains("control group"), "{failure}");
        assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    }
}

#[test]
fn half_of_it_done_or_undone_is_undone() {
    for daemon in engines() {
        let host = host(&daemon);
        let id = run(&daemon, "web", &json!({}));
        let was = limits(&daemon, &id);
        let action = update(&id, &[("memory", Value::Null, json!(64 * MIB)), ("pids-limit", Value::Null, json!(50))]);
        let change = act(&action).unwrap();
        let undo = change.prepare(&host, &mut keep()).unwrap();
        let back = || {
            assert_eq!(change.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
            assert_eq!(limits(&daemon, &id), was);
        };
        // The engine was killed: the kernel has what it has forgotten.
        let (memory, unified) = group(&daemon, &id, "memory");
        let limit = (64 * MIB).to_string();
        let files = if unified {
            [("memory.max", &*limit), ("memory.swap.max", "0")]
        } else {
            [("memory.limit_in_bytes", &*limit), ("memory.memsw.limit_in_bytes", &*limit)]
        };
        for (file, text) in files {
            fs::write(memory.join(file), text).unwrap();
        }
        back();
        // And the other way round: shown by the engine, and not in the kernel.
        change.apply(&host, &undo).unwrap();
        fs::write(group(&daemon, &id, "pids").0.join("pids.max"), "max").unwrap();
        back();
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    for daemon in engines() {
        let host = host(&daemon);
        let said = |id: &str, set: &[(&str, Value, Value)]| {
            let action = update(id, set);
            act(&action).unwrap().check(&host).unwrap_err()
        };
        let refused = |refusal: Refusal, words: &str| {
            assert!(matches!(&refusal, Refusal::Refused(line) if line.contains(words)), "{words}: {refusal}");
        };
        // Twenty MiB in use, in a file in memory.
        let script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=20 && touch /ready && sleep 3600";
        let id = daemon.run("web", &json!({ "Image": "busybox:test", "Cmd": ["sh", "-c", script] }));
        while daemon.request("GET", &format!("/containers/{id}/archive?path=/ready"), None).0 != 200 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        refused(said(&id, &[("memory", Value::Null, json!(16 * MIB))]), "a memory limit of 16 MiB is below");
        refused(said(&id, &[("memory", Value::Null, json!(MIB))]), "6 MiB");
        refused(said(&id, &[("pids-limit", Value::Null, json!(1))]), "threads with them, and 1 would leave none more");
        refused(said(&id, &[("cpus", Value::Null, json!(1_000_000))]), "1000 CPUs are not between 0.01 and ");
        refused(said(&id, &[("cpu-rt-runtime", Value::Null, json!(1))]), "does not carry it out");
        refused(said(&id[..12], &[("memory", Value::Null, json!(64 * MIB))]), "whole id");
        let stale = said(&id, &[("memory", json!(128 * MIB), json!(64 * MIB))]);
        assert_eq!(stale, Refusal::Stale("container \"web\": memory is unlimited (with swap unlimited) now".into()));
        let task = json!({ "Image": "busybox:test", "Labels": { "com.docker.swarm.service.name": "s" } });
        let task = daemon.create("task", &task);
        refused(said(&task, &[("memory", Value::Null, json!(64 * MIB))]), "docker service update");
        let gone = run(&daemon, "gone", &json!({ "AutoRemove": true }));
        refused(said(&gone, &[("restart", json!("no"), json!("on-failure:5"))]), "--rm");
        assert!(matches!(said(&"0".repeat(64), &[("restart", json!("no"), json!("always"))]), Refusal::Stale(_)));
        let down = Host { engine: None, ..self::host(&daemon) };
        let action = update(&id, &[("pids-limit", Value::Null, json!(50))]);
        refused(act(&action).unwrap().check(&down).unwrap_err(), "not reached");
    }
}

#[test]
fn a_container_that_goes_away_is_named() {
    for daemon in engines() {
        let host = host(&daemon);
        let id = run(&daemon, "web", &json!({}));
        let action = update(&id, &[("pids-limit", Value::Null, json!(50))]);
        let change = act(&action).unwrap();
        let undo = carry_out(&*change, &host);
        assert_eq!(daemon.request("DELETE", &format!("/containers/{id}?force=1"), None).0, 204);
        // Another one has its name by now, and is not touched.
        let other = run(&daemon, "web", &json!({ "PidsLimit": 50 }));
        assert!(change.apply(&host, &undo).unwrap_err().0.contains("No such container"));
        assert!(change.verify(&host, &undo).unwrap_err().0.contains("is gone"));
        assert_eq!(
            change.undo(&host, &keep(), &undo).unwrap(),
            Undone::Drifted(vec!["container \"web\" is gone".into()])
        );
        assert_eq!(host_config(&daemon, &other, "PidsLimit"), json!(50));
    }
}
