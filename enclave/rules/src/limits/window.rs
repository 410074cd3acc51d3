//! One rolling window: amounts by the bucket of time they fell into.

use std::collections::VecDeque;

use ruint::aliases::U256;

/// Buckets a window. One or two more are kept: those that are partly inside.
pub const BUCKETS: u64 = 64;

/// Amounts of the last `length_ms`, oldest first. All times are at least those before.
#[derive(Debug)]
pub(super) struct Window {
    length_ms: u64,
    /// Milliseconds a bucket.
    width_ms: u64,
    /// Number (time divided by width) and amount of the buckets that have something.
    buckets: VecDeque<(u64, U256)>,
}

impl Window {
    pub(super) fn new(window_s: u64) -> Self {
        let length_ms = window_s.saturating_mul(1000);
        Self { length_ms, width_ms: length_ms.div_ceil(BUCKETS).max(1), buckets: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// When all of it is out of the window.
    pub(super) fn expires_ms(&self) -> Option<u64> {
        self.buckets.back().map(|(bucket, _)| self.bucket_expires_ms(*bucket))
    }

    /// Drops the buckets that are wholly out of the window; says how many.
    pub(super) fn expire(&mut self, now_ms: u64) -> usize {
        let before = self.buckets.len();
        while let Some((bucket, _)) = self.buckets.front()
            && self.bucket_expires_ms(*bucket) <= now_ms
        {
            self.buckets.pop_front();
        }
        before.saturating_sub(self.buckets.len())
    }

    /// Whether there is room for `amount` now, after [`Self::expire`]; otherwise, when there will be.
    pub(super) fn fits(&self, amount: U256, most: U256) -> Result<(), Option<u64>> {
        let room = most.checked_sub(amount).ok_or(None)?;
        // From the newest: as soon as they are too many, waiting until this one is out is what helps.
        let mut total = U256::ZERO;
        for (bucket, used) in self.buckets.iter().rev() {
            match total.checked_add(*used) {
                Some(sum) if sum <= room => total = sum,
                _ => return Err(Some(self.bucket_expires_ms(*bucket))),
            }
        }
        Ok(())
    }

    /// Whether nothing was added in the bucket of this time.
    pub(super) fn needs_bucket(&self, now_ms: u64) -> bool {
        self.buckets.back().is_none_or(|(bucket, _)| *bucket != self.bucket_of(now_ms))
    }

    /// Adds what [fits](Self::fits); says to which bucket.
    pub(super) fn add(&mut self, now_ms: u64, amount: U256) -> u64 {
        let now = self.bucket_of(now_ms);
        match self.buckets.back_mut() {
            Some((bucket, used)) if *bucket == now => *used = used.saturating_add(amount),
            _ => self.buckets.push_back((now, amount)),
        }
        now
    }

    /// Takes back what was added to the bucket, if it still counts; says how many buckets that leaves empty and dropped.
    pub(super) fn take_back(&mut self, bucket: u64, amount: U256) -> usize {
        let Ok(index) = self.buckets.binary_search_by_key(&bucket, |(number, _)| *number) else { return 0 };
        let Some((_, used)) = self.buckets.get_mut(index) else { return 0 };
        *used = used.saturating_sub(amount);
        if used.is_zero() { usize::from(self.buckets.remove(index).is_some()) } else { 0 }
    }

    fn bucket_of(&self, now_ms: u64) -> u64 {
        now_ms.checked_div(self.width_ms).unwrap_or_default()
    }

    /// When the bucket's last millisecond is out of the window.
    fn bucket_expires_ms(&self, bucket: u64) -> u64 {
        bucket.saturating_add(1).saturating_mul(self.width_ms).saturating_add(self.length_ms)
    }
}
