use std::collections::BTreeSet;

use super::*;
use seaworthy_core::plan::Action;

use crate::act::people::tests::root;
use crate::act::together;

const PASSWD: &str = "root:x:0:0:r:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n\
                      cy:x:1002:990::/home/cy:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nsudo:x:27:ann\ndocker:x:990:ann,bob,ldapper\nalias:x:990:bob\n+::\nann:x:1000:\n";
const SHADOW: &str = "root:*:1::::::\nann:$y$j9T$abcdefghijkl$0123456789:1::::::\nbob:!:1::::::\n";
const SUDOERS: &str = "%sudo ALL=(ALL:ALL) ALL\n";

fn host() -> (tempfile::TempDir, Host) {
    root(&[
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUPS),
        ("/etc/gshadow", "sudo:*::ann\ndocker:!:bob:ann,bob\nalias:!::bob\n"),
        ("/etc/shadow", SHADOW),
        ("/etc/sudoers", SUDOERS),
        ("/usr/bin/sudo", ""),
    ])
}

fn leave(user: &str, group: &str) -> LeaveGroup {
    LeaveGroup { group: group.into(), user: user.into() }
}

fn check(act: &LeaveGroup, host: &Host, caller: &Caller) -> Result<(), Refusal> {
    may_leave(act, host, &Accounts::read(host).unwrap(), caller)
}

fn at_console() -> Caller {
    Caller::default()
}

fn written(host: &Host, path: &str) -> String {
    std::fs::read_to_string(host.path(path)).unwrap()
}

fn of(host: &Host, transaction: &str) -> Host {
    Host { root: host.root.clone(), engine: None, daemon: None, transaction: transaction.into() }
}

#[test]
fn he_leaves_every_name_of_the_group_and_comes_back_as_it_was() {
    let (dir, host) = host();
    let mut keep = Keep::at(dir.path());
    let act = leave("bob", "docker");
    check(&act, &host, &at_console()).unwrap();
    let undo = act.prepare(&host, &mut keep).unwrap();
    let shadows = written(&host, GSHADOW);
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
    act.apply(&host, &undo).unwrap();
    act.apply(&host, &undo).unwrap();
    assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(why) if why.contains("bob")));
    let group = written(&host, GROUP);
    assert!(group.contains("docker:x:990:ann,ldapper\nalias:x:990:\n+::\n"), "{group}");
    assert!(written(&host, GSHADOW).contains("docker:!::ann\nalias:!::\n"));
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
    assert_eq!((written(&host, GROUP), written(&host, GSHADOW)), (GROUPS.to_owned(), shadows));
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
}

#[test]
fn half_of_it_is_undone_as_well() {
    let (dir, host) = host();
    let mut keep = Keep::at(dir.path());
    let act = leave("bob", "docker");
    let undo = act.prepare(&host, &mut keep).unwrap();
    act.apply(&host, &undo).unwrap();
    // As after a crash between the two files.
    std::fs::write(host.path(GSHADOW), "sudo:*::ann\ndocker:!:bob:ann,bob\nalias:!::bob\n").unwrap();
    assert!(act.verify(&host, &undo).unwrap_err().0.contains("gshadow"));
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
    assert_eq!(written(&host, GROUP), GROUPS);
}

#[test]
fn two_who_left_come_back_in_either_order_and_others_edits_stay() {
    for first_out in [true, false] {
        let (dir, host) = host();
        let mut keep = Keep::at(dir.path());
        let (ann, bob) = (leave("ann", "docker"), leave("bob", "docker"));
        let (one, two) = (of(&host, "aaaaaaaaaaaa"), of(&host, "bbbbbbbbbbbb"));
        let early = ann.prepare(&one, &mut keep).unwrap();
        ann.apply(&one, &early).unwrap();
        let late = bob.prepare(&two, &mut keep).unwrap();
        bob.apply(&two, &late).unwrap();
        let group = written(&host, GROUP).replace("docker:x:990:ldapper", "docker:x:990:ldapper,eve");
        std::fs::write(host.path(GROUP), group).unwrap();
        let mut ways = [(&ann, &early), (&bob, &late)];
        if !first_out {
            ways.reverse();
        }
        for (act, undo) in ways {
            assert_eq!(act.undo(&host, &keep, undo).unwrap(), Undone::Restored);
        }
        let group = written(&host, GROUP);
        let line = group.lines().find(|line| line.starts_with("docker:")).unwrap();
        let members: BTreeSet<&str> = line.rsplit(':').next().unwrap().split(',').collect();
        assert_eq!(members, BTreeSet::from(["ann", "bob", "ldapper", "eve"]), "{line}");
    }
}

#[test]
fn two_who_leave_by_one_plan_come_back_as_they_were() {
    for first_out in [true, false] {
        let (dir, host) = host();
        let mut keep = Keep::at(dir.path());
        let shadows = written(&host, GSHADOW);
        // A transaction prepares all of its changes before the first is made.
        let acts = [leave("ann", "docker"), leave("bob", "docker")];
        let mut all: Vec<_> = acts.iter().map(|act| (act, act.prepare(&host, &mut keep).unwrap())).collect();
        for (act, undo) in &all {
            act.apply(&host, undo).unwrap();
            act.verify(&host, undo).unwrap();
        }
        assert!(written(&host, GROUP).contains("docker:x:990:ldapper\nalias:x:990:\n"));
        if !first_out {
            all.reverse();
        }
        for (act, undo) in &all {
            assert_eq!(act.undo(&host, &keep, undo).unwrap(), Undone::Restored);
        }
        assert_eq!((written(&host, GROUP), written(&host, GSHADOW)), (GROUPS.to_owned(), shadows));
    }
}

