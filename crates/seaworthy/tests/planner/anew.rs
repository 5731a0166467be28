//! Containers that are made anew.

use seaworthy_core::plan::{Action, Plan, Recreate};
use seaworthy_core::remedy::Safety;
use seaworthy_core::value::Value;

use super::{Ask, Host, left, words};

fn anew(host: &Host, checks: &[&str], set: &[&str]) -> Plan {
    host.ask(&Ask { checks, set, recreate: true, ..Ask::default() }).expect("a plan")
}

fn of<'p>(plan: &'p Plan, name: &str) -> &'p Recreate {
    let found = plan.changes.iter().find_map(|c| match &c.action {
        Action::Recreate(recreate) if recreate.container.name == name => Some(recreate),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} is not made anew: {:?}", plan.left_out))
}

/// `option -removed +added`, in their order.
fn changes(recreate: &Recreate) -> Vec<String> {
    let line = |s: &seaworthy_core::plan::SpecChange| {
        let removed = s.remove.iter().map(|r| format!(" -{r}"));
        let added = s.add.iter().map(|a| format!(" +{a}"));
        std::iter::once(s.option.clone()).chain(removed).chain(added).collect::<String>()
    };
    recreate.set.iter().map(line).collect()
}

#[test]
fn nothing_is_made_anew_unasked() {
    let plan = Host::new().plan(&["no-runtime-socket"]);
    assert!(plan.changes.is_empty());
    assert!(left(&plan, "no-runtime-socket").contains("needs --recreate"));
}

#[test]
fn exactly_what_the_finding_names_is_taken_away() {
    let host = Host::new();
    let plan = anew(&host, &["no-runtime-socket", "no-sensitive-mounts"], &[]);
    assert_eq!(changes(of(&plan, "ci")), ["volume -/var/run/docker.sock"]);
    assert_eq!(changes(of(&plan, "backup")), ["volume -/host"]);
    assert!(plan.changes.iter().all(|c| c.safety == Safety::Disruptive && !c.lasting.is_empty()));
    let plan = anew(&host, &["container/seccomp", "no-dangerous-capabilities", "no-raw-sockets"], &[]);
    assert_eq!(changes(of(&plan, "legacy")), ["cap-drop +NET_RAW +SYS_PTRACE", "security-opt +seccomp=builtin"]);
    let plan = anew(&host, &["unprivileged", "container/seccomp", "no-all-devices", "no-added-capabilities"], &[]);
    assert_eq!(changes(of(&plan, "debug")), ["privileged +false", "security-opt +seccomp=builtin"]);
    let plan = anew(&host, &["own-pid-namespace", "read-only-root"], &["node-metrics:tmpfs=/tmp,/run"]);
    assert_eq!(changes(of(&plan, "node-metrics")), ["pid +", "read-only +true", "tmpfs +/tmp +/run"]);
    assert!(left(&plan, "read-only-root").contains("docker diff"));
    // The group of the engine's socket is told by name, and taken away as it was given.
    let host = Host::new().file("docker-socket", "gid", 990);
    let host = host.container("backup", "groups_added", Value::strings(["990", "20001"]));
    let plan = anew(&host, &["no-powerful-groups"], &[]);
    assert_eq!(changes(of(&plan, "backup")), ["group-add -990"]);
}

#[test]
fn ports_stay_open_where_the_user_says() {
    let plan = anew(&Host::new(), &["container/bound-interface"], &["db:publish=192.0.2.10"]);
    assert_eq!(
        changes(of(&plan, "db")),
        ["publish -0.0.0.0:5432:5432/tcp -[::]:5432:5432/tcp +192.0.2.10:5432:5432/tcp"]
    );
    let web = changes(of(&plan, "web"));
    assert!(web[0].contains("+127.0.0.1:80:8080/tcp") && web[0].contains("+127.0.0.1:443:8443/tcp"), "{web:?}");
    assert!(!plan.changes.iter().any(|c| matches!(&c.action, Action::Recreate(r) if r.container.name == "proxy")));
}

