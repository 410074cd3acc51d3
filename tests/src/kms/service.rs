//! One request, from its bytes to its answer: who, what, recorded.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::Value;

use super::envelope::FormChooser;
use super::error::KmsError;
use super::fault::{Fault, Faults};
use super::operations::{Call, OPERATIONS};
use super::principal::{Caller, PrincipalSpec};
use super::recipient::Trust;
use super::sigv4::Authorization;
use super::store::{Store, random_uuid};
use super::trail::Trail;
use crate::pki::unix_now;

const TARGET_PREFIX: &str = "TrentService.";

/// The emulator without its listener.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) region: String,
    pub(super) attestation: Trust,
    pub(super) principals: Mutex<Vec<PrincipalSpec>>,
    pub(super) store: Mutex<Store>,
    pub(super) trail: Trail,
    pub(super) faults: Faults,
    pub(super) forms: FormChooser,
    pub(super) clock_offset_ms: AtomicI64,
}

/// What goes back to the client.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) request_id: String,
    pub(super) result: Result<Value, KmsError>,
    /// To be waited before it is sent.
    pub(super) delay: Duration,
}

impl Service {
    /// Answers one request. Nothing is looked up, decided or recorded for a caller who is not authenticated.
    pub(super) fn answer(&self, request: &Parts, body: &[u8]) -> Answer {
        let request_id = random_uuid();
        let mut delay = Duration::ZERO;
        let result = self.authenticate(request, body).and_then(|caller| {
            let operation = operation_of(request)?;
            let faults = self.faults.take(operation);
            for fault in &faults {
                match fault {
                    Fault::Delay(time) => delay += *time,
                    Fault::InternalFailure => return Err(KmsError::internal()),
                    Fault::Throttle => return Err(KmsError::throttled()),
                    _ => {}
                }
            }
            let now_ms = self.now_ms();
            let mut call = Call::new(self, &caller, &faults, now_ms);
            let result = call.run(operation, body);
            let error = result.as_ref().err();
            self.trail.record((&request_id, now_ms / 1_000), operation, &caller, call.into_entry(), error);
            result
        });
        Answer { request_id, result, delay }
    }

    /// The emulator's clock, in milliseconds since the epoch.
    pub(super) fn now_ms(&self) -> u64 {
        let now = u64::try_from(unix_now().as_millis()).expect("the year is before 500,000,000");
        now.saturating_add_signed(self.clock_offset_ms.load(Ordering::Relaxed))
    }

    fn authenticate(&self, request: &Parts, body: &[u8]) -> Result<Caller, KmsError> {
        let authorization = Authorization::read(request)?;
        let invalid_token = || {
            KmsError::client(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        };
        let principals = self.principals.lock().expect("no holder panics");
        let principal = principals
            .iter()
            .find(|principal| principal.access_key_id == authorization.access_key_id)
            .ok_or_else(invalid_token)?;
        let token = request.headers.get("x-amz-security-token").map(hyper::header::HeaderValue::as_bytes);
        if token != principal.session_token.as_ref().map(String::as_bytes) {
            return Err(invalid_token());
        }
        let now = self.now_ms() / 1_000;
        authorization.verify(request, body, &principal.secret_access_key, (&self.region, "kms"), now)?;
        if principal.expires_at.is_some_and(|end| end <= now) {
            let message = "The security token included in the request is expired";
            return Err(KmsError::client("ExpiredTokenException", message));
        }
        Ok(principal.into())
    }
}

/// The operation that `X-Amz-Target` names, of those emulated.
fn operation_of(request: &Parts) -> Result<&'static str, KmsError> {
    let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let named = target.and_then(|target| target.strip_prefix(TARGET_PREFIX));
    let is_json =
        request.headers.get("content-type").is_some_and(|kind| kind == "application/x-amz-json-1.1");
    let found = OPERATIONS.into_iter().find(|operation| Some(*operation) == named);
    found
        .filter(|_| is_json && request.method == hyper::Method::POST && request.uri.path() == "/")
        .ok_or_else(|| KmsError::client("UnknownOperationException", "The operation is unknown."))
}
