//! Monotonicity over small random hosts: no mitigation opens a threat, no unknown answers one.

use std::sync::Arc;

use proptest::prelude::*;
use seaworthy_core::diagram::{Certainty, FlowKind};
use seaworthy_core::judge::Judgement;
use seaworthy_core::predicate::FactSet;
use seaworthy_core::threat::{Formula, Instance, Status, Subject};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;
use seaworthy_core::waiver::Accepts;

use super::tests::waiver;
use super::world::{World, predicate};
use super::{Judge, Stays, threats};
use Status::{Accepted, Answered, Open, Undetermined};

/// A formula over all checks.
fn formulas() -> impl Strategy<Value = Formula> {
    let ids: Vec<String> = World::new().checks.iter().map(|c| c.id.clone()).collect();
    let leaf = prop::sample::select(ids).prop_map(Formula::Check);
    leaf.prop_recursive(2, 8, 3, |inner| {
        let parts = prop::collection::vec(inner, 1..4);
        prop_oneof![parts.clone().prop_map(Formula::All), parts.prop_map(Formula::Any)]
    })
}

/// A value known to be true or false, or unknown.
fn truth() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Bool(true)),
        2 => Just(Value::Bool(false)),
        1 => Just(Value::unknown("not read")),
    ]
}

fn named(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let some = prop::collection::btree_set(prop::sample::select(names), 0..3).prop_map(Value::strings);
    prop_oneof![4 => some, 1 => Just(Value::unknown("not read"))]
}

/// A small host of which any part may be unknown, with threats over it.
fn worlds() -> impl Strategy<Value = World> {
    let containers = prop::collection::vec((truth(), truth(), truth(), 0..4usize, named(&["a", "b", "gone"])), 0..4);
    let images = prop::collection::vec((truth(), named(&["docker.io", "x"])), 0..3);
    let networks = prop::collection::vec(truth(), 0..3);
    let kinds = vec!["docker.container", "docker.image", "docker.network", "docker.daemon"];
    let threats = prop::collection::vec((prop::sample::select(kinds), formulas(), 0..4u8), 1..4);
    let incomplete = prop::collection::vec(prop::bool::weighted(0.15), 3);
    let may_be = any::<prop::sample::Index>();
    (containers, images, networks, threats, incomplete, (truth(), truth(), may_be, any::<bool>())).prop_map(
        |(containers, images, networks, threats, incomplete, (icc, waived, may_be, unsure))| {
            let mut world = World::new();
            world.set(0, "icc", icc);
            world.add("docker.registry", "docker.io", &[("insecure", true.into())]);
            for (i, (root, registries)) in images.into_iter().enumerate() {
                world.add("docker.image", &i.to_string(), &[("root_user", root), ("registries", registries)]);
            }
            for (name, icc) in ["a", "b", "c"].into_iter().zip(networks) {
                world.add("docker.network", name, &[("icc", icc)]);
            }
            for (i, (privileged, running, nnp, image, networks)) in containers.into_iter().enumerate() {
                let c = world.container(&format!("c{i}"), &image.to_string(), &[]);
                world.set(c, "privileged", privileged);
                world.set(c, "running", running);
                world.set(c, "no_new_privileges", nnp);
                world.set(c, "networks", networks);
            }
            let kinds = ["docker.container", "docker.image", "docker.network"];
            for (kind, _) in kinds.into_iter().zip(incomplete).filter(|(_, missing)| *missing) {
                world.snapshot.targets[0].incomplete.insert(kind, "not all".into());
            }
            for (i, (about, formula, how)) in threats.into_iter().enumerate() {
                let threat = world.threat(&format!("t/{i}"), about, formula);
                if about == "docker.container" && how & 1 == 1 {
                    threat.when = Some(predicate("running", about));
                }
                if how & 2 == 2 && about != "docker.daemon" {
                    threat.flow = Some(FlowKind::ContainerNetwork);
                }
            }
            if waived == Value::Bool(true) {
                world.waivers = vec![waiver(Accepts::Check("container/unprivileged".into()), "c0")];
            }
            world.draw();
            if unsure {
                let e = may_be.index(world.diagram.elements.len());
                world.diagram.elements[e].certainty = Certainty::Possible("not sure".into());
            }
            world
        },
    )
}

