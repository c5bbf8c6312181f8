//! Records that are to be copied, in order, cut into transactions of bounded size.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use super::id::Id;
use super::step::{Kind, Part};

#[derive(Default)]
pub struct Outbox {
    waiting: VecDeque<(Kind, bool, Id)>,
    /// Jobs that wait or were taken as open, and whose ends were not taken yet.
    opened: FxHashSet<Id>,
    planned: [u64; Kind::ALL.len()],
}

impl Outbox {
    /// Appends a record; `open` as in [`Part`], of an execution that of its root job, which follows.
    ///
    /// It counts as planned, unless it is a job that came before, open.
    pub fn push(&mut self, kind: Kind, open: bool, id: Id) {
        if kind == Kind::Job {
            let is_known = if open {
                !self.opened.insert(id.clone())
            } else {
                self.opened.contains(&id)
            };
            if is_known && open {
                return;
            }
            self.planned[kind as usize] += u64::from(!is_known);
        } else {
            self.planned[kind as usize] += 1;
        }
        self.waiting.push_back((kind, open, id));
    }

    /// Records planned so far, by kind.
    pub fn planned(&self) -> [u64; Kind::ALL.len()] {
        self.planned
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes at most about `limit` records: an execution and its root job stay together. A job whose
    /// end is among them is taken once, ended.
    pub fn take(&mut self, limit: usize) -> Vec<Part> {
        let mut taken = Taken::default();
        let mut count = 0;
        while let Some((kind, open, id)) = self.waiting.pop_front() {
            match kind {
                Kind::Execution => taken.executions.push(id),
                Kind::Job if open => taken.open(id),
                Kind::Job => {
                    let was_opened = self.opened.remove(&id);
                    taken.end(id, was_opened);
                }
                Kind::Call => taken.calls.push(id),
                Kind::Value => taken.values.push(id),
                Kind::Tag => taken.tags.push(id),
            }
            count += 1;
            if count >= limit && kind != Kind::Execution {
                break;
            }
        }
        taken.into_parts()
    }
}

/// The records of one transaction, by what is done with them.
#[derive(Default)]
struct Taken {
    values: Vec<Id>,
    calls: Vec<Id>,
    executions: Vec<Id>,
    /// Jobs without their ends.
    opened: Vec<Id>,
    /// Those of them that still are.
    open: FxHashSet<Id>,
    ended: Vec<Id>,
    /// Jobs that end, and were opened by an earlier transaction.
    again: Vec<Id>,
    tags: Vec<Id>,
}

impl Taken {
    fn open(&mut self, job: Id) {
        self.open.insert(job.clone());
        self.opened.push(job);
    }

    fn end(&mut self, job: Id, was_opened: bool) {
        if was_opened && !self.open.remove(&job) {
            self.again.push(job);
        } else {
            self.ended.push(job);
        }
    }

    /// What others refer to comes first.
    fn into_parts(mut self) -> Vec<Part> {
        self.opened.retain(|job| self.open.contains(job));
        let part = |kind, ids| (kind, false, false, ids);
        let parts = [
            part(Kind::Value, self.values),
            part(Kind::Call, self.calls),
            part(Kind::Execution, self.executions),
            (Kind::Job, true, false, self.opened),
            (Kind::Job, false, false, self.ended),
            (Kind::Job, false, true, self.again),
            part(Kind::Tag, self.tags),
        ];
        let filled = parts.into_iter().filter(|(_, _, _, ids)| !ids.is_empty());
        let part = |(kind, open, again, ids)| Part {
            kind,
            open,
            again,
            ids,
        };
        filled.map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Id {
        Id::Uuid([number; 16])
    }

    fn shape(parts: &[Part]) -> Vec<(Kind, bool, bool, usize)> {
        let of = |part: &Part| (part.kind, part.open, part.again, part.ids.len());
        parts.iter().map(of).collect()
    }

    #[test]
    fn batches_are_bounded_and_keep_executions_with_their_root_jobs() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Value, false, id(1));
        outbox.push(Kind::Value, false, id(2));
        outbox.push(Kind::Execution, true, id(3));
        outbox.push(Kind::Job, true, id(4));
        outbox.push(Kind::Job, false, id(5));
        let parts = outbox.take(3);
        let expected = [
            (Kind::Value, false, false, 2),
            (Kind::Execution, false, false, 1),
            (Kind::Job, true, false, 1),
        ];
        assert_eq!(shape(&parts), expected);
        assert_eq!(outbox.len(), 1);
        outbox.push(Kind::Value, false, id(6));
        let parts = outbox.take(10);
        let kinds: Vec<Kind> = parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [Kind::Value, Kind::Job], "jobs follow what they own");
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_job_is_written_and_counted_once_unless_its_end_comes_later() {
        let mut outbox = Outbox::default();
        for job in [1, 2] {
            outbox.push(Kind::Job, true, id(job));
        }
        outbox.push(Kind::Job, true, id(1));
        outbox.push(Kind::Job, false, id(3));
        outbox.push(Kind::Job, false, id(2));
        let open = |ids: &[u8]| (Kind::Job, true, false, ids.len());
        let parts = outbox.take(10);
        let expected = [open(&[1]), (Kind::Job, false, false, 2)];
        assert_eq!(shape(&parts), expected);
        assert_eq!(parts[0].ids, [id(1)]);
        assert_eq!(parts[1].ids, [id(3), id(2)]);
        outbox.push(Kind::Job, false, id(1));
        assert_eq!(shape(&outbox.take(10)), [(Kind::Job, false, true, 1)]);
        assert_eq!(outbox.planned()[Kind::Job as usize], 3);
        assert!(outbox.opened.is_empty());
    }
}
