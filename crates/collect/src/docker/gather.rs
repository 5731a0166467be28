//! Asking an engine for everything, each source once, over its few connections at the same time.
//!
//! One failure is a gap and an incomplete kind, never the end. What vanishes between list and inspect keeps what the
//! list said of it. A raw answer is dropped as soon as its facts are taken.

mod containers;
mod images;
mod lanes;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use seaworthy_core::component::Component;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::docker;
use seaworthy_core::snapshot::Gap;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::container::{Mapped, add_service_ports, resolve_joins};
use super::context::{EngineFacts, HostView, VolumeSource};
use super::json::{Node, Read};
use super::{image, info, network, swarm, volume};
use crate::engine::{Engine, Failure};
use crate::redact::Redactor;
use containers::{Awaited, ContainerWork, Ready, containers};
use images::images_of;

/// The most elements of one list that are inspected.
const MOST: usize = 100_000;
/// Failures without an answer in a row after which the engine is not asked any more.
const PATIENCE: u32 = 8;

/// What an engine says of itself as a whole.
#[derive(Debug)]
pub struct Answers {
    /// `GET /version`; null where it was refused.
    pub version: Json,
    /// `GET /info`.
    pub info: Read<Json>,
    /// `GET /networks`.
    pub networks: Read<Json>,
    /// `GET /plugins`.
    pub plugins: Read<Json>,
}

/// Changes the facts about the engine once it has told of itself, before any container is read: the place for the
/// daemon's settings in effect. The second argument says whether the daemon was told to reload since it started, where
/// that matters and is known.
pub type Finish = Box<dyn FnOnce(&Arc<Answers>, Option<bool>, &mut EngineFacts) + Send>;

/// How to gather.
pub struct Options {
    /// Takes secrets out.
    pub redactor: Arc<Redactor>,
    /// What the host around the engine can add.
    pub host: Arc<dyn HostView + Send + Sync>,
    /// When it is collected, in seconds since 1970-01-01 UTC.
    pub collected_at: i64,
    /// Whether to ask for evidence that costs: files changed in containers.
    pub deep: bool,
    /// What else is known of the engine's defaults.
    pub finish: Option<Finish>,
}

/// Everything that an engine told.
#[derive(Debug)]
pub struct Gathered {
    /// What it told of itself.
    pub answers: Arc<Answers>,
    /// What the engine's containers follow.
    pub engine: EngineFacts,
    /// Containers, images, networks, volumes, and the swarm with its nodes and services.
    pub components: Vec<Component>,
    /// Kinds whose list of components is not complete, with the reason.
    pub incomplete: Vec<(&'static Kind, String)>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Images that no container uses, containers in any state, and containers that run or are paused.
    pub counts: Counts,
}

/// Counts for the host's own facts.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Images.
    pub images: Read<i64>,
    /// Images that no container uses.
    pub images_unused: Read<i64>,
    /// Containers in any state.
    pub containers: Read<i64>,
    /// Containers that run or are paused.
    pub containers_running: Read<i64>,
}

/// What the requests share.
struct Shared {
    engine: Engine,
    redactor: Arc<Redactor>,
    host: Arc<dyn HostView + Send + Sync>,
    collected_at: i64,
    deep: bool,
    silent: AtomicU32,
    /// Held by who reads an image's layers.
    layers: tokio::sync::Mutex<()>,
}

impl Shared {
    /// Asks; after too many requests without any answer no more.
    async fn get(&self, path: &str, list: bool) -> Result<Json, Lost> {
        if self.silent.load(Ordering::Relaxed) >= PATIENCE {
            return Err(Lost::Failed("the engine stopped answering".into()));
        }
        let answer = if list { self.engine.get_list(path).await } else { self.engine.get(path).await };
        match answer {
            Ok(json) => {
                self.silent.store(0, Ordering::Relaxed);
                Ok(json)
            }
            Err(Failure::Status { code: 404, .. }) => Err(Lost::Vanished),
            Err(failure) => {
                if matches!(
                    failure,
                    Failure::TimedOut { .. }
                        | Failure::EndedEarly { .. }
                        | Failure::DeadSocket { .. }
                        | Failure::NoSocket { .. }
                        | Failure::Unreachable { .. }
                ) {
                    self.silent.fetch_add(1, Ordering::Relaxed);
                }
                Err(Lost::Failed(failure.to_string().into()))
            }
        }
    }

    async fn list(&self, path: &str) -> Read<Json> {
        self.get(path, true).await.map_err(|lost| lost.reason("it"))
    }
}

