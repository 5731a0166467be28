//! What the policies that select a pod let through in one direction.

use super::policy::{Action, Direction, Policy, Rule, Side, Tier};
use super::{Allowed, ClassId, Endpoint, Network, PodClass, Ports};
use crate::kubernetes::selector::and;

/// One end of traffic, from the other's point of view.
struct Traffic<'a> {
    network: &'a Network,
    direction: Direction,
    /// The other end.
    peer: &'a Endpoint,
    /// The pod whose containers give names to ports; none where the destination is no pod.
    destination: Option<&'a PodClass>,
}

impl Network {
    /// What the policies of a pod let through, as far as the plugin enforces them.
    pub(super) fn side(&self, direction: Direction, subject: ClassId, peer: &Endpoint) -> Allowed {
        let class = &self.classes[subject];
        match class.host_network {
            Some(true) => return Allowed::all(),
            Some(false) => {}
            None => return Allowed::unknown(),
        }
        if self.settings.enforced == Some(false) {
            return Allowed::all();
        }
        let by_policies = self.by_policies(direction, subject, peer);
        match self.shares_node(class, peer) {
            Some(true) => Allowed::all(),
            Some(false) => self.as_enforced(by_policies),
            None => self.as_enforced(by_policies.either(&Allowed::all())),
        }
    }

    /// What is denied may be open where the plugin may ignore it.
    fn as_enforced(&self, allowed: Allowed) -> Allowed {
        if self.settings.enforced.is_some() { allowed } else { allowed.either(&Allowed::all()) }
    }

    fn by_policies(&self, direction: Direction, subject: ClassId, peer: &Endpoint) -> Allowed {
        let selecting = &self.selecting[subject];
        if selecting.iter().any(|(at, _)| self.is_opaque(*at, direction)) {
            return Allowed::unknown();
        }
        let destination = match (direction, peer) {
            (Direction::Ingress, _) => Some(&self.classes[subject]),
            (Direction::Egress, Endpoint::Pod(other)) => {
                Some(&self.classes[*other]).filter(|c| c.host_network != Some(true))
            }
            (Direction::Egress, _) => None,
        };
        let traffic = Traffic { network: self, direction, peer, destination };
        let tier = |tier| selecting.iter().filter(move |(at, _)| self.policies[*at].tier == tier);
        let chosen = |at: &(usize, Option<bool>)| (&self.policies[at.0], at.1);
        let namespaced: Vec<_> = tier(Tier::Namespace).map(chosen).collect();
        let alone = traffic.namespaced(&namespaced, Allowed::all());
        if tier(Tier::Admin).chain(tier(Tier::Baseline)).next().is_none() {
            return alone;
        }
        let baseline: Vec<_> = tier(Tier::Baseline).map(chosen).collect();
        let below = traffic.namespaced(&namespaced, traffic.ordered(&baseline, &Allowed::all()));
        let admin: Vec<_> = tier(Tier::Admin).map(chosen).collect();
        let with = traffic.ordered(&admin, &below);
        match self.settings.admin_enforced {
            Some(true) => with,
            Some(false) => alone,
            None => with.either(&alone),
        }
    }

    /// Whether what a policy says of a direction is not known.
    fn is_opaque(&self, at: usize, direction: Direction) -> bool {
        let policy = &self.policies[at];
        !policy.understood || policy.side(direction).open
    }

    /// The policies that let a port through or stand against it, by their components.
    pub(super) fn deciding(&self, direction: Direction, subject: ClassId, peer: &Endpoint, out: &mut Vec<usize>) {
        if self.classes[subject].host_network == Some(true)
            || self.shares_node(&self.classes[subject], peer) == Some(true)
        {
            return;
        }
        for (at, _) in &self.selecting[subject] {
            let policy = &self.policies[*at];
            let concerned = match policy.tier {
                Tier::Namespace => policy.side(direction).isolates != Some(false),
                Tier::Admin | Tier::Baseline => !policy.side(direction).rules.is_empty(),
            };
            if concerned || self.is_opaque(*at, direction) {
                out.extend(policy.component);
            }
        }
    }
}

impl Traffic<'_> {
    /// Policies of a namespace: what they let through together, where one isolates; else what is below them.
    fn namespaced(&self, policies: &[(&Policy, Option<bool>)], below: Allowed) -> Allowed {
        let mut surely: Option<Ports> = None;
        // What stays open whichever of the policies that may isolate does so alone: more of them only open more.
        let mut perhaps: Option<Ports> = None;
        let mut may = Ports::none();
        for (policy, selected) in policies {
            let side = policy.side(self.direction);
            let isolated = and(*selected, side.isolates);
            if isolated == Some(false) {
                continue;
            }
            let opened = self.opened(side);
            may = may.union(&opened.may);
            if isolated == Some(true) {
                surely = Some(surely.map_or_else(|| opened.yes.clone(), |so_far| so_far.union(&opened.yes)));
            } else {
                perhaps = Some(perhaps.map_or_else(|| opened.yes.clone(), |so_far| so_far.intersection(&opened.yes)));
            }
        }
        match (surely, perhaps) {
            (Some(yes), _) => Allowed { yes, may },
            (None, Some(yes)) => Allowed { yes: yes.intersection(&below.yes), may: may.union(&below.may) },
            (None, None) => below,
        }
    }

    fn opened(&self, side: &Side) -> Allowed {
        side.rules.iter().fold(Allowed::none(), |open, rule| open.union(&self.matched(rule)))
    }

    /// The ports at which a rule surely and perhaps matches.
    fn matched(&self, rule: &Rule) -> Allowed {
        let ports = rule.ports_at(self.destination);
        match self.network.peers_match(&rule.peers, self.peer) {
            Some(true) => ports,
            Some(false) => Allowed::none(),
            None => Allowed { yes: Ports::none(), may: ports.may },
        }
    }

    /// Policies in their order: the first rule that matches decides; `below` where none does, or one passes on.
    fn ordered(&self, policies: &[(&Policy, Option<bool>)], below: &Allowed) -> Allowed {
        let mut sorted: Vec<_> = policies.iter().collect();
        sorted.sort_by_key(|(policy, _)| policy.priority);
        let mut result = below.clone();
        for (at, (policy, selected)) in sorted.iter().enumerate().rev() {
            // Which of two that have the same place comes first is not defined.
            let tied = sorted.iter().enumerate().any(|(i, (p, _))| i != at && p.priority == policy.priority);
            let sure = *selected == Some(true) && !tied;
            for rule in policy.side(self.direction).rules.iter().rev() {
                let mut matched = self.matched(rule);
                if !sure {
                    matched.yes = Ports::none();
                }
                let decided = match rule.action {
                    Action::Allow => Allowed::all(),
                    Action::Deny => Allowed::none(),
                    Action::Pass => below.clone(),
                    Action::Unknown => Allowed::unknown(),
                };
                result = first(&matched, &decided, &result);
            }
        }
        result
    }
}

/// What holds where a rule matches some ports surely and some perhaps, and others are left to those after it.
fn first(matched: &Allowed, decided: &Allowed, after: &Allowed) -> Allowed {
    let may_not = Ports::all().without(&matched.yes);
    // Surely open: where it surely matches, by its decision; where it surely does not, by what follows; else by both.
    let yes = matched
        .yes
        .intersection(&decided.yes)
        .union(&after.yes.without(&matched.may))
        .union(&decided.yes.intersection(&after.yes));
    let may = matched.may.intersection(&decided.may).union(&may_not.intersection(&after.may));
    Allowed { yes, may }
}
