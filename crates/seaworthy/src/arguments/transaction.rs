//! The flags of the commands of `harden` that change something, or tell what was changed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::CommonArguments;

/// How `harden apply` ends; the foot of its help.
pub const APPLY: &str = "\
Everything is checked first, tried out where it can be, and journalled under --state. What fails is taken back as a
whole. What is not confirmed in time is taken back by a guard that outlives this process, the login and a reboot.
  seaworthy harden apply plan.json --allow-disruptive
  seaworthy harden confirm

Exit codes: 0 in effect, and it awaits confirmation; 2 wrong usage or a failure; 4 refused, nothing was changed;
5 failed and taken back; 6 failed, and not everything could be taken back.";

/// How `harden rollback` ends; the foot of its help.
pub const ROLLBACK: &str = "\
It undoes what the transaction changed and nothing else, also after later ones, and as often as one likes. What
others have changed since is left, and named.

Exit codes: 0 taken back; 2 a failure; 6 something was left, or could not be undone now.";

/// What `harden status` says; the foot of its help.
pub const STATUS: &str = "\
What was left half-way, by a crash or a power cut, is taken back first.

Exit codes: 0 nothing is open; 6 something could not be taken back; 7 a confirmation is awaited.";

/// How a transaction is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TransactionFormat {
    /// Lines for a person.
    #[default]
    Text,
    /// A line of JSON for each event.
    Json,
}

/// Flags of `harden apply`.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The plan's file, - for standard input
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// How long a confirmation is awaited: 90s, 10m, 1h; 0: it stays at once
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_time)]
    pub confirm_within: Duration,
    /// What restarts or stops something may be done; without it, a terminal is asked
    #[arg(long)]
    pub allow_disruptive: bool,
    /// Seconds that one request to the engine may take while looking
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Where transactions are kept
    #[arg(long, value_name = "DIR", default_value = seaworthy_harden::transaction::DEFAULT)]
    pub state: PathBuf,
    /// text, or json: a line for each event as it happens
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: TransactionFormat,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// Where transactions are kept, and how they are told.
#[derive(Debug, Args)]
pub struct StateArguments {
    /// Where transactions are kept
    #[arg(long, value_name = "DIR", default_value = seaworthy_harden::transaction::DEFAULT)]
    pub state: PathBuf,
    /// text or json
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: TransactionFormat,
}

/// Flags of `harden confirm` and `harden rollback`.
#[derive(Debug, Args)]
pub struct SettleArguments {
    /// The transaction, or the beginning of its id [default: the one that is open]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Where transactions are kept, and how they are told.
    #[command(flatten)]
    pub state: StateArguments,
}

/// Flags of `harden history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Give up the way back of this one: copies of files, and containers that were kept aside
    #[arg(long, value_name = "ID")]
    pub prune: Option<String>,
    /// Where transactions are kept, and how they are told.
    #[command(flatten)]
    pub state: StateArguments,
}

/// Flags of the guard.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// The transaction
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where transactions are kept
    #[arg(long, value_name = "DIR", default_value = seaworthy_harden::transaction::DEFAULT)]
    pub state: PathBuf,
}

/// Flags of what runs at boot.
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// Only files: before anything reads them
    #[arg(long)]
    pub early: bool,
    /// Where transactions are kept
    #[arg(long, value_name = "DIR", default_value = seaworthy_harden::transaction::DEFAULT)]
    pub state: PathBuf,
}

/// The longest time that a confirmation is awaited: a week.
const LONGEST: u64 = 7 * 24 * 3600;

fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a number with s, m or h: 90s, 10m, 1h; or 0".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a number with s, m or h: 90s, 10m, 1h; or 0".to_owned())?;
    match number.checked_mul(unit) {
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err("at most a week (168h)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        let seconds = |text| parse_time(text).map(|d| d.as_secs());
        assert_eq!(["0", "90s", "10m", "1h", "45"].map(seconds), [Ok(0), Ok(90), Ok(600), Ok(3600), Ok(45)]);
        for wrong in ["", "m", "-1s", "1d", "1.5m", "10 m", "169h", "99999999999999999999s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
