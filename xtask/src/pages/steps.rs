//! `docs/steps.md`: what attackers can do, and the steps from one capability to the next.

use std::fmt::Write as _;

use seaworthy_catalog::Catalog;
use seaworthy_core::step::{CAPABILITIES, Step, capability};

use super::markdown::{Table, code, text};

/// The page.
pub fn page(catalog: &Catalog) -> String {
    let mut out = String::from("# Attack steps\n\n");
    let _ = writeln!(
        out,
        "{} steps. Each leads from a capability to another one, where what it asks of the host is read from it; paths are \
         made of them. `seaworthy explain ID` prints one.\n\n## Capabilities\n",
        catalog.steps.len()
    );
    let mut table = Table::new(&["capability", "held at", "means", ""]);
    for c in CAPABILITIES {
        let role = match (c.entry, c.jewel) {
            (true, Some(_)) => "attacks begin and end here",
            (true, None) => "attacks begin here",
            (false, Some(_)) => "attacks end here",
            (false, None) => "",
        };
        table.row(&[code(c.name), code(c.about), text(&c.means.replace("{}", "…")), role.to_owned()]);
    }
    out.push_str(&table.finish());
    out.push_str("\n## Steps\n\n");
    let mut table = Table::new(&["step", "from", "to", "over", "effort", "ATT&CK"]);
    for step in &catalog.steps {
        table.row(&[
            format!("[{}](#{})", code(&step.id), step.id),
            code(&step.from),
            code(&step.to),
            step.over.map(|flow| code(flow.word())).unwrap_or_default(),
            step.effort.to_string(),
            step.attack.clone(),
        ]);
    }
    out.push_str(&table.finish());
    for step in &catalog.steps {
        one(step, &mut out);
    }
    out
}

fn one(step: &Step, out: &mut String) {
    let end = |name: &str| {
        let kind = capability(name).and_then(|c| c.about.rsplit('.').next()).unwrap_or("?");
        format!("<{kind}>")
    };
    let title = step.title.replace("{from}", &end(&step.from)).replace("{to}", &end(&step.to));
    let _ = writeln!(out, "\n### {}\n\n{}\n", code(&step.id), text(&title));
    for (name, predicate) in [("when", &step.when), ("at", &step.at)] {
        if let Some(predicate) = predicate {
            let _ = writeln!(out, "- {name}: {}", code(&predicate.text));
        }
    }
    if let Some(assumed) = &step.assumes {
        let _ = writeln!(out, "- assumes: {}", text(assumed));
    }
    if !step.cut.is_empty() {
        let cut: Vec<String> = step.cut.iter().map(|id| code(id)).collect();
        let _ = writeln!(out, "- cut by: {}", cut.join(", "));
    }
    let _ = writeln!(out, "- source: {}\n\n{}", text(&step.source), step.story);
}

#[cfg(test)]
mod tests {
    use super::super::markdown::{anchors, links};
    use super::CAPABILITIES;

    #[test]
    fn every_step_is_there_and_every_link_leads_to_one() {
        let catalog = super::super::load(&crate::root()).unwrap();
        let page = super::page(&catalog);
        let anchors = anchors(&page);
        let dead: Vec<&str> = links(&page)
            .into_iter()
            .filter(|l| l.strip_prefix('#').is_some_and(|a| !anchors.contains(&a.to_owned())))
            .collect();
        assert_eq!(dead, Vec::<&str>::new());
        assert!(catalog.steps.iter().all(|s| page.contains(&format!("\n### `{}`\n", s.id))));
        assert!(CAPABILITIES.iter().all(|c| page.contains(&format!("\n| `{}` | ", c.name))));
    }
}
