//! Limits, stalls, CANCEL and mistakes: the edges of the scheduler's protocol, one test each.

use redun_core::sched::{Event, Machine, NodeId, SetId, TaskId};

use crate::sched_kit::*;

fn row(machine: &Machine, task: u32) -> [u32; 5] {
    let mut rows = machine.counts();
    rows.find(|(id, _)| *id == TaskId(task))
        .map_or([0; 5], |(_, counts)| counts)
}

fn refusal(machine: &mut Machine, event: Event) -> String {
    let error = machine.handle([event]).expect_err("illegal");
    machine.validate().expect("consistent");
    error.to_string()
}

#[test]
fn limits_park_by_priority_then_first_come() {
    let mut m = machine();
    m.set_limit("db", 2);
    let mut events = Vec::new();
    for (id, priority) in [(0, 0), (1, 0), (2, 5), (3, 0), (4, 5)] {
        let with = limited(id, priority, &[("db", 1)]);
        events.extend([job(id, None, 0), prepared(id, with)]);
    }
    assert_eq!(drive(&mut m, events), ["submit 2", "submit 4"]);
    assert_eq!(m.limits_used().collect::<Vec<_>>(), [("db", 2)]);
    assert_eq!(drive(&mut m, vec![plain(2, 1)]), ["settled 2", "submit 0"]);
    assert_eq!(drive(&mut m, vec![failed(1, 1)]), ["rejected 1"]);
    assert_eq!(
        drive(&mut m, vec![failed(4, 1)]),
        ["rejected 4", "submit 3"]
    );
    assert_eq!(
        drive(&mut m, vec![finished(0, &[]), plain(3, 1)]),
        ["reduce 0", "settled 3"]
    );
    assert_eq!(m.limits_used().collect::<Vec<_>>(), [("db", 0)]);
}

#[test]
fn a_big_request_does_not_hold_up_small_ones() {
    let mut m = machine();
    m.set_limit("db", 3);
    let request = |id, count| {
        vec![
            job(id, None, 0),
            prepared(id, limited(id, 0, &[("db", count)])),
        ]
    };
    assert_eq!(drive(&mut m, request(0, 2)), ["submit 0"]);
    assert_eq!(drive(&mut m, request(1, 2)), Vec::<String>::new());
    assert_eq!(drive(&mut m, request(2, 1)), ["submit 2"]);
    assert_eq!(drive(&mut m, vec![plain(2, 1)]), ["settled 2"]);
    assert_eq!(drive(&mut m, vec![plain(0, 1)]), ["settled 0", "submit 1"]);
}

#[test]
fn requests_that_cannot_be_met_are_over_the_limit() {
    let mut m = machine();
    let with = limited(0, 0, &[("gpu", 1), ("gpu", 1)]);
    let events = vec![job(0, None, 0), prepared(0, with)];
    assert_eq!(drive(&mut m, events), ["overlimit 0 gpu"]);
    assert_eq!(drive(&mut m, vec![failed(0, 1)]), ["rejected 0"]);
    m.set_limit("gpu", 2);
    let with = limited(1, 0, &[("gpu", 2), ("db", 0)]);
    drive(&mut m, vec![job(1, None, 0), prepared(1, with.clone())]);
    drive(&mut m, vec![job(2, None, 0), prepared(2, with)]);
    m.set_limit("gpu", 1);
    assert_eq!(drive(&mut m, vec![]), ["overlimit 2 gpu"]);
    assert_eq!(drive(&mut m, vec![plain(1, 1)]), ["settled 1"]);
}

#[test]
fn a_raised_limit_takes_effect_with_the_next_batch() {
    let mut m = machine();
    for id in [0, 1] {
        drive(
            &mut m,
            vec![job(id, None, 0), prepared(id, limited(id, 0, &[("db", 1)]))],
        );
    }
    m.set_limit("db", 2);
    assert_eq!(drive(&mut m, vec![]), ["submit 1"]);
}

#[test]
fn submits_of_a_batch_are_sorted_by_priority() {
    let mut m = machine();
    let mut events = vec![op(0, None)];
    for (id, priority) in [(1, 0), (2, 9), (3, 0), (4, -1), (5, 9)] {
        events.extend([job(id, None, 0), prepared(id, limited(id, priority, &[]))]);
    }
    let expected = ["submit 2", "submit 5", "submit 1", "submit 3", "submit 4"];
    assert_eq!(drive(&mut m, events), expected);
}

#[test]
fn a_body_that_calls_its_own_job_stalls_until_the_inner_call_fails() {
    let mut m = machine();
    drive(
        &mut m,
        vec![job(0, None, 0), prepared(0, prep(1, ALL)), miss(0)],
    );
    let inner = vec![
        job(1, Some(0), 0),
        prepared(1, prep(1, ALL)),
        op(2, Some(0)),
        awaits(2, &[1]),
    ];
    drive(&mut m, [inner, vec![job(3, Some(0), 1)]].concat());
    assert_eq!(m.stalled(&[], &[]), []);
    drive(
        &mut m,
        vec![finished(0, &[2]), job(4, None, 2), awaits(4, &[0])],
    );
    assert_eq!((m.active(), m.stalled(&[], &[])), (0, ids(&[1])));
    assert_eq!(
        drive(&mut m, vec![failed(1, 5)]),
        ["rejected 1", "reject 2 1"]
    );
    assert_eq!(drive(&mut m, vec![fail(2)]), ["reject 0 2"]);
    assert_eq!(
        drive(&mut m, vec![failed(0, 5)]),
        ["rejected 0 [1]", "abandon 4 0"]
    );
    assert_eq!(m.stalled(&[], &[]), []);
}

