//! `completions`, `man` and `access`: what the program says of itself.

use anyhow::Result;
use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::output;

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "seaworthy", &mut bytes);
    output::write(None, |out| out.write_all(&bytes))?;
    Ok(Exit::Clean)
}

/// Prints the manual: a page for the program, followed by one for each command.
pub fn man() -> Result<Exit> {
    let mut command = Arguments::command();
    command.build();
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut bytes)?;
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        clap_mangen::Man::new(sub.clone()).render(&mut bytes)?;
    }
    output::write(None, |out| out.write_all(&bytes))?;
    Ok(Exit::Clean)
}

/// Prints the least role for reading a cluster.
pub fn access(secrets: bool) -> Result<Exit> {
    let role = seaworthy_collect::kubernetes::api::cluster_role(secrets);
    output::write(None, |out| out.write_all(role.as_bytes()))?;
    Ok(Exit::Clean)
}
