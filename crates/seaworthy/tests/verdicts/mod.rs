//! The real binary against a real engine: what it says of whom.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use seaworthy_bed::Daemon;
use serde_json::Value;

/// What one run of the binary said: verdicts by check and component.
pub struct Report {
    verdicts: BTreeMap<(String, String), (String, String)>,
}

impl Report {
    /// Audits an engine as root, with further flags.
    pub fn of(daemon: &Daemon, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(["audit", "--docker", &daemon.host(), "-f", "json", "--timeout", "60"]).args(flags);
        Self::run(command)
    }

    /// Runs a command that prints a report.
    pub fn run(mut command: Command) -> Self {
        command.current_dir("/");
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let verdicts = report["findings"].as_array().into_iter().flatten().map(|finding| {
            let check = text(&finding["check"]).trim_start_matches("docker/").to_owned();
            let why = format!("{} {}", text(&finding["reason"]), finding["facts"]);
            ((check, text(&finding["component"]["name"])), (text(&finding["verdict"]), why))
        });
        Self { verdicts: verdicts.collect() }
    }

    /// The verdict of a check (`container/seccomp`) on a component; empty where there is none.
    pub fn verdict(&self, check: &str, component: &str) -> &str {
        self.verdicts.get(&(check.to_owned(), component.to_owned())).map_or("", |(verdict, _)| verdict)
    }

    /// The facts that decided, and the reason.
    fn why(&self, check: &str, component: &str) -> &str {
        self.verdicts.get(&(check.to_owned(), component.to_owned())).map_or("", |(_, why)| why)
    }

    /// All verdicts on a component by check, of the checks of one folder.
    pub fn of_component(&self, folder: &str, component: &str) -> BTreeMap<String, String> {
        let mine = self.verdicts.iter().filter(|((check, name), _)| name == component && check.starts_with(folder));
        mine.map(|((check, _), (verdict, _))| (check.clone(), verdict.clone())).collect()
    }
}

/// What differs from the expectation; told all at once.
#[derive(Default)]
pub struct Wrong(String);

impl Wrong {
    /// Notes what went wrong otherwise.
    pub fn note(&mut self, what: &str) {
        let _ = writeln!(self.0, "{what}");
    }

    /// Compares one verdict.
    pub fn expect(&mut self, report: &Report, component: &str, check: &str, expected: &str) {
        let verdict = report.verdict(check, component);
        if verdict != expected {
            let why = report.why(check, component);
            let _ = writeln!(self.0, "{component}: {check} is {verdict:?} and should be {expected:?}: {why}");
        }
    }

    /// Compares all verdicts on a component with those of another, but for the checks that are named with theirs.
    pub fn expect_like(&mut self, report: &Report, folder: &str, base: &str, component: &str, other: &[(&str, &str)]) {
        let expected = report.of_component(folder, base);
        assert!(!expected.is_empty(), "nothing is said of {base}");
        for (check, verdict) in &expected {
            let named = other.iter().find(|(name, _)| *check == format!("{folder}/{name}"));
            self.expect(report, component, check, named.map_or(verdict, |(_, verdict)| verdict));
        }
        for (name, _) in other {
            let check = format!("{folder}/{name}");
            assert!(expected.contains_key(&check), "there is no check {check}");
        }
    }

    /// Fails with everything that was wrong.
    pub fn finish(self, engine: &str) {
        assert!(self.0.is_empty(), "{engine}:\n{}", self.0);
    }
}

/// A document with changes laid over it: objects are merged, null takes away, everything else replaces.
pub fn over(base: &Value, changes: &Value) -> Value {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            let mut out = base.clone();
            for (key, change) in changes {
                match change {
                    Value::Null => drop(out.remove(key)),
                    change => drop(out.insert(key.clone(), over(base.get(key).unwrap_or(&Value::Null), change))),
                }
            }
            Value::Object(out)
        }
        (_, changes) => changes.clone(),
    }
}
