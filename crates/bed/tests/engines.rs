//! The beds themselves: what a test may rely on, with the engines that the machine can have.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use seaworthy_bed::{Bridge, ContextFile, Daemon, Net, Spec, Version};
use serde_json::json;

fn serves(version: Version, api: &str) {
    let Some(daemon) = Daemon::require(version, Spec::default()) else { return };
    let (status, about) = daemon.request("GET", "/version", None);
    assert_eq!((status, about["ApiVersion"].as_str()), (200, Some(api)), "{about}");
    assert_eq!(fs::read_to_string(daemon.dir().join("docker.pid")).unwrap().trim(), daemon.pid().to_string());

    daemon.import_busybox("busybox:test");
    let hello = ContextFile { path: "hello", mode: 0o4755, bytes: b"hello" };
    let image = daemon.build("built:1", "FROM scratch\nCOPY hello /hello\nUSER 12\nLABEL a=b\n", &[hello]);
    assert!(image.starts_with("sha256:"), "{image}");
    let (_, history) = daemon.request("GET", "/images/built:1/history", None);
    assert_eq!(history.as_array().map(Vec::len), Some(3), "{history}");

    let id = daemon.run("web", &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
    let shared = json!({ "Image": "busybox:test", "HostConfig": { "NetworkMode": "host", "PidMode": "host" } });
    daemon.run("web-host", &shared);
    let state = &daemon.inspect(&id)["State"];
    assert_eq!(state["Running"], true, "{state}");
    assert!(Path::new(&format!("/proc/{}/ns", state["Pid"])).exists(), "the engine's ids are the machine's: {state}");
    let privileged = json!({ "Image": "busybox:test", "HostConfig": { "Privileged": true } });
    let id = daemon.create("root-like", &privileged);
    assert_eq!(daemon.inspect(&id)["HostConfig"]["Privileged"], true);
}

#[test]
fn engine20_serves() {
    serves(Version::V20, "1.41");
}

#[test]
fn engine29_serves() {
    serves(Version::V29, "1.56");
}

fn leaves_nothing(version: Version) {
    let mut dir = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let file = r#"{ "cgroup-parent": "/bed-test/inner" }"#.to_owned();
        let spec = Spec { bridge: Bridge::None, daemon_json: Some(file), ..Spec::default() };
        let daemon = Daemon::require(version, spec)?;
        dir = Some((daemon.dir().to_path_buf(), daemon.pid()));
        daemon.import_busybox("busybox:test");
        let id = daemon.run("left-over", &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
        let container = daemon.inspect(&id)["State"]["Pid"].clone();
        let group = fs::read_to_string(format!("/proc/{container}/cgroup")).unwrap();
        assert!(group.contains(&format!("/bed-test/inner/{id}")), "{group}");
        std::panic::panic_any((id, container.to_string()));
        #[allow(unreachable_code, reason = "names the closure's type")]
        Some(())
    }));
    let Err(panic) = result else { return };
    let (id, container) = *panic.downcast::<(String, String)>().expect("the test's own panic");
    let (dir, engine) = dir.expect("the engine was up");
    assert!(!dir.exists(), "{} is left", dir.display());
    assert!(!Path::new(&format!("/proc/{engine}")).exists(), "dockerd is left");
    assert!(!Path::new(&format!("/proc/{container}")).exists(), "the container's process is left");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&format!("{}/", dir.display())), "{mounts}");
    for root in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let group = root.path().join("bed-test/inner").join(&id);
        assert!(!group.exists(), "{} is left", group.display());
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&format!("{}/", dir.display())), "{process:?} is left");
    }
}

#[test]
fn engine20_leaves_nothing_after_a_panic() {
    leaves_nothing(Version::V20);
}

#[test]
fn engine29_leaves_nothing_after_a_panic() {
    leaves_nothing(Version::V29);
}

#[test]
fn a_restart_takes_the_file_of_now() {
    let Some(mut daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    fs::write(daemon.daemon_json(), r#"{ "labels": ["written=later"] }"#).unwrap();
    assert_eq!(daemon.request("GET", "/info", None).1["Labels"], json!([]));
    daemon.restart().unwrap();
    assert_eq!(daemon.request("GET", "/info", None).1["Labels"], json!(["written=later"]));
}

#[test]
fn the_machines_network_serves_tcp() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let spec = Spec {
        net: Net::Machine,
        hosts: vec![format!("tcp://127.0.0.1:{port}")],
        args: vec!["--label=where={dir}".into()],
        ..Spec::default()
    };
    let Some(daemon) = Daemon::require(Version::V20, spec) else { return };
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let label = format!("where={}", daemon.dir().display());
    assert_eq!(daemon.request("GET", "/info", None).1["Labels"], json!([label]));
}

/// Set for the copy of this test binary that is to be killed.
const VICTIM: &str = "SEAWORTHY_BED_VICTIM";

#[test]
fn the_engine_of_a_killed_test_is_cleared() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    if std::env::var_os(VICTIM).is_some() {
        daemon.import_busybox("busybox:test");
        let id = daemon.run("left-over", &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
        println!("\nleft {} {}", daemon.inspect(&id)["State"]["Pid"], daemon.dir().display());
        sleep(Duration::from_secs(60));
        return;
    }
    drop(daemon);
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_engine_of_a_killed_test_is_cleared", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let left = lines.find_map(|line| line.strip_prefix("left ").map(str::to_owned));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let left = left.expect("the victim said what it started");
    let (container, dir) = left.split_once(' ').unwrap();
    let (container, dir) = (PathBuf::from(format!("/proc/{container}")), Path::new(dir));
    assert!(container.exists() && dir.exists(), "{left}: gone already");
    // Another test's start may be at it already, and process 1 takes its time to bury the dead.
    let deadline = Instant::now() + Duration::from_secs(30);
    while (dir.exists() || container.exists()) && Instant::now() < deadline {
        seaworthy_bed::sweep();
        sleep(Duration::from_millis(50));
    }
    assert!(!dir.exists(), "{} is left", dir.display());
    assert!(!container.exists(), "the container's process is left");
}
