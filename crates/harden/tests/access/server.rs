//! A real OpenSSH server on the loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use seaworthy_core::plan::{Action, LeaveGroup, Sshd};
use seaworthy_harden::act::{Effect, Undone, together};
use seaworthy_harden::files::Keep;

use crate::machine::{append, host, inside, is_as_before, listed, of, run, well, write};

pub const PROGRAMS: [&str; 6] = ["sshd", "ssh", "ssh-keygen", "useradd", "sudo", "ip"];
pub const MAIN: &str = "/etc/ssh/sshd_config";
const HASH: &str = "$y$j9T$abcdefghijklmnop$0123456789abcdefghijklmnopqrstuvwxyz0123456";

pub fn sshd(set: &[(&str, &str)]) -> Action {
    Action::Sshd(Sshd { set: set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() })
}

pub fn no_passwords() -> Action {
    sshd(&[("PasswordAuthentication", "no"), ("KbdInteractiveAuthentication", "no")])
}

pub fn keep() -> Keep {
    std::fs::create_dir_all("/run/keep").unwrap();
    Keep::at("/run/keep".as_ref())
}

/// ann may become root by sudo, bob may nothing; both have passwords, nobody a key.
pub fn people() {
    for name in ["ann", "bob"] {
        well(&["useradd", "-m", "-s", "/bin/sh", "-p", HASH, name]);
    }
    append("/etc/sudoers", "ann ALL=(ALL:ALL) ALL\n");
    std::fs::create_dir("/run/keys").unwrap();
    well(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/keys/id"]);
}

pub fn give_key(user: &str, home: &str) {
    write(&format!("{home}/.ssh/authorized_keys"), &std::fs::read_to_string("/run/keys/id.pub").unwrap());
    well(&["chown", "-R", &format!("{user}:"), &format!("{home}/.ssh")]);
}

/// Starts the server, and waits until it has written its number.
fn start() {
    well(&["ssh-keygen", "-A"]);
    std::fs::create_dir_all("/run/sshd").unwrap();
    well(&["/usr/sbin/sshd"]);
    for _ in 0..3000 {
        if std::path::Path::new("/run/sshd.pid").exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("sshd did not start");
}

pub fn client(user: &str, more: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "/dev/null", "-i", "/run/keys/id", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-l", user]);
    command.args(more).arg("127.0.0.1");
    command
}

/// What the server offers to somebody without credentials.
pub fn offered(user: &str) -> Vec<String> {
    let none = ["-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no"];
    let output = client(user, &none).arg("true").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let methods = told.split_once("Permission denied (").unwrap_or_else(|| panic!("{told}")).1;
    methods.split(')').next().unwrap().split(',').map(str::to_owned).collect()
}

#[test]
fn a_running_server_takes_no_passwords_any_more_and_takes_them_again() {
    inside(&PROGRAMS, &[], || {
        people();
        give_key("ann", "/home/ann");
        append(MAIN, "Match User bob\n    PasswordAuthentication yes\n");
        start();
        assert!(offered("ann").contains(&"password".to_owned()) && offered("bob").contains(&"password".to_owned()));
        let mut session = client("ann", &[]).arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut says, mut hears) = (session.stdin.take().unwrap(), BufReader::new(session.stdout.take().unwrap()));
        let mut echo = |word: &str| {
            writeln!(says, "{word}").unwrap();
            let mut line = String::new();
            hears.read_line(&mut line).unwrap();
            line
        };
        assert_eq!(echo("before"), "before\n");

        let (action, host, mut keep) = (no_passwords(), host("aaaaaaaaaaaa"), keep());
        let act = of(&action);
        let before = listed("/etc");
        act.check(&host).unwrap();
        is_as_before("/etc", &before, &[]);
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        let effect = act.verify(&host, &undo).unwrap();
        assert!(matches!(effect, Effect::Pending(why) if why.contains("next login")));
        // The one whom a condition had let in by password is held as well.
        assert_eq!((offered("ann"), offered("bob")), (vec!["publickey".to_owned()], vec!["publickey".to_owned()]));
        assert_eq!(String::from_utf8_lossy(&client("ann", &[]).args(["echo", "in"]).output().unwrap().stdout), "in\n");
        assert_eq!(echo("after"), "after\n");

        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        is_as_before("/etc", &before, &[]);
        assert!(offered("ann").contains(&"password".to_owned()) && offered("bob").contains(&"password".to_owned()));
        assert_eq!(echo("end"), "end\n");
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
        drop(says);
        session.wait().unwrap();
    });
}

#[test]
fn a_server_that_still_offers_what_was_closed_is_not_believed() {
    inside(&PROGRAMS, &[], || {
        people();
        give_key("ann", "/home/ann");
        start();
        let (action, host, mut keep) = (no_passwords(), host("aaaaaaaaaaaa"), keep());
        let act = of(&action);
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        // Another server in its place that was started with other settings: the files say one thing, it does another.
        let old = std::fs::read_to_string("/run/sshd.pid").unwrap();
        well(&["kill", old.trim()]);
        for _ in 0..3000 {
            if !std::path::Path::new(&format!("/proc/{}", old.trim())).exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        well(&["/usr/sbin/sshd", "-o", "PasswordAuthentication=yes"]);
        let failure = act.verify(&host, &undo).unwrap_err();
        assert!(failure.0.contains("still offers password"), "{failure}");
    });
}

#[test]
fn nobody_is_locked_out_at_a_console() {
    inside(&PROGRAMS, &[], || {
        people();
        let host = host("aaaaaaaaaaaa");
        let refused = |action: &Action| {
            let before = listed("/etc");
            let refusal = of(action).check(&host).unwrap_err().to_string();
            is_as_before("/etc", &before, &[]);
            refusal
        };
        let no_root = sshd(&[("PermitRootLogin", "no")]);
        // ann has a password, and it is taken: root is not needed.
        of(&no_root).check(&host).unwrap();
        assert!(refused(&no_passwords()).contains("nobody who can administer"));
        give_key("bob", "/home/bob");
        assert!(refused(&no_passwords()).contains("nobody who can administer"), "bob is no administrator");
        give_key("root", "/root");
        of(&no_passwords()).check(&host).unwrap();
        let both = sshd(&[("PermitRootLogin", "no"), ("PasswordAuthentication", "no")]);
        assert!(refused(&both).contains("nobody who can administer"), "only root has a key");
        give_key("ann", "/home/ann");
        of(&both).check(&host).unwrap();
        append(MAIN, "DenyUsers ann\n");
        assert!(refused(&both).contains("nobody who can administer"), "ann is not let in");
        append(MAIN, "Nonsense yes\n");
        assert!(refused(&both).contains("repair that first"));
    });
}

#[test]
fn whoever_applies_over_ssh_keeps_a_way_in() {
    let bob = [("SSH_CONNECTION", "192.0.2.7 40000 192.0.2.1 22"), ("SUDO_USER", "bob")];
    inside(&PROGRAMS, &bob, || {
        people();
        give_key("ann", "/home/ann");
        let host = host("aaaaaaaaaaaa");
        let refusal = of(&no_passwords()).check(&host).unwrap_err().to_string();
        assert!(refusal.contains("bob applies this over ssh"), "{refusal}");
        give_key("bob", "/home/bob");
        of(&no_passwords()).check(&host).unwrap();
        append(MAIN, "Match Address 192.0.2.7\n    PubkeyAuthentication no\n");
        let refusal = of(&no_passwords()).check(&host).unwrap_err().to_string();
        assert!(refusal.contains("bob applies this over ssh"), "from where he is his key is not taken: {refusal}");
    });
}

#[test]
fn what_sshd_does_not_take_is_found_before_it_is_told() {
    inside(&PROGRAMS, &[], || {
        people();
        give_key("ann", "/home/ann");
        start();
        let (action, host, mut keep) = (no_passwords(), host("aaaaaaaaaaaa"), keep());
        let bad = sshd(&[("PasswordAuthentication", "perhaps")]);
        assert!(of(&bad).check(&host).unwrap_err().to_string().contains("sshd"));
        let unknown = sshd(&[("NoSuchKeyword", "yes")]);
        assert!(of(&unknown).check(&host).unwrap_err().to_string().contains("sshd"));

        // Broken by somebody between the check and the change: the server goes on with what it has.
        let act = of(&action);
        act.check(&host).unwrap();
        let undo = act.prepare(&host, &mut keep).unwrap();
        let broken = "/etc/ssh/sshd_config.d/60-broken.conf";
        let before = listed("/etc");
        write(broken, "Nonsense yes\n");
        assert!(act.apply(&host, &undo).unwrap_err().0.contains("Nonsense"));
        assert!(offered("ann").contains(&"password".to_owned()));
        assert!(act.undo(&host, &keep, &undo).unwrap_err().0.contains("Nonsense"));
        std::fs::remove_file(broken).unwrap();
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
        is_as_before("/etc", &before, &[]);
        assert!(offered("ann").contains(&"password".to_owned()));

        // A configuration that sshd takes and cannot serve: it ends at the reload, and that is said.
        write(broken, "ListenAddress 203.0.113.9\n");
        let undo = act.prepare(&host, &mut keep).unwrap();
        let failure = act.apply(&host, &undo).unwrap_err();
        assert!(failure.0.contains("it has ended"), "{failure}");
        std::fs::remove_file(broken).unwrap();
        is_as_before("/etc", &before, &[]);
    });
}

#[test]
fn every_kind_of_configuration_comes_to_the_same_for_everybody() {
    inside(&PROGRAMS, &[], || {
        people();
        give_key("ann", "/home/ann");
        let debian = std::fs::read_to_string(MAIN).unwrap();
        let plain = debian.replace("Include", "#Include");
        let bob = "Match User bob\n    PasswordAuthentication yes\nMatch Group bob Address 10.0.0.0/8\n    PermitRootLogin yes\n";
        for main in [
            plain.clone(),
            format!("{plain}PasswordAuthentication yes\n"),
            format!("PasswordAuthentication yes\n{debian}"),
            format!("{debian}{bob}"),
            format!("{plain}{bob}"),
            format!("{plain}{bob}Match all\n    PermitRootLogin yes\n"),
        ] {
            write(MAIN, &main);
            let set = [("PermitRootLogin", "no"), ("PasswordAuthentication", "no")];
            let (one, two) = (sshd(&set[..1]), sshd(&set[1..]));
            let (host, mut keep) = (host("aaaaaaaaaaaa"), keep());
            let acts = [of(&one), of(&two)];
            let before = listed("/etc");
            // Two changes of one plan, both prepared before either is made.
            let undo = acts.each_ref().map(|act| {
                act.check(&host).unwrap();
                act.prepare(&host, &mut keep).unwrap()
            });
            for (act, undo) in acts.iter().zip(&undo) {
                act.apply(&host, undo).unwrap();
                act.verify(&host, undo).unwrap();
            }
            for user in ["root", "ann", "bob"] {
                let told = well(&["/usr/sbin/sshd", "-T", "-C", &format!("user={user},host=h,addr=10.1.1.1")]);
                for setting in ["permitrootlogin no", "passwordauthentication no"] {
                    assert!(told.lines().any(|line| line == setting), "{user}: {setting}\n{main}");
                }
            }
            // What others had set for everybody holds still.
            assert!(well(&["/usr/sbin/sshd", "-T"]).contains("x11forwarding yes\n"), "{main}");
            for (act, undo) in acts.iter().zip(&undo) {
                assert_eq!(act.undo(&host, &keep, undo).unwrap(), Undone::Restored);
            }
            is_as_before("/etc", &before, &[]);
        }
        assert!(run(&["/usr/sbin/sshd", "-t"]).status.success());
    });
}

#[test]
fn nobody_leaves_a_group_that_lets_him_in_by_ssh() {
    inside(&PROGRAMS, &[], || {
        people();
        well(&["groupadd", "-f", "--system", "docker"]);
        for name in ["ann", "bob"] {
            well(&["gpasswd", "--add", name, "docker"]);
            give_key(name, &format!("/home/{name}"));
        }
        append(MAIN, "AllowGroups docker wheel\n");
        start();
        let comes_in = |user: &str| client(user, &[]).arg("true").status().unwrap().success();
        assert!(comes_in("ann") && comes_in("bob"));
        let leave = |user: &str| Action::LeaveGroup(LeaveGroup { group: "docker".into(), user: user.into() });
        let host = host("aaaaaaaaaaaa");
        let refused = |user: &str| {
            let action = leave(user);
            of(&action).check(&host).unwrap();
            together(&[&action], &host).map_err(|refusal| refusal.to_string())
        };
        // What it comes to where nobody asks sshd.
        well(&["gpasswd", "--delete", "bob", "docker"]);
        assert!(!comes_in("bob"), "the list lets him in by no other group");
        well(&["gpasswd", "--add", "bob", "docker"]);
        let why = refused("bob").unwrap_err();
        assert!(why.starts_with("bob comes in by ssh as a member of docker alone (AllowGroups"), "{why}");
        // With another group of the list he may leave, and still comes in.
        well(&["groupadd", "-f", "wheel"]);
        well(&["gpasswd", "--add", "bob", "wheel"]);
        assert_eq!(refused("bob"), Ok(()));
        let (action, mut keep) = (leave("bob"), keep());
        let undo = of(&action).prepare(&host, &mut keep).unwrap();
        of(&action).apply(&host, &undo).unwrap();
        assert!(comes_in("bob"));
        assert_eq!(of(&action).undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        // What a block for the group says cannot be asked before somebody has left it.
        append(MAIN, "Match Group docker\n    X11Forwarding no\n");
        let why = refused("bob").unwrap_err();
        assert!(why.contains("`Match Group docker`") && why.contains("gpasswd --delete"), "{why}");
    });
}