#[test]
fn a_group_that_is_gone_or_another_is_left_and_named() {
    let (dir, host) = host();
    let mut keep = Keep::at(dir.path());
    let act = leave("ann", "docker");
    let undo = act.prepare(&host, &mut keep).unwrap();
    act.apply(&host, &undo).unwrap();
    let group = written(&host, GROUP).replace("docker:x:990:", "docker:x:991:");
    std::fs::write(host.path(GROUP), &group).unwrap();
    let undone = act.undo(&host, &keep, &undo).unwrap();
    assert_eq!(undone, Undone::Drifted(vec!["/etc/group: docker".into()]));
    assert_eq!(written(&host, GROUP), group);
}

#[test]
fn who_may_not_leave_is_told_why() {
    let (_dir, host) = host();
    let refused = |user: &str, group: &str| {
        let refusal = check(&leave(user, group), &host, &at_console()).unwrap_err().to_string();
        assert!(!refusal.contains('\n'));
        refusal
    };
    assert!(refused("cy", "docker").contains("usermod -g OTHER cy"));
    assert!(refused("ldapper", "docker").contains("directory service"));
    assert!(refused("bob", "ldap-admins").contains("directory service"));
    assert!(refused("bob", "sudo").contains("stale: bob is not in sudo"));
    for (user, group) in [("bob:0", "docker"), ("a,b", "docker"), ("bob\n", "docker"), ("", "docker"), ("-f", "docker")]
    {
        assert!(refused(user, group).contains("no names of"), "{user:?}");
    }
    // ann is the only one who can be root: without the group sudo nobody is left.
    assert!(refused("ann", "sudo").contains("the last who can administer"));
    check(&leave("ann", "docker"), &host, &at_console()).unwrap();
}

#[test]
fn whoever_applies_over_ssh_does_not_leave_himself() {
    let (_dir, host) = host();
    let mut caller = Caller { names: BTreeSet::from(["ann".to_owned()]), over_ssh: true, address: None };
    let refusal = check(&leave("ann", "docker"), &host, &caller).unwrap_err().to_string();
    assert!(refusal.contains("applies this over ssh"), "{refusal}");
    check(&leave("bob", "docker"), &host, &caller).unwrap();
    caller.over_ssh = false;
    check(&leave("ann", "docker"), &host, &caller).unwrap();
}

#[test]
fn accounts_that_are_being_changed_are_waited_for() {
    let (_dir, host) = host();
    let lock = lock::take(&host).unwrap();
    // A record lock holds against other processes: a child of this test asks for it.
    let path = host.path("/etc/.pwd.lock").display().to_string();
    let script = "import fcntl,sys\nf=open(sys.argv[1],'w')\ntry: fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n\
                  except OSError: sys.exit(7)";
    let asked = || program::run(&["python3", "-c", script, &path], PATIENCE);
    let Ok(held) = asked() else { return seaworthy_bed::skip("python3", "it is not installed") };
    assert_eq!(held.code, Some(7), "{}", held.stderr);
    drop(lock);
    assert_eq!(asked().unwrap().code, Some(0));
}

#[test]
fn two_who_may_leave_alone_do_not_leave_together() {
    let (_dir, host) = host();
    // docker gives everything too: ann and bob are the last two, each by that group alone.
    std::fs::write(host.path("/etc/group"), GROUPS.replace("sudo:x:27:ann", "sudo:x:27:")).unwrap();
    std::fs::write(host.path("/etc/sudoers"), "%docker ALL=(ALL:ALL) ALL\n").unwrap();
    std::fs::write(host.path("/etc/shadow"), SHADOW.replace("bob:!:", "bob:$y$j9T$abcdefghijkl$0123456789:")).unwrap();
    let (ann, bob) = (leave("ann", "docker"), leave("bob", "docker"));
    for one in [&ann, &bob] {
        check(one, &host, &at_console()).unwrap();
        all_may_leave(&[one], &host).unwrap();
    }
    let both = [&Action::LeaveGroup(ann.clone()), &Action::LeaveGroup(bob.clone())];
    let Err(Refusal::Refused(why)) = together(&both, &host) else { panic!("both left") };
    assert!(why.starts_with("ann and bob together may be the last who can administer this host"), "{why}");
    // A third who stays is enough.
    std::fs::write(host.path("/etc/sudoers"), "%docker ALL=(ALL:ALL) ALL\ncy ALL=(ALL) ALL\n").unwrap();
    let shadow = SHADOW.to_owned() + "cy:$y$j9T$abcdefghijkl$0123456789:1::::::\n";
    std::fs::write(host.path("/etc/shadow"), shadow).unwrap();
    together(&both, &host).unwrap();
}
