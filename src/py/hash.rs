//! Hash schemes, digests of bytes and files, and hashes of values.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};
use rustc_hash::FxHashMap;

use super::convert::{for_each_part, Data, Kind, Path};
use super::nested::is_plain;
use crate::digest::Digest;
use crate::hash::file::{digest_file, digest_files};
use crate::hash::hasher::Spool;
use crate::hash::structure::digest_arguments;
use crate::hash::tree::{list_tree as tree_paths, quick_digests};
use crate::hash::value::ValueEncoder;
use crate::hash::{digest_bytes, digest_tagged, Hasher, Scheme};

/// From this many bytes on, other threads may run meanwhile.
const DETACH_MIN: usize = 1 << 16;

/// The name of the active hash scheme.
#[pyfunction]
pub fn get_scheme() -> &'static str {
    Scheme::active().name()
}

/// Make a hash scheme the active one and return the name of the one before.
#[pyfunction]
pub fn set_scheme(name: &str) -> PyResult<&'static str> {
    Ok(name.parse::<Scheme>()?.activate().name())
}

/// An incremental hash.
#[pyclass(frozen, name = "Hash", module = "redun._core")]
pub struct PyHash(Mutex<Hasher>);

#[pymethods]
impl PyHash {
    #[new]
    #[pyo3(signature = (scheme=None))]
    fn new(scheme: Option<&str>) -> PyResult<Self> {
        let scheme = scheme.map_or_else(|| Ok(Scheme::active()), str::parse)?;
        Ok(Self(Mutex::new(Hasher::new(scheme))))
    }

    /// Add bytes.
    fn update(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = Data::of(data)?;
        let bytes = data.as_slice();
        detached(py, bytes, |bytes| self.with(|hasher| hasher.update(bytes)));
        Ok(())
    }

    /// The first characters of the hash of the bytes added so far.
    #[pyo3(signature = (length=40))]
    fn hexdigest(&self, length: usize) -> String {
        self.with(|hasher| hasher.hex(length))
    }
}

