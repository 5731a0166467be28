//! One attack step from one TOML file.

use std::collections::HashSet;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::kubernetes::rbac::POWERS;
use seaworthy_core::schema::{self, Kind};
use seaworthy_core::step::{CAPABILITIES, Capability, Step, Through, capability};
use serde::Deserialize;
use toml::Spanned;

use super::check::compile;
use super::{LoadError, toml_error};

/// The hardest step.
const HARDEST: u32 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    from: Spanned<String>,
    to: Spanned<String>,
    over: Option<FlowKind>,
    through: Option<Spanned<Through>>,
    #[serde(default)]
    powers: Vec<Spanned<String>>,
    when: Option<Spanned<String>>,
    at: Option<Spanned<String>>,
    effort: Spanned<u32>,
    assumes: Option<String>,
    attack: String,
    source: String,
    #[serde(default)]
    cut: Vec<Spanned<String>>,
    story: String,
}

/// Parses a step from the text of its file. `file` is its path in the catalogue; `checks` are the ids that it may name.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str, checks: &HashSet<&str>) -> Result<Step, Vec<LoadError>> {
    let parsed: File = toml::from_str(text).map_err(|e| vec![toml_error(file, text, 0, &e)])?;
    let mut errors = Vec::new();
    let from = held(file, text, &parsed.from, &mut errors);
    let to = held(file, text, &parsed.to, &mut errors);
    let when = predicate(file, text, &parsed.when, from, &mut errors);
    let at = predicate(file, text, &parsed.at, to, &mut errors);
    if !(1..=HARDEST).contains(parsed.effort.get_ref()) {
        let message = format!("`effort` is 1 to {HARDEST}, not {}", parsed.effort.get_ref());
        errors.push(LoadError::at(file, text, parsed.effort.span().start, message));
    }
    if parsed.from.get_ref() == parsed.to.get_ref() && parsed.over.is_none() {
        let message = "it leads from a capability to the same one and over no flow: it does nothing";
        errors.push(LoadError::at(file, text, parsed.to.span().start, message));
    }
    if let Some(through) = &parsed.through
        && parsed.over != Some(through.get_ref().over())
    {
        let message = "`write` goes through a volume-mount, `joined` and `joined-by` through a namespace, `linked` through \
                       a container-network, `shared` and `shared-write` through a bind-mount; `over` is another";
        errors.push(LoadError::at(file, text, through.span().start, message));
    }
    for power in &parsed.powers {
        if parsed.over != Some(FlowKind::Grant) {
            let message = "`powers` belong to a step over a `grant`";
            errors.push(LoadError::at(file, text, power.span().start, message));
        } else if !POWERS.iter().any(|known| known.name == base(power.get_ref())) {
            let known: Vec<&str> = POWERS.iter().map(|power| power.name).collect();
            let message = format!("there is no power `{}`; there are {}", power.get_ref(), known.join(", "));
            errors.push(LoadError::at(file, text, power.span().start, message));
        }
    }
    for check in parsed.cut.iter().filter(|c| !checks.contains(c.get_ref().as_str())) {
        let message = format!("there is no check `{}`", check.get_ref());
        errors.push(LoadError::at(file, text, check.span().start, message));
    }
    let told = [("title", &parsed.title), ("source", &parsed.source), ("story", &parsed.story)];
    for (name, value) in told.into_iter().chain(parsed.assumes.iter().map(|a| ("assumes", a))) {
        if value.trim().is_empty() {
            errors.push(LoadError::whole(file, format!("`{name}` says nothing")));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Step {
        id: file.trim_start_matches("steps/").trim_end_matches(".toml").to_owned(),
        title: parsed.title,
        from: parsed.from.into_inner(),
        to: parsed.to.into_inner(),
        over: parsed.over,
        through: parsed.through.map(Spanned::into_inner),
        powers: parsed.powers.into_iter().map(Spanned::into_inner).collect(),
        when,
        at,
        effort: parsed.effort.into_inner(),
        assumes: parsed.assumes.map(|a| a.trim().to_owned()),
        attack: parsed.attack,
        source: parsed.source,
        cut: parsed.cut.into_iter().map(Spanned::into_inner).collect(),
        story: parsed.story.trim().to_owned(),
        file: file.to_owned(),
    })
}

/// The power's name, without what says how it is held.
fn base(power: &str) -> &str {
    let of = |held: &str| power.strip_suffix(held);
    of("/named").or_else(|| of("/gained")).or_else(|| of("/exempt")).unwrap_or(power)
}

fn held(file: &str, text: &str, name: &Spanned<String>, errors: &mut Vec<LoadError>) -> Option<&'static Capability> {
    let found = capability(name.get_ref());
    if found.is_none() {
        let known: Vec<&str> = CAPABILITIES.iter().map(|c| c.name).collect();
        let message = format!("there is no capability `{}`; there are {}", name.get_ref(), known.join(", "));
        errors.push(LoadError::at(file, text, name.span().start, message));
    }
    found
}

fn predicate(
    file: &str,
    text: &str,
    source: &Option<Spanned<String>>,
    at: Option<&'static Capability>,
    errors: &mut Vec<LoadError>,
) -> Option<seaworthy_core::predicate::Predicate> {
    let written = source.as_ref()?;
    let kind: Option<&'static Kind> = schema::kind_named(at?.about);
    match kind {
        Some(kind) => compile(file, text, 0, source, kind, errors),
        None => {
            let message = format!("`{}` is held at an actor, which has no facts", at?.name);
            errors.push(LoadError::at(file, text, written.span().start, message));
            None
        }
    }
}
