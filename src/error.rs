//! The one error enum of the crate: made where the fact is known, mapped to Python in one place.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong in the core.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hash scheme that does not exist.
    #[error("unknown hash scheme {name:?}: expected one of \"blake3\", \"redun1\"")]
    UnknownScheme {
        /// The name asked for.
        name: String,
    },
    /// Text that is not a digest.
    #[error("{text:?} is not a digest: expected 40 lower-case hexadecimal characters")]
    NotADigest {
        /// The text given.
        text: String,
    },
    /// Bytes that are not bencode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A node that was never declared to the machine.
    #[error("node {id} was never declared")]
    UnknownNode {
        /// The number used.
        id: u32,
    },
    /// A task the machine has not met.
    #[error("there is no task {index}")]
    UnknownTask {
        /// The index used.
        index: u32,
    },
    /// An event that a node in its state does not accept.
    #[error("{event} is not legal for {kind} {id}, which is {state}")]
    IllegalTransition {
        /// The name of the event.
        event: &'static str,
        /// The node.
        id: u32,
        /// What the node is.
        kind: &'static str,
        /// The state it is in.
        state: &'static str,
    },
    /// An event that no machine accepts.
    #[error("{reason}")]
    Protocol {
        /// What is wrong with it.
        reason: String,
    },
    /// A batch of events stopped short.
    #[error("event {index} of the batch: {source}")]
    Event {
        /// Its place in the batch, from 0.
        index: usize,
        /// Why it was refused.
        source: Box<Error>,
    },
    /// An index of the machine that contradicts what it is derived from: a defect of the core.
    #[error("the machine is inconsistent: {reason}")]
    Inconsistent {
        /// The difference.
        reason: String,
    },
}

impl Error {
    /// An input/output error of `path`.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Why bytes are not one bencoded item; the texts are those of the format's reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The data ended inside an integer or a length.
    #[error("File ended unexpectedly. Expected end byte {}.", show(&[*end]))]
    Truncated {
        /// The byte that closes the field.
        end: u8,
    },
    /// The data ended inside a string.
    #[error("string expected to be {expected} bytes long but the file ended after {found} bytes")]
    ShortString {
        /// The length announced.
        expected: String,
        /// The bytes left.
        found: usize,
    },
    /// An integer or a length that is not a decimal number.
    #[error("invalid literal for int() with base 10: {}", show(text))]
    NotANumber {
        /// The bytes between the delimiters.
        text: Vec<u8>,
    },
    /// A byte that starts no item, or no byte at all.
    #[error(
        "Tried to decode type 'End' with identifier b'e', got identifier {} instead",
        show(found.as_slice())
    )]
    UnknownLead {
        /// The byte found; `None` at the end of the data.
        found: Option<u8>,
    },
    /// A dictionary key that is not a string.
    #[error("dictionary keys must be strings")]
    KeyNotString,
}

/// Bytes as Python shows them.
fn show(bytes: &[u8]) -> String {
    let mut text = String::from("b'");
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\'' => text.push_str("\\'"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('\'');
    text
}

/// Shorthand for results of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_python_shows_them() {
        assert_eq!(show(b"a'\\\n\xff"), r"b'a\'\\\n\xff'");
        let error = DecodeError::UnknownLead { found: None };
        assert!(error.to_string().ends_with("got identifier b'' instead"));
    }

    #[test]
    fn io_errors_name_the_path() {
        let error = Error::io(
            Path::new("/no/such"),
            io::Error::from(io::ErrorKind::NotFound),
        );
        assert!(error.to_string().starts_with("/no/such: "));
    }
}
