//! Steps over a partition of the elements: the graph of what can be reached, and nothing else.

use std::collections::HashMap;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::step::{CAPABILITIES, Step};

use super::classes::Classes;
use super::graph::{Edge, Graph};
use super::ground::{Ground, Tri};

/// A capability, by position, at a class of elements.
pub(super) type Node = (usize, usize);

/// The graph with what its parts mean.
pub(super) struct Built {
    pub(super) graph: Graph,
    /// By node of the graph.
    pub(super) nodes: Vec<Node>,
    /// By edge: the step, and the flow.
    pub(super) taken: Vec<(usize, Option<usize>)>,
    numbers: HashMap<Node, u32>,
}

impl Built {
    /// The node of a capability at a class, if it was reached.
    pub(super) fn number(&self, node: Node) -> Option<u32> {
        self.numbers.get(&node).copied()
    }

    fn intern(&mut self, node: Node) -> u32 {
        if let Some(number) = self.number(node) {
            return number;
        }
        let number = self.graph.node();
        self.nodes.push(node);
        self.numbers.insert(node, number);
        number
    }
}

/// The steps by the capability that they start from, with positions for names.
pub(super) struct Rules {
    from: Vec<Vec<Rule>>,
}

struct Rule {
    step: usize,
    to: usize,
    over: Option<FlowKind>,
}

impl Rules {
    pub(super) fn new(steps: &[Step]) -> Self {
        let position = |name: &str| CAPABILITIES.iter().position(|c| c.name == name);
        let mut from: Vec<Vec<Rule>> = CAPABILITIES.iter().map(|_| Vec::new()).collect();
        for (i, step) in steps.iter().enumerate() {
            if let (Some(start), Some(to)) = (position(&step.from), position(&step.to)) {
                from[start].push(Rule { step: i, to, over: step.over });
            }
        }
        Self { from }
    }
}

/// Where a step leads: the element, the flow, and whether every fact is known.
struct Landing {
    element: usize,
    flow: Option<usize>,
    proven: bool,
}

/// Everything that can be reached from some nodes, each step taken once from each node at which it starts.
pub(super) fn build(ground: &Ground<'_>, rules: &Rules, classes: &Classes, starts: &[Node]) -> Built {
    let mut built = Built { graph: Graph::default(), nodes: Vec::new(), taken: Vec::new(), numbers: HashMap::new() };
    starts.iter().for_each(|start| {
        built.intern(*start);
    });
    let mut best: HashMap<usize, Landing> = HashMap::new();
    let mut next = 0;
    while next < built.nodes.len() {
        let (held, class) = built.nodes[next];
        let element = classes.first(class);
        for rule in &rules.from[held] {
            let base = ground.when(rule.step, element).min(ground.runs(element));
            if base == Tri::No {
                continue;
            }
            for landing in landings(ground, rule, element) {
                let proven = landing.proven && base == Tri::Yes && certain(ground, element);
                let to = classes.of(landing.element);
                if (rule.to, to) == (held, class) {
                    continue;
                }
                let landing = Landing { proven, ..landing };
                let first = classes.first(to);
                let rank = |l: &Landing| (!l.proven, l.element != first, l.flow);
                let better = best.get(&to).is_none_or(|b| rank(&landing) < rank(b));
                if better {
                    best.insert(to, landing);
                }
            }
            let mut found: Vec<(usize, Landing)> = best.drain().collect();
            found.sort_unstable_by_key(|(to, _)| *to);
            for (to, landing) in found {
                let to = built.intern((rule.to, to));
                let step = &ground.steps[rule.step];
                let (effort, assumes) = (step.effort.max(1), step.assumes.is_some());
                built.graph.edge(Edge { from: next as u32, to, effort, proven: landing.proven, assumes });
                built.taken.push((rule.step, landing.flow));
            }
        }
        next += 1;
    }
    built
}

fn certain(ground: &Ground<'_>, element: usize) -> bool {
    ground.diagram.elements[element].certainty.is_proven()
}

fn landings(ground: &Ground<'_>, rule: &Rule, element: usize) -> Vec<Landing> {
    let land = |to: usize, flow: Option<usize>, base: Tri, there: bool| {
        if ground.is_cut(rule.step, element, to, flow) {
            return None;
        }
        let answer = ground.at(rule.step, to).min(base);
        let proven = answer == Tri::Yes && there && certain(ground, to);
        (answer != Tri::No).then_some(Landing { element: to, flow, proven })
    };
    let elements = &ground.diagram.elements;
    let gained = &CAPABILITIES[rule.to];
    let Some(kind) = rule.over else {
        if gained.is_at(elements[element].kind) {
            return land(element, None, Tri::Yes, true).into_iter().collect();
        }
        let of_kind = |kind| ground.of_kind.get(&(elements[element].target, kind)).map_or(&[][..], Vec::as_slice);
        let others = of_kind(gained.about).iter().chain(gained.also.map_or(&[][..], of_kind));
        return others.filter_map(|to| land(*to, None, Tri::Yes, true)).collect();
    };
    if let Some(others) = ground.beside(ground.steps[rule.step].through, element) {
        return others.into_iter().filter_map(|(to, truth)| land(to, None, truth, true)).collect();
    }
    let over = ground.flows_at[element].iter().filter_map(|i| {
        let flow = &ground.diagram.flows[*i];
        let far = if flow.from == element { flow.to } else { flow.from };
        let backwards = kind.one_way() && flow.from != element;
        if flow.kind != kind || far == element || backwards || !gained.is_at(elements[far].kind) {
            return None;
        }
        let step = &ground.steps[rule.step];
        if !step.powers.is_empty() && !step.powers.iter().any(|power| power == flow.power()) {
            return None;
        }
        let through = ground.through(step.through, flow, element);
        land(far, Some(*i), through, flow.certainty.is_proven())
    });
    over.collect()
}

/// Whether attackers can begin at a node, and if so whether surely: code runs only in what runs.
pub(super) fn begins(ground: &Ground<'_>, capability: usize, element: usize) -> bool {
    let held = &CAPABILITIES[capability];
    held.entry && held.is_at(ground.diagram.elements[element].kind) && ground.runs(element) != Tri::No
}
