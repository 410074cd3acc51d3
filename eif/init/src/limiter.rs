//! How much of the enclave's output reaches the console. A flooded console has hung enclaves, and
//! the enclave has nothing to say there but its last words.

use std::time::{Duration, Instant};

/// Bytes that may come at once: half of what a serial line's buffer holds.
const BURST: usize = 2048;
/// Bytes for each second that passes.
const EACH_SECOND: usize = 1024;
/// Bytes in all, of one boot.
const IN_ALL: usize = 128 * 1024;

/// Counts what passes and what does not.
#[derive(Debug)]
pub struct Limiter {
    allowance: usize,
    left: usize,
    filled: Instant,
    dropped: Dropped,
}

/// What did not pass since it was last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Lines.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Limiter {
    /// With all of it allowed.
    pub fn new(now: Instant) -> Self {
        Self { allowance: BURST, left: IN_ALL, filled: now, dropped: Dropped::default() }
    }

    /// Whether a line of so many bytes passes.
    pub fn admit(&mut self, bytes: usize, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs();
        if seconds > 0 {
            let more = usize::try_from(seconds).unwrap_or(usize::MAX).saturating_mul(EACH_SECOND);
            self.allowance = self.allowance.saturating_add(more).min(BURST);
            self.filled = self.filled.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
        }
        // An empty line costs too.
        let cost = bytes.saturating_add(1);
        let (Some(allowance), Some(left)) = (self.allowance.checked_sub(cost), self.left.checked_sub(cost))
        else {
            self.dropped.lines = self.dropped.lines.saturating_add(1);
            self.dropped.bytes = self.dropped.bytes.saturating_add(u64::try_from(cost).unwrap_or(u64::MAX));
            return false;
        };
        (self.allowance, self.left) = (allowance, left);
        true
    }

    /// What was dropped since this was last asked, if anything was.
    pub fn take_dropped(&mut self) -> Option<Dropped> {
        Some(std::mem::take(&mut self.dropped)).filter(|dropped| dropped.lines > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: usize = 255;

    fn passing(limiter: &mut Limiter, lines: usize, now: Instant) -> usize {
        (0..lines).filter(|_| limiter.admit(LINE, now)).count()
    }

    #[test]
    fn a_burst_passes_and_then_so_much_each_second() {
        let now = Instant::now();
        let mut limiter = Limiter::new(now);
        assert_eq!(passing(&mut limiter, 1000, now), BURST / 256);
        let dropped = limiter.take_dropped().unwrap();
        assert_eq!(dropped, Dropped { lines: 992, bytes: 992 * 256 });
        assert_eq!(limiter.take_dropped(), None);
        let later = now + Duration::from_millis(1500);
        assert_eq!(passing(&mut limiter, 1000, later), EACH_SECOND / 256);
        assert_eq!(passing(&mut limiter, 1000, now + Duration::from_secs(2)), EACH_SECOND / 256);
        assert_eq!(passing(&mut limiter, 1000, now + Duration::from_hours(1)), BURST / 256);
    }

    #[test]
    fn a_boot_has_a_limit_of_its_own() {
        let now = Instant::now();
        let mut limiter = Limiter::new(now);
        let passed: usize =
            (0..10_000).map(|second| passing(&mut limiter, 10, now + Duration::from_secs(second))).sum();
        assert_eq!(passed, IN_ALL / 256);
    }

    #[test]
    fn empty_lines_are_not_free() {
        let now = Instant::now();
        let mut limiter = Limiter::new(now);
        assert_eq!((0..10_000).filter(|_| limiter.admit(0, now)).count(), BURST);
    }
}