#[test]
fn a_running_job_that_waits_for_its_own_call_stalls() {
    let mut m = machine();
    drive(
        &mut m,
        vec![job(0, None, 0), prepared(0, prep(1, ALL)), miss(0)],
    );
    let inner = vec![
        job(1, Some(0), 0),
        prepared(1, prep(1, ALL)),
        op(2, None),
        awaits(2, &[1]),
    ];
    drive(&mut m, inner);
    assert_eq!(m.stalled(&[], &[]), []);
    let waits = [(ids(&[0])[0], ids(&[2])[0])];
    assert_eq!(m.stalled(&ids(&[0]), &waits), ids(&[1]));
    assert_eq!(m.stalled(&[], &waits), []);
    drive(&mut m, vec![op(3, None), awaits(3, &[])]);
    assert_eq!(m.stalled(&ids(&[0]), &waits), []);
    assert_eq!(m.stalled(&ids(&[0, 3]), &waits), ids(&[1]));
}

#[test]
fn bodies_that_call_each_other_stall_on_both_inner_calls() {
    let mut m = machine();
    for id in [0, 1] {
        drive(
            &mut m,
            vec![job(id, None, 0), prepared(id, prep(id, ALL)), miss(id)],
        );
    }
    for (id, scope, key) in [(2, 0, 1), (3, 1, 0)] {
        let inner = vec![job(id, Some(scope), 0), prepared(id, prep(key, ALL))];
        drive(&mut m, [inner, vec![finished(scope, &[id])]].concat());
    }
    assert_eq!(m.stalled(&[], &[]), ids(&[2, 3]));
    let actions = drive(&mut m, vec![failed(2, 1), failed(3, 1)]);
    assert_eq!(
        actions,
        ["rejected 2", "reject 0 2", "rejected 3", "reject 1 3"]
    );
}

#[test]
fn cancel_drops_what_has_not_ended() {
    let mut m = machine();
    m.set_limit("db", 1);
    for id in [0, 1] {
        drive(
            &mut m,
            vec![job(id, None, 0), prepared(id, limited(id, 0, &[("db", 1)]))],
        );
    }
    drive(
        &mut m,
        vec![
            job(2, None, 0),
            prepared(2, prep(9, ALL)),
            miss(2),
            plain(2, 1),
        ],
    );
    let events = vec![
        job(3, Some(0), 1),
        awaits(3, &[]),
        Event::Cancel,
        plain(0, 1),
    ];
    assert_eq!(drive(&mut m, events), Vec::<String>::new());
    assert_eq!(
        (m.active(), row(&m, 0), row(&m, 1)),
        (0, [0, 2, 0, 0, 1], [1, 0, 0, 0, 0])
    );
    assert_eq!(m.limits_used().collect::<Vec<_>>(), [("db", 0)]);
    let events = vec![
        job(4, None, 0),
        awaits(4, &[1]),
        job(5, None, 0),
        prepared(5, prep(9, ALL)),
    ];
    assert_eq!(drive(&mut m, events), ["abandon 4 1", "replay 5 2"]);
}

#[test]
fn mistakes_change_nothing_and_say_what_is_wrong() {
    let mut m = machine();
    drive(&mut m, vec![job(0, None, 0), op(1, None)]);
    let cases = [
        (
            job(5, None, 0),
            "event 0 of the batch: node 5 was declared where 2 is due",
        ),
        (
            job(2, None, 99),
            "event 0 of the batch: there is no task 99",
        ),
        (
            job(2, Some(1), 0),
            "event 0 of the batch: scope 1 is not a job",
        ),
        (
            job(2, Some(7), 0),
            "event 0 of the batch: node 7 was never declared",
        ),
        (
            awaits(0, &[1, 8]),
            "event 0 of the batch: node 8 was never declared",
        ),
        (
            awaits(0, &[0]),
            "event 0 of the batch: node 0 would wait for itself",
        ),
        (
            miss(0),
            "event 0 of the batch: MISS is not legal for job 0, which is declared",
        ),
        (
            miss(1),
            "event 0 of the batch: MISS is not legal for operation 1, which is declared",
        ),
        (
            settle(0),
            "event 0 of the batch: SETTLE is not legal for job 0, which is declared",
        ),
        (
            resolved(9, 1),
            "event 0 of the batch: node 9 was never declared",
        ),
    ];
    for (event, message) in cases {
        assert_eq!(refusal(&mut m, event), message);
    }
    assert!(m.call_hash(NodeId(4)).is_err() && m.subtree(SetId(50)).is_err());
}

#[test]
fn a_batch_stops_at_a_mistake_and_keeps_what_was_asked_before() {
    let mut m = machine();
    let batch = vec![job(0, None, 0), awaits(0, &[]), miss(0), op(1, None)];
    let error = m.handle(batch).expect_err("illegal");
    assert!(
        error.to_string().starts_with("event 2 of the batch: MISS"),
        "{error}"
    );
    m.validate().expect("consistent");
    assert_eq!(drive(&mut m, vec![op(1, None)]), ["ready 0"]);
}
