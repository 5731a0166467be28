//! Settings of the engine: what restarts, what stops, what contradicts what.

use seaworthy_core::plan::{Action, Activate, Activation};
use seaworthy_core::remedy::Safety;
use seaworthy_core::value::Value;
use serde_json::json;

use super::{Ask, Host, keys, left, only, words};

fn activate(plan: &seaworthy_core::plan::Plan) -> Activate {
    let found =
        plan.changes.iter().find_map(|c| if let Action::Activate(a) = &c.action { Some(a.clone()) } else { None });
    found.expect("the engine takes its settings")
}

fn names(all: &[seaworthy_core::plan::ContainerRef]) -> Vec<&str> {
    all.iter().map(|c| c.name.as_str()).collect()
}

#[test]
fn closing_the_bridge_under_live_restore_stops_everything_first() {
    let plan = Host::new().plan(&["icc-off"]);
    assert_eq!(words(&plan), ["daemon.json", "restart"]);
    assert_eq!(keys(&plan), [("icc".to_owned(), Some(json!(false)))]);
    let takes = activate(&plan);
    assert!(takes.stop_all && takes.returns.is_empty());
    assert_eq!(plan.interruption.stops.len(), 11);
    assert!(plan.warnings.iter().any(|w| w.contains("live-restore")), "{:?}", plan.warnings);
    // What is joined to another comes after it.
    let order = names(&takes.started_again);
    let at = |name: &str| order.iter().position(|n| *n == name).unwrap();
    assert!(at("api") < at("api-metrics"), "{order:?}");
    // The same without it: those that the engine starts by itself are left to it.
    let plan = Host::new().daemon("live_restore", false).plan(&["icc-off"]);
    let takes = activate(&plan);
    assert!(!takes.stop_all);
    assert_eq!(names(&takes.returns), ["web", "worker"]);
    // How a program ends decides whether on-failure starts it again: those are started by us.
    assert!(names(&takes.started_again).contains(&"cache"));
    let (seconds, why) = plan.interruption.seconds.clone().unwrap();
    assert!(seconds == 12 && why.contains("stop timeout"), "{why}");
}

#[test]
fn what_a_reload_takes_is_reloaded_unless_that_would_switch_authorization_off() {
    let host = || Host::new().daemon("live_restore", false);
    let plan = host().plan(&["live-restore"]);
    assert_eq!(words(&plan), ["daemon.json", "reload"]);
    assert_eq!((plan.safety(), plan.interruption.stops.len()), (Safety::Safe, 0));
    for by in ["fact", "file", "flag"] {
        let host = match by {
            "fact" => host().daemon("authorization_plugins", Value::strings(["opa"])),
            "file" => host().daemon("config_keys", Value::strings(["authorization-plugins"])),
            _ => host().daemon("arguments", Value::strings(["dockerd", "--authorization-plugin=opa"])),
        };
        let plan = host.plan(&["live-restore"]);
        assert_eq!(activate(&plan).how, Activation::Restart, "{by}");
        assert_eq!(plan.safety(), Safety::Disruptive, "{by}");
    }
}

#[test]
fn a_setting_that_is_a_flag_is_left_to_the_unit() {
    let host = Host::new().daemon("arguments", Value::strings(["dockerd", "--icc=true"]));
    let plan = host.plan(&["icc-off"]);
    assert!(left(&plan, "icc-off").contains("--icc=true"), "{}", left(&plan, "icc-off"));
    assert!(plan.changes.is_empty());
}

#[test]
fn what_contradicts_each_other_is_found_before() {
    let plan = Host::new().daemon("iptables", false).plan(&["icc-off"]);
    assert!(left(&plan, "icc-off").contains("does not start with icc off"));
    let both = Host::new().daemon("iptables", false).plan(&["icc-off", "iptables-managed"]);
    assert_eq!(keys(&both).len(), 2);
    let plan = Host::new().plan(&["icc-off", "no-userland-proxy"]);
    assert!(plan.warnings.iter().any(|w| w.contains("gateway")), "{:?}", plan.warnings);
    assert!(Host::new().plan(&["no-userland-proxy"]).warnings.iter().all(|w| !w.contains("gateway")));
    // In a swarm the check asks nothing of it, and the planner does not trust to that.
    let swarm = Host::new().daemon("live_restore", false).daemon("swarm", "active");
    assert!(swarm.plan(&["live-restore"]).changes.is_empty());
}

