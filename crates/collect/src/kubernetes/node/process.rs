//! A component of which a process is known: its settings, its files, and what changed since it started.

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;

use super::shared;
use super::sheet::{Config, Sheet};

/// A file that a component uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The part that it plays.
    pub role: &'static str,
    /// Its path as the component sees it.
    pub path: String,
}

/// A component with the files that it uses.
pub(super) struct Part<'a> {
    /// Its settings.
    pub sheet: Sheet<'a>,
    /// Files and directories that its settings name.
    pub files: Vec<Use>,
    /// Configuration files in the order in which they count.
    pub config_files: Vec<String>,
    /// Files that are read at the start alone.
    pub at_start: Vec<String>,
}

impl<'a> Part<'a> {
    /// A component of which nothing is known yet.
    pub fn new(sheet: Sheet<'a>) -> Self {
        Self { sheet, files: Vec::new(), config_files: Vec::new(), at_start: Vec::new() }
    }

    /// Notes a file that it uses.
    pub fn uses(&mut self, role: &'static str, path: &str) {
        let file = Use { role, path: path.to_owned() };
        if !self.files.contains(&file) && self.files.len() < 1024 {
            self.files.push(file);
        }
    }

    /// A fact that is a path, and the file there.
    pub fn file(&mut self, fact: &str, flag: &str, field: &str, role: &'static str) {
        self.sheet.path(fact, flag, field);
        if let Ok((Some(path), _)) = self.sheet.path_of(flag, field) {
            self.uses(role, &path);
            if matches!(role, "audit-policy" | "admission-config" | "encryption-config") {
                self.config_files.push(path.clone());
                self.at_start.push(path);
            }
        }
    }

    /// The file at a path that is no fact.
    pub fn path(&mut self, flag: &str, role: &'static str) {
        if let Ok((Some(path), _)) = self.sheet.path_of(flag, "") {
            self.uses(role, &path);
            if role.ends_with("-config") {
                self.config_files.push(path);
            }
        }
    }

    /// Where a log is written; `-` is no path.
    pub fn log(&mut self, fact: &str, flag: &str) {
        let output = self.sheet.given(flag, "").is_ok_and(|given| {
            given.is_some_and(|(given, _)| matches!(given, super::sheet::Given::Flag(f, n) if f.last(n) == Some("-")))
        });
        if output {
            let source = self.sheet.at_flag(flag);
            self.sheet.c.set(fact, "-", source);
        } else {
            self.file(fact, flag, "", "audit-log");
        }
    }

    /// The paths that a flag names, one each time.
    pub fn each_path(&self, flag: &str) -> Vec<String> {
        let Ok(flags) = &self.sheet.run.flags else { return Vec::new() };
        flags.all(flag).filter_map(|path| self.sheet.run.files.absolute(path).ok()).take(64).collect()
    }

    /// Reads the configuration file that a flag names.
    pub fn configuration(&mut self, flag: &str, role: &'static str, below_flags: bool) {
        match self.sheet.path_of(flag, "") {
            Ok((Some(path), _)) => {
                self.uses(role, &path);
                self.config_files.push(path.clone());
                self.at_start.push(path.clone());
                let json = shared::load_at_start(self.sheet.run, &path).map_err(|why| format!("{path}: {why}"));
                let place = self.sheet.run.files.place(&path);
                self.sheet.config = Some(Config { json, place, below_flags });
            }
            Ok((None, _)) => {}
            Err((why, source)) => {
                self.sheet.config = Some(Config { json: Err(why), place: source.place, below_flags });
            }
        }
    }

    /// Sets what all components have: feature gates, configuration files and what of them is not in effect.
    pub fn finish(&mut self, on_node: bool) {
        let gates = self.sheet.gates().map(|(gates, source)| {
            let mut last: Vec<(String, bool)> = Vec::new();
            for (name, on) in gates {
                last.retain(|(n, _)| *n != name);
                last.push((name, on));
            }
            let gates = last
                .iter()
                .map(|(name, on)| Value::Object(vec![("name", self.sheet.shown(name)), ("enabled", Value::Bool(*on))]));
            (Value::List(gates.collect()), source)
        });
        self.sheet.put("feature_gates", gates);
        let place = Source::new(&self.sheet.run.place, "");
        if let Err(why) = &self.sheet.run.flags {
            let why = why.clone();
            self.sheet.c.set_unknown("config_files", why.as_str(), place.clone());
            self.sheet.c.set_unknown("configured_not_active", why, place);
            return;
        }
        let files = self.sheet.strings(self.config_files.clone());
        self.sheet.c.set("config_files", files, place.clone());
        if !on_node {
            self.sheet.c.set_unknown("configured_not_active", "only the API told of it", place);
            return;
        }
        let reloads = self.sheet.c.kind.index("encryption_reload").is_some()
            && self.sheet.c.value("encryption_reload").as_bool() == Some(true);
        let encryption = self.files.iter().find(|f| f.role == "encryption-config").map(|f| f.path.clone());
        let at_start = self.at_start.iter().filter(|path| !(reloads && encryption.as_ref() == Some(path)));
        let changed = at_start.filter(|path| self.sheet.run.files.changed(path).is_some()).cloned().collect();
        let changed = self.sheet.strings(changed);
        self.sheet.c.set("configured_not_active", changed, place);
    }
}
