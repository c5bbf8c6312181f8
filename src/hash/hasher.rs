//! The incremental hash of a scheme, tagged bytes, and a buffer in front of it for small input.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest as _, Sha512};

use super::scheme::Scheme;
use crate::codec::{Encoder, Sink};
use crate::digest::{Digest, HEX_LEN};

/// From this many bytes on, BLAKE3 uses every core; below, waking the threads costs more.
const PARALLEL_MIN: usize = 1 << 20;
/// A [`Spool`] passes its bytes on when it holds this many.
const SPOOL_MAX: usize = 1 << 16;

/// An incremental hash of one scheme.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Blake3(Box<blake3::Hasher>),
    Redun1(Sha512),
}

impl Hasher {
    /// A hash of nothing yet.
    pub fn new(scheme: Scheme) -> Self {
        Self(match scheme {
            Scheme::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
            Scheme::Redun1 => State::Redun1(Sha512::new()),
        })
    }

    /// The scheme it was made under.
    pub fn scheme(&self) -> Scheme {
        match self.0 {
            State::Blake3(_) => Scheme::Blake3,
            State::Redun1(_) => Scheme::Redun1,
        }
    }

    /// Add bytes, on every core if there are many and the scheme allows it.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Blake3(hasher) if bytes.len() >= PARALLEL_MIN && threads_are_ours() => {
                hasher.update_rayon(bytes);
            }
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
            State::Redun1(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of everything added so far; more may follow.
    pub fn digest(&self) -> Digest {
        match &self.0 {
            State::Blake3(hasher) => Digest::truncated(hasher.finalize().as_bytes()),
            State::Redun1(hasher) => Digest::truncated(&hasher.clone().finalize()),
        }
    }

    /// The first `length` hexadecimal characters of the whole hash: at most 64 (BLAKE3) or 128
    /// (SHA-512), whatever is asked.
    pub fn hex(&self, length: usize) -> String {
        let mut text = String::with_capacity(length.min(2 * 64) + 1);
        if length <= HEX_LEN {
            text.push_str(self.digest().to_hex().as_str());
        } else {
            match &self.0 {
                State::Blake3(hasher) => push_hex(&mut text, hasher.finalize().as_bytes()),
                State::Redun1(hasher) => push_hex(&mut text, &hasher.clone().finalize()),
            }
        }
        text.truncate(length);
        text
    }
}

impl Sink for Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

/// Whether the thread pool may be used: its threads do not survive a fork, and waiting for them in
/// the child would never end.
fn threads_are_ours() -> bool {
    static OWNER: AtomicU32 = AtomicU32::new(0);
    let pid = process::id();
    match OWNER.compare_exchange(0, pid, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => true,
        Err(owner) => owner == pid,
    }
}

/// The digest of `bytes`.
pub fn digest_bytes(scheme: Scheme, bytes: &[u8]) -> Digest {
    match scheme {
        Scheme::Blake3 if bytes.len() < PARALLEL_MIN => {
            Digest::truncated(blake3::hash(bytes).as_bytes())
        }
        Scheme::Blake3 => {
            let mut hasher = Hasher::new(scheme);
            hasher.update(bytes);
            hasher.digest()
        }
        Scheme::Redun1 => Digest::truncated(&Sha512::digest(bytes)),
    }
}

/// The digest of `bytes` under `tag`: of `bencode([tag])` followed by the bytes.
pub fn digest_tagged(scheme: Scheme, tag: &str, bytes: &[u8]) -> Digest {
    let mut spool = Spool::new(scheme);
    spool.tag(tag);
    spool.write(bytes);
    spool.finish()
}

/// Collects small writes, so that a short input is hashed in one go and a long one in large steps.
/// It is empty again after [`Spool::finish`] and keeps its memory for the next input.
pub struct Spool {
    scheme: Scheme,
    buffer: Vec<u8>,
    /// Exists once the buffer has been passed on.
    hasher: Option<Hasher>,
}

impl Spool {
    /// An empty spool.
    pub fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            buffer: Vec::with_capacity(256),
            hasher: None,
        }
    }

    /// Write the tag of tagged bytes.
    pub fn tag(&mut self, tag: &str) {
        let mut encoder = Encoder::new(self);
        encoder.begin_list();
        encoder.bytes(tag.as_bytes());
        encoder.end();
    }

    /// The digest of what was written since the last call.
    pub fn finish(&mut self) -> Digest {
        let digest = match self.hasher.take() {
            None => digest_bytes(self.scheme, &self.buffer),
            Some(mut hasher) => {
                hasher.update(&self.buffer);
                hasher.digest()
            }
        };
        self.buffer.clear();
        digest
    }

    /// Forget what was written.
    pub fn reset(&mut self) {
        self.hasher = None;
        self.buffer.clear();
    }

    fn pass_on(&mut self) -> &mut Hasher {
        let hasher = self.hasher.get_or_insert_with(|| Hasher::new(self.scheme));
        hasher.update(&self.buffer);
        self.buffer.clear();
        hasher
    }
}

impl Sink for Spool {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() < SPOOL_MAX {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.pass_on().update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let redun1 = |bytes| digest_bytes(Scheme::Redun1, bytes).to_string();
        assert_eq!(redun1(b""), "cf83e1357eefb8bdf1542850d66d8007d620e405");
        let blake3 = |bytes| digest_bytes(Scheme::Blake3, bytes).to_string();
        assert_eq!(blake3(b""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9");
        assert_eq!(
            digest_tagged(Scheme::Redun1, "Value", b"x").to_string(),
            "9ccd55acf5d9cefd88e9815de96971b31fed00e8"
        );
    }

    #[test]
    fn pieces_do_not_matter() {
        let data: Vec<u8> = (0..1_100_000_u32).map(|i| (i % 251) as u8).collect();
        for scheme in Scheme::ALL {
            let whole = digest_bytes(scheme, &data);
            for step in [997, 65_536, 1 << 20] {
                let (mut hasher, mut spool) = (Hasher::new(scheme), Spool::new(scheme));
                for piece in data.chunks(step) {
                    hasher.update(piece);
                    spool.write(piece);
                }
                assert_eq!(hasher.digest(), whole);
                assert_eq!(spool.finish(), whole);
                assert_eq!(spool.finish(), digest_bytes(scheme, b""));
            }
        }
    }

    #[test]
    fn length_is_a_limit() {
        for (scheme, most) in [(Scheme::Blake3, 64), (Scheme::Redun1, 128)] {
            let hasher = Hasher::new(scheme);
            assert_eq!(hasher.scheme(), scheme);
            assert_eq!(hasher.hex(1000).len(), most);
            assert_eq!(hasher.hex(0), "");
            assert_eq!(hasher.hex(40), hasher.digest().to_string());
            assert!(hasher.hex(1000).starts_with(&hasher.hex(40)));
        }
    }
}
