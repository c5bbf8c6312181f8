//! Records that are to be copied, in order, cut into transactions of bounded size.

use std::collections::VecDeque;

use super::id::Id;
use super::step::{Kind, Part};

#[derive(Default)]
pub struct Outbox {
    waiting: VecDeque<(Kind, bool, Id)>,
    planned: [u64; Kind::ALL.len()],
}

impl Outbox {
    /// Appends a record; `open` as in [`Part`], of an execution that of its root job, which follows.
    pub fn push(&mut self, kind: Kind, open: bool, id: Id) {
        self.waiting.push_back((kind, open, id));
    }

    /// Counts a record as planned. Apart from `push`, since jobs may be written twice.
    pub fn count(&mut self, kind: Kind) {
        self.planned[kind as usize] += 1;
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

    /// Takes at most about `limit` records: an execution and its root job stay together, and jobs
    /// that are open and others do not, so that what a transaction did can be counted.
    pub fn take(&mut self, limit: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut count = 0;
        let mut jobs_open = None;
        while let Some((kind, open, _)) = self.waiting.front() {
            let (kind, open) = (*kind, *open);
            if matches!(kind, Kind::Job | Kind::Execution) && *jobs_open.get_or_insert(open) != open
            {
                break;
            }
            let Some((_, _, id)) = self.waiting.pop_front() else {
                break;
            };
            let open = open && kind == Kind::Job;
            match parts.last_mut() {
                Some(part) if part.kind == kind && part.open == open => part.ids.push(id),
                _ => parts.push(Part {
                    kind,
                    open,
                    ids: vec![id],
                }),
            }
            count += 1;
            if count >= limit && kind != Kind::Execution {
                break;
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Id {
        Id::Uuid([number; 16])
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
        let shape: Vec<_> = parts
            .iter()
            .map(|part| (part.kind, part.open, part.ids.len()))
            .collect();
        let expected = [
            (Kind::Value, false, 2),
            (Kind::Execution, false, 1),
            (Kind::Job, true, 1),
        ];
        assert_eq!(shape, expected);
        assert_eq!(outbox.len(), 1);
        outbox.push(Kind::Value, false, id(6));
        outbox.push(Kind::Job, true, id(7));
        let parts = outbox.take(10);
        assert_eq!(parts.len(), 2, "the open job waits");
        assert_eq!(outbox.take(10).len(), 1);
        assert!(outbox.is_empty());
    }
}