impl PyHash {
    // The lock is never held while waiting for the interpreter.
    fn with<T>(&self, action: impl FnOnce(&mut Hasher) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Run `action`, without the interpreter if there is much to do.
fn detached<T: Send>(py: Python<'_>, bytes: &[u8], action: impl FnOnce(&[u8]) -> T + Send) -> T {
    if bytes.len() < DETACH_MIN {
        action(bytes)
    } else {
        py.detach(|| action(bytes))
    }
}

fn text(py: Python<'_>, digest: Digest) -> Bound<'_, PyString> {
    PyString::new(py, digest.to_hex().as_str())
}

/// The digest of bytes.
#[pyfunction]
pub fn hash_bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let (py, data) = (data.py(), Data::of(data)?);
    let scheme = Scheme::active();
    let digest = detached(py, data.as_slice(), |bytes| digest_bytes(scheme, bytes));
    Ok(text(py, digest))
}

/// The digest of bytes under a tag.
#[pyfunction]
pub fn hash_tag_bytes<'py>(tag: &str, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let (py, data) = (data.py(), Data::of(data)?);
    let scheme = Scheme::active();
    let digest = detached(py, data.as_slice(), |bytes| {
        digest_tagged(scheme, tag, bytes)
    });
    Ok(text(py, digest))
}

/// The digest of a file's bytes.
#[pyfunction]
pub fn hash_file(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyString>> {
    let scheme = Scheme::active();
    let digest = py.detach(|| digest_file(scheme, &path))?;
    Ok(text(py, digest))
}

/// The digests of the bytes of several files.
#[pyfunction]
pub fn hash_files(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Bound<'_, PyList>> {
    let scheme = Scheme::active();
    let digests = py.detach(|| digest_files(scheme, &paths))?;
    PyList::new(py, digests.into_iter().map(|digest| text(py, digest)))
}

/// The quick hashes of several files.
#[pyfunction]
pub fn quick_hashes(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Bound<'_, PyList>> {
    let scheme = Scheme::active();
    let digests = py.detach(|| quick_digests(scheme, &paths));
    PyList::new(py, digests.into_iter().map(|digest| text(py, digest)))
}

/// The paths of all files below a directory.
#[pyfunction]
pub fn list_tree(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyList>> {
    let paths = py.detach(|| tree_paths(&path));
    PyList::new(py, paths.into_iter().map(PathBuf::into_os_string))
}

/// The hashes of values, each with whether it is plain data.
#[pyfunction]
pub fn hash_values<'py>(
    values: &Bound<'py, PyAny>,
    leaf: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let mut hasher = ValueHasher::new(leaf);
    let hashes = PyList::empty(values.py());
    for value in values.try_iter()? {
        hashes.append(hasher.hash(&value?)?)?;
    }
    Ok(hashes)
}

/// For each call: the hash of its arguments, those of its positional and of its keyword values, and
/// whether they are all plain data.
#[pyfunction]
pub fn hash_arguments<'py>(
    calls: &Bound<'py, PyAny>,
    leaf: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let py = calls.py();
    let mut hasher = ValueHasher::new(leaf);
    let mut spool = Spool::new(hasher.scheme);
    let answers = PyList::empty(py);
    for call in calls.try_iter()? {
        let call = call?;
        let (args, kwargs) = call.extract::<(Bound<'py, PyAny>, Bound<'py, PyDict>)>()?;
        answers.append(hasher.hash_call(&args, &kwargs, &mut spool)?)?;
    }
    Ok(answers)
}

/// What `leaf` says about an object.
enum Answer<'py> {
    Hash(Bound<'py, PyString>),
    Pickle(Bound<'py, PyBytes>),
    Structured(Bound<'py, PyString>, Bound<'py, PyList>),
}

enum Step<'py> {
    Visit(Bound<'py, PyAny>),
    EndItem,
    EndSet,
    Leave,
}

/// Hashes values one after the other, keeping its memory.
struct ValueHasher<'a, 'py> {
    scheme: Scheme,
    leaf: &'a Bound<'py, PyAny>,
    encoder: ValueEncoder,
    steps: Vec<Step<'py>>,
    path: Path<'py>,
    plain: bool,
    /// Objects that `leaf` was asked about, by address, and their hashes: calls share classes, tasks
    /// and files. They are kept alive, so an address means one object.
    asked: FxHashMap<usize, (Bound<'py, PyAny>, Bound<'py, PyString>)>,
}

/// Objects to remember; most calls that share some have few.
const MAX_ASKED: usize = 1000;

type Hashed<'py> = (Bound<'py, PyString>, bool);
type HashedCall<'py> = (
    Bound<'py, PyString>,
    Bound<'py, PyTuple>,
    Bound<'py, PyTuple>,
    bool,
);

impl<'a, 'py> ValueHasher<'a, 'py> {
    fn new(leaf: &'a Bound<'py, PyAny>) -> Self {
        let scheme = Scheme::active();
        Self {
            scheme,
            leaf,
            encoder: ValueEncoder::new(scheme),
            steps: Vec::new(),
            path: Path::default(),
            plain: true,
            asked: FxHashMap::default(),
        }
    }

