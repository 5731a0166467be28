//! Audit rules: in the kernel by netlink, one rule at a time, and in the files that auditd loads at a boot.
//!
//! All rules are watches with the key `seaworthy` (`ausearch -k seaworthy`). The key is part of what makes two rules the
//! same, so none of ours can be somebody else's, and undo can take out no other. Never is the table emptied or reloaded.
//!
//! Where the kernel's table is locked until the next boot (`enabled 2`), only the files are written. Where recording is
//! off (`enabled 0`), rules would load and log nothing: they are refused unless the change switches it on first. Auditd
//! does so too when it starts; without auditd the records go to the kernel's log.

mod disk;
mod kernel;
mod noise;
#[cfg(test)]
mod tests;

use std::path::Path;

use seaworthy_core::plan::{AuditRules, Watch};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Effect, Refusal, Undone};
use crate::files::Keep;
use crate::{At as _, Failure, Host};

pub use disk::line;
pub use noise::{fades, noise};

use kernel::{Rule, Table};

/// The key of our rules.
pub const KEY: &str = "seaworthy";

/// The most watches of one change.
const MOST: usize = 256;

/// What undo needs.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// Watches whose rules the kernel did not hold: they are loaded now, or by auditd at a boot.
    kernel: Vec<Watch>,
    /// Lines that are added.
    disk: Vec<disk::Edit>,
    /// That recording is switched on, and how it stood while it was off.
    enabled: Option<Recording>,
}

/// How recording stood.
#[derive(Debug, Serialize, Deserialize)]
struct Recording {
    /// The process that takes the records.
    receiver: u32,
    /// How many rules the kernel held.
    rules: usize,
}

impl Act for AuditRules {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        check(self, host, host.is_real())
    }

    fn prepare(&self, host: &Host, _keep: &mut Keep) -> Result<Value, Failure> {
        let before = prepare(self, host, host.is_real())?;
        serde_json::to_value(before).at(|| "write down the audit rules".into())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let before = before(undo)?;
        disk::apply(host, &before.disk)?;
        if before.enabled.is_none() && before.kernel.is_empty() {
            return Ok(());
        }
        let mut table = Table::open()?;
        if before.enabled.is_some() {
            table.enable(true)?;
        }
        if table.status()?.enabled == 2 {
            return Ok(());
        }
        self.watches.iter().filter(|w| w.kernel && before.kernel.contains(w)).try_for_each(|watch| table.add(watch))
    }

    fn verify(&self, host: &Host, _undo: &Value) -> Result<Effect, Failure> {
        verify(self, host, host.is_real())
    }

    fn undo(&self, host: &Host, _keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let before = before(undo)?;
        let files = disk::undo(host, &before.disk)?;
        let kernel = unload(&before)?;
        Ok(match (files, kernel) {
            (Undone::Drifted(mut named), Undone::Drifted(more)) => {
                named.extend(more);
                Undone::Drifted(named)
            }
            (Undone::Drifted(named), _) | (_, Undone::Drifted(named)) => Undone::Drifted(named),
            (Undone::Nothing, Undone::Nothing) => Undone::Nothing,
            _ => Undone::Restored,
        })
    }
}

/// `live`: whether the kernel is this host's.
fn check(rules: &AuditRules, host: &Host, live: bool) -> Result<(), Refusal> {
    if rules.watches.len() > MOST {
        return Err(Refusal::Refused(format!("{} watches are more than {MOST}", rules.watches.len())));
    }
    rules.watches.iter().try_for_each(|watch| check_watch(host, watch))?;
    check_noise(rules, host, live)?;
    disk::plan(host, &rules.watches)?;
    if rules.enable && disk::switched_off(host)? {
        let what = "the audit rule files switch recording off at each start of auditd (-e 0)";
        return Err(Refusal::Refused(format!("{what}: take that line out first")));
    }
    if live { check_kernel(rules) } else { Ok(()) }
}

fn check_kernel(rules: &AuditRules) -> Result<(), Refusal> {
    if !rules.enable && !rules.watches.iter().any(|w| w.kernel) {
        return Ok(());
    }
    let status = Table::open()?.status()?;
    if status.enabled == 0 && !rules.enable {
        let what = "the kernel records nothing (auditctl -s: enabled 0), so rules would have no effect";
        return Err(Refusal::Refused(format!("{what}: start auditd, or auditctl -e 1, and plan again")));
    }
    if let Some(watch) = rules.watches.iter().find(|w| w.kernel && !w.disk && status.enabled == 2) {
        let what = "the kernel's audit rules are locked until the next boot, and the rule files hold it already";
        return Err(Refusal::Refused(format!("{}: {what}: reboot", watch.path)));
    }
    Ok(())
}

fn check_noise(rules: &AuditRules, host: &Host, live: bool) -> Result<(), Refusal> {
    let info = host.engine.as_ref().and_then(|e| e.get("/info").ok());
    let roots: Vec<String> = info.iter().filter_map(|i| Some(i["DockerRootDir"].as_str()?.to_owned())).collect();
    let Some(noisy) = rules.watches.iter().find_map(|w| noise(w, &roots)) else { return Ok(()) };
    let harm = match noise::stops(host)? {
        Some(setting) => setting,
        None if live && Table::open()?.status()?.failure == 2 => {
            "the kernel stops the machine when it loses a record (auditctl -s: failure 2)".into()
        }
        None => return Ok(()),
    };
    let what = "a full disk or queue would end the recording or the machine";
    Err(Refusal::Refused(format!("{noisy}, and {what}: {harm}. Change that first, or leave the watch out")))
}

