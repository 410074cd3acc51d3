//! The emulator over HTTPS, asked by the SDK that the enclave uses.

mod access;
mod faults;
mod protocol;
mod unsigned;

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_nitro_enclaves_nsm_api::api::{Request, Response};
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::generate_data_key::GenerateDataKeyOutput;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyEncryptionMechanism, RecipientInfo};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};

use super::*;
use crate::nsm::{NsmOptions, Pcr, SoftwareNsm};
use crate::pki::{AttestationAuthority, TlsAuthority};

const KEY_ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const KEY_ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const PARENT: &str = "arn:aws:sts::111122223333:assumed-role/parent/i-0123";
const ADMIN: &str = "arn:aws:iam::111122223333:user/admin";

/// A KMS with one key, its principals, and the root of genuine enclaves.
struct World {
    authority: Arc<AttestationAuthority>,
    tls: Arc<TlsAuthority>,
    kms: KmsHandle,
}

impl World {
    /// The key has `policy`.
    async fn new(policy: Value) -> Self {
        Self::of(policy, false).await
    }

    async fn of(policy: Value, accept_unsigned_documents: bool) -> Self {
        let authority = Arc::new(AttestationAuthority::generate());
        let tls = Arc::new(TlsAuthority::generate());
        let key = KeySpec { key_id: Some(KEY_ID.to_owned()), policy: Some(policy), ..KeySpec::default() };
        let parent =
            PrincipalSpec { session_token: Some("token".to_owned()), ..credentials("PARENT", PARENT) };
        let options = KmsOptions {
            keys: vec![key],
            principals: vec![parent, credentials("ADMIN", ADMIN)],
            accept_unsigned_documents,
            ..KmsOptions::new(authority.root_der().clone(), Arc::clone(&tls))
        };
        let kms = KmsEmulator::start(options).await.expect("a free port");
        Self { authority, tls, kms }
    }

    /// What a deployment has: the image may use the key, administrators may administer, nothing else.
    async fn usual() -> Self {
        Self::new(strict_policy()).await
    }

    fn enclave(&self, options: NsmOptions) -> Enclave {
        Enclave::start(Arc::clone(&self.authority), options)
    }

    fn parent(&self) -> Client {
        self.client(PrincipalSpec {
            session_token: Some("token".to_owned()),
            ..credentials("PARENT", PARENT)
        })
    }

    fn admin(&self) -> Client {
        self.client(credentials("ADMIN", ADMIN))
    }

    fn client(&self, credentials: PrincipalSpec) -> Client {
        sdk_client(self.kms.address(), self.tls.root_der(), credentials, "us-east-1")
            .expect("a root certificate")
    }
}

/// A device, and an RSA key as the application makes for one unseal.
struct Enclave {
    nsm: SoftwareNsm,
    private: PrivateDecryptingKey,
}

impl Enclave {
    fn start(authority: Arc<AttestationAuthority>, options: NsmOptions) -> Self {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("an RSA key");
        Self { nsm: SoftwareNsm::new(authority, options), private }
    }

    fn document(&self) -> Vec<u8> {
        let spki = self.private.public_key().as_der().expect("an SPKI");
        let public_key = Some(ByteBuf::from(spki.as_ref()));
        match self.nsm.process(Request::Attestation { user_data: None, nonce: None, public_key }) {
            Response::Attestation { document } => document,
            other => panic!("no document: {other:?}"),
        }
    }

    fn recipient(&self) -> RecipientInfo {
        recipient(self.document())
    }

    fn open(&self, envelope: Option<&Blob>) -> Option<Vec<u8>> {
        envelope::tests::open(&self.private, envelope?.as_ref())
    }
}

fn recipient(document: Vec<u8>) -> RecipientInfo {
    RecipientInfo::builder()
        .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
        .attestation_document(Blob::new(document))
        .build()
}

fn image() -> NsmOptions {
    NsmOptions { pcr0: Pcr::measuring(b"image"), pcr1: Pcr::measuring(b"image"), ..NsmOptions::default() }
}

fn credentials(name: &str, arn: &str) -> PrincipalSpec {
    PrincipalSpec::permanent(&format!("AKIA{name}"), &format!("secret of {name}"), arn)
}

fn strict_policy() -> Value {
    let image = json!({"kms:RecipientAttestation:ImageSha384": Pcr::measuring(b"image").to_hex()});
    let use_key = json!(["kms:Decrypt", "kms:GenerateDataKey"]);
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/parent"}, "Action": use_key,
         "Resource": "*", "Condition": {"StringEqualsIgnoreCase": image}},
        {"Effect": "Deny", "Principal": "*", "Action": use_key, "Resource": "*",
         "Condition": {"StringNotEqualsIgnoreCase": image}},
        {"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Resource": "*",
         "Action": ["kms:CreateGrant", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "kms:PutKeyPolicy"]},
    ]})
}

/// The account may do all, attested or not.
fn open_policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}})
}

async fn data_key(
    client: &Client,
    recipient: Option<RecipientInfo>,
) -> Result<GenerateDataKeyOutput, String> {
    let request = client.generate_data_key().key_id(KEY_ID).key_spec(DataKeySpec::Aes256);
    request
        .encryption_context("ns:purpose", "test")
        .set_recipient(recipient)
        .send()
        .await
        .map_err(|e| code(&e))
}

async fn decrypt(
    client: &Client,
    blob: Option<Blob>,
    recipient: Option<RecipientInfo>,
) -> Result<(Option<Vec<u8>>, Option<Blob>), String> {
    let request = client.decrypt().set_ciphertext_blob(blob).encryption_context("ns:purpose", "test");
    let answer = request.set_recipient(recipient).send().await.map_err(|error| code(&error))?;
    Ok((answer.plaintext.map(Blob::into_inner), answer.ciphertext_for_recipient))
}

fn code<E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or_else(|| panic!("no answer of KMS: {error:?}")).to_owned()
}
