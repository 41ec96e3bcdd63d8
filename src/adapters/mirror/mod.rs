//! Reads binary mirrors: which specs their indexes list, which binaries lie there, and what names lie below an address.
//!
//! [`Reader`] is asked once per mirror before a pipeline is generated. Whoever looks after caches finds their [roots](Reader::roots), walks
//! through them ([`Reader::walk`]) and takes what one of them holds ([`Reader::contents`]). Mirrors are folders (`file://` or a path), web
//! servers (`https://`) and buckets (`s3://`). It never writes to a mirror, and it judges nothing: what is missing and what could not be read
//! stay apart, since taking the second for the first would build everything anew.
//!
//! Whatever is read has a limit and, where the mirror names one, a checksum. Every wait has a deadline; all of them are in [`Settings`].
//! Passwords in addresses and everything after `?` are left out of every message.

mod cache;
mod contents;
mod fault;
mod find;
mod folder;
mod index;
mod listed;
mod reader;
mod root;
mod roots;
mod s3;
mod settings;
#[cfg(test)]
mod tests;
mod walk;
mod web;

pub use contents::{Stage, Watch};
pub use reader::{File, Reader};
pub use roots::Found;
pub use settings::{Credentials, S3Access, Settings};
pub use walk::{Entry, Page, Progress, Sink, Walk};
