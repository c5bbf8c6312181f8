//! Reading bencode: one item, reported part by part.
//!
//! The reader is as lenient as the format's reference: lengths and integers may carry white space,
//! a plus sign, leading zeros and single underscores between digits; dictionary keys may come in any
//! order and repeat; what follows the item is ignored; a lone `e` is read as "nothing".

use crate::error::DecodeError;

/// What the reader reports to. Between `begin_*` and `end` come the items of the innermost list or
/// dictionary (there: key, value, key, value ...).
pub trait Visitor {
    /// Why the visitor may refuse; decoding errors are passed through it.
    type Error: From<DecodeError>;

    /// A lone `e`, or one where the value of a dictionary item belongs.
    fn nothing(&mut self) -> Result<(), Self::Error>;
    /// An integer, as ASCII that an integer parser takes: sign, digits, no blanks, no underscores.
    fn int(&mut self, decimal: &str) -> Result<(), Self::Error>;
    /// A byte string.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// A list begins.
    fn begin_list(&mut self) -> Result<(), Self::Error>;
    /// A dictionary begins.
    fn begin_dict(&mut self) -> Result<(), Self::Error>;
    /// The innermost list or dictionary ends.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// What is open and what it expects next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    List,
    Key,
    Value,
}

/// Read one item from the start of `data` and return how many bytes it took.
///
/// # Errors
/// A [`DecodeError`], or what the visitor raised.
pub fn decode<V: Visitor>(data: &[u8], visitor: &mut V) -> Result<usize, V::Error> {
    let mut reader = Reader { data, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    loop {
        let lead = reader.peek();
        if open.last() == Some(&Open::Key) && !matches!(lead, Some(b'0'..=b'9' | b'e')) {
            return Err(match lead {
                Some(b'i' | b'l' | b'd') => DecodeError::KeyNotString.into(),
                found => DecodeError::UnknownLead { found }.into(),
            });
        }
        match lead {
            Some(b'i') => {
                reader.at += 1;
                visitor.int(&number(reader.until(b'e')?)?)?;
            }
            Some(b'0'..=b'9') => visitor.bytes(reader.string()?)?,
            Some(kind @ (b'l' | b'd')) => {
                reader.at += 1;
                if kind == b'l' {
                    visitor.begin_list()?;
                    open.push(Open::List);
                } else {
                    visitor.begin_dict()?;
                    open.push(Open::Key);
                }
                continue;
            }
            Some(b'e') => {
                reader.at += 1;
                match open.pop() {
                    None => visitor.nothing()?,
                    Some(Open::Value) => {
                        visitor.nothing()?;
                        visitor.end()?;
                    }
                    Some(Open::List | Open::Key) => visitor.end()?,
                }
            }
            found => return Err(DecodeError::UnknownLead { found }.into()),
        }
        // An item is complete: the dictionary around it now expects the other half.
        match open.last_mut() {
            None => return Ok(reader.at),
            Some(Open::List) => {}
            Some(expects @ Open::Key) => *expects = Open::Value,
            Some(expects @ Open::Value) => *expects = Open::Key,
        }
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    /// The bytes up to `end`, which is consumed.
    fn until(&mut self, end: u8) -> Result<&'a [u8], DecodeError> {
        let rest = &self.data[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == end)
            .ok_or(DecodeError::Truncated { end })?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let text = number(self.until(b':')?)?;
        let rest = &self.data[self.at..];
        let length = text.parse::<usize>().ok().filter(|&n| n <= rest.len());
        let Some(length) = length else {
            let digits = text.trim_start_matches('0');
            return Err(DecodeError::ShortString {
                expected: if digits.is_empty() { "0" } else { digits }.to_owned(),
                found: rest.len(),
            });
        };
        self.at += length;
        Ok(&rest[..length])
    }
}

/// A decimal number as Python's `int()` reads it from bytes, reduced to sign and digits.
fn number(text: &[u8]) -> Result<String, DecodeError> {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let wrong = || DecodeError::NotANumber {
        text: text.to_owned(),
    };
    let start = text.iter().position(|b| !blank(b)).ok_or_else(wrong)?;
    let end = text.iter().rposition(|b| !blank(b)).ok_or_else(wrong)?;
    let mut out = String::with_capacity(end + 1 - start);
    let mut digits = &text[start..=end];
    if let Some(b'-' | b'+') = digits.first() {
        if digits[0] == b'-' {
            out.push('-');
        }
        digits = &digits[1..];
    }
    let mut after_digit = false;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => out.push(char::from(byte)),
            b'_' if after_digit => {}
            _ => return Err(wrong()),
        }
        after_digit = byte != b'_';
    }
    if after_digit {
        Ok(out)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("5", "5"),
            (" 3", "3"),
            ("\n3\x0b", "3"),
            ("+3", "3"),
            ("-0", "-0"),
            ("1_0", "10"),
            ("007", "007"),
        ] {
            assert_eq!(number(text.as_bytes()).as_deref(), Ok(expected), "{text:?}");
        }
        for text in [
            "", " ", "x", "1__0", "_1", "1_", "+-1", "1 0", "0x1", "1.5", "+", "\u{663}",
        ] {
            assert!(number(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
