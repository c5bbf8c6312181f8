//! Given jobs, and what they refer to upwards: their executions, and their ancestors as open jobs.

use rustc_hash::{FxHashMap, FxHashSet};

use super::id::Id;
use super::jobs::{JobWalk, Tools};
use super::step::{Kind, Owner, Side, Step};

#[derive(Default)]
enum State {
    /// Ancestors are looked up, generation by generation.
    #[default]
    LookUp,
    /// The target is asked which of the ancestors it has.
    Present,
    /// Waiting for the tasks of the ancestors to be planned.
    Write,
    Ended,
}

#[derive(Default)]
pub struct JobRoots {
    state: State,
    given: Vec<Id>,
    lookups: Vec<Id>,
    owners: FxHashMap<Id, Owner>,
    /// In the order in which they were found.
    found: Vec<Id>,
    /// Those of the found that the target was not asked about yet.
    unsure: Vec<Id>,
    present: FxHashSet<Id>,
}

impl JobRoots {
    pub fn new(given: Vec<Id>) -> Self {
        Self {
            lookups: given.clone(),
            given,
            ..Self::default()
        }
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next question; none if there is something else to do first, or nothing more.
    pub fn step(&mut self, jobs: &mut JobWalk, tools: &mut Tools<'_>) -> Option<Step> {
        match self.state {
            State::LookUp if !self.lookups.is_empty() => {
                let from = self.lookups.len().saturating_sub(tools.batch);
                return Some(Step::JobOwners(self.lookups.split_off(from)));
            }
            State::LookUp => {
                // Given jobs are walked to, unless they must be there before other given ones.
                let parents: FxHashSet<&Id> = self
                    .owners
                    .values()
                    .filter_map(|owner| owner.parent.as_ref())
                    .collect();
                self.found.retain(|job| parents.contains(job));
                self.unsure.clone_from(&self.found);
                self.state = State::Present;
            }
            State::Present if !self.unsure.is_empty() => {
                let from = self.unsure.len().saturating_sub(tools.batch);
                let unsure = self.unsure.split_off(from);
                return Some(Step::JobStates(Side::Target, unsure));
            }
            State::Present => {
                self.found.retain(|job| !self.present.contains(job));
                for job in &self.found {
                    let task = self.owners[job].task.clone();
                    tools.closure.add(Kind::Value, task, tools.known);
                }
                self.state = State::Write;
            }
            State::Write => {
                self.write(jobs, tools);
                self.state = State::Ended;
            }
            State::Ended => {}
        }
        None
    }

    /// Answer to `JobOwners`.
    pub fn feed_owners(&mut self, owners: Vec<Owner>) {
        for owner in owners {
            if self.owners.contains_key(&owner.job) {
                continue;
            }
            let parent = owner.parent.clone();
            self.lookups
                .extend(parent.filter(|parent| !self.owners.contains_key(parent)));
            self.found.push(owner.job.clone());
            self.owners.insert(owner.job.clone(), owner);
        }
    }

    /// Answer to `JobStates`: ancestors that the target has.
    pub fn feed_present(&mut self, present: impl Iterator<Item = Id>) {
        self.present.extend(present);
    }

    fn write(&mut self, jobs: &mut JobWalk, tools: &mut Tools<'_>) {
        let mut written = FxHashSet::default();
        for job in self.parents_first() {
            let owner = &self.owners[&job];
            if owner.parent.is_none() {
                let execution = owner.execution.clone();
                tools.outbox.push(Kind::Execution, true, execution);
                written.insert(job.clone());
            }
            tools.outbox.push(Kind::Job, true, job);
        }
        for job in std::mem::take(&mut self.given) {
            match self.owners.get(&job) {
                Some(owner) if owner.parent.is_none() && !written.contains(&job) => {
                    jobs.add_execution(owner.execution.clone(), job);
                }
                _ => jobs.add(job),
            }
        }
    }

    fn parents_first(&mut self) -> Vec<Id> {
        let mut left: FxHashSet<Id> = self.found.iter().cloned().collect();
        let mut order = Vec::with_capacity(self.found.len());
        let mut path = Vec::new();
        for job in std::mem::take(&mut self.found) {
            let mut next = Some(job);
            while let Some(job) = next.filter(|job| left.remove(job)) {
                next = self.owners[&job].parent.clone();
                path.push(job);
            }
            order.extend(path.drain(..).rev());
        }
        order
    }
}
