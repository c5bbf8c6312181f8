//! What the host tells the machine. The opcodes and tuple layouts are in the module header of
//! [`super`].

use super::job::{Kind, NodeId, TaskId};
use crate::digest::Digest;

/// May take the outcome of an equal job of this run.
pub const FLAG_CSE: u8 = 1;
/// The host wants to look into the backend before the job runs.
pub const FLAG_LOOKUP: u8 = 2;
/// Equal jobs of this run may take the outcome of this one.
pub const FLAG_REUSABLE: u8 = 4;

/// The hash of a result. A value may define a hash of its own, which need not be a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultHash {
    /// 40 hex characters.
    Digest(Digest),
    /// Anything else.
    Text(Box<str>),
}

impl ResultHash {
    /// Reads a hash as it came from the host.
    pub fn new(text: &str) -> Self {
        match text.parse() {
            Ok(digest) => ResultHash::Digest(digest),
            Err(_) => ResultHash::Text(text.into()),
        }
    }
}

/// What PREPARED says about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Hash of task and arguments.
    pub eval: Digest,
    /// Hash of the arguments.
    pub args: Digest,
    /// Hash of the context; `None` when it is empty.
    pub context: Option<Digest>,
    /// [`FLAG_CSE`], [`FLAG_LOOKUP`], [`FLAG_REUSABLE`].
    pub flags: u8,
    /// Higher runs first.
    pub priority: i64,
    /// Resource limits with the amount needed; a name may repeat, amounts add up.
    pub limits: Vec<(String, u64)>,
}

/// One thing that happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are those of the protocol
pub enum Event {
    /// A new node.
    Declare {
        id: NodeId,
        kind: Kind,
        scope: Option<NodeId>,
        task: Option<TaskId>,
    },
    /// The node waits for these.
    Await { id: NodeId, deps: Vec<NodeId> },
    /// The job has its arguments and hashes.
    Prepared { id: NodeId, with: Preparation },
    /// A result was found.
    Hit { id: NodeId, call: Option<Digest> },
    /// No result was found.
    Miss { id: NodeId },
    /// The task's result is there and holds these nodes.
    Finished { id: NodeId, deps: Vec<NodeId> },
    /// The final value is there.
    Resolved { id: NodeId, result: ResultHash },
    /// The task's result is there and is the final value.
    FinishedPlain { id: NodeId, result: ResultHash },
    /// The job ends in an error.
    Failed { id: NodeId, error: ResultHash },
    /// The operation is done.
    Settle { id: NodeId },
    /// The operation failed.
    Fail { id: NodeId },
    /// Drop everything that has not ended.
    Cancel,
    /// Tasks below a call that was found.
    Subtree { id: NodeId, tasks: Vec<TaskId> },
}

impl Event {
    /// The node the event is about; `None` for CANCEL.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Event::Declare { id, .. }
            | Event::Await { id, .. }
            | Event::Prepared { id, .. }
            | Event::Hit { id, .. }
            | Event::Miss { id }
            | Event::Finished { id, .. }
            | Event::Resolved { id, .. }
            | Event::FinishedPlain { id, .. }
            | Event::Failed { id, .. }
            | Event::Settle { id }
            | Event::Fail { id }
            | Event::Subtree { id, .. } => Some(*id),
            Event::Cancel => None,
        }
    }
}
