//! Where images come from, and who keeps credentials for that.

use std::collections::HashSet;
use std::sync::Arc;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::draft::{Draft, Drafts};
use super::scope::{Scope, truth};

/// The most registries to which a client whose configuration was not read may hold credentials.
const MOST_REGISTRIES: usize = 16;

/// Draws pulls, logins, and the daemon's hold on its host.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    let daemon = scope.daemon.map(|at| scope.element[at]);
    if let (Some(daemon), Some(host)) = (daemon, scope.host) {
        let how = if scope.of_daemon("rootless").ok().and_then(Value::as_bool) == Some(true) {
            "as an ordinary user"
        } else {
            "as root"
        };
        let facts = ["uid", "rootless"].map(|fact| scope.cite_of(scope.daemon, fact));
        let mut draft = Draft::new(FlowKind::Control, daemon, scope.element[host], how).key("control").facts(facts);
        if let Err(reason) = scope.of_daemon("rootless") {
            draft.label = "with the rights that it has".to_owned();
            draft = draft.maybe(&reason);
        }
        drafts.add(draft);
    }
    let carried = from_registries(scope);
    for registry in scope.all_of(&docker::REGISTRY).iter().copied() {
        if let Some(daemon) = daemon {
            draw_pull(scope, registry, daemon, &carried, drafts);
        }
    }
    draw_logins(scope, drafts);
}

/// The registries of which an image carries a digest.
fn from_registries<'a>(scope: &Scope<'a>) -> HashSet<&'a str> {
    let images = scope.all_of(&docker::IMAGE).iter();
    images
        .filter(|at| scope.value(**at, "digests").as_list().is_some_and(|digests| !digests.is_empty()))
        .flat_map(|at| scope.value(*at, "registries").as_list().unwrap_or_default())
        .filter_map(Value::as_str)
        .collect()
}

fn draw_pull(scope: &Scope<'_>, registry: usize, daemon: usize, carried: &HashSet<&str>, drafts: &mut Drafts) {
    let name = &*scope.component(registry).name;
    let mirror = truth(scope.value(registry, "mirror")) == Ok(true);
    let how = match truth(scope.value(registry, "insecure")) {
        Ok(true) => "not verified",
        Ok(false) => "verified",
        Err(_) => "it is not known whether verified",
    };
    let what = if mirror { "images, as a mirror" } else { "images" };
    let facts = ["used_by", "mirror", "insecure"].map(|fact| scope.cite(registry, fact));
    let from = scope.element[registry];
    let draft = Draft::new(FlowKind::Pull, from, daemon, format!("{what} ({how})")).key("pull").facts(facts);
    let uses = scope.value(registry, "used_by");
    let used = uses.as_list().is_some_and(|images| images.iter().any(|image| !image.is_unknown()));
    let reason: Arc<str> = match uses {
        _ if mirror || used && carried.contains(name) => return drafts.add(draft),
        _ if used => "no image that is named after it carries a digest: they may have been built here".into(),
        Value::Unknown(reason) => Arc::clone(reason),
        _ if truth(scope.value(registry, "insecure")) == Ok(true) => {
            "the engine is configured for it, and no image of it is here".into()
        }
        _ => return,
    };
    drafts.add(draft.maybe(&reason));
}

fn draw_logins(scope: &Scope<'_>, drafts: &mut Drafts) {
    let clients: Vec<(usize, &str)> = scope
        .all_of(&docker::CLIENT)
        .iter()
        .map(|at| (*at, scope.value(*at, "user").as_str().unwrap_or(&scope.component(*at).name)))
        .collect();
    let by_user: std::collections::HashMap<&str, usize> = clients.iter().rev().map(|(at, user)| (*user, *at)).collect();
    for registry in scope.all_of(&docker::REGISTRY).iter().copied() {
        let users = scope.value(registry, "credentials_kept_by").as_list().unwrap_or_default();
        for client in users.iter().filter_map(Value::as_str).filter_map(|user| by_user.get(user)) {
            let (from, to) = (scope.element[*client], scope.element[registry]);
            let facts = [scope.cite(*client, "plain_credentials"), scope.cite(registry, "credentials_kept_by")];
            drafts
                .add(Draft::new(FlowKind::Login, from, to, "credentials kept in plain text").key("login").facts(facts));
        }
    }
    for (client, _) in &clients {
        let Value::Unknown(reason) = scope.value(*client, "plain_credentials") else { continue };
        for registry in scope.all_of(&docker::REGISTRY).iter().take(MOST_REGISTRIES) {
            let draft = Draft::new(FlowKind::Login, scope.element[*client], scope.element[*registry], "credentials");
            drafts.add(draft.key("login").maybe(reason).facts([scope.cite(*client, "plain_credentials")]));
        }
    }
}
