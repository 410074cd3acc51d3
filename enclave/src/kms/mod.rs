//! AWS KMS, called from inside: attested requests, and answers that are bound to us or refused.
//!
//! The host carries the bytes and supplies credentials; it sees and forges nothing, because TLS
//! ends here against roots that are measured. KMS's answers are not signed, so that TLS is all that
//! makes them KMS's: every further check here is against a KMS that was asked the wrong thing.

mod connector;
mod credentials;
mod envelope;
pub mod key_policy;
mod recipient;
mod trust;

use std::{collections::HashMap, time::Duration};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, generate_data_key::GenerateDataKeyOutput},
    primitives::Blob,
    types::{DataKeySpec, EncryptionAlgorithmSpec},
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use signer_rules::{audit::Witness, authority::AuthorityId, configuration::KmsKey, name::Name};
use signer_shared::address::Address;

pub use envelope::EnvelopeError;
pub use recipient::{Recipient, RecipientError};
pub use trust::{Trust, TrustError};

use crate::{
    attestation::{Nsm, NsmError},
    audit::KmsRequest,
    clock::Clock,
    secret::Secret,
};
use connector::TunnelClient;
use credentials::HostCredentials;

const GENERATE_DATA_KEY: &str = "GenerateDataKey";

/// One call, retries included.
const OPERATION_LIMIT: Duration = Duration::from_secs(25);
/// Attempts where there is nobody else to ask.
pub const ATTEMPTS: u32 = 3;
/// One attempt.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(8);

/// A KMS client for every key of the configuration.
#[derive(Clone)]
pub struct Kms {
    nsm: Nsm,
    clock: Clock,
    http: SharedHttpClient,
    credentials: HostCredentials,
}

/// Why KMS did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// The recipient key or its attestation document could not be made.
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    /// The NSM failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// KMS answered with an error.
    #[error("KMS refused {operation}: {code}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The key's ARN.
        key: String,
        /// KMS's error name.
        code: String,
        /// KMS's message.
        message: String,
    },
    /// No answer came.
    #[error("KMS could not be asked for {operation}")]
    Unreachable {
        /// The operation.
        operation: &'static str,
        /// The key's ARN.
        key: String,
        /// What happened.
        cause: String,
    },
    /// The answer has the key in the clear: it was not made for an enclave.
    #[error("the answer to {0} carries a plaintext")]
    PlaintextPresent(&'static str),
    /// The answer has no envelope for us.
    #[error("the answer to {0} carries no CiphertextForRecipient")]
    EnvelopeMissing(&'static str),
    /// The answer is about another key than the one asked for.
    #[error("the answer to {operation} is of another key")]
    ForeignKey {
        /// The operation.
        operation: &'static str,
        /// The key asked for.
        expected: String,
        /// The key of the answer.
        found: String,
    },
    /// The envelope is not one for our key.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// `GenerateDataKey` came without a ciphertext to keep.
    #[error("the answer to GenerateDataKey carries no CiphertextBlob")]
    CiphertextMissing,
    /// An answer lacks what it is for.
    #[error("the answer to {0} is incomplete")]
    Incomplete(&'static str),
}

impl KmsError {
    /// With names of keys and what KMS or the network said: for the log, not for callers.
    pub fn operator_text(&self) -> String {
        match self {
            Self::Refused { key, message, .. } => format!("{self}: {message} (key {key})"),
            Self::Unreachable { key, cause, .. } => format!("{self}: {cause} (key {key})"),
            Self::ForeignKey { expected, found, .. } => format!("{self}: {found}, not {expected}"),
            other => other.to_string(),
        }
    }
}

/// What a data key is for: KMS binds it into the ciphertext, and its policies can ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// Whose data key it is.
    pub authority: AuthorityId,
    /// Of which keyring.
    pub keyring: &'a Name,
}

impl Purpose<'_> {
    fn encryption_context(&self) -> HashMap<String, String> {
        HashMap::from([
            ("nitro-signer:authority".into(), self.authority.to_string()),
            ("nitro-signer:keyring".into(), self.keyring.to_string()),
            ("nitro-signer:purpose".into(), "keyring-share".into()),
            ("nitro-signer:v".into(), "1".into()),
        ])
    }
}

impl Kms {
    /// A client that reaches KMS through the host's `tunnel`, trusts `trust`, and signs with what
    /// the host's `credentials` service supplies.
    pub fn new(
        nsm: Nsm,
        clock: Clock,
        trust: &Trust,
        tunnel: Address,
        credentials: Address,
    ) -> Result<Self, TrustError> {
        let http = SharedHttpClient::new(TunnelClient::new(tunnel, trust.client_config(&clock)?));
        Ok(Self { credentials: HostCredentials::new(credentials, clock.clone()), nsm, clock, http })
    }

    /// Makes the RSA key and the attestation document for one opening or creation of a keyring.
    pub async fn recipient(&self) -> Result<Recipient, KmsError> {
        Ok(Recipient::generate(&self.nsm).await?)
    }

    /// Asks for a new data key under `key`. Returns it with the ciphertext that opens to it.
    pub async fn generate_data_key(
        &self,
        recipient: &Recipient,
        key: &KmsKey,
        purpose: Purpose<'_>,
    ) -> Result<(Secret<32>, Vec<u8>), KmsError> {
        let answer = self.new_data_key(recipient, key, purpose.encryption_context()).await?;
        let data_key = recipient.open(envelope_of(key, &answer)?)?;
        let ciphertext = answer.ciphertext_blob().ok_or(KmsError::CiphertextMissing)?;
        Ok((data_key, ciphertext.as_ref().to_vec()))
    }

