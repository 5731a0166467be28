//! What holds of every plan, whatever was asked for.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use seaworthy_core::judge::Finding;
use seaworthy_core::plan::{Action, Plan};
use seaworthy_core::remedy::Safety;
use seaworthy_core::verdict::Verdict;

use super::{Ask, Host};

/// Values that let most of the edits be resolved.
const SET: &[&str] = &["*:cpus=0.5", "*:user=10001:10001", "*:network=shop", "*:tmpfs=/tmp"];

/// What a change touches: no two changes of a plan touch the same.
fn touches(action: &Action) -> Vec<String> {
    match action {
        Action::Rights(r) => vec![format!("rights {}", r.path)],
        Action::DropIn(d) => vec![format!("unit {}", d.unit)],
        Action::Update(u) => vec![format!("update {}", u.container.name)],
        Action::Recreate(r) => vec![format!("anew {}", r.container.name)],
        Action::LeaveGroup(l) => vec![format!("group {} {}", l.group, l.user)],
        other => vec![other.word().replace("reload", "activate").replace("restart", "activate")],
    }
}

fn rank(action: &Action) -> usize {
    match action {
        Action::Rights(_) | Action::DropIn(_) => 0,
        Action::Audit(_) | Action::ProfileEnv(_) | Action::Sshd(_) | Action::LeaveGroup(_) | Action::Swarm(_) => 1,
        Action::DaemonJson(_) => 2,
        Action::Activate(_) => 3,
        Action::Update(_) => 4,
        Action::Recreate(_) => 5,
    }
}

fn holds(plan: &Plan, wanted: &BTreeSet<String>) {
    let text = serde_json::to_string_pretty(plan).unwrap();
    assert_eq!(&Plan::parse(text.as_bytes()).unwrap(), plan, "it reads back as it was");
    let all: Vec<String> = plan.changes.iter().flat_map(|c| touches(&c.action)).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "two changes touch the same: {all:?}");
    assert!(plan.changes.is_sorted_by_key(|c| rank(&c.action)), "the order");
    for change in &plan.changes {
        assert!(!change.closes.is_empty(), "{} closes nothing", change.title);
        assert_ne!(change.safety, Safety::Manual, "{}", change.title);
        match &change.action {
            Action::Rights(r) => assert_ne!(r.before, r.after, "{}", change.title),
            Action::Update(u) => assert!(!u.set.is_empty()),
            Action::Recreate(r) => {
                for set in &r.set {
                    assert!(!set.add.is_empty() || !set.remove.is_empty());
                    assert!(set.add.iter().all(|a| !set.remove.contains(a)), "{set:?}");
                    assert!(set.add.iter().chain(&set.remove).all(|v| v != "proposed"), "{set:?}");
                }
            }
            _ => {}
        }
    }
    // Every finding that was asked for has one answer.
    let mut answered: Vec<(&str, &str)> = Vec::new();
    answered.extend(plan.expects.iter().map(|e| (e.finding.fingerprint.as_str(), e.finding.check.as_str())));
    answered.extend(plan.by_hand.iter().map(|h| (h.finding.fingerprint.as_str(), h.finding.check.as_str())));
    answered.extend(plan.left_out.iter().map(|l| (l.finding.fingerprint.as_str(), l.finding.check.as_str())));
    let once: BTreeSet<&str> = answered.iter().map(|(f, _)| *f).collect();
    assert_eq!(once.len(), answered.len(), "a finding is answered twice");
    let fingerprints: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    assert_eq!(once, fingerprints, "a finding is lost or was not asked for");
    for change in &plan.changes {
        for closed in &change.closes {
            assert!(plan.expects.iter().any(|e| e.finding == *closed), "{closed:?} is closed and not expected");
        }
    }
    assert!(!text.contains("Tr0ub4dor") && !text.contains("cor-rect-horse"), "a secret is in the plan");
}

