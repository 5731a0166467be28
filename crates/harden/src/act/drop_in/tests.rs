use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use seaworthy_core::plan::Owned;

use super::*;
use crate::act::people::tests::root;

const UNIT: (&str, &str) = ("/usr/lib/systemd/system/docker.socket", "[Socket]\nListenStream=/run/docker.sock\n");
const BOOTED: (&str, &str) = ("/run/systemd/system/x", "");
const GROUP: (&str, &str) = ("/etc/group", "docker:x:990:\n");
const ADMIN: (&str, &str) = ("/etc/systemd/system/keep", "");

fn change(set: &[(&str, &str)]) -> DropIn {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    DropIn { unit: "docker.socket".into(), section: "Socket".into(), set, socket: None }
}

fn keep() -> (tempfile::TempDir, Keep) {
    let dir = tempfile::tempdir().unwrap();
    let keep = Keep::at(dir.path());
    (dir, keep)
}

fn of(host: &Host, transaction: &str) -> Host {
    Host { root: host.root.clone(), engine: None, daemon: None, transaction: transaction.into() }
}

#[test]
fn two_drop_ins_share_a_file_and_go_in_either_order() {
    let (_kept, mut keep) = keep();
    for first_out in [true, false] {
        let (dir, host) = root(&[UNIT, BOOTED, GROUP, ADMIN]);
        let (one, two) = (of(&host, "aaaaaaaaaaaa"), of(&host, "bbbbbbbbbbbb"));
        let mode = change(&[("SocketMode", "0660")]);
        let group = change(&[("SocketMode", "0600"), ("SocketGroup", "docker")]);
        mode.check(&one).unwrap();
        let first = mode.prepare(&one, &mut keep).unwrap();
        mode.apply(&one, &first).unwrap();
        assert_eq!(mode.verify(&one, &first).unwrap(), Effect::InEffect);
        let path = dir.path().join("etc/systemd/system/docker.socket.d/50-seaworthy.conf");
        group.check(&two).unwrap();
        let second = group.prepare(&two, &mut keep).unwrap();
        group.apply(&two, &second).unwrap();
        assert_eq!(group.verify(&two, &second).unwrap(), Effect::InEffect);
        let text = std::fs::read_to_string(&path).unwrap();
        // The later one stands later, where it counts.
        assert!(text.find("SocketMode=0660").unwrap() < text.find("SocketMode=0600").unwrap(), "{text}");
        let mut ways = [(&mode, &one, &first), (&group, &two, &second)];
        if !first_out {
            ways.reverse();
        }
        let [(act, host, undo), (last, other, rest)] = ways;
        assert_eq!(act.undo(host, &keep, undo).unwrap(), Undone::Restored);
        assert_eq!(last.verify(other, rest).unwrap(), Effect::InEffect);
        assert_eq!(last.undo(other, &keep, rest).unwrap(), Undone::Restored);
        assert!(!path.parent().unwrap().exists());
        assert_eq!(last.undo(other, &keep, rest).unwrap(), Undone::Nothing);
    }
}

#[test]
fn ours_is_read_after_everything_that_says_otherwise() {
    let says = "[Socket]\nSocketMode=0666\n";
    let chosen = |files: &[(&str, &str)]| {
        let all = [&[UNIT, BOOTED, GROUP, ADMIN][..], files].concat();
        let (_dir, host) = root(&all);
        place::find(&host, &change(&[("SocketMode", "0660")])).map(|path| path.rsplit('/').next().unwrap().to_owned())
    };
    assert_eq!(chosen(&[]).unwrap(), "50-seaworthy.conf");
    assert_eq!(chosen(&[("/etc/systemd/system/docker.socket.d/10-a.conf", says)]).unwrap(), "50-seaworthy.conf");
    let other = "[Socket]\nBacklog=1\n# SocketMode=1\n[Unit]\nSocketMode=1\n";
    assert_eq!(chosen(&[("/etc/systemd/system/docker.socket.d/override.conf", other)]).unwrap(), "50-seaworthy.conf");
    for path in [
        "/etc/systemd/system/docker.socket.d/override.conf",
        "/usr/lib/systemd/system/docker.socket.d/60-x.conf",
        "/etc/systemd/system/socket.d/override.conf",
        "/run/systemd/system.control/docker.socket.d/50-SocketMode.conf",
    ] {
        let name = chosen(&[(path, says)]).unwrap();
        let expected = if path.contains("50-") { "50-seaworthy.conf" } else { "zz-seaworthy.conf" };
        assert_eq!(name, expected, "{path}");
    }
    // Hidden by a file of the same name in a directory that comes first.
    assert_eq!(
        chosen(&[("/run/systemd/system.control/docker.socket.d/50-seaworthy.conf", "")]).unwrap(),
        "zz-seaworthy.conf"
    );
    let refused = chosen(&[("/etc/systemd/system/docker.socket.d/zzzzz.conf", says)]).unwrap_err();
    assert!(refused.0.contains("zzzzz.conf comes after every name"), "{refused}");
}

