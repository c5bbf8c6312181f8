//! Interned sets of tasks: what a call and everything below it consisted of.

use std::hash::Hasher as _;

use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};

use super::job::{SetId, TaskId};

/// All sets met so far. Equal sets share an id.
#[derive(Debug, Default)]
pub(super) struct Subtrees {
    /// Each sorted and without repeats.
    sets: Vec<Box<[TaskId]>>,
    index: HashTable<SetId>,
    /// The set of one task, by task; `NONE` until it is needed.
    single: Vec<SetId>,
    /// Own task and the one other set below it, to their union: most calls are of this shape.
    joined: FxHashMap<(TaskId, SetId), SetId>,
    seen_set: Marks,
    seen_task: Marks,
    /// Work space, kept for its memory.
    distinct: Vec<SetId>,
    union: Vec<TaskId>,
}

/// A set of small numbers that is emptied in constant time.
#[derive(Debug, Default)]
struct Marks {
    marks: Vec<u32>,
    round: u32,
}

impl Marks {
    fn reset(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.marks.fill(0);
            self.round = 1;
        }
    }

    /// Whether the number is new in this round.
    fn add(&mut self, number: u32) -> bool {
        let index = number as usize;
        if index >= self.marks.len() {
            self.marks.resize(index + 1, 0);
        }
        std::mem::replace(&mut self.marks[index], self.round) != self.round
    }
}

fn hash(tasks: &[TaskId]) -> u64 {
    let mut hasher = FxHasher::default();
    for task in tasks {
        hasher.write_u32(task.0);
    }
    hasher.finish()
}

impl Subtrees {
    /// The tasks of a set, sorted.
    pub fn get(&self, id: SetId) -> Option<&[TaskId]> {
        self.sets.get(id.index()).map(|set| &**set)
    }

    /// The set of these tasks, which may repeat and come in any order.
    pub fn intern(&mut self, mut tasks: Vec<TaskId>) -> SetId {
        tasks.sort_unstable();
        tasks.dedup();
        self.intern_sorted(&tasks)
    }

    fn intern_sorted(&mut self, tasks: &[TaskId]) -> SetId {
        let code = hash(tasks);
        let sets = &self.sets;
        if let Some(id) = self.index.find(code, |id| *sets[id.index()] == *tasks) {
            return *id;
        }
        let id = SetId(self.sets.len() as u32);
        self.sets.push(tasks.into());
        let sets = &self.sets;
        self.index
            .insert_unique(code, id, |id| hash(&sets[id.index()]));
        id
    }

    /// The set of one task.
    pub fn single(&mut self, task: TaskId) -> SetId {
        if task.index() >= self.single.len() {
            self.single.resize(task.index() + 1, SetId::NONE);
        }
        if let Some(id) = self.single[task.index()].some() {
            return id;
        }
        let id = self.intern_sorted(&[task]);
        self.single[task.index()] = id;
        id
    }

    /// A task and everything in `below`; sets that repeat cost one look each.
    pub fn join(&mut self, task: TaskId, below: &[SetId]) -> SetId {
        let own = self.single(task);
        let mut distinct = std::mem::take(&mut self.distinct);
        distinct.clear();
        self.seen_set.reset();
        self.seen_set.add(own.0);
        distinct.extend(below.iter().filter(|set| self.seen_set.add(set.0)));
        let joined = match distinct[..] {
            [] => own,
            [other] => match self.joined.get(&(task, other)) {
                Some(id) => *id,
                None => {
                    let id = self.unite(task, &distinct);
                    self.joined.insert((task, other), id);
                    id
                }
            },
            _ => self.unite(task, &distinct),
        };
        self.distinct = distinct;
        joined
    }

    fn unite(&mut self, task: TaskId, sets: &[SetId]) -> SetId {
        let mut union = std::mem::take(&mut self.union);
        union.clear();
        union.push(task);
        self.seen_task.reset();
        self.seen_task.add(task.0);
        for set in sets {
            let tasks = &self.sets[set.index()];
            union.extend(tasks.iter().filter(|task| self.seen_task.add(task.0)));
        }
        union.sort_unstable();
        let id = self.intern_sorted(&union);
        self.union = union;
        id
    }

    /// Checks that the sets are canonical and that the index finds them.
    ///
    /// # Errors
    /// What is wrong.
    pub fn audit(&self) -> Result<(), String> {
        if self.index.len() != self.sets.len() {
            return Err("the index of the subtree sets has another size".into());
        }
        for (number, set) in self.sets.iter().enumerate() {
            if !set.is_sorted_by(|a, b| a < b) {
                return Err(format!("subtree set {number} is not sorted"));
            }
            let id = SetId(number as u32);
            if self.index.find(hash(set), |found| *found == id).is_none() {
                return Err(format!("subtree set {number} is not in its index"));
            }
        }
        Ok(())
    }

    /// Bytes held, roughly.
    pub fn footprint(&self) -> usize {
        let members: usize = self.sets.iter().map(|set| set.len()).sum();
        members * size_of::<TaskId>()
            + self.sets.capacity() * size_of::<Box<[TaskId]>>()
            + self.index.allocation_size()
            + self.joined.capacity() * (size_of::<((TaskId, SetId), SetId)>() + 1)
    }
}
