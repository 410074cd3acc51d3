//! The Nitro Security Module: PCRs, attestation documents, randomness, time.

mod device;
mod document;
mod identity;

use std::{sync::Arc, time::Duration};

use aws_nitro_enclaves_nsm_api::api::{ErrorCode, Request, Response};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zeroize::Zeroize;

pub use device::{NitroNsm, NsmDevice};
pub use document::{DocumentError, timestamp_ms};
pub use identity::Identity;

use crate::secret::{CryptoError, Info, Secret, derive};

/// The PCR that holds the configuration.
pub const CONFIGURATION_PCR: u16 = 16;

/// Calls under way at once. The driver serialises them anyway; more would only hold threads.
const CALLS: usize = 4;
/// Calls that clients' requests may hold of those; the rest is kept for the clock and for KMS.
const CLIENT_CALLS: usize = 2;
/// Clients' calls that may wait.
const CLIENT_QUEUE: usize = 64;
/// The longest a call may take. The driver's own limit is 120 s.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The NSM device, off the async threads. Cheap to clone.
#[derive(Clone)]
pub struct Nsm {
    device: Arc<dyn NsmDevice>,
    calls: Arc<Semaphore>,
    clients: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Why the NSM did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NsmError {
    /// The device answered with an error.
    #[error("the NSM refused {operation}: {code:?}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The device's code.
        code: ErrorCode,
    },
    /// The device answered something else than what was asked for.
    #[error("the NSM gave no answer to {0}")]
    Unexpected(&'static str),
    /// The kernel's random pool cannot be written.
    #[error("the kernel's random pool cannot be written")]
    KernelPool,
    /// The device did not answer in time.
    #[error("the NSM did not answer in time")]
    TimedOut,
    /// Too many clients ask for attestation documents.
    #[error("too many attestation requests are waiting")]
    Busy,
    /// The document that the device made cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Mixing randomness failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A platform configuration register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcr {
    /// Its value: 48 bytes.
    pub value: Vec<u8>,
    /// Whether it can no longer be extended.
    pub locked: bool,
}

impl Pcr {
    /// Whether it was never extended, or belongs to an enclave in debug mode.
    pub fn is_zero(&self) -> bool {
        self.value.iter().all(|byte| *byte == 0)
    }
}

/// What a document should carry.
#[derive(Clone, Debug, Default)]
pub struct DocumentRequest {
    /// For KMS: the recipient's public key.
    pub public_key: Option<Vec<u8>>,
    /// For everyone else: the digest of the statement.
    pub user_data: Option<Vec<u8>>,
    /// What the asker sent to see that the document is fresh.
    pub nonce: Option<Vec<u8>>,
}

impl Nsm {
    /// Over a device.
    pub fn new(device: Arc<dyn NsmDevice>) -> Self {
        Self {
            device,
            calls: Arc::new(Semaphore::new(CALLS)),
            clients: Arc::new(Semaphore::new(CLIENT_CALLS)),
            waiting: Arc::new(Semaphore::new(CLIENT_QUEUE)),
        }
    }

    /// Reads a PCR.
    pub async fn describe_pcr(&self, index: u16) -> Result<Pcr, NsmError> {
        match self.call("DescribePCR", Request::DescribePCR { index }).await? {
            Response::DescribePCR { lock, data } => Ok(Pcr { value: data, locked: lock }),
            _ => Err(NsmError::Unexpected("DescribePCR")),
        }
    }

    /// Extends a PCR; returns its new value.
    pub async fn extend_pcr(&self, index: u16, data: Vec<u8>) -> Result<Vec<u8>, NsmError> {
        match self.call("ExtendPCR", Request::ExtendPCR { index, data }).await? {
            Response::ExtendPCR { data } => Ok(data),
            _ => Err(NsmError::Unexpected("ExtendPCR")),
        }
    }

    /// Locks a PCR against further extension.
    pub async fn lock_pcr(&self, index: u16) -> Result<(), NsmError> {
        match self.call("LockPCR", Request::LockPCR { index }).await? {
            Response::LockPCR => Ok(()),
            _ => Err(NsmError::Unexpected("LockPCR")),
        }
    }

