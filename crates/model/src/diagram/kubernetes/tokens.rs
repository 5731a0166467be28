//! Tokens in secrets: of accounts, and of those by which nodes join, which are made as well.

use std::sync::Arc;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::schema::kubernetes as k8s;

use super::super::draft::{Draft, Drafts};
use super::super::scope::Scope;
use super::limits::Takes;
use super::objects::{BOOTSTRAP, TOKEN};
use super::rights::namespace;

/// Draws who is known by a token in a secret, for whoever reads the secrets.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    tokens(scope, drafts);
    bootstrap_tokens(scope, drafts);
}

/// Why it is not known whose a token in a secret is.
pub(super) const OF_WHOM: &str =
    "the namespace has a secret with a token, and of which account it is stands where values do";

/// Why it is not known what a bootstrap token is good for.
const OF_WHICH: &str =
    "kube-system has a bootstrap token, and until when it holds and of which groups it is stands where values do";

/// The secrets with bootstrap tokens.
fn bootstrap<'s>(scope: &'s Scope<'_>) -> impl Iterator<Item = usize> + 's {
    scope.all_of(&k8s::SECRET).iter().copied().filter(|at| {
        scope.value(*at, "namespace").as_str() == Some("kube-system")
            && scope.value(*at, "type").as_str() == Some(BOOTSTRAP)
    })
}

/// Draws which groups the bootstrap tokens may be of, for whoever reads the secrets of the system.
fn bootstrap_tokens(scope: &Scope<'_>, drafts: &mut Drafts) {
    let Some(secret) = bootstrap(scope).next() else { return };
    let Some(system) = scope.named(&k8s::NAMESPACE, "kube-system").map(|at| scope.element[at]) else { return };
    for group in scope.all_of(&k8s::SUBJECT).iter().copied() {
        let name = scope.value(group, "name").as_str().unwrap_or_default();
        let of_tokens = name == "system:bootstrappers" || name.starts_with("system:bootstrappers:");
        if of_tokens && scope.value(group, "kind").as_str() == Some("Group") {
            let draft = Draft::new(FlowKind::Token, system, scope.element[group], "a bootstrap token").key("bootstrap");
            drafts.add(draft.facts([scope.cite(secret, "type")]).maybe(&OF_WHICH.into()));
        }
    }
}

/// Draws which accounts have a token in a secret of their namespace, for whoever reads the secrets.
fn tokens(scope: &Scope<'_>, drafts: &mut Drafts) {
    let name = |at: usize| scope.value(at, "name").as_str().unwrap_or_default();
    let space = |at: usize| scope.value(at, "namespace").as_str().unwrap_or_default();
    let is_token = |at: &usize| scope.value(*at, "type").as_str() == Some(TOKEN);
    let secrets: Vec<usize> = scope.all_of(&k8s::SECRET).iter().copied().filter(is_token).collect();
    if secrets.is_empty() {
        return;
    }
    for account in scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied() {
        let Some(namespace) = namespace(scope, scope.component(account)) else { continue };
        let refers = |secret: usize| {
            let own = scope.value(account, "secrets").as_list().unwrap_or_default();
            own.iter().any(|own| own.as_str() == Some(name(secret)))
        };
        let mut here = secrets.iter().copied().filter(|secret| space(*secret) == space(account)).peekable();
        if here.peek().is_none() {
            continue;
        }
        let draft = Draft::new(FlowKind::Token, namespace, scope.element[account], "a token in a secret").key("secret");
        match here.find(|secret| refers(*secret)) {
            Some(secret) => drafts.add(draft.facts([scope.cite(account, "secrets"), scope.cite(secret, "type")])),
            None => {
                let facts = secrets.iter().filter(|secret| space(**secret) == space(account)).take(1);
                let facts: Vec<_> = facts.map(|secret| scope.cite(*secret, "type")).collect();
                drafts.add(draft.facts(facts).maybe(&OF_WHOM.into()));
            }
        }
    }
}

/// Of which groups and users somebody may make a bootstrap token, or change one that is there: of these names, if any.
pub(super) fn forged(scope: &Scope<'_>, there: bool, names: &[&str]) -> Vec<(usize, Takes)> {
    let Some(mut takes) = taken(scope) else { return Vec::new() };
    if there {
        let name = |at: usize| scope.value(at, "name").as_str().unwrap_or_default();
        let is = |at: usize| {
            name(at).strip_prefix("bootstrap-token-").is_some_and(is_id)
                && (names.is_empty() || names.contains(&name(at)))
        };
        if !bootstrap(scope).any(is) {
            let Some(unlisted) = scope.unlisted(&k8s::SECRET) else { return Vec::new() };
            takes = Takes::Perhaps(unlisted);
        }
    }
    let subjects = scope.all_of(&k8s::SUBJECT).iter().copied();
    let text = |at: usize, fact: &str| scope.value(at, fact).as_str().unwrap_or_default();
    // The name of the user is that of the token, which who makes it chooses.
    let of_token = |at: &usize| match text(*at, "kind") {
        "Group" => is_group(text(*at, "name")),
        "User" => !there && text(*at, "name").strip_prefix("system:bootstrap:").is_some_and(is_id),
        _ => false,
    };
    subjects.filter(of_token).map(|at| (scope.element[at], takes.clone())).collect()
}

fn is_id(id: &str) -> bool {
    id.len() == 6 && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// Whether a bootstrap token may be of a group: of the one of all of them, or of one of this form.
fn is_group(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    name == "system:bootstrappers"
        || name.strip_prefix("system:bootstrappers:").is_some_and(|rest| {
            rest.len() <= 256
                && rest.bytes().all(|b| plain(b) || matches!(b, b':' | b'-'))
                && rest.bytes().last().is_some_and(plain)
        })
}

/// Whether an API server takes bootstrap tokens; none where none does.
fn taken(scope: &Scope<'_>) -> Option<Takes> {
    let servers = scope.all_of(&k8s::APISERVER);
    let mut reason = scope.unlisted(&k8s::APISERVER);
    for server in servers {
        match scope.value(*server, "bootstrap_token_auth") {
            value if value.as_bool() == Some(true) => return Some(Takes::Surely),
            value => reason = reason.or_else(|| value.reason().cloned()),
        }
    }
    let unread = || -> Arc<str> { "whether the API server takes bootstrap tokens was not read".into() };
    if servers.is_empty() { Some(Takes::Perhaps(reason.unwrap_or_else(unread))) } else { reason.map(Takes::Perhaps) }
}
