//! The walk over the jobs of some executions: parents first and open, ended once all below is there.

use rustc_hash::{FxHashMap, FxHashSet};

use super::closure::Closure;
use super::id::Id;
use super::known::Known;
use super::outbox::Outbox;
use super::step::{Edge, Kind, Step};

#[derive(Default)]
enum State {
    /// Between chunks.
    #[default]
    Ready,
    /// The target is asked which jobs it holds as ended.
    Target,
    /// The source is asked which of the chunk have ended, and what they own.
    Children,
    /// Waiting for the closure of what the chunk needs.
    Write,
    /// Waiting for the closure of the calls of these jobs, which then end.
    End(Vec<Id>),
}

struct Visit {
    job: Id,
    /// Held by the target as ended; a deep walk looks below it nevertheless.
    held: bool,
    ended: bool,
    task: Option<Id>,
    call: Option<Id>,
    is_parent: bool,
}

/// What a walk works with.
pub struct Tools<'a> {
    pub batch: usize,
    pub known: &'a mut Known,
    pub closure: &'a mut Closure,
    pub outbox: &'a mut Outbox,
}

#[derive(Default)]
pub struct JobWalk {
    state: State,
    unvisited: Vec<Id>,
    /// Executions to write together with their root jobs.
    executions: FxHashMap<Id, Vec<Id>>,
    /// Jobs to start from that the target holds, open.
    present: FxHashSet<Id>,
    /// Jobs that were written open, with their calls; parents before children.
    opened: Vec<(Id, Option<Id>)>,
    /// Jobs with children that were visited: such may be reached again in a repo with cycles.
    parents: FxHashSet<Id>,
    chunk: Vec<Visit>,
    index: FxHashMap<Id, usize>,
}

impl JobWalk {
    /// Adds a job to start from.
    pub fn add(&mut self, job: Id) {
        self.unvisited.push(job);
    }

    /// Adds a job to start from that the target holds, open.
    pub fn add_present(&mut self, job: Id) {
        self.present.insert(job.clone());
        self.unvisited.push(job);
    }

    /// Adds an execution and its root job.
    pub fn add_execution(&mut self, execution: Id, job: Id) {
        let executions = self.executions.entry(job.clone()).or_default();
        executions.push(execution);
        self.unvisited.push(job);
    }

    pub fn is_active(&self) -> bool {
        !matches!(self.state, State::Ready) || !self.unvisited.is_empty() || !self.opened.is_empty()
    }

    /// The next question; none if there is something else to do first, or nothing more.
    pub fn step(&mut self, tools: &mut Tools<'_>) -> Option<Step> {
        match std::mem::take(&mut self.state) {
            State::Ready if !self.unvisited.is_empty() => return self.visit(tools),
            State::Ready => self.end_some(tools),
            State::Write => self.write(tools),
            State::End(jobs) => {
                for job in jobs {
                    tools.outbox.push(Kind::Job, false, job);
                }
            }
            waiting @ (State::Target | State::Children) => self.state = waiting,
        }
        if !self.is_active() {
            self.parents = FxHashSet::default();
            self.present = FxHashSet::default();
        }
        None
    }

    fn visit(&mut self, tools: &mut Tools<'_>) -> Option<Step> {
        let from = self.unvisited.len().saturating_sub(tools.batch);
        self.chunk.clear();
        self.index.clear();
        for job in self.unvisited.split_off(from) {
            if self.parents.contains(&job) || self.index.contains_key(&job) {
                continue;
            }
            self.index.insert(job.clone(), self.chunk.len());
            self.chunk.push(Visit {
                job,
                held: false,
                ended: false,
                task: None,
                call: None,
                is_parent: false,
            });
        }
        if self.chunk.is_empty() {
            return None;
        }
        if tools.known.is_complete() {
            self.state = State::Children;
            return Some(Step::Children(Kind::Job, self.chunk_ids()));
        }
        self.state = State::Target;
        Some(Step::Has(Kind::Job, self.chunk_ids()))
    }

    fn chunk_ids(&self) -> Vec<Id> {
        self.chunk.iter().map(|visit| visit.job.clone()).collect()
    }

