//! Who gets in.

use seaworthy_core::plan::{Action, Pending};
use seaworthy_core::value::Value;

use super::{Ask, Host, left, only, words};

fn keys(all: &[(&str, i64)]) -> Value {
    let one = |(user, count): &(&str, i64)| {
        Value::Object(vec![
            ("user", (*user).into()),
            ("count", (*count).into()),
            ("path", "/k".into()),
            ("writable_by_others", false.into()),
        ])
    };
    Value::List(all.iter().map(one).collect())
}

#[test]
fn nobody_is_locked_out_of_the_machine() {
    // The demonstration has no key at all.
    let plan = Host::new().plan(&["ssh-no-passwords"]);
    assert!(left(&plan, "ssh-no-passwords").contains("locked out"));
    let plan = Host::new().host("ssh_keys", keys(&[("ann", 1)])).plan(&["ssh-no-passwords", "ssh-no-root"]);
    let Action::Sshd(sshd) = &only(&plan, "sshd").action else { panic!() };
    assert_eq!(sshd.set.len(), 3, "{:?}", sshd.set);
    // Root alone has a key: one of the two goes, not both.
    let plan = Host::new().host("ssh_keys", keys(&[("root", 1)])).plan(&["ssh-no-passwords", "ssh-no-root"]);
    let Action::Sshd(sshd) = &only(&plan, "sshd").action else { panic!() };
    assert!(sshd.set.iter().all(|(name, _)| name != "PermitRootLogin"), "{:?}", sshd.set);
    assert!(left(&plan, "ssh-no-root").contains("nobody who has a key"));
    let unknown = Host::new().unknown("docker.host", "", "ssh_keys").plan(&["ssh-no-passwords"]);
    assert!(left(&unknown, "ssh-no-passwords").contains("a right was missing"));
}

#[test]
fn who_leaves_the_group_the_user_says() {
    let host = || Host::new().host("docker_group_members", Value::strings(["ann", "bob"]));
    let plan = host().plan(&["docker-group-trusted"]);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.by_hand[0].command, ["gpasswd", "--delete", "ann", "docker"]);
    let ask = |set: &'static [&'static str]| Ask { checks: &["docker-group-trusted"], set, ..Ask::default() };
    let one = host().ask(&ask(&["host:leave=bob"])).unwrap();
    assert_eq!(words(&one), ["group"]);
    assert!(one.expects.is_empty(), "ann is still in it");
    let all = host().ask(&ask(&["host:leave=ann,bob"])).unwrap();
    assert_eq!((words(&all), all.expects.len()), (vec!["group", "group"], 1));
    assert!(left(&host().ask(&ask(&["host:leave=eve"])).unwrap(), "group-trusted").contains("eve is no member"));
}

#[test]
fn content_trust_waits_for_a_login_and_says_what_it_costs() {
    let mut host = Host::new();
    for client in host.snapshot.targets[0].components.iter_mut().filter(|c| c.kind.name == "docker.client") {
        for (fact, value) in [
            ("cli_version", Value::from("20.10.24")),
            ("cli_honours_trust", true.into()),
            ("content_trust", false.into()),
        ] {
            client.set(fact, value, seaworthy_core::fact::Source::place("a test"));
        }
    }
    let plan = host.plan(&["content-trust"]);
    let change = only(&plan, "profile");
    assert!(change.breaks.iter().any(|b| b.contains("signed that way no more")), "{:?}", change.breaks);
    assert!(plan.expects.iter().all(|e| e.pending == Some(Pending::Login)));
}

#[test]
fn what_a_person_ends_comes_with_the_command() {
    let servers = Value::strings(["/usr/sbin/sshd (process 2211)"]);
    let plan = Host::new().container("web", "ssh_servers", servers).plan(&["no-ssh-server"]);
    let hand = plan.by_hand.iter().find(|h| h.finding.component == "web").unwrap();
    assert_eq!(hand.command, ["kill", "2211"]);
    assert!(hand.what.contains("Not done here"), "{}", hand.what);
    // worker has a command of root's in it.
    let plan = Host::new().plan(&["no-root-exec"]);
    let hand = plan.by_hand.iter().find(|h| h.finding.component == "worker").unwrap();
    assert!(hand.command.contains(&"--unix-socket".to_owned()), "{:?}", hand.command);
}
