//! A search for very many needles at once, at two bytes a step.
//!
//! Of each needle two neighbouring stretches of four bytes are picked, the rarest ones. Wherever the needle stands, one of them begins at an
//! even place, so only those places are looked at: a stretch that no needle has fails one test of a bit. Letters count in either case; what
//! stands there is compared afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::literals::{Needle, common};

/// Bytes of a stretch.
const GRAM: usize = 4;
/// Needles with fewer bytes are not searched for here.
pub(super) const SHORTEST: usize = GRAM;
const WORD: usize = 8;
/// Bytes that are passed over at once where no gram is one of a needle's.
const STEP: usize = 8;
const WINDOW: usize = STEP + GRAM - 2;
const FOLD: u64 = 0x2020_2020_2020_2020;
const BITS: u32 = 17;
const WORDS: usize = 1 << (BITS - 6);

/// What most lines of such logs are made of: no good place to look for a needle.
const USUAL: &str = "[ 10%] Building CXX object src/CMakeFiles/core.dir/main.cpp.o -Werror=format warning: unused variable [-Wunused-variable] \
    checking for gcc... (cached) yes no make[1]: Entering directory '/tmp/root/spack-stage/spack-build' Leaving libtool: compile: gcc \
    -DHAVE_CONFIG_H -I../include -O2 -fPIC -std=c++17 -MT io.lo -MD -MP -c ../lib/io.c -o .libs/io.o compiler-wrapper/libexec/spack/g++ \
    ==> Fetching https://binaries.spack.io/develop/blobs/sha256/ Extracting from binary cache Installing -- Found Performing Test Success \
    /home/software/spack/__spack_path_placeholder__/linux-ubuntu22.04-x86_64_v3/ [+] Linking shared library Generating test running copying ";

/// One place at which a gram stands in a needle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    gram: u32,
    needle: u32,
    /// Bytes of the needle before it.
    before: u32,
    /// Where eight bytes of the needle begin (or all, with what follows masked out), and what they are: most needles that share a gram fail
    /// here.
    from: u32,
    word: u64,
    mask: u64,
    /// Makes letters small, where either case fits.
    fold: u64,
}

impl Spot {
    fn of(gram: [u8; GRAM], n: u32, needle: &Needle, before: usize) -> Self {
        let from = before.min(needle.bytes.len().saturating_sub(WORD));
        let mut word = [0; WORD];
        let mut mask = [0; WORD];
        for ((word, mask), byte) in word.iter_mut().zip(&mut mask).zip(needle.bytes.iter().skip(from)) {
            (*word, *mask) = (*byte, 0xff);
        }
        let fold = if needle.folded { FOLD } else { 0 };
        let (word, mask) = (u64::from_le_bytes(word) | fold, u64::from_le_bytes(mask));
        Self { gram: folded(gram), needle: n, before: before as u32, from: from as u32, word, mask, fold }
    }
}

/// The search.
#[derive(Debug)]
pub(super) struct Grams {
    bits: Box<[u64; WORDS]>,
    /// By gram.
    spots: Vec<Spot>,
    /// Open addressing: grams, and where their spots are. Nowhere, where none is.
    table: Vec<(u32, Range<u32>)>,
    /// The upper bits of a hash that make a place in the table.
    shift: u32,
    needles: Vec<Needle>,
}

fn folded(gram: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(gram) | FOLD as u32
}

fn first_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |gram| folded(*gram))
}

fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

impl Grams {
    /// Makes the search. Every needle must have at least [`SHORTEST`] bytes.
    pub fn of(needles: Vec<Needle>) -> Self {
        // Grams that many needles have are common in logs as well.
        let mut shared = BTreeMap::<u32, u32>::new();
        for gram in needles.iter().flat_map(|needle| needle.bytes.array_windows::<GRAM>()) {
            *shared.entry(folded(*gram)).or_default() += 1;
        }
        let shared = |gram: &[u8; GRAM]| shared.get(&folded(*gram)).copied().unwrap_or(0);
        let usual: BTreeSet<u32> = USUAL.as_bytes().array_windows::<GRAM>().map(|gram| folded(*gram)).collect();
        let mut spots = Vec::new();
        for (n, needle) in (0..).zip(&needles) {
            let windows: Vec<&[u8; GRAM]> = needle.bytes.array_windows().collect();
            let cost = |gram: &[u8; GRAM]| {
                100 * u32::from(usual.contains(&folded(*gram)))
                    + 8 * shared(gram)
                    + gram.iter().map(|b| common(*b)).sum::<u32>()
            };
            let last = windows.len().saturating_sub(2);
            let rarest = (0..=last).min_by_key(|k| windows.iter().skip(*k).take(2).map(|gram| cost(gram)).sum::<u32>());
            for before in rarest.map_or(0..0, |k| k..k + 2) {
                let rest = needle.bytes.get(before..).unwrap_or_default();
                if let Some(gram) = rest.first_chunk() {
                    spots.push(Spot::of(*gram, n, needle, before));
                } else if let [a, b, c] = *rest {
                    // The needle ends before the gram does: any byte may follow.
                    spots.extend((0..=u8::MAX).map(|d| Spot::of([a, b, c, d], n, needle, before)));
                }
            }
        }
        spots.sort_unstable();
        spots.dedup();
        let size = (spots.len() * 2).next_power_of_two().max(16);
        let mut grams = Self {
            bits: Box::new([0; WORDS]),
            table: vec![(0, 0..0); size],
            shift: u32::BITS - size.ilog2(),
            spots: Vec::new(),
            needles,
        };
        let mut from = 0;
        for alike in spots.chunk_by(|a, b| a.gram == b.gram) {
            let range = from..from + alike.len() as u32;
            from = range.end;
            grams.enter(alike.first().map_or(0, |spot| spot.gram), range);
        }
        grams.spots = spots;
        grams
    }

