//! Evidence from others: vulnerability reports and verified signatures, matched to images by digest.
//!
//! The engine knows neither. What is given is read here and becomes facts of the image with that very digest; a name or
//! a tag matches nothing, since it may have moved. Whoever gives the file vouches for it: a report that was filtered
//! when it was made does not say so.

mod bom;
mod document;
mod subject;
mod tally;
mod text;

#[cfg(test)]
mod tests;

use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use seaworthy_core::component::Component;
use seaworthy_core::fact::{Field, Source};
use seaworthy_core::schema::docker::IMAGE;
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;

use crate::redact::Redactor;
use document::{Document, Scan, Statement};
use subject::{Relation, Subject};
use tally::{Grade, Tally};

/// The largest file, in bytes: 256 MiB.
pub const LARGEST: u64 = 256 << 20;

/// The most documents of one file.
const MOST_DOCUMENTS: usize = 10_000;

/// A scan counts for so many days: a feed learns of a dozen flaws of a common base image in a month. A signature over
/// a digest does not age, and cosign prints no date.
pub const FRESH_DAYS: i64 = 30;

const DAY: i64 = 86_400;

/// Facts that a vulnerability report gives.
const SCANNED: [&str; 7] = [
    "vulnerabilities",
    "vulnerabilities_critical",
    "vulnerabilities_high",
    "vulnerabilities_fixable",
    "scanned_days",
    "scanner",
    "os_ended",
];

/// Facts that a signature's verification gives.
const SIGNED: [&str; 2] = ["signature_verified", "signed_by"];

const NO_REPORT: &str = "no vulnerability report was given for this image: --evidence FILE";
const NO_SIGNATURE: &str = "no verified signature was given for this image: --evidence FILE";

/// What one file says.
#[derive(Debug)]
pub struct Evidence {
    file: String,
    statements: Vec<(Subject, Statement)>,
}

/// Reads a file.
///
/// # Errors
/// In one line: why it cannot be read, or which document it is not.
pub fn read(path: &Path) -> Result<Evidence, String> {
    let file = path.display().to_string();
    let opened = std::fs::metadata(path).and_then(|meta| {
        if meta.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
        }
        std::fs::File::open(path)
    });
    parse(&file, opened.map_err(|why| format!("evidence {file}: {why}"))?)
}

/// Reads a document from its bytes; `file` is what it is called.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: impl Read) -> Result<Evidence, String> {
    let statements = parse_within(bytes, LARGEST).map_err(|why| format!("evidence {file}: {why}"))?;
    Ok(Evidence { file: file.to_owned(), statements })
}

fn parse_within(bytes: impl Read, largest: u64) -> Result<Vec<(Subject, Statement)>, String> {
    let mut bounded = BufReader::with_capacity(1 << 16, bytes.take(largest + 1));
    let statements = statements(&mut bounded);
    // Whatever is said of a file that was cut off is not about the file.
    if bounded.get_ref().limit() == 0 {
        return Err(format!("larger than {} MiB, as no report is", largest >> 20));
    }
    statements
}

fn statements(bytes: impl Read) -> Result<Vec<(Subject, Statement)>, String> {
    let mut statements = Vec::new();
    let documents = serde_json::Deserializer::from_reader(bytes).into_iter::<Document>();
    for (count, document) in documents.enumerate() {
        if count == MOST_DOCUMENTS {
            return Err(format!("more than {MOST_DOCUMENTS} documents"));
        }
        statements.extend(document.map_err(|why| in_one_line(&why))?.statements()?);
    }
    if statements.is_empty() { Err("it is empty".to_owned()) } else { Ok(statements) }
}

/// The error without what stands in the file.
fn in_one_line(error: &serde_json::Error) -> String {
    let at = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Io => format!("it cannot be read ({error})"),
        serde_json::error::Category::Syntax => format!("not JSON ({at})"),
        serde_json::error::Category::Eof => format!("not JSON, or not all of it: it ends at {at}"),
        serde_json::error::Category::Data => {
            format!("not as Trivy, Grype, CycloneDX or cosign write it, or too much of it ({at})")
        }
    }
}

/// Says why an image has no evidence yet.
pub(crate) fn none(image: &mut Component) {
    let source = Source::place("--evidence");
    for (facts, reason) in [(SCANNED.as_slice(), NO_REPORT), (SIGNED.as_slice(), NO_SIGNATURE)] {
        let reason: Arc<str> = reason.into();
        for fact in facts {
            image.set_unknown(fact, Arc::clone(&reason), source.clone());
        }
    }
}

