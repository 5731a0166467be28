use super::super::argv;
use super::super::environment::Environment;
use super::super::find::Found;
use super::*;
use crate::host::process::Owner;
use serde_json::json;

fn info(extra: Value) -> Value {
    let mut info = json!({
        "SecurityOptions": ["name=seccomp,profile=default"], "LiveRestoreEnabled": false, "Debug": false,
        "ExperimentalBuild": false, "LoggingDriver": "json-file", "DefaultRuntime": "runc", "CgroupVersion": "1",
        "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"], "Mirrors": [], "IndexConfigs":
            {"docker.io": {"Secure": true}}}, "Plugins": {"Authorization": null}, "Driver": "overlay2",
        "DriverStatus": [], "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "DockerRootDir": "/var/lib/docker",
    });
    info.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    info
}

fn file(text: &str, changed: bool) -> ConfigFile {
    ConfigFile {
        path: "/etc/docker/daemon.json".into(),
        real: None,
        state: config::parse(text.as_bytes(), 29).map_or_else(State::Refused, State::Read),
        digest: None,
        changed_at: Some(1),
        changed_since_start: changed.then(|| "daemon.json changed after dockerd started".into()),
    }
}

fn decide(version: &str, info: Value, line: &str, file: &ConfigFile) -> Settings {
    decide_in(Some(Environment::default()), version, info, line, file)
}

fn decide_in(environment: Option<Environment>, version: &str, info: Value, line: &str, file: &ConfigFile) -> Settings {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let daemon = Daemon::for_test(
        argv::parse(&words),
        environment,
        Found::Peer,
        Owner { uid: 0, effective_uid: 0, effective_gid: 0 },
    );
    let minor = if version.starts_with("29") { "1.56" } else { "1.41" };
    let version = json!({"Version": version, "ApiVersion": minor});
    let bridge = json!({"Options": {"com.docker.network.bridge.enable_icc": "true"}});
    settings(Inputs {
        version: Some(&version),
        info: Some(&info),
        bridge: Ok(Some(&bridge)),
        daemon: Ok(&daemon),
        file: Some(file),
        reloaded: None,
    })
}

fn known(settings: &Settings, name: &str) -> Value {
    match &settings.get(name).unwrap().value {
        Effective::Known(value) => value.clone(),
        Effective::Unknown(why) => panic!("{name}: {why}"),
    }
}

fn unknown(settings: &Settings, name: &str) -> bool {
    matches!(settings.get(name).unwrap().value, Effective::Unknown(_))
}

#[test]
fn the_engine_speaks_before_the_sources() {
    let text = r#"{"icc":false,"live-restore":true,"insecure-registries":["r:5000"]}"#;
    let s = decide("20.10.24", info(json!({})), "dockerd", &file(text, false));
    assert_eq!(known(&s, "icc"), true);
    assert_eq!(s.get("icc").unwrap().active_differs, Some(true));
    assert_eq!(known(&s, "live-restore"), false);
    assert_eq!(s.get("live-restore").unwrap().configured, Some(json!(true)));
    assert_eq!(known(&s, "insecure-registries"), json!([]));
    assert_eq!(s.get("seccomp-profile").unwrap().active_differs, Some(false));
}

#[test]
fn a_changed_file_leaves_what_the_engine_does_not_report_unknown() {
    let text = r#"{"no-new-privileges":true,"iptables":true,"log-level":"info"}"#;
    let s = decide("20.10.24", info(json!({})), "dockerd --ip-masq=0", &file(text, true));
    for name in ["no-new-privileges", "iptables", "log-level", "userland-proxy", "tls", "default-ulimits"] {
        assert!(unknown(&s, name), "{name}");
    }
    assert_eq!(known(&s, "ip-masq"), false);
    assert_eq!(s.get("no-new-privileges").unwrap().configured, Some(json!(true)));
    let s = decide("20.10.24", info(json!({})), "dockerd", &file(text, false));
    assert_eq!(known(&s, "no-new-privileges"), true);
    assert_eq!(s.get("userland-proxy").unwrap().source, "built-in default of Engine 20.10.24");
}

#[test]
fn what_engine_29_reports_more() {
    let on = json!({"SecurityOptions": ["name=seccomp,profile=builtin", "name=no-new-privileges", "name=userns"],
        "FirewallBackend": {"Driver": "iptables", "Info": [["EnableUserlandProxy", "true"]]}});
    let s = decide("29.1.0", info(on), "dockerd", &file("{}", true));
    assert_eq!(known(&s, "no-new-privileges"), true);
    assert_eq!(known(&s, "userland-proxy"), true);
    assert_eq!(known(&s, "userns-remap"), true);
    let off = json!({"FirewallBackend": {"Driver": "iptables", "Info": null}});
    let s = decide("29.1.0", info(off), "dockerd", &file("{}", true));
    assert_eq!(known(&s, "no-new-privileges"), false);
    assert_eq!(known(&s, "userland-proxy"), false);
    assert!(unknown(&s, "iptables"));
}

