//! Checks and histories: `validate` derives every index again from first principles, `Trace`
//! remembers stories.

use std::fmt::Debug;

use super::job::{
    Arena, Counts, Kind, Live, Node, NodeId, SetId, State, Waiter, CALLED, MIRROR, REUSABLE,
};
use super::machine::Machine;
use crate::error::{Error, Result};

type Check = std::result::Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

impl Machine {
    /// Derives every index and counter again and compares.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] with the first difference.
    pub fn validate(&self) -> Result<()> {
        let checks = [
            Self::audit_arena,
            Self::audit_counters,
            Self::audit_waits,
            Self::audit_children,
            Self::audit_limits,
            Self::audit_slots,
        ];
        let mut found = checks.iter().map(|check| check(self));
        found
            .find(std::result::Result::is_err)
            .unwrap_or_else(|| self.subtrees.audit())
            .map_err(|reason| Error::Inconsistent { reason })
    }

    /// Whether an entry of a waiters list belongs to the present wait of its node.
    pub(super) fn valid(&self, (id, epoch): Waiter) -> bool {
        !self.arena.node(id).state.ended() && self.arena.live(id).epoch == epoch
    }

    fn each(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let nodes = self.arena.nodes.iter().enumerate();
        nodes.map(|(index, node)| (NodeId(index as u32), node))
    }

    fn audit_arena(&self) -> Check {
        let mut used = 0;
        for (id, node) in self.each() {
            let number = id.0;
            if node.state.ended() {
                ensure!(
                    node.live == u32::MAX,
                    "ended node {number} keeps its live part"
                );
            } else {
                used += 1;
                let live = self.arena.live.get(node.live as usize);
                ensure!(
                    live.is_some_and(|live| live.owner == id),
                    "the live part of node {number} belongs to another"
                );
            }
            let called = node.state == State::Done && node.kind == Kind::Job;
            ensure!(
                !called || node.has(CALLED) && node.subtree != SetId::NONE,
                "job {number} is done without a call"
            );
        }
        let slots = self.arena.live.len();
        ensure!(
            used + self.arena.free.len() == slots,
            "{used} live parts in use, {} free, {slots} in all",
            self.arena.free.len()
        );
        ensure!(self.work.is_empty(), "somebody was not told of an end");
        Ok(())
    }

    fn audit_counters(&self) -> Check {
        let owed = self.each().filter(|(_, node)| node.state.owed()).count();
        ensure!(
            owed == self.owed,
            "{owed} open questions, the counter says {}",
            self.owed
        );
        let mut counts = vec![Counts::default(); self.tasks.counts.len()];
        for (_, node) in self.each().filter(|(_, node)| node.kind == Kind::Job) {
            counts[node.task.index()][node.bucket() as usize] += 1;
        }
        ensure!(
            counts == self.tasks.counts,
            "the jobs give {counts:?}, the status table says {:?}",
            self.tasks.counts
        );
        Ok(())
    }

    fn audit_waits(&self) -> Check {
        let mut unmet = vec![0; self.arena.nodes.len()];
        for (id, node) in self.each().filter(|(_, node)| !node.state.ended()) {
            debug_assert_eq!(self.arena.live[node.live as usize].owner, id);
            for waiter in &self.arena.live(id).waiters {
                if self.valid(*waiter) {
                    unmet[waiter.0.index()] += 1;
                    let twin = self.arena.node(waiter.0);
                    ensure!(
                        twin.state != State::Collapsed || twin.twin == id,
                        "collapsed job {} waits for node {} and not for its twin",
                        waiter.0 .0,
                        id.0
                    );
                }
            }
        }
        for (id, node) in self.each().filter(|(_, node)| !node.state.ended()) {
            let waiting = matches!(
                node.state,
                State::Waiting | State::Holding | State::Collapsed
            );
            let (said, found) = (self.arena.live(id).unmet, unmet[id.index()]);
            ensure!(
                if waiting {
                    said > 0 && said == found
                } else {
                    found == 0
                },
                "{} node {} waits for {found} nodes, its counter says {said}",
                node.state.name(),
                id.0
            );
        }
        Ok(())
    }

