//! How often an address may begin a handshake, the one thing that a stranger can make this server work at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{ADDRESSES_COUNTED_MAX, HANDSHAKES_A_SECOND, HANDSHAKES_BURST_MAX};

/// Counts handshakes: those under way, and each address's of late.
pub(super) struct Handshakes {
    begun: Instant,
    of_late: BTreeMap<IpAddr, Bucket>,
    under_way: Arc<()>,
}

/// Held while a handshake is under way.
pub(super) struct UnderWay(#[allow(dead_code, reason = "it counts by being held")] Arc<()>);

impl Handshakes {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), of_late: BTreeMap::new(), under_way: Arc::new(()) }
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        Arc::strong_count(&self.under_way) - 1
    }

    /// Begins one.
    pub(super) fn begin(&self) -> UnderWay {
        UnderWay(Arc::clone(&self.under_way))
    }

    /// Counts one more of an address, unless it had too many. One that has not proven that it is not forged is given
    /// but half, so that nobody can use up another's turns.
    pub(super) fn admits(&mut self, address: IpAddr, is_proven: bool) -> bool {
        if address.to_canonical().is_loopback() {
            // Whoever is on this machine has better ways to keep it busy.
            return true;
        }
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        admits(&mut self.of_late, prefix(address), is_proven, now_ms)
    }
}

/// One subscriber has a whole /64 of IPv6 addresses.
fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// What an address has left, in thousandths of a handshake.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    at_ms: u64,
}

const FULL: u64 = HANDSHAKES_BURST_MAX as u64 * 1_000;

fn admits(of_late: &mut BTreeMap<IpAddr, Bucket>, address: IpAddr, is_proven: bool, now_ms: u64) -> bool {
    let refilled = |bucket: &Bucket| {
        let gained = now_ms.saturating_sub(bucket.at_ms).saturating_mul(u64::from(HANDSHAKES_A_SECOND));
        bucket.left.saturating_add(gained).min(FULL)
    };
    if of_late.len() >= ADDRESSES_COUNTED_MAX && !of_late.contains_key(&address) {
        of_late.retain(|_, bucket| refilled(bucket) < FULL);
        if of_late.len() >= ADDRESSES_COUNTED_MAX {
            return false;
        }
    }
    let left = of_late.get(&address).map_or(FULL, refilled);
    let floor = if is_proven { 0 } else { FULL / 2 };
    let admitted = left.checked_sub(1_000).filter(|left| *left >= floor);
    of_late.insert(address, Bucket { left: admitted.unwrap_or(left), at_ms: now_ms });
    admitted.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_begin_a_burst_and_then_as_many_as_time_allows() {
        let (mut of_late, here) = (BTreeMap::new(), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..HANDSHAKES_BURST_MAX {
            assert!(admits(&mut of_late, here, true, 5));
        }
        assert!(!admits(&mut of_late, here, true, 5), "one past the burst");
        assert!(admits(&mut of_late, IpAddr::from([192, 0, 2, 2]), true, 5), "another address");
        for _ in 0..HANDSHAKES_A_SECOND {
            assert!(admits(&mut of_late, here, true, 1_005));
        }
        assert!(!admits(&mut of_late, here, true, 1_005), "one past a second's");
    }

    #[test]
    fn who_may_be_forged_uses_up_half_of_an_address_and_no_more() {
        let (mut of_late, here) = (BTreeMap::new(), IpAddr::from([192, 0, 2, 1]));
        let mut admitted = |is_proven| {
            (0..HANDSHAKES_BURST_MAX).filter(|_| admits(&mut of_late, here, is_proven, 5)).count()
        };
        let half = usize::try_from(HANDSHAKES_BURST_MAX / 2).expect("a small constant");
        assert_eq!(admitted(false), half);
        assert_eq!(admitted(true), half);
    }

    #[test]
    fn the_count_of_addresses_is_bounded_and_forgets_the_quiet_ones() {
        let mut of_late = BTreeMap::new();
        let address = |number: usize| IpAddr::V4(u32::try_from(number).expect("few addresses").into());
        for number in 0..ADDRESSES_COUNTED_MAX {
            assert!(admits(&mut of_late, address(number), true, 0));
        }
        assert!(!admits(&mut of_late, address(ADDRESSES_COUNTED_MAX), true, 0));
        assert!(admits(&mut of_late, address(ADDRESSES_COUNTED_MAX), true, 1_000));
        assert_eq!(of_late.len(), 1);
    }

    #[test]
    fn this_machine_is_not_counted() {
        let mut handshakes = Handshakes::new();
        let local = ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(|text| text.parse().expect("an address"));
        for address in local {
            assert!((0..=HANDSHAKES_BURST_MAX).all(|_| handshakes.admits(address, true)));
        }
        let other = IpAddr::from([192, 0, 2, 1]);
        assert!(!(0..2 * HANDSHAKES_BURST_MAX).all(|_| handshakes.admits(other, true)));
    }

    #[test]
    fn a_subscriber_is_one_address() {
        let one: IpAddr = "2001:db8::1".parse().expect("an address");
        assert_eq!(prefix(one), prefix("2001:db8::ffff".parse().expect("an address")));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(prefix(mapped), IpAddr::from([192, 0, 2, 1]), "not all of IPv4 is one subscriber");
        assert_ne!(prefix(one), prefix("2001:db8:0:1::1".parse().expect("an address")));
    }
}
