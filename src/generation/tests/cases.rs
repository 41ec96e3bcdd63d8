//! The numbered cases of the reference.
