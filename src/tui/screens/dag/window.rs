//! The part of the picture that fits on the screen. It jumps by half a screen when the selection leaves the middle, and never creeps; it
//! starts with a whole column, so that no name loses its beginning.

use ratatui::layout::{Rect, Size};

use crate::console::dag::Picture;

/// How much of a side must stay free around the selection, in percent.
const MARGIN: usize = 20;

/// Where the visible part of a picture starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    pub x: usize,
    pub y: usize,
}

impl Window {
    /// Moves so that the selection (in columns and rows of the picture) lies in the middle part, as far as the picture reaches.
    pub fn follow(&mut self, selection: Option<Rect>, picture: &Picture, room: Size) {
        let (width, height) = (usize::from(room.width), usize::from(room.height));
        if let Some(at) = selection {
            self.x = follow(self.x, usize::from(at.x)..usize::from(at.right()), width);
            self.y = follow(self.y, usize::from(at.y)..usize::from(at.bottom()), height);
        }
        self.x = picture.column_from(self.x.min(picture.body.width().saturating_sub(width)));
        self.y = self.y.min(picture.body.height().saturating_sub(height));
    }
}

fn follow(start: usize, selected: std::ops::Range<usize>, room: usize) -> usize {
    let (margin, half) = (room * MARGIN / 100, (room / 2).max(1));
    if selected.start < start + margin {
        let short = start + margin - selected.start;
        return start.saturating_sub(short.div_ceil(half) * half);
    }
    let end = (start + room).saturating_sub(margin);
    // Where the selection is wider than the middle, its start is what matters.
    let over = selected.end.saturating_sub(end).min(selected.start.saturating_sub(start + margin));
    start + over.div_ceil(half) * half
}

#[cfg(test)]
mod tests {
    use super::follow;

    #[test]
    fn it_jumps_by_half_a_screen_and_otherwise_rests() {
        for (start, selected, want) in [(0, 40, 0), (0, 62, 0), (0, 63, 50), (50, 75, 50), (50, 69, 0), (50, 300, 250)]
        {
            assert_eq!(follow(start, selected..selected + 18, 100), want, "{start} {selected}");
        }
        assert_eq!(follow(0, 5..40, 10), 5, "what is wider than the screen shows its start");
    }
}
