//! Hands an enclave what it needs to become ready, again whenever there is a new one.
//!
//! A new enclave is known by its boot id, a policy push by a newer name under `policy/` in the
//! store, which every host of the fleet polls. The host judges neither configuration nor bundle: it
//! carries the newest it has, and the enclave refuses what its admins did not sign.

use std::{path::Path, time::Duration};

use signer_shared::message::{Phase, RefusalCode, Response, Status};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep_until, timeout},
};
use tracing::info;

use super::{EnclaveLink, ExchangeError, LinkState, with_jitter};
use crate::{
    config,
    lifecycle::Stop,
    object_store::{MAX_OBJECT, ObjectStore, StoreError},
};

/// Where the store has policy bundles: version numbers of 20 digits sort as numbers do.
const POLICY_PREFIX: &str = "policy/";
const VERSION_DIGITS: usize = 20;

/// Names of bundles asked for at a time.
const PAGE: usize = 256;

/// For a whole provisioning, KMS included.
const LIMIT: Duration = Duration::from_mins(1);

/// For looking into the store or reading a file.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// An enclave that is ready is not asked again sooner to take what it has refused: each refusal is a
/// record in its audit log. A bundle whose time had not come may be taken later.
const AFTER_REFUSAL: Duration = Duration::from_mins(1);

const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Keeps the enclave provisioned.
#[derive(Debug)]
pub struct Provisioner {
    link: EnclaveLink,
    store: ObjectStore,
    files: config::Authority,
    /// The boot that was last tried.
    tried: Option<String>,
    /// The boot that has had this host's configuration and policy.
    done: Option<String>,
    refused: Option<Refused>,
    retry: Duration,
}

/// What an enclave would not take.
#[derive(Debug)]
struct Refused {
    boot_id: String,
    bundle: Vec<u8>,
    at: Instant,
}

/// Why the enclave was not provisioned.
#[derive(Debug, thiserror::Error)]
enum ProvisionError {
    #[error("cannot read {path}: {reason}")]
    File { path: String, reason: String },
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    #[error("the store does not answer")]
    StoreSlow,
    #[error("the policy bundle {0} is listed and not there")]
    BundleLost(String),
    #[error("provisioning failed: {0}")]
    Exchange(#[from] ExchangeError),
}

impl ProvisionError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "file_unreadable",
            Self::Store(_)
            | Self::StoreSlow
            | Self::BundleLost(_)
            | Self::Exchange(ExchangeError::Store(_)) => "store_unavailable",
            Self::Exchange(ExchangeError::Refused { code, .. }) => code.as_str(),
            Self::Exchange(_) => "enclave_silent",
        }
    }

    /// Whether the same content will most likely be refused again.
    fn is_lasting(&self) -> bool {
        let Self::Exchange(ExchangeError::Refused { code, .. }) = self else { return false };
        matches!(
            code,
            RefusalCode::ConfigurationInvalid
                | RefusalCode::ConfigurationFixed
                | RefusalCode::PolicyInvalid
                | RefusalCode::PolicyRollback
        )
    }
}

impl Provisioner {
    /// A provisioner for the enclave behind `link`.
    pub fn new(link: EnclaveLink, store: ObjectStore, files: config::Authority) -> Self {
        Self { link, store, files, tried: None, done: None, refused: None, retry: SHORTEST_DELAY }
    }

    /// Provisions whenever there is reason to, until the host stops.
    pub async fn run(mut self, stop: Stop) {
        let providing = async {
            let mut states = self.link.watch();
            let mut next = Instant::now();
            loop {
                self.due(&mut states, next).await;
                let delay = match self.look().await {
                    Ok(()) => {
                        self.retry = SHORTEST_DELAY;
                        self.files.policy_poll
                    }
                    Err(error) => {
                        self.link.set_problem(error.code(), error.to_string());
                        let delay = self.retry;
                        self.retry = (delay * 2).min(LONGEST_DELAY);
                        with_jitter(delay)
                    }
                };
                next = Instant::now() + delay;
            }
        };
        stop.or(providing).await;
    }

    /// Waits for the time, or for an enclave that has not been provisioned.
    async fn due(&self, states: &mut watch::Receiver<LinkState>, next: Instant) {
        let is_new = |state: &LinkState| state.boot_id().is_some_and(|id| self.tried.as_deref() != Some(id));
        tokio::select! {
            () = sleep_until(next) => (),
            () = self.link.shared.provision_now.notified() => (),
            // The sender lives in the link that this provisioner holds.
            _ = states.wait_for(is_new) => (),
        }
    }

    /// Provisions if there is reason to.
    async fn look(&mut self) -> Result<(), ProvisionError> {
        let state = self.link.state();
        let Some(status) = &state.status else { return Ok(()) };
        if self.tried.as_ref() != Some(&status.boot_id) {
            self.tried = Some(status.boot_id.clone());
            self.retry = SHORTEST_DELAY;
        }
        if self.done == self.tried && status.phase == Phase::Ready {
            if let Some(bundle) = self.newest_bundle(status.policy_version).await? {
                return self.provision(bundle, status).await;
            }
            self.link.clear_problem();
            return Ok(());
        }
        let bundle = match self.newest_bundle(None).await? {
            Some(bundle) => bundle,
            None => read_file(&self.files.policy_bundle).await?,
        };
        self.provision(bundle, status).await
    }

