//! Bencode: the encoding that records are hashed over and that streams of records are written in.
//!
//! Four kinds of item: integers (`i5e`), byte strings (`2:ab`), lists (`l...e`) and dictionaries
//! (`d...e`, sorted by key). Text is UTF-8, so `"a"` and `b"a"` have one encoding; tuples are lists.
//!
//! [`Encoder`] writes items to a [`Sink`] (bytes or a hash), [`decode`] reads one item and reports it
//! to a [`Visitor`], [`Node`] is an item in memory. None of them recurses: nesting has no limit.

mod decode;
mod encode;
mod node;

pub use decode::{decode, Visitor};
pub use encode::{Encoder, Sink, Source};
pub use node::Node;
