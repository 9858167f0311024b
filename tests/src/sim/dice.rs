//! The one source of chance: the same seed, the same story.

use thicket_core::entropy::Entropy;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): good enough to roll
/// dice with, and never used for a key that protects anything.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Takes a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Rolls 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Rolls a number below `limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a usize fits").max(1);
        usize::try_from(self.roll() % limit).expect("below a usize")
    }

    /// Says yes that many times in a hundred.
    pub fn percent(&mut self, times: usize) -> bool {
        self.below(100) < times
    }

    /// Draws one of several.
    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }
}

impl Entropy for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.iter_mut().zip(self.roll().to_le_bytes()).for_each(|(to, from)| *to = from);
        }
    }
}
