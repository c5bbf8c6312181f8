//! Python objects as the core sees them: what kind they are, what they contain, their bytes.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMemoryView, PySet,
    PyString, PyTuple,
};
use pyo3::PyTypeInfo;
use rustc_hash::FxHashSet;

use super::errors;

/// The exact type of an object; an instance of a subclass is [`Kind::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    Bool,
    Int,
    Float,
    Str,
    Bytes,
    List,
    Tuple,
    Dict,
    Set,
    FrozenSet,
    Other,
}

impl Kind {
    /// The kind of `object`, by the identity of its type.
    #[inline]
    pub fn of(object: &Bound<'_, PyAny>) -> Self {
        let (py, class) = (object.py(), object.get_type_ptr());
        if class == PyString::type_object_raw(py) {
            Self::Str
        } else if class == PyInt::type_object_raw(py) {
            Self::Int
        } else if class == PyList::type_object_raw(py) {
            Self::List
        } else if class == PyTuple::type_object_raw(py) {
            Self::Tuple
        } else if class == PyDict::type_object_raw(py) {
            Self::Dict
        } else if class == PyFloat::type_object_raw(py) {
            Self::Float
        } else if class == PyBool::type_object_raw(py) {
            Self::Bool
        } else if object.is_none() {
            Self::None
        } else if class == PyBytes::type_object_raw(py) {
            Self::Bytes
        } else if class == PySet::type_object_raw(py) {
            Self::Set
        } else if class == PyFrozenSet::type_object_raw(py) {
            Self::FrozenSet
        } else {
            Self::Other
        }
    }

    /// Whether this is a plain scalar: it has no parts and never needs a callback.
    #[inline]
    pub fn is_scalar(self) -> bool {
        matches!(
            self,
            Self::None | Self::Bool | Self::Int | Self::Float | Self::Str | Self::Bytes
        )
    }

    /// Whether this is a container that walks over nested values open.
    #[inline]
    pub fn is_container(self) -> bool {
        matches!(self, Self::List | Self::Tuple | Self::Dict | Self::Set)
    }
}

/// Call `each` with the parts of an exact container in document order (of a dictionary: key, value,
/// key, value ...). `each` must not run Python code, so nothing changes meanwhile.
pub fn for_each_part<'py>(
    container: &Bound<'py, PyAny>,
    kind: Kind,
    mut each: impl FnMut(Bound<'py, PyAny>),
) -> PyResult<()> {
    match kind {
        Kind::List => container.cast::<PyList>()?.iter().for_each(each),
        Kind::Tuple => container.cast::<PyTuple>()?.iter().for_each(each),
        // `for_each` holds the dictionary's lock throughout where there is no GIL.
        Kind::Dict => container.cast::<PyDict>()?.iter().for_each(|(key, value)| {
            each(key);
            each(value);
        }),
        _ => {
            for part in container.try_iter()? {
                each(part?);
            }
        }
    }
    Ok(())
}

/// Containers nested deeper than this are checked for containing themselves: whoever does gets there.
const CHECK_FROM: usize = 64;

/// A walk looks for signals (Ctrl-C) after this many containers.
const SIGNALS_EVERY: usize = 1 << 16;

/// The containers on the way from the top to the current object, kept alive so that their addresses
/// stay theirs.
#[derive(Default)]
pub struct Path<'py> {
    containers: Vec<Bound<'py, PyAny>>,
    /// The addresses of all of them, once there are more than `CHECK_FROM`.
    known: FxHashSet<usize>,
    entered: usize,
}

impl<'py> Path<'py> {
    /// Go into `container`.
    ///
    /// # Errors
    /// `CycleError` if it is on the path already; what a signal handler raises, now and then.
    #[inline]
    pub fn enter(&mut self, container: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.containers.len() >= CHECK_FROM {
            self.check(container)?;
        }
        self.entered += 1;
        if self.entered % SIGNALS_EVERY == 0 {
            container.py().check_signals()?;
        }
        self.containers.push(container.clone());
        Ok(())
    }

    #[cold]
    fn check(&mut self, container: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.known.is_empty() {
            let addresses = self.containers.iter().map(|known| known.as_ptr() as usize);
            self.known.extend(addresses);
        }
        if self.known.insert(container.as_ptr() as usize) {
            Ok(())
        } else {
            Err(errors::cycle(container))
        }
    }

    /// Leave the innermost container.
    #[inline]
    pub fn leave(&mut self) {
        let container = self.containers.pop();
        if self.known.is_empty() {
            return;
        }
        if self.containers.len() < CHECK_FROM {
            self.known.clear();
        } else if let Some(container) = container {
            self.known.remove(&(container.as_ptr() as usize));
        }
    }

    /// Start again at the top.
    #[inline]
    pub fn clear(&mut self) {
        self.containers.clear();
        self.known.clear();
    }
}

/// The bytes of a bytes-like argument: `bytes` as they are, anything else copied, since it may change
/// meanwhile.
pub enum Data<'a, 'py> {
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
    Copied(Bound<'py, PyBytes>),
}

impl<'a, 'py> Data<'a, 'py> {
    /// The bytes of `object`.
    ///
    /// # Errors
    /// `TypeError` if it is not bytes-like.
    pub fn of(object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Borrowed(bytes.as_bytes()));
        }
        if let Ok(array) = object.cast::<PyByteArray>() {
            return Ok(Self::Owned(array.to_vec()));
        }
        // The stable ABI of Python 3.10 has no buffer protocol, but `memoryview` speaks it.
        let view = object.py().get_type::<PyMemoryView>().call1((object,))?;
        let bytes = view.call_method0("tobytes")?;
        Ok(Self::Copied(bytes.cast_into::<PyBytes>()?))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Copied(bytes) => bytes.as_bytes(),
        }
    }
}
