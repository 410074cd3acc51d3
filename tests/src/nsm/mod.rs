//! A software Nitro Secure Module: the protocol of `/dev/nsm`, with its limits, over an attestation root of our own.
//!
//! [`SoftwareNsm::process`] stands where `nsm_process_request` stands: blocking, one request at a time. Requests and
//! responses are the device crate's own types, so that code which works here cannot be using a protocol of ours.

mod chain;
mod document;
mod pcr;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand;
use aws_nitro_enclaves_nsm_api::api::{Digest, ErrorCode, Request, Response};

use self::chain::Chain;
use self::document::{Contents, MapForm};
use self::pcr::PcrBank;
use crate::pki::{AttestationAuthority, unix_now};

pub use self::pcr::{PCR_LENGTH, Pcr};

/// Longest `user_data`, `nonce` and `public_key` that the device takes.
const OPTIONAL_FIELD_LIMIT: usize = 1_024;
/// Longest request that the kernel driver passes on; an extension of a PCR is bounded by nothing else.
const REQUEST_LIMIT: usize = 0x1000;
/// Bytes that one `GetRandom` returns.
const RANDOM_LENGTH: usize = 256;

/// What an emulated enclave is: the measurements it started with, and departures from a healthy device.
#[derive(Clone, Debug, Default)]
pub struct NsmOptions {
    /// The image, as `nitro-cli` measures it.
    pub pcr0: Pcr,
    /// Kernel, command line and first ramdisk.
    pub pcr1: Pcr,
    /// The application's ramdisks.
    pub pcr2: Pcr,
    /// The parent's IAM role; zero on a parent without one.
    pub pcr3: Option<Pcr>,
    /// The parent's instance id.
    pub pcr4: Option<Pcr>,
    /// The enclave's name, `i-…-enc…`; random if none is given.
    pub module_id: Option<String>,
    /// Debug mode: PCR0, PCR1 and PCR2 are zero, whatever was given; the others keep their values.
    pub debug_mode: bool,
    /// Write the payload as an indefinite-length map (`bf…ff`), as the service does since September 2025.
    pub indefinite_map: bool,
    /// Milliseconds that the hypervisor's clock is ahead of this machine's; negative is behind.
    pub clock_offset_ms: i64,
    /// Data extended into PCR16 before the application starts, as a hostile init would.
    pub pcr16_touched_with: Option<Vec<u8>>,
}

/// A Nitro Secure Module in software.
#[derive(Debug)]
pub struct SoftwareNsm {
    authority: Arc<AttestationAuthority>,
    options: NsmOptions,
    module_id: String,
    // One lock over each whole request, as the driver's: callers wait for each other.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pcrs: PcrBank,
    chain: Option<Chain>,
    clock_offset_ms: i64,
    failing: Failing,
}

/// Requests that fail although they are valid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Failing {
    /// None: a healthy device.
    #[default]
    Nothing,
    /// `Attestation`, with `InternalError`.
    Attestation,
    /// `GetRandom`, with `InternalError`.
    Random,
    /// `GetRandom` succeeds with no bytes at all.
    EmptyRandom,
    /// Every request, with `InternalError`.
    Everything,
}

impl signer_enclave::attestation::NsmDevice for SoftwareNsm {
    fn process(&self, request: Request) -> Response {
        Self::process(self, request)
    }
}

impl SoftwareNsm {
    /// A device for an enclave just started, whose chain ends at the root of `authority`.
    pub fn new(authority: Arc<AttestationAuthority>, options: NsmOptions) -> Self {
        let module_id = options.module_id.clone().unwrap_or_else(random_module_id);
        let mut pcrs = PcrBank::at_start(&options);
        if let Some(data) = &options.pcr16_touched_with {
            pcrs.extend(16, data).expect("PCR16 starts unlocked");
        }
        let state =
            State { pcrs, chain: None, clock_offset_ms: options.clock_offset_ms, failing: Failing::Nothing };
        Self { authority, options, module_id, state: Mutex::new(state) }
    }

    /// Answers one request, as the device does. Blocks while another is being answered.
    pub fn process(&self, request: Request) -> Response {
        let mut state = self.state.lock().expect("no request panics while it holds the device");
        let result = match (state.failing, &request) {
            (Failing::Everything, _)
            | (Failing::Attestation, Request::Attestation { .. })
            | (Failing::Random, Request::GetRandom) => Err(ErrorCode::InternalError),
            (Failing::EmptyRandom, Request::GetRandom) => Ok(Response::GetRandom { random: Vec::new() }),
            _ => self.answer(&mut state, request),
        };
        result.unwrap_or_else(Response::Error)
    }

