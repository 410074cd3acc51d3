//! Which wallet and account a request means: by name, by id, by address.
//!
//! The host brings the objects that say so; what is found proves itself: keys are derived from the keyring, and must have
//! the name, id or address that was asked for.

use std::sync::Arc;

use signer_rules::{
    bundle::WalletId,
    chain::{Curve, evm::EvmAddress},
    name::{Name, WalletName},
};
use signer_shared::message::Object;

use super::{Call, Code, Problem, Stop, objects::Stored};
use crate::{
    boot::Ready,
    wallet::{
        DerivationError, Keyring, Path, RecordError, StoredWallet, WalletError, WalletRecord,
        record::{
            evm_address_object, id_object, keyring_of, open_address_index, open_id_index, wallet_object,
        },
    },
};

/// The prefix of wallets' objects.
pub(super) const WALLETS: &str = "wallet/";

/// The wallet that a path names: by id, or by name.
pub(super) fn wallet(ready: &Ready, call: &Call, wallet: &str) -> Result<Arc<StoredWallet>, Stop> {
    match wallet.parse::<WalletId>() {
        Ok(id) => {
            let name = resolve_id(ready, call, id)?;
            let stored = resolve_name(ready, call, &name)?;
            if stored.record.id == id { Ok(stored) } else { Err(not_authentic(&id_object(id)).into()) }
        }
        Err(_) => match wallet.parse::<WalletName>() {
            Ok(name) => resolve_name(ready, call, &name),
            Err(error) => Err(Problem::new(Code::WalletNotFound, error.to_string()).into()),
        },
    }
}

/// The wallet whose account has an address, and the account's path. The account was created with its wallet, or by
/// `POST /v1/wallets/{w}/accounts`.
pub(super) fn account(
    ready: &Ready,
    call: &Call,
    address: EvmAddress,
) -> Result<(Arc<StoredWallet>, Path), Stop> {
    let (keyring, name, path) = resolve_address(ready, call, address)?;
    let full_name = WalletName { keyring: keyring.id().clone(), name: name.clone() };
    let stored = resolve_name(ready, call, &full_name)?;
    let account = stored.wallet.account(Curve::Secp256k1, &path).map_err(Problem::from)?;
    if account.evm_address() != Some(address) {
        return Err(not_authentic(&evm_address_object(address)).into());
    }
    keyring.cache_address(address, name, path.clone());
    Ok((stored, path))
}

/// The wallet that an object of a listing is.
pub(super) fn open_listed(ready: &Ready, object: &Object) -> Result<Arc<StoredWallet>, Problem> {
    let name = object.name.strip_prefix(WALLETS).unwrap_or_default();
    let name = name.parse::<WalletName>().map_err(|_| not_authentic(&object.name))?;
    let content = object.content.as_ref().ok_or_else(|| not_authentic(&object.name))?;
    let keyring = ready
        .configured
        .keyrings
        .get(&name.keyring)
        .ok_or_else(|| Problem::new(Code::KeyringMissing, "its keyring is not in the bundle"))?;
    if object.name != wallet_object(&name) {
        return Err(not_authentic(&object.name));
    }
    open_wallet(keyring, &name.name, content)
}

/// The wallet that an object of this name is.
pub(super) fn open_wallet(
    keyring: &Arc<Keyring>,
    name: &Name,
    object: &[u8],
) -> Result<Arc<StoredWallet>, Problem> {
    if let Some(wallet) = keyring.cached_wallet(name) {
        return Ok(wallet);
    }
    let wallet = Arc::new(WalletRecord::open(keyring, name, object)?);
    keyring.cache_wallet(wallet.clone());
    Ok(wallet)
}

/// An open keyring.
pub(super) fn find_keyring<'a>(ready: &'a Ready, id: &str) -> Option<&'a Arc<Keyring>> {
    ready.configured.keyrings.get(&id.parse::<Name>().ok()?)
}

/// There is none.
pub(super) fn wallet_not_found() -> Problem {
    Problem::new(Code::WalletNotFound, "create it with POST /v1/wallets")
}

/// The host brought something else than what was stored.
pub(super) fn not_authentic(object: &str) -> Problem {
    Problem::new(Code::SealedObjectInvalid, format!("the store's object {object} is not authentic"))
}

fn resolve_id(ready: &Ready, call: &Call, id: WalletId) -> Result<WalletName, Stop> {
    let cached = ready.configured.keyrings.iter().find_map(|(keyring, open)| {
        open.cached_name(id).map(|name| WalletName { keyring: keyring.clone(), name })
    });
    if let Some(name) = cached {
        return Ok(name);
    }
    let object = id_object(id);
    match call.objects.get(&object) {
        Stored::Unknown => Err(Stop::Objects(vec![object])),
        Stored::Absent => Err(wallet_not_found().into()),
        Stored::Present(content) => {
            // Whichever keyring the host's object names, the wallet found must have this very id.
            let keyring = keyring_of(content, |name| find_keyring(ready, name)).map_err(Problem::from)?;
            let name = open_id_index(keyring, id, content).map_err(Problem::from)?;
            Ok(WalletName { keyring: keyring.id().clone(), name })
        }
    }
}

fn resolve_name(ready: &Ready, call: &Call, name: &WalletName) -> Result<Arc<StoredWallet>, Stop> {
    let keyring = ready.configured.keyrings.get(&name.keyring).ok_or_else(wallet_not_found)?;
    if let Some(wallet) = keyring.cached_wallet(&name.name) {
        return Ok(wallet);
    }
    let object = wallet_object(name);
    match call.objects.get(&object) {
        Stored::Unknown => Err(Stop::Objects(vec![object])),
        Stored::Absent => Err(wallet_not_found().into()),
        Stored::Present(content) => Ok(open_wallet(keyring, &name.name, content)?),
    }
}

fn resolve_address<'a>(
    ready: &'a Ready,
    call: &Call,
    address: EvmAddress,
) -> Result<(&'a Arc<Keyring>, Name, Path), Stop> {
    let cached = ready
        .configured
        .keyrings
        .values()
        .find_map(|keyring| keyring.cached_address(address).map(|(name, path)| (keyring, name, path)));
    if let Some(found) = cached {
        return Ok(found);
    }
    let object = evm_address_object(address);
    match call.objects.get(&object) {
        Stored::Unknown => Err(Stop::Objects(vec![object])),
        Stored::Absent => {
            let detail = format!(
                "no account has the address {address}; derive it with POST /v1/wallets/{{w}}/accounts"
            );
            Err(Problem::new(Code::WalletNotFound, detail).into())
        }
        Stored::Present(content) => {
            // Whichever keyring the host's object names, the account found must have this very address.
            let keyring = keyring_of(content, |name| find_keyring(ready, name)).map_err(Problem::from)?;
            let (name, path) = open_address_index(keyring, address, content).map_err(Problem::from)?;
            Ok((keyring, name, path))
        }
    }
}

impl From<WalletError> for Problem {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Derivation(error) => error.into(),
            other => Self::new(Code::Internal, other.to_string()),
        }
    }
}

impl From<DerivationError> for Problem {
    fn from(error: DerivationError) -> Self {
        Self::malformed(error.to_string()).of_field("path")
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Wallet(error) => error.into(),
            other => Self::new(Code::SealedObjectInvalid, other.to_string()),
        }
    }
}
