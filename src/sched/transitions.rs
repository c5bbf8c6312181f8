//! What each event does to a job: one small function for each. Everything is checked before
//! anything is changed.

use super::action::Action;
use super::event::{Preparation, ResultHash, FLAG_CSE, FLAG_LOOKUP, FLAG_REUSABLE};
use super::job::{
    Bucket, Kind, NodeId, RequestId, SetId, State, TaskId, CACHED, CALLED, GIVEN, MIRROR, PREPARED,
    REUSABLE,
};
use super::machine::Machine;
use crate::digest::Digest;
use crate::error::{Error, Result};

impl Machine {
    /// Whether an event may be applied: `Ok(false)` for a node that was cancelled, whose late
    /// events are ignored.
    pub(super) fn admit(
        &self,
        event: &'static str,
        id: NodeId,
        legal: fn(Kind, State) -> bool,
    ) -> Result<bool> {
        let node = self.arena.nodes.get(id.index());
        let node = node.ok_or(Error::UnknownNode { id: id.0 })?;
        if node.state == State::Cancelled {
            return Ok(false);
        }
        if !legal(node.kind, node.state) {
            return Err(Error::IllegalTransition {
                event,
                id: id.0,
                kind: match node.kind {
                    Kind::Job => "job",
                    Kind::Op => "operation",
                },
                state: node.state.name(),
            });
        }
        Ok(true)
    }

    fn known_task(&self, task: TaskId) -> Result<()> {
        if task.index() < self.tasks.hashes.len() {
            return Ok(());
        }
        Err(Error::UnknownTask { index: task.0 })
    }

    pub(super) fn declare(
        &mut self,
        id: NodeId,
        kind: Kind,
        scope: Option<NodeId>,
        task: Option<TaskId>,
    ) -> Result<()> {
        let refuse = |reason: String| Err(Error::Protocol { reason });
        let next = self.arena.nodes.len();
        if id.index() != next {
            return refuse(format!("node {} was declared where {next} is due", id.0));
        }
        if let Some(scope) = scope {
            match self.arena.nodes.get(scope.index()).map(|node| node.kind) {
                None => return Err(Error::UnknownNode { id: scope.0 }),
                Some(Kind::Op) => return refuse(format!("scope {} is not a job", scope.0)),
                Some(Kind::Job) => {}
            }
        }
        match (kind, task) {
            (Kind::Job, Some(task)) => self.known_task(task)?,
            (Kind::Op, None) => {}
            (Kind::Job, None) => return refuse(format!("job {} has no task", id.0)),
            (Kind::Op, Some(_)) => return refuse(format!("operation {} has a task", id.0)),
        }
        let scope = scope.unwrap_or(NodeId::NONE);
        self.arena.add(kind, scope, task.unwrap_or(TaskId::NONE));
        if let Some(task) = task {
            self.tasks.counts[task.index()][Bucket::Pending as usize] += 1;
        }
        Ok(())
    }

    pub(super) fn prepared(&mut self, id: NodeId, with: &Preparation) -> Result<()> {
        if !self.admit("PREPARED", id, |kind, state| {
            kind == Kind::Job && matches!(state, State::Declared | State::Ready)
        })? {
            return Ok(());
        }
        let context = self.dedup.context(with.context);
        let request = self.limits.request(&with.limits);
        let node = self.arena.node_mut(id);
        (node.eval, node.context) = (with.eval, context);
        let live = self.arena.live_mut(id);
        live.args = with.args;
        live.priority = with.priority;
        live.request = request;
        let mut flags = PREPARED;
        if with.flags & FLAG_REUSABLE != 0 {
            flags |= REUSABLE;
        }
        if with.flags & FLAG_CSE != 0 {
            let holder = self.dedup.holder(&self.arena.nodes, &with.eval, context);
            if let Some(holder) = holder {
                self.join_equal(id, holder, flags);
                return Ok(());
            }
        }
        self.turn(id, State::Checking, flags);
        self.dedup.enter(&mut self.arena, id);
        if with.flags & FLAG_LOOKUP != 0 {
            self.emit(Action::Check { id });
        } else {
            self.start(id);
        }
        Ok(())
    }

    /// Collapses a job onto an unfinished equal one, or asks for the replay of a finished one.
    fn join_equal(&mut self, id: NodeId, holder: NodeId, flags: u8) {
        self.arena.node_mut(id).twin = holder;
        if self.arena.node(holder).state.ended() {
            self.turn(id, State::Replaying, flags);
            self.emit(Action::Replay { id, of: holder });
            return;
        }
        let live = self.arena.live_mut(id);
        live.epoch += 1;
        live.unmet = 1;
        let waiter = (id, live.epoch);
        self.arena.live_mut(holder).waiters.push(waiter);
        self.turn(id, State::Collapsed, flags);
        self.emit(Action::Collapse { id, onto: holder });
    }

    pub(super) fn hit(&mut self, id: NodeId, call: Option<Digest>) -> Result<()> {
        if !self.admit("HIT", id, is_asked)? {
            return Ok(());
        }
        let node = self.arena.node_mut(id);
        let mut flags = CACHED;
        match call {
            Some(call) => {
                node.call = call;
                flags |= CALLED | GIVEN;
            }
            None => node.twin = NodeId::NONE,
        }
        self.turn(id, State::Hit, flags);
        Ok(())
    }

