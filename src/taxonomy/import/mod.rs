//! The way over from Spack's production taxonomy: `error_taxonomy.yaml` becomes a rules file of ours, with a list of what is wrong in it.
//!
//! Patterns there are Python's, searched over a whole log; here they are matched line by line. What can be translated is; what cannot is left
//! out as a comment with its reason. Every imported pattern gets an example that is made from it, and wins it: the file loads by itself.

mod convert;
mod python;
mod sample;
#[cfg(test)]
mod tests;
mod yaml;

pub use convert::{Imported, import};
pub use yaml::ImportFault;