#[test]
fn every_plan_is_whole_ordered_and_the_same_again() {
    let host = Host::new();
    host.judged(|audit, model| {
        let fails = || audit.findings.iter().filter(|f| f.judgement.verdict == Verdict::Fail);
        let failing: BTreeSet<&str> = fails().map(|f| audit.check(f).id.as_str()).collect();
        let failing: Vec<&str> = failing.into_iter().collect();
        let picks = prop::collection::btree_set(0..failing.len(), 1..failing.len());
        let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
        let tried = TestRunner::new(config).run(&(picks, any::<bool>()), |(picks, recreate)| {
            let names: Vec<&str> = picks.iter().map(|p| failing[*p]).collect();
            let of = |f: &&Finding| names.contains(&audit.check(f).id.as_str());
            let wanted: BTreeSet<String> = fails().filter(of).map(|f| audit.fingerprint(f)).collect();
            // Values are refused where nothing asks for them.
            let asked = |set: &[&str]| {
                let ask = Ask { checks: &names, set, recreate, ..Ask::default() };
                host.plan_for(model, &ask)
            };
            let set: Vec<&str> = SET.iter().copied().filter(|s| asked(&[*s]).is_ok()).collect();
            let plan = asked(&set).unwrap();
            holds(&plan, &wanted);
            prop_assert_eq!(&asked(&set).unwrap(), &plan);
            Ok(())
        });
        tried.unwrap();
    });
}

#[test]
fn a_plan_of_everything_holds_too() {
    let host = Host::new();
    let (checks, wanted) = host.judged(|audit, _| {
        let fails = || audit.findings.iter().filter(|f| f.judgement.verdict == Verdict::Fail);
        let checks: BTreeSet<String> = fails().map(|f| audit.check(f).id.clone()).collect();
        let wanted: BTreeSet<String> = fails().map(|f| audit.fingerprint(f)).collect();
        (checks, wanted)
    });
    let names: Vec<&str> = checks.iter().map(String::as_str).collect();
    let plan = host.ask(&Ask { checks: &names, set: SET, recreate: true, accept: true, ..Ask::default() }).unwrap();
    holds(&plan, &wanted);
    let words: BTreeSet<&str> = super::words(&plan).into_iter().collect();
    for word in ["audit rules", "daemon.json", "restart", "update", "re-create"] {
        assert!(words.contains(word), "{words:?}");
    }
}

#[test]
fn safe_selects_nothing_that_is_not() {
    let plan = Host::new().ask(&Ask { safe: true, ..Ask::default() }).unwrap();
    assert!(!plan.changes.is_empty());
    assert_eq!(plan.safety(), Safety::Safe, "{:?}", super::words(&plan));
    assert_eq!(plan.interruption, seaworthy_core::plan::Interruption::default());
}

#[test]
fn threats_and_numbers_select_what_answers_them() {
    let host = Host::new();
    let by_threat =
        host.ask(&Ask { threats: &["docker/container/engine-socket-mounted"], recreate: true, ..Ask::default() });
    let threats: Vec<String> =
        host.catalog.threats.iter().map(|t| t.id.clone()).filter(|t| t.contains("socket")).collect();
    let plan = by_threat.unwrap_or_else(|e| panic!("{e}; there are {threats:?}"));
    assert!(plan.expects.iter().any(|e| e.finding.check == "docker/container/no-runtime-socket"), "{threats:?}");
    let (first, findings) = host.judged(|audit, model| {
        let closes: BTreeSet<String> =
            model.priorities[0].closes.iter().map(|f| audit.fingerprint(&audit.findings[*f])).collect();
        (model.priorities.len(), closes)
    });
    let plan = host.ask(&Ask { numbers: &[1], recreate: true, ..Ask::default() }).unwrap();
    let expects: BTreeSet<String> = plan.expects.iter().map(|e| e.finding.fingerprint.clone()).collect();
    assert_eq!(expects, findings);
    let beyond = [first + 1];
    let none = host.ask(&Ask { numbers: &beyond, ..Ask::default() }).unwrap_err();
    assert!(none.to_string().contains(&format!("1 to {first}")), "{none}");
}
