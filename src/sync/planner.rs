//! `Planner`: the phases of a transfer, and who gets an answer.

use rustc_hash::{FxHashMap, FxHashSet};

use super::closure::Closure;
use super::id::Id;
use super::jobs::{JobWalk, Tools};
use super::known::Known;
use super::outbox::Outbox;
use super::roots::JobRoots;
use super::step::{Edge, Kind, Owner, Side, Step, TagOwner};
use super::tags::TagWalk;
use crate::error::{Error, Result};

/// How a transfer is planned.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Ids in one question; at least 1.
    pub batch: usize,
    /// Records in one transaction, about; at least 1. The more, the fewer pages of a database are
    /// written again and again.
    pub transaction: usize,
    /// Look below what the target holds, too. Takes memory for every record that is looked at.
    pub deep: bool,
    /// Nothing will be written: remember all that would have been. Takes memory for it.
    pub dry_run: bool,
    /// The target holds no records yet: it need not be asked for what it was not sent.
    pub empty: bool,
}

/// What a transfer goes through.
enum Phase {
    /// Given roots, still to be sorted out.
    Roots,
    /// Given executions, and given jobs that wait for them.
    ExecutionRoots(Vec<Id>, Vec<Id>),
    /// Given jobs.
    JobRoots(JobRoots),
    /// Open jobs of the target: a page of them, with the number of their children.
    OpenJobs(FxHashMap<Id, u64>),
    /// Executions of the source: a page of them.
    Executions(Vec<Id>),
    /// All but the tags is planned, and to be written before the target is asked for it.
    Entities,
    /// Tags of the source.
    Tags,
    /// What is left is written.
    Rest,
}

/// Who gets the answer to the question that was asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Nobody,
    Phase,
    Jobs,
    Closure,
    Tags,
    Outbox,
}

/// Plans the transfer of records from a source to a target; see [`super`].
pub struct Planner {
    options: Options,
    roots: Option<Vec<(Kind, Id)>>,
    phase: Phase,
    asker: Asker,
    /// The ids that the tags' last question was about.
    asked: Vec<Id>,
    /// A question that follows from the last answer.
    follow_up: Option<(Asker, Step)>,
    known: Known,
    closure: Closure,
    jobs: JobWalk,
    tags: TagWalk,
    outbox: Outbox,
}

impl Planner {
    /// A planner for everything the source holds, or for what `roots` own.
    pub fn new(options: Options, roots: Option<Vec<(Kind, Id)>>) -> Self {
        Self {
            phase: match roots {
                Some(_) => Phase::Roots,
                None => Phase::OpenJobs(FxHashMap::default()),
            },
            tags: TagWalk::new(roots.as_deref()),
            asker: Asker::Nobody,
            asked: Vec::new(),
            follow_up: None,
            // What roots own may overlap, then the target knows what is there already.
            known: Known::new(
                options.deep || options.dry_run,
                options.empty && roots.is_none(),
            ),
            closure: Closure::default(),
            jobs: JobWalk::default(),
            outbox: Outbox::default(),
            roots,
            options,
        }
    }

    /// Records planned so far, by kind.
    pub fn planned(&self) -> [u64; Kind::ALL.len()] {
        self.outbox.planned()
    }

    /// What to do next.
    ///
    /// # Errors
    /// If the last question was not answered.
    #[expect(clippy::should_implement_trait, reason = "answers come in between")]
    pub fn next(&mut self) -> Result<Step> {
        if self.asker != Asker::Nobody {
            return Err(protocol("the last step was not answered"));
        }
        let (asker, step) = self.advance();
        let step = step.sorted();
        self.asker = asker;
        if let Asker::Tags = asker {
            self.asked = match &step {
                Step::Has(_, ids) | Step::JobStates(_, ids) => ids.clone(),
                _ => Vec::new(),
            };
        }
        Ok(step)
    }

    fn advance(&mut self) -> (Asker, Step) {
        loop {
            if let Some(next) = self.follow_up.take() {
                return next;
            }
            if self.outbox.len() >= self.options.transaction {
                return self.transfer();
            }
            if self.closure.is_active() {
                let batch = self.options.batch;
                match self.closure.step(batch, &mut self.known, &mut self.outbox) {
                    Some(step) => return (Asker::Closure, step),
                    None => continue,
                }
            }
            if self.jobs.is_active() {
                let (jobs, mut tools) = self.job_tools();
                match jobs.step(&mut tools) {
                    Some(step) => return (Asker::Jobs, step),
                    None => continue,
                }
            }
            if let Some(next) = self.advance_phase() {
                return next;
            }
        }
    }

