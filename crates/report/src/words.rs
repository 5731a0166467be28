//! Words that several renderings share.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::{Audit, ControlResult};
use seaworthy_core::benchmark::{Benchmark, Section};
use seaworthy_core::check::Check;
use seaworthy_core::judge::Finding;
use seaworthy_core::kubernetes::{ONLY_A_CLUSTER, is_not_asked_for, is_outside_files};
use seaworthy_core::remedy::Edit;
use seaworthy_core::snapshot::{Gap, Target};
use seaworthy_core::step::{Counted, Forecast, Priority};
use seaworthy_core::verdict::Verdict;

use crate::clean::one_line;

/// Verdicts in the order in which counts and groups are shown.
pub const VERDICTS: [Verdict; 5] = Verdict::ALL;

/// A kind's short name: `container` for `docker.container`.
pub fn kind(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

/// `1 container`, `2 containers`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The same with thousands parted: `1,010 containers`.
pub fn many(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A number with its thousands parted: `60,000`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How many paths rest on what: `227 proven, 1,359 assumed, 62 possible`. Those that assume something are told apart
/// always, since nobody read what they assume.
pub fn paths(of: Counted) -> String {
    let Counted { proven, assumed, possible } = of;
    let [proven, assumed, possible] = [proven, assumed, possible].map(thousands);
    format!("{proven} proven, {assumed} assumed, {possible} possible")
}

/// What is forecast to be left: `12 threats open (31 instances), paths 4 proven, 90 assumed, 7 possible and more, 30
/// controls fail`.
pub fn forecast(of: &Forecast) -> String {
    let more = if of.more { " and more" } else { "" };
    let open = format!("{} open ({})", many(of.threats[0], "threat"), many(of.instances[0], "instance"));
    let paths =
        if of.paths.all() == 0 { "no path".to_owned() } else { format!("paths {}{more}", self::paths(of.paths)) };
    format!("{open}, {paths}, {} failing", many(of.controls[1], "control"))
}

/// The name of a finding's component, with its target's where there are several.
pub fn component(audit: &Audit<'_>, finding: &Finding) -> String {
    let name = audit.component_name(finding);
    if audit.snapshot.targets.len() > 1 {
        format!("{}/{name}", audit.snapshot.targets[finding.target].name)
    } else {
        name.to_owned()
    }
}

/// The command that plans a priority, by its place from 1; none where a person has to do all of it. Where not every check
/// was judged the places are others, and it is named by its checks.
pub fn planned(model: &Assessment<'_>, place: usize, priority: &Priority) -> Option<String> {
    let audit = model.audit;
    let mut checks: Vec<&Check> = priority.closes.iter().map(|i| audit.check(&audit.findings[*i])).collect();
    checks.sort_by_key(|c| &c.id);
    checks.dedup_by_key(|c| &c.id);
    let mut edits = checks.iter().flat_map(|c| &c.remedy.edits).peekable();
    edits.peek()?;
    let anew = if edits.any(|e| matches!(e, Edit::Recreate(_))) { " --recreate" } else { "" };
    let whole = audit.is_whole() && (0..audit.checks.len()).all(|i| audit.was_wanted(i));
    let what = if whole {
        place.to_string()
    } else {
        let ids: Vec<String> = checks.iter().map(|c| one_line(&c.id)).collect();
        format!("--check {}", ids.join(","))
    };
    Some(format!("seaworthy harden plan {what}{anew}"))
}

/// How many controls have each verdict, in the order of `VERDICTS`. A pass in part is no pass of the control.
pub fn counts<'a>(controls: impl IntoIterator<Item = &'a ControlResult<'a>>) -> [usize; 5] {
    let mut out = [0; 5];
    for control in controls {
        if control.in_part && matches!(control.verdict, Verdict::Pass | Verdict::NotApplicable) {
            continue;
        }
        if let Some(at) = VERDICTS.iter().position(|v| *v == control.verdict) {
            out[at] += 1;
        }
    }
    out
}

/// How many findings have each verdict, in the order of `VERDICTS`.
pub fn finding_counts(audit: &Audit<'_>) -> [usize; 5] {
    VERDICTS.map(|v| audit.count(v))
}

/// The benchmarks that are shown, as one title.
pub fn benchmarks(audit: &Audit<'_>) -> String {
    audit.shown().map(|benchmark| benchmark.title.as_str()).collect::<Vec<_>>().join(" and ")
}

/// The controls of each section of the benchmarks that are shown, in order; of each benchmark those of no section come
/// last, without one.
pub fn sections<'r, 'a>(
    audit: &Audit<'a>,
    controls: &'r [ControlResult<'a>],
) -> Vec<(&'a Benchmark, Option<&'a Section>, Vec<&'r ControlResult<'a>>)> {
    let of = |benchmark: &'a Benchmark| {
        let own = controls.iter().filter(move |c| std::ptr::eq(c.benchmark, benchmark));
        sections_of(benchmark, own).into_iter().map(move |(section, controls)| (benchmark, section, controls))
    };
    audit.shown().flat_map(of).collect()
}

