//! What turns objects into components: one gatherer for each part of a cluster, fed object by object, by whoever
//! reads them. It keeps what it needs of each and lets go of the rest.

use seaworthy_core::component::Component;
use seaworthy_core::schema::Kind;
use seaworthy_core::snapshot::Target;

use super::object::Object;
use crate::redact::Redactor;

/// A kind of objects of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its group; empty for the core.
    pub group: &'static str,
    /// Versions that have what is read, the preferred first.
    pub versions: &'static [&'static str],
    /// Its name in addresses: `pods`.
    pub plural: &'static str,
    /// Its kind: `Pod`.
    pub kind: &'static str,
    /// Whether it lies in namespaces.
    pub namespaced: bool,
    /// Whether a cluster may do without it, so that its absence says nothing: a custom resource, a newer version's.
    pub optional: bool,
}

/// Pods, for whoever looks at them from another side than their own gatherer.
pub(super) const PODS: Resource =
    Resource { group: "", versions: &["v1"], plural: "pods", kind: "Pod", namespaced: true, optional: false };

/// ConfigMaps.
pub(super) const CONFIG_MAPS: Resource = Resource {
    group: "",
    versions: &["v1"],
    plural: "configmaps",
    kind: "ConfigMap",
    namespaced: true,
    optional: false,
};

/// What turns objects of some kinds into components.
pub trait Gather: Send {
    /// The kinds that it wants to see. Others are not handed to it.
    fn resources(&self) -> &'static [Resource];

    /// Takes what it needs of an object.
    fn add(&mut self, object: Object<'_>, redactor: &Redactor);

    /// A kind that could not be listed, wholly or from some point on, with the reason: what follows from its objects
    /// is unknown then, never absent.
    fn unread(&mut self, resource: &Resource, reason: &str);

    /// Puts the components into the target, with its gaps and incomplete kinds.
    fn finish(self: Box<Self>, target: &mut Target);
}

/// Components that were made object by object, and the kinds of which not all could be listed.
#[derive(Default)]
pub(super) struct OneByOne {
    components: Vec<Component>,
    unread: Vec<(&'static Kind, String)>,
}

impl OneByOne {
    pub fn push(&mut self, component: Component) {
        self.components.push(component);
    }

    pub fn unread(&mut self, kind: &'static Kind, reason: &str) {
        self.unread.push((kind, reason.to_owned()));
    }

    /// Puts them into the target, by their ids.
    pub fn finish(mut self, target: &mut Target) {
        self.components.sort_by(|a, b| a.id.cmp(&b.id));
        target.components.append(&mut self.components);
        for (kind, reason) in self.unread {
            target.incomplete(kind, reason);
        }
    }
}

/// Every gatherer.
pub fn gatherers() -> Vec<Box<dyn Gather>> {
    vec![
        Box::<super::pods::Pods>::default(),
        Box::<super::rbac::Rbac>::default(),
        Box::<super::namespaces::NamespaceGatherer>::default(),
        Box::<super::network::NetworkGatherer>::default(),
        Box::<super::admission::AdmissionGatherer>::default(),
        Box::<super::whole::Whole>::default(),
        Box::<super::nodes::Nodes>::default(),
        Box::<super::storage::Storage>::default(),
        Box::<super::extension::Extension>::default(),
        Box::<super::mirror::Mirrors>::default(),
        Box::<super::proxies::Proxies>::default(),
    ]
}
