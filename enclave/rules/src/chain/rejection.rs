//! Why something will not be signed, for the caller.

/// A request that is not understood completely, or that its chain would refuse: HTTP 422 `transaction_rejected`.
///
/// Holds no secrets: it is built from the request and public keys alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Rejection {
    /// The JSON path of what is wrong, such as `transaction.gas`, `unsigned` or
    /// `transaction.message.instructions[2].accounts[0]` (inside a decoded transaction the path uses the names of the
    /// chain's own JSON-RPC).
    pub field: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
