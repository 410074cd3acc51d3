//! The records that the host has not stored yet, and the digest that ties them together.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use signer_rules::hex_bytes::HexBytes;

use super::{Head, KEPT};

/// Why nothing may be decided now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The host has too much to store.
    #[error(
        "the host has {0} records of the audit log to store, which is too many; nothing is signed until it has"
    )]
    Full(usize),
    /// The host has not stored something for too long.
    #[error(
        "the host has not stored the audit log for {0} s, which is too long; nothing is signed until it has"
    )]
    Late(u64),
    /// KMS's log has no witness of what was decided.
    #[error(
        "no witness of the audit log reached KMS for {0} s, which is too long; nothing is signed until one does"
    )]
    NotWitnessed(u64),
}

/// The host says that it has stored what it was never given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit record {0} was never handed out")]
pub struct NeverGiven(pub u64);

/// A chain, and the records at its end.
#[derive(Default)]
pub(super) struct Chain {
    /// Sequence number of the next record.
    next: u64,
    head: [u8; 32],
    /// Sequence number of the first record that is kept: as many are stored.
    first: u64,
    /// SHA-256 of the record before that.
    stored: [u8; 32],
    kept: VecDeque<Kept>,
}

struct Kept {
    bytes: Arc<[u8]>,
    made: Instant,
}

/// Records in order, and whether more would not have fitted.
pub(super) struct Waiting {
    /// Sequence number of the first.
    pub(super) first: u64,
    pub(super) records: Vec<Arc<[u8]>>,
    pub(super) full: bool,
}

impl Chain {
    /// Appends what `write` makes of the record's sequence number and the digest of the one before.
    pub(super) fn append(&mut self, write: impl FnOnce(u64, HexBytes<32>) -> Vec<u8>) -> Head {
        let sequence = self.next;
        let bytes = write(sequence, HexBytes(self.head));
        self.head = Sha256::digest(&bytes).into();
        self.next = sequence.saturating_add(1);
        self.kept.push_back(Kept { bytes: bytes.into(), made: Instant::now() });
        Head { sequence, digest: HexBytes(self.head) }
    }

    pub(super) fn head(&self) -> Head {
        Head { sequence: self.next.saturating_sub(1), digest: HexBytes(self.head) }
    }

    pub(super) fn length(&self) -> u64 {
        self.next
    }

    /// The last record that is stored.
    pub(super) fn stored(&self) -> Option<Head> {
        self.first.checked_sub(1).map(|sequence| Head { sequence, digest: HexBytes(self.stored) })
    }

    /// For how long the oldest record that is kept has waited.
    pub(super) fn waiting(&self) -> Option<Duration> {
        self.kept.front().map(|oldest| oldest.made.elapsed())
    }

    pub(super) fn may_grow(&self, longest_unstored: Duration) -> Result<(), NotStored> {
        if self.kept.len() >= KEPT {
            return Err(NotStored::Full(self.kept.len()));
        }
        match self.waiting() {
            Some(age) if age > longest_unstored => Err(NotStored::Late(age.as_secs())),
            _ => Ok(()),
        }
    }

    /// Forgets all records up to `stored`.
    pub(super) fn forget(&mut self, stored: u64) {
        while self.first <= stored
            && let Some(forgotten) = self.kept.pop_front()
        {
            self.first = self.first.saturating_add(1);
            if self.first > stored {
                self.stored = Sha256::digest(&forgotten.bytes).into();
            }
        }
    }

    /// The first records that are kept: at least one if there is one, at most `most`, and `bytes` together.
    pub(super) fn first(&self, most: usize, bytes: usize) -> Waiting {
        let mut records = Vec::new();
        let mut left = bytes;
        for kept in self.kept.iter().take(most) {
            match left.checked_sub(kept.bytes.len().saturating_add(1)) {
                Some(rest) => left = rest,
                None if records.is_empty() => left = 0,
                None => break,
            }
            records.push(kept.bytes.clone());
        }
        let full = records.len() == most || records.len() < self.kept.len();
        Waiting { first: self.first, records, full }
    }
}
