//! Lists of places, one for each place, in one block of memory; and a graph of such lists whose nodes stand in order.

/// One list of places for each place.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    /// Where the list of each place begins and ends.
    spans: Vec<(usize, usize)>,
    places: Vec<u32>,
}

impl Lists {
    /// Lists that are all empty.
    pub fn empty(nodes: usize) -> Self {
        Self { spans: vec![(0, 0); nodes], places: Vec::new() }
    }

    /// Groups pairs by their first place. Each list holds the second places in the order of the pairs.
    pub fn grouped(nodes: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut spans = vec![(0, 0); nodes];
        for (place, _) in pairs.clone() {
            if let Some((_, length)) = spans.get_mut(place as usize) {
                *length += 1;
            }
        }
        let mut total = 0;
        for span in &mut spans {
            let length = span.1;
            *span = (total, total);
            total += length;
        }
        let mut places = vec![0; total];
        for (place, other) in pairs {
            if let Some((_, end)) = spans.get_mut(place as usize)
                && let Some(slot) = places.get_mut(*end)
            {
                *slot = other;
                *end += 1;
            }
        }
        Self { spans, places }
    }

    /// The list of a place; empty for a place that does not exist.
    pub fn of(&self, place: u32) -> &[u32] {
        self.spans.get(place as usize).and_then(|(begin, end)| self.places.get(*begin..*end)).unwrap_or_default()
    }

    /// The same lists without the places that are not marked.
    pub fn limited_to(&self, marks: &[bool]) -> Self {
        let mut places = Vec::with_capacity(self.places.len());
        let spans = (0..self.len() as u32).map(|place| {
            let begin = places.len();
            places.extend(self.of(place).iter().copied().filter(|other| is_set(marks, *other)));
            (begin, places.len())
        });
        Self { spans: spans.collect(), places }
    }

    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The length of all lists together.
    pub fn total(&self) -> usize {
        self.places.len()
    }

    /// Makes room for the lists of these places, which had none. Returns where each begins.
    pub fn extend(&mut self, owners: &[u32], lengths: &[usize]) -> Vec<usize> {
        let begins = owners.iter().zip(lengths).scan(self.places.len(), |end, (owner, length)| {
            let begin = *end;
            *end += length;
            if let Some(span) = self.spans.get_mut(*owner as usize) {
                *span = (begin, *end);
            }
            Some(begin)
        });
        let begins = begins.collect();
        self.places.resize(self.places.len() + lengths.iter().sum::<usize>(), 0);
        begins
    }

    /// Writes one entry into room that [`Self::extend`] made.
    pub fn put(&mut self, at: usize, place: u32) {
        if let Some(slot) = self.places.get_mut(at) {
            *slot = place;
        }
    }

    /// Gives back what [`Self::extend`] took too much.
    pub fn shrink(&mut self) {
        self.places.shrink_to_fit();
    }
}

/// Where the lists lie does not matter.
impl PartialEq for Lists {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len() as u32).all(|place| self.of(place) == other.of(place))
    }
}

impl Eq for Lists {}

/// A graph without circles, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sorted {
    pub children: Lists,
    /// The nodes, children before their parents.
    pub order: Vec<u32>,
    /// Where in `order` each place stands; [`Self::ABSENT`] for places that are no nodes.
    pub ranks: Vec<u32>,
}

impl Sorted {
    pub const ABSENT: u32 = u32::MAX;

    pub fn new(children: Lists, order: Vec<u32>) -> Self {
        let mut ranks = vec![Self::ABSENT; children.len()];
        for (rank, place) in order.iter().enumerate() {
            if let Some(slot) = ranks.get_mut(*place as usize) {
                *slot = rank as u32;
            }
        }
        Self { children, order, ranks }
    }

    /// Where in the order a place stands.
    pub fn rank(&self, place: u32) -> u32 {
        self.ranks.get(place as usize).copied().unwrap_or(Self::ABSENT)
    }

    /// Who stands there in the order.
    pub fn at(&self, rank: u32) -> u32 {
        self.order.get(rank as usize).copied().unwrap_or(Self::ABSENT)
    }
}

/// Whether a place is marked. A place without a mark of its own is not.
pub(super) fn is_set(marks: &[bool], place: u32) -> bool {
    marks.get(place as usize).copied().unwrap_or(false)
}

/// Marks a place. Returns whether that is new.
pub(super) fn set(marks: &mut [bool], place: u32) -> bool {
    marks.get_mut(place as usize).is_some_and(|mark| !std::mem::replace(mark, true))
}
