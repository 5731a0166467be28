//! Other programs: by arguments, never through a shell, with a limit on time and output.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{At as _, Failure};

/// The most that is kept of what a program prints, in bytes; the rest is read and dropped.
const LONGEST: usize = 64 << 10;

/// Where programs are looked for: never in what the caller's environment says.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Ended {
    /// Whether it ended well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.code == Some(0)
    }

    /// The last line that it complained with, for an error's line.
    #[must_use]
    pub fn complaint(&self) -> &str {
        let line = |text: &'_ str| text.lines().map(str::trim).rfind(|l| !l.is_empty()).map(str::len).is_some();
        let of = if line(&self.stderr) { &self.stderr } else { &self.stdout };
        of.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("it said nothing")
    }
}

/// Runs a program with an environment that holds nothing but `PATH` and `LC_ALL=C`, and waits for it.
///
/// # Errors
/// Where it cannot be started, or does not end in time: it is then killed.
pub fn run(command: &[&str], limit: Duration) -> Result<Ended, Failure> {
    let Some((program, arguments)) = command.split_first() else { return Err(Failure::new("no program is named")) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // ^C at the terminal is for this process, which ends in order, and not for what it has begun.
        .process_group(0)
        .spawn()
        .at(|| format!("start {program}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let readers = (std::thread::spawn(move || text(out)), std::thread::spawn(move || text(err)));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().at(|| format!("wait for {program}"))? {
            break status;
        }
        if began.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure(format!("{program}: it did not end within {} s and was killed", limit.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (stdout, stderr) = (readers.0.join().unwrap_or_default(), readers.1.join().unwrap_or_default());
    Ok(Ended { code: status.code(), stdout, stderr })
}

/// As [`run`], where anything but a good end is a failure.
///
/// # Errors
/// As [`run`], and where it ends with another code than 0.
pub fn run_well(command: &[&str], limit: Duration) -> Result<Ended, Failure> {
    let ended = run(command, limit)?;
    if ended.is_good() {
        return Ok(ended);
    }
    let code = ended.code.map_or_else(|| "by a signal".to_owned(), |code| format!("with {code}"));
    Err(Failure(format!("{}: it ended {code}: {}", command.join(" "), ended.complaint())))
}

fn text(stream: Option<impl std::io::Read>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0; 8192]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        let room = LONGEST.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_run_by_its_arguments_and_bounded() {
        let ended = run(&["echo", "$(id); a b"], Duration::from_secs(60)).unwrap();
        assert_eq!((ended.stdout.as_str(), ended.is_good()), ("$(id); a b\n", true));
        let failed = run_well(&["ls", "/nowhere/at all"], Duration::from_secs(60)).unwrap_err();
        assert!(failed.0.contains("No such file"), "{failed}");
        assert!(run(&["sleep", "60"], Duration::from_millis(50)).unwrap_err().0.contains("killed"));
        assert!(run(&["/nowhere"], Duration::from_secs(1)).unwrap_err().0.contains("start /nowhere"));
    }
}
