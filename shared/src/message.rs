//! Requests of the host to the enclave, and the enclave's responses.
//!
//! Every message is a struct or an externally tagged enum with named fields; unknown fields are
//! refused, byte strings are byte strings. Objects and listings travel with the request that needs
//! them, so the enclave keeps no state between the rounds of one request: it answers
//! [`Response::NeedObjects`] or [`Response::NeedListing`], the host fetches and asks again.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The version of this protocol. Host and enclave of different versions refuse each other.
pub const PROTOCOL: u16 = 1;

/// The most objects that one request may carry, in `objects` and `listing` together.
pub const MAX_OBJECTS: usize = 1024;

/// One request, with what the host knows about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFrame {
    /// Chosen by the host, unique among the requests under way on a connection.
    pub id: u64,
    /// Milliseconds left to answer. Clocks do not cross vsock, so this is a duration.
    pub remaining_ms: u32,
    /// What is asked.
    pub request: Request,
}

/// One response; responses come in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseFrame {
    /// The request's id.
    pub id: u64,
    /// The answer.
    pub response: Response,
}

/// What the host can ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// The first message on a connection: do we speak the same protocol, and who are you.
    Hello {
        /// The host's [`PROTOCOL`].
        protocol: u16,
    },
    /// Hands over the signed configuration and policy, and the sealed keyrings they name.
    Provision {
        /// The appliance configuration: a DSSE envelope in JSON.
        configuration: ByteBuf,
        /// The policy bundle: a DSSE envelope in JSON.
        policy_bundle: ByteBuf,
        /// Sealed objects that the enclave asked for with [`Response::NeedObjects`].
        objects: Vec<Object>,
    },
    /// In which state the enclave is.
    Status {},
    /// An attestation document with the statement that it binds.
    Attest {
        /// 16 to 64 bytes for a fresh document; without one it may be ten seconds old.
        nonce: Option<ByteBuf>,
    },
    /// A client's HTTP request.
    Api(ApiRequest),
    /// Audit records of this boot, to be stored.
    Audit {
        /// The sequence number of the last record that the host has stored: all up to it are forgotten, and the next
        /// ones returned. Absent if it has none.
        after: Option<u64>,
    },
}

/// A client's HTTP request as it was signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiRequest {
    /// The method, in capitals.
    pub method: String,
    /// Path and query, as received.
    pub path: String,
    /// Headers of [`FORWARDED_HEADERS`], names in lower case, in the order received.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: ByteBuf,
    /// Sealed objects that the enclave asked for.
    pub objects: Vec<Object>,
    /// The listing that the enclave asked for.
    pub listing: Option<Listing>,
}

/// The request headers that the host forwards; the enclave refuses any other.
pub const FORWARDED_HEADERS: [&str; 9] = [
    "authorization",
    "content-digest",
    "content-encoding",
    "content-type",
    "signature",
    "signature-input",
    "signer-approval",
    "signer-session",
    "x-request-id",
];

/// An HTTP header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The name, in lower case.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A sealed object as the host's store has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its name: see [`crate::object_name`].
    pub name: String,
    /// Its bytes; absent if the host says that there is no such object.
    pub content: Option<ByteBuf>,
}

/// A page of the store's objects, in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The prefix that was asked for.
    pub prefix: String,
    /// The name that was asked for to start after.
    pub after: Option<String>,
    /// The objects.
    pub objects: Vec<Object>,
    /// Whether the store has more.
    pub more: bool,
}

/// An object to be stored, unless its name is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: ByteBuf,
}

