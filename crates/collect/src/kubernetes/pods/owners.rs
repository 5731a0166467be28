//! Who owns a pod: from its controller up to the one that a person made.

use std::collections::HashMap;
use std::sync::Arc;

use super::read::{MOST_ITEMS, Node, Read, cut};

/// A controller, as an object names the one that owns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) group: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) name: Box<str>,
}

/// Kinds of Kubernetes' own that own pods, with their groups.
const OWN: [(&str, &str); 9] = [
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("", "ReplicationController"),
    ("", "Node"),
    ("", "Pod"),
];

impl Owner {
    pub(super) fn new(group: &str, kind: &str, name: &str) -> Self {
        Self { group: group.into(), kind: kind.into(), name: name.into() }
    }

    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        &*self.group == group && &*self.kind == kind
    }

    /// The kind as it is shown; with its group where Kubernetes has one of that name itself.
    pub(super) fn shown(&self) -> String {
        let taken = OWN.iter().any(|(group, kind)| *kind == &*self.kind && *group != &*self.group);
        if taken { format!("{}.{}", self.kind, self.group) } else { self.kind.to_string() }
    }

    /// Whether pods go through it on the way to who made them.
    fn is_between(&self) -> bool {
        self.is("apps", "ReplicaSet") || self.is("batch", "Job")
    }
}

/// The controller that owns an object; none where nobody makes it anew.
pub(super) fn controller(metadata: Node<'_>) -> Read<Option<Owner>> {
    for reference in metadata.get("ownerReferences").list()?.iter().take(MOST_ITEMS).map(Node::of) {
        if reference.get("controller").bool()? != Some(true) {
            continue;
        }
        let text = |key: &str| reference.get(key).required().text().map(|text| cut(text.unwrap_or_default()));
        let group = text("apiVersion")?.rsplit_once('/').map_or("", |(group, _)| group);
        return Ok(Some(Owner::new(group, text("kind")?, text("name")?)));
    }
    Ok(None)
}

/// The most steps from a pod up; Kubernetes' own controllers need two.
const HIGHEST: usize = 8;

/// Controllers between pods and workloads, with their own.
#[derive(Debug, Default)]
pub(super) struct Owners {
    known: HashMap<(Box<str>, Owner), Read<Option<Owner>>>,
    /// Why a kind's list is not whole, by kind.
    pub(super) unread: HashMap<&'static str, Arc<str>>,
}

/// The way up from a pod's controller.
#[derive(Debug, PartialEq)]
pub(super) struct Way {
    /// The highest that is known.
    pub(super) top: Owner,
    /// Kinds on the way, as shown, the top's included.
    pub(super) kinds: Vec<String>,
    /// Why there may be a higher one.
    pub(super) unknown: Option<Arc<str>>,
}

impl Owners {
    /// Says who owns a ReplicaSet or Job.
    pub(super) fn add(&mut self, namespace: &str, object: Owner, owner: Read<Option<Owner>>) {
        self.known.insert((namespace.into(), object), owner);
    }

    /// Follows the controllers from one on.
    pub(super) fn way(&self, namespace: &str, first: &Owner) -> Way {
        let mut way = Way { top: first.clone(), kinds: vec![first.shown()], unknown: None };
        for _ in 0..HIGHEST {
            if !way.top.is_between() {
                return way;
            }
            match self.known.get(&(namespace.into(), way.top.clone())) {
                Some(Ok(Some(next))) => {
                    way.top = next.clone();
                    way.kinds.push(next.shown());
                }
                Some(Ok(None)) => return way,
                Some(Err(reason)) => {
                    way.unknown = Some(Arc::clone(reason));
                    return way;
                }
                // One that is gone while its pods are still being taken away, unless not all were listed.
                None => {
                    way.unknown = self.unread.get(&*way.top.kind).cloned();
                    return way;
                }
            }
        }
        way.unknown = Some("its controllers own one another in a circle".into());
        way.top = first.clone();
        way.kinds.truncate(1);
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner(kind: &str, name: &str) -> Owner {
        Owner::new(if kind == "Job" || kind == "CronJob" { "batch" } else { "apps" }, kind, name)
    }

    #[test]
    fn pods_are_followed_to_the_top() {
        let mut owners = Owners::default();
        owners.add("shop", owner("ReplicaSet", "web-1"), Ok(Some(owner("Deployment", "web"))));
        owners.add("shop", owner("Job", "n-1"), Ok(Some(owner("CronJob", "n"))));
        owners.add("shop", owner("ReplicaSet", "alone"), Ok(None));
        let rollout = Owner::new("argoproj.io", "Rollout", "r");
        owners.add("shop", owner("ReplicaSet", "r-1"), Ok(Some(rollout.clone())));
        let way = owners.way("shop", &owner("ReplicaSet", "web-1"));
        assert_eq!(
            (way.top, way.kinds.join(" "), way.unknown),
            (owner("Deployment", "web"), "ReplicaSet Deployment".into(), None)
        );
        assert_eq!(owners.way("shop", &owner("Job", "n-1")).top, owner("CronJob", "n"));
        assert_eq!(owners.way("shop", &owner("ReplicaSet", "alone")).top, owner("ReplicaSet", "alone"));
        assert_eq!(owners.way("shop", &owner("ReplicaSet", "r-1")).top, rollout);
        assert_eq!(
            owners.way("other", &owner("ReplicaSet", "web-1")).top,
            owner("ReplicaSet", "web-1"),
            "by namespace"
        );
        let volcano = Owner::new("batch.volcano.sh", "Job", "n-1");
        assert_eq!(
            owners.way("shop", &volcano).kinds,
            ["Job.batch.volcano.sh"],
            "another group's Job is another thing"
        );
    }

    #[test]
    fn circles_and_lists_that_could_not_be_read_are_unknown() {
        let mut owners = Owners::default();
        owners.add("a", owner("ReplicaSet", "x"), Ok(Some(owner("ReplicaSet", "y"))));
        owners.add("a", owner("ReplicaSet", "y"), Ok(Some(owner("ReplicaSet", "x"))));
        let way = owners.way("a", &owner("ReplicaSet", "x"));
        assert_eq!((&way.top, way.kinds.len()), (&owner("ReplicaSet", "x"), 1));
        assert!(way.unknown.is_some_and(|reason| reason.contains("circle")));
        assert!(owners.way("a", &owner("ReplicaSet", "gone")).unknown.is_none());
        owners.unread.insert("ReplicaSet", "denied".into());
        assert_eq!(owners.way("a", &owner("ReplicaSet", "gone")).unknown.as_deref(), Some("denied"));
    }

    #[test]
    fn only_the_controller_among_the_owners_counts() {
        let meta = json!({"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": true},
        ]});
        assert_eq!(controller(Node::of(&meta)), Ok(Some(owner("ReplicaSet", "r"))));
        assert_eq!(controller(Node::of(&json!({}))), Ok(None));
        assert!(controller(Node::of(&json!({"ownerReferences": "x"}))).is_err());
        assert!(controller(Node::of(&json!({"ownerReferences": [{"controller": true, "kind": 1}]}))).is_err());
    }
}
