//! A tree as JSON with its places: aliases put in, merge keys resolved, keys made texts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::marks::{Marks, Within};
use super::scalar::{Scalar, float_key, shown};
use super::tree::{Tree, What};
use super::{DEEPEST, Document, Fault};

/// The most values that aliases of one document may expand to; go-yaml gives up about there.
const MOST_BY_ALIAS: usize = 400_000;

/// The most doubts of one document that are told.
const MOST_DOUBTS: usize = 8;

/// Builds the document that begins in a line of its file; none where it holds nothing.
pub(super) fn build(tree: &Tree<'_>, begins: usize) -> Result<Option<Document>, Fault> {
    let Some(first) = tree.nodes.first() else { return Ok(None) };
    let line = first.line as usize;
    let mut builder = Builder { tree, begins, open: Vec::new(), by_alias: 0, keys: HashSet::new(), doubts: Vec::new() };
    let (json, marks) = builder.value(0, 0)?;
    if json.is_null() && tree.more.is_none() {
        return Ok(None);
    }
    if let Some(more) = tree.more {
        let more = more + begins - 1;
        builder.doubt(format!("what follows `...` in line {more} is passed over, as kubectl does"));
    }
    Ok(Some(Document { line, json, marks: Arc::new(marks), doubts: builder.doubts }))
}

struct Builder<'b, 't> {
    tree: &'b Tree<'t>,
    /// The line of the file in which the document begins.
    begins: usize,
    /// Anchors that are being put in.
    open: Vec<usize>,
    /// How many values were put in by aliases.
    by_alias: usize,
    /// Keys that were seen, since most of them come again.
    keys: HashSet<Arc<str>>,
    doubts: Vec<String>,
}

type Built = (Json, Marks);

impl Builder<'_, '_> {
    fn value(&mut self, at: usize, depth: usize) -> Result<Built, Fault> {
        let node = &self.tree.nodes[at];
        let fault = |why: String| Fault::new(node.line as usize, why);
        if depth > DEEPEST {
            return Err(fault(format!("it is nested deeper than {DEEPEST}")));
        }
        if !self.open.is_empty() {
            self.by_alias += 1;
            if self.by_alias > MOST_BY_ALIAS {
                return Err(fault(format!("its aliases expand to more than {MOST_BY_ALIAS} values")));
            }
        }
        let (json, within) = match &node.what {
            What::Scalar(scalar) => (scalar_json(scalar).map_err(fault)?, Within::Nothing),
            What::Merge => (Json::from("<<"), Within::Nothing),
            What::Alias(id) => return self.alias(*id, node.line, depth),
            What::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                let mut marks = Vec::with_capacity(items.len());
                for item in items {
                    let (value, mark) = self.value(*item, depth + 1)?;
                    list.push(value);
                    marks.push(mark);
                }
                (Json::Array(list), Within::Items(marks))
            }
            What::Map(fields) => {
                let mut map = Fields::default();
                self.fields(fields, &mut map, depth)?;
                (Json::Object(map.values), Within::Fields(map.marks))
            }
        };
        Ok((json, Marks { line: self.line(node.line), column: node.column, within }))
    }

    fn line(&self, line: u32) -> u32 {
        line.saturating_add(u32::try_from(self.begins - 1).unwrap_or(u32::MAX))
    }

    fn alias(&mut self, id: usize, line: u32, depth: usize) -> Result<Built, Fault> {
        let fault = |why: &str| Fault::new(line as usize, why);
        if self.open.contains(&id) {
            return Err(fault("an anchor holds an alias of itself"));
        }
        let Some(at) = self.tree.anchors.get(&id) else { return Err(fault("an alias has no anchor")) };
        self.open.push(id);
        let built = self.value(*at, depth);
        self.open.pop();
        built
    }

    /// Puts fields into a map, in their order: a merge key overrides what stands before it, as go-yaml version 2 does,
    /// and what stands after it overrides the merge.
    fn fields(&mut self, fields: &[(usize, usize)], into: &mut Fields, depth: usize) -> Result<(), Fault> {
        // Without merge keys what is there already was given before; with them that must be remembered.
        let merges = |(key, _): &(usize, usize)| matches!(self.tree.nodes[*key].what, What::Merge);
        let mut seen = (!into.marks.is_empty() || fields.iter().any(merges)).then(HashSet::<Arc<str>>::new);
        for (key, value) in fields {
            if matches!(self.tree.nodes[*key].what, What::Merge) {
                self.merge(*value, into, depth + 1)?;
                continue;
            }
            let name = self.key(*key, depth)?;
            let (json, mut marks) = self.value(*value, depth + 1)?;
            let node = &self.tree.nodes[*key];
            // Where a field stands is where its name does.
            (marks.line, marks.column) = (self.line(node.line), node.column);
            let line = marks.line;
            let is_again = match &mut seen {
                Some(seen) => !seen.insert(Arc::clone(&name)),
                None => into.values.contains_key(&*name),
            };
            if is_again {
                self.doubt(format!(
                    "`{}` is given again in line {line}: kubectl takes the last, others refuse it",
                    shown(&name)
                ));
            }
            into.put(name, json, marks);
        }
        Ok(())
    }

    fn merge(&mut self, at: usize, into: &mut Fields, depth: usize) -> Result<(), Fault> {
        let line = self.tree.nodes[at].line as usize;
        match &self.tree.nodes[at].what {
            What::List(items) => {
                for item in items.iter().rev() {
                    self.merge_one(*item, into, depth, line)?;
                }
                Ok(())
            }
            _ => self.merge_one(at, into, depth, line),
        }
    }

    fn merge_one(&mut self, at: usize, into: &mut Fields, depth: usize, line: usize) -> Result<(), Fault> {
        let refused = || Fault::new(line, "`<<` merges something that is no mapping");
        match &self.tree.nodes[at].what {
            What::Map(fields) => self.merged(fields, into, depth),
            What::Alias(id) => {
                let node = self.tree.anchors.get(id).map(|at| &self.tree.nodes[*at].what);
                let Some(What::Map(fields)) = node else { return Err(refused()) };
                if self.open.contains(id) {
                    return Err(Fault::new(line, "an anchor holds an alias of itself"));
                }
                self.open.push(*id);
                let done = self.merged(fields, into, depth);
                self.open.pop();
                done
            }
            What::Scalar(_) | What::Merge | What::List(_) => Err(refused()),
        }
    }

    fn merged(&mut self, fields: &[(usize, usize)], into: &mut Fields, depth: usize) -> Result<(), Fault> {
        if depth > DEEPEST {
            let line = fields.first().map_or(1, |(key, _)| self.tree.nodes[*key].line as usize);
            return Err(Fault::new(line, format!("it is nested deeper than {DEEPEST}")));
        }
        self.fields(fields, into, depth)
    }

    /// The text of a key.
    fn key(&mut self, at: usize, depth: usize) -> Result<Arc<str>, Fault> {
        let node = &self.tree.nodes[at];
        let fault = |why: &str| Fault::new(node.line as usize, why);
        let text: Cow<'_, str> = match &node.what {
            What::Scalar(Scalar::Text(text)) => Cow::Borrowed(text),
            What::Scalar(Scalar::Bool(value)) => if *value { "true" } else { "false" }.into(),
            What::Scalar(Scalar::Int(value)) => value.to_string().into(),
            What::Scalar(Scalar::Float(value)) => float_key(*value).into(),
            What::Scalar(Scalar::Null) => return Err(fault("a key is null")),
            What::Scalar(Scalar::Large(_)) => return Err(fault("a key is a number above the largest")),
            What::Merge => "<<".into(),
            What::Alias(id) => {
                if self.open.contains(id) {
                    return Err(fault("an anchor holds an alias of itself"));
                }
                let Some(named) = self.tree.anchors.get(id) else { return Err(fault("an alias has no anchor")) };
                // Its node is a scalar, or this fails at once: no deeper than one.
                if matches!(self.tree.nodes[*named].what, What::Alias(_)) || depth > DEEPEST {
                    return Err(fault("a key is no text"));
                }
                return self.key(*named, depth);
            }
            What::List(_) | What::Map(_) => return Err(fault("a key is a list or a mapping, not a text")),
        };
        if let Some(known) = self.keys.get(&*text) {
            return Ok(Arc::clone(known));
        }
        let key: Arc<str> = Arc::from(&*text);
        self.keys.insert(Arc::clone(&key));
        Ok(key)
    }

    fn doubt(&mut self, doubt: String) {
        if self.doubts.len() < MOST_DOUBTS {
            self.doubts.push(doubt);
        }
    }
}

