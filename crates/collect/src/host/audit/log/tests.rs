use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tempfile::TempDir;

use super::*;

/// What auditd of Debian 12 wrote while alice, who had logged in and become root, did things to files of the engine, and
/// others that look like it: `crates/bed/machine` is the machine.
const RECORDED: &str = include_str!("../../../../fixtures/audit/debian-12.log");
/// Inodes on that machine.
const FILES: [(&str, u64); 5] =
    [("etc", 32), ("etc/docker", 270), ("etc/docker/daemon.json", 284), ("etc/passwd", 387), ("etc/group", 8495)];

/// A root with the files of that machine, and the record with the numbers that they have here.
fn recorded() -> (TempDir, Root, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("etc/docker")).unwrap();
    fs::create_dir_all(dir.path().join("var/log/audit")).unwrap();
    for file in ["etc/docker/daemon.json", "etc/passwd", "etc/group"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let mut text = RECORDED.to_owned();
    for (file, inode) in FILES {
        let here = fs::metadata(dir.path().join(file)).unwrap();
        let device = (rustix::fs::major(here.dev()), rustix::fs::minor(here.dev()));
        let new = format!("inode={} dev={:02x}:{:02x} ", here.ino(), device.0, device.1);
        text = text.replace(&format!("inode={inode} dev=fe:00 "), &new);
        if file == "etc" {
            // What is no more had inodes of the same file system.
            let there = format!("dev={:02x}:{:02x} ", device.0, device.1);
            text = [8176, 8485, 8492, 282].iter().fold(text, |text, gone| {
                text.replace(&format!("inode={gone} dev=fe:00 "), &format!("inode=9{gone}999999 {there}"))
            });
        }
    }
    let root = Root::open(dir.path()).unwrap();
    (dir, root, text)
}

fn write(dir: &TempDir, name: &str, text: &str) {
    fs::write(dir.path().join("var/log/audit").join(name), text).unwrap();
}

/// Serial number, path, act and success of each.
fn told(log: &Log) -> Vec<(u64, &str, Act, bool)> {
    log.events.iter().map(|e| (e.stamp.serial, e.path.as_str(), e.act, e.success)).collect()
}

#[test]
fn a_recorded_log_tells_who_did_what_to_the_very_files() {
    let (dir, root, text) = recorded();
    write(&dir, "audit.log", &text);
    let log = read(&root, &Watched::default()).unwrap();
    let (json, group) = ("/etc/docker/daemon.json", "/etc/group");
    let expected = [
        (70, json, Act::Attributes, true),
        (72, json, Act::Write, true),
        (74, json, Act::Attributes, true),
        (79, json, Act::Rename, true),
        (84, json, Act::Rename, true),
        (86, "/etc/passwd", Act::Attributes, false),
        (90, json, Act::Write, true),
        (93, "/etc/passwd", Act::Write, true),
        (94, group, Act::Write, true),
        (96, group, Act::Write, true),
        (99, group, Act::Rename, true),
        (103, json, Act::Unknown, true),
        (107, json, Act::Remove, true),
        (109, json, Act::Create, true),
        (112, json, Act::Attributes, true),
        (113, "/etc/docker", Act::Attributes, true),
        (115, json, Act::Write, true),
        (118, json, Act::Write, true),
    ];
    let named: Vec<_> =
        told(&log).into_iter().filter(|(_, path, ..)| !path.contains("tmp") && !path.contains("sed")).collect();
    assert_eq!(named, expected);
    // By a name that holds a blank, and by one that is relative.
    assert!(told(&log).contains(&(76, "/etc/docker/a b.tmp", Act::Create, true)), "{log:#?}");
    let of = |serial| log.events.iter().find(|e| e.stamp.serial == serial).unwrap();
    let chown = of(74);
    assert_eq!((chown.login_uid, chown.uid, chown.exe.as_str()), (Some(1000), Some(0), "/usr/bin/chown"));
    assert_eq!((chown.key.as_str(), chown.stamp.at), ("docker", 1_796_044_256_777));
    assert_eq!((of(86).login_uid, of(86).uid), (Some(1000), Some(1000)));
    assert_eq!(of(112).login_uid, None, "no login began it");
    assert_eq!(log.began, 1_796_044_256_229);
    assert!(!format!("{log:?}").contains("b64"), "arguments of commands are not kept");
}

#[test]
fn a_file_of_the_same_path_elsewhere_is_another_one() {
    let (dir, root, text) = recorded();
    // As from a chroot: it has an inode of its own.
    assert!(text.contains("name=\"/etc/passwd\" inode=98492999999 "));
    write(&dir, "audit.log", &text);
    let log = read(&root, &Watched::default()).unwrap();
    assert_eq!(told(&log).iter().filter(|(serial, ..)| *serial == 88).count(), 0, "{log:#?}");
    // Another name of the file.
    assert_eq!(told(&log).iter().filter(|(serial, ..)| *serial == 105).count(), 0);

    // A file that took its place, and nobody logged it: what was done to the one before is not proven to be to it.
    fs::write(dir.path().join("etc/docker/new"), "").unwrap();
    fs::rename(dir.path().join("etc/docker/new"), dir.path().join("etc/docker/daemon.json")).unwrap();
    let log = read(&root, &Watched::default()).unwrap();
    let left: Vec<u64> = told(&log).iter().filter(|(_, path, ..)| path.ends_with("daemon.json")).map(|t| t.0).collect();
    assert_eq!(
        left,
        [70, 72, 74, 79, 84, 90, 103, 107, 109],
        "made and removed in its directory, or what these replaced"
    );
    // And where the directory is another one, nothing is.
    fs::rename(dir.path().join("etc/docker"), dir.path().join("etc/old")).unwrap();
    fs::create_dir(dir.path().join("etc/docker")).unwrap();
    let log = read(&root, &Watched::default()).unwrap();
    assert!(!told(&log).iter().any(|(_, path, ..)| path.starts_with("/etc/docker/")), "{log:#?}");
}

