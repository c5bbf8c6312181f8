//! The class `SyncPlanner`: steps to tuples, answers from lists.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::digest::HEX_LEN;
use crate::error::{Error, Result};
use crate::sync::{Edge, Id, Kind, Options, Owner, Planner, Side, Step, TagOwner};

/// Plans what a push or pull asks for and copies.
#[pyclass(name = "SyncPlanner", module = "redun._core", frozen)]
pub struct PySyncPlanner(Mutex<Planner>);

impl PySyncPlanner {
    /// Nothing calls Python while the lock is held: answers are converted before.
    fn lock(&self) -> MutexGuard<'_, Planner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PySyncPlanner {
    #[new]
    #[pyo3(signature = (roots = None, batch = 2000, deep = false, dry_run = false, transaction = 2000, empty = false))]
    fn new(
        roots: Option<Vec<(String, String)>>,
        batch: usize,
        deep: bool,
        dry_run: bool,
        transaction: usize,
        empty: bool,
    ) -> Result<Self> {
        if batch == 0 || transaction == 0 {
            return Err(malformed("a batch holds at least one record"));
        }
        let root = |(name, id): (String, String)| Ok((kind(&name)?, Id::new(&id)));
        let roots: Option<Result<Vec<_>>> =
            roots.map(|roots| roots.into_iter().map(root).collect());
        let options = Options {
            batch,
            transaction,
            deep,
            dry_run,
            empty,
        };
        Ok(Self(Mutex::new(Planner::new(options, roots.transpose()?))))
    }

    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let step = self.lock().next()?;
        write_step(py, step)
    }

    fn feed_ids(&self, ids: Vec<PyBackedStr>) -> Result<()> {
        let ids = ids.iter().map(|id| Id::new(id)).collect();
        self.lock().feed_ids(ids)
    }

    fn feed_edges(&self, kinds: Vec<String>, rows: &Bound<'_, PyList>) -> PyResult<()> {
        let columns: Result<Vec<Column>> = kinds.iter().map(|name| Column::named(name)).collect();
        let (ended, edges) = read_edges(&columns?, rows)?;
        let mut planner = self.lock();
        if !ended.is_empty() {
            planner.feed_ended(&ended)?;
        }
        Ok(planner.feed_edges(edges)?)
    }

    fn feed_end(&self) -> Result<()> {
        self.lock().feed_end()
    }

    fn feed_jobs(&self, states: Vec<(String, bool, u64)>) -> Result<()> {
        let state = |(job, ended, children): (String, bool, u64)| (Id::new(&job), ended, children);
        let states = states.into_iter().map(state).collect();
        self.lock().feed_jobs(states)
    }

    fn feed_owners(&self, owners: Vec<(String, Option<String>, String, String)>) -> Result<()> {
        let owner =
            |(job, parent, execution, task): (String, Option<String>, String, String)| Owner {
                job: Id::new(&job),
                parent: parent.map(|parent| Id::new(&parent)),
                execution: Id::new(&execution),
                task: Id::new(&task),
            };
        let owners = owners.into_iter().map(owner).collect();
        self.lock().feed_owners(owners)
    }

    fn feed_tag_owners(&self, owners: Vec<(String, String, String)>) -> Result<()> {
        let owner = |(tag, kind, entity): (String, String, String)| TagOwner {
            tag: Id::new(&tag),
            kind: Kind::named(&kind),
            entity: Id::new(&entity),
        };
        let owners = owners.into_iter().map(owner).collect();
        self.lock().feed_tag_owners(owners)
    }

    fn transferred(&self) -> Result<()> {
        self.lock().transferred()
    }

    fn planned<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let planned = self.lock().planned();
        let table = PyDict::new(py);
        for (kind, count) in Kind::ALL.into_iter().zip(planned) {
            table.set_item(kind.name(), count)?;
        }
        Ok(table)
    }
}

fn malformed(reason: &str) -> Error {
    Error::Protocol {
        reason: reason.to_owned(),
    }
}

fn kind(name: &str) -> Result<Kind> {
    Kind::named(name).ok_or_else(|| malformed(&format!("there are no records of kind {name:?}")))
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}

fn texts<'py>(py: Python<'py>, ids: &[Id]) -> PyResult<Bound<'py, PyList>> {
    let mut buffer = [0; HEX_LEN];
    let list = PyList::empty(py);
    for id in ids {
        list.append(id.text(&mut buffer))?;
    }
    Ok(list)
}

/// What a column of rows about what records own holds, after that of their ids; or `None`.
enum Column {
    /// A record of a kind.
    Owned(Kind),
    /// Anything: the job has ended.
    Ended,
}

impl Column {
    fn named(name: &str) -> Result<Self> {
        match name {
            "ended" => Ok(Self::Ended),
            _ => kind(name).map(Self::Owned),
        }
    }
}

/// The jobs that have ended and the edges of rows.
fn read_edges(columns: &[Column], rows: &Bound<'_, PyList>) -> PyResult<(Vec<Id>, Vec<Edge>)> {
    let (mut ended, mut edges) = (Vec::new(), Vec::with_capacity(rows.len() * columns.len()));
    for row in rows {
        let row = row.cast::<PyTuple>()?;
        let parent = Id::new(row.get_borrowed_item(0)?.cast::<PyString>()?.to_str()?);
        for (column, at) in columns.iter().zip(1..) {
            let child = row.get_borrowed_item(at)?;
            if child.is_none() {
                continue;
            }
            match column {
                Column::Ended => ended.push(parent.clone()),
                &Column::Owned(kind) => edges.push(Edge {
                    parent: parent.clone(),
                    kind,
                    child: Id::new(child.cast::<PyString>()?.to_str()?),
                }),
            }
        }
    }
    Ok((ended, edges))
}

/// `(verb, side, kind, what)`; what does not apply is empty.
fn write_step(py: Python<'_>, step: Step) -> PyResult<Bound<'_, PyTuple>> {
    let nothing: &[Id] = &[];
    let (verb, side, kind, ids) = match &step {
        Step::Executions => ("executions", "source", "", nothing),
        Step::Tags => ("tags", "source", "", nothing),
        Step::OpenJobs => ("open_jobs", "target", "", nothing),
        Step::Has(kind, ids) => ("has", "target", kind.name(), ids.as_slice()),
        Step::Children(kind, ids) => ("children", "source", kind.name(), ids.as_slice()),
        Step::JobStates(side, ids) => ("job_states", side_name(*side), "Job", ids.as_slice()),
        Step::JobOwners(ids) => ("job_owners", "source", "Job", ids.as_slice()),
        Step::TagOwners(ids) => ("tag_owners", "source", "Tag", ids.as_slice()),
        Step::Transfer(parts) => {
            let list = PyList::empty(py);
            for part in parts {
                list.append((
                    part.kind.name(),
                    texts(py, &part.ids)?,
                    part.open,
                    part.again,
                ))?;
            }
            return ("transfer", "target", "", list).into_pyobject(py);
        }
        Step::Done => ("done", "", "", nothing),
    };
    (verb, side, kind, texts(py, ids)?).into_pyobject(py)
}
