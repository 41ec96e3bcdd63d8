mod cases;
mod file;
pub(in crate::cache) mod made;
mod properties;
mod recheck;
mod spack;
