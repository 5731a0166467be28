//! What hardening tells while it works: lines for a person, or lines of JSON.

use std::io::Write as _;

use seaworthy_core::plan::{Action, Pending, Plan};
use seaworthy_harden::transaction::{Event, Tell};
use seaworthy_report::{edits_of, one_line};

use crate::progress::Progress;

/// The longest line of what was changed, in characters; beyond it a title must do.
const MOST: usize = 160;

/// Tells a person.
pub struct Lines<'a> {
    /// What is carried out, for the names of its changes.
    pub plan: Option<&'a Plan>,
    /// Nothing is told.
    pub quiet: bool,
    busy: Option<Progress>,
}

impl<'a> Lines<'a> {
    /// Tells of a plan.
    pub fn of(plan: Option<&'a Plan>, quiet: bool) -> Self {
        Self { plan, quiet, busy: None }
    }

    fn change(&self, number: usize) -> (String, String) {
        let change = self.plan.and_then(|p| p.changes.get(number));
        change.map_or_else(
            || ("change".to_owned(), number.to_string()),
            |c| (c.action.word().to_owned(), one_line(&c.title)),
        )
    }

    /// What was changed, from before to after, where that fits a line; else what it is called.
    fn changed(&self, number: usize) -> (String, String) {
        let (word, title) = self.change(number);
        let Some(change) = self.plan.and_then(|p| p.changes.get(number)) else { return (word, title) };
        let edits = edits_of(&change.action);
        let text = match &change.action {
            Action::DaemonJson(_) => edits,
            Action::Rights(rights) => format!("{} {edits}", one_line(&rights.path)),
            Action::Update(update) => format!("{}: {edits}", one_line(&update.container.name)),
            _ => title.clone(),
        };
        (word, if text.chars().count() > MOST { title } else { text })
    }

    fn line(&mut self, mark: &str, word: &str, text: &str) {
        self.busy = None;
        if self.quiet {
            return;
        }
        // Nobody may be listening any more: what is done goes on all the same.
        let _ = writeln!(std::io::stdout().lock(), " {mark} {word:<13}{text}");
        let _ = std::io::stdout().lock().flush();
    }
}

impl Tell for Lines<'_> {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Checked { line } => self.line("✓", "checked", line),
            Event::Rehearsed { tried: true, line } => self.line("✓", "rehearsed", &one_line(line)),
            Event::Rehearsed { tried: false, line } => self.line("–", "not rehearsed", &format!(" {}", one_line(line))),
            Event::Armed { by, until } => {
                let by = if by == "systemd" { "by systemd" } else { "by a process of its own" };
                // Nothing to confirm: it stays as soon as it is proven.
                let when = if *until <= jiff::Timestamp::now().as_second() {
                    "taken back where it is cut short".to_owned()
                } else {
                    format!("taken back at {} unless confirmed", clock(*until))
                };
                self.line("✓", "guarded", &format!("{when}, {by}"));
            }
            Event::Done { change, pending, notes, took } => {
                let (word, title) = self.changed(*change);
                let waits = pending.as_ref().map(|p| format!("; waits: {}", one_line(p))).unwrap_or_default();
                let took = if *took >= 500 { format!("  {:.1} s", *took as f64 / 1000.0) } else { String::new() };
                self.line("✓", &word, &format!("{title}{waits}{took}"));
                for note in notes {
                    self.line("!", "", &one_line(note));
                }
            }
            Event::Failed { change, why } => {
                let word = change.map_or_else(|| "proof".to_owned(), |n| self.change(n).0);
                self.line("✗", &word, &one_line(why));
            }
            Event::Proven { passed, pending, containers } => {
                let all = passed + pending.len();
                let checks = if all == 1 { "check passes" } else { "checks pass" };
                let run = match containers {
                    0 => String::new(),
                    1 => "; the container that ran runs".to_owned(),
                    n => format!("; {n} containers that ran run"),
                };
                self.line("✓", "proven", &format!("{passed} of {all} {checks} in effect{run}"));
                for (check, pending) in pending {
                    self.line(" ", "", &format!("{} waits for {}", one_line(check), waits_for(*pending)));
                }
            }
            Event::Expired { why } => self.line("↺", "taking back", &one_line(why)),
            Event::Undone { change, how, left } => {
                let (word, title) = self.change(*change);
                match how.as_str() {
                    "drifted" => {
                        let left: Vec<String> = left.iter().map(|l| one_line(l)).collect();
                        self.line("!", &word, &format!("left, since others have changed it: {}", left.join(", ")));
                    }
                    "nothing" => self.line("↺", &word, &format!("{title}: nothing to undo")),
                    "boot" => self.line("↺", &word, &format!("{title}: undone by the start of the machine")),
                    _ => self.line("↺", &word, &format!("{title}: as before")),
                }
            }
            Event::NotUndone { change, why } => {
                let word = self.change(*change).0;
                self.line("✗", &word, &format!("not undone: {}", one_line(why)));
            }
            Event::Begin { .. }
            | Event::Intent { .. }
            | Event::Applied { .. }
            | Event::Confirmed
            | Event::RolledBack { .. }
            | Event::Pruned => {}
        }
    }

    fn busy(&mut self, change: usize, what: &str) {
        let (word, title) = self.change(change);
        self.busy = None;
        self.busy = Some(Progress::start(format!("{word}: {what} {title}"), self.quiet));
    }
}

/// What a check waits for, in words.
pub fn waits_for(pending: Pending) -> &'static str {
    match pending {
        Pending::Reboot => "the next start of the machine",
        Pending::Login => "the next login",
        Pending::Recreation => "the re-creation of the containers",
    }
}

/// Tells a program: a line of JSON for each event.
pub struct Json;

impl Tell for Json {
    fn tell(&mut self, event: &Event) {
        if let Ok(text) = serde_json::to_string(event) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    }
}

/// The time of day, UTC.
pub fn clock(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    format!("{} UTC", at.strftime("%H:%M:%S"))
}

/// The moment, UTC.
pub fn moment(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    format!("{} UTC", at.strftime("%Y-%m-%d %H:%M:%S"))
}

/// `9 m 41 s`.
pub fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} m {s} s"),
        (h, m, _) => format!("{h} h {m} m"),
    }
}
