//! What a plan says, line by line, for every rendering. All of it is cleaned.

use seaworthy_core::plan::{
    Action, Activation, Closed, ContainerRef, Expected, Forecast, Owned, Pending, Plan, Rights, SetField,
};
use seaworthy_core::remedy::Safety;
use serde_json::Value;

use crate::clean::{NAME, VALUE, bounded, one_line};
use crate::shell::quoted;
use crate::words::count;

/// The most names and findings that one line lists.
const MOST: usize = 12;

/// An hour in the engine's unit of time, nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

/// One line.
pub(super) enum Line {
    /// A statement, and what is beside it.
    Pair(String, String),
    /// A sentence.
    Words(String),
    /// A command to be copied.
    Command(String),
}

/// A change.
pub(super) struct Change {
    pub title: String,
    pub safety: Safety,
    pub lines: Vec<Line>,
}

/// Lines under a title.
pub(super) struct Section {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

/// A whole plan.
pub(super) struct Told {
    pub head: Vec<String>,
    pub changes: Vec<Change>,
    pub sections: Vec<Section>,
}

impl Told {
    pub fn new(plan: &Plan) -> Self {
        let mut head = Vec::new();
        if plan.target.demo {
            head.push("It is the demonstration's: it can be read, and is never applied.".to_owned());
        } else if plan.target.host.is_none() {
            head.push("The host beneath the engine was not at hand: it can be read, and is not applied.".to_owned());
        }
        if plan.changes.is_empty() {
            head.push("It changes nothing.".to_owned());
        }
        let changes = plan.changes.iter().map(change).collect();
        let mut sections = Vec::new();
        let mut section = |title: &'static str, lines: Vec<Line>| {
            if !lines.is_empty() {
                sections.push(Section { title, lines });
            }
        };
        section("Meanwhile", meanwhile(plan));
        section("Watch out", plan.warnings.iter().map(|w| Line::Words(one_line(w))).collect());
        section("Afterwards", afterwards(plan));
        section("By hand", by_hand(plan));
        section("Left out", left_out(plan));
        Self { head, changes, sections }
    }
}

fn change(change: &seaworthy_core::plan::Change) -> Change {
    let mut lines = edits(&change.action);
    lines.extend(change.breaks.iter().map(|b| Line::Words(format!("may break: {}", one_line(b)))));
    lines.extend(change.lasting.iter().map(|l| Line::Words(format!("cannot be undone: {}", one_line(l)))));
    if !change.closes.is_empty() && !matches!(change.action, Action::Activate(_)) {
        lines.push(Line::Words(format!("closes {}", closed(&change.closes))));
    }
    Change { title: one_line(&change.title), safety: change.safety, lines }
}

/// `icc-off`, `memory-limited on web, api`: by check, with the components that are no part of the title.
fn closed(all: &[Closed]) -> String {
    let mut by: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in all {
        let check = one.check.rsplit('/').next().unwrap_or(&one.check);
        match by.iter_mut().find(|(c, _)| *c == check) {
            Some((_, names)) => names.push(&one.component),
            None => by.push((check, vec![&one.component])),
        }
    }
    let parts = by.iter().take(MOST).map(|(check, names)| match names.as_slice() {
        [_] => one_line(check),
        names => format!("{} on {}", one_line(check), listed(names.iter().copied())),
    });
    let parts: Vec<String> = parts.collect();
    let more = by.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", parts.join(", ")) } else { parts.join(", ") }
}

fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let many = names.len();
    let shown: Vec<String> = names.take(MOST).map(|n| bounded(n, NAME).into_owned()).collect();
    let more = many.saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn names(all: &[ContainerRef]) -> String {
    listed(all.iter().map(|c| c.name.as_str()))
}

