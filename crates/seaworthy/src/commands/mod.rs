//! One module a command.

pub mod audit;
pub mod collect;
pub mod explain;
pub mod list;
pub mod shell;

use anyhow::{Context as _, Result};
use seaworthy_catalog::Catalog;

use crate::arguments::CommonArguments;
use crate::config::Config;

/// The catalogue with the user's own checks, and the configuration.
fn settings(common: &CommonArguments) -> Result<(Catalog, Config)> {
    let config = Config::find(common.config.as_deref())?;
    let mut catalog = Catalog::embedded();
    if let Some(dir) = common.catalog.as_ref().or(config.catalog.as_ref()) {
        std::fs::read_dir(dir).with_context(|| format!("catalogue {}", dir.display()))?;
        catalog.extend(dir).map_err(|errors| {
            let lines: Vec<String> = errors.iter().take(20).map(ToString::to_string).collect();
            let more = errors.len().saturating_sub(20);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            anyhow::anyhow!("catalogue {}: {}{more}", dir.display(), lines.join("; "))
        })?;
    }
    Ok((catalog, config))
}
