//! Exit codes, as the documentation promises them.

use std::io::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: nothing at or over `--fail-on`.
    Clean,
    /// 1: findings at or over `--fail-on`.
    Findings,
    /// 2: wrong usage, a failure, or no target.
    Failure,
    /// 3: incomplete: what `--fail-on` asks about is unknown, or there are gaps under `--strict`.
    Incomplete,
    /// 4: hardening is refused: nothing was changed.
    Refused,
    /// 5: a change failed, and everything was taken back.
    RolledBack,
    /// 6: something could not be taken back, or was left since others have changed it.
    RollbackIncomplete,
    /// 7: a confirmation is awaited.
    Awaiting,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Failure => 2,
            Exit::Incomplete => 3,
            Exit::Refused => 4,
            Exit::RolledBack => 5,
            Exit::RollbackIncomplete => 6,
            Exit::Awaiting => 7,
        })
    }
}

/// Prints a usage error, or the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // Nothing is left to be done where even this cannot be printed.
        drop(error.print());
        return Exit::Failure.into();
    }
    // Standard output is a buffer of lines: what it still holds would be lost without a word.
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            failure(&anyhow::anyhow!("standard output: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

/// The end of what only prints.
pub fn said(done: anyhow::Result<()>) -> ExitCode {
    done.map_or_else(|error| failure(&error), |()| Exit::Clean.into())
}

/// A refusal, in one line: it ends with another code than failures do.
#[derive(Debug)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Prints a failure on one line.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    let line = seaworthy_report::one_line(&format!("{error:#}"));
    // Nothing is left to be done where even this cannot be printed; the exit code still tells.
    let _ = writeln!(std::io::stderr().lock(), "seaworthy: {line}");
    let exit = if error.downcast_ref::<Refused>().is_some() { Exit::Refused } else { Exit::Failure };
    exit.into()
}
