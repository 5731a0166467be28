//! How reading and judging a cluster grow with its pods: over clusters that are served as they are asked for, of pods
//! that are alike and of pods that all differ.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::program::{self, Cost};
use super::serve::{Pods, Server};

/// Pods, in the quick mode and in the full one.
const SIZES: [[usize; 2]; 2] = [[1_000, 10_000], [10_000, 100_000]];

/// What is measured, in this order.
const PARTS: [&str; 3] = ["collect", "audit", "assess"];

/// One cluster, measured.
struct Row {
    pods: usize,
    /// Bytes of the snapshot.
    snapshot: u64,
    costs: [Cost; PARTS.len()],
}

/// Measures and prints growth as ratios to n log n. `dir` takes the files.
///
/// # Errors
/// Where what is measured fails.
pub fn run(quick: bool, binary: &Path, dir: &Path) -> Result<()> {
    println!(
        "pods from a server that makes them, each once; seconds of processor time, peak MB, bytes of snapshot a pod"
    );
    print!("{:>9} {:>7} {:>8}", "pods", "number", "bytes");
    PARTS.iter().for_each(|part| print!(" {part:>8} s {:>8}", "peak MB"));
    println!();
    for pods in [Pods::Alike, Pods::Different] {
        let mut rows: Vec<Row> = Vec::new();
        for count in SIZES[usize::from(!quick)] {
            let row = measure(pods, count, binary, dir)?;
            row.print(pods);
            rows.push(row);
        }
        if let [few, many] = rows.as_slice() {
            print_growth(few, many);
        }
    }
    Ok(())
}

fn measure(pods: Pods, count: usize, binary: &Path, dir: &Path) -> Result<Row> {
    let (config, snapshot) = (dir.join("kubeconfig"), dir.join("snapshot.json"));
    let collect = {
        let server = Server::start(pods, count)?;
        fs::write(&config, server.kubeconfig())?;
        let mut command = Command::new(binary);
        command.args(["collect", "--quiet", "--kubeconfig"]).arg(&config).arg("-o").arg(&snapshot);
        program::cost(command)?
    };
    let of = |what: &str| {
        let mut command = Command::new(binary);
        command.args([what, "--quiet", "--from"]).arg(&snapshot).args(["-f", "json", "-o", "/dev/null"]);
        program::cost(command)
    };
    let costs = [collect, of(PARTS[1])?, of(PARTS[2])?];
    Ok(Row { pods: count, snapshot: fs::metadata(&snapshot)?.len(), costs })
}

impl Row {
    fn print(&self, pods: Pods) {
        print!("{:>9} {:>7} {:>8}", pods.word(), self.pods, self.snapshot / self.pods.max(1) as u64);
        self.costs.iter().for_each(|cost| print!(" {:>10.2} {:>8.1}", cost.processor.as_secs_f64(), cost.peak));
        println!();
    }
}

/// How processor time and memory grow; 1.0 is n log n for time, and n for memory.
fn print_growth(few: &Row, many: &Row) {
    let order = |n: usize| n as f64 * (n as f64).ln();
    let allowed = order(many.pods) / order(few.pods);
    let times = many.pods as f64 / few.pods as f64;
    print!("          from {} to {}, n log n (memory: n) is 1:", few.pods, many.pods);
    for ((part, before), after) in PARTS.iter().zip(&few.costs).zip(&many.costs) {
        let grown = after.processor.as_secs_f64() / before.processor.as_secs_f64().max(0.01);
        print!(" {part} {:.2} ({:.2})", grown / allowed, after.peak / before.peak / times);
    }
    println!();
}
