//! Limits over rolling windows: how much was signed lately, in memory of a fixed size.
//!
//! **What is promised.** Of one limit and scope, what is reserved in any `window_s` seconds, wherever they begin, is never
//! more than `most`. Amounts are kept in [`BUCKETS`] buckets a window, and a bucket counts as long as any part of it is
//! inside: an amount counts for at most 1/64 of the window longer than it has to, never shorter. Time that goes backwards
//! stands still.
//!
//! **What is not known does not count as nothing.** A history begins when the enclave boots or, for a limit that a later
//! bundle brought, when that bundle came into force ([`Limits::in_force`]). Until it is as long as the window, a limit that
//! is closed after a restart holds nothing.
//!
//! **Bundles.** A limit is recognised by its rule's id, its place in the rule and its own JSON ([`LimitId`]). A bundle that
//! keeps all three keeps the history, whatever else it changes. A bundle that changes one of them makes a new limit, and
//! its history begins then, as after a restart: nobody gains a second budget by pushing a bundle, unless the limit says
//! `"after_restart": "open"`, or the limit is removed. Both are in plain sight of the quorum that signs.

#[cfg(test)]
mod tests;
mod window;

use std::collections::{BTreeSet, HashMap};

use ruint::aliases::U256;
use sha2::{Digest, Sha256};

use crate::name::Name;
pub use window::BUCKETS;
use window::Window;

/// The most histories, one for each limit and scope that something was reserved in.
pub const MAX_KEYS: usize = 100_000;
/// The most buckets of all histories: 40 bytes each, twice that while a history grows. Together with the keys, 120 MB.
pub const MAX_BUCKETS: usize = 1_000_000;

/// Names a limit across bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitId([u8; 32]);

/// Names one history: a limit and, say, a client. SHA-256, so that it is short whatever the scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    limit: LimitId,
    digest: [u8; 32],
}

/// Whose amounts are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everybody's.
    Rule,
    /// Each client's.
    Client(&'a Name),
    /// Each wallet's, by its id.
    Wallet(&'a [u8]),
    /// Each account's, by its address or public key.
    Account(&'a [u8]),
}

/// What a request would use of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The history.
    pub key: Key,
    /// The length of the window, in seconds.
    pub window_s: u64,
    /// What may be reserved in a window.
    pub most: U256,
    /// What this request takes of it.
    pub amount: U256,
    /// Whether a history that is shorter than the window is taken for all there was.
    pub after_restart_open: bool,
}

/// What was reserved. Dropping it leaves it counted: [`Limits::release`] is only for what was certainly not signed.
#[derive(Debug)]
#[must_use = "what is not signed is to be released"]
pub struct Reservation(Vec<Reserved>);

#[derive(Debug)]
struct Reserved {
    id: HistoryId,
    /// The history's, so that nothing is taken from another of the same name.
    serial: u64,
    bucket: u64,
    amount: U256,
}

/// The answer to what exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Which of the wanted.
    pub index: usize,
    /// When the same request would pass, in milliseconds from now, if nothing else is reserved; `None`: not by waiting,
    /// or unknown.
    pub retry_after_ms: Option<u64>,
    /// Why.
    pub reason: Reason,
}

/// Why a limit does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The window is used up.
    #[error("the limit is used up")]
    Exceeded,
    /// What happened before is unknown for a part of the window.
    #[error("the limit is closed until its window has passed since the restart, or since it was changed")]
    Closed,
    /// No bundle in force has the limit.
    #[error("the limit is not in force")]
    NotInForce,
    /// [`MAX_KEYS`] or [`MAX_BUCKETS`].
    #[error("there is no room to count more: too many limits are in use")]
    Full,
}

