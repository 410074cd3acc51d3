//! A keyring object as a host would forge it: a share of its own under a data key that it knows.
//! The derivations are written out again here, from the design and not from the enclave's code.

use std::collections::HashMap;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use aws_sdk_kms::{Client, types::DataKeySpec};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use signer_rules::authority::AuthorityId;

/// A forged keyring.
pub(crate) struct Forged {
    /// The bytes of `keyring/{id}`.
    pub(crate) object: Vec<u8>,
    /// The fingerprint that it has, in hexadecimal.
    pub(crate) fingerprint: String,
}

/// Forges a keyring of one share under a KMS key that the host may call without attestation.
pub(crate) async fn keyring(
    client: &Client,
    key_arn: &str,
    authority: AuthorityId,
    id: &str,
    share: [u8; 32],
) -> Forged {
    let context = encryption_context(&authority.to_string(), id);
    let request = client.generate_data_key().key_id(key_arn).key_spec(DataKeySpec::Aes256);
    let made = request.set_encryption_context(Some(context)).send().await.expect("a careless key policy");
    let data_key = made.plaintext().expect("asked for without an enclave").as_ref();
    let ciphertext = made.ciphertext_blob().expect("a ciphertext").as_ref();

    let place: [&[u8]; 4] = [&authority.0, id.as_bytes(), b"0", key_arn.as_bytes()];
    let wrapping_key = derive("nitro-signer/keyring-share/v1", data_key, &info("share-wrapping/v1", &place));
    let mut sealed = share.to_vec();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &wrapping_key).expect("32 bytes"))
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::from(info("share-copy/v1", &place)),
            &mut sealed,
        )
        .expect("a short share");

    let object = json!({
        "format": "nitro-signer/keyring/v1",
        "authority": authority,
        "keyring": id,
        "shares": [{"copies": [{
            "key_arn": key_arn,
            "data_key": STANDARD.encode(ciphertext),
            "share": STANDARD.encode(sealed),
        }]}],
    });
    Forged { object: object.to_string().into_bytes(), fingerprint: fingerprint(authority, id, &[share]) }
}

/// What the enclave binds a keyring's data keys to.
pub(crate) fn encryption_context(authority: &str, keyring: &str) -> HashMap<String, String> {
    [("authority", authority), ("keyring", keyring), ("purpose", "keyring-share"), ("v", "1")]
        .map(|(name, value)| (format!("nitro-signer:{name}"), value.to_owned()))
        .into()
}

/// A share as the enclave gets it out of a copy whose data key is known.
pub(crate) fn opened_share(
    data_key: &[u8],
    sealed: &[u8],
    authority: AuthorityId,
    id: &str,
    index: &str,
    key_arn: &str,
) -> Option<[u8; 32]> {
    let place: [&[u8]; 4] = [&authority.0, id.as_bytes(), index.as_bytes(), key_arn.as_bytes()];
    let wrapping_key = derive("nitro-signer/keyring-share/v1", data_key, &info("share-wrapping/v1", &place));
    let mut share = sealed.to_vec();
    let opened = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &wrapping_key).expect("32 bytes"))
        .open_in_place(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::from(info("share-copy/v1", &place)),
            &mut share,
        )
        .ok()?;
    (&*opened).try_into().ok()
}

/// The fingerprint of the keyring that shares come to, in hexadecimal.
pub(crate) fn fingerprint(authority: AuthorityId, id: &str, shares: &[[u8; 32]]) -> String {
    let owner: [&[u8]; 2] = [&authority.0, id.as_bytes()];
    let key = derive("nitro-signer/keyring/v1", &shares.concat(), &info("keyring-key/v1", &owner));
    hex::encode(derive("nitro-signer/keyring/v1", &key, &info("keyring-fp/v1", &owner)))
}

fn derive(salt: &str, secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt.as_bytes())
        .extract(secret)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|expanded| expanded.fill(&mut out))
        .expect("32 bytes");
    out
}

fn info(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
        bytes.extend(u32::try_from(part.len()).expect("short parts").to_be_bytes());
        bytes.extend(part);
    }
    bytes
}
