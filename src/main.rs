//! Parses, chooses a face, maps the result to an exit code.

fn main() {}
