//! Everything about the flags, in one place: help, man page and completions follow from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use seaworthy_collect::kubernetes::files::Version as KubernetesVersion;
use seaworthy_core::verdict::Severity;
use seaworthy_report::Format;

pub mod harden;
pub mod transaction;

/// Where to begin; the foot of the help.
const START: &str = "\
Start here:
  seaworthy assess         what is wrong on this host, and what to harden first
  seaworthy assess --demo  the same on a recorded host
  seaworthy audit --gaps   every control, and everything that could not be read

It reads and changes nothing. Run it as root to leave no gaps.";

/// What the exit codes of the commands that judge mean; the foot of their help, and a section of the manual.
const EXIT_CODES: &str = "\
Exit codes:
  0  nothing at or over --fail-on
  1  a finding is at or over --fail-on
  2  wrong usage, a failure, or nothing could be read
  3  incomplete: a check at or over --fail-on is unknown (unless --allow-unknown),
     or there is any gap under --strict
  Of several the first in the order 2, 1, 3 holds.";

/// How `diff` compares; the foot of its help.
const DIFF: &str = "\
Things are told apart by what survives re-creation: a renamed or re-created container is no difference.
A snapshot is judged now, a report counts as it was judged then.

Exit codes: 0 compared; 1 with --fail-on new-threats, a threat is open that was not; 2 wrong usage or
a failure; 3 with it, a threat is undetermined that was not (--allow-unknown lifts it).";

/// What `paths` takes; the foot of its help.
const PATHS: &str = "\
Entries: internet, local-network, local-user, engine-group, client, image-author, code; or the name of
a container, image, user or group to begin at.
Jewels:  host-root, engine, data, credentials, availability; or the name of a container or registry.

--from takes an entry here as well as a snapshot: what names a file (or is -) is read as a snapshot.
The shell completes both from what exists, once it is told to ask:
  source <(COMPLETE=bash seaworthy)     zsh alike; fish: COMPLETE=fish seaworthy | source

  seaworthy paths --from web --to host-root
  seaworthy paths --from snapshot.json --from internet";

/// What `access` is for; the foot of its help.
const ACCESS: &str = "\
  seaworthy access | kubectl apply -f -
  kubectl create clusterrolebinding seaworthy --clusterrole=seaworthy --user=NAME

A run with fewer rights is no failure: it names what it could not read, and which checks are unknown for it.
An engine and its host are read as root.";

