//! What an enclave runs on, and running on it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use signer_shared::address::{Address, CID_ANY, port};
use signer_transport::Listener;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    attestation::{Nsm, NsmDevice},
    boot::{Enclave, StartError},
    clock::Clock,
    events::{self, Events},
    kms::{Kms, Trust, TrustError},
    server::serve,
};

/// Between readings of the NSM's clock, until a configuration says otherwise.
const RESYNCHRONISE: Duration = Duration::from_mins(1);

/// Everything around an enclave. In production, `main.rs` fills this with the real things.
pub struct Platform {
    /// The NSM device.
    pub nsm: Arc<dyn NsmDevice>,
    /// Where the host dials.
    pub listen: Address,
    /// The host's tunnel to KMS.
    pub kms_tunnel: Address,
    /// The host's credentials service.
    pub credentials: Address,
    /// The host's sink for events.
    pub events: Address,
    /// Whom to believe to be KMS.
    pub trust: Trust,
}

/// Why an enclave stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It has nobody to believe to be KMS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It cannot listen.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: Address,
        /// Why.
        cause: std::io::Error,
    },
    /// It cannot go on.
    #[error("the configuration could not be fixed in PCR16; the enclave must be rebooted")]
    Failed,
}

impl Platform {
    /// Over vsock, with the host at `parent_cid`.
    pub fn vsock(nsm: Arc<dyn NsmDevice>, parent_cid: u32, trust: Trust) -> Self {
        let parent = |port| Address::Vsock { cid: parent_cid, port };
        Self {
            nsm,
            listen: Address::Vsock { cid: CID_ANY, port: port::API },
            kms_tunnel: parent(port::KMS_TUNNEL),
            credentials: parent(port::CREDENTIALS),
            events: parent(port::EVENTS),
            trust,
        }
    }
}

/// How often it is asked whether a witness is due: how soon after the enclave is ready the first is made.
const WITNESS_POLL: Duration = Duration::from_millis(500);
/// For what was reported before the end to reach the host.
const LAST_EVENTS: Duration = Duration::from_millis(500);

/// Runs an enclave. Returns only if it cannot start or cannot go on, and says why.
pub async fn run(platform: Platform) -> RunError {
    let (events, sender) = events::channel();
    let sending = tokio::spawn(sender.run(platform.events.clone()));
    let error = match run_until_failure(platform, events.clone()).await {
        Ok(never) => match never {},
        Err(error) => error,
    };
    events.drained(LAST_EVENTS).await;
    sending.abort();
    error
}

async fn run_until_failure(platform: Platform, events: Events) -> Result<Infallible, RunError> {
    let mut tasks = JoinSet::new();
    let (nsm, clock) = (Nsm::new(platform.nsm), Clock::default());
    let kms =
        Kms::new(nsm.clone(), clock.clone(), &platform.trust, platform.kms_tunnel, platform.credentials)?;
    let enclave = Arc::new(Enclave::start(nsm, clock, events, kms, platform.trust).await?);
    let listener = Listener::bind(&platform.listen).await;
    let listener = listener.map_err(|cause| RunError::Listen { address: platform.listen, cause })?;
    tasks.spawn(keep_time(enclave.clone()));
    tasks.spawn(keep_witness(enclave.clone()));
    tasks.spawn(serve(enclave.clone(), listener));
    enclave.failed().await;
    Err(RunError::Failed)
}

/// Reads the NSM's clock again and again.
async fn keep_time(enclave: Arc<Enclave>) {
    loop {
        let clock =
            enclave.state().configured().map(|configured| configured.configuration.configuration.clock);
        let pause =
            clock.map_or(RESYNCHRONISE, |clock| Duration::from_secs(u64::from(clock.resynchronise_s)));
        let longest_drift_ms = clock.map_or(1000, |clock| u64::from(clock.longest_drift_ms));
        sleep(pause).await;
        match enclave.nsm().time_ms().await {
            Ok(now_ms) => {
                let drift_ms = enclave.clock().set(now_ms);
                if drift_ms.unsigned_abs() > longest_drift_ms {
                    enclave.events().warn("clock_drift", &[("drift_ms", &drift_ms)]);
                }
            }
            Err(error) => enclave.events().error("clock_not_read", &[("cause", &error)]),
        }
    }
}

/// Leaves the head of the audit chain in KMS's log again and again.
async fn keep_witness(enclave: Arc<Enclave>) {
    loop {
        sleep(WITNESS_POLL).await;
        enclave.witness_if_due().await;
    }
}
