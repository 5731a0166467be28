//! What containers of pods are tied to: the node, the namespace, the account, the network, what they mount.

use std::collections::HashMap;

use seaworthy_core::diagram::{Certainty, FlowKind};
use seaworthy_core::schema::{Kind, kubernetes as k8s};
use seaworthy_core::value::Value;

use super::super::draft::{Draft, Drafts};
use super::super::scope::{MOST_OF_A_LIST, Scope, cut, list, text, truth};
use super::{cluster, rights};

/// Providers that tell their machines credentials.
const CLOUDS: [&str; 6] = ["aws", "gce", "azure", "openstack", "alicloud", "digitalocean"];

/// Draws the flows of every container of a cluster.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    let whole = Whole::of(scope);
    for at in scope.all_of(&k8s::CONTAINER).iter().copied() {
        let pod = scope.value(at, "pod").as_str().and_then(|id| scope.by_id(&k8s::POD, id));
        let now = match truth(scope.value(at, "running")) {
            Ok(true) => Certainty::Proven,
            Ok(false) => Certainty::Possible(
                format!("no pod of {} runs; it comes with the next", cut(&scope.component(at).name)).into(),
            ),
            Err(reason) => Certainty::Possible(reason),
        };
        let mut work = Work { scope, whole: &whole, at, pod, element: scope.element[at], now, drafts };
        work.membership();
        work.account();
        work.nodes();
        work.network();
        work.host();
        work.mounted();
    }
}

/// What each container asks of the cluster, worked out once.
struct Whole<'a> {
    /// Whether a node is a machine of a cloud that tells credentials.
    in_cloud: bool,
    /// Volumes by the claim that they are bound to: `shop/data`.
    claimed: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Whole<'a> {
    fn of(scope: &Scope<'a>) -> Self {
        let mut providers = scope.all_of(&k8s::NODE).iter().filter_map(|node| scope.value(*node, "provider").as_str());
        let mut claimed: HashMap<&str, Vec<usize>> = HashMap::new();
        for volume in scope.all_of(&k8s::VOLUME) {
            if let Some(claim) = scope.value(*volume, "claim").as_str() {
                claimed.entry(claim).or_default().push(*volume);
            }
        }
        Self { in_cloud: providers.any(|provider| CLOUDS.contains(&provider)), claimed }
    }
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    whole: &'s Whole<'a>,
    at: usize,
    pod: Option<usize>,
    element: usize,
    /// Whether what it is configured for is in effect.
    now: Certainty,
    drafts: &'s mut Drafts,
}