fn by_fingerprint<'i>(instances: &'i [Instance], fingerprint: &str) -> Option<&'i Instance> {
    instances.iter().find(|i| i.fingerprint == fingerprint)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_failure_that_passes_opens_nothing(world in worlds(), which in any::<prop::sample::Index>()) {
        world.with_audit(|audit| {
            let before = threats(audit, &world.threats, &world.diagram).instances;
            let failing: Vec<usize> = (0..audit.findings.len())
                .filter(|i| audit.findings[*i].judgement.verdict == Verdict::Fail && audit.waived[*i].is_none())
                .collect();
            if failing.is_empty() {
                return Ok(());
            }
            let closed = failing[which.index(failing.len())];
            let foreseen: Vec<(String, Status)> = {
                let judge = Judge::new(audit, &world.threats, &world.diagram);
                before.iter().map(|i| (i.fingerprint.clone(), judge.status_if(i, &|f| f == closed))).collect()
            };
            let passed = Judgement { verdict: Verdict::Pass, facts: FactSet::default(), reason: None };
            audit.findings[closed].judgement = Arc::new(passed);
            let after = threats(audit, &world.threats, &world.diagram).instances;
            for instance in &after {
                let was = by_fingerprint(&before, &instance.fingerprint);
                prop_assert!(was.is_some(), "{:?} came from nowhere", instance);
            }
            for (was, (_, said)) in before.iter().zip(&foreseen) {
                match by_fingerprint(&after, &was.fingerprint) {
                    Some(now) => {
                        prop_assert!(now.status != Open || was.status == Open, "{:?} became {:?}", was, now);
                        // What was accepted stays so to the ranking, which asks only of what is not.
                        prop_assert!(was.status == Accepted || *said == now.status, "{said:?}, not {:?}", now.status);
                    }
                    None => {
                        prop_assert!(matches!(was.subject, Subject::Unlisted(_)), "{:?} went", was);
                        prop_assert!(matches!(said, Answered | Accepted));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_keeps_a_threat_open_is_what_the_judge_says_of_whatever_is_closed(
        world in worlds(),
        closed in prop::collection::vec(any::<bool>(), 64),
    ) {
        fn stays(of: &Stays, closed: &dyn Fn(usize) -> bool) -> bool {
            match of {
                Stays::Findings(findings) => findings.iter().any(|f| !closed(*f)),
                Stays::One(parts) => parts.iter().any(|p| stays(p, closed)),
                Stays::Every(parts) => parts.iter().all(|p| stays(p, closed)),
            }
        }
        world.with_audit(|audit| {
            let judge = Judge::new(audit, &world.threats, &world.diagram);
            for mask in [&[false][..], &[true], &closed, &closed[1..]] {
                let closed = |f: usize| mask[f % mask.len()];
                for instance in judge.instances().iter().filter(|i| i.status == Open) {
                    let said = judge.status_if(instance, &closed) == Open;
                    prop_assert_eq!(stays(&judge.stays(instance), &closed), said, "{:?}", instance);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_fact_that_is_forgotten_answers_nothing(
        world in worlds(),
        component in any::<prop::sample::Index>(),
        fact in prop::sample::select(
            &["privileged", "running", "no_new_privileges", "image_id", "networks", "root_user", "icc", "registries"][..]
        ),
    ) {
        let before = world.judged().instances;
        let mut dark = world.clone();
        let component = component.index(dark.snapshot.targets[0].components.len());
        if dark.snapshot.targets[0].components[component].kind.index(fact).is_none() {
            return Ok(());
        }
        dark.forget(component, fact);
        // The diagram stays: what it makes of the unknown fact is its own concern.
        let after = dark.judged().instances;
        for instance in &after {
            match by_fingerprint(&before, &instance.fingerprint) {
                Some(was) => {
                    prop_assert!(instance.status != Answered || was.status == Answered, "{:?} became {:?}", was, instance);
                    prop_assert!(instance.status != Open || was.status == Open, "{:?} became {:?}", was, instance);
                }
                // Where it did not apply and now nobody knows, a formula that is proven answers all the same.
                None => prop_assert!(
                    instance.status == Undetermined || world.threats[instance.threat].when.is_some(),
                    "{instance:?} came from nowhere"
                ),
            }
        }
        for was in before.iter().filter(|i| matches!(i.status, Open | Undetermined)) {
            let now = by_fingerprint(&after, &was.fingerprint).map(|i| i.status);
            prop_assert!(matches!(now, Some(Open | Undetermined)), "{:?} became {:?}", was, now);
        }
    }

    #[test]
    fn the_same_host_gives_the_same_instances(world in worlds()) {
        let (a, b) = (world.judged(), world.judged());
        prop_assert_eq!(&a, &b);
        let mut seen: Vec<&str> = a.instances.iter().map(|i| i.fingerprint.as_str()).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), a.instances.len());
        prop_assert!(a.instances.iter().all(|i| i.status != Undetermined || !i.decided_by.is_empty() || i.reason.is_some()));
        prop_assert!(a.instances.iter().all(|i| i.status != Open || !i.decided_by.is_empty()));
    }
}
