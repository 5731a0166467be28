//! What a disk has changed or forgotten of a transaction: said, and nothing undone by what nobody wrote.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use seaworthy_bed::{Spec, Version};

use crate::bed::{Bed, chmod, is};

struct Case {
    bed: Bed,
    plan: PathBuf,
}

impl Case {
    fn start() -> Option<Self> {
        let bed = Bed::start(Version::V20, Spec::default())?;
        chmod(&bed.daemon.daemon_json(), 0o666);
        let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
        Some(Self { bed, plan })
    }

    /// The id of the newest transaction.
    fn newest(&self) -> String {
        let (_, status) = self.bed.status();
        let all = status["transactions"].as_array().unwrap();
        all.last().unwrap()["transaction"].as_str().unwrap().to_owned()
    }

    fn journal(&self, id: &str) -> PathBuf {
        self.bed.state.join("tx").join(id).join("journal")
    }

    fn line(&self, id: &str) -> (String, String) {
        let history = self.bed.harden(&["history", "-f", "json"]).ended(0).json();
        let of = history["transactions"].as_array().unwrap().iter().find(|t| t["transaction"] == id).unwrap();
        let text = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("line"))
    }
}

/// A bit of the line that announces a change.
fn flip(journal: &[u8]) -> Vec<u8> {
    let mut damaged = journal.to_vec();
    let text = String::from_utf8(journal.to_vec()).unwrap();
    let at = text.find("\"event\":\"intent\"").unwrap() + 40;
    damaged[at] ^= 1;
    damaged
}

#[test]
fn a_confirmed_one_stays_and_keeps_nothing_else_from_being_done() {
    let Some(case) = Case::start() else { return };
    let bed = &case.bed;
    bed.apply(&case.plan, &["--confirm-within", "0"]).ended(0);
    let id = case.newest();
    let (path, whole) = (case.journal(&id), fs::read(case.journal(&id)).unwrap());
    let after = is(&bed.daemon.daemon_json());
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    let last = path.with_file_name("last");
    let sum = fs::read(&last).unwrap();
    let damages: [(&str, Vec<u8>, bool); 6] = [
        ("is damaged", flip(&whole), true),
        ("is damaged", lines[1..].concat(), true),
        ("last lines are lost", lines[..lines.len() - 1].concat(), true),
        // As a journal alone shows it, where the sum beside it never came to the disk.
        ("last lines are lost", lines[..3].concat(), false),
        ("last lines are lost", Vec::new(), false),
        ("last lines are lost", Vec::new(), true),
    ];
    for (why, damaged, is_beside) in damages {
        fs::write(&path, damaged).unwrap();
        let _ = if is_beside { fs::write(&last, &sum) } else { fs::remove_file(&last) };
        let (state, line) = case.line(&id);
        assert!(state == "damaged" && line.contains("confirmed, and in force") && line.contains(why), "{line}");
        assert_eq!(bed.status().0, Some(0));
        let back = bed.harden(&["rollback", &id]);
        back.failed_with(why).failed_with("nothing is taken back");
        assert!(back.err.contains("plan.json") && back.err.contains("keep"), "{back:?}");
        assert_eq!(is(&bed.daemon.daemon_json()), after, "{why}");
    }
    // Others go on: applied, guarded, taken back.
    chmod(&bed.daemon.daemon_json(), 0o646);
    let plan = bed.plan("second.json", &["--check", "daemon-json-mode"]);
    bed.apply(&plan, &["--confirm-within", "1h"]).ended(0);
    assert_eq!(bed.status().0, Some(7));
    bed.harden(&["rollback"]).ended(0);
    assert_eq!(is(&bed.daemon.daemon_json()).unwrap().2, 0o646);
    // Whole again, it can be taken back; what others have set since is theirs.
    fs::write(&path, whole).unwrap();
    let back = bed.harden(&["rollback", &id]);
    assert!(back.ended(6).out.contains("others have changed since"), "{back:?}");
}

#[test]
fn an_open_one_is_told_and_nothing_is_begun_over_it() {
    let Some(case) = Case::start() else { return };
    let bed = &case.bed;
    bed.apply(&case.plan, &["--confirm-within", "1h"]).ended(0);
    let id = case.newest();
    let whole = fs::read(case.journal(&id)).unwrap();
    bed.kill_guards();
    // Cut off behind a line, it would say that nothing was done yet.
    let begin = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    fs::write(case.journal(&id), &whole[..begin]).unwrap();
    let (code, status) = bed.status();
    assert_eq!((code, &status["transactions"][0]["state"]), (Some(6), &Value::from("damaged")), "{status}");
    fs::write(case.journal(&id), flip(&whole)).unwrap();
    let after = is(&bed.daemon.daemon_json());
    let (code, status) = bed.status();
    let told: &Value = &status["transactions"][0];
    assert_eq!((code, &told["state"]), (Some(6), &Value::from("damaged")), "{status}");
    assert!(told["line"].as_str().unwrap().contains("what it has changed is not known"), "{status}");
    for arguments in [&["rollback", &*id][..], &["confirm", &id]] {
        bed.harden(arguments).failed_with("is damaged");
    }
    let second = bed.apply(&case.plan, &[]);
    assert_eq!(second.code, Some(4), "{second:?}");
    assert!(second.err.contains("cannot be told") && second.err.contains(&id), "{second:?}");
    assert_eq!(is(&bed.daemon.daemon_json()), after);
    // As it is told: out of the way, once somebody has looked.
    fs::rename(bed.state.join("tx").join(&id), bed.sea.dir().join("looked-at")).unwrap();
    assert_eq!(bed.status().0, Some(0));
    // And whole again, where the disk was.
    fs::rename(bed.sea.dir().join("looked-at"), bed.state.join("tx").join(&id)).unwrap();
    fs::write(case.journal(&id), whole).unwrap();
    assert_eq!(bed.status().0, Some(7));
    bed.harden(&["rollback"]).ended(0);
    assert_eq!(is(&bed.daemon.daemon_json()).unwrap().2, 0o666);
}

#[test]
fn a_plan_or_a_copy_that_was_changed_undoes_nothing() {
    let spec = Spec { daemon_json: Some("{\n  \"debug\": true\n}\n".into()), ..Spec::default() };
    let Some(bed) = Bed::start(Version::V20, spec) else { return };
    let plan = bed.plan("plan.json", &["--check", "debug-off"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let case = Case { bed, plan };
    let (bed, id) = (&case.bed, case.newest());
    let after = is(&bed.daemon.daemon_json());
    let kept = bed.state.join("tx").join(&id).join("plan.json");
    let whole = fs::read_to_string(&kept).unwrap();
    let edited = whole.replace("daemon.json\"", "other.json\"");
    assert_ne!(edited, whole);
    fs::write(&kept, edited).unwrap();
    bed.harden(&["rollback", &id]).failed_with("it was changed after it was made");
    assert_eq!(is(&bed.daemon.daemon_json()), after);
    fs::write(&kept, whole).unwrap();
    bed.harden(&["rollback", &id]).ended(0);
    assert!(fs::read_to_string(bed.daemon.daemon_json()).unwrap().contains("\"debug\": true"));
}
