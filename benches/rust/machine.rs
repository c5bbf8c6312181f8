//! The scheduler's state machine over 100,000 jobs: fresh and cached fan-outs, a chain, limits.
#![allow(missing_docs)]

use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};
use redun_core::hash::Scheme;
use redun_core::sched::{Event, Kind, Machine, NodeId, Preparation, ResultHash, TaskId};
use redun_core::Digest;

const JOBS: u32 = 100_000;
const ROOT: NodeId = NodeId(0);

/// A machine, and the batches it is to be given.
type Session = (Machine, Vec<Vec<Event>>);
type Setup = fn() -> Session;

fn digest(number: u32) -> Digest {
    let mut bytes = [7; 20];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_le_bytes());
    Digest::new(bytes)
}

fn jobs() -> impl Iterator<Item = NodeId> {
    (1..=JOBS).map(NodeId)
}

fn declare(id: NodeId, scope: Option<NodeId>) -> Event {
    Event::Declare {
        id,
        kind: Kind::Job,
        scope,
        task: Some(TaskId(u32::from(scope.is_some()))),
    }
}

fn prepared(id: NodeId, limits: &[(String, u64)]) -> Event {
    let with = Preparation {
        eval: digest(id.0),
        args: digest(id.0 + 1),
        context: None,
        flags: 7,
        priority: 0,
        limits: limits.to_vec(),
    };
    Event::Prepared { id, with }
}

fn plain(id: NodeId) -> Event {
    let result = ResultHash::Digest(digest(id.0));
    Event::FinishedPlain { id, result }
}

fn fresh(id: NodeId) -> Vec<Event> {
    vec![Event::Miss { id }, plain(id)]
}

fn cached(id: NodeId) -> Vec<Event> {
    let call = Some(digest(id.0));
    vec![Event::Hit { id, call }, plain(id)]
}

/// A root job whose body calls `JOBS` others, each of which ends as `outcome` says.
fn fan_out(outcome: impl Fn(NodeId) -> Vec<Event>, limits: &[(String, u64)]) -> Session {
    let mut machine = Machine::new(Scheme::Blake3);
    machine.task("root");
    machine.task(&digest(1).to_string());
    let root = [
        declare(ROOT, None),
        prepared(ROOT, &[]),
        Event::Miss { id: ROOT },
    ];
    machine.handle(root).expect("legal");
    let mut first = Vec::new();
    for id in jobs() {
        first.push(declare(id, Some(ROOT)));
        let deps = Vec::new();
        first.push(Event::Await { id, deps });
    }
    let deps = jobs().collect();
    first.push(Event::Finished { id: ROOT, deps });
    let second = jobs().map(|id| prepared(id, limits)).collect();
    let third = jobs().flat_map(outcome).collect();
    let result = ResultHash::Digest(digest(0));
    let last = vec![Event::Resolved { id: ROOT, result }];
    (machine, vec![first, second, third, last])
}

/// A fan-out over a limit of 1,000: jobs start when others end.
fn limited() -> Session {
    let slots = 1_000;
    let wants = [("slots".to_owned(), 1)];
    let (mut machine, mut batches) = fan_out(|id| vec![Event::Miss { id }], &wants);
    machine.set_limit("slots", slots);
    let last = batches.pop().expect("four batches");
    let ids: Vec<NodeId> = jobs().collect();
    let waves = ids.chunks(slots as usize);
    batches.extend(waves.map(|wave| wave.iter().copied().map(plain).collect()));
    batches.push(last);
    (machine, batches)
}

/// A chain of calls, each the argument of the next, a batch a job.
fn chain() -> Session {
    let mut machine = Machine::new(Scheme::Blake3);
    machine.task("link");
    let mut first = Vec::new();
    for id in (0..JOBS).map(NodeId) {
        first.push(declare(id, None));
        let deps = id.0.checked_sub(1).map(NodeId).into_iter().collect();
        first.push(Event::Await { id, deps });
    }
    let step = |id| vec![prepared(id, &[]), Event::Miss { id }, plain(id)];
    let mut batches = vec![first];
    batches.extend((0..JOBS).map(NodeId).map(step));
    (machine, batches)
}

fn run((mut machine, batches): Session) -> Machine {
    for batch in batches {
        machine.handle(batch).expect("legal");
    }
    machine
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine");
    group.throughput(Throughput::Elements(u64::from(JOBS)));
    group.sample_size(10);
    let sessions: [(&str, Setup); 4] = [
        ("fan-out fresh", || fan_out(fresh, &[])),
        ("fan-out cached", || fan_out(cached, &[])),
        ("chain", chain),
        ("limits", limited),
    ];
    for (name, session) in sessions {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(session, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
