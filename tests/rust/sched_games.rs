//! Random games: events, legal and not, must give the actions of the naive model.

use std::collections::BTreeSet;

use proptest::prelude::*;
use redun_core::sched::{Action, Event, Kind, Machine, NodeId, Outcome, Preparation, TaskId};

use crate::sched_kit::*;
use crate::sched_model::{Model, LIMITS};

fn tell_action(machine: &Machine, action: &Action) -> String {
    let end = |word: &str, outcome: &Outcome| {
        let tasks = machine.subtree(outcome.subtree).expect("interned");
        let tasks: BTreeSet<u32> = tasks.iter().map(|task| task.0).collect();
        let children = outcome.children.as_ref();
        let children = children.map(|ids| ids.iter().map(|id| id.index()).collect::<Vec<_>>());
        let call = outcome.call.map(|call| call.to_string());
        format!("{word} {} {call:?} {tasks:?} {children:?}", outcome.id.0)
    };
    match action {
        Action::Settled(outcome) => end("settled", outcome),
        Action::Rejected(outcome) => end("rejected", outcome),
        other => show(other),
    }
}

/// A stream of small numbers out of one word.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }

    fn node(&mut self, model: &Model) -> u32 {
        self.roll(model.items.len() + 1) as u32
    }

    fn nodes(&mut self, model: &Model) -> Vec<u32> {
        (0..self.roll(4)).map(|_| self.node(model)).collect()
    }

    fn event(&mut self, model: &Model) -> Event {
        let id = self.node(model);
        match self.roll(30) {
            0..=3 => {
                let scope = (self.roll(3) > 0).then(|| self.node(model));
                job(model.items.len() as u32, scope, self.roll(4) as u32)
            }
            4..=5 => op(model.items.len() as u32, None),
            6..=9 => awaits(id, &self.nodes(model)),
            10..=15 => prepared(id, self.preparation()),
            16 => hit(
                id,
                (self.roll(2) > 0).then(|| digest(self.roll(3) as u32 + 500)),
            ),
            17..=18 => miss(id),
            19..=21 => finished(id, &self.nodes(model)),
            22 => resolved(id, self.roll(5) as u32),
            23..=24 => plain(id, self.roll(5) as u32),
            25 => failed(id, self.roll(5) as u32),
            26 => settle(id),
            27 => fail(id),
            28 if self.roll(40) == 0 => Event::Cancel,
            _ => Event::Subtree {
                id: NodeId(id),
                tasks: (0..self.roll(4))
                    .map(|_| TaskId(self.roll(5) as u32))
                    .collect(),
            },
        }
    }

    fn preparation(&mut self) -> Preparation {
        let mut with = prep(self.roll(6) as u32, self.roll(8) as u8);
        with.context = (self.roll(4) == 0).then(|| digest(self.roll(2) as u32));
        with.priority = self.roll(3) as i64 - 1;
        if self.roll(2) == 0 {
            let wants =
                (0..=self.roll(2)).map(|_| (LIMITS[self.roll(2)].to_owned(), self.roll(3) as u64));
            with.limits = wants.collect();
        }
        with
    }
}

/// Plays one game: each word is an event, every few of them a batch.
fn play(words: &[u64]) {
    let (mut machine, mut model) = (machine(), Model::default());
    for (name, capacity) in LIMITS.iter().zip([2, 1]) {
        machine.set_limit(name, capacity);
        model.capacity.insert((*name).to_owned(), capacity);
    }
    let mut rest = words;
    while let Some(word) = rest.first() {
        let (words, later) = rest.split_at(rest.len().min(1 + (*word % 5) as usize));
        rest = later;
        let mut batch = Vec::new();
        let mut stopped = false;
        for word in words {
            let mut dice = Dice(*word);
            let mut event = dice.event(&model);
            let tries = if dice.roll(15) == 0 { 0 } else { 40 };
            for _ in 0..tries {
                if model.legal(&event) {
                    break;
                }
                event = dice.event(&model);
            }
            let legal = model.legal(&event);
            batch.push(event.clone());
            if !legal {
                stopped = true;
                break;
            }
            model.apply(&event);
        }
        match machine.handle(batch.clone()) {
            Ok(actions) => {
                assert!(!stopped, "the last of {batch:?} was accepted");
                let lines: Vec<String> = actions.iter().map(|a| tell_action(&machine, a)).collect();
                assert_eq!(lines, model.close(), "after {batch:?}");
            }
            Err(error) => assert!(stopped, "{error} in {batch:?}"),
        }
        machine.validate().expect("consistent");
        assert_eq!(machine.active(), model.active());
        let mut totals = [0; 5];
        for (_, row) in machine.counts() {
            (0..5).for_each(|column| totals[column] += row[column]);
        }
        assert_eq!(totals, model.totals());
        for id in machine.stalled(&[], &[]) {
            assert_eq!(model.items[id.index()].kind, Kind::Job);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_events_give_the_actions_of_the_model(
        words in prop::collection::vec(any::<u64>(), 1..250)
    ) {
        play(&words);
    }
}

#[test]
fn random_games_reach_every_kind_of_action() {
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let (mut machine, mut model) = (machine(), Model::default());
        for name in LIMITS {
            model.capacity.insert(name.to_owned(), 1);
            machine.set_limit(name, 1);
        }
        for _ in 0..600 {
            let event = dice.event(&model);
            if event != Event::Cancel && model.legal(&event) {
                model.apply(&event);
                for action in machine.handle([event]).expect("legal") {
                    seen.insert(show(&action).split(' ').next().map(str::to_owned));
                }
                model.close();
            }
        }
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
}