/// What the enclave answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Response {
    /// To [`Request::Hello`].
    Hello {
        /// The enclave's [`PROTOCOL`].
        protocol: u16,
        /// Random for each boot, hexadecimal.
        boot_id: String,
        /// Where the enclave is on its way to sign.
        phase: Phase,
    },
    /// To [`Request::Provision`]: accepted.
    Provisioned {
        /// [`Phase::Ready`], or [`Phase::Configured`] when `missing_keyrings` has names or the
        /// bundle has no keyring.
        phase: Phase,
        /// Keyrings of the bundle that the host says it does not have.
        missing_keyrings: Vec<String>,
    },
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Attest`].
    Attestation {
        /// The boot that attests.
        boot_id: String,
        /// The attestation document: `COSE_Sign1`.
        document: ByteBuf,
        /// The exact bytes whose digest the document's `user_data` has.
        statement: ByteBuf,
    },
    /// To [`Request::Api`].
    Api(ApiResponse),
    /// Ask again with these objects.
    NeedObjects {
        /// At most [`MAX_OBJECTS`] names.
        names: Vec<String>,
    },
    /// Ask again with this listing.
    NeedListing {
        /// Names start with this.
        prefix: String,
        /// Names come after this.
        after: Option<String>,
        /// At most this many.
        limit: u32,
    },
    /// To [`Request::Audit`].
    Audit {
        /// The boot whose records these are.
        boot_id: String,
        /// Sequence number of the first of `records`.
        first: u64,
        /// Records in JSON, in order, up to the last that a checkpoint covers.
        records: Vec<ByteBuf>,
        /// The line of a checkpoint over the last of `records`; absent if there are none.
        checkpoint: Option<String>,
        /// Sequence number of the chain's newest record.
        head: u64,
    },
    /// The request was not carried out.
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for the operator.
        message: String,
    },
}

/// The client's HTTP response, and what must be stored before the client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiResponse {
    /// HTTP status code.
    pub status: u16,
    /// Response headers.
    pub headers: Vec<Header>,
    /// Response body.
    pub body: ByteBuf,
    /// Objects to store, in order; the last is the commit. If a name is taken the host asks again
    /// with the object that has it.
    pub writes: Vec<Write>,
}

/// Where the enclave is on its way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It knows no configuration.
    Booting,
    /// Its configuration is in PCR16, and it can open or create keyrings.
    Configured,
    /// Every keyring of its bundle is open; it signs.
    Ready,
}

impl Phase {
    /// The name that status pages and logs show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Configured => "configured",
            Self::Ready => "ready",
        }
    }
}

/// The enclave's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Random for each boot, hexadecimal.
    pub boot_id: String,
    /// Version of the enclave's package.
    pub version: String,
    /// The phase.
    pub phase: Phase,
    /// Seconds since the enclave started.
    pub uptime_s: u64,
    /// The enclave's clock, Unix milliseconds; absent before its first reading.
    pub time_ms: Option<u64>,
    /// `authority_id`, hexadecimal; from [`Phase::Configured`] on.
    pub authority: Option<String>,
    /// SHA-384 of the configuration, hexadecimal.
    pub configuration_digest: Option<String>,
    /// Version of the policy bundle in force.
    pub policy_version: Option<u64>,
    /// SHA-256 of the policy bundle in force, hexadecimal.
    pub policy_digest: Option<String>,
    /// Keyrings of the bundle.
    pub keyrings: Vec<KeyringStatus>,
    /// Signatures made since boot.
    pub signatures: u64,
    /// Sequence number of the newest audit record.
    pub audit_head: u64,
    /// How the audit log leaves the enclave.
    pub audit: AuditStatus,
    /// Why the enclave is not ready, if it knows.
    pub problem: Option<String>,
}

/// How the audit log leaves the enclave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditStatus {
    /// Sequence number of the last record that the host says it has stored.
    pub stored: Option<u64>,
    /// Sequence number of the last record that is witnessed in KMS's log.
    pub witnessed: Option<u64>,
    /// Why nothing is signed because of the log, or why there is no witness.
    pub problem: Option<String>,
}

/// One keyring's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyringStatus {
    /// Its id in the bundle.
    pub id: String,
    /// Whether it is open.
    pub open: bool,
}

/// Why the enclave did not carry out a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The host speaks another protocol.
    ProtocolMismatch,
    /// Not in this phase.
    WrongPhase,
    /// The configuration is not one that its admins signed, or not well formed.
    ConfigurationInvalid,
    /// Another configuration is in PCR16 already.
    ConfigurationFixed,
    /// The policy bundle is not one that the admins signed, not well formed, or not in force.
    PolicyInvalid,
    /// The policy bundle is older than, or a rival of, the one in force.
    PolicyRollback,
    /// A keyring did not open: what the host supplied does not belong to it.
    KeyringInvalid,
    /// KMS refused, or could not be reached.
    KmsFailed,
    /// The NSM device failed.
    NsmFailed,
    /// Too many requests are under way.
    Overloaded,
    /// The audit log is not stored.
    AuditNotStored,
    /// The time given was not enough.
    DeadlineExceeded,
    /// The nonce or the objects are not of the form asked for.
    Malformed,
}

impl RefusalCode {
    /// The code's name, as problem details and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProtocolMismatch => "protocol_mismatch",
            Self::WrongPhase => "wrong_phase",
            Self::ConfigurationInvalid => "configuration_invalid",
            Self::ConfigurationFixed => "configuration_fixed",
            Self::PolicyInvalid => "policy_invalid",
            Self::PolicyRollback => "policy_rollback",
            Self::KeyringInvalid => "keyring_invalid",
            Self::KmsFailed => "kms_failed",
            Self::NsmFailed => "nsm_failed",
            Self::Overloaded => "overloaded",
            Self::AuditNotStored => "audit_not_stored",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Malformed => "malformed",
        }
    }
}