#[test]
fn what_only_a_person_knows_is_not_guessed() {
    let plan =
        anew(&Host::new(), &["no-env-secrets", "docker/container/healthy", "docker/container/non-root-user"], &[]);
    assert!(plan.changes.is_empty(), "{:?}", words(&plan));
    assert!(plan.by_hand.iter().any(|h| h.finding.check.ends_with("no-env-secrets")));
    assert!(
        left(&plan, "container/non-root-user").contains("--set CONTAINER:user"),
        "{}",
        left(&plan, "non-root-user")
    );
    let plan = anew(&Host::new(), &["docker/container/non-root-user"], &["web:user=10001:10001"]);
    assert_eq!(changes(of(&plan, "web")), ["user +10001:10001"]);
    let plan = anew(&Host::new(), &["not-on-default-bridge"], &["legacy:network=shop", "ci:network=nowhere"]);
    assert_eq!(changes(of(&plan, "legacy")), ["network -bridge +shop"]);
    assert!(plan.left_out.iter().any(|l| l.finding.component == "ci" && l.why.contains("no network nowhere")));
    // No registry knows the demonstration's images.
    let plan = anew(&Host::new(), &["docker/container/image-pinned"], &[]);
    assert!(plan.by_hand.iter().any(|h| h.what.contains("No registry knows")));
    let mut host = Host::new();
    let digest = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let images = host.snapshot.targets[0].components.iter_mut().filter(|c| c.kind.name == "docker.image");
    for image in images.filter(|c| c.name.contains("shop/web")) {
        image.set("digests", Value::strings([digest]), seaworthy_core::fact::Source::place("a test"));
    }
    let plan = anew(&host, &["docker/container/image-pinned"], &[]);
    assert_eq!(changes(of(&plan, "web")), [format!("image +{digest}")]);
}

#[test]
fn what_could_not_be_taken_back_or_would_break_others_is_left_out() {
    let checks = &["docker/container/no-new-privileges"];
    for (host, says) in [
        (Host::new().container("web", "auto_remove", true), "started with --rm"),
        (Host::new().container("web", "swarm_task", true), "docker service update"),
        (Host::new().container("web", "status", "paused"), "is paused"),
        (Host::new().container("web", "changed_files", 7i64), "7 files"),
        (Host::new().unknown("docker.container", "web", "auto_remove"), "a right was missing"),
        (Host::new().container("db", "links", Value::strings(["/web:/db/web"])), "linked to it"),
    ] {
        let plan = anew(&host, checks, &[]);
        let found = plan.left_out.iter().find(|l| l.finding.component == "web").unwrap_or_else(|| panic!("{says}"));
        assert!(found.why.contains(says), "{}", found.why);
    }
    // api-metrics lives in the network of api.
    let plan = anew(&Host::new(), checks, &[]);
    assert!(plan.left_out.iter().any(|l| l.finding.component == "api" && l.why.contains("api-metrics")));
    let lost = Host::new().container("web", "changed_files", 7i64);
    let yes = lost.ask(&Ask { checks, recreate: true, accept: true, ..Ask::default() }).unwrap();
    assert!(of(&yes, "web").accept_lost_changes);
}

#[test]
fn two_findings_that_want_other_values_are_not_both_planned() {
    // Both want a network of its own, and the user names one: they agree.
    let host = Host::new().container("node-metrics", "default_bridge", true);
    let plan = anew(&host, &["own-network", "not-on-default-bridge"], &["node-metrics:network=shop", "*:network=shop"]);
    assert_eq!(of(&plan, "node-metrics").set.iter().filter(|s| s.option == "network").count(), 1);
}

#[test]
fn the_file_of_compose_is_said_to_need_the_same() {
    let composed = || Host::new().container("legacy", "project", "old$shop").container("legacy", "service", "till");
    let checks = &["container/seccomp", "no-raw-sockets", "no-sensitive-mounts"];
    let plan = anew(&composed(), checks, &[]);
    assert_eq!(of(&plan, "legacy").compose, Some(("old$shop".into(), "till".into())));
    let about: Vec<&String> = plan.warnings.iter().filter(|w| w.starts_with("old$shop/till: ")).collect();
    assert_eq!(about.len(), 2, "{:?}", plan.warnings);
    let add =
        r#"change the service there too: add cap_drop: ["NET_RAW"]; security_opt: ["seccomp=builtin"] (harden export"#;
    assert!(about[0].contains(add), "{}", about[0]);
    assert!(about[1].contains("prune before using it"));
    // What is not Compose's says nothing of it.
    assert!(!plan.warnings.iter().any(|w| w.contains("backup")), "{:?}", plan.warnings);
    let ci = Host::new().container("ci", "project", "build").container("ci", "service", "runner");
    let plan = anew(&ci, &["no-runtime-socket"], &[]);
    let take = "change the service there too: take out volumes: /var/run/docker.sock (harden export";
    assert!(plan.warnings.iter().any(|w| w.contains(take)), "{:?}", plan.warnings);
    // Without a re-creation nothing of it is said.
    let plan = composed().ask(&Ask { checks, ..Ask::default() }).unwrap();
    assert!(!plan.warnings.iter().any(|w| w.contains("till")));
}
