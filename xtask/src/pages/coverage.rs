//! `docs/coverage.md`: findings that people quote by an id of some version, and what answers each.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use seaworthy_catalog::Catalog;

use super::checks::link;
use super::markdown::{Table, text};

/// Findings with the ids by which they are quoted; what answers each is looked up.
const QUOTED: [(&str, &[&str]); 13] = [
    (
        "audit rules for Docker's directories and files",
        &["1.2.4@1.2.0", "1.2.5@1.2.0", "1.2.6@1.2.0", "1.2.8@1.2.0", "1.2.9@1.2.0"],
    ),
    ("traffic between containers on the default bridge", &["2.1@1.2.0", "2.2@1.8.0"]),
    ("no-new-privileges for the daemon", &["2.17b@1.2.0", "2.15@1.8.0"]),
    ("userland proxy", &["2.14@1.2.0", "2.17@1.8.0"]),
    ("owner and mode of docker.sock", &["3.15@1.8.0", "3.16@1.8.0"]),
    ("owner and mode of daemon.json", &["3.17@1.8.0", "3.18@1.8.0"]),
    ("content trust", &["4.5@1.8.0"]),
    ("memory limit", &["5.10@1.2.0", "5.11@1.8.0"]),
    ("restart policy", &["5.14@1.2.0", "5.15@1.8.0"]),
    ("exec with more privileges", &["5.22@1.2.0", "5.23@1.8.0"]),
    ("SSH servers in containers", &["5.6@1.2.0", "5.7@1.8.0"]),
    ("privileges gained later", &["5.25@1.2.0", "5.26@1.8.0"]),
    ("privileged containers", &["5.4@1.2.0", "5.5@1.8.0"]),
];

/// The page.
///
/// # Errors
/// When an id is in no benchmark, or nothing answers it.
pub fn page(catalog: &Catalog) -> Result<String> {
    let mut out = String::from("# What answers the findings that people quote\n\n");
    let _ = writeln!(
        out,
        "Ids of the CIS Docker Benchmark move from version to version; `5.31@1.2.0` is 5.31 of version 1.2.0. All of them: \
         [ids through the versions](benchmarks/cis-docker-versions.md).\n"
    );
    let mut table = Table::new(&["finding", "quoted as", "the good state", "answered by", "fix"]);
    for (finding, quoted) in QUOTED {
        let (mut titles, mut checks) = (Vec::new(), Vec::new());
        for id in quoted {
            let control = catalog.controls(id).first().copied().with_context(|| format!("no benchmark has {id}"))?;
            titles.push(text(&control.control.title));
            checks.extend(control.control.checks.iter().filter_map(|id| catalog.check(id)));
        }
        titles.dedup();
        checks.sort_by(|a, b| a.id.cmp(&b.id));
        checks.dedup_by(|a, b| a.id == b.id);
        let mut safeties: Vec<&str> = checks.iter().map(|check| check.remedy.safety.word()).collect();
        safeties.sort_unstable();
        safeties.dedup();
        let links: Vec<String> = checks.iter().map(|check| link(check, "../catalog/")).collect();
        let row = [finding.to_owned(), quoted.join(", "), titles.join("; "), links.join(" "), safeties.join(", ")];
        table.row(&row);
    }
    out.push_str(&table.finish());
    let legacy =
        catalog.check("docker/daemon/no-legacy-registry").context("the catalogue has no no-legacy-registry")?;
    let _ = writeln!(
        out,
        "\nThe legacy registry, which early versions ask about, is gone from present engines: {} says that it is not \
         applicable, and why.",
        link(legacy, "../catalog/")
    );
    Ok(out)
}
