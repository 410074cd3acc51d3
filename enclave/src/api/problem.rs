//! What callers are told when something does not go through: RFC 9457 problem details.

use serde::Serialize;
use serde_json::Value;
use signer_rules::{chain::Rejection, name::Name};
use signer_shared::message::{ApiResponse, Header};

/// An answer other than success.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    kind: Code,
    detail: String,
    rule: Option<Box<str>>,
    field: Option<Box<str>>,
    wallet: Option<Value>,
    /// The methods that the path takes.
    allow: Option<&'static str>,
}

/// Stable codes, with their status and whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Not a request of this API.
    MalformedRequest,
    /// Nobody's request.
    Unauthenticated,
    /// No rule allows it, or one denies it.
    PolicyDenied,
    /// A limit of the rule that would allow it is used up, or closed.
    LimitReached,
    /// The rule that would allow it demands approvals.
    ApprovalRequired,
    /// No such path.
    NotFound,
    /// No such wallet, or none that the client may see.
    WalletNotFound,
    /// Another method is meant.
    MethodNotAllowed,
    /// The name is taken.
    WalletExists,
    /// The nonce got another transaction.
    NonceConflict,
    /// The name is taken.
    KeyringExists,
    /// The bundle may not follow the one in force.
    PolicyConflict,
    /// The bundle is not the admins', or not well formed.
    PolicyInvalid,
    /// What should be signed is not understood completely.
    TransactionRejected,
    /// What the host stored for us is not what we stored.
    SealedObjectInvalid,
    /// Too many requests.
    Overloaded,
    /// The enclave does not sign yet.
    NotReady,
    /// The host does not have the keyring.
    KeyringMissing,
    /// KMS did not release a key.
    KmsFailed,
    /// The NSM failed.
    NsmFailed,
    /// The host does not store the audit log.
    AuditNotStored,
    /// There is no time to judge by.
    ClockUnavailable,
    /// No more nonces or limits can be remembered.
    GuardFull,
    /// A primitive failed, which should not happen.
    Internal,
}

impl Code {
    /// (status, code, title, retry after seconds)
    fn row(self) -> (u16, &'static str, &'static str, Option<u32>) {
        match self {
            Self::MalformedRequest => (400, "malformed_request", "The request is malformed", None),
            Self::Unauthenticated => (401, "unauthenticated", "The request is not authenticated", None),
            Self::PolicyDenied => (403, "policy_denied", "The policy denies the request", None),
            Self::LimitReached => (403, "limit_reached", "A limit of the policy is reached", None),
            Self::ApprovalRequired => (403, "approval_required", "The policy demands approvals", None),
            Self::NotFound => (404, "not_found", "There is nothing at this path", None),
            Self::WalletNotFound => (404, "wallet_not_found", "There is no such wallet", None),
            Self::MethodNotAllowed => (405, "method_not_allowed", "The path has other methods", None),
            Self::WalletExists => (409, "wallet_exists", "The wallet exists already", None),
            Self::KeyringExists => (409, "keyring_exists", "The keyring exists already", None),
            Self::NonceConflict => (409, "nonce_conflict", "The nonce got another transaction", None),
            Self::PolicyConflict => {
                (409, "policy_conflict", "The bundle cannot follow the one in force", None)
            }
            Self::PolicyInvalid => (422, "policy_invalid", "The bundle cannot be used", None),
            Self::TransactionRejected => (422, "transaction_rejected", "This will not be signed", None),
            Self::SealedObjectInvalid => {
                (500, "sealed_object_invalid", "A stored object is not authentic", None)
            }
            Self::Internal => (500, "internal", "Something is wrong with the enclave", None),
            Self::Overloaded => (429, "overloaded", "Too many requests", Some(1)),
            Self::NotReady => (503, "not_ready", "The enclave is not ready", Some(1)),
            Self::KeyringMissing => (503, "keyring_missing", "The keyring is not there", Some(5)),
            Self::KmsFailed => (503, "kms_failed", "KMS did not release a key", Some(5)),
            Self::NsmFailed => (503, "nsm_failed", "The security module failed", Some(5)),
            Self::GuardFull => (503, "guard_full", "The enclave can remember no more", Some(60)),
            Self::AuditNotStored => (503, "audit_not_stored", "The audit log is not stored", Some(5)),
            Self::ClockUnavailable => (503, "clock_unavailable", "The enclave has no time", Some(5)),
        }
    }
}

/// A problem's JSON.
#[derive(Serialize)]
pub struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// The stable code.
    pub code: &'static str,
    detail: &'a str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The rule that denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a str>,
    /// The member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// With what the caller should know and do.
    pub fn new(kind: Code, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), rule: None, field: None, wallet: None, allow: None }
    }

    /// A body that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    /// Names the rule that denied.
    pub fn by_rule(mut self, rule: Option<&Name>) -> Self {
        self.rule = rule.map(|rule| rule.as_str().into());
        self
    }

    /// Names the member that is wrong.
    pub fn of_field(mut self, field: &str) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the methods that the path takes.
    pub fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Shows the wallet that exists.
    pub fn with_wallet(mut self, wallet: Value) -> Self {
        self.wallet = Some(wallet);
        self
    }

    /// What the caller should know and do.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Which code it is.
    pub fn code(&self) -> Code {
        self.kind
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.row().0
    }

    /// The JSON of it.
    pub fn body<'a>(&'a self, request_id: Option<&'a str>) -> Body<'a> {
        let (status, code, title, retry_after) = self.kind.row();
        Body {
            r#type: "about:blank",
            title,
            status,
            code,
            detail: &self.detail,
            retryable: retry_after.is_some(),
            rule: self.rule.as_deref(),
            field: self.field.as_deref(),
            wallet: self.wallet.as_ref(),
            request_id,
        }
    }

    /// As an HTTP response.
    pub fn response(&self, request_id: Option<&str>) -> ApiResponse {
        let (status, _, _, retry_after) = self.kind.row();
        let body = self.body(request_id);
        let mut headers = vec![header("content-type", "application/problem+json")];
        if let Some(methods) = self.allow {
            headers.push(header("allow", methods));
        }
        if let Some(seconds) = retry_after {
            headers.push(header("retry-after", &seconds.to_string()));
        }
        let body = serde_json::to_vec(&body).unwrap_or_default();
        ApiResponse { status, headers, body: body.into(), writes: Vec::new() }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self::new(Code::TransactionRejected, rejection.to_string()).of_field(&rejection.field)
    }
}

/// A response header.
pub(super) fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}
