//! Resource limits: how much of each is used, and who is parked until enough is free.
//!
//! Requests are interned; jobs with the same request share one queue. Grants are made once a batch,
//! over the requests that name a limit touched by it: a batch costs the number of those requests
//! and of the grants, not that of the parked jobs, and priorities hold among all jobs of a batch.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::job::{NodeId, RequestId};

/// What a limit that was never declared can give.
const UNDECLARED: u64 = 1;

/// A parked job: the greatest goes first, that is the highest priority and then the earliest.
type Parked = (i64, Reverse<u64>, NodeId);

/// Amounts by limit index; sorted, without repeats or zeros.
type Needs = Box<[(u32, u64)]>;

#[derive(Debug)]
struct Limit {
    name: String,
    capacity: u64,
    used: u64,
    /// It is in `Limits::touched`.
    touched: bool,
    /// The requests that name it.
    requests: Vec<RequestId>,
}

#[derive(Debug)]
struct Request {
    needs: Needs,
    /// May still list jobs that have left; whoever takes one asks whether it is parked.
    parked: BinaryHeap<Parked>,
}

/// The limits of a machine.
#[derive(Debug, Default)]
pub(super) struct Limits {
    limits: Vec<Limit>,
    by_name: FxHashMap<String, u32>,
    requests: Vec<Request>,
    by_needs: FxHashMap<Needs, RequestId>,
    /// Numbers parked jobs in the order they came.
    clock: u64,
    /// Limits that were released, asked for or changed since the last grants.
    touched: Vec<u32>,
    /// A capacity was changed since the last grants.
    changed: bool,
}

/// What became of parked jobs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Woken {
    /// Jobs whose request was granted, in order.
    pub granted: Vec<NodeId>,
    /// Jobs whose request can't be granted any more, with the limit that is too small.
    pub over: Vec<(NodeId, String)>,
}

impl Limits {
    fn limit(&mut self, name: &str) -> u32 {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.limits.len() as u32;
        self.limits.push(Limit {
            name: name.to_owned(),
            capacity: UNDECLARED,
            used: 0,
            touched: false,
            requests: Vec::new(),
        });
        self.by_name.insert(name.to_owned(), index);
        index
    }

    /// Sets what a limit can give.
    pub fn set(&mut self, name: &str, capacity: u64) {
        let index = self.limit(name);
        self.limits[index as usize].capacity = capacity;
        self.changed = true;
        self.touch(index);
    }

    fn touch(&mut self, index: u32) {
        let limit = &mut self.limits[index as usize];
        if !std::mem::replace(&mut limit.touched, true) {
            self.touched.push(index);
        }
    }

    /// Interns what a job asks for; `NONE` when that is nothing.
    pub fn request(&mut self, wants: &[(String, u64)]) -> RequestId {
        let mut needs: Vec<(u32, u64)> = Vec::with_capacity(wants.len());
        for (name, amount) in wants.iter().filter(|(_, amount)| *amount > 0) {
            let limit = self.limit(name);
            match needs.iter_mut().find(|(known, _)| *known == limit) {
                Some((_, sum)) => *sum = sum.saturating_add(*amount),
                None => needs.push((limit, *amount)),
            }
        }
        if needs.is_empty() {
            return RequestId::NONE;
        }
        needs.sort_unstable();
        let needs = needs.into_boxed_slice();
        if let Some(id) = self.by_needs.get(&needs) {
            return *id;
        }
        let id = RequestId(self.requests.len() as u32);
        for (limit, _) in &needs {
            self.limits[*limit as usize].requests.push(id);
        }
        self.by_needs.insert(needs.clone(), id);
        self.requests.push(Request {
            needs,
            parked: BinaryHeap::new(),
        });
        id
    }

    /// The limit a request asks too much of, whatever is free.
    pub fn too_small(&self, request: RequestId) -> Option<&str> {
        let needs = &self.requests.get(request.index())?.needs;
        let limit = |index: u32| &self.limits[index as usize];
        needs
            .iter()
            .find(|(index, amount)| *amount > limit(*index).capacity)
            .map(|(index, _)| limit(*index).name.as_str())
    }

    fn fits(&self, request: RequestId) -> bool {
        let needs = &self.requests[request.index()].needs;
        needs.iter().all(|(index, amount)| {
            let limit = &self.limits[*index as usize];
            *amount <= limit.capacity.saturating_sub(limit.used)
        })
    }

    fn take(&mut self, request: RequestId) {
        for (index, amount) in &self.requests[request.index()].needs {
            self.limits[*index as usize].used += amount;
        }
    }

    /// Queues a job until its request is granted.
    pub fn park(&mut self, request: RequestId, priority: i64, id: NodeId) {
        self.clock += 1;
        let entry = (priority, Reverse(self.clock), id);
        self.requests[request.index()].parked.push(entry);
        for place in 0..self.requests[request.index()].needs.len() {
            self.touch(self.requests[request.index()].needs[place].0);
        }
    }

