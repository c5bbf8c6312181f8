//! Every rule of the scheduler's protocol, one test each.

use redun_core::sched::{Event, Machine, NodeId, TaskId, FLAG_REUSABLE};

use crate::sched_kit::*;

fn called(machine: &Machine, id: u32) -> Option<String> {
    let hash = machine.call_hash(NodeId(id)).expect("declared");
    hash.map(|hash| hash.to_string())
}

fn row(machine: &Machine, task: u32) -> [u32; 5] {
    let mut rows = machine.counts();
    rows.find(|(id, _)| *id == TaskId(task))
        .map_or([0; 5], |(_, counts)| counts)
}

/// The tasks of the set an outcome names.
fn subtree(machine: &mut Machine, events: Vec<Event>) -> Vec<u32> {
    let actions = machine.handle(events).expect("legal");
    let outcome = actions.iter().find_map(|action| match action {
        redun_core::sched::Action::Settled(outcome) => Some(outcome.clone()),
        _ => None,
    });
    let set = outcome.expect("a job settled").subtree;
    let tasks = machine.subtree(set).expect("interned");
    tasks.iter().map(|task| task.0).collect()
}

#[test]
fn a_fresh_job_is_checked_run_and_settled() {
    let mut m = machine();
    assert_eq!(
        drive(&mut m, vec![job(0, None, 0), awaits(0, &[])]),
        ["ready 0"]
    );
    assert_eq!(row(&m, 0), [1, 0, 0, 0, 0]);
    assert_eq!(drive(&mut m, vec![prepared(0, prep(1, ALL))]), ["check 0"]);
    assert_eq!(row(&m, 0), [0, 1, 0, 0, 0]);
    assert_eq!(drive(&mut m, vec![miss(0)]), ["submit 0"]);
    assert_eq!((m.active(), called(&m, 0)), (1, None));
    assert_eq!(drive(&mut m, vec![plain(0, 5)]), ["settled 0"]);
    assert_eq!((m.active(), row(&m, 0)), (0, [0, 0, 0, 0, 1]));
    let expected = call_hash("t0", 1001, &digest(5).to_string(), Vec::new());
    assert_eq!(called(&m, 0), Some(expected));
}

#[test]
fn a_result_hash_may_be_any_text() {
    let mut m = machine();
    start(&mut m, 0, None);
    let result = redun_core::sched::ResultHash::new("mine");
    let id = NodeId(0);
    drive(&mut m, vec![Event::FinishedPlain { id, result }]);
    assert_eq!(
        called(&m, 0),
        Some(call_hash("t0", 1000, "mine", Vec::new()))
    );
}

#[test]
fn a_result_that_holds_jobs_is_reduced_when_they_are_done() {
    let mut m = machine();
    start(&mut m, 0, None);
    let events = vec![
        job(1, Some(0), 1),
        awaits(1, &[]),
        job(2, Some(0), 2),
        awaits(2, &[1]),
    ];
    assert_eq!(
        drive(&mut m, [events, vec![finished(0, &[2, 1, 2])]].concat()),
        ["ready 1"]
    );
    drive(&mut m, vec![prepared(1, prep(1, PLAIN))]);
    assert_eq!(drive(&mut m, vec![plain(1, 7)]), ["settled 1", "ready 2"]);
    drive(&mut m, vec![prepared(2, prep(2, PLAIN))]);
    assert_eq!(drive(&mut m, vec![plain(2, 8)]), ["settled 2", "reduce 0"]);
    assert_eq!(drive(&mut m, vec![resolved(0, 9)]), ["settled 0 [1, 2]"]);
    let children = vec![called(&m, 1).expect("ended"), called(&m, 2).expect("ended")];
    let expected = call_hash("t0", 1000, &digest(9).to_string(), children);
    assert_eq!(called(&m, 0), Some(expected));
}

#[test]
fn finished_without_nodes_is_reduced_at_once() {
    let mut m = machine();
    start(&mut m, 0, None);
    assert_eq!(drive(&mut m, vec![finished(0, &[])]), ["reduce 0"]);
}

#[test]
fn operations_wait_in_phases_and_settle() {
    let mut m = machine();
    drive(&mut m, vec![op(0, None), op(1, None), op(2, None)]);
    assert_eq!(
        drive(&mut m, vec![awaits(2, &[0, 1])]),
        Vec::<String>::new()
    );
    assert_eq!(drive(&mut m, vec![settle(0), settle(1)]), ["ready 2"]);
    assert_eq!(
        drive(&mut m, vec![op(3, None), awaits(2, &[0, 3])]),
        Vec::<String>::new()
    );
    assert_eq!(drive(&mut m, vec![settle(3)]), ["ready 2"]);
    assert_eq!(m.active(), 1);
    drive(&mut m, vec![settle(2)]);
    assert_eq!(m.active(), 0);
}

