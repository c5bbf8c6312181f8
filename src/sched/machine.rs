//! The machine itself: what it holds, how a batch goes through it, what it can be asked.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::action::Action;
use super::audit::Trace;
use super::dedup::Dedup;
use super::event::Event;
use super::job::{Arena, Counts, Kind, NodeId, SetId, State, TaskId, Waiters, CALLED};
use super::limits::Limits;
use super::subtree::Subtrees;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hash::Scheme;

/// The scheduler's state machine; the protocol is in the module header of [`super`].
#[derive(Debug)]
pub struct Machine {
    pub(super) arena: Arena,
    pub(super) tasks: Tasks,
    pub(super) limits: Limits,
    pub(super) dedup: Dedup,
    pub(super) subtrees: Subtrees,
    pub(super) scheme: Scheme,
    /// Nodes whose state is owed an answer by the host.
    pub(super) owed: usize,
    /// Nodes that have ended and whose waiters have not been told; empty between events.
    pub(super) work: VecDeque<(NodeId, Waiters)>,
    /// What the next return of [`Machine::handle`] hands out.
    pub(super) actions: Vec<Action>,
    pub(super) trace: Option<Trace>,
    pub(super) scratch: Scratch,
}

/// Work space that is kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub calls: Vec<Digest>,
    pub below: Vec<SetId>,
    pub bytes: Vec<u8>,
}

/// The tasks met so far and the status table.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub hashes: Vec<Box<str>>,
    by_hash: FxHashMap<Box<str>, TaskId>,
    pub counts: Vec<Counts>,
}

impl Machine {
    /// A machine without nodes that hashes calls under `scheme`.
    pub fn new(scheme: Scheme) -> Self {
        Machine {
            arena: Arena::default(),
            tasks: Tasks::default(),
            limits: Limits::default(),
            dedup: Dedup::default(),
            subtrees: Subtrees::default(),
            scheme,
            owed: 0,
            work: VecDeque::new(),
            actions: Vec::new(),
            trace: None,
            scratch: Scratch::default(),
        }
    }

    /// Remember every event and action from now on, for [`Machine::story`].
    pub fn record_stories(&mut self) {
        self.trace.get_or_insert_default();
    }

    /// Hash calls under this scheme from now on.
    pub fn set_scheme(&mut self, scheme: Scheme) {
        self.scheme = scheme;
    }

    /// Interns a task hash, which may be any text.
    pub fn task(&mut self, hash: &str) -> TaskId {
        if let Some(id) = self.tasks.by_hash.get(hash) {
            return *id;
        }
        let id = TaskId(self.tasks.hashes.len() as u32);
        self.tasks.hashes.push(hash.into());
        self.tasks.by_hash.insert(hash.into(), id);
        self.tasks.counts.push(Counts::default());
        id
    }

    /// Declares a limit, or changes what it can give. Parked jobs are looked at by the next batch,
    /// which may be empty.
    pub fn set_limit(&mut self, name: &str, capacity: u64) {
        self.limits.set(name, capacity);
    }

    /// Applies events in order and returns what to do, in order.
    ///
    /// # Errors
    /// At the first event that is not legal. That event changes nothing, those after it are not
    /// applied, and the actions of those before it are returned by the next call.
    pub fn handle(&mut self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Action>> {
        if let Some(trace) = &mut self.trace {
            trace.batch += 1;
        }
        for (index, event) in events.into_iter().enumerate() {
            if let (Some(trace), Some(node)) = (&mut self.trace, event.node()) {
                trace.add(node, &event);
            }
            self.apply(event).map_err(|source| Error::Event {
                index,
                source: Box::new(source),
            })?;
            self.tell_waiters();
        }
        self.grant_limits();
        let mut actions = std::mem::take(&mut self.actions);
        order_submits(&mut actions);
        Ok(actions)
    }

    fn apply(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Declare {
                id,
                kind,
                scope,
                task,
            } => self.declare(id, kind, scope, task),
            Event::Await { id, deps } => self.await_nodes(id, &deps),
            Event::Prepared { id, with } => self.prepared(id, &with),
            Event::Hit { id, call } => self.hit(id, call),
            Event::Miss { id } => self.miss(id),
            Event::Finished { id, deps } => self.finished(id, &deps),
            Event::Resolved { id, result } => self.resolved(id, &result),
            Event::FinishedPlain { id, result } => self.finished_plain(id, &result),
            Event::Failed { id, error } => self.failed(id, &error),
            Event::Settle { id } => self.operation_ends(id, "SETTLE", State::Done),
            Event::Fail { id } => self.operation_ends(id, "FAIL", State::Failed),
            Event::Cancel => {
                self.cancel();
                Ok(())
            }
            Event::Subtree { id, tasks } => self.subtree_of_hit(id, tasks),
        }
    }

