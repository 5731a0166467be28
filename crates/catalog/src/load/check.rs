//! One check from one Markdown file.

use seaworthy_core::check::{Case, Check};
use seaworthy_core::kubernetes::remedy;
use seaworthy_core::predicate::Predicate;
use seaworthy_core::remedy::{Change, Edit, Remedy, Safety, Setting};
use seaworthy_core::schema::{self, Kind};
use seaworthy_core::verdict::{Severity, Verdict};
use serde::Deserialize;
use toml::Spanned;

use super::{LoadError, cases, toml_error};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    about: Spanned<String>,
    select: Option<Spanned<String>>,
    severity: Severity,
    when: Option<Spanned<String>>,
    require: Option<Spanned<String>>,
    manual: Option<String>,
    #[serde(default)]
    show: Vec<Spanned<String>>,
    remedy: FrontRemedy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontRemedy {
    safety: Safety,
    #[serde(default)]
    edits: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    changes: Vec<Spanned<Change>>,
    fix: String,
    by_hand: Option<String>,
}

/// A fenced block: its info string, its text, where the text begins (byte) and the fence's line.
pub(super) struct Fence<'a> {
    pub info: &'a str,
    pub text: &'a str,
    pub start: usize,
    pub line: usize,
}

/// Parses a check from the text of its file. `file` is its path in the catalogue, `checks/docker/daemon/icc-off.md`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Check, Vec<LoadError>> {
    let fences = fences(text);
    let Some(front) = fences.first().filter(|f| f.info == "toml" && text[..f.start].trim() == "```toml") else {
        return Err(vec![LoadError::at(file, text, 0, "it must begin with a ```toml block")]);
    };
    let parsed: Front = toml::from_str(front.text).map_err(|e| vec![toml_error(file, text, front.start, &e)])?;
    let mut errors = Vec::new();
    let Some(kind) = schema::kind_named(parsed.about.get_ref()) else {
        let names: Vec<_> = schema::kinds().iter().map(|k| k.name).collect();
        let message = format!("no kind `{}`; there are {}", parsed.about.get_ref(), names.join(", "));
        return Err(vec![LoadError::at(file, text, front.start + parsed.about.span().start, message)]);
    };
    let mut predicate = |source: &Option<Spanned<String>>| compile(file, text, front.start, source, kind, &mut errors);
    let (select, when, require) = (predicate(&parsed.select), predicate(&parsed.when), predicate(&parsed.require));
    if parsed.require.is_none() && parsed.manual.is_none() {
        errors.push(LoadError::at(file, text, front.start, "it needs `require`, or `manual`, or both"));
    }
    for name in parsed.show.iter().filter(|n| kind.index(n.get_ref()).is_none()) {
        let message = format!("{} has no fact `{}`", kind.name, name.get_ref());
        errors.push(LoadError::at(file, text, front.start + name.span().start, message));
    }
    let remedy = remedy_of(file, text, front.start, kind, parsed.remedy, &mut errors);
    let (title, rationale) = prose(file, text, &mut errors);
    let check = Check {
        id: file.trim_start_matches("checks/").trim_end_matches(".md").to_owned(),
        title,
        about: kind.name.to_owned(),
        severity: parsed.severity,
        select,
        when,
        require,
        manual: parsed.manual,
        show: parsed.show.into_iter().map(Spanned::into_inner).collect(),
        remedy,
        rationale,
        cases: cases_of(file, text, &fences[1..], &mut errors),
        file: file.to_owned(),
    };
    required_cases(&check, file, text, &mut errors);
    if errors.is_empty() {
        for case in &check.cases {
            if let Err(error) = cases::component(&check, case) {
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(check) } else { Err(errors) }
}

pub(super) fn compile(
    file: &str,
    text: &str,
    start: usize,
    source: &Option<Spanned<String>>,
    kind: &'static Kind,
    errors: &mut Vec<LoadError>,
) -> Option<Predicate> {
    let source = source.as_ref()?;
    match Predicate::compile(source.get_ref(), kind) {
        Ok(predicate) => Some(predicate),
        Err(error) => {
            // The span includes the quotes; with escapes in the text the column is near, the line right.
            let quotes = if text[start + source.span().start..].starts_with("'''")
                || text[start + source.span().start..].starts_with("\"\"\"")
            {
                3
            } else {
                1
            };
            let offset = start + source.span().start + quotes + error.offset;
            errors.push(LoadError::at(file, text, offset, error.message));
            None
        }
    }
}

fn remedy_of(
    file: &str,
    text: &str,
    start: usize,
    kind: &'static Kind,
    front: FrontRemedy,
    errors: &mut Vec<LoadError>,
) -> Remedy {
    let mut edits = Vec::new();
    for table in front.edits {
        let offset = start + table.span().start;
        match edit(table.into_inner()) {
            Ok(edit) => edits.push(edit),
            Err(why) => errors.push(LoadError::at(file, text, offset, why)),
        }
    }
    let mut changes = Vec::new();
    for change in front.changes {
        let offset = start + change.span().start;
        match remedy::is_sound(change.get_ref(), kind) {
            Ok(()) => changes.push(change.into_inner()),
            Err(why) => errors.push(LoadError::at(file, text, offset, why)),
        }
    }
    if front.fix.trim().is_empty() {
        errors.push(LoadError::at(file, text, start, "the remedy needs `fix`: what to do, in words and a command"));
    }
    if front.safety == Safety::Manual && !edits.is_empty() {
        errors.push(LoadError::at(file, text, start, "a manual remedy is described, never done: it has no edits"));
    }
    let by_hand = front.by_hand.map(|why| why.trim().to_owned());
    if by_hand.is_some() && (!edits.is_empty() || by_hand.as_deref() == Some("")) {
        errors.push(LoadError::at(file, text, start, "`by_hand` says why a remedy without edits has none"));
    }
    Remedy { safety: front.safety, edits, changes, fix: front.fix.trim().to_owned(), by_hand }
}

fn edit(table: toml::Table) -> Result<Edit, String> {
    let mut entries = table.into_iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        return Err("an edit has one key: what is changed".into());
    };
    let text = |value: toml::Value| match value {
        toml::Value::String(s) => Ok(s),
        other => Err(format!("`{name}` takes text, not {}", other.type_str())),
    };
    let map = |value: toml::Value| match setting(value)? {
        Setting::Map(map) => Ok(map),
        _ => Err(format!("`{name}` takes settings: {{ key = value }}")),
    };
    match name.as_str() {
        "daemon-json" => Ok(Edit::DaemonJson(map(value)?)),
        "file-mode" => Ok(Edit::FileMode(text(value)?)),
        "file-owner" => Ok(Edit::FileOwner(text(value)?)),
        "audit-watch" => Ok(Edit::AuditWatch(text(value)?)),
        "update" => Ok(Edit::Update(map(value)?)),
        "recreate" => Ok(Edit::Recreate(map(value)?)),
        "sshd" => Ok(Edit::Sshd(map(value)?)),
        "group-remove" => Ok(Edit::GroupRemove(text(value)?)),
        "profile-env" => Ok(Edit::ProfileEnv(map(value)?)),
        "socket-drop-in" => Ok(Edit::SocketDropIn(map(value)?)),
        "swarm" => Ok(Edit::Swarm(map(value)?)),
        other => Err(format!("there is no edit `{other}`")),
    }
}

