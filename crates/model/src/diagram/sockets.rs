//! The engine's unix sockets, and who on the host may open them: users, a group, clients.

use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FactRef, FlowKind};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::draft::{Draft, Drafts};
use super::scope::{MOST_OF_A_LIST, Scope, cut, list, text, truth};

/// The most members of a group that are named.
const MOST_NAMED: usize = 6;

/// The bits of a mode that let a group or others connect: connecting is writing.
const GROUP_WRITES: i64 = 0o020;
const OTHERS_WRITE: i64 = 0o002;

/// Those who may command the engine through the socket's group or its access list.
pub(super) struct Group {
    pub name: String,
    pub certainty: Certainty,
    pub facts: Vec<Option<FactRef>>,
}

/// The engine's own sockets among the files that were looked at.
fn sockets(scope: &Scope<'_>) -> Vec<usize> {
    let files = scope.all_of(&docker::FILE).iter().copied();
    files
        .filter(|at| scope.value(*at, "role").as_str() == Some("docker-socket"))
        .filter(|at| truth(scope.value(*at, "exists")) != Ok(false))
        .take(MOST_OF_A_LIST)
        .collect()
}

/// Why no socket of the engine was looked at, though there may be one.
fn unseen(scope: &Scope<'_>) -> Option<Arc<str>> {
    if scope.all_of(&docker::FILE).iter().any(|at| scope.value(*at, "role").as_str() == Some("docker-socket")) {
        return None;
    }
    if let Some(reason) = scope.unlisted(&docker::FILE) {
        return Some(reason);
    }
    match scope.of_daemon("listeners") {
        Err(reason) => Some(reason),
        Ok(value) => {
            let unix = |l: &Value| text(l, "transport") != "tcp" && text(l, "serves") != "internal";
            let any = value.as_list().unwrap_or_default().iter().any(unix);
            any.then(|| "the mode of the engine's socket was not read".into())
        }
    }
}

/// Whether bits of a socket's mode are set.
fn mode(scope: &Scope<'_>, socket: usize, bits: i64) -> Result<bool, Arc<str>> {
    truth(scope.value(socket, "exists"))?;
    match scope.value(socket, "mode") {
        Value::Int(mode) => Ok(mode & bits != 0),
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        _ => Err("its mode is no number".into()),
    }
}

/// Who may command the engine by the socket's group or access list; none when it is known that nobody may.
pub(super) fn group(scope: &Scope<'_>) -> Option<Group> {
    let mut facts = vec![scope.cite_of(scope.host, "socket_group_members")];
    let mut opens = Err("no socket was looked at".into());
    let mut granted: Vec<String> = Vec::new();
    let mut group_name = None;
    match unseen(scope) {
        Some(reason) => opens = Err(reason),
        None => {
            let sockets = sockets(scope);
            if sockets.is_empty() {
                return None;
            }
            for socket in sockets {
                facts.extend(["mode", "acl", "group"].map(|fact| scope.cite(socket, fact)));
                let this = mode(scope, socket, GROUP_WRITES);
                opens = if opens == Ok(true) { opens } else { this };
                granted
                    .extend(scope.value(socket, "acl").as_list().unwrap_or_default().iter().map(ToString::to_string));
                group_name = group_name.or_else(|| scope.value(socket, "group").as_str());
            }
        }
    }
    let members = scope.of_host("socket_group_members").and_then(|value| list(value));
    let mut names: Vec<String> = granted;
    names.truncate(MOST_OF_A_LIST);
    let mut unknown = None;
    match (&members, &opens) {
        (_, Ok(false)) => {}
        (Ok(all), opens) => {
            names.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
            unknown = all.iter().find_map(Value::reason).cloned();
            if let (Err(reason), false) = (opens, all.is_empty()) {
                unknown = Some(Arc::clone(reason));
            }
        }
        (Err(reason), _) => unknown = Some(Arc::clone(reason)),
    }
    let certainty = match unknown {
        Some(reason) if names.is_empty() || opens.is_err() => Certainty::Possible(reason),
        _ if names.is_empty() => return None,
        _ => Certainty::Proven,
    };
    let group = group_name.map_or_else(|| "the socket's group".to_owned(), |name| format!("group {}", cut(name)));
    let name =
        if names.is_empty() { format!("Members of {group}") } else { format!("Members of {group}: {}", named(&names)) };
    Some(Group { name, certainty, facts })
}

