//! What a job leaves behind: the hash of its call, its children, the tasks of its subtree.

use super::action::Outcome;
use super::event::ResultHash;
use super::job::{Node, NodeId, SetId, CALLED, GIVEN, MIRROR, PREPARED};
use super::machine::Machine;
use crate::codec::Encoder;
use crate::digest::Digest;
use crate::hash::digest_bytes;

impl Machine {
    /// The outcome of a job that is about to end with this result or error.
    pub(super) fn outcome(&mut self, id: NodeId, result: &ResultHash) -> Outcome {
        let node = self.arena.node(id);
        let (task, flags) = (node.task, node.flags);
        self.scratch.below.clear();
        if let Some(extra) = self.arena.live(id).extra.some() {
            self.scratch.below.push(extra);
        }
        let (mut call, mut children) = (None, None);
        if flags & GIVEN != 0 {
            call = Some(node.call);
            if let Some(below) = self.replayed_subtree(node) {
                self.scratch.below.push(below);
            }
        } else if flags & PREPARED != 0 {
            children = self.collect_children(id);
            call = Some(self.hash_call(id, result));
        }
        Outcome {
            id,
            call,
            subtree: self.subtrees.join(task, &self.scratch.below),
            children,
        }
    }

    /// The subtree of the call that a job replays, if that is the call it was given.
    fn replayed_subtree(&self, node: &Node) -> Option<SetId> {
        let twin = self.arena.node(node.twin.some()?);
        (twin.has(CALLED) && twin.call == node.call).then_some(twin.subtree)
    }

    /// The children that have ended with a call: their ids in order; hashes and subtrees go to the
    /// work space.
    fn collect_children(&mut self, id: NodeId) -> Option<Vec<NodeId>> {
        let scratch = &mut self.scratch;
        scratch.calls.clear();
        let mut children = Vec::new();
        for child in self.arena.children(id) {
            let node = self.arena.node(child);
            if node.state.ended() && node.has(CALLED) {
                children.push(if node.has(MIRROR) { node.twin } else { child });
                scratch.calls.push(node.call);
                scratch.below.push(node.subtree);
            }
        }
        (!children.is_empty()).then_some(children)
    }

    /// `H(["CallNode", task hash, arguments hash, result hash, sorted hashes of the children's
    /// calls])`.
    fn hash_call(&mut self, id: NodeId, result: &ResultHash) -> Digest {
        let task = &self.tasks.hashes[self.arena.node(id).task.index()];
        let args = self.arena.live(id).args;
        let scratch = &mut self.scratch;
        // Digests sort as their text does.
        scratch.calls.sort_unstable();
        scratch.bytes.clear();
        let mut encoder = Encoder::new(&mut scratch.bytes);
        encoder.begin_list();
        encoder.bytes(b"CallNode");
        encoder.bytes(task.as_bytes());
        encoder.bytes(args.to_hex().as_str().as_bytes());
        match result {
            ResultHash::Digest(digest) => encoder.bytes(digest.to_hex().as_str().as_bytes()),
            ResultHash::Text(text) => encoder.bytes(text.as_bytes()),
        }
        encoder.begin_list();
        for call in &scratch.calls {
            encoder.bytes(call.to_hex().as_str().as_bytes());
        }
        encoder.end();
        encoder.end();
        digest_bytes(self.scheme, &scratch.bytes)
    }
}
