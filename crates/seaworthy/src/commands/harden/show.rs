//! `harden show`.

use anyhow::Result;

use crate::arguments::harden::ShowArguments;
use crate::exit::Exit;

/// Shows a plan.
pub fn run(arguments: &ShowArguments) -> Result<Exit> {
    let plan = super::read(&arguments.plan)?;
    crate::output::write(None, |out| {
        serde_json::to_writer_pretty(&mut *out, &plan)?;
        writeln!(out)
    })?;
    Ok(Exit::Clean)
}