    /// Has KMS write a witness into its log. The data key that this makes is thrown away unopened; but an answer that is
    /// not ours is an error, because then nobody knows what was written.
    pub async fn leave_witness(&self, key: &KmsKey, witness: &Witness) -> Result<(), KmsError> {
        let recipient = self.recipient().await?;
        let context = witness.encryption_context().into_iter().collect();
        let answer = self.new_data_key(&recipient, key, context).await?;
        Ok(recipient.recognise(envelope_of(key, &answer)?)?)
    }

    async fn new_data_key(
        &self,
        recipient: &Recipient,
        key: &KmsKey,
        context: HashMap<String, String>,
    ) -> Result<GenerateDataKeyOutput, KmsError> {
        self.client(key, ATTEMPTS)
            .generate_data_key()
            .key_id(&key.arn)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context))
            .recipient(recipient.info())
            .send()
            .await
            .map_err(|error| failure(GENERATE_DATA_KEY, key, &error))
    }

    /// Asks for the data key of a ciphertext that `key` made, at most `attempts` times. What KMS grants is noted in
    /// `granted`, whatever its answer is worth: KMS's log has it.
    pub async fn decrypt(
        &self,
        recipient: &Recipient,
        key: &KmsKey,
        purpose: Purpose<'_>,
        (ciphertext, attempts): (Vec<u8>, u32),
        granted: &mut Vec<KmsRequest>,
    ) -> Result<Secret<32>, KmsError> {
        const OPERATION: &str = "Decrypt";
        let answer = self
            .client(key, attempts)
            .decrypt()
            .key_id(&key.arn)
            .ciphertext_blob(Blob::new(ciphertext))
            .encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault)
            .set_encryption_context(Some(purpose.encryption_context()))
            .recipient(recipient.info())
            .send()
            .await
            .map_err(|error| failure(OPERATION, key, &error))?;
        let request_id = answer.request_id().filter(|id| is_request_id(id)).map(str::to_owned);
        granted.push(KmsRequest { key_arn: key.arn.clone(), request_id });
        let envelope = bound_envelope(
            OPERATION,
            key,
            answer.key_id(),
            answer.plaintext(),
            answer.ciphertext_for_recipient(),
        )?;
        Ok(recipient.open(envelope)?)
    }

    fn client(&self, key: &KmsKey, attempts: u32) -> Client {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_LIMIT)
            .operation_attempt_timeout(ATTEMPT_LIMIT)
            .build();
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(key.region().to_owned()))
            .endpoint_url(format!("https://{}", key.endpoint))
            .http_client(self.http.clone())
            .credentials_provider(self.credentials.clone())
            .time_source(aws_smithy_async::time::SharedTimeSource::new(self.clock.clone()))
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts)
            .build();
        Client::from_conf(config)
    }
}

/// As KMS makes them: a UUID, for now. Records hold nothing else.
fn is_request_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn envelope_of<'a>(key: &KmsKey, answer: &'a GenerateDataKeyOutput) -> Result<&'a [u8], KmsError> {
    let (plaintext, envelope) = (answer.plaintext(), answer.ciphertext_for_recipient());
    bound_envelope(GENERATE_DATA_KEY, key, answer.key_id(), plaintext, envelope)
}

/// The envelope of an answer that is about our key, has no plaintext, and was made for an enclave.
/// Anything else is an error, never a fallback.
fn bound_envelope<'a>(
    operation: &'static str,
    key: &KmsKey,
    key_id: Option<&str>,
    plaintext: Option<&Blob>,
    envelope: Option<&'a Blob>,
) -> Result<&'a [u8], KmsError> {
    if plaintext.is_some_and(|plaintext| !plaintext.as_ref().is_empty()) {
        return Err(KmsError::PlaintextPresent(operation));
    }
    if key_id != Some(key.arn.as_str()) {
        return Err(KmsError::ForeignKey {
            operation,
            expected: key.arn.clone(),
            found: key_id.unwrap_or("none").to_owned(),
        });
    }
    match envelope {
        Some(envelope) if !envelope.as_ref().is_empty() => Ok(envelope.as_ref()),
        _ => Err(KmsError::EnvelopeMissing(operation)),
    }
}

fn failure<E, R>(operation: &'static str, key: &KmsKey, error: &SdkError<E, R>) -> KmsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let key = key.arn.clone();
    match error {
        SdkError::ServiceError(service) => KmsError::Refused {
            operation,
            key,
            code: service.err().code().unwrap_or("unknown").to_owned(),
            message: service.err().message().unwrap_or_default().to_owned(),
        },
        other => KmsError::Unreachable { operation, key, cause: causes(other) },
    }
}

/// The chain of causes by their `Display` alone: `Debug` could show bodies.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.join(": ").chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::is_request_id;

    #[test]
    fn ids_of_requests_are_plain() {
        assert!(is_request_id("1e0dc1f4-5c1a-4a3b-9c63-9c3b6f4f3b52"));
        for id in ["", "a b", "\"", "é", &"a".repeat(65)] {
            assert!(!is_request_id(id), "{id}");
        }
    }
}