fn sections_of<'r, 'a>(
    benchmark: &'a Benchmark,
    controls: impl Iterator<Item = &'r ControlResult<'a>>,
) -> Vec<(Option<&'a Section>, Vec<&'r ControlResult<'a>>)>
where
    'a: 'r,
{
    let sections = &benchmark.sections;
    let mut out: Vec<(Option<&Section>, Vec<&ControlResult<'_>>)> =
        sections.iter().map(|s| (Some(s), Vec::new())).chain([(None, Vec::new())]).collect();
    for control in controls {
        let under = |s: &&Section| control.control.id.strip_prefix(&s.id).is_some_and(|rest| rest.starts_with('.'));
        let longest = sections.iter().filter(under).max_by_key(|s| s.id.len());
        let at = longest.and_then(|l| sections.iter().position(|s| std::ptr::eq(s, l))).unwrap_or(sections.len());
        out[at].1.push(control);
    }
    out.retain(|(_, controls)| !controls.is_empty());
    out
}

/// The findings of checks that no control of the benchmark asks for, by position.
pub fn beyond(audit: &Audit<'_>) -> Vec<usize> {
    let beyond: Vec<bool> = audit.checks.iter().map(|c| audit.controls_of(&c.id).is_empty()).collect();
    (0..audit.findings.len()).filter(|i| beyond[audit.findings[*i].check]).collect()
}

/// Everything that could not be read, incomplete lists too, with the target.
pub fn gaps<'a>(audit: &Audit<'a>) -> Vec<(&'a Target, Gap)> {
    let mut out = Vec::new();
    for target in &audit.snapshot.targets {
        out.extend(target.gaps.iter().map(|g| (target, g.clone())));
        // What no file holds is one gap, not one for each kind.
        let (outside, lists): (Vec<_>, Vec<_>) = target.incomplete.iter().partition(|(_, why)| is_outside_files(why));
        // What was not asked for is one gap already.
        let lists = lists.into_iter().filter(|(_, why)| !is_not_asked_for(why));
        if !outside.is_empty() {
            let kinds: Vec<String> = outside.iter().map(|(name, _)| format!("{}s", kind(name))).collect();
            let (source, reason) = ("the cluster".to_owned(), ONLY_A_CLUSTER.to_owned());
            out.push((target, Gap { source, reason, affects: format!("checks of {}", kinds.join(", ")) }));
        }
        out.extend(lists.map(|(name, reason)| {
            let source = format!("the list of {}s", kind(name));
            (target, Gap { source, reason: reason.clone(), affects: format!("checks of {}s", kind(name)) })
        }));
    }
    out
}

/// Whether nothing at all could be collected.
pub fn is_empty(audit: &Audit<'_>) -> bool {
    audit.snapshot.targets.iter().all(|t| t.components.is_empty())
}

/// Seconds since 1970 as RFC 3339, UTC.
pub fn instant(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((count(1, "gap"), count(0, "gap")), ("1 gap".into(), "0 gaps".into()));
        assert_eq!([7, 999, 1000, 60_000, 1_234_567].map(thousands), ["7", "999", "1,000", "60,000", "1,234,567"]);
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
    }
}
