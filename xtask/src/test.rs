//! Runs every test with the engines it needs, and counts honestly: a test that skipped itself did not pass.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
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
    /// What the failed tests said, without traces.
    said: Vec<String>,
    reading: Reading,
}

/// Where in a test binary's output its reader is.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Reading {
    #[default]
    Results,
    /// What a failed test said.
    Failed,
    /// The calls that led to its panic.
    Trace,
}

/// Lines of a failed test that are told again at the end.
const LINES: usize = 30;

/// How many tests of a program run side by side.
const THREADS: &str = "RUST_TEST_THREADS";

/// Failed tests that are run once more, alone; where more failed, something is broken.
const AGAIN: usize = 3;

/// Prepares the beds, runs `cargo test` (of the workspace, unless the arguments choose crates) and ends with one line: `N passed, N failed, N skipped`.
/// Up to [`AGAIN`] failed tests are run once more, alone: what passes then is counted as passed and named as unsteady, with what it said.
///
/// # Errors
/// Where cargo cannot be started.
pub fn run(args: &[String]) -> Result<bool> {
    let strict = std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1");
    let missing = beds::prepare();
    let (mut count, status) = cargo_test(args, &[], strict)?;
    if !status.success() && count.failed == 0 {
        count.failed = 1;
        eprintln!("cargo test ended with {status}");
    }
    let failed: Vec<String> = count.names().map(str::to_owned).collect();
    // A test that took its whole program with it has no name.
    let unsteady = failed.len() == count.failed && (1..=AGAIN).contains(&failed.len()) && {
        println!("Run once more, alone: {}", failed.join(", "));
        let (again, status) = cargo_test(args, &failed, strict)?;
        status.success() && again.failed == 0 && again.skipped.is_empty() && again.passed >= failed.len()
    };
    if unsteady {
        count.passed += std::mem::take(&mut count.failed);
    }
    seaworthy_bed::sweep();
    for bed in &missing {
        let of_it = count.skipped.iter().filter(|(name, ..)| *name == bed.name).count();
        println!("missing bed {}: {}; {of_it} tests skipped for it", bed.name, bed.why);
    }
    if !count.said.is_empty() {
        println!("What the failed tests said, traces and all but their last {LINES} lines left out:");
    }
    for said in &count.said {
        println!("{}", last_lines(said));
    }
    if unsteady {
        println!("unsteady: failed beside the others, passed alone, and want mending: {}", failed.join(", "));
    }
    println!("{}", count.line());
    Ok(count.failed == 0 && (missing.is_empty() || !strict))
}

/// Runs `cargo test`: all that the arguments choose, or these tests alone, one after the other.
fn cargo_test(args: &[String], alone: &[String], strict: bool) -> Result<(Count, ExitStatus)> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let chosen = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    command.arg("test").args((!chosen).then_some("--workspace")).arg("--no-fail-fast").args(args).current_dir(root());
    if !alone.is_empty() {
        command.args((!args.iter().any(|arg| arg == "--")).then_some("--"));
        command.args(["--exact", "--test-threads=1"]).args(alone);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if strict {
        command.env("SEAWORTHY_BEDS_REQUIRED", "1");
    }
    if std::env::var_os(THREADS).is_none() {
        // Those that use engines and clusters wait more than they work.
        let processors = thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (processors + 1).to_string());
    }
    let mut child = command.spawn().context("cargo test")?;
    let (out, err) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
    let results = thread::spawn(move || pass_on(out, std::io::stdout()));
    let (skips, count) = (pass_on(err, std::io::stderr()), results.join());
    let status = child.wait()?;
    let mut count = count.unwrap_or_default();
    count.skipped = skips.skipped;
    Ok((count, status))
}

impl Count {
    /// The failed tests' names.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.said.iter().filter_map(|said| said.lines().next()?.strip_prefix("---- "))
    }

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
        self.listen(line.trim_end());
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

    /// Keeps what a failed test said.
    fn listen(&mut self, line: &str) {
        let begins = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        self.reading = match (self.reading, begins) {
            (_, Some(test)) => {
                self.said.push(format!("---- {test}"));
                Reading::Failed
            }
            (Reading::Results, None) => Reading::Results,
            (_, None) if line == "failures:" || line.starts_with("test result: ") => Reading::Results,
            (_, None) if line == "stack backtrace:" => Reading::Trace,
            // Its frames begin with blanks; the next line that does not is the test's own.
            (Reading::Trace, None) if line.is_empty() || line.starts_with(' ') || line.starts_with("note: ") => {
                Reading::Trace
            }
            (_, None) => Reading::Failed,
        };
        if let (Reading::Failed, None, Some(said)) = (self.reading, begins, self.said.last_mut())
            && !line.is_empty()
        {
            *said += &format!("\n{line}");
        }
    }
}

/// A failed test's name and the last lines that it said.
fn last_lines(said: &str) -> String {
    let (name, rest) = said.split_once('\n').unwrap_or((said, ""));
    let lines: Vec<&str> = rest.lines().collect();
    let kept = &lines[lines.len().saturating_sub(LINES)..];
    std::iter::once(name).chain(kept.iter().copied()).collect::<Vec<_>>().join("\n")
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
    use super::{Count, last_lines};

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

    #[test]
    fn tells_again_what_failed_tests_said_without_the_calls() {
        let (mut count, mut binary) = (Count::default(), String::new());
        let output = "     Running tests/b.rs (target/debug/deps/b-1)\n\
            test one ... FAILED\n\nfailures:\n\n---- one stdout ----\nbefore\n\n\
            thread 'one' (7) panicked at tests/b.rs:3:5:\nnot ready\n  after 120 s\nstack backtrace:\n\
            \x20  0: __rustc::rust_begin_unwind\n             at /rustc/panicking.rs:689:5\n\
            note: Some details are omitted\nafter\n\n---- two stdout ----\nelse\n\n\nfailures:\n    one\n    two\n\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored\n     Running tests/c.rs (target/debug/deps/c-1)\n";
        output.lines().for_each(|line| count.take(line, &mut binary));
        assert_eq!(
            count.said,
            [
                "---- one\nbefore\nthread 'one' (7) panicked at tests/b.rs:3:5:\nnot ready\n  after 120 s\nafter",
                "---- two\nelse"
            ]
        );
        assert_eq!(count.names().collect::<Vec<_>>(), ["one", "two"]);
        let many: String = (0..40).map(|line| format!("\n{line}")).collect();
        let last = last_lines(&format!("---- one{many}"));
        assert_eq!((last.lines().count(), last.lines().nth(1)), (31, Some("10")));
    }
}
