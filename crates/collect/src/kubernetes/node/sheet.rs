//! How a setting in effect is found: the last flag, else the configuration file, else what the component does without
//! either. Each of the three may be unknown, and then the setting is.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::Kind;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::flags::Flags;
use crate::daemon::go;
use crate::redact::Redactor;

/// The most elements that are kept of one list.
const MOST: usize = 256;

/// The files of a component as it sees them.
pub(super) trait Files {
    /// What a file holds.
    ///
    /// # Errors
    /// Why it could not be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// The names in a directory, sorted, those of directories below it joined by `/`.
    ///
    /// # Errors
    /// Why it could not be read.
    fn walk(&self, path: &str) -> Result<Vec<String>, String>;

    /// What changed about a file after the component started; none where nothing did.
    fn changed(&self, path: &str) -> Option<String>;

    /// An absolute path for one that is relative to the working directory.
    ///
    /// # Errors
    /// Why the working directory is not known.
    fn absolute(&self, path: &str) -> Result<String, String>;

    /// Where a file is said to have been read.
    fn place(&self, path: &str) -> Arc<str> {
        path.into()
    }
}

/// Files of a node that was not read: only the API told of its processes.
pub(super) struct Elsewhere;

const ELSEWHERE: &str = "the file lies on the node, which was not read: run Seaworthy there";

impl Files for Elsewhere {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Err(ELSEWHERE.to_owned())
    }

    fn walk(&self, _: &str) -> Result<Vec<String>, String> {
        Err(ELSEWHERE.to_owned())
    }

    fn changed(&self, _: &str) -> Option<String> {
        None
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        Ok(path.to_owned())
    }
}

/// What is known of a process before its settings.
pub(super) struct Run<'a> {
    /// The flags, or why they are not known.
    pub flags: Result<Flags, String>,
    /// Where they were read.
    pub place: Arc<str>,
    /// The minor version.
    pub minor: Option<i64>,
    /// Who hands arguments to the component where it is a part of another program, which then decides what is not given.
    pub within: Option<&'static str>,
    /// Its files.
    pub files: &'a dyn Files,
    /// The redactor.
    pub redactor: &'a Redactor,
}

/// A configuration file, or what several of them come to.
pub(super) struct Config {
    /// Its content, or why that is not in effect for certain.
    pub json: Result<Json, String>,
    /// Where it was read.
    pub place: Arc<str>,
    /// Whether flags count over it.
    pub below_flags: bool,
}

/// What a component does where nothing is given.
pub(super) enum Otherwise {
    /// The same in every version.
    Is(Value),
    /// By the minor version.
    By(fn(i64) -> Option<Value>),
}

/// Otherwise null.
pub(super) const NONE: Otherwise = Otherwise::Is(Value::Null);

impl<V: Into<Value>> From<V> for Otherwise {
    fn from(value: V) -> Self {
        Self::Is(value.into())
    }
}

/// What was given for a setting.
#[derive(Clone, Copy)]
pub(super) enum Given<'s> {
    /// By flag, every time.
    Flag(&'s Flags, &'s str),
    /// In the file.
    File(&'s Json),
}

impl<'s> Given<'s> {
    fn text(self) -> Option<&'s str> {
        match self {
            Self::Flag(flags, name) => flags.last(name),
            Self::File(json) => json.as_str(),
        }
    }
}

/// A setting with its source, or why it is not known.
pub(super) type Found<T> = Result<(T, Source), (String, Source)>;

/// A component whose settings are being found.
pub(super) struct Sheet<'a> {
    /// The component.
    pub c: Component,
    /// Its process.
    pub run: &'a Run<'a>,
    /// Its configuration, where it has one.
    pub config: Option<Config>,
}

impl<'a> Sheet<'a> {
    /// A component without settings.
    pub fn new(kind: &'static Kind, id: String, name: String, run: &'a Run<'a>) -> Self {
        Self { c: Component::new(kind, id, name), run, config: None }
    }

    /// Where a flag was read.
    pub fn at_flag(&self, flag: &str) -> Source {
        Source::new(&self.run.place, if flag.is_empty() { String::new() } else { format!("--{flag}") })
    }

