//! The project's chores: `cargo xtask test`, `tidy`, `pages`, `bench`, `fuzz`, `screenshots`.

mod beds;
mod bench;
mod fuzz;
mod pages;
mod screenshots;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [CARGO TEST ARGUMENTS]   prepare the engines that tests need, run every test, say how many passed
  tidy                          hold the house to its rules: crate edges, file headers, left-overs
  pages --check | --write       the documentation that is derived from the catalogue
  bench [--quick] [--engine 29] time seaworthy against the floor on a private engine (--model: the model, without;
                                --kubernetes: a cluster; --harden: restarts and edits, against doing them by hand)
  fuzz [--seconds N] [TARGET…]  feed every parser what nobody wrote, ten minutes each
  screenshots [PAGE.html]       pictures of the page (the demonstration's) into docs/img
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let done = match args.first().map(String::as_str) {
        Some("test") => test::run(rest),
        Some("tidy") => tidy::run(),
        Some("pages") => pages::run(rest),
        Some("bench") => bench::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("screenshots") => screenshots::run(rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
