//! The typed encoding of values, hashed as it is written; its table is in [`super`].
//!
//! The caller walks the value and calls one method for each node, in order: [`ValueEncoder::start`],
//! then the nodes of one value, then [`ValueEncoder::finish`]. A sequence is its head (`list`,
//! `tuple`, `dict`, `structured`) followed by as many nodes as announced. The items of a set are each
//! followed by [`ValueEncoder::end_item`], and the last one by [`ValueEncoder::end_set`].

use super::hasher::Spool;
use super::scheme::Scheme;
use crate::codec::Sink;
use crate::digest::{Digest, DIGEST_LEN};

/// Hashes one value after another.
pub struct ValueEncoder {
    scheme: Scheme,
    out: Spool,
    /// The sets being written, outermost first.
    sets: Vec<OpenSet>,
    /// Spools of closed sets, to be used again.
    spare: Vec<Spool>,
}

struct OpenSet {
    /// What goes on after the set.
    around: Spool,
    frozen: bool,
    items: Vec<Digest>,
}

impl ValueEncoder {
    /// An encoder with nothing written.
    pub fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            out: Spool::new(scheme),
            sets: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Begin a value, whatever became of the one before.
    pub fn start(&mut self) {
        self.sets.clear();
        self.out.reset();
        self.out.tag("Value");
    }

    /// The digest of the value written since [`ValueEncoder::start`].
    pub fn finish(&mut self) -> Digest {
        debug_assert!(self.sets.is_empty(), "a set was not ended");
        self.out.finish()
    }

    /// `None`.
    pub fn none(&mut self) {
        self.out.write(b"N");
    }

    /// `True` or `False`.
    pub fn bool(&mut self, value: bool) {
        self.out.write(if value { b"T" } else { b"F" });
    }

    /// An int of 64 bits.
    pub fn int(&mut self, value: i64) {
        let mut bytes = [b'i'; 9];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        self.out.write(&bytes);
    }

    /// An int beyond 64 bits: its shortest two's complement, little endian.
    pub fn big_int(&mut self, bytes: &[u8]) {
        self.sized(b'I', bytes);
    }

    /// A float.
    pub fn float(&mut self, value: f64) {
        let mut bytes = [b'f'; 9];
        bytes[1..].copy_from_slice(&value.to_bits().to_le_bytes());
        self.out.write(&bytes);
    }

    /// A str in UTF-8, lone surrogates as three bytes.
    pub fn str(&mut self, utf8: &[u8]) {
        self.sized(b's', utf8);
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.sized(b'b', bytes);
    }

    /// The head of a list.
    pub fn list(&mut self, items: usize) {
        self.head(b'l', items);
    }

    /// The head of a tuple.
    pub fn tuple(&mut self, items: usize) {
        self.head(b't', items);
    }

    /// The head of a dict; key and value of each item follow.
    pub fn dict(&mut self, items: usize) {
        self.head(b'd', items);
    }

    /// The head of a container with a type of its own.
    pub fn structured(&mut self, type_name: &[u8], children: usize) {
        self.sized(b'c', type_name);
        self.out.write(&(children as u64).to_le_bytes());
    }

    /// A value inside another that has a hash of its own.
    pub fn hashed(&mut self, hash: &[u8]) {
        self.sized(b'v', hash);
    }

    /// A value inside another that is known by its pickle.
    pub fn pickled(&mut self, pickle: &[u8]) {
        self.sized(b'p', pickle);
    }

    /// Begin a set or a frozenset.
    pub fn begin_set(&mut self, frozen: bool, items: usize) {
        let scheme = self.scheme;
        let inner = self.spare.pop().unwrap_or_else(|| Spool::new(scheme));
        self.sets.push(OpenSet {
            around: std::mem::replace(&mut self.out, inner),
            frozen,
            items: Vec::with_capacity(items),
        });
    }

    /// End an item of the innermost set.
    pub fn end_item(&mut self) {
        let digest = self.out.finish();
        if let Some(set) = self.sets.last_mut() {
            set.items.push(digest);
        }
    }

    /// End the innermost set.
    pub fn end_set(&mut self) {
        let Some(mut set) = self.sets.pop() else {
            return;
        };
        self.spare
            .push(std::mem::replace(&mut self.out, set.around));
        set.items.sort_unstable();
        self.head(if set.frozen { b'Z' } else { b'S' }, set.items.len());
        for item in &set.items {
            self.out.write(item.as_bytes());
        }
        debug_assert_eq!(DIGEST_LEN, 20, "part of the format");
    }

    fn head(&mut self, kind: u8, count: usize) {
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&(count as u64).to_le_bytes());
        self.out.write(&bytes);
    }

    fn sized(&mut self, kind: u8, bytes: &[u8]) {
        self.head(kind, bytes.len());
        self.out.write(bytes);
    }
}
