//! Waiting and waking: AWAIT, the nodes in a result, operations, and how an end spreads.
//!
//! A wait is an entry in the waiters list of each node waited for, and a number of unmet entries.
//! Each wait has an epoch, so that entries of a wait that was cut short by a failure are void and
//! never have to be searched for.

use super::action::Action;
use super::job::{Kind, NodeId, State, CACHED, CALLED, MIRROR};
use super::machine::Machine;
use crate::error::{Error, Result};

impl Machine {
    pub(super) fn await_nodes(&mut self, id: NodeId, deps: &[NodeId]) -> Result<()> {
        if !self.admit("AWAIT", id, |kind, state| match state {
            State::Declared | State::Ready => true,
            State::Rejecting => kind == Kind::Op,
            _ => false,
        })? {
            return Ok(());
        }
        self.known_deps(id, deps)?;
        self.wait(id, deps, State::Waiting);
        Ok(())
    }

    pub(super) fn operation_ends(
        &mut self,
        id: NodeId,
        event: &'static str,
        state: State,
    ) -> Result<()> {
        let legal = |kind, state: State| kind == Kind::Op && !state.ended();
        if self.admit(event, id, legal)? {
            self.end(id, state, 0);
        }
        Ok(())
    }

    /// Checks the nodes of a wait.
    pub(super) fn known_deps(&self, id: NodeId, deps: &[NodeId]) -> Result<()> {
        for dep in deps {
            if dep.index() >= self.arena.nodes.len() {
                return Err(Error::UnknownNode { id: dep.0 });
            }
            if *dep == id {
                let reason = format!("node {} would wait for itself", id.0);
                return Err(Error::Protocol { reason });
            }
        }
        Ok(())
    }

    /// Makes a node wait, in state `Waiting` or `Holding`; goes on at once if nothing is open or
    /// something failed.
    pub(super) fn wait(&mut self, id: NodeId, deps: &[NodeId], state: State) {
        self.turn(id, state, 0);
        let failed = |dep: &&NodeId| self.arena.node(**dep).state.failed();
        if let Some(cause) = deps.iter().find(failed) {
            self.spoil(id, *cause);
            return;
        }
        let live = self.arena.live_mut(id);
        live.epoch += 1;
        let waiter = (id, live.epoch);
        let mut unmet = 0;
        for dep in deps {
            if !self.arena.node(*dep).state.ended() {
                self.arena.live_mut(*dep).waiters.push(waiter);
                unmet += 1;
            }
        }
        self.arena.live_mut(id).unmet = unmet;
        if unmet == 0 {
            self.go_on(id);
        }
    }

    /// Tells everybody who waits for a node that has ended. An end may end others: they queue up,
    /// nothing recurses.
    pub(super) fn tell_waiters(&mut self) {
        while let Some((dep, waiters)) = self.work.pop_front() {
            for (waiter, epoch) in waiters {
                let node = self.arena.node(waiter);
                if node.state.ended() || self.arena.live(waiter).epoch != epoch {
                    continue;
                }
                self.tell(waiter, dep);
            }
        }
    }

    fn tell(&mut self, id: NodeId, dep: NodeId) {
        if self.arena.node(id).state == State::Collapsed {
            self.mirror(id, dep);
        } else if self.arena.node(dep).state.failed() {
            self.spoil(id, dep);
        } else {
            let live = self.arena.live_mut(id);
            live.unmet -= 1;
            if live.unmet == 0 {
                self.go_on(id);
            }
        }
    }

    /// All that a node waited for is done.
    fn go_on(&mut self, id: NodeId) {
        if self.arena.node(id).state == State::Waiting {
            self.turn(id, State::Ready, 0);
            self.emit(Action::Ready { id });
        } else {
            self.turn(id, State::Reducing, 0);
            self.emit(Action::Reduce { id });
        }
    }

    /// Something that a node waits for failed: the wait is over.
    fn spoil(&mut self, id: NodeId, cause: NodeId) {
        let node = self.arena.node(id);
        if node.kind == Kind::Job && node.state == State::Waiting {
            self.end(id, State::Abandoned, 0);
            self.emit(Action::Abandon { id, cause });
        } else {
            let live = self.arena.live_mut(id);
            live.epoch += 1;
            live.unmet = 0;
            self.turn(id, State::Rejecting, 0);
            self.emit(Action::Reject { id, cause });
        }
    }

    /// A collapsed job takes the outcome of its twin.
    fn mirror(&mut self, id: NodeId, of: NodeId) {
        let twin = self.arena.node(of);
        let (state, subtree, call) = (twin.state, twin.subtree, twin.call);
        let flags = MIRROR | CACHED | (twin.flags & CALLED);
        let node = self.arena.node_mut(id);
        (node.subtree, node.call) = (subtree, call);
        self.end(id, state, flags);
        let failed = state.failed();
        self.emit(Action::Mirror { id, of, failed });
    }
}
