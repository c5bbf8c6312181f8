//! `Id`: a hash or a UUID in few bytes, any other text as it is.

use std::fmt;

use crate::digest::{Digest, HEX_LEN};

/// Length of a UUID as text: 32 digits and four hyphens.
const UUID_LEN: usize = 36;

/// The id of a record. Equal ids have equal text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// 40 lower-case hexadecimal digits.
    Hash(Digest),
    /// A UUID in its canonical, lower-case form.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

impl Id {
    /// The id with this text.
    pub fn new(text: &str) -> Self {
        if text.len() == UUID_LEN {
            if let Some(bytes) = parse_uuid(text.as_bytes()) {
                return Self::Uuid(bytes);
            }
        }
        match text.parse() {
            Ok(digest) => Self::Hash(digest),
            Err(_) => Self::Text(text.into()),
        }
    }

    /// The text, which may be written to `buffer`: nothing is allocated.
    pub fn text<'a>(&'a self, buffer: &'a mut [u8; HEX_LEN]) -> &'a str {
        let length = match self {
            Self::Hash(digest) => {
                buffer.copy_from_slice(digest.to_hex().as_str().as_bytes());
                HEX_LEN
            }
            Self::Uuid(bytes) => {
                write_uuid(bytes, buffer);
                UUID_LEN
            }
            Self::Text(text) => return text,
        };
        std::str::from_utf8(&buffer[..length]).expect("digits and hyphens are ASCII")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; HEX_LEN]))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut at = 0;
    for (index, byte) in bytes.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

fn write_uuid(bytes: &[u8; 16], text: &mut [u8; HEX_LEN]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text[at] = b'-';
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compact_and_keep_their_text() {
        assert_eq!(std::mem::size_of::<Id>(), 24);
        for (text, compact) in [
            ("00ff3b0c9d1e2f405162738495a6b7c8d9eafb0c", true),
            ("550e8400-e29b-41d4-a716-446655440000", true),
            ("550E8400-e29b-41d4-a716-446655440000", false),
            ("550e8400xe29b-41d4-a716-446655440000", false),
            ("00FF3b0c9d1e2f405162738495a6b7c8d9eafb0c", false),
            ("", false),
            ("job-ü", false),
        ] {
            let id = Id::new(text);
            assert_eq!(id.to_string(), text);
            assert_eq!(!matches!(id, Id::Text(_)), compact, "{text}");
        }
    }
}
