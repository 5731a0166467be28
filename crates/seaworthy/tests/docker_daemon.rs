//! Section 2 and 7 of the benchmark, and our own checks of the daemon, on real engines.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use seaworthy_bed::{Daemon, Spec, Version};
use support::{audit, side_by_side};

type Row = (&'static str, &'static str, &'static str);

fn args(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn json(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Starts an engine, lets `then` change something, audits it and compares.
fn case(
    name: &'static str,
    version: Version,
    spec: Spec,
    then: impl FnOnce(&mut Daemon) + Send + 'static,
    table: Vec<Row>,
) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        let Some(mut daemon) = Daemon::require(version, spec) else { return };
        then(&mut daemon);
        audit(&daemon.host(), &[]).expect(&format!("{} {name}", version.name()), &table);
    })
}

fn nothing(_: &mut Daemon) {}

const ALLOW_ALL: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#;
const FOREIGN: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount","ptrace","bpf","unshare"],"action":"SCMP_ACT_ERRNO","includes":{"arches":["s390x"]}}]}"#;
const SOME: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}]}"#;

fn cases(version: Version) -> Vec<Box<dyn FnOnce() + Send>> {
    let old = version == Version::V20;
    let mut all = Vec::new();
    // What an engine does that was told nothing.
    all.push(case(
        "defaults",
        version,
        Spec::default(),
        nothing,
        vec![
            ("2.1", "daemon", "fail"),
            ("2.2", "daemon", "fail"),
            ("2.3", "daemon", "pass"),
            ("2.4", "daemon", "pass"),
            ("2.5", "daemon", "pass"),
            ("2.6", "daemon", "pass"),
            ("2.7", "daemon", "pass"),
            ("2.8", "daemon", "pass"),
            ("2.9", "daemon", "manual"),
            ("2.10", "daemon", "fail"),
            ("2.11", "daemon", "pass"),
            ("2.12", "daemon", "not-applicable"),
            ("2.13", "daemon", "fail"),
            ("2.14", "daemon", "fail"),
            ("2.15", "daemon", "fail"),
            ("2.16", "daemon", "fail"),
            ("2.17", "daemon", "fail"),
            ("2.18", "daemon", "pass"),
            ("2.19", "daemon", "pass"),
            ("5.1", "daemon", "pass"),
            ("daemon/debug-off", "daemon", "pass"),
            ("daemon/metrics-local", "daemon", "pass"),
            ("daemon/settings-active", "daemon", "pass"),
            ("daemon/mirrors-verified", "daemon", "pass"),
            ("daemon/log-bounded", "daemon", "fail"),
            ("daemon/private-ipc", "daemon", "pass"),
            ("daemon/no-proxy-credentials", "daemon", "pass"),
            ("daemon/api-bound", "daemon", "pass"),
            ("daemon/socket-not-mounted", "daemon", "pass"),
            ("daemon/plugins-known", "daemon", "pass"),
            ("daemon/no-config-secrets", "daemon", "pass"),
            ("daemon/certificates-valid", "daemon", "pass"),
            ("host/audit-enabled", "host", "fail"),
        ],
    ));
    // Everything good, by flags, as Go spells booleans.
    let spec = Spec {
        args: args(
            "--icc=0 -l INFO --default-ulimit nofile=1024:2048 --log-driver syslog \
             --log-opt syslog-address=tcp://192.0.2.1:514 --no-new-privileges --live-restore=T --userland-proxy=F \
             --cgroup-parent=/docker --experimental=FALSE --debug=f --log-opt max-size=1 --metrics-addr=127.0.0.1:9323",
        ),
        ..Spec::default()
    };
    let mut spec = spec;
    spec.args.retain(|a| a != "max-size=1");
    let at = spec.args.iter().rposition(|a| a == "--log-opt").unwrap();
    spec.args.remove(at);
    all.push(case("good by flags", version, spec, nothing, good()));
    // The same by the file.
    let file = r#"{"icc": false, "log-level": "info", "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}},
        "log-driver": "syslog", "log-opts": {"syslog-address": "tcp://192.0.2.1:514"}, "no-new-privileges": true,
        "live-restore": true, "userland-proxy": false, "cgroup-parent": "", "experimental": false,
        "metrics-addr": "127.0.0.1:9323", "seccomp-profile": "{dir}/some.json"}"#;
    let spec = Spec { daemon_json: json(file), files: vec![("some.json".into(), SOME.into())], ..Spec::default() };
    all.push(case("good by the file", version, spec, nothing, good()));
    // Everything bad, by flags.
    let spec = Spec {
        args: args(
            "--icc=true --log-level debug --iptables=F --insecure-registry 10.0.0.0/8 --insecure-registry \
             reg.example.com:5000 --registry-mirror http://mirror.example.com --log-driver none --live-restore=0 \
             --userland-proxy=1 --seccomp-profile {dir}/all.json --cgroup-parent /other --experimental \
             --metrics-addr 0.0.0.0:9323 --storage-driver vfs --no-new-privileges=false",
        ),
        files: vec![("all.json".into(), ALLOW_ALL.into())],
        ..Spec::default()
    };
    all.push(case("bad by flags", version, spec, nothing, bad()));
    let file = r#"{"icc": true, "log-level": "debug", "iptables": false, "ip6tables": false,
        "insecure-registries": ["10.0.0.0/8", "reg.example.com:5000"], "registry-mirrors": ["http://mirror.example.com"],
        "log-driver": "none", "live-restore": false, "userland-proxy": true, "seccomp-profile": "{dir}/all.json",
        "cgroup-parent": "/other", "experimental": true, "metrics-addr": "0.0.0.0:9323", "storage-driver": "vfs",
        "no-new-privileges": false}"#;
    let file = if old { file.replace("\"ip6tables\": false,", "") } else { file.to_owned() };
    let spec = Spec { daemon_json: Some(file), files: vec![("all.json".into(), ALLOW_ALL.into())], ..Spec::default() };
    all.push(case("bad by the file", version, spec, nothing, bad()));
    // The file was edited after the start: what the engine reports stands, the rest is unknown.
    let edit = |daemon: &mut Daemon| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        std::fs::write(
            daemon.daemon_json(),
            r#"{"icc": false, "log-level": "warn", "no-new-privileges": true, "live-restore": true,
               "userland-proxy": false, "iptables": true, "log-driver": "syslog"}"#,
        )
        .unwrap();
    };
    all.push(case(
        "file changed",
        version,
        Spec::default(),
        edit,
        vec![
            ("2.2", "daemon", "fail"),
            ("2.3", "daemon", "unknown"),
            ("2.4", "daemon", "unknown"),
            ("2.9", "daemon", "unknown"),
            ("2.11", "daemon", "unknown"),
            ("2.14", "daemon", "fail"),
            ("2.15", "daemon", if old { "unknown" } else { "fail" }),
            ("2.16", "daemon", "fail"),
            ("2.17", "daemon", if old { "unknown" } else { "fail" }),
            ("2.18", "daemon", "pass"),
            ("2.19", "daemon", "pass"),
            ("2.8", "daemon", "pass"),
            ("daemon/settings-active", "daemon", "fail"),
            ("daemon/metrics-local", "daemon", "unknown"),
        ],
    ));
    // The profile was edited after the start, when it let everything through.
    let loosened = |daemon: &mut Daemon| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        std::fs::write(daemon.dir().join("edited.json"), SOME).unwrap();
    };
    let spec = Spec {
        args: args("--seccomp-profile {dir}/edited.json"),
        files: vec![("edited.json".into(), ALLOW_ALL.into())],
        ..Spec::default()
    };
    all.push(case("seccomp profile changed", version, spec, loosened, vec![("2.18", "daemon", "unknown")]));
    // Another file lies over the one that was read, and is older than the engine.
    let covered = |daemon: &mut Daemon| {
        let (over, under) = (daemon.dir().join("over.json"), daemon.daemon_json());
        let bound = std::process::Command::new("mount").arg("--bind").args([over, under]).status();
        assert!(bound.is_ok_and(|status| status.success()));
    };
    let over = r#"{"icc": false, "userland-proxy": false, "log-level": "info", "no-new-privileges": true,
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}"#;
    let spec = Spec {
        daemon_json: json(r#"{"log-level": "warn"}"#),
        files: vec![("over.json".into(), over.into())],
        ..Spec::default()
    };
    all.push(case(
        "file mounted over",
        version,
        spec,
        covered,
        vec![
            ("2.2", "daemon", "fail"),
            ("2.3", "daemon", "unknown"),
            ("2.9", "daemon", "unknown"),
            ("2.15", "daemon", if old { "unknown" } else { "fail" }),
            ("2.17", "daemon", if old { "unknown" } else { "fail" }),
            ("daemon/settings-active", "daemon", "fail"),
        ],
    ));
    // What it withholds, it withholds from other machines alone.
    let spec = Spec {
        args: args("--seccomp-profile {dir}/foreign.json"),
        files: vec![("foreign.json".into(), FOREIGN.into())],
        ..Spec::default()
    };
    all.push(case("seccomp profile of another architecture", version, spec, nothing, vec![("2.18", "daemon", "fail")]));
    // Nested settings count, a duplicate's last value does, an unknown key would stop the engine.
    let file = r#"{"icc": true, "icc": false, "x": {"live-restore": true, "userland-proxy": "F"}, "log-level": ""}"#;
    let file = file.replace("\"x\":", "\"features-of-ours\":");
    let spec = Spec { daemon_json: Some(file), ..Spec::default() };
    all.push(case(
        "nested and double",
        version,
        spec,
        nothing,
        vec![
            ("2.2", "daemon", "pass"),
            ("2.3", "daemon", "pass"),
            ("2.16", "daemon", "pass"),
            ("daemon/settings-active", "daemon", "pass"),
        ],
    ));
    // Logs to a socket of the host.
    let spec = Spec {
        daemon_json: json(
            r#"{"log-driver": "syslog", "log-opts": {"syslog-address": "unix://{dir}/daemon.json"}, "debug": true,
               "insecure-registries": ["127.0.0.1:5000", "localhost:5001", "[::1]:5002"]}"#,
        ),
        ..Spec::default()
    };
    all.push(case(
        "local syslog and debug",
        version,
        spec,
        nothing,
        vec![
            ("2.5", "daemon", "pass"),
            ("daemon/settings-active", "daemon", "pass"),
            ("2.14", "daemon", "fail"),
            ("2.3", "daemon", "fail"),
            ("daemon/debug-off", "daemon", "fail"),
            ("daemon/log-bounded", "daemon", "pass"),
        ],
    ));
    let spec = Spec {
        daemon_json: json(
            r#"{"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}, "log-level": "warn"}"#,
        ),
        args: args("--bridge=none"),
        ..Spec::default()
    };
    all.push(case(
        "bounded logs, no bridge",
        version,
        spec,
        nothing,
        vec![
            ("2.2", "daemon", "pass"),
            ("2.3", "daemon", "fail"),
            ("2.14", "daemon", "fail"),
            ("daemon/log-bounded", "daemon", "pass"),
        ],
    ));
    // TCP.
    let open = Spec {
        hosts: vec!["tcp://0.0.0.0:2375".into(), "tcp://127.0.0.1:2378".into()],
        args: args("--metrics-addr 0.0.0.0:9323"),
        ..Spec::default()
    };
    all.push(case(
        "open TCP",
        version,
        open,
        nothing,
        vec![
            ("2.8", "daemon", "fail"),
            ("daemon/api-bound", "daemon", "fail"),
            ("daemon/metrics-local", "daemon", "fail"),
        ],
    ));
    // Logs go to an address of the host itself: that of the default bridge.
    let metrics = "--metrics-addr 0.0.0.0:9323 --log-driver gelf --log-opt gelf-address=udp://172.17.0.1:12201";
    let metrics = Spec { args: args(metrics), ..Spec::default() };
    all.push(case(
        "metrics",
        version,
        metrics,
        nothing,
        vec![
            ("2.8", "daemon", "pass"),
            ("daemon/api-bound", "daemon", "pass"),
            ("daemon/metrics-local", "daemon", "fail"),
            ("2.14", "daemon", "fail"),
        ],
    ));
    // TLS, by flags and by the file, of which versions make something else.
    let (certificate, key) = certificate();
    let files =
        || vec![("cert.pem".to_owned(), certificate.clone().into()), ("key.pem".to_owned(), key.clone().into())];
    let given = "--tlscacert {dir}/cert.pem --tlscert {dir}/cert.pem --tlskey {dir}/key.pem";
    let tcp = || vec!["tcp://127.0.0.1:2376".to_owned()];
    let flags =
        |line: &str| Spec { args: args(&format!("{line} {given}")), files: files(), hosts: tcp(), ..Spec::default() };
    all.push(case(
        "mutual TLS by flags",
        version,
        flags("--tlsverify"),
        nothing,
        vec![
            ("2.8", "daemon", "pass"),
            ("3.9", "", "pass"),
            ("3.10", "", "fail"),
            ("3.13", "", "pass"),
            ("3.14", "", "fail"),
            ("daemon/certificates-valid", "daemon", "pass"),
        ],
    ));
    all.push(case(
        "TLS without verifying",
        version,
        flags("--tls --tlsverify=false"),
        nothing,
        vec![("2.8", "daemon", "fail")],
    ));
    let by_file = |key: &str| Spec {
        daemon_json: Some(format!(
            "{{\"{key}\": true, \"tlscacert\": \"{{dir}}/cert.pem\", \"tlscert\": \"{{dir}}/cert.pem\", \
             \"tlskey\": \"{{dir}}/key.pem\"}}"
        )),
        files: files(),
        hosts: tcp(),
        ..Spec::default()
    };
    all.push(case("mutual TLS by the file", version, by_file("tlsverify"), nothing, vec![("2.8", "daemon", "pass")]));
    let implied = if old { "fail" } else { "pass" };
    all.push(case("tls in the file", version, by_file("tls"), nothing, vec![("2.8", "daemon", implied)]));
    // Without an authority of its own it takes the certificates of all that the system trusts.
    let anybody = Spec {
        daemon_json: json(r#"{"tlsverify": true, "tlscert": "{dir}/cert.pem", "tlskey": "{dir}/key.pem"}"#),
        files: files(),
        hosts: tcp(),
        ..Spec::default()
    };
    all.push(case(
        "no authority in the file",
        version,
        anybody,
        nothing,
        vec![("2.8", "daemon", "fail"), ("3.9", "", "not-applicable"), ("3.11", "", "pass"), ("3.13", "", "pass")],
    ));
    // What the environment says counted until 23.0.
    let mut spec = Spec {
        env: vec![("DOCKER_TLS_VERIFY".into(), "1".into()), ("DOCKER_CERT_PATH".into(), "{dir}".into())],
        files: files(),
        hosts: tcp(),
        ..Spec::default()
    };
    spec.files.push(("ca.pem".into(), certificate.clone().into()));
    let counts = if old { "pass" } else { "fail" };
    all.push(case("TLS by the environment", version, spec, nothing, vec![("2.8", "daemon", counts)]));
    // A byte order mark, which 20.10 would not start with.
    if !old {
        let spec = Spec { daemon_json: json("\u{feff}{\"icc\": false}"), ..Spec::default() };
        all.push(case(
            "a byte order mark",
            version,
            spec,
            nothing,
            vec![("2.2", "daemon", "pass"), ("2.3", "daemon", "pass")],
        ));
    }
    // Swarm.
    let swarm = |address: &'static str, spec: serde_json::Value| {
        move |daemon: &mut Daemon| {
            let body = serde_json::json!({"ListenAddr": address, "AdvertiseAddr": "127.0.0.1", "Spec": spec});
            let (status, answer) = daemon.request("POST", "/swarm/init", Some(&body));
            assert_eq!(status, 200, "{answer}");
        }
    };
    let strict = serde_json::json!({"EncryptionConfig": {"AutoLockManagers": true}, "CAConfig": {"NodeCertExpiry": 2_592_000_000_000_000u64}});
    all.push(case(
        "swarm on one address",
        version,
        Spec::default(),
        swarm("127.0.0.1:3377", strict),
        vec![
            ("5.1", "daemon", "manual"),
            ("2.8", "daemon", "pass"),
            ("2.16", "daemon", "not-applicable"),
            ("7.1", "swarm", "manual"),
            ("swarm/autolock", "", "pass"),
            ("swarm/node-certificates", "", "pass"),
            ("swarm/unlock-key-rotated", "", "manual"),
        ],
    ));
    all.push(case(
        "swarm on all",
        version,
        Spec::default(),
        swarm("0.0.0.0:2377", serde_json::json!({})),
        vec![
            ("5.1", "daemon", "manual"),
            ("2.8", "daemon", "pass"),
            ("daemon/api-bound", "daemon", "pass"),
            ("swarm/autolock", "", "fail"),
            ("swarm/bound-interface", "", "fail"),
            ("swarm/node-certificates", "", "pass"),
            ("swarm/overlays-encrypted", "", "fail"),
            ("swarm/unlock-key-rotated", "", "not-applicable"),
            ("swarm/secrets-managed", "", "pass"),
            ("swarm/planes-separate", "", "fail"),
            ("3.15", "", "pass"),
            ("3.16", "", "pass"),
        ],
    ));
    all
}

