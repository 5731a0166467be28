//! Before and after: what became of each finding and threat since an earlier snapshot.

use std::collections::BTreeMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::judge::Finding;
use seaworthy_core::step::Counted;
use seaworthy_core::trail::{Deed, Trail};
use seaworthy_core::verdict::Verdict;

use crate::words;

/// What something is called that was not there before.
const NEW: &str = "was not there";
/// The collector keeps 16 accesses that are alike: from here on there may be more.
const MANY: usize = 15;
/// What something is called that is there no longer.
const GONE: &str = "is gone";

/// What became of the findings of a check, or of the instances of a threat. Holds hostile names.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'s> {
    /// The check's or the threat's id.
    pub id: String,
    /// What it was, and what it is.
    pub was: &'static str,
    /// The same now.
    pub is: &'static str,
    /// What it is about, in the order of the report.
    pub on: Vec<String>,
    /// Who changed the files that decided, where the audit log tells; none for threats.
    pub by: Vec<Deed<'s>>,
}

/// What became of everything.
#[derive(Debug)]
pub struct Since<'s> {
    /// Findings of another verdict, by check; those that pass and were not there are left out.
    pub findings: Vec<Change<'s>>,
    /// Instances of threats of another status, by threat; those that are answered and were not there are left out.
    pub threats: Vec<Change<'s>>,
    /// Targets of which the audit log does not tell who changed something, of all or a part of the time, and why.
    pub silent: Vec<(&'s str, String)>,
    /// Counts before and after.
    pub counts: [(&'static str, usize, usize); 9],
}

/// Something with a state at one of the two moments.
struct State<'a> {
    fingerprint: String,
    id: String,
    word: &'static str,
    name: String,
    /// Whether it is worth a word when it came or went.
    matters: bool,
    /// The finding that it is.
    finding: Option<(&'a Audit<'a>, &'a Finding)>,
}

/// What became of everything between two assessments by the same checks.
pub fn since<'s>(before: &Assessment<'_>, after: &Assessment<'s>) -> Since<'s> {
    let trail = Trail::between(before.audit.snapshot, after.audit.snapshot);
    let findings = changes(findings(before), findings(after), |was, is| by(&trail, was, is));
    let threats = changes(threats(before), threats(after), |_, _| Vec::new());
    Since { findings, threats, counts: counts(before, after), silent: trail.silent }
}

fn findings<'a>(model: &'a Assessment<'_>) -> Vec<State<'a>> {
    let audit = model.audit;
    let state = |f: &'a Finding| State {
        fingerprint: audit.fingerprint(f),
        id: audit.check(f).id.clone(),
        word: f.judgement.verdict.word(),
        name: audit.component_name(f).to_owned(),
        matters: !matches!(f.judgement.verdict, Verdict::Pass | Verdict::NotApplicable),
        finding: Some((audit, f)),
    };
    audit.findings.iter().map(state).collect()
}

fn threats<'a>(model: &'a Assessment<'_>) -> Vec<State<'a>> {
    let state = |t: &seaworthy_core::threat::Instance| State {
        fingerprint: t.fingerprint.clone(),
        id: model.threat(t).id.clone(),
        word: t.status.word(),
        name: model.subject_name(t),
        matters: t.status != seaworthy_core::threat::Status::Answered,
        finding: None,
    };
    model.threats.iter().map(state).collect()
}

/// Who changed the files of the facts that decided a finding at either moment.
fn by<'s>(trail: &Trail<'s>, was: Option<&State<'_>>, is: Option<&State<'_>>) -> Vec<Deed<'s>> {
    let [was, is] = [was, is].map(|state| state.and_then(|state| state.finding));
    let Some((audit, finding)) = is.or(was) else { return Vec::new() };
    let facts = was.into_iter().chain(is).flat_map(|(audit, f)| audit.deciding(f)).map(|(name, _)| name).collect();
    let target = audit.snapshot.targets.get(finding.target).map_or("", |target| target.name.as_str());
    trail.of(target, component(was), component(is), &facts)
}

fn component<'a>(of: Option<(&'a Audit<'a>, &'a Finding)>) -> Option<&'a Component> {
    of.and_then(|(audit, finding)| audit.component(finding))
}

/// What changed in the same way, and by whom.
type Group<'s> = (Vec<String>, Vec<Deed<'s>>);

