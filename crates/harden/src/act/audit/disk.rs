//! The rule files that auditd loads at a boot: lines of ours in a marked block, all other lines as they are.
//!
//! `auditctl -R` stops at the first line that the kernel refuses and leaves all that follow unloaded, so a line that the
//! kernel refuses harms everybody's rules: one that is there twice, and one whose parent directory is not there.

use std::fs;
use std::path::Path;

use seaworthy_core::plan::Watch;
use serde::{Deserialize, Serialize};

use super::KEY;
use crate::act::Undone;
use crate::files::{self, Content};
use crate::{At as _, Failure, Host};

/// Our part of what `augenrules` merges.
pub const PART: &str = "/etc/audit/rules.d/50-seaworthy-docker.rules";
const PARTS: &str = "/etc/audit/rules.d";
/// What is loaded when auditd starts.
pub const LOADED: &str = "/etc/audit/audit.rules";
const BEGIN: &str = "# Begin of what seaworthy harden added";
const END: &str = "# End of what seaworthy harden added";
const MOST_PARTS: usize = 4096;

/// Lines that are added to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The file.
    path: String,
    /// The lines; those that were there already are not among them.
    lines: Vec<String>,
    /// Whether its last line had no end.
    open_end: bool,
}

/// The files that hold rules for the next boot: our part where `augenrules` merges parts, and the merged file where it is
/// there, since a unit may load that one as it is.
///
/// # Errors
/// Where nothing loads rules at a boot.
pub fn places(host: &Host) -> Result<Vec<&'static str>, Failure> {
    let has = |path: &str| fs::symlink_metadata(host.path(path)).is_ok();
    let merges = host.path(PARTS).is_dir() && (has("/sbin/augenrules") || has("/usr/sbin/augenrules"));
    let mut out = if merges { vec![PART] } else { Vec::new() };
    if has(LOADED) || (!merges && host.path("/etc/audit").is_dir()) {
        out.push(LOADED);
    }
    if out.is_empty() {
        return Err(Failure::new(
            "/etc/audit is not there, so nothing would load the rules at the next boot: install auditd (apt-get install \
             auditd, dnf install audit)",
        ));
    }
    Ok(out)
}

/// The rule as a line of a file and as arguments of `auditctl`.
#[must_use]
pub fn line(watch: &Watch) -> String {
    format!("-w {} -p {} -k {KEY}", watch.path, ordered(&watch.permissions))
}

/// Permissions in the order in which auditctl lists them.
fn ordered(permissions: &str) -> String {
    "rwxa".chars().filter(|letter| permissions.contains(*letter)).collect()
}

/// A watch's path, permissions and keys, however its line is spelled; none for other lines.
fn parse(line: &str) -> Option<(String, String, String)> {
    let mut words = line.split_whitespace();
    let (mut path, mut permissions, mut keys) = (None, "rwxa".to_owned(), String::new());
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word {
            "-w" => path = Some(if value.len() > 1 { value.trim_end_matches('/') } else { value }),
            "-p" => permissions = ordered(value),
            "-k" => keys.push_str(value),
            _ => return None,
        }
    }
    Some((path?.to_owned(), permissions, keys))
}

fn has_line(text: &str, line: &str) -> bool {
    let wanted = parse(line);
    text.lines().any(|l| parse(l) == wanted && wanted.is_some())
}

/// What would be added where.
///
/// # Errors
/// Where nothing loads rules at a boot, or a file cannot be read or replaced.
pub fn plan(host: &Host, watches: &[Watch]) -> Result<Vec<Edit>, Failure> {
    let lines: Vec<String> = watches.iter().filter(|w| w.disk).map(line).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut edits = Vec::new();
    for path in places(host)? {
        let own = text(host, path)?.unwrap_or_default();
        let held = if path == PART { parts(host)? } else { own.clone() };
        let mut missing: Vec<String> = lines.iter().filter(|l| !has_line(&held, l)).cloned().collect();
        missing.dedup();
        replaceable(host, path)?;
        edits.push(Edit { path: path.into(), lines: missing, open_end: !own.is_empty() && !own.ends_with('\n') });
    }
    Ok(edits)
}

/// Makes the edits.
///
/// # Errors
/// Where a file cannot be read or replaced.
pub fn apply(host: &Host, edits: &[Edit]) -> Result<(), Failure> {
    for edit in edits {
        let there = files::read(&host.path(&edit.path))?;
        let old = utf8(&edit.path, there.as_ref())?;
        let lines: Vec<&str> = edit.lines.iter().map(String::as_str).filter(|l| !has_line(&old, l)).collect();
        if !lines.is_empty() {
            write(host, &edit.path, there, &insert(&old, &lines))?;
        }
    }
    Ok(())
}

