//! The planner of a transfer of 100,000 jobs between repos that answer at once: everything, nothing new,
//! and one new execution.
#![allow(missing_docs)]

use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};
use redun_core::sync::{Edge, Id, Kind, Options, Owner, Planner, Side, Step};

const EXECUTIONS: u32 = 100;
const JOBS_EACH: u32 = 1_000;
const BATCH: usize = 2_000;
/// The number of the task that all jobs run.
const TASK: u32 = u32::MAX;

/// An id that tells the number of its record.
fn id(kind: Kind, number: u32) -> Id {
    let mut bytes = [kind as u8; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Id::Uuid(bytes)
}

fn number(id: &Id) -> u32 {
    let Id::Uuid([a, b, c, d, ..]) = *id else {
        unreachable!("made by `id`")
    };
    u32::from_le_bytes([a, b, c, d])
}

/// The first of the jobs of an execution is the root, the parent of the others; job and call have the
/// same number, argument and result are values of their own.
fn children(kind: Kind, parent: &Id) -> Vec<(Kind, Id)> {
    let at = number(parent);
    let below = || (at + 1..at + JOBS_EACH).filter(|_| at % JOBS_EACH == 0);
    let task = (Kind::Value, id(Kind::Value, TASK));
    match kind {
        Kind::Execution => vec![(Kind::Job, id(Kind::Job, at * JOBS_EACH))],
        Kind::Job => {
            let mut owned = vec![task, (Kind::Call, id(Kind::Call, at))];
            owned.extend(below().map(|job| (Kind::Job, id(Kind::Job, job))));
            owned
        }
        Kind::Call => {
            let mut owned = vec![task];
            owned.extend([2 * at, 2 * at + 1].map(|value| (Kind::Value, id(Kind::Value, value))));
            owned.extend(below().map(|call| (Kind::Call, id(Kind::Call, call))));
            owned
        }
        Kind::Value | Kind::Tag => Vec::new(),
    }
}

fn owner(job: Id) -> Owner {
    let at = number(&job);
    let root = at - at % JOBS_EACH;
    Owner {
        parent: (at != root).then(|| id(Kind::Job, root)),
        execution: id(Kind::Execution, at / JOBS_EACH),
        task: id(Kind::Value, TASK),
        job,
    }
}

/// Whether a target with the records of the first `held` executions has a record.
fn is_held(held: u32, kind: Kind, id: &Id) -> bool {
    let at = number(id);
    match kind {
        Kind::Execution => at < held,
        Kind::Job | Kind::Call => at < held * JOBS_EACH,
        Kind::Value => at < 2 * held * JOBS_EACH || (at == TASK && held > 0),
        Kind::Tag => false,
    }
}

/// Transfers what is not among the first `held` executions; returns how many records that is.
fn run(held: u32) -> u64 {
    let options = Options {
        batch: BATCH,
        transaction: 10 * BATCH,
        deep: false,
        dry_run: false,
        empty: held == 0,
    };
    let mut planner = Planner::new(options, None);
    let mut executions = Some((0..EXECUTIONS).map(|at| id(Kind::Execution, at)).collect());
    loop {
        let answered = match planner.next().expect("answered") {
            Step::Executions => planner.feed_ids(executions.take().unwrap_or_default()),
            Step::Tags => planner.feed_ids(Vec::new()),
            Step::OpenJobs => planner.feed_jobs(Vec::new()),
            Step::Has(kind, mut ids) => {
                ids.retain(|id| is_held(held, kind, id));
                planner.feed_ids(ids)
            }
            Step::Children(kind, ids) => {
                if kind == Kind::Job {
                    planner.feed_ended(&ids).expect("asked");
                }
                let edges = ids.iter().flat_map(|parent| {
                    let owned = children(kind, parent).into_iter();
                    owned.map(|(kind, child)| Edge {
                        parent: parent.clone(),
                        kind,
                        child,
                    })
                });
                planner.feed_edges(edges.collect()).expect("asked");
                planner.feed_end()
            }
            Step::JobStates(side, mut ids) => {
                ids.retain(|id| side == Side::Source || is_held(held, Kind::Job, id));
                planner.feed_jobs(ids.into_iter().map(|job| (job, true, 0)).collect())
            }
            Step::JobOwners(ids) => planner.feed_owners(ids.into_iter().map(owner).collect()),
            Step::TagOwners(_) => planner.feed_tag_owners(Vec::new()),
            Step::Transfer(_) => planner.transferred(),
            Step::Done => return planner.planned().iter().sum(),
        };
        answered.expect("the answer that was asked for");
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sync");
    group.sample_size(10);
    for (name, held) in [
        ("everything", 0),
        ("one new execution", EXECUTIONS - 1),
        ("nothing new", EXECUTIONS),
    ] {
        group.throughput(Throughput::Elements(run(held).max(1)));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| held, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
