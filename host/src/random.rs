//! Numbers that differ: request ids, temporary names, jitter. Nothing here is a secret.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// A number that nobody outside can foresee and that does not come again soon.
pub fn number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    RandomState::new().hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// 32 hexadecimal characters.
pub fn hex() -> String {
    format!("{:016x}{:016x}", number(), number())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn numbers_differ() {
        let numbers: HashSet<_> = (0..1000).map(|_| super::hex()).collect();
        assert_eq!(numbers.len(), 1000);
        assert!(numbers.iter().all(|text| text.len() == 32));
    }
}
