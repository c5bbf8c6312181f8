//! Bencode: the encoding is one for each item, reading gives back what was written, at any depth.

use std::collections::BTreeMap;

use proptest::prelude::*;
use redun_core::codec::{decode, Node, Visitor};
use redun_core::error::DecodeError;

/// An item compared by its structure, as `Node` deliberately is not.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Int(i128),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Dict(BTreeMap<Vec<u8>, Tree>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<i128>().prop_map(Tree::Int),
        (-3_i128..3).prop_map(Tree::Int),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Tree::Bytes),
        "[eild0-9:]{0,4}".prop_map(|text| Tree::Bytes(text.into_bytes())),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let keys = prop::collection::vec(any::<u8>(), 0..4);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::btree_map(keys, inner, 0..6).prop_map(Tree::Dict),
        ]
    })
}

fn to_node(tree: &Tree) -> Node {
    match tree {
        Tree::Int(value) => Node::Int(value.to_string()),
        Tree::Bytes(bytes) => Node::Bytes(bytes.clone()),
        Tree::List(items) => Node::List(items.iter().map(to_node).collect()),
        Tree::Dict(items) => Node::Dict(
            items
                .iter()
                .map(|(key, value)| (key.clone(), to_node(value)))
                .collect(),
        ),
    }
}

fn to_tree(node: &Node) -> Tree {
    match node {
        Node::Int(text) => Tree::Int(text.parse().expect("an integer")),
        Node::Bytes(bytes) => Tree::Bytes(bytes.clone()),
        Node::List(items) => Tree::List(items.iter().map(to_tree).collect()),
        Node::Dict(items) => Tree::Dict(
            items
                .iter()
                .map(|(key, value)| (key.clone(), to_tree(value)))
                .collect(),
        ),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in trees()) {
        let bytes = to_node(&tree).encode();
        let read = Node::decode(&bytes).expect("own encoding");
        prop_assert_eq!(to_tree(&read), tree);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn two_items_share_no_encoding(a in trees(), b in trees()) {
        prop_assert_eq!(to_node(&a).encode() == to_node(&b).encode(), a == b);
    }

    #[test]
    fn no_encoding_starts_another(tree in trees(), cut in any::<prop::sample::Index>()) {
        let bytes = to_node(&tree).encode();
        let cut = cut.index(bytes.len());
        prop_assert!(Node::decode(&bytes[..cut]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(node) = Node::decode(&bytes) {
            let again = Node::decode(&node.encode()).expect("own encoding");
            prop_assert_eq!(again, node);
        }
    }

    #[test]
    fn bytes_of_the_alphabet_are_read_or_refused(text in "[dile0-9:_ +-]{0,40}") {
        if let Ok(node) = Node::decode(text.as_bytes()) {
            prop_assert!(!node.encode().is_empty());
        }
    }
}

/// Counts what is reported and refuses nothing.
#[derive(Default)]
struct Counter {
    items: usize,
    ended: usize,
}

impl Visitor for Counter {
    type Error = DecodeError;

    fn nothing(&mut self) -> Result<(), DecodeError> {
        self.items += 1;
        Ok(())
    }
    fn int(&mut self, _: &str) -> Result<(), DecodeError> {
        self.nothing()
    }
    fn bytes(&mut self, _: &[u8]) -> Result<(), DecodeError> {
        self.nothing()
    }
    fn begin_list(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
    fn begin_dict(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), DecodeError> {
        self.ended += 1;
        Ok(())
    }
}

#[test]
fn reading_stops_after_the_item() {
    for (data, taken, items, ended) in [
        ("i5eXYZ", 3, 1, 0),
        ("2:abl", 4, 1, 0),
        ("lelel", 2, 0, 1),
        ("e", 1, 1, 0),
        ("d1:aei1e", 5, 2, 1),
        ("ld1:aei1ee", 10, 3, 2),
    ] {
        let mut counter = Counter::default();
        assert_eq!(decode(data.as_bytes(), &mut counter), Ok(taken), "{data}");
        assert_eq!((counter.items, counter.ended), (items, ended), "{data}");
    }
}

#[test]
fn malformed_data_is_named() {
    let error = |data: &[u8]| Node::decode(data).expect_err("malformed");
    let truncated = |end| DecodeError::Truncated { end };
    let lead = |found| DecodeError::UnknownLead { found };
    assert_eq!(error(b""), lead(None));
    assert_eq!(error(b"x"), lead(Some(b'x')));
    assert_eq!(error(b"l"), lead(None));
    assert_eq!(error(b"e"), lead(Some(b'e')));
    assert_eq!(error(b"i5"), truncated(b'e'));
    assert_eq!(error(b"5"), truncated(b':'));
    assert_eq!(error(b"di1ei2ee"), DecodeError::KeyNotString);
    assert_eq!(error(b"dx"), lead(Some(b'x')));
    let short = DecodeError::ShortString {
        expected: "99999999999999999999".to_owned(),
        found: 2,
    };
    assert_eq!(error(b"99999999999999999999:ab"), short);
}

#[test]
fn depth_has_no_limit() {
    const DEPTH: usize = 1_000_000;
    let mut data = b"l".repeat(DEPTH);
    data.extend(b"e".repeat(DEPTH));
    let node = Node::decode(&data).expect("well-formed");
    assert_eq!(node.encode(), data);
    let mut dicts = b"d1:k".repeat(DEPTH);
    dicts.extend(b"0:");
    dicts.extend(b"e".repeat(DEPTH));
    assert_eq!(Node::decode(&dicts).expect("well-formed").encode(), dicts);
}
