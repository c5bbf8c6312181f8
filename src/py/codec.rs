//! Bencode and hashes of structures.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyMapping, PyString, PyType};

use super::convert::{for_each_part, Data, Kind, Path};
use crate::codec::{decode, Encoder, Sink, Source, Visitor};
use crate::error::DecodeError;
use crate::hash::structure::digest_structure;
use crate::hash::Scheme;

/// The bencoding of an object.
#[pyfunction]
pub fn bencode<'py>(obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    Structure(obj).feed(&mut Encoder::new(&mut out))?;
    Ok(PyBytes::new(obj.py(), &out))
}

/// The object that bencoded data starts with.
#[pyfunction]
pub fn bdecode<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let bytes = Data::of(data)?;
    let mut builder = Builder {
        py: data.py(),
        open: Vec::new(),
        done: None,
    };
    decode(bytes.as_slice(), &mut builder)?;
    let py = data.py();
    Ok(builder.done.unwrap_or_else(|| py.None().into_bound(py)))
}

/// The digest of an object's bencoding.
#[pyfunction]
pub fn hash_struct<'py>(r#struct: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let digest = digest_structure(Scheme::active(), &Structure(r#struct))?;
    Ok(PyString::new(r#struct.py(), digest.to_hex().as_str()))
}

/// The digests of the bencodings of several objects.
#[pyfunction]
pub fn hash_structs<'py>(structs: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let hashes = PyList::empty(structs.py());
    for structure in structs.try_iter()? {
        hashes.append(hash_struct(&structure?)?)?;
    }
    Ok(hashes)
}

/// An object to be bencoded.
struct Structure<'a, 'py>(&'a Bound<'py, PyAny>);

enum Step<'py> {
    Item(Bound<'py, PyAny>),
    Key(Bound<'py, PyAny>),
    End,
}

impl Source for Structure<'_, '_> {
    type Error = PyErr;

    fn feed<S: Sink>(&self, encoder: &mut Encoder<'_, S>) -> PyResult<()> {
        let mut path = Path::default();
        let mut steps = vec![Step::Item(self.0.clone())];
        while let Some(step) = steps.pop() {
            let item = match step {
                Step::Item(item) => item,
                Step::Key(key) => {
                    feed_key(&key, encoder)?;
                    continue;
                }
                Step::End => {
                    path.leave();
                    encoder.end();
                    continue;
                }
            };
            match Form::of(&item)? {
                Form::Int => feed_int(&item, encoder)?,
                Form::Str => encoder.bytes(item.cast::<PyString>()?.to_str()?.as_bytes()),
                Form::Bytes => encoder.bytes(item.cast::<PyBytes>()?.as_bytes()),
                Form::List(kind) => {
                    path.enter(&item)?;
                    encoder.begin_list();
                    steps.push(Step::End);
                    let start = steps.len();
                    for_each_part(&item, kind, |part| steps.push(Step::Item(part)))?;
                    steps[start..].reverse();
                }
                Form::Mapping => {
                    path.enter(&item)?;
                    encoder.begin_dict();
                    steps.push(Step::End);
                    let start = steps.len();
                    for (key, value) in sorted_items(&item)? {
                        steps.push(Step::Key(key));
                        steps.push(Step::Item(value));
                    }
                    steps[start..].reverse();
                }
            }
        }
        Ok(())
    }
}

/// What an object is encoded as.
enum Form {
    Int,
    Str,
    Bytes,
    List(Kind),
    Mapping,
}

impl Form {
    #[inline]
    fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(match Kind::of(object) {
            Kind::Str => Self::Str,
            Kind::Int => Self::Int,
            Kind::Bytes => Self::Bytes,
            Kind::Dict => Self::Mapping,
            kind @ (Kind::List | Kind::Tuple) => Self::List(kind),
            _ => return Self::of_other(object),
        })
    }

    #[cold]
    fn of_other(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
            return Ok(Self::Int);
        }
        if object.is_instance_of::<PyString>() {
            return Ok(Self::Str);
        }
        if object.is_instance_of::<PyBytes>() {
            return Ok(Self::Bytes);
        }
        if object.cast::<PyMapping>().is_ok() {
            return Ok(Self::Mapping);
        }
        static ITERABLE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let iterable = ITERABLE.import(object.py(), "collections.abc", "Iterable")?;
        if object.is_instance(iterable)? {
            return Ok(Self::List(Kind::Other));
        }
        let class = object.get_type();
        Err(PyTypeError::new_err(format!(
            "the passed value {} of type {} is not bencodable.",
            object.str()?.to_string_lossy(),
            class.name()?
        )))
    }
}

fn feed_int<S: Sink>(int: &Bound<'_, PyAny>, encoder: &mut Encoder<'_, S>) -> PyResult<()> {
    match int.extract::<i64>() {
        Ok(value) => encoder.int(value),
        Err(_) => encoder.int_text(decimal_of(int)?.to_str()?),
    }
    Ok(())
}

