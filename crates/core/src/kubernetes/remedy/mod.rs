//! Remedies of a cluster's components: the patches and manifests that its API server takes, worked out from the facts.
//!
//! Nothing here is ever done: a person reads it, tries it with `--dry-run=server`, and decides. What cannot be worked out
//! is left out, and the remedy's words stand alone.

mod draft;
mod object;
mod pod;
mod rules;
mod violations;
mod who;

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use crate::component::Component;
use crate::remedy::Change;
use crate::schema::Kind;
use crate::schema::kubernetes::{CONTAINER, POD};
use crate::snapshot::Target;
use crate::value::Value;

use draft::Draft;

/// An object of a cluster, by its coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Empty for an object of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// An object.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }
}

/// How a patch is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Lists of things with names are merged by them.
    Strategic,
    /// Lists are replaced.
    Merge,
    /// A list of operations.
    Operations,
}

impl Form {
    /// As kubectl calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Strategic => "strategic",
            Self::Merge => "merge",
            Self::Operations => "json",
        }
    }
}

/// What is to be done with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// It is patched.
    Patch(Form, Json),
    /// It is added, or made so; the whole manifest.
    Apply(Json),
    /// It is deleted.
    Delete,
    /// Nobody can change it where it is: what must stand in its manifest (null: must not), and why.
    Piece(Json, &'static str),
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The object.
    pub object: ObjectRef,
    /// What is to be done with it.
    pub act: Act,
}

impl Proposal {
    /// The commands that do it, each feeding the next: arguments, not quoted. None where no command can.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let on = |verb: &str| {
            let mut command = texts(&["kubectl", verb]);
            if !self.object.namespace.is_empty() {
                command.extend(["-n".to_owned(), self.object.namespace.clone()]);
            }
            command.push(self.object.kind.to_lowercase());
            command
        };
        let named = |mut command: Vec<String>| {
            // What begins with a dash would be read as an option.
            command.extend(self.object.name.starts_with('-').then(|| "--".to_owned()));
            command.push(self.object.name.clone());
            command
        };
        match &self.act {
            Act::Patch(form, body) => {
                let mut command = on("patch");
                command.extend([format!("--type={}", form.word()), "-p".into(), body.to_string()]);
                vec![named(command)]
            }
            Act::Delete => vec![named(on("delete"))],
            Act::Apply(manifest) => {
                vec![
                    vec!["printf".into(), "%s".into(), manifest.to_string()],
                    texts(&["kubectl", "apply", "--server-side", "-f", "-"]),
                ]
            }
            Act::Piece(..) => Vec::new(),
        }
    }
}

/// Where in a target the components of each id stand.
#[derive(Debug, Default)]
pub struct Places(HashMap<Box<str>, Vec<usize>>);

impl Places {
    /// Looks through a target once.
    pub fn of(target: &Target) -> Self {
        let mut out: HashMap<Box<str>, Vec<usize>> = HashMap::with_capacity(target.components.len());
        for (i, component) in target.components.iter().enumerate() {
            out.entry(component.id.clone()).or_default().push(i);
        }
        Self(out)
    }
}

/// The components of a target by their ids.
#[derive(Clone, Copy, Debug)]
pub struct Index<'a> {
    /// The target.
    pub target: &'a Target,
    /// Its places.
    pub places: &'a Places,
}

