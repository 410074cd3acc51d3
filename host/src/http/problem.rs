//! What the host itself tells a caller who does not get what they asked for: RFC 9457.
//!
//! The enclave writes its own problems in the same shape, and those pass untouched. Each error has a
//! stable code and a detail for the caller, which says what to do, and a message for the operator,
//! which stays in the log.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use signer_shared::message::RefusalCode;
use tracing::{debug, warn};

use super::Response;
use crate::enclave_link::{CallError, ExchangeError};

/// A problem of the host's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Seconds; a problem that has them is worth trying again.
    retry_after: Option<u32>,
    extra: Extra,
    /// For the log.
    operator: Option<Box<str>>,
}

/// How to ask again without being refused as a replay.
const AGAIN: &str = "send the same content again, a signed request signed anew with another nonce";

/// What one status needs beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    Nothing,
    /// The methods that the path takes.
    Allow(&'static str),
    /// What is left of the request would be read as the next one.
    Close,
}

/// The body, in the order that readers expect.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    retryable: bool,
    request_id: &'a str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None, extra: Extra::Nothing, operator: None }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", detail)
    }

    pub(super) fn not_found() -> Self {
        let detail = "there is nothing here: /openapi.json describes what there is";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn boot_unknown() -> Self {
        let detail = "the store has no attestation of this boot: check its id";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow} only");
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        problem.extra = Extra::Allow(allow);
        problem
    }

    pub(super) fn head_too_large(most: usize) -> Self {
        let detail = format!("path and headers are larger than {most} bytes: send fewer headers");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::new(status, "head_too_large", detail).last_on_connection()
    }

    pub(super) fn body_too_large(most: usize) -> Self {
        let detail = format!("the body is larger than {most} bytes: send less at a time");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).last_on_connection()
    }

    pub(super) fn body_slow() -> Self {
        let detail = "the body did not arrive in time: send the request again";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail).last_on_connection().retry(1)
    }

    pub(super) fn overloaded() -> Self {
        let detail = format!("too many requests are under way: wait, then {AGAIN}");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", detail).retry(1)
    }

    pub(super) fn not_ready(reason: &str) -> Self {
        let detail = format!("{reason}: wait, or use another host, and {AGAIN}");
        Self::unavailable("not_ready", detail)
    }

    /// The caller cannot know how far a request without an answer got, so the advice is one that is safe
    /// either way.
    pub(super) fn deadline_exceeded() -> Self {
        let detail =
            format!("there was no answer in time, and the request may have been carried out: {AGAIN}");
        Self::unavailable("deadline_exceeded", detail)
    }

    fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry(1)
    }

    fn retry(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn log(mut self, message: impl Into<String>) -> Self {
        self.operator = Some(message.into().into());
        self
    }

    fn last_on_connection(mut self) -> Self {
        self.extra = Extra::Close;
        self
    }

    /// The HTTP response; the operator's part goes to the log.
    pub(super) fn into_response(self, request_id: &str) -> Response {
        if let Some(message) = &self.operator {
            warn!(code = self.code, request_id, "{message}");
        } else {
            debug!(code = self.code, request_id, "{}", self.detail);
        }
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            retryable: self.retry_after.is_some(),
            request_id,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.extra {
            Extra::Nothing => None,
            Extra::Allow(methods) => headers.insert(header::ALLOW, HeaderValue::from_static(methods)),
            Extra::Close => headers.insert(header::CONNECTION, HeaderValue::from_static("close")),
        };
        response
    }
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        let message = error.to_string();
        match error {
            ExchangeError::Call(CallError::NotConnected) => Self::not_ready("there is no enclave"),
            ExchangeError::Call(CallError::Lost) => {
                Self::not_ready("the enclave went away during the request")
            }
            ExchangeError::Call(CallError::Deadline) => Self::deadline_exceeded(),
            ExchangeError::Call(CallError::TooLarge(_)) | ExchangeError::Answer(_) => Self::unavailable(
                "enclave_failed",
                format!("the request could not be carried out: {AGAIN}; tell the operator if it stays so"),
            )
            .log(message),
            ExchangeError::Store(_) => Self::unavailable(
                "store_unavailable",
                format!("the store does not work at present: wait, then {AGAIN}"),
            )
            .log(message),
            ExchangeError::Refused { code, .. } => refused(code, message),
        }
    }
}

fn refused(code: RefusalCode, message: String) -> Problem {
    match code {
        RefusalCode::WrongPhase => Problem::not_ready("the enclave is not ready"),
        RefusalCode::Overloaded => Problem::overloaded(),
        RefusalCode::DeadlineExceeded => Problem::deadline_exceeded(),
        RefusalCode::Malformed => Problem::malformed(
            "the enclave cannot read the request: check its form against the API's description",
        )
        .log(message),
        RefusalCode::AuditNotStored => Problem::unavailable(
            code.as_str(),
            "this host does not store the audit log: use another host, and tell the operator",
        )
        .log(message),
        RefusalCode::NsmFailed => Problem::unavailable(
            code.as_str(),
            format!("the enclave's security module failed: wait, then {AGAIN}"),
        )
        .log(message),
        RefusalCode::KmsFailed => Problem::unavailable(
            code.as_str(),
            format!("KMS did not do what the enclave asked: wait, then {AGAIN}"),
        )
        .log(message),
        RefusalCode::ProtocolMismatch
        | RefusalCode::ConfigurationInvalid
        | RefusalCode::ConfigurationFixed
        | RefusalCode::PolicyInvalid
        | RefusalCode::PolicyRollback
        | RefusalCode::KeyringInvalid => Problem::unavailable(
            code.as_str(),
            "the enclave refuses to work with what this host has: use another host, and tell the operator",
        )
        .log(message),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn the_shape_is_that_of_rfc_9457() {
        let response = Problem::overloaded().into_response("r1");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "1");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = r#"{"type":"about:blank","title":"Too Many Requests","status":429,"code":"overloaded","detail":"too many requests are under way: wait, then send the same content again, a signed request signed anew with another nonce","retryable":true,"request_id":"r1"}"#;
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    }

    #[test]
    fn what_the_operator_reads_the_caller_does_not() {
        for (code, status, name) in [
            (RefusalCode::WrongPhase, 503, "not_ready"),
            (RefusalCode::Overloaded, 429, "overloaded"),
            (RefusalCode::DeadlineExceeded, 503, "deadline_exceeded"),
            (RefusalCode::NsmFailed, 503, "nsm_failed"),
            (RefusalCode::KmsFailed, 503, "kms_failed"),
            (RefusalCode::Malformed, 400, "malformed_request"),
            (RefusalCode::PolicyInvalid, 503, "policy_invalid"),
        ] {
            let problem = Problem::from(ExchangeError::Refused { code, message: "inner detail".to_owned() });
            assert_eq!((problem.status.as_u16(), problem.code), (status, name));
            assert!(!problem.detail.contains("inner"));
            assert_eq!(problem.retry_after.is_some(), status != 400);
        }
    }
}
