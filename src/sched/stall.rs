//! Which jobs can never go on: cycles of nodes that wait for each other.
//!
//! A body that calls its own job again with equal arguments makes one: the inner call collapses
//! onto the outer, which waits for it.

use super::job::{Kind, NodeId, State};
use super::machine::Machine;

/// The waits between unfinished nodes, numbered densely, in both directions.
struct Waits {
    ids: Vec<NodeId>,
    /// `(waited for, who waits)`.
    edges: Vec<(u32, u32)>,
}

impl Machine {
    /// If the host owes nothing: the collapsed jobs in a cycle of waits, in order. Failing one of
    /// them breaks the cycle. (A cycle without a collapsed job, which the host would have to
    /// declare itself, gives its jobs.)
    ///
    /// Some of what the host owes it can't give before other nodes end: `suspended` are such nodes,
    /// running jobs and operations, and `awaiting` are pairs of one and a node that it waits for.
    pub fn stalled(&self, suspended: &[NodeId], awaiting: &[(NodeId, NodeId)]) -> Vec<NodeId> {
        let state = |id: &NodeId| self.arena.nodes.get(id.index()).map(|node| node.state);
        let owed = |id: &&NodeId| state(id).is_some_and(State::owed);
        let open = |id: &NodeId| state(id).is_some_and(|state| !state.ended());
        let mut excused: Vec<NodeId> = suspended.iter().filter(owed).copied().collect();
        excused.sort_unstable();
        excused.dedup();
        if self.owed > excused.len() {
            return Vec::new();
        }
        let held = awaiting.iter().filter(|(id, on)| open(id) && open(on));
        let held: Vec<(NodeId, NodeId)> = held.copied().collect();
        let waits = self.waits(&held);
        let mut alive = vec![true; waits.ids.len()];
        // Drop what waits for nothing in a cycle, then what nothing in a cycle waits for.
        peel(&waits.edges, &mut alive);
        let turned: Vec<(u32, u32)> = waits.edges.iter().map(|(a, b)| (*b, *a)).collect();
        peel(&turned, &mut alive);
        let stuck = || {
            let pairs = waits.ids.iter().zip(&alive);
            pairs.filter(|(_, alive)| **alive).map(|(id, _)| *id)
        };
        let collapsed = |id: &NodeId| self.arena.node(*id).state == State::Collapsed;
        let found: Vec<NodeId> = stuck().filter(collapsed).collect();
        if !found.is_empty() {
            return found;
        }
        let job = |id: &NodeId| self.arena.node(*id).kind == Kind::Job;
        stuck().filter(job).collect()
    }

    fn waits(&self, held: &[(NodeId, NodeId)]) -> Waits {
        let mut number = vec![u32::MAX; self.arena.nodes.len()];
        let mut ids = Vec::new();
        for (index, node) in self.arena.nodes.iter().enumerate() {
            if !node.state.ended() {
                number[index] = ids.len() as u32;
                ids.push(NodeId(index as u32));
            }
        }
        let mut edges = Vec::new();
        for (dep, id) in ids.iter().enumerate() {
            for (waiter, epoch) in &self.arena.live(*id).waiters {
                if self.valid((*waiter, *epoch)) {
                    edges.push((dep as u32, number[waiter.index()]));
                }
            }
        }
        let awaited = |(job, on): &(NodeId, NodeId)| (number[on.index()], number[job.index()]);
        edges.extend(held.iter().map(awaited));
        Waits { ids, edges }
    }
}

/// Drops nodes that no live node leads to, again and again: what stays is on a cycle or behind one.
fn peel(edges: &[(u32, u32)], alive: &mut [bool]) {
    let mut incoming = vec![0_u32; alive.len()];
    let mut start = vec![0_u32; alive.len() + 1];
    for (from, to) in edges {
        start[*from as usize + 1] += 1;
        if alive[*from as usize] {
            incoming[*to as usize] += 1;
        }
    }
    for index in 1..start.len() {
        start[index] += start[index - 1];
    }
    let mut targets = vec![0_u32; edges.len()];
    let mut next = start.clone();
    for (from, to) in edges {
        targets[next[*from as usize] as usize] = *to;
        next[*from as usize] += 1;
    }
    let open = |node: &u32| alive[*node as usize] && incoming[*node as usize] == 0;
    let mut work: Vec<u32> = (0..alive.len() as u32).filter(open).collect();
    while let Some(node) = work.pop() {
        alive[node as usize] = false;
        let (first, last) = (start[node as usize], start[node as usize + 1]);
        for target in &targets[first as usize..last as usize] {
            incoming[*target as usize] -= 1;
            if alive[*target as usize] && incoming[*target as usize] == 0 {
                work.push(*target);
            }
        }
    }
}
