//! Where randomness comes from: an argument, never the world.

use rand_core::{Infallible, TryCryptoRng, TryRng};

/// A source of cryptographic randomness, handed to everything that makes a key, a salt or an id.
///
/// Real homes take the operating system's; tests and the simulator take a seeded one, and the same seed gives the
/// same bytes.
pub trait Entropy: Send {
    /// Fills `out` with bytes that nobody can guess.
    fn fill(&mut self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// Draws as many bytes as the caller's array wants.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// The operating system's randomness.
#[derive(Debug, Default)]
pub struct SystemEntropy(());

impl SystemEntropy {
    /// Names the operating system's source.
    pub fn new() -> Self {
        Self(())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        use ring::rand::SecureRandom;
        // Without randomness no key may be made; going on would be worse than stopping.
        ring::rand::SystemRandom::new().fill(out).expect("the operating system gives randomness");
    }
}

/// Lends an [`Entropy`] to crates that want a `rand_core` generator.
pub(crate) struct Rng<'e>(pub(crate) &'e mut dyn Entropy);

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Rng<'_> {}
