//! A copy of this machine's configuration that a test may change: the test runs itself again in namespaces of its own,
//! where `/etc` is a copy, `/run`, `/home` and `/root` are empty, the network is a loopback, and every process ends with
//! the test. To what is tested it is the real root.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use seaworthy_core::plan::Action;
use seaworthy_harden::Host;
use seaworthy_harden::act::{Act, act};

/// Set where the test runs inside.
const INSIDE: &str = "SEAWORTHY_TEST_INSIDE";

/// Runs a test's body in such a machine. `programs` are what it cannot do without; `environment` is that of the process.
pub fn inside(programs: &[&str], environment: &[(&str, &str)], body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        return body();
    }
    let name = std::thread::current().name().expect("a test has a name").to_owned();
    if !rustix::process::geteuid().is_root() {
        return seaworthy_bed::skip("namespaces", "changing a machine's configuration needs root");
    }
    for program in [&["unshare", "mount", "ip"], programs].concat() {
        let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/lib/systemd"]
            .iter()
            .any(|d| Path::new(d).join(program).exists());
        if !found {
            return seaworthy_bed::skip(program, "it is not installed");
        }
    }
    let namespaces = ["-m", "-p", "-n", "-u", "-f", "--kill-child", "--mount-proc", "--propagation", "private"];
    if !Command::new("unshare").args(namespaces).arg("true").status().is_ok_and(|status| status.success()) {
        return seaworthy_bed::skip("namespaces", "they are not allowed here (unshare)");
    }
    let output = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env_remove("SSH_CONNECTION")
        .env_remove("SSH_CLIENT")
        .env_remove("SUDO_USER")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "inside:\n{told}");
}

fn prepare() {
    let copy = "/mnt";
    well(&["mount", "-t", "tmpfs", "-o", "mode=755", "none", copy]);
    well(&["cp", "-a", "/etc", copy]);
    well(&["mount", "--bind", &format!("{copy}/etc"), "/etc"]);
    for (path, mode) in [("/run", 0o755), ("/home", 0o755), ("/root", 0o700)] {
        well(&["mount", "-t", "tmpfs", "none", path]);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    well(&["ip", "link", "set", "lo", "up"]);
}

/// Runs a program.
pub fn run(command: &[&str]) -> Output {
    Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap()
}

/// Runs a program that has to end well, and gives what it printed.
pub fn well(command: &[&str]) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Writes a file, with its directories.
pub fn write(path: &str, text: &str) {
    std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Adds to a file.
pub fn append(path: &str, text: &str) {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    write(path, &format!("{old}{text}"));
}

/// The machine, as a transaction of that name sees it.
pub fn host(transaction: &str) -> Host {
    Host { root: "/".into(), engine: None, daemon: None, transaction: transaction.into() }
}

/// How an action is carried out.
pub fn of(action: &Action) -> Box<dyn Act + '_> {
    act(action).unwrap()
}

/// Everything beneath a directory, with what it holds, who owns it and its mode.
pub fn listed(path: &str) -> BTreeSet<String> {
    let all = well(&["find", path, "-printf", "%p %u %g %m %s %l\n"]);
    let sums = well(&["find", path, "-type", "f", "-exec", "sha256sum", "{}", "+"]);
    all.lines().chain(sums.lines()).map(str::to_owned).collect()
}

/// Holds that a directory is as it was, but for names with one of these in them.
pub fn is_as_before(path: &str, before: &BTreeSet<String>, but: &[&str]) {
    let now = listed(path);
    let other: Vec<&String> = now.symmetric_difference(before).filter(|l| !but.iter().any(|b| l.contains(b))).collect();
    assert!(other.is_empty(), "{other:#?}");
}
