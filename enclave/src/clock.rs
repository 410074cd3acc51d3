//! Time, from the only clock that the host does not own.
//!
//! The hypervisor signs a timestamp into every attestation document. The enclave reads one at boot
//! and then regularly, and counts with its monotonic clock in between. Time never goes backwards,
//! and without a recent reading there is no time: decisions that depend on it are refused.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustls_pki_types::UnixTime;
use signer_rules::timestamp::Timestamp;

/// A reading of the NSM's clock is too old to count on after this time.
const STALE: Duration = Duration::from_hours(2);

/// The enclave's clock. Cheap to clone; all clones are one clock.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    anchor: RwLock<Option<Anchor>>,
    latest_ms: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    unix_ms: u64,
    read_at: Instant,
}

/// There was no recent reading of the NSM's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the enclave has had no recent reading of the NSM's clock")]
pub struct ClockStale;

impl Clock {
    /// Takes a reading that was made just now. Returns how far the count had drifted from it, in
    /// milliseconds: positive if the clock had run ahead.
    pub fn set(&self, unix_ms: u64) -> i64 {
        let counted = self.now_ms().unwrap_or(unix_ms);
        let mut anchor = self.0.anchor.write().unwrap_or_else(PoisonError::into_inner);
        *anchor = Some(Anchor { unix_ms, read_at: Instant::now() });
        let drift = i128::from(counted).saturating_sub(i128::from(unix_ms));
        i64::try_from(drift).unwrap_or(if drift > 0 { i64::MAX } else { i64::MIN })
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> Result<u64, ClockStale> {
        let anchor = *self.0.anchor.read().unwrap_or_else(PoisonError::into_inner);
        let anchor = anchor.ok_or(ClockStale)?;
        let elapsed = anchor.read_at.elapsed();
        if elapsed > STALE {
            return Err(ClockStale);
        }
        let now = anchor.unix_ms.saturating_add(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        Ok(self.0.latest_ms.fetch_max(now, Ordering::Relaxed).max(now))
    }

    /// The same in the form that signed statements use.
    pub fn now(&self) -> Result<Timestamp, ClockStale> {
        self.now_ms().map(Timestamp::from_millis)
    }
}

impl aws_smithy_async::time::TimeSource for Clock {
    /// For the AWS SDK, which signs requests with it. It cannot be told that there is no time; KMS
    /// refuses a request signed at the epoch.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.now_ms().unwrap_or(0))).unwrap_or(UNIX_EPOCH)
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    /// For certificates. Without time no certificate is valid.
    fn current_time(&self) -> Option<UnixTime> {
        self.now_ms().ok().map(|ms| UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

#[cfg(test)]
mod tests {
    use rustls::time_provider::TimeProvider;

    use super::*;

    #[test]
    fn there_is_no_time_before_the_first_reading() {
        let clock = Clock::default();
        assert_eq!(clock.now_ms(), Err(ClockStale));
        assert!(clock.current_time().is_none());
    }

    #[test]
    fn time_never_goes_backwards() {
        let clock = Clock::default();
        clock.set(2_000_000);
        let before = clock.now_ms().unwrap();
        assert!(clock.set(1_000_000) >= 1_000_000, "the drift is reported");
        assert!(clock.now_ms().unwrap() >= before);
        clock.set(3_000_000);
        assert!(clock.now_ms().unwrap() >= 3_000_000);
    }
}
