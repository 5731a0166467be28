//! The audit log's records of accesses to the paths that matter here.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::host::root::{Root, Unread};

/// Where auditd writes.
pub const LOG: &str = "/var/log/audit/audit.log";
/// The bytes read from the end of the log: 8 MiB.
const TAIL: u64 = 8 << 20;
/// The most events returned, the latest ones.
const MOST: usize = 256;

/// One access, as the records of one serial number tell it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Its serial number.
    pub serial: u64,
    /// The user who logged in, whoever he became since; `None` for daemons.
    pub login_uid: Option<u32>,
    /// The user as whom it was done.
    pub uid: Option<u32>,
    /// The executable.
    pub exe: String,
    /// The key of the rule that logged it.
    pub key: String,
    /// Whether it succeeded.
    pub success: Option<bool>,
    /// The paths, as given and made absolute.
    pub paths: Vec<PathBuf>,
}

/// The events found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// By serial number, the latest at the end.
    pub events: Vec<Event>,
    /// True when the log is longer than what was read, or more events were found than are returned.
    pub cut: bool,
}

/// Reads the end of the log and returns the events about a path at or below one of `paths`.
///
/// # Errors
/// [`Unread`] with the reason: the log is readable by root alone on most hosts.
pub fn read(root: &Root, paths: &[&Path]) -> Result<Log, Unread> {
    let real = root.canonical(LOG)?;
    let inside = root.path().join(real.strip_prefix("/").unwrap_or(&real));
    // The links are resolved already; one that was put there since is not followed.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, &inside, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Unread::WrongType("something else"));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let mut file = std::fs::File::from(fd);
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let mut log = parse(&String::from_utf8_lossy(&bytes), paths);
    log.cut |= size > TAIL;
    Ok(log)
}

fn parse(text: &str, paths: &[&Path]) -> Log {
    let mut events: HashMap<u64, (Event, PathBuf, Vec<PathBuf>)> = HashMap::new();
    for line in text.lines() {
        let Some((kind, at, serial, fields)) = head(line) else { continue };
        if !matches!(kind, "SYSCALL" | "PATH" | "CWD") {
            continue;
        }
        let (event, cwd, names) = events.entry(serial).or_default();
        (event.at, event.serial) = (at, serial);
        let fields = pairs(fields);
        let get = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        match kind {
            "SYSCALL" => {
                event.login_uid = get("auid").and_then(|v| v.parse().ok()).filter(|u| *u != u32::MAX);
                event.uid = get("uid").and_then(|v| v.parse().ok());
                event.success = get("success").map(|v| v == "yes");
                event.exe = get("exe").map(value).unwrap_or_default();
                event.key = get("key").map(value).filter(|k| k != "(null)").unwrap_or_default();
            }
            "CWD" => *cwd = get("cwd").map(value).unwrap_or_default().into(),
            _ if names.len() < 64 => names.extend(get("name").map(|v| PathBuf::from(value(v)))),
            _ => {}
        }
    }
    let about = |event: &Event| event.paths.iter().any(|p| paths.iter().any(|want| p.starts_with(want)));
    let whole = |(mut event, cwd, names): (Event, PathBuf, Vec<PathBuf>)| {
        // Joining an absolute path gives that path.
        event.paths = names.into_iter().map(|n| cwd.join(n)).collect();
        event
    };
    let mut found: Vec<Event> = events.into_values().map(whole).filter(about).collect();
    found.sort_by_key(|e| (e.at, e.serial));
    let cut = found.len() > MOST;
    Log { events: found.split_off(found.len().saturating_sub(MOST)), cut }
}

/// Splits `type=PATH msg=audit(1700000000.123:45): FIELDS`.
fn head(line: &str) -> Option<(&str, i64, u64, &str)> {
    let at = line.find("type=")?;
    let (kind, rest) = line[at + 5..].split_once(' ')?;
    let (stamp, fields) = rest.strip_prefix("msg=audit(")?.split_once("):")?;
    let (time, serial) = stamp.split_once(':')?;
    let (seconds, fraction) = time.split_once('.')?;
    let at = seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(fraction.parse().ok()?)?;
    Some((kind, at, serial.parse().ok()?, fields))
}

/// The fields of a record; the enriched ones after the separator are left out.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let text = text.split('\u{1d}').next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, tail)) = rest.split_once('=') {
        let end = match tail.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(tail.len(), |at| at + 2),
            None => tail.find(' ').unwrap_or(tail.len()),
        };
        found.push((name, &tail[..end]));
        rest = tail[end..].trim_start();
    }
    found
}

/// A text in quotes, or in hexadecimal where it holds blanks, quotes or worse.
fn value(text: &str) -> String {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.strip_suffix('"').unwrap_or(quoted).to_owned();
    }
    let digits = text.as_bytes();
    let hexadecimal = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    if !hexadecimal {
        return text.to_owned();
    }
    let nibble = |d: u8| (d as char).to_digit(16).unwrap_or(0) as u8;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|p| nibble(p[0]) << 4 | nibble(p[1])).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "node=h type=SYSCALL msg=audit(1700000000.123:45): arch=c000003e syscall=257 success=yes exit=3 \
        auid=1000 uid=0 comm=\"vi\" exe=\"/usr/bin/vi\" key=\"docker\"\u{1d}ARCH=x86_64 AUID=\"a\"\n\
        type=CWD msg=audit(1700000000.123:45): cwd=\"/etc/docker\"\n\
        type=PATH msg=audit(1700000000.123:45): item=0 name=\"daemon.json\" inode=1\n\
        type=SYSCALL msg=audit(1700000001.000:46): success=no auid=4294967295 uid=0 exe=2F746D702F6120 key=(null)\n\
        type=PATH msg=audit(1700000001.000:46): item=0 name=2F6574632F646F636B65722F6120 inode=1\n\
        type=PATH msg=audit(1700000002.000:47): item=0 name=\"/etc/dockerx\" inode=1\n\
        type=PATH msg=audit(17.0:9\nrubbish\n";

    #[test]
    fn records_of_one_number_are_one_event() {
        let log = parse(TEXT, &[Path::new("/etc/docker")]);
        assert!(!log.cut);
        let [first, second] = &log.events[..] else { panic!("{log:?}") };
        assert_eq!(first.paths, [Path::new("/etc/docker/daemon.json")]);
        assert_eq!((first.at, first.login_uid, first.uid), (1_700_000_000_123, Some(1000), Some(0)));
        assert_eq!((first.exe.as_str(), first.key.as_str(), first.success), ("/usr/bin/vi", "docker", Some(true)));
        assert_eq!(second.paths, [Path::new("/etc/docker/a ")]);
        assert_eq!((second.login_uid, second.key.as_str(), second.success), (None, "", Some(false)));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("var/log/audit")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(read(&root, &[]), Err(Unread::Absent));
        let mut text = "x".repeat(9 << 20);
        text.push('\n');
        text.push_str(TEXT);
        std::fs::write(dir.path().join("var/log/audit/audit.log"), text).unwrap();
        let log = read(&root, &[Path::new("/etc/docker")]).unwrap();
        assert!(log.cut);
        assert_eq!(log.events.len(), 2);
    }
}
