//! A set of up to 512 numbers: which parents of one block reach a node.

/// Eight words: of the widths that were measured the fastest on dense graphs, and still cheap on chains.
const WORDS: usize = 8;

/// Which of the parents of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row([u64; WORDS]);

impl Row {
    /// How many parents a block has at most.
    pub const WIDTH: usize = WORDS * u64::BITS as usize;

    pub fn add(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / u64::BITS as usize) {
            *word |= 1 << (bit % u64::BITS as usize);
        }
    }

    pub fn join(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    pub fn without(mut self, other: &Self) -> Self {
        for (word, less) in self.0.iter_mut().zip(&other.0) {
            *word &= !less;
        }
        self
    }

    /// Calls for each number, in ascending order.
    pub fn each(self, mut visit: impl FnMut(usize)) {
        for (at, mut word) in self.0.into_iter().enumerate() {
            while word != 0 {
                visit(at * u64::BITS as usize + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sets() {
        let mut row = Row::default();
        for bit in [511, 0, 63, 64, 200, 64] {
            row.add(bit);
        }
        let listed = |row: Row| {
            let mut bits = Vec::new();
            row.each(|bit| bits.push(bit));
            bits
        };
        assert_eq!(listed(row), [0, 63, 64, 200, 511]);
        let mut other = Row::default();
        other.add(64);
        other.add(1);
        assert_eq!(listed(row.without(&other)), [0, 63, 200, 511]);
        other.join(&row);
        assert_eq!(listed(other), [0, 1, 63, 64, 200, 511]);
        // There is no such parent in a block.
        row.add(Row::WIDTH);
        assert_eq!(listed(row).len(), 5);
    }
}