    /// Gives back what was granted.
    pub fn release(&mut self, request: RequestId) {
        for place in 0..self.requests[request.index()].needs.len() {
            let (index, amount) = self.requests[request.index()].needs[place];
            self.limits[index as usize].used -= amount;
            self.touch(index);
        }
    }

    /// Grants what fits now among the requests that name a touched limit.
    pub fn dispatch(&mut self, parked: impl Fn(NodeId) -> bool) -> Woken {
        let mut woken = Woken::default();
        let mut waiting = Vec::new();
        for index in std::mem::take(&mut self.touched) {
            let limit = &mut self.limits[index as usize];
            limit.touched = false;
            waiting.extend_from_slice(&limit.requests);
        }
        waiting.sort_unstable();
        waiting.dedup();
        if std::mem::take(&mut self.changed) {
            self.expel(&waiting, &parked, &mut woken);
        }
        self.grant(waiting, &parked, &mut woken);
        woken
    }

    /// Empties the queues of requests that no capacity allows any more.
    fn expel(
        &mut self,
        waiting: &[RequestId],
        parked: &impl Fn(NodeId) -> bool,
        woken: &mut Woken,
    ) {
        for request in waiting {
            let Some(name) = self.too_small(*request).map(str::to_owned) else {
                continue;
            };
            let mut queue = std::mem::take(&mut self.requests[request.index()].parked);
            while let Some((_, _, id)) = queue.pop() {
                if parked(id) {
                    woken.over.push((id, name.clone()));
                }
            }
        }
    }

    /// Grants parked requests out of `waiting`, best job first, until none fits.
    fn grant(
        &mut self,
        waiting: Vec<RequestId>,
        parked: &impl Fn(NodeId) -> bool,
        woken: &mut Woken,
    ) {
        let mut best: BinaryHeap<(Parked, RequestId)> = BinaryHeap::new();
        for request in waiting {
            if let Some(head) = self.head(request, parked) {
                best.push((head, request));
            }
        }
        while let Some(((_, _, id), request)) = best.pop() {
            if !self.fits(request) {
                continue; // what is free only shrinks from here on
            }
            self.take(request);
            self.requests[request.index()].parked.pop();
            woken.granted.push(id);
            if let Some(head) = self.head(request, parked) {
                best.push((head, request));
            }
        }
    }

    /// The next parked job of a request that fits; entries of jobs that have left are dropped on
    /// the way.
    fn head(&mut self, request: RequestId, parked: &impl Fn(NodeId) -> bool) -> Option<Parked> {
        if self.requests[request.index()].parked.is_empty() || !self.fits(request) {
            return None;
        }
        let queue = &mut self.requests[request.index()].parked;
        while let Some(head) = queue.peek() {
            if parked(head.2) {
                return Some(*head);
            }
            queue.pop();
        }
        None
    }

    /// Forgets every grant and every parked job.
    pub fn clear(&mut self) {
        for limit in &mut self.limits {
            limit.used = 0;
        }
        for request in &mut self.requests {
            request.parked.clear();
        }
    }

    /// Name and present use of every limit that was declared or asked for.
    pub fn used(&self) -> impl Iterator<Item = (&str, u64)> {
        self.limits.iter().map(|l| (l.name.as_str(), l.used))
    }

    /// Compares use and queues with the jobs that hold or wait for requests.
    ///
    /// # Errors
    /// What differs.
    pub fn audit(
        &self,
        holding: impl Iterator<Item = RequestId>,
        parked: impl Iterator<Item = (NodeId, RequestId)>,
    ) -> Result<(), String> {
        let mut used = vec![0_u64; self.limits.len()];
        for request in holding.filter(|request| *request != RequestId::NONE) {
            for (index, amount) in &self.requests[request.index()].needs {
                used[*index as usize] += amount;
            }
        }
        for (limit, used) in self.limits.iter().zip(used) {
            if limit.used != used {
                return Err(format!(
                    "limit {:?} says {} used, the running jobs hold {used}",
                    limit.name, limit.used
                ));
            }
        }
        let mut queued = FxHashSet::default();
        for (index, request) in self.requests.iter().enumerate() {
            for (_, _, id) in &request.parked {
                if !queued.insert((*id, RequestId(index as u32))) {
                    return Err(format!("job {} is parked twice", id.0));
                }
            }
        }
        for (id, request) in parked {
            if !queued.contains(&(id, request)) {
                return Err(format!("parked job {} is in no queue", id.0));
            }
            if self.touched.is_empty() && self.fits(request) {
                return Err(format!("job {} is parked though its limits fit", id.0));
            }
        }
        Ok(())
    }

    /// Bytes held, roughly.
    pub fn footprint(&self) -> usize {
        let queues = self.requests.iter().map(|request| {
            request.parked.capacity() * size_of::<Parked>()
                + 2 * request.needs.len() * size_of::<(u32, u64)>()
        });
        queues.sum::<usize>() + self.requests.capacity() * size_of::<Request>()
    }
}
