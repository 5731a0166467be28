//! What the threat model and its renderings cost: over hosts made of the demonstration's, and over what the engine
//! handed over, as ratios to the floor and to each other.
//!
//! Each measurement is a process of its own, so that nothing is warm that would be cold, and the memory is its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use seaworthy_catalog::Catalog;
use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::derive::derive;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_model::{judge, paths, rank, rate};
use seaworthy_report::{Format, Options, Report, View, render};

use super::hosts::{self, Mix};

/// Containers of the hosts that are made.
const SIZES: [usize; 3] = [100, 1000, 5000];

/// What is measured, in the order in which a measurement prints it.
const PARTS: [&str; 14] = [
    "derive",
    "audit",
    "diagram",
    "judge",
    "paths",
    "rate",
    "rank",
    "text",
    "json",
    "html",
    "model-peak",
    "peak",
    "json-bytes",
    "html-bytes",
];

/// What is judged.
#[derive(Clone, Debug)]
pub enum Of {
    /// A host that is made.
    Made(Mix, usize),
    /// A snapshot of an engine with so many containers.
    Read(PathBuf, usize),
}

/// The first argument of the process that measures.
pub const ONCE: &str = "--once";

/// Measures in this process, and prints the parts; `args` are what [`Of::arguments`] gave.
///
/// # Errors
/// Where there is no such host.
pub fn once(args: &[String]) -> Result<()> {
    let snapshot = match args {
        [mix, size] => {
            let mix = Mix::ALL.into_iter().find(|m| m.word() == mix).with_context(|| format!("no mix {mix}"))?;
            hosts::host(mix, size.parse()?)?
        }
        [path] => hosts::read(Path::new(path))?,
        _ => bail!("{ONCE} takes a mix and a size, or a snapshot"),
    };
    let parts = parts(snapshot)?;
    println!("{}", parts.map(|part| format!("{part:.4}")).join(" "));
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed().as_secs_f64() * 1000.0)
}

/// Counts what is written.
#[derive(Default)]
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parts(mut snapshot: Snapshot) -> Result<[f64; PARTS.len()]> {
    let catalog = Catalog::embedded();
    let benchmark = catalog.benchmarks.first().context("the catalogue has a benchmark")?;
    let ((), deriving) = timed(|| derive(&mut snapshot, &catalog.flaws));
    let (audit, auditing) =
        timed(|| Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, benchmark, &[], |_| true));
    let (diagram, drawing) = timed(|| seaworthy_model::diagram(&snapshot, None));
    let (judged, judging) = timed(|| judge::threats(&audit, &catalog.threats, &diagram));
    let judge::Judged { instances: mut threats, waiver_problems } = judged;
    let (paths, seeking) = timed(|| paths::paths(&audit, &diagram, &catalog.steps));
    let ((), rating) = timed(|| rate::rate(&mut threats, &catalog.threats, &diagram, &paths, &audit));
    let ((priorities, cut), ranking) = timed(|| rank::rank(&audit, &catalog.threats, &threats, &paths, &diagram));
    let (model, steps, blanks) = (peak()?, catalog.steps.as_slice(), catalog.blanks.as_slice());
    let assessment = Assessment {
        audit: &audit,
        catalog: &catalog.threats,
        steps,
        blanks,
        diagram,
        threats,
        paths,
        priorities,
        cut,
        forecast: None,
        waiver_problems,
    };
    let report = Report { audit: &audit, model: Some(&assessment), since: None, narrowed: &[] };
    let write = |format| -> Result<(usize, f64)> {
        let mut out = Counted::default();
        let (done, took) = timed(|| render(format, View::Assess, report, &Options::default(), &mut out));
        done?;
        Ok((out.0, took))
    };
    let ((_, text), (json_bytes, json), (html_bytes, html)) =
        (write(Format::Text)?, write(Format::Json)?, write(Format::Html)?);
    let bytes = [json_bytes as f64, html_bytes as f64];
    let times = [deriving, auditing, drawing, judging, seeking, rating, ranking, text, json, html];
    let mut out = [0.0; PARTS.len()];
    for (to, part) in out.iter_mut().zip(times.into_iter().chain([model, peak()?]).chain(bytes)) {
        *to = part;
    }
    Ok(out)
}

/// The most memory that this process held at once, in MB (2^20 bytes).
fn peak() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// One host, measured: the median of each part.
struct Row {
    of: Of,
    parts: [f64; PARTS.len()],
}

