//! Accounts: a key of a wallet as chains see it.

use std::sync::Arc;

use serde::Serialize;
use signer_rules::chain::{Curve, PublicKey, Signer, evm, solana::SolanaAddress};

use super::{
    derivation::{Path, VerifyingKey},
    record::evm_address_object,
};

/// A public key of a wallet with its addresses.
#[derive(Clone, Debug)]
pub struct Account {
    path: Path,
    public_key: PublicKey,
    address: Address,
    /// The address in writing. Checksums and base 58 cost as much as parsing a transaction.
    text: Arc<str>,
}

#[derive(Clone, Copy, Debug)]
enum Address {
    Evm(evm::EvmAddress),
    Solana(SolanaAddress),
}

impl Account {
    pub(super) fn of(path: Path, key: &VerifyingKey) -> Self {
        let address = match key {
            VerifyingKey::Secp256k1(key) => Address::Evm(evm_address(key)),
            VerifyingKey::Ed25519(key) => Address::Solana(SolanaAddress::new(key.to_bytes())),
        };
        let text = match &address {
            Address::Evm(address) => address.to_string(),
            Address::Solana(address) => address.to_string(),
        };
        Self { path, public_key: key.encoded(), address, text: text.into() }
    }

    /// Where in the wallet.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.public_key.curve()
    }

    /// The address, as its chain writes it.
    pub fn address(&self) -> String {
        self.text.as_ref().to_owned()
    }

    /// The EVM address, if the account is one of EVM chains.
    pub fn evm_address(&self) -> Option<evm::EvmAddress> {
        match &self.address {
            Address::Evm(address) => Some(*address),
            Address::Solana(_) => None,
        }
    }

    /// Name of the sealed object that finds this account by its address.
    pub fn object_name(&self) -> String {
        match &self.address {
            Address::Evm(address) => evm_address_object(*address),
            Address::Solana(address) => format!("address/solana/{address}"),
        }
    }

    /// What a chain's parser has to know about the account.
    pub fn signer(&self) -> Signer {
        match (&self.address, &self.public_key) {
            (Address::Evm(address), _) => Signer { evm_address: Some(*address), ed25519: None },
            (_, PublicKey::Ed25519(key)) => Signer { evm_address: None, ed25519: Some(*key) },
            _ => Signer::default(),
        }
    }

    /// As the API shows it.
    pub fn to_json(&self) -> AccountJson {
        let (evm, solana) = match &self.address {
            Address::Evm(address) => (Some(address.to_string()), None),
            Address::Solana(address) => (None, Some(address.to_string())),
        };
        AccountJson {
            path: self.path.to_string(),
            curve: self.curve(),
            public_key: self.public_key,
            addresses: Addresses { evm, solana },
        }
    }
}

/// An account in the API's JSON.
#[derive(Debug, Serialize)]
pub struct AccountJson {
    path: String,
    curve: Curve,
    public_key: PublicKey,
    addresses: Addresses,
}

#[derive(Debug, Serialize)]
struct Addresses {
    #[serde(skip_serializing_if = "Option::is_none")]
    evm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    solana: Option<String>,
}

/// Keccak-256 of the uncompressed point, its last twenty bytes.
fn evm_address(key: &k256::ecdsa::VerifyingKey) -> evm::EvmAddress {
    let mut point = [0; 65];
    point.iter_mut().zip(key.to_sec1_point(false).as_bytes()).for_each(|(to, from)| *to = *from);
    // An uncompressed point starts with 4, which is all that can be refused.
    evm::address_from_uncompressed(&point).unwrap_or(evm::EvmAddress::new([0; 20]))
}