#[test]
fn links_of_directories_are_resolved_and_detours_are_not_guessed() {
    let (dir, root, text) = recorded();
    std::os::unix::fs::symlink("docker", dir.path().join("etc/engine")).unwrap();
    let one = |name: &str| {
        let text = text.replace("name=\"/etc/docker/daemon.json\"", &format!("name=\"{name}\""));
        write(&dir, "audit.log", &text);
        let watched = Watched { more: vec!["/etc/engine".into()] };
        told(&read(&root, &watched).unwrap()).iter().find(|t| t.0 == 112).map(|t| t.1.to_owned())
    };
    assert_eq!(one("/etc/engine/daemon.json").as_deref(), Some("/etc/docker/daemon.json"));
    assert_eq!(one("/etc/./docker//daemon.json").as_deref(), Some("/etc/docker/daemon.json"));
    assert_eq!(one("/etc/engine/../docker/daemon.json"), None);
    assert_eq!(one("/srv/daemon.json"), None);
}

#[test]
fn the_end_is_read_through_rotated_parts_and_says_where_it_begins() {
    let (dir, root, text) = recorded();
    assert_eq!(read(&root, &Watched::default()), Err(Unread::Absent));
    write(&dir, "audit.log", "");
    assert!(read(&root, &Watched::default()).is_err(), "an empty log says nothing");

    let at = text.find("type=SYSCALL msg=audit(1796044261.605:107)").unwrap();
    write(&dir, "audit.log.1", &text[..at]);
    write(&dir, "audit.log", &text[at..]);
    let whole = read(&root, &Watched::default()).unwrap();
    assert_eq!(whole.began, 1_796_044_256_229);
    assert!(told(&whole).iter().any(|t| t.0 == 70) && told(&whole).iter().any(|t| t.0 == 107));

    // Longer than what is read, with the cut within a record.
    let noise = "type=USER_ACCT msg=audit(1796044250.000:1): pid=1 uid=0 msg='op=PAM:accounting'\n";
    write(&dir, "audit.log", &(noise.repeat((9 << 20) / noise.len()) + &text[at..]));
    let cut = read(&root, &Watched::default()).unwrap();
    assert_eq!(cut.began, 1_796_044_250_000);
    assert!(told(&cut).iter().any(|t| t.0 == 107) && !told(&cut).iter().any(|t| t.0 == 70), "{cut:#?}");

    fs::remove_file(dir.path().join("var/log/audit/audit.log")).unwrap();
    rustix::fs::mknodat(CWD, dir.path().join("var/log/audit/audit.log"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert_eq!(read(&root, &Watched::default()), Err(Unread::WrongType("something else")));
}

#[test]
fn much_that_is_alike_leaves_the_latest_and_what_was_refused_pushes_nothing_out() {
    let (dir, root, text) = recorded();
    let event: String = text.lines().filter(|l| l.contains(":112)")).map(|l| format!("{l}\n")).collect();
    let event = event.replace("1796044262.513", "1796044262.TTT");
    let mut many = String::new();
    for i in 0..40 {
        many += &event.replace("TTT", "100").replace(":112)", &format!(":{})", 1000 + i));
    }
    for i in 0..2000 {
        let refused = event.replace("TTT", "200").replace(":112)", &format!(":{})", 2000 + i));
        many += &refused.replace("success=yes", "success=no");
    }
    write(&dir, "audit.log", &many);
    let log = read(&root, &Watched::default()).unwrap();
    let serials =
        |success| log.events.iter().filter(|e| e.success == success).map(|e| e.stamp.serial).collect::<Vec<_>>();
    assert_eq!(serials(true), (1024..1040).collect::<Vec<_>>());
    assert_eq!(serials(false), (3984..4000).collect::<Vec<_>>());
}

#[test]
fn serial_numbers_of_two_boots_are_two_events() {
    let (dir, root, text) = recorded();
    let event: String = text.lines().filter(|l| l.contains(":112)")).map(|l| format!("{l}\n")).collect();
    write(
        &dir,
        "audit.log",
        &(event.replace("1796044262", "1796000000").replace("/usr/bin/chmod", "/bin/old") + &event),
    );
    let log = read(&root, &Watched::default()).unwrap();
    let exes: Vec<&str> = log.events.iter().map(|e| e.exe.as_str()).collect();
    assert_eq!(exes, ["/bin/old", "/usr/bin/chmod"]);
}
