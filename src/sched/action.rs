//! What the machine asks of the host, or reports to it. Opcodes and layouts are in the module
//! header of [`super`].

use super::job::{NodeId, SetId};
use crate::digest::Digest;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The job.
    pub id: NodeId,
    /// Hash of its call; `None` for a job that failed before it was prepared.
    pub call: Option<Digest>,
    /// The tasks of its subtree.
    pub subtree: SetId,
    /// Child jobs that have a call, in child order; `None` when there are none or the call was
    /// found, not made.
    pub children: Option<Vec<NodeId>>,
}

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are those of the protocol
pub enum Action {
    /// All that the node waited for is done.
    Ready { id: NodeId },
    /// Look for a result in the backend.
    Check { id: NodeId },
    /// Run the job.
    Submit { id: NodeId, priority: i64 },
    /// The job will take the outcome of an equal, unfinished one.
    Collapse { id: NodeId, onto: NodeId },
    /// Reuse the result of an equal, finished job.
    Replay { id: NodeId, of: NodeId },
    /// Every node in the result is done: compute the final value.
    Reduce { id: NodeId },
    /// The job ended well.
    Settled(Outcome),
    /// Something the node waited for failed.
    Reject { id: NodeId, cause: NodeId },
    /// The job never got its arguments.
    Abandon { id: NodeId, cause: NodeId },
    /// The job took the outcome of its twin.
    Mirror {
        id: NodeId,
        of: NodeId,
        failed: bool,
    },
    /// The job asks for more of a limit than there is.
    Overlimit { id: NodeId, limit: String },
    /// The job ended in an error.
    Rejected(Outcome),
}

impl Action {
    /// The node the action is about.
    pub fn node(&self) -> NodeId {
        match self {
            Action::Ready { id }
            | Action::Check { id }
            | Action::Submit { id, .. }
            | Action::Collapse { id, .. }
            | Action::Replay { id, .. }
            | Action::Reduce { id }
            | Action::Reject { id, .. }
            | Action::Abandon { id, .. }
            | Action::Mirror { id, .. }
            | Action::Overlimit { id, .. } => *id,
            Action::Settled(outcome) | Action::Rejected(outcome) => outcome.id,
        }
    }

    /// The host is expected to answer with an event.
    pub fn asks(&self) -> bool {
        !matches!(
            self,
            Action::Collapse { .. }
                | Action::Settled(_)
                | Action::Abandon { .. }
                | Action::Mirror { .. }
                | Action::Rejected(_)
        )
    }
}
