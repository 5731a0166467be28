//! Every row of the threats to Docker hosts, DM01 to DM25, on real engines: open on a careless host, answered on a
//! hardened one, undetermined where the fact that decides is out of reach; and each time the report names that fact.

mod beds;
mod machine;
mod report;
mod table;

use std::collections::BTreeSet;

use beds::Hosts;
use table::ROWS;

#[test]
fn every_row_is_told_three_ways_by_the_fact_that_decides() {
    let Some(hosts) = Hosts::prepare() else { return };
    let wrong: Vec<String> = ROWS.iter().filter_map(|told| hosts.report(told.place).wrong(told)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_every_row_in_every_state() {
    let told: BTreeSet<(&str, &str)> = ROWS.iter().map(|told| (told.row, told.status)).collect();
    let all = (1..=25).flat_map(|n| ["open", "answered", "undetermined"].map(|status| (format!("DM{n:02}"), status)));
    let missing: Vec<_> = all.filter(|(row, status)| !told.contains(&(row.as_str(), *status))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
