//! What is hashed how: the written contract.
//!
//! **Digest.** 160 bits, written as 40 lower-case hexadecimal characters: the first 20 bytes of
//! BLAKE3 (scheme `blake3`) or of SHA-512 (scheme `redun1`, the one of repos written by the
//! original). One scheme is active in a process ([`scheme`]); it belongs to the repo in use.
//!
//! **Structures** ([`structure`]). Records are hashed over the bencoding of a list that starts with
//! a tag, for example `["CallNode", task, args, result, [children]]`. Digests inside such a list
//! are their 40 characters. The pre-images are the same in both schemes.
//!
//! **Tagged bytes.** `bencode([tag])` followed by the bytes, so that kinds never share a digest.
//!
//! **Values** ([`value`]). Under `redun1`, tagged bytes `Value` over the pickle. Under `blake3`,
//! tagged bytes `Value` over a typed encoding that depends on content alone:
//!
//! | what | encoding (`n` = 8 bytes, little endian) |
//! | --- | --- |
//! | `None`, `True`, `False` | `N`, `T`, `F` |
//! | int of 64 bits | `i`, 8 bytes little endian two's complement |
//! | other int | `I`, n bytes, the shortest two's complement, little endian |
//! | float | `f`, the 8 bytes of IEEE 754 binary64, little endian |
//! | str | `s`, n bytes, UTF-8 (lone surrogates as `surrogatepass` writes them) |
//! | bytes | `b`, n bytes, the bytes |
//! | list, tuple | `l` or `t`, n items, the items |
//! | dict | `d`, n items, key and value of each in insertion order |
//! | set, frozenset | `S` or `Z`, n items, the digests of the items' encodings, sorted |
//! | value with a hash of its own | `v`, n bytes, that hash |
//! | named tuple, dataclass | `c`, n bytes, type name, n children, the children |
//! | anything else | `p`, n bytes, its pickle |
//!
//! Every encoding starts with its type and says how long it is, so two different values never share
//! one. At top level a value with a hash of its own *has* that hash, and anything else is the tagged
//! bytes `Value` over its pickle in both schemes; a pickle starts with the byte `80`, which starts
//! no encoding.
//!
//! **Files** ([`file`](mod@file), [`tree`]). The digest of the bytes, nothing else; the quick hash is
//! the structure `["File", "local", path, size, time]`.

pub mod file;
pub mod hasher;
pub mod scheme;
mod spread;
pub mod structure;
pub mod tree;
pub mod value;

pub use hasher::{digest_bytes, digest_tagged, Hasher};
pub use scheme::Scheme;
