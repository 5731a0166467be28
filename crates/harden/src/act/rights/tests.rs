use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;

use rustix::fs::IFlags;
use serde_json::Value;

use super::*;
use crate::bench::{self, Bench, Flagged, Mounted, attribute, root, set_attribute};

fn me(mode: u32) -> Owned {
    Owned { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw(), mode }
}

fn rights(what: &str, before: Owned, after: Owned) -> Rights {
    Rights { path: "/etc/x".into(), what: what.into(), before, after }
}

fn chmod(bench: &Bench, mode: u32) {
    fs::set_permissions(bench.path("/etc/x"), fs::Permissions::from_mode(mode)).unwrap();
}

fn now(bench: &Bench) -> Owned {
    let meta = fs::symlink_metadata(bench.path("/etc/x")).unwrap();
    Owned { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 }
}

fn file(mode: u32) -> Bench {
    let bench = Bench::new();
    bench.write("/etc/x", "x");
    chmod(&bench, mode);
    bench
}

fn drifted(undone: Undone) -> Vec<String> {
    match undone {
        Undone::Drifted(names) => names,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mode_is_changed_seen_and_put_back() {
    for (what, mode) in [("file", 0o4666), ("directory", 0o3777), ("socket", 0o666)] {
        let mut bench = Bench::new();
        fs::create_dir_all(bench.path("/etc")).unwrap();
        let path = bench.path("/etc/x");
        let _listener = match what {
            "file" => fs::write(&path, "x").map(|()| None).unwrap(),
            "directory" => fs::create_dir(&path).map(|()| None).unwrap(),
            _ => Some(UnixListener::bind(&path).unwrap()),
        };
        chmod(&bench, mode);
        let act = rights(what, me(mode), me(0o640));
        let undo = bench.apply(&act);
        assert_eq!(now(&bench), me(0o640), "{what}");
        assert_eq!(bench.check(&act), Ok(()), "as it is wanted: fine");
        assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
        assert_eq!(now(&bench), me(mode), "{what}");
        assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    }
}

#[test]
fn owners_change_without_losing_the_set_user_id_bit_or_capabilities() {
    if !root() {
        return;
    }
    let mut bench = file(0o6755);
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if !set_attribute(&bench.path("/etc/x"), "security.capability", &capability) {
        return;
    }
    let (before, after) = (me(0o6755), Owned { uid: 12, gid: 34, mode: 0o6755 });
    let act = rights("file", before, after);
    let undo = bench.apply(&act);
    assert_eq!(now(&bench), after);
    assert_eq!(attribute(&bench.path("/etc/x"), "security.capability").unwrap(), capability);
    // Killed between owner and mode, on the way back and on the way there.
    chown(bench.path("/etc/x"), Some(0), Some(0)).unwrap();
    assert_eq!(now(&bench).mode, 0o755);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(now(&bench), before);
    chown(bench.path("/etc/x"), Some(12), Some(34)).unwrap();
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(now(&bench), before);
    assert_eq!(attribute(&bench.path("/etc/x"), "security.capability").unwrap(), capability);
}

#[test]
fn an_acl_stays_and_whoever_has_more_by_it_is_named() {
    let mut bench = file(0o664);
    let list = |mask, other| bench::acl(6, (1001, 6), 4, mask, other);
    if !set_attribute(&bench.path("/etc/x"), bench::ACL, &list(6, 4)) {
        return;
    }
    let act = rights("file", me(0o664), me(0o640));
    let undo = bench.apply(&act);
    assert!(act.notes(&undo)[0].ends_with("stays: user 1001 (r--)"), "{:?}", act.notes(&undo));
    assert_eq!(attribute(&bench.path("/etc/x"), bench::ACL).unwrap(), list(4, 0));
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(attribute(&bench.path("/etc/x"), bench::ACL).unwrap(), list(6, 4));

    // An entry that others added since would get another meaning by the mode: it is left to them.
    let undo = bench.apply(&act);
    assert!(set_attribute(&bench.path("/etc/x"), bench::ACL, &bench::acl(6, (1002, 4), 4, 4, 0)));
    let names = drifted(bench.undo(&act, &undo).unwrap());
    assert_eq!(names, ["/etc/x: its ACL"]);
    assert_eq!(now(&bench).mode, 0o640);
}

#[test]
fn what_moved_since_the_plan_is_named() {
    let bench = file(0o644);
    let act = rights("file", me(0o666), me(0o640));
    assert_eq!(bench.stale(&act), "/etc/x: its mode is 0644 and was 0666; plan again");
    let foreign = Owned { uid: 4242, ..me(0o644) };
    let owner = me(0).uid;
    let line = bench.stale(&rights("file", foreign, Owned { uid: 4243, ..foreign }));
    assert_eq!(line, format!("/etc/x: its owner is {owner} and was 4242; plan again"));
    assert_eq!(bench.stale(&rights("socket", me(0o644), me(0o640))), "/etc/x: it is a file now; plan again");
    let victim = bench.write("/etc/victim", "x");
    fs::remove_file(bench.path("/etc/x")).unwrap();
    assert_eq!(bench.stale(&act), "/etc/x: it is gone; plan again");
    symlink(&victim, bench.path("/etc/x")).unwrap();
    assert_eq!(bench.stale(&act), "/etc/x: it is a link now; plan again");
}

#[test]
fn what_takes_its_place_meanwhile_is_not_touched() {
    let mut bench = file(0o666);
    let act = rights("file", me(0o666), me(0o640));
    let undo = act.prepare(&bench.host, &mut bench.keep).unwrap();
    let victim = bench.write("/etc/victim", "x");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o666)).unwrap();
    fs::rename(bench.path("/etc/x"), bench.path("/etc/aside")).unwrap();
    symlink(&victim, bench.path("/etc/x")).unwrap();
    assert!(act.apply(&bench.host, &undo).unwrap_err().0.contains("it is a link now"));
    assert_eq!(drifted(bench.undo(&act, &undo).unwrap()), ["/etc/x is a link now"]);
    fs::rename(&victim, bench.path("/etc/x")).unwrap();
    assert!(act.apply(&bench.host, &undo).unwrap_err().0.contains("another one has taken its place"));
    assert_eq!(now(&bench).mode, 0o666);
}