    /// The tasks of an interned set, sorted.
    ///
    /// # Errors
    /// If there is no such set.
    pub fn subtree(&self, id: SetId) -> Result<&[TaskId]> {
        self.subtrees.get(id).ok_or(Error::Protocol {
            reason: format!("there is no subtree set {}", id.0),
        })
    }

    /// The hash of a job's call, once it is known.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn call_hash(&self, id: NodeId) -> Result<Option<Digest>> {
        let node = self.arena.nodes.get(id.index());
        let node = node.ok_or(Error::UnknownNode { id: id.0 })?;
        Ok(node.has(CALLED).then_some(node.call))
    }

    /// The status table: a row for every task that has a job.
    pub fn counts(&self) -> impl Iterator<Item = (TaskId, Counts)> + '_ {
        let rows = self.tasks.counts.iter().enumerate();
        rows.filter(|(_, counts)| counts.iter().any(|count| *count > 0))
            .map(|(task, counts)| (TaskId(task as u32), *counts))
    }

    /// Name and present use of every limit that was declared or asked for.
    pub fn limits_used(&self) -> impl Iterator<Item = (&str, u64)> {
        self.limits.used()
    }

    /// How many nodes the host has been asked about and has not answered.
    pub fn active(&self) -> usize {
        self.owed
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.arena.nodes.len()
    }

    /// Everything that happened to a node, oldest first; empty unless stories are recorded.
    pub fn story(&self, id: NodeId) -> Vec<String> {
        self.trace
            .as_ref()
            .map_or_else(Vec::new, |trace| trace.of(id))
    }

    /// Bytes held, roughly: what the indexes have reserved.
    pub fn footprint(&self) -> usize {
        self.arena.footprint()
            + self.dedup.footprint()
            + self.limits.footprint()
            + self.subtrees.footprint()
            + self.scratch.calls.capacity() * size_of::<Digest>()
            + self.scratch.bytes.capacity()
    }

    /// The one way to an action: it is remembered for the story as well.
    #[inline]
    pub(super) fn emit(&mut self, action: Action) {
        if let Some(trace) = &mut self.trace {
            trace.add(action.node(), &action);
        }
        self.actions.push(action);
    }

    /// The one way to another state: keeps the status table and the number of open questions.
    #[inline]
    pub(super) fn turn(&mut self, id: NodeId, state: State, flags: u8) {
        let node = self.arena.node_mut(id);
        let (owed, bucket) = (node.state.owed(), node.bucket());
        node.state = state;
        node.flags |= flags;
        self.owed = self.owed + usize::from(state.owed()) - usize::from(owed);
        let now = node.bucket();
        if node.kind == Kind::Job && now != bucket {
            let counts = &mut self.tasks.counts[node.task.index()];
            counts[bucket as usize] -= 1;
            counts[now as usize] += 1;
        }
    }

    /// The one way to an end: who waits for the node is told once the event is applied.
    pub(super) fn end(&mut self, id: NodeId, state: State, flags: u8) {
        self.turn(id, state, flags);
        let waiters = self.arena.release(id);
        if !waiters.is_empty() {
            self.work.push_back((id, waiters));
        }
    }
}

/// Sorts the SUBMIT actions of a batch by priority, among the places they have.
fn order_submits(actions: &mut [Action]) {
    let priority = |action: &Action| match action {
        Action::Submit { priority, .. } => Some(*priority),
        _ => None,
    };
    if actions
        .iter()
        .filter_map(priority)
        .is_sorted_by(|a, b| a >= b)
    {
        return;
    }
    let places = (0..actions.len()).filter(|place| priority(&actions[*place]).is_some());
    let places: Vec<usize> = places.collect();
    let mut submits: Vec<Action> = places.iter().map(|place| actions[*place].clone()).collect();
    submits.sort_by_key(|action| std::cmp::Reverse(priority(action)));
    for (place, submit) in places.into_iter().zip(submits) {
        actions[place] = submit;
    }
}
