//! The shadow boot on real engines: what it lets through, what it catches and by which words, and what it leaves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::host::{Daemon as Running, Host};
use seaworthy_harden::shadow::{Rehearsal, rehearse};

fn host(bed: &Daemon) -> Host {
    Host {
        root: "/".into(),
        engine: Some(Engine::at(&bed.socket()).unwrap()),
        daemon: Some(Running { pid: bed.pid() }),
        transaction: "0123456789ab".into(),
    }
}

fn passes(bed: &Daemon, candidate: &str) -> Vec<String> {
    match rehearse(&host(bed), candidate.as_bytes()) {
        Rehearsal::Passed { without, took } => {
            eprintln!("passed in {took:?}: {candidate}");
            without
        }
        other => panic!("{candidate}: {other:?}"),
    }
}

fn fails(bed: &Daemon, candidate: &str, with: &[&str]) {
    match rehearse(&host(bed), candidate.as_bytes()) {
        Rehearsal::Failed(why) => {
            eprintln!("{candidate}\n    -> {why}");
            assert!(with.iter().any(|word| why.contains(word)), "{candidate}: {why}");
            assert!(!why.contains('\n'), "{why:?}");
        }
        other => panic!("{candidate}: {other:?}"),
    }
}

/// What must be the same afterwards. Other tests run meanwhile: only what none of them touches is in it.
fn machine() -> Vec<(&'static str, String)> {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let names = |dir: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    let points = ["/", "/etc", "/run", "/var/run", "/sys", "/proc", "/dev"];
    let mounts = file("/proc/self/mountinfo");
    let mounts: Vec<&str> = mounts
        .lines()
        .filter(|l| l.split(' ').nth(4).is_some_and(|p| points.contains(&p) || p.starts_with("/sys/")))
        .collect();
    let users = ["/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"].map(file).concat();
    vec![
        ("firewall", said("iptables", &["-S"]) + &said("iptables", &["-t", "nat", "-S"])),
        // Those of other beds come and go meanwhile.
        (
            "links",
            format!("{:?}", names("/sys/class/net").iter().filter(|l| !l.starts_with("swbed")).collect::<Vec<_>>()),
        ),
        ("users", users.lines().filter(|l| l.contains("dockremap")).collect()),
        ("mounts", mounts.join("\n")),
        ("forwarding", file("/proc/sys/net/ipv4/ip_forward")),
        ("/etc/docker", format!("{:?}", names("/etc/docker"))),
        ("/run/seaworthy", format!("{:?}", names("/run/seaworthy"))),
    ]
}

fn is_unchanged(before: &[(&'static str, String)]) {
    for ((what, was), (_, is)) in before.iter().zip(machine()) {
        assert_eq!(*was, is, "{what}");
    }
}

/// The control groups that the rehearsals of a process left.
fn groups_of(pid: u32) -> Vec<String> {
    let own = format!("seaworthy-shadow-{pid}-");
    let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|e| e.path());
    let all = std::iter::once("/sys/fs/cgroup".into()).chain(roots).filter_map(|root| fs::read_dir(root).ok());
    let names = all.flatten().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&own)).collect()
}