    /// Provisions, unless the enclave works and has just refused the same.
    async fn provision(&mut self, bundle: Vec<u8>, status: &Status) -> Result<(), ProvisionError> {
        let is_refused = |refused: &Refused| {
            refused.boot_id == status.boot_id
                && refused.bundle == bundle
                && refused.at.elapsed() < AFTER_REFUSAL
        };
        if status.phase == Phase::Ready && self.refused.as_ref().is_some_and(is_refused) {
            return Ok(());
        }
        let outcome = self.hand_over(bundle.clone(), status.boot_id.clone()).await;
        let is_lasting = outcome.as_ref().is_err_and(ProvisionError::is_lasting);
        let refusal = || Refused { boot_id: status.boot_id.clone(), bundle, at: Instant::now() };
        self.refused = is_lasting.then(refusal);
        outcome
    }

    async fn hand_over(&mut self, bundle: Vec<u8>, boot_id: String) -> Result<(), ProvisionError> {
        let configuration = read_file(&self.files.configuration).await?;
        let started = Instant::now();
        let answer = self.link.provide(&self.store, configuration, bundle, started + LIMIT).await;
        self.link.refresh();
        let Response::Provisioned { phase, missing_keyrings } = answer? else {
            return Err(ExchangeError::Answer("it answers another question").into());
        };
        if phase == Phase::Ready {
            self.link.clear_problem();
            let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            info!(code = "enclave_provisioned", boot_id = %super::shown(&boot_id), took_ms, "provisioned");
        } else {
            let message = if missing_keyrings.is_empty() {
                "the policy bundle names no keyring: create one with signerctl, and sign it into a bundle"
                    .to_owned()
            } else {
                let names = super::shown(&missing_keyrings.join(", "));
                format!("the store has no keyring {names}: restore it, or create it with signerctl")
            };
            self.link.set_problem("keyring_missing", message);
        }
        self.done = Some(boot_id);
        Ok(())
    }

    /// The store's newest bundle, if there is one newer than `version`.
    async fn newest_bundle(&self, version: Option<u64>) -> Result<Option<Vec<u8>>, ProvisionError> {
        let looking = async {
            let mut after = version.map(|version| format!("{POLICY_PREFIX}{version:0VERSION_DIGITS$}"));
            let mut newest = None;
            loop {
                let page = self.store.list(POLICY_PREFIX, after.as_deref(), PAGE).await?;
                after = page.names.last().cloned();
                newest = page.names.into_iter().rfind(|name| is_bundle(name)).or(newest);
                if !page.more {
                    break;
                }
            }
            let Some(name) = newest else { return Ok(None) };
            let bundle = self.store.get(&name).await?;
            bundle.map(Some).ok_or(ProvisionError::BundleLost(name))
        };
        timeout(READ_LIMIT, looking).await.map_err(|_| ProvisionError::StoreSlow)?
    }
}

fn is_bundle(name: &str) -> bool {
    name.strip_prefix(POLICY_PREFIX).is_some_and(|digits| {
        digits.len() == VERSION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Reads a file of the operator's, bounded as objects are.
async fn read_file(path: &Path) -> Result<Vec<u8>, ProvisionError> {
    let failed = |reason: String| ProvisionError::File { path: path.display().to_string(), reason };
    let owned = path.to_owned();
    let reading = spawn_blocking(move || {
        use std::io::Read;
        let mut content = Vec::new();
        let most = u64::try_from(MAX_OBJECT).unwrap_or(u64::MAX);
        std::fs::File::open(owned)?.take(most.saturating_add(1)).read_to_end(&mut content)?;
        std::io::Result::Ok(content)
    });
    let content = match timeout(READ_LIMIT, reading).await {
        Ok(Ok(content)) => content.map_err(|error| failed(error.to_string()))?,
        Ok(Err(_)) | Err(_) => return Err(failed("the file system does not answer".to_owned())),
    };
    if content.len() > MAX_OBJECT {
        return Err(failed(format!("it is larger than {MAX_OBJECT} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last_death::Deaths;

    async fn provisioner(bundles: &[&str]) -> Provisioner {
        let root = std::env::temp_dir().join(format!("signer-provision-{}", crate::random::hex()));
        let store = ObjectStore::directory(&root).await.unwrap();
        for name in bundles {
            store.put(&format!("policy/{name}"), name.as_bytes()).await.unwrap();
        }
        let files = config::Authority {
            configuration: root.join("configuration"),
            policy_bundle: root.join("policy"),
            policy_poll: Duration::from_secs(1),
        };
        Provisioner::new(
            EnclaveLink::new("unix:/nowhere".parse().unwrap(), 1, Deaths::default()),
            store,
            files,
        )
    }

    #[tokio::test]
    async fn the_highest_version_is_the_newest() {
        let names = [
            "00000000000000000009",
            "00000000000000000010",
            "00000000000000000002",
            "99",
            "note.txt",
            "z0000000000000000011",
        ];
        let provisioner = provisioner(&names).await;
        let newest = async |version| provisioner.newest_bundle(version).await.unwrap();
        assert_eq!(newest(None).await.unwrap(), b"00000000000000000010");
        assert_eq!(newest(Some(9)).await.unwrap(), b"00000000000000000010");
        assert_eq!(newest(Some(10)).await, None);
        assert_eq!(newest(Some(u64::MAX)).await, None);
        std::fs::remove_dir_all(provisioner.files.policy_bundle.parent().unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = read_file(Path::new("/nowhere/policy.json")).await.unwrap_err();
        assert_eq!(error.code(), "file_unreadable");
        assert!(error.to_string().contains("/nowhere/policy.json"));
    }
}