/// Whether the daemon was told to reload since it started; asked only where authorization plugins are listed, which a
/// reload may have switched off.
async fn reloaded(engine: &Engine, info: &Read<Json>) -> Option<bool> {
    let plugins = info.as_ref().ok()?.get("Plugins")?.get("Authorization")?.as_array()?;
    if plugins.is_empty() {
        return None;
    }
    // A moment that is still to come would keep the stream open.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let events = engine.events(&format!("{}.{:09}", now.as_secs(), now.subsec_nanos())).await.ok()?;
    crate::daemon::effective::reloaded(&events)
}

/// Why there is no answer.
enum Lost {
    Vanished,
    Failed(Arc<str>),
}

impl Lost {
    fn reason(self, what: &str) -> Arc<str> {
        match self {
            Self::Vanished => format!("{what} vanished while it was read").into(),
            Self::Failed(reason) => reason,
        }
    }
}

/// Asks an engine for everything. What could not be read stands in the gaps.
///
/// # Errors
/// Where what was opened by [`Engine::open`] turns out to be no engine that is spoken with.
pub async fn gather(engine: &Engine, options: Options) -> Result<Gathered, Failure> {
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        redactor: options.redactor,
        host: options.host,
        collected_at: options.collected_at,
        deep: options.deep,
        silent: AtomicU32::new(0),
        layers: tokio::sync::Mutex::new(()),
    });
    let (ready, awaited) = watch::channel(None);
    // What the first lists name is asked for while the engine still tells of itself.
    let (containers, images, whole) = tokio::try_join!(
        async { Ok(listed_containers(&shared, awaited).await) },
        async { Ok(listed_images(&shared).await) },
        whole(&shared, options.finish, ready),
    )?;
    let (listed, mut mapped, problems) = containers;
    let Whole { answers, work, volumes, part, swarm } = whole;
    let mut out = Gathered {
        answers,
        engine: work.facts.clone(),
        components: Vec::new(),
        incomplete: Vec::new(),
        gaps: Vec::new(),
        counts: counts(&listed, &images.listed),
    };
    if let Err(reason) = &work.volumes {
        out.gap("GET /volumes", reason, "all volumes, and where mounts of volumes lead");
        out.incomplete.push((&docker::VOLUME, reason.to_string()));
    }
    let mut found = images.found;
    found.iter_mut().for_each(|image| image::set_used_by(image, &listed.used));
    out.problems("containers", &docker::CONTAINER, &listed.all, problems);
    out.problems("images", &docker::IMAGE, &images.listed.all, images.problems);
    resolve_joins(&mut mapped);
    add_service_ports(&mut mapped, &service_ports(&part, &swarm));
    let networks = networks_of(&mut out, &mapped, &listed.all);
    swarm_components(&mut out, &part, &swarm, &networks, &shared.redactor);
    out.note_single_answers();
    out.components.extend(mapped.into_iter().map(|mapped| mapped.component));
    out.components.extend(found.into_iter().chain(networks).chain(volumes));
    Ok(out)
}

/// What is left of a list once its elements were asked for.
struct Listed {
    count: Read<i64>,
    /// Whether those are all.
    all: Read<()>,
    /// Of containers: names with their image's id.
    used: Used,
    /// Of containers: how many run or are paused.
    running: usize,
    /// Of images: their ids.
    ids: Vec<Box<str>>,
}

impl Listed {
    /// Of a list, and its elements.
    fn of(list: Read<Json>) -> (Self, Vec<Json>) {
        let count = list.as_ref().map_err(Arc::clone).and_then(swarm::count);
        let state = |item: &&Json| matches!(Node::of(item).get("State").text(), Ok("running" | "paused"));
        let running = list.iter().flat_map(elements).filter(state).count();
        let id = |item: &Json| Node::of(item).get("Id").text().unwrap_or("").into();
        let ids = list.iter().flat_map(elements).map(id).collect();
        let used = used_by(&list);
        let (items, all) = split(list);
        (Self { count, all, used, running, ids }, items)
    }
}

async fn listed_containers(shared: &Arc<Shared>, awaited: Awaited) -> (Listed, Vec<Mapped>, Vec<Problem>) {
    let (listed, items) = Listed::of(shared.list("/containers/json?all=1").await);
    let (mapped, problems) = containers(shared, awaited, items).await;
    (listed, mapped, problems)
}

struct Images {
    listed: Listed,
    found: Vec<Component>,
    problems: Vec<Problem>,
}

async fn listed_images(shared: &Arc<Shared>) -> Images {
    let (listed, items) = Listed::of(shared.list("/images/json").await);
    let (found, problems) = images_of(shared, items).await;
    Images { listed, found, problems }
}

/// What is read of the engine as a whole.
struct Whole {
    answers: Arc<Answers>,
    work: Arc<ContainerWork>,
    volumes: Vec<Component>,
    part: Read<swarm::Part>,
    swarm: swarm::Answers,
}