/// Whether each watch's line is where the next boot reads it.
///
/// # Errors
/// Where one is not; the line names it.
pub fn verify(host: &Host, watches: &[Watch]) -> Result<(), Failure> {
    if !watches.iter().any(|w| w.disk) {
        return Ok(());
    }
    for path in places(host)? {
        let held = if path == PART { parts(host)? } else { text(host, path)?.unwrap_or_default() };
        if let Some(line) = watches.iter().filter(|w| w.disk).map(line).find(|l| !has_line(&held, l)) {
            return Err(Failure(format!("{path} does not hold \"{line}\" though it was written")));
        }
    }
    Ok(())
}

/// Takes the added lines out again, and nothing else.
///
/// # Errors
/// Where a file cannot be read or replaced.
pub fn undo(host: &Host, edits: &[Edit]) -> Result<Undone, Failure> {
    let (mut restored, mut drifted) = (false, Vec::new());
    for edit in edits {
        let there = files::read(&host.path(&edit.path))?;
        let old = utf8(&edit.path, there.as_ref())?;
        let (new, took) = take(&old, edit);
        restored |= took > 0;
        drifted.extend(altered(&new, edit).map(|l| format!("{}: {l}", edit.path)));
        match there {
            _ if took == 0 => {}
            // By its name the file is ours alone.
            Some(there) if edit.path == PART && new.trim().is_empty() => {
                files::remove(&host.path(PART), &there.digest())?;
            }
            there => write(host, &edit.path, there, &new)?,
        }
    }
    Ok(match (drifted.is_empty(), restored) {
        (false, _) => Undone::Drifted(drifted),
        (true, true) => Undone::Restored,
        (true, false) => Undone::Nothing,
    })
}

/// Lines for an added watch's path with our key that are not as they were written.
fn altered<'t>(text: &'t str, edit: &'t Edit) -> impl Iterator<Item = &'t str> {
    let added: Vec<_> = edit.lines.iter().filter_map(|l| parse(l)).collect();
    text.lines().map(str::trim).filter(move |l| {
        parse(l).is_some_and(|(path, permissions, keys)| {
            keys == KEY && added.iter().any(|(p, perms, _)| *p == path && *perms != permissions)
        })
    })
}

/// The text with lines added in our block, which stands before what locks the table (`-e`), else at the end.
fn insert(text: &str, lines: &[&str]) -> String {
    let mut out: Vec<&str> = text.lines().collect();
    let block = match out.iter().position(|l| l.trim() == END) {
        Some(end) => end,
        None => {
            let at = out.iter().position(|l| l.trim_start().starts_with("-e")).unwrap_or(out.len());
            out.splice(at..at, [BEGIN, END]);
            at + 1
        }
    };
    out.splice(block..block, lines.iter().copied());
    out.join("\n") + "\n"
}

/// The text without the lines of an edit, and without our block's marks where nothing is left between them.
fn take(text: &str, edit: &Edit) -> (String, usize) {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut took = 0;
    for line in &edit.lines {
        let wanted = parse(line);
        if let Some(at) = lines.iter().position(|l| parse(l) == wanted && wanted.is_some()) {
            lines.remove(at);
            took += 1;
        }
    }
    let at_end = lines.last().is_some_and(|l| l.trim() == END);
    let mut emptied = false;
    if let Some(begin) = lines.windows(2).position(|pair| pair[0].trim() == BEGIN && pair[1].trim() == END) {
        lines.drain(begin..begin + 2);
        emptied = true;
    }
    let open = edit.open_end && emptied && at_end || !text.ends_with('\n') && !emptied;
    let end = if open || lines.is_empty() { "" } else { "\n" };
    (lines.join("\n") + end, took)
}

fn write(host: &Host, path: &str, there: Option<Content>, text: &str) -> Result<(), Failure> {
    let digest = there.as_ref().map(Content::digest);
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // New ones as augenrules makes them: nobody else needs to know what is watched.
    let (uid, gid, mode) = there.map_or((uid, gid, 0o640), |c| (c.uid, c.gid, c.mode));
    files::replace(&host.path(path), digest.as_deref(), &Content { bytes: text.into(), uid, gid, mode })
}

fn text(host: &Host, path: &str) -> Result<Option<String>, Failure> {
    let there = files::read(&host.path(path))?;
    utf8(path, there.as_ref()).map(|t| there.is_some().then_some(t))
}