/// Sets the facts of every image that a document is about, by the snapshot's time. What a snapshot already holds stays
/// where nothing newer is given; a document about no image here becomes a gap that names its file.
pub fn apply(snapshot: &mut Snapshot, evidence: &[Evidence]) {
    let redactor = Redactor::new();
    let now = snapshot.collected_at;
    let mut used: Vec<Vec<bool>> = evidence.iter().map(|e| vec![false; e.statements.len()]).collect();
    for target in &mut snapshot.targets {
        for image in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &IMAGE)) {
            let given = Given::of(image, evidence, &mut used);
            given.set(image, now, &redactor);
        }
    }
    let docker = snapshot.targets.iter().position(|target| target.platform == "docker").unwrap_or(0);
    let Some(target) = snapshot.targets.get_mut(docker) else { return };
    for (evidence, used) in evidence.iter().zip(&used) {
        unused(target, evidence, used, &redactor);
    }
}

/// Names what was given and is about no image.
fn unused(target: &mut Target, evidence: &Evidence, used: &[bool], redactor: &Redactor) {
    let left: Vec<&Subject> =
        evidence.statements.iter().zip(used).filter(|(_, used)| !**used).map(|((subject, _), _)| subject).collect();
    let Some(first) = left.first() else { return };
    let about = match first.any_digest() {
        Some(digest) => format!("no image here has the digest that it is about ({digest})"),
        None => "it names no digest of an image, and a name proves nothing".to_owned(),
    };
    let more =
        if left.len() > 1 { format!("; nor those of {} more documents in it", left.len() - 1) } else { String::new() };
    let file = redactor.without_tokens(&evidence.file);
    target.gap(format!("evidence {file}"), format!("{about}{more}"), "no image is judged by it");
}

/// What was given for one image.
#[derive(Default)]
struct Given<'e> {
    scans: Vec<(&'e str, &'e Scan)>,
    signatures: Vec<(&'e str, &'e str)>,
    /// Why a report, or a signature, that goes by its name is not about it.
    other_scan: Option<Other>,
    other_signature: Option<Other>,
}

/// What goes by the name of an image and is not about it.
struct Other {
    file: String,
    why: String,
}

impl<'e> Given<'e> {
    fn of(image: &Component, evidence: &'e [Evidence], used: &mut [Vec<bool>]) -> Self {
        let mut given = Self::default();
        for (evidence, used) in evidence.iter().zip(used) {
            let file = evidence.file.as_str();
            for ((subject, statement), used) in evidence.statements.iter().zip(used.iter_mut()) {
                let relation = subject.relation(image);
                let why_not = match &relation {
                    Relation::None => continue,
                    Relation::Same => None,
                    Relation::Name(digest) => Some(format!("{file} is about another digest of this name: {digest}")),
                    Relation::Platform(platform) => Some(format!("{file} is about this image for {platform}")),
                };
                let why_not = why_not.map(|why| Other { file: file.to_owned(), why });
                match (statement, why_not) {
                    (Statement::Scan(scan), None) => {
                        *used = true;
                        given.scans.push((file, scan));
                    }
                    (Statement::Signature(by), None) => {
                        *used = true;
                        given.signatures.push((file, by));
                    }
                    (Statement::Scan(_), why) => given.other_scan = given.other_scan.or(why),
                    (Statement::Signature(_), why) => given.other_signature = given.other_signature.or(why),
                }
            }
        }
        given
    }

    fn set(&self, image: &mut Component, now: i64, redactor: &Redactor) {
        let clean = |text: &str| redactor.without_tokens(text).into_owned();
        if self.scans.is_empty() {
            keep_or_say(image, &SCANNED, self.other_scan.as_ref(), NO_REPORT, &clean);
        } else {
            set_scans(image, &self.scans, now, &clean);
        }
        if self.signatures.is_empty() {
            keep_or_say(image, &SIGNED, self.other_signature.as_ref(), NO_SIGNATURE, &clean);
        } else {
            let place = source(self.signatures.iter().map(|(file, _)| *file), "cosign verify", &clean);
            let mut by: Vec<&str> = self.signatures.iter().map(|(_, by)| *by).collect();
            by.sort_unstable();
            by.dedup();
            image.set("signature_verified", true, place.clone());
            image.set("signed_by", Value::strings(by.into_iter().take(64).map(&clean)), place);
        }
    }
}

/// Says why facts are unknown, where the snapshot holds nothing better: what was given now that goes by the image's
/// name, else that nothing was.
fn keep_or_say(
    image: &mut Component,
    facts: &[&'static str],
    other: Option<&Other>,
    none: &str,
    clean: &impl Fn(&str) -> String,
) {
    let is_known = facts.iter().any(|fact| !image.value(fact).is_unknown());
    let was_said = facts.iter().any(|fact| image.fact(fact).source.place.starts_with("evidence "));
    if is_known || (was_said && other.is_none()) {
        return;
    }
    let (reason, place) = match other {
        Some(other) => (clean(&other.why), format!("evidence {}", clean(&other.file))),
        None => (none.to_owned(), "--evidence".to_owned()),
    };
    let (reason, source): (Arc<str>, _) = (reason.into(), Source::place(place));
    for fact in facts {
        image.set_unknown(fact, Arc::clone(&reason), source.clone());
    }
}

fn source<'a>(files: impl Iterator<Item = &'a str>, what: impl Into<Field>, clean: &impl Fn(&str) -> String) -> Source {
    let mut files: Vec<&str> = files.collect();
    files.dedup();
    let place: Arc<str> = format!("evidence {}", clean(&files.join(", "))).into();
    Source::new(&place, what)
}

