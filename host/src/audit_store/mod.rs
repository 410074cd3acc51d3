//! Takes the audit log out of the enclave, and keeps it.
//!
//! The enclave gives records with a checkpoint over the last of them; together they are a segment,
//! stored as `audit/{boot}/{first sequence}` and never changed. What the store has is what the
//! enclave is told, and only then does it forget: a host that stores nothing soon signs nothing. The
//! boot's attestation, by which anybody can check the segments, is stored as `boot/{boot}`.
//!
//! The host reads none of it. Whoever lies to the enclave here has a log with a gap or without an
//! end, and `signerctl audit verify` says so.

mod segment;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::json;
use signer_shared::message::{Phase, Request, Response};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use self::segment::{AUDIT_PREFIX, Segment, last_of, segment_name};
use crate::{
    enclave_link::{EnclaveLink, ExchangeError},
    lifecycle::Stop,
    object_store::{ObjectStore, Put, StoreError},
};

/// Where the store has boots' attestations.
pub const BOOT_PREFIX: &str = "boot/";

/// How often the enclave is asked for records.
const PERIOD: Duration = Duration::from_millis(500);
/// How often while records come fast.
const BUSY_PERIOD: Duration = Duration::from_millis(50);
/// Records that wait in the enclave when they come fast.
const BUSY: u64 = 250;
/// For one answer of the enclave.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// For one look into the store, or one segment to be stored.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// Names of segments asked for at a time.
const PAGE: usize = 256;

/// How far the log is stored; what `/v1/status` shows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AuditProgress(Arc<Mutex<Progress>>);

/// The same as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Sequence number of the last record of the present boot that the store has.
    pub stored: Option<u64>,
    /// Sequence number of the enclave's newest record, when it was last asked.
    pub head: Option<u64>,
    /// Why the log is not stored, if it is not.
    pub problem: Option<String>,
}

/// Keeps the log stored.
#[derive(Debug)]
pub struct AuditStore {
    link: EnclaveLink,
    store: ObjectStore,
    progress: AuditProgress,
    boot: Option<Boot>,
}

/// What is known of the boot whose log is being stored.
#[derive(Debug)]
struct Boot {
    id: String,
    /// Sequence number of the last record that the store has.
    stored: Option<u64>,
    attestation: BootAttestation,
}

/// How far the boot's attestation is. It says how many records there were: a store that had it, and not yet all of
/// them, would be one whose log was cut, if the enclave dies before they are stored.
#[derive(Debug)]
enum BootAttestation {
    Missing,
    /// The enclave gave it, and is asked next how many records there are.
    Given(Vec<u8>),
    /// The record that must be stored before it is.
    Behind(u64, Vec<u8>),
    Stored,
}

/// Why the log is not stored.
#[derive(Debug, thiserror::Error)]
enum AuditStoreError {
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    #[error("the store does not answer")]
    StoreSlow,
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("the enclave answers for another boot")]
    OtherBoot,
    #[error("the store has another object as {0}, which is no segment of this log")]
    Foreign(String),
}

/// How soon the enclave should be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Now,
    Soon,
    Later,
}

impl AuditProgress {
    /// What it is now.
    pub fn get(&self) -> Progress {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers and logs a problem, once for as long as it stays the same.
    fn set_problem(&self, problem: Option<String>) {
        let mut progress = self.lock();
        if progress.problem == problem {
            return;
        }
        if let Some(message) = &problem {
            warn!(code = "audit_not_stored", "{}", crate::enclave_events::escaped(message, 500));
        } else {
            info!(code = "audit_stored", "the audit log is stored again");
        }
        progress.problem = problem;
    }
}

impl AuditStore {
    /// For the enclave behind `link`. `progress` is shared with whoever shows it.
    pub fn new(link: EnclaveLink, store: ObjectStore, progress: AuditProgress) -> Self {
        Self { link, store, progress, boot: None }
    }

    /// Stores until the host stops.
    pub async fn run(mut self, stop: Stop) {
        let storing = async {
            loop {
                let next = match self.step().await {
                    Ok(next) => {
                        self.progress.set_problem(None);
                        next
                    }
                    // There is nothing to store, or another enclave's log: the heartbeat will say.
                    Err(AuditStoreError::OtherBoot | AuditStoreError::Exchange(ExchangeError::Call(_))) => {
                        Next::Later
                    }
                    Err(error) => {
                        self.progress.set_problem(Some(error.to_string()));
                        Next::Later
                    }
                };
                match next {
                    Next::Now => (),
                    Next::Soon => sleep(BUSY_PERIOD).await,
                    Next::Later => sleep(PERIOD).await,
                }
            }
        };
        stop.or(storing).await;
    }

