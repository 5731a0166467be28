//! The whole machine: what a test may rely on.

use std::path::Path;
use std::time::Duration;

use seaworthy_bed::{Machine, MachineSpec};

/// Woken up, as most tests take it.
#[test]
fn runs_containers_under_systemd_with_apparmor_cgroup_v2_and_audit() {
    let Some(machine) = Machine::require(MachineSpec::default()) else { return };
    assert_eq!(machine.wait_for_boot(), "running", "{}", machine.must(&["systemctl", "--failed"]));
    assert_eq!(machine.must(&["stat", "-f", "-c", "%T", "/sys/fs/cgroup"]).trim(), "cgroup2fs");
    let version = machine.must(&["docker", "version", "--format", "{{.Server.Version}}"]);
    assert!(version.starts_with("20.10."), "{version}");

    let inside = ["docker", "run", "--rm", "busybox:test", "cat", "/proc/self/attr/current", "/proc/self/cgroup"];
    let said = machine.must(&inside);
    assert!(said.starts_with("docker-default (enforce)\n"), "{said}");
    assert!(said.contains("0::/"), "{said}");

    let status = machine.must(&["auditctl", "-s"]);
    assert!(status.lines().any(|line| line == "enabled 1"), "{status}");
    assert_eq!(machine.must(&["auditctl", "-l"]), "No rules\n");
    machine.must(&["auditctl", "-w", "/etc/docker", "-p", "wa", "-k", "bed"]);
    machine.must(&["mkdir", "-p", "/etc/docker/below"]);
    let found = machine.must(&["ausearch", "--input-logs", "-k", "bed"]);
    assert!(found.contains("/etc/docker/below") || found.contains("name=\"below\""), "{found}");

    let who = |name: &str| machine.must(&["id", "-nG", name]);
    assert_eq!((who("alice").trim(), who("bob").trim()), ("alice docker", "bob sudo docker"));
    let ssh = machine.must(&["systemctl", "is-active", "ssh.service", "docker.socket", "docker.service"]);
    assert_eq!(ssh, "active\nactive\nactive\n");
}

#[test]
fn commands_keep_streams_codes_input_users_and_limits_apart() {
    let Some(machine) = Machine::require(MachineSpec::default()) else { return };
    let output = machine.run(&["sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (7, "out\n", "err\n"));
    assert_eq!(machine.run(&["sh", "-c", "kill -TERM $$"]).status, 143);
    let output = machine.run(&["no-such-program"]);
    assert_eq!((output.status, output.stderr.as_str()), (127, "no-such-program: No such file or directory\n"));
    let odd = ["printf", "%s|", "", "a b", "$(id)", "line\nbreak", "ö"];
    assert_eq!(machine.must(&odd), "|a b|$(id)|line\nbreak|ö|");

    let input: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut command = machine.command(&["wc", "-c"]);
    assert_eq!(command.stdin(input.clone()).user("alice").run().stdout, "3000000\n");
    let who = machine.command(&["id", "-un"]).user("alice").run();
    assert_eq!((who.status, who.stdout.as_str()), (0, "alice\n"));

    let late = machine.command(&["sh", "-c", "echo begun; sleep 600"]).limit(Duration::from_secs(1)).try_run();
    let late = late.unwrap_err();
    assert!(late.why.ends_with(": not over after 1 s") && late.stdout == "begun\n", "{late}");
    // One that leaves somebody behind who holds its output is over when it is over.
    let output = machine.run(&["sh", "-c", "sleep 600 & echo done"]);
    assert_eq!((output.status, output.stdout.as_str()), (0, "done\n"));

    // Commands run beside one another.
    let waits = machine.command(&["sh", "-c", "until [ -e /run/go ]; do sleep 0.05; done; echo gone"]).start();
    machine.put("/run/go", b"", 0o600);
    assert_eq!(waits.wait().map(|output| output.stdout), Ok("gone\n".into()));

    machine.put("/root/large", &input, 0o640);
    assert_eq!(machine.must(&["stat", "-c", "%a %U %s", "/root/large"]), "640 root 3000000\n");
    assert!(machine.get("/root/large") == input, "what was put and what was got differ");
    machine.install_program(&std::env::current_exe().unwrap());
    let name = std::env::current_exe().unwrap();
    let name = Path::new("/usr/local/bin").join(name.file_name().unwrap());
    let list = machine.must(&[name.to_str().unwrap(), "--list"]);
    assert!(list.contains("commands_keep_streams_codes"), "a program of this host runs there: {list}");
}

#[test]
fn power_cut_takes_what_was_not_synced_and_nothing_else() {
    let Some(machine) = Machine::require(MachineSpec::default()) else { return };
    // Nothing but fsync brings data to the disk from here on.
    machine.must(&["sysctl", "-qw", "vm.dirty_writeback_centisecs=0"]);
    machine.must(&["sh", "-c", "echo kept >/var/synced && sync /var/synced /var"]);
    machine.put("/var/put", b"kept", 0o600);
    machine.must(&["sh", "-c", "echo lost >/var/unsynced"]);
    let first = machine.must(&["cat", "/proc/sys/kernel/random/boot_id"]);
    let count = "n=0; while :; do n=$((n+1)); echo $n >>/var/count; sync /var/count; echo $n; done";
    let counts = machine.command(&["sh", "-c", count]).limit(Duration::from_secs(600)).start();
    // The fourth line is written when the third is synced.
    machine.must(&["sh", "-c", "until [ -e /var/count ] && [ $(wc -l </var/count) -gt 3 ]; do sleep 0.05; done"]);
    machine.power_cut();
    let cut = counts.wait().unwrap_err();
    assert!(cut.why.ends_with(": the machine is off"), "{cut}");
    let synced = cut.stdout.lines().count().max(3);
    let off = machine.command(&["true"]).try_run().unwrap_err();
    assert!(off.why.ends_with("the machine is off"), "{off}");

    machine.boot();
    assert_ne!(machine.must(&["cat", "/proc/sys/kernel/random/boot_id"]), first);
    assert_eq!(machine.must(&["cat", "/var/synced"]), "kept\n");
    assert_eq!(machine.get("/var/put"), b"kept");
    let kept = machine.must(&["cat", "/var/count"]);
    assert!(kept.lines().count() >= synced, "{synced} lines were synced, and kept were: {kept}");
    assert_ne!(machine.run(&["cat", "/var/unsynced"]).stdout, "lost\n");
    assert_eq!(machine.wait_for_boot(), "running", "{}", machine.must(&["systemctl", "--failed"]));
}

#[test]
fn boots_from_off_and_comes_back_from_a_reboot() {
    let Some(machine) = Machine::require(MachineSpec { cold: true }) else { return };
    let boots = || machine.must(&["cat", "/proc/sys/kernel/random/boot_id"]);
    let (first, process) = (boots(), machine.pid());
    // Not synced: an orderly end keeps it.
    machine.must(&["sh", "-c", "echo kept >/var/unsynced"]);
    machine.must(&["docker", "run", "--detach", "--restart=always", "--name=web", "busybox:test"]);
    machine.reboot();
    assert_ne!(boots(), first);
    assert_eq!(machine.must(&["cat", "/var/unsynced"]), "kept\n");
    assert_eq!(machine.must(&["docker", "inspect", "--format", "{{.State.Running}}", "web"]), "true\n");
    assert_ne!(machine.pid(), process);
    let folder = Path::new("/proc").join(machine.pid().to_string());
    assert!(folder.exists());
    drop(machine);
    assert!(!folder.exists(), "the machine outlives its test");
}
