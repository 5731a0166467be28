//! Objects that rights name: which elements they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seaworthy_core::schema::{Kind, kubernetes as k8s};
use seaworthy_core::value::Value;

use super::super::scope::Scope;

/// Workloads that can be changed so that pods come of them, by the resource that the right is over.
const WORKLOADS: [(&str, &str); 6] = [
    ("Deployment", "deployments.apps"),
    ("DaemonSet", "daemonsets.apps"),
    ("StatefulSet", "statefulsets.apps"),
    ("ReplicaSet", "replicasets.apps"),
    ("ReplicationController", "replicationcontrollers"),
    ("CronJob", "cronjobs.batch"),
];

/// The type of a secret that holds the token of an account.
pub(super) const TOKEN: &str = "kubernetes.io/service-account-token";

/// The type of a secret that holds a token by which nodes join.
pub(super) const BOOTSTRAP: &str = "bootstrap.kubernetes.io/token";

/// Namespaced objects: namespace, name, element.
type Placed<'a> = Vec<(&'a str, &'a str, usize)>;

/// The elements of a cluster by what rights call them.
pub(super) struct Objects<'a> {
    scope: &'a Scope<'a>,
    accounts: Placed<'a>,
    /// Containers by their pods.
    pods: Vec<Pod<'a>>,
    secrets: BTreeSet<(&'a str, &'a str)>,
    /// Why there may be pods that were not read.
    pub more_pods: Option<Arc<str>>,
    /// Why there may be secrets that were not read.
    pub more_secrets: Option<Arc<str>>,
}

struct Pod<'a> {
    namespace: &'a str,
    name: &'a str,
    kind: &'a str,
    containers: Vec<usize>,
}

impl<'a> Objects<'a> {
    pub(super) fn of(scope: &'a Scope<'a>) -> Self {
        let text = |at: usize, fact: &str| scope.value(at, fact).as_str().unwrap_or_default();
        let accounts = scope.all_of(&k8s::SERVICE_ACCOUNT).iter();
        let accounts = accounts.map(|at| (text(*at, "namespace"), text(*at, "name"), scope.element[*at])).collect();
        let mut containers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in scope.all_of(&k8s::CONTAINER) {
            if let Value::Str(pod) = scope.value(*at, "pod") {
                containers.entry(pod).or_default().push(scope.element[*at]);
            }
        }
        let pod = |at: &usize| Pod {
            namespace: text(*at, "namespace"),
            name: text(*at, "name"),
            kind: text(*at, "workload_kind"),
            containers: containers.get(&*scope.component(*at).id).cloned().unwrap_or_default(),
        };
        let pods = scope.all_of(&k8s::POD).iter().map(pod).collect();
        let secrets = scope.all_of(&k8s::SECRET).iter().map(|at| (text(*at, "namespace"), text(*at, "name"))).collect();
        let more = |kind: &'static Kind| scope.target.incomplete.get(kind.name).map(|why| why.as_str().into());
        Self { scope, accounts, pods, secrets, more_pods: more(&k8s::POD), more_secrets: more(&k8s::SECRET) }
    }

    /// Users or groups by name.
    pub(super) fn subjects(&self, kind: &str, names: &[&str]) -> Vec<usize> {
        let all = self.scope.all_of(&k8s::SUBJECT).iter().copied();
        let is = |at: &usize| {
            let text = |fact| self.scope.value(*at, fact).as_str().unwrap_or_default();
            text("kind") == kind && names.contains(&text("name"))
        };
        all.filter(is).map(|at| self.scope.element[at]).collect()
    }

    /// Service accounts by name, of the namespaces that count.
    pub(super) fn accounts(&self, names: &[&str], here: impl Fn(&str) -> bool) -> Vec<usize> {
        let all = self.accounts.iter().filter(|(namespace, name, _)| here(namespace) && names.contains(name));
        all.map(|(.., element)| *element).collect()
    }

    /// Nodes by name.
    pub(super) fn nodes(&self, names: &[&str]) -> Vec<usize> {
        names.iter().filter_map(|name| self.scope.named(&k8s::NODE, name)).map(|at| self.scope.element[at]).collect()
    }

    /// The containers of pods by the pods' names, as far as these last (those of naked pods and of sets with numbers),
    /// with their namespaces.
    pub(super) fn pods(&self, names: &[&str], here: impl Fn(&str) -> bool) -> Vec<(&'a str, usize)> {
        let is = |pod: &&Pod<'_>| here(pod.namespace) && names.iter().any(|name| pod.is_called(name));
        let of = |pod: &Pod<'a>| pod.containers.iter().map(|at| (pod.namespace, *at)).collect::<Vec<_>>();
        self.pods.iter().filter(is).flat_map(of).collect()
    }

    /// Namespaces, with their elements, in which there is a workload of one of the resources, of one of the names if any.
    pub(super) fn namespaces_with(&self, resources: &[&str], names: &[&str]) -> BTreeMap<&'a str, usize> {
        let fits = |kind: &str| WORKLOADS.iter().any(|(of, resource)| *of == kind && resources.contains(resource));
        let is = |pod: &&Pod<'a>| fits(pod.kind) && (names.is_empty() || names.contains(&pod.name));
        self.spaces(self.pods.iter().filter(is).map(|pod| pod.namespace))
    }

    /// Namespaces, with their elements, in which there is a secret of one of the names.
    pub(super) fn namespaces_with_secrets(&self, names: &[&str]) -> BTreeMap<&'a str, usize> {
        self.spaces(self.secrets.iter().filter(|(_, name)| names.contains(name)).map(|(namespace, _)| *namespace))
    }

    /// The accounts whose tokens lie in secrets of these names, and whether that is told: else of each of the namespace.
    pub(super) fn accounts_of_tokens(&self, names: &[&str], here: impl Fn(&str) -> bool) -> Vec<(usize, bool)> {
        let text = |at: usize, fact: &str| self.scope.value(at, fact).as_str().unwrap_or_default();
        let is_token = |at: &usize| text(*at, "type") == TOKEN && names.contains(&text(*at, "name"));
        let mut out = Vec::new();
        for secret in self.scope.all_of(&k8s::SECRET).iter().copied().filter(is_token) {
            let (namespace, name) = (text(secret, "namespace"), text(secret, "name"));
            if !here(namespace) {
                continue;
            }
            let own = |account: &usize| {
                let secrets = self.scope.value(*account, "secrets").as_list().unwrap_or_default();
                secrets.iter().any(|own| own.as_str() == Some(name))
            };
            let of_space = |account: &usize| text(*account, "namespace") == namespace;
            let all: Vec<usize> = self.scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied().filter(of_space).collect();
            match all.iter().copied().find(own) {
                Some(account) => out.push((self.scope.element[account], true)),
                None => out.extend(all.into_iter().map(|account| (self.scope.element[account], false))),
            }
        }
        out
    }

    fn spaces(&self, names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
        let element = |name: &'a str| Some((name, self.scope.element[self.scope.named(&k8s::NAMESPACE, name)?]));
        names.filter_map(element).collect()
    }
}

impl Pod<'_> {
    fn is_called(&self, name: &str) -> bool {
        match self.kind {
            "Pod" => self.name == name,
            "StatefulSet" => name
                .strip_prefix(self.name)
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())),
            _ => false,
        }
    }
}
