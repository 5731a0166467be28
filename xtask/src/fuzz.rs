//! Coverage-guided fuzzing of everything that reads what others wrote: builds `fuzz/` with libFuzzer and runs its
//! targets one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::root;

/// How long each target runs unless told otherwise: ten minutes.
const SECONDS: u32 = 600;

/// LLVM's coverage as libFuzzer wants it, by flags that the stable compiler has. They are given with `--target`, so
/// that build scripts and macros stay as they are.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=4";

/// Inputs that take longer than this many seconds are findings.
const SLOW: u32 = 5;
/// Memory over this many MiB is a finding.
const MEMORY: u32 = 1024;

/// Runs `[--seconds N] [TARGET…]`; without a target all of them. False when one of them found something.
///
/// # Errors
/// Wrong arguments, and where building or starting fails.
pub fn run(args: &[String]) -> Result<bool> {
    let fuzz = root().join("fuzz");
    let all = targets(&fuzz)?;
    let (mut seconds, mut wanted) = (SECONDS, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => seconds = args.next().context("--seconds wants a number")?.parse().context("--seconds")?,
            name if all.iter().any(|t| t == name) => wanted.push(name.to_owned()),
            name => bail!("there is no target `{name}`; there are: {}", all.join(" ")),
        }
    }
    let program = build(&fuzz)?;
    let mut clean = true;
    for target in if wanted.is_empty() { &all } else { &wanted } {
        clean &= one(&fuzz, &program, target, seconds)?;
    }
    Ok(clean)
}

/// The targets: each has a folder of seeds, which the ordinary tests hold to.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("seeds")).context("fuzz/seeds")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn build(fuzz: &Path) -> Result<PathBuf> {
    let version = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--target", host]).current_dir(fuzz);
    // What cargo says of the outer build does not hold for this one.
    command.env("RUSTFLAGS", COVERAGE).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_ENCODED_RUSTFLAGS");
    ensure!(command.status().context("cargo build")?.success(), "the fuzzing program does not build");
    Ok(fuzz.join("target").join(host).join("release/seaworthy-fuzz"))
}

/// Runs one target. What it finds interesting stays in `fuzz/target/corpus` and makes the next run start there.
fn one(fuzz: &Path, program: &Path, target: &str, seconds: u32) -> Result<bool> {
    let corpus = fuzz.join("target/corpus").join(target);
    let crashes = fuzz.join("crashes").join(target);
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let before = count(&crashes)?;
    println!("fuzz: {target} for {seconds} s");
    let mut command = Command::new(program);
    command.env("SEAWORTHY_FUZZ_TARGET", target).current_dir(fuzz);
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOW}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", crashes.display()),
        "-max_len=16384".to_owned(),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
        "-use_value_profile=0".to_owned(),
    ]);
    let words = fuzz.join("words").join(target);
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(&corpus).arg(fuzz.join("seeds").join(target));
    let kept = fuzz.join("kept").join(target);
    if kept.is_dir() {
        command.arg(kept);
    }
    let good = command.status().with_context(|| program.display().to_string())?.success();
    if !good || count(&crashes)? > before {
        eprintln!(
            "fuzz: {target} found something, see fuzz/crashes/{target}. Mend it, then keep the input: \
             mkdir -p fuzz/kept/{target} && mv fuzz/crashes/{target}/FILE fuzz/kept/{target}/WHAT-IT-SHOWS"
        );
        return Ok(false);
    }
    Ok(true)
}

fn count(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder).with_context(|| folder.display().to_string())?.count())
}
