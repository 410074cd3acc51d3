//! Whether a genuine document is the one that the caller wants.

use aws_lc_rs::digest::{Context, SHA384};

use super::{Document, VerifyError};

/// How far a document's timestamp may be ahead of the caller's clock, in milliseconds: five minutes.
pub const FUTURE_TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// Separates our statements from anything else that an enclave may put into `user_data`.
const STATEMENT_DOMAIN: &[u8] = b"nitro-signer/attest/v1";

/// The PCRs that a hypervisor zeroes when the enclave runs in debug mode, where its console and memory are readable.
const DEBUG_PCRS: [u8; 3] = [0, 1, 2];

impl Document {
    /// Refuses a document of an enclave in debug mode: one where any of PCR 0, 1 and 2 is zero.
    pub fn check_not_debug(&self) -> Result<(), VerifyError> {
        for index in DEBUG_PCRS {
            if *self.pcr(index)? == [0; 48] {
                return Err(VerifyError::DebugMode { index });
            }
        }
        Ok(())
    }

    /// Refuses a document whose PCR `index` is absent or is not `expected`.
    pub fn check_pcr(&self, index: u8, expected: &[u8; 48]) -> Result<(), VerifyError> {
        let actual = self.pcr(index)?;
        if actual == expected {
            return Ok(());
        }
        Err(VerifyError::PcrMismatch { index, expected: hex::encode(expected), actual: hex::encode(actual) })
    }

    /// Refuses a document that does not carry exactly this nonce.
    pub fn check_nonce(&self, expected: &[u8]) -> Result<(), VerifyError> {
        match &self.nonce {
            Some(actual) if actual == expected => Ok(()),
            actual => Err(VerifyError::NonceMismatch {
                expected: hex::encode(expected),
                actual: shown(actual.as_deref()),
            }),
        }
    }

    /// Refuses a document older than `max_age_ms`, or more than [`FUTURE_TOLERANCE_MS`] ahead of `now_ms`. All are in
    /// milliseconds, `now_ms` since 1970.
    pub fn check_age(&self, now_ms: u64, max_age_ms: u64) -> Result<(), VerifyError> {
        let ahead_ms = self.timestamp_ms.saturating_sub(now_ms);
        if ahead_ms > FUTURE_TOLERANCE_MS {
            return Err(VerifyError::FromFuture { ahead_ms });
        }
        let age_ms = now_ms.saturating_sub(self.timestamp_ms);
        if age_ms > max_age_ms {
            return Err(VerifyError::TooOld { age_ms, max_age_ms });
        }
        Ok(())
    }

    /// Refuses a document whose `user_data` is not the [`statement_digest`] of `statement`.
    pub fn check_statement(&self, statement: &[u8]) -> Result<(), VerifyError> {
        let expected = statement_digest(statement);
        match &self.user_data {
            Some(actual) if *actual == expected => Ok(()),
            actual => Err(VerifyError::StatementMismatch {
                expected: hex::encode(expected),
                actual: shown(actual.as_deref()),
            }),
        }
    }

    fn pcr(&self, index: u8) -> Result<&[u8; 48], VerifyError> {
        self.pcrs.get(&index).ok_or(VerifyError::PcrAbsent { index })
    }
}

/// What `user_data` holds for a statement: SHA-384 of `"nitro-signer/attest/v1"`, then the statement's exact bytes.
pub fn statement_digest(statement: &[u8]) -> [u8; 48] {
    sha384(&[STATEMENT_DOMAIN, statement])
}

/// The value of a PCR that was zero and then extended once with `data`: SHA-384 of 48 zero bytes, then `data`.
pub fn pcr_after_extend(data: &[u8]) -> [u8; 48] {
    sha384(&[&[0; 48], data])
}

fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut context = Context::new(&SHA384);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 48];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn shown(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "none".to_owned(), hex::encode)
}
