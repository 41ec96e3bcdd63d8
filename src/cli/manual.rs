//! Completions and manual pages, made from the command line's own declaration.

use std::path::Path;

use clap::CommandFactory;

use super::args::Args;
use super::exit::{Exit, Failure};
use super::out;

/// Prints completions.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "stackhand", &mut script);
    out::raw(&script)
}

/// Prints the manual page, or writes one per command into a folder.
pub fn man(dir: Option<&Path>) -> Result<(), Failure> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page).map_err(|error| unwritten(Path::new("-"), &error))?;
        return out::raw(&page);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Args::command(), dir))
        .map_err(|error| unwritten(dir, &error))
}

fn unwritten(place: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{}: the manual cannot be written: {error}; choose another folder", place.display()),
    )
}
