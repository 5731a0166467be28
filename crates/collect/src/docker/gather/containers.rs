//! Containers: each inspected, and held against its process.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::lanes::relay;
use super::{Lost, Problem, Shared, Sources};
use crate::docker::container::{Mapped, container, observe, vanished};
use crate::docker::context::{Binding, Context, EngineFacts};
use crate::docker::json::{self, Node, Read};
use crate::docker::observed::Observed;
use crate::docker::{deep, exec, swarm};
use crate::engine::path_segment;

/// What reading containers needs.
pub(super) struct ContainerWork {
    pub(super) shared: Arc<Shared>,
    pub(super) facts: EngineFacts,
    pub(super) volumes: Sources,
    pub(super) bindings: HashMap<Box<str>, Binding>,
}

/// Says what containers are held against.
pub(super) type Ready = watch::Sender<Option<Arc<ContainerWork>>>;
/// Who waits for it, while the first containers are inspected.
pub(super) type Awaited = watch::Receiver<Option<Arc<ContainerWork>>>;

/// What was seen of a container's process before the engine had told of itself.
type Early = Option<Read<Observed>>;

/// Every container of a list, inspected, in the list's order.
pub(super) async fn containers(shared: &Arc<Shared>, work: Awaited, items: Vec<Json>) -> (Vec<Mapped>, Vec<Problem>) {
    let shared = Arc::clone(shared);
    let awaited = work.clone();
    let fetch = move |listed: Json| {
        let (shared, awaited) = (Arc::clone(&shared), awaited.clone());
        async move {
            let inspect = shared.get(&format!("/containers/{}/json", path_segment(id(&listed))), false).await;
            // The engine tells of itself last of all; who would wait for that looks at the processes meanwhile.
            let is_early = awaited.borrow().is_none() && shared.host.is_certain();
            let early = inspect.as_ref().ok().filter(|_| is_early).map(|i| observe(i, &*shared.host));
            (listed, inspect, early)
        }
    };
    let one = move |(listed, inspect, early): (Json, Result<Json, Lost>, Early)| {
        let mut work = work.clone();
        async move {
            // Where nobody says it any more, gathering has failed as a whole.
            let work = work.wait_for(Option::is_some).await.ok()?.clone()?;
            Some(work.one(&listed, inspect, early).await)
        }
    };
    let read = relay(items, fetch, one).await;
    let (mapped, problems): (Vec<_>, Vec<_>) = read.into_iter().flatten().unzip();
    (mapped, problems.into_iter().flatten().collect())
}

fn id(listed: &Json) -> &str {
    Node::of(listed).get("Id").text().unwrap_or("")
}

impl ContainerWork {
    async fn one(&self, listed: &Json, inspect: Result<Json, Lost>, early: Early) -> (Mapped, Vec<Problem>) {
        let shared = &*self.shared;
        let id = id(listed);
        let inspect = match inspect {
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
        let observed = early.unwrap_or_else(|| observe(&inspect, &*shared.host));
        let mut mapped = container(&inspect, &ctx, observed);
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
        let source = Source::place("GET /containers/ID/changes");
        component.set("changed_files", json::value(counted.map(Value::from)), source);
    }
}
