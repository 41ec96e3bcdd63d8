//! The mirror against the real git, between real bare repositories: as files, over HTTP by `git http-backend`, and over an ssh that writes down
//! what it is told.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

mod backend;
mod fetches;
mod merges;
mod opening;
mod pushes;
mod secrets;
mod ssh;
mod world;
