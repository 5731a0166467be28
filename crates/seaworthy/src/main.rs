//! Seaworthy's command line: wiring, progress, exit codes.

mod arguments;
mod commands;
mod complete;
mod config;
mod exit;
mod input;
mod output;
mod plugin;
mod progress;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use exit::Exit;
use plugin::Called;

fn main() -> ExitCode {
    complete::complete();
    let line = match plugin::called(std::env::args_os()) {
        Ok(Called::Line(line)) => line,
        Ok(Called::Metadata(text)) => return exit::said(output::write(None, |out| writeln!(out, "{text}"))),
        Err(error) => return exit::failure(&error),
    };
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::failure(&error),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        Command::Audit(audit) => commands::audit::run(audit, seaworthy_report::View::Audit),
        Command::Assess(audit) => commands::audit::run(audit, seaworthy_report::View::Assess),
        Command::Threats(audit) => commands::audit::run(audit, seaworthy_report::View::Threats),
        Command::Paths(paths) => commands::paths::run(paths),
        Command::Diff(diff) => commands::diff::run(diff),
        Command::Harden(harden) => commands::harden::run(harden),
        Command::Collect(collect) => commands::collect::run(collect),
        Command::Access { secrets } => commands::shell::access(*secrets),
        Command::List(list) => commands::list::run(list),
        Command::Explain(explain) => commands::explain::run(explain),
        Command::Completions { shell } => commands::shell::completions(*shell),
        Command::Man => commands::shell::man(),
    }
}
