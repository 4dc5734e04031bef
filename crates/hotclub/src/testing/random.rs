//! Pseudo-random numbers with a seed, so that a failing run can be repeated.

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a word of state, good enough to scatter test inputs.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence; the same seed gives the same one.
    pub const fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `end`, which must not be zero.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// A number from 0 to 1, 1 excluded.
    pub fn fraction(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Up to `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.word() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence() {
        let (mut one, mut two) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| one.word() == two.word()));
        assert_ne!(Random::new(7).word(), Random::new(8).word());
    }

    #[test]
    fn fractions_spread_over_the_whole_range() {
        let mut random = Random::new(1);
        let mut tenths = [0; 10];
        (0..10_000).for_each(|_| tenths[(random.fraction() * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|&count| count > 800), "{tenths:?}");
    }
}