/// A certificate that signed itself, and its key.
fn certificate() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (own.cert.pem(), own.signing_key.serialize_pem())
}

fn good() -> Vec<Row> {
    vec![
        ("2.2", "daemon", "pass"),
        ("2.3", "daemon", "pass"),
        ("2.4", "daemon", "pass"),
        ("2.5", "daemon", "pass"),
        ("2.9", "daemon", "pass"),
        ("2.11", "daemon", "pass"),
        ("2.14", "daemon", "pass"),
        ("2.15", "daemon", "pass"),
        ("2.16", "daemon", "pass"),
        ("2.17", "daemon", "pass"),
        ("2.18", "daemon", "pass"),
        ("2.19", "daemon", "pass"),
        ("2.8", "daemon", "pass"),
        ("daemon/log-bounded", "daemon", "pass"),
        ("daemon/debug-off", "daemon", "pass"),
        ("daemon/metrics-local", "daemon", "pass"),
        ("daemon/settings-active", "daemon", "pass"),
    ]
}

fn bad() -> Vec<Row> {
    vec![
        ("2.2", "daemon", "fail"),
        ("2.3", "daemon", "fail"),
        ("2.4", "daemon", "fail"),
        ("2.5", "daemon", "fail"),
        ("2.6", "daemon", "pass"),
        ("2.8", "daemon", "pass"),
        ("2.9", "daemon", "manual"),
        ("2.11", "daemon", "fail"),
        ("2.14", "daemon", "fail"),
        ("2.15", "daemon", "fail"),
        ("2.16", "daemon", "fail"),
        ("2.17", "daemon", "fail"),
        ("2.18", "daemon", "fail"),
        ("2.19", "daemon", "fail"),
        ("daemon/mirrors-verified", "daemon", "fail"),
        ("daemon/metrics-local", "daemon", "fail"),
        ("daemon/settings-active", "daemon", "pass"),
    ]
}

