//! The class `Machine`: tuples to events, a call, actions to tuples.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hash::Scheme;
use crate::sched::{
    Action, Event, Kind, Machine, NodeId, Outcome, Preparation, ResultHash, SetId, TaskId,
};

/// The scheduler's state machine: events in, actions out.
#[pyclass(name = "Machine", module = "redun._core", frozen)]
pub struct PyMachine(Mutex<Machine>);

impl PyMachine {
    /// Nothing calls Python while the lock is held: a batch is converted before and after.
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PyMachine {
    #[new]
    #[pyo3(signature = (limits, trace = false))]
    fn new(limits: &Bound<'_, PyDict>, trace: bool) -> PyResult<Self> {
        let mut machine = Machine::new(Scheme::active());
        for (name, capacity) in limits.iter() {
            machine.set_limit(&text(&name)?, amount(&capacity)?);
        }
        if trace {
            machine.record_stories();
        }
        Ok(Self(Mutex::new(machine)))
    }

    fn task(&self, task_hash: &str) -> u32 {
        self.lock().task(task_hash).0
    }

    fn handle<'py>(&self, events: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
        let mut batch = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            batch.push(read_event(&event).map_err(|source| Error::Event {
                index,
                source: Box::new(source),
            })?);
        }
        let actions = {
            let mut machine = self.lock();
            machine.set_scheme(Scheme::active());
            machine.handle(batch)?
        };
        let py = events.py();
        let mut tuples = Vec::with_capacity(actions.len());
        for action in actions {
            tuples.push(write_action(py, action)?);
        }
        PyList::new(py, tuples)
    }

    fn set_limit(&self, name: &str, capacity: &Bound<'_, PyAny>) -> PyResult<()> {
        let capacity = amount(capacity)?;
        self.lock().set_limit(name, capacity);
        Ok(())
    }

    fn subtree(&self, subtree_id: u32) -> Result<Vec<u32>> {
        let machine = self.lock();
        let tasks = machine.subtree(SetId(subtree_id))?;
        Ok(tasks.iter().map(|task| task.0).collect())
    }

    fn call_hash(&self, node: u32) -> Result<Option<String>> {
        let hash = self.lock().call_hash(NodeId(node))?;
        Ok(hash.map(|hash| hash.to_string()))
    }

    fn counts(&self) -> Vec<(u32, u32, u32, u32, u32, u32)> {
        let machine = self.lock();
        let row = |(task, [pending, running, failed, cached, done]): (TaskId, [u32; 5])| {
            (task.0, pending, running, failed, cached, done)
        };
        machine.counts().map(row).collect()
    }

    fn limits_used<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let used: Vec<(String, u64)> = {
            let machine = self.lock();
            let owned = machine
                .limits_used()
                .map(|(name, used)| (name.into(), used));
            owned.collect()
        };
        let table = PyDict::new(py);
        for (name, used) in used {
            table.set_item(name, used)?;
        }
        Ok(table)
    }

    fn active(&self) -> usize {
        self.lock().active()
    }

    #[pyo3(signature = (suspended = Vec::new(), awaiting = Vec::new()))]
    fn stalled(&self, suspended: Vec<u32>, awaiting: Vec<(u32, u32)>) -> Vec<u32> {
        let suspended: Vec<NodeId> = suspended.into_iter().map(NodeId).collect();
        let pair = |(id, on): (u32, u32)| (NodeId(id), NodeId(on));
        let awaiting: Vec<(NodeId, NodeId)> = awaiting.into_iter().map(pair).collect();
        let found = self.lock().stalled(&suspended, &awaiting);
        found.into_iter().map(|id| id.0).collect()
    }

    fn validate(&self) -> Result<()> {
        self.lock().validate()
    }

    fn story(&self, node: u32) -> Vec<String> {
        self.lock().story(NodeId(node))
    }
}

