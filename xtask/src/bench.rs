//! What seaworthy costs above the floor: the time in which the engine itself hands over the same facts.
//!
//! Floor and audit run in turn on one private engine, so that a ratio holds on whatever machine it was measured. What
//! the threat model costs is measured by its phases, also on hosts that are made, and held against the same floor.

mod cluster;
mod fleet;
mod floor;
mod harden;
mod hosts;
mod model;
mod node;
mod program;
mod serve;
mod wide;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use seaworthy_bed::{Daemon, Spec, StartError, Version};

use crate::root;

/// Containers of each measurement; the last only in the full mode.
const SIZES: [usize; 4] = [0, 20, 100, 1000];

struct Options {
    quick: bool,
    model: bool,
    harden: bool,
    kubernetes: bool,
    engine: Version,
    binary: PathBuf,
}

/// One size, measured: medians in milliseconds, peak memory in MB.
struct Row {
    containers: usize,
    requests: usize,
    floor: f64,
    audit: Option<(f64, f64)>,
}

/// `--quick` leaves 1000 containers out, `--model` the engine, `--kubernetes` measures a cluster instead, both together leave
/// the real one out; `--harden` times hardening alone, `--engine 20|29` chooses the engine, `--binary PATH` what is measured.
///
/// # Errors
/// Where there is no engine, or what is measured fails.
pub fn run(args: &[String]) -> Result<bool> {
    if let [first, rest @ ..] = args
        && first == model::ONCE
    {
        model::once(rest)?;
        return Ok(true);
    }
    let options = parse(args)?;
    if options.harden {
        harden::run(&options.binary, options.engine, options.quick)?;
        return Ok(true);
    }
    if cfg!(debug_assertions) {
        return run_optimised(args);
    }
    match (options.kubernetes, options.model) {
        (true, only_growth) => {
            cluster::run(options.quick, only_growth, &options.binary)?;
            if !only_growth {
                node::run(options.quick, &options.binary)?;
            }
            return Ok(true);
        }
        (false, true) => {
            model::run(options.quick, None, &[])?;
            return Ok(true);
        }
        (false, false) => {}
    }
    let daemon = match Daemon::start(options.engine, Spec::default()) {
        Ok(daemon) => daemon,
        Err(StartError::Missing(why) | StartError::Failed(why)) => {
            bail!("{}: {why}; `cargo xtask bench --model` times the threat model without it", options.engine.name())
        }
    };
    let there = options.binary.is_file();
    if !there {
        println!("{} is not there (cargo build --release): the floor alone", options.binary.display());
    }
    let runs = if options.quick { 3 } else { 7 };
    let (_, about) = daemon.request("GET", "/version", None);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("engine {}, {cores} cores, medians of {runs} runs in turn", about["Version"].as_str().unwrap_or("?"));
    println!(
        "{:>10} {:>8} {:>9} {:>9} {:>6} {:>8}",
        "containers", "requests", "floor ms", "audit ms", "ratio", "peak MB"
    );

    let mut fleet = fleet::Fleet::new(&daemon);
    let mut rows = Vec::new();
    for size in SIZES.into_iter().filter(|size| !options.quick || *size <= 100) {
        fleet.grow_to(size);
        let row = measure(&daemon, size, runs, there.then_some(options.binary.as_path()))?;
        row.print();
        rows.push(row);
    }
    print_cost_per_container(&rows);
    if there {
        compare_start_up(&options.binary)?;
    }
    let floors: Vec<(usize, f64)> = rows.iter().map(|row| (row.containers, row.floor)).collect();
    let size = rows.last().map_or(0, |row| row.containers);
    if !there {
        model::run(options.quick, None, &floors)?;
        return Ok(true);
    }
    let snapshot = std::env::temp_dir().join(format!("seaworthy-bench-{}.json", std::process::id()));
    let done = program::collect(&options.binary, &daemon.host(), &snapshot)
        .and_then(|()| model::run(options.quick, Some(model::Of::Read(snapshot.clone(), size)), &floors));
    // It may not have been written.
    let _ = std::fs::remove_file(&snapshot);
    done?;
    Ok(true)
}

