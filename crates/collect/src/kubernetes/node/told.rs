//! Components of which only the API tells: by the pods that run them, and by the kubelet's own answer.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::find::{Program, Which};
use super::process::Part;
use super::sheet::{Elsewhere, Files, Run, Sheet};
use super::{kubelet, machine, parts, version};
use crate::redact::Redactor;

const NOT_READ: &str = "only the API told of it: run Seaworthy on the node";

/// A file of a container that the API tells.
#[derive(Clone, Debug)]
pub struct ToldFile<'a> {
    /// Its path in the container.
    pub path: &'a str,
    /// What it held when the container began, or why that is not known.
    pub content: Result<&'a str, String>,
    /// Where the API has it: `configmap kube-system/kube-proxy`.
    pub place: &'a str,
}

/// Files of which the API tells some.
struct Told<'a>(&'a [ToldFile<'a>]);

impl Told<'_> {
    fn of(&self, path: &str) -> Option<&ToldFile<'_>> {
        self.0.iter().find(|file| file.path == path)
    }
}

impl Files for Told<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.of(path) {
            Some(file) => file.content.as_ref().map(|text| text.as_bytes().to_vec()).map_err(Clone::clone),
            None => Elsewhere.read(path),
        }
    }

    fn walk(&self, path: &str) -> Result<Vec<String>, String> {
        Elsewhere.walk(path)
    }

    fn changed(&self, _: &str) -> Option<String> {
        None
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        Elsewhere.absolute(path)
    }

    fn place(&self, path: &str) -> Arc<str> {
        self.of(path).map_or(path, |file| file.place).into()
    }
}

/// A pod at the API that runs a component: a static pod's copy, or a pod of a DaemonSet.
#[derive(Clone, Copy, Debug)]
pub struct ToldPod<'a> {
    /// The node that it runs on.
    pub node: &'a str,
    /// Which one it is of those that run the same component on the node, from 1.
    pub nth: usize,
    /// What kind of pod: `mirror-pod` or `pod`.
    pub found_by: &'a str,
    /// The container's command and arguments, the program first.
    pub argv: &'a [String],
    /// The container's image.
    pub image: &'a str,
    /// Variables of the container's environment by name and value.
    pub variables: &'a [(String, String)],
    /// Where it was read: `pod kube-system/kube-apiserver-cp-1`.
    pub place: &'a str,
    /// The user that the pod says that it runs as.
    pub uid: Option<i64>,
    /// Files of the container that the API tells.
    pub files: &'a [ToldFile<'a>],
}

/// The component that a pod's container runs, with what its arguments decide; what files decide is unknown. None
/// for a container that runs no component.
pub fn from_argv(pod: &ToldPod<'_>, redactor: &Redactor) -> Option<Component> {
    let name = pod.argv.first()?.rsplit('/').next()?;
    let program = match name {
        "hyperkube" => Program::Hyperkube,
        name => Program::One(Which::of_name(name)?),
    };
    let arguments = Ok(pod.argv.to_vec());
    let found = parts::of(program, &arguments, pod.variables, &Elsewhere).components.into_iter().next()?;
    let version = version::of_image(pod.image);
    let files = Told(pod.files);
    let run = Run {
        flags: found.flags,
        place: pod.place.into(),
        minor: version.as_deref().and_then(version::minor),
        within: found.within,
        files: &files,
        redactor,
    };
    let (id, shown) = machine::names(pod.node, found.which, pod.nth);
    let mut part = Part::new(Sheet::new(found.which.kind(), id, shown, &run));
    machine::settings(found.which, &mut part);
    part.finish(false);
    let mut c = part.sheet.c;
    let source = |field: &'static str| Source::new(&pod.place.into(), field);
    identity(&mut c, pod.node, pod.found_by, &source(""));
    c.set("program", redactor.text(name).into_owned(), source("spec.containers[0].command"));
    c.set("embedded", false, source("spec.containers[0].command"));
    c.set("in_container", true, source(""));
    c.set(
        "arguments",
        Value::strings(redactor.argv(pod.argv).into_iter().take(512)),
        source("spec.containers[0].command"),
    );
    told_version(&mut c, version.as_deref(), &source("spec.containers[0].image"));
    if let Some(uid) = pod.uid {
        c.set("user", uid.to_string(), source("securityContext.runAsUser"));
        c.set("root", uid == 0, source("securityContext.runAsUser"));
    }
    c.rest_unknown(&NOT_READ.into(), &source(""));
    Some(c)
}

/// A kubelet by its own answer at `/configz`: all that a configuration file can say, in effect. `version` is the one
/// that its node tells.
pub fn from_configz(node: &str, answer: &Json, version: Option<&str>, place: &str, redactor: &Redactor) -> Component {
    let version = version.and_then(version::clean);
    let run = Run {
        flags: Err(NOT_READ.to_owned()),
        place: place.into(),
        minor: version.as_deref().and_then(version::minor),
        within: None,
        files: &Elsewhere,
        redactor,
    };
    let (id, name) = machine::names(node, Which::Kubelet, 1);
    let mut part = Part::new(Sheet::new(Which::Kubelet.kind(), id, name, &run));
    kubelet::decide_by_answer(&mut part, answer, place);
    let mut c = part.sheet.c;
    let source = Source::place(place);
    identity(&mut c, node, "configz", &source);
    told_version(&mut c, version.as_deref(), &source);
    c.rest_unknown(&NOT_READ.into(), &source);
    c
}

fn identity(c: &mut Component, node: &str, found_by: &str, source: &Source) {
    let name = c.name.to_string();
    c.set("name", name, source.clone());
    c.set("node", node, source.clone());
    c.set("found_by", found_by, source.clone());
    c.set("executable", Value::Null, source.clone());
    c.set("pid", Value::Null, source.clone());
}

fn told_version(c: &mut Component, version: Option<&str>, source: &Source) {
    match version.and_then(|text| Some((text, version::minor(text)?))) {
        Some((text, minor)) => {
            c.set("version", text, source.clone());
            c.set("minor", minor, source.clone());
        }
        None => {
            c.set_unknown("version", "neither its image nor its node tells it", source.clone());
            c.set_unknown("minor", "neither its image nor its node tells it", source.clone());
        }
    }
}
