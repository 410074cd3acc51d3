//! Conflicts, replacements, and what is left after signing failed.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const ACCOUNT: EvmAddress = EvmAddress::new([7; 20]);

fn on(chain_id: Option<u64>, nonce: u64) -> NonceKey {
    NonceKey { account: ACCOUNT, chain_id, nonce }
}

fn candidate(hash: u8, fee_cap: u64, priority: u64) -> Candidate {
    Candidate { hash: [hash; 32], fee_cap: U256::from(fee_cap), priority: U256::from(priority) }
}

fn check(
    guard: &mut NonceGuard,
    key: NonceKey,
    candidate: Candidate,
    nonce_use: NonceUse,
) -> Result<Outcome, NonceError> {
    guard.check(&key, &candidate, nonce_use).map(|claim| claim.outcome())
}

const KEY: NonceKey = NonceKey { account: ACCOUNT, chain_id: Some(1), nonce: 0 };

#[test]
fn a_nonce_is_used_once() {
    use NonceUse::Guarded;
    let mut guard = NonceGuard::new();
    assert!(guard.is_empty());
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Ok(Outcome::New));
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Ok(Outcome::Same));
    assert_eq!(check(&mut guard, KEY, candidate(2, 9, 9), Guarded), Err(NonceError::Conflict));
    let other_account = NonceKey { account: EvmAddress::new([8; 20]), ..KEY };
    for other in [other_account, on(Some(1), 1), on(Some(2), 0)] {
        assert_eq!(check(&mut guard, other, candidate(2, 1, 1), Guarded), Ok(Outcome::New));
    }
    assert_eq!(guard.len(), 4);
}

#[test]
fn a_replacement_outbids_all_before_it_in_both_fees() {
    use NonceUse::Replaceable;
    let mut guard = NonceGuard::new();
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Replaceable), Ok(Outcome::New));
    for (fee_cap, priority) in [(5, 5), (6, 5), (5, 6), (9, 4), (4, 9)] {
        let worse = candidate(2, fee_cap, priority);
        assert_eq!(check(&mut guard, KEY, worse, Replaceable), Err(NonceError::Conflict));
    }
    assert_eq!(check(&mut guard, KEY, candidate(2, 8, 6), Replaceable), Ok(Outcome::Replaced));
    assert_eq!(check(&mut guard, KEY, candidate(2, 8, 6), Replaceable), Ok(Outcome::Same));
    assert_eq!(check(&mut guard, KEY, candidate(3, 8, 7), Replaceable), Err(NonceError::Conflict));
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Replaceable), Err(NonceError::Conflict));
    let highest = Candidate { hash: [4; 32], fee_cap: U256::MAX, priority: U256::from(1) << 128 };
    assert_eq!(check(&mut guard, KEY, highest, Replaceable), Ok(Outcome::Replaced));
    let above = Candidate { hash: [5; 32], priority: U256::MAX, ..highest };
    assert_eq!(check(&mut guard, KEY, above, Replaceable), Err(NonceError::Conflict));
    assert_eq!(guard.len(), 1);
}

#[test]
fn a_transaction_for_every_chain_shares_its_nonce_with_each() {
    use NonceUse::{Guarded, Replaceable};
    for every in [None, Some(0)] {
        let mut guard = NonceGuard::new();
        assert_eq!(check(&mut guard, on(Some(5), 0), candidate(1, 5, 5), Guarded), Ok(Outcome::New));
        assert_eq!(check(&mut guard, on(Some(u64::MAX), 0), candidate(2, 7, 7), Guarded), Ok(Outcome::New));
        assert_eq!(check(&mut guard, on(every, 0), candidate(3, 7, 9), Guarded), Err(NonceError::Conflict));
        assert_eq!(
            check(&mut guard, on(every, 0), candidate(3, 7, 9), Replaceable),
            Err(NonceError::Conflict)
        );
        assert_eq!(check(&mut guard, on(every, 0), candidate(3, 9, 9), Replaceable), Ok(Outcome::Replaced));
        assert_eq!(check(&mut guard, on(Some(6), 0), candidate(4, 1, 1), Guarded), Err(NonceError::Conflict));
        assert_eq!(
            check(&mut guard, on(Some(5), 0), candidate(5, 6, 6), Replaceable),
            Err(NonceError::Conflict)
        );
        assert_eq!(check(&mut guard, on(Some(5), 1), candidate(4, 1, 1), Guarded), Ok(Outcome::New));
        assert_eq!(check(&mut guard, on(None, 0), candidate(3, 9, 9), Guarded), Ok(Outcome::Same));
    }
}

#[test]
fn what_no_guard_allowed_is_known_to_those_that_guard() {
    use NonceUse::{Guarded, Replaceable, Unguarded};
    let mut guard = NonceGuard::new();
    assert_eq!(check(&mut guard, KEY, candidate(1, 9, 1), Unguarded), Ok(Outcome::New));
    assert_eq!(check(&mut guard, KEY, candidate(2, 1, 9), Unguarded), Ok(Outcome::Replaced));
    assert_eq!(check(&mut guard, KEY, candidate(3, 99, 99), Guarded), Err(NonceError::Conflict));
    assert_eq!(check(&mut guard, KEY, candidate(3, 9, 10), Replaceable), Err(NonceError::Conflict));
    assert_eq!(check(&mut guard, KEY, candidate(3, 10, 10), Replaceable), Ok(Outcome::Replaced));
}

