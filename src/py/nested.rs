//! Walks over nested values: their leaves, and copies with leaves replaced.
//!
//! Both keep explicit stacks, so nesting has no limit, and refuse containers that contain themselves.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

use super::convert::{for_each_part, Kind, Path};

enum Step<'py> {
    Visit(Bound<'py, PyAny>),
    Leave,
}

/// The children of an object that `expand` opens, or `None` for a leaf.
fn children_of<'py>(
    object: &Bound<'py, PyAny>,
    expand: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let answer = expand.call1((object,))?;
    if answer.is_none() {
        return Ok(None);
    }
    answer.cast_into::<PyList>().map(Some).map_err(|_| {
        PyTypeError::new_err("expand() must return None or the list of an object's children")
    })
}

/// Whether a value consists of plain scalars in exact lists, tuples, sets and dicts.
pub fn is_plain(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let kind = Kind::of(value);
    if !kind.is_container() {
        return Ok(kind.is_scalar());
    }
    let mut path = Path::default();
    let mut steps = vec![Step::Visit(value.clone())];
    while let Some(step) = steps.pop() {
        let Step::Visit(object) = step else {
            path.leave();
            continue;
        };
        let kind = Kind::of(&object);
        if kind.is_container() {
            path.enter(&object)?;
            steps.push(Step::Leave);
            for_each_part(&object, kind, |part| steps.push(Step::Visit(part)))?;
        } else if !kind.is_scalar() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The leaves of a nested value that are not plain scalars, in document order.
#[pyfunction]
pub fn nested_leaves<'py>(
    value: &Bound<'py, PyAny>,
    expand: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let leaves = PyList::empty(value.py());
    if Kind::of(value).is_scalar() {
        return Ok(leaves);
    }
    let mut path = Path::default();
    let mut steps = vec![Step::Visit(value.clone())];
    while let Some(step) = steps.pop() {
        let Step::Visit(object) = step else {
            path.leave();
            continue;
        };
        let kind = Kind::of(&object);
        let (container, kind) = match kind {
            _ if kind.is_scalar() => continue,
            _ if kind.is_container() => (object.clone(), kind),
            _ => match children_of(&object, expand)? {
                Some(children) => (children.into_any(), Kind::List),
                None => {
                    leaves.append(object)?;
                    continue;
                }
            },
        };
        path.enter(&object)?;
        steps.push(Step::Leave);
        let start = steps.len();
        for_each_part(&container, kind, |part| {
            if !Kind::of(&part).is_scalar() {
                steps.push(Step::Visit(part));
            }
        })?;
        steps[start..].reverse();
    }
    Ok(leaves)
}

enum MapStep<'py> {
    Visit(Bound<'py, PyAny>),
    /// Make a container of this kind from the last `parts` results; `like` is the one copied.
    Build {
        like: Bound<'py, PyAny>,
        kind: Kind,
        parts: usize,
    },
}

/// Copy a nested value, leaves replaced by identity.
#[pyfunction]
pub fn nested_map<'py>(
    value: &Bound<'py, PyAny>,
    mapping: &Bound<'py, PyDict>,
    expand: &Bound<'py, PyAny>,
    rebuild: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut path = Path::default();
    let mut results: Vec<Bound<'py, PyAny>> = Vec::new();
    let mut steps = vec![MapStep::Visit(value.clone())];
    while let Some(step) = steps.pop() {
        let object = match step {
            MapStep::Build { like, kind, parts } => {
                path.leave();
                let start = results.len() - parts;
                let built = build(&like, kind, &mut results, start, rebuild)?;
                results.truncate(start);
                results.push(built);
                continue;
            }
            MapStep::Visit(object) => object,
        };
        let kind = Kind::of(&object);
        if kind.is_scalar() {
            results.push(object);
            continue;
        }
        let (container, inside) = if kind.is_container() {
            (object.clone(), kind)
        } else if let Some(replacement) = mapping.get_item(object.as_ptr() as usize)? {
            results.push(replacement);
            continue;
        } else if let Some(children) = children_of(&object, expand)? {
            (children.into_any(), Kind::List)
        } else {
            results.push(object);
            continue;
        };
        path.enter(&object)?;
        let build_at = steps.len();
        steps.push(MapStep::Visit(object.clone()));
        for_each_part(&container, inside, |part| steps.push(MapStep::Visit(part)))?;
        steps[build_at + 1..].reverse();
        steps[build_at] = MapStep::Build {
            parts: steps.len() - build_at - 1,
            like: object,
            kind,
        };
    }
    results
        .pop()
        .ok_or_else(|| PyTypeError::new_err("a walk left no result"))
}

/// A container from the results after `start`.
fn build<'py>(
    like: &Bound<'py, PyAny>,
    kind: Kind,
    results: &mut Vec<Bound<'py, PyAny>>,
    start: usize,
    rebuild: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = like.py();
    Ok(match kind {
        Kind::List => PyList::new(py, results.drain(start..))?.into_any(),
        Kind::Tuple => PyTuple::new(py, results.drain(start..))?.into_any(),
        Kind::Set => {
            let set = PySet::empty(py)?;
            for part in results.drain(start..) {
                set.add(part)?;
            }
            set.into_any()
        }
        Kind::Dict => {
            let dict = PyDict::new(py);
            for pair in results[start..].chunks_exact(2) {
                dict.set_item(&pair[0], &pair[1])?;
            }
            dict.into_any()
        }
        _ => {
            let children = PyList::new(py, results.drain(start..))?;
            rebuild.call1((like, children))?
        }
    })
}
