//! Keyrings: one 256-bit key each, split in shares that KMS keys protect.
//!
//! A share is made inside from randomness and from the data keys that protect it, so that neither
//! KMS nor the enclave's randomness alone determines it. Each of the share's KMS keys gives a data
//! key of its own, under which the share is sealed: any one of them opens the share, all shares
//! are needed for the keyring, and no `Encrypt` permission is.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use signer_rules::{
    authority::AuthorityId,
    bundle::{self, WalletId},
    chain::{Curve, SigningInput, evm::EvmAddress},
    configuration::{KmsKey, SignedConfiguration},
    hex_bytes::HexBytes,
    name::Name,
};

use super::{
    AccountKey, Path, StoredWallet,
    cache::BoundedCache,
    derivation::{DerivedKey, VerifyingKey},
    sealed::{decrypt, encrypt},
};
use crate::{
    attestation::{Nsm, NsmError},
    audit::KmsRequest,
    kms::{ATTEMPTS, Kms, KmsError, Purpose, Recipient},
    secret::{CryptoError, Info, Secret, derive},
};

/// The value of `format` in a keyring's object.
const FORMAT: &str = "nitro-signer/keyring/v1";
/// The largest keyring object.
const MAX_OBJECT: usize = 64 * 1024;
/// Derived keys that are kept.
const CACHED_KEYS: usize = 16_384;
/// Wallets that are kept.
const CACHED_WALLETS: usize = 16_384;

type KeyPlace = (WalletId, Curve, Path);

/// An open keyring.
pub struct Keyring {
    authority: AuthorityId,
    id: Name,
    fingerprint: HexBytes<32>,
    key: Secret<32>,
    keys: BoundedCache<KeyPlace, Arc<AccountKey>>,
    wallets: BoundedCache<Name, Arc<StoredWallet>>,
    names: BoundedCache<WalletId, Name>,
    addresses: BoundedCache<EvmAddress, (Name, Path)>,
}

/// Why there is no open keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The stored object is not a keyring of this name and authority.
    #[error("the stored object is no keyring of this appliance: {0}")]
    Object(&'static str),
    /// No KMS key of a share gave its data key.
    #[error("share {} cannot be opened: {cause}", share.saturating_add(1))]
    Share {
        /// Counted from zero.
        share: usize,
        /// What the last KMS key answered.
        cause: Box<KmsError>,
    },
    /// The key that came out is not the one that the admins signed.
    #[error("the keyring's fingerprint is {found}, and the policy bundle names {expected}")]
    Fingerprint {
        /// Of the bundle.
        expected: HexBytes<32>,
        /// Of what was opened.
        found: HexBytes<32>,
    },
    /// A new keyring could not be protected.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The NSM failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// A primitive failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A test signature did not verify.
    #[error("a test signature of the keyring does not verify")]
    SelfTest,
}

/// The content of `keyring/{id}`. Not sealed by us: KMS does that.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringObject {
    format: String,
    authority: AuthorityId,
    keyring: Name,
    shares: Vec<SealedShare>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedShare {
    copies: Vec<ShareCopy>,
}

/// A share under one KMS key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareCopy {
    /// The KMS key.
    key_arn: String,
    /// `CiphertextBlob` of the data key, in base64.
    data_key: String,
    /// The share under the data key, AES-256-GCM, in base64.
    share: String,
}

/// Name of a keyring's object.
pub fn object_name(id: &Name) -> String {
    format!("keyring/{id}")
}

/// Makes a keyring's key, protects it, and forgets it: returns its entry for a bundle, and its object.
pub async fn create(
    kms: &Kms,
    nsm: &Nsm,
    configuration: &SignedConfiguration,
    id: &Name,
) -> Result<(bundle::Keyring, Vec<u8>), KeyringError> {
    let authority = configuration.authority;
    let mut shares = Vec::new();
    let mut sealed = Vec::new();
    for (index, share) in configuration.configuration.kms.shares.iter().enumerate() {
        let place = SharePlace { authority, keyring: id, index };
        let recipient = kms.recipient().await?;
        let (secret, copies) = create_share(kms, nsm, &recipient, &share.keys, place).await?;
        shares.push(secret);
        sealed.push(SealedShare { copies });
    }
    let keyring = Keyring::from_shares(authority, id.clone(), &shares)?;
    let object = KeyringObject { format: FORMAT.to_owned(), authority, keyring: id.clone(), shares: sealed };
    let object = serde_json::to_vec(&object).map_err(|_| KeyringError::Object("it cannot be written"))?;
    Ok((bundle::Keyring { id: id.clone(), fingerprint: keyring.fingerprint }, object))
}

