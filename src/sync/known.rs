//! A memo of what the target holds, which spares questions. It may forget: then it is asked again.

use rustc_hash::FxHashSet;

use super::id::Id;
use super::step::Kind;

/// Entries after which the memo starts anew, at 40 bytes each.
const LIMIT: usize = 400_000;

#[derive(Default)]
pub struct Known {
    held: FxHashSet<(Kind, Id)>,
    exact: bool,
    complete: bool,
}

impl Known {
    /// `exact` never forgets; `complete` says that the target holds nothing yet.
    pub fn new(exact: bool, complete: bool) -> Self {
        let held = FxHashSet::default();
        Self {
            held,
            exact,
            complete,
        }
    }

    /// Whether the target holds no other values and calls than these, so that it need not be asked.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn is_exact(&self) -> bool {
        self.exact
    }

    pub fn insert(&mut self, kind: Kind, id: Id) {
        if self.held.len() >= LIMIT && !self.exact {
            self.held.clear();
            self.complete = false;
        }
        self.held.insert((kind, id));
    }

    pub fn contains(&self, kind: Kind, id: &Id) -> bool {
        // The key owns its id, so a look-up needs one; cloning a compact id is a copy.
        self.held.contains(&(kind, id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_unless_it_must_not() {
        for exact in [false, true] {
            let mut known = Known::new(exact, true);
            let first = Id::Uuid([0; 16]);
            known.insert(Kind::Job, first.clone());
            assert!(!known.contains(Kind::Value, &first));
            for number in 0..=LIMIT as u128 {
                known.insert(Kind::Value, Id::Uuid(number.to_le_bytes()));
            }
            assert_eq!(known.contains(Kind::Job, &first), exact);
            assert_eq!(known.is_complete(), exact);
            assert!(known.held.len() <= LIMIT || exact);
        }
    }
}
