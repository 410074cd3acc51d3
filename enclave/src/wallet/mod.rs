//! Wallets: keys that are derived from a keyring when they are needed, sign, and never leave.

mod account;
mod cache;
mod derivation;
pub mod keyring;
pub mod record;
mod sealed;

use std::sync::Arc;

use signer_rules::{
    bundle::WalletId,
    chain::{Curve, RawSignature, SigningInput},
    hex_bytes::HexBytes,
    name::{Name, WalletName},
};

pub use account::{Account, AccountJson};
pub use derivation::{DerivationError, Path};
pub use keyring::{Keyring, KeyringError};
pub use record::{RecordError, StoredWallet, WalletRecord};
pub use sealed::SealedError;
pub(crate) use sealed::{decrypt, encrypt};

use crate::secret::{CryptoError, Info, Secret, derive};
use derivation::{DerivedKey, RootKeys};

/// The default account's path on each curve.
pub const DEFAULT_PATHS: [(Curve, &str); 2] =
    [(Curve::Secp256k1, "m/44'/60'/0'/0/0"), (Curve::Ed25519, "m/44'/501'/0'/0'")];

/// An HD wallet of an open keyring. Its keys follow from the keyring and its name alone: creating a
/// name twice, racing, hiding or losing its object always gives the same wallet.
pub struct Wallet {
    keyring: Arc<Keyring>,
    name: Name,
    id: WalletId,
    roots: RootKeys,
}

/// A derived key with what the world sees of it.
struct AccountKey {
    key: DerivedKey,
    account: Account,
}

/// Why a wallet cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// No key at this path.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// A primitive failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The key's curve does not sign this kind of input.
    #[error("a {0} key cannot sign this")]
    WrongInput(Curve),
}

impl Wallet {
    /// The wallet of this name.
    pub fn derive(keyring: Arc<Keyring>, name: Name) -> Result<Self, WalletError> {
        let roots = RootKeys::of_seed(&seed(&keyring, &name)?)?;
        let id = WalletId(HexBytes(roots.digest()));
        Ok(Self { keyring, name, id, roots })
    }

    /// A digest of the root public keys.
    pub fn id(&self) -> WalletId {
        self.id
    }

    /// The name, which never changes.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The name with the keyring's, by which the store and the API know it.
    pub fn full_name(&self) -> WalletName {
        WalletName { keyring: self.keyring.id().clone(), name: self.name.clone() }
    }

    /// The keyring that it comes from.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// The account at a path.
    pub fn account(&self, curve: Curve, path: &Path) -> Result<Account, WalletError> {
        Ok(self.key(curve, path)?.account.clone())
    }

    /// The accounts at [`DEFAULT_PATHS`].
    pub fn default_accounts(&self) -> Result<Vec<Account>, WalletError> {
        DEFAULT_PATHS.iter().map(|(curve, path)| self.account(*curve, &path.parse()?)).collect()
    }

    /// Signs with the key at a path. The same input gives the same signature (RFC 6979, RFC 8032).
    pub fn sign(
        &self,
        curve: Curve,
        path: &Path,
        input: SigningInput<'_>,
    ) -> Result<RawSignature, WalletError> {
        self.key(curve, path)?.key.sign(input).ok_or(WalletError::WrongInput(curve))
    }

    fn key(&self, curve: Curve, path: &Path) -> Result<Arc<AccountKey>, WalletError> {
        let place = (self.id, curve, path.clone());
        if let Some(key) = self.keyring.cached_key(&place) {
            return Ok(key);
        }
        let key = DerivedKey::derive(&seed(&self.keyring, &self.name)?, curve, path)?;
        let account = Account::of(path.clone(), &key.public_key());
        let key = Arc::new(AccountKey { key, account });
        self.keyring.cache_key(place, key.clone());
        Ok(key)
    }
}

fn seed(keyring: &Keyring, name: &Name) -> Result<Secret<64>, CryptoError> {
    let info = Info::new(
        "hd/v1",
        &[&keyring.authority().0, keyring.id().as_str().as_bytes(), name.as_str().as_bytes()],
    );
    derive("nitro-signer/wallet/v1", &[keyring.key().expose()], &info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(byte: u8) -> Arc<Keyring> {
        Arc::new(Keyring::for_tests(byte))
    }

    fn wallet(byte: u8, name: &str) -> Wallet {
        Wallet::derive(keyring(byte), name.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_name_is_one_wallet() {
        assert_eq!(wallet(1, "treasury").id(), wallet(1, "treasury").id());
        assert_ne!(wallet(1, "treasury").id(), wallet(1, "treasury2").id());
        assert_ne!(wallet(1, "treasury").id(), wallet(2, "treasury").id());
    }

    #[test]
    fn signing_is_deterministic_and_typed() {
        let wallet = wallet(1, "treasury");
        let path = "m/44'/60'/0'/0/0".parse().unwrap();
        let sign = |input| wallet.sign(Curve::Secp256k1, &path, input);
        let signature = sign(SigningInput::Prehash([7; 32])).unwrap();
        assert_eq!(signature, sign(SigningInput::Prehash([7; 32])).unwrap());
        assert!(matches!(sign(SigningInput::Message(b"x")), Err(WalletError::WrongInput(Curve::Secp256k1))));
    }

    #[test]
    fn the_wallet_of_a_known_keyring_never_changes() {
        // Whoever changes the derivation loses every wallet: this must stay as it is.
        let accounts = wallet(7, "treasury").default_accounts().unwrap();
        let addresses: Vec<String> = accounts.iter().map(Account::address).collect();
        assert_eq!(
            addresses,
            ["0x14868D1A73A219832C56d9Fb16151349C2f7B82a", "4FPRPKgKwbupkFiHPtm1yjkN8kEEVKisRsDGFEssJWBf"]
        );
    }
}