impl<'a> Work<'_, 'a> {
    fn value(&self, fact: &str) -> &'a Value {
        self.scope.value(self.at, fact)
    }

    fn draft(&self, kind: FlowKind, to: usize, label: impl Into<String>, fact: &str) -> Draft {
        let facts = [self.scope.cite(self.at, fact), self.scope.cite(self.at, "running")];
        Draft::new(kind, self.element, to, label).and(&self.now).facts(facts)
    }

    fn of_namespace(&self, kind: &'static Kind, id: &str, name: &str) -> Option<usize> {
        let namespace = self.value("namespace").as_str()?;
        self.scope.by_id(kind, &format!("{id}/{namespace}/{name}")).map(|at| self.scope.element[at])
    }

    fn membership(&mut self) {
        let Some(namespace) = rights::namespace(self.scope, self.scope.component(self.at)) else { return };
        let draft = self.draft(FlowKind::Membership, namespace, "a container of the namespace", "namespace");
        self.drafts.add(draft.key("container"));
    }

    fn account(&mut self) {
        let Value::Str(name) = self.value("service_account") else { return };
        let Some(account) = self.of_namespace(&k8s::SERVICE_ACCOUNT, "ServiceAccount", name) else { return };
        let draft = self.draft(FlowKind::Token, account, "a token of the account", "token_mounted").key("token");
        let draft = draft.facts([self.scope.cite(self.at, "service_account")]);
        match truth(self.value("token_mounted")) {
            Ok(true) => self.drafts.add(draft),
            Ok(false) => {}
            Err(reason) => self.drafts.add(draft.maybe(&reason)),
        }
    }

    fn nodes(&mut self) {
        let Some(pod) = self.pod else { return };
        let nodes = match list(self.scope.value(pod, "nodes")) {
            Ok(nodes) => nodes,
            Err(reason) => {
                for node in self.scope.all_of(&k8s::NODE).iter().take(MOST_OF_A_LIST) {
                    let to = self.scope.element[*node];
                    let draft = self.draft(FlowKind::Scheduled, to, "it may run there", "pod").key("unknown");
                    self.drafts.add(draft.maybe(&reason));
                }
                return;
            }
        };
        for node in nodes.iter().filter_map(Value::as_str) {
            let Some(node) = self.scope.named(&k8s::NODE, node) else { continue };
            let draft = self.draft(FlowKind::Scheduled, self.scope.element[node], "it runs there", "pod");
            self.drafts.add(draft.key("node").facts([self.scope.cite(pod, "nodes")]));
        }
    }

    /// What no policy isolates speaks with everybody; what one does is told pair by pair ([`super::policies`]).
    fn network(&mut self) {
        let (Some(cluster), Some(pod)) = (cluster(self.scope), self.pod) else { return };
        for (fact, kind) in [("isolated_ingress", FlowKind::PodNetwork), ("isolated_egress", FlowKind::PodEgress)] {
            let facts = [self.scope.cite(pod, fact), self.scope.cite(self.at, "running")];
            let (from, to) = match kind {
                FlowKind::PodNetwork => (cluster, self.element),
                _ => (self.element, cluster),
            };
            let draft = Draft::new(kind, from, to, "packets of pods").and(&self.now).key("network").facts(facts);
            match truth(self.scope.value(pod, fact)) {
                Ok(false) => self.drafts.add(draft),
                Ok(true) => {}
                Err(reason) => self.drafts.add(draft.maybe(&reason)),
            }
        }
        self.metadata(cluster, pod);
    }

    /// The cloud's metadata service, where there is a cloud.
    fn metadata(&mut self, cluster: usize, pod: usize) {
        if !self.whole.in_cloud {
            return;
        }
        let facts = [self.scope.cite(pod, "reaches_metadata")];
        let draft = Draft::new(FlowKind::CloudMetadata, self.element, cluster, "the cloud's metadata").and(&self.now);
        let draft = draft.key("metadata").facts(facts);
        match truth(self.scope.value(pod, "reaches_metadata")) {
            Ok(true) => self.drafts.add(draft),
            Ok(false) => {}
            Err(reason) => self.drafts.add(draft.maybe(&reason)),
        }
    }

    /// Paths, sockets and namespaces of the nodes that it runs on.
    fn host(&mut self) {
        let nodes: Vec<usize> = match self.pod.map(|pod| list(self.scope.value(pod, "nodes"))) {
            Some(Ok(nodes)) => {
                let names = nodes.iter().filter_map(Value::as_str);
                names.filter_map(|name| self.scope.named(&k8s::NODE, name)).take(1).collect()
            }
            _ => Vec::new(),
        };
        for node in nodes.into_iter().map(|at| self.scope.element[at]) {
            for path in self.value("host_paths").as_list().unwrap_or_default().iter().take(MOST_OF_A_LIST) {
                let kind = match text(path, "class") {
                    "runtime-socket" => FlowKind::SocketMount,
                    _ => FlowKind::BindMount,
                };
                let access = match path.field("rw") {
                    Some(Value::Bool(false)) => "read-only",
                    Some(Value::Bool(true)) => "read and write",
                    _ => "it is not known whether read-only",
                };
                let key = text(path, "path").to_owned();
                let draft = self.draft(kind, node, format!("{key} ({access})"), "host_paths").key(key);
                self.drafts.add(draft);
            }
            for (fact, kind, name) in [
                ("host_network", FlowKind::HostNetwork, "the node's network"),
                ("host_pid", FlowKind::Namespace, "the node's processes"),
                ("host_ipc", FlowKind::Namespace, "the node's shared memory"),
            ] {
                if truth(self.value(fact)) == Ok(true) {
                    let draft = self.draft(kind, node, name, fact).key(fact);
                    self.drafts.add(draft);
                }
            }
        }
    }

    /// Secrets, ConfigMaps and volumes to it.
    fn mounted(&mut self) {
        let Some(pod) = self.pod else { return };
        let kinds = [("secrets", &k8s::SECRET, "Secret"), ("config_maps", &k8s::CONFIG_MAP, "ConfigMap")];
        for (fact, kind, id) in kinds {
            let names = self.scope.value(pod, fact).as_list().unwrap_or_default();
            for name in names.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST) {
                let Some(from) = self.of_namespace(kind, id, name) else { continue };
                let facts = [self.scope.cite(pod, fact)];
                let draft = Draft::new(FlowKind::Mounted, from, self.element, "its values").and(&self.now);
                self.drafts.add(draft.key(fact).facts(facts));
            }
        }
        let Some(namespace) = self.value("namespace").as_str() else { return };
        let claims = self.scope.value(pod, "claims").as_list().unwrap_or_default();
        for claim in claims.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST) {
            let wanted = format!("{namespace}/{claim}");
            for volume in self.whole.claimed.get(wanted.as_str()).into_iter().flatten().copied() {
                let facts = [self.scope.cite(pod, "claims"), self.scope.cite(volume, "claim")];
                let draft = Draft::new(FlowKind::Mounted, self.scope.element[volume], self.element, wanted.as_str());
                self.drafts.add(draft.and(&self.now).key("claim").facts(facts));
            }
        }
    }
}
