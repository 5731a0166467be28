//! Baselines: what an earlier JSON report already knew.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use seaworthy_core::threat::Status;
use seaworthy_core::verdict::Verdict;
use serde::Deserialize;
use thiserror::Error;

use crate::clean::one_line;
use crate::json::SCHEMA;

/// The longest report that is read, in bytes: about that of 500,000 findings.
const LONGEST: u64 = 1 << 28;

/// The schemas of reports that can be read: the first had no threats.
const READ: std::ops::RangeInclusive<u64> = 1..=SCHEMA as u64;

/// What an earlier report found: the fingerprints of its failures, unknowns and what was for a person to judge.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    known: HashMap<String, Verdict>,
    threats: HashMap<String, Status>,
}

impl Baseline {
    /// Whether a fingerprint was among them, whatever the verdict.
    pub fn contains(&self, fingerprint: &str) -> bool {
        self.known.contains_key(fingerprint)
    }

    /// Whether a finding is nothing new: its fingerprint was among them with the same or a graver verdict. What was
    /// unknown and now fails is new.
    pub fn covers(&self, fingerprint: &str, verdict: Verdict) -> bool {
        self.known.get(fingerprint).is_some_and(|known| Verdict::over([*known, verdict]) == *known)
    }

    /// Whether a threat is nothing new: its fingerprint was among the open ones, or among the undetermined ones and is
    /// not open now; answered and accepted ones are nothing new either.
    pub fn knows_threat(&self, fingerprint: &str, status: Status) -> bool {
        match status {
            Status::Answered | Status::Accepted => true,
            Status::Open => self.threats.get(fingerprint) == Some(&Status::Open),
            Status::Undetermined => {
                matches!(self.threats.get(fingerprint), Some(Status::Open | Status::Undetermined))
            }
        }
    }

    /// How many findings it knows.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Why a baseline could not be read.
#[derive(Debug, Error)]
#[error("the baseline {path}: {why}")]
pub struct BaselineError {
    path: String,
    why: String,
}

/// Reads the baseline of an earlier JSON report.
///
/// # Errors
/// On one line, when the file cannot be read, is longer than 256 MiB, is no report, or one of another version.
pub fn baseline(path: &Path) -> Result<Baseline, BaselineError> {
    read(path).map_err(|why| BaselineError { path: one_line(&path.display().to_string()), why })
}

#[derive(Deserialize)]
struct Head {
    schema: Option<serde_json::Value>,
    findings: Option<Vec<Known>>,
    #[serde(default)]
    threats: Vec<KnownThreat>,
}

#[derive(Deserialize)]
struct KnownThreat {
    status: Status,
    fingerprint: String,
}

#[derive(Deserialize)]
struct Known {
    verdict: Verdict,
    fingerprint: String,
}

fn read(path: &Path) -> Result<Baseline, String> {
    let file = File::open(path).map_err(|e| one_line(&e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| one_line(&e.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {} MiB; is it a report of `-f json`?", LONGEST >> 20));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Baseline, String> {
    let head: Head = serde_json::from_slice(bytes).map_err(|e| {
        format!("it is no JSON report ({}); write one by `seaworthy audit -f json`", one_line(&e.to_string()))
    })?;
    let (Some(schema), Some(findings)) = (head.schema, head.findings) else {
        return Err("it is JSON but no report of Seaworthy; write one by `seaworthy audit -f json`".to_owned());
    };
    if !schema.as_u64().is_some_and(|s| READ.contains(&s)) {
        let schema = crate::clean::shown(&schema, 20);
        return Err(format!("it has the schema {schema}, this version reads {SCHEMA}; write it anew"));
    }
    let mut known: HashMap<String, Verdict> = HashMap::new();
    for finding in findings {
        if matches!(finding.verdict, Verdict::Fail | Verdict::Unknown | Verdict::Manual) {
            let entry = known.entry(finding.fingerprint).or_insert(finding.verdict);
            *entry = Verdict::over([*entry, finding.verdict]);
        }
    }
    let mut threats: HashMap<String, Status> = HashMap::new();
    for threat in head.threats {
        let entry = threats.entry(threat.fingerprint).or_insert(threat.status);
        *entry = threat.status.min(*entry);
    }
    Ok(Baseline { known, threats })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_new() {
        let report = br#"{"schema":1,"other":[{}],"findings":[
            {"verdict":"fail","fingerprint":"a","x":1},{"verdict":"pass","fingerprint":"b"},
            {"verdict":"unknown","fingerprint":"c"}]}"#;
        let baseline = parse(report).unwrap();
        assert!(baseline.contains("a") && !baseline.contains("b") && baseline.contains("c"));
        assert!(baseline.covers("a", Verdict::Fail) && baseline.covers("a", Verdict::Unknown));
        assert!(!baseline.covers("c", Verdict::Fail) && baseline.covers("c", Verdict::Unknown));
        assert_eq!((baseline.len(), baseline.is_empty()), (2, false));
    }

    #[test]
    fn errors_are_one_line() {
        for bad in [
            "",
            "{",
            "[]",
            "{}",
            "\x1b[2J",
            r#"{"schema":3,"findings":[]}"#,
            r#"{"schema":1,"findings":[{}]}"#,
            r#"{"schema":"\u001b\n","findings":[]}"#,
        ] {
            let why = parse(bad.as_bytes()).unwrap_err();
            assert!(!why.contains(['\n', '\x1b']), "{why:?}");
        }
        let missing = baseline(Path::new("/nowhere/\x1b.json")).unwrap_err().to_string();
        assert!(missing.starts_with("the baseline /nowhere/\\u{1b}.json: "), "{missing}");
        let deep = "[".repeat(1 << 20);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