/// A refusal of a malformed tuple.
#[cold]
fn malformed(what: &str, got: &Bound<'_, PyAny>) -> Error {
    let got = got.repr().map_or_else(
        |_| got.get_type().to_string(),
        |repr| repr.to_string_lossy().into_owned(),
    );
    let reason = format!("expected {what}, got {got}");
    Error::Protocol { reason }
}

#[inline]
fn node(object: &Bound<'_, PyAny>) -> Result<NodeId> {
    let number = object.extract::<u32>();
    number
        .map(NodeId)
        .map_err(|_| malformed("a node number", object))
}

/// A number, or `None` for -1.
#[inline]
fn optional(object: &Bound<'_, PyAny>) -> Result<Option<u32>> {
    match object.extract::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) => match u32::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(malformed("a number or -1", object)),
        },
        Err(_) => Err(malformed("a number or -1", object)),
    }
}

#[inline]
fn text_of<'a>(object: &'a Bound<'_, PyAny>) -> Result<&'a str> {
    let text = object.cast::<PyString>().ok();
    text.and_then(|text| text.to_str().ok())
        .ok_or_else(|| malformed("a str", object))
}

fn text(object: &Bound<'_, PyAny>) -> Result<String> {
    text_of(object).map(str::to_owned)
}

#[inline]
fn digest(object: &Bound<'_, PyAny>) -> Result<Digest> {
    text_of(object)?.parse()
}

#[inline]
fn optional_digest(object: &Bound<'_, PyAny>) -> Result<Option<Digest>> {
    if object.is_none() {
        return Ok(None);
    }
    digest(object).map(Some)
}

fn result(object: &Bound<'_, PyAny>) -> Result<ResultHash> {
    text_of(object).map(ResultHash::new)
}

fn amount(object: &Bound<'_, PyAny>) -> Result<u64> {
    let number = object.extract::<u64>();
    number.map_err(|_| malformed("a count that is not negative", object))
}

/// The items of a list, converted.
#[inline]
fn list<'py, T>(
    object: &Bound<'py, PyAny>,
    convert: impl Fn(&Bound<'py, PyAny>) -> Result<T>,
) -> Result<Vec<T>> {
    let list = object.cast::<PyList>();
    let list = list.map_err(|_| malformed("a list", object))?;
    list.iter().map(|item| convert(&item)).collect()
}

fn limit(object: &Bound<'_, PyAny>) -> Result<(String, u64)> {
    let pair = object.cast::<PyTuple>().ok();
    match pair.filter(|pair| pair.len() == 2) {
        Some(pair) => Ok((text(&*item(pair, 0)?)?, amount(&*item(pair, 1)?)?)),
        None => Err(malformed("a pair of limit name and count", object)),
    }
}

#[inline]
fn item<'a, 'py>(tuple: &'a Bound<'py, PyTuple>, index: usize) -> Result<Borrowed<'a, 'py, PyAny>> {
    let item = tuple.get_borrowed_item(index);
    item.map_err(|_| malformed("a longer tuple", tuple))
}

/// Number of items for each opcode, the opcode included.
const ARITY: [usize; 13] = [5, 3, 8, 3, 2, 3, 3, 3, 3, 2, 2, 1, 3];

