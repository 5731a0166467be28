//! Who reaches pods that a policy isolates, and whom pods reach that one does: by classes of pods, within a bound.

use std::collections::BTreeMap;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::kubernetes::reach::{ClassId, Direction, Endpoint, Network};
use seaworthy_core::schema::kubernetes as k8s;

use super::super::draft::{Draft, Drafts};
use super::super::scope::{Scope, truth};
use super::cluster;

/// The most pairs of classes that are asked about, and the most flows that are drawn for them.
const MOST_PAIRS: usize = 40_000;
const MOST_FLOWS: usize = 10_000;

/// Draws a flow for each pair of containers between which a policy stands that lets something through.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    let isolated = |pod: usize, fact: &str| truth(scope.value(pod, fact)) == Ok(true);
    let guarded = |pod: &usize| isolated(*pod, "isolated_ingress") || isolated(*pod, "isolated_egress");
    if !scope.all_of(&k8s::POD).iter().any(guarded) {
        return;
    }
    let network = Network::of(scope.target);
    let members = members(scope, &network);
    let is = |class: ClassId, direction| network.isolated(class, direction) == Some(true);
    let (mut asked, mut drawn) = (0, 0);
    for (from, sources) in &members {
        for (to, targets) in &members {
            // Between two that are not isolated the network of all pods stands already.
            if !is(*to, Direction::Ingress) && !is(*from, Direction::Egress) {
                continue;
            }
            asked += 1;
            let open = network.open(&Endpoint::Pod(*from), &Endpoint::Pod(*to)).any();
            if open == Some(false) {
                continue;
            }
            if asked > MOST_PAIRS || drawn + sources.len() * targets.len() > MOST_FLOWS {
                return beyond(scope, drafts);
            }
            for (source, target) in sources.iter().flat_map(|s| targets.iter().map(move |t| (*s, *t))) {
                if source == target {
                    continue;
                }
                drawn += 1;
                let pods = [source, target].map(|at| scope.value(at, "pod").as_str());
                let pods = pods.map(|id| id.and_then(|id| scope.by_id(&k8s::POD, id)));
                let facts = [scope.cite_of(pods[1], "isolated_ingress"), scope.cite_of(pods[0], "isolated_egress")];
                let (from, to) = (scope.element[source], scope.element[target]);
                let draft = Draft::new(FlowKind::PodNetwork, from, to, "packets that policies let through");
                let draft = draft.key("policies").facts(facts);
                drafts.add(match open {
                    Some(_) => draft,
                    None => draft.maybe(&"a policy that stands between them is not understood".into()),
                });
            }
        }
    }
}

/// The containers of each class.
fn members(scope: &Scope<'_>, network: &Network) -> BTreeMap<ClassId, Vec<usize>> {
    let mut members: BTreeMap<ClassId, Vec<usize>> = BTreeMap::new();
    for at in scope.all_of(&k8s::CONTAINER).iter().copied() {
        let pod = scope.value(at, "pod").as_str().and_then(|id| scope.by_id(&k8s::POD, id));
        if let Some(class) = pod.and_then(|pod| network.class_of(pod)) {
            members.entry(class).or_default().push(at);
        }
    }
    members
}

/// What was not looked at is possible, for every isolated pod.
fn beyond(scope: &Scope<'_>, drafts: &mut Drafts) {
    let Some(cluster) = cluster(scope) else { return };
    let reason =
        format!("policies stand between more than {MOST_FLOWS} pairs of containers, which are not told one by one");
    for at in scope.all_of(&k8s::CONTAINER).iter().copied() {
        for (kind, from, to) in
            [(FlowKind::PodNetwork, cluster, scope.element[at]), (FlowKind::PodEgress, scope.element[at], cluster)]
        {
            drafts.add(Draft::new(kind, from, to, "packets of pods").key("beyond").maybe(&reason.as_str().into()));
        }
    }
}
