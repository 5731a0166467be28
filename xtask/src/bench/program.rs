//! Runs what is measured.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Exit codes that are an answer: clean, findings, incomplete. Two is a failure.
const ANSWERS: [i32; 3] = [0, 1, 3];

fn audit_command(binary: &Path, host: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["audit", "--docker", host]).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The requests that the program itself makes, where `collect --debug-requests` names them: lines with `GET /path`.
pub fn requests(binary: &Path, host: &str) -> Option<Vec<String>> {
    let mut command = Command::new(binary);
    command.args(["collect", "--docker", host, "--debug-requests", "-o", "/dev/null"]).env_remove("DOCKER_HOST");
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let paths = said.lines().filter_map(|line| line.split_once("GET /")?.1.split_whitespace().next());
    let paths: Vec<String> = paths.map(|path| format!("/{path}")).collect();
    Some(paths).filter(|paths| !paths.is_empty())
}

/// Collects a snapshot into a file.
///
/// # Errors
/// Where it cannot be collected.
pub fn collect(binary: &Path, host: &str, into: &Path) -> Result<()> {
    let mut command = Command::new(binary);
    command.args(["collect", "--docker", host, "-o"]).arg(into).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.code().is_some_and(|code| ANSWERS.contains(&code)) {
        bail!("{} collect --docker {host}: {status}", binary.display());
    }
    Ok(())
}

/// Audits once and returns how long it took, its start included.
///
/// # Errors
/// Where the audit fails.
pub fn audit(binary: &Path, host: &str) -> Result<Duration> {
    let start = Instant::now();
    let status = audit_command(binary, host).status().with_context(|| binary.display().to_string())?;
    let took = start.elapsed();
    if !status.code().is_some_and(|code| ANSWERS.contains(&code)) {
        bail!("{} audit --docker {host}: {status}", binary.display());
    }
    Ok(took)
}

/// The most memory that an audit held at once, in MB (2^20 bytes).
///
/// Read from VmHWM while it runs: the rusage of a child starts at what its parent held when it forked.
///
/// # Errors
/// Where the audit cannot be started.
pub fn peak(binary: &Path, host: &str) -> Result<f64> {
    peak_of(audit_command(binary, host))
}

/// The most memory that a command held at once, as [`peak`].
///
/// # Errors
/// Where it cannot be started.
pub fn peak_of(command: Command) -> Result<f64> {
    Ok(watched(command)?.cost.peak)
}

/// What a command cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Of all its threads, for itself and in the kernel: what others do on the machine tells less on it.
    pub processor: Duration,
    /// The most memory that it held at once, in MB.
    pub peak: f64,
}

/// Runs a command that succeeds.
///
/// # Errors
/// Where it does not.
pub fn cost(command: Command) -> Result<Cost> {
    let shown = format!("{command:?}");
    let watched = watched(command)?;
    match watched.code {
        Some(code) if ANSWERS.contains(&code) => Ok(watched.cost),
        code => bail!("{shown}: ended with {code:?}"),
    }
}

struct Watched {
    code: Option<i32>,
    cost: Cost,
}

/// Runs a command and looks at it until it has ended, and once more before it is reaped.
fn watched(mut command: Command) -> Result<Watched> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let dir = format!("/proc/{}", child.id());
    let mut peak = 0.0;
    loop {
        let status = fs::read_to_string(format!("{dir}/status")).unwrap_or_default();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let kib: Option<f64> = line("VmHWM:").and_then(|line| line.trim_end_matches(" kB").trim().parse().ok());
        peak = kib.map_or(peak, |kib| kib / 1024.0);
        if line("State:").is_none_or(|state| state.starts_with('Z')) {
            break;
        }
        thread::sleep(Duration::from_micros(500));
    }
    let processor = processor(&fs::read_to_string(format!("{dir}/stat")).unwrap_or_default());
    Ok(Watched { code: child.wait()?.code(), cost: Cost { processor, peak } })
}

/// The processor time of `/proc/PID/stat`: its fields 14 and 15, in clock ticks.
fn processor(stat: &str) -> Duration {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64)
}

/// How long `--version` takes.
///
/// # Errors
/// Where the program is not there or fails.
pub fn version(binary: &Path) -> Result<Duration> {
    let mut command = Command::new(binary);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| binary.display().to_string())?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { bail!("{} --version: {status}", binary.display()) }
}
