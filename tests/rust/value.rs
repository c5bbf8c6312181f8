//! The typed encoding: different values have different digests, equal ones the same.

use std::collections::HashMap;

use proptest::prelude::*;
use redun_core::hash::value::ValueEncoder;
use redun_core::hash::{digest_tagged, Scheme};
use redun_core::Digest;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    BigInt(Vec<u8>),
    Float(u64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Set(Vec<Value>),
    FrozenSet(Vec<Value>),
    Structured(String, Vec<Value>),
    Hashed(String),
    Pickled(Vec<u8>),
}

/// Values from a small alphabet, so that near misses are common.
fn values() -> impl Strategy<Value = Value> {
    let text = "[ls\u{0}]{0,2}";
    let bytes = || prop::collection::vec(0_u8..3, 0..3);
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        (-2_i64..3).prop_map(Value::Int),
        bytes().prop_map(Value::BigInt),
        prop_oneof![Just(0.0_f64), Just(-0.0), Just(1.0), Just(f64::NAN)]
            .prop_map(|float| Value::Float(float.to_bits())),
        text.prop_map(Value::Str),
        bytes().prop_map(Value::Bytes),
        text.prop_map(Value::Hashed),
        bytes().prop_map(Value::Pickled),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let set = prop::collection::btree_set(inner.clone(), 0..4)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>());
        prop_oneof![
            items.clone().prop_map(Value::List),
            items.clone().prop_map(Value::Tuple),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Dict),
            set.clone().prop_map(Value::Set),
            set.prop_map(Value::FrozenSet),
            (text, items).prop_map(|(name, items)| Value::Structured(name, items)),
        ]
    })
}

fn write(encoder: &mut ValueEncoder, value: &Value) {
    let all = |encoder: &mut ValueEncoder, items: &[Value]| {
        items.iter().for_each(|item| write(encoder, item));
    };
    match value {
        Value::None => encoder.none(),
        Value::Bool(value) => encoder.bool(*value),
        Value::Int(value) => encoder.int(*value),
        Value::BigInt(bytes) => encoder.big_int(bytes),
        Value::Float(bits) => encoder.float(f64::from_bits(*bits)),
        Value::Str(text) => encoder.str(text.as_bytes()),
        Value::Bytes(bytes) => encoder.bytes(bytes),
        Value::Hashed(hash) => encoder.hashed(hash.as_bytes()),
        Value::Pickled(pickle) => encoder.pickled(pickle),
        Value::List(items) => {
            encoder.list(items.len());
            all(encoder, items);
        }
        Value::Tuple(items) => {
            encoder.tuple(items.len());
            all(encoder, items);
        }
        Value::Structured(name, items) => {
            encoder.structured(name.as_bytes(), items.len());
            all(encoder, items);
        }
        Value::Dict(items) => {
            encoder.dict(items.len());
            for (key, value) in items {
                write(encoder, key);
                write(encoder, value);
            }
        }
        Value::Set(items) | Value::FrozenSet(items) => {
            encoder.begin_set(matches!(value, Value::FrozenSet(_)), items.len());
            for item in items {
                write(encoder, item);
                encoder.end_item();
            }
            encoder.end_set();
        }
    }
}

fn digest(value: &Value) -> Digest {
    let mut encoder = ValueEncoder::new(Scheme::Blake3);
    encoder.start();
    write(&mut encoder, value);
    encoder.finish()
}

/// The same value, its sets written in the opposite order.
fn turned(value: &Value) -> Value {
    let all = |items: &[Value]| items.iter().map(turned).collect::<Vec<_>>();
    let back = |items: &[Value]| items.iter().rev().map(turned).collect::<Vec<_>>();
    match value {
        Value::Set(items) => Value::Set(back(items)),
        Value::FrozenSet(items) => Value::FrozenSet(back(items)),
        Value::List(items) => Value::List(all(items)),
        Value::Tuple(items) => Value::Tuple(all(items)),
        Value::Structured(name, items) => Value::Structured(name.clone(), all(items)),
        Value::Dict(items) => Value::Dict(
            items
                .iter()
                .map(|(key, value)| (turned(key), turned(value)))
                .collect(),
        ),
        leaf => leaf.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn different_values_have_different_digests(
        values in prop::collection::vec(values(), 2..30)
    ) {
        let mut known: HashMap<Digest, &Value> = HashMap::new();
        for value in &values {
            let before = known.insert(digest(value), value);
            prop_assert!(before.is_none_or(|before| before == value), "{before:?} {value:?}");
        }
    }

    #[test]
    fn the_order_in_a_set_does_not_matter(value in values()) {
        prop_assert_eq!(digest(&value), digest(&turned(&value)));
    }

    #[test]
    fn an_encoder_keeps_nothing_of_the_value_before(a in values(), b in values()) {
        let mut encoder = ValueEncoder::new(Scheme::Blake3);
        encoder.start();
        write(&mut encoder, &a);
        encoder.finish();
        encoder.start();
        encoder.begin_set(false, 1); // given up half way
        write(&mut encoder, &a);
        encoder.start();
        write(&mut encoder, &b);
        prop_assert_eq!(encoder.finish(), digest(&b));
    }
}

#[test]
fn the_encoding_is_the_one_written_down() {
    let sized = |kind: u8, count: u64| {
        let mut bytes = vec![kind];
        bytes.extend(count.to_le_bytes());
        bytes
    };
    let mut expected = sized(b'l', 4);
    expected.extend([b'i', 1, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend(b"N");
    expected.extend([sized(b's', 2), b"hi".to_vec()].concat());
    expected.extend(sized(b'd', 1));
    expected.extend(b"TF");
    let value = Value::List(vec![
        Value::Int(1),
        Value::None,
        Value::Str("hi".to_owned()),
        Value::Dict(vec![(Value::Bool(true), Value::Bool(false))]),
    ]);
    let tagged = digest_tagged(Scheme::Blake3, "Value", &expected);
    assert_eq!(digest(&value), tagged);
}

#[test]
fn large_parts_are_passed_on() {
    let big = Value::Bytes(vec![7; (1 << 20) + 5]);
    let nested = Value::Set(vec![
        Value::Tuple(vec![big.clone(), Value::None]),
        Value::List(vec![Value::Int(5); 50_000]),
        Value::None,
    ]);
    assert_eq!(digest(&nested), digest(&turned(&nested)));
    assert_ne!(digest(&nested), digest(&Value::Set(vec![Value::None])));
    let mut encoding = vec![b'b'];
    encoding.extend(((1_u64 << 20) + 5).to_le_bytes());
    encoding.extend(vec![7; (1 << 20) + 5]);
    assert_eq!(
        digest(&big),
        digest_tagged(Scheme::Blake3, "Value", &encoding)
    );
}
