//! How long to wait before a server is tried again.

use std::time::Duration;

use thicket_core::entropy::Entropy;

/// The first wait.
pub(crate) const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// Waits that double, each by chance a little shorter than it might be, so that the devices of a team whose server was
/// away do not all come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next wait: between half of and all of what it might be.
    pub(crate) fn wait(&mut self, entropy: &mut dyn Entropy) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        whole / 2 + whole.mul_f64(f64::from(u16::from_be_bytes(entropy.bytes())) / f64::from(u16::MAX)) / 2
    }

    /// Begins anew: the server was there.
    pub(crate) const fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..8).map(|_| backoff.wait(&mut Always(0xff)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.wait(&mut Always(0xff)), FIRST);
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.wait(&mut Always(0)), FIRST / 2);
        assert!((FIRST..FIRST * 2).contains(&backoff.wait(&mut Always(0x80))));
    }
}
