//! `docs/flaws.md`: the dated table of known flaws.

use std::fmt::Write as _;

use seaworthy_core::flaw::{FlawTable, TABLE_VALID_DAYS};

use super::markdown::{Table, text};

/// The page.
pub fn page(table: &FlawTable) -> String {
    let mut out = String::from("# Known flaws of versions\n\n");
    let _ = writeln!(
        out,
        "Flaws of the engine, containerd, runc and the kernel by which a container, an image or a client gets more than it \
         should. The table is dated {}: a pass says that nothing was known up to that day, and {TABLE_VALID_DAYS} days \
         later the answer is unknown instead of a pass. A package of a distribution carries repairs under old version \
         numbers; there the package's own version decides.\n",
        text(&table.dated)
    );
    let mut rows = Table::new(&["flaw", "of", "since", "repaired in", "packages", "what an attacker gains"]);
    for flaw in &table.flaws {
        let package = |p: &seaworthy_core::flaw::PackageFix| {
            format!("{} {}: {} {}", text(&p.distribution), text(&p.release), text(&p.package), text(&p.fixed))
        };
        let packages: Vec<String> = flaw.packages.iter().map(package).collect();
        let row = [
            text(&flaw.id),
            text(&flaw.component),
            text(flaw.since.as_deref().unwrap_or("")),
            text(&flaw.fixed.join(", ")),
            packages.join("; "),
            text(&flaw.means),
        ];
        rows.row(&row);
    }
    out.push_str(&rows.finish());
    out
}