#[test]
fn the_live_socket_follows_at_once_and_returns() {
    let (_kept, mut keep) = keep();
    let (dir, host) = root(&[UNIT, BOOTED, GROUP, ADMIN]);
    let path = dir.path().join("run/docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let mode = || path.metadata().unwrap().permissions().mode() & 0o7777;
    let meta = path.metadata().unwrap();
    let before = Owned { uid: meta.uid(), gid: meta.gid(), mode: mode() };
    let rights = Rights {
        path: "/run/docker.sock".into(),
        what: "socket".into(),
        before,
        after: Owned { mode: 0o660, ..before },
    };
    let act = DropIn { socket: Some(rights), ..change(&[("SocketMode", "0660")]) };
    act.check(&host).unwrap();
    let undo = act.prepare(&host, &mut keep).unwrap();
    act.apply(&host, &undo).unwrap();
    assert_eq!(act.verify(&host, &undo).unwrap(), Effect::InEffect);
    assert_eq!(mode(), 0o660);
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
    assert_eq!(mode(), 0o666);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(act.check(&host), Err(Refusal::Stale(why)) if why.contains("docker.sock")));
}

#[test]
fn what_cannot_hold_is_refused_with_what_to_do_instead() {
    let refused = |files: &[(&str, &str)], change: DropIn| {
        let (dir, host) = root(files);
        let refusal = change.check(&host).unwrap_err().to_string();
        assert!(!dir.path().join("etc/systemd/system/docker.socket.d").exists());
        refusal
    };
    let mode = || change(&[("SocketMode", "0660")]);
    assert!(refused(&[UNIT, GROUP], mode()).contains("\"group\" in daemon.json"));
    assert!(refused(&[BOOTED], mode()).contains("no unit docker.socket"));
    assert!(refused(&[BOOTED, ("/etc/systemd/system/docker.socket", "")], mode()).contains("masked"));
    for (name, value) in [
        ("SocketMode", "0666\nExecStartPre=/bin/evil"),
        ("SocketMode", "rw"),
        ("SocketMode", "0670 \\"),
        ("SocketMode", "99"),
        ("SocketGroup", "nobody-has-this"),
        ("SocketGroup", "-x"),
        ("Socket Mode", "1"),
        ("X", ""),
    ] {
        let refusal = refused(&[UNIT, BOOTED, GROUP], change(&[(name, value)]));
        assert!(refusal.contains("cannot be written") || refusal.contains("does not know"), "{refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
    for unit in ["../../x.socket", "a/b.socket", "docker", ".socket", "x\n.socket"] {
        let refusal = refused(&[UNIT, BOOTED, GROUP], DropIn { unit: unit.into(), ..mode() });
        assert!(refusal.contains("cannot be written") && !refusal.contains('\n'), "{refusal}");
    }
}

#[test]
fn what_systemd_shows_is_compared_by_its_meaning() {
    assert!(is_same("0660", "660") && is_same("yes", "true") && is_same("docker", "docker"));
    assert!(!is_same("0666", "0660") && !is_same("no", "true") && !is_same("", "docker"));
}
