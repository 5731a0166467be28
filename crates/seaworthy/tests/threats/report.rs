//! What `seaworthy threats -f json` says of a threat, and by which facts.

use std::process::Command;

use serde_json::Value;

use crate::table::Told;

/// A report in JSON.
pub struct Report {
    json: Value,
}

impl Report {
    /// Runs a command that prints one.
    pub fn run(mut command: Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)));
        Self { json }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.json[key].as_array().into_iter().flatten()
    }

    /// What is said of a threat on a component or flow.
    fn instances<'a>(&'a self, threat: &'a str, on: &'a str) -> impl Iterator<Item = &'a Value> {
        let threat = format!("docker/{threat}");
        self.all("threats").filter(move |instance| {
            let about = if instance["component"].is_null() { &instance["flow"] } else { &instance["component"] };
            let name = about["name"].as_str().unwrap_or_default();
            // A host has the machine's name, a file a path that ends so.
            let is = name == on || (on.starts_with('/') && name.ends_with(on));
            instance["threat"] == threat.as_str() && (is || (on == "host" && about["kind"] == "docker.host"))
        })
    }

    /// The facts that decided an instance: its own, and those of the findings it rests on.
    fn facts(&self, instance: &Value) -> Vec<Value> {
        let findings: Vec<&Value> =
            instance["decided_by"].as_array().into_iter().flatten().map(|by| &by["finding"]).collect();
        let of_findings = self.all("findings").filter(|f| findings.contains(&&f["fingerprint"]));
        let facts = [instance].into_iter().chain(of_findings).filter_map(|one| one["facts"].as_array());
        facts.flatten().cloned().collect()
    }

    /// What differs from a line of the table.
    pub fn wrong(&self, told: &Told) -> Option<String> {
        let found: Vec<&Value> = self.instances(told.threat, told.on).collect();
        let of_status: Vec<&Value> = found.iter().copied().filter(|i| i["status"] == told.status).collect();
        let line = format!("{} {} on {} ({:?})", told.row, told.threat, told.on, told.place);
        let Some(instance) = of_status.first() else {
            let said: Vec<String> = found
                .iter()
                .map(|i| format!("    {} by {} {}", i["status"], i["decided_by"], Value::from(self.facts(i))))
                .collect();
            let others: Vec<String> = self
                .all("threats")
                .filter(|i| i["threat"] == format!("docker/{}", told.threat).as_str())
                .map(|i| format!("    {} {} {}", i["status"], i["component"]["name"], i["flow"]["name"]))
                .collect();
            return Some(format!("{line}: is not {}:\n{}\n{}", told.status, said.join("\n"), others.join("\n")));
        };
        if !instance["covers"].as_array().is_some_and(|rows| rows.iter().any(|row| row == told.row)) {
            return Some(format!("{line}: does not cover the row: {}", instance["covers"]));
        }
        let unknown = told.status == "undetermined";
        let names = |fact: &Value| {
            let source = fact["source"].as_str().unwrap_or_default();
            fact["name"] == told.fact && source.contains(told.source) && !source.is_empty()
        };
        let facts = self.facts(instance);
        let named: Vec<&Value> = facts.iter().filter(|f| names(f)).collect();
        if !named.iter().any(|f| f["value"].to_string().contains("\"unknown\"") == unknown) {
            let facts: Vec<String> = facts.iter().map(|f| format!("    {f}")).collect();
            return Some(format!(
                "{line}: {} by other facts than {} ({}):\n{}",
                told.status,
                told.fact,
                told.source,
                facts.join("\n")
            ));
        }
        None
    }
}
