//! The scheduler's state machine: events in, actions out, in batches. It holds no value and does no
//! input or output; the host performs the actions, and every outcome comes back as an event.
//!
//! ```text
//! machine.handle([DECLARE, AWAIT]) -> [READY]
//! machine.handle([PREPARED])       -> [CHECK] | [COLLAPSE] | [REPLAY] | as for MISS
//! machine.handle([MISS])           -> [SUBMIT] | [OVERLIMIT] | [] (parked)
//! machine.handle([FINISHED])       -> [REDUCE] | [] (waits for the nodes in the result)
//! machine.handle([RESOLVED])       -> [SETTLED, and READY or REDUCE of whoever waited]
//! ```
//!
//! # Nodes
//! A *job* is a call of a task: cached, recorded, limited. An *operation* is anything else that
//! waits for nodes. The host numbers both 0, 1, 2 ... A node stays in the body (scope) of the job
//! it was declared in; a job takes its child position there at once. Nodes may still be declared in
//! the body of a job that has ended; they are no children of its call.
//!
//! # Events (opcode, tuple)
//! | | tuple | meaning |
//! | --- | --- | --- |
//! | 0 | `DECLARE id kind scope task` | a new node: kind 0 job, 1 operation; -1 = no scope, no task |
//! | 1 | `AWAIT id [dep..]` | it waits for these nodes; see *Waiting* |
//! | 2 | `PREPARED id eval args context flags priority limits` | the job has its arguments |
//! | 3 | `HIT id call` | after CHECK or REPLAY: a result, with its call hash, or `None` (single reduction) |
//! | 4 | `MISS id` | after CHECK or REPLAY: the job must run |
//! | 5 | `FINISHED id [dep..]` | the task's result holds these nodes |
//! | 6 | `RESOLVED id result` | after REDUCE: the hash of the final value |
//! | 7 | `FINISHED_PLAIN id result` | FINISHED and RESOLVED in one, without nodes |
//! | 8 | `FAILED id error` | the job ends in an error; legal in every state before its end |
//! | 9 | `SETTLE id` | the operation is done; legal at any time before its end |
//! | 10 | `FAIL id` | the operation failed; legal at any time before its end |
//! | 11 | `CANCEL` | drop everything that has not ended |
//! | 12 | `SUBTREE id [task..]` | after CHECK or REPLAY, before the result: tasks below the call found |
//!
//! # Actions
//! | | tuple | the host answers |
//! | --- | --- | --- |
//! | 0 | `READY id` | PREPARED, AWAIT or FAILED (job); SETTLE, FAIL or AWAIT (operation) |
//! | 1 | `CHECK id` | HIT, MISS or FAILED |
//! | 2 | `SUBMIT id` | FINISHED, FINISHED_PLAIN or FAILED |
//! | 3 | `COLLAPSE id onto` | nothing |
//! | 4 | `REPLAY id of` | HIT, MISS or FAILED |
//! | 5 | `REDUCE id` | RESOLVED or FAILED |
//! | 6 | `SETTLED id call subtree children` | nothing |
//! | 7 | `REJECT id cause` | FAILED (job), or FAIL, SETTLE or AWAIT (operation) |
//! | 8 | `ABANDON id cause` | nothing: the job never got its arguments and has no call |
//! | 9 | `MIRROR id of failed` | nothing |
//! | 10 | `OVERLIMIT id name` | FAILED |
//! | 11 | `REJECTED id call subtree children` | nothing |
//!
//! Ends wake who waited in the same batch. The SUBMIT actions of a batch come by priority, highest
//! first. The cause in REJECT and ABANDON is the node waited for, which may itself have been
//! abandoned earlier in the list.
//!
//! # Rules
//! - **Waiting.** Nodes waited for may repeat. All done: READY. One failed or fails: REJECT for an
//!   operation, ABANDON for a job, at once and once. AWAIT may follow READY, and for an operation
//!   REJECT as well: a new phase.
//! - **Flags** of PREPARED: 1 may join or replay an equal job, 2 wants the look-up, 4 may be joined
//!   and replayed by others. PREPARED is also legal straight after DECLARE. `limits` is `None` or a list
//!   of name and count; counts of a name that repeats add up.
//! - **Mistakes.** A tuple that is malformed (opcode, length, type) refuses the whole batch. An
//!   event that is not legal changes nothing and ends the batch there; what earlier events of the
//!   batch asked for is returned by the next call. Events for a cancelled node are late reports and
//!   are ignored. `CANCEL` also drops questions of its own batch that were not handed out yet;
//!   counts stay as they were. A dependency on a cancelled node fails.
//! - **Equal jobs** have the same eval hash and context hash. A reusable job counts from the CHECK
//!   or run that it is the subject of, or else from its end; a mirrored one never does. For each
//!   key one of them stands: the unfinished one that came first, else the one that ended last. It
//!   is joined (COLLAPSE) or replayed (REPLAY). Failed jobs are replayed too. After CANCEL the
//!   latest declared of the ended ones stands.
//! - **A collapsed job** has no call of its own: it settles with its twin (MIRROR), and is replaced
//!   by it among the children of its parent. FAILED tears it from its twin; it then has a call
//!   without children.
//! - **Calls.** `H(["CallNode", task, args, result, sorted child calls])`, unless HIT gave one.
//!   Children are the jobs in its body that have ended with a call, in order, failed ones included.
//!   A job that fails before PREPARED has no call (`None`).
//! - **Subtree**: own task, and that of every child; of a call given by HIT: own task, that of the
//!   replayed job if it is the same call. The tasks of SUBTREE are added. Equal sets share an id.
//! - **Limits** are held from SUBMIT to FINISHED or FAILED. A limit that was never declared can
//!   give 1. A request above what a limit can give is OVERLIMIT, also when it is lowered later. A
//!   job that asks for limits is parked; grants are made at the end of each batch: by priority,
//!   then first come; one that does not fit does not hold up others. A change of a limit takes
//!   effect with the next batch, which may be empty.
//! - **Counts**: pending until PREPARED, running until the end, then cached (HIT or MIRROR), done
//!   or failed.
//! - **Stall.** With nothing owed, a cycle of waits can only be closed by collapsed jobs; `stalled`
//!   lists those. What is owed but waits for nodes itself, as a coroutine does, is named to it.
//!
//! # Inside
//! `machine` runs a batch; `transitions` holds a function for each event of a job, `waits` those
//! about waiting, `outcome` the call hash and children; `limits`, `dedup` and `subtree` each own
//! one index; `audit` derives all of them again. Nothing recurses: ends queue up, so a chain of a
//! million nodes settles in a loop.

mod action;
mod audit;
mod dedup;
mod event;
mod job;
mod limits;
mod machine;
mod outcome;
mod stall;
mod subtree;
mod transitions;
mod waits;

pub use action::{Action, Outcome};
pub use event::{Event, Preparation, ResultHash, FLAG_CSE, FLAG_LOOKUP, FLAG_REUSABLE};
pub use job::{Bucket, Counts, Kind, NodeId, SetId, State, TaskId};
pub use machine::Machine;
