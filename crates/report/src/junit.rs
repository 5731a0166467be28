//! JUnit XML, for the test views of CI: a suite per section of the benchmark, a case per control and component.
//!
//! Written directly: what is known of a case goes out before the next is looked at, and every text is made harmless
//! on its way, which XML asks for anyway (it has no escape for control characters).

use std::collections::BTreeMap;
use std::io::{self, Write};

use seaworthy_core::audit::Audit;
use seaworthy_core::verdict::Verdict;

use crate::clean::{bounded, one_line, shown, value};
use crate::words;

/// The most characters of a name.
const NAME: usize = 300;

/// One case: what a control, or a check beyond the benchmark, says of one component.
struct Case {
    class: String,
    findings: Vec<usize>,
    outcome: Outcome,
}

/// What a case counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Error,
    Skipped,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// Writes every finding.
pub fn render(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    let suites = suites(audit);
    let ids: Vec<&str> = audit.shown().map(|benchmark| benchmark.id.as_str()).collect();
    let all = || suites.iter().flat_map(|s| &s.cases);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"seaworthy {}\"{}>", xml(&ids.join(" ")), totals(all()))?;
    for suite in &suites {
        let name = xml(&suite.name);
        writeln!(out, "  <testsuite name=\"{name}\"{}>", totals(suite.cases.iter()))?;
        for case in &suite.cases {
            write(audit, case, out)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn totals<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0usize, 0usize, 0usize, 0usize);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Failed => failures += 1,
            Outcome::Error => errors += 1,
            Outcome::Skipped => skipped += 1,
        }
    }
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn suites(audit: &Audit<'_>) -> Vec<Suite> {
    let controls = audit.controls();
    let mut out = Vec::new();
    for (benchmark, section, controls) in words::sections(audit, &controls) {
        let name = section.map_or_else(|| "Other controls".to_owned(), |s| format!("{} {}", s.id, s.title));
        let cases = controls.into_iter().flat_map(|control| {
            let class = format!("{} {}", control.control.id, control.control.title);
            cases(audit, &class, &control.findings)
        });
        out.push(Suite { name: format!("{}: {name}", benchmark.title), cases: cases.collect() });
    }
    let mut by_check: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in words::beyond(audit) {
        by_check.entry(audit.findings[i].check).or_default().push(i);
    }
    if !by_check.is_empty() {
        let cases = by_check.iter().flat_map(|(check, findings)| {
            let check = &audit.checks[*check];
            cases(audit, &format!("{} {}", check.id, check.title), findings)
        });
        out.push(Suite { name: "Beyond the benchmark".to_owned(), cases: cases.collect() });
    }
    out
}

/// A case for each component; one that is skipped where there is none, so that no control vanishes from sight.
fn cases(audit: &Audit<'_>, class: &str, findings: &[usize]) -> Vec<Case> {
    if findings.is_empty() {
        return vec![Case { class: class.to_owned(), findings: Vec::new(), outcome: Outcome::Skipped }];
    }
    let mut by_component: BTreeMap<(usize, Option<usize>, &str), Vec<usize>> = BTreeMap::new();
    for i in findings {
        let finding = &audit.findings[*i];
        // Lists that could not be read are told apart by their kind.
        let about = if finding.component.is_none() { audit.check(finding).about.as_str() } else { "" };
        by_component.entry((finding.target, finding.component, about)).or_default().push(*i);
    }
    let case = |findings: Vec<usize>| Case { class: class.to_owned(), outcome: outcome(audit, &findings), findings };
    by_component.into_values().map(case).collect()
}

fn outcome(audit: &Audit<'_>, findings: &[usize]) -> Outcome {
    let verdict = Verdict::over(findings.iter().map(|i| counted(audit, *i)));
    match verdict {
        Verdict::Pass => Outcome::Passed,
        Verdict::Fail => Outcome::Failed,
        Verdict::Unknown => Outcome::Error,
        Verdict::Manual | Verdict::NotApplicable => Outcome::Skipped,
    }
}

