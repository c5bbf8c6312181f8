//! The core of redun: identity, order and synchronisation, without Python.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`digest`] | the 160-bit identity every record carries |
//! | [`codec`] | bencode, the encoding records are hashed over |
//! | [`mod@hash`] | hash schemes, digests of structures, values and files |
//! | [`sched`] | order: which job may run when, which jobs are one, what a call consisted of |
//! | [`sync`] | what a push or pull asks for and copies, in which order |
//! | [`error`] | the one error enum |
//!
//! The module `py` (feature `python`) is the only one that names PyO3: it converts, calls and maps
//! errors. Without the feature the crate is pure Rust without `unsafe`.
#![cfg_attr(not(feature = "python"), forbid(unsafe_code))]

pub mod codec;
pub mod digest;
pub mod error;
pub mod hash;
#[cfg(feature = "python")]
mod py;
pub mod sched;
pub mod sync;

pub use digest::Digest;
pub use error::{Error, Result};
