//! A cluster through its API server: lists in pages, projected and let go as they arrive. Nothing is ever written,
//! redirects are not followed, and secrets are asked for as a table without their data alone.

mod access;
mod client;
mod discovery;
mod failure;
mod feed;
mod identity;
mod items;
mod kubelets;
mod list;
mod own;
mod plugin;
mod proxy;
mod rights;
mod secrets;
mod whole;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::kubernetes::NOT_ASKED_FOR;
use seaworthy_core::schema::kubernetes::CLUSTER;
use seaworthy_core::snapshot::{Gap, Snapshot, Target};
use seaworthy_core::value::Value;

use super::gather::{Resource, gatherers};
use crate::redact::Redactor;
use access::Access;
pub use access::is_in_cluster;
use client::Api;
use discovery::{Choice, Served, key};
use failure::Failure;
use feed::{Feed, Wanted};
pub use rights::{Right, cluster_role, rights};

/// The oldest minor version whose API is read.
pub const OLDEST_MINOR: i64 = 25;
/// The newest minor version whose API is known.
pub const NEWEST_MINOR: i64 = 36;
/// Threads that wait for the network.
const WORKERS: usize = 2;
/// Threads that parse pages and hand on their objects: the C library keeps what a thread freed for that thread.
const PARSERS: usize = 1;

/// Which cluster to collect, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A kubeconfig; none: KUBECONFIG, the one in the home, or the service account of this pod.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; none: its current one.
    pub context: Option<String>,
    /// Only what lies in these namespaces, of kinds that lie in namespaces; none: all.
    pub namespaces: Vec<String>,
    /// Whether to list secrets, as a table without data: the right to do so reads their values.
    pub secrets: bool,
    /// The most that one request may take.
    pub timeout: Duration,
}

/// Collects a cluster. One that does not answer is a target without components, with a gap that says why.
///
/// # Errors
/// For what makes no sense: a kubeconfig or a context that is not there. One line.
pub fn collect(options: &Options) -> Result<Snapshot, String> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(WORKERS).max_blocking_threads(PARSERS).enable_all().build();
    let runtime = runtime.map_err(|e| format!("the runtime: {e}"))?;
    let collected_at = crate::assemble::now();
    let redactor = Arc::new(Redactor::new());
    let target = runtime.block_on(target(options, &redactor, collected_at));
    runtime.shutdown_background();
    let mut target = target?;
    crate::assemble::scrub::scrub(&mut target, &redactor);
    Ok(Snapshot { tool: env!("CARGO_PKG_VERSION").to_owned(), collected_at, targets: vec![target] })
}

async fn target(options: &Options, redactor: &Arc<Redactor>, now: i64) -> Result<Target, String> {
    let began = Instant::now();
    let access = access::find(options).await?;
    let mut target = Target::new(access.name.as_str(), "kubernetes", access.server.as_str());
    let opened = match Api::new(&access, options.timeout) {
        Ok(api) => discovery::version(&api).await.map(|version| (api, version)),
        Err(failure) => Err(failure),
    };
    let (api, (version, minor)) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            let why = format!("{}: {}", access.server, of_opening(&failure, &access, now));
            target.gap(access.server.as_str(), why, "everything about this cluster");
            return Ok(target);
        }
    };
    let api = Arc::new(api);
    target.about = format!("Kubernetes {version}");
    if !minor.is_some_and(|minor| (OLDEST_MINOR..=NEWEST_MINOR).contains(&minor)) {
        let why = format!(
            "Kubernetes {version} is none of 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}, whose rules are known; newer rules are taken for the newest known"
        );
        target.gap("GET /version", why, "what differs between versions");
    }
    let served = Arc::new(Served::ask(&api).await);
    for why in &served.unread {
        target.gap("discovery", why.as_str(), "which groups of the API are served");
    }
    let mut cluster = Component::new(&CLUSTER, "cluster", access.name.as_str());
    whole::put(&mut cluster, &access, &version, minor, &served);
    if let Some(why) = whole::put_servers(&mut cluster, &api).await {
        target.gap("leases.coordination.k8s.io", why, "how many API servers there are");
    }
    target.components.push(cluster);
    let anonymous = tokio::spawn(own::anonymous(access.clone(), options.timeout));
    lists(options, &api, &served, redactor, &mut target).await;
    let anonymous = anonymous.await.unwrap_or_else(|e| Value::unknown(format!("asking failed: {e}")));
    own::put_anonymous(&mut target, anonymous);
    own::put_default(&api, &mut target).await;
    secrets::put(options, &api, &mut target, redactor).await;
    kubelets::put(access, &api, options.timeout, &mut target, redactor).await;
    target.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(target)
}