/// The first of some names, and how many more there are.
fn named(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_NAMED).map(|name| cut(name)).collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Draws who reaches the daemon over its unix sockets.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    let Some(daemon) = scope.daemon else { return };
    let to = scope.element[daemon];
    let user = scope.actors.local_user;
    if let Some(reason) = unseen(scope) {
        drafts.add(
            Draft::new(FlowKind::ApiLocal, user, to, "the engine's socket")
                .maybe(&reason)
                .facts([scope.cite(daemon, "listeners")]),
        );
    }
    for socket in sockets(scope) {
        let path = cut(scope.value(socket, "path").as_str().unwrap_or(&scope.component(socket).name));
        let facts = ["exists", "mode"].map(|fact| scope.cite(socket, fact));
        let draft = Draft::new(FlowKind::ApiLocal, user, to, format!("{path} (open to everybody)")).facts(facts);
        let draft = draft.key("socket");
        match mode(scope, socket, OTHERS_WRITE) {
            Ok(false) => {}
            Ok(true) if reachable(&path) => drafts.add(draft),
            Ok(true) => {
                drafts.add(draft.maybe(&"whether the directories above the socket let others in was not read".into()))
            }
            Err(reason) => drafts.add(draft.maybe(&reason)),
        }
    }
    if let (Some(actor), Some(group)) = (scope.actors.engine_group, group(scope)) {
        let draft = Draft::new(FlowKind::ApiLocal, actor, to, "the engine's socket, by its group").facts(group.facts);
        drafts.add(draft.and(&group.certainty));
    }
    for client in scope.all_of(&docker::CLIENT).iter().copied() {
        draw_client(scope, client, to, drafts);
    }
}

/// Whether everybody passes the directories above a socket: `/run` lets all in.
fn reachable(path: &str) -> bool {
    let path = seaworthy_core::path::normalise(path);
    path.strip_prefix("/run/").is_some_and(|rest| !rest.contains('/'))
}

fn draw_client(scope: &Scope<'_>, client: usize, to: usize, drafts: &mut Drafts) {
    let from = scope.element[client];
    let user = scope.value(client, "user").as_str().unwrap_or(&scope.component(client).name);
    let cite = scope.cite(client, "user");
    let draft = |label: &str| Draft::new(FlowKind::ApiLocal, from, to, label).facts([cite]);
    let listening = !sockets(scope).is_empty() || unseen(scope).is_some();
    if user == "root" && listening {
        drafts.add(draft("the engine's socket, as root"));
        return;
    }
    let owns = |at: &usize| scope.value(*at, "owner").as_str() == Some(user);
    if let Some(socket) = sockets(scope).iter().find(|at| owns(at)) {
        drafts.add(draft("the engine's socket, as its owner").facts([scope.cite(*socket, "owner")]));
    }
    let members = scope.of_host("socket_group_members").and_then(|members| list(members));
    let is_member = match &members {
        Ok(members) if members.iter().any(|m| m.as_str() == Some(user)) => Ok(true),
        Ok(members) => members.iter().find_map(Value::reason).map_or(Ok(false), |reason| Err(Arc::clone(reason))),
        Err(reason) => Err(Arc::clone(reason)),
    };
    if is_member != Ok(false) {
        let opens = sockets(scope).iter().map(|at| mode(scope, *at, GROUP_WRITES)).find(|opens| *opens != Ok(false));
        let cite = scope.cite_of(scope.host, "socket_group_members");
        let draft = draft("the engine's socket, by its group").facts([cite]);
        match (opens.or_else(|| unseen(scope).map(Err)), is_member) {
            (Some(Ok(_)), Ok(_)) => drafts.add(draft),
            (Some(Err(reason)), Ok(_)) | (Some(_), Err(reason)) => drafts.add(draft.maybe(&reason)),
            (None, _) => {}
        }
    }
    let cite = scope.cite_of(scope.host, "sudo_docker");
    let draft = draft("sudo docker").facts([cite]);
    match scope.of_host("sudo_docker").and_then(|rules| list(rules)) {
        Ok(rules) if rules.iter().any(|rule| text(rule, "who") == user) => drafts.add(draft),
        Ok(rules) => {
            if let Some(reason) = rules.iter().find_map(Value::reason) {
                drafts.add(draft.maybe(reason));
            }
        }
        Err(reason) => drafts.add(draft.maybe(&reason)),
    }
}
