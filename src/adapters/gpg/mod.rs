//! Verifies clear-signed manifests with the real `gpg`: what it takes for good is what Spack takes for good, but never more.
//!
//! [`Verifier::new`] imports the given public keys into a keyring of its own, [`Verifier::verify`] judges files in batches: one process checks hundreds,
//! where one process for each costs ten times as much. Stricter than Spack:
//!
//! * What does not have the form of one signed block and nothing else never reaches `gpg`, which would call it good.
//! * The signature must be the only one, over a text, with SHA-256 or better, and by a key whose primary fingerprint was given.
//! * An expired signature is bad, and so is any by a key that has expired or was revoked, whenever it was made: who holds such a key may date
//!   a signature as he likes. The remedy is to sign again.
//!
//! Whether a manifest is about the spec that its name says is not asked here, but by [`crate::cache::Signature::of_binary`]. When `gpg` is missing or
//! fails, that is an error, never a verdict.

mod error;
mod folder;
mod keys;
mod screen;
mod status;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod verify;

pub use error::GpgError;
pub use keys::KeyFile;
pub use verify::Verifier;