/// The decimal text of an int beyond 64 bits. Python's own conversion has a limit on digits, which
/// `decimal` has not.
fn decimal_of<'py>(int: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let py = int.py();
    let repr = py.get_type::<PyInt>().getattr("__repr__")?;
    match repr.call1((int,)) {
        Ok(text) => Ok(text.cast_into::<PyString>()?),
        Err(error) if error.is_instance_of::<PyValueError>(py) => {
            py.import("decimal")?.call_method1("Decimal", (int,))?.str()
        }
        Err(error) => Err(error),
    }
}

fn feed_key<S: Sink>(key: &Bound<'_, PyAny>, encoder: &mut Encoder<'_, S>) -> PyResult<()> {
    if let Ok(text) = key.cast::<PyString>() {
        encoder.bytes(text.to_str()?.as_bytes());
    } else if let Ok(bytes) = key.cast::<PyBytes>() {
        encoder.bytes(bytes.as_bytes());
    } else {
        key.len()?; // the error of a key without a length, such as a number
        let class = key.get_type();
        return Err(PyTypeError::new_err(format!(
            "a bytes-like object is required, not '{}'",
            class.name()?
        )));
    }
    Ok(())
}

type Item<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The items of a mapping in the order of its keys.
fn sorted_items<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Vec<Item<'py>>> {
    if let Ok(dict) = mapping.cast_exact::<PyDict>() {
        let mut items: Vec<Item<'py>> = dict.iter().collect();
        let has_text = |key: &Bound<'py, PyAny>| {
            matches!(
                key.cast_exact::<PyString>().map(|text| text.to_str()),
                Ok(Ok(_))
            )
        };
        let all_text = items.iter().all(|(key, _)| has_text(key));
        if all_text {
            // The order of UTF-8 bytes is that of code points, which is Python's.
            items.sort_unstable_by(|(a, _), (b, _)| text_of(a).cmp(text_of(b)));
            return Ok(items);
        }
    }
    let keys = PyList::empty(mapping.py());
    for key in mapping.try_iter()? {
        keys.append(key?)?;
    }
    keys.sort()?;
    let with_value = |key: Bound<'py, PyAny>| {
        let value = mapping.get_item(&key)?;
        Ok((key, value))
    };
    keys.iter().map(with_value).collect()
}

/// The text of a key known to have one.
fn text_of<'a>(key: &'a Bound<'_, PyAny>) -> &'a str {
    let text = key
        .cast::<PyString>()
        .ok()
        .and_then(|text| text.to_str().ok());
    text.unwrap_or_default()
}

/// Builds Python objects from what the reader reports.
struct Builder<'py> {
    py: Python<'py>,
    open: Vec<Container<'py>>,
    done: Option<Bound<'py, PyAny>>,
}

enum Container<'py> {
    List(Bound<'py, PyList>),
    /// A dictionary and the key whose value comes next.
    Dict(Bound<'py, PyDict>, Option<Bound<'py, PyAny>>),
}

impl<'py> Builder<'py> {
    fn put(&mut self, object: Bound<'py, PyAny>) -> PyResult<()> {
        match self.open.last_mut() {
            None => self.done = Some(object),
            Some(Container::List(list)) => list.append(object)?,
            Some(Container::Dict(dict, key)) => match key.take() {
                Some(key) => dict.set_item(key, object)?,
                None => *key = Some(object),
            },
        }
        Ok(())
    }
}

impl Visitor for Builder<'_> {
    type Error = PyErr;

    fn nothing(&mut self) -> PyResult<()> {
        self.put(self.py.None().into_bound(self.py))
    }

    fn int(&mut self, decimal: &str) -> PyResult<()> {
        let int = match decimal.parse::<i64>() {
            Ok(value) => value.into_pyobject(self.py)?.into_any(),
            Err(_) => int_of(self.py, decimal)?,
        };
        self.put(int)
    }

    fn bytes(&mut self, bytes: &[u8]) -> PyResult<()> {
        let object = match std::str::from_utf8(bytes) {
            Ok(text) => PyString::new(self.py, text).into_any(),
            Err(_) => PyBytes::new(self.py, bytes).into_any(),
        };
        self.put(object)
    }

    fn begin_list(&mut self) -> PyResult<()> {
        self.open.push(Container::List(PyList::empty(self.py)));
        Ok(())
    }

    fn begin_dict(&mut self) -> PyResult<()> {
        self.open.push(Container::Dict(PyDict::new(self.py), None));
        Ok(())
    }

    fn end(&mut self) -> PyResult<()> {
        let object = match self.open.pop() {
            Some(Container::List(list)) => list.into_any(),
            Some(Container::Dict(dict, _)) => dict.into_any(),
            None => return Err(DecodeError::UnknownLead { found: Some(b'e') }.into()),
        };
        self.put(object)
    }
}

/// The int with this decimal text, of any number of digits.
fn int_of<'py>(py: Python<'py>, decimal: &str) -> PyResult<Bound<'py, PyAny>> {
    let int = py.get_type::<PyInt>();
    match int.call1((decimal,)) {
        Err(error) if error.is_instance_of::<PyValueError>(py) => {
            let number = py.import("decimal")?.call_method1("Decimal", (decimal,))?;
            int.call1((number,))
        }
        answer => answer,
    }
}