/// A finding's verdict in a case: what somebody accepted is skipped, as what is for a person to judge.
fn counted(audit: &Audit<'_>, i: usize) -> Verdict {
    match (audit.findings[i].judgement.verdict, audit.waived[i]) {
        (Verdict::Fail, Some(_)) => Verdict::Manual,
        (verdict, _) => verdict,
    }
}

fn write(audit: &Audit<'_>, case: &Case, out: &mut dyn Write) -> io::Result<()> {
    let name = case.findings.first().map_or_else(
        || "(no component)".to_owned(),
        |i| {
            let finding = &audit.findings[*i];
            let kind = words::kind(&audit.check(finding).about);
            format!("{kind} {}", bounded(&words::component(audit, finding), NAME))
        },
    );
    write!(out, "    <testcase classname=\"{}\" name=\"{}\"", xml(&case.class), xml(&name))?;
    let (tag, verdict) = match case.outcome {
        Outcome::Passed => return writeln!(out, "/>"),
        Outcome::Failed => ("failure", Some(Verdict::Fail)),
        Outcome::Error => ("error", Some(Verdict::Unknown)),
        Outcome::Skipped => ("skipped", None),
    };
    writeln!(out, ">")?;
    // What decided the case: of the outcome's verdict, or of any where it is skipped.
    let decided = case.findings.iter().copied();
    let decided: Vec<usize> = decided.filter(|i| verdict.is_none_or(|v| counted(audit, *i) == v)).collect();
    let message = decided.first().map_or_else(|| "nothing of this kind was judged".to_owned(), |i| message(audit, *i));
    let kind = decided.first().map_or("not-applicable", |i| audit.findings[*i].judgement.verdict.word());
    let kind = if tag == "skipped" { String::new() } else { format!(" type=\"{kind}\"") };
    write!(out, "      <{tag} message=\"{}\"{kind}", xml(&message))?;
    if tag == "skipped" {
        writeln!(out, "/>")?;
    } else {
        writeln!(out, ">")?;
        for i in decided {
            body(audit, i, out)?;
        }
        writeln!(out, "</{tag}>")?;
    }
    writeln!(out, "    </testcase>")
}

/// `fail: Containers are not privileged`, with the reason or the waiver.
fn message(audit: &Audit<'_>, i: usize) -> String {
    let finding = &audit.findings[i];
    let check = audit.check(finding);
    let mut text = format!("{}: {}", finding.judgement.verdict.word(), check.title);
    if let Some(reason) = &finding.judgement.reason {
        text.push_str(&format!(": {reason}"));
    }
    if let Some(waiver) = audit.waived[i].map(|w| &audit.waivers[w]) {
        let (owner, until) = (&waiver.owner, &waiver.expires);
        text.push_str(&format!(" (accepted by {owner} until {until}: {})", waiver.reason));
    }
    text
}

/// The facts with their sources, and the fix.
fn body(audit: &Audit<'_>, i: usize, out: &mut dyn Write) -> io::Result<()> {
    let finding = &audit.findings[i];
    let check = audit.check(finding);
    for (name, fact) in audit.facts(finding) {
        let (value, source) = (value(&fact.value), shown(&fact.source, 200));
        writeln!(out, "{name} = {} ({})", xml(&value), xml(&source))?;
    }
    writeln!(out, "Fix ({}): {}", check.remedy.safety.word(), xml(&check.remedy.fix))?;
    writeln!(out, "{} · seaworthy explain {}", check.severity.word(), xml(&check.id))
}

/// A text for an attribute or an element, on one line.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{rendered, usual, waiver};
    use crate::{Format, Options, View};

    #[test]
    fn cases_of_every_outcome() {
        let mut world = usual();
        world.waivers = vec![waiver("docker/container/memory", "api")];
        insta::assert_snapshot!(rendered(Format::Junit, View::Audit, &world, &Options::default()));
    }

    #[test]
    fn xml_holds_no_control() {
        assert_eq!(xml("<a b=\"'&\x1b\u{ffff}\n"), "&lt;a b=&quot;&apos;&amp;\\u{1b}\u{fffd}\\n");
    }
}