/// Opens a keyring's object through KMS, and checks that it is the one that the admins signed. Of the
/// configuration's KMS keys only those are asked whose ARNs are `usable`. What KMS grants is noted in `granted`, even if
/// nothing comes of it.
pub async fn open(
    kms: &Kms,
    configuration: &SignedConfiguration,
    usable: &[String],
    (expected, object): (&bundle::Keyring, &[u8]),
    granted: &mut Vec<KmsRequest>,
) -> Result<Keyring, KeyringError> {
    let object = parse(object, configuration.authority, &expected.id)?;
    let keys = configuration.configuration.kms.shares.iter().flat_map(|share| &share.keys);
    let keys: Vec<&KmsKey> = keys.filter(|key| usable.contains(&key.arn)).collect();
    let mut shares = Vec::new();
    for (index, share) in object.shares.iter().enumerate() {
        let place = SharePlace { authority: configuration.authority, keyring: &expected.id, index };
        // One for each share, so that its document is fresh however slow the share before was.
        let recipient = kms.recipient().await?;
        shares.push(open_share((kms, &recipient), &keys, share, place, granted).await?);
    }
    let keyring = Keyring::from_shares(configuration.authority, expected.id.clone(), &shares)?;
    if keyring.fingerprint != expected.fingerprint {
        return Err(KeyringError::Fingerprint { expected: expected.fingerprint, found: keyring.fingerprint });
    }
    keyring.self_test()?;
    Ok(keyring)
}

impl KeyringError {
    /// What KMS said, in full: for the log, not for callers.
    pub fn operator_text(&self) -> String {
        match self {
            Self::Share { cause, .. } => format!("{self}: {}", cause.operator_text()),
            Self::Kms(cause) => cause.operator_text(),
            other => other.to_string(),
        }
    }
}

impl Keyring {
    /// Its id.
    pub fn id(&self) -> &Name {
        &self.id
    }

    /// Whose it is.
    pub fn authority(&self) -> &AuthorityId {
        &self.authority
    }

    /// A digest of its key.
    pub fn fingerprint(&self) -> HexBytes<32> {
        self.fingerprint
    }

    /// A wallet that was opened before.
    pub fn cached_wallet(&self, name: &Name) -> Option<Arc<StoredWallet>> {
        self.wallets.get(name)
    }

    /// The name of a wallet that was opened before.
    pub fn cached_name(&self, id: WalletId) -> Option<Name> {
        self.names.get(&id)
    }

    /// Keeps a wallet whose stored object was opened.
    pub fn cache_wallet(&self, wallet: Arc<StoredWallet>) {
        self.names.insert(wallet.record.id, wallet.record.name.clone());
        self.wallets.insert(wallet.record.name.clone(), wallet);
    }

    /// A key for something else than wallets, from the keyring's.
    pub(crate) fn derive(&self, salt: &str, info: &Info) -> Result<Secret<32>, CryptoError> {
        derive(salt, &[self.key.expose()], info)
    }

    pub(super) fn key(&self) -> &Secret<32> {
        &self.key
    }

    /// The wallet's name and the path of the account that has an address.
    pub fn cached_address(&self, address: EvmAddress) -> Option<(Name, Path)> {
        self.addresses.get(&address)
    }

    /// Keeps where the account of an address is, which was checked.
    pub fn cache_address(&self, address: EvmAddress, name: Name, path: Path) {
        self.addresses.insert(address, (name, path));
    }

    pub(super) fn cached_key(&self, place: &KeyPlace) -> Option<Arc<AccountKey>> {
        self.keys.get(place)
    }

    pub(super) fn cache_key(&self, place: KeyPlace, key: Arc<AccountKey>) {
        self.keys.insert(place, key);
    }

    fn from_shares(authority: AuthorityId, id: Name, shares: &[Secret<32>]) -> Result<Self, CryptoError> {
        let secrets: Vec<&[u8]> = shares.iter().map(|share| share.expose().as_slice()).collect();
        let parts: [&[u8]; 2] = [&authority.0, id.as_str().as_bytes()];
        let key = derive("nitro-signer/keyring/v1", &secrets, &Info::new("keyring-key/v1", &parts))?;
        Self::from_key(authority, id, key)
    }

