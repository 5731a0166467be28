//! The engine as a unit of systemd.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::UP;
use crate::Failure;
use crate::process::Process;
use crate::program::{run, run_well};

/// How long systemctl and journalctl may take, which only ask or order.
const ASKED: Duration = Duration::from_secs(30);

/// A unit with the sockets that start it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unit {
    /// `docker.service`.
    name: String,
    /// `docker.socket`.
    triggered_by: Vec<String>,
}

/// The unit whose main process this is. A daemon that somebody started by hand lies in the unit of his login.
pub(super) fn of(process: &Process, slice: &str) -> Result<Option<Unit>, Failure> {
    let Some(name) = slice.rsplit('/').find(|part| part.ends_with(".service")).filter(|name| is_name(name)) else {
        return Ok(None);
    };
    let shown = show(name)?;
    if number(&shown, "MainPID") != process.pid {
        return Ok(None);
    }
    if shown.get("CanStart").is_some_and(|can| can == "no") {
        return Err(Failure(format!("{name} refuses to be started by hand: restart it as its makers say")));
    }
    let sockets = shown.get("TriggeredBy").map(String::as_str).unwrap_or_default();
    let triggered_by = sockets.split_whitespace().filter(|name| is_name(name)).map(str::to_owned).collect();
    Ok(Some(Unit { name: name.to_owned(), triggered_by }))
}

/// Names go to systemctl as arguments: nothing that could be an option or a pattern.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    !name.starts_with('-') && name.chars().all(fits)
}

fn show(name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let wanted = "--property=MainPID,ActiveState,SubState,Result,TriggeredBy,CanStart,Job";
    let shown = run_well(&["systemctl", "show", wanted, "--", name], ASKED)?;
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.trim().to_owned()));
    Ok(shown.stdout.lines().filter_map(pair).collect())
}

fn number(shown: &BTreeMap<String, String>, key: &str) -> u32 {
    shown.get(key).and_then(|value| value.parse().ok()).unwrap_or(0)
}

impl Unit {
    /// Its main process.
    pub(super) fn process(&self) -> Result<Option<Process>, Failure> {
        Ok(Process::of(number(&show(&self.name)?, "MainPID")))
    }

    /// Restarts it, or starts it, and waits until systemd says how that ended.
    ///
    /// Its start limit (three in a minute, as packaged) counts restarts that people made too: it is reset before. A
    /// start that fails is repeated by systemd until that limit, and is waited for so long.
    pub(super) fn restart(&self, old: Option<&Process>, end: Duration) -> Result<(), Failure> {
        let mut reset = vec!["systemctl", "reset-failed", "--", &self.name];
        reset.extend(self.triggered_by.iter().map(String::as_str));
        // Fails where nothing had failed.
        let _ = run(&reset, ASKED)?;
        // The stock unit has no limit for a start: systemctl would wait for ever.
        run_well(&["systemctl", "--no-block", "restart", "--", &self.name], ASKED)?;
        let (began, limit) = (Instant::now(), end + UP);
        loop {
            let shown = show(&self.name)?;
            let state = |key: &str| shown.get(key).map(String::as_str).unwrap_or_default();
            let pending = !matches!(state("Job"), "" | "0");
            let is_new = Process::of(number(&shown, "MainPID")).is_some_and(|now| old != Some(&now));
            match state("ActiveState") {
                "active" if is_new && !pending => return Ok(()),
                "failed" | "inactive" if !pending => {
                    let line = format!("{} does not start ({})", self.name, state("Result"));
                    return Err(Failure(line));
                }
                _ => {}
            }
            if began.elapsed() > limit {
                let line = format!("{} is {} after {} s", self.name, state("ActiveState"), limit.as_secs());
                return Err(Failure(line));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// The last lines of its log.
    pub(super) fn journal(&self) -> String {
        let read = run(&["journalctl", "-u", &self.name, "-n", "20", "-o", "cat", "--no-pager", "-q"], ASKED);
        read.map(|ended| ended.stdout).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units_are_no_options() {
        assert!(is_name("docker.service") && is_name(r"a\x2db@1.service"));
        assert!(!is_name("--force.service") && !is_name("a*.service") && !is_name("a b.service"));
        let own = Process::of(std::process::id()).unwrap();
        assert_eq!(of(&own, "/user.slice/session-1.scope").unwrap(), None);
    }
}