#[test]
fn undoing_compares_each_value_and_leaves_what_others_set() {
    let mut bench = file(0o666);
    let act = rights("file", me(0o666), me(0o640));
    let undo = bench.apply(&act);
    chmod(&bench, 0o600);
    assert_eq!(drifted(bench.undo(&act, &undo).unwrap()), ["/etc/x: its mode"]);
    assert_eq!(now(&bench).mode, 0o600);

    // A package upgrade brings a new file: as it was before, or with the mode carried over, or with another.
    for (mode, ends, left) in [
        (0o666, Undone::Nothing, 0o666),
        (0o640, Undone::Restored, 0o666),
        (0o755, Undone::Drifted(vec!["/etc/x (replaced since): its mode".into()]), 0o755),
    ] {
        let new = bench.write("/etc/new", "x");
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&new, bench.path("/etc/x")).unwrap();
        assert_eq!(bench.undo(&act, &undo).unwrap(), ends);
        assert_eq!(now(&bench).mode, left);
    }
    fs::remove_file(bench.path("/etc/x")).unwrap();
    assert_eq!(drifted(bench.undo(&act, &undo).unwrap()), ["/etc/x was removed since"]);
}

#[test]
fn what_others_had_done_before_is_not_undone() {
    let mut bench = file(0o640);
    let act = rights("file", me(0o666), me(0o640));
    let undo = bench.apply(&act);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    assert_eq!(now(&bench).mode, 0o640);
}

#[test]
fn a_change_of_the_mode_alone_leaves_the_owner_to_others() {
    if !root() {
        return;
    }
    let mut bench = file(0o666);
    let act = rights("file", me(0o666), me(0o640));
    let undo = bench.apply(&act);
    chown(bench.path("/etc/x"), Some(12), None).unwrap();
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(now(&bench), Owned { uid: 12, ..me(0o666) });
}

#[test]
fn a_socket_that_was_made_anew_needs_no_undoing() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.path("/etc")).unwrap();
    let listener = UnixListener::bind(bench.path("/etc/x")).unwrap();
    chmod(&bench, 0o666);
    let act = rights("socket", me(0o666), me(0o660));
    let undo = bench.apply(&act);
    drop(listener);
    fs::remove_file(bench.path("/etc/x")).unwrap();
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    // Something else takes the number of the old one, so that the new socket is another in any case.
    bench.write("/etc/between", "x");
    let _listener = UnixListener::bind(bench.path("/etc/x")).unwrap();
    chmod(&bench, 0o600);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    assert_eq!(now(&bench).mode, 0o600);
}

#[test]
fn what_cannot_or_must_not_be_changed_is_refused() {
    let bench = file(0o666);
    let act = rights("file", me(0o666), me(0o640));
    fs::hard_link(bench.path("/etc/x"), bench.path("/etc/y")).unwrap();
    let line = bench.check(&act).unwrap_err();
    assert_eq!(line, "/etc/x: it has 2 names (hard links), whose rights would all change; part them first");
    fs::remove_file(bench.path("/etc/y")).unwrap();
    assert!(bench.check(&rights("pipe", me(0o666), me(0o640))).unwrap_err().contains("plan again"));
    if !root() {
        return;
    }
    if let Some(_flag) = Flagged::new(&bench.path("/etc/x"), IFlags::IMMUTABLE) {
        assert!(bench.check(&act).unwrap_err().contains("/etc/x: it may not be changed (chattr +i); lift that first"));
        let before = Before {
            identity: Thing::open(&bench.path("/etc/x")).unwrap().unwrap().facts.identity,
            was: me(0o666),
            acl: None,
            acl_after: None,
            capability: None,
            grants: Vec::new(),
        };
        let line = act.apply(&bench.host, &serde_json::to_value(before).unwrap()).unwrap_err().0;
        assert!(line.contains("change the rights of /etc/x: the kernel does not permit it"), "{line}");
    }
    let source = bench.write("/srv/x", "x");
    fs::set_permissions(&source, fs::Permissions::from_mode(0o666)).unwrap();
    if let Some(_mounted) = Mounted::bind(&source, &bench.path("/etc/x")) {
        assert!(bench.check(&act).unwrap_err().contains("a bind mount"));
    }
    let Some(memory) = Mounted::memory(&bench.path("/etc"), c"size=64k") else { return };
    bench.write("/etc/x", "x");
    chmod(&bench, 0o666);
    memory.read_only(true);
    assert_eq!(bench.check(&act).unwrap_err(), "/etc/x: its file system is read-only");
    memory.read_only(false);
    assert_eq!(bench.check(&act), Ok(()));
}

#[test]
fn what_was_kept_must_be_readable() {
    let bench = file(0o666);
    let act = rights("file", me(0o666), me(0o640));
    assert!(bench.undo(&act, &Value::Null).unwrap_err().0.contains("read what was kept"));
}
