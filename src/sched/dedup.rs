//! Equal jobs of a run: which job stands for an evaluation key.
//!
//! A key has one slot. A reusable job takes it when it begins to be computed or looked up, unless
//! an unfinished job holds it, and again, by the same rule, when it ends: so an unfinished holder
//! is the one to join, a finished holder is the newest one to replay.

use std::hash::Hasher as _;

use hashbrown::hash_table::Entry;
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};

use super::job::{ContextId, Node, NodeId};
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

    /// Gives the slot of its key to a job, unless another job holds it that has not ended; tells
    /// whether it did.
    pub fn claim(&mut self, nodes: &[Node], id: NodeId) -> bool {
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
                let free = nodes[slot.get().index()].state.ended();
                if free {
                    *slot.get_mut() = id;
                }
                free
            }
            Entry::Vacant(slot) => {
                slot.insert(id);
                true
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
