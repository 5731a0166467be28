//! Runs the real program and compares its verdicts with those that a person would give.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A report in JSON.
pub struct Report {
    json: Value,
    text: String,
}

/// Audits an engine; `more` are further arguments.
pub fn audit(host: &str, more: &[&str]) -> Report {
    audit_by(Command::new(env!("CARGO_BIN_EXE_seaworthy")), host, more)
}

/// As [`audit`], with the host's files read below `root`.
#[allow(dead_code, reason = "each test program has its own copy of this module")]
pub fn audit_root(host: &str, root: &Path) -> Report {
    audit(host, &["--root", root.to_str().expect("a path")])
}

/// As [`audit`], by a command that ends in the program.
pub fn audit_by(mut command: Command, host: &str, more: &[&str]) -> Report {
    let home = tempfile::tempdir().expect("a home");
    command.args(["audit", "--docker", host, "-f", "json"]).args(more).current_dir(home.path());
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(name);
    }
    command.env("HOME", home.path());
    let output = command.output().expect("start seaworthy");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("no report ({e}): {}\n{text}", String::from_utf8_lossy(&output.stderr)));
    Report { json, text }
}

impl Report {
    /// The findings of a check (`docker/daemon/icc-off`, or without `docker/`) or of a control of the newest benchmark
    /// (`2.2`) on a component: its name, its id, the first part of its id (the role of a file), or any for `""`.
    fn findings(&self, what: &str, component: &str) -> Vec<&Value> {
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let about = |f: &&Value| {
            let check = text(f, "check");
            check == what
                || check.strip_prefix("docker/") == Some(what)
                || f["controls"]
                    .as_array()
                    .is_some_and(|c| c.iter().any(|c| *c == format!("cis-docker-1.8.0/{what}").as_str()))
        };
        let on = |f: &&Value| {
            let (id, name) = (text(&f["component"], "id"), text(&f["component"], "name"));
            component.is_empty() || id == component || name == component || id.split(':').next() == Some(component)
        };
        self.json["findings"].as_array().expect("findings").iter().filter(about).filter(on).collect()
    }

    /// Over several: fail, else unknown, else manual, else pass, else not applicable, as for a control.
    pub fn verdict(&self, what: &str, component: &str) -> String {
        let found = self.findings(what, component);
        let order = ["fail", "unknown", "manual", "pass", "not-applicable"];
        let has = |verdict: &&str| found.iter().any(|f| f["verdict"] == **verdict);
        order.into_iter().find(has).unwrap_or("absent").to_owned()
    }

    /// Compares a table of what, component and verdict; panics with all that differ.
    pub fn expect(&self, place: &str, table: &[(&str, &str, &str)]) {
        let differ = table.iter().filter_map(|(what, component, expected)| {
            let got = self.verdict(what, component);
            let why: Vec<String> = self
                .findings(what, component)
                .iter()
                .map(|f| format!("    {} {} {} {}", f["check"], f["component"]["id"], f["reason"], f["facts"]))
                .collect();
            (got != *expected)
                .then(|| format!("{what} on {component:?}: {got}, expected {expected}\n{}", why.join("\n")))
        });
        let differ: Vec<String> = differ.collect();
        assert!(differ.is_empty(), "{place}:\n{}", differ.join("\n"));
    }

    /// The value of a fact as the report shows it beside a finding.
    #[allow(dead_code, reason = "each test program has its own copy of this module")]
    pub fn fact(&self, what: &str, component: &str, fact: &str) -> Value {
        let found = self.findings(what, component);
        let facts = found.iter().flat_map(|f| f["facts"].as_array().into_iter().flatten());
        facts.filter(|f| f["name"] == fact).map(|f| f["value"].clone()).next().unwrap_or(Value::Null)
    }

    /// The whole report as text.
    #[allow(dead_code, reason = "each test program has its own copy of this module")]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Runs cases side by side, at most three at a time, and panics with all that failed.
#[allow(dead_code, reason = "each test program has its own copy of this module")]
pub fn side_by_side(cases: Vec<Box<dyn FnOnce() + Send>>) {
    let queue = std::sync::Mutex::new(cases);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let worker = || {
            let mut failed = Vec::new();
            loop {
                let Some(case) = queue.lock().expect("the queue").pop() else { return failed };
                if let Err(why) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case)) {
                    let text = why.downcast_ref::<String>().cloned();
                    failed.push(text.unwrap_or_else(|| "a case panicked".to_owned()));
                }
            }
        };
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker")).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