/// Lists everything that somebody wants, side by side.
async fn lists(options: &Options, api: &Arc<Api>, served: &Arc<Served>, redactor: &Arc<Redactor>, target: &mut Target) {
    let feed = Arc::new(Feed::new(gatherers(), Arc::clone(redactor)));
    let wanted = feed.wanted();
    let tasks: Vec<_> = wanted
        .iter()
        .map(|wanted| {
            let (api, feed, served) = (Arc::clone(api), Arc::clone(&feed), Arc::clone(served));
            let (wanted, namespaces) = (wanted.clone(), options.namespaces.clone());
            tokio::spawn(async move { one(&api, &feed, &served, &wanted, &namespaces).await })
        })
        .collect();
    for (wanted, task) in wanted.iter().zip(tasks) {
        let why = match task.await {
            Ok(None) => continue,
            Ok(Some(why)) => why,
            Err(panic) => format!("reading it failed: {panic}"),
        };
        feed.unread(wanted, &why);
        target.gap(of_resource(&wanted.resource), why, format!("objects of kind {}", wanted.resource.kind));
    }
    if !options.namespaces.is_empty() {
        let names = options.namespaces.join(", ");
        let why = format!("only namespace {names} {NOT_ASKED_FOR}");
        for wanted in wanted.iter().filter(|wanted| wanted.resource.namespaced) {
            feed.unread(wanted, &why);
        }
        target.gap(
            format!("--namespace {names}"),
            "other namespaces were not asked for",
            "what lies in other namespaces",
        );
    }
    // Nobody else holds it: every task has ended, and so has what it waited for.
    let Some(feed) = Arc::into_inner(feed) else {
        target.gap("lists", "a page is still being read after all lists ended", "everything about this cluster");
        return;
    };
    for gatherer in feed.into_gatherers() {
        gatherer.finish(target);
    }
    once(&mut target.gaps);
}

/// A gatherer may tell again, by the plural alone and in more words, that a list is missing.
fn once(gaps: &mut Vec<Gap>) {
    let plural = |gap: &Gap| gap.source.split('.').next().unwrap_or_default().to_owned();
    let mut told: Vec<(String, String)> = Vec::new();
    gaps.retain(|gap| {
        let again = told.iter().any(|(of, why)| *of == plural(gap) && gap.reason.ends_with(why.as_str()));
        told.push((plural(gap), gap.reason.clone()));
        !again
    });
}

/// Lists one resource. Why it, or some of it, is missing; none where all of it is there, or it surely has none.
async fn one(api: &Api, feed: &Arc<Feed>, served: &Served, wanted: &Wanted, namespaces: &[String]) -> Option<String> {
    let resource = &wanted.resource;
    let version = match served.choose(resource) {
        Choice::Version(version) => version,
        Choice::Absent if resource.optional => return None,
        Choice::Absent => {
            return Some(format!("this API server has no {}: a foreign or a much older API", of_resource(resource)));
        }
        Choice::Other(versions) => {
            return Some(format!(
                "this API server has {} as {versions}, and only {} is known; update Seaworthy",
                of_resource(resource),
                resource.versions.join(", ")
            ));
        }
        Choice::Down => {
            return Some(format!(
                "the server of group {} does not answer (an aggregated API that is down)",
                resource.group
            ));
        }
    };
    let scopes: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        _ if !resource.namespaced => vec![None],
        some => some.iter().map(|n| Some(n.as_str())).collect(),
    };
    for namespace in scopes {
        match list::list(api, feed, wanted, version, namespace).await {
            Ok(()) => {}
            Err(Failure::Status { code: 404, .. }) if resource.optional => {}
            Err(failure) => return Some(of_list(&failure, resource, namespace)),
        }
    }
    None
}

/// `pods`, `deployments.apps`.
fn of_resource(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.plural.to_owned()
    } else {
        key(resource.plural, resource.group).replace('/', ".")
    }
}

/// Why a list is missing; where a right is, which.
fn of_list(failure: &Failure, resource: &Resource, namespace: Option<&str>) -> String {
    let group = if resource.group.is_empty() { "the core group" } else { resource.group };
    let whereof = match namespace {
        Some(namespace) => format!(" in namespace {namespace}"),
        None if resource.namespaced => " in all namespaces".to_owned(),
        None => String::new(),
    };
    match failure {
        Failure::Status { code: 403, .. } => {
            format!(
                "the right is missing: verb list, resource {} of {group}{whereof}; `seaworthy access` prints the role that has it",
                resource.plural
            )
        }
        Failure::Status { code: 401, .. } => "the credential was not accepted (any more); renew it".to_owned(),
        Failure::Status { code: 404, .. } => format!("this API server has no {}: a foreign API", of_resource(resource)),
        Failure::Status { code: 429, .. } => {
            "the API server has too many requests, also after waiting; try again later".to_owned()
        }
        other => other.to_string(),
    }
}

/// Why a cluster could not be opened.
fn of_opening(failure: &Failure, access: &Access, now: i64) -> String {
    let identity = &access.identity;
    let ended = identity.until.filter(|until| *until < now);
    let when = |until: i64| jiff::Timestamp::from_second(until).map_or_else(|_| until.to_string(), |t| t.to_string());
    let is_refused = matches!(failure, Failure::Status { code: 401, .. } | Failure::Tls(_) | Failure::EndedEarly);
    match (failure, ended) {
        (_, Some(until)) if is_refused => {
            format!("the {} in {} ended at {}; get a new one", identity.what, access.origin, when(until))
        }
        (Failure::Status { code: 401, .. }, _) if identity.what.is_empty() => {
            format!(
                "{} holds no credential for it, and it takes nobody without one; sign in or name another --context",
                access.origin
            )
        }
        (Failure::Status { code: 401, .. }, _) => {
            format!(
                "the {} in {} is not accepted: expired, revoked or of another cluster; get a new one",
                identity.what, access.origin
            )
        }
        (Failure::Status { code: 403, .. }, _) => {
            "the credential may not even read /version; sign in as somebody else".to_owned()
        }
        (Failure::Status { code: 404, .. }, _) => {
            "answers HTTP but not as an API server does; check the kubeconfig's server".to_owned()
        }
        _ => failure.to_string(),
    }
}

/// A fact's source.
fn source(place: &'static str) -> Source {
    Source::place(place)
}