    fn advance_phase(&mut self) -> Option<(Asker, Step)> {
        let batch = self.options.batch;
        match &mut self.phase {
            Phase::Roots => {
                self.take_roots();
                None
            }
            Phase::ExecutionRoots(executions, jobs) if executions.is_empty() => {
                self.phase = Phase::JobRoots(JobRoots::new(std::mem::take(jobs)));
                None
            }
            Phase::ExecutionRoots(executions, _) => {
                let page = executions.split_off(executions.len().saturating_sub(batch));
                Some((Asker::Phase, Step::Children(Kind::Execution, page)))
            }
            Phase::JobRoots(roots) => {
                let mut tools = Tools {
                    batch,
                    known: &mut self.known,
                    closure: &mut self.closure,
                    outbox: &mut self.outbox,
                };
                if let Some(step) = roots.step(&mut self.jobs, &mut tools) {
                    return Some((Asker::Phase, step));
                }
                if roots.has_ended() {
                    self.phase = Phase::Entities;
                }
                None
            }
            Phase::OpenJobs(_) => Some((Asker::Phase, Step::OpenJobs)),
            Phase::Executions(_) => Some((Asker::Phase, Step::Executions)),
            Phase::Entities if self.outbox.is_empty() => {
                self.phase = Phase::Tags;
                None
            }
            Phase::Entities => Some(self.transfer()),
            Phase::Tags => {
                if self.tags.needs_written() && !self.outbox.is_empty() {
                    return Some(self.transfer());
                }
                if let Some(step) = self.tags.step(batch, &mut self.closure, &self.known) {
                    return Some((Asker::Tags, step));
                }
                if self.tags.has_ended() {
                    self.phase = Phase::Rest;
                }
                None
            }
            Phase::Rest if self.outbox.is_empty() => Some((Asker::Nobody, Step::Done)),
            Phase::Rest => Some(self.transfer()),
        }
    }

    fn transfer(&mut self) -> (Asker, Step) {
        let parts = self.outbox.take(self.options.transaction);
        (Asker::Outbox, Step::Transfer(parts))
    }

    fn job_tools(&mut self) -> (&mut JobWalk, Tools<'_>) {
        let tools = Tools {
            batch: self.options.batch,
            known: &mut self.known,
            closure: &mut self.closure,
            outbox: &mut self.outbox,
        };
        (&mut self.jobs, tools)
    }

    /// Sends given roots on their ways.
    fn take_roots(&mut self) {
        let (mut jobs, mut executions) = (Vec::new(), Vec::new());
        for (kind, id) in self.roots.iter().flatten() {
            match kind {
                Kind::Execution => executions.push(id.clone()),
                Kind::Job => jobs.push(id.clone()),
                _ => self.closure.add(*kind, id.clone(), &self.known),
            }
        }
        self.phase = Phase::ExecutionRoots(executions, jobs);
    }

    /// Answer to `Executions`, `Tags` and `Has`.
    ///
    /// # Errors
    /// If no such question was asked; the same goes for the other answers.
    pub fn feed_ids(&mut self, ids: Vec<Id>) -> Result<()> {
        let asker = self.answered()?;
        match asker {
            Asker::Closure => {
                let deep = self.options.deep;
                self.closure.feed_ids(ids, deep, &mut self.known);
            }
            Asker::Jobs => {
                let next = self.jobs.feed_ids(&ids, self.options.deep);
                self.follow(asker, next);
            }
            Asker::Tags => {
                let asked = std::mem::take(&mut self.asked);
                let next = self
                    .tags
                    .feed_ids(ids, &asked, &mut self.closure, &self.known);
                self.follow(asker, next);
            }
            Asker::Phase => self.feed_executions(ids)?,
            Asker::Nobody | Asker::Outbox => return Err(protocol("no ids were asked for")),
        }
        Ok(())
    }

    /// A page of executions, or those of a page that the target holds.
    fn feed_executions(&mut self, ids: Vec<Id>) -> Result<()> {
        let Phase::Executions(page) = &mut self.phase else {
            return Err(protocol("no ids were asked for"));
        };
        let lacking = if page.is_empty() {
            if ids.is_empty() {
                self.phase = Phase::Entities;
                return Ok(());
            }
            if !self.options.deep {
                page.clone_from(&ids);
                let step = Step::Has(Kind::Execution, ids);
                self.follow(Asker::Phase, Some(step));
                return Ok(());
            }
            ids
        } else {
            let held: FxHashSet<Id> = ids.into_iter().collect();
            let mut page = std::mem::take(page);
            page.retain(|id| !held.contains(id));
            page
        };
        if !lacking.is_empty() {
            let step = Step::Children(Kind::Execution, lacking);
            self.follow(Asker::Phase, Some(step));
        }
        Ok(())
    }

