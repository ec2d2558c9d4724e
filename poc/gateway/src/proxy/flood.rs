//! How often one address may ask.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use auth_base::network::network_of;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::proxy::refusal::Refusal;

/// So many addresses are told apart. Those beyond share one rate.
const MAX_ADDRESSES: usize = 16 * 1024;

/// One may be ahead of its rate by so many seconds' requests.
const BURST_SECONDS: u32 = 2;

/// A rate for each address, and one that is shared when there are too many of them.
pub(crate) struct Flood {
    addresses: DefaultKeyedRateLimiter<IpAddr, StateInformationMiddleware>,
    others: DefaultDirectRateLimiter,
}

/// What an address has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// So many requests at once.
    pub(crate) remaining: u32,
    /// Until it has all of them again.
    pub(crate) reset: Duration,
}

impl From<StateSnapshot> for Left {
    fn from(state: StateSnapshot) -> Self {
        let (quota, remaining) = (state.quota(), state.remaining_burst_capacity());
        let used = quota.burst_size().get().saturating_sub(remaining);
        Self {
            remaining,
            reset: quota.replenish_interval().saturating_mul(used),
        }
    }
}

impl Flood {
    /// Lets each address ask so often a second.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
        Self::with(Quota::per_second(per_second).allow_burst(burst))
    }

    /// Lets each address ask so often in a while: all at once, or now and then.
    pub(crate) fn per_window(most: NonZeroU32, window: Duration) -> Self {
        let each = window / most.get();
        let quota = Quota::with_period(each.max(Duration::from_millis(1)));
        Self::with(quota.unwrap_or(Quota::per_second(most)).allow_burst(most))
    }

    fn with(quota: Quota) -> Self {
        Self {
            addresses: RateLimiter::keyed(quota).with_middleware(),
            others: RateLimiter::direct(quota),
        }
    }

    /// Counts a request, and tells what is left; `None` where addresses are too many to be told apart.
    ///
    /// # Errors
    /// 429 when there were too many of this address.
    pub(crate) fn check(&self, address: IpAddr) -> Result<Option<Left>, Refusal> {
        if self.addresses.len() >= MAX_ADDRESSES {
            if self.others.check().is_err() {
                return Err(Refusal::too_many(Duration::from_secs(1)));
            }
            self.addresses.retain_recent();
            self.addresses.shrink_to_fit();
        }
        if self.addresses.len() >= MAX_ADDRESSES {
            return Ok(None);
        }
        let checked = self.addresses.check_key(&network_of(address));
        match checked {
            Ok(state) => Ok(Some(state.into())),
            Err(too_many) => {
                let wait = too_many.wait_time_from(DefaultClock::default().now());
                Err(Refusal::too_many(wait))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_too_often_is_refused_and_others_are_not() {
        let flood = Flood::new(NonZeroU32::new(5).unwrap());
        let asks = |address: &str| flood.check(address.parse().unwrap()).is_ok();
        let passed = (0..40).filter(|_| asks("192.0.2.1")).count();
        assert!((10..20).contains(&passed), "{passed}");
        assert!(asks("192.0.2.2"));
        let passed = (0..40)
            .filter(|it| asks(&format!("2001:db8::{it:x}")))
            .count();
        assert!((10..20).contains(&passed), "{passed}");
        assert!(asks("2001:db8:0:1::"));
    }

    #[test]
    fn the_addresses_have_a_bound() {
        let flood = Flood::new(NonZeroU32::new(1).unwrap());
        for number in 0..40_000_u32 {
            let _ = flood.check(IpAddr::V4(number.into()));
        }
        assert!(flood.addresses.len() <= MAX_ADDRESSES);
    }
}
