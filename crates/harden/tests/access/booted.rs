//! Units and services under a real systemd.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use seaworthy_core::plan::{Action, DropIn, Owned, Rights};
use seaworthy_harden::act::{Effect, Undone};

use crate::machine::{booted, host, is_as_before, listed, of, well, write};
use crate::server::{PROGRAMS, give_key, keep, no_passwords, offered, people};

const SOCKET: &str = "/run/docker.sock";

fn rights_now() -> Owned {
    let meta = std::fs::metadata(SOCKET).unwrap();
    Owned { uid: meta.uid(), gid: meta.gid(), mode: meta.permissions().mode() & 0o7777 }
}

fn shown(property: &str) -> String {
    well(&["systemctl", "show", "-p", property, "--value", "docker.socket"]).trim().to_owned()
}

/// A socket as Docker's packages have it, but open to everybody.
fn engine() {
    write(
        "/etc/systemd/system/docker.socket",
        "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/docker.sock\nSocketMode=0666\nSocketGroup=root\n",
    );
    write(
        "/etc/systemd/system/docker.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 9999\n",
    );
    well(&["groupadd", "-f", "--system", "docker"]);
    well(&["systemctl", "daemon-reload"]);
    well(&["systemctl", "start", "docker.socket"]);
}

fn change(set: &[(&str, &str)], after: Owned) -> Action {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let rights = Rights { path: SOCKET.into(), what: "socket".into(), before: rights_now(), after };
    Action::DropIn(DropIn { unit: "docker.socket".into(), section: "Socket".into(), set, socket: Some(rights) })
}

#[test]
fn a_sockets_owner_and_mode_hold_at_once_and_over_a_restart_until_they_are_undone() {
    booted(&["groupadd"], || {
        engine();
        let group: u32 = well(&["getent", "group", "docker"]).split(':').nth(2).unwrap().parse().unwrap();
        let before = listed("/etc");
        let open = rights_now();
        assert_eq!((open.mode, open.gid), (0o666, 0));
        let restart = || {
            well(&["systemctl", "restart", "docker.socket"]);
            (rights_now().mode, rights_now().gid)
        };
        for first_out in [true, false] {
            let (one, two, mut keep) = (host("aaaaaaaaaaaa"), host("bbbbbbbbbbbb"), keep());
            let mode = change(&[("SocketMode", "0660")], Owned { mode: 0o660, ..open });
            let first = of(&mode);
            first.check(&one).unwrap();
            let early = first.prepare(&one, &mut keep).unwrap();
            first.apply(&one, &early).unwrap();
            assert_eq!(first.verify(&one, &early).unwrap(), Effect::InEffect);
            assert_eq!((rights_now().mode, shown("SocketMode")), (0o660, "0660".to_owned()));

            let owner = change(&[("SocketGroup", "docker")], Owned { mode: 0o660, gid: group, ..open });
            let second = of(&owner);
            second.check(&two).unwrap();
            let late = second.prepare(&two, &mut keep).unwrap();
            second.apply(&two, &late).unwrap();
            assert_eq!(second.verify(&two, &late).unwrap(), Effect::InEffect);
            assert_eq!(restart(), (0o660, group));

            if first_out {
                assert!(matches!(first.undo(&one, &keep, &early).unwrap(), Undone::Restored));
                assert_eq!((rights_now().mode, shown("SocketMode"), restart()), (0o666, "0666".into(), (0o666, group)));
                assert_eq!(second.undo(&two, &keep, &late).unwrap(), Undone::Restored);
            } else {
                assert_eq!(second.undo(&two, &keep, &late).unwrap(), Undone::Restored);
                assert_eq!((rights_now().gid, shown("SocketGroup"), restart()), (0, "root".into(), (0o660, 0)));
                assert_eq!(first.undo(&one, &keep, &early).unwrap(), Undone::Restored);
            }
            assert_eq!((rights_now().mode, rights_now().gid), (0o666, 0));
            assert_eq!(restart(), (0o666, 0));
            assert_eq!(first.undo(&one, &keep, &early).unwrap(), Undone::Nothing);
            is_as_before("/etc", &before, &[]);
        }
    });
}

#[test]
fn a_socket_that_systemd_does_not_hold_is_refused_and_one_that_says_otherwise_later_is_seen() {
    booted(&["groupadd"], || {
        engine();
        let (host, mut keep) = (host("aaaaaaaaaaaa"), keep());
        let action = change(&[("SocketMode", "0660")], Owned { mode: 0o660, ..rights_now() });
        let act = of(&action);
        let unknown = change(&[("SocketGroup", "nobody-has-this")], rights_now());
        assert!(of(&unknown).check(&host).unwrap_err().to_string().contains("would not start again"));
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        let later = "/etc/systemd/system/docker.socket.d/zzzzz.conf";
        write(later, "[Socket]\nSocketMode=0666\n");
        assert!(act.verify(&host, &undo).unwrap_err().0.contains("zzzzz.conf is read after it"));
        std::fs::remove_file(later).unwrap();
        write("/run/systemd/system.control/docker.socket.d/40-x.conf", "[Socket]\nSocketMode=0640\n");
        well(&["systemctl", "daemon-reload"]);
        assert_eq!(act.verify(&host, &undo).unwrap(), Effect::InEffect, "what is read before it changes nothing");
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);

        well(&["systemctl", "stop", "docker.socket"]);
        std::fs::remove_file(SOCKET).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(SOCKET).unwrap();
        let refusal = act.check(&host).unwrap_err().to_string();
        assert!(refusal.contains("docker.socket does not hold") && refusal.contains("daemon.json"), "{refusal}");
    });
}

#[test]
fn the_ssh_service_is_reloaded_by_its_unit_and_comes_back_when_that_fails() {
    booted(&PROGRAMS, || {
        people();
        give_key("ann", "/home/ann");
        well(&["ssh-keygen", "-A"]);
        write("/etc/systemd/system/ssh.service.d/bed.conf", "[Unit]\nDefaultDependencies=no\n");
        well(&["systemctl", "daemon-reload"]);
        well(&["systemctl", "start", "ssh.service"]);
        let pid = || well(&["systemctl", "show", "-p", "MainPID", "--value", "ssh.service"]);
        let (action, host, mut keep) = (no_passwords(), host("aaaaaaaaaaaa"), keep());
        let act = of(&action);
        let (before, first) = (listed("/etc"), pid());
        act.check(&host).unwrap();
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(_)));
        assert_eq!((offered("ann"), pid()), (vec!["publickey".to_owned()], first.clone()));
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        assert!(offered("ann").contains(&"password".to_owned()) && pid() == first);
        is_as_before("/etc", &before, &[]);

        // A configuration that sshd takes and cannot serve ends it; undone, the service is started again.
        let undo = act.prepare(&host, &mut keep).unwrap();
        write("/etc/ssh/sshd_config.d/60-x.conf", "ListenAddress 203.0.113.9\n");
        let failure = act.apply(&host, &undo).unwrap_err();
        assert!(failure.0.contains("it has ended"), "{failure}");
        let wait_for = |states: &[&str]| {
            let state = || well(&["systemctl", "show", "-p", "ActiveState", "--value", "ssh.service"]);
            while !states.contains(&state().trim()) {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        };
        wait_for(&["failed"]);
        std::fs::remove_file("/etc/ssh/sshd_config.d/60-x.conf").unwrap();
        act.undo(&host, &keep, &undo).unwrap();
        wait_for(&["active"]);
        assert!(offered("ann").contains(&"password".to_owned()));
        is_as_before("/etc", &before, &[]);
    });
}
