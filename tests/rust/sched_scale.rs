//! Depth, width and memory: nothing recurses, nothing is quadratic, a finished job is small.

use std::time::Instant;

use redun_core::sched::{Action, Event, Machine, NodeId};

use crate::sched_kit::*;

const DEEP: u32 = 1_000_000;
const WIDE: u32 = 200_000;

fn apply(machine: &mut Machine, events: Vec<Event>) -> Vec<Action> {
    machine.handle(events).expect("legal events")
}

#[test]
fn a_deep_chain_of_arguments_is_abandoned_in_a_loop() {
    let mut m = machine();
    let mut events = vec![op(0, None)];
    for id in 1..=DEEP {
        events.extend([job(id, None, 1), awaits(id, &[id - 1])]);
    }
    apply(&mut m, events);
    assert_eq!(apply(&mut m, vec![fail(0)]).len(), DEEP as usize);
    m.validate().expect("consistent");
}

#[test]
fn a_deep_chain_of_bodies_settles_level_by_level() {
    let mut m = machine();
    let mut events = vec![job(0, None, 0), prepared(0, prep(0, PLAIN))];
    for id in 1..DEEP {
        events.extend([job(id, Some(id - 1), id % 3), prepared(id, prep(id, PLAIN))]);
        events.push(finished(id - 1, &[id]));
    }
    apply(&mut m, events);
    let mut answers = vec![plain(DEEP - 1, 1)];
    answers.extend((0..DEEP - 1).rev().map(|id| resolved(id, id)));
    let actions = apply(&mut m, answers);
    assert_eq!(actions.len(), 2 * DEEP as usize - 1);
    m.validate().expect("consistent");
}

#[test]
fn a_deep_chain_of_waits_that_closes_is_stalled() {
    let mut m = machine();
    let mut events = vec![job(0, None, 0), prepared(0, prep(0, ALL)), miss(0)];
    for id in 1..WIDE {
        events.extend([
            job(id, Some(id - 1), 0),
            prepared(id, prep(id, ALL)),
            miss(id),
        ]);
        events.push(finished(id - 1, &[id]));
    }
    events.extend([job(WIDE, Some(WIDE - 1), 0), prepared(WIDE, prep(0, ALL))]);
    events.push(finished(WIDE - 1, &[WIDE]));
    apply(&mut m, events);
    assert_eq!(m.stalled(&[], &[]), ids(&[WIDE]));
}

/// Runs `count` jobs below one; returns the seconds it took.
fn fan_out(m: &mut Machine, count: u32) -> f64 {
    let clock = Instant::now();
    apply(m, vec![job(0, None, 0), prepared(0, prep(0, PLAIN))]);
    let mut events = Vec::new();
    for id in 1..=count {
        events.extend([job(id, Some(0), 1 + id % 2), prepared(id, prep(id, ALL))]);
    }
    events.push(finished(0, &(1..=count).collect::<Vec<_>>()));
    apply(m, events);
    apply(m, (1..=count).map(miss).collect());
    let actions = apply(m, (1..=count).map(|id| plain(id, id)).collect());
    assert_eq!(actions.last().map(show), Some("reduce 0".into()));
    let actions = apply(m, vec![resolved(0, 1)]);
    let Some(Action::Settled(outcome)) = actions.first() else {
        panic!("the root settles");
    };
    assert_eq!(
        outcome.children.as_ref().map(Vec::len),
        Some(count as usize)
    );
    assert_eq!(m.subtree(outcome.subtree).expect("interned").len(), 3);
    clock.elapsed().as_secs_f64()
}

#[test]
fn a_wide_fan_out_takes_linear_time() {
    let narrow = fan_out(&mut machine(), WIDE / 10);
    let mut m = machine();
    let wide = fan_out(&mut m, WIDE);
    m.validate().expect("consistent");
    assert!(
        wide < 60.0 * narrow.max(0.01),
        "{narrow} s grew to {wide} s"
    );
}

#[test]
fn a_finished_job_takes_at_most_200_bytes() {
    let mut m = machine();
    let waves = 100;
    apply(&mut m, vec![job(0, None, 0), prepared(0, prep(0, PLAIN))]);
    let mut next = 1;
    for _ in 0..waves {
        let last = next + WIDE / waves;
        let numbers = || next..last;
        let pair = |id| [job(id, Some(0), 1), prepared(id, prep(id, ALL))];
        apply(&mut m, numbers().flat_map(pair).collect());
        apply(&mut m, numbers().map(miss).collect());
        apply(&mut m, numbers().map(|id| plain(id, id)).collect());
        next = last;
    }
    let each = m.footprint() / m.nodes();
    assert!(each <= 200, "{each} bytes a job");
    assert!(m.call_hash(NodeId(next - 1)).expect("declared").is_some());
}

#[test]
fn parked_jobs_cost_nothing_while_others_finish() {
    let mut m = machine();
    m.set_limit("slots", 10);
    let one = |id| {
        [
            job(id, None, 1),
            prepared(id, limited(id, 0, &[("slots", 1)])),
        ]
    };
    let mut running = apply(&mut m, (0..WIDE).flat_map(one).collect());
    let mut done = 0;
    while !running.is_empty() {
        done += running.len();
        let ends = running.iter().map(|action| plain(action.node().0, 1));
        running = apply(&mut m, ends.collect());
        running.retain(|action| matches!(action, Action::Submit { .. }));
    }
    assert_eq!(done, WIDE as usize);
    m.validate().expect("consistent");
}
