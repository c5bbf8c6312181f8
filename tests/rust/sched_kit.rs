//! Shorthand for driving the scheduler's machine in tests: `validate` runs after every batch.

use redun_core::hash::{digest_bytes, Scheme};
use redun_core::sched::{
    Action, Event, Kind, Machine, NodeId, Outcome, Preparation, ResultHash, TaskId, FLAG_CSE,
    FLAG_LOOKUP, FLAG_REUSABLE,
};
use redun_core::Digest;

/// Joins, is joined, looks into the backend: the flags of an ordinary job.
pub const ALL: u8 = FLAG_CSE | FLAG_LOOKUP | FLAG_REUSABLE;
/// Runs without questions.
pub const PLAIN: u8 = 0;

pub fn digest(number: u32) -> Digest {
    digest_bytes(Scheme::Blake3, &number.to_le_bytes())
}

pub fn result(number: u32) -> ResultHash {
    ResultHash::Digest(digest(number))
}

pub fn ids(numbers: &[u32]) -> Vec<NodeId> {
    numbers.iter().copied().map(NodeId).collect()
}

pub fn job(id: u32, scope: Option<u32>, task: u32) -> Event {
    Event::Declare {
        id: NodeId(id),
        kind: Kind::Job,
        scope: scope.map(NodeId),
        task: Some(TaskId(task)),
    }
}

pub fn op(id: u32, scope: Option<u32>) -> Event {
    Event::Declare {
        id: NodeId(id),
        kind: Kind::Op,
        scope: scope.map(NodeId),
        task: None,
    }
}

pub fn awaits(id: u32, deps: &[u32]) -> Event {
    Event::Await {
        id: NodeId(id),
        deps: ids(deps),
    }
}

/// Preparation of a job with evaluation key `key`.
pub fn prep(key: u32, flags: u8) -> Preparation {
    Preparation {
        eval: digest(key),
        args: digest(key + 1000),
        context: None,
        flags,
        priority: 0,
        limits: Vec::new(),
    }
}

pub fn prepared(id: u32, with: Preparation) -> Event {
    Event::Prepared {
        id: NodeId(id),
        with,
    }
}

pub fn limited(key: u32, priority: i64, limits: &[(&str, u64)]) -> Preparation {
    let limits = limits.iter().map(|(name, n)| ((*name).to_owned(), *n));
    Preparation {
        priority,
        limits: limits.collect(),
        ..prep(key, PLAIN)
    }
}

pub fn hit(id: u32, call: Option<Digest>) -> Event {
    Event::Hit {
        id: NodeId(id),
        call,
    }
}

pub fn miss(id: u32) -> Event {
    Event::Miss { id: NodeId(id) }
}

pub fn finished(id: u32, deps: &[u32]) -> Event {
    Event::Finished {
        id: NodeId(id),
        deps: ids(deps),
    }
}

pub fn resolved(id: u32, value: u32) -> Event {
    Event::Resolved {
        id: NodeId(id),
        result: result(value),
    }
}

pub fn plain(id: u32, value: u32) -> Event {
    Event::FinishedPlain {
        id: NodeId(id),
        result: result(value),
    }
}

pub fn failed(id: u32, error: u32) -> Event {
    Event::Failed {
        id: NodeId(id),
        error: result(error),
    }
}

pub fn settle(id: u32) -> Event {
    Event::Settle { id: NodeId(id) }
}

pub fn fail(id: u32) -> Event {
    Event::Fail { id: NodeId(id) }
}

/// A machine with tasks `t0` .. `t9`.
pub fn machine() -> Machine {
    let mut machine = Machine::new(Scheme::Blake3);
    for number in 0..10 {
        machine.task(&format!("t{number}"));
    }
    machine
}

/// Applies a legal batch and validates; the actions come as short lines.
pub fn drive(machine: &mut Machine, events: Vec<Event>) -> Vec<String> {
    let actions = machine.handle(events).expect("legal events");
    machine.validate().expect("consistent");
    actions.iter().map(show).collect()
}

/// Declares job `id` with task `id`, prepares it with key `id`, and runs it.
pub fn start(machine: &mut Machine, id: u32, scope: Option<u32>) {
    let with = prep(id, PLAIN);
    let events = vec![job(id, scope, id), awaits(id, &[]), prepared(id, with)];
    let actions = drive(machine, events);
    assert_eq!(actions, [format!("ready {id}"), format!("submit {id}")]);
}

/// An action in short, without hashes.
pub fn show(action: &Action) -> String {
    let end = |word: &str, outcome: &Outcome| {
        let children = outcome.children.as_ref();
        let children = children.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>());
        match children {
            Some(children) => format!("{word} {} {children:?}", outcome.id.0),
            None => format!("{word} {}", outcome.id.0),
        }
    };
    match action {
        Action::Ready { id } => format!("ready {}", id.0),
        Action::Check { id } => format!("check {}", id.0),
        Action::Submit { id, .. } => format!("submit {}", id.0),
        Action::Collapse { id, onto } => format!("collapse {} {}", id.0, onto.0),
        Action::Replay { id, of } => format!("replay {} {}", id.0, of.0),
        Action::Reduce { id } => format!("reduce {}", id.0),
        Action::Settled(outcome) => end("settled", outcome),
        Action::Reject { id, cause } => format!("reject {} {}", id.0, cause.0),
        Action::Abandon { id, cause } => format!("abandon {} {}", id.0, cause.0),
        Action::Mirror { id, of, failed } => {
            format!(
                "mirror {} {}{}",
                id.0,
                of.0,
                if *failed { " failed" } else { "" }
            )
        }
        Action::Overlimit { id, limit } => format!("overlimit {} {limit}", id.0),
        Action::Rejected(outcome) => end("rejected", outcome),
    }
}

/// The hash of a call whose arguments have the hash `digest(args)`.
pub fn call_hash(task: &str, args: u32, result: &str, children: Vec<String>) -> String {
    call_hash_of(task, &digest(args).to_string(), result, children)
}

/// The hash of a call, written down independently of the machine.
pub fn call_hash_of(task: &str, args: &str, result: &str, mut children: Vec<String>) -> String {
    children.sort();
    let text = |text: &str| format!("{}:{text}", text.len());
    let inner: String = children.iter().map(|child| text(child)).collect();
    let list = [text("CallNode"), text(task), text(args), text(result)].concat();
    digest_bytes(Scheme::Blake3, format!("l{list}l{inner}ee").as_bytes()).to_string()
}