/// A scan with its age.
struct Dated<'e> {
    file: &'e str,
    scan: &'e Scan,
    /// Whole days before the snapshot, with the date; none where the report carries none that can be read.
    age: Option<(i64, String)>,
}

impl<'e> Dated<'e> {
    fn of(file: &'e str, scan: &'e Scan, now: i64) -> Self {
        let dates: Vec<Timestamp> = scan.dates.iter().filter_map(|text| text.parse().ok()).collect();
        // One that cannot be read might be the oldest.
        let oldest = dates.iter().min().filter(|_| dates.len() == scan.dates.len());
        let age = oldest.map(|date| {
            let day = date.to_string().chars().take(10).collect();
            ((now - date.as_second()).div_euclid(DAY), day)
        });
        Self { file, scan, age }
    }

    /// Why it does not count.
    fn refused(&self) -> Option<String> {
        let file = self.file;
        match &self.age {
            None => Some(format!("{file} does not say when it was made")),
            Some((days, date)) if *days > FRESH_DAYS => {
                Some(format!("{file} is of {date}, {days} days old; after {FRESH_DAYS} it is stale: scan again"))
            }
            Some((days, date)) if *days < -FRESH_DAYS => {
                Some(format!("{file} is of {date}, {} days after this snapshot: collect again", -days))
            }
            Some(_) => self.scan.unproven.map(|why| format!("{file}: {why}")),
        }
    }
}

fn set_scans(image: &mut Component, scans: &[(&str, &Scan)], now: i64, clean: &impl Fn(&str) -> String) {
    let mut dated: Vec<Dated<'_>> = scans.iter().map(|(file, scan)| Dated::of(file, scan, now)).collect();
    // The newest first; of the same tool only that.
    dated.sort_by_key(|scan| (scan.age.as_ref().map_or(i64::MAX, |(days, _)| *days), scan.file));
    let mut tools = Vec::new();
    dated.retain(|dated| {
        let tool = dated.scan.scanner.split(' ').next().unwrap_or_default();
        let is_first = !tools.contains(&tool);
        tools.push(tool);
        is_first
    });
    let counting: Vec<&Dated<'_>> = dated.iter().filter(|scan| scan.refused().is_none()).collect();
    let shown: Vec<&Dated<'_>> = if counting.is_empty() { dated.iter().take(1).collect() } else { counting.clone() };
    let dates: Vec<&str> = shown.iter().filter_map(|scan| scan.age.as_ref().map(|(_, date)| date.as_str())).collect();
    let what = if dates.is_empty() { "undated".to_owned() } else { dates.join(", ") };
    let place = source(shown.iter().map(|scan| scan.file), what, clean);
    let scanners: Vec<String> = shown.iter().map(|scan| clean(&scan.scan.scanner)).collect();
    image.set("scanner", scanners.join(", "), place.clone());
    let age = shown.first().and_then(|scan| scan.age.as_ref()).map(|(days, _)| (*days).max(0));
    let age = age.map_or_else(|| Value::unknown("the report does not say when it was made"), Value::Int);
    image.set("scanned_days", age, place.clone());
    let ended = shown.iter().filter_map(|scan| scan.scan.os_ended).max();
    image.set("os_ended", ended.map_or(Value::Null, Value::Bool), place.clone());
    let counts = ["vulnerabilities", "vulnerabilities_critical", "vulnerabilities_high", "vulnerabilities_fixable"];
    if counting.is_empty() {
        let reason = dated.first().and_then(Dated::refused).unwrap_or_else(|| NO_REPORT.to_owned());
        let reason: Arc<str> = clean(&reason).into();
        for fact in counts {
            image.set_unknown(fact, Arc::clone(&reason), place.clone());
        }
        return;
    }
    let mut tally = Tally::default();
    for scan in &counting {
        tally.merge(scan.scan.tally.clone());
    }
    let values = [
        tally.listed(clean),
        Value::Int(tally.of(Grade::Critical)),
        Value::Int(tally.of(Grade::High)),
        tally.fixable(),
    ];
    for (fact, value) in counts.into_iter().zip(values) {
        image.set(fact, value, place.clone());
    }
}
