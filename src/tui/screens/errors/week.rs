//! The week below the rows.

use ratatui::layout::Rect;

use crate::tui::screen::Cx;
use crate::tui::widgets::Pen;

/// Draws failures by day and the success of pipelines.
pub fn draw(_cx: Cx<'_>, _area: Rect, _pen: &mut Pen<'_>) {}
