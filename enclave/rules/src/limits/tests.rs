//! Against a plain log of events, from many threads, and at the edges.

use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn limit(n: usize) -> LimitId {
    LimitId::new(&"spend".parse().unwrap(), n, b"{}")
}

fn wanted(key: Key, window_s: u64, most: u64, amount: u64) -> Wanted {
    let (most, amount) = (U256::from(most), U256::from(amount));
    Wanted { key, window_s, most, amount, after_restart_open: true }
}

fn of_rule(n: usize, window_s: u64, most: u64, amount: u64) -> Wanted {
    wanted(limit(n).key(&Scope::Rule), window_s, most, amount)
}

fn limits(count: usize) -> Limits {
    let mut limits = Limits::new(0);
    limits.in_force(0, (0..count).map(limit));
    limits
}

fn refused(limits: &mut Limits, now_ms: u64, wanted: &[Wanted]) -> (usize, Reason, Option<u64>) {
    let refused = limits.reserve(now_ms, wanted).unwrap_err();
    (refused.index, refused.reason, refused.retry_after_ms)
}

#[test]
fn a_window_rolls() {
    let mut limits = limits(1);
    let six = [of_rule(0, 64, 10, 6)];
    let _kept = limits.reserve(500, &six).unwrap();
    // The bucket ends at 1000 and counts for 64 seconds after that.
    assert_eq!(refused(&mut limits, 10_000, &six), (0, Reason::Exceeded, Some(55_000)));
    assert_eq!(refused(&mut limits, 64_999, &six), (0, Reason::Exceeded, Some(1)));
    let _kept = limits.reserve(65_000, &six).unwrap();
    assert_eq!(refused(&mut limits, 65_000, &[of_rule(0, 64, 10, 11)]), (0, Reason::Exceeded, None));
    // Time does not run backwards.
    assert_eq!(refused(&mut limits, 1, &six), (0, Reason::Exceeded, Some(65_000)));
}

#[test]
fn all_or_nothing() {
    let mut limits = limits(2);
    let both = |a, b| [of_rule(0, 60, 10, a), of_rule(1, 60, 10, b)];
    assert_eq!(refused(&mut limits, 0, &both(10, 11)), (1, Reason::Exceeded, None));
    let reservation = limits.reserve(0, &both(10, 10)).unwrap();
    assert!(limits.reserve(0, &both(1, 0)).is_err());
    limits.release(reservation);
    let _kept = limits.reserve(0, &both(10, 10)).unwrap();
    // The same history twice is added up.
    assert_eq!(refused(&mut limits, 100_000, &[both(6, 0)[0], both(6, 0)[0]]).0, 1);
    let _kept = limits.reserve(100_000, &both(10, 0)).unwrap();
}

#[test]
fn scopes_are_apart() {
    let (alice, bob): (Name, Name) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let mut limits = limits(1);
    let scopes = [
        Scope::Rule,
        Scope::Client(&alice),
        Scope::Client(&bob),
        Scope::Wallet(b"alice"),
        Scope::Account(b"alice"),
        Scope::Account(b"alicf"),
    ];
    for scope in scopes {
        let one = [wanted(limit(0).key(&scope), 60, 1, 1)];
        let _kept = limits.reserve(0, &one).unwrap();
        assert!(limits.reserve(0, &one).is_err());
    }
    assert_eq!(limits.len(), scopes.len());
    let ids = [
        LimitId::new(&alice, 0, b"{}"),
        LimitId::new(&bob, 0, b"{}"),
        LimitId::new(&alice, 1, b"{}"),
        LimitId::new(&alice, 0, b"{ }"),
    ];
    for (n, id) in ids.iter().enumerate() {
        assert!(!ids[..n].contains(id));
    }
}

#[test]
fn a_closed_limit_waits_for_its_window_after_the_boot() {
    let mut limits = Limits::new(5_000);
    let closed = Wanted { after_restart_open: false, ..of_rule(0, 60, 10, 1) };
    assert_eq!(refused(&mut limits, 6_000, &[closed]), (0, Reason::NotInForce, None));
    // The first bundle may come late: nothing was signed before it.
    limits.in_force(20_000, [limit(0)]);
    assert_eq!(refused(&mut limits, 30_000, &[closed]), (0, Reason::Closed, Some(35_000)));
    let _kept = limits.reserve(30_000, &[Wanted { after_restart_open: true, ..closed }]).unwrap();
    assert_eq!(refused(&mut limits, 64_999, &[closed]), (0, Reason::Closed, Some(1)));
    let _kept = limits.reserve(65_000, &[closed]).unwrap();
}

