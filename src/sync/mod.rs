//! The planner of a transfer between two repos: what to ask, what to copy, in which order. It does no
//! input or output; the host performs the steps, and each answer is fed back.
//!
//! ```text
//! planner.next()  -> a question to the source or the target   planner.feed_...(answer)
//! planner.next()  -> Transfer(parts): one transaction          planner.transferred()
//! planner.next()  -> Done
//! ```
//!
//! # What is copied
//! From *roots* (given ids, or all executions of the source) to everything they own, see [`policy`].
//! A record that the target holds prunes what it owns: the target is *closed*, whoever has a record
//! has all that it owns. Deep planners go on below, to repair a target that is not.
//!
//! - **Executions** are compared as sets, a page at a time; those that the target has are not looked
//!   into. So a transfer with nothing new costs one exchange of execution ids.
//! - **Open jobs.** A job without an end does not promise its children. Those of the target are always
//!   asked for: if the source's has ended or has more children by now, the walk starts there, too.
//! - **Tags** are attached to what they are about and owned by nothing: they are compared as sets. A
//!   tag is copied if the target holds its entity (or, from given roots, if these own its entity).
//!
//! # Order
//! Values before what contains them, then calls after the calls they made, then jobs. Jobs refer to
//! their parents and are owned by them, so they are written parents first and *open*, and end once all
//! below them is there; where one transaction holds both, they are written once. Each transaction leaves
//! the target closed; a transfer that is cut is completed by the next one, since what it left open is
//! asked for.
//!
//! # Memory
//! Ids are kept compact (24 bytes). What is held: unvisited jobs, jobs to end and unwritten calls and
//! values of one page of executions, and a bounded memo of what the target has. Nothing recurses.

mod closure;
mod id;
mod jobs;
mod known;
mod outbox;
mod planner;
pub mod policy;
mod roots;
mod step;
mod tags;

pub use id::Id;
pub use planner::{Options, Planner};
pub use step::{Edge, Kind, Owner, Part, Side, Step, TagOwner};
