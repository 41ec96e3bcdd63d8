//! Prune plans: exactly what could go from one root, why, and in which order. Nothing is deleted here.
//!
//! * [`PrunePlan::make`] judges a root by a keep list; any doubt is a [`PruneRefusal`], and all doubts are told at once.
//! * [`PrunePlan::write`] and [`PrunePlan::read`] are the reviewed file; [`PrunePlan::id`] changes with everything that it would delete.
//! * [`PrunePlan::recheck`] looks at the root again before anything goes, and says what has to stay after all.
//!
//! What goes is what Spack 1.2 would prune, less what is not safe: see `Judgement`.

mod content;
mod cutoff;
mod file;
mod gates;
mod judge;
mod make;
mod recheck;
mod refusal;
mod spared;
mod steps;
#[cfg(test)]
pub(super) mod tests;
mod totals;

pub use content::{
    DoomedBlob, DoomedBlobReason, DoomedManifest, DoomedReason, IndexMark, KeepMark, Limits, PlanId, PrunePlan,
};
pub use cutoff::{Cutoff, CutoffBy};
pub use file::PlanFileError;
pub(super) use gates::doubts;
pub(super) use judge::{BlobFate, Judgement, ManifestFate, named};
pub use recheck::{SkipReason, Skipped, Target};
pub use refusal::{PruneRefusal, Share};
pub use spared::{SpareReason, Spared};
pub use steps::Step;
pub use totals::{PackageTotal, Totals};
