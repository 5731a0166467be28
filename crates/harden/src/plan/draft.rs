//! A plan while it is made: findings are resolved one by one, then what touches the same thing is merged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::check::Check;
use seaworthy_core::judge::Finding;
use seaworthy_core::plan::{
    Action, ByHand, Change, Closed, ContainerRef, Expected, Interruption, LeftOut, Pending, SetKey,
};
use seaworthy_core::remedy::{Edit, Safety, Setting};
use seaworthy_core::schema::docker;

use super::activate::{Outlook, STOP_SECONDS, outlook};
use super::ledger::{Ledger, Slot};
use super::piece::{Not, Piece, Resolved};
use super::spec::{self, Asked};
use super::world::{World, maybe, text};
use super::{Settings, Unplanned, access, caution, daemon, files, limits, swarm, tell};
use crate::act::recreate::compose_notices;

/// A finding that the plan closes, and how.
pub(super) struct Taken {
    pub finding: usize,
    pub how: Resolved,
}

/// What is in the end in a plan.
#[derive(Default)]
pub(super) struct Done {
    pub changes: Vec<Change>,
    pub by_hand: Vec<ByHand>,
    pub left_out: Vec<LeftOut>,
    pub expects: Vec<Expected>,
    pub interruption: Interruption,
    pub warnings: Vec<String>,
}

/// A plan while it is made.
pub(super) struct Draft<'a> {
    pub world: &'a World<'a>,
    pub settings: &'a Settings,
    taken: Vec<Taken>,
    by_hand: Vec<ByHand>,
    left_out: Vec<(usize, String)>,
    /// Findings on containers that a default of the engine answers once the container is made anew, with its key.
    waiting: Vec<(usize, &'static str)>,
    /// Which of the user's values were asked for.
    used: RefCell<BTreeSet<usize>>,
}

/// What a plan says that makes containers anew.
const KEPT: &str = "The old containers are kept, stopped, for the way back: audits tell of them too, under the name of the new one and \
                    `-before-` with the transaction's id, until they are pruned (harden history --prune).";

impl<'a> Draft<'a> {
    pub fn new(world: &'a World<'a>, settings: &'a Settings) -> Self {
        Self {
            world,
            settings,
            taken: Vec::new(),
            by_hand: Vec::new(),
            left_out: Vec::new(),
            waiting: Vec::new(),
            used: RefCell::default(),
        }
    }

