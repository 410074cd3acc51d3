//! From segments to a chain that is the boot's own, or to the first thing that is wrong.

use ed25519_dalek::VerifyingKey;

use super::{
    AuditError, Receipt, Witness,
    checkpoint::{Checkpoint, LineError},
    record::{Boot, Record},
};
use crate::{authority::AuthorityId, hex_bytes::HexBytes};

/// The largest segment, in bytes: the largest object that a host stores.
pub const MAX_SEGMENT: usize = 1024 * 1024;

/// A log that was checked from its first record on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What record 0 says.
    pub boot: Boot,
    /// The last checkpoint; none if not even the first segment has one.
    pub checkpoint: Option<Checkpoint>,
    /// Records after the last checkpoint. Nobody signed them: an honest host stores none.
    pub unsealed: u64,
    /// SHA-256 of each record, by sequence number; 32 bytes each is all that is kept.
    digests: Vec<HexBytes<32>>,
}

/// Checks one segment after the other, so that a log need not fit in memory.
pub struct Verifier {
    key: VerifyingKey,
    identity_key: HexBytes<32>,
    authority: AuthorityId,
    boot_id: HexBytes<16>,
    boot: Option<Boot>,
    checkpoint: Option<Checkpoint>,
    digests: Vec<HexBytes<32>>,
    unsealed: u64,
}

/// Checks the log of one boot: all of its segments, in order. The key and the names come from the
/// boot's attested statement.
pub fn verify_boot<'a>(
    segments: impl IntoIterator<Item = &'a [u8]>,
    identity_key: HexBytes<32>,
    authority: AuthorityId,
    boot_id: HexBytes<16>,
) -> Result<Chain, AuditError> {
    let mut verifier = Verifier::new(identity_key, authority, boot_id)?;
    for segment in segments {
        verifier.segment(segment)?;
    }
    verifier.finish()
}

impl Verifier {
    /// For the boot of an attested statement.
    pub fn new(
        identity_key: HexBytes<32>,
        authority: AuthorityId,
        boot_id: HexBytes<16>,
    ) -> Result<Self, AuditError> {
        let key = VerifyingKey::from_bytes(&identity_key.0)
            .map_err(|_| AuditError::Beginning("the identity key is not a key".to_owned()))?;
        let (boot, checkpoint, digests) = (None, None, Vec::new());
        Ok(Self { key, identity_key, authority, boot_id, boot, checkpoint, digests, unsealed: 0 })
    }

    /// Checks the next segment and returns its records. After an error nothing more can be said.
    pub fn segment(&mut self, segment: &[u8]) -> Result<Vec<Record>, AuditError> {
        if self.unsealed > 0 {
            return Err(AuditError::CheckpointMissing { sequence: self.newest() });
        }
        if segment.len() > MAX_SEGMENT {
            return Err(AuditError::TooLarge { sequence: self.next() });
        }
        let text = std::str::from_utf8(segment).map_err(|_| self.line("it is not UTF-8"))?;
        let text = text.strip_suffix('\n').ok_or_else(|| self.line("it does not end with a line break"))?;
        let mut records = Vec::new();
        let mut sealed = false;
        for line in text.split('\n') {
            if sealed {
                return Err(self.line("a checkpoint is the last line of a segment"));
            }
            if Checkpoint::is_meant(line) {
                self.seal(line)?;
                sealed = true;
            } else {
                records.push(self.append(line)?);
            }
        }
        Ok(records)
    }

    /// The chain, once there are no more segments.
    pub fn finish(self) -> Result<Chain, AuditError> {
        let boot = self.boot.ok_or(AuditError::Empty)?;
        Ok(Chain { boot, checkpoint: self.checkpoint, unsealed: self.unsealed, digests: self.digests })
    }

