//! What the planner asks for, and what the answers consist of.

use super::id::Id;

/// The kinds of records, in the order in which ids are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One run of a workflow.
    Execution,
    /// One attempt to run a task.
    Job,
    /// A completed call.
    Call,
    /// A value; a task is one.
    Value,
    /// A tag.
    Tag,
}

impl Kind {
    /// All kinds, in order.
    pub const ALL: [Self; 5] = [
        Self::Execution,
        Self::Job,
        Self::Call,
        Self::Value,
        Self::Tag,
    ];

    /// The name in `_type` of a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execution => "Execution",
            Self::Job => "Job",
            Self::Call => "CallNode",
            Self::Value => "Value",
            Self::Tag => "Tag",
        }
    }

    /// The kind with this name; a task is a value.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "Task" => Some(Self::Value),
            _ => Self::ALL.into_iter().find(|kind| kind.name() == name),
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where records come from.
    Source,
    /// Where they go.
    Target,
}

/// Record `parent`, of the kind asked about, owns record `child`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who owns.
    pub parent: Id,
    /// The kind of what is owned.
    pub kind: Kind,
    /// What is owned.
    pub child: Id,
}

/// Where a job belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The job.
    pub job: Id,
    /// Its parent job; none for a root job.
    pub parent: Option<Id>,
    /// Its execution.
    pub execution: Id,
    /// Its task.
    pub task: Id,
}

/// What a tag is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagOwner {
    /// The tag.
    pub tag: Id,
    /// The kind of its entity; none for a tag that deletes others.
    pub kind: Option<Kind>,
    /// Its entity.
    pub entity: Id,
}

/// Records of one kind to copy; jobs that are `open` as if they had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Their kind.
    pub kind: Kind,
    /// Jobs only: without their ends.
    pub open: bool,
    /// Jobs only: an earlier transaction of this transfer copied them open, now come their ends.
    pub again: bool,
    /// The records, in order.
    pub ids: Vec<Id>,
}

/// What the host is to do next; beside each, the answer it feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next page of all execution ids of the source, empty at the end: `feed_ids`.
    Executions,
    /// The next page of all tag ids of the source, empty at the end: `feed_ids`.
    Tags,
    /// The next page of open jobs of the target, empty at the end: `feed_jobs`.
    OpenJobs,
    /// Which of these does the target hold? Of jobs: hold as ended. `feed_ids`.
    Has(Kind, Vec<Id>),
    /// What do these own in the source, and which of the jobs have ended? `feed_edges` and `feed_ended`,
    /// any number of times, then `feed_end`. The source reads who has ended no later than who has
    /// which children: who has ended gets no more of them.
    Children(Kind, Vec<Id>),
    /// The state of those of these jobs that are held: `feed_jobs`.
    JobStates(Side, Vec<Id>),
    /// Where those of these jobs that the source holds belong: `feed_owners`.
    JobOwners(Vec<Id>),
    /// What those of these tags that the source holds are about: `feed_tag_owners`.
    TagOwners(Vec<Id>),
    /// Copy these from source to target in one transaction, those that others need first, each
    /// but once: `transferred`.
    Transfer(Vec<Part>),
    /// Nothing is left to do.
    Done,
}

impl Step {
    /// The step with the ids of a question in their order, in which a database finds them fastest.
    pub fn sorted(mut self) -> Self {
        match &mut self {
            Self::Has(_, ids)
            | Self::Children(_, ids)
            | Self::JobStates(_, ids)
            | Self::JobOwners(ids)
            | Self::TagOwners(ids) => ids.sort_unstable(),
            Self::Executions | Self::Tags | Self::OpenJobs | Self::Transfer(_) | Self::Done => {}
        }
        self
    }
}
