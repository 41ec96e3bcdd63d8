//! Randomness that is the same on every machine.
//!
//! Every entity draws from a generator of its own, seeded by the world's seed and the entity's name, so one more event never shifts what
//! happens to the others. Only additions and multiplications are used: no platform's `exp` or `cos` can move a duration by a millisecond.

/// A splitmix64 generator.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of one entity: the seed of the world, the kind of thing that is decided, and who it is decided for.
    pub fn of(seed: u64, kind: &str, id: u64) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in kind.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Self(mix(state ^ mix(id)))
    }

    /// The generator of an entity that has a name.
    pub fn named(seed: u64, kind: &str, name: &str) -> Self {
        Self::of(seed, kind, hash(name))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`; zero when `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `items`, which must not be empty: `fallback` answers for an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T], fallback: &'a T) -> &'a T {
        items.get(self.below(items.len() as u64) as usize).unwrap_or(fallback)
    }

    /// A factor around 1, log-normal with the given spread.
    pub fn log_normal(&mut self, sigma: f64) -> f64 {
        // Twelve uniform numbers make a good normal one, without a logarithm.
        let z = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let mut factor = 1.0 + sigma * z / 1024.0;
        for _ in 0..10 {
            factor *= factor;
        }
        factor
    }

    /// `length` characters of `alphabet`, which must be ASCII.
    pub fn word(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(*self.pick(alphabet, &b'x'))).collect()
    }

    /// Lower-case hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        self.word(b"0123456789abcdef", length)
    }

    /// The alphabet of Spack's hashes.
    pub fn base32(&mut self, length: usize) -> String {
        self.word(b"abcdefghijklmnopqrstuvwxyz234567", length)
    }

    /// Letters and digits as Kubernetes and runner tokens use them.
    pub fn suffix(&mut self, length: usize) -> String {
        self.word(b"bcdfghjklmnpqrstvwxz2456789", length)
    }
}

/// A stable number for a name (FNV-1a).
pub fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entity_draws_the_same_numbers_on_every_machine() {
        let mut rng = Rng::named(7, "duration", "zlib");
        assert_eq!((rng.next(), rng.hex(8)), (1_518_408_528_550_220_901, "a345ef04".to_owned()));
        assert_ne!(Rng::of(7, "a", 1).next(), Rng::of(7, "a", 2).next());
        assert_ne!(Rng::of(7, "a", 1).next(), Rng::of(8, "a", 1).next());
    }

    #[test]
    fn log_normal_factors_lie_around_one() {
        let mut rng = Rng::of(1, "test", 0);
        let mut factors: Vec<f64> = (0..999).map(|_| rng.log_normal(0.3)).collect();
        factors.sort_by(f64::total_cmp);
        assert!((0.9..1.1).contains(&factors[499]) && factors[0] > 0.25 && factors[998] < 4.0);
    }

    #[test]
    fn an_empty_choice_is_the_fallback() {
        assert_eq!(*Rng::of(1, "x", 1).pick(&[], &5), 5);
    }
}