#[test]
fn a_failed_node_rejects_an_operation_once_and_without_waiting_for_others() {
    let mut m = machine();
    let nodes = vec![
        op(0, None),
        op(1, None),
        op(2, None),
        op(3, None),
        awaits(3, &[0, 1, 2]),
    ];
    drive(&mut m, nodes);
    assert_eq!(drive(&mut m, vec![fail(1)]), ["reject 3 1"]);
    assert_eq!(
        drive(&mut m, vec![fail(2), settle(0)]),
        Vec::<String>::new()
    );
    assert_eq!(drive(&mut m, vec![awaits(3, &[0])]), ["ready 3"]);
    assert_eq!(drive(&mut m, vec![awaits(3, &[0, 2])]), ["reject 3 2"]);
    assert_eq!(
        drive(&mut m, vec![op(4, None), awaits(4, &[3]), fail(3)]),
        ["reject 4 3"]
    );
}

#[test]
fn a_job_without_arguments_is_abandoned_with_everything_that_needs_it() {
    let mut m = machine();
    start(&mut m, 0, None);
    let mut events = vec![op(1, Some(0))];
    for (id, dep) in [(2, 1), (3, 2)] {
        events.extend([job(id, Some(0), 1), awaits(id, &[dep])]);
    }
    events.extend([op(4, Some(0)), awaits(4, &[3]), finished(0, &[3, 4])]);
    drive(&mut m, events);
    let actions = drive(&mut m, vec![fail(1)]);
    assert_eq!(
        actions,
        ["abandon 2 1", "abandon 3 2", "reject 4 3", "reject 0 3"]
    );
    assert_eq!(row(&m, 1), [2, 0, 0, 0, 0]);
    assert_eq!(called(&m, 2), None);
    assert_eq!(drive(&mut m, vec![failed(0, 3)]), ["rejected 0"]);
    let late = vec![job(5, Some(0), 2), awaits(5, &[0])];
    assert_eq!(drive(&mut m, late), ["abandon 5 0"]);
}

#[test]
fn a_failed_job_keeps_the_calls_of_its_children() {
    let mut m = machine();
    start(&mut m, 0, None);
    start(&mut m, 1, Some(0));
    start(&mut m, 2, Some(0));
    start(&mut m, 3, Some(0));
    drive(&mut m, vec![finished(0, &[1, 2, 3]), plain(1, 1)]);
    assert_eq!(
        drive(&mut m, vec![failed(2, 2)]),
        ["rejected 2", "reject 0 2"]
    );
    assert_eq!(drive(&mut m, vec![failed(0, 2)]), ["rejected 0 [1, 2]"]);
    assert_eq!(row(&m, 0), [0, 0, 1, 0, 0]);
    drive(&mut m, vec![plain(3, 3)]);
}

#[test]
fn a_job_may_fail_before_it_is_prepared() {
    let mut m = machine();
    let actions = drive(&mut m, vec![job(0, None, 0), awaits(0, &[]), failed(0, 1)]);
    assert_eq!(actions, ["ready 0", "rejected 0"]);
    assert_eq!((called(&m, 0), row(&m, 0)), (None, [0, 0, 1, 0, 0]));
}

#[test]
fn equal_jobs_collapse_while_the_first_is_unfinished() {
    let mut m = machine();
    start(&mut m, 0, None);
    let mut events = Vec::new();
    for id in [1, 2, 3] {
        events.extend([job(id, Some(0), 1), prepared(id, prep(7, ALL))]);
    }
    events.extend([op(4, Some(0)), awaits(4, &[3]), finished(0, &[1, 2, 3])]);
    assert_eq!(
        drive(&mut m, events),
        ["check 1", "collapse 2 1", "collapse 3 1"]
    );
    drive(&mut m, vec![miss(1)]);
    let actions = drive(&mut m, vec![plain(1, 5)]);
    assert_eq!(
        actions,
        [
            "settled 1",
            "mirror 2 1",
            "mirror 3 1",
            "ready 4",
            "reduce 0"
        ]
    );
    assert_eq!(row(&m, 1), [0, 0, 0, 2, 1]);
    assert_eq!(called(&m, 2), called(&m, 1));
    assert_eq!(drive(&mut m, vec![resolved(0, 1)]), ["settled 0 [1, 1, 1]"]);
    let calls = vec![called(&m, 1).expect("ended"); 3];
    let expected = call_hash("t0", 1000, &digest(1).to_string(), calls);
    assert_eq!(called(&m, 0), Some(expected));
}

