//! The policy bundle: keyrings, clients and rules that a quorum signed, for a limited time.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use crate::{
    authority::AuthorityId,
    configuration::SignedConfiguration,
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

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

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name in rules and records.
    pub id: Name,
    /// How it proves who it is.
    pub auth: ClientAuth,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// It does not: requests without a signature are this client's. At most one client of a bundle
    /// is so, and rules bind it like any other.
    None,
}

/// A set of wallets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletGroup {
    /// Its name; rules write `@` before it.
    pub id: Name,
    /// The wallets.
    pub wallets: Vec<WalletId>,
}

/// One rule. Each atom that is there must match; an atom that is absent matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, which answers and records give.
    pub id: Name,
    /// What it does when it matches. A rule that denies wins over all that allow.
    pub effect: Effect,
    /// The operations it is about.
    pub operations: Vec<Operation>,
    /// The clients it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<Name>>,
    /// The wallets it is about: ids, or `@group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallets: Option<Vec<WalletSelector>>,
    /// The EVM chains it is about. A transaction that names no chain (before EIP-155) can be sent
    /// on every chain: rules that allow by chain never match it, rules that deny always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_ids: Option<Vec<u64>>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allows, unless another rule denies.
    Allow,
    /// Denies, whatever other rules say.
    Deny,
}

/// What a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    /// To create a wallet.
    #[serde(rename = "wallet.create")]
    WalletCreate,
    /// To see a wallet and its accounts.
    #[serde(rename = "wallet.read")]
    WalletRead,
    /// To derive a further account of a wallet.
    #[serde(rename = "wallet.account")]
    WalletAccount,
    /// To sign an EVM transaction.
    #[serde(rename = "evm.transaction")]
    EvmTransaction,
    /// To sign an EIP-7702 authorization, which hands the account to a contract. One for every chain (chain id 0) is
    /// allowed only by a rule whose `chain_ids` has 0.
    #[serde(rename = "evm.authorization")]
    EvmAuthorization,
    /// To sign an EIP-191 message. Some chains take one for a transaction.
    #[serde(rename = "evm.message")]
    EvmMessage,
    /// To sign EIP-712 typed data. On some chains (zkSync Era) that is how transactions are signed.
    #[serde(rename = "evm.typed_data")]
    EvmTypedData,
    /// To sign a Solana transaction.
    #[serde(rename = "solana.transaction")]
    SolanaTransaction,
    /// To sign a Solana off-chain message.
    #[serde(rename = "solana.offchain_message")]
    SolanaOffchainMessage,
    /// To sign 32 bytes unseen, on secp256k1: whoever may, may do everything with the account.
    #[serde(rename = "raw.digest")]
    RawDigest,
    /// To sign bytes unseen, on Ed25519: whoever may, may do everything with the account.
    #[serde(rename = "raw.message")]
    RawMessage,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 11] = [
        Self::WalletCreate,
        Self::WalletRead,
        Self::WalletAccount,
        Self::EvmTransaction,
        Self::EvmAuthorization,
        Self::EvmMessage,
        Self::EvmTypedData,
        Self::SolanaTransaction,
        Self::SolanaOffchainMessage,
        Self::RawDigest,
        Self::RawMessage,
    ];

    /// Whether it is about an EVM chain.
    pub fn has_chain_id(self) -> bool {
        matches!(self, Self::EvmTransaction | Self::EvmAuthorization | Self::EvmTypedData)
    }

    /// The operation of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The name that requests, rules and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WalletCreate => "wallet.create",
            Self::WalletRead => "wallet.read",
            Self::WalletAccount => "wallet.account",
            Self::EvmTransaction => "evm.transaction",
            Self::EvmAuthorization => "evm.authorization",
            Self::EvmMessage => "evm.message",
            Self::EvmTypedData => "evm.typed_data",
            Self::SolanaTransaction => "solana.transaction",
            Self::SolanaOffchainMessage => "solana.offchain_message",
            Self::RawDigest => "raw.digest",
            Self::RawMessage => "raw.message",
        }
    }
}

/// Names a wallet: `w_` and 32 hexadecimal digits, a digest of its root public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WalletId(pub HexBytes<16>);