fn utf8(path: &str, content: Option<&Content>) -> Result<String, Failure> {
    let Some(content) = content else { return Ok(String::new()) };
    String::from_utf8(content.bytes.clone()).map_err(|_| Failure(format!("read {path}: it is no text in UTF-8")))
}

/// All parts in one.
fn parts(host: &Host) -> Result<String, Failure> {
    let mut all = String::new();
    let doing = || format!("read {PARTS}");
    for entry in fs::read_dir(host.path(PARTS)).at(doing)?.take(MOST_PARTS) {
        let name = entry.at(doing)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rules") {
            // Others' parts may be links.
            let path = host.path(PARTS).join(&name);
            let part = fs::metadata(&path).ok().filter(|m| m.is_file() && m.len() <= files::LARGEST);
            let bytes = part.map(|_| fs::read(&path)).transpose().at(|| format!("read {PARTS}/{name}"))?;
            all.push_str(&String::from_utf8_lossy(&bytes.unwrap_or_default()));
            all.push('\n');
        }
    }
    Ok(all)
}

/// Whether a file can be put in the place of this one, as far as can be told without doing it.
fn replaceable(host: &Host, path: &str) -> Result<(), Failure> {
    use rustix::fs::{Access, IFlags, access, ioctl_getflags};
    let file = host.path(path);
    let parent = file.parent().unwrap_or(Path::new("/"));
    access(parent, Access::WRITE_OK | Access::EXEC_OK).at(|| format!("write into {}", parent.display()))?;
    for place in [parent, &file] {
        // A file system that knows no such flags has none set.
        let flags = fs::File::open(place).ok().and_then(|f| ioctl_getflags(&f).ok()).unwrap_or(IFlags::empty());
        if flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND) {
            let place = place.display();
            return Err(Failure(format!("write {path}: {place} is immutable or append-only: chattr -ia {place}")));
        }
    }
    Ok(())
}

/// The line that switches recording off at a boot, where there is one.
///
/// # Errors
/// Where the files cannot be read.
pub fn switched_off(host: &Host) -> Result<bool, Failure> {
    let mut all = text(host, LOADED)?.unwrap_or_default();
    if host.path(PARTS).is_dir() {
        all.push('\n');
        all.push_str(&parts(host)?);
    }
    Ok(all.lines().any(|l| l.split_whitespace().collect::<Vec<_>>() == ["-e", "0"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(lines: &[&str], open_end: bool) -> Edit {
        Edit { path: LOADED.into(), lines: lines.iter().map(|l| (*l).to_owned()).collect(), open_end }
    }

    #[test]
    fn what_is_added_can_be_taken_out_to_the_byte() {
        let (a, b) = ("-w /etc/docker -p wa -k seaworthy", "-w /usr/bin/runc -p wxa -k seaworthy");
        for text in ["", "-D\n-b 8192\n", "-D", "-D\n\n-e 2\n", "-D\n-e 2", "\n\n"] {
            let open_end = !text.is_empty() && !text.ends_with('\n');
            let with = insert(text, &[a]);
            let lock = with.find("-e 2").unwrap_or(with.len());
            assert!(with.find(a).unwrap() < lock, "{with}");
            let both = insert(&with, &[b]);
            assert_eq!(both.matches(BEGIN).count(), 1);
            // Undone in either order.
            let (first, second) = (edit(&[a], open_end), edit(&[b], false));
            let back = take(&take(&both, &second).0, &first).0;
            let forth = take(&take(&both, &first).0, &second).0;
            let whole = if text == "-D\n-e 2" { "-D\n-e 2\n" } else { text };
            assert_eq!(back, whole, "{text:?}");
            assert_eq!(forth.trim_end(), whole.trim_end(), "{text:?}");
            assert_eq!(take(text, &first), (text.to_owned(), 0));
        }
    }

    #[test]
    fn a_watch_is_known_however_it_is_spelled() {
        let ours = "-w /etc/docker -p wa -k seaworthy";
        for same in ["-k seaworthy  -p aw -w /etc/docker/", "  -w /etc/docker -k seaworthy -p wa"] {
            assert!(has_line(same, ours), "{same}");
        }
        for other in
            ["# -w /etc/docker -p wa -k seaworthy", "-w /etc/docker -p wa -k docker", "-w /etc -p wa -k seaworthy"]
        {
            assert!(!has_line(other, ours), "{other}");
        }
    }
}
