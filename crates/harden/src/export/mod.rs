//! Plans for those who may not let a tool write: a shell script, Ansible tasks, a Compose override, a merge patch of
//! daemon.json. Names from the host are hostile: each format quotes them in its own way, and no format lets them be code.

mod ansible;
mod compose;
mod shell;
mod yaml;

#[cfg(test)]
mod tests;

use seaworthy_core::plan::{Action, Plan};
use serde_json::{Map, Value};

use crate::Failure;

pub use ansible::ansible;
pub use compose::compose;
pub(crate) use compose::in_file;
pub use shell::shell;

/// The settings of daemon.json as a merge patch (RFC 7396): null takes a key away.
///
/// # Errors
/// Where the plan changes nothing of daemon.json.
pub fn daemon_json(plan: &Plan) -> Result<String, Failure> {
    let patch = patch(plan).ok_or_else(|| Failure::new("the plan changes nothing of daemon.json"))?;
    serde_json::to_string_pretty(&patch).map(|text| text + "\n").map_err(|e| Failure(e.to_string()))
}

fn patch(plan: &Plan) -> Option<Value> {
    let file =
        plan.changes.iter().find_map(|c| if let Action::DaemonJson(file) = &c.action { Some(file) } else { None })?;
    let set = file.set.iter().map(|s| (s.key.clone(), s.after.clone().unwrap_or(Value::Null)));
    Some(Value::Object(set.collect::<Map<_, _>>()))
}

/// Text for a comment, on one line: no control or invisible character is left in it.
fn comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(2000) {
        if c.is_control() || is_invisible(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Whether a character reorders or hides what a reviewer sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The head of every export: what it is, from what, and for where.
fn head(plan: &Plan) -> Vec<String> {
    let when = plan.made_at;
    vec![
        format!("Plan {} of seaworthy {}, for {} ({}),", plan.id, plan.tool, plan.target.name, plan.target.address),
        format!(
            "from facts of {when} seconds since 1970. Read it before you run it: it is carried out as it stands, without"
        ),
        "the proof in effect, the guard and the way back that seaworthy harden apply has.".to_owned(),
    ]
}

/// What a person has to do, and what a re-creation would change: never done by an export.
fn to_do(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    for change in &plan.changes {
        if let Action::Recreate(recreate) = &change.action {
            let options = recreate.set.iter().map(|s| {
                let without: Vec<String> = s.remove.iter().map(|v| format!("without {v}")).collect();
                let with: Vec<String> =
                    s.add.iter().map(|v| format!("with {}", if v.is_empty() { "the default" } else { v })).collect();
                format!("--{} {}", s.option, without.into_iter().chain(with).collect::<Vec<_>>().join(", "))
            });
            let options: Vec<String> = options.collect();
            out.push((
                format!("Make {} anew where it is defined: {}", recreate.container.name, options.join("; ")),
                Vec::new(),
            ));
        }
    }
    for hand in &plan.by_hand {
        out.push((
            format!("{} on {}: {}", hand.finding.check, hand.finding.component, hand.what),
            hand.command.clone(),
        ));
    }
    out
}

/// The options of `docker update` for a field.
fn update_options(set: &seaworthy_core::plan::SetField) -> Vec<String> {
    let after = match &set.after {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match set.field.as_str() {
        // Equal: no swap beside it.
        "memory" => vec![format!("--memory={after}"), format!("--memory-swap={after}")],
        "cpus" => vec![format!("--cpus={}", cpus(&set.after))],
        field => vec![format!("--{field}={after}")],
    }
}

/// Thousandths of a CPU as `docker` takes them.
fn cpus(thousandths: &Value) -> String {
    let n = thousandths.as_u64().unwrap_or(0);
    format!("{}.{:03}", n / 1000, n % 1000)
}