    /// The user's value for a field of a container, or of the host; by its name before that of all.
    pub fn set_for(&self, name: &str, field: &str) -> Option<&'a str> {
        let all = || self.settings.set.iter().enumerate().filter(|(_, s)| s.field == field);
        let own = all().rfind(|(_, s)| s.of == name);
        let (at, set) = own.or_else(|| all().rfind(|(_, s)| s.of == "*" && field != "leave"))?;
        self.used.borrow_mut().insert(at);
        Some(&set.value)
    }

    /// Refuses values that nothing in the selection asks for: they would be forgotten without a word.
    pub fn check_sets(&self) -> Result<(), Unplanned> {
        let used = self.used.borrow();
        let unused = self.settings.set.iter().enumerate().find(|(i, _)| !used.contains(i));
        if let Some((_, set)) = unused {
            let there = set.of == "*" || set.of == "host" || self.world.container(&set.of).is_some();
            let what = format!("--set {}:{}", set.of, set.field);
            return Err(Unplanned::Usage(if there {
                format!("{what}: nothing that is to be planned asks for it; select it by --check")
            } else {
                format!("{what}: there is no container {}", set.of)
            }));
        }
        Ok(())
    }

    fn audit(&self) -> &'a seaworthy_core::audit::Audit<'a> {
        self.world.assessment.audit
    }

    fn finding(&self, at: usize) -> &'a Finding {
        &self.audit().findings[at]
    }

    fn check(&self, at: usize) -> &'a Check {
        self.audit().check(self.finding(at))
    }

    fn closed(&self, at: usize) -> Closed {
        let (audit, finding) = (self.audit(), self.finding(at));
        Closed {
            check: audit.check(finding).id.clone(),
            kind: audit.check(finding).about.clone(),
            component: audit.component_name(finding).to_owned(),
            fingerprint: audit.fingerprint(finding),
        }
    }

    /// Takes a finding in.
    pub fn take(&mut self, at: usize) {
        match self.resolve(at) {
            Ok(how) => self.taken.push(Taken { finding: at, how }),
            Err(Not::Left(why)) => {
                if let Some(key) = self.by_default(at) {
                    self.waiting.push((at, key));
                }
                self.left_out.push((at, why));
            }
            Err(Not::Hand { what, command }) => {
                self.by_hand.push(ByHand { finding: self.closed(at), what, command });
            }
        }
    }

    /// The key of daemon.json that answers a finding on a container that is not made anew by this plan.
    fn by_default(&self, at: usize) -> Option<&'static str> {
        if self.settings.recreate {
            return None;
        }
        let edits = self.check(at).remedy.edits.iter();
        let mut options = edits.filter_map(|e| if let Edit::Recreate(map) = e { Some(map) } else { None }).flatten();
        options.find_map(|(option, value)| match value {
            Setting::Str(value) => daemon::default_for(option, value),
            Setting::List(_) => daemon::default_for(option, ""),
            _ => None,
        })
    }

    fn resolve(&self, at: usize) -> Result<Resolved, Not> {
        let (check, finding) = (self.check(at), self.finding(at));
        let remedy = &check.remedy;
        let Some(component) = self.audit().component(finding) else {
            return Err(Not::Left("what it is about could not be listed".into()));
        };
        let position = finding.component.unwrap_or_default();
        self.world.kept(component)?;
        if remedy.edits.is_empty() {
            let (what, command) = match access::ending(self, position, &check.id) {
                Some((what, command)) if finding.target == self.world.index => (what, command),
                _ => (remedy.fix.clone(), Vec::new()),
            };
            let what = match &remedy.by_hand {
                Some(why) => format!("{what} (Not done here: {why})"),
                None => what,
            };
            return Err(Not::Hand { what, command });
        }
        self.world.unfit()?;
        let mut out = Resolved::default();
        let mut owner = None;
        let mut mode = None;
        let asked = Asked { check, decided: finding.judgement.facts, at: position, container: component };
        for edit in &remedy.edits {
            match edit {
                Edit::DaemonJson(keys) => {
                    for (key, value) in keys {
                        out.join(daemon::key(self.world, key, value)?);
                    }
                }
                Edit::FileMode(wanted) => mode = Some(wanted.as_str()),
                Edit::FileOwner(wanted) => owner = Some(wanted.as_str()),
                Edit::AuditWatch(permissions) => out.join(files::watch(self.world, component, permissions)?),
                Edit::Update(fields) => {
                    for (field, value) in fields {
                        out.join(limits::limit(self, position, field, value)?);
                    }
                }
                Edit::Recreate(options) => {
                    out.join(spec::recreatable(self, &asked)?);
                    for (option, value) in options {
                        out.join(spec::option(self, &asked, option, value)?);
                    }
                }
                Edit::Sshd(settings) => out.join(access::sshd(self.world, settings)?),
                Edit::GroupRemove(group) => out.join(access::leave(self, &check.id, group)?),
                Edit::ProfileEnv(settings) => out.join(access::environment(self.world, settings)?),
                Edit::SocketDropIn(settings) => out.join(files::socket(self.world, component, settings)?),
                Edit::Swarm(settings) => {
                    for (name, value) in settings {
                        out.join(swarm::setting(self.world, component, name, value)?);
                    }
                }
            }
        }
        if mode.is_some() || owner.is_some() {
            if !std::ptr::eq(component.kind, &docker::FILE) {
                return Err(files::of_user(component));
            }
            out.join(files::rights(self.world, component, mode, owner)?);
        }
        if out.pieces.is_empty() {
            return Err(Not::Left("nothing that could be changed was found in what was read".into()));
        }
        Ok(out)
    }

    /// Leaves out taken findings that a reason is given for.
    fn leave(&mut self, why: impl Fn(&Taken) -> Option<String>) -> bool {
        let before = self.taken.len();
        let mut kept = Vec::with_capacity(before);
        for taken in self.taken.drain(..) {
            match why(&taken) {
                Some(why) => self.left_out.push((taken.finding, why)),
                None => kept.push(taken),
            }
        }
        self.taken = kept;
        self.taken.len() < before
    }

    fn ledger(&mut self) -> Ledger {
        let mut ledger = Ledger::default();
        let mut clash: BTreeMap<usize, String> = BTreeMap::new();
        for taken in &self.taken {
            if let Err(why) = ledger.add(self.world, taken) {
                clash.insert(taken.finding, why);
            }
        }
        self.leave(|taken| clash.get(&taken.finding).cloned());
        ledger
    }

    /// Leaves out what may not be done to the engine together with the rest; says how the rest takes effect.
    fn vet(&mut self) -> (Ledger, Option<Outlook>) {
        loop {
            let ledger = self.ledger();
            let keys = ledger.keys();
            if let Some((refused, why)) = caution::refused(self.world, &keys)
                && self.leave(|taken| sets(taken, |key| key == refused).then(|| why.clone()))
            {
                continue;
            }
            if access::locks_out(self.world, &ledger.sshd())
                && self.leave(|taken| {
                    let root = |p: &Piece| matches!(p, Piece::Sshd(name, _) if name == "PermitRootLogin");
                    taken
                        .how
                        .pieces
                        .iter()
                        .any(root)
                        .then(|| "without passwords and without root nobody who has a key could log in".to_owned())
                })
            {
                continue;
            }
            if keys.is_empty() {
                return (ledger, None);
            }
            match outlook(self.world, &keys) {
                Ok(outlook) => return (ledger, Some(outlook)),
                Err(why) => {
                    let restarts = |key: &str| !daemon::is_reloadable(key);
                    let some = self.leave(|taken| sets(taken, restarts).then(|| why.clone()));
                    if !some {
                        self.leave(|taken| sets(taken, |_| true).then(|| why.clone()));
                    }
                }
            }
        }
    }

    /// Everything in its order.
    pub fn finish(mut self) -> Done {
        let (ledger, outlook) = self.vet();
        let keys = ledger.keys();
        let mut done = Done { by_hand: std::mem::take(&mut self.by_hand), ..Done::default() };
        done.warnings = caution::warnings(self.world, &keys);
        let mut anew = false;
        for (slot, entry) in ledger.entries() {
            done.warnings.extend(entry.notes.iter().cloned());
            let safety = entry.closes.iter().map(|f| self.check(*f).remedy.safety).max().unwrap_or(Safety::Safe);
            let closes: Vec<Closed> = entry.closes.iter().map(|f| self.closed(*f)).collect();
            let restarts = outlook.as_ref().is_some_and(|o| tell::is_restart(&o.activate));
            let safety = match slot {
                Slot::Update(..) | Slot::Recreate(..) | Slot::Leave(_) => safety.max(Safety::Disruptive),
                Slot::Daemon if restarts => safety.max(Safety::Disruptive),
                _ => safety,
            };
            let mut action = entry.action(self.world, slot);
            if let Action::Recreate(recreate) = &mut action {
                recreate.accept_lost_changes = self.settings.accept_lost_changes;
                done.warnings.extend(compose_notices(recreate));
                anew = true;
            }
            done.changes.push(Change {
                title: tell::title(&action),
                safety,
                action,
                closes: closes.clone(),
                breaks: entry.breaks.iter().cloned().collect(),
                lasting: entry.lasting.iter().cloned().collect(),
            });
            if let (Slot::Daemon, Some(outlook)) = (slot, &outlook) {
                let action = Action::Activate(outlook.activate.clone());
                let title = tell::title(&action);
                done.changes.push(Change { title, safety, action, closes, breaks: Vec::new(), lasting: Vec::new() });
            }
        }
        if anew {
            done.warnings.push(KEPT.to_owned());
        }
        self.interrupt(&mut done, outlook);
        self.expect(&mut done, &keys);
        done
    }

    /// What stands still meanwhile.
    fn interrupt(&self, done: &mut Done, outlook: Option<Outlook>) {
        let mut stops: BTreeSet<ContainerRef> = BTreeSet::new();
        if let Some(outlook) = outlook {
            if tell::is_restart(&outlook.activate) {
                done.interruption.restarts.push("dockerd".into());
            }
            done.interruption.seconds = outlook.seconds;
            done.warnings.extend(outlook.warnings);
            stops.extend(outlook.stops);
        }
        for change in &done.changes {
            let Action::Recreate(recreate) = &change.action else { continue };
            stops.insert(recreate.container.clone());
            let container = self.world.container(&recreate.container.name).map(|(_, c)| c);
            let wait = container.and_then(|c| maybe(c, "stop_timeout").ok().flatten());
            let wait = wait.and_then(|s| u64::try_from(s).ok()).unwrap_or(STOP_SECONDS) + 1;
            let name = &recreate.container.name;
            let why = format!("{name} has up to its stop timeout to end, and the new one starts within a second");
            if done.interruption.seconds.as_ref().is_none_or(|(most, _)| *most < wait) {
                done.interruption.seconds = Some((wait, why));
            }
        }
        done.interruption.stops = stops.into_iter().collect();
    }

    /// What must pass afterwards, and what was left out.
    fn expect(&mut self, done: &mut Done, keys: &BTreeMap<String, SetKey>) {
        let mut expects: BTreeMap<usize, Option<Pending>> = BTreeMap::new();
        for taken in self.taken.iter().filter(|t| !t.how.in_part) {
            expects.insert(taken.finding, taken.how.pending);
        }
        for (finding, key) in &self.waiting {
            if keys.contains_key(*key) {
                expects.insert(*finding, Some(Pending::Recreation));
            }
        }
        self.left_out.retain(|(finding, _)| !expects.contains_key(finding));
        self.left_out.sort_by_key(|(finding, _)| *finding);
        done.left_out =
            self.left_out.iter().map(|(f, why)| LeftOut { finding: self.closed(*f), why: why.clone() }).collect();
        done.expects =
            expects.into_iter().map(|(finding, pending)| Expected { finding: self.closed(finding), pending }).collect();
    }
}

/// Whether a finding's pieces set a key.
fn sets(taken: &Taken, wanted: impl Fn(&str) -> bool) -> bool {
    taken.how.pieces.iter().any(|p| matches!(p, Piece::Key(key) if wanted(&key.key)))
}

/// The Compose project and service of a container, where it has both.
pub(super) fn compose(world: &World<'_>, at: usize) -> Option<(String, String)> {
    let container = world.containers.get(&at)?;
    let of = |fact: &str| text(container, fact).ok().filter(|t| !t.is_empty()).map(str::to_owned);
    Some((of("project")?, of("service")?))
}