    /// One page, if there is one.
    async fn step(&mut self) -> Result<Next, AuditStoreError> {
        let state = self.link.state();
        let Some(status) = state.status.filter(|status| status.phase != Phase::Booting) else {
            return Ok(Next::Later);
        };
        let mut boot = match self.boot.take() {
            Some(boot) if boot.id == status.boot_id => boot,
            _ => self.recall(status.boot_id).await?,
        };
        let stepped = self.step_in(&mut boot, status.phase).await;
        self.progress.lock().stored = boot.stored;
        self.boot = Some(boot);
        stepped
    }

    async fn step_in(&self, boot: &mut Boot, phase: Phase) -> Result<Next, AuditStoreError> {
        let after = boot.stored;
        let request = Request::Audit { after };
        let answer = self.link.call(request, Instant::now() + ANSWER_LIMIT).await;
        let (first, records, checkpoint, head) = match answer.map_err(ExchangeError::from)? {
            Response::Audit { boot_id, .. } if boot_id != boot.id => return Err(AuditStoreError::OtherBoot),
            Response::Audit { first, records, checkpoint, head, .. } => (first, records, checkpoint, head),
            Response::Refused { code, message } => {
                return Err(ExchangeError::Refused { code, message }.into());
            }
            _ => return Err(ExchangeError::Answer("it answers another question").into()),
        };
        self.progress.lock().head = Some(head);
        let records: Vec<&[u8]> = records.iter().map(|record| record.as_slice()).collect();
        let segment = checkpoint.and_then(|checkpoint| Segment::new(after, first, &records, &checkpoint));
        let next = match segment {
            Some(segment) => {
                boot.stored = Some(self.keep(&boot.id, segment).await?);
                // The next question is what tells the enclave.
                Next::Now
            }
            None if head.saturating_sub(after.unwrap_or(0)) >= BUSY => Next::Soon,
            None => Next::Later,
        };
        if phase == Phase::Ready {
            let attestation = std::mem::replace(&mut boot.attestation, BootAttestation::Missing);
            boot.attestation = self.keep_attestation(boot, attestation, head).await?;
            if !matches!(boot.attestation, BootAttestation::Stored) && next == Next::Later {
                return Ok(Next::Soon);
            }
        }
        Ok(next)
    }

    /// Stores a segment; returns the sequence number of the last record that the store has then. Another host may have
    /// been faster: its segment of the same log counts.
    async fn keep(&self, boot_id: &str, segment: Segment) -> Result<u64, AuditStoreError> {
        let name = segment_name(boot_id, segment.first);
        match in_time(self.store.put(&name, &segment.content)).await? {
            Put::Stored => Ok(segment.last),
            Put::Taken(existing) => last_of(segment.first, &existing).ok_or(AuditStoreError::Foreign(name)),
        }
    }

    /// One step with the attestation; `head` is the enclave's newest record, asked for after the last step.
    async fn keep_attestation(
        &self,
        boot: &Boot,
        attestation: BootAttestation,
        head: u64,
    ) -> Result<BootAttestation, AuditStoreError> {
        let name = format!("{BOOT_PREFIX}{}", boot.id);
        let (needed, document) = match attestation {
            BootAttestation::Stored => return Ok(BootAttestation::Stored),
            BootAttestation::Missing if in_time(self.store.get(&name)).await?.is_some() => {
                return Ok(BootAttestation::Stored);
            }
            BootAttestation::Missing => return Ok(BootAttestation::Given(self.attestation(&boot.id).await?)),
            BootAttestation::Given(document) => (head, document),
            BootAttestation::Behind(needed, document) => (needed, document),
        };
        if boot.stored.is_none_or(|stored| stored < needed) {
            return Ok(BootAttestation::Behind(needed, document));
        }
        // Any attestation of the boot serves: which host's is stored does not matter.
        in_time(self.store.put(&name, &document)).await?;
        Ok(BootAttestation::Stored)
    }