/// The fields of a map with their places.
#[derive(Default)]
struct Fields {
    values: Map<String, Json>,
    marks: Vec<(Arc<str>, Marks)>,
    /// Where each field stands in them, once one was replaced.
    index: HashMap<Arc<str>, usize>,
}

impl Fields {
    /// Puts a field in; of one that is there already value and place are replaced.
    fn put(&mut self, name: Arc<str>, json: Json, marks: Marks) {
        if let Some(known) = self.values.get_mut(&*name) {
            *known = json;
            let known = self.index.len();
            if known < self.marks.len() {
                let more = self.marks.iter().enumerate().skip(known);
                self.index.extend(more.map(|(i, (key, _))| (Arc::clone(key), i)));
            }
            if let Some(i) = self.index.get(&name) {
                self.marks[*i].1 = marks;
            }
            return;
        }
        self.values.insert(name.to_string(), json);
        self.marks.push((name, marks));
    }
}

fn scalar_json(scalar: &Scalar<'_>) -> Result<Json, String> {
    Ok(match scalar {
        Scalar::Null => Json::Null,
        Scalar::Bool(value) => Json::Bool(*value),
        Scalar::Int(value) => Json::from(*value),
        Scalar::Large(value) => Json::from(*value),
        Scalar::Text(text) => Json::String(text.to_string()),
        Scalar::Float(value) => float(*value).ok_or("a number is not finite, which JSON cannot say")?,
    })
}

/// A number on its way through Go's JSON: one without a fraction is written, and so read, as a whole one.
pub(super) fn float(value: f64) -> Option<Json> {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        #[allow(clippy::cast_possible_truncation, reason = "the range was looked at")]
        return Some(Json::from(value as i64));
    }
    serde_json::Number::from_f64(value).map(Json::Number)
}