    /// What was given for a setting: by its flag and by its field in the configuration, either of which may be empty.
    pub fn given<'s>(&'s self, flag: &'s str, field: &str) -> Result<Option<(Given<'s>, Source)>, (String, Source)> {
        let by_flag = || -> Result<Option<(Given<'s>, Source)>, (String, Source)> {
            if flag.is_empty() {
                return Ok(None);
            }
            match &self.run.flags {
                Ok(flags) if flags.given(flag) => Ok(Some((Given::Flag(flags, flag), self.at_flag(flag)))),
                Ok(_) => Ok(None),
                Err(why) => Err((why.clone(), self.at_flag(flag))),
            }
        };
        let Some(config) = self.config.as_ref().filter(|_| !field.is_empty()) else { return by_flag() };
        if config.below_flags
            && let Some(found) = by_flag()?
        {
            return Ok(Some(found));
        }
        let source = Source::new(&config.place, field.to_owned());
        match &config.json {
            Ok(json) => Ok(lookup(json, field).map(|value| (Given::File(value), source))),
            Err(why) => Err((why.clone(), source)),
        }
    }

    /// The setting in effect.
    pub fn find<T>(
        &self,
        flag: &str,
        field: &str,
        convert: impl Fn(Given<'_>) -> Option<T>,
        otherwise: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Found<T> {
        match self.given(flag, field)? {
            Some((given, source)) => match convert(given) {
                Some(value) => Ok((value, source)),
                None => Err(("what is given there makes no sense".to_owned(), source)),
            },
            None => {
                let version = self.run.minor.map_or_else(String::new, |minor| format!(" of 1.{minor}"));
                let source = match flag.is_empty() {
                    true => Source::new(&self.run.place, format!("{field} is not given: the default{version}")),
                    false => Source::new(&self.run.place, format!("--{flag} is not given: the default{version}")),
                };
                match otherwise(self) {
                    Ok(value) => Ok((value, source)),
                    Err(why) => Err((why, source)),
                }
            }
        }
    }

    /// What the component does without being told, as far as that is known.
    pub fn otherwise(&self, otherwise: Otherwise) -> Result<Value, String> {
        if let Some(within) = self.run.within {
            return Err(format!("{within} decides it where it is not given, and does not tell"));
        }
        match otherwise {
            Otherwise::Is(value) => Ok(value),
            Otherwise::By(by) => {
                let minor = self.run.minor.ok_or("the version decides it and is unknown")?;
                by(minor).ok_or_else(|| format!("what version 1.{minor} does without it is not known here"))
            }
        }
    }

    /// Sets a fact by what was found.
    pub fn put<V: Into<Value>>(&mut self, fact: &str, found: Found<V>) {
        match found {
            Ok((value, source)) => self.c.set(fact, value, source),
            Err((why, source)) => self.c.set_unknown(fact, why, source),
        }
    }

    fn setting(
        &mut self,
        fact: &str,
        flag: &str,
        field: &str,
        otherwise: impl Into<Otherwise>,
        convert: impl Fn(&Self, Given<'_>) -> Option<Value>,
    ) {
        let found = self.find(flag, field, |given| convert(self, given), |sheet| sheet.otherwise(otherwise.into()));
        self.put(fact, found);
    }

    /// A truth value.
    pub fn boolean(&mut self, fact: &str, flag: &str, field: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, field, otherwise, |_, given| boolean(given).map(Value::Bool));
    }

    /// A whole number.
    pub fn number(&mut self, fact: &str, flag: &str, field: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, field, otherwise, |_, given| number(given).map(Value::Int));
    }

    /// A duration in seconds; what is under a second counts as one.
    pub fn seconds(&mut self, fact: &str, flag: &str, field: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, field, otherwise, |_, given| {
            let nanoseconds = go::duration(given.text()?)?;
            Some(Value::Int(
                nanoseconds.div_euclid(1_000_000_000) + i64::from(nanoseconds.rem_euclid(1_000_000_000) > 0),
            ))
        });
    }

    /// A text.
    pub fn text(&mut self, fact: &str, flag: &str, field: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, field, otherwise, |sheet, given| Some(sheet.shown(given.text()?)));
    }

    /// A text that is null where it is empty.
    pub fn optional(&mut self, fact: &str, flag: &str, field: &str) {
        self.setting(fact, flag, field, NONE, |sheet, given| match given.text()? {
            "" => Some(Value::Null),
            text => Some(sheet.shown(text)),
        });
    }

    /// A path, null where none is given, relative ones resolved: to the working directory for flags. What a file names
    /// is resolved already.
    pub fn path(&mut self, fact: &str, flag: &str, field: &str) {
        let found = self.path_of(flag, field);
        let found = found.map(|(path, source)| (path.map(|p| self.shown(&p)).unwrap_or(Value::Null), source));
        self.put(fact, found);
    }

    /// A path as it is.
    pub fn path_of(&self, flag: &str, field: &str) -> Found<Option<String>> {
        let (path, source) = self.find(
            flag,
            field,
            |given| Some(given.text()?.to_owned()),
            |sheet| sheet.otherwise(NONE).map(|_| String::new()),
        )?;
        match path.as_str() {
            "" => Ok((None, source)),
            path => match self.run.files.absolute(path) {
                Ok(path) => Ok((Some(path), source)),
                Err(why) => Err((why, source)),
            },
        }
    }

    /// A list, in a flag between commas.
    pub fn list(&mut self, fact: &str, flag: &str, field: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, field, otherwise, |sheet, given| Some(sheet.strings(strings(given)?)));
    }

    /// A list of which a flag names one element each time.
    pub fn each(&mut self, fact: &str, flag: &str, otherwise: impl Into<Otherwise>) {
        self.setting(fact, flag, "", otherwise, |sheet, given| match given {
            Given::Flag(flags, name) => Some(sheet.strings(flags.all(name).map(str::to_owned).collect())),
            Given::File(_) => None,
        });
    }

    /// Texts as they may be kept.
    pub fn strings(&self, items: Vec<String>) -> Value {
        if items.len() > MOST {
            return Value::unknown(format!("there are more than {MOST} of them"));
        }
        Value::List(items.iter().map(|item| self.shown(item)).collect())
    }

    /// A text as it may be kept: without secrets.
    pub fn shown(&self, text: &str) -> Value {
        Value::Str(self.run.redactor.url(text).into())
    }

    /// Feature gates that were set, and whether one of them is on; `standard` where nothing was set.
    pub fn gate(&self, name: &str, standard: Option<bool>) -> Found<bool> {
        let (gates, source) = self.gates()?;
        if let Some((_, on)) = gates.iter().rev().find(|(n, _)| n == name) {
            return Ok((*on, source));
        }
        // All of them at once: what is alpha or beta, which a gate of its own name overrides.
        if gates.iter().any(|(n, _)| n == "AllAlpha" || n == "AllBeta") {
            return Err(("all feature gates of a stage were set, and its stage is not known here".to_owned(), source));
        }
        match (standard, self.run.within) {
            (_, Some(within)) => Err((format!("{within} decides it where it is not given, and does not tell"), source)),
            (Some(on), None) => Ok((on, source)),
            (None, None) => Err(("the version decides it and is unknown".to_owned(), source)),
        }
    }

    /// The feature gates that were set, the last of a name counting.
    pub fn gates(&self) -> Found<Vec<(String, bool)>> {
        let mut gates = Vec::new();
        let mut source = self.at_flag("feature-gates");
        if let Some(config) = &self.config {
            match &config.json {
                Ok(json) => {
                    if let Some(Json::Object(map)) = json.get("featureGates") {
                        source = Source::new(&config.place, "featureGates");
                        gates.extend(map.iter().take(MOST).filter_map(|(n, v)| Some((n.clone(), v.as_bool()?))));
                    }
                }
                Err(why) => return Err((why.clone(), Source::new(&config.place, "featureGates"))),
            }
            if !config.below_flags {
                return Ok((gates, source));
            }
        }
        match &self.run.flags {
            Ok(flags) => {
                let given = flags.list("feature-gates");
                let parse = |text: &String| {
                    let (name, on) = text.trim().split_once('=')?;
                    Some((name.trim().to_owned(), go::boolean(on.trim())?))
                };
                let parsed: Vec<_> = given.iter().filter(|t| !t.trim().is_empty()).map(parse).collect();
                if parsed.iter().any(Option::is_none) {
                    return Err(("--feature-gates makes no sense".to_owned(), source));
                }
                gates.extend(parsed.into_iter().flatten().take(MOST));
                Ok((gates, source))
            }
            Err(why) => Err((why.clone(), source)),
        }
    }
}

