//! Parses, chooses a face, maps the result to an exit code.

use std::process::ExitCode;

use clap::Parser;
use stackhand::cli;

fn main() -> ExitCode {
    cli::run(cli::Args::parse())
}