fn setting(value: toml::Value) -> Result<Setting, String> {
    Ok(match value {
        toml::Value::Boolean(b) => Setting::Bool(b),
        toml::Value::Integer(i) => Setting::Int(i),
        toml::Value::String(s) => Setting::Str(s),
        toml::Value::Array(items) => Setting::List(items.into_iter().map(setting).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            Setting::Map(table.into_iter().map(|(k, v)| Ok((k, setting(v)?))).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("settings are no {}", other.type_str())),
    })
}

/// The title (the first heading) and what stands between it and the Cases.
fn prose(file: &str, text: &str, errors: &mut Vec<LoadError>) -> (String, String) {
    let body = text.splitn(3, "```").nth(2).unwrap_or("").trim_start();
    let (title, rest) = body.split_once('\n').unwrap_or((body, ""));
    let Some(title) = title.strip_prefix("# ") else {
        errors.push(LoadError::whole(file, "after the toml block there must be a title: `# …`"));
        return (String::new(), String::new());
    };
    let rationale = rest.split("\n## Cases").next().unwrap_or("").trim();
    if rationale.is_empty() {
        errors.push(LoadError::whole(file, "it gives no reason: say why it matters between the title and `## Cases`"));
    }
    (title.trim().to_owned(), rationale.to_owned())
}

fn cases_of(file: &str, text: &str, fences: &[Fence<'_>], errors: &mut Vec<LoadError>) -> Vec<Case> {
    let cases_start = text.find("\n## Cases").unwrap_or(text.len());
    let mut cases = Vec::new();
    for fence in fences.iter().filter(|f| f.start > cases_start) {
        let verdict = match fence.info.strip_prefix("toml ") {
            Some("pass") => Verdict::Pass,
            Some("fail") => Verdict::Fail,
            Some("unknown") => Verdict::Unknown,
            Some("not-applicable") => Verdict::NotApplicable,
            Some("manual") => Verdict::Manual,
            _ => {
                let message = "a Case is ```toml pass, fail, unknown, not-applicable or manual";
                errors.push(LoadError::at(file, text, fence.start.saturating_sub(1), message));
                continue;
            }
        };
        cases.push(Case { verdict, facts: fence.text.to_owned(), line: fence.line });
    }
    cases
}

fn required_cases(check: &Check, file: &str, text: &str, errors: &mut Vec<LoadError>) {
    let has = |verdict| check.cases.iter().any(|c| c.verdict == verdict);
    let mut need = |verdict: Verdict| {
        if !has(verdict) {
            let end = text.len();
            errors.push(LoadError::at(file, text, end, format!("it has no Case ```toml {}", verdict.word())));
        }
    };
    if check.require.is_none() {
        need(Verdict::Manual);
    } else {
        need(Verdict::Pass);
        need(if check.manual.is_some() { Verdict::Manual } else { Verdict::Fail });
        need(Verdict::Unknown);
    }
    if check.when.is_some() {
        need(Verdict::NotApplicable);
    }
}

/// The fenced blocks of a Markdown text.
pub(super) fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut out = Vec::new();
    let mut open: Option<(&str, usize, usize)> = None;
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(info) = line.trim_end().strip_prefix("```") {
            match open.take() {
                Some((info, start, line)) => out.push(Fence { info, text: &text[start..offset], start, line }),
                None => open = Some((info.trim(), offset + line.len(), number + 1)),
            }
        }
        offset += line.len();
    }
    out
}
