//! What the machine keeps of a node: ids, states, the permanent record and the part that lives
//! until it ends.

use smallvec::SmallVec;

use crate::digest::{Digest, DIGEST_LEN};

/// Fills a field whose flag says that it means nothing yet.
const NO_DIGEST: Digest = Digest::new([0; DIGEST_LEN]);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        #[allow(dead_code)] // not every id needs all of them
        impl $name {
            /// Stands for "there is none" where an `Option` would double the size of a record.
            pub const NONE: Self = Self(u32::MAX);

            /// The position in the vector this id numbers.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// `None` for [`Self::NONE`].
            #[inline]
            pub fn some(self) -> Option<Self> {
                (self != Self::NONE).then_some(self)
            }
        }
    )*};
}

ids! {
    /// A node: a job or an operation; numbered by the host from 0 without gaps.
    NodeId;
    /// A task, in the order in which [`super::Machine::task`] met them.
    TaskId;
    /// An interned set of tasks.
    SetId;
    /// An interned context hash.
    ContextId;
    /// An interned request for resource limits.
    RequestId;
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call of a task: cached, recorded, limited.
    Job,
    /// Anything else that waits for nodes.
    Op,
}

/// Where a node stands. The order matters: everything from [`State::Done`] on has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Declared, not waiting yet.
    Declared,
    /// Waits for its arguments (a job) or for the nodes of its present phase (an operation).
    Waiting,
    /// READY was sent.
    Ready,
    /// CHECK was sent.
    Checking,
    /// REPLAY was sent.
    Replaying,
    /// HIT came; the result follows.
    Hit,
    /// Must run, and its limits do not fit yet.
    Parked,
    /// OVERLIMIT was sent.
    Overlimit,
    /// SUBMIT was sent; the only state that holds limits.
    Running,
    /// Its result holds nodes that have not settled.
    Holding,
    /// REDUCE was sent.
    Reducing,
    /// REJECT was sent.
    Rejecting,
    /// Takes the outcome of its twin.
    Collapsed,
    /// Ended well.
    Done,
    /// Ended in an error.
    Failed,
    /// A job that never got its arguments.
    Abandoned,
    /// Dropped by CANCEL.
    Cancelled,
}

impl State {
    /// Nothing can happen to the node any more.
    #[inline]
    pub fn ended(self) -> bool {
        self >= State::Done
    }

    /// Ended, and not well.
    #[inline]
    pub fn failed(self) -> bool {
        self > State::Done
    }

    /// The host has been asked something about the node and has not answered.
    #[inline]
    pub fn owed(self) -> bool {
        use State::*;
        matches!(
            self,
            Ready | Checking | Replaying | Hit | Overlimit | Running | Reducing | Rejecting
        )
    }

    /// The word shown in messages and stories.
    pub fn name(self) -> &'static str {
        use State::*;
        match self {
            Declared => "declared",
            Waiting => "waiting",
            Ready => "ready",
            Checking => "checking",
            Replaying => "replaying",
            Hit => "hit",
            Parked => "parked",
            Overlimit => "over limit",
            Running => "running",
            Holding => "holding",
            Reducing => "reducing",
            Rejecting => "rejecting",
            Collapsed => "collapsed",
            Done => "done",
            Failed => "failed",
            Abandoned => "abandoned",
            Cancelled => "cancelled",
        }
    }
}

/// The column of the status table a job is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Not dispatched, or never will be.
    Pending,
    /// From dispatch to its end.
    Running,
    /// Ended in an error.
    Failed,
    /// Ended with a result that was computed before.
    Cached,
    /// Ended with a result of its own.
    Done,
}

/// How many jobs of a task stand where; indexed by [`Bucket`].
pub type Counts = [u32; 5];

/// The job may be reused by later, equal jobs.
pub(super) const REUSABLE: u8 = 1;
/// The job was prepared: its eval hash, arguments hash and context are known.
pub(super) const PREPARED: u8 = 2;
/// HIT came, or the outcome was mirrored: the result was computed before.
pub(super) const CACHED: u8 = 4;
/// `call` holds the hash of the call.
pub(super) const CALLED: u8 = 8;
/// The call hash came with HIT.
pub(super) const GIVEN: u8 = 16;
/// The outcome is that of `twin`; the job has no call of its own.
pub(super) const MIRROR: u8 = 32;

