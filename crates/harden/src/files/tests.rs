mod faults;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::act::Undone;
use crate::bench::{ACL, Bench, DEFAULT_ACL, acl, attribute, root, set_attribute};

fn new(bytes: &str) -> Content {
    Content::own(bytes.as_bytes().to_vec(), 0o640)
}

/// The names in a directory.
fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Refused with the same line beforehand and when it is tried, and nothing is left behind.
fn refused(path: &Path, why: &str) {
    let before = names(path.parent().unwrap());
    let expected = read(path).ok().flatten().map(|c| c.digest());
    for line in [replaceable(path).unwrap_err().0, replace(path, expected.as_deref(), &new("x")).unwrap_err().0] {
        assert!(line.contains(why) && !line.contains('\n'), "{line}");
        assert!(line.contains(path.to_str().unwrap()), "{line}");
    }
    assert_eq!(names(path.parent().unwrap()), before);
}

#[test]
fn a_file_is_kept_replaced_and_put_back() {
    let mut bench = Bench::new();
    let path = bench.write("/f", "old");
    let kept = bench.keep.save(&path).unwrap();
    let new = new("new");
    assert!(replace(&path, None, &new).is_err());
    replace(&path, kept.digest.as_deref(), &new).unwrap();
    assert_eq!(read(&path).unwrap().unwrap(), new);
    assert_eq!(bench.keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Restored);
    assert_eq!(bench.keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Nothing);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    fs::write(&path, "other").unwrap();
    assert_eq!(
        bench.keep.restore(&kept, Some(&new.digest())).unwrap(),
        Undone::Drifted(vec![path.display().to_string()])
    );
    assert_eq!(fs::read(&path).unwrap(), b"other");
    fs::remove_file(&path).unwrap();
    let gone = format!("{} was removed since", path.display());
    assert_eq!(bench.keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Drifted(vec![gone]));
    // Where the change itself had removed it, it comes back with its rights.
    assert_eq!(bench.keep.restore(&kept, None).unwrap(), Undone::Restored);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, kept.rights.unwrap().2);
    assert_eq!(names(path.parent().unwrap()), ["f"]);
}

#[test]
fn only_the_content_goes_back_where_others_changed_the_rights_since() {
    let mut bench = Bench::new();
    let path = bench.write("/f", "old");
    let kept = bench.keep.save(&path).unwrap();
    let made = Content { bytes: b"new".to_vec(), ..read(&path).unwrap().unwrap() };
    replace(&path, kept.digest.as_deref(), &made).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(bench.keep.restore(&kept, Some(&made.digest())).unwrap(), Undone::Restored);
    let now = read(&path).unwrap().unwrap();
    assert_eq!((now.bytes.as_slice(), now.mode), (&b"old"[..], 0o600));
}

#[test]
fn attributes_and_acls_go_over_and_none_comes_from_the_directory() {
    let mut bench = Bench::new();
    let path = bench.write("/etc/f", "old");
    let list = acl(6, (1001, 6), 4, 6, 4);
    if !set_attribute(&path, ACL, &list) || !set_attribute(&path, "user.note", b"kept") {
        return;
    }
    let kept = bench.keep.save(&path).unwrap();
    let made = Content { bytes: b"new".to_vec(), ..read(&path).unwrap().unwrap() };
    assert_eq!(made.mode, 0o664, "the mask stands for the group");
    replace(&path, kept.digest.as_deref(), &made).unwrap();
    assert_eq!(attribute(&path, ACL), Some(list.clone()));
    assert_eq!(attribute(&path, "user.note").unwrap(), b"kept");

    // What was removed comes back with them, from what the journal holds.
    let kept: Kept = serde_json::from_value(serde_json::to_value(&kept).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(bench.keep.restore(&kept, None).unwrap(), Undone::Restored);
    assert_eq!(attribute(&path, ACL), Some(list));
    assert_eq!(attribute(&path, "user.note").unwrap(), b"kept");

    // A file without an ACL stays without, though its directory would give it one.
    let plain = bench.write("/etc/plain", "old");
    assert!(set_attribute(&bench.path("/etc"), DEFAULT_ACL, &acl(7, (1002, 7), 7, 7, 5)));
    let old = read(&plain).unwrap().unwrap();
    replace(&plain, Some(&old.digest()), &Content { bytes: b"new".to_vec(), ..old }).unwrap();
    assert_eq!(attribute(&plain, ACL), None);
}

#[test]
fn owners_labels_and_capabilities_go_over() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let path = bench.write("/f", "old");
    std::os::unix::fs::chown(&path, Some(12), Some(34)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
    let label = b"system_u:object_r:container_config_t:s0\0";
    // Version 2, CAP_NET_BIND_SERVICE, permitted and effective.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if !set_attribute(&path, "security.selinux", label) || !set_attribute(&path, "security.capability", &capability) {
        return;
    }
    let old = read(&path).unwrap().unwrap();
    let new = Content { bytes: b"new".to_vec(), ..old.clone() };
    replace(&path, Some(&old.digest()), &new).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (12, 34, 0o4755));
    assert_eq!(attribute(&path, "security.selinux").unwrap(), label);
    assert_eq!(attribute(&path, "security.capability").unwrap(), capability);

    assert!(set_attribute(&path, "security.ima", &[1; 21]));
    refused(&path, "sealed by a hash or a signature (security.ima)");
}

