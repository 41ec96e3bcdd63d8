//! Failed jobs with their verdicts: those in memory, and what is asked of those that the store remembers.

mod known;
mod remembered;

pub use known::Failures;
pub use remembered::{
    Ack, AckId, Allowance, By, DayCount, FailureFilter, Group, Kind, LaterTry, Piece, PipelineEnd, RETENTION, Retries,
    SHARES, Seen, Share, Spending, TryEnd,
};
