//! Asking an engine for everything, each source once, over its few connections at the same time.
//!
//! One failure is a gap and an incomplete kind, never the end. What vanishes between list and inspect keeps what the
//! list said of it. A raw answer is dropped as soon as its facts are taken.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use seaworthy_core::component::Component;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::docker;
use seaworthy_core::snapshot::Gap;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::container::{Mapped, add_service_ports, container, resolve_joins, vanished};
use super::context::{Context, EngineFacts, HostView, VolumeSource};
use super::json::{Node, Read};
use super::{deep, exec, image, info, network, swarm, volume};
use crate::engine::{Engine, Failure, path_segment};
use crate::redact::Redactor;

/// Requests under way at once for one kind; the engine's client bounds their sum by its connections.
const LANES: usize = 4;
/// The most elements of one list that are inspected.
const MOST: usize = 100_000;
/// Failures without an answer in a row after which the engine is not asked any more.
const PATIENCE: u32 = 8;

/// Changes the facts about the engine once `/info` and `/networks` are known, before any container is read: the place
/// for the daemon's settings in effect. The third argument says whether the daemon was told to reload since it started, where
/// that matters and is known.
pub type Finish = Box<dyn FnOnce(&Read<Json>, &Read<Json>, Option<bool>, &mut EngineFacts) + Send>;

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
    /// `GET /version`; null where it was refused.
    pub version: Json,
    /// `GET /info`.
    pub info: Read<Json>,
    /// `GET /networks`.
    pub networks: Read<Json>,
    /// `GET /plugins`.
    pub plugins: Read<Json>,
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

/// Asks an engine for everything. Never fails: what could not be read stands in the gaps.
pub async fn gather(engine: &Engine, options: Options) -> Gathered {
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        redactor: options.redactor,
        host: options.host,
        collected_at: options.collected_at,
        deep: options.deep,
        silent: AtomicU32::new(0),
        layers: tokio::sync::Mutex::new(()),
    });
    let (listed, images, info, networks, volumes, plugins) = tokio::join!(
        shared.list("/containers/json?all=1"),
        shared.list("/images/json"),
        shared.list("/info"),
        shared.list("/networks"),
        shared.list("/volumes"),
        shared.list("/plugins"),
    );
    let api = (u32::from(engine.api().major), u32::from(engine.api().minor));
    let mut facts = info::engine_facts(&info, api, engine.is_podman());
    if let Some(finish) = options.finish {
        let reloaded = reloaded(engine, &info).await;
        finish(&info, &networks, reloaded, &mut facts);
    }
    let used = used_by(&listed);
    let mut out = Gathered {
        version: engine.version().clone(),
        engine: facts.clone(),
        components: Vec::new(),
        incomplete: Vec::new(),
        gaps: Vec::new(),
        counts: counts(&listed, &images, &used),
        info,
        networks,
        plugins,
    };
    let part = out.info.as_ref().map_err(Arc::clone).and_then(swarm::part);
    let (volumes, sources) = volumes_of(&volumes, &shared.redactor, &mut out);
    let bindings = out.networks.iter().flat_map(elements).filter_map(network::binding).collect();
    let work = Arc::new(ContainerWork { shared: Arc::clone(&shared), facts, volumes: sources, bindings });
    let ((listed, all_containers), (images, all_images)) = (split(listed), split(images));
    let ((mut mapped, problems), (images, image_problems), answers) =
        tokio::join!(containers(&work, listed), images_of(&shared, images, &used), swarm_answers(&shared, &part));
    out.problems("containers", &docker::CONTAINER, &all_containers, problems);
    out.problems("images", &docker::IMAGE, &all_images, image_problems);
    resolve_joins(&mut mapped);
    add_service_ports(&mut mapped, &service_ports(&part, &answers));
    let networks = networks_of(&mut out, &mapped, &all_containers);
    swarm_components(&mut out, &part, &answers, &networks, &shared.redactor);
    out.note_single_answers();
    out.components.extend(mapped.into_iter().map(|mapped| mapped.component));
    out.components.extend(images.into_iter().chain(networks).chain(volumes));
    out
}

impl Gathered {
    fn gap(&mut self, source: &str, reason: &str, affects: &str) {
        self.gaps.push(Gap { source: source.into(), reason: reason.into(), affects: affects.into() });
    }

