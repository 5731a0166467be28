//! Manifests as the reader of Kubernetes' own tools takes them (`sigs.k8s.io/yaml`: YAML 1.1, by go-yaml version 2), with
//! line and column of every field.
//!
//! A file is parted into documents at its `---` lines, as kubectl does, and each is read by itself: a broken one costs
//! itself and no other. Text, nesting and what aliases expand to are bounded.

mod build;
mod json;
mod marks;
mod scalar;
mod text;
mod tree;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value as Json;

pub(crate) use marks::Item;
pub use marks::Marks;

/// The largest file, in bytes: 64 MiB.
pub const LARGEST: usize = 64 << 20;

/// The deepest nesting; objects of the API have some twenty levels, schemas of custom resources fifty.
const DEEPEST: usize = 256;

/// A document of a file.
#[derive(Debug)]
pub struct Document {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Its value with the places of its fields.
    pub json: Json,
    /// The places.
    pub marks: Arc<Marks>,
    /// What is ambiguous in it, each in one line: keys that are given twice.
    pub doubts: Vec<String>,
}

/// A document that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line at which reading failed, from 1.
    pub line: usize,
    /// Why, in one line.
    pub reason: String,
    /// Whether its text looks like a template that nobody rendered.
    pub is_template: bool,
}

/// What is read of a file.
type Read = Result<Document, Broken>;

/// Hands the documents of a file to `each`, one after the other; those that hold nothing are left out.
///
/// # Errors
/// In one line: why it is no text in which documents can be told apart.
pub fn documents(bytes: &[u8], mut each: impl FnMut(Read)) -> Result<(), String> {
    let whole = text::text(bytes)?;
    if whole.trim_start().starts_with('{') {
        match json::documents(whole, &mut each) {
            Ok(()) => return Ok(()),
            // In YAML an object may be written so, too; where that fails as well, what JSON says is nearer.
            Err(broken) => {
                let mut read = Vec::new();
                yaml(whole, &mut |one| read.push(one));
                if read.iter().all(Result::is_ok) {
                    read.into_iter().for_each(each);
                } else {
                    each(Err(broken));
                }
                return Ok(());
            }
        }
    }
    yaml(whole, &mut each);
    Ok(())
}

fn yaml(whole: &str, each: &mut dyn FnMut(Read)) {
    for part in text::parts(whole) {
        match tree::read(part.text).and_then(|tree| build::build(&tree, part.line)) {
            Ok(None) => {}
            Ok(Some(mut document)) => {
                document.line += part.line - 1;
                each(Ok(document));
            }
            Err(fault) => {
                let is_template = part.text.contains("{{") || part.text.contains("{%");
                each(Err(Broken { line: fault.line + part.line - 1, reason: fault.reason, is_template }));
            }
        }
    }
}

/// Why a document cannot be read, with the line in it.
#[derive(Debug)]
struct Fault {
    line: usize,
    reason: String,
}

impl Fault {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}
