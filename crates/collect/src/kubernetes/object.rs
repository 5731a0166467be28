//! An object of the API as it was read, and where.

use std::fmt;
use std::sync::Arc;

use seaworthy_core::fact::{Field, Source};
use serde_json::Value as Json;

/// Where the parts of a document stand.
pub trait Positions: Send + Sync {
    /// Line and column, from 1, of a field (`spec.containers[0].image`), else of what is nearest above it.
    fn of(&self, field: &str) -> Option<(usize, usize)>;
}

/// Where an object was read.
#[derive(Clone)]
pub struct Place {
    /// `pod shop/web` from an API server, the path from a file.
    pub name: Arc<str>,
    /// Lines and columns, of a file.
    pub positions: Option<Arc<dyn Positions>>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Place {
    /// An object of an API server.
    pub fn of_server(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), positions: None }
    }

    /// The source of a fact that stands in a field: `spec.hostNetwork`, in a file with line and column.
    pub fn source(&self, field: impl Into<Field>) -> Source {
        let field = field.into();
        match self.positions.as_ref().and_then(|positions| positions.of(&field)) {
            Some((line, column)) => Source::new(&self.name, format!("{line}:{column} {field}")),
            None => Source::new(&self.name, field),
        }
    }
}

/// An object of the API: raw, so that null, empty, absent and of another type are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The object with `apiVersion` and `kind`, which items of a list are given by whoever lists.
    pub json: &'a Json,
    /// Where it was read.
    pub place: &'a Place,
}

impl<'a> Object<'a> {
    /// `apiVersion`; empty where there is none.
    pub fn api_version(&self) -> &'a str {
        self.json["apiVersion"].as_str().unwrap_or_default()
    }

    /// The group of `apiVersion`; empty for the core.
    pub fn group(&self) -> &'a str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// `kind`; empty where there is none.
    pub fn kind(&self) -> &'a str {
        self.json["kind"].as_str().unwrap_or_default()
    }

    /// `metadata.name`; of a template without one, what its names begin with.
    pub fn name(&self) -> &'a str {
        let meta = &self.json["metadata"];
        meta["name"].as_str().or_else(|| meta["generateName"].as_str()).unwrap_or_default()
    }

    /// `metadata.namespace`; empty where there is none, which in a file of a namespaced object means `default`.
    pub fn namespace(&self) -> &'a str {
        self.json["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}
