//! What to do with each pull request, branch and tag of GitHub on GitLab, and why; and which statuses GitHub is told. Pure: what was listed,
//! fetched and merged comes in, decisions go out.
//!
//! * [`PassInput::decide`] is one pass. Where a decision needs a fact that costs something, its reason is a [`Want`]: whoever runs the pass
//!   looks, adds the fact and decides again.
//! * [`PrDecision`] and [`RefDecision`] carry a reason, from which the verdict and what GitHub is told follow; [`PushBatch`]es are what goes
//!   to GitLab, [`StatusPlan`] what goes to GitHub.
//! * [`Note`]s are what is worth keeping for the next pass, [`Decided`] is a decision as it is written down.
//! * [`Board`] is what people see after a pass.
//! * [`Recording`] is a pass written down. Decided again, it tells what another version does otherwise.
//! * [`wake`] reads what webhooks tell: that a pass is due.
//! * [`companions`] judge what goes wrong beside the bridge: pipelines that never started or never end, dead trigger jobs, old branches.
//!
//! What is not known is never taken for absent, and whatever fails holds up only itself: see [`Trouble`].

mod board;
pub mod companions;
mod decide;
mod input;
mod looked;
mod memory;
pub mod names;
mod pass;
mod pipelines;
mod push;
mod reason;
mod refs;
mod replay;
mod rules;
mod status;
#[cfg(test)]
mod tests;
pub mod wake;
mod watermark;

pub use board::{Board, BoardPipeline, BoardPush, BoardRow, Budget, Step};
pub use decide::{PrDecision, TestedAs};
pub use input::{Ancestry, BranchInput, Merge, OnGitLab, PrInput, PushRecord, TagInput, TestMerge};
pub use looked::{Fault, Looked, Trouble};
pub use memory::{Decided, Note, Resync, Subject};
pub use pass::{PassInput, PassOutput};
pub use pipelines::{Main, PipelineSeen, newest_per_sha};
pub use push::{Expects, PushBatch, RefKind, RefUpdate, fetch_branch, fetch_tag};
pub use reason::{Reason, Verdict, Want};
pub use refs::{RefDecision, RefReason};
pub use replay::{Difference, MAX_RECORDING, Recording, RecordingError};
pub use rules::Rules;
pub use status::{PostRefusal, Posted, StatusHeld, StatusHold, StatusPlan, StatusSource, StatusToPost, told_of};
pub use watermark::Watermark;
