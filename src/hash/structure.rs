//! Digests of structures: the hash of a bencoding, without building the bytes first.

use super::hasher::Spool;
use super::scheme::Scheme;
use crate::codec::{Encoder, Source};
use crate::digest::Digest;

/// The digest of the bencoding of `source`.
pub fn digest_structure<S: Source + ?Sized>(
    scheme: Scheme,
    source: &S,
) -> Result<Digest, S::Error> {
    let mut spool = Spool::new(scheme);
    source.feed(&mut Encoder::new(&mut spool))?;
    Ok(spool.finish())
}

/// The digest of a call's arguments: `["TaskArguments", [hash..], {name: hash..}]`.
///
/// `keywords` may come in any order; a bencoded dictionary is sorted by key.
pub fn digest_arguments(
    spool: &mut Spool,
    positional: &[&str],
    keywords: &mut [(&str, &str)],
) -> Digest {
    keywords.sort_unstable();
    let mut encoder = Encoder::new(spool);
    encoder.begin_list();
    encoder.bytes(b"TaskArguments");
    encoder.begin_list();
    for hash in positional {
        encoder.bytes(hash.as_bytes());
    }
    encoder.end();
    encoder.begin_dict();
    for (name, hash) in keywords {
        encoder.bytes(name.as_bytes());
        encoder.bytes(hash.as_bytes());
    }
    encoder.end();
    encoder.end();
    spool.finish()
}
