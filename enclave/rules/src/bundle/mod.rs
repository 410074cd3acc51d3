//! The policy bundle: keyrings, clients and rules that a quorum signed, for a limited time.

mod abi;
mod check;
mod client;
mod evm;
mod limit;
mod operation;
mod rule;
mod solana;
mod value;
mod wallet;
mod when;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    authority::AuthorityId,
    configuration::SignedConfiguration,
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

pub use abi::{Abi, MAX_FUNCTIONS};
pub use client::{
    Approver, Client, ClientAuth, ClientKey, KeyAlgorithm, KeyBytes, MAX_KEYS, MAX_ROLES, SESSION_RANGE_S,
    Sessions,
};
pub use evm::{
    Call, EvmAuthorizationWhen, EvmMessageWhen, EvmTransactionWhen, EvmTypedDataWhen, MAX_CALLS, TokenWhen,
};
pub use limit::{
    APPROVAL_RANGE_S, AfterRestart, Approvals, Limit, LimitPer, MAX_LIMITS, Most, NonceUse, TokenId,
    TokenMost, WINDOW_RANGE_S,
};
pub use operation::Operation;
pub use rule::{Effect, MAX_CHAINS, MAX_GROUP_WALLETS, MAX_WALLETS, Rule};
pub use solana::SolanaTransactionWhen;
pub use value::{
    Fields, Int, MAX_FIELDS, MAX_TEST_VALUES, MAX_TEXT, Party, Range, Selector, Test, TestValue,
};
pub use wallet::{Origin, WalletGroup, WalletId, WalletSelector};
pub use when::{MAX_ADDRESSES, MAX_LIST, When};

use abi::Abis;
use check::{bounded, distinct};
use rule::Names;

/// The DSSE payload type of a bundle.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.policy.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/policy/v1";

/// The most keyrings of a bundle.
pub const MAX_KEYRINGS: usize = 16;
/// The most clients of a bundle.
pub const MAX_CLIENTS: usize = 10_000;
/// The most rules of a bundle.
pub const MAX_RULES: usize = 10_000;
/// The most wallet groups of a bundle.
pub const MAX_GROUPS: usize = 1_000;
/// The most approvers of a bundle.
pub const MAX_APPROVERS: usize = 256;
/// The most ABIs of a bundle.
pub const MAX_ABIS: usize = 64;

/// What the admins sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: String,
    /// Whose policy it is.
    pub authority: AuthorityId,
    /// Rises with every bundle, from 1.
    pub version: u64,
    /// SHA-256 of the bundle before, if there was one.
    pub previous: Option<HexBytes<32>>,
    /// In force from then on.
    pub not_before: Timestamp,
    /// No longer in force from then on; checked on every decision.
    pub expires: Timestamp,
    /// The least [`crate::configuration::Configuration::epoch`] that this bundle is for.
    pub least_configuration_epoch: u64,
    /// Keyrings that the enclave opens, and no others.
    pub keyrings: Vec<Keyring>,
    /// Who may ask.
    pub clients: Vec<Client>,
    /// Whose approval rules can demand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// Functions of contracts that rules can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abis: Vec<Abi>,
    /// Sets of wallets that rules name as `@group`.
    pub wallet_groups: Vec<WalletGroup>,
    /// What may be asked: everything else is denied.
    pub rules: Vec<Rule>,
}

/// A keyring, recognised by its fingerprint, so that no host can slip in one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyring {
    /// Its name.
    pub id: Name,
    /// A digest of its key.
    pub fingerprint: HexBytes<32>,
}

/// A bundle that its quorum signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBundle {
    /// The content.
    pub bundle: Bundle,
    /// SHA-256 of the signed bytes.
    pub digest: HexBytes<32>,
}

