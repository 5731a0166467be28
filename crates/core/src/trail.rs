//! Who changed the files that facts were read from, between two snapshots, where the audit log of their host tells.
//!
//! Nobody is named on doubt. The access must have succeeded, on the very path that the fact was read from, in the time
//! between the two collections, and be of a kind that can change what the fact says; and the fact must have been known
//! both times and be another. That nothing is told never means that nobody did it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::component::Component;
use crate::fact::Fact;
use crate::schema::{docker, kubernetes};
use crate::snapshot::{Snapshot, Target};
use crate::value::Value;

/// An access that succeeded, with how many like it came before. Holds hostile names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed<'s> {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// The file.
    pub path: &'s str,
    /// What was done: `attributes`, `write`, `create`, `rename` or `remove`.
    pub act: &'s str,
    /// The number of the user who logged in; none where no login began it.
    pub login_uid: Option<i64>,
    /// That user's name, where passwd has one.
    pub login: Option<&'s str>,
    /// The number of the user as whom it was done.
    pub uid: Option<i64>,
    /// The executable; empty where the log does not tell.
    pub exe: &'s str,
    /// How many earlier accesses between the two collections may have changed it as well.
    pub earlier: usize,
}

/// What the log of one machine tells of the time between, by path, in its order.
type Kept<'s> = BTreeMap<&'s str, Vec<Deed<'s>>>;

/// What the logs tell of the time between two snapshots.
pub struct Trail<'s> {
    /// By the target's name, and the node's where the machine is one of a cluster.
    kept: HashMap<(&'s str, &'s str), Kept<'s>>,
    /// Of which targets nothing can be told of all or a part of that time, and why.
    pub silent: Vec<(&'s str, String)>,
}

impl<'s> Trail<'s> {
    /// Reads the logs that the later snapshot holds.
    pub fn between(before: &Snapshot, after: &'s Snapshot) -> Self {
        let mut trail = Self { kept: HashMap::new(), silent: Vec::new() };
        for target in &after.targets {
            for component in &target.components {
                let is_host = std::ptr::eq(component.kind, &docker::HOST);
                let is_node = std::ptr::eq(component.kind, &kubernetes::NODE);
                // Of most nodes only the API tells, which has nothing of their logs.
                if is_host || (is_node && component.fact("audit_log").source.place.starts_with('/')) {
                    let machine = if is_node { &*component.name } else { "" };
                    trail.machine((before, after), (target, component), machine);
                }
            }
        }
        trail
    }

    fn machine(&mut self, snapshots: (&Snapshot, &'s Snapshot), of: (&'s Target, &'s Component), name: &'s str) {
        let (before, after) = snapshots;
        let (target, component) = of;
        match kept(before, after, target, component) {
            Ok((kept, late)) => {
                if let Some(late) = late {
                    self.silent.push((&target.name, late));
                }
                self.kept.insert((&target.name, name), kept);
            }
            Err(why) => self.silent.push((&target.name, why)),
        }
    }

    /// Who may have made these facts of a component what they are: the latest access to each file that they were read
    /// from. One of the two components is none where it was not there.
    pub fn of(
        &self,
        target: &str,
        before: Option<&Component>,
        after: Option<&Component>,
        facts: &BTreeSet<&'static str>,
    ) -> Vec<Deed<'s>> {
        let node = after.or(before).and_then(|c| c.value("node").as_str()).unwrap_or_default();
        let Some(kept) = self.kept.get(&(target, node)) else { return Vec::new() };
        let mut met: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for name in facts {
            let (was, is) = (before.map(|c| c.fact(name)), after.map(|c| c.fact(name)));
            for fact in changed(was, is) {
                for (path, deeds) in kept.iter().filter(|(path, _)| read_from(&fact.source.place, path, name)) {
                    let able = |deed: &Deed<'_>| may_change(deed.act, name, (was.is_some(), is.is_some()));
                    let able = deeds.iter().enumerate().filter(|(_, deed)| able(deed)).map(|(i, _)| i);
                    met.entry(path).or_default().extend(able);
                }
            }
        }
        let latest = |(path, deeds): (&str, BTreeSet<usize>)| {
            let last = deeds.last()?;
            let deed = kept.get(path)?.get(*last)?;
            Some(Deed { earlier: deeds.len() - 1, ..*deed })
        };
        met.into_iter().filter_map(latest).collect()
    }
}

