//! `Digest`: 160 bits that name a record, a value or a file.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Bytes in a digest.
pub const DIGEST_LEN: usize = 20;
/// Characters of a digest as text, the width of the hash columns of a repo.
pub const HEX_LEN: usize = 2 * DIGEST_LEN;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The first 160 bits of a hash; ordered as its text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; DIGEST_LEN]);

/// A digest as 40 lower-case hexadecimal characters, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexDigest([u8; HEX_LEN]);

impl Digest {
    /// The digest with these bytes.
    pub const fn new(bytes: [u8; DIGEST_LEN]) -> Self {
        Self(bytes)
    }

    /// The first 20 bytes of a longer hash.
    ///
    /// # Panics
    /// If `hash` is shorter than a digest, which no hash of a scheme is.
    pub fn truncated(hash: &[u8]) -> Self {
        let mut bytes = [0; DIGEST_LEN];
        bytes.copy_from_slice(&hash[..DIGEST_LEN]);
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }

    /// The text form.
    pub fn to_hex(self) -> HexDigest {
        let mut text = [0; HEX_LEN];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        HexDigest(text)
    }
}

impl HexDigest {
    /// The characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::NotADigest {
            text: text.to_owned(),
        };
        if text.len() != HEX_LEN {
            return Err(wrong());
        }
        let mut bytes = [0; DIGEST_LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let high = nibble(pair[0]).ok_or_else(wrong)?;
            let low = nibble(pair[1]).ok_or_else(wrong)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// The value of a lower-case hexadecimal digit; upper case is refused so that a digest has one text.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let digest = Digest::truncated(&(0..=255).rev().collect::<Vec<u8>>());
        let text = digest.to_string();
        assert_eq!(text, "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedec");
        assert_eq!(text.parse::<Digest>().expect("own text"), digest);
    }

    #[test]
    fn order_is_that_of_the_text() {
        let (a, b) = (Digest::new([9; 20]), Digest::new([0xa0; 20]));
        assert!(a < b && a.to_string() < b.to_string());
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "00", &"0".repeat(41), &"A".repeat(40), &"é".repeat(20)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
