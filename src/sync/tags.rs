//! Tags: compared as sets, copied where the target holds what they are about.

use rustc_hash::{FxHashMap, FxHashSet};

use super::closure::Closure;
use super::id::Id;
use super::known::Known;
use super::policy;
use super::step::{Edge, Kind, Side, Step, TagOwner};

#[derive(Default)]
enum State {
    /// Before and between pages.
    #[default]
    Pages,
    /// A page was asked for.
    Page,
    /// The target is asked which tags of the page it holds.
    Held,
    /// The source is asked what the others are about.
    Owners,
    /// Between questions about the entities of tags.
    Entities,
    /// The target is asked for entities of one kind.
    Entity(Kind),
    /// From given roots: between steps of the walk over all that they own.
    Reach,
    /// The source is asked what the visited own.
    Reached(Kind),
    /// All pages were read; what deletes tags is left.
    Deletes,
    /// The source is asked which tags those delete.
    Deleted,
    /// The target is asked which of these it holds.
    DeletedHeld,
    /// Nothing is left to do.
    Ended,
}

/// Tags by what they are about.
type Wanted = FxHashMap<(Kind, Id), Vec<Id>>;

#[derive(Default)]
pub struct TagWalk {
    state: State,
    wanted: Wanted,
    /// Tags that delete others: about nothing, copied if the target holds one of those.
    deletes: Vec<Id>,
    deleted: Vec<(Id, Id)>,
    /// The roots, if they were given; then the frontier of the walk below them. By kind.
    frontier: Option<[Vec<Id>; Kind::ALL.len()]>,
    reached: FxHashSet<(Kind, Id)>,
}

