//! Latencies of a stage, and their percentiles.

use std::time::Duration;

use serde::Serialize;

/// Every latency that was measured.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

/// Percentiles, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 9 of 10 take no longer.
    pub p90: f64,
    /// 99 of 100 take no longer.
    pub p99: f64,
    /// 999 of 1000 take no longer.
    pub p99_9: f64,
}

impl Latencies {
    pub(super) fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let at = |per_mille: usize| {
            // The smallest value that at least this share does not exceed.
            let rank = (self.0.len() * per_mille).div_ceil(1000).max(1);
            self.0.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
        };
        Percentiles { p50: at(500), p90: at(900), p99: at(990), p99_9: at(999) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        (1..=1000).rev().for_each(|micros| latencies.add(Duration::from_micros(micros)));
        let found = latencies.percentiles();
        for (value, expected) in
            [(found.p50, 500.0), (found.p90, 900.0), (found.p99, 990.0), (found.p99_9, 999.0)]
        {
            assert!((value - expected).abs() < 0.01, "{found:?}");
        }
        assert_eq!(Latencies::default().percentiles(), Percentiles::default());
    }
}
