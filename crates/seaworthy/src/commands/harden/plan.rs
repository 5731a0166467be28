//! `harden plan`.

use anyhow::{Result, bail};

use crate::arguments::harden::PlanArguments;
use crate::exit::Exit;

/// Works out a plan.
pub fn run(_arguments: &PlanArguments) -> Result<Exit> {
    bail!("this build does not plan yet")
}
