//! A repo in memory for tests of the planner: it answers questions, can tell whether it is closed, and
//! knows the plain definition of what some records own.

use std::collections::{BTreeMap, BTreeSet};

use redun_core::sync::{Edge, Id, Kind, Options, Owner, Part, Planner, Side, Step, TagOwner};

/// The id of record `number` of a kind.
pub fn id(kind: Kind, number: u32) -> Id {
    let mut bytes = [kind as u8; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Id::Uuid(bytes)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub parent: Option<Id>,
    pub execution: Id,
    pub task: Id,
    /// The call, once the job has ended.
    pub call: Option<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub about: Option<(Kind, Id)>,
    pub parents: Vec<Id>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repo {
    pub executions: BTreeMap<Id, Id>,
    pub jobs: BTreeMap<Id, Job>,
    /// Values and calls that a call owns.
    pub calls: BTreeMap<Id, Vec<(Kind, Id)>>,
    pub values: BTreeMap<Id, Vec<Id>>,
    pub tags: BTreeMap<Id, Tag>,
}

pub type Records = BTreeSet<(Kind, Id)>;

impl Repo {
    pub fn holds(&self, kind: Kind, id: &Id) -> bool {
        match kind {
            Kind::Execution => self.executions.contains_key(id),
            Kind::Job => self.jobs.contains_key(id),
            Kind::Call => self.calls.contains_key(id),
            Kind::Value => self.values.contains_key(id),
            Kind::Tag => self.tags.contains_key(id),
        }
    }

    fn has(&self, kind: Kind, id: &Id) -> bool {
        match kind {
            Kind::Job => self.jobs.get(id).is_some_and(|job| job.call.is_some()),
            _ => self.holds(kind, id),
        }
    }

    pub fn child_jobs<'a>(&'a self, parent: &'a Id) -> impl Iterator<Item = &'a Id> {
        let is_child = move |job: &Job| job.parent.as_ref() == Some(parent);
        let jobs = self.jobs.iter().filter(move |(_, job)| is_child(job));
        jobs.map(|(id, _)| id)
    }

    pub fn children(&self, kind: Kind, id: &Id) -> Vec<(Kind, Id)> {
        match kind {
            Kind::Execution => {
                let root = self.executions.get(id);
                root.map(|job| (Kind::Job, job.clone()))
                    .into_iter()
                    .collect()
            }
            Kind::Job => {
                let Some(job) = self.jobs.get(id) else {
                    return Vec::new();
                };
                let mut owned = vec![(Kind::Value, job.task.clone())];
                owned.extend(job.call.clone().map(|call| (Kind::Call, call)));
                owned.extend(self.child_jobs(id).map(|child| (Kind::Job, child.clone())));
                owned
            }
            Kind::Call => self.calls.get(id).cloned().unwrap_or_default(),
            Kind::Value => {
                let inside = self.values.get(id).into_iter().flatten();
                inside.map(|value| (Kind::Value, value.clone())).collect()
            }
            Kind::Tag => {
                let replaced = self.tags.get(id).into_iter().flat_map(|tag| &tag.parents);
                replaced.map(|tag| (Kind::Tag, tag.clone())).collect()
            }
        }
    }

    /// What is wrong with the repo's being closed, if anything.
    pub fn gap(&self) -> Option<String> {
        let lacks = |kind, id: &Id| !self.holds(kind, id);
        for (execution, job) in &self.executions {
            if lacks(Kind::Job, job) {
                return Some(format!("{execution} has no root job"));
            }
        }
        for (id, job) in &self.jobs {
            if job
                .parent
                .as_ref()
                .is_some_and(|parent| lacks(Kind::Job, parent))
                || lacks(Kind::Execution, &job.execution)
                || lacks(Kind::Value, &job.task)
                || job
                    .call
                    .as_ref()
                    .is_some_and(|call| lacks(Kind::Call, call))
            {
                return Some(format!("{id} refers to what is not there: {job:?}"));
            }
        }
        for (kind, ids) in [
            (Kind::Call, self.calls.keys().collect::<Vec<_>>()),
            (Kind::Value, self.values.keys().collect()),
            (Kind::Tag, self.tags.keys().collect()),
        ] {
            for id in ids {
                for (child_kind, child) in self.children(kind, id) {
                    if lacks(child_kind, &child) {
                        return Some(format!("{kind:?} {id} lacks {child_kind:?} {child}"));
                    }
                }
            }
        }
        None
    }

    /// Jobs that ended here lack no child that the source has.
    pub fn missing_child(&self, source: &Self) -> Option<Id> {
        let ended = self.jobs.iter().filter(|(_, job)| job.call.is_some());
        ended
            .flat_map(|(id, _)| source.child_jobs(id))
            .find(|child| !self.jobs.contains_key(*child))
            .cloned()
    }

    /// All records reachable from roots along owned edges: the plain definition.
    pub fn closure(&self, roots: impl IntoIterator<Item = (Kind, Id)>) -> Records {
        let mut found = Records::new();
        let mut stack: Vec<(Kind, Id)> = roots.into_iter().collect();
        while let Some((kind, id)) = stack.pop() {
            if self.holds(kind, &id) && found.insert((kind, id.clone())) {
                stack.extend(self.children(kind, &id));
            }
        }
        found
    }

    pub fn records(&self) -> Records {
        let mut all = Records::new();
        all.extend(
            self.executions
                .keys()
                .map(|id| (Kind::Execution, id.clone())),
        );
        all.extend(self.jobs.keys().map(|id| (Kind::Job, id.clone())));
        all.extend(self.calls.keys().map(|id| (Kind::Call, id.clone())));
        all.extend(self.values.keys().map(|id| (Kind::Value, id.clone())));
        all.extend(self.tags.keys().map(|id| (Kind::Tag, id.clone())));
        all
    }

    pub fn copy(&mut self, source: &Self, kind: Kind, id: &Id, open: bool) {
        match kind {
            Kind::Execution => {
                self.executions
                    .insert(id.clone(), source.executions[id].clone());
            }
            Kind::Job => {
                let mut job = source.jobs[id].clone();
                if open {
                    job.call = None;
                }
                let held = self.jobs.entry(id.clone()).or_insert_with(|| job.clone());
                if held.call.is_none() {
                    *held = job;
                }
            }
            Kind::Call => {
                self.calls.insert(id.clone(), source.calls[id].clone());
            }
            Kind::Value => {
                self.values.insert(id.clone(), source.values[id].clone());
            }
            Kind::Tag => {
                self.tags.insert(id.clone(), source.tags[id].clone());
            }
        }
    }
}

/// What a transfer did.
#[derive(Debug, Default)]
pub struct Log {
    pub transactions: usize,
    pub questions: usize,
    /// Ids in questions and answers.
    pub ids: usize,
    pub planned: u64,
}

/// Runs a planner; `cut` ends the transfer after so many transactions.
pub fn transfer(
    source: &Repo,
    target: &mut Repo,
    options: Options,
    roots: Option<Vec<(Kind, Id)>>,
    cut: Option<usize>,
    mut check: impl FnMut(&Repo),
) -> Log {
    let options = Options {
        empty: options.empty && *target == Repo::default(),
        ..options
    };
    let mut planner = Planner::new(options, roots);
    let mut log = Log::default();
    let page = |ids: Vec<Id>| -> Pages {
        let pages: Vec<Vec<Id>> = ids.chunks(options.batch).map(<[Id]>::to_vec).collect();
        pages.into_iter()
    };
    let open = target.jobs.iter().filter(|(_, job)| job.call.is_none());
    let mut lists = Lists {
        executions: page(source.executions.keys().cloned().collect()),
        tags: page(source.tags.keys().cloned().collect()),
        open: page(open.map(|(id, _)| id.clone()).collect()),
    };
    loop {
        log.questions += 1;
        match planner.next().expect("answered") {
            Step::Transfer(_) if cut == Some(log.transactions) => return log,
            Step::Transfer(parts) => {
                log.transactions += 1;
                if !options.dry_run {
                    write(source, target, parts);
                    check(target);
                }
                planner.transferred().expect("asked");
            }
            Step::Done => {
                log.planned = planner.planned().iter().sum();
                return log;
            }
            step => {
                if let Step::Has(_, ids) | Step::Children(_, ids) = &step {
                    assert!(ids.len() <= options.batch);
                    log.ids += ids.len();
                }
                answer(&mut planner, step, source, target, &mut lists);
            }
        }
    }
}

type Pages = std::vec::IntoIter<Vec<Id>>;

struct Lists {
    executions: Pages,
    tags: Pages,
    open: Pages,
}

fn answer(planner: &mut Planner, step: Step, source: &Repo, target: &Repo, lists: &mut Lists) {
    let of = |side| if side == Side::Source { source } else { target };
    let answered = match step {
        Step::Executions => planner.feed_ids(lists.executions.next().unwrap_or_default()),
        Step::Tags => planner.feed_ids(lists.tags.next().unwrap_or_default()),
        Step::OpenJobs => {
            let jobs = lists.open.next().unwrap_or_default().into_iter();
            let count = |job: &Id| target.child_jobs(job).count() as u64;
            planner.feed_jobs(jobs.map(|job| (job.clone(), false, count(&job))).collect())
        }
        Step::Has(kind, ids) => {
            let held = ids.into_iter().filter(|id| target.has(kind, id));
            planner.feed_ids(held.collect())
        }
        Step::Children(kind, ids) => {
            if kind == Kind::Job {
                let ended = ids.iter().filter(|id| source.has(kind, id)).cloned();
                planner
                    .feed_ended(&ended.collect::<Vec<_>>())
                    .expect("asked");
            }
            for parent in ids {
                let owned = source.children(kind, &parent).into_iter();
                let edges = owned.map(|(kind, child)| Edge {
                    parent: parent.clone(),
                    kind,
                    child,
                });
                planner.feed_edges(edges.collect()).expect("asked");
            }
            planner.feed_end()
        }
        Step::JobStates(side, ids) => {
            let states = ids.into_iter().filter_map(|id| {
                let ended = of(side).jobs.get(&id)?.call.is_some();
                let children = of(side).child_jobs(&id).count() as u64;
                Some((id, ended, children))
            });
            planner.feed_jobs(states.collect())
        }
        Step::JobOwners(ids) => {
            let owners = ids.into_iter().filter_map(|id| owner(source, id));
            planner.feed_owners(owners.collect())
        }
        Step::TagOwners(ids) => {
            let owners = ids.into_iter().filter_map(|id| tag_owner(source, id));
            planner.feed_tag_owners(owners.collect())
        }
        Step::Transfer(_) | Step::Done => unreachable!("no questions"),
    };
    answered.expect("the answer that was asked for");
}

fn owner(source: &Repo, id: Id) -> Option<Owner> {
    let job = source.jobs.get(&id)?.clone();
    Some(Owner {
        job: id,
        parent: job.parent,
        execution: job.execution,
        task: job.task,
    })
}

fn tag_owner(source: &Repo, id: Id) -> Option<TagOwner> {
    let (kind, entity) = source.tags.get(&id)?.about.clone().unzip();
    let entity = entity.unwrap_or_else(|| Id::new(""));
    Some(TagOwner {
        tag: id,
        kind,
        entity,
    })
}

fn write(source: &Repo, target: &mut Repo, parts: Vec<Part>) {
    for part in parts {
        for id in &part.ids {
            target.copy(source, part.kind, id, part.open);
        }
    }
}