    /// Part of the answer to `Children` of jobs: those that have ended.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_ended(&mut self, jobs: &[Id]) -> Result<()> {
        match self.asker {
            Asker::Jobs => self.jobs.feed_ended(jobs),
            // Others ask which jobs there are.
            Asker::Closure | Asker::Tags | Asker::Phase => {}
            Asker::Nobody | Asker::Outbox => return Err(protocol("no jobs were asked for")),
        }
        Ok(())
    }

    /// Part of the answer to `Children`.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_edges(&mut self, edges: Vec<Edge>) -> Result<()> {
        match self.asker {
            Asker::Closure => self.closure.feed_edges(edges, &self.known),
            Asker::Jobs => self.jobs.feed_edges(edges),
            Asker::Tags => self.tags.feed_edges(edges),
            Asker::Phase => {
                for edge in edges {
                    self.jobs.add_execution(edge.parent, edge.child);
                }
            }
            Asker::Nobody | Asker::Outbox => return Err(protocol("no edges were asked for")),
        }
        Ok(())
    }

    /// The end of the answer to `Children`.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_end(&mut self) -> Result<()> {
        match self.answered()? {
            Asker::Jobs => {
                let (jobs, mut tools) = self.job_tools();
                jobs.feed_end(&mut tools);
            }
            Asker::Tags => {
                let next = self.tags.feed_end();
                self.follow(Asker::Tags, next);
            }
            _ => {}
        }
        Ok(())
    }

    /// Answer to `OpenJobs` (job, false, child jobs) and `JobStates` (job, has ended, child jobs).
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_jobs(&mut self, states: Vec<(Id, bool, u64)>) -> Result<()> {
        match self.answered()? {
            Asker::Tags => {
                let asked = std::mem::take(&mut self.asked);
                let held = states.into_iter().map(|(job, _, _)| job).collect();
                self.tags
                    .feed_entities(Kind::Job, held, &asked, &mut self.closure, &self.known);
            }
            Asker::Phase => self.feed_phase_jobs(states)?,
            _ => return Err(protocol("no jobs were asked for")),
        }
        Ok(())
    }

    fn feed_phase_jobs(&mut self, states: Vec<(Id, bool, u64)>) -> Result<()> {
        match &mut self.phase {
            Phase::JobRoots(roots) => {
                roots.feed_present(states.into_iter().map(|(job, _, _)| job));
            }
            Phase::OpenJobs(page) if page.is_empty() => {
                if states.is_empty() {
                    self.phase = Phase::Executions(Vec::new());
                    return Ok(());
                }
                let ids = states.iter().map(|(job, _, _)| job.clone()).collect();
                page.extend(states.into_iter().map(|(job, _, count)| (job, count)));
                self.follow(Asker::Phase, Some(Step::JobStates(Side::Source, ids)));
            }
            Phase::OpenJobs(page) => {
                let page = std::mem::take(page);
                for (job, ended, children) in states {
                    // Children are only ever added, by the one program that runs the job.
                    let grown = page.get(&job).is_some_and(|&count| children > count);
                    if ended || grown || self.options.deep {
                        self.jobs.add_present(job);
                    }
                }
            }
            _ => return Err(protocol("no jobs were asked for")),
        }
        Ok(())
    }

    /// Answer to `JobOwners`.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_owners(&mut self, owners: Vec<Owner>) -> Result<()> {
        match (self.answered()?, &mut self.phase) {
            (Asker::Phase, Phase::JobRoots(roots)) => roots.feed_owners(owners),
            _ => return Err(protocol("no owners were asked for")),
        }
        Ok(())
    }

    /// Answer to `TagOwners`.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn feed_tag_owners(&mut self, owners: Vec<TagOwner>) -> Result<()> {
        match self.answered()? {
            Asker::Tags => self.tags.feed_tag_owners(owners),
            _ => return Err(protocol("no owners of tags were asked for")),
        }
        Ok(())
    }

    /// Answer to `Transfer`: it is committed.
    ///
    /// # Errors
    /// As `feed_ids`.
    pub fn transferred(&mut self) -> Result<()> {
        match self.answered()? {
            Asker::Outbox => Ok(()),
            _ => Err(protocol("no transfer was asked for")),
        }
    }

    fn answered(&mut self) -> Result<Asker> {
        match std::mem::replace(&mut self.asker, Asker::Nobody) {
            Asker::Nobody => Err(protocol("nothing was asked")),
            asker => Ok(asker),
        }
    }

    fn follow(&mut self, asker: Asker, step: Option<Step>) {
        self.follow_up = step.map(|step| (asker, step));
    }
}

fn protocol(reason: &str) -> Error {
    Error::Protocol {
        reason: reason.to_owned(),
    }
}
