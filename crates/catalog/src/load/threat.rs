//! One threat from one Markdown file, and the matrix's blanks.

use std::collections::HashSet;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::schema;
use seaworthy_core::threat::{Alone, Blank, Formula, Loss, Story, Stride, Surface, Threat};
use serde::Deserialize;
use toml::Spanned;

use super::check::{compile, fences};
use super::{LoadError, Position, toml_error};

/// How deep `all` and `any` may nest.
const DEEPEST: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    stride: Vec<Stride>,
    about: Spanned<String>,
    crosses: Option<Spanned<String>>,
    flow: Option<FlowKind>,
    when: Option<Spanned<String>>,
    answered: Spanned<toml::Value>,
    loses: Loss,
    #[serde(default)]
    attack: Vec<String>,
    surface: Surface,
    #[serde(default)]
    covers: Vec<Spanned<String>>,
}

/// Parses a threat from the text of its file. `file` is its path in the catalogue; `checks` are the ids that it may
/// name, `rows` those that it may cover.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str, checks: &HashSet<&str>, rows: &HashSet<&str>) -> Result<Threat, Vec<LoadError>> {
    let fences = fences(text);
    let Some(front) = fences.first().filter(|f| f.info == "toml" && text[..f.start].trim() == "```toml") else {
        return Err(vec![LoadError::at(file, text, 0, "it must begin with a ```toml block")]);
    };
    let parsed: Front = toml::from_str(front.text).map_err(|e| vec![toml_error(file, text, front.start, &e)])?;
    let mut errors = Vec::new();
    let kinds = || schema::kinds().iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
    let Some(kind) = schema::kind_named(parsed.about.get_ref()) else {
        let message = format!("no kind `{}`; there are {}", parsed.about.get_ref(), kinds());
        return Err(vec![LoadError::at(file, text, front.start + parsed.about.span().start, message)]);
    };
    if let Some(crosses) = parsed.crosses.as_ref().filter(|c| schema::kind_named(c.get_ref()).is_none()) {
        let message = format!("no kind `{}`; there are {}", crosses.get_ref(), kinds());
        errors.push(LoadError::at(file, text, front.start + crosses.span().start, message));
    }
    if parsed.stride.is_empty() {
        errors.push(LoadError::at(file, text, front.start, "`stride` names no letter"));
    }
    for row in parsed.covers.iter().filter(|r| !rows.contains(r.get_ref().as_str())) {
        let message = format!("there is no row `{}` in rows.toml", row.get_ref());
        errors.push(LoadError::at(file, text, front.start + row.span().start, message));
    }
    let when = compile(file, text, front.start, &parsed.when, kind, &mut errors);
    let start = front.start + parsed.answered.span().start;
    let answered = formula(parsed.answered.get_ref(), checks, 0).unwrap_or_else(|why| {
        // The column of a part is not known; its text is.
        let at = why.part.as_deref().and_then(|part| text[start..].find(part)).map_or(start, |i| start + i);
        errors.push(LoadError::at(file, text, at, why.message));
        Formula::All(Vec::new())
    });
    let (title, story) = prose(file, text, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Threat {
        id: file.trim_start_matches("threats/").trim_end_matches(".md").to_owned(),
        title,
        stride: parsed.stride,
        about: kind.name.to_owned(),
        crosses: parsed.crosses.map(Spanned::into_inner),
        flow: parsed.flow,
        when,
        answered,
        loses: parsed.loses,
        attack: parsed.attack,
        surface: parsed.surface,
        covers: parsed.covers.into_iter().map(Spanned::into_inner).collect(),
        story,
        file: file.to_owned(),
    })
}

/// What is wrong with a formula, and the text of the part.
struct Wrong {
    message: String,
    part: Option<String>,
}

