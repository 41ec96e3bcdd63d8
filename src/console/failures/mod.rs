//! Failed jobs with their verdicts: those in memory, and what is asked of those that the store remembers.

mod history;
mod known;
mod past;
mod remembered;
mod rows;

pub use history::History;
pub use known::Failures;
pub use past::{First, Memory, Past, QUIET};
pub use remembered::{
    Ack, AckId, Allowance, By, DayCount, FailureFilter, Group, Kind, LIST, LaterTry, Piece, PipelineEnd, RETENTION,
    Retries, SHARES, Seen, Share, Spending, TryEnd,
};
pub use rows::{ClassRow, SignatureRow, Sum, rows};
