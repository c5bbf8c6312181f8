//! Which hash function identity is made with, and the one active in this thread.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Result};

/// A hash scheme; a repo is written under exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// BLAKE3, values over the typed encoding: the default.
    Blake3,
    /// SHA-512, values over pickles: repos shared with the original.
    Redun1,
}

/// What threads use that never chose: the latest choice of any thread.
static LATEST: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static CHOSEN: Cell<Option<Scheme>> = const { Cell::new(None) };
}

impl Scheme {
    /// Every scheme, the default first.
    pub const ALL: [Self; 2] = [Self::Blake3, Self::Redun1];

    /// The name recorded in a repo.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Redun1 => "redun1",
        }
    }

    /// The scheme active in this thread: the one it chose, else the latest that any thread chose.
    pub fn active() -> Self {
        CHOSEN
            .get()
            .unwrap_or_else(|| Self::ALL[usize::from(LATEST.load(Ordering::Relaxed))])
    }

    /// Make this the active scheme and return the one before.
    pub fn activate(self) -> Self {
        let before = Self::active();
        CHOSEN.set(Some(self));
        LATEST.store(u8::from(self == Self::Redun1), Ordering::Relaxed);
        before
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.name() == name);
        found.ok_or_else(|| Error::UnknownScheme {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.name().parse::<Scheme>().expect("known"), scheme);
        }
        assert!("sha1".parse::<Scheme>().is_err());
    }

    // The only test that switches: others take a scheme as an argument.
    #[test]
    fn activation_returns_the_one_before() {
        assert_eq!(Scheme::active(), Scheme::Blake3);
        assert_eq!(Scheme::Redun1.activate(), Scheme::Blake3);
        assert_eq!(Scheme::active(), Scheme::Redun1);
        let other = std::thread::spawn(|| {
            let found = Scheme::active();
            Scheme::Blake3.activate();
            found
        });
        assert_eq!(other.join().expect("no panic"), Scheme::Redun1);
        assert_eq!(Scheme::active(), Scheme::Redun1);
        assert_eq!(Scheme::Blake3.activate(), Scheme::Redun1);
    }
}
