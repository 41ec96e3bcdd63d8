//! Alertmanager's API v2: which alerts it holds, which silences there are, and the two calls that change something: [`Alertmanager::silence`]
//! and [`Alertmanager::expire`].
//!
//! A silence can only be made out of a [`NewSilence`], which is bounded by construction. How many alerts it would hide is for whoever asks:
//! [`NewSilence::hides`] tells it for each.

mod api;
mod silence;
#[cfg(test)]
mod tests;
mod wire;

pub use api::Alertmanager;
pub use silence::{NewSilence, USUAL, Unsilenced};
pub use wire::{Alert, AlertState, Matcher, Silence, SilenceState};

pub use super::web::{Login, Settings};