impl TagWalk {
    /// From all tags, or only those of what these roots own.
    pub fn new(roots: Option<&[(Kind, Id)]>) -> Self {
        let frontier = roots.map(|roots| {
            let mut frontier: [Vec<Id>; Kind::ALL.len()] = Default::default();
            for (kind, id) in roots {
                frontier[*kind as usize].push(id.clone());
            }
            frontier
        });
        Self {
            frontier,
            ..Self::default()
        }
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next question; none if there is something else to do first, or nothing more.
    pub fn step(&mut self, batch: usize, closure: &mut Closure, known: &Known) -> Option<Step> {
        match self.state {
            State::Pages => {
                self.state = State::Page;
                Some(Step::Tags)
            }
            State::Entities => self.ask_entities(batch, closure, known),
            State::Reach => self.reach(batch, closure, known),
            State::Deletes => self.ask_deleted(batch),
            _ => None,
        }
    }

    /// Answer to `Tags` or `Has`; returns the question that follows.
    pub fn feed_ids(
        &mut self,
        ids: Vec<Id>,
        asked: &[Id],
        closure: &mut Closure,
        known: &Known,
    ) -> Option<Step> {
        match self.state {
            State::Page if ids.is_empty() => {
                self.state = match self.frontier {
                    Some(_) if !self.wanted.is_empty() => State::Reach,
                    _ => State::Deletes,
                };
                None
            }
            State::Page => {
                self.state = State::Held;
                Some(Step::Has(Kind::Tag, ids))
            }
            State::Held => {
                let held: FxHashSet<Id> = ids.into_iter().collect();
                let lacking = asked.iter().filter(|tag| !held.contains(tag));
                let lacking: Vec<Id> = lacking.cloned().collect();
                if lacking.is_empty() {
                    self.state = State::Pages;
                    return None;
                }
                self.state = State::Owners;
                Some(Step::TagOwners(lacking))
            }
            State::Entity(kind) => {
                self.feed_entities(kind, ids, asked, closure, known);
                None
            }
            State::DeletedHeld => {
                let held: FxHashSet<Id> = ids.into_iter().collect();
                for (tag, deleted) in std::mem::take(&mut self.deleted) {
                    if held.contains(&deleted) || known.contains(Kind::Tag, &deleted) {
                        closure.add(Kind::Tag, tag, known);
                    }
                }
                self.state = State::Deletes;
                None
            }
            _ => None,
        }
    }

    /// Answer to `TagOwners`.
    pub fn feed_tag_owners(&mut self, owners: Vec<TagOwner>) {
        for owner in owners {
            match owner.kind {
                Some(kind) => {
                    let tags = self.wanted.entry((kind, owner.entity)).or_default();
                    tags.push(owner.tag);
                }
                None => self.deletes.push(owner.tag),
            }
        }
        self.state = match self.frontier {
            Some(_) => State::Pages,
            None => State::Entities,
        };
    }

    fn ask_entities(&mut self, batch: usize, closure: &mut Closure, known: &Known) -> Option<Step> {
        let Some(kind) = self.wanted.keys().map(|(kind, _)| *kind).min() else {
            self.state = State::Pages;
            return None;
        };
        let of_kind = self.wanted.keys().filter(|(of, _)| *of == kind);
        let entities: Vec<Id> = of_kind.map(|(_, id)| id.clone()).take(batch).collect();
        let (there, unsure): (Vec<Id>, Vec<Id>) = entities
            .into_iter()
            .partition(|id| known.contains(kind, id));
        for id in there {
            self.keep(kind, id, closure, known);
        }
        if unsure.is_empty() {
            return None;
        }
        self.state = State::Entity(kind);
        // An open job is not "held", but its tags may go there.
        Some(match kind {
            Kind::Job => Step::JobStates(Side::Target, unsure),
            _ => Step::Has(kind, unsure),
        })
    }

    /// The entities of one kind that the target holds.
    pub fn feed_entities(
        &mut self,
        kind: Kind,
        held: Vec<Id>,
        asked: &[Id],
        closure: &mut Closure,
        known: &Known,
    ) {
        for id in held {
            self.keep(kind, id, closure, known);
        }
        for id in asked {
            self.wanted.remove(&(kind, id.clone()));
        }
        self.state = State::Entities;
    }

    fn keep(&mut self, kind: Kind, entity: Id, closure: &mut Closure, known: &Known) {
        for tag in self.wanted.remove(&(kind, entity)).unwrap_or_default() {
            closure.add(Kind::Tag, tag, known);
        }
    }

    /// Walks over what the roots own, whoever holds it, to find the entities of tags.
    fn reach(&mut self, batch: usize, closure: &mut Closure, known: &Known) -> Option<Step> {
        let frontier = self.frontier.get_or_insert_default();
        for kind in Kind::ALL {
            let frontier = &mut frontier[kind as usize];
            let mut ids = Vec::new();
            while ids.len() < batch && !self.wanted.is_empty() {
                let Some(id) = frontier.pop() else { break };
                if self.reached.insert((kind, id.clone())) {
                    for tag in self.wanted.remove(&(kind, id.clone())).unwrap_or_default() {
                        closure.add(Kind::Tag, tag, known);
                    }
                    ids.push(id);
                }
            }
            if !ids.is_empty() {
                self.state = State::Reached(kind);
                return Some(Step::Children(kind, ids));
            }
        }
        self.reached = FxHashSet::default();
        self.wanted = Wanted::default();
        self.state = State::Deletes;
        None
    }

    /// Part of the answer to `Children`.
    pub fn feed_edges(&mut self, edges: Vec<Edge>) {
        match self.state {
            State::Reached(parent) => {
                let frontier = self.frontier.get_or_insert_default();
                for edge in edges {
                    if policy::owns(parent, edge.kind) {
                        frontier[edge.kind as usize].push(edge.child);
                    }
                }
            }
            _ => {
                let pairs = edges.into_iter().map(|edge| (edge.parent, edge.child));
                self.deleted.extend(pairs);
            }
        }
    }

    /// The end of the answer to `Children`; returns the question that follows.
    pub fn feed_end(&mut self) -> Option<Step> {
        if let State::Reached(_) = self.state {
            self.state = State::Reach;
            return None;
        }
        self.state = State::Deletes;
        if self.deleted.is_empty() {
            return None;
        }
        self.state = State::DeletedHeld;
        let deleted = self.deleted.iter().map(|(_, tag)| tag.clone()).collect();
        Some(Step::Has(Kind::Tag, deleted))
    }

    fn ask_deleted(&mut self, batch: usize) -> Option<Step> {
        if self.deletes.is_empty() {
            self.state = State::Ended;
            return None;
        }
        self.state = State::Deleted;
        let from = self.deletes.len().saturating_sub(batch);
        Some(Step::Children(Kind::Tag, self.deletes.split_off(from)))
    }

    /// Whether what was planned must be written before the next question.
    pub fn needs_written(&self) -> bool {
        matches!(self.state, State::Deletes) && !self.deletes.is_empty()
    }
}
