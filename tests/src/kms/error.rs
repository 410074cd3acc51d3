//! KMS's errors: name, HTTP status, message.

use serde_json::{Value, json};

/// An error as KMS answers it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KmsError {
    /// KMS's name for it, such as `AccessDeniedException`.
    pub code: &'static str,
    /// The HTTP status: 400 for all but KMS's own failures.
    pub status: u16,
    /// Text for people.
    pub message: String,
}

impl KmsError {
    /// An error of the caller, HTTP 400.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    pub(crate) fn malformed_policy(message: impl Into<String>) -> Self {
        Self::client("MalformedPolicyDocumentException", message)
    }

    pub(crate) fn invalid_ciphertext() -> Self {
        Self::client("InvalidCiphertextException", "")
    }

    pub(crate) fn internal() -> Self {
        Self { code: "KMSInternalException", status: 500, message: "An internal error occurred.".to_owned() }
    }

    pub(crate) fn throttled() -> Self {
        let message =
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        Self::client("ThrottlingException", message)
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        json!({"__type": self.code, "message": self.message})
    }
}
