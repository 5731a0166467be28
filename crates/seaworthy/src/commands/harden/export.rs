//! `harden export`.

use anyhow::{Result, anyhow};
use seaworthy_harden::export::{ansible, compose, daemon_json, shell};

use crate::arguments::harden::{ExportArguments, Exported};
use crate::exit::Exit;
use crate::output;

/// Writes a plan for another tool.
pub fn run(arguments: &ExportArguments) -> Result<Exit> {
    let plan = super::read(&arguments.plan)?;
    let text = match arguments.format {
        Exported::Shell => Ok(shell(&plan)),
        Exported::Ansible => Ok(ansible(&plan)),
        Exported::Compose => compose(&plan, arguments.project.as_deref()),
        Exported::DaemonJson => daemon_json(&plan),
    };
    let text = text.map_err(|why| anyhow!("plan {}: {why}", arguments.plan.display()))?;
    let path = (arguments.output.as_os_str() != "-").then_some(arguments.output.as_path());
    output::write(path, |out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Clean)
}
