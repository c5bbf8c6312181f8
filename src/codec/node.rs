//! An item in memory.

use std::collections::BTreeMap;
use std::fmt;

use super::decode::{decode, Visitor};
use super::encode::{Encoder, Sink, Source};
use crate::error::DecodeError;

/// One bencoded item. Dropping, encoding and decoding work at any depth; equal items are those with
/// equal encodings.
pub enum Node {
    /// An integer of any size: its shortest decimal text.
    Int(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Node>),
    /// A dictionary.
    Dict(BTreeMap<Vec<u8>, Node>),
}

impl Node {
    /// Read one item from the start of `data`.
    ///
    /// # Errors
    /// If the data is no item, or a lone `e`.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut builder = Builder::default();
        decode(data, &mut builder)?;
        builder
            .done
            .ok_or(DecodeError::UnknownLead { found: Some(b'e') })
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.feed(&mut Encoder::new(&mut out)) {
            Ok(()) => out,
            Err(never) => match never {},
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Eq for Node {}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.encode().escape_ascii())
    }
}

impl Source for Node {
    type Error = std::convert::Infallible;

    fn feed<S: Sink>(&self, encoder: &mut Encoder<'_, S>) -> Result<(), Self::Error> {
        enum Step<'a> {
            Node(&'a Node),
            Key(&'a [u8]),
            End,
        }
        let mut steps = vec![Step::Node(self)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Key(key) => encoder.bytes(key),
                Step::End => encoder.end(),
                Step::Node(Self::Int(text)) => encoder.int_text(text),
                Step::Node(Self::Bytes(bytes)) => encoder.bytes(bytes),
                Step::Node(Self::List(items)) => {
                    encoder.begin_list();
                    steps.push(Step::End);
                    steps.extend(items.iter().rev().map(Step::Node));
                }
                Step::Node(Self::Dict(items)) => {
                    encoder.begin_dict();
                    steps.push(Step::End);
                    for (key, value) in items.iter().rev() {
                        steps.push(Step::Node(value));
                        steps.push(Step::Key(key));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Node {
    // The derived drop would recurse as deep as the nesting.
    fn drop(&mut self) {
        let mut pending = Vec::new();
        take_children(self, &mut pending);
        while let Some(mut node) = pending.pop() {
            take_children(&mut node, &mut pending);
        }
    }
}

fn take_children(node: &mut Node, into: &mut Vec<Node>) {
    match node {
        Node::List(items) => into.append(items),
        Node::Dict(items) => into.extend(std::mem::take(items).into_values()),
        Node::Int(_) | Node::Bytes(_) => {}
    }
}

/// Builds a node from what the reader reports.
#[derive(Default)]
struct Builder {
    open: Vec<(Node, Option<Vec<u8>>)>,
    done: Option<Node>,
}

impl Builder {
    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.done = Some(node),
            Some((Node::Dict(items), key)) => {
                if let Some(key) = key.take() {
                    items.insert(key, node);
                }
            }
            Some((Node::List(items), _)) => items.push(node),
            Some(_) => {}
        }
    }
}

impl Visitor for Builder {
    type Error = DecodeError;

    fn nothing(&mut self) -> Result<(), DecodeError> {
        Err(DecodeError::UnknownLead { found: Some(b'e') })
    }

    fn int(&mut self, decimal: &str) -> Result<(), DecodeError> {
        let (sign, digits) = match decimal.strip_prefix('-') {
            Some(digits) => ("-", digits.trim_start_matches('0')),
            None => ("", decimal.trim_start_matches('0')),
        };
        self.put(Node::Int(if digits.is_empty() {
            "0".to_owned()
        } else {
            format!("{sign}{digits}")
        }));
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        match self.open.last_mut() {
            Some((Node::Dict(_), key @ None)) => *key = Some(bytes.to_vec()),
            _ => self.put(Node::Bytes(bytes.to_vec())),
        }
        Ok(())
    }

    fn begin_list(&mut self) -> Result<(), DecodeError> {
        self.open.push((Node::List(Vec::new()), None));
        Ok(())
    }

    fn begin_dict(&mut self) -> Result<(), DecodeError> {
        self.open.push((Node::Dict(BTreeMap::new()), None));
        Ok(())
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        if let Some((node, _)) = self.open.pop() {
            self.put(node);
        }
        Ok(())
    }
}