    fn from_key(authority: AuthorityId, id: Name, key: Secret<32>) -> Result<Self, CryptoError> {
        let parts: [&[u8]; 2] = [&authority.0, id.as_str().as_bytes()];
        let fingerprint: Secret<32> =
            derive("nitro-signer/keyring/v1", &[key.expose()], &Info::new("keyring-fp/v1", &parts))?;
        Ok(Self {
            authority,
            id,
            fingerprint: HexBytes(*fingerprint.expose()),
            key,
            keys: BoundedCache::new(CACHED_KEYS),
            wallets: BoundedCache::new(CACHED_WALLETS),
            names: BoundedCache::new(CACHED_WALLETS),
            addresses: BoundedCache::new(CACHED_WALLETS),
        })
    }

    /// Signs and verifies with a key of each curve that no wallet has.
    fn self_test(&self) -> Result<(), KeyringError> {
        let seed: Secret<64> =
            derive("nitro-signer/self-test/v1", &[self.key.expose()], &Info::new("self-test/v1", &[]))?;
        let path: Path = "m/0'".parse().map_err(|_| KeyringError::SelfTest)?;
        for (curve, input) in [
            (Curve::Secp256k1, SigningInput::Prehash([0x5a; 32])),
            (Curve::Ed25519, SigningInput::Message(b"nitro-signer self-test")),
        ] {
            let key = DerivedKey::derive(&seed, curve, &path).map_err(|_| KeyringError::SelfTest)?;
            if !verifies(&key, input) {
                return Err(KeyringError::SelfTest);
            }
        }
        Ok(())
    }

    /// A keyring out of nothing, for the unit tests of this crate.
    #[cfg(test)]
    pub(crate) fn for_tests(byte: u8) -> Self {
        let key = Secret::copied_from(&[byte; 32]);
        Self::from_key(HexBytes([9; 32]), "default".parse().unwrap(), key).unwrap()
    }
}

/// Where a share belongs.
#[derive(Clone, Copy)]
struct SharePlace<'a> {
    authority: AuthorityId,
    keyring: &'a Name,
    index: usize,
}

impl SharePlace<'_> {
    fn purpose(&self) -> Purpose<'_> {
        Purpose { authority: self.authority, keyring: self.keyring }
    }

    fn info(&self, label: &str, key_arn: &str) -> Info {
        let index = self.index.to_string();
        let parts: [&[u8]; 4] =
            [&self.authority.0, self.keyring.as_str().as_bytes(), index.as_bytes(), key_arn.as_bytes()];
        Info::new(label, &parts)
    }

    /// The key that seals a copy of the share, used once: its nonce is constant.
    fn wrapping_key(&self, data_key: &Secret<32>, key_arn: &str) -> Result<Secret<32>, CryptoError> {
        let info = self.info("share-wrapping/v1", key_arn);
        derive("nitro-signer/keyring-share/v1", &[data_key.expose()], &info)
    }
}

const WRAPPING_NONCE: [u8; 12] = [0; 12];

async fn create_share(
    kms: &Kms,
    nsm: &Nsm,
    recipient: &Recipient,
    keys: &[KmsKey],
    place: SharePlace<'_>,
) -> Result<(Secret<32>, Vec<ShareCopy>), KeyringError> {
    let mut data_keys = Vec::new();
    for key in keys {
        let (data_key, ciphertext) = kms.generate_data_key(recipient, key, place.purpose()).await?;
        data_keys.push((key, data_key, ciphertext));
    }
    let random = nsm.random::<32>("keyring-share").await?;
    let mut sources: Vec<&[u8]> = vec![random.expose()];
    sources.extend(data_keys.iter().map(|(_, data_key, _)| data_key.expose().as_slice()));
    let share: Secret<32> = derive("nitro-signer/keyring-share/v1", &sources, &place.info("share/v1", ""))?;
    let mut copies = Vec::new();
    for (key, data_key, ciphertext) in &data_keys {
        let wrapping_key = place.wrapping_key(data_key, &key.arn)?;
        let associated_data = place.info("share-copy/v1", &key.arn);
        let sealed = encrypt(&wrapping_key, WRAPPING_NONCE, &associated_data, share.expose())?;
        copies.push(ShareCopy {
            key_arn: key.arn.clone(),
            data_key: STANDARD.encode(ciphertext),
            share: STANDARD.encode(sealed),
        });
    }
    Ok((share, copies))
}

