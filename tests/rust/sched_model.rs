//! A naive model of the scheduler's machine, to compare it with.
//!
//! It keeps no index: waits, children, limits, counts and subtrees are found by looking at every
//! node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redun_core::sched::{Event, Kind, NodeId, Preparation, TaskId};

use crate::sched_kit::call_hash_of;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum S {
    Declared,
    Waiting,
    Ready,
    Checking,
    Replaying,
    Hit,
    Parked,
    Overlimit,
    Running,
    Holding,
    Reducing,
    Rejecting,
    Collapsed,
    Done,
    Failed,
    Abandoned,
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub kind: Kind,
    scope: Option<usize>,
    born_late: bool,
    task: u32,
    state: S,
    prepared: bool,
    cached: bool,
    given: bool,
    mirror: bool,
    reusable: bool,
    /// When it began to be looked up or computed, and when it ended with an outcome of its own.
    came: Option<usize>,
    went: Option<usize>,
    key: (String, Option<String>),
    args: String,
    priority: i64,
    wants: BTreeMap<String, u64>,
    parked: usize,
    /// Nodes of the present wait that are still to be told of.
    left: Vec<usize>,
    wait: usize,
    twin: Option<usize>,
    call: Option<String>,
    tasks: BTreeSet<u32>,
    extra: BTreeSet<u32>,
}

#[derive(Default)]
pub struct Model {
    pub items: Vec<Item>,
    /// `(node, who waits, number of the wait)` in the order in which they came.
    waits: Vec<(usize, usize, usize)>,
    clock: usize,
    pub capacity: BTreeMap<String, u64>,
    ended: VecDeque<usize>,
    /// Text of the action, whether it asks for an answer, priority of a SUBMIT.
    out: Vec<(String, bool, Option<i64>)>,
}

impl Model {
    fn tell(&mut self, text: String) {
        self.out.push((text, true, None));
    }

    fn report(&mut self, text: String) {
        self.out.push((text, false, None));
    }

    fn end(&mut self, id: usize, state: S) {
        self.items[id].state = state;
        self.items[id].left.clear();
        self.ended.push_back(id);
    }

    pub fn legal(&self, event: &Event) -> bool {
        use Event::*;
        let known = |id: &NodeId| id.index() < self.items.len();
        if let Declare {
            id,
            kind,
            scope,
            task,
        } = event
        {
            return id.index() == self.items.len()
                && scope.is_none_or(|s| known(&s) && self.items[s.index()].kind == Kind::Job)
                && (*kind == Kind::Job) == task.is_some()
                && task.is_none_or(|task| task.0 < 10);
        }
        let Some(id) = event.node() else { return true };
        if !known(&id) {
            return false;
        }
        let item = &self.items[id.index()];
        if item.state == S::Cancelled {
            return true;
        }
        let job = item.kind == Kind::Job;
        let fine = |deps: &[NodeId]| deps.iter().all(|dep| known(dep) && *dep != id);
        let s = item.state;
        match event {
            Await { deps, .. } => {
                fine(deps) && (matches!(s, S::Declared | S::Ready) || s == S::Rejecting && !job)
            }
            Prepared { .. } => job && matches!(s, S::Declared | S::Ready),
            Hit { .. } | Miss { .. } => matches!(s, S::Checking | S::Replaying),
            Subtree { tasks, .. } => {
                matches!(s, S::Checking | S::Replaying | S::Hit) && tasks.iter().all(|t| t.0 < 10)
            }
            Finished { deps, .. } => fine(deps) && matches!(s, S::Running | S::Hit),
            FinishedPlain { .. } => matches!(s, S::Running | S::Hit),
            Resolved { .. } => job && s == S::Reducing,
            Failed { .. } => job && s < S::Done,
            Settle { .. } | Fail { .. } => !job && s < S::Done,
            Declare { .. } | Cancel => unreachable!("handled above"),
        }
    }

