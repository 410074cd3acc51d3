//! How the audit log leaves the enclave: pages and checkpoints to the host, witnesses to KMS's log.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use signer_rules::{
    audit::{CHECKPOINT_FORMAT, Checkpoint, Witness},
    configuration::SignedConfiguration,
};
use signer_shared::message::AuditStatus;
use tokio::time::timeout;

use super::{Configured, Enclave, State};
use crate::audit::{Head, NeverGiven, NotStored, Page};

/// For one witness: a recipient key, and a call with its retries.
const WITNESS_LIMIT: Duration = Duration::from_secs(40);

/// How long the host may take to store a record before the newest one is witnessed, and not the last that it has.
const STORING: Duration = Duration::from_secs(10);

/// What KMS's log was told.
#[derive(Default)]
pub(super) struct Witnessed {
    /// Sequence number of the last record that it was told of.
    sequence: Option<u64>,
    /// When it was last tried.
    tried: Option<Instant>,
    /// Why the last try failed.
    failure: Option<String>,
}

/// Why the host gets no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It claims to have what it was never given.
    #[error(transparent)]
    NeverGiven(#[from] NeverGiven),
    /// There is no configuration, hence no record.
    #[error("the enclave has no configuration yet")]
    NotConfigured,
}

impl Enclave {
    /// Whether something may be decided, which makes a record.
    pub fn may_record(&self, configured: &Configured) -> Result<(), NotStored> {
        let settings = configured.configuration.configuration.audit;
        self.audit.may_sign(Duration::from_secs(settings.longest_unstored_s.into()))
    }

    /// Takes the host's word for what it has stored, and gives it what comes next.
    pub fn audit_page(&self, after: Option<u64>) -> Result<Page, PageError> {
        let state = self.state();
        let configured = state.configured().ok_or(PageError::NotConfigured)?;
        Ok(self.audit.page(after, |head| self.checkpoint(&configured.configuration, head))?)
    }

    /// Without time there is no checkpoint, and no decision either.
    fn checkpoint(&self, configuration: &SignedConfiguration, head: Head) -> Option<String> {
        let checkpoint = Checkpoint {
            format: CHECKPOINT_FORMAT.to_owned(),
            authority: configuration.authority,
            boot_id: self.identity.boot_id(),
            sequence: head.sequence,
            head: head.digest,
            time: self.clock.now().ok()?,
        };
        checkpoint.to_line(|message| signer_rules::hex_bytes::HexBytes(self.identity.sign(message)))
    }

    /// Leaves a witness in KMS's log if one is due: once when ready, then as often as the configuration says while there
    /// are new records. A failure is loud, and stops nothing: KMS's log is for those who come later.
    pub async fn witness_if_due(&self) {
        let State::Ready(ready) = self.state() else { return };
        let configuration = &ready.configured.configuration;
        let Some(head) = self.audit.to_witness(STORING) else { return };
        let period = Duration::from_secs(configuration.configuration.audit.witness_s.into());
        if !self.witnessed().is_due(head.sequence, period) {
            return;
        }
        let Some(key) = configuration.configuration.kms.shares.first().and_then(|share| share.keys.first())
        else {
            return;
        };
        let witness = Witness {
            authority: configuration.authority,
            boot_id: self.identity.boot_id(),
            sequence: head.sequence,
            head: head.digest,
        };
        self.witnessed().tried = Some(Instant::now());
        let failure = match timeout(WITNESS_LIMIT, self.kms.leave_witness(key, &witness)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some((error.to_string(), error.operator_text())),
            Err(_) => Some(("KMS took too long".to_owned(), "KMS took too long".to_owned())),
        };
        if let Some((_, text)) = &failure {
            self.events.error("witness_failed", &[("sequence", &head.sequence), ("cause", text)]);
        }
        let mut witnessed = self.witnessed();
        if failure.is_none() {
            witnessed.sequence = Some(head.sequence);
        }
        witnessed.failure = failure.map(|(problem, _)| problem);
    }

    pub(super) fn audit_status(&self, configured: Option<&Configured>) -> AuditStatus {
        let not_stored = configured.and_then(|configured| self.may_record(configured).err());
        let witnessed = self.witnessed();
        let not_witnessed =
            witnessed.failure.as_ref().map(|failure| format!("no witness in the log of KMS: {failure}"));
        AuditStatus {
            stored: self.audit.stored().map(|stored| stored.sequence),
            witnessed: witnessed.sequence,
            problem: not_stored.map(|error| error.to_string()).or(not_witnessed),
        }
    }

    fn witnessed(&self) -> std::sync::MutexGuard<'_, Witnessed> {
        self.witnessed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witnessed {
    fn is_due(&self, head: u64, period: Duration) -> bool {
        self.sequence != Some(head) && self.tried.is_none_or(|tried| tried.elapsed() >= period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_due_at_once_and_then_for_new_records() {
        let (short, long) = (Duration::ZERO, Duration::from_mins(1));
        let mut witnessed = Witnessed::default();
        assert!(witnessed.is_due(0, long));
        witnessed.tried = Some(Instant::now());
        assert!(!witnessed.is_due(0, long), "a failure is tried again in time");
        assert!(witnessed.is_due(0, short));
        witnessed.sequence = Some(3);
        assert!(!witnessed.is_due(3, short), "nothing is new");
        assert!(!witnessed.is_due(4, long) && witnessed.is_due(4, short));
    }
}