/// What exactly is edited, before and after.
pub(super) fn edits(action: &Action) -> Vec<Line> {
    let pair = |left: String, right: &str| Line::Pair(left, bounded(right, VALUE).into_owned());
    match action {
        Action::Rights(rights) => vec![pair(owned(rights), &rights.path)],
        Action::DaemonJson(file) => {
            let line = |key: &seaworthy_core::plan::SetKey| {
                let after = key.after.as_ref().map_or("taken away".to_owned(), json);
                let before = key.before.as_ref().map_or("not known".to_owned(), json);
                pair(format!("{}  {before} → {after}", one_line(&key.key)), &file.path)
            };
            file.set.iter().map(line).collect()
        }
        Action::DropIn(drop_in) => {
            let mut lines: Vec<Line> = drop_in.socket.iter().map(|r| pair(owned(r), &r.path)).collect();
            let line = |(name, value): &(String, String)| {
                pair(format!("{}={}", one_line(name), one_line(value)), &format!("a drop-in of {}", drop_in.unit))
            };
            lines.extend(drop_in.set.iter().map(line));
            lines
        }
        Action::Audit(rules) => {
            let line = |w: &seaworthy_core::plan::Watch| {
                let new = match (w.kernel, w.disk) {
                    (true, true) => "in the kernel and on disk",
                    (true, false) => "in the kernel; on disk it is",
                    (false, true) => "on disk; the kernel has it",
                    (false, false) => "there already",
                };
                pair(format!("{}  {}", one_line(&w.path), one_line(&w.permissions)), new)
            };
            rules.watches.iter().map(line).collect()
        }
        Action::Sshd(sshd) => settings(&sshd.set, "in front of sshd's other settings"),
        Action::ProfileEnv(env) => settings(&env.set, "exported by login shells"),
        Action::LeaveGroup(leave) => {
            vec![pair(format!("{} leaves {}", one_line(&leave.user), one_line(&leave.group)), "/etc/group")]
        }
        Action::Activate(activate) => {
            let mut lines = Vec::new();
            if activate.how == Activation::Restart {
                if activate.stop_all {
                    lines.push(Line::Words("all containers are stopped before it".into()));
                }
                if !activate.returns.is_empty() {
                    lines.push(Line::Words(format!("the engine starts again: {}", names(&activate.returns))));
                }
                if !activate.started_again.is_empty() {
                    lines.push(Line::Words(format!("started again after it: {}", names(&activate.started_again))));
                }
            } else {
                lines.push(Line::Words("by SIGHUP; nothing restarts".into()));
            }
            lines
        }
        Action::Update(update) => update.set.iter().map(field).collect(),
        Action::Recreate(recreate) => {
            let line = |change: &seaworthy_core::plan::SpecChange| {
                let mut parts: Vec<String> = Vec::new();
                if !change.remove.is_empty() {
                    parts.push(format!("without {}", listed(change.remove.iter().map(String::as_str))));
                }
                if !change.add.is_empty() {
                    let shown = |v: &String| if v.is_empty() { "(the default)".to_owned() } else { one_line(v) };
                    parts.push(format!("with {}", change.add.iter().map(shown).collect::<Vec<_>>().join(", ")));
                }
                Line::Pair(format!("{}  {}", one_line(&change.option), parts.join(", ")), String::new())
            };
            let mut lines: Vec<Line> = recreate.set.iter().map(line).collect();
            if let Some((project, service)) = &recreate.compose {
                let line = format!(
                    "beside Compose, whose file says it too: service {} of project {}",
                    one_line(service),
                    one_line(project)
                );
                lines.push(Line::Words(line));
            }
            lines
        }
        Action::Swarm(swarm) => {
            let line = |(name, before, after): &(String, Value, Value)| {
                let shown = |value: &Value| match value.as_i64().filter(|_| name == "cert-expiry") {
                    Some(nanoseconds) => format!("{} h", nanoseconds / HOUR),
                    None => json(value),
                };
                pair(format!("{}  {} → {}", one_line(name), shown(before), shown(after)), "")
            };
            swarm.set.iter().map(line).collect()
        }
    }
}

fn settings(set: &[(String, String)], right: &str) -> Vec<Line> {
    let line = |(name, value): &(String, String)| {
        Line::Pair(format!("{} {}", one_line(name), one_line(value)), right.to_owned())
    };
    set.iter().map(line).collect()
}

fn owned(rights: &Rights) -> String {
    let shown = |o: Owned| format!("{}:{} {:04o}", o.uid, o.gid, o.mode);
    format!("{} → {}", shown(rights.before), shown(rights.after))
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        other => bounded(&other.to_string(), VALUE).into_owned(),
    }
}

fn field(set: &SetField) -> Line {
    let shown = |value: &Value| match (set.field.as_str(), value) {
        (_, Value::Null) => "no limit".to_owned(),
        ("memory", Value::Number(n)) => n.as_i64().map_or_else(|| n.to_string(), bytes),
        ("cpus", Value::Number(n)) => n.as_f64().map_or_else(|| n.to_string(), |n| format!("{}", n / 1000.0)),
        (_, Value::String(text)) => one_line(text),
        (_, other) => json(other),
    };
    let line = format!("{}  {} → {}", one_line(&set.field), shown(&set.before), shown(&set.after));
    Line::Pair(line, one_line(&set.why))
}