    pub(super) fn subtree_of_hit(&mut self, id: NodeId, tasks: Vec<TaskId>) -> Result<()> {
        if !self.admit("SUBTREE", id, |kind, state| {
            is_asked(kind, state) || state == State::Hit
        })? {
            return Ok(());
        }
        for task in &tasks {
            self.known_task(*task)?;
        }
        self.arena.live_mut(id).extra = match tasks.is_empty() {
            true => SetId::NONE,
            false => self.subtrees.intern(tasks),
        };
        Ok(())
    }

    pub(super) fn miss(&mut self, id: NodeId) -> Result<()> {
        if !self.admit("MISS", id, is_asked)? {
            return Ok(());
        }
        if self.arena.node(id).state == State::Replaying {
            self.arena.node_mut(id).twin = NodeId::NONE;
            self.dedup.enter(&mut self.arena, id);
        }
        self.start(id);
        Ok(())
    }

    /// Runs a job, or parks it until the grants at the end of the batch.
    fn start(&mut self, id: NodeId) {
        let live = self.arena.live(id);
        let (request, priority) = (live.request, live.priority);
        if let Some(limit) = self.limits.too_small(request) {
            let limit = limit.to_owned();
            self.turn(id, State::Overlimit, 0);
            self.emit(Action::Overlimit { id, limit });
        } else if request == RequestId::NONE {
            self.turn(id, State::Running, 0);
            self.emit(Action::Submit { id, priority });
        } else {
            self.turn(id, State::Parked, 0);
            self.limits.park(request, priority, id);
        }
    }

    pub(super) fn finished(&mut self, id: NodeId, deps: &[NodeId]) -> Result<()> {
        if !self.admit("FINISHED", id, has_result)? {
            return Ok(());
        }
        self.known_deps(id, deps)?;
        let held = self.held(id);
        self.wait(id, deps, State::Holding);
        self.give_back(held);
        Ok(())
    }

    pub(super) fn resolved(&mut self, id: NodeId, result: &ResultHash) -> Result<()> {
        let legal = |kind, state| kind == Kind::Job && state == State::Reducing;
        if self.admit("RESOLVED", id, legal)? {
            self.conclude(id, result, State::Done);
        }
        Ok(())
    }

    pub(super) fn finished_plain(&mut self, id: NodeId, result: &ResultHash) -> Result<()> {
        if self.admit("FINISHED_PLAIN", id, has_result)? {
            let held = self.held(id);
            self.conclude(id, result, State::Done);
            self.give_back(held);
        }
        Ok(())
    }

    pub(super) fn failed(&mut self, id: NodeId, error: &ResultHash) -> Result<()> {
        let legal = |kind, state: State| kind == Kind::Job && !state.ended();
        if self.admit("FAILED", id, legal)? {
            let held = self.held(id);
            self.conclude(id, error, State::Failed);
            self.give_back(held);
        }
        Ok(())
    }

    /// Ends a job with an outcome of its own.
    fn conclude(&mut self, id: NodeId, result: &ResultHash, state: State) {
        let outcome = self.outcome(id, result);
        let node = self.arena.node_mut(id);
        node.subtree = outcome.subtree;
        let mut flags = 0;
        if let Some(call) = outcome.call {
            node.call = call;
            flags = CALLED;
        }
        self.dedup.leave(&mut self.arena, id);
        self.end(id, state, flags);
        self.emit(match state {
            State::Done => Action::Settled(outcome),
            _ => Action::Rejected(outcome),
        });
    }

    /// What a job holds of the limits: only while it runs.
    fn held(&self, id: NodeId) -> RequestId {
        match self.arena.node(id).state {
            State::Running => self.arena.live(id).request,
            _ => RequestId::NONE,
        }
    }

    fn give_back(&mut self, request: RequestId) {
        if request != RequestId::NONE {
            self.limits.release(request);
        }
    }

    /// At the end of a batch: runs the parked jobs whose limits fit now.
    pub(super) fn grant_limits(&mut self) {
        let nodes = &self.arena.nodes;
        let parked = |id: NodeId| nodes[id.index()].state == State::Parked;
        let woken = self.limits.dispatch(parked);
        for (id, limit) in woken.over {
            self.turn(id, State::Overlimit, 0);
            self.emit(Action::Overlimit { id, limit });
        }
        for id in woken.granted {
            let priority = self.arena.live(id).priority;
            self.turn(id, State::Running, 0);
            self.emit(Action::Submit { id, priority });
        }
    }

    /// Drops everything that has not ended, and what the host was to be asked about it.
    pub(super) fn cancel(&mut self) {
        for number in 0..self.arena.nodes.len() {
            let id = NodeId(number as u32);
            if !self.arena.node(id).state.ended() {
                self.turn(id, State::Cancelled, 0);
                drop(self.arena.release(id));
            }
        }
        self.limits.clear();
        self.dedup.clear();
        for number in 0..self.arena.nodes.len() {
            let node = &self.arena.nodes[number];
            let called = node.has(CALLED) && !node.has(MIRROR);
            if called && node.has(REUSABLE) && node.state != State::Cancelled {
                self.dedup.take(&self.arena.nodes, NodeId(number as u32));
            }
        }
        self.actions.retain(|action| !action.asks());
    }
}

/// CHECK or REPLAY was sent.
fn is_asked(kind: Kind, state: State) -> bool {
    kind == Kind::Job && matches!(state, State::Checking | State::Replaying)
}

/// A result of the task may come.
fn has_result(kind: Kind, state: State) -> bool {
    kind == Kind::Job && matches!(state, State::Running | State::Hit)
}
