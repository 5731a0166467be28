//! Paths against brute force: over abstract graphs, and over small hosts with and without collapsing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use seaworthy_core::diagram::FlowKind;
use seaworthy_core::step::{Paths, State, Step};
use seaworthy_core::value::Value;

use super::graph::{Edge, Graph};
use super::{Limits, paths_within};
use crate::judge::world::{World, predicate};

fn graph(nodes: u32, edges: &[(u32, u32, u32, bool)]) -> Graph {
    let mut graph = Graph::default();
    (0..nodes).for_each(|_| {
        graph.node();
    });
    for (from, to, effort, proven) in edges {
        let assumes = effort % 2 == 0;
        graph.edge(Edge { from: *from, to: *to, effort: *effort, proven: *proven, assumes });
    }
    graph
}

/// Every path without a repeated node.
fn all_simple(graph: &Graph, from: u32, to: u32) -> Vec<Vec<u32>> {
    fn walk(graph: &Graph, at: u32, to: u32, seen: &mut Vec<u32>, path: &mut Vec<u32>, out: &mut Vec<Vec<u32>>) {
        if at == to {
            out.push(path.clone());
            return;
        }
        for (i, edge) in graph.edges().iter().enumerate() {
            if edge.from == at && !seen.contains(&edge.to) {
                seen.push(edge.to);
                path.push(i as u32);
                walk(graph, edge.to, to, seen, path, out);
                path.pop();
                seen.pop();
            }
        }
    }
    let mut out = Vec::new();
    walk(graph, from, to, &mut vec![from], &mut Vec::new(), &mut out);
    out
}

fn cost(graph: &Graph, path: &[u32]) -> u128 {
    path.iter().map(|e| graph.edges()[*e as usize].cost()).sum()
}