fn prepare(rules: &AuditRules, host: &Host, live: bool) -> Result<Before, Failure> {
    let disk = disk::plan(host, &rules.watches)?;
    let mut before = Before { kernel: Vec::new(), disk, enabled: None };
    if !live {
        return Ok(before);
    }
    match Table::open().and_then(|mut table| Ok((table.status()?, table.rules()?))) {
        Ok((status, there)) => {
            let absent = |watch: &Watch| !there.contains(&Rule::of(watch));
            before.kernel = rules.watches.iter().flat_map(forms).filter(absent).collect();
            let off = rules.enable && status.enabled == 0;
            before.enabled = off.then_some(Recording { receiver: status.receiver, rules: there.len() });
        }
        Err(failure) if rules.enable || rules.watches.iter().any(|w| w.kernel) => return Err(failure),
        // The files alone are changed, and that takes no right to the kernel's table.
        Err(_) => {}
    }
    Ok(before)
}

fn verify(rules: &AuditRules, host: &Host, live: bool) -> Result<Effect, Failure> {
    disk::verify(host, &rules.watches)?;
    if !live || !(rules.enable || rules.watches.iter().any(|w| w.kernel)) {
        return Ok(Effect::InEffect);
    }
    let mut table = Table::open()?;
    let (status, there) = (table.status()?, table.rules()?);
    let lacking = rules.watches.iter().find(|w| w.kernel && !there.contains(&Rule::of(w)));
    match (status.enabled, lacking) {
        (0, _) => Err(Failure::new("the kernel records nothing: auditing is off (auditctl -s: enabled 0)")),
        (2, Some(watch)) if watch.disk => {
            Ok(Effect::Pending("the kernel's rules are locked until the next boot".into()))
        }
        (_, Some(watch)) => Err(Failure(format!("the kernel does not hold \"{}\" though it was loaded", line(watch)))),
        (_, None) => Ok(Effect::InEffect),
    }
}

/// Whether the kernel takes the watch, now and at the next boot.
fn check_watch(host: &Host, watch: &Watch) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::Refused(format!("audit rule for {:?}: {why}", watch.path)));
    let path = Path::new(&watch.path);
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\');
    if watch.path.len() > 4095 || !watch.path.starts_with('/') || watch.path.contains(odd) {
        return refused("a rule file cannot express this path: it has to be absolute, without spaces and quotes");
    }
    let plain: std::path::PathBuf = path.components().collect();
    if plain.as_os_str() != path.as_os_str() || path.components().any(|c| c == std::path::Component::ParentDir) {
        return refused("the path has to be written without .., . and double slashes");
    }
    if watch.permissions.is_empty() || watch.permissions.chars().any(|c| !"rwxa".contains(c)) {
        return refused("permissions are some of r, w, x and a");
    }
    let Some(parent) = path.parent() else { return refused("the whole machine is not watched") };
    if !host.path(&parent.to_string_lossy()).is_dir() {
        return refused(&format!("{} is not there; the kernel refuses such a rule", parent.display()));
    }
    let real =
        std::fs::canonicalize(host.path(&parent.to_string_lossy())).at(|| format!("resolve {}", parent.display()))?;
    let run = std::fs::canonicalize(host.path("/run")).unwrap_or_else(|_| host.path("/run"));
    if watch.disk && real.starts_with(&run) && real != run {
        return refused(&format!(
            "{} is made after auditd has loaded its rules at a boot; the line would fail there and leave all rules behind it \
             unloaded",
            parent.display()
        ));
    }
    match (std::fs::symlink_metadata(host.path(&watch.path)).is_ok_and(|m| m.is_dir()), watch.directory) {
        (true, false) => Err(Refusal::Stale(format!("{} is a directory now", watch.path))),
        (false, true) => Err(Refusal::Stale(format!("{} is no directory any more", watch.path))),
        _ => Ok(()),
    }
}

/// A watch as it is, and as auditd loads its line at a boot: of the path's own entry where no directory is there yet.
fn forms(watch: &Watch) -> [Watch; 2] {
    [watch.clone(), Watch { directory: !watch.directory, ..watch.clone() }]
}

/// Takes out of the kernel what was loaded.
fn unload(before: &Before) -> Result<Undone, Failure> {
    if before.kernel.is_empty() && before.enabled.is_none() {
        return Ok(Undone::Nothing);
    }
    let mut table = Table::open()?;
    let (status, rules) = (table.status()?, table.rules()?);
    let ours: Vec<&Watch> = before.kernel.iter().filter(|w| rules.contains(&Rule::of(w))).collect();
    if status.enabled == 2 {
        let locked = |w: &&Watch| format!("the kernel's rule for {}: its table is locked until the next boot", w.path);
        let named: Vec<String> = ours.iter().map(locked).collect();
        return Ok(if named.is_empty() { Undone::Nothing } else { Undone::Drifted(named) });
    }
    let mut undone = Undone::Nothing;
    for watch in &ours {
        if table.delete(watch)? {
            undone = Undone::Restored;
        }
    }
    let Some(was) = before.enabled.as_ref().filter(|_| status.enabled == 1) else { return Ok(undone) };
    if status.receiver != was.receiver {
        return Ok(Undone::Drifted(vec!["recording stays on: auditd has been started or ended since".into()]));
    }
    if table.rules()?.len() > was.rules {
        return Ok(Undone::Drifted(vec!["recording stays on: rules that were loaded since need it".into()]));
    }
    table.enable(false)?;
    Ok(Undone::Restored)
}

fn before(undo: &Value) -> Result<Before, Failure> {
    serde_json::from_value(undo.clone()).at(|| "read the journal of the audit rules".into())
}
