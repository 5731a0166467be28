//! Which engine and whose host: over ssh, over TCP, several at once, and never one's facts for another's.

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Fake, Run, Sea, run, small_engine};
use seaworthy_bed::{Bridge, Daemon, Net, Spec, Version, copy_program, write_program};
use serde_json::{Value, json};

/// An SSH server of the test's own on the loopback address: its keys, its port, its configuration; and an `ssh` that is
/// told of them, since OpenSSH asks the password file and not `HOME` where its configuration is.
struct Ssh {
    dir: tempfile::TempDir,
    server: Child,
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Ssh {
    /// None (and said) where there is no server or this is not root, who alone can log anybody in.
    fn start() -> Option<Self> {
        if !Path::new("/usr/sbin/sshd").exists() || !rustix::process::geteuid().is_root() {
            seaworthy_bed::skip("sshd", "openssh-server is not installed, or this is not root");
            return None;
        }
        // What the Debian package's service makes before it starts.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["host", "key", "other"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(name)).status();
            assert!(made.unwrap().success());
        }
        std::fs::copy(at("key.pub"), at("authorized")).unwrap();
        // A port that was free a moment ago; another one is tried where somebody was quicker.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nUsePAM no\n\
                 AcceptEnv SEA_*\nSetEnv PATH={}:/usr/local/bin:/usr/bin:/bin\n",
                at("host").display(),
                at("authorized").display(),
                at("there").display(),
            );
            std::fs::write(at("sshd_config"), config).unwrap();
            std::fs::create_dir_all(at("there")).unwrap();
            let mut server = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(at("sshd_config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(at("log")).unwrap())
                .spawn()
                .unwrap();
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(60) && server.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let ssh = Self { dir, server };
                    ssh.client(port);
                    return Some(ssh);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(at("log")).unwrap_or_default());
    }

    fn client(&self, port: u16) {
        let at = |name: &str| self.dir.path().join(name);
        let host_key = std::fs::read_to_string(at("host.pub")).unwrap();
        std::fs::write(at("known"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let config = format!(
            "Host engine-host\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
            at("key").display(),
            at("known").display()
        );
        std::fs::write(at("config"), config).unwrap();
        std::fs::create_dir_all(at("bin")).unwrap();
        let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("config").display());
        write_program(&at("bin/ssh"), wrapper.as_bytes());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts Seaworthy where the other end looks for programs.
    fn install(&self) {
        copy_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &self.path("there/seaworthy"));
    }

    /// Runs the program so that it finds this `ssh` first.
    fn run(&self, sea: &Sea, arguments: &[&str]) -> Run {
        let mut command = sea.command(arguments);
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        run({
            command.env("PATH", path);
            command
        })
    }
}

/// A gap of a report whose source or reason has these words.
fn gap(report: &Value, words: &str) -> bool {
    let gaps = report["coverage"]["gaps"].as_array().unwrap();
    let has = |g: &Value, key: &str| g[key].as_str().is_some_and(|text| text.contains(words));
    gaps.iter().any(|g| has(g, "source") || has(g, "reason"))
}

/// The verdict of a check on a component by name (or any).
fn verdicts<'r>(report: &'r Value, check: &str) -> Vec<&'r str> {
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|f| f["check"] == check).map(|f| f["verdict"].as_str().unwrap()).collect()
}

fn address(daemon: &Daemon) -> String {
    format!("ssh://engine-host{}", daemon.socket().display())
}

fn small(version: Version) -> Option<Daemon> {
    let daemon = Daemon::require(version, Spec { bridge: Bridge::None, ..Spec::default() })?;
    daemon.import_busybox("busybox:test");
    daemon.run("web", &json!({"Image": "busybox:test", "HostConfig": {"NetworkMode": "none"}}));
    Some(daemon)
}

