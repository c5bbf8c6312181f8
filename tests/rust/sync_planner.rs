//! The planner against the plain definition of a closure, on random repos.

use proptest::prelude::*;
use redun_core::sync::{Id, Kind, Options, Planner, Step};

use crate::sync_repo::{id, transfer, Job, Records, Repo, Tag};

fn options(batch: usize) -> Options {
    Options {
        batch,
        transaction: 3 * batch,
        deep: false,
        dry_run: false,
        // Of those targets that are.
        empty: batch % 2 == 0,
    }
}

/// Numbers that the shape of a repo follows from.
#[derive(Clone, Debug)]
struct Shape {
    values: Vec<Vec<prop::sample::Index>>,
    calls: Vec<(
        prop::sample::Index,
        Vec<prop::sample::Index>,
        Vec<prop::sample::Index>,
    )>,
    /// (starts a new execution, parent, task, call, time until its end)
    jobs: Vec<(
        bool,
        prop::sample::Index,
        prop::sample::Index,
        prop::sample::Index,
        u8,
    )>,
    /// (about: kind and which, replaced tags)
    tags: Vec<(u8, prop::sample::Index, Vec<prop::sample::Index>)>,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let index = any::<prop::sample::Index>;
    let some = move |most| prop::collection::vec(index(), 0..most);
    (
        prop::collection::vec(some(3), 1..12),
        prop::collection::vec((index(), some(3), some(3)), 1..12),
        prop::collection::vec(
            (
                prop::bool::weighted(0.2),
                index(),
                index(),
                index(),
                0..9_u8,
            ),
            1..25,
        ),
        prop::collection::vec((0..6_u8, index(), some(2)), 0..12),
    )
        .prop_map(|(values, calls, jobs, tags)| Shape {
            values,
            calls,
            jobs,
            tags,
        })
}

/// The repo as it is once `started` jobs have started; what they need is there before.
fn build(shape: &Shape, started: usize) -> Repo {
    let mut repo = Repo::default();
    for (number, inside) in (0_u32..).zip(&shape.values) {
        let earlier =
            |index: &prop::sample::Index| id(Kind::Value, index.index(number as usize) as u32);
        let inside = if number == 0 {
            Vec::new()
        } else {
            inside.iter().map(earlier).collect()
        };
        repo.values.insert(id(Kind::Value, number), inside);
    }
    let value =
        |index: &prop::sample::Index| id(Kind::Value, index.index(shape.values.len()) as u32);
    for (number, (task, values, calls)) in (0_u32..).zip(&shape.calls) {
        let mut owned = vec![(Kind::Value, value(task))];
        owned.extend(values.iter().map(|index| (Kind::Value, value(index))));
        if number > 0 {
            let earlier =
                |index: &prop::sample::Index| id(Kind::Call, index.index(number as usize) as u32);
            owned.extend(calls.iter().map(|index| (Kind::Call, earlier(index))));
        }
        repo.calls.insert(id(Kind::Call, number), owned);
    }
    let mut ends: Vec<usize> = Vec::new();
    let mut parents: Vec<Option<usize>> = Vec::new();
    for (number, (fresh, parent, _, _, duration)) in shape.jobs.iter().enumerate() {
        let parent = (number > 0 && !fresh).then(|| parent.index(number));
        ends.push(number + 1 + usize::from(*duration));
        parents.push(parent);
    }
    // Parents end after their children.
    for number in (0..ends.len()).rev() {
        if let Some(parent) = parents[number] {
            ends[parent] = ends[parent].max(ends[number] + 1);
        }
    }
    let mut roots: Vec<u32> = Vec::new();
    for (number, (_, _, task, call, _)) in shape.jobs.iter().enumerate().take(started) {
        let root = match parents[number] {
            Some(parent) => roots[parent],
            None => number as u32,
        };
        roots.push(root);
        let call = id(Kind::Call, call.index(shape.calls.len()) as u32);
        let job = Job {
            parent: parents[number].map(|parent| id(Kind::Job, parent as u32)),
            execution: id(Kind::Execution, root),
            task: value(task),
            call: (ends[number] <= started).then_some(call),
        };
        let job_id = id(Kind::Job, number as u32);
        if root == number as u32 {
            repo.executions
                .insert(job.execution.clone(), job_id.clone());
        }
        repo.jobs.insert(job_id, job);
    }
    add_tags(shape, &mut repo, started);
    repo
}

