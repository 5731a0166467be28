//! `harden show`.

use anyhow::{Result, bail};
use seaworthy_report::{Format, Options, render_plan};

use crate::arguments::harden::ShowArguments;
use crate::exit::Exit;
use crate::output;

/// Shows a plan.
pub fn run(arguments: &ShowArguments) -> Result<Exit> {
    let pairs = output::pairs(&arguments.format, &arguments.output)?;
    if let Some((format, _)) = pairs.iter().find(|(f, _)| !matches!(f, Format::Text | Format::Json | Format::Markdown))
    {
        bail!("-f {} tells reports; a plan is told as text, json or markdown", format.name());
    }
    let plan = super::read(&arguments.plan)?;
    let options = Options { width: output::width(), colour: output::colour(arguments.no_color), ..Options::default() };
    for (format, path) in &pairs {
        let plain = Options { colour: options.colour && path.is_none(), ..options.clone() };
        output::write(path.as_deref(), |out| render_plan(*format, &plan, &plain, out))?;
    }
    Ok(Exit::Clean)
}
