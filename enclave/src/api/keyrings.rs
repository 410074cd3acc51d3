//! `POST /v1/keyrings`: a new keyring, on the admins' signed request.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use signer_rules::{bundle::Keyring, hex_bytes::HexBytes, keyring_request::KeyringRequest, name::Name};
use signer_shared::message::Write;

use super::{Answer, Call, Code, Problem, Stop, objects::Stored, success};
use crate::{
    audit::Entry,
    boot::{AttestError, Enclave, Kind, Need, is_allowed},
    clock::ClockStale,
    wallet::{KeyringError, keyring},
};

#[derive(Serialize)]
struct Created {
    keyring: Keyring,
    boot_id: HexBytes<16>,
    /// Base64.
    document: String,
    /// Base64 of the exact bytes.
    statement: String,
}

/// Makes the keyring that the request in the body names. It opens nothing until the admins sign
/// its fingerprint into a bundle, which they learn from the attested statement of this answer.
pub(super) async fn create(enclave: &Enclave, call: &Call) -> Answer {
    call.without_query()?;
    let state = enclave.state();
    let configured = state.configured().filter(|_| is_allowed(Kind::CreateKeyring, state.phase()));
    let Some(configured) = configured else {
        return Err(Problem::new(Code::NotReady, "the enclave has no configuration yet; try again").into());
    };
    enclave.may_record(configured)?;
    let now = enclave.clock().now()?;
    let request = KeyringRequest::verify(&call.body, &configured.configuration, now)
        .map_err(|error| Problem::new(Code::PolicyInvalid, error.to_string()))?;
    // The bundle knows it, whatever the host says of its object.
    let known = configured.bundle.bundle.keyrings.iter().any(|keyring| keyring.id == request.keyring);
    if known {
        return Err(exists(&request.keyring).into());
    }
    let object = keyring::object_name(&request.keyring);
    match call.objects.get(&object) {
        Stored::Unknown => return Err(Stop::Objects(vec![object])),
        Stored::Present(_) => return Err(exists(&request.keyring).into()),
        Stored::Absent => {}
    }
    let Ok(_turn) = enclave.creating().try_acquire() else {
        return Err(Problem::new(Code::Overloaded, "another keyring is being created; try again").into());
    };
    let usable = enclave.check_key_policies(&configured.configuration, Need::EveryKey).await;
    let usable = usable.map_err(|error| {
        enclave.events().error("keyring_not_created", &[("cause", &error)]);
        Problem::new(Code::KmsFailed, error.to_string())
    })?;
    let (created, content) =
        keyring::create(enclave.kms(), enclave.nsm(), &configured.configuration, &request.keyring)
            .await
            .map_err(|error| {
                let text = error.operator_text();
                enclave.events().error("keyring_not_created", &[("cause", &text)]);
                Problem::from(error)
            })?;
    enclave.audit().record(
        enclave.clock().now()?,
        &Entry::KeyringCreated {
            keyring: &created.id,
            fingerprint: created.fingerprint,
            kms_policy: usable.found,
        },
    );
    enclave
        .events()
        .info("keyring_created", &[("keyring", &created.id), ("fingerprint", &created.fingerprint)]);
    let attested = enclave
        .attest_created_keyring(configured, created.clone(), request.nonce.0.to_vec())
        .await
        .map_err(Problem::from)?;
    let answer = Created {
        keyring: created,
        boot_id: enclave.identity().boot_id(),
        document: STANDARD.encode(&attested.document),
        statement: STANDARD.encode(&attested.statement),
    };
    success(201, &answer, vec![Write { name: object, content: content.into() }])
}

fn exists(keyring: &Name) -> Problem {
    Problem::new(Code::KeyringExists, format!("keyring {keyring} exists; choose another name"))
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        let code = match error {
            KeyringError::Kms(_) | KeyringError::Share { .. } => Code::KmsFailed,
            KeyringError::Nsm(_) => Code::NsmFailed,
            KeyringError::Object(_) | KeyringError::Fingerprint { .. } => Code::SealedObjectInvalid,
            KeyringError::Crypto(_) | KeyringError::SelfTest => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<AttestError> for Problem {
    fn from(error: AttestError) -> Self {
        let code = match error {
            AttestError::Nonce => Code::MalformedRequest,
            AttestError::Nsm(crate::attestation::NsmError::Busy) => Code::Overloaded,
            AttestError::Nsm(_) => Code::NsmFailed,
            AttestError::Statement => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ClockStale> for Problem {
    fn from(error: ClockStale) -> Self {
        Self::new(Code::ClockUnavailable, error.to_string())
    }
}
