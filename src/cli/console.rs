//! `stackhand`: the console.

use super::assemble::Setup;
use super::exit::{Exit, Failure};

/// Opens the console and stays until the person leaves it.
#[expect(clippy::unused_async, reason = "the screen loop takes this place")]
pub async fn run(setup: Setup) -> Result<(), Failure> {
    drop(setup);
    Err(Failure::new(Exit::Failed, "the console is not built yet; use `stackhand watch`"))
}
