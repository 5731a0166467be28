//! What stands in the way of a write: each is seen beforehand, said in one line, and leaves what was there.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::IFlags;

use super::super::*;
use super::{names, new, refused};
use crate::bench::{Bench, Flagged, Mounted, root};

#[test]
fn what_is_no_file_of_its_own_is_refused() {
    let bench = Bench::new();
    let victim = bench.write("/victim", "secret");
    let path = bench.path("/f");
    symlink(&victim, &path).unwrap();
    refused(&path, "it is a link, no regular file");
    assert!(read(&path).unwrap_err().0.contains("it is a link"));

    let fifo = bench.path("/fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    refused(&fifo, "it is a FIFO or a device");
    let directory = bench.path("/d");
    fs::create_dir(&directory).unwrap();
    refused(&directory, "it is a directory");
    let _listener = std::os::unix::net::UnixListener::bind(bench.path("/s")).unwrap();
    refused(&bench.path("/s"), "it is a socket");

    fs::hard_link(&victim, bench.path("/other")).unwrap();
    refused(&victim, "it has 2 names (hard links)");
    assert_eq!(fs::read(&victim).unwrap(), b"secret");

    symlink(bench.path("/b"), bench.path("/a")).unwrap();
    symlink(bench.path("/a"), bench.path("/b")).unwrap();
    let line = replaceable(&bench.path("/a/f")).unwrap_err().0;
    assert!(line.contains("links lead in a circle"), "{line}");
    assert!(read(&bench.path("/a/f")).unwrap_err().0.contains("circle"));

    symlink(bench.path("/nowhere"), bench.path("/dangling")).unwrap();
    let line = replaceable(&bench.path("/dangling/f")).unwrap_err().0;
    assert!(line.contains("its directory is a link that leads nowhere"), "{line}");

    let large = bench.path("/large");
    fs::File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
    assert!(read(&large).unwrap_err().0.contains("larger than 4 MiB"));
    let inside = replaceable(&victim.join("f")).unwrap_err().0;
    assert!(inside.contains("Not a directory"), "{inside}");
}

#[test]
fn flags_that_forbid_changes_are_named() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let path = bench.write("/etc/f", "old");
    for (flag, letter) in [(IFlags::IMMUTABLE, 'i'), (IFlags::APPEND, 'a')] {
        let Some(_flag) = Flagged::new(&path, flag) else { return };
        refused(&path, &format!("it may not be changed (chattr +{letter}); lift that first (chattr -{letter})"));
        assert!(remove(&path, &digest(b"old")).unwrap_err().0.contains("chattr"));
    }
    for flag in [IFlags::IMMUTABLE, IFlags::APPEND] {
        let Some(_flag) = Flagged::new(&bench.path("/etc"), flag) else { return };
        refused(&path, "its directory may not be changed (chattr +");
        refused(&bench.path("/etc/new"), "its directory may not be changed (chattr +");
        let line = replaceable(&bench.path("/etc/a/b/new")).unwrap_err().0;
        assert!(line.contains("its directory may not be changed"), "{line}");
    }
    replace(&path, Some(&digest(b"old")), &new("new")).unwrap();
}

#[test]
fn a_file_that_is_mounted_by_itself_is_refused_and_not_truncated() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let source = bench.write("/srv/f", "old");
    let path = bench.write("/etc/f", "below");
    let Some(mounted) = Mounted::bind(&source, &path) else { return };
    refused(&path, "mounted there by itself (a bind mount)");
    assert_eq!(fs::read(&source).unwrap(), b"old");
    drop(mounted);
    assert_eq!(fs::read(&path).unwrap(), b"below");
}

#[test]
fn a_read_only_file_system_is_named() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let Some(memory) = Mounted::memory(&bench.path("/m"), c"size=64k") else { return };
    let path = bench.write("/m/f", "old");
    memory.read_only(true);
    refused(&path, "its file system is read-only");
    refused(&bench.path("/m/new"), "its file system is read-only");
    assert!(Room::beside(&path, 1).unwrap_err().0.contains("read-only"));
    memory.read_only(false);
    replace(&path, Some(&digest(b"old")), &new("new")).unwrap();
}

#[test]
fn a_full_disk_leaves_the_old_file_and_is_found_beforehand() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let Some(_memory) = Mounted::memory(&bench.path("/m"), c"size=128k") else { return };
    let path = bench.write("/m/f", "old");
    let full = bench.path("/m/full");
    let long = new(&"x".repeat(20_000));
    let (mut failed, mut done) = (0, 0);
    // Each page that is free is a write further that gets through.
    for free in 0..8usize {
        fs::write(&path, "old").unwrap();
        let room = rustix::fs::statvfs(bench.path("/m")).unwrap();
        fs::write(&full, vec![0; ((room.f_bavail as usize) - free) * room.f_frsize as usize]).unwrap();
        match replace(&path, Some(&digest(b"old")), &long) {
            Ok(()) => {
                done += 1;
                assert_eq!(read(&path).unwrap().unwrap(), long);
            }
            Err(line) => {
                failed += 1;
                assert!(line.0.contains("no space is left on its file system"), "{line}");
                assert_eq!(fs::read(&path).unwrap(), b"old");
                assert_eq!(names(&bench.path("/m")), ["f", "full"]);
                let line = Room::beside(&path, 20_000).unwrap_err().0;
                assert!(line.contains("reserve 20000 bytes") && line.contains("no space is left"), "{line}");
                let keep = Keep::at(&bench.path("/m"));
                assert!(keep.reserve(100_000).unwrap_err().0.contains("no space is left"));
                assert!(keep.clone().save(&path).is_ok() || free == 0, "a copy of three bytes takes a page");
                let _ = fs::remove_file(bench.path("/m/000"));
            }
        }
        fs::remove_file(&full).unwrap();
    }
    assert!(failed > 0 && done > 0, "{failed} failed, {done} done");
}

#[test]
fn room_is_held_until_it_is_given_back() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let Some(_memory) = Mounted::memory(&bench.path("/m"), c"size=256k") else { return };
    let free = || rustix::fs::statvfs(bench.path("/m")).unwrap().f_bavail;
    let before = free();
    let room = Room::beside(&bench.path("/m/a/b/f"), 100_000).unwrap();
    assert!(free() < before);
    assert_eq!(names(&bench.path("/m")), [""; 0], "nothing of it is seen");
    drop(room);
    assert_eq!(free(), before);
    let keep = Keep::at(&bench.path("/m"));
    keep.reserve(100_000).unwrap();
    assert!(free() < before);
    keep.release().unwrap();
    keep.release().unwrap();
    assert_eq!(free(), before);
}

#[test]
fn a_link_that_comes_and_goes_never_leads_a_write_elsewhere() {
    let bench = Bench::new();
    let victim = bench.write("/victim", "old");
    let path = bench.write("/etc/f", "old");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = bench.path("/etc/other");
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = symlink(&victim, &other).and_then(|()| fs::rename(&other, &path));
                fs::write(&other, "old").and_then(|()| fs::rename(&other, &path)).unwrap();
            }
        });
        let done = (0..200).filter(|n| replace(&path, Some(&digest(b"old")), &new(&n.to_string())).is_ok()).count();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        done
    });
    assert_eq!(fs::read(&victim).unwrap(), b"old", "after {done} writes that went through");
    assert!(!names(&bench.path("/etc")).iter().any(|n| n.contains("seaworthy")));
}
