//! Build arguments and variables of a Dockerfile, put in where their values are known.

use std::collections::{HashMap, HashSet};

use crate::docker::history::pairs;

/// The most bytes that a text grows to.
const MOST_BYTES: usize = 4 << 10;

/// The most variables that one scope knows.
const MOST_VARIABLES: usize = 1024;

/// The most assignments of one instruction that are looked at.
const MOST_ASSIGNED: usize = 1 << 16;

/// A value, or why it is not known.
pub(super) type Known = Result<String, String>;

/// The variables of a stage, or of what stands before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    variables: HashMap<String, Known>,
    /// Those set by `ENV`, which an `ARG` does not change and a later stage keeps.
    lasting: HashSet<String>,
    /// Whether a name that was never set may have a value all the same, from the base image.
    inherits: bool,
}

impl Scope {
    /// Of a stage that is built from an image, whose variables are not known.
    pub(super) fn of_image() -> Self {
        Self { inherits: true, ..Self::default() }
    }

    /// `ARG a=b c`; a name without a value takes that of `outer`, if there is one.
    pub(super) fn arg(&mut self, text: &str, escape: char, outer: Option<&Self>) {
        for (name, value) in assignments(text) {
            let value = match value {
                Some(value) => self.assigned(text, &value, escape),
                None => match outer.and_then(|outer| outer.variables.get(&name)) {
                    Some(known) => known.clone(),
                    None => Err(format!("the build argument {} has no default", shown(&name))),
                },
            };
            if !self.lasting.contains(&name) {
                self.insert(name, value);
            }
        }
    }

    /// What a stage that is built from this one begins with.
    pub(super) fn kept(&self) -> Self {
        let mut kept = self.clone();
        kept.variables.retain(|name, _| self.lasting.contains(name));
        kept
    }

    /// `ENV a=b`.
    pub(super) fn env(&mut self, text: &str, escape: char) {
        for pair in pairs(text) {
            if let Some((name, value)) = pair.split_once('=') {
                let value = self.assigned(text, value, escape);
                if self.lasting.len() < MOST_VARIABLES {
                    self.lasting.insert(name.to_owned());
                }
                self.insert(name.to_owned(), value);
            }
        }
    }

    /// Within single quotes nothing is put in, and the quotes are gone by now.
    fn assigned(&self, text: &str, value: &str, escape: char) -> Known {
        if value.contains('$') && text.contains('\'') {
            return Err("it stands beside single quotes".to_owned());
        }
        self.expand(value, escape)
    }

    fn insert(&mut self, name: String, value: Known) {
        if self.variables.len() < MOST_VARIABLES || self.variables.contains_key(&name) {
            self.variables.insert(name, value);
        }
    }

    /// The text with its variables put in.
    pub(super) fn expand(&self, text: &str, escape: char) -> Known {
        let mut out = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if out.len() > MOST_BYTES {
                return Err("it grows too long".to_owned());
            }
            if c == escape && rest.peek() == Some(&'$') {
                out.extend(rest.next());
            } else if c == '$' {
                out.push_str(&self.variable(&mut rest)?);
            } else {
                out.push(c);
            }
        }
        Ok(out)
    }

    fn variable(&self, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Known {
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let braced = rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(c) = rest.next_if(is_name) {
            name.push(c);
        }
        if name.is_empty() {
            return if braced { Err("a variable without a name".to_owned()) } else { Ok("$".to_owned()) };
        }
        if !braced {
            return self.value(&name);
        }
        let mut modifier = String::new();
        loop {
            match rest.next() {
                Some('}') => break,
                Some(c) if c != '$' && c != '{' && modifier.len() < MOST_BYTES => modifier.push(c),
                _ => return Err(format!("{} is put in by a form that is not read", shown(&name))),
            }
        }
        let known = self.variables.get(&name);
        // What may come from elsewhere is neither set nor unset.
        let is_open = known.is_some_and(Result::is_err) || (known.is_none() && self.inherits);
        let value = self.value(&name);
        let is_set = |also_empty: bool| match known {
            Some(Ok(value)) => also_empty || !value.is_empty(),
            _ => false,
        };
        let (also_empty, form) = match modifier.strip_prefix(':') {
            Some(form) => (false, form),
            None => (true, modifier.as_str()),
        };
        match (form.chars().next(), form.get(1..)) {
            (None, _) if modifier.is_empty() => value,
            (Some('-' | '+' | '?'), _) if is_open => value,
            (Some('-'), Some(default)) => {
                if is_set(also_empty) {
                    value
                } else {
                    Ok(default.to_owned())
                }
            }
            (Some('+'), Some(other)) => Ok(if is_set(also_empty) { other.to_owned() } else { String::new() }),
            (Some('?'), _) if is_set(also_empty) => value,
            _ => Err(format!("{} is put in by a form that is not read", shown(&name))),
        }
    }

    fn value(&self, name: &str) -> Known {
        match self.variables.get(name) {
            Some(known) => known.clone(),
            None if self.inherits => Err(format!("{} is not set here; the base image may set it", shown(name))),
            None => Err(format!("{} is not set before it is used", shown(name))),
        }
    }
}

