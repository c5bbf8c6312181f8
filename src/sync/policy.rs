//! Which edges are owned, so that a record the target holds prunes what is below it.
//!
//! | record | owns |
//! | --- | --- |
//! | execution | its root job |
//! | job that has ended | task, call, child jobs |
//! | open job | task |
//! | call | task, result, arguments, the calls these came from, the calls it made |
//! | value | the values in it |
//! | tag | the tags it replaces |
//!
//! Tags are attached to what they are about, never owned: an entity that is there says nothing about
//! its tags. A job also needs its parent job and its execution to be there; it is written after them.

use super::step::Kind;

/// Whether records of one kind own records of another.
pub const fn owns(parent: Kind, child: Kind) -> bool {
    match parent {
        Kind::Execution => matches!(child, Kind::Job),
        Kind::Job => matches!(child, Kind::Value | Kind::Call | Kind::Job),
        Kind::Call => matches!(child, Kind::Value | Kind::Call),
        Kind::Value => matches!(child, Kind::Value),
        Kind::Tag => matches!(child, Kind::Tag),
    }
}
