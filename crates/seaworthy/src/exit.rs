//! Exit codes, as the documentation promises them.

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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Failure => 2,
            Exit::Incomplete => 3,
        })
    }
}

/// Prints a usage error, or the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    let asked = !error.use_stderr();
    // Nothing is left to be done where even this cannot be printed.
    drop(error.print());
    if asked { ExitCode::SUCCESS } else { Exit::Failure.into() }
}

/// Prints a failure on one line.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        // The reader has seen enough: `seaworthy audit | head` is no failure to tell of.
        return Exit::Clean.into();
    }
    let line = seaworthy_report::one_line(&format!("{error:#}"));
    anstream::eprintln!("seaworthy: {line}");
    Exit::Failure.into()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<std::io::Error>()).any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