    /// Answer to `Has`; returns the question that follows.
    pub fn feed_ids(&mut self, ids: &[Id], deep: bool) -> Option<Step> {
        for id in ids {
            if let Some(&at) = self.index.get(id) {
                self.chunk[at].held = true;
            }
        }
        if !deep {
            self.chunk.retain(|visit| !visit.held);
            self.index.clear();
            for (at, visit) in self.chunk.iter().enumerate() {
                self.index.insert(visit.job.clone(), at);
            }
        }
        if self.chunk.is_empty() {
            self.state = State::Ready;
            return None;
        }
        self.state = State::Children;
        Some(Step::Children(Kind::Job, self.chunk_ids()))
    }

    /// Part of the answer to `Children`: who has ended.
    pub fn feed_ended(&mut self, jobs: &[Id]) {
        for job in jobs {
            if let Some(&at) = self.index.get(job) {
                self.chunk[at].ended = true;
            }
        }
    }

    /// Part of the answer to `Children`.
    pub fn feed_edges(&mut self, edges: Vec<Edge>) {
        for edge in edges {
            let Some(&at) = self.index.get(&edge.parent) else {
                continue;
            };
            let visit = &mut self.chunk[at];
            match edge.kind {
                Kind::Value => visit.task = Some(edge.child),
                Kind::Call => visit.call = Some(edge.child),
                Kind::Job => {
                    visit.is_parent = true;
                    self.unvisited.push(edge.child);
                }
                Kind::Execution | Kind::Tag => {}
            }
        }
    }

    /// The end of the answer to `Children`.
    pub fn feed_end(&mut self, tools: &mut Tools<'_>) {
        // What the source does not hold has no task.
        self.chunk.retain(|visit| visit.task.is_some());
        for visit in &mut self.chunk {
            if visit.is_parent {
                self.parents.insert(visit.job.clone());
            }
            if let Some(task) = &visit.task {
                tools.closure.add(Kind::Value, task.clone(), tools.known);
            }
            if !visit.ended {
                visit.call = None;
            } else if let (false, Some(call)) = (visit.is_parent, &visit.call) {
                tools.closure.add(Kind::Call, call.clone(), tools.known);
            }
        }
        self.state = State::Write;
    }

    /// Writes the chunk, now that what its jobs need is on its way. The open ones go first: none of
    /// them is the parent of another.
    fn write(&mut self, tools: &mut Tools<'_>) {
        let is_open = |visit: &Visit| visit.is_parent || !visit.ended;
        let (open, ended): (Vec<Visit>, Vec<Visit>) = self.chunk.drain(..).partition(is_open);
        for visit in open.into_iter().chain(ended) {
            let open = is_open(&visit);
            for execution in self.executions.remove(&visit.job).unwrap_or_default() {
                if tools.known.is_exact() {
                    tools.known.insert(Kind::Execution, execution.clone());
                }
                tools.outbox.push(Kind::Execution, open, execution);
            }
            if visit.held {
                // Only its calls may need repair.
                if let Some(call) = visit.call {
                    tools.closure.add(Kind::Call, call, tools.known);
                }
                continue;
            }
            if tools.known.is_exact() {
                tools.known.insert(Kind::Job, visit.job.clone());
            }
            if !(open && self.present.remove(&visit.job)) {
                tools.outbox.push(Kind::Job, open, visit.job.clone());
            }
            if open && visit.ended {
                self.opened.push((visit.job, visit.call));
            }
        }
    }

    /// Ends the jobs that were opened last.
    fn end_some(&mut self, tools: &mut Tools<'_>) {
        let from = self.opened.len().saturating_sub(tools.batch);
        let mut jobs = Vec::with_capacity(self.opened.len() - from);
        for (job, call) in self.opened.split_off(from).into_iter().rev() {
            if let Some(call) = call {
                tools.closure.add(Kind::Call, call, tools.known);
            }
            jobs.push(job);
        }
        if !jobs.is_empty() {
            self.state = State::End(jobs);
        }
    }
}
