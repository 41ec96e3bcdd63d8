//! Generation: from a lock, the mirrors' indexes and what changed, to the child pipeline of one stack.
//!
//! Pure: the same inputs give the same bytes. Whoever calls reads the files, the mirrors and git first, and writes what comes out.
//!
//! * [`generate`] goes the whole way: graph, [`Verdict`]s with every reason, [`Document`]; or a [`Refusal`], and then nothing may be written.
//! * [`check`] holds a child pipeline that exists against its lock and the caches.
//! * [`occasion`] says which stacks a push generates at all.
//! * [`Options::of`] reads the environment variables of Spack's generate job; [`Mirror::configured`] reads the mirrors.
//! * [`Mapping`] applies the `ci` section; [`Dag`] prunes, reconnects and reduces; [`Document::text`] writes.
//!
//! Behaviour is that of Spack 1.2 (`spack ci generate`), except where the documentation of an item says what is better here. With
//! [`Options::parity`] the answer is Spack's own.

mod build_job;
mod changes;
pub mod check;
mod closure;
mod dag;
pub mod diff;
mod document;
mod emit;
mod evidence;
pub mod explain;
mod make;
mod mapping;
mod mirrors;
pub mod occasion;
mod options;
mod refusal;
pub mod report;
mod service_job;
#[cfg(test)]
mod tests;
mod verdict;

pub use changes::{
    ChangeKind, ChangeSet, ChangedPath, PackageRepo, PackageRepoError, StackChange, StackFiles, StackPart, StackRule,
    Touched,
};
pub use closure::{Gap, gaps};
pub use dag::{Dag, DagError, JoinTree, Kept, MOST_NEEDS, Need, affected, joins};
pub use document::Document;
pub use emit::Form;
pub use evidence::{Listed, Listing, MirrorState, MirrorView};
pub use make::{Copy, Generation, Inputs, generate, graph, job_name, queries};
pub use mapping::{Answers, JobKind, Mapping, Origin, Query};
pub use mirrors::{DESTINATION, Mirror, SOURCE};
pub use options::{FORWARDED, Limits, Options, PipelineType};
pub use refusal::{Refusal, Warning};
pub use verdict::{Reason, Verdict};
