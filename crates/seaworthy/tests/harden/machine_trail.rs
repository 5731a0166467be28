//! Who changed a file is told in the record, from the log of a real auditd, and nobody else is named.

use crate::careless::{Careless, LONG};

/// The rows of a record's table of findings that changed, by the check's name.
fn row<'r>(record: &'r str, check: &str) -> &'r str {
    let (_, changed) = record.split_once("## Before and after").expect(record);
    let named = format!("| `docker/file/{check}`");
    changed.lines().find(|line| line.starts_with(&named)).unwrap_or_else(|| panic!("no {check}: {changed}"))
}

impl Careless {
    /// Runs a command as root who had logged in as alice.
    fn as_alice(&self, command: &str) {
        let script = format!("echo $(id -u alice) >/proc/self/loginuid; exec {command}");
        self.machine.must(&["sh", "-c", &script]);
    }

    /// The record since `/root/before.json`, and the page.
    fn since(&self) -> (String, String) {
        let files = ["-f", "markdown", "-o", "/root/record.md", "-f", "html", "-o", "/root/record.html"];
        self.well(&[&["assess", "--since", "/root/before.json"][..], &files].concat());
        let get = |path| String::from_utf8(self.machine.get(path)).unwrap();
        (get("/root/record.md"), get("/root/record.html"))
    }
}

#[test]
fn the_record_names_who_changed_a_file_where_the_audit_log_does() {
    let Some(host) = Careless::start() else { return };
    host.machine.must(&["auditctl", "-w", "/etc/docker", "-p", "wa", "-k", "docker"]);
    host.as_alice("chmod 777 /etc/docker/daemon.json");
    host.well(&["collect", "-o", "/root/before.json"]);
    // What happens in the second of a collection may have been seen by it.
    host.machine.must(&["sleep", "2"]);

    host.as_alice("chmod 644 /etc/docker/daemon.json");
    // What no rule logs: nobody is named for it.
    host.machine.must(&["auditctl", "-D"]);
    host.machine.must(&["chown", "root:root", "/etc/docker/daemon.json"]);
    host.machine.must(&["chmod", "755", "/etc/docker"]);
    host.machine.must(&["sleep", "2"]);
    let (record, page) = host.since();
    let mode = row(&record, "daemon-json-mode");
    let by = "`/etc/docker/daemon.json` mode, owner or access list set by `alice` (login uid 1000), as uid 0, with \
        `/usr/bin/chmod`, at 20";
    assert!(mode.contains("| fail | pass |") && mode.contains(by), "{mode}");
    assert!(!mode.contains(" before |"), "what was done before the first collection does not count: {mode}");
    let directory = row(&record, "etc-docker-mode");
    assert!(directory.ends_with("| fail | pass |  |"), "{directory}");
    assert!(!record.contains("does not tell it all"), "{record}");
    assert!(page.contains("mode, owner or access list set by alice (login uid 1000), as uid 0"), "{page}");

    // Without a log it is said once why nobody is named.
    let stop = "service auditd stop; mv /var/log/audit/audit.log /root/";
    host.machine.command(&["sh", "-c", stop]).limit(LONG).run();
    let (record, page) = host.since();
    assert!(row(&record, "daemon-json-mode").ends_with("| fail | pass |  |"), "{record}");
    let told = record.lines().filter(|line| line.contains("the audit log does not tell it all")).count();
    assert!(told == 1 && record.contains("auditd does not run, or writes elsewhere"), "{record}");
    assert!(page.contains("the audit log does not tell it all"), "{page}");
}