/// Tries each copy of these KMS keys, in their order.
async fn open_share(
    (kms, recipient): (&Kms, &Recipient),
    keys: &[&KmsKey],
    sealed: &SealedShare,
    place: SharePlace<'_>,
    granted: &mut Vec<KmsRequest>,
) -> Result<Secret<32>, KeyringError> {
    let copy_of = |key: &KmsKey| sealed.copies.iter().find(|copy| copy.key_arn == key.arn);
    let mut copies: Vec<(&KmsKey, &ShareCopy)> =
        keys.iter().filter_map(|key| copy_of(key).map(|copy| (*key, copy))).collect();
    copies.reverse();
    let mut cause = None;
    while let Some((key, copy)) = copies.pop() {
        // A region that does not answer is asked once while another is left, so that losing one
        // does not use up the time for all shares.
        let attempts = if copies.is_empty() { ATTEMPTS } else { 1 };
        // A damaged copy does not stop the others.
        let data_key = STANDARD.decode(&copy.data_key);
        let opened = match data_key {
            Ok(data_key) => kms
                .decrypt(recipient, key, place.purpose(), (data_key, attempts), granted)
                .await
                .map_err(|cause| KeyringError::Share { share: place.index, cause: Box::new(cause) }),
            Err(_) => Err(KeyringError::Object("a data key is not base64")),
        };
        match opened.and_then(|data_key| unwrap_share(&data_key, copy, place)) {
            Ok(share) => return Ok(share),
            Err(error) => cause = Some(error),
        }
    }
    Err(cause.unwrap_or(KeyringError::Object("a share names no KMS key of the configuration")))
}

fn unwrap_share(
    data_key: &Secret<32>,
    copy: &ShareCopy,
    place: SharePlace<'_>,
) -> Result<Secret<32>, KeyringError> {
    const BAD: KeyringError = KeyringError::Object("a share does not open under its data key");
    let sealed = STANDARD.decode(&copy.share).map_err(|_| BAD)?;
    let wrapping_key = place.wrapping_key(data_key, &copy.key_arn)?;
    let opened = decrypt(&wrapping_key, WRAPPING_NONCE, &place.info("share-copy/v1", &copy.key_arn), &sealed);
    let opened = zeroize::Zeroizing::new(opened.map_err(|_| BAD)?);
    let share = <&[u8; 32]>::try_from(opened.as_slice()).map_err(|_| BAD)?;
    Ok(Secret::copied_from(share))
}

fn parse(object: &[u8], authority: AuthorityId, id: &Name) -> Result<KeyringObject, KeyringError> {
    if object.len() > MAX_OBJECT {
        return Err(KeyringError::Object("it is too large"));
    }
    let object: KeyringObject =
        serde_json::from_slice(object).map_err(|_| KeyringError::Object("it is not of the format"))?;
    if object.format != FORMAT {
        return Err(KeyringError::Object("it is of another format"));
    }
    if object.authority != authority {
        return Err(KeyringError::Object("it belongs to another authority"));
    }
    if object.keyring != *id {
        return Err(KeyringError::Object("it is another keyring"));
    }
    let most = signer_rules::configuration::MAX_SHARES;
    if object.shares.is_empty()
        || object.shares.len() > most
        || object.shares.iter().any(|share| share.copies.len() > most)
    {
        return Err(KeyringError::Object("it has no shares, or too many"));
    }
    Ok(object)
}

fn verifies(key: &DerivedKey, input: SigningInput<'_>) -> bool {
    use k256::ecdsa::{Signature, signature::hazmat::PrehashVerifier};
    use signer_rules::chain::RawSignature;
    match (key.public_key(), key.sign(input), input) {
        (
            VerifyingKey::Secp256k1(key),
            Some(RawSignature::Secp256k1 { r, s, .. }),
            SigningInput::Prehash(hash),
        ) => {
            Signature::from_scalars(r, s).is_ok_and(|signature| key.verify_prehash(&hash, &signature).is_ok())
        }
        (
            VerifyingKey::Ed25519(key),
            Some(RawSignature::Ed25519(signature)),
            SigningInput::Message(message),
        ) => key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_keyring_passes_its_self_test() {
        Keyring::for_tests(1).self_test().unwrap();
    }

    #[test]
    fn fingerprints_tell_keys_authorities_and_names_apart() {
        let make = |byte, authority, id: &str| {
            let key = Secret::copied_from(&[byte; 32]);
            Keyring::from_key(HexBytes([authority; 32]), id.parse().unwrap(), key).unwrap().fingerprint
        };
        let base = make(1, 1, "default");
        assert!(make(2, 1, "default") != base && make(1, 2, "default") != base && make(1, 1, "cold") != base);
    }

    #[test]
    fn the_order_of_shares_matters() {
        let open = |order: [u8; 2]| {
            let shares = order.map(|byte| Secret::copied_from(&[byte; 32]));
            Keyring::from_shares(HexBytes([0; 32]), "default".parse().unwrap(), &shares).unwrap().fingerprint
        };
        assert_ne!(open([1, 2]), open([2, 1]));
    }
}