#[test]
fn links_among_the_directories_are_followed() {
    let bench = Bench::new();
    let real = bench.write("/srv/docker/f", "old");
    fs::create_dir_all(bench.path("/etc")).unwrap();
    symlink(bench.path("/srv/docker"), bench.path("/etc/docker")).unwrap();
    let path = bench.path("/etc/docker/f");
    replace(&path, Some(&digest(b"old")), &new("new")).unwrap();
    assert_eq!(fs::read(&real).unwrap(), b"new");
    assert!(bench.path("/etc/docker").is_symlink());
}

#[test]
fn what_a_crash_left_is_recognised_and_nothing_else() {
    let mut bench = Bench::new();
    let path = bench.write("/etc/f", "old");
    let kept = bench.keep.save(&path).unwrap();
    let made = new("new").digest();
    let left = [format!(".f.seaworthy-{made}"), ".f.seaworthy-0123456789abcdef".into()];
    let foreign = [".f.seaworthy-note", ".f.seaworthy-0123456789abcdefg", ".g.seaworthy-0123456789abcdef", "f.bak"];
    for name in left.iter().map(String::as_str).chain(foreign) {
        bench.write(&format!("/etc/{name}"), "half");
    }
    assert_eq!(bench.keep.restore(&kept, Some(&made)).unwrap(), Undone::Nothing);
    let mut rest = [&foreign[..], &["f"]].concat();
    rest.sort_unstable();
    assert_eq!(names(&bench.path("/etc")), rest);
    assert!(!sweep(&path).unwrap());
    // One that is in the way of the next attempt goes, too.
    bench.write(&format!("/etc/{}", left[0]), "half");
    replace(&path, kept.digest.as_deref(), &new("new")).unwrap();
    assert_eq!(names(&bench.path("/etc")), rest);
}

#[test]
fn a_damaged_or_missing_copy_is_not_put_back() {
    let mut bench = Bench::new();
    let path = bench.write("/f", "old");
    let kept = bench.keep.save(&path).unwrap();
    replace(&path, kept.digest.as_deref(), &new("new")).unwrap();
    let copy = bench.dir.path().join("keep").join(kept.copy.as_ref().unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
    fs::write(&copy, "forged").unwrap();
    let restore = || bench.keep.restore(&kept, Some(&new("new").digest())).unwrap_err().0;
    assert!(restore().contains("is damaged"));
    fs::remove_file(&copy).unwrap();
    assert!(restore().contains("is gone"));
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_whole_file_comes_and_goes_with_its_directories() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.path("/etc")).unwrap();
    let path = bench.path("/etc/a/b/f");
    let new = new("x");
    let own = Own::prepare(&mut bench.keep, &path, &new).unwrap();
    assert_eq!(own.directories, [bench.path("/etc/a"), bench.path("/etc/a/b")].map(PathBuf::from));
    assert!(!bench.path("/etc/a").exists(), "nothing is made while it is prepared");
    assert!(own.verify().unwrap_err().0.contains("it is gone"));
    let own: Own = serde_json::from_value(serde_json::to_value(&own).unwrap()).unwrap();
    assert!(own.put(&self::new("y")).unwrap_err().0.contains("not what was prepared"));
    for _ in 0..2 {
        own.put(&new).unwrap();
        own.verify().unwrap();
    }
    assert_eq!(fs::metadata(bench.path("/etc/a")).unwrap().mode() & 0o777, 0o755);
    assert_eq!(read(&path).unwrap().unwrap(), new);
    assert_eq!(own.undo(&bench.keep).unwrap(), Undone::Restored);
    assert!(!bench.path("/etc/a").exists());
    assert_eq!(own.undo(&bench.keep).unwrap(), Undone::Nothing);

    // A crash between the directories and the file.
    fs::create_dir(bench.path("/etc/a")).unwrap();
    assert_eq!(own.undo(&bench.keep).unwrap(), Undone::Restored);
    assert!(!bench.path("/etc/a").exists());

    // What others put there stays.
    own.put(&new).unwrap();
    bench.write("/etc/a/theirs", "x");
    assert_eq!(own.undo(&bench.keep).unwrap(), Undone::Restored);
    assert_eq!(names(&bench.path("/etc/a")), ["theirs"]);
}