impl<'a> Index<'a> {
    fn get(&self, kind: &'static str, id: &str) -> Option<&'a Component> {
        let of_id = self.places.0.get(id)?.iter().filter_map(|i| self.target.components.get(*i));
        of_id.into_iter().find(|component| component.kind.name == kind)
    }

    /// The containers of a pod, in its order of names.
    fn containers(&self, pod: &'a Component) -> Vec<&'a Component> {
        let names = pod.value("containers").as_list().unwrap_or_default();
        let id = |name: &Value| Some(format!("{}/{}", pod.id, name.as_str()?));
        names.iter().filter_map(|name| self.get(CONTAINER.name, &id(name)?)).collect()
    }

    /// The pod of a component: itself, or the one that it is a container of.
    fn pod_of(&self, component: &'a Component) -> Option<&'a Component> {
        if std::ptr::eq(component.kind, &POD) {
            return Some(component);
        }
        self.get(POD.name, component.value("pod").as_str()?)
    }
}

/// What would have to be changed for a check to pass on a component, each object once.
pub fn proposals(changes: &[Change], index: &Index<'_>, component: &Component) -> Vec<Proposal> {
    // By the component of the target, since it borrows as long as the others do.
    let Some(component) = index.get(component.kind.name, &component.id) else { return Vec::new() };
    let mut out = Vec::new();
    let mut draft = index.pod_of(component).map(|pod| Draft::new(pod, index.containers(pod)));
    for change in changes {
        one(change, index, component, draft.as_mut(), &mut out);
    }
    if let Some(draft) = draft {
        out.extend(draft.finish());
    }
    if index.target.platform == "files" {
        out = out.into_iter().filter_map(in_a_file).collect();
    }
    out.dedup();
    out
}

/// Whether a change can be meant for a kind.
///
/// # Errors
/// What is wrong with it.
pub fn is_sound(change: &Change, kind: &Kind) -> Result<(), String> {
    let pods = ["kubernetes.pod", "kubernetes.container"].contains(&kind.name);
    let has = |fact: &str| kind.index(fact).map(|_| ()).ok_or_else(|| format!("{} has no fact `{fact}`", kind.name));
    let object = |text: &str| match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(_)) => Ok(()),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    };
    match change {
        Change::Pod(text) | Change::Workload(text) | Change::Job(text) if pods => object(text),
        Change::Container(text) if kind.name == "kubernetes.container" => object(text),
        Change::Object(text) | Change::Apply(text) if kind.name.starts_with("kubernetes.") => object(text),
        Change::Violations(which) if kind.name == "kubernetes.pod" => has(which.first().map_or("", String::as_str)),
        Change::Unmount(fact) if kind.name == "kubernetes.container" => has(fact),
        Change::Unbind(_) => has("powers").and(has("bindings")),
        Change::Subjects(which) if which.first().is_some_and(String::is_empty) => has("subjects"),
        Change::Subjects(which) => has("subjects").and(has(which.first().map_or("", String::as_str))),
        Change::Delete(true) if kind.name.starts_with("kubernetes.") => Ok(()),
        Change::Worked(name) if rules::by_name(name).is_some() => Ok(()),
        Change::Worked(name) => {
            Err(format!("there is no rule `{name}`; there are {}", rules::names().collect::<Vec<_>>().join(", ")))
        }
        _ => Err(format!("this is no change of a {}", kind.name)),
    }
}

fn one<'a>(
    change: &Change,
    index: &Index<'a>,
    component: &'a Component,
    draft: Option<&mut Draft<'a>>,
    out: &mut Vec<Proposal>,
) {
    let filled = |text: &str| serde_json::from_str::<Json>(text).ok().and_then(|json| fill(json, component));
    match (change, draft) {
        (Change::Pod(text), Some(draft)) => draft.pod(&filled(text).unwrap_or_default()),
        (Change::Container(text), Some(draft)) => draft.container(component, &filled(text).unwrap_or_default()),
        (Change::Workload(text), Some(draft)) => draft.workload(&filled(text).unwrap_or_default()),
        (Change::Job(text), Some(draft)) => draft.job(&filled(text).unwrap_or_default()),
        (Change::Violations(which), Some(draft)) => violations::mend(which, component, draft),
        (Change::Unmount(fact), Some(draft)) => pod::unmount(fact, component, draft),
        (Change::Object(text), _) => out.extend(filled(text).and_then(|body| object::patched(component, body))),
        (Change::Apply(text), _) => out.extend(filled(text).and_then(|manifest| object::applied(component, manifest))),
        (Change::Delete(true), _) => {
            out.extend(object::of(component).map(|object| Proposal { object, act: Act::Delete }))
        }
        (Change::Unbind(powers), _) => out.extend(who::unbound(powers, index, component)),
        (Change::Subjects(which), _) => out.extend(who::without(which, component)),
        (Change::Worked(name), draft) => {
            if let Some(rule) = rules::by_name(name) {
                rule(index, component, draft, out);
            }
        }
        _ => {}
    }
}

/// Puts the component's names where they are asked for; none where one of them is not known.
fn fill(json: Json, component: &Component) -> Option<Json> {
    Some(match json {
        Json::String(text) => {
            let mut filled = text;
            for (mark, fact) in [("{name}", "name"), ("{namespace}", "namespace"), ("{workload}", "workload")] {
                if filled.contains(mark) {
                    let value = component.value(fact).as_str()?;
                    let value = if fact == "workload" { value.rsplit_once('/')?.1 } else { value };
                    filled = filled.replace(mark, value);
                }
            }
            json!(filled)
        }
        Json::Array(items) => {
            Json::Array(items.into_iter().map(|item| fill(item, component)).collect::<Option<Vec<_>>>()?)
        }
        Json::Object(map) => {
            let filled = map.into_iter().map(|(key, value)| Some((key, fill(value, component)?)));
            Json::Object(filled.collect::<Option<_>>()?)
        }
        other => other,
    })
}

/// What stands in a file is changed there.
fn in_a_file(proposal: Proposal) -> Option<Proposal> {
    const WHERE: &str = "it is changed in the file that it is written in";
    let Proposal { object, act } = proposal;
    let act = match act {
        Act::Patch(Form::Operations, _) | Act::Delete => return None,
        Act::Patch(_, body) => Act::Piece(body, WHERE),
        Act::Piece(body, _) => Act::Piece(body, WHERE),
        Act::Apply(manifest) => Act::Apply(manifest),
    };
    Some(Proposal { object, act })
}

/// The text of a fact.
fn text<'a>(component: &'a Component, fact: &str) -> Option<&'a str> {
    component.value(fact).as_str()
}

/// The elements of a fact that are known.
fn list<'a>(component: &'a Component, fact: &str) -> &'a [Value] {
    component.value(fact).as_list().unwrap_or_default()
}

/// The text of a field.
fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.field(name).and_then(Value::as_str).unwrap_or_default()
}
