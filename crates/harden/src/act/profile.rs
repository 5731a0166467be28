//! Variables that login shells export, in `/etc/profile.d`.

use std::path::PathBuf;
use std::time::Duration;

use seaworthy_core::plan::ProfileEnv;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::block::{Part, Spot};
use super::marked::Marked;
use super::{Act, Effect, Refusal, Undone};
use crate::files::Keep;
use crate::{At as _, Failure, Host, program};

const FILE: &str = "/etc/profile.d/seaworthy.sh";
const DIRECTORY: &str = "/etc/profile.d";
const TRUST: &str = "DOCKER_CONTENT_TRUST";
/// The first docker client that has no content trust any more.
const WITHOUT_TRUST: u32 = 29;
/// A profile may ask the network who somebody is.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Undo {
    file: Marked,
}

impl Undo {
    fn of(value: &Value) -> Result<Self, Failure> {
        Self::deserialize(value).at(|| "read the journal of a profile".to_owned())
    }
}

impl Act for ProfileEnv {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        if self.set.is_empty() {
            return Err(Refusal::Refused("the plan names no variable to export".into()));
        }
        for (name, value) in &self.set {
            if !is_name(name) || value.len() > 4096 || value.chars().any(char::is_control) {
                return Err(Refusal::Refused(format!(
                    "{name:?} cannot be exported: its name or value has no safe form"
                )));
            }
        }
        if !host.path(DIRECTORY).is_dir() {
            let why = "it is not there, so no login shell reads it; set the variables where logins get theirs";
            return Err(Refusal::Refused(format!("{DIRECTORY}: {why}")));
        }
        if host.is_real() && self.set.iter().any(|(name, _)| name == TRUST) {
            is_honoured()?;
        }
        Ok(Marked::plan(host, FILE, parts(self))?.0.check(host)?)
    }

    fn prepare(&self, host: &Host, _: &mut Keep) -> Result<Value, Failure> {
        let (file, _) = Marked::plan(host, FILE, parts(self))?;
        serde_json::to_value(Undo { file }).at(|| "write the journal of a profile".to_owned())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        Undo::of(undo)?.file.apply(host)
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        if !Undo::of(undo)?.file.stands(host)? {
            return Err(Failure(format!("{FILE}: it does not hold what was written")));
        }
        if host.is_real() {
            for (name, value) in &self.set {
                is_exported(name, value)?;
            }
        }
        Ok(Effect::Pending("it holds in login shells from the next login".into()))
    }

    fn undo(&self, host: &Host, _: &Keep, undo: &Value) -> Result<Undone, Failure> {
        Undo::of(undo)?.file.undo(host)
    }

    fn room(&self, host: &Host) -> Vec<(PathBuf, u64)> {
        vec![Marked::room(host, FILE, &parts(self))]
    }
}

fn parts(profile: &ProfileEnv) -> Vec<Part> {
    let lines = profile.set.iter().map(|(name, value)| format!("export {name}={}", quoted(value))).collect();
    vec![Part { spot: Spot::End, lines }]
}

fn is_name(name: &str) -> bool {
    let is_first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_first && name.len() <= 200 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// As one word of a POSIX shell, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Refuses where the docker client here would not look at the variable. None is installed: then others will be.
fn is_honoured() -> Result<(), Refusal> {
    let Ok(says) = program::run(&["docker", "--version"], PATIENCE) else { return Ok(()) };
    match major(&says.stdout) {
        Some(version) if version >= WITHOUT_TRUST => Err(Refusal::Refused(format!(
            "{TRUST}: the docker client is version {version} and does not look at it; name images by their digest"
        ))),
        _ => Ok(()),
    }
}

/// Of `Docker version 20.10.24+dfsg1, build 297e128`.
fn major(says: &str) -> Option<u32> {
    says.strip_prefix("Docker version ")?.split('.').next()?.parse().ok()
}

/// Asks a login shell with nothing in its environment what a program that it starts would see.
fn is_exported(name: &str, value: &str) -> Result<(), Failure> {
    let seen = program::run(&["sh", "-l", "-c", "printenv \"$1\"", "sh", name], PATIENCE)?;
    if seen.is_good() && seen.stdout.lines().last() == Some(value) {
        return Ok(());
    }
    let why = "what /etc/profile reads after it may say otherwise, or it does not read the directory";
    Err(Failure(format!("{FILE}: a login shell does not export {name} as it was set: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::people::tests::root;

    fn profile(name: &str, value: &str) -> ProfileEnv {
        ProfileEnv { set: vec![(name.into(), value.into())] }
    }

    /// What a shell makes of the file.
    fn sourced(host: &Host, name: &str) -> String {
        let file = host.path(FILE).display().to_string();
        let script = ". \"$1\"; printenv \"$2\"";
        program::run(&["sh", "-c", script, "sh", &file, name], PATIENCE).unwrap().stdout
    }

    #[test]
    fn any_value_reaches_the_shell_as_it_is_and_no_other_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::at(dir.path());
        for value in ["1", "a b", "$(touch /tmp/x)`id`", "it's '' \\ \"q\"", "é;&|<>*?", ""] {
            let (_dir, host) = root(&[("/etc/profile.d/other.sh", "")]);
            let act = profile("X", value);
            act.check(&host).unwrap();
            let undo = act.prepare(&host, &mut keep).unwrap();
            act.apply(&host, &undo).unwrap();
            assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(_)));
            assert_eq!(sourced(&host, "X"), format!("{value}\n"));
            use std::os::unix::fs::PermissionsExt as _;
            let mode = host.path(FILE).metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, 0o644);
            assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
            assert!(!host.path(FILE).exists() && host.path(DIRECTORY).is_dir());
        }
        let (_dir, host) = root(&[("/etc/profile.d/other.sh", "")]);
        for (name, value) in [("X", "a\nb"), ("X;id", "1"), ("", "1"), ("1X", "1"), ("X", "\0")] {
            assert!(profile(name, value).check(&host).unwrap_err().to_string().contains("cannot be exported"));
        }
        let (_dir, bare) = root(&[]);
        assert!(profile("X", "1").check(&bare).unwrap_err().to_string().contains("not there"));
    }

    #[test]
    fn the_later_of_two_counts_and_either_can_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::at(dir.path());
        let (_dir, one) = root(&[("/etc/profile.d/other.sh", "")]);
        let two = Host { root: one.root.clone(), engine: None, daemon: None, transaction: "bbbbbbbbbbbb".into() };
        let (first, second) = (profile("X", "1"), profile("X", "2"));
        let early = first.prepare(&one, &mut keep).unwrap();
        first.apply(&one, &early).unwrap();
        let late = second.prepare(&two, &mut keep).unwrap();
        second.apply(&two, &late).unwrap();
        assert_eq!(sourced(&one, "X"), "2\n");
        assert_eq!(first.undo(&one, &keep, &early).unwrap(), Undone::Restored);
        assert_eq!(sourced(&one, "X"), "2\n");
        let text = std::fs::read_to_string(one.path(FILE)).unwrap();
        std::fs::write(one.path(FILE), format!("{text}export MINE=1\n")).unwrap();
        assert_eq!(second.undo(&two, &keep, &late).unwrap(), Undone::Restored);
        assert_eq!(std::fs::read_to_string(one.path(FILE)).unwrap(), "export MINE=1\n");
    }

    #[test]
    fn versions_are_read_from_what_the_client_says() {
        assert_eq!(major("Docker version 20.10.24+dfsg1, build 297e128\n"), Some(20));
        assert_eq!(major("Docker version 29.0.1, build x"), Some(29));
        assert_eq!(major("podman version 4"), None);
    }
}
