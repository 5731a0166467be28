//! Variables that profiles and environment files set for docker's command line.
//!
//! Files are followed in the order in which a login reads them; the last assignment that is
//! exported counts.

use super::shell::{self, Action};
use super::url::{has_userinfo, without_userinfo};
use super::{AFFECTS, MOST_FILES};
use crate::host::gap::{Gap, Place};
use crate::host::root::{Root, Unread};

/// `DOCKER_CONTENT_TRUST` as files set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTrust {
    /// Whether the value turns it on, as docker reads it: 0 and `false` are off, 1, `true` and
    /// every other value on; none when the shell would compute it.
    pub on: Option<bool>,
    /// Whether programs see the variable.
    pub exported: bool,
    /// False when it depends on a condition, a function or the like.
    pub certain: bool,
    /// Where it was last set.
    pub at: Place,
}

impl ContentTrust {
    /// Whether content trust is in effect; none when that cannot be told.
    pub fn in_effect(&self) -> Option<bool> {
        if !self.certain {
            return None;
        }
        if self.exported { self.on } else { Some(false) }
    }
}

/// `DOCKER_HOST` as files set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSetting {
    /// The address without user and password; none when the shell would compute it.
    pub host: Option<String>,
    /// True when a user or password was part of it.
    pub had_userinfo: bool,
    /// Whether programs see the variable.
    pub exported: bool,
    /// False when it depends on a condition, a function or the like.
    pub certain: bool,
    /// Where it was last set.
    pub at: Place,
}

const NAMES: [&str; 3] = ["DOCKER_CONTENT_TRUST", "DOCKER_HOST", "DOCKER_CONFIG"];

#[derive(Clone, Default)]
struct Variable {
    /// What it was last set to; the inner is none when the value is computed.
    value: Option<(Option<String>, Place)>,
    exported: bool,
    value_uncertain: bool,
    export_uncertain: bool,
}

impl Variable {
    fn is_certain(&self) -> bool {
        !self.value_uncertain && !self.export_uncertain
    }
}

/// The variables after some files. It holds raw values and is dropped once they are read.
#[derive(Clone, Default)]
pub(super) struct State {
    variables: [Variable; 3],
    /// True once a file could not be read.
    pub(super) short: bool,
}

impl State {
    fn event(&mut self, name: &str, action: Action, certain: bool, at: Place) {
        let Some(index) = NAMES.iter().position(|known| *known == name) else { return };
        let variable = &mut self.variables[index];
        let before = (variable.value.as_ref().map(|(value, _)| value.clone()), variable.exported);
        let unset = action == Action::Unset;
        let of_value = unset || matches!(action, Action::Set(_));
        match action {
            Action::Set(value) => variable.value = Some((value, at)),
            Action::Export => variable.exported = true,
            Action::Unexport => variable.exported = false,
            Action::Unset => (variable.value, variable.exported) = (None, false),
        }
        // What may happen and changes nothing leaves things as certain as they were.
        let changed = before.0 != variable.value.as_ref().map(|(value, _)| value.clone());
        if of_value {
            variable.value_uncertain = !certain && (variable.value_uncertain || changed);
        }
        if unset || !of_value {
            let changed = before.1 != variable.exported;
            variable.export_uncertain = !certain && (variable.export_uncertain || changed);
        }
    }

    /// The same, once more, for a file whose every line is exported.
    fn exported(&mut self, name: &str, value: &str, at: &Place) {
        self.event(name, Action::Set(Some(value.to_owned())), true, at.clone());
        self.event(name, Action::Export, true, at.clone());
    }

    pub(super) fn content_trust(&self) -> Option<ContentTrust> {
        let variable = &self.variables[0];
        let (value, at) = variable.value.as_ref()?;
        let on = value.as_deref().map(|value| !matches!(value, "" | "0" | "f" | "F" | "FALSE" | "false" | "False"));
        Some(ContentTrust { on, exported: variable.exported, certain: variable.is_certain(), at: at.clone() })
    }

    pub(super) fn docker_host(&self) -> Option<HostSetting> {
        let variable = &self.variables[1];
        let (value, at) = variable.value.as_ref()?;
        let had_userinfo = value.as_deref().is_some_and(has_userinfo);
        let host = value.as_deref().map(without_userinfo);
        let (exported, certain) = (variable.exported, variable.is_certain());
        Some(HostSetting { host, had_userinfo, exported, certain, at: at.clone() })
    }

    /// The directory that `DOCKER_CONFIG` names, where it is a plain path.
    pub(super) fn docker_config(&self, home: &str) -> Option<String> {
        let (value, _) = self.variables[2].value.as_ref()?;
        let value = value.as_deref()?;
        let path = match value.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => value.to_owned(),
        };
        path.starts_with('/').then(|| path.trim_end_matches('/').to_owned())
    }
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// A script of a shell.
    Shell,
    /// `NAME=value`, read by PAM.
    Environment,
    /// `NAME=value`, read by systemd.
    EnvironmentD,
    /// `NAME DEFAULT=value OVERRIDE=value`.
    PamEnv,
}

