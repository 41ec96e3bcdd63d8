//! A list that may have been cut off.

use serde::{Deserialize, Serialize};

/// What a source listed, and whether that was everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items<T> {
    pub listed: Vec<T>,
    /// Nothing was left out: what is not listed does not exist.
    pub is_whole: bool,
}

impl<T> Items<T> {
    /// A list without gaps.
    pub fn whole(listed: impl IntoIterator<Item = T>) -> Self {
        Self { listed: listed.into_iter().collect(), is_whole: true }
    }

    /// Whether one is as asked; `None` when none of those listed is and others were left out.
    pub fn has(&self, is_it: impl FnMut(&T) -> bool) -> Option<bool> {
        if self.listed.iter().any(is_it) { Some(true) } else { self.is_whole.then_some(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_unknown() {
        let some = Items { listed: vec![1, 2], is_whole: false };
        assert_eq!((some.has(|n| *n == 2), some.has(|n| *n == 3)), (Some(true), None));
        assert_eq!(Items::whole([1]).has(|n| *n == 3), Some(false));
    }
}
