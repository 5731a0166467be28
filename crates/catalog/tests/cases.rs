//! Every check's Cases, executed.

use seaworthy_catalog::{Catalog, case_component};
use seaworthy_core::check::Check;
use seaworthy_core::judge::judge;

#[test]
fn every_case_gives_its_verdict() {
    let catalog = Catalog::embedded();
    let mut wrong = Vec::new();
    for check in &catalog.checks {
        for case in &check.cases {
            let component = case_component(check, case).expect("the loader has read it");
            let verdict = judge(check, &component).map(|j| (j.verdict, j.reason));
            match verdict {
                Some((verdict, _)) if verdict == case.verdict => {}
                other => {
                    wrong.push(format!("{}:{}: {} expected, got {other:?}", check.file, case.line, case.verdict.word()))
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_answer_rests_on_a_defect_of_a_check() {
    for check in &Catalog::embedded().checks {
        for case in &check.cases {
            let component = case_component(check, case).expect("the loader has read it");
            let reason = judge(check, &component).and_then(|j| j.reason).unwrap_or_default();
            assert!(!reason.contains("defect of the check"), "{}:{}", check.file, case.line);
        }
    }
}

#[test]
fn what_judging_unpacks_is_the_same_catalogue_without_what_it_does_not_need() {
    let (whole, judging) = (Catalog::embedded(), Catalog::for_judging());
    assert!(
        whole.checks.iter().all(|check| check.cases.len() > 1 || check.require.is_none()),
        "a check lost its cases"
    );
    assert!(
        !whole.threats.is_empty() && !whole.steps.is_empty() && judging.threats.is_empty() && judging.steps.is_empty()
    );
    let without = |check: &Check| Check { cases: Vec::new(), ..check.clone() };
    let shown = |checks: &mut dyn Iterator<Item = Check>| checks.map(|check| format!("{check:?}")).collect::<Vec<_>>();
    assert_eq!(shown(&mut whole.checks.iter().map(without)), shown(&mut judging.checks.iter().cloned()));
    assert_eq!(format!("{:?}", whole.benchmarks), format!("{:?}", judging.benchmarks));
    assert_eq!(format!("{:?}", whole.flaws), format!("{:?}", judging.flaws));
}