/// Makes container platforms safe to sail: models the threats to a Docker host from live evidence, and audits it.
#[derive(Debug, Parser)]
#[command(
    name = "seaworthy",
    version,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = START
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect and judge: the summary, and what to harden first
    #[command(after_help = EXIT_CODES)]
    Assess(AuditArguments),
    /// The benchmark view: every control with the facts that decided
    #[command(after_help = EXIT_CODES)]
    Audit(AuditArguments),
    /// The threat model: every STRIDE threat with its status here and what decided it
    #[command(after_help = EXIT_CODES)]
    Threats(AuditArguments),
    /// Attack paths from where attackers begin to what they are after, with the facts of each step
    #[command(after_help = PATHS)]
    Paths(PathsArguments),
    /// What changed between two snapshots or JSON reports: threats, paths, flows, components, mitigations
    #[command(after_help = DIFF)]
    Diff(DiffArguments),
    /// Plan what closes findings, see it, and hand it to other tools
    #[command(subcommand)]
    Harden(harden::HardenCommand),
    /// Only collect, into a snapshot that every other command takes by --from
    Collect(CollectArguments),
    /// Print the least rights that reading a cluster needs, as a ClusterRole with the reason of each
    #[command(after_help = ACCESS)]
    Access {
        /// With the right to list secrets, which reads their values too: for --secrets
        #[arg(long)]
        secrets: bool,
    },
    /// List checks, benchmarks or facts
    List(ListArguments),
    /// Explain a check or a benchmark's control: reasons, facts, cases and the fix
    Explain(ExplainArguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What to look at.
#[derive(Debug, Args, Clone)]
pub struct TargetArguments {
    /// Manifests of Kubernetes (*.yaml, *.yml, *.json; - for standard input) and Dockerfiles (Dockerfile, Containerfile,
    /// *.Dockerfile, Dockerfile.*), or directories that hold some; with them alone nothing else is asked
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The version of Kubernetes that manifests are for: 1.35
    #[arg(long, value_name = "VERSION", requires = "paths", help_heading = "Targets")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Engines and snapshots.
    #[command(flatten)]
    pub source: SourceArguments,
}

/// Engines and snapshots to look at.
#[derive(Debug, Args, Clone)]
pub struct SourceArguments {
    /// An engine: unix:///path, tcp://host:port, ssh://user@host; repeatable [default: the one that the docker CLI
    /// would talk to]
    #[arg(long, value_name = "HOST", help_heading = "Targets")]
    pub docker: Vec<String>,
    /// A context of the docker CLI
    #[arg(long, value_name = "NAME", help_heading = "Targets", conflicts_with = "docker")]
    pub docker_context: Option<String>,
    /// The kubeconfig of a cluster to look at, with this machine where it is a node of it [default of a cluster: KUBECONFIG,
    /// ~/.kube/config, the service account of this pod]
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig
    #[arg(long, value_name = "NAME", help_heading = "Targets")]
    pub context: Option<String>,
    /// Only this namespace of the cluster; what other namespaces decide is unknown then; repeatable
    #[arg(short, long, value_name = "NAME", help_heading = "Targets")]
    pub namespace: Vec<String>,
    /// List the cluster's secrets: names, types and ages, never values; the right to do so reads values too
    #[arg(long, help_heading = "Targets")]
    pub secrets: bool,
    /// Only this platform
    #[arg(long, value_name = "PLATFORM", help_heading = "Targets")]
    pub only: Option<Platform>,
    /// A snapshot instead of a live engine, - for standard input; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub from: Vec<PathBuf>,
    /// The recorded demonstration instead of a live engine: a host, or with `--demo kubernetes` a cluster
    #[arg(long, value_name = "PLATFORM", help_heading = "Targets", num_args = 0..=1, require_equals = true,
        default_missing_value = "docker",
        conflicts_with_all = ["docker", "docker_context", "kubeconfig", "context", "namespace"])]
    pub demo: Option<Platform>,
    /// What others found out about images: a vulnerability report in JSON (Trivy, Grype, CycloneDX), or what cosign
    /// verify printed; matched by digest; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub evidence: Vec<PathBuf>,
    /// The root of the host's file system, where it is mounted elsewhere
    #[arg(long, value_name = "DIR", help_heading = "Targets")]
    pub root: Option<PathBuf>,
    /// Read evidence that costs: setuid files of images, changed files of containers
    #[arg(long, help_heading = "Targets")]
    pub deep: bool,
    /// For ssh:// targets without Seaworthy: put this binary into a private temporary directory there, and take it away
    /// again
    #[arg(long, help_heading = "Targets")]
    pub copy: bool,
    /// Seconds that one request to an engine or an API server may take; after 90 times as long in all no more is asked
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Targets")]
    pub timeout: u64,
}

/// A platform to look at alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// The engine and its host.
    Docker,
    /// The cluster.
    Kubernetes,
}

/// Flags that every command knows.
#[derive(Debug, Args, Clone)]
pub struct CommonArguments {
    /// The configuration file [default: seaworthy.toml here, then in the XDG configuration directory]
    #[arg(short, long, value_name = "FILE", help_heading = "Judging")]
    pub config: Option<PathBuf>,
    /// A directory of checks of your own beside the built-in ones
    #[arg(long, value_name = "DIR", help_heading = "Judging")]
    pub catalog: Option<PathBuf>,
    /// Print nothing but errors and what was asked for by -o
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// No colour (NO_COLOR does the same)
    #[arg(long, help_heading = "Output")]
    pub no_color: bool,
}

