//! Job logs: a document that can be larger than memory, and the view that walks it.
//!
//! [`LogDoc`] takes bytes as they arrive and answers with drawn [`Row`]s; [`LogIndex`] knows lines, sections and landmarks; [`LogView`]
//! keeps cursor, folds, search and follow state. Pure: bytes come in by `feed` and `load`, wishes go out as missing pages. Nothing in here
//! trusts a log: every text passes `console::text`, and no line, marker or escape can make the work per frame unbounded.

mod doc;
mod folds;
mod frame;
mod index;
mod landmarks;
mod lens;
mod pages;
mod reader;
mod row;
mod scan;
mod sections;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
mod view_tests;

pub use doc::{Fed, LogDoc, LogState, PAGE_BUDGET, Rows};
pub use frame::{Frame, FrameRow, Header, SectionState};
pub use index::LogIndex;
pub use landmarks::{Landmark, LandmarkKind, Landmarks};
pub use pages::{LogPages, PageNo};
pub use row::{Row, Span};
pub use scan::{BadPattern, Pattern, Scan, Work};
pub use sections::{Section, SectionId, Sections};
pub use view::{Follow, LogView, Motion};