/// The floor parses every answer: unoptimised it would lie higher than it is, and flatter what is measured.
fn run_optimised(args: &[String]) -> Result<bool> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench"]).args(args);
    Ok(cargo.current_dir(root()).status()?.success())
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options {
        quick: false,
        model: false,
        harden: false,
        kubernetes: false,
        engine: Version::V20,
        binary: root().join("target/release/seaworthy"),
    };
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match (arg, args.len()) {
            ("--quick", _) => options.quick = true,
            ("--model", _) => options.model = true,
            ("--harden", _) => options.harden = true,
            ("--kubernetes", _) => options.kubernetes = true,
            ("--engine", 1..) => {
                options.engine = match args.next() {
                    Some("20") => Version::V20,
                    Some("29") => Version::V29,
                    other => bail!("--engine {}: 20 or 29", other.unwrap_or_default()),
                };
            }
            // What is measured is also run from folders of the beds.
            ("--binary", 1..) => options.binary = std::path::absolute(args.next().unwrap_or_default())?,
            _ => bail!(
                "bench does not take {arg}; it takes --quick, --model, --kubernetes, --harden, --engine 20|29, --binary PATH"
            ),
        }
    }
    Ok(options)
}

fn measure(daemon: &Daemon, containers: usize, runs: usize, binary: Option<&Path>) -> Result<Row> {
    let requests = match binary.and_then(|binary| program::requests(binary, &daemon.host())) {
        Some(requests) => requests,
        None => floor::requests(daemon),
    };
    let (mut floors, mut audits) = (Vec::new(), Vec::new());
    // The first of each warms the caches of both and is not counted.
    for round in 0..=runs {
        let floor = floor::run(&daemon.socket(), &requests)?;
        let audit = binary.map(|binary| program::audit(binary, &daemon.host())).transpose()?;
        if round > 0 {
            floors.push(floor);
            audits.extend(audit);
        }
    }
    let audit = match (median(&mut audits), binary) {
        (Some(time), Some(binary)) => Some((time, program::peak(binary, &daemon.host())?)),
        _ => None,
    };
    Ok(Row { containers, requests: requests.len(), floor: median(&mut floors).unwrap_or(0.0), audit })
}

impl Row {
    fn print(&self) {
        print!("{:>10} {:>8} {:>9.1}", self.containers, self.requests, self.floor);
        match self.audit {
            Some((audit, peak)) => println!(" {audit:>9.1} {:>6.2} {peak:>8.1}", audit / self.floor),
            None => println!(" {:>9} {:>6} {:>8}", "-", "-", "-"),
        }
    }
}

/// What one more container costs, from the smallest fleet to the largest.
fn print_cost_per_container(rows: &[Row]) {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
    let more = (last.containers - first.containers).max(1) as f64;
    print!("per container: floor {:.0} µs", (last.floor - first.floor) * 1000.0 / more);
    if let (Some((before, _)), Some((after, _))) = (first.audit, last.audit) {
        let above = (after - last.floor) - (before - first.floor);
        print!(", audit {:.0} µs, above the floor {:.0} µs", (after - before) * 1000.0 / more, above * 1000.0 / more);
    }
    println!();
}

fn compare_start_up(binary: &Path) -> Result<()> {
    let rounds = 21;
    let rg = Path::new("rg");
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        own.push(program::version(binary)?);
        other.extend(program::version(rg).ok());
    }
    let own = median(&mut own).unwrap_or(0.0);
    match median(&mut other) {
        Some(rg) => println!("--version: seaworthy {own:.2} ms, ripgrep {rg:.2} ms, ratio {:.2}", own / rg),
        None => println!("--version: seaworthy {own:.2} ms; ripgrep is not there to compare with"),
    }
    Ok(())
}

/// The median in milliseconds; none of nothing.
fn median(times: &mut [Duration]) -> Option<f64> {
    times.sort();
    let middle = times.get(times.len() / 2)?;
    Some(middle.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn the_median_is_the_middle_one() {
        let mut times = [9, 1, 5].map(Duration::from_millis);
        assert_eq!(super::median(&mut times), Some(5.0));
        assert_eq!(super::median(&mut []), None);
    }

    #[test]
    fn says_what_it_takes() {
        let args = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        assert!(super::parse(&args("--quick --engine 29")).is_ok_and(|options| options.quick));
        assert!(super::parse(&args("--engine")).is_err());
        assert!(super::parse(&args("--engine 24")).is_err());
        assert!(super::parse(&args("--fast")).is_err());
    }
}
