//! Text that databases take: a list of strings as JSON.

use pyo3::prelude::*;
use pyo3::types::{PyAnyMethods, PyList, PyString};

/// The JSON text of a list of strings. Ids need no escapes; a string that does is left to `json.dumps`.
#[pyfunction]
pub fn json_strings<'py>(strings: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyString>> {
    let py = strings.py();
    let mut text = String::with_capacity(strings.len() * 44 + 2);
    text.push('[');
    for (index, item) in strings.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let string = item.cast::<PyString>()?;
        match string.to_str() {
            Ok(plain) if plain.bytes().all(is_plain) => {
                text.push('"');
                text.push_str(plain);
                text.push('"');
            }
            _ => {
                let escaped = py.import("json")?.call_method1("dumps", (string,))?;
                text.push_str(escaped.cast::<PyString>()?.to_str()?);
            }
        }
    }
    text.push(']');
    Ok(PyString::new(py, &text))
}

/// Whether a byte of a JSON string stands for itself.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}