/// What a machine's log tells of the time between, and why that is not all of it.
fn kept<'s>(
    before: &Snapshot,
    after: &Snapshot,
    target: &Target,
    component: &'s Component,
) -> Result<(Kept<'s>, Option<String>), String> {
    let log = component.value("audit_log");
    let events = log.as_list().ok_or_else(|| match log.reason() {
        Some(why) => format!("{}: {why}", component.fact("audit_log").source),
        None => "the log was not collected".to_owned(),
    })?;
    let was = before.targets.iter().find(|t| t.name == target.name).ok_or("the earlier snapshot has no such target")?;
    let same = was.of(component.kind).find(|c| c.id == component.id).map(|c| c.value("machine"));
    if let (Some(Value::Str(was)), Value::Str(is)) = (same, component.value("machine"))
        && was != is
    {
        return Err("the earlier snapshot is of another machine".to_owned());
    }
    // What was read last was read when the collection was over; a collection begins somewhere in its second.
    let took = i64::try_from(was.took_ms).unwrap_or(i64::MAX);
    let from = before.collected_at.saturating_add(1).saturating_mul(1000).saturating_add(took);
    let until = after.collected_at.saturating_add(1).saturating_mul(1000);
    let mut kept = Kept::new();
    for deed in events.iter().filter_map(deed).filter(|deed| (from..until).contains(&deed.at)) {
        kept.entry(deed.path).or_default().push(deed);
    }
    kept.values_mut().for_each(|of_path| of_path.sort_by_key(|deed| deed.at));
    let late = component.value("audit_log_since").as_int().filter(|since| *since > before.collected_at);
    let late = late.map(|_| "what was read of the audit log begins after the earlier snapshot".to_owned());
    Ok((kept, late))
}

/// An access that succeeded; none where the log does not say enough.
fn deed(event: &Value) -> Option<Deed<'_>> {
    let text = |name| event.field(name).and_then(Value::as_str);
    let number = |name| event.field(name).and_then(Value::as_int);
    (event.field("success").and_then(Value::as_bool) == Some(true)).then_some(())?;
    Some(Deed {
        at: number("at")?,
        path: text("path")?,
        act: text("act")?,
        login_uid: number("login_uid"),
        login: text("login"),
        uid: number("uid"),
        exe: text("exe").unwrap_or_default(),
        earlier: 0,
    })
}

/// The facts whose sources count: both where they are known and differ, the one where the other was not there.
fn changed<'f>(was: Option<&'f Fact>, is: Option<&'f Fact>) -> Vec<&'f Fact> {
    match (was, is) {
        (Some(was), Some(is)) if was.value == is.value => Vec::new(),
        (was, is) if was.into_iter().chain(is).any(|fact| fact.value.is_unknown()) => Vec::new(),
        (was, is) => was.into_iter().chain(is).collect(),
    }
}

/// What of a file a fact tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Whether it is there.
    Presence,
    /// Its mode, owner and access list.
    Attributes,
    /// What is in it.
    Content,
}

fn of(fact: &str) -> Of {
    match fact {
        "exists" | "type" => Of::Presence,
        "uid" | "gid" | "owner" | "group" | "mode" | "acl" | "owned_by_daemon" | "owned_by_process"
        | "readable_by_others" | "writable_by_others" | "config_mode" | "config_exposed" => Of::Attributes,
        _ => Of::Content,
    }
}

/// Whether an access can make a fact another; `there` says whether the component was there before, and after.
fn may_change(act: &str, fact: &str, there: (bool, bool)) -> bool {
    match (there, of(fact)) {
        ((false, _), _) => matches!(act, "create" | "rename"),
        ((_, false), _) => act == "remove",
        (_, Of::Presence) => matches!(act, "create" | "rename" | "remove"),
        (_, Of::Attributes) => matches!(act, "attributes" | "create" | "rename"),
        (_, Of::Content) => matches!(act, "write" | "create" | "rename" | "remove"),
    }
}

/// Whether a place is a file, or names it among others: `/etc/group:12`, `/etc/group, /etc/passwd`, and of what is in a
/// directory, the directory.
fn read_from(place: &str, path: &str, fact: &str) -> bool {
    if place == path {
        return true;
    }
    place.split([',', ';']).map(str::trim).any(|part| {
        let numbered = part.rsplit_once(':').filter(|(_, line)| line.bytes().all(|b| b.is_ascii_digit()));
        let part = numbered.map_or(part, |(file, _)| file);
        let (part, includes) = part.strip_suffix(" and its includes").map_or((part, false), |part| (part, true));
        let Some(rest) = path.strip_prefix(part).filter(|_| part.len() > 1 && part.starts_with('/')) else {
            return false;
        };
        rest.is_empty() || (of(fact) == Of::Content && rest.starts_with('/')) || (includes && rest.starts_with(".d/"))
    })
}

#[cfg(test)]
mod tests;