fn add_tags(shape: &Shape, repo: &mut Repo, started: usize) {
    let count = (shape.tags.len() * started).div_ceil(shape.jobs.len());
    for (number, (kind, which, parents)) in (0_u32..).zip(&shape.tags).take(count) {
        let about = match kind {
            0 => Some((
                Kind::Execution,
                id(Kind::Execution, which.index(shape.jobs.len()) as u32),
            )),
            1 => Some((
                Kind::Job,
                id(Kind::Job, which.index(shape.jobs.len()) as u32),
            )),
            2 => Some((
                Kind::Call,
                id(Kind::Call, which.index(shape.calls.len()) as u32),
            )),
            3 | 4 => Some((
                Kind::Value,
                id(Kind::Value, which.index(shape.values.len()) as u32),
            )),
            _ => None,
        };
        let earlier =
            |index: &prop::sample::Index| id(Kind::Tag, index.index(number as usize) as u32);
        let parents = if number == 0 {
            Vec::new()
        } else {
            // What deletes others is not deleted itself.
            let lasting = |tag: &Id| repo.tags[tag].about.is_some();
            parents.iter().map(earlier).filter(lasting).collect()
        };
        repo.tags
            .insert(id(Kind::Tag, number), Tag { about, parents });
    }
}

/// What a transfer of everything is to reach: what executions own, and tags about that.
fn expected(source: &Repo, roots: &[(Kind, Id)], before: &Records) -> Records {
    let mut all = before.clone();
    let own = source.closure(roots.iter().cloned());
    all.extend(own.iter().cloned());
    for root in roots.iter().filter(|(kind, _)| *kind == Kind::Job) {
        let mut next = source.jobs.get(&root.1);
        while let Some(job) = next {
            all.insert((Kind::Execution, job.execution.clone()));
            next = job.parent.as_ref().and_then(|parent| {
                all.insert((Kind::Job, parent.clone()));
                all.extend(source.closure([(Kind::Value, source.jobs[parent].task.clone())]));
                source.jobs.get(parent)
            });
        }
    }
    all
}

fn with_tags(source: &Repo, mut all: Records, about: &Records) -> Records {
    let kept = |(tag, about_it): (&Id, &Tag)| {
        let there = about_it
            .about
            .as_ref()
            .is_some_and(|entity| about.contains(entity));
        there.then(|| (Kind::Tag, tag.clone()))
    };
    let kept: Vec<(Kind, Id)> = source.tags.iter().filter_map(kept).collect();
    all.extend(source.closure(kept));
    let deletes = |(id, tag): (&Id, &Tag)| {
        let mut replaced = tag.parents.iter();
        let there = replaced.any(|parent| all.contains(&(Kind::Tag, parent.clone())));
        (tag.about.is_none() && there).then(|| (Kind::Tag, id.clone()))
    };
    let deletes: Vec<(Kind, Id)> = source.tags.iter().filter_map(deletes).collect();
    all.extend(source.closure(deletes));
    all
}

fn executions(repo: &Repo) -> Vec<(Kind, Id)> {
    repo.executions
        .keys()
        .map(|id| (Kind::Execution, id.clone()))
        .collect()
}