#[test]
fn over_ssh_seaworthy_there_reads_the_host() {
    let Some(ssh) = Ssh::start() else { return };
    let Some(daemon) = small(Version::V20) else { return };
    let sea = Sea::new();
    let at = address(&daemon);
    // What it says without ssh, on the same machine.
    let here = sea.run(&["audit", "-f", "json", "--docker", &daemon.host()]).ended(0).json();
    let level = "docker/daemon/log-level-info";
    let known = verdicts(&here, level);
    assert!(!known.is_empty() && known != ["unknown"], "{known:?}");

    ssh.install();
    let there = ssh.run(&sea, &["audit", "-f", "json", "--docker", &at]).ended(0).json();
    assert_eq!(verdicts(&there, level), known);
    assert_eq!(there["targets"][0]["address"], at.as_str());
    assert_eq!(there["targets"][0]["name"], at.as_str());
    assert_eq!(verdicts(&there, "docker/container/unprivileged"), ["pass"]);

    // Another version there, whose snapshots are not ours: refused with what to do, and the engine is read all the same.
    std::fs::remove_file(ssh.path("there/seaworthy")).unwrap();
    write_program(&ssh.path("there/seaworthy"), b"#!/bin/sh\necho '{\"schema\":99}'\n");
    let run = ssh.run(&sea, &["audit", "-f", "json", "--docker", &at]);
    let other = run.ended(0).json();
    assert!(gap(&other, "update it, or use --copy"), "{}", other["coverage"]);
    assert_eq!(verdicts(&other, level), ["unknown"]);
}

#[test]
fn over_ssh_without_seaworthy_the_host_is_a_gap_or_a_copy_reads_it() {
    let Some(ssh) = Ssh::start() else { return };
    let Some(daemon) = small(Version::V20) else { return };
    let sea = Sea::new();
    let at = address(&daemon);
    let level = "docker/daemon/log-level-info";
    let without = ssh.run(&sea, &["audit", "-f", "json", "--docker", &at]).ended(0).json();
    assert!(gap(&without, "install it, or use --copy"), "{}", without["coverage"]);
    assert_eq!(verdicts(&without, "docker/container/unprivileged"), ["pass"], "the engine is read all the same");
    assert_eq!(verdicts(&without, level), ["unknown"]);
    let host = without["findings"].as_array().unwrap().iter().filter(|f| f["component"]["kind"] == "docker.file");
    assert!(host.clone().all(|f| f["verdict"] == "unknown"), "files of this machine are told as the other's");

    // A folder of its own for temporary files there shows what is left of the copy.
    let tmp = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(ssh.path("sshd_config")).unwrap();
    let set = config.replace("SetEnv PATH=", &format!("SetEnv TMPDIR={} PATH=", tmp.path().display()));
    std::fs::write(ssh.path("sshd_config"), set).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(ssh.server.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    // It reads its configuration anew by starting itself again; connections are refused in between.
    let copied = (0..50).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let run = ssh.run(&sea, &["audit", "--copy", "-f", "json", "--docker", &at]);
        (run.code == Some(0)).then(|| run.json())
    });
    let copied = copied.expect("sshd came back");
    assert_ne!(verdicts(&copied, level), ["unknown"], "{}", copied["coverage"]);
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0, "the copy is still there");
}

#[test]
fn what_ssh_refuses_is_the_reason() {
    let Some(ssh) = Ssh::start() else { return };
    let sea = Sea::new();
    let audit = |address: &str| ssh.run(&sea, &["audit", "--copy", "--timeout", "2", "--docker", address]);
    // No engine and no docker there: the target is a gap.
    ssh.install();
    audit("ssh://engine-host/no/such.sock").failed_with("no socket is there");
    std::fs::copy(ssh.path("other"), ssh.path("key")).unwrap();
    audit("ssh://engine-host").failed_with("Permission denied");
    std::fs::write(ssh.path("known"), "").unwrap();
    audit("ssh://engine-host").failed_with("Host key verification failed");
    audit("ssh://no.such.host.invalid").failed_with("ssh://no.such.host.invalid: ssh: ");
}