/// A truth value.
pub(super) fn boolean(given: Given<'_>) -> Option<bool> {
    match given {
        Given::Flag(flags, name) => go::boolean(flags.last(name)?),
        Given::File(json) => json.as_bool(),
    }
}

/// A whole number, as Go reads one with any base.
pub(super) fn number(given: Given<'_>) -> Option<i64> {
    match given {
        Given::Flag(flags, name) => {
            let text = flags.last(name)?.replace('_', "");
            let (sign, digits) = text.strip_prefix('-').map_or((1, text.trim_start_matches('+')), |rest| (-1, rest));
            let lower = digits.to_lowercase();
            let parse = |digits: &str, base| i64::from_str_radix(digits, base).ok();
            let value = match lower.as_bytes() {
                [b'0', b'x', ..] => parse(&lower[2..], 16),
                [b'0', b'o', ..] => parse(&lower[2..], 8),
                [b'0', b'b', ..] => parse(&lower[2..], 2),
                [b'0', _, ..] => parse(&lower[1..], 8),
                _ => parse(&lower, 10),
            };
            value.map(|v| v * sign)
        }
        Given::File(json) => json.as_i64(),
    }
}

/// A list of texts.
pub(super) fn strings(given: Given<'_>) -> Option<Vec<String>> {
    match given {
        Given::Flag(flags, name) => Some(flags.list(name)),
        Given::File(Json::Null) => Some(Vec::new()),
        Given::File(json) => json.as_array()?.iter().map(|item| Some(item.as_str()?.to_owned())).collect(),
    }
}

/// A field of a document by its path; null is as good as not given.
fn lookup<'j>(json: &'j Json, field: &str) -> Option<&'j Json> {
    field.split('.').try_fold(json, |at, name| at.get(name)).filter(|value| !value.is_null())
}
