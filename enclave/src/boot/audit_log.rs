//! How the audit log leaves the enclave: pages and checkpoints to the host, witnesses to KMS's log.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use signer_rules::{
    audit::{CHECKPOINT_FORMAT, Checkpoint, Witness},
    configuration::SignedConfiguration,
};
use signer_shared::message::{AuditStatus, Phase};
use tokio::time::timeout;

use super::{Configured, Enclave, State};
use crate::audit::{Head, NeverGiven, NotStored, Page};

/// For one witness: a recipient key, and a call with its retries.
const WITNESS_LIMIT: Duration = Duration::from_secs(40);

/// How long the host may take to store a record before the newest one is witnessed, and not the last that it has.
const STORING: Duration = Duration::from_secs(10);

/// How soon a witness that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// What KMS's log was told.
#[derive(Default)]
pub(super) struct Witnessed {
    /// Sequence number of the last record that it was told of.
    sequence: Option<u64>,
    /// Since when there are records that it was not told of.
    behind: Option<Instant>,
    /// When it was last tried.
    tried: Option<Instant>,
    /// Why the last try failed.
    failure: Option<String>,
    /// Which of the configuration's keys worked last, counted through all shares.
    key: usize,
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
    /// Whether a client's request may be decided: it must leave a record, and KMS's log must not lack a witness for long.
    pub fn may_decide(&self, configured: &Configured) -> Result<(), NotStored> {
        self.may_record(configured)?;
        let longest = configured.configuration.configuration.audit.longest_unwitnessed_s;
        let head = self.audit.head().sequence;
        self.witnessed().may_go_on(head, Duration::from_secs(longest.into()), Instant::now())
    }

    /// Whether something may be done that makes a record.
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
        // A record is behind from now on, whether or not anybody asks for something.
        let _ = self.may_decide(&ready.configured);
        let Some(head) = self.audit.to_witness(STORING) else { return };
        let audit = configuration.configuration.audit;
        let period = Duration::from_secs(audit.witness_s.into());
        // What comes after a witness is witnessed by the next: that must be in time.
        let half = Duration::from_secs(u64::from(audit.longest_unwitnessed_s / 2));
        if !self.witnessed().is_due(head.sequence, period.min(half)) {
            return;
        }
        let witness = Witness {
            authority: configuration.authority,
            boot_id: self.identity.boot_id(),
            sequence: head.sequence,
            head: head.digest,
        };
        let started = Instant::now();
        self.witnessed().tried = Some(started);
        let mut failure = None;
        // Any key's log will do: losing a Region must not stop everything, nor be waited for each time.
        let keys: Vec<_> =
            configuration.configuration.kms.shares.iter().flat_map(|share| &share.keys).enumerate().collect();
        let last = self.witnessed().key;
        let (before, from) = keys.split_at(last.min(keys.len()));
        for (number, key) in from.iter().chain(before).copied() {
            failure = match timeout(WITNESS_LIMIT, self.kms.leave_witness(key, &witness)).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((error.to_string(), error.operator_text())),
                Err(_) => Some(("KMS took too long".to_owned(), "KMS took too long".to_owned())),
            };
            let Some((_, text)) = &failure else {
                self.witnessed().key = number;
                break;
            };
            self.events.error("witness_failed", &[("sequence", &head.sequence), ("cause", text)]);
        }
        let newest = self.audit.head().sequence;
        let mut witnessed = self.witnessed();
        if failure.is_none() {
            witnessed.succeeded(head.sequence, newest, started);
        }
        witnessed.failure = failure.map(|(problem, _)| problem);
    }

    pub(super) fn audit_status(&self, configured: Option<&Configured>) -> AuditStatus {
        let not_stored = configured.and_then(|configured| match self.state().phase() {
            Phase::Ready => self.may_decide(configured).err(),
            Phase::Booting | Phase::Configured => self.may_record(configured).err(),
        });
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
        let pause = if self.failure.is_some() { period.min(RETRY) } else { period };
        self.sequence != Some(head) && self.tried.is_none_or(|tried| tried.elapsed() >= pause)
    }

    /// Whether the records up to `head` are witnessed, or not for long.
    fn may_go_on(&mut self, head: u64, longest: Duration, now: Instant) -> Result<(), NotStored> {
        if self.sequence.is_some_and(|witnessed| witnessed >= head) {
            self.behind = None;
            return Ok(());
        }
        let behind = now.saturating_duration_since(*self.behind.get_or_insert(now));
        if behind > longest { Err(NotStored::NotWitnessed(behind.as_secs())) } else { Ok(()) }
    }

    /// A witness that was asked for at `started` names record `sequence`; what came after it is behind since then.
    fn succeeded(&mut self, sequence: u64, newest: u64, started: Instant) {
        self.sequence = Some(sequence);
        self.behind = (newest > sequence).then_some(started);
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

    #[test]
    fn a_witness_that_failed_is_tried_again_soon() {
        let ago = |duration| Instant::now().checked_sub(duration);
        let long = Duration::from_mins(10);
        let mut witnessed = Witnessed { tried: ago(RETRY), ..Witnessed::default() };
        assert!(!witnessed.is_due(1, long));
        witnessed.failure = Some("KMS took too long".to_owned());
        assert!(witnessed.is_due(1, long));
        witnessed.tried = Some(Instant::now());
        assert!(!witnessed.is_due(1, long));
    }

    #[test]
    fn without_witnesses_nothing_goes_on_for_long() {
        let (start, longest) = (Instant::now(), Duration::from_mins(1));
        let at = |seconds| start.checked_add(Duration::from_secs(seconds)).unwrap();
        let mut witnessed = Witnessed::default();
        assert_eq!(witnessed.may_go_on(2, longest, at(0)), Ok(()));
        assert_eq!(witnessed.may_go_on(5, longest, at(60)), Ok(()));
        assert_eq!(witnessed.may_go_on(5, longest, at(61)), Err(NotStored::NotWitnessed(61)));
        // A witness of some of it: the rest is as old as the witness.
        witnessed.succeeded(4, 5, at(100));
        assert_eq!(witnessed.may_go_on(5, longest, at(160)), Ok(()));
        assert_eq!(witnessed.may_go_on(5, longest, at(161)), Err(NotStored::NotWitnessed(61)));
        // A quiet enclave is not behind, however long ago its last witness is.
        witnessed.succeeded(5, 5, at(170));
        assert_eq!(witnessed.may_go_on(5, longest, at(9_000)), Ok(()));
        assert_eq!(witnessed.may_go_on(6, longest, at(9_001)), Ok(()));
        assert_eq!(witnessed.may_go_on(7, longest, at(9_062)), Err(NotStored::NotWitnessed(61)));
    }
}