/// A plugin that allows everything, at the place where engines look for it, for as long as it lives.
struct Plugin(std::path::PathBuf);

impl Plugin {
    fn start(name: &str) -> Self {
        let path = std::path::Path::new("/run/docker/plugins").join(format!("{name}.sock"));
        std::fs::create_dir_all("/run/docker/plugins").expect("mkdir");
        let _gone = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("bind");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
        Self(path)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Answers requests on one connection until it ends.
fn answer(stream: UnixStream) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        let mut activates = false;
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            activates |= line.starts_with("POST /Plugin.Activate");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body = if activates { r#"{"Implements":["authz"]}"# } else { r#"{"Allow":true}"# };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
        if writer.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn authorization_plugins_that_a_reload_switched_off_pass_nothing() {
    let plugin = Plugin::start(&format!("swtd{}", std::process::id()));
    let name = plugin.0.file_stem().and_then(|n| n.to_str()).expect("a name").to_owned();
    for version in [Version::V20, Version::V29] {
        let by_flag = Spec {
            args: vec![format!("--authorization-plugin={name}")],
            bridge: seaworthy_bed::Bridge::None,
            ..Spec::default()
        };
        let by_file = Spec {
            daemon_json: Some(format!("{{\"authorization-plugins\": [\"{name}\"]}}")),
            bridge: seaworthy_bed::Bridge::None,
            ..Spec::default()
        };
        for (place, spec, after) in [("by a flag", by_flag, "unknown"), ("by the file", by_file, "pass")] {
            let Some(daemon) = Daemon::require(version, spec) else { return };
            audit(&daemon.host(), &[]).expect(place, &[("2.13", "daemon", "pass")]);
            let hang_up = std::process::Command::new("kill").args(["-HUP", &daemon.pid().to_string()]).status();
            assert!(hang_up.is_ok_and(|s| s.success()));
            // The engine says when it is through.
            let reloaded = |daemon: &Daemon| {
                let now =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
                let (_, all) = daemon.request("GET", &format!("/events?since=0&until={now}"), None);
                all.to_string().contains("reload")
            };
            while !reloaded(&daemon) {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            audit(&daemon.host(), &[]).expect(&format!("{place}, reloaded"), &[("2.13", "daemon", after)]);
        }
    }
}

#[test]
fn settings_of_20_10() {
    side_by_side(cases(Version::V20));
}

#[test]
fn settings_of_29() {
    side_by_side(cases(Version::V29));
}