/// Asks the engine for itself, its networks and volumes, and says by `ready` what its containers follow.
async fn whole(shared: &Arc<Shared>, finish: Option<Finish>, ready: Ready) -> Result<Whole, Failure> {
    let engine = &shared.engine;
    let (info, introduced, networks, volumes, plugins) = tokio::join!(
        shared.list("/info"),
        engine.introduce(),
        shared.list("/networks"),
        shared.list("/volumes"),
        shared.list("/plugins"),
    );
    introduced?;
    let api = (u32::from(engine.api().major), u32::from(engine.api().minor));
    let mut facts = info::engine_facts(&info, api, engine.is_podman());
    let answers = Arc::new(Answers { version: engine.version().clone(), info, networks, plugins });
    if let Some(finish) = finish {
        let reloaded = reloaded(engine, &answers.info).await;
        let known = Arc::clone(&answers);
        // It waits for the host, and nothing that asks the engine may.
        let finished = tokio::task::spawn_blocking(move || {
            finish(&known, reloaded, &mut facts);
            facts
        });
        facts = finished.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    let (volumes, sources) = volumes_of(&volumes, &shared.redactor);
    let bindings = answers.networks.iter().flat_map(elements).filter_map(network::binding).collect();
    let work = Arc::new(ContainerWork { shared: Arc::clone(shared), facts, volumes: sources, bindings });
    ready.send_replace(Some(Arc::clone(&work)));
    let part = answers.info.as_ref().map_err(Arc::clone).and_then(swarm::part);
    let swarm = swarm_answers(shared, &part).await;
    Ok(Whole { answers, work, volumes, part, swarm })
}

impl Gathered {
    fn gap(&mut self, source: &str, reason: &str, affects: &str) {
        self.gaps.push(Gap { source: source.into(), reason: reason.into(), affects: affects.into() });
    }

    /// Notes the answers that are no lists of components.
    fn note_single_answers(&mut self) {
        let answers = Arc::clone(&self.answers);
        if let Err(reason) = &answers.info {
            self.gap("GET /info", reason, "the daemon's settings, and what follows from them for containers");
        }
        if let Err(reason) = &answers.plugins {
            self.gap("GET /plugins", reason, "managed plugins");
        }
    }

    /// Notes a list that could not be read.
    fn list(&mut self, what: &str, kind: &'static Kind, list: &Read<()>) {
        if let Err(reason) = list {
            self.gap(&format!("GET /{what}"), reason, &format!("all {what}"));
            self.incomplete.push((kind, reason.to_string()));
        }
    }

    /// Notes a list and the elements of it that could not be read, one gap for each reason.
    fn problems(&mut self, what: &str, kind: &'static Kind, list: &Read<()>, problems: Vec<Problem>) {
        self.list(what, kind, list);
        let mut by_reason: Vec<(Problem, usize)> = Vec::new();
        for problem in problems {
            let same =
                |known: &&mut (Problem, usize)| known.0.reason == problem.reason && known.0.source == problem.source;
            if let Some((_, count)) = by_reason.iter_mut().find(same) {
                *count += 1;
            } else if by_reason.len() < 64 {
                by_reason.push((problem, 1));
            }
        }
        for (problem, count) in by_reason {
            let affects = if count > 1 { format!("{} and {} more", problem.name, count - 1) } else { problem.name };
            self.gap(problem.source, &problem.reason, &affects);
        }
    }
}

/// One element that could not be read.
struct Problem {
    source: &'static str,
    name: String,
    reason: Arc<str>,
}

fn elements(json: &Json) -> &[Json] {
    Node::of(json).all().unwrap_or_default()
}

/// The elements of a list, and whether those are all of them.
fn split(list: Read<Json>) -> (Vec<Json>, Read<()>) {
    match list {
        Ok(Json::Array(mut items)) if items.len() > MOST => {
            items.truncate(MOST);
            (items, Err(format!("there are more than {MOST}").into()))
        }
        Ok(Json::Array(items)) => (items, Ok(())),
        Ok(Json::Null) => (Vec::new(), Ok(())),
        Ok(_) => (Vec::new(), Err(super::json::other_type())),
        Err(reason) => (Vec::new(), Err(reason)),
    }
}

type Sources = Read<HashMap<Box<str>, VolumeSource>>;

fn volumes_of(answer: &Read<Json>, redactor: &Redactor) -> (Vec<Component>, Sources) {
    let listed = answer.as_ref().map_err(Arc::clone).and_then(volume::listed);
    match listed {
        Ok(listed) => {
            let (components, sources): (Vec<_>, Vec<_>) =
                listed.iter().map(|item| volume::volume(item, redactor)).unzip();
            (components, Ok(sources.into_iter().flatten().collect()))
        }
        Err(reason) => (Vec::new(), Err(reason)),
    }
}

/// Container names with their image's id.
fn used_by(listed: &Read<Json>) -> Read<Vec<(Box<str>, Box<str>)>> {
    let items = Node::of(listed.as_ref().map_err(Arc::clone)?);
    if !matches!(items, Node::Is(Json::Array(_) | Json::Null)) {
        return Err(super::json::other_type());
    }
    let one = |item: &Json| {
        let doc = Node::of(item);
        let name = doc.get("Names").texts().ok().and_then(|names| names.first().copied());
        let name = name.or_else(|| doc.get("Id").text().ok()).unwrap_or("");
        (super::json::cut(name.trim_start_matches('/')).into(), doc.get("ImageID").text().unwrap_or("").into())
    };
    Ok(listed.iter().flat_map(elements).map(one).collect())
}

type Used = Read<Vec<(Box<str>, Box<str>)>>;

async fn swarm_answers(shared: &Shared, part: &Read<swarm::Part>) -> swarm::Answers {
    match part {
        Ok(swarm::Part::Manager) => {}
        Ok(_) => return swarm::Answers::none(&"this engine is not a manager".into()),
        Err(reason) => return swarm::Answers::none(reason),
    }
    let (cluster, nodes, services, secrets, configs) = tokio::join!(
        shared.list("/swarm"),
        shared.list("/nodes"),
        shared.list("/services"),
        shared.list("/secrets"),
        shared.list("/configs"),
    );
    let count = |list: Read<Json>| list.and_then(|list| swarm::count(&list));
    swarm::Answers { swarm: cluster, nodes, services, secrets: count(secrets), configs: count(configs) }
}

/// Swarm's ingress ports by service; none where there is no swarm.
fn service_ports(part: &Read<swarm::Part>, answers: &swarm::Answers) -> Read<super::container::ServicePorts> {
    match part {
        // Tasks of a swarm that was left are ordinary containers that no ingress serves.
        Ok(swarm::Part::None) => Err("the engine has left its swarm".into()),
        _ => swarm::ingress_ports(&answers.services),
    }
}

fn networks_of(out: &mut Gathered, mapped: &[Mapped], all_containers: &Read<()>) -> Vec<Component> {
    let podman = out.engine.podman;
    let mut networks: Vec<Component> =
        out.answers.networks.iter().flat_map(elements).map(|item| network::network(item, podman)).collect();
    let all = out.answers.networks.as_ref().map_err(Arc::clone).and_then(|json| Node::of(json).all()).map(|_| ());
    out.list("networks", &docker::NETWORK, &all);
    network::set_containers(&mut networks, mapped, all_containers);
    networks
}

fn swarm_components(
    out: &mut Gathered,
    part: &Read<swarm::Part>,
    answers: &swarm::Answers,
    networks: &[Component],
    redactor: &Redactor,
) {
    let engine = Arc::clone(&out.answers);
    match (part, &engine.info) {
        (Ok(swarm::Part::None), _) => return,
        (Ok(_), Ok(info)) => {
            let listed = engine.networks.as_ref().map(|_| networks).map_err(Arc::clone);
            let component = swarm::swarm(info, answers, &listed);
            out.components.push(component);
        }
        (Err(reason), _) | (_, Err(reason)) => {
            let reason = reason.to_string();
            for kind in [&docker::SWARM, &docker::NODE, &docker::SERVICE] {
                out.incomplete.push((kind, reason.clone()));
            }
            return;
        }
    }
    let names = networks.iter().map(|network| (network.id.clone(), network.name.clone())).collect();
    let nodes = answers.nodes.as_ref().map_err(Arc::clone).and_then(swarm::nodes);
    let services =
        answers.services.as_ref().map_err(Arc::clone).and_then(|answer| swarm::services(answer, &names, redactor));
    let kinds: [(&'static Kind, &str); 2] = [(&docker::NODE, "nodes"), (&docker::SERVICE, "services")];
    for ((kind, what), components) in kinds.into_iter().zip([nodes, services]) {
        match components {
            Ok(components) => out.components.extend(components),
            Err(reason) => {
                out.gap(&format!("GET /{what}"), &reason, &format!("all {what} of the swarm"));
                out.incomplete.push((kind, reason.to_string()));
            }
        }
    }
    if let Err(reason) = &answers.swarm {
        out.gap("GET /swarm", reason, "the swarm's settings");
    }
}

fn counts(containers: &Listed, images: &Listed) -> Counts {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let unused = images.count.clone().and_then(|_| {
        let used = containers.used.as_ref().map_err(Arc::clone)?;
        let is_used = |id: &str| used.iter().any(|(_, image)| **image == *id);
        Ok(images.ids.iter().filter(|id| !is_used(id)).count())
    });
    Counts {
        images: images.count.clone(),
        images_unused: unused.map(number),
        containers_running: containers.count.clone().map(|_| number(containers.running)),
        containers: containers.count.clone(),
    }
}