#[test]
fn the_first_unfinished_of_equal_jobs_stands_else_the_one_that_ended_last() {
    let mut m = machine();
    let equal = |id, flags| vec![job(id, None, 0), prepared(id, prep(1, flags))];
    for id in [0, 1, 2, 3] {
        assert_eq!(
            drive(&mut m, equal(id, FLAG_REUSABLE)),
            [format!("submit {id}")]
        );
    }
    assert_eq!(drive(&mut m, vec![plain(1, 1)]), ["settled 1"]);
    assert_eq!(drive(&mut m, equal(4, ALL)), ["collapse 4 0"]);
    assert_eq!(
        drive(&mut m, vec![plain(0, 1)]),
        ["settled 0", "mirror 4 0"]
    );
    assert_eq!(drive(&mut m, equal(5, ALL)), ["collapse 5 2"]);
    assert_eq!(drive(&mut m, vec![failed(5, 1)]), ["rejected 5"]);
    assert_eq!(drive(&mut m, vec![plain(3, 1)]), ["settled 3"]);
    assert_eq!(drive(&mut m, equal(6, ALL)), ["collapse 6 2"]);
    assert_eq!(
        drive(&mut m, vec![failed(2, 1)]),
        ["rejected 2", "mirror 6 2 failed"]
    );
    assert_eq!(drive(&mut m, equal(7, ALL)), ["replay 7 2"]);
    assert_eq!(drive(&mut m, vec![failed(7, 1)]), ["rejected 7"]);
    assert_eq!(drive(&mut m, equal(8, ALL)), ["replay 8 7"]);
}

#[test]
fn a_collapsed_job_fails_with_its_twin() {
    let mut m = machine();
    let events = vec![job(0, None, 0), prepared(0, prep(1, ALL)), job(1, None, 0)];
    drive(
        &mut m,
        [events, vec![prepared(1, prep(1, ALL)), miss(0)]].concat(),
    );
    let actions = drive(&mut m, vec![job(2, None, 1), awaits(2, &[1]), failed(0, 9)]);
    assert_eq!(actions, ["rejected 0", "mirror 1 0 failed", "abandon 2 1"]);
    assert_eq!(row(&m, 0), [0, 0, 2, 0, 0]);
}

#[test]
fn finished_jobs_are_replayed_with_their_call_and_subtree() {
    let mut m = machine();
    drive(
        &mut m,
        vec![job(0, None, 0), prepared(0, prep(1, ALL)), miss(0)],
    );
    start(&mut m, 1, Some(0));
    drive(&mut m, vec![finished(0, &[1]), plain(1, 1)]);
    drive(&mut m, vec![resolved(0, 2)]);
    let again = vec![job(2, None, 0), prepared(2, prep(1, ALL))];
    assert_eq!(drive(&mut m, again), ["replay 2 0"]);
    let call = m.call_hash(NodeId(0)).expect("declared");
    let tasks = subtree(&mut m, vec![hit(2, call), plain(2, 2)]);
    assert_eq!(tasks, [0, 1]);
    assert_eq!(
        (called(&m, 2), row(&m, 0)),
        (called(&m, 0), [0, 0, 0, 1, 1])
    );
    drive(&mut m, vec![job(3, None, 0), prepared(3, prep(1, ALL))]);
    assert_eq!(drive(&mut m, vec![miss(3)]), ["submit 3"]);
    let joins = vec![job(4, None, 0), prepared(4, prep(1, ALL))];
    assert_eq!(drive(&mut m, joins), ["collapse 4 3"]);
}

#[test]
fn a_replayed_error_fails_with_the_given_call() {
    let mut m = machine();
    drive(
        &mut m,
        vec![
            job(0, None, 0),
            prepared(0, prep(1, ALL)),
            miss(0),
            failed(0, 4),
        ],
    );
    let again = vec![job(1, None, 0), prepared(1, prep(1, ALL))];
    assert_eq!(drive(&mut m, again), ["replay 1 0"]);
    let call = m.call_hash(NodeId(0)).expect("declared");
    assert_eq!(
        drive(&mut m, vec![hit(1, call), failed(1, 4)]),
        ["rejected 1"]
    );
    assert_eq!(
        (called(&m, 1), row(&m, 0)),
        (called(&m, 0), [0, 0, 2, 0, 0])
    );
}