fn shown(name: &str) -> &str {
    super::place::cut(name)
}

/// The names of an `ARG`, each with its default.
pub(super) fn assignments(text: &str) -> Vec<(String, Option<String>)> {
    // A name without a value must not be taken for the end of the value before it.
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    loop {
        let next = characters.next();
        match (next, quote) {
            (Some('\\'), _) => {
                if let Some(c) = characters.next() {
                    // `\$` stays, so that it is not taken for a variable.
                    if c == '$' {
                        word.push('\\');
                    }
                    word.push(c);
                }
            }
            (Some(c), Some(open)) if c == open => quote = None,
            (Some(c @ ('"' | '\'')), None) => quote = Some(c),
            (Some(c), None) if !c.is_whitespace() => word.push(c),
            (Some(c), Some(_)) => word.push(c),
            (None, _) | (Some(_), None) => {
                if !word.is_empty() && out.len() < MOST_ASSIGNED {
                    let word = std::mem::take(&mut word);
                    out.push(match word.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (word, None),
                    });
                }
                if next.is_none() {
                    return out;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(args: &[&str]) -> Scope {
        let mut scope = Scope::default();
        for arg in args {
            scope.arg(arg, '\\', None);
        }
        scope
    }

    #[test]
    fn variables_are_put_in_as_the_builder_does() {
        let scope = scope(&["TAG=1.2", "EMPTY=", "IMAGE=app:$TAG", "NONE", "A=1 B=\"x y\" C"]);
        for (text, expected) in [
            ("app:$TAG", "app:1.2"),
            ("${IMAGE}-slim", "app:1.2-slim"),
            ("${TAG:-9}", "1.2"),
            ("${EMPTY:-9}", "9"),
            ("${EMPTY-9}", ""),
            ("${TAG:+x}${EMPTY:+y}", "x"),
            ("\\$TAG", "$TAG"),
            ("$A$B", "1x y"),
            ("5$", "5$"),
        ] {
            assert_eq!(scope.expand(text, '\\').as_deref(), Ok(expected), "{text}");
        }
        for text in
            ["$NONE", "${NONE:-x}", "$C", "$UNSET", "${TAG", "${}", "${TAG/1/2}", "${TAG#1}", "${A:?}${UNSET:?no}"]
        {
            assert!(scope.expand(text, '\\').is_err(), "{text}");
        }
        assert_eq!(scope.expand("${UNSET:-x}", '\\').as_deref(), Ok("x"));
        let stage = Scope { inherits: true, ..scope };
        assert!(stage.expand("${UNSET:-x}", '\\').is_err(), "the base image may set it");
    }

    #[test]
    fn texts_do_not_grow_without_bound() {
        let mut scope = scope(&["A0=0123456789"]);
        for i in 0..60 {
            scope.arg(&format!("A{}=$A{i}$A{i}", i + 1), '\\', None);
        }
        assert!(scope.expand("$A60", '\\').is_err());
        let mut inner = Scope::default();
        inner.arg("A0 X", '\\', Some(&scope));
        assert_eq!(inner.expand("$A0", '\\').as_deref(), Ok("0123456789"));
        assert!(inner.expand("$X", '\\').is_err());
        inner.env("X 1 2", '\\');
        assert_eq!(inner.expand("$X", '\\').as_deref(), Ok("1 2"));
        inner.env("Y='$X'", '\\');
        assert!(inner.expand("$Y", '\\').is_err());
    }
}
