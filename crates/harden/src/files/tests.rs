use std::fs;

use super::*;
use crate::act::Undone;

#[test]
fn a_file_is_kept_replaced_and_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let keep_dir = dir.path().join("keep");
    fs::create_dir(&keep_dir).unwrap();
    let mut keep = Keep::at(&keep_dir);
    let path = dir.path().join("f");
    fs::write(&path, "old").unwrap();
    let kept = keep.save(&path).unwrap();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let new = Content { bytes: b"new".to_vec(), uid, gid, mode: 0o640 };
    assert!(replace(&path, None, &new).is_err());
    replace(&path, kept.digest.as_deref(), &new).unwrap();
    assert_eq!(read(&path).unwrap().unwrap(), new);
    assert_eq!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Restored);
    assert_eq!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Nothing);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    fs::write(&path, "other").unwrap();
    assert!(matches!(keep.restore(&kept, Some(&new.digest())).unwrap(), Undone::Drifted(_)));
    assert_eq!(fs::read(&path).unwrap(), b"other");
}