#[test]
fn a_full_guard_grants_nothing_new() {
    use NonceUse::{Guarded, Replaceable, Unguarded};
    let mut guard = NonceGuard::with_capacity(1);
    let kept = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    assert_eq!(check(&mut guard, on(Some(1), 1), candidate(2, 5, 5), Guarded), Err(NonceError::Full));
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Ok(Outcome::Same));
    assert_eq!(check(&mut guard, KEY, candidate(2, 6, 6), Replaceable), Ok(Outcome::Replaced));
    let unseen = guard.check(&on(Some(1), 1), &candidate(2, 5, 5), Unguarded).unwrap();
    guard.undo(unseen);
    guard.undo(kept);
    assert_eq!(guard.len(), 1);
}

#[test]
fn what_was_not_signed_is_undone() {
    use NonceUse::{Guarded, Replaceable};
    let mut guard = NonceGuard::new();
    let first = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    let second = guard.check(&KEY, &candidate(2, 6, 6), Replaceable).unwrap();
    guard.undo(second);
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Ok(Outcome::Same));
    guard.undo(first);
    assert_eq!(
        check(&mut guard, KEY, candidate(3, 5, 5), Guarded),
        Err(NonceError::Conflict),
        "granted again"
    );

    let mut guard = NonceGuard::new();
    let first = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    let again = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    guard.undo(first);
    assert_eq!(check(&mut guard, KEY, candidate(2, 5, 5), Guarded), Err(NonceError::Conflict));
    guard.undo(again);
    assert_eq!(check(&mut guard, KEY, candidate(2, 5, 5), Guarded), Ok(Outcome::New));
}

#[test]
fn a_late_undo_touches_nothing_else() {
    use NonceUse::{Guarded, Replaceable, Unguarded};
    // Replaced meanwhile.
    let mut guard = NonceGuard::new();
    let late = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    let _signed = guard.check(&KEY, &candidate(2, 6, 6), Replaceable).unwrap();
    guard.undo(late);
    assert_eq!(check(&mut guard, KEY, candidate(3, 7, 7), Guarded), Err(NonceError::Conflict));
    // The same transaction, but in another record.
    let mut guard = NonceGuard::new();
    let late = guard.check(&KEY, &candidate(1, 5, 5), Unguarded).unwrap();
    let _signed = guard.check(&KEY, &candidate(2, 5, 5), Unguarded).unwrap();
    let _signed = guard.check(&KEY, &candidate(1, 5, 5), Unguarded).unwrap();
    guard.undo(late);
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Ok(Outcome::Same));
    // The last to undo did not replace: the record stays.
    let mut guard = NonceGuard::new();
    let _signed = guard.check(&KEY, &candidate(1, 5, 5), Guarded).unwrap();
    let replacer = guard.check(&KEY, &candidate(2, 6, 6), Replaceable).unwrap();
    let same = guard.check(&KEY, &candidate(2, 6, 6), Replaceable).unwrap();
    guard.undo(replacer);
    guard.undo(same);
    assert_eq!(check(&mut guard, KEY, candidate(1, 5, 5), Guarded), Err(NonceError::Conflict));
    assert_eq!(check(&mut guard, KEY, candidate(3, 7, 7), Guarded), Err(NonceError::Conflict));
    assert_eq!(check(&mut guard, KEY, candidate(2, 6, 6), Replaceable), Err(NonceError::Conflict));
}

#[test]
fn the_size_of_an_entry_is_as_documented() {
    assert_eq!(size_of::<Place>() + size_of::<Record>(), 104);
    let names = serde_json::to_string(&[NonceUse::Guarded, NonceUse::Replaceable, NonceUse::Unguarded]);
    assert_eq!(names.unwrap(), r#"["guarded","replaceable","unguarded"]"#);
    assert_eq!(NonceUse::default(), NonceUse::Guarded);
}

proptest! {
    /// Under rules that guard, whatever fails in whatever order: what is signed later outbids all before, or is the same.
    #[test]
    fn signed_transactions_of_a_nonce_rise(
        steps in vec((0u8..4, 0u64..4, 0u64..4, any::<bool>(), 0u8..3, 0usize..4), 1..60),
    ) {
        let mut guard = NonceGuard::new();
        let mut open: Vec<(Claim, Candidate, Option<u64>)> = Vec::new();
        let mut signed: HashMap<Option<u64>, Vec<Candidate>> = HashMap::new();
        for (hash, fee_cap, priority, replaceable, chain, finish) in steps {
            let chain = [None, Some(1), Some(2)][usize::from(chain)];
            // The hash stands for all of the transaction.
            let hash = hash * 16 + u8::try_from(fee_cap * 4 + priority).unwrap();
            let chain_byte = chain.map_or(0, |id| u8::try_from(id).unwrap());
            let candidate = Candidate { hash: [hash ^ (chain_byte << 6); 32], ..candidate(0, fee_cap, priority) };
            let nonce_use = if replaceable { NonceUse::Replaceable } else { NonceUse::Guarded };
            if let Ok(claim) = guard.check(&on(chain, 0), &candidate, nonce_use) {
                open.push((claim, candidate, chain));
            }
            if let Some(index) = finish.checked_sub(1).filter(|index| *index < open.len()) {
                let (claim, candidate, chain) = open.swap_remove(index);
                if replaceable { guard.undo(claim) } else { signed.entry(chain).or_default().push(candidate) }
            }
        }
        for (chain, of_chain) in &signed {
            let every = signed.get(&None).into_iter().flatten().filter(|_| chain.is_some());
            let all: Vec<_> = of_chain.iter().chain(every).collect();
            for (index, one) in all.iter().enumerate() {
                for other in &all[..index] {
                    let ordered = (one.fee_cap < other.fee_cap) == (one.priority < other.priority)
                        && one.fee_cap != other.fee_cap
                        && one.priority != other.priority;
                    prop_assert!(one.hash == other.hash || ordered);
                }
            }
        }
    }
}
