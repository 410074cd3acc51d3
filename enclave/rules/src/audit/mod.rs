//! The audit log: how an enclave writes it, and how anybody checks it.
//!
//! One chain of records per boot, as JSON lines. Each record holds the SHA-256 of the line before;
//! record 0 says whose boot it is. A checkpoint is the boot's signature over the chain up to a
//! record: so a log is the enclave's own up to its last checkpoint, whoever kept it. A segment, as
//! the host stores it, is records in order and a checkpoint over the last of them.
//!
//! What no log shows by itself is an end that was cut off. For that there is [`Witness`].

mod chain;
mod checkpoint;
mod receipt;
mod record;
mod witness;

pub use chain::{Chain, MAX_SEGMENT, Verifier, verify_boot};
pub use checkpoint::{CHECKPOINT_FORMAT, Checkpoint};
pub use receipt::{Receipt, ReceiptError};
pub use record::{Boot, Record};
pub use witness::{PURPOSE, Witness, WitnessError};

use crate::hex_bytes::HexBytes;

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// There is no record at all.
    #[error("the log has no record; record 0 is missing")]
    Empty,
    /// A segment is larger than any that a host stores.
    #[error("the segment where record {sequence} should begin is larger than {MAX_SEGMENT} bytes")]
    TooLarge {
        /// The record that was to come next.
        sequence: u64,
    },
    /// A line is neither record nor checkpoint.
    #[error("where record {sequence} or its checkpoint should be is another line: {problem}")]
    Line {
        /// The record that was to come next.
        sequence: u64,
        /// What is wrong with the line.
        problem: String,
    },
    /// Records are not there.
    #[error("records {first} to {last} are missing")]
    Missing {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// A record comes again, or out of order.
    #[error("record {found} stands where record {expected} should be: records were repeated or reordered")]
    OutOfOrder {
        /// The record that was to come next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The link to the record before does not hold.
    #[error("record {sequence} does not hold the digest of the record before it: one of the two was changed")]
    Broken {
        /// The record that holds another digest.
        sequence: u64,
    },
    /// Record 0 is not the one that this boot began with.
    #[error("record 0 is not the beginning of this boot: {0}")]
    Beginning(String),
    /// A checkpoint is not over the record before it.
    #[error("the checkpoint after record {sequence} is not over it: {problem}")]
    Checkpoint {
        /// The record before the checkpoint.
        sequence: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A checkpoint is not signed by the boot.
    #[error("the checkpoint after record {sequence} is not signed by the boot's identity key")]
    Signature {
        /// The record before the checkpoint.
        sequence: u64,
    },
    /// A segment without its checkpoint is followed by another.
    #[error("the checkpoint after record {sequence} is missing")]
    CheckpointMissing {
        /// The record before the place where it should be.
        sequence: u64,
    },
    /// What was handed out or witnessed is of another boot.
    #[error("it is about boot {found}, and this is the log of boot {expected}")]
    OtherBoot {
        /// The boot of the log.
        expected: HexBytes<16>,
        /// The boot that is spoken of.
        found: HexBytes<16>,
    },
    /// What was handed out or witnessed is beyond the log's end.
    #[error("record {sequence} was made, and the log ends before it: its end was cut off or not stored")]
    Truncated {
        /// The record that is known to have been made.
        sequence: u64,
    },
    /// The log has another record in that place.
    #[error("record {sequence} of the log is not the one that was made: the log is another")]
    OtherRecord {
        /// Which record.
        sequence: u64,
    },
}

#[cfg(test)]
mod tests;
