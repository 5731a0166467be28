//! What fuzzing feeds and what it ever found, as an ordinary test.

#[path = "../../../fuzz/targets/kept.rs"]
mod kept;
#[path = "../../../fuzz/targets/whole.rs"]
mod targets;

#[test]
fn seeds_and_kept_cases_pass() {
    kept::run(targets::ALL);
}
