//! Equal jobs of a run: which job stands for an evaluation key.
//!
//! A key has one slot. The unfinished reusable jobs of a key that are being looked up or computed
//! form a ring, in the order in which they came; the first of them holds the slot. When it ends the
//! next one does; the last of the ring keeps the slot, being the one that ended last. A ring
//! of one is the rule: only jobs that may not join others make it longer.

use std::hash::Hasher as _;

use hashbrown::hash_table::Entry;
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};

use super::job::{Arena, ContextId, Node, NodeId, REUSABLE};
use crate::digest::Digest;

/// Table of evaluation keys; the keys themselves are in the nodes.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    slots: HashTable<NodeId>,
    contexts: FxHashMap<Digest, ContextId>,
}

fn hash(eval: &Digest, context: ContextId) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(eval.as_bytes());
    hasher.write_u32(context.0);
    hasher.finish()
}

fn hash_node(nodes: &[Node], id: NodeId) -> u64 {
    let node = &nodes[id.index()];
    hash(&node.eval, node.context)
}

/// Makes two jobs neighbours in their ring.
fn link(arena: &mut Arena, before: NodeId, after: NodeId) {
    arena.live_mut(before).equal_after = after;
    arena.live_mut(after).equal_before = before;
}

impl Dedup {
    /// Interns a context hash.
    pub fn context(&mut self, context: Option<Digest>) -> ContextId {
        let Some(digest) = context else {
            return ContextId::NONE;
        };
        let next = ContextId(self.contexts.len() as u32);
        *self.contexts.entry(digest).or_insert(next)
    }

    /// The job that stands for a key.
    pub fn holder(&self, nodes: &[Node], eval: &Digest, context: ContextId) -> Option<NodeId> {
        let found = self.slots.find(hash(eval, context), |id| {
            let node = &nodes[id.index()];
            node.eval == *eval && node.context == context
        });
        found.copied()
    }

    /// Gives the slot of its key to a job, unless one holds it that has not ended: that is returned.
    pub fn take(&mut self, nodes: &[Node], id: NodeId) -> Option<NodeId> {
        let node = &nodes[id.index()];
        let same = |other: &NodeId| {
            let other = &nodes[other.index()];
            other.eval == node.eval && other.context == node.context
        };
        let code = hash(&node.eval, node.context);
        match self
            .slots
            .entry(code, same, |other| hash_node(nodes, *other))
        {
            Entry::Occupied(mut slot) => {
                let holder = *slot.get();
                if !nodes[holder.index()].state.ended() {
                    return Some(holder);
                }
                *slot.get_mut() = id;
            }
            Entry::Vacant(slot) => {
                slot.insert(id);
            }
        }
        None
    }

    /// A job begins to be looked up or computed: from now on others may join it.
    pub fn enter(&mut self, arena: &mut Arena, id: NodeId) {
        if !arena.node(id).has(REUSABLE) {
            return;
        }
        let first = self.take(&arena.nodes, id).unwrap_or(id);
        if first == id {
            link(arena, id, id);
        } else {
            link(arena, arena.live(first).equal_before, id);
            link(arena, id, first);
        }
    }

    /// A job is about to end with an outcome of its own: from now on it may be replayed.
    pub fn leave(&mut self, arena: &mut Arena, id: NodeId) {
        if !arena.node(id).has(REUSABLE) {
            return;
        }
        let live = arena.live(id);
        let (before, after) = (live.equal_before, live.equal_after);
        if after == NodeId::NONE {
            self.take(&arena.nodes, id);
        } else if after != id {
            link(arena, before, after);
            let code = hash_node(&arena.nodes, id);
            if let Some(holder) = self.slots.find_mut(code, |other| *other == id) {
                *holder = after;
            }
        }
    }

    /// Empties every slot.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// Every holder.
    pub fn holders(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.slots.iter().copied()
    }

    /// Bytes held, roughly.
    pub fn footprint(&self) -> usize {
        self.slots.allocation_size()
            + self.contexts.capacity() * (size_of::<(Digest, ContextId)>() + 1)
    }
}