/// A wallet, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletSelector {
    /// One wallet.
    Wallet(WalletId),
    /// Those of a group: `@name`.
    Group(Name),
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
        bounded("clients", self.clients.len(), MAX_CLIENTS)?;
        bounded("wallet_groups", self.wallet_groups.len(), MAX_GROUPS)?;
        bounded("rules", self.rules.len(), MAX_RULES)?;
        distinct("keyrings", self.keyrings.iter().map(|keyring| &keyring.id))?;
        distinct("clients", self.clients.iter().map(|client| &client.id))?;
        distinct("wallet_groups", self.wallet_groups.iter().map(|group| &group.id))?;
        distinct("rules", self.rules.iter().map(|rule| &rule.id))?;
        if self.clients.iter().filter(|client| client.auth == ClientAuth::None).count() > 1 {
            return Err(field("clients", "at most one client can have \"auth\": \"none\""));
        }
        if let Some(group) = self.wallet_groups.iter().find(|group| group.wallets.is_empty()) {
            return Err(field("wallet_groups", &format!("{} has no wallets", group.id)));
        }
        let clients: HashSet<&Name> = self.clients.iter().map(|client| &client.id).collect();
        let groups: HashSet<&Name> = self.wallet_groups.iter().map(|group| &group.id).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            rule.validate(&clients, &groups)
                .map_err(|(atom, problem)| field(&format!("rules[{index}].{atom}"), &problem))?;
        }
        Ok(())
    }
}

impl Rule {
    /// A list that is there and empty could never match; a name that nothing bears is a mistake.
    fn validate(
        &self,
        clients: &HashSet<&Name>,
        groups: &HashSet<&Name>,
    ) -> Result<(), (&'static str, String)> {
        const EMPTY: &str = "is empty, so the rule could never match; leave it out to match everything";
        if self.operations.is_empty() {
            return Err(("operations", "must name at least one operation".into()));
        }
        if let Some(named) = &self.clients {
            if named.is_empty() {
                return Err(("clients", EMPTY.into()));
            }
            if let Some(unknown) = named.iter().find(|name| !clients.contains(name)) {
                return Err(("clients", format!("no client is named {unknown}")));
            }
        }
        if let Some(selectors) = &self.wallets {
            if selectors.is_empty() {
                return Err(("wallets", EMPTY.into()));
            }
            for selector in selectors {
                if let WalletSelector::Group(name) = selector
                    && !groups.contains(name)
                {
                    return Err(("wallets", format!("no wallet group is named {name}")));
                }
            }
        }
        if let Some(chain_ids) = &self.chain_ids {
            if chain_ids.is_empty() {
                return Err(("chain_ids", EMPTY.into()));
            }
            if let Some(other) = self.operations.iter().find(|operation| !operation.has_chain_id()) {
                let problem = format!("{} has no chain id, so the rule could never match it", other.as_str());
                return Err(("chain_ids", problem));
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for WalletId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "w_{}", self.0)
    }
}

impl std::str::FromStr for WalletId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("w_").ok_or("a wallet id starts with w_")?;
        digits.parse().map(Self).map_err(|_| "a wallet id has 32 hexadecimal digits after w_")
    }
}

impl Serialize for WalletId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WalletId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for WalletSelector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Wallet(id) => id.serialize(serializer),
            Self::Group(name) => serializer.collect_str(&format_args!("@{name}")),
        }
    }
}

impl<'de> Deserialize<'de> for WalletSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix('@') {
            Some(name) => name.parse().map(Self::Group).map_err(de::Error::custom),
            None => text.parse().map(Self::Wallet).map_err(de::Error::custom),
        }
    }
}

fn bounded(name: &str, length: usize, most: usize) -> Result<(), BundleError> {
    if length > most { Err(field(name, &format!("has {length} entries, more than {most}"))) } else { Ok(()) }
}

fn distinct<'a>(name: &str, ids: impl Iterator<Item = &'a Name>) -> Result<(), BundleError> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(field(name, &format!("{id} appears twice")));
        }
    }
    Ok(())
}

fn field(field: &str, problem: &str) -> BundleError {
    BundleError::Field { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
