//! What the enclave asks of the host: AWS credentials, and a place for its log.
//!
//! The enclave dials, sends one [`CredentialsRequest`] a frame and reads one
//! [`CredentialsResponse`]; events go one [`Event`] a frame, without an answer. Neither is trusted
//! with anything: credentials are the instance role's own, and events carry no secret.

use serde::{Deserialize, Serialize};

/// Asks for the instance role's credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialsRequest {
    /// The asker's [`crate::message::PROTOCOL`].
    pub protocol: u16,
}

/// The host's answer.
// No `Debug`: a log that prints an answer must not print the credentials in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum CredentialsResponse {
    /// The role's credentials.
    Credentials(Credentials),
    /// There are none at present.
    Unavailable {
        /// Why, for the operator.
        reason: String,
    },
}

/// Temporary AWS credentials.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token, if the credentials are temporary.
    pub session_token: Option<String>,
    /// When they expire, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// One entry of the enclave's structured log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Counts from one at boot; a gap means that events were dropped because nobody read them.
    pub sequence: u64,
    /// Milliseconds since boot.
    pub uptime_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// A stable name, `snake_case`.
    pub code: String,
    /// What the event is about: names from a fixed set, values for people.
    pub fields: Vec<EventField>,
}

/// One fact of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventField {
    /// Its name, `snake_case`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Normal work.
    Info,
    /// Something an operator should look at.
    Warn,
    /// Something does not work.
    Error,
}
