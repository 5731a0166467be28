//! What could be done: failing findings that one change closes together.

use std::collections::{BTreeMap, HashMap, HashSet};

use seaworthy_core::audit::Audit;
use seaworthy_core::check::Check;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::predicate::Predicate;
use seaworthy_core::remedy::{Edit, Safety, Setting};
use seaworthy_core::schema::docker;
use seaworthy_core::step::Paths;
use seaworthy_core::verdict::{Severity, Verdict};

/// Names shown before "and N more".
const NAMED: usize = 3;

/// A change that closes findings.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub title: String,
    /// By position in the audit, ascending.
    pub closes: Vec<usize>,
    pub safety: Safety,
    pub severity: Severity,
    /// How many components it touches.
    pub size: usize,
    /// Whether a check fails; else a person has to decide.
    pub decided: bool,
    pub breaks: Vec<String>,
}

/// What makes findings one change; ordered as candidates are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group<'a> {
    /// A check, on equal components of a target: the first of them.
    Check(&'a str, usize, usize),
    /// Checks that ask for the same settings of a new run specification, on equal containers of a target.
    Recreate(Vec<&'a str>, usize, usize),
    /// Audit rules of a target with the switch that has them recorded; rules that record so much that they can slow it down
    /// apart.
    Audit(usize, Safety),
    /// Owners and modes of files of a target.
    Rights(usize),
    /// Limits of running containers of a target.
    Limits(usize),
}

/// The changes that failing findings ask for, and what a person has to decide where a path goes over it; accepted ones
/// apart: of a container, daemon and the like one for each
/// check and class of equals; of files one for all audit rules and one for all owners and modes.
pub(super) fn candidates(audit: &Audit<'_>, paths: &Paths, diagram: &Diagram) -> Vec<Candidate> {
    // Beyond the diagram's elements each component is by itself.
    let alone = |component: usize| usize::MAX - component;
    let targets = audit.snapshot.targets.iter();
    let mut class_of: Vec<Vec<usize>> = targets.map(|t| (0..t.components.len()).map(alone).collect()).collect();
    for (e, element) in diagram.elements.iter().enumerate() {
        let place = element.component.and_then(|c| class_of.get_mut(element.target)?.get_mut(c));
        if let Some(place) = place {
            *place = paths.class_of.get(e).copied().unwrap_or(e);
        }
    }
    // Numbers first: there are many findings, and few groups of them.
    let on_a_path: HashSet<usize> =
        paths.list.iter().flat_map(|p| &p.hops).flat_map(|h| h.cut_by.iter().copied()).collect();
    let mut numbered: HashMap<(usize, usize, usize), Vec<usize>> = HashMap::new();
    for (i, finding) in audit.findings.iter().enumerate() {
        let (None, Some(component)) = (audit.waived[i], finding.component) else { continue };
        match finding.judgement.verdict {
            Verdict::Fail => {}
            // What a person has to decide is worth a proposal where a path goes over it.
            Verdict::Manual if on_a_path.contains(&i) => {}
            _ => continue,
        }
        let class = class_of[finding.target][component];
        numbered.entry((finding.check, finding.target, class)).or_default().push(i);
    }
    let mut groups: BTreeMap<Group<'_>, Vec<usize>> = BTreeMap::new();
    for ((check, target, class), mut findings) in numbered {
        let check = &audit.checks[check];
        let group = together(check, target).unwrap_or_else(|| match respecified(check) {
            Some(settings) => Group::Recreate(settings, target, class),
            None => Group::Check(&check.id, target, class),
        });
        groups.entry(group).or_default().append(&mut findings);
    }
    let candidates = groups.into_iter().map(|(group, mut closes)| {
        closes.sort_unstable();
        candidate(audit, &group, closes)
    });
    candidates.collect()
}

/// The settings of a run specification that a check's remedy changes, where it changes nothing else: whoever takes a
/// mount away closes what all checks of mounts find in it.
fn respecified(check: &Check) -> Option<Vec<&str>> {
    let mut settings = Vec::new();
    for edit in &check.remedy.edits {
        let Edit::Recreate(changed) = edit else { return None };
        settings.extend(changed.iter().filter(|(_, v)| is_proposed(v)).map(|(k, _)| k.as_str()));
        if !changed.values().all(is_proposed) {
            return None;
        }
    }
    (!settings.is_empty()).then_some(settings)
}

/// Whether a value is worked out from what was observed: one that is written out is a change of its own.
fn is_proposed(setting: &Setting) -> bool {
    matches!(setting, Setting::Str(value) if value == "proposed")
}

/// How findings are one change whatever components they are on, where they are by their edits.
fn together<'a>(check: &Check, target: usize) -> Option<Group<'a>> {
    let edits = &check.remedy.edits;
    if check.about == docker::CONTAINER.name {
        let limits = |e: &Edit| match e {
            Edit::Update(settings) => settings.keys().all(|k| ["memory", "pids-limit", "cpus"].contains(&k.as_str())),
            _ => false,
        };
        return (!edits.is_empty() && edits.iter().all(limits)).then_some(Group::Limits(target));
    }
    if check.about == docker::HOST.name {
        // Rules that nothing records are worth as little as records without rules.
        let names = |p: &Predicate| docker::HOST.index("audit_enabled").is_some_and(|i| p.facts().contains(i));
        return check.require.as_ref().is_some_and(names).then_some(Group::Audit(target, check.remedy.safety));
    }
    if check.about != docker::FILE.name {
        return None;
    }
    if edits.iter().any(|e| matches!(e, Edit::AuditWatch(_))) {
        return Some(Group::Audit(target, check.remedy.safety));
    }
    edits.iter().any(|e| matches!(e, Edit::FileMode(_) | Edit::FileOwner(_))).then_some(Group::Rights(target))
}

fn candidate(audit: &Audit<'_>, group: &Group<'_>, closes: Vec<usize>) -> Candidate {
    let findings = || closes.iter().map(|i| &audit.findings[*i]);
    // Each once, in the order in which the findings name them.
    let mut distinct: Vec<usize> = Vec::new();
    for finding in findings() {
        if !distinct.contains(&finding.check) {
            distinct.push(finding.check);
        }
    }
    let checks = || distinct.iter().map(|c| &audit.checks[*c]);
    let mut touched: Vec<(usize, Option<usize>)> = findings().map(|f| (f.target, f.component)).collect();
    touched.sort_unstable();
    touched.dedup();
    let mut names: Vec<&str> = Vec::new();
    for name in findings().map(|f| audit.component_name(f)) {
        if names.len() > NAMED {
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let files = if touched.len() == 1 { "1 file".to_owned() } else { format!("{} files", touched.len()) };
    let shown = listed(&names, touched.len());
    let on_host = checks().any(|c| c.about == docker::HOST.name);
    let title = match group {
        Group::Audit(..) if on_host && distinct.len() == 1 => checks().map(|c| c.title.clone()).collect(),
        Group::Audit(..) if on_host => {
            let rules = touched.len() - 1;
            format!("Audit recording switched on, with rules for {rules} {}", if rules == 1 { "file" } else { "files" })
        }
        Group::Audit(..) => format!("Audit rules for {files}: {shown}"),
        Group::Rights(_) => format!("Owner and mode of {files}: {shown}"),
        Group::Limits(_) => format!("Limits of memory, processes and CPU: {shown}"),
        Group::Recreate(..) | Group::Check(..) => {
            let mut gravest: Vec<&Check> = checks().collect();
            gravest.sort_by_key(|c| (std::cmp::Reverse(c.severity), &c.id));
            gravest.dedup_by_key(|c| &c.id);
            let check = gravest.first();
            let title = check.map_or("", |c| c.title.as_str());
            let alone = check.is_none_or(|c| [docker::DAEMON.name, docker::HOST.name].contains(&c.about.as_str()));
            let more = match gravest.len() {
                0 | 1 => String::new(),
                2 => ", and one more check of the same setting".to_owned(),
                n => format!(", and {} more checks of the same setting", n - 1),
            };
            if alone { title.to_owned() } else { format!("{title}: {shown}{more}") }
        }
    };
    let safety = checks().map(|c| c.remedy.safety).max().unwrap_or(Safety::Manual);
    let severity = checks().map(|c| c.severity).max().unwrap_or(Severity::Low);
    let mut breaks: Vec<String> = Vec::new();
    for check in checks() {
        for line in breaking(check, &shown) {
            if !breaks.contains(&line) {
                breaks.push(line);
            }
        }
    }
    // What restarts is worth more than that nothing else does.
    if breaks.len() > 1 {
        breaks.retain(|b| b != NOTHING);
    }
    let decided = findings().any(|f| f.judgement.verdict == Verdict::Fail);
    Candidate { title, closes, safety, severity, size: touched.len(), decided, breaks }
}

const NOTHING: &str = "nothing restarts";

/// What carrying out a check's remedy stops, in words.
fn breaking(check: &Check, names: &str) -> Vec<String> {
    let remedy = &check.remedy;
    if remedy.edits.is_empty() {
        return vec![match remedy.safety {
            Safety::Safe => NOTHING.to_owned(),
            Safety::Disruptive => "something restarts: see its remedy".to_owned(),
            Safety::Manual => "done by hand: see its remedy".to_owned(),
        }];
    }
    let word = |edit: &Edit| match edit {
        Edit::DaemonJson(_) if remedy.safety == Safety::Safe => "reloads dockerd; nothing restarts".to_owned(),
        Edit::DaemonJson(_) => "restarts dockerd".to_owned(),
        Edit::Recreate(_) => format!("re-creates {names}"),
        Edit::Update(_) | Edit::FileMode(_) | Edit::FileOwner(_) | Edit::AuditWatch(_) => NOTHING.to_owned(),
        Edit::Sshd(_) => "reloads the SSH server; sessions stay".to_owned(),
        Edit::GroupRemove(group) => format!("members of group {group} lose the engine"),
        Edit::ProfileEnv(_) => "takes effect in new login shells".to_owned(),
        Edit::SocketDropIn(_) => "restarts docker.socket and dockerd".to_owned(),
        Edit::Swarm(_) => "changes the swarm's settings; services go on".to_owned(),
    };
    remedy.edits.iter().map(word).collect()
}

/// `web, api, db and 3 more`. Holds hostile names.
pub(super) fn listed(names: &[&str], total: usize) -> String {
    let shown = names.len().min(NAMED);
    let head = names[..shown].join(", ");
    match total.saturating_sub(shown) {
        0 => head,
        more => format!("{head} and {more} more"),
    }
}
