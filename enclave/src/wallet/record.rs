//! What is stored about a wallet: that it exists. And the indexes that find it by id and address.
//!
//! An HD wallet's keys need no storage, so a host that hides, loses or invents these objects can
//! refuse service and nothing more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signer_rules::{
    bundle::WalletId,
    chain::evm::EvmAddress,
    name::{Name, WalletName},
    timestamp::Timestamp,
};
use signer_shared::message::Write;

use super::{
    Account, Keyring, Path, Wallet, WalletError,
    sealed::{self, Binding, SealedError, keyring_hint},
};

const FORMAT: &str = "nitro-signer/wallet/v1";
const INDEX_FORMAT: &str = "nitro-signer/wallet-index/v1";

/// What kind of keys a wallet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalletKind {
    /// Derived from its keyring.
    Hd,
}

/// The content of `wallet/{keyring}.{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletRecord {
    format: String,
    /// Digest of the root public keys.
    pub id: WalletId,
    /// The name.
    pub name: Name,
    /// What kind of keys it has.
    pub kind: WalletKind,
    /// The keyring that it comes from.
    pub keyring: Name,
    /// When it was created.
    pub created_at: Timestamp,
    /// The client that asked.
    pub created_by: Name,
}

/// The content of `id/{wallet id}` and `address/{family}/{address}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexRecord {
    format: String,
    name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// A wallet whose stored object was opened.
pub struct StoredWallet {
    /// What the object says.
    pub record: WalletRecord,
    /// The wallet.
    pub wallet: Wallet,
}

/// Why a stored object says nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Its keyring is not open here.
    #[error("the object belongs to no keyring of the policy bundle")]
    UnknownKeyring,
    /// It opens to something else than its name promises.
    #[error("the object's content does not match its name")]
    Mismatch,
    /// The wallet's keys could not be derived.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

/// Name of a wallet's object.
pub fn wallet_object(name: &WalletName) -> String {
    format!("wallet/{name}")
}

/// Name of the object that finds a wallet by its id.
pub fn id_object(id: WalletId) -> String {
    format!("id/{id}")
}

/// Name of the object that finds an account by its EVM address.
pub fn evm_address_object(address: EvmAddress) -> String {
    format!("address/evm/0x{}", hex::encode(address.as_bytes()))
}

/// The keyring, among those that are open, that an object says it belongs to.
pub fn keyring_of<'a>(
    object: &[u8],
    find: impl Fn(&str) -> Option<&'a Arc<Keyring>>,
) -> Result<&'a Arc<Keyring>, RecordError> {
    keyring_hint(object).and_then(find).ok_or(RecordError::UnknownKeyring)
}

impl WalletRecord {
    /// The record of a new wallet.
    pub fn new(wallet: &Wallet, created_at: Timestamp, created_by: Name) -> Self {
        Self {
            format: FORMAT.to_owned(),
            id: wallet.id(),
            name: wallet.name().clone(),
            kind: WalletKind::Hd,
            keyring: wallet.keyring().id().clone(),
            created_at,
            created_by,
        }
    }

    /// Seals the record as `wallet/{keyring}.{name}`.
    pub fn seal(&self, wallet: &Wallet) -> Result<Write, RecordError> {
        let object = wallet_object(&wallet.full_name());
        write(wallet, object, "hd", self)
    }

    /// Opens `wallet/{keyring}.{name}`: derives the wallet of that name and checks that the object is
    /// its.
    pub fn open(keyring: &Arc<Keyring>, name: &Name, object: &[u8]) -> Result<StoredWallet, RecordError> {
        let wallet = Wallet::derive(keyring.clone(), name.clone())?;
        let record: Self = read(&wallet, &wallet_object(&wallet.full_name()), "hd", object)?;
        let expected = Self::new(&wallet, record.created_at, record.created_by.clone());
        if record == expected { Ok(StoredWallet { record, wallet }) } else { Err(RecordError::Mismatch) }
    }
}

/// Seals the index that finds a wallet by its id.
pub fn seal_id_index(wallet: &Wallet) -> Result<Write, RecordError> {
    let record = IndexRecord { format: INDEX_FORMAT.to_owned(), name: wallet.name().clone(), path: None };
    write(wallet, id_object(wallet.id()), "id", &record)
}

/// Seals the index that finds an account by its address.
pub fn seal_address_index(wallet: &Wallet, account: &Account) -> Result<Write, RecordError> {
    let record = IndexRecord {
        format: INDEX_FORMAT.to_owned(),
        name: wallet.name().clone(),
        path: Some(account.path().to_string()),
    };
    write(wallet, account.object_name(), "address", &record)
}

/// The wallet's name in `id/{wallet id}`. The caller opens that wallet and compares its id.
pub fn open_id_index(keyring: &Keyring, id: WalletId, object: &[u8]) -> Result<Name, RecordError> {
    let name = id_object(id);
    let binding = Binding { object: &name, kind: "id", public_keys: &[] };
    let content = sealed::open(keyring, &binding, object)?;
    let record: IndexRecord = serde_json::from_slice(&content).map_err(|_| RecordError::Mismatch)?;
    if record.format == INDEX_FORMAT { Ok(record.name) } else { Err(RecordError::Mismatch) }
}

