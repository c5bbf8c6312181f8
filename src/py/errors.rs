//! The single place where an error of the core becomes an exception.
//!
//! Where Python has an exception for it, that one is raised; the others are `CoreError` and its
//! subclasses, which also derive from the built-in they specialise.

use std::io;
use std::path::Path;

use pyo3::exceptions::{PyAssertionError, PyException, PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::error::{DecodeError, Error};

pyo3::create_exception!(
    redun._core,
    CoreError,
    PyException,
    "Base of the errors that only the core can raise."
);

static SCHEME_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static CYCLE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Add the exceptions with two bases, which no macro makes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, doc, slot) in [
        (
            "SchemeError",
            "The name of a hash scheme that does not exist.",
            &SCHEME_ERROR,
        ),
        (
            "CycleError",
            "A container that contains itself has no hash and no leaves.",
            &CYCLE_ERROR,
        ),
    ] {
        let class = slot.get_or_try_init(module.py(), || value_error(module.py(), name, doc))?;
        module.add(name, class)?;
    }
    Ok(())
}

/// A class derived from `CoreError` and `ValueError`.
fn value_error(py: Python<'_>, name: &str, doc: &str) -> PyResult<Py<PyType>> {
    let attributes = PyDict::new(py);
    attributes.set_item("__module__", "redun._core")?;
    attributes.set_item("__doc__", doc)?;
    let bases = (py.get_type::<CoreError>(), py.get_type::<PyValueError>());
    let class = py
        .get_type::<PyType>()
        .call1((name, bases, attributes))?
        .cast_into::<PyType>()?;
    Ok(class.unbind())
}

/// Raise the class in `slot`, or its base `ValueError` before the module is initialised.
fn raise(slot: &PyOnceLock<Py<PyType>>, message: String) -> PyErr {
    Python::attach(|py| match slot.get(py) {
        Some(class) => PyErr::from_type(class.bind(py).clone(), message),
        None => PyValueError::new_err(message),
    })
}

/// The error of a container that contains itself.
pub fn cycle(container: &Bound<'_, PyAny>) -> PyErr {
    let name = container.get_type().name();
    let name = name.map_or_else(|_| "container".to_owned(), |name| name.to_string());
    raise(&CYCLE_ERROR, format!("a {name} contains itself"))
}

impl From<DecodeError> for PyErr {
    fn from(error: DecodeError) -> Self {
        let text = error.to_string();
        match error {
            DecodeError::Truncated { .. }
            | DecodeError::ShortString { .. }
            | DecodeError::NotANumber { .. } => PyValueError::new_err(text),
            DecodeError::UnknownLead { .. } => PyTypeError::new_err(text),
            DecodeError::KeyNotString => PyAssertionError::new_err(text),
        }
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownScheme { .. } => raise(&SCHEME_ERROR, error.to_string()),
            Error::NotADigest { .. } => PyValueError::new_err(error.to_string()),
            Error::Decode(decode) => decode.into(),
            Error::Io { path, source } => os_error(&path, &source),
            Error::UnknownNode { .. }
            | Error::UnknownTask { .. }
            | Error::IllegalTransition { .. }
            | Error::Protocol { .. }
            | Error::Event { .. }
            | Error::Inconsistent { .. } => CoreError::new_err(error.to_string()),
        }
    }
}

/// The `OSError` with `errno`, `strerror` and `filename`; Python picks the subclass by the number.
fn os_error(path: &Path, source: &io::Error) -> PyErr {
    let Some(code) = source.raw_os_error() else {
        return PyOSError::new_err(format!("{}: {source}", path.display()));
    };
    let text = Python::attach(|py| -> PyResult<String> {
        py.import("os")?
            .call_method1("strerror", (code,))?
            .extract()
    });
    match text {
        Ok(text) => PyOSError::new_err((code, text, path.as_os_str().to_owned())),
        Err(error) => error,
    }
}
