//! What engines make of what they were told: settings that are rewritten, environments, reloads, certificates.

mod support;

use std::process::Command;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use seaworthy_bed::{Bridge, Daemon, Spec, Version};
use support::{audit, side_by_side};

type Row = (&'static str, &'static str, &'static str);
type Case = Box<dyn FnOnce() + Send>;

fn args(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Starts an engine, lets `then` change something, audits it and compares.
fn case(
    name: &'static str,
    version: Version,
    spec: Spec,
    then: impl FnOnce(&Daemon) + Send + 'static,
    table: Vec<Row>,
) -> Case {
    Box::new(move || {
        let Some(daemon) = Daemon::require(version, spec) else { return };
        then(&daemon);
        audit(&daemon.host(), &[]).expect(&format!("{} {name}", version.name()), &table);
    })
}

/// Rewrites daemon.json, has it read, and waits until the engine says so.
fn reload(daemon: &Daemon, json: &str) {
    let count = |daemon: &Daemon| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
        let (_, all) = daemon.request("GET", &format!("/events?since=0&until={now}"), None);
        all.to_string().matches("\"reload\"").count()
    };
    let before = count(daemon);
    std::fs::write(daemon.daemon_json(), json).expect("write");
    let told = Command::new("kill").args(["-HUP", &daemon.pid().to_string()]).status();
    assert!(told.is_ok_and(|status| status.success()));
    for _ in 0..600 {
        if count(daemon) > before {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the engine has not read {json} for a minute");
}

fn cases(version: Version) -> Vec<Case> {
    let spellings = r#"{"insecure-registries": ["http://reg.example.com:5000", "10.0.0.1/8"], "userns-remap": "root",
        "registry-mirrors": ["https://m.example.com", "https://m.example.com/"]}"#;
    let debug = Spec { env: vec![("DEBUG".into(), "1".into())], bridge: Bridge::None, ..Spec::default() };
    let toggled = |daemon: &Daemon| {
        reload(daemon, r#"{"debug": true}"#);
        reload(daemon, r#"{"debug": false}"#);
    };
    let errors = Spec { args: args("--log-level=error"), bridge: Bridge::None, ..Spec::default() };
    let unfiltered = |daemon: &Daemon| {
        let off = "echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables";
        let net = format!("--net=/proc/{}/ns/net", daemon.pid());
        let done = Command::new("nsenter").args([&*net, "sh", "-c", off]).status();
        assert!(done.is_ok_and(|status| status.success()));
    };
    let apart = Spec { args: args("--icc=false"), ..Spec::default() };
    vec![
        case(
            "what is written otherwise",
            version,
            Spec { daemon_json: Some(spellings.to_owned()), bridge: Bridge::None, ..Spec::default() },
            |_| {},
            vec![("2.5", "daemon", "fail"), ("2.10", "daemon", "fail"), ("daemon/settings-active", "daemon", "pass")],
        ),
        case(
            "DEBUG in the environment",
            version,
            debug,
            |_| {},
            vec![
                ("2.3", "daemon", "pass"),
                ("daemon/debug-off", "daemon", "fail"),
                ("daemon/settings-active", "daemon", "pass"),
            ],
        ),
        case(
            "a file that the next start refuses",
            version,
            Spec { bridge: Bridge::None, ..Spec::default() },
            |daemon| std::fs::write(daemon.daemon_json(), "{\"icc\": fal").expect("write"),
            vec![("daemon/settings-active", "daemon", "fail")],
        ),
        case(
            "a setting that is a flag as well",
            version,
            Spec { args: args("--icc=false"), ..Spec::default() },
            |daemon| std::fs::write(daemon.daemon_json(), "{\"icc\": true}").expect("write"),
            vec![("2.2", "daemon", "pass"), ("daemon/settings-active", "daemon", "fail")],
        ),
        // The engine's log is at info now, whatever its flag says.
        case("debug mode on and off", version, errors, toggled, vec![("2.3", "daemon", "unknown")]),
        case("icc off and unfiltered", version, apart, unfiltered, vec![("2.2", "daemon", "fail")]),
    ]
}

/// A certificate that signed itself, and its key.
fn certificate(begin: i32, end: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    (params.not_before, params.not_after) = (date_time_ymd(begin, 1, 1), date_time_ymd(end, 1, 1));
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

fn certificates(version: Version) -> Vec<Case> {
    let good = certificate(2000, 2090);
    let spec = |(pem, key): &(String, String), authority: &str| Spec {
        args: args("--tlsverify --tlscacert {dir}/ca.pem --tlscert {dir}/c.pem --tlskey {dir}/k.pem"),
        files: vec![
            ("ca.pem".into(), authority.into()),
            ("c.pem".into(), pem.clone().into()),
            ("k.pem".into(), key.clone().into()),
        ],
        hosts: vec!["tcp://127.0.0.1:2376".to_owned()],
        bridge: Bridge::None,
        ..Spec::default()
    };
    let (ended, later) = (certificate(2000, 2001), certificate(2080, 2090));
    let renewed = good.0.clone();
    let renew = move |daemon: &Daemon| {
        std::thread::sleep(Duration::from_millis(60));
        std::fs::write(daemon.dir().join("c.pem"), renewed).expect("write");
    };
    let valid = |verdict| vec![("daemon/certificates-valid", "daemon", verdict), ("2.8", "daemon", "pass")];
    let both = format!("{}{}", ended.0, good.0);
    vec![
        case("in order", version, spec(&good, &good.0), |_| {}, valid("pass")),
        case("not valid yet", version, spec(&later, &good.0), |_| {}, valid("fail")),
        case("an authority that ended", version, spec(&good, &ended.0), |_| {}, valid("fail")),
        case("an authority beside the one that ended", version, spec(&good, &both), |_| {}, valid("pass")),
        case("renewed, but not in use", version, spec(&ended, &good.0), renew, valid("unknown")),
    ]
}

#[test]
fn settings_of_both_engines() {
    side_by_side([Version::V20, Version::V29].into_iter().flat_map(cases).collect());
}

#[test]
fn certificates_of_both_engines() {
    side_by_side([Version::V20, Version::V29].into_iter().flat_map(certificates).collect());
}
