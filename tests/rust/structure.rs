//! Digests of structures, with those the compatibility scheme has to give.

use redun_core::codec::Node;
use redun_core::hash::hasher::Spool;
use redun_core::hash::structure::{digest_arguments, digest_structure};
use redun_core::hash::{digest_bytes, Scheme};

fn list(items: &[&str]) -> Node {
    Node::List(
        items
            .iter()
            .map(|text| Node::Bytes(text.as_bytes().to_vec()))
            .collect(),
    )
}

fn digest(scheme: Scheme, node: &Node) -> String {
    match digest_structure(scheme, node) {
        Ok(digest) => digest.to_string(),
        Err(never) => match never {},
    }
}

#[test]
fn recorded_digests() {
    for (items, expected) in [
        (&[] as &[&str], "052d52f93faf4fa4037fc1e1cedec179253e47e3"),
        (
            &["Eval", "a", "b"],
            "9acb194a20e631049a5c9689f00a2e320e6f6e5f",
        ),
    ] {
        assert_eq!(digest(Scheme::Redun1, &list(items)), expected);
    }
}

#[test]
fn a_structure_has_the_digest_of_its_encoding() {
    let node = Node::List(vec![list(&["a"; 20_000]), Node::Int("-7".to_owned())]);
    for scheme in Scheme::ALL {
        let expected = digest_bytes(scheme, &node.encode()).to_string();
        assert_eq!(digest(scheme, &node), expected);
    }
}

#[test]
fn keywords_are_sorted() {
    let mut spool = Spool::new(Scheme::Redun1);
    let (a, b) = (("a", "1"), ("b", "2"));
    let expected = digest_bytes(Scheme::Redun1, b"l13:TaskArgumentsl1:xed1:a1:11:b1:2ee");
    assert_eq!(digest_arguments(&mut spool, &["x"], &mut [b, a]), expected);
    assert_eq!(digest_arguments(&mut spool, &["x"], &mut [a, b]), expected);
}