    pub fn apply(&mut self, event: &Event) {
        let id = event.node().map_or(0, NodeId::index);
        if !matches!(event, Event::Declare { .. } | Event::Cancel)
            && self.items[id].state == S::Cancelled
        {
            return;
        }
        let numbers = |deps: &[NodeId]| deps.iter().map(|dep| dep.index()).collect::<Vec<_>>();
        match event {
            Event::Declare {
                kind, scope, task, ..
            } => self.declare(*kind, *scope, *task),
            Event::Await { deps, .. } => self.wait(id, numbers(deps), S::Waiting),
            Event::Prepared { with, .. } => self.prepare(id, with),
            Event::Hit { call, .. } => {
                let item = &mut self.items[id];
                (item.state, item.cached) = (S::Hit, true);
                item.given = call.is_some();
                item.call = call.map(|call| call.to_string());
            }
            Event::Subtree { tasks, .. } => {
                self.items[id].extra = tasks.iter().map(|task| task.0).collect();
            }
            Event::Miss { .. } => {
                self.items[id].twin = None;
                self.come(id);
                self.start(id);
            }
            Event::Finished { deps, .. } => self.wait(id, numbers(deps), S::Holding),
            Event::Resolved { result, .. } | Event::FinishedPlain { result, .. } => {
                self.conclude(id, &format!("{result:?}"), S::Done);
            }
            Event::Failed { error, .. } => self.conclude(id, &format!("{error:?}"), S::Failed),
            Event::Settle { .. } => self.end(id, S::Done),
            Event::Fail { .. } => self.end(id, S::Failed),
            Event::Cancel => self.cancel(),
        }
        self.spread();
    }

    fn declare(&mut self, kind: Kind, scope: Option<NodeId>, task: Option<TaskId>) {
        let scope = scope.map(NodeId::index);
        self.items.push(Item {
            kind,
            scope,
            born_late: scope.is_some_and(|scope| self.items[scope].state >= S::Done),
            task: task.map_or(99, |task| task.0),
            state: S::Declared,
            prepared: false,
            cached: false,
            given: false,
            mirror: false,
            reusable: false,
            came: None,
            went: None,
            key: (String::new(), None),
            args: String::new(),
            priority: 0,
            wants: BTreeMap::new(),
            parked: 0,
            left: Vec::new(),
            wait: 0,
            twin: None,
            call: None,
            tasks: BTreeSet::new(),
            extra: BTreeSet::new(),
        });
    }

    fn wait(&mut self, id: usize, deps: Vec<usize>, state: S) {
        self.items[id].state = state;
        let failed = |dep: &&usize| self.items[**dep].state > S::Done;
        if let Some(cause) = deps.iter().find(failed).copied() {
            return self.spoil(id, cause);
        }
        self.clock += 1;
        self.items[id].wait = self.clock;
        for dep in deps {
            if self.items[dep].state < S::Done {
                self.items[id].left.push(dep);
                self.waits.push((dep, id, self.clock));
            }
        }
        if self.items[id].left.is_empty() {
            self.go_on(id);
        }
    }

    fn go_on(&mut self, id: usize) {
        if self.items[id].state == S::Waiting {
            self.items[id].state = S::Ready;
            self.tell(format!("ready {id}"));
        } else {
            self.items[id].state = S::Reducing;
            self.tell(format!("reduce {id}"));
        }
    }

    fn spoil(&mut self, id: usize, cause: usize) {
        if self.items[id].kind == Kind::Job && self.items[id].state == S::Waiting {
            self.end(id, S::Abandoned);
            self.report(format!("abandon {id} {cause}"));
        } else {
            self.items[id].state = S::Rejecting;
            self.items[id].left.clear();
            self.tell(format!("reject {id} {cause}"));
        }
    }

