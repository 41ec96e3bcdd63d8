//! What goes wrong beside the bridge, one judgement each. They judge; whoever runs them looks again at each item just before acting, and
//! writes down what was done.

mod asked;
pub mod skipped;
pub mod stale;
pub mod stuck;
pub mod triggers;

pub use asked::NotAgain;