fn formula(value: &toml::Value, checks: &HashSet<&str>, depth: usize) -> Result<Formula, Wrong> {
    let wrong = |message: String| Wrong { message, part: None };
    match value {
        toml::Value::String(id) if checks.contains(id.as_str()) => Ok(Formula::Check(id.clone())),
        toml::Value::String(id) => Err(Wrong { message: format!("there is no check `{id}`"), part: Some(id.clone()) }),
        toml::Value::Table(_) if depth >= DEEPEST => Err(wrong(format!("`answered` nests more than {DEEPEST} deep"))),
        toml::Value::Table(table) => {
            let mut entries = table.iter();
            let (Some((name, toml::Value::Array(parts))), None) = (entries.next(), entries.next()) else {
                return Err(wrong("`answered` is a check's id, { all = [...] } or { any = [...] }".into()));
            };
            let parts: Vec<Formula> =
                parts.iter().map(|p| formula(p, checks, depth + 1)).collect::<Result<_, Wrong>>()?;
            match name.as_str() {
                _ if parts.is_empty() => Err(wrong(format!("`{name}` is empty: nothing would answer this"))),
                "all" => Ok(Formula::All(parts)),
                "any" => Ok(Formula::Any(parts)),
                other => Err(wrong(format!("`answered` knows `all` and `any`, not `{other}`"))),
            }
        }
        other => Err(wrong(format!("`answered` holds ids, `all` and `any`; this is of type {}", other.type_str()))),
    }
}

/// The title and the five parts of the story.
fn prose(file: &str, text: &str, errors: &mut Vec<LoadError>) -> (String, Story) {
    let body = text.splitn(3, "```").nth(2).unwrap_or("").trim_start();
    let (title, rest) = body.split_once('\n').unwrap_or((body, ""));
    let title = title.strip_prefix("# ").unwrap_or_else(|| {
        errors.push(LoadError::whole(file, "after the toml block there must be a title: `# …`"));
        ""
    });
    let mut part = |name: &str, next: Option<&str>| -> String {
        let lead = format!("**{name}.**");
        let Some((_, after)) = rest.split_once(lead.as_str()) else {
            errors.push(LoadError::whole(file, format!("the story has no paragraph `{lead} …`")));
            return String::new();
        };
        let end = next.and_then(|n| after.find(&format!("**{n}.**"))).unwrap_or(after.len());
        let found = after[..end].trim();
        if found.is_empty() {
            errors.push(LoadError::whole(file, format!("the paragraph `{lead}` says nothing")));
        }
        found.to_owned()
    };
    let story = Story {
        who: part("Who", Some("How")),
        how: part("How", Some("Lost")),
        lost: part("Lost", Some("Answer")),
        answer: part("Answer", Some("Remains")),
        remains: part("Remains", None),
    };
    (title.trim().to_owned(), story)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrideFile {
    #[serde(default)]
    blank: Vec<Spanned<Blank>>,
    #[serde(default)]
    alone: Vec<Spanned<Alone>>,
}

/// What [`stride`] reads, each with its place.
type Reasons = (Vec<(Blank, Position)>, Vec<(Alone, Position)>);

/// Parses the reasons for what is missing: blank cells of the matrix, checks that answer no threat.
///
/// # Errors
/// Everything that is wrong with it.
pub fn stride(file: &str, text: &str, checks: &HashSet<&str>) -> Result<Reasons, Vec<LoadError>> {
    let parsed: StrideFile = toml::from_str(text).map_err(|e| vec![toml_error(file, text, 0, &e)])?;
    let mut errors = Vec::new();
    for blank in &parsed.blank {
        let (at, blank) = (blank.span().start, blank.get_ref());
        if !matches!(blank.kind.as_str(), "actor" | "flow") && schema::kind_named(&blank.kind).is_none() {
            errors.push(LoadError::at(file, text, at, format!("no kind `{}`", blank.kind)));
        }
        if blank.reason.trim().is_empty() {
            errors.push(LoadError::at(file, text, at, "a blank cell needs a reason"));
        }
    }
    for alone in &parsed.alone {
        let (at, alone) = (alone.span().start, alone.get_ref());
        if !checks.contains(alone.check.as_str()) {
            errors.push(LoadError::at(file, text, at, format!("there is no check `{}`", alone.check)));
        }
        if alone.reason.trim().is_empty() {
            errors.push(LoadError::at(file, text, at, "a check that answers nothing needs a reason"));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let at = |offset: usize| Position::of(file, text, offset);
    let blanks = parsed.blank.into_iter().map(|b| (b.span().start, b.into_inner())).map(|(o, b)| (b, at(o))).collect();
    let alone = parsed.alone.into_iter().map(|a| (a.span().start, a.into_inner())).map(|(o, a)| (a, at(o))).collect();
    Ok((blanks, alone))
}