    async fn attestation(&self, boot_id: &str) -> Result<Vec<u8>, AuditStoreError> {
        let found = self.link.attest(None, Instant::now() + ANSWER_LIMIT).await?;
        if found.boot_id != boot_id {
            return Err(AuditStoreError::OtherBoot);
        }
        let document = json!({
            "boot_id": found.boot_id,
            "document": STANDARD.encode(&found.document),
            "statement": STANDARD.encode(&found.statement),
        });
        Ok(document.to_string().into_bytes())
    }

    /// What the store has of a boot: after a restart the enclave is told, and nothing is stored twice.
    async fn recall(&self, id: String) -> Result<Boot, AuditStoreError> {
        let prefix = format!("{AUDIT_PREFIX}{id}/");
        let mut newest: Option<String> = None;
        loop {
            let page = in_time(self.store.list(&prefix, newest.as_deref(), PAGE)).await?;
            newest = page.names.last().cloned().or(newest);
            if !page.more {
                break;
            }
        }
        let stored = match newest {
            None => None,
            Some(name) => {
                let first = name.strip_prefix(&prefix).and_then(|digits| digits.parse().ok());
                let content = in_time(self.store.get(&name)).await?.unwrap_or_default();
                let last = first.and_then(|first| last_of(first, &content));
                Some(last.ok_or(AuditStoreError::Foreign(name))?)
            }
        };
        *self.progress.lock() = Progress { stored, head: None, problem: None };
        Ok(Boot { id, stored, attestation: BootAttestation::Missing })
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, AuditStoreError> {
    Ok(timeout(STORE_LIMIT, work).await.map_err(|_| AuditStoreError::StoreSlow)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last_death::Deaths;

    #[tokio::test]
    async fn after_a_restart_the_store_says_how_far_it_got() {
        let root = std::env::temp_dir().join(format!("signer-audit-{}", crate::random::hex()));
        let store = ObjectStore::directory(&root).await.unwrap();
        let link = EnclaveLink::new("unix:/nowhere".parse().unwrap(), 1, Deaths::default());
        let audit = AuditStore::new(link, store.clone(), AuditProgress::default());
        assert_eq!(audit.recall("b".to_owned()).await.unwrap().stored, None);
        for first in 0..u64::try_from(PAGE).unwrap() + 3 {
            store.put(&segment_name("b", first * 2), b"r\nr\ns\n").await.unwrap();
        }
        let last = u64::try_from(PAGE).unwrap() * 2 + 5;
        assert_eq!(audit.recall("b".to_owned()).await.unwrap().stored, Some(last));
        assert_eq!(audit.progress.get().stored, Some(last));
        assert_eq!(audit.recall("c".to_owned()).await.unwrap().stored, None);

        // Another host stored less, or something else, under the same name.
        let segment = Segment::new(None, 0, &[b"r", b"r", b"r"], "s").unwrap();
        assert_eq!(audit.keep("b", segment).await.unwrap(), 1);
        store.put(&segment_name("d", 0), b"?").await.unwrap();
        let segment = Segment::new(None, 0, &[b"r"], "s").unwrap();
        let foreign = audit.keep("d", segment).await.unwrap_err().to_string();
        assert!(foreign.contains("audit/d/00000000000000000000"), "{foreign}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn the_attestation_is_stored_after_the_records_it_counts() {
        let root = std::env::temp_dir().join(format!("signer-audit-{}", crate::random::hex()));
        let store = ObjectStore::directory(&root).await.unwrap();
        let link = EnclaveLink::new("unix:/nowhere".parse().unwrap(), 1, Deaths::default());
        let audit = AuditStore::new(link, store.clone(), AuditProgress::default());
        let mut boot =
            Boot { id: "b".to_owned(), stored: Some(0), attestation: BootAttestation::Given(b"a".to_vec()) };
        // More records come in the meantime: they are not waited for.
        for (stored, head, done) in [(0, 1, false), (0, 7, false), (1, 9, true)] {
            boot.stored = Some(stored);
            let attestation = std::mem::replace(&mut boot.attestation, BootAttestation::Missing);
            boot.attestation = audit.keep_attestation(&boot, attestation, head).await.unwrap();
            assert_eq!(matches!(boot.attestation, BootAttestation::Stored), done, "{stored} of {head}");
            assert_eq!(store.get("boot/b").await.unwrap().is_some(), done, "{stored} of {head}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
