//! One module a command.

pub mod audit;
pub mod collect;
pub mod diff;
pub mod explain;
pub mod harden;
pub mod list;
pub mod paths;
pub mod shell;

use anyhow::{Context as _, Result, anyhow};
use seaworthy_catalog::Catalog;
use seaworthy_core::snapshot::{Snapshot, Target};

use crate::arguments::CommonArguments;
use crate::config::Config;

/// The catalogue with the user's own checks, and the configuration.
pub(crate) fn settings(common: &CommonArguments) -> Result<(Catalog, Config)> {
    let (catalog, config) = begin_settings(common, Catalog::embedded)?;
    Ok((catalog.wait(), config))
}

/// The same with a catalogue, or the part of it that is needed, that is still being unpacked, so that an engine can be
/// asked meanwhile. What the user wrote wrongly is said at once.
pub(crate) fn begin_settings(common: &CommonArguments, unpack: fn() -> Catalog) -> Result<(Unpacking, Config)> {
    let config = Config::find(common.config.as_deref())?;
    let Some(dir) = common.catalog.as_ref().or(config.catalog.as_ref()) else {
        return Ok((Unpacking::start(unpack), config));
    };
    let mut catalog = Catalog::embedded();
    std::fs::read_dir(dir).with_context(|| format!("catalogue {}", dir.display()))?;
    catalog.extend(dir).map_err(|errors| {
        let lines: Vec<String> = errors.iter().take(20).map(ToString::to_string).collect();
        let more = errors.len().saturating_sub(20);
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        anyhow::anyhow!("catalogue {}: {}{more}", dir.display(), lines.join("; "))
    })?;
    Ok((Unpacking::Done(catalog), config))
}

/// A catalogue that is there, or will be in a moment.
pub(crate) enum Unpacking {
    Done(Catalog),
    Begun(std::thread::JoinHandle<Catalog>),
}

impl Unpacking {
    fn start(unpack: fn() -> Catalog) -> Self {
        match std::thread::Builder::new().spawn(unpack) {
            Ok(thread) => Self::Begun(thread),
            // There may be no thread to be had.
            Err(_) => Self::Done(unpack()),
        }
    }

    /// The catalogue, once it is there.
    pub(crate) fn wait(self) -> Catalog {
        match self {
            Self::Done(catalog) => catalog,
            Self::Begun(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

/// The most targets whose reasons are told where none could be read.
const MOST_REASONS: usize = 3;

/// Whether nothing at all could be read.
pub(crate) fn is_nothing(snapshot: &Snapshot) -> bool {
    snapshot.targets.iter().all(|t| t.components.is_empty())
}

/// Says in one line why nothing could be read, and what can be seen without an engine.
pub(crate) fn nothing(snapshot: &Snapshot) -> anyhow::Error {
    let reasons: Vec<String> = snapshot.targets.iter().take(MOST_REASONS).map(why_not).collect();
    let more = match snapshot.targets.len().saturating_sub(MOST_REASONS) {
        0 => String::new(),
        more => format!(" (and {more} more targets)"),
    };
    let reasons = if reasons.is_empty() { "there is no target in it".to_owned() } else { reasons.join("; ") };
    let of = |platform: &str| snapshot.targets.iter().all(|target| target.platform == platform);
    let what = match (of("docker"), of("kubernetes")) {
        (true, _) => "no engine",
        (_, true) => "no cluster",
        _ => "nothing",
    };
    anyhow!(
        "{what} could be read: {reasons}{more}; `seaworthy assess --demo` shows a recorded host, `--demo kubernetes` a cluster"
    )
}

/// Why a target has nothing, with the engines that might have been meant.
fn why_not(target: &Target) -> String {
    let of_itself = target.gaps.iter().find(|gap| gap.affects.starts_with("everything")).or(target.gaps.first());
    let mut line = match of_itself {
        // Failures of an engine begin with its address.
        Some(gap) if gap.reason.starts_with(&gap.source) => gap.reason.clone(),
        Some(gap) => format!("{}: {}", gap.source, gap.reason),
        None => format!("{}: nothing was read", target.address),
    };
    for other in target.gaps.iter().filter(|gap| gap.affects == "another engine") {
        line.push_str(&format!("; {}: {}", other.source, other.reason));
    }
    line
}