/// Bytes for people: `143 MiB`.
fn bytes(bytes: i64) -> String {
    for (unit, name) in [(1i64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit {
            return if bytes % unit == 0 {
                format!("{} {name}", bytes / unit)
            } else {
                format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
            };
        }
    }
    format!("{bytes} bytes")
}

fn meanwhile(plan: &Plan) -> Vec<Line> {
    let pause = &plan.interruption;
    let mut lines = Vec::new();
    let restarts = pause.restarts.iter().map(|r| one_line(r)).collect::<Vec<_>>().join(", ");
    match (pause.restarts.is_empty(), pause.stops.is_empty()) {
        (true, true) if plan.changes.is_empty() => return lines,
        (true, true) => lines.push(Line::Words("Nothing restarts and no container stops.".into())),
        (false, true) => lines.push(Line::Words(format!("{restarts} restarts; no container stops."))),
        (restart, false) => {
            let first = if restart { String::new() } else { format!("{restarts} restarts; ") };
            let many = count(pause.stops.len(), "container");
            let verb = if pause.stops.len() == 1 { "stops" } else { "stop" };
            lines.push(Line::Words(format!("{first}{many} {verb}: {}.", names(&pause.stops))));
        }
    }
    if let Some((seconds, why)) = &pause.seconds {
        lines.push(Line::Words(format!("For at most about {seconds} s: {}.", one_line(why))));
    }
    lines
}

fn afterwards(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    let now = plan.expects.iter().filter(|e| e.pending.is_none()).count();
    if now > 0 {
        lines.push(Line::Words(format!("{} in effect at once, or all of it is undone.", passing(now))));
    }
    for (pending, what) in [
        (Pending::Reboot, "after the next start of the machine"),
        (Pending::Login, "from the next login on"),
        (Pending::Recreation, "when the container is made anew"),
    ] {
        let waiting: Vec<&Expected> = plan.expects.iter().filter(|e| e.pending == Some(pending)).collect();
        if !waiting.is_empty() {
            let which: Vec<Closed> = waiting.iter().map(|e| e.finding.clone()).collect();
            lines.push(Line::Words(format!("{} {what}: {}.", passing(waiting.len()), closed(&which))));
        }
    }
    lines.extend(plan.forecast.iter().flat_map(forecast));
    lines
}

fn passing(checks: usize) -> String {
    if checks == 1 { "1 check passes".to_owned() } else { format!("{checks} checks pass") }
}

fn forecast(forecast: &Forecast) -> Vec<Line> {
    let line =
        |(before, after): (usize, usize), what: &str| Line::Pair(format!("{what}  {before} → {after}"), String::new());
    vec![
        line(forecast.threats_open, "open threats"),
        line(forecast.paths_proven, "proven paths"),
        line(forecast.paths_possible, "possible paths"),
        line(forecast.controls_failing, "failing controls"),
    ]
}

/// `no-ssh-server on web`.
fn finding(of: &Closed) -> String {
    let check = of.check.strip_prefix("docker/").unwrap_or(&of.check);
    format!("{} · {}", one_line(check), bounded(&of.component, NAME))
}

fn by_hand(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for hand in &plan.by_hand {
        lines.push(Line::Words(format!("{}: {}", finding(&hand.finding), one_line(&hand.what))));
        if !hand.command.is_empty() {
            lines.push(Line::Command(quoted(&hand.command)));
        }
    }
    lines
}

/// One line for each reason.
fn left_out(plan: &Plan) -> Vec<Line> {
    let mut by: Vec<(&str, Vec<&Closed>)> = Vec::new();
    for left in &plan.left_out {
        match by.iter_mut().find(|(why, _)| *why == left.why) {
            Some((_, findings)) => findings.push(&left.finding),
            None => by.push((&left.why, vec![&left.finding])),
        }
    }
    let line = |(why, findings): &(&str, Vec<&Closed>)| {
        let shown: Vec<String> = findings.iter().take(MOST).map(|f| finding(f)).collect();
        let more = findings.len().saturating_sub(MOST);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Line::Words(format!("{}{more}: {}", shown.join(", "), one_line(why)))
    };
    by.iter().map(line).collect()
}
