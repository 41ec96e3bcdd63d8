//! A cursor in a list that changes under it. It stands on an identity; where that row goes, cursor and viewport go along, so the row stays
//! where the eye is. When the row is gone it moves to the neighbour, and for a moment lets no mutation through.

use std::time::Duration;

use crate::ci::Timestamp;

/// How long a cursor that was moved by the list, not by its owner, lets no mutation through.
const STARTLED: Duration = Duration::from_millis(300);

/// Which row is chosen and which one is the first on screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<Id> {
    id: Option<Id>,
    row: usize,
    top: usize,
    startled: Option<Timestamp>,
}

impl<Id> Default for Cursor<Id> {
    fn default() -> Self {
        Self { id: None, row: 0, top: 0, startled: None }
    }
}

impl<Id: Clone + PartialEq> Cursor<Id> {
    /// What the cursor is on.
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The row the cursor is on, as of the last [`Cursor::settle`].
    pub fn row(&self) -> usize {
        self.row
    }

    /// The first row on screen, as of the last [`Cursor::settle`].
    pub fn top(&self) -> usize {
        self.top
    }

    /// Whether the list moved the cursor a moment ago: the row flashes, and mutating keys are ignored.
    pub fn is_startled(&self, now: Timestamp) -> bool {
        self.startled.is_some_and(|at| now.since(at) < STARTLED)
    }

    /// Chooses a row by identity; the next [`Cursor::settle`] finds it.
    pub fn choose(&mut self, id: Id) {
        self.id = Some(id);
        self.startled = None;
    }

    /// Moves by so many rows in a list of `ids`.
    pub fn step(&mut self, ids: &[Id], by: isize) {
        self.go(ids, self.row.saturating_add_signed(by));
    }

    /// Goes to a row, or to the last one.
    pub fn go(&mut self, ids: &[Id], row: usize) {
        let row = row.min(ids.len().saturating_sub(1));
        if let Some(id) = ids.get(row) {
            self.row = row;
            self.choose(id.clone());
        }
    }

    /// Fits cursor and viewport to the list as it is now, `height` rows of which are visible. At an edge the viewport moves by `stride` rows:
    /// one on a good line, a third of a page on a slow one.
    pub fn settle(&mut self, ids: &[Id], height: usize, stride: usize, now: Timestamp) {
        let on_screen = self.row.saturating_sub(self.top);
        let found = self.id.as_ref().and_then(|id| {
            // Most of the time nothing moved.
            if ids.get(self.row) == Some(id) { Some(self.row) } else { ids.iter().position(|other| other == id) }
        });
        match found {
            Some(row) if row == self.row => {}
            Some(row) => {
                self.row = row;
                self.top = row.saturating_sub(on_screen);
            }
            None => {
                let had_one = self.id.is_some();
                self.row = self.row.min(ids.len().saturating_sub(1));
                self.id = ids.get(self.row).cloned();
                if had_one {
                    self.startled = Some(now);
                }
            }
        }
        let stride = stride.clamp(1, height.max(1));
        if self.row < self.top {
            self.top = (self.row + 1).saturating_sub(stride);
        } else if self.row >= self.top + height.max(1) {
            self.top = self.row + stride - height.max(1);
        }
        self.top = self.top.min(ids.len().saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn list(names: &str) -> Vec<char> {
        names.chars().collect()
    }

    fn cursor(ids: &[char], row: usize, height: usize) -> Cursor<char> {
        let mut cursor = Cursor::default();
        cursor.go(ids, row);
        cursor.settle(ids, height, 1, NOW);
        cursor
    }

    #[test]
    fn the_row_stays_under_the_eye_when_the_list_is_sorted_anew() {
        let mut cursor = cursor(&list("abcdefghij"), 7, 4);
        assert_eq!((cursor.row(), cursor.top()), (7, 4));
        cursor.settle(&list("jihgfedcba"), 4, 1, NOW);
        assert_eq!((cursor.id(), cursor.row(), cursor.top()), (Some(&'h'), 2, 0));
        cursor.settle(&list("abcdefghij"), 4, 1, NOW);
        assert_eq!((cursor.id(), cursor.row(), cursor.top()), (Some(&'h'), 7, 5));
    }

    #[test]
    fn a_row_that_vanished_hands_over_to_its_neighbour_and_startles() {
        let mut cursor = cursor(&list("abcde"), 2, 5);
        assert!(!cursor.is_startled(NOW));
        cursor.settle(&list("abde"), 5, 1, NOW);
        assert_eq!(cursor.id(), Some(&'d'));
        assert!(cursor.is_startled(NOW.shifted(299)) && !cursor.is_startled(NOW.shifted(300)));
        cursor.settle(&list("ab"), 5, 1, NOW);
        assert_eq!(cursor.id(), Some(&'b'));
        cursor.settle(&[], 5, 1, NOW);
        assert_eq!(cursor.id(), None);
        cursor.settle(&list("xy"), 5, 1, NOW.shifted(900));
        assert_eq!(cursor.id(), Some(&'x'));
        assert!(!cursor.is_startled(NOW.shifted(901)), "the first row of a list is no surprise");
        cursor.settle(&list("y"), 5, 1, NOW.shifted(1_000));
        cursor.step(&list("y"), 1);
        assert!(!cursor.is_startled(NOW.shifted(1_001)), "its owner has moved it since");
    }

    #[test]
    fn a_slow_line_scrolls_in_thirds() {
        let ids: Vec<usize> = (0..100).collect();
        let mut cursor = Cursor::default();
        let mut tops = Vec::new();
        for _ in 0..14 {
            cursor.step(&ids, 1);
            cursor.settle(&ids, 9, 3, NOW);
            tops.push(cursor.top());
        }
        assert_eq!(tops, [0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 6, 6, 6]);
        cursor.go(&ids, usize::MAX);
        cursor.settle(&ids, 9, 3, NOW);
        assert_eq!((cursor.row(), cursor.top()), (99, 91));
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_on_screen_and_on_a_row_that_exists(
            lists in proptest::collection::vec(proptest::sample::subsequence((0..20).collect::<Vec<i32>>(), 0..20), 1..8),
            steps in proptest::collection::vec(-9_isize..9, 8), height in 0_usize..9, stride in 0_usize..9,
        ) {
            let mut cursor = Cursor::default();
            for (ids, by) in lists.iter().zip(steps) {
                let before = cursor.id().copied();
                cursor.settle(ids, height, stride, NOW);
                if let Some(before) = before.filter(|id| ids.contains(id)) {
                    prop_assert_eq!(cursor.id(), Some(&before));
                }
                cursor.step(ids, by);
                cursor.settle(ids, height, stride, NOW);
                prop_assert_eq!(cursor.id(), ids.get(cursor.row()));
                prop_assert_eq!(cursor.id().is_some(), !ids.is_empty());
                if height > 0 && !ids.is_empty() {
                    prop_assert!((cursor.top()..cursor.top() + height).contains(&cursor.row()));
                }
            }
        }
    }
}
