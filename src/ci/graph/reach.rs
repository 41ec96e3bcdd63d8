//! Sets of nodes by their position in the order: what can be reached from each node, and which nodes still have to be repaired.
//!
//! Used by `Flow` only. A node reaches only later positions, so its row starts at its own word: half a square of bits, 1.6 MB at 5,000 jobs.

const WORD: usize = u64::BITS as usize;

/// One set of later positions per node.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    words: Vec<u64>,
    /// Where the row of each position starts; one more at the end.
    starts: Vec<usize>,
}

impl Reach {
    pub(super) fn new(count: usize) -> Self {
        let width = count.div_ceil(WORD);
        let mut starts = Vec::with_capacity(count + 1);
        let mut total = 0;
        for position in 0..count {
            starts.push(total);
            total += width - position / WORD;
        }
        starts.push(total);
        Self { words: vec![0; total], starts }
    }

    /// The row of a position, from the word that holds the position itself to the last.
    pub(super) fn row(&self, position: usize) -> &[u64] {
        let bounds = self.starts.get(position).zip(self.starts.get(position + 1));
        bounds.and_then(|(start, end)| self.words.get(*start..*end)).unwrap_or_default()
    }

    /// Replaces a row; returns whether it was different.
    pub(super) fn replace(&mut self, position: usize, row: &[u64]) -> bool {
        let bounds = self.starts.get(position).zip(self.starts.get(position + 1));
        match bounds.and_then(|(start, end)| self.words.get_mut(*start..*end)) {
            Some(old) if old != row && old.len() == row.len() => {
                old.copy_from_slice(row);
                true
            }
            _ => false,
        }
    }
}

/// Adds to `row` of position `from` the later position `to` and all that `to` reaches.
pub(super) fn join(row: &mut [u64], from: usize, to: usize, beyond: &[u64]) {
    let skip = to / WORD - from / WORD;
    let Some(row) = row.get_mut(skip..) else { return };
    for (word, more) in row.iter_mut().zip(beyond) {
        *word |= more;
    }
    if let Some(first) = row.first_mut() {
        *first |= 1 << (to % WORD);
    }
}

/// How many positions a row holds.
pub(super) fn count(row: &[u64]) -> u32 {
    row.iter().map(|word| word.count_ones()).sum()
}

/// Positions that wait for their turn, each once.
#[derive(Debug, Clone)]
pub(super) struct Agenda {
    words: Vec<u64>,
    /// No set bit lies in a word outside `low..high`.
    low: usize,
    high: usize,
}

impl Agenda {
    pub(super) fn new(count: usize) -> Self {
        let words = vec![0; count.div_ceil(WORD)];
        Self { low: words.len(), high: 0, words }
    }

    pub(super) fn add(&mut self, position: usize) {
        let at = position / WORD;
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (position % WORD);
            self.low = self.low.min(at);
            self.high = self.high.max(at + 1);
        }
    }

    pub(super) fn take_first(&mut self) -> Option<usize> {
        while self.low < self.high {
            if let Some(word) = self.words.get_mut(self.low).filter(|word| **word != 0) {
                let bit = word.trailing_zeros() as usize;
                *word &= *word - 1;
                return Some(self.low * WORD + bit);
            }
            self.low += 1;
        }
        self.rest()
    }

    pub(super) fn take_last(&mut self) -> Option<usize> {
        while self.low < self.high {
            if let Some(word) = self.words.get_mut(self.high - 1).filter(|word| **word != 0) {
                let bit = WORD - 1 - word.leading_zeros() as usize;
                *word &= !(1 << bit);
                return Some((self.high - 1) * WORD + bit);
            }
            self.high -= 1;
        }
        self.rest()
    }

    /// Nothing is left: forget the bounds, so that the next round starts small.
    fn rest(&mut self) -> Option<usize> {
        (self.low, self.high) = (self.words.len(), 0);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_at_their_own_word() {
        let mut reach = Reach::new(130);
        assert_eq!([reach.row(0).len(), reach.row(64).len(), reach.row(129).len()], [3, 2, 1]);
        let mut row = vec![0; 3];
        join(&mut row, 3, 70, &[1 << 7, 1]);
        assert_eq!(row, [0, 1 << 6 | 1 << 7, 1]);
        assert!(reach.replace(3, &row) && !reach.replace(3, &row));
        assert_eq!(count(reach.row(3)), 3);
    }

    #[test]
    fn an_agenda_gives_each_position_once_from_either_end() {
        let mut agenda = Agenda::new(200);
        for position in [7, 199, 64, 7, 0] {
            agenda.add(position);
        }
        assert_eq!([agenda.take_last(), agenda.take_first(), agenda.take_last()], [Some(199), Some(0), Some(64)]);
        agenda.add(3);
        assert_eq!([agenda.take_last(), agenda.take_last(), agenda.take_first()], [Some(7), Some(3), None]);
        agenda.add(150);
        assert_eq!([agenda.take_first(), agenda.take_first()], [Some(150), None]);
    }
}