    /// Notes the answers that are no lists of components.
    fn note_single_answers(&mut self) {
        if let Err(reason) = self.info.clone() {
            self.gap("GET /info", &reason, "the daemon's settings, and what follows from them for containers");
        }
        if let Err(reason) = self.plugins.clone() {
            self.gap("GET /plugins", &reason, "managed plugins");
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

fn volumes_of(answer: &Read<Json>, redactor: &Redactor, out: &mut Gathered) -> (Vec<Component>, Sources) {
    let listed = answer.as_ref().map_err(Arc::clone).and_then(volume::listed);
    match listed {
        Ok(listed) => {
            let (components, sources): (Vec<_>, Vec<_>) =
                listed.iter().map(|item| volume::volume(item, redactor)).unzip();
            (components, Ok(sources.into_iter().flatten().collect()))
        }
        Err(reason) => {
            out.gap("GET /volumes", &reason, "all volumes, and where mounts of volumes lead");
            out.incomplete.push((&docker::VOLUME, reason.to_string()));
            (Vec::new(), Err(reason))
        }
    }
}

/// What reading containers needs.
struct ContainerWork {
    shared: Arc<Shared>,
    facts: EngineFacts,
    volumes: Sources,
    bindings: HashMap<Box<str>, Box<str>>,
}

/// Every container of a list, inspected, in the list's order.
async fn containers(work: &Arc<ContainerWork>, items: Vec<Json>) -> (Vec<Mapped>, Vec<Problem>) {
    let work = Arc::clone(work);
    let read = lanes(items, move |item| {
        let work = Arc::clone(&work);
        async move { work.one(&item).await }
    });
    let (mapped, problems): (Vec<_>, Vec<_>) = read.await.into_iter().unzip();
    (mapped, problems.into_iter().flatten().collect())
}

impl ContainerWork {
    async fn one(&self, listed: &Json) -> (Mapped, Vec<Problem>) {
        let shared = &*self.shared;
        let id = Node::of(listed).get("Id").text().unwrap_or("");
        let path = format!("/containers/{}/json", path_segment(id));
        let inspect = match shared.get(&path, false).await {
            Ok(inspect) => inspect,
            Err(lost) => {
                let reason = lost.reason("the container");
                let mapped = vanished(listed, &shared.redactor, &reason);
                let name = mapped.component.name.to_string();
                return (mapped, vec![Problem { source: "inspect containers", name, reason }]);
            }
        };
        let ctx = Context {
            redactor: &shared.redactor,
            engine: &self.facts,
            volumes: self.volumes.as_ref().map_err(Arc::clone),
            bindings: &self.bindings,
            host: &*shared.host,
            collected_at: shared.collected_at,
        };
        let mut mapped = container(&inspect, &ctx);
        drop(inspect);
        let mut problems = Vec::new();
        if !mapped.execs.is_empty() {
            self.execs(&mut mapped, &mut problems).await;
        }
        deep::resolve_user(&shared.engine, &path_segment(id), &mut mapped.component).await;
        if shared.deep {
            self.changes(&mut mapped.component, id).await;
        }
        (mapped, problems)
    }

    async fn execs(&self, mapped: &mut Mapped, problems: &mut Vec<Problem>) {
        let shared = &*self.shared;
        let mut execs = Vec::new();
        let mut lost = None;
        for id in &mapped.execs {
            match shared.get(&format!("/exec/{}/json", path_segment(id)), false).await {
                Ok(json) => execs.push(exec::exec(&json, &mapped.component, &shared.redactor)),
                Err(failure) => {
                    let vanished = matches!(failure, Lost::Vanished);
                    let reason = failure.reason("an exec");
                    let name = mapped.component.name.to_string();
                    problems.push(Problem { source: "GET /exec/ID/json", name, reason: Arc::clone(&reason) });
                    if !vanished {
                        lost = Some(reason);
                    }
                }
            }
        }
        exec::set_execs(&mut mapped.component, execs, lost.as_ref());
    }

    async fn changes(&self, component: &mut Component, id: &str) {
        let path = format!("/containers/{}/changes", path_segment(id));
        let counted = self.shared.get(&path, true).await.map_err(|lost| lost.reason("the container"));
        let counted = counted.and_then(|json| swarm::count(&json));
        let source = seaworthy_core::fact::Source::place("GET /containers/ID/changes");
        component.set("changed_files", super::json::value(counted.map(Value::from)), source);
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

/// Every image of a list, with inspect and history, in the list's order.
async fn images_of(shared: &Arc<Shared>, items: Vec<Json>, used: &Used) -> (Vec<Component>, Vec<Problem>) {
    let shared = Arc::clone(shared);
    let read = lanes(items, move |item| {
        let shared = Arc::clone(&shared);
        async move { one_image(&shared, &item).await }
    });
    let (mut components, problems): (Vec<_>, Vec<_>) = read.await.into_iter().unzip();
    for component in &mut components {
        image::set_used_by(component, used);
    }
    (components, problems.into_iter().flatten().collect())
}

async fn one_image(shared: &Shared, listed: &Json) -> (Component, Vec<Problem>) {
    let id = path_segment(Node::of(listed).get("Id").text().unwrap_or("")).into_owned();
    let inspect = match shared.get(&format!("/images/{id}/json"), false).await {
        Ok(inspect) => inspect,
        Err(lost) => {
            let reason = lost.reason("the image");
            let component = image::vanished(listed, &reason);
            let name = component.name.to_string();
            return (component, vec![Problem { source: "inspect images", name, reason }]);
        }
    };
    let history = shared.get(&format!("/images/{id}/history"), false).await.map_err(|lost| lost.reason("the image"));
    let mut component = image::image(&inspect, &history, &shared.redactor, &*shared.host, shared.collected_at);
    if shared.deep {
        // One after the other: each is as large as the image.
        let _alone = shared.layers.lock().await;
        deep::look_into(&shared.engine, &id, &mut component).await;
    }
    let problem = history.err().map(|reason| Problem {
        source: "GET /images/ID/history",
        name: component.name.to_string(),
        reason,
    });
    (component, problem.into_iter().collect())
}

/// Runs a few at a time and gives the results in the order of the items.
async fn lanes<T, F, W>(items: Vec<Json>, work: W) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: Fn(Json) -> F + Send + Sync + 'static,
{
    let count = items.len();
    let items =
        Arc::new((AtomicUsize::new(0), items.into_iter().map(|i| std::sync::Mutex::new(Some(i))).collect::<Vec<_>>()));
    let work = Arc::new(work);
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..LANES.min(count) {
        let (items, work) = (Arc::clone(&items), Arc::clone(&work));
        set.spawn(async move {
            let mut done = Vec::new();
            loop {
                let at = items.0.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.1.get(at) else { return done };
                let item = item.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                if let Some(item) = item {
                    done.push((at, work(item).await));
                }
            }
        });
    }
    let mut out: Vec<(usize, T)> = set.join_all().await.into_iter().flatten().collect();
    out.sort_unstable_by_key(|(at, _)| *at);
    out.into_iter().map(|(_, value)| value).collect()
}

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
        out.networks.iter().flat_map(elements).map(|item| network::network(item, podman)).collect();
    let all = out.networks.as_ref().map_err(Arc::clone).and_then(|json| Node::of(json).all()).map(|_| ());
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
    match (part, &out.info) {
        (Ok(swarm::Part::None), _) => return,
        (Ok(_), Ok(info)) => {
            let listed = out.networks.as_ref().map(|_| networks).map_err(Arc::clone);
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

fn counts(listed: &Read<Json>, images: &Read<Json>, used: &Used) -> Counts {
    let count = |list: &Read<Json>| list.as_ref().map_err(Arc::clone).and_then(swarm::count);
    let state = |item: &&Json| matches!(Node::of(item).get("State").text(), Ok("running" | "paused"));
    let running = count(listed).map(|_| listed.iter().flat_map(elements).filter(state).count());
    let unused = count(images).and_then(|_| {
        let used = used.as_ref().map_err(Arc::clone)?;
        let is_unused = |item: &&Json| {
            let id = Node::of(item).get("Id").text().unwrap_or("");
            !used.iter().any(|(_, image)| **image == *id)
        };
        Ok(images.iter().flat_map(elements).filter(is_unused).count())
    });
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Counts {
        images: count(images),
        images_unused: unused.map(number),
        containers: count(listed),
        containers_running: running.map(number),
    }
}