    fn spread(&mut self) {
        while let Some(dep) = self.ended.pop_front() {
            for (node, id, wait) in self.waits.clone() {
                let item = &self.items[id];
                if node != dep || item.state >= S::Done || item.wait != wait {
                    continue;
                }
                if item.state == S::Collapsed {
                    self.mirror(id, dep);
                } else if !matches!(item.state, S::Waiting | S::Holding) {
                    continue;
                } else if self.items[dep].state > S::Done {
                    self.spoil(id, dep);
                } else {
                    let left = &mut self.items[id].left;
                    let place = left.iter().position(|other| *other == dep);
                    left.swap_remove(place.expect("still to be told"));
                    if left.is_empty() {
                        self.go_on(id);
                    }
                }
            }
        }
    }

    fn mirror(&mut self, id: usize, of: usize) {
        let twin = self.items[of].clone();
        let item = &mut self.items[id];
        (item.call, item.tasks) = (twin.call, twin.tasks);
        (item.mirror, item.cached) = (true, true);
        self.end(id, twin.state);
        let failed = if twin.state == S::Failed {
            " failed"
        } else {
            ""
        };
        self.report(format!("mirror {id} {of}{failed}"));
    }

    fn prepare(&mut self, id: usize, with: &Preparation) {
        let item = &mut self.items[id];
        item.prepared = true;
        item.key = (with.eval.to_string(), with.context.map(|c| c.to_string()));
        item.args = with.args.to_string();
        item.priority = with.priority;
        item.reusable = with.flags & 4 != 0;
        for (name, amount) in &with.limits {
            self.capacity.entry(name.clone()).or_insert(1);
            if *amount > 0 {
                *item.wants.entry(name.clone()).or_default() += amount;
            }
        }
        if let Some(holder) = self.holder(id).filter(|_| with.flags & 1 != 0) {
            self.items[id].twin = Some(holder);
            if self.items[holder].state >= S::Done {
                self.items[id].state = S::Replaying;
                self.tell(format!("replay {id} {holder}"));
            } else {
                self.clock += 1;
                self.items[id].state = S::Collapsed;
                self.items[id].wait = self.clock;
                self.waits.push((holder, id, self.clock));
                self.report(format!("collapse {id} {holder}"));
            }
            return;
        }
        self.items[id].state = S::Checking;
        self.come(id);
        if with.flags & 2 != 0 {
            self.tell(format!("check {id}"));
        } else {
            self.start(id);
        }
    }

    fn come(&mut self, id: usize) {
        self.clock += 1;
        self.items[id].came.get_or_insert(self.clock);
    }

    fn go(&mut self, id: usize) {
        self.clock += 1;
        self.items[id].went = Some(self.clock);
    }

    /// The job that stands for the key of this one.
    fn holder(&self, id: usize) -> Option<usize> {
        let equal = |other: &usize| {
            self.items[*other].reusable && self.items[*other].key == self.items[id].key
        };
        let equal: Vec<usize> = (0..self.items.len()).filter(equal).collect();
        let open = |other: &&usize| self.items[**other].state < S::Done;
        let came = equal.iter().filter(open);
        let came = came.filter_map(|other| Some((self.items[*other].came?, *other)));
        let went = equal.iter();
        let went = went.filter_map(|other| Some((self.items[*other].went?, *other)));
        came.min().or(went.max()).map(|(_, other)| other)
    }

    fn start(&mut self, id: usize) {
        let wants = &self.items[id].wants;
        if wants.is_empty() {
            return self.submit(id);
        }
        // Names are looked at in the order in which the machine met them.
        let over = |name: &str| wants.get(name).is_some_and(|n| *n > self.capacity[name]);
        if let Some(name) = LIMITS.into_iter().find(|name| over(name)) {
            self.items[id].state = S::Overlimit;
            return self.tell(format!("overlimit {id} {name}"));
        }
        self.clock += 1;
        let item = &mut self.items[id];
        (item.state, item.parked) = (S::Parked, self.clock);
    }

    fn submit(&mut self, id: usize) {
        self.items[id].state = S::Running;
        let priority = self.items[id].priority;
        self.out
            .push((format!("submit {id}"), true, Some(priority)));
    }