/// What is kept of a node for the whole run (72 bytes).
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Key of the evaluation; meaningful with `PREPARED`.
    pub eval: Digest,
    /// Hash of the call; meaningful with `CALLED`.
    pub call: Digest,
    /// Second half of the key; `NONE` for a job without a context.
    pub context: ContextId,
    /// The job in whose body the node appears.
    pub scope: NodeId,
    /// `NONE` for an operation.
    pub task: TaskId,
    /// Tasks of the call's subtree; `NONE` until the end.
    pub subtree: SetId,
    /// The next job of the same scope, in child order.
    pub sibling: NodeId,
    /// The job this one collapsed onto or replays.
    pub twin: NodeId,
    /// Slot in `Arena::live`; `u32::MAX` once the node has ended.
    pub live: u32,
    pub kind: Kind,
    pub state: State,
    /// Bits from `REUSABLE` to `MIRROR`.
    pub flags: u8,
}

impl Node {
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Where the status table counts the job; a cancelled one stays where it was.
    #[inline]
    pub fn bucket(&self) -> Bucket {
        match self.state {
            State::Abandoned => Bucket::Pending,
            State::Failed => Bucket::Failed,
            State::Done if self.has(CACHED) => Bucket::Cached,
            State::Done => Bucket::Done,
            _ if self.has(PREPARED) => Bucket::Running,
            _ => Bucket::Pending,
        }
    }
}

/// Somebody who waits for a node: valid while its epoch is still this one.
pub(super) type Waiter = (NodeId, u32);
pub(super) type Waiters = SmallVec<[Waiter; 2]>;

/// What is kept of a node until it ends; slots are reused.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub owner: NodeId,
    /// Counts the waits of the node: an entry in a waiters list from an earlier wait is void.
    pub epoch: u32,
    /// Entries of the present wait whose node has not settled.
    pub unmet: u32,
    pub request: RequestId,
    pub priority: i64,
    pub args: Digest,
    /// Tasks that came with SUBTREE.
    pub extra: SetId,
    /// The jobs declared in its body, as a list through `Node::sibling`.
    pub first_child: NodeId,
    pub last_child: NodeId,
    /// Neighbours in the ring of equal jobs, see [`super::dedup`]; `NONE` for a job outside it.
    pub equal_before: NodeId,
    pub equal_after: NodeId,
    pub waiters: Waiters,
}

impl Live {
    fn new(owner: NodeId) -> Self {
        Live {
            owner,
            epoch: 0,
            unmet: 0,
            request: RequestId::NONE,
            priority: 0,
            args: NO_DIGEST,
            extra: SetId::NONE,
            first_child: NodeId::NONE,
            last_child: NodeId::NONE,
            equal_before: NodeId::NONE,
            equal_after: NodeId::NONE,
            waiters: Waiters::new(),
        }
    }
}

/// Every node, and the live part of those that have not ended.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub nodes: Vec<Node>,
    pub live: Vec<Live>,
    /// Slots of `live` that are free.
    pub free: Vec<u32>,
}

impl Arena {
    #[inline]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    #[inline]
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The live part of a node that has not ended.
    #[inline]
    pub fn live(&self, id: NodeId) -> &Live {
        &self.live[self.nodes[id.index()].live as usize]
    }

    #[inline]
    pub fn live_mut(&mut self, id: NodeId) -> &mut Live {
        &mut self.live[self.nodes[id.index()].live as usize]
    }

    /// Adds a node; a job also takes its position among the children of a scope that has not ended.
    pub fn add(&mut self, kind: Kind, scope: NodeId, task: TaskId) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let live = match self.free.pop() {
            Some(slot) => {
                self.live[slot as usize] = Live::new(id);
                slot
            }
            None => {
                self.live.push(Live::new(id));
                self.live.len() as u32 - 1
            }
        };
        self.nodes.push(Node {
            eval: NO_DIGEST,
            call: NO_DIGEST,
            context: ContextId::NONE,
            scope,
            task,
            subtree: SetId::NONE,
            sibling: NodeId::NONE,
            twin: NodeId::NONE,
            live,
            kind,
            state: State::Declared,
            flags: 0,
        });
        if kind == Kind::Job && scope != NodeId::NONE && !self.node(scope).state.ended() {
            let last = self.live(scope).last_child;
            match last.some() {
                Some(last) => self.node_mut(last).sibling = id,
                None => self.live_mut(scope).first_child = id,
            }
            self.live_mut(scope).last_child = id;
        }
        id
    }

    /// Frees the live part of a node that has just ended and hands out who waited for it.
    pub fn release(&mut self, id: NodeId) -> Waiters {
        let slot = std::mem::replace(&mut self.node_mut(id).live, u32::MAX);
        self.free.push(slot);
        std::mem::take(&mut self.live[slot as usize].waiters)
    }

    /// The jobs in the body of an unfinished job, in child order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let first = self.live(id).first_child.some();
        std::iter::successors(first, |child| self.node(*child).sibling.some())
    }
}