fn read_event(object: &Bound<'_, PyAny>) -> Result<Event> {
    let tuple = object.cast::<PyTuple>();
    let tuple = tuple.map_err(|_| malformed("a tuple", object))?;
    let opcode = item(tuple, 0)?.extract::<usize>().ok();
    let Some((opcode, arity)) = opcode.and_then(|code| Some((code, *ARITY.get(code)?))) else {
        return Err(malformed(
            "an event that starts with a known opcode",
            object,
        ));
    };
    if tuple.len() != arity {
        let what = format!("an event of {arity} items for opcode {opcode}");
        return Err(malformed(&what, object));
    }
    if opcode == 11 {
        return Ok(Event::Cancel);
    }
    let id = node(&*item(tuple, 1)?)?;
    let second = || item(tuple, 2);
    Ok(match opcode {
        0 => Event::Declare {
            id,
            kind: match second()?.extract::<u32>() {
                Ok(0) => Kind::Job,
                Ok(1) => Kind::Op,
                _ => return Err(malformed("kind 0 or 1", object)),
            },
            scope: optional(&*item(tuple, 3)?)?.map(NodeId),
            task: optional(&*item(tuple, 4)?)?.map(TaskId),
        },
        1 => Event::Await {
            id,
            deps: list(&*second()?, node)?,
        },
        2 => Event::Prepared {
            id,
            with: read_preparation(tuple)?,
        },
        3 => Event::Hit {
            id,
            call: optional_digest(&*second()?)?,
        },
        4 => Event::Miss { id },
        5 => Event::Finished {
            id,
            deps: list(&*second()?, node)?,
        },
        6 => Event::Resolved {
            id,
            result: result(&*second()?)?,
        },
        7 => Event::FinishedPlain {
            id,
            result: result(&*second()?)?,
        },
        8 => Event::Failed {
            id,
            error: result(&*second()?)?,
        },
        9 => Event::Settle { id },
        10 => Event::Fail { id },
        _ => Event::Subtree {
            id,
            tasks: list(&*second()?, |task| {
                node(task).map(|number| TaskId(number.0))
            })?,
        },
    })
}

fn read_preparation(tuple: &Bound<'_, PyTuple>) -> Result<Preparation> {
    let flags = item(tuple, 5)?;
    let limits = item(tuple, 7)?;
    let priority = item(tuple, 6)?;
    Ok(Preparation {
        eval: digest(&*item(tuple, 2)?)?,
        args: digest(&*item(tuple, 3)?)?,
        context: optional_digest(&*item(tuple, 4)?)?,
        flags: match flags.extract::<u8>() {
            Ok(bits @ 0..=7) => bits,
            _ => return Err(malformed("flags of 3 bits", &flags)),
        },
        priority: match priority.extract() {
            Ok(priority) => priority,
            Err(_) => return Err(malformed("a priority of 64 bits", &priority)),
        },
        limits: match limits.is_none() {
            true => Vec::new(),
            false => list(&limits, limit)?,
        },
    })
}

fn write_action<'py>(py: Python<'py>, action: Action) -> PyResult<Bound<'py, PyTuple>> {
    match action {
        Action::Ready { id } => (0, id.0).into_pyobject(py),
        Action::Check { id } => (1, id.0).into_pyobject(py),
        Action::Submit { id, .. } => (2, id.0).into_pyobject(py),
        Action::Collapse { id, onto } => (3, id.0, onto.0).into_pyobject(py),
        Action::Replay { id, of } => (4, id.0, of.0).into_pyobject(py),
        Action::Reduce { id } => (5, id.0).into_pyobject(py),
        Action::Settled(outcome) => write_outcome(py, 6, outcome),
        Action::Reject { id, cause } => (7, id.0, cause.0).into_pyobject(py),
        Action::Abandon { id, cause } => (8, id.0, cause.0).into_pyobject(py),
        Action::Mirror { id, of, failed } => (9, id.0, of.0, failed).into_pyobject(py),
        Action::Overlimit { id, limit } => (10, id.0, limit).into_pyobject(py),
        Action::Rejected(outcome) => write_outcome(py, 11, outcome),
    }
}

fn write_outcome(py: Python<'_>, opcode: u8, outcome: Outcome) -> PyResult<Bound<'_, PyTuple>> {
    let call = outcome.call.map(Digest::to_hex);
    let call = call.as_ref().map(|hex| hex.as_str());
    let children = outcome.children;
    let children = children.map(|ids| ids.into_iter().map(|id| id.0).collect::<Vec<u32>>());
    (opcode, outcome.id.0, call, outcome.subtree.0, children).into_pyobject(py)
}
