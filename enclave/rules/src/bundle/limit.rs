//! What an allowing rule demands beyond its conditions: limits, approvals, how nonces are used.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Operation,
    check::{Check, Problem, bounded, distinct},
    value::Int,
};
pub use crate::nonce_guard::NonceUse;
use crate::{
    chain::{evm::EvmAddress, solana::SolanaAddress},
    name::Name,
};

/// The most limits of a rule.
pub const MAX_LIMITS: usize = 8;
/// The length of a limit's window in seconds: up to 31 days.
pub const WINDOW_RANGE_S: RangeInclusive<u32> = 1..=2_678_400;
/// How far ahead an approval may expire at most, in seconds.
pub const APPROVAL_RANGE_S: RangeInclusive<u32> = 60..=86_400;

const DEFAULT_APPROVAL_S: u32 = 3_600;

/// How much a rule allows within a rolling window. All limits of a rule must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The window's length in seconds, within [`WINDOW_RANGE_S`].
    pub window_s: u32,
    /// What has a budget of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: LimitPer,
    /// The most within a window.
    pub most: Most,
    /// What holds while nobody knows what was signed before the enclave started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after_restart: AfterRestart,
}

/// What has a limit's budget of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPer {
    /// The rule: everybody shares one.
    #[default]
    Rule,
    /// Each client.
    Client,
    /// Each wallet.
    Wallet,
    /// Each account.
    Account,
}

/// The most of what, within a window. JSON: an object with exactly one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Most {
    /// Signatures.
    Count(u64),
    /// The chain's own currency that transactions send, in wei or lamports.
    Native(Int),
    /// What transactions may cost in fees, in wei or lamports.
    Fee(Int),
    /// What is moved of one token.
    Token(TokenMost),
}

/// The most of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMost {
    /// The token.
    pub id: TokenId,
    /// How much of it, in its smallest unit.
    pub amount: Int,
}

/// A token: its contract on EVM chains, its mint on Solana. The text is canonical: EVM addresses in
/// lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenId {
    /// A contract.
    Evm(EvmAddress),
    /// A mint.
    Solana(SolanaAddress),
}

/// What a limit does until its window has passed since the enclave started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRestart {
    /// It allows nothing: the budget may have been spent before.
    #[default]
    Closed,
    /// It starts with a full budget.
    Open,
}

/// Whose approval a rule demands for each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// How many of them must sign.
    pub threshold: u16,
    /// The approvers.
    pub of: Vec<Name>,
    /// How far ahead an approval may expire, in seconds, within [`APPROVAL_RANGE_S`].
    #[serde(default = "default_approval_s", skip_serializing_if = "is_default_approval_s")]
    pub longest_s: u32,
}

impl Limit {
    pub(super) fn validate(&self, operations: &[Operation]) -> Check {
        if !WINDOW_RANGE_S.contains(&self.window_s) {
            return Err(Problem::at("window_s", "must be from 1 to 2678400 seconds"));
        }
        let (name, measures): (_, fn(Operation) -> bool) = match self.most {
            Most::Count(_) => ("count", Operation::signs),
            Most::Native(_) => ("native", Operation::is_transaction),
            Most::Fee(_) => ("fee", Operation::is_transaction),
            Most::Token(_) => {
                ("token", |operation| operation.is_transaction() || operation == Operation::EvmTypedData)
            }
        };
        match operations.iter().find(|operation| !measures(**operation)) {
            None => Ok(()),
            Some(other) => {
                let problem = format!("has no measure in {}; write a rule of its own for it", other.as_str());
                Err(Problem::at(format!("most.{name}"), problem))
            }
        }
    }
}

impl Approvals {
    /// Shape only: whether the approvers exist is for who knows them.
    pub(super) fn validate(&self, most: usize) -> Check {
        bounded("of", self.of.len(), most)?;
        distinct("of", self.of.iter())?;
        if self.threshold == 0 || usize::from(self.threshold) > self.of.len() {
            return Err(Problem::at("threshold", "must be between 1 and the number of approvers in \"of\""));
        }
        if APPROVAL_RANGE_S.contains(&self.longest_s) {
            Ok(())
        } else {
            Err(Problem::at("longest_s", "must be from 60 to 86400 seconds"))
        }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evm(contract) => write!(f, "0x{}", hex::encode(contract.as_bytes())),
            Self::Solana(mint) => write!(f, "{mint}"),
        }
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Base58 has no digit 0.
        if text.starts_with("0x") {
            text.parse().map(Self::Evm).map_err(|error| format!("{error}"))
        } else {
            text.parse().map(Self::Solana).map_err(|error| format!("{error}, or an EVM address"))
        }
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_approval_s() -> u32 {
    DEFAULT_APPROVAL_S
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_default_approval_s(seconds: &u32) -> bool {
    *seconds == DEFAULT_APPROVAL_S
}
