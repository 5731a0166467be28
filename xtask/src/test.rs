//! Runs every test with the engines it needs, and counts honestly: a test that skipped itself did not pass.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result};

use crate::{beds, root};

/// What a run of tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// Tests that said they were skipped: bed, test binary, test.
    skipped: BTreeSet<(String, String, String)>,
}

/// Prepares the beds, runs `cargo test` (of the workspace, unless the arguments choose crates) and ends with one line: `N passed, N failed, N skipped`.
///
/// # Errors
/// Where cargo cannot be started.
pub fn run(args: &[String]) -> Result<bool> {
    let strict = std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1");
    let missing = beds::prepare();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let chosen = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    command.arg("test").args((!chosen).then_some("--workspace")).arg("--no-fail-fast").args(args).current_dir(root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if strict {
        command.env("SEAWORTHY_BEDS_REQUIRED", "1");
    }
    let mut child = command.spawn().context("cargo test")?;
    let (out, err) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
    let results = thread::spawn(move || pass_on(out, std::io::stdout()));
    let (skips, count) = (pass_on(err, std::io::stderr()), results.join());
    let status = child.wait()?;
    let mut count = count.unwrap_or_default();
    count.skipped = skips.skipped;
    if !status.success() && count.failed == 0 {
        count.failed = 1;
        eprintln!("cargo test ended with {status}");
    }
    seaworthy_bed::sweep();
    for bed in &missing {
        let of_it = count.skipped.iter().filter(|(name, ..)| *name == bed.name).count();
        println!("missing bed {}: {}; {of_it} tests skipped for it", bed.name, bed.why);
    }
    println!("{}", count.line());
    Ok(count.failed == 0 && (missing.is_empty() || !strict))
}

impl Count {
    fn line(&self) -> String {
        let skipped = self.skipped.len();
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed.saturating_sub(skipped),
            self.failed,
            self.ignored + skipped
        )
    }

    /// Takes one line of cargo's or a test binary's output; `binary` is the one that runs.
    fn take(&mut self, line: &str, binary: &mut String) {
        let line = line.trim();
        if let Some(running) = line.strip_prefix("Running ").or_else(|| line.strip_prefix("Doc-tests ")) {
            *binary = running.to_owned();
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number(result, " passed");
            self.failed += number(result, " failed");
            self.ignored += number(result, " ignored");
        } else if let Some(at) = line.find("SKIPPED bed=") {
            let bed = line[at..].split(['=', ' ']).nth(2).unwrap_or_default();
            let test = line.rsplit_once("test=").map_or("", |(_, test)| test);
            self.skipped.insert((bed.to_owned(), binary.clone(), test.to_owned()));
        }
    }
}

/// The number before `what`.
fn number(text: &str, what: &str) -> usize {
    let before = text.split(what).next().unwrap_or_default();
    if before.len() == text.len() {
        return 0;
    }
    before.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn pass_on(from: impl Read, mut to: impl Write) -> Count {
    let (mut count, mut binary, mut line) = (Count::default(), String::new(), Vec::new());
    let mut reader = BufReader::new(from);
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let _ = to.write_all(&line);
        count.take(&String::from_utf8_lossy(&line), &mut binary);
        line.clear();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn counts_over_binaries_and_takes_skipped_tests_off_the_passed() {
        let (mut count, mut binary) = (Count::default(), String::new());
        for line in [
            "     Running tests/a.rs (target/debug/deps/a-1)",
            "SKIPPED bed=engine29 why=\"go is not installed\" test=it_serves",
            "SKIPPED bed=engine29 why=\"go is not installed\" test=it_serves",
            "test result: ok. 10 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "     Running tests/b.rs (target/debug/deps/b-1)",
            "SKIPPED bed=engine29 why=\"go is not installed\" test=it_serves",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            count.take(line, &mut binary);
        }
        assert_eq!(count.line(), "11 passed, 2 failed, 3 skipped");
    }
}