impl Of {
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Made(mix, size) => vec![mix.word().to_owned(), size.to_string()],
            Self::Read(path, ..) => vec![path.display().to_string()],
        }
    }

    fn measure(self, runs: usize) -> Result<Row> {
        let own = std::env::current_exe()?;
        let mut all: Vec<Vec<f64>> = Vec::new();
        for _ in 0..runs {
            let mut command = Command::new(&own);
            command.args(["bench", ONCE]).args(self.arguments()).stdin(Stdio::null()).stderr(Stdio::inherit());
            let output = command.output()?;
            let said = String::from_utf8(output.stdout)?;
            let parts: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            if parts.len() != PARTS.len() {
                bail!("{}: {}", self.arguments().join(" "), output.status);
            }
            all.push(parts);
        }
        let mut parts = [0.0; PARTS.len()];
        for (i, part) in parts.iter_mut().enumerate() {
            let mut column: Vec<f64> = all.iter().map(|parts| parts[i]).collect();
            column.sort_by(f64::total_cmp);
            *part = column.get(column.len() / 2).copied().unwrap_or_default();
        }
        Ok(Row { of: self, parts })
    }
}

impl Row {
    fn part(&self, name: &str) -> f64 {
        PARTS.iter().position(|part| *part == name).map_or(0.0, |i| self.parts[i])
    }

    /// Model and ranking, without what an audit costs too.
    fn model(&self) -> f64 {
        ["diagram", "judge", "paths", "rate", "rank"].map(|part| self.part(part)).iter().sum()
    }

    fn print(&self, floors: &[(usize, f64)]) {
        let (word, size) = match &self.of {
            Of::Made(mix, size) => (mix.word(), *size),
            Of::Read(_, size) => ("engine", *size),
        };
        let floor = floors.iter().find(|(of, _)| *of == size).map(|(_, floor)| floor);
        let model = self.model();
        print!("{word:>7} {size:>10} {:>8.1} {model:>8.1}", self.part("derive") + self.part("audit"));
        for part in ["diagram", "judge", "paths", "rate", "rank"] {
            print!(" {:>7.0}%", 100.0 * self.part(part) / model);
        }
        match floor {
            Some(floor) => print!(" {:>6.2}", model / floor),
            None => print!(" {:>6}", "-"),
        }
        let mega = |bytes: f64| bytes / 1e6;
        println!(
            " {:>7.1} {:>7.1} {:>7.1} {:>8.2} {:>7.1} {:>8.2} {:>7.1}",
            self.part("model-peak"),
            self.part("text"),
            self.part("json"),
            mega(self.part("json-bytes")),
            self.part("html"),
            mega(self.part("html-bytes")),
            self.part("peak"),
        );
    }
}

/// Measures the hosts that are made, and one that was read where there is one. `floors` are those of the engine, by
/// containers, in milliseconds.
///
/// # Errors
/// Where a measurement fails.
pub fn run(quick: bool, read: Option<Of>, floors: &[(usize, f64)]) -> Result<()> {
    let runs = if quick { 3 } else { 7 };
    println!("model: medians of {runs} processes each; ms, MB, and the share of each phase of the model");
    println!(
        "{:>7} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7} {:>7} {:>7} {:>8} {:>7} {:>8} {:>7}",
        "host",
        "containers",
        "audit",
        "model",
        "diagram",
        "judge",
        "paths",
        "rate",
        "rank",
        "/floor",
        "peak",
        "text",
        "json",
        "json MB",
        "page",
        "page MB",
        "peak"
    );
    for mix in Mix::ALL {
        let mut rows = Vec::new();
        for size in SIZES.into_iter().filter(|size| !quick || *size <= 1000) {
            let row = Of::Made(mix, size).measure(runs)?;
            row.print(floors);
            rows.push((size, row.model()));
        }
        print_growth(&rows);
    }
    if let Some(read) = read {
        read.measure(runs)?.print(floors);
    }
    Ok(())
}

/// How the model grows, against n log n.
fn print_growth(rows: &[(usize, f64)]) {
    let order = |n: usize| n as f64 * (n as f64).ln();
    for of in rows.windows(2) {
        let [(few, before), (many, after)] = of else { continue };
        let (grown, allowed) = (after / before, order(*many) / order(*few));
        println!("        from {few} to {many}: {grown:.1} times, n log n would be {allowed:.1} times");
    }
}