fn edges() -> impl Strategy<Value = Vec<(u32, u32, u32, bool)>> {
    prop::collection::vec((0..7u32, 0..7u32, 1..6u32, any::<bool>()), 0..22)
        .prop_map(|edges| edges.into_iter().filter(|(from, to, ..)| from != to).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_cheapest_are_those_that_brute_force_finds(edges in edges(), most in 1..40usize) {
        let graph = graph(7, &edges);
        let reached = graph.reach(&[0], |_| true);
        let found = graph.cheapest(&reached, (0, 6), (most, usize::MAX), |_| true);
        let mut all = all_simple(&graph, 0, 6);
        all.sort_by_key(|path| cost(&graph, path));
        let costs: Vec<u128> = found.paths.iter().map(|p| cost(&graph, p)).collect();
        let wanted: Vec<u128> = all.iter().take(most).map(|p| cost(&graph, p)).collect();
        prop_assert_eq!(costs, wanted);
        prop_assert_eq!(found.more, all.len() > most);
        let distinct: BTreeSet<&Vec<u32>> = found.paths.iter().collect();
        prop_assert_eq!(distinct.len(), found.paths.len());
        prop_assert!(found.paths.iter().all(|p| all.contains(p)));
    }

    #[test]
    fn without_an_edge_there_is_no_path_that_was_not_there(edges in edges(), gone in 0..22usize) {
        let whole = graph(7, &edges);
        let mut fewer = edges.clone();
        if gone < fewer.len() {
            fewer.remove(gone);
        }
        let less = graph(7, &fewer);
        let named = |graph: &Graph| -> BTreeSet<Vec<(u32, u32, u32, bool)>> {
            let reached = graph.reach(&[0], |_| true);
            let of = |e: &u32| {
                let edge = graph.edges()[*e as usize];
                (edge.from, edge.to, edge.effort, edge.proven)
            };
            let found = graph.cheapest(&reached, (0, 6), (usize::MAX, usize::MAX), |_| true);
            found.paths.iter().map(|p| p.iter().map(of).collect()).collect()
        };
        prop_assert!(named(&less).is_subset(&named(&whole)));
    }

    #[test]
    fn work_is_bounded_and_what_is_left_out_is_said(edges in edges(), work in 0..30usize) {
        let graph = graph(7, &edges);
        let reached = graph.reach(&[0], |_| true);
        let found = graph.cheapest(&reached, (0, 6), (100, work), |_| true);
        let all = all_simple(&graph, 0, 6);
        prop_assert!(found.more || found.paths.len() == all.len());
        if found.more {
            prop_assert!(found.paths.len() <= all.len());
        }
    }
}

/// Steps that stand for the catalogue's: sideways over networks, volumes and namespaces, up, and into data.
fn steps() -> Vec<Step> {
    static ALL: LazyLock<Vec<Step>> = LazyLock::new(compiled);
    ALL.clone()
}

fn compiled() -> Vec<Step> {
    let step = |id: &str, from: &str, to: &str, over: Option<FlowKind>, effort: u32, when: Option<(&str, &str)>| Step {
        id: id.into(),
        title: id.into(),
        from: from.into(),
        to: to.into(),
        over,
        through: None,
        powers: Vec::new(),
        when: when.map(|(text, about)| predicate(text, about)),
        at: None,
        effort,
        assumes: (id == "flaw").then(|| "a flaw in the service".into()),
        attack: "T1".into(),
        source: "a test".into(),
        cut: vec!["container/unprivileged".into()],
        story: id.into(),
        file: id.into(),
    };
    let container = "docker.container";
    vec![
        step("port", "internet", "reach", Some(FlowKind::PublishedPort), 1, None),
        step("flaw", "reach", "code", None, 5, None),
        step("net", "code", "on-network", Some(FlowKind::ContainerNetwork), 1, None),
        step("near", "on-network", "reach", Some(FlowKind::ContainerNetwork), 1, Some(("icc", "docker.network"))),
        step("root", "code", "root", None, 1, Some(("!no_new_privileges", container))),
        step("out", "root", "host-root", None, 1, Some(("privileged", container))),
        step("read", "code", "data", None, 1, None),
        step("beside", "code", "data", Some(FlowKind::Namespace), 2, None),
    ]
}

/// A container: privileged, no-new-privileges (none is unknown), networks, published.
type Inside = (Option<bool>, Option<bool>, Vec<bool>, bool);

#[derive(Clone, Debug)]
struct Host {
    containers: Vec<Inside>,
    icc: Vec<Option<bool>>,
}

fn hosts() -> impl Strategy<Value = Host> {
    let tri = || prop_oneof![3 => any::<bool>().prop_map(Some), 1 => Just(None)];
    let container = (tri(), tri(), prop::collection::vec(prop::bool::weighted(0.4), 3), prop::bool::weighted(0.2));
    (prop::collection::vec(container, 1..6), prop::collection::vec(tri(), 3))
        .prop_map(|(containers, icc)| Host { containers, icc })
}

const NETWORKS: [&str; 3] = ["n0", "n1", "n2"];

fn world(host: &Host) -> World {
    let mut world = World::new();
    for (name, icc) in NETWORKS.iter().zip(&host.icc) {
        let value = icc.map_or_else(|| Value::unknown("it was not read"), Value::from);
        world.add("docker.network", name, &[("icc", value)]);
    }
    for (i, (privileged, nnp, networks, published)) in host.containers.iter().enumerate() {
        let names: Vec<&str> = NETWORKS.iter().zip(networks).filter(|(_, on)| **on).map(|(n, _)| *n).collect();
        let c = world.container(&format!("c{i}"), "image", &names);
        for (fact, value) in [("privileged", privileged), ("no_new_privileges", nnp)] {
            world.set(c, fact, value.map_or_else(|| Value::unknown("it was not read"), Value::from));
        }
        if *published {
            let port = Value::unknown("its port");
            world.set(c, "ports", Value::List(vec![port]));
        }
    }
    world.draw();
    world
}

fn found(world: &World, collapse: bool) -> Paths {
    let limits = Limits { of_pair: 2000, listed: 1_000_000, work: 1_000_000, collapse, ..Limits::default() };
    let mut steps = steps();
    steps.retain(|s| s.over != Some(FlowKind::Namespace));
    world.with_audit(|audit| paths_within(audit, &world.diagram, &steps, limits))
}

/// For each pair of classes the cheapest path between different members, and whether the cheapest proven one costs
/// more.
fn cheapest(paths: &Paths, class_of: &[usize]) -> BTreeMap<(State, State), (u32, Option<u32>)> {
    let mut out: BTreeMap<(State, State), (u32, Option<u32>)> = BTreeMap::new();
    for path in &paths.list {
        let class = |s: State| State { element: class_of[s.element], ..s };
        let proven = path.certainty.is_proven().then_some(path.effort);
        let entry = out.entry((class(path.from), class(path.to))).or_insert((path.effort, proven));
        entry.0 = entry.0.min(path.effort);
        entry.1 = [entry.1, proven].into_iter().flatten().min();
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn collapsing_changes_no_answer(host in hosts()) {
        let world = world(&host);
        let (as_one, apart) = (found(&world, true), found(&world, false));
        prop_assert_eq!(cheapest(&as_one, &as_one.class_of), cheapest(&apart, &as_one.class_of));
        prop_assert!(as_one.more.is_empty() && apart.more.is_empty());
        for (a, b) in as_one.exposure.iter().zip(&apart.exposure) {
            prop_assert_eq!(a.as_ref().map(|e| (e.effort, e.steps)), b.as_ref().map(|e| (e.effort, e.steps)));
            prop_assert_eq!(a.as_ref().map(|e| e.certainty.is_proven()), b.as_ref().map(|e| e.certainty.is_proven()));
        }
    }

    #[test]
    fn paths_hang_together_and_rest_on_facts(host in hosts()) {
        let world = world(&host);
        let paths = found(&world, true);
        for path in &paths.list {
            prop_assert_eq!(path.hops.first().map(|h| h.from), Some(path.from));
            prop_assert_eq!(path.hops.last().map(|h| h.to), Some(path.to));
            prop_assert!(path.hops.windows(2).all(|w| w[0].to == w[1].from));
            prop_assert!(path.from.element != path.to.element);
            let nodes: BTreeSet<State> = path.hops.iter().map(|h| h.to).chain([path.from]).collect();
            prop_assert_eq!(nodes.len(), path.hops.len() + 1);
            prop_assert_eq!(path.certainty.is_proven(), path.hops.iter().all(|h| h.certainty.is_proven()));
            prop_assert_eq!(Some(path.basis()), path.hops.iter().map(seaworthy_core::step::Hop::basis).max());
            prop_assert!(path.hops.iter().all(|h| h.assumes == (steps()[h.step].id == "flaw")));
            for hop in &path.hops {
                let unknown = hop.facts.iter().any(|f| f.resolve(&world.snapshot).unwrap().1.value.is_unknown());
                prop_assert!(hop.certainty.is_proven() != unknown);
            }
        }
    }

    #[test]
    fn a_known_fact_more_or_a_mitigation_more_never_adds_a_path(host in hosts(), which in 0..6usize) {
        let mut safer = host.clone();
        let i = which % safer.containers.len();
        safer.containers[i].0 = Some(false);
        safer.containers[i].1 = Some(true);
        let pairs = |host: &Host, only_proven: bool| -> BTreeSet<(State, State)> {
            let list = found(&world(host), false).list;
            list.iter().filter(|p| !only_proven || p.certainty.is_proven()).map(|p| (p.from, p.to)).collect()
        };
        prop_assert!(pairs(&safer, false).is_subset(&pairs(&host, false)));
        prop_assert!(pairs(&safer, true).is_subset(&pairs(&host, true)));
    }
}

#[test]
fn another_of_its_equals_is_a_jewel_and_itself_is_not() {
    let host = |count: usize| Host {
        containers: vec![(Some(false), Some(true), vec![true, false, false], false); count],
        icc: vec![Some(true), Some(false), Some(false)],
    };
    assert!(found(&world(&host(1)), true).list.is_empty());
    let world = world(&host(1000));
    let paths = found(&world, true);
    assert_eq!(paths.list.len(), 1);
    let path = &paths.list[0];
    assert_eq!((path.from.capability().name, path.to.capability().name), ("code", "data"));
    assert_ne!(path.from.element, path.to.element);
    assert_eq!(paths.class_of[path.to.element], path.from.element);
    assert_eq!(path.stands_for, (1000, 999));
    assert!(path.certainty.is_proven());
    // Without traffic between them each is alone.
    let mut apart = host(1000);
    apart.icc[0] = Some(false);
    assert!(found(&self::world(&apart), true).list.is_empty());
}

#[test]
fn a_fingerprint_does_not_depend_on_the_order_in_which_equals_are_read() {
    let mut host = Host {
        containers: vec![(Some(true), Some(false), vec![true, false, false], true); 3],
        icc: vec![Some(true), Some(false), Some(false)],
    };
    host.containers.push((Some(false), Some(true), vec![true, false, false], false));
    let mut world = world(&host);
    let prints =
        |world: &World| -> BTreeSet<String> { found(world, true).list.into_iter().map(|p| p.fingerprint).collect() };
    let before = prints(&world);
    world.snapshot.targets[0].components.reverse();
    world.draw();
    assert_eq!(before, prints(&world));
    assert!(!before.is_empty());
}

#[test]
fn the_cheapest_proven_path_is_listed_though_possible_ones_are_cheaper() {
    // Two ways: over a network of which nothing is known, and a longer one that is proven.
    let mut world = World::new();
    for (name, icc) in [("n0", Value::unknown("it was not read")), ("n1", true.into()), ("n2", true.into())] {
        world.add("docker.network", name, &[("icc", icc)]);
    }
    let a = world.container("a", "image", &["n0", "n1"]);
    world.container("b", "image", &["n1", "n2"]);
    let c = world.container("c", "image", &["n0", "n2"]);
    world.set(a, "privileged", Value::unknown("it was not read"));
    world.set(c, "privileged", true);
    world.set(c, "no_new_privileges", false);
    world.draw();
    let limits = Limits { of_pair: 2, ..Limits::default() };
    let paths = world.with_audit(|audit| paths_within(audit, &world.diagram, &steps(), limits));
    let to_root = |p: &&seaworthy_core::step::Path| {
        p.to.capability().name == "host-root" && world.diagram.elements[p.from.element].name == "a"
    };
    let certainties: Vec<(bool, u32)> =
        paths.list.iter().filter(to_root).map(|p| (p.certainty.is_proven(), p.effort)).collect();
    assert_eq!(certainties, [(false, 9), (true, 16)]);
}

#[test]
fn thousands_on_one_network_and_hundreds_of_kinds_stay_bounded() {
    let mut world = World::new();
    for name in ["n0", "n1", "n2"] {
        world.add("docker.network", name, &[("icc", true.into())]);
    }
    for i in 0..5000 {
        let c = world.container(&format!("c{i}"), "image", &["n0", "n1", "n2"]);
        world.set(c, "privileged", i % 2 == 0);
        world.set(c, "no_new_privileges", i % 3 == 0);
    }
    world.draw();
    let paths = world.with_audit(|audit| super::paths(audit, &world.diagram, &steps()));
    let classes: BTreeSet<usize> = paths.class_of.iter().copied().collect();
    assert!(classes.len() < 20, "{}", classes.len());
    // Not collapsed, so that each is its own kind, on three networks at once.
    let mut dense = World::new();
    for name in ["n0", "n1", "n2"] {
        dense.add("docker.network", name, &[("icc", true.into())]);
    }
    for i in 0..300 {
        let c = dense.container(&format!("c{i}"), "image", &["n0", "n1", "n2"]);
        dense.set(c, "privileged", i % 2 == 0);
        dense.set(c, "no_new_privileges", false);
    }
    dense.draw();
    let limits = Limits { collapse: false, ..Limits::default() };
    let paths = dense.with_audit(|audit| paths_within(audit, &dense.diagram, &steps(), limits));
    assert_eq!(paths.list.len(), limits.listed);
    let from_each: BTreeSet<State> =
        paths.list.iter().filter(|p| p.to.capability().name == "host-root").map(|p| p.from).collect();
    assert_eq!(from_each.len(), 300, "the dearest jewel is listed from every entry");
    assert!(paths.unlisted > 0 && !paths.more.is_empty());
}
