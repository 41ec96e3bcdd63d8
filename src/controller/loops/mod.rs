//! The loops of the controller: each asks the outside, lets a pure room decide, acts, and remembers.

pub mod bridge;
pub mod companions;
pub mod generation;