#[test]
fn bundles_keep_histories_of_unchanged_limits_and_close_changed_ones() {
    let mut limits = limits(2);
    let ten = |n| Wanted { after_restart_open: false, ..of_rule(n, 60, 10, 10) };
    let kept = limits.reserve(60_000, &[ten(0), ten(1)]).unwrap();
    limits.in_force(61_000, [limit(0), limit(2)]);
    assert_eq!(refused(&mut limits, 61_000, &[ten(0)]).1, Reason::Exceeded);
    assert_eq!(refused(&mut limits, 61_000, &[ten(1)]).1, Reason::NotInForce);
    assert_eq!(refused(&mut limits, 61_000, &[ten(2)]), (0, Reason::Closed, Some(60_000)));
    // Away and back again is new, and what was reserved before is not taken from it.
    limits.in_force(62_000, [limit(0), limit(1)]);
    assert_eq!(refused(&mut limits, 62_000, &[ten(1)]), (0, Reason::Closed, Some(60_000)));
    let open = Wanted { after_restart_open: true, ..ten(1) };
    let _kept = limits.reserve(62_000, &[open]).unwrap();
    limits.release(kept);
    assert!(limits.reserve(62_000, &[open]).is_err());
    let _kept = limits.reserve(62_000, &[ten(0)]).unwrap();
    limits.in_force(62_000, []);
    assert!(limits.is_empty() && limits.expiries.is_empty() && limits.buckets == 0);
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let mut limits = Limits::with_capacity(0, 2, 3);
    limits.in_force(0, (0..9).map(limit));
    let one = |n| [of_rule(n, 64, 10, 1)];
    let _kept = (limits.reserve(0, &one(0)).unwrap(), limits.reserve(0, &one(1)).unwrap());
    assert_eq!(refused(&mut limits, 0, &one(2)).1, Reason::Full);
    let _kept = (limits.reserve(1_000, &one(0)).unwrap(), limits.reserve(1_000, &one(0)).unwrap());
    assert_eq!(refused(&mut limits, 2_000, &one(0)).1, Reason::Full, "a fourth bucket");
    // Nothing wanted needs no room.
    let _kept = limits.reserve(2_000, &[of_rule(0, 64, 10, 0), of_rule(2, 64, 10, 0)]).unwrap();
    // The history of limit 1 is empty, and one bucket of limit 0 as well.
    let _kept = limits.reserve(65_000, &one(2)).unwrap();
    let _kept = limits.reserve(65_000, &one(0)).unwrap();
    assert_eq!((limits.len(), limits.buckets, limits.expiries.len()), (2, 3, 2));
    assert!(limits.reserve(u64::MAX, &one(3)).is_ok());
}

#[test]
fn what_is_refused_or_released_takes_no_room() {
    let mut limits = limits(3);
    let one = |n, amount| of_rule(n, 64, 10, amount);
    assert!(limits.reserve(0, &[one(0, 1), one(1, 11)]).is_err());
    assert!(limits.is_empty() && limits.expiries.is_empty() && limits.buckets == 0);
    let early = limits.reserve(0, &[one(0, 1)]).unwrap();
    let late = limits.reserve(5_000, &[one(0, 2), one(2, 2)]).unwrap();
    limits.release(late);
    assert_eq!((limits.len(), limits.buckets, limits.expiries.len()), (1, 1, 1));
    assert_eq!(limits.expiries.first().unwrap().0, 65_000);
    // Too late to take back.
    let _kept = limits.reserve(65_000, &[one(0, 10)]).unwrap();
    limits.release(early);
    assert!(limits.reserve(65_000, &[one(0, 1)]).is_err());
}

#[test]
fn amounts_do_not_overflow() {
    let mut limits = limits(1);
    let huge = Wanted { most: U256::MAX, amount: U256::MAX, ..of_rule(0, 2_678_400, 0, 0) };
    let reservation = limits.reserve(7, &[huge]).unwrap();
    assert!(limits.reserve(7, &[huge]).is_err());
    assert!(limits.reserve(1_000_000_000, &[Wanted { amount: U256::ONE, ..huge }]).is_err());
    limits.release(reservation);
    let _kept = limits.reserve(7, &[huge]).unwrap();
}

#[test]
fn many_threads_do_not_exceed_a_limit() {
    let limits = Arc::new(Mutex::new(limits(1)));
    let attempts = |seed: u64| {
        let limits = Arc::clone(&limits);
        std::thread::spawn(move || {
            let mut total = 0;
            for n in 0..160 {
                let amount = 1 + (seed + n) % 5;
                let mut limits = limits.lock().unwrap();
                let Ok(reservation) = limits.reserve(n, &[of_rule(0, 3600, 1000, amount)]) else { continue };
                if n % 3 == 0 { limits.release(reservation) } else { total += amount }
            }
            total
        })
    };
    let threads: Vec<_> = (0..64).map(attempts).collect();
    let total: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(total, 1000);
}

proptest! {
    #[test]
    fn no_window_exceeds_the_limit(
        window_s in 1u64..400,
        most in 1u64..100,
        steps in vec((0u64..40, 1u64..12, 0usize..2, 0u8..4), 1..200),
    ) {
        let length_ms = window_s * 1000;
        let width_ms = length_ms.div_ceil(BUCKETS);
        let mut limits = limits(2);
        let mut logs: [Vec<(u64, u64)>; 2] = [vec![], vec![]];
        let mut now = 0;
        for (pause, amount, which, kind) in steps {
            // From no time at all to most of a window.
            now += pause * pause * length_ms / 1600;
            let log = &mut logs[which];
            let used = |since: u64| -> u64 {
                log.iter().filter(|(at, _)| at + since > now).map(|(_, amount)| amount).sum()
            };
            let (least, counted) = (used(length_ms) + amount, used(length_ms + width_ms) + amount);
            match limits.reserve(now, &[of_rule(which, window_s, most, amount)]) {
                Ok(reservation) => {
                    prop_assert!(least <= most, "{} in a window", least);
                    if kind == 0 { limits.release(reservation) } else { log.push((now, amount)) }
                }
                Err(refused) => {
                    prop_assert!(counted > most, "refused with {} of {}", counted, most);
                    prop_assert_eq!(refused.retry_after_ms.is_none(), amount > most);
                    if let (Some(wait), 1) = (refused.retry_after_ms, kind) {
                        if wait > 1 {
                            prop_assert!(limits.reserve(now + wait - 1, &[of_rule(which, window_s, most, amount)]).is_err());
                        }
                        now += wait;
                        prop_assert!(limits.reserve(now, &[of_rule(which, window_s, most, amount)]).is_ok());
                        log.push((now, amount));
                    }
                }
            }
        }
    }
}
