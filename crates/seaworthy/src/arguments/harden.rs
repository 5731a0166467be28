//! The flags of `harden`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use seaworthy_report::Format;

use super::transaction::{
    APPLY, ApplyArguments, HistoryArguments, ROLLBACK, RecoverArguments, STATUS, SettleArguments, StateArguments,
    WatchArguments,
};
use super::{CommonArguments, SourceArguments, parse_format};

/// How a plan is chosen; the foot of its help.
const PLAN: &str = "\
What is asked for is added up; without any of it, the three that assess names first are planned.
  seaworthy harden plan 1 3 -o plan.json
  seaworthy harden plan --safe
  seaworthy harden plan --check 5.11 --set web:memory=512m --set '*:pids-limit=200'
  seaworthy harden plan --threat container/daemon-socket --recreate

Limits (--set): memory (bytes, or with k, m, g), pids-limit, cpus, restart (no, on-failure:N);
at re-creation also publish (the address on which ports stay open), user and network.

A plan changes nothing. Exit codes: 0 planned; 2 wrong usage or a failure; 4 refused: nothing of it can be planned.";

/// What is done with plans.
#[derive(Debug, Subcommand)]
pub enum HardenCommand {
    /// Work out what would close findings: a plan, which changes nothing
    #[command(after_help = PLAN)]
    Plan(Box<PlanArguments>),
    /// Show a plan: what changes, what stops, what may break, what is left to you
    Show(ShowArguments),
    /// Write a plan for other tools: a shell script, Ansible tasks, a Compose override, a patch of daemon.json
    Export(ExportArguments),
    /// Carry a plan out: checked, journalled, proven in effect, and taken back unless it is confirmed
    #[command(after_help = APPLY)]
    Apply(ApplyArguments),
    /// Keep what was applied
    Confirm(SettleArguments),
    /// Take back what was applied, now or a month later
    #[command(after_help = ROLLBACK)]
    Rollback(SettleArguments),
    /// What is going on: whether a confirmation is awaited, or something ended half-way
    #[command(after_help = STATUS)]
    Status(StateArguments),
    /// Everything that was ever changed
    History(HistoryArguments),
    /// What takes a transaction back that is not confirmed
    #[command(hide = true)]
    Guard(WatchArguments),
    /// What takes back at boot what was interrupted
    #[command(hide = true)]
    Recover(RecoverArguments),
}

/// Flags of `harden plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Numbers of what assess says to harden first
    #[arg(value_name = "N")]
    pub numbers: Vec<usize>,
    /// The first N of them
    #[arg(long, value_name = "N", help_heading = "What")]
    pub top: Option<usize>,
    /// What closes the failures of these checks: names, folders or benchmark ids; repeatable
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "What")]
    pub check: Vec<String>,
    /// What answers these threats; repeatable
    #[arg(long, value_name = "THREAT", value_delimiter = ',', help_heading = "What")]
    pub threat: Vec<String>,
    /// Every change that restarts nothing and takes nothing away
    #[arg(long, help_heading = "What")]
    pub safe: bool,
    /// A limit or setting of your own: CONTAINER:FIELD=VALUE, * for all containers; repeatable
    #[arg(long, value_name = "SETTING", help_heading = "How")]
    pub set: Vec<String>,
    /// Also plan what needs containers to be re-created
    #[arg(long, help_heading = "How")]
    pub recreate: bool,
    /// Yes to losing what a container wrote into its own layer when it is made anew
    #[arg(long, requires = "recreate", help_heading = "How")]
    pub accept_lost_changes: bool,
    /// The engine or snapshot.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
    /// The benchmark whose ids --check takes: cis-docker-1.6.0, or cis-docker for the newest
    #[arg(long, value_name = "ID", default_value = "cis-docker", help_heading = "Judging")]
    pub benchmark: String,
    /// text, json or markdown; each -f belongs to the -o that follows it
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "Output")]
    pub format: Vec<Format>,
    /// The plan's file (JSON but for another -f or ending), - for standard output; what is planned is then shown as text
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,
}

/// Flags of `harden show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The plan's file, - for standard input
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// text, json or markdown; each -f belongs to the -o that follows it
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "Output")]
    pub format: Vec<Format>,
    /// The file for the format before it (without one told by its ending), - for standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,
    /// No colour (NO_COLOR does the same)
    #[arg(long, help_heading = "Output")]
    pub no_color: bool,
}

/// Flags of `harden export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The plan's file, - for standard input
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// For which tool
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub format: Exported,
    /// Of several Compose projects the one that the override is for
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// The file, - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// What a plan is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exported {
    /// A shell script to be read before it is run.
    Shell,
    /// Tasks for Ansible.
    Ansible,
    /// An override file for Docker Compose.
    Compose,
    /// A merge patch (RFC 7396) of daemon.json.
    DaemonJson,
}
