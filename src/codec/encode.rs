//! Writing bencode, item by item.

/// Where encoded bytes go.
pub trait Sink {
    /// Take the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Something that can be written as exactly one item.
pub trait Source {
    /// Why it may be impossible.
    type Error;

    /// Write the item.
    ///
    /// # Errors
    /// If some part of it has no encoding; what was written until then is of no use.
    fn feed<S: Sink>(&self, encoder: &mut Encoder<'_, S>) -> Result<(), Self::Error>;
}

/// Writes items to a sink. The caller keeps the grammar: every list and dictionary is ended, and
/// the keys of a dictionary are strings in ascending order, each followed by one item.
pub struct Encoder<'a, S: Sink> {
    sink: &'a mut S,
}

impl<'a, S: Sink> Encoder<'a, S> {
    /// An encoder in front of `sink`.
    pub fn new(sink: &'a mut S) -> Self {
        Self { sink }
    }

    /// An integer of 64 bits.
    pub fn int(&mut self, value: i64) {
        let mut digits = [0; 20];
        let used = decimal(value.unsigned_abs(), &mut digits);
        self.sink.write(if value < 0 { b"i-" } else { b"i" });
        self.sink.write(used);
        self.sink.write(b"e");
    }

    /// An integer of any size, as its shortest decimal text.
    pub fn int_text(&mut self, decimal: &str) {
        self.sink.write(b"i");
        self.sink.write(decimal.as_bytes());
        self.sink.write(b"e");
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut digits = [0; 20];
        let length = decimal(bytes.len() as u64, &mut digits);
        self.sink.write(length);
        self.sink.write(b":");
        self.sink.write(bytes);
    }

    /// Begin a list; its items follow, then [`Encoder::end`].
    pub fn begin_list(&mut self) {
        self.sink.write(b"l");
    }

    /// Begin a dictionary; its keys and values follow, then [`Encoder::end`].
    pub fn begin_dict(&mut self) {
        self.sink.write(b"d");
    }

    /// End the innermost list or dictionary.
    pub fn end(&mut self) {
        self.sink.write(b"e");
    }
}

/// The decimal digits of `value`, written at the end of `digits`.
fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_lengths() {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out);
        for value in [0, -5, i64::MIN, i64::MAX] {
            encoder.int(value);
        }
        encoder.bytes(b"");
        encoder.bytes(&[b'x'; 11]);
        let expected = "i0ei-5ei-9223372036854775808ei9223372036854775807e0:11:xxxxxxxxxxx";
        assert_eq!(out, expected.as_bytes());
    }
}