    /// The hash of a value at top level, and whether it is plain.
    fn hash(&mut self, value: &Bound<'py, PyAny>) -> PyResult<Hashed<'py>> {
        match self.scheme {
            Scheme::Blake3 => self.hash_encoding(value),
            Scheme::Redun1 => self.hash_pickle(value),
        }
    }

    fn hash_pickle(&mut self, value: &Bound<'py, PyAny>) -> PyResult<Hashed<'py>> {
        let plain = is_plain(value)?;
        let hash = match self.ask(value)? {
            Answer::Hash(hash) => hash,
            Answer::Pickle(pickle) => self.hash_tagged(&pickle),
            Answer::Structured(..) => {
                let message = "leaf() must return str or bytes under the scheme redun1";
                return Err(PyTypeError::new_err(message));
            }
        };
        Ok((hash, plain))
    }

    fn hash_encoding(&mut self, value: &Bound<'py, PyAny>) -> PyResult<Hashed<'py>> {
        self.steps.clear();
        self.path.clear();
        self.plain = true;
        self.encoder.start();
        let kind = Kind::of(value);
        if kind == Kind::Other {
            self.plain = false;
            let address = value.as_ptr() as usize;
            if let Some((_, hash)) = self.asked.get(&address) {
                return Ok((hash.clone(), false));
            }
            let hash = match self.ask(value)? {
                Answer::Hash(hash) => Some(hash),
                Answer::Pickle(pickle) => Some(self.hash_tagged(&pickle)),
                Answer::Structured(name, children) => {
                    self.structured(value, &name, &children)?;
                    None
                }
            };
            if let Some(hash) = hash {
                if self.asked.len() == MAX_ASKED {
                    self.asked.clear();
                }
                self.asked.insert(address, (value.clone(), hash.clone()));
                return Ok((hash, false));
            }
        } else {
            self.node(value, kind)?;
        }
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Visit(object) => self.node(&object, Kind::of(&object))?,
                Step::EndItem => self.encoder.end_item(),
                Step::EndSet => self.encoder.end_set(),
                Step::Leave => self.path.leave(),
            }
        }
        Ok((text(value.py(), self.encoder.finish()), self.plain))
    }

    fn hash_tagged(&self, pickle: &Bound<'py, PyBytes>) -> Bound<'py, PyString> {
        let digest = digest_tagged(self.scheme, "Value", pickle.as_bytes());
        text(pickle.py(), digest)
    }

    /// Write a node; the parts of a container are left as steps.
    fn node(&mut self, object: &Bound<'py, PyAny>, kind: Kind) -> PyResult<()> {
        match kind {
            Kind::None => self.encoder.none(),
            Kind::Bool => self
                .encoder
                .bool(object.is(pyo3::types::PyBool::new(object.py(), true))),
            Kind::Int => self.int(object)?,
            Kind::Float => self.encoder.float(object.cast::<PyFloat>()?.value()),
            Kind::Str => self.str(object.cast::<PyString>()?)?,
            Kind::Bytes => self.encoder.bytes(object.cast::<PyBytes>()?.as_bytes()),
            Kind::List => {
                let items = self.open(object, object, kind)?;
                self.encoder.list(items);
            }
            Kind::Tuple => {
                let items = self.open(object, object, kind)?;
                self.encoder.tuple(items);
            }
            Kind::Dict => {
                let parts = self.open(object, object, kind)?;
                self.encoder.dict(parts / 2);
            }
            Kind::Set => self.set(object, false)?,
            Kind::FrozenSet => {
                self.plain = false;
                self.set(object, true)?;
            }
            Kind::Other => {
                self.plain = false;
                match self.ask(object)? {
                    Answer::Hash(hash) => self.encoder.hashed(hash.to_str()?.as_bytes()),
                    Answer::Pickle(pickle) => self.encoder.pickled(pickle.as_bytes()),
                    Answer::Structured(name, children) => {
                        self.structured(object, &name, &children)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn int(&mut self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Ok(value) = object.extract::<i64>() {
            self.encoder.int(value);
            return Ok(());
        }
        let bits: usize = object.call_method0("bit_length")?.extract()?;
        let options = PyDict::new(object.py());
        options.set_item("signed", true)?;
        // One bit more for the sign; a negative power of two needs none, so the byte may be spare.
        let bytes = object.call_method("to_bytes", (bits / 8 + 1, "little"), Some(&options))?;
        let bytes = bytes.cast::<PyBytes>()?.as_bytes();
        let spare = matches!(bytes, [.., before, 0xff] if before & 0x80 != 0);
        self.encoder
            .big_int(&bytes[..bytes.len() - usize::from(spare)]);
        Ok(())
    }

    fn str(&mut self, object: &Bound<'py, PyString>) -> PyResult<()> {
        if let Ok(utf8) = object.to_str() {
            self.encoder.str(utf8.as_bytes());
        } else {
            let utf8 = object.call_method1("encode", ("utf-8", "surrogatepass"))?;
            self.encoder.str(utf8.cast::<PyBytes>()?.as_bytes());
        }
        Ok(())
    }

    /// Go into `object`, leave the parts of `container` as steps and count them.
    fn open(
        &mut self,
        object: &Bound<'py, PyAny>,
        container: &Bound<'py, PyAny>,
        kind: Kind,
    ) -> PyResult<usize> {
        self.path.enter(object)?;
        let steps = &mut self.steps;
        steps.push(Step::Leave);
        let start = steps.len();
        for_each_part(container, kind, |part| steps.push(Step::Visit(part)))?;
        steps[start..].reverse();
        Ok(steps.len() - start)
    }

    fn set(&mut self, object: &Bound<'py, PyAny>, frozen: bool) -> PyResult<()> {
        self.path.enter(object)?;
        let steps = &mut self.steps;
        steps.push(Step::Leave);
        steps.push(Step::EndSet);
        let start = steps.len();
        for_each_part(object, Kind::Set, |part| {
            steps.push(Step::EndItem);
            steps.push(Step::Visit(part));
        })?;
        let items = (steps.len() - start) / 2;
        self.encoder.begin_set(frozen, items);
        Ok(())
    }

    fn structured(
        &mut self,
        object: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
        children: &Bound<'py, PyList>,
    ) -> PyResult<()> {
        let count = self.open(object, children, Kind::List)?;
        self.encoder.structured(name.to_str()?.as_bytes(), count);
        Ok(())
    }

    fn ask(&self, object: &Bound<'py, PyAny>) -> PyResult<Answer<'py>> {
        let answer = self.leaf.call1((object,))?;
        if let Ok(hash) = answer.cast::<PyString>() {
            return Ok(Answer::Hash(hash.clone()));
        }
        if let Ok(pickle) = answer.cast::<PyBytes>() {
            return Ok(Answer::Pickle(pickle.clone()));
        }
        if let Ok((name, children)) = answer.extract() {
            return Ok(Answer::Structured(name, children));
        }
        let class = answer.get_type();
        Err(PyTypeError::new_err(format!(
            "leaf() must return str, bytes or (str, list), not {}",
            class.name()?
        )))
    }

    /// The hashes of a call's arguments.
    fn hash_call(
        &mut self,
        args: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
        spool: &mut Spool,
    ) -> PyResult<HashedCall<'py>> {
        let py = args.py();
        let mut all_plain = true;
        let mut hash = |value: &Bound<'py, PyAny>| {
            let (hash, plain) = self.hash(value)?;
            all_plain &= plain;
            PyResult::Ok(hash)
        };
        let mut positional = Vec::new();
        if let Ok(args) = args.cast_exact::<PyTuple>() {
            for value in args.iter() {
                positional.push(hash(&value)?);
            }
        } else {
            for value in args.try_iter()? {
                positional.push(hash(&value?)?);
            }
        }
        let items: Vec<_> = kwargs.iter().collect();
        let mut keywords = Vec::with_capacity(items.len());
        for (name, value) in items {
            keywords.push((name.cast_into::<PyString>()?, hash(&value)?));
        }
        let values = positional.iter().map(|hash| hash.to_str());
        let values = values.collect::<PyResult<Vec<_>>>()?;
        let named = keywords
            .iter()
            .map(|(name, hash)| Ok((name.to_str()?, hash.to_str()?)));
        let mut named = named.collect::<PyResult<Vec<_>>>()?;
        let digest = digest_arguments(spool, &values, &mut named);
        let keyword_hashes = keywords.iter().map(|(_, hash)| hash);
        Ok((
            text(py, digest),
            PyTuple::new(py, &positional)?,
            PyTuple::new(py, keyword_hashes)?,
            all_plain,
        ))
    }
}