fn holding(source: &Repo, roots: Vec<(Kind, Id)>) -> Repo {
    let mut repo = Repo::default();
    for (kind, id) in expected(source, &roots, &Records::new()) {
        repo.copy(source, kind, &id, false);
    }
    // Ancestors of given jobs are open.
    let own = source.closure(roots);
    for (id, job) in &mut repo.jobs {
        if !own.contains(&(Kind::Job, id.clone())) {
            job.call = None;
        }
    }
    repo
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn everything_arrives_whatever_was_there(
        shape in shapes(),
        batch in 1..40_usize,
        earlier in any::<prop::sample::Index>(),
        now in any::<prop::sample::Index>(),
        had in prop::collection::vec((0..5_u8, any::<prop::sample::Index>()), 0..4),
    ) {
        let now = now.index(shape.jobs.len()) + 1;
        let before = build(&shape, earlier.index(now) + 1);
        let source = build(&shape, now);
        let all: Vec<(Kind, Id)> = before.records().into_iter().collect();
        let had = had.iter().map(|(_, which)| all[which.index(all.len())].clone());
        let mut target = holding(&before, had.filter(|(kind, _)| *kind != Kind::Tag).collect());
        prop_assert_eq!(target.gap(), None);
        let held = target.records();
        transfer(&source, &mut target, options(batch), None, None, |repo| {
            assert_eq!(repo.gap(), None);
            assert_eq!(repo.missing_child(&source), None);
        });
        let all = expected(&source, &executions(&source), &held);
        let about = all.clone();
        prop_assert_eq!(target.records(), with_tags(&source, all, &about));
        for (job, row) in &target.jobs {
            prop_assert_eq!(row, &source.jobs[job]);
        }
        let again = transfer(&source, &mut target, options(batch), None, None, |_| ());
        prop_assert_eq!(again.transactions, 0);
    }

    #[test]
    fn what_given_roots_own_arrives(
        shape in shapes(),
        batch in 1..40_usize,
        roots in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let source = build(&shape, shape.jobs.len());
        let all: Vec<(Kind, Id)> = source.records().into_iter().collect();
        let roots: Vec<(Kind, Id)> = roots.iter().map(|root| all[root.index(all.len())].clone()).collect();
        let mut target = Repo::default();
        transfer(&source, &mut target, options(batch), Some(roots.clone()), None, |repo| {
            assert_eq!(repo.gap(), None);
            assert_eq!(repo.missing_child(&source), None);
        });
        let all = expected(&source, &roots, &Records::new());
        prop_assert_eq!(target.records(), with_tags(&source, all, &source.closure(roots)));
        // All that was left open is completed by a transfer of everything.
        transfer(&source, &mut target, options(batch), None, None, |_| ());
        for (job, row) in &target.jobs {
            prop_assert_eq!(row, &source.jobs[job]);
        }
    }

    #[test]
    fn a_cut_transfer_is_completed_by_the_next(
        shape in shapes(), batch in 1..10_usize, cut in 0..30_usize,
    ) {
        let source = build(&shape, shape.jobs.len());
        let mut whole = Repo::default();
        transfer(&source, &mut whole, options(batch), None, None, |_| ());
        let mut target = Repo::default();
        transfer(&source, &mut target, options(batch), None, Some(cut), |_| ());
        transfer(&source, &mut target, options(batch), None, None, |_| ());
        prop_assert_eq!(target, whole);
    }

    #[test]
    fn three_repos_converge(
        shape in shapes(),
        batch in 1..20_usize,
        moves in prop::collection::vec((0..3_usize, 0..3_usize, any::<prop::sample::Index>()), 0..12),
    ) {
        // The first repo runs the jobs; time passes with each move.
        let mut repos = [build(&shape, 1), Repo::default(), Repo::default()];
        let mut time = 1;
        for (from, to, passed) in moves {
            time += passed.index(shape.jobs.len() - time + 1);
            repos[0] = build(&shape, time);
            if from != to && to != 0 {
                let source = repos[from].clone();
                transfer(&source, &mut repos[to], options(batch), None, None, |_| ());
            }
        }
        for (from, to) in [(0, 1), (1, 2), (0, 2)] {
            let source = repos[from].clone();
            transfer(&source, &mut repos[to], options(batch), None, None, |_| ());
        }
        let [_, one, two] = repos;
        prop_assert_eq!(one, two);
    }

    #[test]
    fn a_deep_transfer_repairs(
        shape in shapes(), batch in 1..20_usize, lost in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let source = build(&shape, shape.jobs.len());
        let mut target = Repo::default();
        transfer(&source, &mut target, options(batch), None, None, |_| ());
        let whole = target.clone();
        for index in lost {
            let calls: Vec<Id> = target.calls.keys().cloned().collect();
            let values: Vec<Id> = target.values.keys().cloned().collect();
            if let Some(call) = calls.get(index.index(calls.len().max(1))) {
                target.calls.remove(call);
            }
            if let Some(value) = values.get(index.index(values.len().max(1))) {
                target.values.remove(value);
            }
        }
        let deep = Options { deep: true, ..options(batch) };
        transfer(&source, &mut target, deep, None, None, |_| ());
        prop_assert_eq!(target, whole);
    }

    #[test]
    fn a_dry_run_counts_what_a_real_one_writes(shape in shapes(), batch in 1..20_usize) {
        let source = build(&shape, shape.jobs.len());
        let mut target = Repo::default();
        let dry = Options { dry_run: true, ..options(batch) };
        let planned = transfer(&source, &mut target, dry, None, None, |_| ()).planned;
        prop_assert_eq!(&target, &Repo::default());
        transfer(&source, &mut target, options(batch), None, None, |_| ());
        prop_assert_eq!(planned, target.records().len() as u64);
    }
}

