//! What some records own and the target lacks, in an order that puts owned records first.
//!
//! A layered walk: ask the target which of the found records it holds, ask the source what the
//! others own, until nothing new is found.

use rustc_hash::FxHashMap;

use super::id::Id;
use super::known::Known;
use super::outbox::Outbox;
use super::policy;
use super::step::{Edge, Kind, Step};

/// The kinds that closures consist of. Calls are asked about first: they lead to values.
const WALKED: [Kind; 3] = [Kind::Tag, Kind::Call, Kind::Value];

struct Node {
    kind: Kind,
    id: Id,
    /// The target lacks it.
    wanted: bool,
}

#[derive(Default)]
pub struct Closure {
    index: FxHashMap<(Kind, Id), u32>,
    nodes: Vec<Node>,
    edges: Vec<(u32, u32)>,
    /// Found, and the target was not asked yet; by kind.
    unasked: [Vec<u32>; WALKED.len()],
    /// To be asked for what they own; by kind.
    unexpanded: [Vec<u32>; WALKED.len()],
    asked: Vec<u32>,
}

impl Closure {
    /// Adds a root. Kinds without closures, executions and jobs, are left to others.
    pub fn add(&mut self, kind: Kind, id: Id, known: &Known) {
        if !known.contains(kind, &id) {
            self.node(kind, id);
        }
    }

    pub fn is_active(&self) -> bool {
        !self.nodes.is_empty()
    }

    fn node(&mut self, kind: Kind, id: Id) -> Option<u32> {
        let slot = WALKED.iter().position(|&walked| walked == kind)?;
        if let Some(&node) = self.index.get(&(kind, id.clone())) {
            return Some(node);
        }
        let node = u32::try_from(self.nodes.len()).expect("fewer than 2^32 records in a closure");
        self.index.insert((kind, id.clone()), node);
        let wanted = false;
        self.nodes.push(Node { kind, id, wanted });
        self.unasked[slot].push(node);
        Some(node)
    }

    /// The next question; none if the closure is complete, which is then put into the outbox.
    pub fn step(&mut self, batch: usize, known: &mut Known, outbox: &mut Outbox) -> Option<Step> {
        for (slot, kind) in WALKED.into_iter().enumerate() {
            if known.is_complete() {
                self.want_unasked(slot);
            }
            if !self.unexpanded[slot].is_empty() {
                self.asked = take(&mut self.unexpanded[slot], batch);
                return Some(Step::Children(kind, self.asked_ids()));
            }
            if !self.unasked[slot].is_empty() {
                self.asked = take(&mut self.unasked[slot], batch);
                return Some(Step::Has(kind, self.asked_ids()));
            }
        }
        self.finish(known, outbox);
        None
    }

    /// The target lacks all that is not known to be held.
    fn want_unasked(&mut self, slot: usize) {
        for node in self.unasked[slot].drain(..) {
            self.nodes[node as usize].wanted = true;
            self.unexpanded[slot].push(node);
        }
    }

    fn asked_ids(&self) -> Vec<Id> {
        let id = |&node: &u32| self.nodes[node as usize].id.clone();
        self.asked.iter().map(id).collect()
    }

    /// Answer to `Has`; `deep` looks below what is held, too.
    pub fn feed_ids(&mut self, held: Vec<Id>, deep: bool, known: &mut Known) {
        let asked = std::mem::take(&mut self.asked);
        let Some(&first) = asked.first() else { return };
        let kind = self.nodes[first as usize].kind;
        let slot = slot_of(kind);
        let mut lacking = vec![true; asked.len()];
        let places: FxHashMap<&Id, usize> = asked
            .iter()
            .enumerate()
            .map(|(place, &node)| (&self.nodes[node as usize].id, place))
            .collect();
        for id in &held {
            if let Some(&place) = places.get(id) {
                lacking[place] = false;
            }
        }
        drop(places);
        for (node, lacking) in asked.into_iter().zip(lacking) {
            self.nodes[node as usize].wanted = lacking;
            if !lacking {
                known.insert(kind, self.nodes[node as usize].id.clone());
            }
            if lacking || deep {
                self.unexpanded[slot].push(node);
            }
        }
    }

    /// Part of the answer to `Children`.
    pub fn feed_edges(&mut self, edges: Vec<Edge>, known: &Known) {
        let Some(&first) = self.asked.first() else {
            return;
        };
        let parent_kind = self.nodes[first as usize].kind;
        for edge in edges {
            if !policy::owns(parent_kind, edge.kind) || known.contains(edge.kind, &edge.child) {
                continue;
            }
            let Some(&parent) = self.index.get(&(parent_kind, edge.parent)) else {
                continue;
            };
            if let Some(child) = self.node(edge.kind, edge.child) {
                self.edges.push((parent, child));
            }
        }
    }

    /// Puts what the target lacks into the outbox, owned records first, and starts anew.
    fn finish(&mut self, known: &mut Known, outbox: &mut Outbox) {
        let order = postorder(self.nodes.len(), &self.edges);
        let done = std::mem::take(self);
        // Values own values only, so they may all go before the calls.
        for kind in [Kind::Value, Kind::Call, Kind::Tag] {
            for &node in &order {
                let node = &done.nodes[node as usize];
                if node.kind == kind && node.wanted {
                    outbox.push(kind, false, node.id.clone());
                    known.insert(kind, node.id.clone());
                }
            }
        }
    }
}

fn slot_of(kind: Kind) -> usize {
    let slot = WALKED.iter().position(|&walked| walked == kind);
    slot.expect("only walked kinds become nodes")
}

fn take(list: &mut Vec<u32>, count: usize) -> Vec<u32> {
    list.split_off(list.len().saturating_sub(count))
}

/// All nodes, each after those its edges lead to. Edges that close a cycle are ignored.
fn postorder(count: usize, edges: &[(u32, u32)]) -> Vec<u32> {
    // Children of each node, one after the other: `children[starts[n]..starts[n + 1]]`.
    let mut starts = vec![0_usize; count + 1];
    for &(parent, _) in edges {
        starts[parent as usize + 1] += 1;
    }
    for node in 0..count {
        starts[node + 1] += starts[node];
    }
    let mut children = vec![0_u32; edges.len()];
    let mut next = starts.clone();
    for &(parent, child) in edges {
        children[next[parent as usize]] = child;
        next[parent as usize] += 1;
    }
    let mut next = starts.clone();
    let mut seen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    let mut path: Vec<u32> = Vec::new();
    for (root, _) in (0_u32..).zip(0..count) {
        if seen[root as usize] {
            continue;
        }
        seen[root as usize] = true;
        path.push(root);
        while let Some(&node) = path.last() {
            let at = node as usize;
            if next[at] == starts[at + 1] {
                order.push(node);
                path.pop();
                continue;
            }
            let child = children[next[at]];
            next[at] += 1;
            if !std::mem::replace(&mut seen[child as usize], true) {
                path.push(child);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_nodes_come_first_and_cycles_end() {
        let order = postorder(5, &[(0, 1), (1, 2), (0, 2), (3, 4), (4, 3)]);
        assert_eq!(order, [2, 1, 0, 4, 3]);
    }

    #[test]
    fn a_long_chain_does_not_recurse() {
        let count = 300_000;
        let edges: Vec<(u32, u32)> = (0..count - 1).map(|node| (node, node + 1)).collect();
        let order = postorder(count as usize, &edges);
        assert_eq!(order[0], count - 1);
        assert_eq!(order.len(), count as usize);
    }
}
