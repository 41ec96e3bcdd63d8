//! The needs graph of one pipeline.