/// A fan-out: one execution, a root job, and `count` child jobs, each with a call and two values.
pub fn fan_out(repo: &mut Repo, execution: u32, count: u32) {
    let base = execution * 1_000_000;
    let task = id(Kind::Value, u32::MAX);
    repo.values.insert(task.clone(), Vec::new());
    let root = id(Kind::Job, base);
    repo.executions
        .insert(id(Kind::Execution, execution), root.clone());
    let mut made = vec![(Kind::Value, task.clone())];
    for number in base + 1..=base + count {
        let call = id(Kind::Call, number);
        let mut owned = vec![(Kind::Value, task.clone())];
        for value in [id(Kind::Value, 2 * number), id(Kind::Value, 2 * number + 1)] {
            repo.values.insert(value.clone(), Vec::new());
            owned.push((Kind::Value, value));
        }
        repo.calls.insert(call.clone(), owned);
        made.push((Kind::Call, call.clone()));
        repo.jobs.insert(
            id(Kind::Job, number),
            Job {
                parent: Some(root.clone()),
                execution: id(Kind::Execution, execution),
                task: task.clone(),
                call: Some(call),
            },
        );
    }
    let call = id(Kind::Call, base);
    repo.calls.insert(call.clone(), made);
    let job = Job {
        parent: None,
        execution: id(Kind::Execution, execution),
        task,
        call: Some(call),
    };
    repo.jobs.insert(root, job);
}

#[test]
fn what_is_there_costs_nothing_and_what_is_new_costs_its_size() {
    let (mut source, mut target) = (Repo::default(), Repo::default());
    for execution in 0..20 {
        fan_out(&mut source, execution, 50);
    }
    transfer(&source, &mut target, options(100), None, None, |_| ());
    let nothing_new = transfer(&source, &mut target, options(100), None, None, |_| ());
    assert_eq!(nothing_new.transactions, 0);
    assert_eq!(nothing_new.ids, 20, "only the executions are asked about");
    fan_out(&mut source, 20, 10);
    let some_new = transfer(&source, &mut target, options(100), None, None, |_| ());
    assert!(some_new.ids < 200, "{some_new:?}");
    assert_eq!(target.jobs.len(), source.jobs.len());
}

#[test]
fn what_an_earlier_transfer_left_open_counts_once() {
    let mut source = Repo::default();
    fan_out(&mut source, 0, 50);
    let whole = source.records().len() as u64;
    let mut target = Repo::default();
    let first = transfer(&source, &mut target, options(4), None, Some(6), |_| ());
    assert_eq!(first.transactions, 6);
    let held = target.records().len() as u64;
    assert!(target.jobs[&id(Kind::Job, 0)].call.is_none(), "open so far");
    let rest = transfer(&source, &mut target, options(4), None, None, |_| ());
    assert_eq!(
        rest.planned,
        whole - held + 1,
        "the end of a job is one more"
    );
    assert_eq!(target.records().len() as u64, whole);
}

#[test]
fn jobs_in_a_circle_end() {
    let mut source = Repo::default();
    fan_out(&mut source, 0, 2);
    let (root, child) = (id(Kind::Job, 0), id(Kind::Job, 1));
    source.jobs.get_mut(&root).expect("made").parent = Some(child);
    let mut target = Repo::default();
    transfer(&source, &mut target, options(1), None, None, |_| ());
    assert_eq!(target.records(), source.records());
    let mut other = Repo::default();
    let roots = vec![(Kind::Job, id(Kind::Job, 2))];
    transfer(&source, &mut other, options(1), Some(roots), None, |_| ());
    assert!(other.jobs.contains_key(&id(Kind::Job, 2)));
}

#[test]
fn answers_that_were_not_asked_for_are_refused() {
    let mut planner = Planner::new(options(1), None);
    assert!(planner.feed_ids(Vec::new()).is_err());
    assert!(planner.feed_ended(&[]).is_err());
    assert_eq!(planner.next().expect("the first question"), Step::OpenJobs);
    assert!(planner.next().is_err());
    assert!(planner.feed_edges(Vec::new()).is_ok());
    assert!(planner.transferred().is_err());
    assert!(planner.feed_end().is_err());
}
