//! `docs/threats.md`: every threat by surface and letter with its story, the matrix, and the lists that are covered.

use std::fmt::Write as _;

use seaworthy_catalog::Catalog;
use seaworthy_core::threat::{Row, Stride, Surface, Threat, matrix_kinds};

use super::markdown::{Table, code, text};

/// The page.
pub fn page(catalog: &Catalog) -> String {
    let mut out = String::from("# Threats\n\n");
    let _ = writeln!(
        out,
        "{} threats to a Docker host. Each is judged on every component or flow of the kind that it is about, from the \
         verdicts of the checks that answer it: `open`, `undetermined`, `accepted` or `answered`. `seaworthy explain ID` \
         prints one.\n",
        catalog.threats.len()
    );
    out.push_str(
        "## The matrix\n\nHow many threats are about each kind, by letter. Blank cells have their reasons below.\n\n",
    );
    matrix(catalog, &mut out);
    out.push_str("\n### Why cells are blank\n\n");
    let mut table = Table::new(&["kind", "letter", "reason"]);
    for blank in &catalog.blanks {
        table.row(&[code(&blank.kind), text(blank.letter.word()), text(&blank.reason)]);
    }
    out.push_str(&table.finish());
    out.push_str("\n### Checks that answer no threat\n\n");
    let mut table = Table::new(&["check", "reason"]);
    for alone in &catalog.alone {
        table.row(&[code(&alone.check), text(&alone.reason)]);
    }
    out.push_str(&table.finish());
    for surface in Surface::ALL {
        of_surface(catalog, surface, &mut out);
    }
    lists(catalog, &mut out);
    out
}

fn matrix(catalog: &Catalog, out: &mut String) {
    let heads: Vec<String> = Stride::ALL.iter().map(|l| format!("{} {}", l.letter(), l.word())).collect();
    let mut columns = vec!["kind"];
    columns.extend(heads.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    for kind in matrix_kinds() {
        let mut row = vec![code(kind)];
        row.extend(Stride::ALL.map(|letter| match catalog.threats.iter().filter(|t| t.fills(kind, letter)).count() {
            0 => String::new(),
            filled => filled.to_string(),
        }));
        table.row(&row);
    }
    out.push_str(&table.finish());
}

fn of_surface(catalog: &Catalog, surface: Surface, out: &mut String) {
    let threats: Vec<&Threat> = catalog.threats.iter().filter(|t| t.surface == surface).collect();
    let _ = writeln!(out, "\n## {}\n", surface.title());
    let mut table = Table::new(&["letter", "threats"]);
    for letter in Stride::ALL {
        let links: Vec<String> = threats.iter().filter(|t| t.stride.contains(&letter)).map(|t| link(t)).collect();
        table.row(&[format!("{} {}", letter.letter(), letter.word()), links.join(", ")]);
    }
    out.push_str(&table.finish());
    for threat in threats {
        one(threat, out);
    }
}

fn one(threat: &Threat, out: &mut String) {
    let _ = writeln!(out, "\n### {}\n\n{}\n", code(&threat.id), text(&threat.title));
    let letters: Vec<&str> = threat.stride.iter().map(|l| l.word()).collect();
    let mut facts = vec![("letters", letters.join(", ")), ("about", code(&threat.about))];
    facts.extend(threat.flow.map(|flow| ("each", format!("flow of kind {}", code(flow.word())))));
    facts.extend(threat.crosses.as_deref().map(|crosses| ("crosses", code(crosses))));
    facts.extend(threat.when.as_ref().map(|when| ("when", code(&when.text))));
    facts.push(("answered by", code(&threat.answered.to_string())));
    facts.push(("lost", threat.loses.title().to_owned()));
    for (name, ids) in [("ATT&CK", &threat.attack), ("covers", &threat.covers)] {
        if !ids.is_empty() {
            facts.push((name, ids.join(", ")));
        }
    }
    for (name, value) in facts {
        let _ = writeln!(out, "- {name}: {value}");
    }
    let story = &threat.story;
    for (name, part) in [
        ("Who", &story.who),
        ("How", &story.how),
        ("Lost", &story.lost),
        ("Answer", &story.answer),
        ("Remains", &story.remains),
    ] {
        let _ = writeln!(out, "\n**{name}.** {part}");
    }
}

/// Which threats cover the rows of the lists.
fn lists(catalog: &Catalog, out: &mut String) {
    out.push_str("\n## The lists that are covered\n\n");
    let mut table = Table::new(&["row", "letters", "threats"]);
    for Row { id, letters, .. } in &catalog.rows {
        let letters: String = letters.iter().map(|l| l.letter()).collect();
        let links: Vec<String> = catalog.threats.iter().filter(|t| t.covers.contains(id)).map(link).collect();
        table.row(&[id.clone(), letters, links.join(", ")]);
    }
    out.push_str(&table.finish());
}

/// A link to a threat on this page.
fn link(threat: &Threat) -> String {
    let anchor: String = threat.id.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
    format!("[{}](#{anchor})", code(&threat.id))
}

#[cfg(test)]
mod tests {
    use super::super::markdown::{anchors, links};

    #[test]
    fn every_threat_and_row_is_there_and_every_link_leads_to_one() {
        let catalog = super::super::load(&crate::root()).unwrap();
        let page = super::page(&catalog);
        let anchors = anchors(&page);
        for link in links(&page) {
            let anchor = link.strip_prefix('#').filter(|a| anchors.contains(&(*a).to_owned()));
            assert!(anchor.is_some(), "{link}");
        }
        let own = |id: &str| format!("\n### `{id}`\n");
        assert!(catalog.threats.iter().all(|t| page.matches(&own(&t.id)).count() == 1));
        assert!(catalog.rows.iter().all(|r| page.contains(&format!("\n| {} | ", r.id))));
    }
}
