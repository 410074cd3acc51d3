//! Requests that were seen: a signed request is good once.
//!
//! Nothing is forgotten before it expires; when there is no room, nothing new is taken. Looking does not consume: a request
//! may be [looked at](Replay::peek) before expensive work and is [consumed](Replay::consume) when it is decided, at most
//! once, however many look at the same time.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// How many requests are remembered: those of six minutes at more than a thousand a second. One takes 105 bytes, and about
/// 150 with the trees' spare room: 75 MB when full.
pub const MAX_REQUESTS: usize = 500_000;

/// The requests that were seen and have not expired.
#[derive(Debug)]
pub struct Replay {
    /// The latest time that was given.
    now_ms: u64,
    /// A tree: it never stands still to grow.
    seen: BTreeMap<[u8; 32], Seen>,
    expiries: BTreeSet<(u64, [u8; 32])>,
    capacity: usize,
}

#[derive(Debug)]
struct Seen {
    request: [u8; 32],
    repeatable: bool,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It was seen before, or is so old that this is not known.
    #[error("the request was made before: sign it again with a new nonce")]
    Replayed,
    /// No room.
    #[error("too many requests are remembered: try again later")]
    Full,
}

impl Replay {
    /// Nothing was seen yet; remembers so many, usually [`MAX_REQUESTS`].
    pub const fn new(capacity: usize) -> Self {
        Self { now_ms: 0, seen: BTreeMap::new(), expiries: BTreeSet::new(), capacity }
    }

    /// Whether [`Self::consume`] would take the request now, but for room.
    pub fn peek(
        &self,
        now_ms: u64,
        key: &[u8; 32],
        request: &[u8; 32],
        expires_ms: u64,
    ) -> Result<(), ReplayError> {
        let known = self.seen.get(key);
        if expires_ms <= self.now_ms.max(now_ms) || known.is_some_and(|seen| !seen.may_repeat(request)) {
            return Err(ReplayError::Replayed);
        }
        Ok(())
    }

    /// Takes the request and remembers it until `expires_ms`.
    ///
    /// `key` is a digest of the key id and the nonce, `request` the digest of all that is signed. A `repeatable` request may
    /// come again as it is: the store had a conflict, and the host asks once more for what was decided. It expires when it
    /// would have at first.
    pub fn consume(
        &mut self,
        now_ms: u64,
        key: [u8; 32],
        request: [u8; 32],
        expires_ms: u64,
        repeatable: bool,
    ) -> Result<(), ReplayError> {
        self.advance(now_ms);
        self.peek(now_ms, &key, &request, expires_ms)?;
        let full = self.seen.len() >= self.capacity;
        match self.seen.entry(key) {
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(_) if full => Err(ReplayError::Full),
            Entry::Vacant(place) => {
                place.insert(Seen { request, repeatable });
                self.expiries.insert((expires_ms, key));
                Ok(())
            }
        }
    }

    /// Whether a request with this key was taken and has not been forgotten.
    pub fn contains(&self, key: &[u8; 32]) -> bool {
        self.seen.contains_key(key)
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Time passes (it does not run backwards), and what has expired is forgotten: each request once.
    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        while let Some((expires_ms, key)) = self.expiries.first().copied()
            && expires_ms <= self.now_ms
        {
            self.expiries.remove(&(expires_ms, key));
            self.seen.remove(&key);
        }
    }
}

impl Seen {
    fn may_repeat(&self, request: &[u8; 32]) -> bool {
        self.repeatable && self.request == *request
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];
    const REPLAYED: Result<(), ReplayError> = Err(ReplayError::Replayed);

    #[test]
    fn a_request_is_good_once_until_it_expires() {
        let mut replay = Replay::new(10);
        assert!(replay.is_empty());
        assert_eq!(replay.peek(0, &A, &A, 100), Ok(()));
        assert_eq!(replay.consume(0, A, A, 100, false), Ok(()));
        assert!(replay.contains(&A) && !replay.contains(&B));
        assert_eq!(replay.peek(99, &A, &A, 200), REPLAYED);
        assert_eq!(replay.consume(99, A, A, 200, false), REPLAYED);
        assert_eq!(replay.consume(99, A, B, 200, true), REPLAYED, "only the first may say so");
        assert_eq!(replay.consume(100, A, A, 200, false), Ok(()));
        assert_eq!(replay.len(), 1);
    }

    #[test]
    fn what_has_expired_is_not_taken_even_if_time_runs_backwards() {
        let mut replay = Replay::new(10);
        assert_eq!(replay.consume(100, A, A, 100, false), REPLAYED);
        assert_eq!(replay.consume(0, A, A, 100, false), REPLAYED);
        assert_eq!(replay.consume(0, A, A, 101, false), Ok(()));
        assert_eq!(replay.consume(150, B, B, 200, false), Ok(()));
        assert!(!replay.contains(&A));
        assert_eq!(replay.consume(0, A, A, 101, false), REPLAYED);
        assert_eq!(replay.peek(0, &A, &A, 150), REPLAYED);
    }

    #[test]
    fn a_repeatable_request_may_come_again_as_it_is() {
        let mut replay = Replay::new(1);
        assert_eq!(replay.consume(0, A, A, 100, true), Ok(()));
        for repeatable in [true, false, true] {
            assert_eq!(replay.consume(1, A, A, 500, repeatable), Ok(()));
            assert_eq!(replay.consume(1, A, B, 100, repeatable), REPLAYED);
        }
        assert_eq!(replay.peek(1, &A, &B, 100), REPLAYED);
        assert_eq!(replay.consume(100, B, B, 200, true), Ok(()), "the first expiry holds");
        assert!(!replay.contains(&A));
    }

    #[test]
    fn nothing_is_forgotten_early() {
        let mut replay = Replay::new(2);
        assert_eq!(replay.consume(0, A, A, 100, false), Ok(()));
        assert_eq!(replay.consume(0, B, A, 50, false), Ok(()));
        assert_eq!(replay.consume(49, [3; 32], A, 100, false), Err(ReplayError::Full));
        assert_eq!(replay.consume(49, A, A, 100, false), REPLAYED);
        assert_eq!(replay.consume(50, [3; 32], A, 100, false), Ok(()));
        assert_eq!(replay.consume(50, B, A, 100, false), Err(ReplayError::Full));
    }

    #[test]
    fn of_many_threads_one_wins() {
        let replay = Mutex::new(Replay::new(1000));
        let won = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for n in 0..100 {
                        if replay.lock().unwrap().consume(0, [n; 32], A, 100, false).is_ok() {
                            *won.lock().unwrap() += 1;
                        }
                    }
                });
            }
        });
        assert_eq!(*won.lock().unwrap(), 100);
    }

    proptest! {
        #[test]
        fn none_is_taken_twice_while_it_is_good(steps in vec((0u64..20, 0u8..6, 1u64..80), 1..200)) {
            let mut replay = Replay::new(4);
            let mut taken: HashMap<u8, u64> = HashMap::new();
            let mut now = 0;
            for (pause, key, life) in steps {
                now += pause;
                let live = taken.values().filter(|expires| **expires > now).count();
                let known = taken.get(&key).is_some_and(|expires| *expires > now);
                let expected = match (known, live) {
                    (true, _) => REPLAYED,
                    (false, 4..) => Err(ReplayError::Full),
                    _ => Ok(()),
                };
                prop_assert_eq!(replay.consume(now, [key; 32], A, now + life, false), expected);
                if expected.is_ok() {
                    taken.insert(key, now + life);
                }
            }
            prop_assert_eq!(replay.expiries.len(), replay.seen.len());
        }
    }
}