#[test]
fn no_plan_makes_the_engine_delete_what_was_started_to_be_deleted() {
    // Without live-restore a restart ends and deletes it.
    let host = Host::new().daemon("live_restore", false).container("worker", "auto_remove", true);
    let plan = host.plan(&["docker/daemon/no-new-privileges", "live-restore"]);
    assert!(left(&plan, "daemon/no-new-privileges").contains("--rm"), "{}", left(&plan, "daemon/no-new-privileges"));
    // What a reload takes is planned all the same.
    assert_eq!(words(&plan), ["daemon.json", "reload"]);
    // With it the container runs on, but for the bridge, for which it would be stopped.
    let host = || Host::new().container("worker", "auto_remove", true);
    assert_eq!(words(&host().plan(&["docker/daemon/no-new-privileges"])), ["daemon.json", "restart"]);
    assert!(left(&host().plan(&["icc-off"]), "icc-off").contains("worker"));
    // What was created with --rm and does not run is deleted by any restart.
    let host = Host::new().container("debug", "auto_remove", true);
    assert!(left(&host.plan(&["docker/daemon/no-new-privileges"]), "no-new-privileges").contains("debug"));
}

#[test]
fn nothing_rests_on_what_is_not_known() {
    for fact in ["config_keys", "config_digest", "arguments", "live_restore"] {
        let plan = Host::new().unknown("docker.daemon", "", fact).plan(&["icc-off"]);
        assert!(plan.changes.is_empty(), "{fact}");
        assert!(left(&plan, "icc-off").contains("a right was missing"), "{fact}: {}", left(&plan, "icc-off"));
    }
    for (container, fact) in
        [("web", "auto_remove"), ("web", "running"), ("db", "stop_timeout"), ("db", "restart_policy")]
    {
        let plan =
            Host::new().daemon("live_restore", false).unknown("docker.container", container, fact).plan(&["icc-off"]);
        assert!(plan.changes.is_empty() && left(&plan, "icc-off").contains("a right was missing"), "{fact}");
    }
    let plan = Host::new().unknown("docker.host", "", "machine").plan(&["icc-off"]);
    assert!(left(&plan, "icc-off").contains("host beneath"));
    let mut host = Host::new();
    host.snapshot.targets[0].incomplete("docker.container".parse_kind(), "one vanished");
    assert!(left(&host.plan(&["icc-off"]), "icc-off").contains("one vanished"));
}

/// A kind by its name.
trait ParseKind {
    fn parse_kind(&self) -> &'static seaworthy_core::schema::Kind;
}

impl ParseKind for str {
    fn parse_kind(&self) -> &'static seaworthy_core::schema::Kind {
        seaworthy_core::schema::kind_named(self).unwrap()
    }
}

#[test]
fn what_others_wrote_since_is_said_and_what_would_not_start_is_not_touched() {
    let changed = Host::new().daemon("config_changed_since_start", true).plan(&["icc-off"]);
    assert!(changed.warnings.iter().any(|w| w.contains("takes effect too")), "{:?}", changed.warnings);
    let mut host = Host::new();
    host.snapshot.targets[0].gap("daemon.json", "the daemon would refuse to start again: bad", "the next start");
    assert!(left(&host.plan(&["icc-off", "no-insecure-registries"]), "icc-off").contains("refuse to start again"));
    assert!(host.plan(&["icc-off"]).changes.is_empty());
}

#[test]
fn engines_for_which_it_means_nothing_are_left_alone() {
    for (fact, value, says) in
        [("engine", Value::from("podman"), "podman"), ("rootless", Value::from(true), "rootless")]
    {
        let plan = Host::new().daemon(fact, value).plan(&["icc-off"]);
        assert!(plan.changes.is_empty() && left(&plan, "icc-off").contains(says));
    }
}

#[test]
fn keys_are_taken_away_where_the_default_has_no_word() {
    let host = || Host::new().daemon("seccomp_profile", "/x.json").daemon("seccomp_profile_allows_all", true);
    let plan = host().daemon("config_keys", Value::strings(["seccomp-profile"])).plan(&["daemon/seccomp-profile"]);
    assert_eq!(keys(&plan), [("seccomp-profile".to_owned(), None)]);
    assert!(left(&host().plan(&["daemon/seccomp-profile"]), "seccomp-profile").contains("without seccomp"));
    // The metrics keep their port.
    let plan = Host::new().daemon("metrics_address", "0.0.0.0:9999").plan(&["metrics-local"]);
    assert_eq!(keys(&plan), [("metrics-addr".to_owned(), Some(json!("127.0.0.1:9999")))]);
}