fn changes<'s>(
    before: Vec<State<'_>>,
    after: Vec<State<'_>>,
    by: impl Fn(Option<&State<'_>>, Option<&State<'_>>) -> Vec<Deed<'s>>,
) -> Vec<Change<'s>> {
    let mut earlier: BTreeMap<String, State<'_>> = before.into_iter().map(|s| (s.fingerprint.clone(), s)).collect();
    let mut changed: BTreeMap<(String, &str, &str), Group<'s>> = BTreeMap::new();
    let mut tell = |was: Option<&State<'_>>, is: Option<&State<'_>>| {
        let Some(last) = is.or(was) else { return };
        let words = (was.map_or(NEW, |was| was.word), is.map_or(GONE, |is| is.word));
        let (on, deeds) = changed.entry((last.id.clone(), words.0, words.1)).or_default();
        on.push(last.name.clone());
        for deed in by(was, is) {
            // Two findings may rest on one file.
            if !deeds.contains(&deed) {
                deeds.push(deed);
            }
        }
    };
    for now in &after {
        let was = earlier.remove(&now.fingerprint);
        if was.as_ref().map_or(now.matters, |was| was.word != now.word) {
            tell(was.as_ref(), Some(now));
        }
    }
    for gone in earlier.values().filter(|gone| gone.matters) {
        tell(Some(gone), None);
    }
    changed.into_iter().map(|((id, was, is), (on, by))| Change { id, was, is, on, by }).collect()
}

/// Who did it, with what, when: `alice (login uid 1000) as uid 0 with /usr/bin/chmod at …`. Names are made harmless by
/// `name`.
pub fn who(deed: &Deed<'_>, name: impl Fn(&str) -> String) -> String {
    let mut told = match (deed.login_uid, deed.login) {
        (Some(uid), Some(login)) => format!("{} (login uid {uid})", name(login)),
        (Some(uid), None) => format!("login uid {uid}"),
        (None, _) => "a process that no login began".to_owned(),
    };
    if let Some(uid) = deed.uid.filter(|uid| Some(*uid) != deed.login_uid) {
        told.push_str(&format!(", as uid {uid}"));
    }
    if !deed.exe.is_empty() {
        told.push_str(&format!(", with {}", name(deed.exe)));
    }
    told.push_str(&format!(", at {}", words::instant(deed.at.div_euclid(1000))));
    match deed.earlier {
        0 => {}
        n if n < MANY => told.push_str(&format!(", and {n} before")),
        _ => told.push_str(&format!(", and {MANY} or more before")),
    }
    told
}

/// What was done, said of the file.
pub fn done(deed: &Deed<'_>) -> &'static str {
    match deed.act {
        "attributes" => "mode, owner or access list set by",
        "write" => "opened for writing by",
        "create" => "made by",
        "rename" => "replaced by another file by",
        "remove" => "removed by",
        _ => "changed by",
    }
}

fn counts(before: &Assessment<'_>, after: &Assessment<'_>) -> [(&'static str, usize, usize); 9] {
    let of = |model: &Assessment<'_>| {
        let [open, undetermined, _, answered] = model.counted();
        let Counted { proven, assumed, possible } = model.paths_counted();
        let [pass, fail, unknown, ..] = words::counts(&model.audit.controls());
        [open, undetermined, answered, proven, assumed, possible, pass, fail, unknown]
    };
    let names = [
        "Threats open",
        "Threats undetermined",
        "Threats answered",
        "Paths proven",
        "Paths assumed",
        "Paths possible",
        "Controls that pass",
        "Controls that fail",
        "Controls unknown",
    ];
    let (was, is) = (of(before), of(after));
    std::array::from_fn(|i| (names[i], was[i], is[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(fingerprint: &str, word: &'static str, matters: bool) -> State<'static> {
        let (id, name) = ("a/check".into(), fingerprint.into());
        State { fingerprint: fingerprint.into(), id, word, name, matters, finding: None }
    }

    #[test]
    fn what_is_another_came_or_went_is_told() {
        let before = vec![
            state("same", "fail", true),
            state("mended", "fail", true),
            state("broken", "pass", false),
            state("taken away", "fail", true),
            state("taken away too", "pass", false),
        ];
        let after = vec![
            state("same", "fail", true),
            state("mended", "pass", false),
            state("broken", "fail", true),
            state("new", "fail", true),
            state("new and good", "pass", false),
        ];
        let told: Vec<(String, &str, &str)> =
            changes(before, after, |_, _| Vec::new()).into_iter().map(|c| (c.on.join(","), c.was, c.is)).collect();
        let expected = [
            ("taken away", "fail", GONE),
            ("mended", "fail", "pass"),
            ("broken", "pass", "fail"),
            ("new", NEW, "fail"),
        ];
        assert_eq!(told, expected.map(|(on, was, is)| (on.to_owned(), was, is)));
    }
}
