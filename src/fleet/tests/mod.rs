//! The room on sample objects: those that lie beside it, and all of them where they are at hand.

mod fixtures;
mod hostile;
mod joins;
mod pending;
mod scale;
mod spot;

pub(super) use fixtures::small as small_samples;
