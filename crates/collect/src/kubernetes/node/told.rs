//! Components of which only the API tells: by the copies that it keeps of static pods, and by the kubelet's own answer.

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::find::{Program, Which};
use super::process::Part;
use super::sheet::{Elsewhere, Run, Sheet};
use super::{kubelet, machine, parts, version};
use crate::redact::Redactor;

const NOT_READ: &str = "only the API told of it: run Seaworthy on the node";

/// A static pod's copy at the API.
#[derive(Clone, Copy, Debug)]
pub struct MirrorPod<'a> {
    /// The node that it runs on.
    pub node: &'a str,
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
}

/// The component that a mirror pod's container runs, with what its arguments decide; what files decide is unknown. None
/// for a container that runs no component.
pub fn from_argv(pod: &MirrorPod<'_>, redactor: &Redactor) -> Option<Component> {
    let name = pod.argv.first()?.rsplit('/').next()?;
    let program = match name {
        "hyperkube" => Program::Hyperkube,
        name => Program::One(Which::of_name(name)?),
    };
    let arguments = Ok(pod.argv.to_vec());
    let found = parts::of(program, &arguments, pod.variables, &Elsewhere).components.into_iter().next()?;
    let version = version::of_image(pod.image);
    let run = Run {
        flags: found.flags,
        place: pod.place.into(),
        minor: version.as_deref().and_then(version::minor),
        within: found.within,
        files: &Elsewhere,
        redactor,
    };
    let (id, shown) = machine::names(pod.node, found.which, 1);
    let mut part = Part::new(Sheet::new(found.which.kind(), id, shown, &run));
    machine::settings(found.which, &mut part);
    part.finish(false);
    let mut c = part.sheet.c;
    let source = |field: &'static str| Source::new(&pod.place.into(), field);
    identity(&mut c, pod.node, "mirror-pod", &source(""));
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