/// A profile that allows nothing, and one that is no profile.
fn spec(version: Version) -> Spec {
    let files = [("deny.json", r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#), ("broken.json", "{\"defaultAction\":")];
    let files = files.map(|(name, content)| (name.to_owned(), content.as_bytes().to_vec())).into();
    let mut args: Vec<String> = Vec::new();
    if version == Version::V20 {
        args.push("--debug".into());
    }
    Spec { files, args, ..Spec::default() }
}

fn rehearses(version: Version) {
    let Some(bed) = Daemon::require(version, spec(version)) else { return };
    let before = machine();
    let dir = bed.dir().display().to_string();
    assert!(passes(&bed, "{}").is_empty());
    let good = r#"{"icc":false,"userland-proxy":false,"no-new-privileges":true,"live-restore":true,"log-level":"info",
        "default-ulimits":{"nofile":{"Name":"nofile","Soft":256,"Hard":512}},"log-opts":{"max-size":"10m","max-file":"3"}}"#;
    assert!(passes(&bed, good).is_empty());
    // What only the host can bear out is no false alarm, and is named.
    assert_eq!(
        passes(&bed, r#"{"log-driver":"syslog","log-opts":{"syslog-address":"udp://10.1.1.1:514"}}"#),
        ["log-driver"]
    );
    assert_eq!(passes(&bed, r#"{"metrics-addr":"10.1.1.1:9323","hosts":["tcp://10.1.1.1:1"]}"#), ["metrics-addr"]);
    assert_eq!(passes(&bed, r#"{"bridge":"br-nowhere"}"#), ["bridge"]);
    // Where it would listen, keep its things and write its number is never the candidate's to say.
    let data = format!(r#"{{"data-root":"{dir}/data","pidfile":"{dir}/docker.pid","exec-root":"{dir}/exec"}}"#);
    assert!(passes(&bed, &data).is_empty());
    is_unchanged(&before);
    let unchanged = fs::read_to_string(bed.dir().join("docker.pid")).unwrap();
    assert_eq!(unchanged.trim(), bed.pid().to_string());
}

fn catches(version: Version) {
    let Some(bed) = Daemon::require(version, spec(version)) else { return };
    let before = machine();
    let dir = bed.dir().display().to_string();
    for (candidate, words) in [
        ("", &["empty"][..]),
        (" \n", &["empty"]),
        ("{\"icc\":", &["unexpected end of JSON", "unexpected EOF", "JSON"]),
        (r#"{"sea-worthy":true}"#, &["sea-worthy"]),
        (r#"{"icc":"no"}"#, &["icc", "cannot unmarshal", "invalid"]),
        (r#"{"log-level":"loud"}"#, &["loud", "log level"]),
        (r#"{"seccomp-profile":"{dir}/none.json"}"#, &["none.json"]),
        (r#"{"seccomp-profile":"{dir}/broken.json"}"#, &["Decoding seccomp profile failed"]),
        (r#"{"seccomp-profile":"{dir}/deny.json"}"#, &["deny.json forbids too much"]),
        (r#"{"log-driver":"carrier-pigeon"}"#, &["carrier-pigeon"]),
        (r#"{"log-opts":{"max-sighs":"3"}}"#, &["max-sighs"]),
        (r#"{"default-ulimits":{"nofile":{"Name":"nofile","Soft":9,"Hard":8}}}"#, &["ulimit", "soft", "rlimit"]),
        (r#"{"default-runtime":"runaway"}"#, &["runaway"]),
        (r#"{"bip":"not an address"}"#, &["not an address", "bip", "CIDR"]),
        (r#"{"icc":false,"iptables":false}"#, &["icc", "iptables"]),
        (r#"{"userns-remap":"nobody-of-that-name"}"#, &["nobody-of-that-name"]),
        (
            r#"{"tlsverify":true,"tlscacert":"/none/ca.pem","tlscert":"/none/c.pem","tlskey":"/none/k.pem"}"#,
            &["/none/"],
        ),
        (r#"{"exec-opts":["native.cgroupdriver=systemd"]}"#, &["systemd", "slice"]),
    ] {
        fails(&bed, &candidate.replace("{dir}", &dir), words);
    }
    is_unchanged(&before);
}

#[test]
fn good_candidates_pass_on_20() {
    rehearses(Version::V20);
}

#[test]
fn good_candidates_pass_on_29() {
    rehearses(Version::V29);
}

#[test]
fn bad_candidates_fail_with_their_cause_on_20() {
    catches(Version::V20);
}

#[test]
fn bad_candidates_fail_with_their_cause_on_29() {
    catches(Version::V29);
}

#[test]
fn a_missing_authorization_plugin_is_found_missing() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Daemon::require(version, Spec::default()) else { return };
        fails(&bed, r#"{"authorization-plugins":["bosun-of-nowhere"]}"#, &["bosun-of-nowhere"]);
    }
}

#[test]
fn user_namespaces_make_their_user_in_a_copy_of_etc() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Daemon::require(version, Spec::default()) else { return };
        let before = machine();
        let come_of_it = rehearse(&host(&bed), br#"{"userns-remap":"default"}"#);
        eprintln!("{come_of_it:?}");
        assert!(!matches!(come_of_it, Rehearsal::Skipped(_)), "{come_of_it:?}");
        is_unchanged(&before);
        assert!(!fs::read_to_string("/etc/passwd").unwrap().contains("dockremap"));
    }
}

/// Where this is set, to an engine's process and socket, [`rehearse_and_be_killed`] rehearses.
const VICTIM: &str = "SEAWORTHY_TEST_REHEARSES";

#[test]
fn rehearse_and_be_killed() {
    let Ok(victim) = std::env::var(VICTIM) else { return };
    let (pid, socket) = victim.split_once(' ').unwrap();
    let host = Host {
        root: "/".into(),
        engine: Some(Engine::at(Path::new(socket)).unwrap()),
        daemon: Some(Running { pid: pid.parse().unwrap() }),
        transaction: "t".into(),
    };
    // Long enough to be killed in: an engine looks for an unknown log driver for 15 s.
    let _ = rehearse(&host, br#"{"log-driver":"carrier-pigeon"}"#);
}

/// The processes of shadows, by their command lines, that descend from one process's namespaces.
fn shadows() -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("/run/seaworthy/")
    })
    .collect()
}

/// The process id in the test's own name space of the parent of a process.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_rehearsal_that_is_killed_leaves_nothing() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Daemon::require(version, Spec::default()) else { return };
        let before = machine();
        let start = || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "rehearse_and_be_killed"])
                .env(VICTIM, format!("{} {}", bed.pid(), bed.socket().display()))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut whole = start();
        assert!(whole.wait().unwrap().success());
        assert!(groups_of(whole.id()).is_empty(), "a rehearsal that ended by itself left control groups");
        let mut victim = start();
        let mut its = Vec::new();
        // Its engine, process 1 of the namespace, and the containerd that this starts.
        let its_now = || {
            let all = shadows();
            let engine = all.iter().find(|pid| parent(**pid) == Some(victim.id())).copied();
            engine.map(|engine| {
                all.into_iter().filter(|p| *p == engine || parent(*p) == Some(engine)).collect::<Vec<_>>()
            })
        };
        for _ in 0..3000 {
            its = its_now().unwrap_or_default();
            if its.len() >= 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(its.len() >= 2, "the shadow never came up");
        victim.kill().unwrap();
        victim.wait().unwrap();
        for _ in 0..3000 {
            its.retain(|pid| shadows().contains(pid));
            if its.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(its.is_empty(), "{its:?} live on");
        // The next one removes the control groups that the killed one left, if it had come so far.
        assert!(passes(&bed, "{}").is_empty());
        is_unchanged(&before);
        assert!(groups_of(victim.id()).is_empty());
    }
}

#[test]
fn an_engine_that_is_no_dockerd_is_skipped() {
    let host = Host {
        root: "/".into(),
        engine: None,
        daemon: Some(Running { pid: std::process::id() }),
        transaction: "t".into(),
    };
    let Rehearsal::Skipped(why) = rehearse(&host, b"{}") else { panic!("it is not skipped") };
    assert!(why.contains("is not dockerd") || !Path::new("/proc/1/root").exists() || why.contains("root"), "{why}");
}
