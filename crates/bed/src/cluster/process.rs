//! A cluster's processes: started with a log of their own, found by the bed's folder, ended by their ids.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a component may take to answer, or to end; far beyond what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Starts a command with its output in `var/log/NAME.log` of the bed.
pub(crate) fn spawn(mut command: Command, dir: &Path, name: &str) -> Result<Child, String> {
    let log = dir.join(format!("var/log/{name}.log"));
    let file = File::options().create(true).append(true).open(&log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = file.map_err(|error| format!("{}: {error}", log.display()))?;
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin:/usr/bin:/bin"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "KUBECONFIG", "NOTIFY_SOCKET"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    // etcd takes its settings from the environment as well.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
        command.env_remove(name);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(out).stderr(err);
    let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    // A process has its program a moment before the kernel shows its arguments.
    let arguments = format!("/proc/{}/cmdline", child.id());
    let deadline = Instant::now() + Duration::from_secs(5);
    while fs::read(&arguments).is_ok_and(|line| line.is_empty()) && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    Ok(child)
}

/// The last lines of a component's log, also of the youngest of a static pod's.
pub(crate) fn log_tail(dir: &Path, name: &str) -> String {
    let own = fs::read(dir.join(format!("var/log/{name}.log")));
    let log = own.or_else(|error| pod_log(dir, name).ok_or(error)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// What the kubelet kept: `var/log/pods/kube-system_NAME-NODE_UID/NAME/COUNT.log`.
fn pod_log(dir: &Path, name: &str) -> Option<Vec<u8>> {
    let pods = fs::read_dir(dir.join("var/log/pods")).ok()?.flatten();
    let begins = format!("kube-system_{name}-");
    let pods = pods.filter(|pod| pod.file_name().to_string_lossy().starts_with(&begins));
    let logs = pods.filter_map(|pod| fs::read_dir(pod.path().join(name)).ok()).flatten().flatten();
    let logs = logs.filter(|log| log.metadata().is_ok_and(|about| about.is_file() && about.len() > 0));
    let youngest = logs.max_by_key(|log| log.metadata().and_then(|about| about.modified()).ok())?;
    fs::read(youngest.path()).ok()
}

/// Waits until it is `ready`; gives up when the process ends or patience does.
pub(crate) fn wait_for(child: Option<&mut Child>, mut ready: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    let mut child = child;
    while !ready() {
        if let Some(Ok(Some(status))) = child.as_mut().map(|child| child.try_wait()) {
            return Err(format!("ended with {status}"));
        }
        if Instant::now() > deadline {
            return Err(format!("is not ready after {} s", PATIENCE.as_secs()));
        }
        sleep(Duration::from_millis(25));
    }
    Ok(())
}

/// Ends a process, gently first.
pub(crate) fn end(mut child: Child) {
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}