/// Flags of `audit`, `assess` and `threats`.
#[derive(Debug, Args, Clone)]
pub struct AuditArguments {
    /// What to look at.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
    /// The benchmark whose ids are shown: cis-docker-1.6.0, or cis-docker for the newest [default: the newest CIS benchmark
    /// of each platform that was read]
    #[arg(long, value_name = "ID", help_heading = "Judging")]
    pub benchmark: Option<String>,
    /// Only these checks: names, folders or benchmark ids; repeatable
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "Judging")]
    pub check: Vec<String>,
    /// Not these checks; repeatable
    #[arg(long, value_name = "CHECK", value_delimiter = ',', help_heading = "Judging")]
    pub skip: Vec<String>,
    /// Show passes too
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Show everything that could not be read
    #[arg(long, help_heading = "Output")]
    pub gaps: bool,
    /// How many to harden first
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Output")]
    pub top: usize,
    /// text, json, sarif, junit, markdown, csv; of the threat model also html, svg, mermaid, otm, threat-dragon, tm-bom,
    /// navigator; each -f belongs to the -o that follows it
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "Output")]
    pub format: Vec<Format>,
    /// The file for the format before it (without one told by its ending), - for standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,
    /// Exit with 1 when a finding is at or over this severity (of `threats` the impact, of `paths` what they reach), or
    /// when a threat is new against --baseline or --since; with 3 when one of them is unknown
    #[arg(long, value_name = "SEVERITY", help_heading = "Exit code")]
    pub fail_on: Option<FailOn>,
    /// With --fail-on: unknown checks do not make the run incomplete
    #[arg(long, help_heading = "Exit code")]
    pub allow_unknown: bool,
    /// Exit with 3 when anything at all could not be read
    #[arg(long, help_heading = "Exit code")]
    pub strict: bool,
    /// An earlier snapshot: the written record and the page say what it was before
    #[arg(long, value_name = "SNAPSHOT", help_heading = "Output")]
    pub since: Option<PathBuf>,
    /// Only what is not in this earlier JSON report
    #[arg(long, value_name = "REPORT", help_heading = "Exit code")]
    pub baseline: Option<PathBuf>,
}

/// Flags of `paths`.
#[derive(Debug, Args)]
pub struct PathsArguments {
    /// Those that judging knows.
    #[command(flatten)]
    pub audit: AuditArguments,
    /// Where attackers begin, for names that are those of files too; repeatable
    #[arg(long, value_name = "ENTRY", help_heading = "Paths")]
    pub entry: Vec<String>,
    /// What they are after; repeatable
    #[arg(long, value_name = "JEWEL", help_heading = "Paths")]
    pub to: Vec<String>,
}

fn parse_format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|e: seaworthy_report::UnknownFormat| e.to_string())
}

/// What makes a run fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Good to have.
    Low,
    /// Weakens a defence.
    Medium,
    /// One step from the host.
    High,
    /// Opens the host.
    Critical,
    /// A threat that is open now and was not in --baseline or --since.
    NewThreats,
}

impl FailOn {
    /// The severity that it stands for.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
            Self::NewThreats => None,
        }
    }
}

/// Flags of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The earlier moment: a snapshot or a JSON report of assess or threats
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later one
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
    /// Show every change, however many there are
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// text, json or markdown; each -f belongs to the -o that follows it
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "Output")]
    pub format: Vec<Format>,
    /// The file for the format before it (without one told by its ending), - for standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,
    /// new-threats: exit with 1 when a threat is open that was not
    #[arg(long, value_name = "WHAT", help_heading = "Exit code")]
    pub fail_on: Option<FailOn>,
    /// With --fail-on: what became undetermined does not make the run incomplete
    #[arg(long, help_heading = "Exit code")]
    pub allow_unknown: bool,
}

/// Flags of `collect`.
#[derive(Debug, Args)]
pub struct CollectArguments {
    /// What to look at.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Snapshots of nodes or of their cluster, joined with what is collected into one: a node and its cluster are told by the
    /// machine's id or the cluster's authority; with them alone nothing is collected
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub join: Vec<PathBuf>,
    /// No progress
    #[arg(short, long)]
    pub quiet: bool,
    /// The snapshot's file, - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// What to list
    #[arg(value_enum, default_value_t = Listed::Checks)]
    pub what: Listed,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Listed {
    /// Every check with its severity and title.
    Checks,
    /// Every benchmark with its controls.
    Benchmarks,
    /// Every fact with its type and where it is read.
    Facts,
    /// Every threat with its letters, surface and title.
    Threats,
    /// Every attack step with what it leads from and to, and its effort.
    Steps,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// A check (docker/daemon/icc-off, icc-off), a threat, an attack step, or a benchmark's id (5.4, 5.31@1.2.0, 2.17b)
    pub id: String,
    /// Flags that every command knows.
    #[command(flatten)]
    pub common: CommonArguments,
}
