//! Groups, login shells and units, as the machine's own programs see them.

use seaworthy_core::plan::{Action, DropIn, LeaveGroup, ProfileEnv};
use seaworthy_harden::act::{Effect, Undone};
use seaworthy_harden::files::Keep;

use crate::machine::{append, host, inside, is_as_before, listed, of, run, well, write};

fn keep() -> Keep {
    std::fs::create_dir_all("/run/keep").unwrap();
    Keep::at("/run/keep".as_ref())
}

#[test]
fn who_leaves_a_group_is_out_of_it_by_the_machines_own_word() {
    inside(&["groupadd", "useradd", "gpasswd", "grpck", "sudo"], &[], || {
        well(&["groupadd", "-f", "--system", "docker"]);
        for name in ["ann", "bob"] {
            well(&["useradd", "-m", "-s", "/bin/sh", "-G", "docker", name]);
        }
        let action = Action::LeaveGroup(LeaveGroup { group: "docker".into(), user: "bob".into() });
        let (act, host, mut keep) = (of(&action), host("aaaaaaaaaaaa"), keep());
        // Nobody has a password or a key: whoever leaves may be the last.
        assert!(act.check(&host).unwrap_err().to_string().contains("the last who can administer"));
        append("/etc/sudoers", "ann ALL=(ALL:ALL) NOPASSWD: ALL\n");
        write("/run/key/x", "");
        well(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key/id"]);
        write("/home/ann/.ssh/authorized_keys", &std::fs::read_to_string("/run/key/id.pub").unwrap());
        well(&["chown", "-R", "ann:ann", "/home/ann/.ssh"]);
        act.check(&host).unwrap();

        let before = listed("/etc");
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(_)));
        assert_eq!(well(&["id", "-nG", "bob"]).trim(), "bob");
        assert_eq!(well(&["getent", "group", "docker"]).trim().rsplit(':').next(), Some("ann"));
        well(&["grpck", "-r"]);
        // The machine's own tool finds its way afterwards, and what it did stays.
        well(&["useradd", "-s", "/bin/sh", "-G", "docker", "eve"]);
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        assert_eq!(well(&["getent", "group", "docker"]).trim().rsplit(':').next(), Some("ann,bob,eve"));
        well(&["grpck", "-r"]);
        well(&["userdel", "eve"]);
        // The tools' own copies, and what the user of the test leaves behind, are not part of it.
        is_as_before(
            "/etc",
            &before,
            &["/group-", "/gshadow-", "/passwd-", "/shadow-", "/subuid", "/subgid", "/.pwd.lock"],
        );
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
    });
}

#[test]
fn login_shells_export_what_was_set_and_what_overrules_it_is_seen() {
    inside(&["sh", "printenv"], &[], || {
        let value = "it's \"$(id)\" `x` \\";
        let set = vec![("SEAWORTHY_TEST".to_owned(), value.to_owned()), ("OTHER".to_owned(), "1".to_owned())];
        let action = Action::ProfileEnv(ProfileEnv { set });
        let (act, host, mut keep) = (of(&action), host("aaaaaaaaaaaa"), keep());
        let before = listed("/etc");
        act.check(&host).unwrap();
        let undo = act.prepare(&host, &mut keep).unwrap();
        act.apply(&host, &undo).unwrap();
        assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(_)));
        let login = ["env", "-i", "sh", "-l", "-c", "printenv SEAWORTHY_TEST"];
        assert_eq!(well(&login), format!("{value}\n"));
        // Read later, and says otherwise: not in effect, whatever our file holds.
        write("/etc/profile.d/zz.sh", "export OTHER=0\n");
        assert!(act.verify(&host, &undo).unwrap_err().0.contains("does not export OTHER"));
        std::fs::remove_file("/etc/profile.d/zz.sh").unwrap();
        assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        assert!(!run(&login).status.success());
        is_as_before("/etc", &before, &[]);
    });
}

/// What systemd itself would load, and which drop-ins it would read in which order.
fn loaded(unit: &str) -> (String, Vec<String>) {
    // As root systemd refuses to run in this mode.
    let test = ["runuser", "-u", "nobody", "--", "/lib/systemd/systemd", "--test", "--system", "--unit", unit];
    let told = well(&test);
    let own =
        told.split("-> Unit ").find(|part| part.starts_with(&format!("{unit}:"))).expect("it is loaded").to_owned();
    let of =
        |name: &str| own.lines().filter_map(|l| l.trim().strip_prefix(name)).map(str::to_owned).collect::<Vec<_>>();
    (of("SocketMode: ").concat(), of("DropIn Path: "))
}

#[test]
fn systemd_reads_our_drop_in_last() {
    inside(&["systemd", "runuser"], &[], || {
        let says = "[Socket]\nSocketMode=0666\n";
        // As where systemd runs, which is what decides whether there can be drop-ins.
        std::fs::create_dir_all("/run/systemd/system").unwrap();
        write("/etc/systemd/system/docker.socket", "[Socket]\nListenStream=/run/docker.sock\nSocketMode=0666\n");
        write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/bin/true\n");
        for (path, ours) in [
            ("/etc/systemd/system/docker.socket.d/10-a.conf", "50-seaworthy.conf"),
            ("/etc/systemd/system/docker.socket.d/override.conf", "zz-seaworthy.conf"),
            ("/etc/systemd/system/socket.d/zz.conf", "zzzz-seaworthy.conf"),
            ("/run/systemd/system/docker.socket.d/zzz.conf", "zzzz-seaworthy.conf"),
            ("/run/systemd/system.control/docker.socket.d/50-SocketMode.conf", "zzzz-seaworthy.conf"),
        ] {
            write(path, says);
            let set = vec![("SocketMode".to_owned(), "0640".to_owned())];
            let change = DropIn { unit: "docker.socket".into(), section: "Socket".into(), set, socket: None };
            let action = Action::DropIn(change);
            let (act, host, mut keep) = (of(&action), host("aaaaaaaaaaaa"), keep());
            act.check(&host).unwrap();
            let undo = act.prepare(&host, &mut keep).unwrap();
            // No systemd runs in here that could be told: of what is done, only the file is looked at.
            assert!(act.apply(&host, &undo).unwrap_err().0.contains("daemon-reload"));
            let (mode, order) = loaded("docker.socket");
            assert_eq!((mode.as_str(), order.last().unwrap().rsplit('/').next()), ("0640", Some(ours)), "{order:?}");
            assert!(act.undo(&host, &keep, &undo).unwrap_err().0.contains("daemon-reload"));
            let (mode, order) = loaded("docker.socket");
            assert!(mode == "0666" && order.iter().all(|path| !path.contains("seaworthy")), "{mode} {order:?}");
        }
    });
}

#[test]
fn without_systemd_a_drop_in_is_refused_with_what_to_do() {
    inside(&[], &[], || {
        let set = vec![("SocketMode".to_owned(), "0660".to_owned())];
        let change = DropIn { unit: "docker.socket".into(), section: "Socket".into(), set, socket: None };
        let refusal = of(&Action::DropIn(change)).check(&host("aaaaaaaaaaaa")).unwrap_err().to_string();
        assert!(
            refusal.contains("no systemd runs this host") && refusal.contains("\"group\" in daemon.json"),
            "{refusal}"
        );
    });
}