    /// Makes requests fail from now on.
    pub fn fail(&self, failing: Failing) {
        self.state.lock().expect("no request panics while it holds the device").failing = failing;
    }

    /// Moves the hypervisor's clock to `offset_ms` milliseconds ahead of this machine's.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.state.lock().expect("no request panics while it holds the device").clock_offset_ms = offset_ms;
    }

    /// The enclave's name in its attestation documents.
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    fn answer(&self, state: &mut State, request: Request) -> Result<Response, ErrorCode> {
        Ok(match request {
            Request::DescribePCR { index } => {
                let (lock, value) = state.pcrs.describe(index)?;
                Response::DescribePCR { lock, data: value.to_vec() }
            }
            Request::ExtendPCR { data, .. } if data.len() > REQUEST_LIMIT => {
                return Err(ErrorCode::InputTooLarge);
            }
            Request::ExtendPCR { index, data } => {
                Response::ExtendPCR { data: state.pcrs.extend(index, &data)?.to_vec() }
            }
            Request::LockPCR { index } => {
                state.pcrs.lock(index)?;
                Response::LockPCR
            }
            Request::LockPCRs { range } => {
                state.pcrs.lock_range(range)?;
                Response::LockPCRs
            }
            Request::DescribeNSM => self.describe(state),
            Request::Attestation { user_data, nonce, public_key } => {
                let [user_data, nonce, public_key] = [&user_data, &nonce, &public_key]
                    .map(|field| field.as_ref().map(|bytes| bytes.as_slice()));
                self.attest(state, user_data, nonce, public_key)?
            }
            Request::GetRandom => {
                let mut random = vec![0; RANDOM_LENGTH];
                rand::fill(&mut random).map_err(|_| ErrorCode::InternalError)?;
                Response::GetRandom { random }
            }
            _ => return Err(ErrorCode::InvalidOperation),
        })
    }

    fn describe(&self, state: &State) -> Response {
        Response::DescribeNSM {
            version_major: 1,
            version_minor: 0,
            version_patch: 0,
            module_id: self.module_id.clone(),
            max_pcrs: pcr::PCR_COUNT,
            locked_pcrs: state.pcrs.locked().map(|(index, _)| index).collect(),
            digest: Digest::SHA384,
        }
    }

    fn attest(
        &self,
        state: &mut State,
        user_data: Option<&[u8]>,
        nonce: Option<&[u8]>,
        public_key: Option<&[u8]>,
    ) -> Result<Response, ErrorCode> {
        let is_too_long = |field: &[u8]| field.len() > OPTIONAL_FIELD_LIMIT;
        if [user_data, nonce, public_key].into_iter().flatten().any(is_too_long) {
            return Err(ErrorCode::InputTooLarge);
        }
        let now = now_by(state.clock_offset_ms);
        if state.chain.as_ref().is_none_or(|chain| !chain.serves(now)) {
            state.chain = Some(Chain::issue(&self.authority, &self.module_id, now));
        }
        let chain = state.chain.as_ref().expect("issued just above");
        let contents = Contents {
            module_id: &self.module_id,
            timestamp_ms: u64::try_from(now.as_millis()).map_err(|_| ErrorCode::InternalError)?,
            pcrs: &state.pcrs,
            public_key,
            user_data,
            nonce,
        };
        let form = if self.options.indefinite_map { MapForm::Indefinite } else { MapForm::Definite };
        Ok(Response::Attestation { document: document::sign(&contents, chain, form) })
    }
}

fn now_by(offset_ms: i64) -> Duration {
    let offset = Duration::from_millis(offset_ms.unsigned_abs());
    if offset_ms < 0 { unix_now().saturating_sub(offset) } else { unix_now() + offset }
}

/// A name like `i-0a1b…-enc019f…`.
fn random_module_id() -> String {
    let mut bytes = [0; 17];
    rand::fill(&mut bytes).expect("the system has randomness");
    let digits = hex::encode(bytes);
    let (instance, enclave) = digits.split_at(17);
    format!("i-{instance}-enc{}", &enclave[..16])
}

#[cfg(test)]
mod tests;