/// The wallet's name and the account's path in `address/evm/{address}`. The caller derives that account and compares its
/// address.
pub fn open_address_index(
    keyring: &Keyring,
    address: EvmAddress,
    object: &[u8],
) -> Result<(Name, Path), RecordError> {
    let name = evm_address_object(address);
    let binding = Binding { object: &name, kind: "address", public_keys: &[] };
    let content = sealed::open(keyring, &binding, object)?;
    let record: IndexRecord = serde_json::from_slice(&content).map_err(|_| RecordError::Mismatch)?;
    let path = record.path.and_then(|path| path.parse().ok());
    let path = path.filter(|_| record.format == INDEX_FORMAT).ok_or(RecordError::Mismatch)?;
    Ok((record.name, path))
}

/// Whether an index that is stored already says what a new one would say.
pub fn same_index(wallet: &Wallet, write: &Write, stored: &[u8]) -> bool {
    let kind = if write.name.starts_with("id/") { "id" } else { "address" };
    let content = |object: &[u8]| {
        let binding = Binding { object: &write.name, kind, public_keys: &[] };
        sealed::open(wallet.keyring(), &binding, object).ok()
    };
    content(stored).is_some_and(|stored| Some(stored) == content(&write.content))
}

fn write(
    wallet: &Wallet,
    object: String,
    kind: &'static str,
    record: &impl Serialize,
) -> Result<Write, RecordError> {
    let content = serde_json::to_vec(record).map_err(|_| RecordError::Mismatch)?;
    let roots = wallet.roots.bytes();
    let public_keys: &[&[u8]] = if kind == "hd" { &roots } else { &[] };
    let binding = Binding { object: &object, kind, public_keys };
    let sealed = sealed::seal(wallet.keyring(), &binding, &content)?;
    Ok(Write { name: object, content: sealed.into() })
}

fn read<T: for<'de> Deserialize<'de>>(
    wallet: &Wallet,
    object: &str,
    kind: &'static str,
    bytes: &[u8],
) -> Result<T, RecordError> {
    let roots = wallet.roots.bytes();
    let binding = Binding { object, kind, public_keys: &roots };
    let content = sealed::open(wallet.keyring(), &binding, bytes)?;
    serde_json::from_slice(&content).map_err(|_| RecordError::Mismatch)
}

#[cfg(test)]
mod tests {
    use signer_rules::chain::Curve;

    use super::*;

    fn wallet(name: &str) -> Wallet {
        Wallet::derive(Arc::new(Keyring::for_tests(1)), name.parse().unwrap()).unwrap()
    }

    fn record(wallet: &Wallet) -> WalletRecord {
        WalletRecord::new(wallet, Timestamp::from_seconds(1_800_000_000), "backend".parse().unwrap())
    }

    #[test]
    fn a_record_opens_under_its_own_name_only() {
        let treasury = wallet("treasury");
        let stored = record(&treasury).seal(&treasury).unwrap();
        let opened = WalletRecord::open(treasury.keyring(), treasury.name(), &stored.content).unwrap();
        assert_eq!((opened.record, opened.wallet.id()), (record(&treasury), treasury.id()));
        let renamed = WalletRecord::open(treasury.keyring(), wallet("payroll").name(), &stored.content);
        assert!(matches!(renamed, Err(RecordError::Sealed(SealedError::NotAuthentic))));
    }

    #[test]
    fn an_account_is_found_by_its_address_only() {
        let treasury = wallet("treasury");
        let path: Path = "m/44'/60'/0'/0/3".parse().unwrap();
        let account = treasury.account(Curve::Secp256k1, &path).unwrap();
        let address = account.evm_address().unwrap();
        let index = seal_address_index(&treasury, &account).unwrap();
        assert_eq!(index.name, evm_address_object(address));
        let found = open_address_index(treasury.keyring(), address, &index.content).unwrap();
        assert_eq!(found, (treasury.name().clone(), path));
        let other = EvmAddress::new([7; 20]);
        assert!(open_address_index(treasury.keyring(), other, &index.content).is_err());
        let id = seal_id_index(&treasury).unwrap();
        assert!(open_address_index(treasury.keyring(), address, &id.content).is_err());
    }

    #[test]
    fn indexes_are_bound_to_what_they_index() {
        let (treasury, payroll) = (wallet("treasury"), wallet("payroll"));
        let index = seal_id_index(&treasury).unwrap();
        assert_eq!(
            open_id_index(treasury.keyring(), treasury.id(), &index.content).unwrap(),
            *treasury.name()
        );
        assert!(open_id_index(treasury.keyring(), payroll.id(), &index.content).is_err());
        assert!(same_index(&treasury, &seal_id_index(&treasury).unwrap(), &index.content));
        assert!(!same_index(&payroll, &seal_id_index(&payroll).unwrap(), &index.content));
    }
}