/// What the files of the system set for everybody.
pub(super) fn system(root: &Root, gaps: &mut Vec<Gap>) -> State {
    let mut state = State::default();
    read(root, "/etc/security/pam_env.conf", Form::PamEnv, &mut state, gaps);
    read(root, "/etc/environment", Form::Environment, &mut state, gaps);
    read_dir(root, "/etc/environment.d", ".conf", Form::EnvironmentD, &mut state, gaps);
    for path in ["/etc/zshenv", "/etc/zsh/zshenv", "/etc/profile"] {
        read(root, path, Form::Shell, &mut state, gaps);
    }
    read_dir(root, "/etc/profile.d", ".sh", Form::Shell, &mut state, gaps);
    for path in
        ["/etc/bash.bashrc", "/etc/bashrc", "/etc/zprofile", "/etc/zsh/zprofile", "/etc/zshrc", "/etc/zsh/zshrc"]
    {
        read(root, path, Form::Shell, &mut state, gaps);
    }
    state
}

/// What a user's own files make of it, by the files that his shell reads.
pub(super) fn user(root: &Root, home: &str, shell: &str, system: &State, gaps: &mut Vec<Gap>) -> State {
    let mut state = system.clone();
    let home = home.trim_end_matches('/');
    let name = shell.rsplit('/').next().unwrap_or_default();
    if matches!(name, "nologin" | "false" | "sync" | "shutdown" | "halt" | "git-shell") {
        return state;
    }
    read_dir(root, &format!("{home}/.config/environment.d"), ".conf", Form::EnvironmentD, &mut state, gaps);
    let first_of: &[&str] = match name {
        "bash" | "rbash" => &[".bash_profile", ".bash_login", ".profile"],
        "zsh" => &[".zshenv"],
        _ => &[".profile"],
    };
    for file in first_of {
        // bash reads only the first of them that is there.
        if read(root, &format!("{home}/{file}"), Form::Shell, &mut state, gaps) {
            break;
        }
    }
    let also: &[&str] = match name {
        "bash" | "rbash" => &[".bashrc"],
        "zsh" => &[".zprofile", ".zshrc"],
        _ => &[],
    };
    for file in also {
        read(root, &format!("{home}/{file}"), Form::Shell, &mut state, gaps);
    }
    state
}

fn read_dir(root: &Root, dir: &str, suffix: &str, form: Form, state: &mut State, gaps: &mut Vec<Gap>) {
    match root.list(dir, MOST_FILES) {
        Ok(names) => {
            for name in names.iter().map(|name| name.to_string_lossy()).filter(|name| name.ends_with(suffix)) {
                read(root, &format!("{dir}/{name}"), form, state, gaps);
            }
        }
        Err(unread) => gaps.extend(Gap::of(dir, &unread, AFFECTS)),
    }
}

/// True when the file was there. One that could not be read may change everything: what was set
/// before is then uncertain.
fn read(root: &Root, path: &str, form: Form, state: &mut State, gaps: &mut Vec<Gap>) -> bool {
    let text = match root.read_text(path) {
        Ok(text) => text,
        Err(Unread::Absent) => return false,
        Err(unread) => {
            gaps.push(Gap::new(path, &unread, AFFECTS));
            state.short = true;
            state.variables.iter_mut().for_each(|variable| variable.value_uncertain = true);
            return true;
        }
    };
    if !text.contains("DOCKER_CO") && !text.contains("DOCKER_HOST") {
        return true;
    }
    if form == Form::Shell {
        for event in shell::events(&text) {
            let at = Place::new(path, event.line);
            state.event(&event.name, event.action, event.certain, at);
        }
        return true;
    }
    for (index, line) in text.lines().enumerate() {
        let at = Place::new(path, index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || (line.starts_with(';') && form == Form::EnvironmentD) {
            continue;
        }
        match form {
            Form::PamEnv => pam_env(line, &at, state),
            Form::Environment => {
                let line = line.split('#').next().unwrap_or_default();
                let line = line.strip_prefix("export ").unwrap_or(line);
                assign(line, &at, state);
            }
            Form::EnvironmentD | Form::Shell => assign(line, &at, state),
        }
    }
    true
}

fn assign(line: &str, at: &Place, state: &mut State) {
    if let Some((name, value)) = line.split_once('=') {
        state.exported(name.trim(), unquoted(value), at);
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(value)
}

fn pam_env(line: &str, at: &Place, state: &mut State) {
    let mut words = line.split_whitespace();
    let Some(name) = words.next() else { return };
    let (mut default, mut over) = (None, None);
    for word in words {
        match word.split_once('=') {
            Some(("DEFAULT", value)) => default = Some(unquoted(value)),
            Some(("OVERRIDE", value)) => over = Some(unquoted(value)).filter(|value| !value.is_empty()),
            _ => {}
        }
    }
    match over.or(default) {
        Some(value) => state.exported(name, value, at),
        None => state.event(name, Action::Unset, true, at.clone()),
    }
}