    fn audit_children(&self) -> Check {
        let mut lists: Vec<Vec<NodeId>> = vec![Vec::new(); self.arena.nodes.len()];
        for (id, node) in self.each().filter(|(_, node)| node.kind == Kind::Job) {
            if let Some(scope) = node.scope.some() {
                lists[scope.index()].push(id);
            }
        }
        for (id, _) in self.each().filter(|(_, node)| !node.state.ended()) {
            let list = &lists[id.index()];
            ensure!(
                self.arena.children(id).eq(list.iter().copied())
                    && self.arena.live(id).last_child.some() == list.last().copied(),
                "the children of job {} are not those declared in it",
                id.0
            );
        }
        Ok(())
    }

    fn audit_limits(&self) -> Check {
        let in_state = |state: State| {
            let found = self.each().filter(move |(_, node)| node.state == state);
            found.map(|(id, _)| (id, self.arena.live(id).request))
        };
        let holding = in_state(State::Running).map(|(_, request)| request);
        self.limits.audit(holding, in_state(State::Parked))
    }

    fn audit_slots(&self) -> Check {
        let mut ringed = 0;
        for (id, node) in self.each().filter(|(_, node)| node.has(REUSABLE)) {
            let inside = !node.state.ended() && self.arena.live(id).equal_after != NodeId::NONE;
            ringed += usize::from(inside);
            let fits = match node.state {
                State::Collapsed | State::Replaying => !inside,
                State::Checking | State::Parked | State::Overlimit | State::Running => inside,
                _ => true, // with a result: inside after a CHECK or a run, outside after REPLAY
            };
            ensure!(
                fits,
                "{} job {} is in a ring: {inside}",
                node.state.name(),
                id.0
            );
            let ended = matches!(node.state, State::Done | State::Failed) && !node.has(MIRROR);
            let holder = self
                .dedup
                .holder(&self.arena.nodes, &node.eval, node.context);
            ensure!(
                holder.is_some() || !inside && !ended,
                "nobody stands for the key of job {}",
                id.0
            );
        }
        for id in self.dedup.holders() {
            let node = self.arena.node(id);
            ensure!(
                node.has(REUSABLE) && !node.has(MIRROR) && node.state != State::Cancelled,
                "{} job {} stands for a key",
                node.state.name(),
                id.0
            );
            if !node.state.ended() {
                ringed -= self.audit_ring(id)?;
            }
        }
        ensure!(ringed == 0, "{ringed} jobs are in rings without a holder");
        Ok(())
    }

    /// Walks the ring of an unfinished holder; returns how many jobs are in it.
    fn audit_ring(&self, first: NodeId) -> std::result::Result<usize, String> {
        let key = |node: &Node| (node.eval, node.context);
        let wanted = key(self.arena.node(first));
        let (mut id, mut before, mut length) = (first, self.arena.live(first).equal_before, 0);
        loop {
            let node = self.arena.nodes.get(id.index());
            ensure!(
                node.is_some_and(|node| !node.state.ended() && key(node) == wanted),
                "node {} is in the ring of job {}",
                id.0,
                first.0
            );
            let live = self.arena.live(id);
            ensure!(
                live.equal_before == before,
                "job {} has other neighbours than its ring",
                id.0
            );
            (before, id) = (id, live.equal_after);
            length += 1;
            if id == first {
                return Ok(length);
            }
        }
    }
}

impl Arena {
    /// Bytes held, roughly.
    pub fn footprint(&self) -> usize {
        let spilled = |live: &Live| match live.waiters.spilled() {
            true => live.waiters.capacity() * size_of::<Waiter>(),
            false => 0,
        };
        self.nodes.capacity() * size_of::<Node>()
            + self.live.capacity() * size_of::<Live>()
            + self.live.iter().map(spilled).sum::<usize>()
            + self.free.capacity() * size_of::<u32>()
    }
}

/// Everything that happened, in order, by node.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Number of the present batch.
    pub batch: u32,
    lines: Vec<(NodeId, String)>,
}

impl Trace {
    /// Adds an event (a refused one too) or an action.
    pub fn add(&mut self, id: NodeId, what: &impl Debug) {
        let line = format!("batch {}: {what:?}", self.batch);
        self.lines.push((id, line));
    }

    /// The lines of one node.
    pub fn of(&self, id: NodeId) -> Vec<String> {
        let lines = self.lines.iter().filter(|(node, _)| *node == id);
        lines.map(|(_, line)| line.clone()).collect()
    }
}
