//! Requests: abstract specs as people write them (`hdf5@1.12: +mpi %gcc ^[virtuals=mpi] openmpi`), and whether a
//! concrete spec of a lock fits.
//!
//! The grammar is that of Spack 1.x. What a lock cannot answer (ranges of targets, conditions on edges) is refused by
//! name when the text is read, so that a request never misses in silence.
//!
//! * [`Request::parse`] reads one request, [`Request::matches`] judges one concrete spec.
//! * `version` orders versions as Spack does; `ask` holds what a request asks for, `read` turns text into it, `judge`
//!   compares.
//! * [`within()`] compares two requests, and [`canonical()`] is the form in which a manifest's text and a lock's text for the same root are equal.

mod ask;
mod canonical;
mod cursor;
mod error;
mod judge;
mod read;
mod version;
mod within;

pub(in crate::spack) use canonical::canonical;
pub use error::RequestError;
pub use judge::Request;
pub(in crate::spack) use within::within;

#[cfg(test)]
mod tests;