/// Why a bundle cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The envelope is not what the quorum signed.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// Not a bundle in JSON.
    #[error("not a policy bundle: {0}")]
    Malformed(String),
    /// Made for another appliance.
    #[error("the bundle belongs to authority {found}, and this is {expected}")]
    ForeignAuthority {
        /// Ours.
        expected: AuthorityId,
        /// The bundle's.
        found: AuthorityId,
    },
    /// Made for a later configuration.
    #[error("the bundle needs configuration epoch {least}, and this is epoch {epoch}")]
    ConfigurationTooOld {
        /// The bundle's least epoch.
        least: u64,
        /// The configuration's epoch.
        epoch: u64,
    },
    /// A field's value cannot be.
    #[error("{field}: {problem}")]
    Field {
        /// Where, for example `rules[3].wallets`.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

impl SignedBundle {
    /// Verifies an envelope against the quorum of the configuration.
    pub fn verify(envelope: &[u8], configuration: &SignedConfiguration) -> Result<Self, BundleError> {
        let quorum = &configuration.quorum;
        let payload =
            Envelope::from_json(envelope)?.verify(PAYLOAD_TYPE, quorum.admins(), quorum.threshold())?;
        let bundle = Bundle::from_json(&payload)?;
        if bundle.authority != configuration.authority {
            return Err(BundleError::ForeignAuthority {
                expected: configuration.authority,
                found: bundle.authority,
            });
        }
        let epoch = configuration.configuration.epoch;
        if bundle.least_configuration_epoch > epoch {
            return Err(BundleError::ConfigurationTooOld { least: bundle.least_configuration_epoch, epoch });
        }
        let longest =
            u64::from(configuration.configuration.longest_bundle_lifetime_days).saturating_mul(86_400);
        if bundle.expires.seconds().saturating_sub(bundle.not_before.seconds()) > longest {
            return Err(field("expires", "is later than the configuration's longest bundle lifetime allows"));
        }
        Ok(Self { bundle, digest: digest(&payload) })
    }
}

/// SHA-256 of a bundle's signed bytes.
pub fn digest(payload: &[u8]) -> HexBytes<32> {
    HexBytes(Sha256::digest(payload).into())
}

impl Bundle {
    /// Reads a bundle's payload and checks every field.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self =
            serde_json::from_slice(json).map_err(|error| BundleError::Malformed(error.to_string()))?;
        bundle.validate()?;
        Ok(bundle)
    }

    fn validate(&self) -> Result<(), BundleError> {
        if self.format != FORMAT {
            return Err(field("format", "must be \"nitro-signer/policy/v1\""));
        }
        if self.version == 0 {
            return Err(field("version", "must be at least 1"));
        }
        if self.expires <= self.not_before {
            return Err(field("expires", "must be later than not_before"));
        }
        bounded("keyrings", self.keyrings.len(), MAX_KEYRINGS)?;
        distinct("keyrings", self.keyrings.iter().map(|keyring| &keyring.id))?;
        self.validate_clients()?;
        self.validate_groups()?;
        bounded("abis", self.abis.len(), MAX_ABIS)?;
        distinct("abis", self.abis.iter().map(|abi| &abi.id))?;
        let names = Names::of(self, Abis::read(&self.abis)?);
        bounded("rules", self.rules.len(), MAX_RULES)?;
        distinct("rules", self.rules.iter().map(|rule| &rule.id))?;
        for (index, rule) in self.rules.iter().enumerate() {
            rule.validate(&names).map_err(|problem| problem.within(format_args!("rules[{index}]")))?;
        }
        Ok(())
    }

    fn validate_clients(&self) -> Result<(), BundleError> {
        bounded("clients", self.clients.len(), MAX_CLIENTS)?;
        distinct("clients", self.clients.iter().map(|client| &client.id))?;
        if self.clients.iter().filter(|client| client.auth == ClientAuth::None).count() > 1 {
            return Err(field("clients", "at most one client can have \"auth\": \"none\""));
        }
        for (index, client) in self.clients.iter().enumerate() {
            client.validate().map_err(|problem| problem.within(format_args!("clients[{index}]")))?;
        }
        let keys = || self.clients.iter().flat_map(Client::keys);
        distinct("clients", keys().map(|key| format!("key {}", key.id)))?;
        distinct("clients", keys().map(|key| format!("public key {}", key.public_key)))?;
        bounded("approvers", self.approvers.len(), MAX_APPROVERS)?;
        distinct("approvers", self.approvers.iter().map(|approver| &approver.id))?;
        let keys = self.approvers.iter().map(|approver| HexBytes(approver.public_key.key().to_bytes()));
        Ok(distinct("approvers", keys)?)
    }

    fn validate_groups(&self) -> Result<(), BundleError> {
        bounded("wallet_groups", self.wallet_groups.len(), MAX_GROUPS)?;
        distinct("wallet_groups", self.wallet_groups.iter().map(|group| &group.id))?;
        for group in &self.wallet_groups {
            if group.wallets.is_empty() {
                return Err(field("wallet_groups", &format!("{} has no wallets", group.id)));
            }
            if group.wallets.len() > MAX_GROUP_WALLETS {
                let problem = format!("{} has more than {MAX_GROUP_WALLETS} wallets", group.id);
                return Err(field("wallet_groups", &problem));
            }
        }
        Ok(())
    }
}

fn field(field: &str, problem: &str) -> BundleError {
    BundleError::Field { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
