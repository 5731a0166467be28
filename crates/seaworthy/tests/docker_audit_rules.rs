//! The kernel's own audit rules, as the controls of section 1 judge them.

mod support;

use std::fs;
use std::process::Command;

use seaworthy_bed::{Bridge, Daemon, Spec, Version, audit_table};
use support::audit;

/// Takes all rules out, switches recording on, and gives both back.
struct AuditRules {
    _lock: fs::File,
    enabled: String,
}

impl AuditRules {
    /// None where the kernel's audit table is not ours to change.
    fn take() -> Option<Self> {
        let lock = audit_table();
        let status = Command::new("auditctl").arg("-s").output().ok()?;
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        let enabled = status.lines().find_map(|l| l.strip_prefix("enabled "))?.trim().to_owned();
        let rules = Command::new("auditctl").arg("-l").output().ok()?;
        // Foreign rules are not ours to lose, and a locked table cannot be changed.
        if !String::from_utf8_lossy(&rules.stdout).contains("No rules") || enabled == "2" {
            return None;
        }
        let own = Self { _lock: lock, enabled };
        own.run("-e 1").then_some(own)
    }

    fn run(&self, line: &str) -> bool {
        Command::new("auditctl").args(line.split(' ')).output().is_ok_and(|o| o.status.success())
    }

    /// Replaces the rules.
    fn set(&self, rules: &[String]) {
        assert!(self.run("-D"));
        for rule in rules {
            assert!(self.run(rule), "{rule}");
        }
    }
}

impl Drop for AuditRules {
    fn drop(&mut self) {
        self.run("-D");
        self.run(&format!("-e {}", self.enabled));
    }
}

#[test]
fn audit_rules_of_the_kernel() {
    let Some(daemon) = Daemon::require(Version::V20, Spec { bridge: Bridge::None, ..Spec::default() }) else { return };
    let Some(audit_rules) = AuditRules::take() else {
        eprintln!("skipped: the kernel's audit rules may not be changed here");
        return;
    };
    let exe = fs::read_link(format!("/proc/{}/exe", daemon.pid())).expect("exe").display().to_string();
    let json = daemon.daemon_json().display().to_string();
    let dir = daemon.dir().display().to_string();
    let (watched, parent) = (format!("-w {json} -p wa"), format!("-w {dir} -p wa"));
    for (name, rules, table) in [
        ("no rules", vec![], vec![("1.1.3", "", "fail"), ("1.1.11", "", "fail"), ("host/audit-enabled", "", "pass")]),
        (
            "exact",
            vec![format!("-w {exe} -k docker"), watched.clone()],
            vec![
                ("1.1.3", "", "pass"),
                ("1.1.11", "", "pass"),
                ("1.1.5", "", "fail"),
                // The rules are in the kernel only.
                ("file/audit-persistent", "dockerd", "fail"),
            ],
        ),
        ("a parent", vec![parent.clone()], vec![("1.1.11", "", "pass"), ("1.1.5", "", "pass"), ("1.1.3", "", "fail")]),
        (
            "by path and dir",
            vec![
                format!("-a always,exit -F path={json} -F perm=wa"),
                format!("-a always,exit -F dir={dir}/data -F perm=wa"),
            ],
            vec![("1.1.11", "", "pass"), ("1.1.5", "", "pass")],
        ),
        (
            "reading only",
            vec![format!("-w {json} -p r"), format!("-w {exe} -p r")],
            vec![("1.1.11", "", "fail"), ("1.1.3", "", "fail")],
        ),
        ("writing only", vec![format!("-w {json} -p w")], vec![("1.1.11", "", "fail")]),
        ("never before", vec![format!("-a never,exit -F path={json}"), watched.clone()], vec![("1.1.11", "", "fail")]),
        ("never behind", vec![watched.clone(), format!("-a never,exit -F path={json}")], vec![("1.1.11", "", "pass")]),
        (
            "one user",
            vec![format!("-a always,exit -F path={json} -F perm=wa -F auid=1000")],
            vec![("1.1.11", "", "fail")],
        ),
        (
            "another file",
            vec![format!("-w {json}.bak -p wa"), format!("-w {exe}-other -p wa")],
            vec![("1.1.11", "", "fail"), ("1.1.3", "", "fail")],
        ),
        (
            "entry of a directory",
            vec![format!("-a always,exit -F path={dir}/data -F perm=wa")],
            vec![("1.1.5", "", "fail")],
        ),
    ] {
        audit_rules.set(&rules);
        audit(&daemon.host(), &[]).expect(name, &table);
    }
    // Rules without recording log nothing.
    audit_rules.set(&[watched]);
    assert!(audit_rules.run("-e 0"));
    audit(&daemon.host(), &[]).expect("switched off", &[("1.1.11", "", "fail"), ("host/audit-enabled", "", "fail")]);
}
