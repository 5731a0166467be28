//! Which network plugin runs, and whether it makes policies hold.

use std::collections::BTreeSet;

use super::Settings;
use crate::component::Component;
use crate::kubernetes::selector::any;
use crate::schema::kubernetes as k8s;
use crate::snapshot::Target;
use crate::value::Value;

/// Plugins by the end of an image's repository, and whether each enforces policies; none where its settings decide.
const PLUGINS: [(&str, &str, Option<bool>); 24] = [
    ("calico/node", "calico", Some(true)),
    ("calico-node", "calico", Some(true)),
    ("cilium/cilium", "cilium", Some(true)),
    ("cilium", "cilium", Some(true)),
    ("antrea-agent-ubuntu", "antrea", Some(true)),
    ("antrea-agent-ubi", "antrea", Some(true)),
    ("antrea-agent", "antrea", Some(true)),
    ("antrea-ubuntu", "antrea", Some(true)),
    ("weave-npc", "weave", Some(true)),
    ("weave-kube", "weave", None),
    ("kube-router", "kube-router", None),
    ("ovn-kube", "ovn-kubernetes", Some(true)),
    ("ovn-kubernetes", "ovn-kubernetes", Some(true)),
    ("ovn-daemonset-f", "ovn-kubernetes", Some(true)),
    ("kube-ovn", "kube-ovn", None),
    ("azure-npm", "azure-npm", Some(true)),
    ("kube-network-policies", "kube-network-policies", Some(true)),
    ("flannel", "flannel", Some(false)),
    ("mirrored-flannelcni-flannel", "flannel", Some(false)),
    ("hyperkube-flannel", "flannel", Some(false)),
    ("kindnetd", "kindnet", None),
    ("amazon-k8s-cni", "aws-vpc-cni", Some(false)),
    ("azure-cns", "azure-cni", None),
    ("terway", "terway", None),
];

/// The agent by which Amazon's plugin enforces policies, where it is told to.
const AWS_AGENT: [&str; 2] = ["aws-network-policy-agent", "amazon/aws-network-policy-agent"];

/// A cluster's plugin by what runs in it.
pub(super) fn facts(target: &Target) -> Settings {
    let mut components = target.components.iter().enumerate();
    let Some((at, cluster)) = components.find(|(_, c)| std::ptr::eq(c.kind, &k8s::CLUSTER)) else { return Vec::new() };
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut enforces = Vec::new();
    for container in target.of(&k8s::CONTAINER).filter(|c| c.value("running").as_bool() == Some(true)) {
        if matches!(container.value("kind").as_str(), Some("init" | "ephemeral")) {
            continue;
        }
        let Some(repository) = container.value("image_repository").as_str() else { continue };
        if let Some((_, plugin, holds)) = PLUGINS.iter().find(|(image, ..)| ends_with(repository, image)) {
            found.insert(plugin);
            enforces.push(if *plugin == "kube-router" { firewall(container) } else { *holds });
        } else if AWS_AGENT.iter().any(|image| ends_with(repository, image)) {
            enforces.push(flag(container, "--enable-network-policy"));
        }
    }
    let incomplete = [&k8s::POD, &k8s::CONTAINER].iter().find_map(|kind| target.incomplete.get(kind.name));
    let embedded = match cluster.value("distribution").as_str() {
        // One process holds flannel and a controller for policies, which can be turned off.
        Some("k3s") if found.is_empty() => Some("the plugin runs inside of k3s, whose arguments were not read"),
        _ => None,
    };
    let reason = incomplete.cloned().unwrap_or_else(|| match embedded {
        Some(reason) => reason.to_owned(),
        None if found.is_empty() => "no network plugin that is known runs as a pod".to_owned(),
        None => "what it enforces depends on settings that the API does not show".to_owned(),
    });
    let holds = match any(enforces.iter().copied()) {
        Some(true) => Some(true),
        Some(false) if !found.is_empty() && incomplete.is_none() => Some(false),
        _ => None,
    };
    let name = if found.contains("calico") && found.contains("flannel") {
        "canal".to_owned()
    } else {
        found.into_iter().collect::<Vec<_>>().join("+")
    };
    let cni = if name.is_empty() { Value::unknown(reason.clone()) } else { name.into() };
    vec![(at, "cni", cni), (at, "enforces_policies", super::truth(holds, reason))]
}

/// Whether a repository is another, or ends with it by path components.
fn ends_with(repository: &str, image: &str) -> bool {
    repository.strip_suffix(image).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// kube-router filters unless it is told not to.
fn firewall(container: &Component) -> Option<bool> {
    if words(container)?.iter().any(|w| w.starts_with("--run-firewall")) {
        return flag(container, "--run-firewall");
    }
    Some(true)
}

/// A switch among its arguments: the last that stands there. None where it does not, or they are not all known.
fn flag(container: &Component, name: &str) -> Option<bool> {
    let mut value = None;
    for word in words(container)? {
        match word.strip_prefix(name) {
            Some("" | "=true") => value = Some(true),
            Some("=false") => value = Some(false),
            Some(other) if other.starts_with('=') => value = None,
            _ => {}
        }
    }
    value
}

fn words(container: &Component) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    for fact in ["command", "args"] {
        for word in container.value(fact).as_list()? {
            words.push(word.as_str()?);
        }
    }
    Some(words)
}