/// All histories.
#[derive(Debug)]
pub struct Limits {
    /// The latest time that was given.
    now_ms: u64,
    started_ms: u64,
    /// Since when each limit in force is counted; `None` before the first bundle.
    since: Option<HashMap<LimitId, u64>>,
    histories: HashMap<HistoryId, History>,
    /// When each history is empty.
    expiries: BTreeSet<(u64, HistoryId)>,
    buckets: usize,
    next_serial: u64,
    max_keys: usize,
    max_buckets: usize,
}

/// Digest of limit and scope, and the window: it is part of the limit, and here of the name, so that no caller mixes
/// buckets of different lengths.
type HistoryId = ([u8; 32], u64);

#[derive(Debug)]
struct History {
    limit: LimitId,
    serial: u64,
    window: Window,
}

impl LimitId {
    /// The limit at this place of the rule, with its JSON as the bundle's type writes it.
    pub fn new(rule: &Name, index: usize, json: &[u8]) -> Self {
        let index = u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes();
        Self(digest(b"nitro-signer/limit/v1", &[rule.as_str().as_bytes(), &index, json]))
    }

    /// The history of the limit in this scope.
    pub fn key(self, scope: &Scope<'_>) -> Key {
        let (kind, id): (&[u8], &[u8]) = match scope {
            Scope::Rule => (b"rule", &[]),
            Scope::Client(name) => (b"client", name.as_str().as_bytes()),
            Scope::Wallet(id) => (b"wallet", id),
            Scope::Account(id) => (b"account", id),
        };
        Key { limit: self, digest: digest(b"nitro-signer/limit-scope/v1", &[&self.0, kind, id]) }
    }
}

impl Limits {
    /// For an enclave that booted at `started_ms`. Nothing is in force yet.
    pub fn new(started_ms: u64) -> Self {
        Self::with_capacity(started_ms, MAX_KEYS, MAX_BUCKETS)
    }

    fn with_capacity(started_ms: u64, max_keys: usize, max_buckets: usize) -> Self {
        Self {
            now_ms: started_ms,
            started_ms,
            since: None,
            histories: HashMap::new(),
            expiries: BTreeSet::new(),
            buckets: 0,
            next_serial: 0,
            max_keys,
            max_buckets,
        }
    }

    /// These limits are in force from now on, and no others. To be called with every bundle, before it decides anything.
    ///
    /// Limits of the bundle before keep their history; those of the first bundle have it since the boot, as nothing was
    /// signed before; any other begins now. What is no longer in force is forgotten: should it come back, what happened
    /// meanwhile was not counted.
    pub fn in_force(&mut self, now_ms: u64, limits: impl IntoIterator<Item = LimitId>) {
        self.advance(now_ms);
        let (before, otherwise) = match self.since.take() {
            None => (HashMap::new(), self.started_ms),
            Some(before) => (before, self.now_ms),
        };
        let since = |limit| (limit, before.get(&limit).copied().unwrap_or(otherwise));
        let now: HashMap<LimitId, u64> = limits.into_iter().map(since).collect();
        let gone = self.histories.iter().filter(|(_, history)| !now.contains_key(&history.limit));
        let gone: Vec<HistoryId> = gone.map(|(id, _)| *id).collect();
        for id in &gone {
            self.remove(id);
        }
        self.since = Some(now);
    }

    /// Takes all of what is wanted, or nothing.
    pub fn reserve(&mut self, now_ms: u64, wanted: &[Wanted]) -> Result<Reservation, Refused> {
        self.advance(now_ms);
        let mut reservation = Reservation(Vec::with_capacity(wanted.len()));
        for (index, one) in wanted.iter().enumerate() {
            match self.reserve_one(one) {
                Ok(reserved) => reservation.0.extend(reserved),
                Err((reason, retry_after_ms)) => {
                    self.release(reservation);
                    return Err(Refused { index, retry_after_ms, reason });
                }
            }
        }
        Ok(reservation)
    }