    fn enter(&mut self, gram: u32, range: Range<u32>) {
        let place = hash(gram) >> (u32::BITS - BITS);
        if let Some(word) = self.bits.get_mut((place >> 6) as usize) {
            *word |= 1_u64 << (place & 63);
        }
        let mut slot = (hash(gram) >> self.shift) as usize;
        while self.table.get(slot).is_some_and(|(_, taken)| !taken.is_empty()) {
            slot = (slot + 1) & (self.table.len() - 1);
        }
        if let Some(entry) = self.table.get_mut(slot) {
            *entry = (gram, range);
        }
    }

    /// Where the spots of a gram are.
    fn spots(&self, gram: u32) -> &[Spot] {
        let mut slot = (hash(gram) >> self.shift) as usize;
        while let Some((there, range)) = self.table.get(slot)
            && !range.is_empty()
        {
            if *there == gram {
                return self.spots.get(range.start as usize..range.end as usize).unwrap_or_default();
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
        &[]
    }

    /// Tells every needle in a text: which one, and where it begins. A place may be told twice. The text must end with a byte that is in
    /// no needle.
    pub fn find(&self, text: &[u8], mut tell: impl FnMut(usize, usize)) {
        let mut look = |place: usize| {
            let gram = text.get(place..).and_then(<[u8]>::first_chunk).map(|gram| folded(*gram));
            if let Some(gram) = gram.filter(|gram| self.may_be(*gram)) {
                self.compare(text, place, gram, &mut tell);
            }
        };
        let mut at = 0;
        while let Some(step) = self.next(text, at) {
            [step, step + 2, step + 4, step + 6].into_iter().for_each(&mut look);
            at = step + STEP;
        }
        // The last bytes are fewer than a step needs.
        let steps = (text.len() - at).checked_sub(WINDOW).map_or(0, |rest| rest / STEP + 1);
        (at + steps * STEP..text.len()).step_by(2).for_each(look);
    }

    fn may_be(&self, gram: u32) -> bool {
        let place = hash(gram) >> (u32::BITS - BITS);
        self.bits.get((place >> 6) as usize).is_some_and(|word| word >> (place & 63) & 1 == 1)
    }

    /// The next step, from `at` on, at which some gram may be one of a needle's. Kept apart, so that nothing else takes its registers.
    #[inline(never)]
    fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        let mut at = at;
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) {
            let any = self.may_be(first_of(bytes))
                | self.may_be(first_of(bytes.get(2..).unwrap_or_default()))
                | self.may_be(first_of(bytes.get(4..).unwrap_or_default()))
                | self.may_be(first_of(bytes.get(6..).unwrap_or_default()));
            if any {
                return Some(at);
            }
            at += STEP;
        }
        None
    }

    fn compare(&self, text: &[u8], at: usize, gram: u32, tell: &mut impl FnMut(usize, usize)) {
        for spot in self.spots(gram) {
            let Some(start) = at.checked_sub(spot.before as usize) else { continue };
            let Some(there) = text.get(start + spot.from as usize..) else { continue };
            let there = there.first_chunk().map_or(spot.word, |there| u64::from_le_bytes(*there));
            if ((there | spot.fold) ^ spot.word) & spot.mask != 0 {
                continue;
            }
            let Some(needle) = self.needles.get(spot.needle as usize) else { continue };
            let stands = text.get(start..start + needle.bytes.len()).is_some_and(|there| {
                if needle.folded { there.eq_ignore_ascii_case(&needle.bytes) } else { there == needle.bytes }
            });
            if stands {
                tell(spot.needle as usize, start);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needle(text: &str) -> Needle {
        match text.strip_suffix("/i") {
            Some(text) => Needle { bytes: text.as_bytes().to_vec(), folded: true },
            None => Needle { bytes: text.as_bytes().to_vec(), folded: false },
        }
    }

    fn found(needles: &[&str], text: &str) -> Vec<(usize, usize)> {
        let grams = Grams::of(needles.iter().map(|n| needle(n)).collect());
        let mut all = Vec::new();
        grams.find(format!("{text}\n").as_bytes(), |needle, start| all.push((start, needle)));
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn needles_are_found_at_even_and_odd_places() {
        for before in 0..5 {
            let text = format!("{}http ERROR: No space left on device", ".".repeat(before));
            let at = found(&["http/i", "error:/i", "No space left on device", "Error:"], &text);
            assert_eq!(at, [(before, 0), (before + 5, 1), (before + 12, 2)]);
        }
        assert_eq!(found(&["abcd", "bcde", "abcd/i"], "abcde"), [(0, 0), (0, 2), (1, 1)]);
        assert_eq!(found(&[], "abcde"), []);
        assert_eq!(found(&["abcd"], "abc"), []);
    }

    proptest! {
        #[test]
        fn what_is_there_is_found(
            needles in proptest::collection::vec("[abA]{4,7}(/i)?", 0..6),
            text in "[abAB]{0,40}",
        ) {
            let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
            let mut want = Vec::new();
            for (n, word) in needles.iter().enumerate() {
                let needle = needle(&if word.ends_with("/i") { word.to_ascii_lowercase() } else { (*word).to_owned() });
                for start in 0..text.len() {
                    let there = text.as_bytes().get(start..start + needle.bytes.len()).unwrap_or_default();
                    if there == needle.bytes || (needle.folded && there.eq_ignore_ascii_case(&needle.bytes)) {
                        want.push((start, n));
                    }
                }
            }
            want.sort_unstable();
            prop_assert_eq!(found(&needles, &text), want);
        }
    }
}