    fn append(&mut self, line: &str) -> Result<Record, AuditError> {
        let record = Record::parse(line).map_err(|problem| self.line(problem))?;
        let expected = self.next();
        if record.sequence > expected {
            let last = record.sequence.saturating_sub(1);
            return Err(AuditError::Missing { first: expected, last });
        }
        if record.sequence < expected {
            return Err(AuditError::OutOfOrder { expected, found: record.sequence });
        }
        if record.previous != self.digests.last().copied().unwrap_or(HexBytes([0; 32])) {
            return Err(AuditError::Broken { sequence: expected });
        }
        if self.boot.is_none() {
            self.boot = Some(self.beginning(&record)?);
        }
        self.digests.push(record.digest);
        self.unsealed = self.unsealed.saturating_add(1);
        Ok(record)
    }

    fn beginning(&self, record: &Record) -> Result<Boot, AuditError> {
        let wrong = |problem: &str| AuditError::Beginning(problem.to_owned());
        if record.kind != "boot" {
            return Err(wrong("it is no boot record"));
        }
        let boot: Boot =
            serde_json::from_str(record.entry.get()).map_err(|error| wrong(&error.to_string()))?;
        if boot.boot_id != self.boot_id {
            return Err(wrong("it is of another boot"));
        }
        if boot.authority != self.authority {
            return Err(wrong("it is of another authority"));
        }
        if boot.identity_key != self.identity_key {
            return Err(wrong("it names another identity key"));
        }
        Ok(boot)
    }

    fn seal(&mut self, line: &str) -> Result<(), AuditError> {
        let sequence = self.newest();
        let wrong = |problem| Err(AuditError::Checkpoint { sequence, problem });
        let checkpoint = Checkpoint::verify(line, &self.key).map_err(|error| match error {
            LineError::Malformed(problem) => self.line(problem),
            LineError::Signature => AuditError::Signature { sequence },
        })?;
        if self.unsealed == 0 {
            return wrong("there is no record before it in its segment");
        }
        if (checkpoint.authority, checkpoint.boot_id) != (self.authority, self.boot_id) {
            return wrong("it is of another boot");
        }
        if checkpoint.sequence != sequence {
            return wrong("it is over another record; records were dropped, added or moved");
        }
        if Some(&checkpoint.head) != self.digests.last() {
            return wrong("the record was changed");
        }
        self.checkpoint = Some(checkpoint);
        self.unsealed = 0;
        Ok(())
    }

    fn next(&self) -> u64 {
        length(&self.digests)
    }

    fn newest(&self) -> u64 {
        self.next().saturating_sub(1)
    }

    fn line(&self, problem: impl Into<String>) -> AuditError {
        AuditError::Line { sequence: self.next(), problem: problem.into() }
    }
}

impl Chain {
    /// How many records there are.
    pub fn length(&self) -> u64 {
        length(&self.digests)
    }

    /// SHA-256 of a record.
    pub fn digest(&self, sequence: u64) -> Option<HexBytes<32>> {
        self.digests.get(usize::try_from(sequence).ok()?).copied()
    }

    /// Whether the record that a client was given a receipt for is in the log.
    pub fn check_receipt(&self, receipt: &Receipt) -> Result<(), AuditError> {
        self.check(receipt.boot_id, receipt.sequence, receipt.digest)
    }

    /// Whether what KMS's log has of this boot is in the log too.
    pub fn check_witness(&self, witness: &Witness) -> Result<(), AuditError> {
        self.check(witness.boot_id, witness.sequence, witness.head)
    }

    fn check(&self, boot_id: HexBytes<16>, sequence: u64, digest: HexBytes<32>) -> Result<(), AuditError> {
        if boot_id != self.boot.boot_id {
            return Err(AuditError::OtherBoot { expected: self.boot.boot_id, found: boot_id });
        }
        match self.digest(sequence) {
            Some(found) if found == digest => Ok(()),
            Some(_) => Err(AuditError::OtherRecord { sequence }),
            None => Err(AuditError::Truncated { sequence }),
        }
    }
}

fn length(digests: &[HexBytes<32>]) -> u64 {
    u64::try_from(digests.len()).unwrap_or(u64::MAX)
}