    /// Gives back what was reserved for a request that nothing was signed for.
    pub fn release(&mut self, reservation: Reservation) {
        for reserved in reservation.0 {
            let Some(history) = self.histories.get_mut(&reserved.id) else { continue };
            if history.serial != reserved.serial {
                continue;
            }
            let before = history.window.expires_ms();
            let freed = history.window.take_back(reserved.bucket, reserved.amount);
            let after = history.window.expires_ms();
            self.buckets = self.buckets.saturating_sub(freed);
            if let (Some(expires), true) = (before, before != after) {
                self.expiries.remove(&(expires, reserved.id));
                match after {
                    Some(expires) => drop(self.expiries.insert((expires, reserved.id))),
                    None => drop(self.histories.remove(&reserved.id)),
                }
            }
        }
    }

    /// How many histories there are.
    pub fn len(&self) -> usize {
        self.histories.len()
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.histories.is_empty()
    }

    fn reserve_one(&mut self, wanted: &Wanted) -> Result<Option<Reserved>, (Reason, Option<u64>)> {
        let since = self.since.as_ref().and_then(|since| since.get(&wanted.key.limit).copied());
        let since = since.ok_or((Reason::NotInForce, None))?;
        let whole_ms = since.saturating_add(wanted.window_s.saturating_mul(1000));
        if !wanted.after_restart_open && self.now_ms < whole_ms {
            return Err((Reason::Closed, Some(whole_ms.saturating_sub(self.now_ms))));
        }
        let id = (wanted.key.digest, wanted.window_s);
        let now_ms = self.now_ms;
        let exceeded =
            |retry_at: Option<u64>| (Reason::Exceeded, retry_at.map(|at| at.saturating_sub(now_ms)));
        let free_keys = self.max_keys.saturating_sub(self.histories.len());
        let Some(history) = self.histories.get_mut(&id) else {
            if wanted.amount > wanted.most {
                return Err(exceeded(None));
            }
            if wanted.amount.is_zero() {
                return Ok(None);
            }
            if free_keys == 0 || self.buckets >= self.max_buckets {
                return Err((Reason::Full, None));
            }
            self.next_serial = self.next_serial.saturating_add(1);
            let history = History {
                limit: wanted.key.limit,
                serial: self.next_serial,
                window: Window::new(wanted.window_s),
            };
            self.histories.insert(id, history);
            return Ok(self.add(id, wanted.amount));
        };
        self.buckets = self.buckets.saturating_sub(history.window.expire(self.now_ms));
        history.window.fits(wanted.amount, wanted.most).map_err(exceeded)?;
        if wanted.amount.is_zero() {
            return Ok(None);
        }
        if self.buckets >= self.max_buckets && history.window.needs_bucket(self.now_ms) {
            return Err((Reason::Full, None));
        }
        Ok(self.add(id, wanted.amount))
    }

    fn add(&mut self, id: HistoryId, amount: U256) -> Option<Reserved> {
        let history = self.histories.get_mut(&id)?;
        if history.window.needs_bucket(self.now_ms) {
            if let Some(expires) = history.window.expires_ms() {
                self.expiries.remove(&(expires, id));
            }
            self.buckets = self.buckets.saturating_add(1);
        }
        let bucket = history.window.add(self.now_ms, amount);
        if let Some(expires) = history.window.expires_ms() {
            self.expiries.insert((expires, id));
        }
        Some(Reserved { id, serial: history.serial, bucket, amount })
    }

    /// Time passes, and histories that have become empty go.
    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        while let Some((expires, id)) = self.expiries.first().copied()
            && expires <= self.now_ms
        {
            self.remove(&id);
            self.expiries.remove(&(expires, id));
        }
    }

    fn remove(&mut self, id: &HistoryId) {
        let Some(history) = self.histories.remove(id) else { return };
        self.buckets = self.buckets.saturating_sub(history.window.len());
        if let Some(expires) = history.window.expires_ms() {
            self.expiries.remove(&(expires, *id));
        }
    }
}

/// Each part preceded by its length.
fn digest(context: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(context);
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