#[test]
fn flags_and_contexts_keep_jobs_apart() {
    let mut m = machine();
    let context = |number: u32| redun_core::sched::Preparation {
        context: Some(digest(number)),
        ..prep(1, ALL)
    };
    let mut events = vec![job(0, None, 0), prepared(0, prep(1, ALL & !4))];
    events.extend([job(1, None, 0), prepared(1, prep(1, ALL))]);
    events.extend([job(2, None, 0), prepared(2, prep(1, ALL & !1))]);
    events.extend([job(3, None, 0), prepared(3, context(1))]);
    events.extend([job(4, None, 0), prepared(4, context(2))]);
    events.extend([job(5, None, 0), prepared(5, context(1))]);
    events.extend([job(6, None, 0), prepared(6, prep(1, 5))]);
    let actions = drive(&mut m, events);
    let expected = [
        "check 0",
        "check 1",
        "check 2",
        "check 3",
        "check 4",
        "collapse 5 3",
    ];
    assert_eq!(actions[..6], expected);
    assert_eq!(actions[6..], ["collapse 6 1"]);
}

#[test]
fn a_hit_counts_as_cached_and_brings_its_call_and_subtree() {
    let mut m = machine();
    drive(&mut m, vec![job(0, None, 0), prepared(0, prep(1, ALL))]);
    let tasks = vec![TaskId(4), TaskId(2), TaskId(4)];
    let id = NodeId(0);
    let events = vec![
        hit(0, Some(digest(77))),
        Event::Subtree { id, tasks },
        plain(0, 1),
    ];
    assert_eq!(subtree(&mut m, events), [0, 2, 4]);
    assert_eq!(
        (called(&m, 0), row(&m, 0)),
        (Some(digest(77).to_string()), [0, 0, 0, 1, 0])
    );
    drive(&mut m, vec![job(1, None, 1), prepared(1, prep(2, ALL))]);
    let alone = subtree(&mut m, vec![hit(1, Some(digest(78))), plain(1, 1)]);
    assert_eq!(alone, [1]);
}

#[test]
fn a_single_reduction_is_evaluated_below_its_job() {
    let mut m = machine();
    drive(&mut m, vec![job(0, None, 0), prepared(0, prep(1, ALL))]);
    start_below(&mut m);
    assert_eq!(drive(&mut m, vec![plain(1, 1)]), ["settled 1", "reduce 0"]);
    assert_eq!(drive(&mut m, vec![resolved(0, 3)]), ["settled 0 [1]"]);
    let children = vec![called(&m, 1).expect("ended")];
    let expected = call_hash("t0", 1001, &digest(3).to_string(), children);
    assert_eq!(
        (called(&m, 0), row(&m, 0)),
        (Some(expected), [0, 0, 0, 1, 0])
    );
}

fn start_below(m: &mut Machine) {
    let events = vec![
        hit(0, None),
        job(1, Some(0), 1),
        prepared(1, prep(5, PLAIN)),
    ];
    drive(m, [events, vec![finished(0, &[1])]].concat());
}

#[test]
fn equal_subtrees_share_an_id() {
    let mut m = machine();
    let mut sets = Vec::new();
    for (parent, child) in [(0, 1), (2, 3)] {
        let events = vec![job(parent, None, 1), prepared(parent, prep(parent, PLAIN))];
        let below = vec![
            job(child, Some(parent), 2),
            prepared(child, prep(child, PLAIN)),
        ];
        drive(
            &mut m,
            [
                events,
                below,
                vec![finished(parent, &[child]), plain(child, 1)],
            ]
            .concat(),
        );
        for action in m.handle([resolved(parent, 1)]).expect("legal") {
            if let redun_core::sched::Action::Settled(outcome) = action {
                sets.push(outcome.subtree);
            }
        }
    }
    assert_eq!(sets[0], sets[1]);
    assert_eq!(
        m.subtree(sets[0]).expect("interned"),
        [TaskId(1), TaskId(2)]
    );
}

#[test]
fn stories_tell_events_and_actions_in_order() {
    let mut m = machine();
    m.record_stories();
    drive(&mut m, vec![job(0, None, 0), awaits(0, &[])]);
    let story = m.story(NodeId(0));
    assert_eq!(story.len(), 3);
    assert!(story[2].starts_with("batch 1: Ready"), "{story:?}");
}