#[test]
fn plugins_of_a_flag_are_no_evidence_without_proof_that_there_was_no_reload() {
    let listed = json!({"Plugins": {"Authorization": ["p"]}});
    let s = decide("20.10.24", info(listed.clone()), "dockerd --authorization-plugin=p", &file("{}", false));
    assert!(unknown(&s, "authorization-plugins"));
    let s = decide("20.10.24", info(listed), "dockerd", &file(r#"{"authorization-plugins":["p"]}"#, false));
    assert_eq!(known(&s, "authorization-plugins"), json!(["p"]));
}

#[test]
fn without_the_daemon_only_the_engine_speaks() {
    let info = info(json!({}));
    let inputs = Inputs {
        version: None,
        info: Some(&info),
        bridge: Err("denied"),
        daemon: Err("it is remote"),
        file: None,
        reloaded: None,
    };
    let s = settings(inputs);
    assert_eq!(known(&s, "live-restore"), false);
    for name in ["icc", "iptables", "log-level", "tls", "hosts", "default-ulimits", "userland-proxy"] {
        assert!(unknown(&s, name), "{name}");
    }
    let nothing = settings(Inputs { info: None, ..inputs });
    assert!(nothing.all.iter().all(|s| matches!(s.value, Effective::Unknown(_))), "{nothing:?}");
}

#[test]
fn what_the_next_start_would_refuse_is_said() {
    let s = decide("29.1.0", info(json!({})), "dockerd --icc=true", &file(r#"{"icc":false}"#, true));
    assert!(s.refuses_start.unwrap().contains("icc"));
    let s = decide("29.1.0", info(json!({})), "dockerd", &file(r#"{"nonsense":1}"#, true));
    assert!(s.refuses_start.unwrap().contains("nonsense"));
}

#[test]
fn events_prove_a_reload_or_its_absence_only_while_all_are_kept() {
    let other = json!({"Type": "container", "Action": "start"});
    let reload = json!({"Type": "daemon", "Action": "reload"});
    assert_eq!(reloaded(std::slice::from_ref(&other)), Some(false));
    assert_eq!(reloaded(&[other.clone(), reload]), Some(true));
    assert_eq!(reloaded(&vec![other; 256]), None);
    assert_eq!(reloaded(&[]), Some(false));
}

#[test]
fn what_the_engine_makes_of_a_setting_is_no_difference() {
    let registries = json!({"InsecureRegistryCIDRs": ["10.0.0.0/8", "127.0.0.0/8", "::1/128", "fd00::/16"],
        "Mirrors": ["https://m.example.com/"], "IndexConfigs": {"reg.example.com:5000": {"Secure": false}}});
    let text = r#"{"insecure-registries": ["HTTP://reg.example.com:5000", "10.1.2.3/8", "fd00:0:1::2/16"],
        "registry-mirrors": ["https://m.example.com", "https://m.example.com/"], "userns-remap": "root:root"}"#;
    let s = decide("29.1.0", info(json!({"RegistryConfig": registries})), "dockerd", &file(text, false));
    for name in ["insecure-registries", "registry-mirrors", "userns-remap"] {
        assert_eq!(s.get(name).unwrap().active_differs, Some(false), "{name}: {:?}", s.get(name));
    }
    let own = info(json!({"DockerRootDir": "/var/lib/docker/0.0"}));
    let s = decide("29.1.0", own, "dockerd --userns-remap=root", &file("{}", false));
    assert_ne!(s.get("data-root").unwrap().active_differs, Some(true));
    let s = decide("29.1.0", info(json!({})), "dockerd --userns-remap=default", &file("{}", false));
    assert_eq!(s.get("userns-remap").unwrap().active_differs, Some(true));
}

#[test]
fn debug_of_the_environment_leaves_the_log_as_it_was_configured() {
    let debug = || info(json!({"Debug": true}));
    let environment = |debug| Some(Environment { debug, ..Environment::default() });
    let level = |line: &str, text: &str, environment: Option<Environment>| {
        let s = decide_in(environment, "29.1.0", debug(), line, &file(text, false));
        let level = s.get("log-level").unwrap().value.clone();
        (level, s.get("debug").unwrap().active_differs)
    };
    let is = |level: &str| Effective::Known(json!(level));
    assert_eq!(level("dockerd", "{}", environment(true)), (is("info"), Some(false)));
    assert_eq!(level("dockerd", r#"{"log-level": "warn"}"#, environment(true)), (is("warn"), Some(false)));
    assert_eq!(level("dockerd -D", "{}", environment(true)), (is("debug"), Some(false)));
    assert_eq!(level("dockerd", r#"{"debug": true}"#, environment(false)), (is("debug"), Some(false)));
    assert!(matches!(level("dockerd", "{}", None).0, Effective::Unknown(_)));
}

#[test]
fn a_reload_may_have_set_the_log_level_to_info() {
    let level = |line: &str, changed| {
        decide("29.1.0", info(json!({})), line, &file("{}", changed)).get("log-level").unwrap().value.clone()
    };
    assert_eq!(level("dockerd -l error", false), Effective::Known(json!("error")));
    assert_eq!(level("dockerd -l info", true), Effective::Known(json!("info")));
    assert!(matches!(level("dockerd -l error", true), Effective::Unknown(_)));
}

#[test]
fn who_maps_root_to_root_remaps_nobody() {
    let users = |directory: &str| {
        let info = info(json!({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
            "DockerRootDir": directory}));
        known(&decide("29.1.0", info, "dockerd --userns-remap=default", &file("{}", false)), "userns-remap")
    };
    assert_eq!(users("/var/lib/docker/100000.100000"), true);
    assert_eq!(users("/var/lib/docker/100000.0"), true);
    assert_eq!(users("/var/lib/docker/0.100000"), false);
}
