//! A GitHub of the practice world: one repository with its pull requests, over REST and GraphQL, and the git behind it.
//!
//! [`Hub`] is what exists and what happens: pure and seeded, like the world of the GitLab. `cast` says which pull requests there are when it
//! begins, `people` what people do from then on by themselves, `acts` what they can do (tests do it through the same door). `rest` and
//! `graphql` answer from it, `news` tells webhooks of it, `server` puts it on loopback.
//!
//! What it does not play: Apps (there is one token, and one that may only read), permissions beyond these two, reviews, merge queues,
//! organisations, search, secondary limits (tests inject them as faults), and any route that `rest` does not name: those answer 404.

mod acts;
mod answer;
mod cast;
mod graphql;
mod hub;
mod limits;
mod news;
mod people;
mod pr;
mod rest;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use acts::{Act, NoPull};
pub use hub::Hub;
pub use pr::{Judged, PrState, Pull, Status};
pub use server::{Door, Endpoint, GitHub, GitHubParts};

/// Owner and name of the repository.
pub const REPOSITORY: &str = "spack/spack-packages";
