//! Checkpoints: when one is due, and what the host gets under it.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use signer_rules::hex_bytes::HexBytes;

use super::{Head, Page, chain::Waiting};

/// How often a checkpoint is made of fewer records than a full page.
const PERIOD: Duration = Duration::from_secs(1);

/// The last checkpoint, which is made again for nobody: whoever asks once more gets the same.
#[derive(Default)]
pub(super) struct Sealed(Option<Last>);

struct Last {
    sequence: u64,
    line: String,
    made: Instant,
}

impl Sealed {
    /// Sequence number of the last record that a checkpoint covers: what the host can have.
    pub(super) fn sequence(&self) -> Option<u64> {
        self.0.as_ref().map(|last| last.sequence)
    }

    /// The records that wait, as far as there is or may be a checkpoint over them.
    pub(super) fn page(&mut self, waiting: Waiting, seal: impl FnOnce(Head) -> Option<String>) -> Page {
        let Waiting { first, mut records, full } = waiting;
        let Some(newest) = records.last() else { return Page::default() };
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let sequence = first.saturating_add(count).saturating_sub(1);
        let due = self.0.as_ref().is_none_or(|last| full || last.made.elapsed() >= PERIOD);
        if due && self.sequence().is_none_or(|last| last < sequence) {
            let digest = HexBytes(Sha256::digest(newest).into());
            let Some(line) = seal(Head { sequence, digest }) else { return Page::default() };
            self.0 = Some(Last { sequence, line, made: Instant::now() });
        }
        let Some(last) = &self.0 else { return Page::default() };
        let covered = last.sequence.checked_sub(first).map_or(0, |rest| rest.saturating_add(1));
        records.truncate(usize::try_from(covered).unwrap_or(usize::MAX));
        if records.is_empty() {
            return Page::default();
        }
        Page {
            first,
            records: records.iter().map(|record| record.to_vec()).collect(),
            checkpoint: Some(last.line.clone()),
        }
    }
}
