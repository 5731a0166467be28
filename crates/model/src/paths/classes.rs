//! Equal elements as one: the coarsest partition in which members of a class look alike and have flows of the same
//! kinds to the same classes.
//!
//! What one member can do, every member can do, and what is done to one can be done to each: a path over classes is a
//! path over members of them, and the other way round. Only from a member to another of its own class the partition
//! says too little; there the first member is taken out into a class of its own and the rest refined anew.

use std::collections::HashMap;

/// What an element sees along its flows: for each a label and the element at the other end.
pub(crate) type Arcs = Vec<Vec<(u32, u32)>>;

/// A partition of elements.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    /// By element.
    of: Vec<u32>,
    /// By class: its elements, ascending.
    members: Vec<Vec<u32>>,
}

impl Classes {
    /// Every element by itself.
    pub(crate) fn alone(count: usize) -> Self {
        let all = 0..count as u32;
        Self { of: all.clone().collect(), members: all.map(|i| vec![i]).collect() }
    }

    /// The coarsest partition that tells apart elements of different colours and of different arcs.
    pub(crate) fn new(colours: &[u32], arcs: &Arcs) -> Self {
        let mut ids: HashMap<u32, u32> = HashMap::new();
        let mut classes = Self { of: Vec::with_capacity(colours.len()), members: Vec::new() };
        for (i, colour) in colours.iter().enumerate() {
            let class = *ids.entry(*colour).or_insert(classes.members.len() as u32);
            if class as usize == classes.members.len() {
                classes.members.push(Vec::new());
            }
            classes.of.push(class);
            classes.members[class as usize].push(i as u32);
        }
        let everything = (0..colours.len() as u32).collect();
        classes.refine(arcs, everything);
        classes
    }

    /// The class of an element.
    pub(crate) fn of(&self, element: usize) -> usize {
        self.of[element] as usize
    }

    /// The elements of a class, ascending.
    pub(crate) fn members(&self, class: usize) -> &[u32] {
        &self.members[class]
    }

    /// The first element of a class.
    pub(crate) fn first(&self, class: usize) -> usize {
        self.members[class][0] as usize
    }

    /// How many classes there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The same with one element in a class of its own, and everything that this tells apart.
    pub(crate) fn single_out(&self, element: usize, arcs: &Arcs) -> Self {
        let mut out = self.clone();
        if out.members[out.of(element)].len() > 1 {
            out.part(element as u32, self.len() as u32);
            out.members.push(vec![element as u32]);
            out.refine(arcs, around(arcs, &[element as u32]));
        }
        out
    }

    fn part(&mut self, element: u32, class: u32) {
        let old = std::mem::replace(&mut self.of[element as usize], class);
        self.members[old as usize].retain(|m| *m != element);
    }

    /// Splits until members of a class have equal arcs. `changed` are the elements whose arcs may have; the others of a
    /// class are equal among themselves.
    fn refine(&mut self, arcs: &Arcs, mut changed: Vec<u32>) {
        let mut is_changed = vec![false; self.of.len()];
        while !changed.is_empty() {
            let mut touched: Vec<u32> = changed.iter().map(|e| self.of[*e as usize]).collect();
            touched.sort_unstable();
            touched.dedup();
            for e in &changed {
                is_changed[*e as usize] = true;
            }
            // Against the partition as it stands: splits of this round show in the next.
            let before = self.of.clone();
            let mut moved = Vec::new();
            for class in touched {
                self.split(class, arcs, &before, &is_changed, &mut moved);
            }
            for e in &changed {
                is_changed[*e as usize] = false;
            }
            changed = around(arcs, &moved);
        }
    }

    fn split(&mut self, class: u32, arcs: &Arcs, before: &[u32], is_changed: &[bool], moved: &mut Vec<u32>) {
        let members = std::mem::take(&mut self.members[class as usize]);
        if members.len() == 1 {
            self.members[class as usize] = members;
            return;
        }
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut known: HashMap<Vec<(u32, u32)>, usize> = HashMap::new();
        let mut unchanged: Option<usize> = None;
        for member in members {
            let group = match unchanged {
                Some(group) if !is_changed[member as usize] => group,
                _ => {
                    let seen = signature(&arcs[member as usize], before);
                    let group = *known.entry(seen).or_insert(groups.len());
                    if group == groups.len() {
                        groups.push(Vec::new());
                    }
                    if !is_changed[member as usize] {
                        unchanged = Some(group);
                    }
                    group
                }
            };
            groups[group].push(member);
        }
        // The largest keeps the number, so that the fewest neighbours have to be looked at again.
        let largest = (0..groups.len()).max_by_key(|i| (groups[*i].len(), usize::MAX - i)).unwrap_or_default();
        for (i, group) in groups.into_iter().enumerate() {
            if i == largest {
                self.members[class as usize] = group;
                continue;
            }
            for member in &group {
                self.of[*member as usize] = self.members.len() as u32;
            }
            moved.extend(&group);
            self.members.push(group);
        }
    }
}

fn signature(arcs: &[(u32, u32)], classes: &[u32]) -> Vec<(u32, u32)> {
    let mut seen: Vec<(u32, u32)> = arcs.iter().map(|(label, other)| (*label, classes[*other as usize])).collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

fn around(arcs: &Arcs, elements: &[u32]) -> Vec<u32> {
    let mut out: Vec<u32> = elements.iter().flat_map(|e| arcs[*e as usize].iter().map(|(_, other)| *other)).collect();
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Undirected arcs with one label.
    fn arcs(count: usize, pairs: &[(u32, u32)]) -> Arcs {
        let mut out: Arcs = vec![Vec::new(); count];
        for (a, b) in pairs {
            out[*a as usize].push((0, *b));
            out[*b as usize].push((0, *a));
        }
        out
    }

    #[test]
    fn thousands_on_one_network_are_one_class_and_an_odd_one_is_not() {
        let mut pairs: Vec<(u32, u32)> = (1..5000).map(|i| (0, i)).collect();
        pairs.push((7, 5000));
        let colours: Vec<u32> = (0..5001).map(|i| u32::from(i == 0) + 2 * u32::from(i == 5000)).collect();
        let classes = Classes::new(&colours, &arcs(5001, &pairs));
        assert_eq!(classes.len(), 4);
        assert_eq!(classes.members(classes.of(1)).len(), 4998);
        assert_eq!(classes.members(classes.of(7)), [7]);
    }

    #[test]
    fn what_one_end_of_a_chain_is_goes_down_the_whole_of_it() {
        let pairs: Vec<(u32, u32)> = (0..2000).map(|i| (i, i + 1)).collect();
        let alike = Classes::new(&vec![0; 2001], &arcs(2001, &pairs));
        assert_eq!(alike.len(), 1, "each sees its like, however many");
        let mut colours = vec![0; 2001];
        colours[0] = 1;
        let classes = Classes::new(&colours, &arcs(2001, &pairs));
        assert_eq!(classes.len(), 2001);
    }

    #[test]
    fn singling_one_out_tells_its_partner_from_strangers() {
        // Four containers in two pairs, each pair with a volume of its own.
        let shared = arcs(6, &[(0, 4), (1, 4), (2, 5), (3, 5)]);
        let classes = Classes::new(&[0, 0, 0, 0, 1, 1], &shared);
        assert_eq!(classes.len(), 2);
        let apart = classes.single_out(0, &shared);
        assert_eq!(apart.members(apart.of(0)), [0]);
        assert_eq!(apart.members(apart.of(1)), [1]);
        assert_eq!(apart.members(apart.of(2)), [2, 3]);
        assert_ne!(apart.of(4), apart.of(5));
    }
}
