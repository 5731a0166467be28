//! `harden`: plans, and what is done with them.

mod apply;
mod export;
mod eyes;
mod plan;
mod settle;
mod show;
mod stop;
mod told;

use std::path::Path;

use anyhow::Result;
use seaworthy_core::plan::Plan;

use crate::arguments::harden::HardenCommand;
use crate::exit::{Exit, Refused};
use crate::input;

/// Does what was asked for.
pub fn run(command: &HardenCommand) -> Result<Exit> {
    match command {
        HardenCommand::Plan(arguments) => plan::run(arguments),
        HardenCommand::Show(arguments) => show::run(arguments),
        HardenCommand::Export(arguments) => export::run(arguments),
        HardenCommand::Apply(arguments) => apply::run(arguments),
        HardenCommand::Confirm(arguments) => settle::confirm(arguments),
        HardenCommand::Rollback(arguments) => settle::rollback(arguments),
        HardenCommand::Status(arguments) => settle::status(arguments),
        HardenCommand::History(arguments) => settle::history(arguments),
        HardenCommand::Guard(arguments) => settle::guard(arguments),
        HardenCommand::Recover(arguments) => settle::recover(&arguments.state, arguments.early),
    }
}

/// The plan in a file, - for standard input. One that cannot be read as it was made is refused.
pub fn read(path: &Path) -> Result<Plan> {
    let bytes = input::bytes_of("plan", path)?;
    Plan::parse(&bytes).map_err(|why| Refused(format!("plan {}: {why}", path.display())).into())
}
