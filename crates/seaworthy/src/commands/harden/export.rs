//! `harden export`.

use anyhow::{Result, bail};

use crate::arguments::harden::ExportArguments;
use crate::exit::Exit;

/// Writes a plan for another tool.
pub fn run(arguments: &ExportArguments) -> Result<Exit> {
    super::read(&arguments.plan)?;
    bail!("this build does not export yet")
}