#[test]
fn an_engine_over_tcp_is_local_only_where_that_is_proven() {
    let sea = Sea::new();
    let level = "docker/daemon/log-level-info";
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = format!("tcp://127.0.0.1:{port}");
    let spec = Spec { net: Net::Machine, bridge: Bridge::None, hosts: vec![at.clone()], ..Spec::default() };
    let Some(daemon) = Daemon::require(Version::V20, spec) else { return };
    let here = sea.run(&["audit", "-f", "json", "--docker", &daemon.host()]).ended(0).json();
    let proven = sea.run(&["audit", "-f", "json", "--docker", &at]).ended(0).json();
    assert_eq!(verdicts(&proven, level), verdicts(&here, level), "{}", proven["coverage"]);
    assert_ne!(verdicts(&proven, level), ["unknown"]);

    // Behind a tunnel it may be anybody's.
    let tunnel = TcpListener::bind("127.0.0.1:0").unwrap();
    let through = format!("tcp://{}", tunnel.local_addr().unwrap());
    let socket = daemon.socket();
    std::thread::spawn(move || {
        for client in tunnel.incoming().flatten() {
            let engine = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (engine, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    for more in [&[][..], &["--root", "/"]] {
        let report = sea.run(&[&["audit", "-f", "json", "--docker", &through][..], more].concat()).ended(0).json();
        assert_eq!(verdicts(&report, level), ["unknown"], "{more:?}");
        assert!(gap(&report, "--docker unix://PATH"), "{}", report["coverage"]);
        let of_host = report["findings"].as_array().unwrap().iter().filter(|f| f["component"]["kind"] == "docker.file");
        assert!(of_host.clone().all(|f| f["verdict"] == "unknown"), "{more:?}: this machine's files");
    }
}

/// Hands every connection to the engine's socket on; whoever asks who listens finds this program.
fn forward(daemon: &Daemon, to: &Path) -> String {
    let listener = std::os::unix::net::UnixListener::bind(to).unwrap();
    let socket = daemon.socket();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let engine = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (engine, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    format!("unix://{}", to.display())
}

#[test]
fn behind_a_forwarded_socket_only_this_very_machine_is_read() {
    let Some(daemon) = small(Version::V20) else { return };
    let sea = Sea::new();
    let of_host = "docker/host/sudo-docker";
    let of_file = |report: &Value| -> Vec<String> {
        let all = report["findings"].as_array().unwrap().iter().filter(|f| f["component"]["kind"] == "docker.file");
        all.map(|f| f["verdict"].as_str().unwrap().to_owned()).collect()
    };
    // An engine here behind a proxy: it describes this machine.
    let at = forward(&daemon, &sea.dir().join("proxied"));
    let here = sea.run(&["audit", "-f", "json", "--docker", &at]).ended(0).json();
    if !gap(&here, "Seaworthy runs inside a container") {
        assert_ne!(verdicts(&here, of_host), ["unknown"], "{}", here["coverage"]);
    }
    assert_eq!(verdicts(&here, "docker/daemon/log-level-info"), ["unknown"], "its process is not known");
    // An engine that describes another one, as behind `ssh -L` or in a virtual machine.
    let mut table = small_engine();
    let info = &mut table.iter_mut().find(|(p, _)| *p == "/info").unwrap().1;
    info["KernelVersion"] = json!("6.6.31-linuxkit");
    info["MemTotal"] = json!(4_000_000_000_u64);
    let elsewhere = Fake::of(table);
    for more in [&[][..], &["--root", "/"]] {
        let run = sea.run(&[&["audit", "-f", "json", "--all", "--docker", &elsewhere.host()][..], more].concat());
        let there = run.ended(0).json();
        assert_eq!(verdicts(&there, of_host), ["unknown"], "{more:?}: {}", there["coverage"]);
        assert!(of_file(&there).iter().all(|v| v == "unknown"), "{more:?}: {:?}", of_file(&there));
    }
    // Where the tests run in a container themselves, that is the reason.
    let there = sea.run(&["audit", "-f", "json", "--docker", &elsewhere.host()]).json();
    let reason = ["the engine runs on another machine", "Seaworthy runs inside a container"];
    assert!(reason.iter().any(|words| gap(&there, words)), "{}", there["coverage"]);
}

#[test]
fn several_targets_are_told_side_by_side_and_one_that_fails_is_a_gap() {
    let sea = Sea::new();
    let (first, second) = (Fake::of(small_engine()), Fake::of(small_engine()));
    let dead = format!("unix://{}", sea.dir().join("dead").display());
    let both = ["audit", "-f", "json", "--docker", &first.host(), "--docker", &second.host()];
    let report = sea.run(&both).ended(0).json();
    let names: Vec<&str> = report["targets"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "local#2"]);
    assert_eq!(verdicts(&report, "docker/container/unprivileged"), ["fail", "fail"]);
    assert!(!gap(&report, "was not asked"), "both were asked");

    let one = ["audit", "--docker", &first.host(), "--docker", &dead];
    let report = sea.run(&[&one[..], &["-f", "json"]].concat()).ended(0).json();
    assert!(gap(&report, "no socket is there"), "{}", report["coverage"]);
    // What fails goes before what could not be read, and that before clean.
    let clean = ["--check", "docker/container/image-not-latest"];
    sea.run(&[&one[..], &["--fail-on", "low"]].concat()).ended(1);
    sea.run(&[&one[..], &["--fail-on", "low"], &clean[..]].concat()).ended(3);
    sea.run(&[&one[..], &["--fail-on", "critical"], &clean[..]].concat()).ended(3);
    sea.run(&[&one[..], &["--fail-on", "low", "--allow-unknown"], &clean[..]].concat()).ended(0);
    sea.run(&[&one[..], &["--strict"], &clean[..]].concat()).ended(3);
    sea.run(&[&one[..], &clean[..]].concat()).ended(0);

    // A snapshot and a live engine.
    let snapshot = sea.dir().join("s.json");
    sea.run(&["collect", "--docker", &second.host(), "-o", snapshot.to_str().unwrap()]).ended(0);
    let mixed = ["audit", "-f", "json", "--docker", &first.host(), "--from", snapshot.to_str().unwrap()];
    let report = sea.run(&mixed).ended(0).json();
    assert_eq!(report["targets"].as_array().unwrap().len(), 2);
}

#[test]
fn inside_a_container_it_says_what_it_needs_and_takes_the_mounted_host() {
    let Some(daemon) = small(Version::V20) else { return };
    let out = tempfile::tempdir().unwrap();
    let program = out.path().join("seaworthy");
    copy_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &program);
    let inside = |name: &str, more: &[&str], binds: &[&str]| -> Value {
        // The libraries that the program was linked with are this machine's.
        let libraries = ["/lib", "/lib64", "/usr/lib"].into_iter().filter(|l| Path::new(l).exists());
        let mut all: Vec<String> = libraries.map(|l| format!("{l}:{l}:ro")).collect();
        all.extend(binds.iter().map(|b| (*b).to_owned()));
        all.push(format!("{}:/out", out.path().display()));
        all.push(format!("{}:/engine.sock", daemon.socket().display()));
        let report = format!("/out/{name}.json");
        let command = ["/out/seaworthy", "audit", "--docker", "unix:///engine.sock", "-f", "json", "-o", &report];
        let command = [&command[..], more].concat();
        let body =
            json!({"Image": "busybox:test", "Cmd": command, "HostConfig": {"NetworkMode": "none", "Binds": all}});
        let id = daemon.run(name, &body);
        let began = Instant::now();
        while daemon.inspect(&id)["State"]["Running"] != false {
            assert!(began.elapsed() < Duration::from_secs(240), "it hangs");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(daemon.inspect(&id)["State"]["ExitCode"], 0, "{}", daemon.inspect(&id)["State"]);
        serde_json::from_slice(&std::fs::read(out.path().join(format!("{name}.json"))).unwrap()).unwrap()
    };
    let audit = "docker/host/sudo-docker";
    let bare = inside("bare", &[], &[]);
    assert!(gap(&bare, "--root /host"), "{}", bare["coverage"]);
    assert_eq!(verdicts(&bare, audit), ["unknown"], "the container's own files are not the host's");
    assert_eq!(verdicts(&bare, "docker/container/unprivileged").len(), 2, "the engine is read all the same");
    let mounted = inside("mounted", &["--root", "/host"], &["/:/host:ro"]);
    assert!(!gap(&mounted, "mount the host's"), "{}", mounted["coverage"]);
    let here = Sea::new().run(&["audit", "-f", "json", "--docker", &daemon.host()]).ended(0).json();
    assert_eq!(verdicts(&mounted, audit), verdicts(&here, audit));
    assert_ne!(verdicts(&mounted, audit), ["unknown"], "{}", mounted["coverage"]);
}
