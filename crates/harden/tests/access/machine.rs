//! A copy of this machine's configuration that a test may change: the test runs itself again in namespaces of its own,
//! where `/etc` is a copy, `/run`, `/home` and `/root` are empty, the network is a loopback, and every process ends with
//! the test. To what is tested it is the real root.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use seaworthy_core::plan::Action;
use seaworthy_harden::Host;
use seaworthy_harden::act::{Act, act};

/// Set where the test runs inside.
const INSIDE: &str = "SEAWORTHY_TEST_INSIDE";
/// Said inside where systemd did not start.
const NOT_BOOTED: &str = "systemd does not start in namespaces here";
const NAMESPACES: [&str; 9] =
    ["-m", "-p", "-n", "-u", "-f", "--kill-child", "--mount-proc", "--propagation", "private"];

/// Runs a test's body in such a machine. `programs` are what it cannot do without; `environment` is that of the process.
pub fn inside(programs: &[&str], environment: &[(&str, &str)], body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        return body();
    }
    if !is_possible(programs, &[]) {
        return;
    }
    let told = told(Command::new("unshare").args(NAMESPACES).arg(std::env::current_exe().unwrap()), environment);
    assert!(told.contains("1 passed"), "inside:\n{told}");
}

/// Runs a test's body where systemd is the first process, and starts nothing by itself.
pub fn booted(programs: &[&str], body: fn()) {
    /// The test runs beside systemd; when it has ended, so does the machine (`SIGRTMIN+14`: power off at once).
    const SCRIPT: &str = "(\"$@\"; kill -48 1) & exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                          /lib/systemd/systemd --system --unit=bed.target --log-target=null --show-status=no";
    match std::env::var(INSIDE).as_deref() {
        // Before systemd: this process becomes it.
        Ok("boot") => {
            prepare();
            prepare_systemd();
            let exe = std::env::current_exe().unwrap();
            let name = own_name();
            let mut command = Command::new("sh");
            command.args(["-c", SCRIPT, "sh"]).arg(exe).args(["--exact", &name, "--nocapture", "--test-threads=1"]);
            let error = std::os::unix::process::CommandExt::exec(command.env(INSIDE, "booted"));
            panic!("{error}");
        }
        Ok(_) => {
            for _ in 0..600 {
                let state = run(&["systemctl", "is-system-running"]).stdout;
                if state.starts_with(b"running") || state.starts_with(b"degraded") {
                    return body();
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            panic!("{NOT_BOOTED}");
        }
        Err(_) if is_possible(&[&["systemd", "systemctl", "sh"], programs].concat(), &["-i", "-C"]) => {}
        Err(_) => return,
    }
    // In control groups of its own, which are its root.
    let Some(groups) = Groups::new() else { return seaworthy_bed::skip("systemd", "no control groups can be made") };
    let enter: String =
        groups.0.iter().map(|group| format!("echo $$ > '{}/cgroup.procs' && ", group.display())).collect();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("{enter}exec \"$@\""),
        "sh",
        "timeout",
        "--signal=KILL",
        "500",
        "unshare",
        "-i",
        "-C",
    ]);
    let told = told(command.args(NAMESPACES).arg(std::env::current_exe().unwrap()), &[(INSIDE, "boot")]);
    if told.contains(NOT_BOOTED) {
        return seaworthy_bed::skip("systemd", NOT_BOOTED);
    }
    assert!(told.contains("1 passed"), "inside:\n{told}");
}

/// Where systemd keeps its control groups: the one hierarchy, or the two of an older machine.
fn hierarchies() -> Vec<(&'static str, &'static str)> {
    let all =
        [("/sys/fs/cgroup", "cgroup2"), ("/sys/fs/cgroup/unified", "cgroup2"), ("/sys/fs/cgroup/systemd", "cgroup")];
    all.into_iter().filter(|(path, _)| Path::new(path).join("cgroup.procs").exists()).collect()
}

/// Control groups of a test, which go with it.
struct Groups(Vec<PathBuf>);

impl Groups {
    /// None where none may be made.
    fn new() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("seaworthy-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let groups = Self(hierarchies().iter().map(|(path, _)| Path::new(path).join(&name)).collect());
        let all = groups.0.iter().all(|group| std::fs::create_dir(group).is_ok());
        (all && !groups.0.is_empty()).then_some(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            run(&["find", group.to_str().unwrap(), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
        }
    }
}

fn own_name() -> String {
    std::thread::current().name().expect("a test has a name").to_owned()
}

/// What the test prints inside.
fn told(command: &mut Command, environment: &[(&str, &str)]) -> String {
    command.args(["--exact", &own_name(), "--nocapture", "--test-threads=1"]).env(INSIDE, "1").stdin(Stdio::null());
    for name in ["SSH_CONNECTION", "SSH_CLIENT", "SUDO_USER"] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether there can be such a machine here; says so where there cannot.
fn is_possible(programs: &[&str], more: &[&str]) -> bool {
    if !rustix::process::geteuid().is_root() {
        seaworthy_bed::skip("namespaces", "changing a machine's configuration needs root");
        return false;
    }
    for program in [&["unshare", "mount", "ip"], programs].concat() {
        let directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/lib/systemd"];
        if !directories.iter().any(|directory| Path::new(directory).join(program).exists()) {
            seaworthy_bed::skip(program, "it is not installed");
            return false;
        }
    }
    let mut command = Command::new("unshare");
    let is = command.args(NAMESPACES).args(more).arg("true").status().is_ok_and(|status| status.success());
    if !is {
        seaworthy_bed::skip("namespaces", "they are not allowed here (unshare)");
    }
    is
}

/// What systemd finds: a target of ours that wants nothing, and of the kernel's settings none that it could change.
fn prepare_systemd() {
    let wants = well(&["find", "/etc/systemd/system", "-mindepth", "1", "-maxdepth", "1", "-name", "*.wants"]);
    for directory in wants.lines() {
        std::fs::remove_dir_all(directory).unwrap();
    }
    write("/etc/systemd/system/bed.target", "[Unit]\nDescription=Nothing\n");
    for (path, kind) in hierarchies() {
        run(&["umount", path]);
        let options: &[&str] = if kind == "cgroup" { &["-o", "none,name=systemd"] } else { &[] };
        let mounted = run(&[&["mount", "-t", kind], options, &["none", path]].concat());
        assert!(mounted.status.success(), "{NOT_BOOTED}");
    }
    well(&["mount", "--bind", "/proc/sys", "/proc/sys"]);
    well(&["mount", "-o", "remount,bind,ro", "/proc/sys"]);
}

fn prepare() {
    let copy = "/mnt";
    well(&["mount", "-t", "tmpfs", "-o", "mode=755", "none", copy]);
    well(&["cp", "-a", "/etc", copy]);
    well(&["mount", "--bind", &format!("{copy}/etc"), "/etc"]);
    // Logins and new accounts leave traces in /var.
    for (path, mode) in [("/run", 0o755), ("/home", 0o755), ("/root", 0o700), ("/var/log", 0o755), ("/var/mail", 0o755)]
    {
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
