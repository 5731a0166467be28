//! A container that could not be inspected: what the list says of it, and the rest unknown.

use std::sync::Arc;

use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker::CONTAINER;
use serde_json::Value as Json;

use super::super::json::{Node, Read, cut, strings};
use super::super::sheet::Sheet;
use super::{Mapped, Modes, identity};
use crate::redact::Redactor;

/// A container from an element of `GET /containers/json` alone.
pub fn vanished(listed: &Json, redactor: &Redactor, reason: &Arc<str>) -> Mapped {
    let doc = Node::of(listed);
    let id = doc.get("Id").text().unwrap_or("");
    let name = doc.get("Names").texts().ok().and_then(|names| names.first().copied()).unwrap_or(id);
    let name = cut(name.trim_start_matches('/'));
    let mut sheet = Sheet::new(&CONTAINER, id, name, "GET /containers/json".into());
    let image = doc.get("Image").text();
    let image_id = doc.get("ImageID").text();
    if let (Ok(image), Ok(image_id)) = (&image, &image_id) {
        // Where its tag was moved away meanwhile, the list says the id instead.
        let kind = identity::image_reference(image, image_id);
        if kind != "id" {
            sheet.set("image_reference", "Image", kind);
            sheet.set("image", "Image", redactor.text(image).into_owned());
        }
        sheet.set("image_id", "ImageID", cut(image_id));
    }
    let labels = doc.get("Labels").map();
    if let Ok(labels) = labels {
        sheet.set("project", "Labels", identity::owner(labels, identity::PROJECT));
        sheet.set("service", "Labels", identity::owner(labels, identity::SERVICE));
    }
    known(
        &mut sheet,
        "network_mode",
        "HostConfig.NetworkMode",
        doc.get("HostConfig").get("NetworkMode").text().map(cut),
    );
    let networks = doc.get("NetworkSettings").get("Networks").map();
    known(
        &mut sheet,
        "networks",
        "NetworkSettings.Networks",
        networks.map(|map| strings(map.keys().map(String::as_str))),
    );
    let source = Source::new(sheet.place(), "");
    sheet.component.rest_unknown(reason, &source);
    Mapped {
        modes: Modes::unknown(id, name, reason),
        execs: Vec::new(),
        swarm_service: None,
        image: image_id.ok().map(Box::from),
        component: sheet.component,
    }
}

fn known<T: Into<seaworthy_core::value::Value>>(
    sheet: &mut Sheet,
    name: &'static str,
    field: &'static str,
    read: Read<T>,
) {
    if let Ok(value) = read {
        sheet.set(name, field, value);
    }
}
