//! Every check's Cases, executed.

use seaworthy_catalog::{Catalog, case_component};
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