    fn used(&self, name: &str) -> u64 {
        let running = self.items.iter().filter(|item| item.state == S::Running);
        running.filter_map(|item| item.wants.get(name)).sum()
    }

    /// The end of a batch: grants, then the order of what is submitted.
    pub fn close(&mut self) -> Vec<String> {
        let mut parked: Vec<usize> = (0..self.items.len()).collect();
        parked.retain(|id| self.items[*id].state == S::Parked);
        parked.sort_by_key(|id| (-self.items[*id].priority, self.items[*id].parked));
        for id in parked {
            let wants = self.items[id].wants.clone();
            if wants
                .iter()
                .all(|(name, n)| self.used(name) + n <= self.capacity[name])
            {
                self.submit(id);
            }
        }
        let out = std::mem::take(&mut self.out);
        let mut submits: Vec<_> = out.iter().filter(|line| line.2.is_some()).collect();
        submits.sort_by_key(|line| std::cmp::Reverse(line.2));
        let mut submits = submits.into_iter();
        let pick = |line: &(String, bool, Option<i64>)| match line.2 {
            Some(_) => submits.next().expect("as many").0.clone(),
            None => line.0.clone(),
        };
        out.iter().map(pick).collect()
    }

    fn conclude(&mut self, id: usize, result: &str, state: S) {
        let item = self.items[id].clone();
        let mut tasks = BTreeSet::from([item.task]);
        tasks.extend(&item.extra);
        let mut children = Vec::new();
        let mut call = None;
        if item.given {
            call = item.call.clone();
            if let Some(twin) = item.twin.map(|twin| &self.items[twin]) {
                tasks.extend(twin.tasks.iter().filter(|_| twin.call == call));
            }
        } else if item.prepared {
            let mut calls = Vec::new();
            for (number, child) in self.items.iter().enumerate() {
                let counts = child.scope == Some(id) && child.state >= S::Done && !child.born_late;
                if let (true, Some(call)) = (counts, &child.call) {
                    children.push(if child.mirror {
                        child.twin.expect("a twin")
                    } else {
                        number
                    });
                    calls.push(call.clone());
                    tasks.extend(&child.tasks);
                }
            }
            let digest = result
                .rsplit('(')
                .next()
                .expect("text")
                .trim_end_matches(')');
            let args = item.args.clone();
            call = Some(call_hash_of(
                &format!("t{}", item.task),
                &args,
                digest,
                calls,
            ));
        }
        (self.items[id].call, self.items[id].tasks) = (call.clone(), tasks.clone());
        self.end(id, state);
        self.go(id);
        let word = if state == S::Done {
            "settled"
        } else {
            "rejected"
        };
        let children = (!children.is_empty()).then_some(children);
        self.report(format!("{word} {id} {call:?} {tasks:?} {children:?}"));
    }

    fn cancel(&mut self) {
        for item in self.items.iter_mut().filter(|item| item.state < S::Done) {
            item.state = S::Cancelled;
        }
        for id in 0..self.items.len() {
            if self.items[id].went.is_some() {
                self.go(id);
            }
        }
        self.out.retain(|line| !line.1);
    }

    pub fn active(&self) -> usize {
        use S::*;
        let owed = [
            Ready, Checking, Replaying, Hit, Overlimit, Running, Reducing, Rejecting,
        ];
        let items = self.items.iter();
        items.filter(|item| owed.contains(&item.state)).count()
    }

    /// `(pending, running, failed, cached, done)` of the jobs of all tasks.
    pub fn totals(&self) -> [u32; 5] {
        let mut totals = [0; 5];
        for item in self.items.iter().filter(|item| item.kind == Kind::Job) {
            let column = match item.state {
                S::Abandoned => 0,
                S::Failed => 2,
                S::Done => 4 - usize::from(item.cached),
                _ => usize::from(item.prepared),
            };
            totals[column] += 1;
        }
        totals
    }
}

/// The limits of a game.
pub const LIMITS: [&str; 2] = ["db", "gpu"];
