//! Things that are numbered in the order in which they appear and never go away.

use std::marker::PhantomData;

use crate::ci::{JobId, PipelineId};

/// An id that counts.
pub trait Numbered: Copy {
    fn number(self) -> u64;
    fn from_number(number: u64) -> Self;
}

impl Numbered for JobId {
    fn number(self) -> u64 {
        self.0
    }
    fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl Numbered for PipelineId {
    fn number(self) -> u64 {
        self.0
    }
    fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// A growing list that hands out ids.
#[derive(Debug)]
pub struct Arena<I, T> {
    first: u64,
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Numbered, T> Arena<I, T> {
    pub fn starting_at(first: u64) -> Self {
        Self { first, items: Vec::new(), id: PhantomData }
    }

    /// The id that the next item will get.
    pub fn next_id(&self) -> I {
        I::from_number(self.first + self.items.len() as u64)
    }

    /// Adds an item, which must carry [`Self::next_id`].
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    fn slot(&self, id: I) -> Option<usize> {
        id.number().checked_sub(self.first).and_then(|n| usize::try_from(n).ok())
    }

    /// The item of an id that came from outside.
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(self.slot(id)?)
    }

    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let slot = self.slot(id)?;
        self.items.get_mut(slot)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The item of an id that the world itself has stored.
    #[expect(
        clippy::indexing_slicing,
        reason = "the world only stores ids that this arena gave out, and nothing is removed"
    )]
    pub fn at(&self, id: I) -> &T {
        &self.items[(id.number() - self.first) as usize]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the world only stores ids that this arena gave out, and nothing is removed"
    )]
    pub fn at_mut(&mut self, id: I) -> &mut T {
        &mut self.items[(id.number() - self.first) as usize]
    }
}