    /// Makes an attestation document for the enclave's own use.
    pub async fn attest(&self, request: DocumentRequest) -> Result<Vec<u8>, NsmError> {
        self.attest_holding(request, ()).await
    }

    /// Makes an attestation document for a client, with a bounded queue of its own.
    pub async fn attest_for_client(&self, request: DocumentRequest) -> Result<Vec<u8>, NsmError> {
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| NsmError::Busy)?;
        let turn = self.clients.clone().acquire_owned().await.map_err(|_| NsmError::Busy)?;
        self.attest_holding(request, (place, turn)).await
    }

    async fn attest_holding(
        &self,
        request: DocumentRequest,
        places: impl Send + 'static,
    ) -> Result<Vec<u8>, NsmError> {
        let request = Request::Attestation {
            user_data: request.user_data.map(Into::into),
            nonce: request.nonce.map(Into::into),
            public_key: request.public_key.map(Into::into),
        };
        match self.call_holding("Attestation", request, places).await? {
            Response::Attestation { document } => Ok(document),
            _ => Err(NsmError::Unexpected("Attestation")),
        }
    }

    /// The hypervisor's time, Unix milliseconds.
    pub async fn time_ms(&self) -> Result<u64, NsmError> {
        Ok(timestamp_ms(&self.attest(DocumentRequest::default()).await?)?)
    }

    /// Random bytes of the NSM, mixed with the kernel's, so that neither alone decides.
    pub async fn random<const N: usize>(&self, purpose: &str) -> Result<Secret<N>, NsmError> {
        let mut from_nsm = self.random_of_device().await?;
        let from_kernel =
            Secret::<64>::fill(|bytes| aws_lc_rs::rand::fill(bytes).map_err(CryptoError::from))?;
        let mixed =
            derive("nitro-signer/random/v1", &[&from_nsm, from_kernel.expose()], &Info::new(purpose, &[]));
        from_nsm.zeroize();
        Ok(mixed?)
    }

    /// At least 64 bytes, twice what any key here needs, which the caller wipes.
    async fn random_of_device(&self) -> Result<Vec<u8>, NsmError> {
        // Room for one answer more than is needed: growing would leave copies behind.
        let mut bytes = Vec::with_capacity(512);
        while bytes.len() < 64 {
            match self.call("GetRandom", Request::GetRandom).await? {
                Response::GetRandom { mut random } if !random.is_empty() => {
                    bytes.extend_from_slice(&random);
                    random.zeroize();
                }
                _ => return Err(NsmError::Unexpected("GetRandom")),
            }
        }
        Ok(bytes)
    }

    /// Mixes random bytes of the NSM into the kernel's pool, from which aws-lc seeds its generators
    /// (RSA keys, TLS). A second source beside the kernel's own, not a replacement of it.
    pub async fn seed_kernel(&self) -> Result<(), NsmError> {
        let mut seed = self.random_of_device().await?;
        let writing = spawn_blocking(move || {
            // The device only: a file of that name must not be made.
            let mut pool = std::fs::OpenOptions::new().write(true).open("/dev/urandom")?;
            let written = std::io::Write::write_all(&mut pool, &seed);
            seed.zeroize();
            written
        });
        match writing.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NsmError::KernelPool),
        }
    }

    async fn call(&self, operation: &'static str, request: Request) -> Result<Response, NsmError> {
        self.call_holding(operation, request, ()).await
    }

    /// The permits travel with the call: a call that hangs, or whose asker has gone, keeps its
    /// places, so such calls can neither pile up threads nor take what is kept for others.
    async fn call_holding(
        &self,
        operation: &'static str,
        request: Request,
        places: impl Send + 'static,
    ) -> Result<Response, NsmError> {
        let calling = async {
            let turn = self.calls.clone().acquire_owned().await.map_err(|_| NsmError::TimedOut)?;
            let device = self.device.clone();
            let call = spawn_blocking(move || {
                let response = device.process(request);
                drop((turn, places));
                response
            });
            call.await.map_err(|_| NsmError::Unexpected(operation))
        };
        match timeout(CALL_LIMIT, calling).await.map_err(|_| NsmError::TimedOut)?? {
            Response::Error(code) => Err(NsmError::Refused { operation, code }),
            response => Ok(response),
        }
    }
}
