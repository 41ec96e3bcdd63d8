//! Spack's own nouns: concrete specs, DAG hashes and the `spack.lock` that holds them.
//!
//! Nouns only: bytes come in, plain types go out; no file is opened here. The practice world builds its pipelines from a lock, and
//! generation will turn one into a child pipeline. Facts come from Spack 0.18 to 1.2.
//!
//! * [`Lock::parse`] reads lock versions 4, 5 and 6 and refuses everything else by name.
//! * [`yaml`] holds configuration and Spack's merge algebra.
//! * [`Request`] is an abstract spec, and judges concrete ones.
//! * [`Seal`] tells whether a node gives the hash under which it stands: whether it was changed after Spack wrote it.
//! * [`Lock::graph`] is the only place where edges are followed: it finds missing specs and cycles.

pub mod buildcache;
pub mod condition;
mod dag;
mod daghash;
mod describe;
mod error;
mod hash;
mod lock;
pub mod manifest;
mod request;
mod spec;
mod wire;
pub mod yaml;

pub use dag::SpecGraph;
pub use daghash::{Seal, Seals, dag_hash};
pub use describe::{BuiltWith, cdash_build_name, compiler_of, variants_text};
pub use error::LockError;
pub use hash::{Hash, HashError};
pub use lock::{Lock, Root, Writer};
pub use manifest::{Include, Manifest, ManifestError};
pub use request::{Request, RequestError};
pub use spec::{Arch, Compiler, Dep, DepTypes, Spec, Variant};