#[test]
fn a_default_reaches_containers_when_they_are_made_anew() {
    let checks = ["docker/daemon/no-new-privileges", "docker/container/no-new-privileges"];
    let plan = Host::new().plan(&checks);
    let waits = plan.expects.iter().filter(|e| e.pending == Some(seaworthy_core::plan::Pending::Recreation));
    assert!(waits.clone().count() > 0);
    assert!(waits.clone().all(|e| e.finding.check == "docker/container/no-new-privileges"));
    assert!(plan.left_out.is_empty(), "{:?}", plan.left_out);
    let now = plan.expects.iter().find(|e| e.finding.check == "docker/daemon/no-new-privileges").unwrap();
    assert_eq!(now.pending, None);
}

#[test]
fn a_socket_of_systemds_is_kept_by_a_drop_in_and_dockerds_own_by_its_rights() {
    let open = || Host::new().file("docker-socket", "mode", 0o666i64);
    let plan = open().plan(&["docker-socket-mode"]);
    let Action::Rights(rights) = &only(&plan, "rights").action else { panic!() };
    assert_eq!((rights.before.mode, rights.after.mode, rights.what.as_str()), (0o666, 0o660, "socket"));
    let by_systemd = open().daemon("arguments", Value::strings(["/usr/bin/dockerd", "-H", "fd://"]));
    let plan = by_systemd.plan(&["docker-socket-mode"]);
    let Action::DropIn(drop_in) = &only(&plan, "drop-in").action else { panic!() };
    assert_eq!(drop_in.set, [("SocketMode".to_owned(), "0660".to_owned())]);
    assert_eq!(drop_in.socket.as_ref().unwrap().after.mode, 0o660);
    assert!(plan.changes[0].breaks.iter().any(|b| b.contains("loses the engine")));
    // An access list is a person's to judge.
    let plan = open().file("docker-socket", "acl", Value::strings(["user:ann:rw-"])).plan(&["docker-socket-mode"]);
    assert_eq!(plan.by_hand[0].command[0], "setfacl");
    // Where daemon.json names the socket's group, the group is changed there.
    let other = || Host::new().file("docker-socket", "gid", 4i64).file("docker-socket", "group", "adm");
    let plan = other().daemon("config_keys", Value::strings(["group"])).plan(&["docker-socket-owner"]);
    assert!(left(&plan, "docker-socket-owner").contains("daemon.json"));
    assert_eq!(words(&other().plan(&["docker-socket-owner"])), ["rights"]);
}

#[test]
fn files_keep_what_is_stricter_and_audit_rules_are_one_change() {
    let host = Host::new().file("daemon-json", "mode", 0o6626i64).file("daemon-json", "uid", 1000i64);
    let plan = host.plan(&["daemon-json-mode", "daemon-json-owner"]);
    let change = only(&plan, "rights");
    let Action::Rights(rights) = &change.action else { panic!() };
    assert_eq!((rights.after.uid, rights.after.gid, rights.after.mode), (0, 0, 0o604));
    assert_eq!(change.closes.len(), 2);
    // Who has more by a list that stays is named; where the mode is to become stricter a person takes the list away.
    let listed =
        || Host::new().file("daemon-json", "uid", 1000i64).file("daemon-json", "acl", Value::strings(["user:ann:rw-"]));
    let plan = listed().plan(&["daemon-json-owner"]);
    assert!(matches!(only(&plan, "rights").action, Action::Rights(_)));
    assert!(plan.warnings.iter().any(|w| w.contains("stays: user:ann:rw-")), "{:?}", plan.warnings);
    let plan = listed().file("daemon-json", "mode", 0o666i64).plan(&["daemon-json-mode"]);
    assert!(plan.changes.is_empty() && plan.by_hand[0].what.contains("user:ann:rw-"), "{plan:?}");
    let plan = Host::new().ask(&Ask { checks: &["docker/file"], ..Ask::default() }).unwrap();
    let Action::Audit(rules) = &only(&plan, "audit rules").action else { panic!() };
    assert!(rules.enable && rules.watches.len() > 10);
    assert_eq!(only(&plan, "audit rules").safety, Safety::Disruptive, "the data directory is noisy");
    let unwatched = Host::new().unknown("docker.host", "", "audit_enabled").plan(&["dockerd-audited"]);
    assert!(left(&unwatched, "dockerd-audited").contains("a right was missing"));
    let locked = Host::new().host("audit_enabled", true).host("audit_immutable", true).plan(&["dockerd-audited"]);
    assert_eq!(locked.expects[0].pending, Some(seaworthy_core::plan::Pending::Reboot));
}
