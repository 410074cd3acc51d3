//! What an enclave runs on, and running on it.

use std::{sync::Arc, time::Duration};

use signer_shared::address::{Address, CID_ANY, CID_NITRO_PARENT, port};
use signer_transport::Listener;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    attestation::{Nsm, NsmDevice},
    boot::{Enclave, StartError},
    clock::Clock,
    events,
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

/// Runs an enclave. Returns only if it cannot start or cannot go on.
pub async fn run(platform: Platform) -> Result<(), RunError> {
    let (events, sender) = events::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(sender.run(platform.events));
    let (nsm, clock) = (Nsm::new(platform.nsm), Clock::default());
    let kms =
        Kms::new(nsm.clone(), clock.clone(), &platform.trust, platform.kms_tunnel, platform.credentials)?;
    let enclave = Arc::new(Enclave::start(nsm, clock, events, kms, platform.trust).await?);
    let listener = Listener::bind(&platform.listen).await;
    let listener = listener.map_err(|cause| RunError::Listen { address: platform.listen, cause })?;
    tasks.spawn(keep_time(enclave.clone()));
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

/// The kernel command line names no usable CID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel command line's nitro_signer.parent_cid is not a CID")]
pub struct ParentCidError;

/// The parent's CID: `nitro_signer.parent_cid=N` of the kernel command line, the last one if there
/// are several, 3 if there is none. On Nitro the command line is measured into PCR0 and PCR1.
pub fn parent_cid(command_line: &str) -> Result<u32, ParentCidError> {
    let mut values = command_line
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("nitro_signer.parent_cid="));
    match values.next_back() {
        None => Ok(CID_NITRO_PARENT),
        Some(value) => value.parse().ok().filter(|cid| (2..u32::MAX).contains(cid)).ok_or(ParentCidError),
    }
}

/// Panics say where, never what: a message can carry data.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        last_words(&format_args!("panic at {place}"));
    }));
}

/// One line on the console, which is all that a dying enclave can still say.
#[expect(clippy::print_stderr, reason = "the console is the only place left")]
pub fn last_words(cause: &dyn std::fmt::Display) {
    eprintln!("nitro-signer: {cause}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parents_cid_comes_from_the_command_line() {
        assert_eq!(parent_cid("reboot=k panic=30"), Ok(3));
        assert_eq!(parent_cid("a nitro_signer.parent_cid=2 b\n"), Ok(2));
        assert_eq!(parent_cid("nitro_signer.parent_cid=3 nitro_signer.parent_cid=2"), Ok(2));
        for bad in ["", "x", "-1", "1", "4294967295", "4294967296"] {
            assert_eq!(parent_cid(&format!("nitro_signer.parent_cid={bad}")), Err(ParentCidError), "{bad}");
        }
    }
}
