//! Conditions on Solana transactions.

use serde::{Deserialize, Serialize};

use super::{
    check::{Check, Problem, listed, present},
    value::{Party, Range},
    when::{MAX_ADDRESSES, MAX_LIST, ranged},
};
use crate::chain::{facts::SOLANA_INSTRUCTIONS, solana::SolanaAddress};

/// Conditions on a Solana transaction; each that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaTransactionWhen {
    /// These programs execute it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub programs: Option<Vec<SolanaAddress>>,
    /// These are its instructions: names of [`SOLANA_INSTRUCTIONS`].
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub instructions: Option<Vec<String>>,
    /// These are its accounts. Those that tables hold are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub accounts: Option<Vec<Party<SolanaAddress>>>,
    /// These get lamports, tokens, or control of accounts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub recipients: Option<Vec<Party<SolanaAddress>>>,
    /// The lamports that instructions of the system program move. Unknown if others move any that nobody counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub lamports: Option<Range>,
    /// The mints of the tokens it moves.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub mints: Option<Vec<SolanaAddress>>,
    /// How much each movement of tokens moves, in the token's smallest unit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub token_amount: Option<Range>,
    /// The most lamports it can cost: 5,000 for each signature, its own and those that it has verified, and the priority
    /// fee.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub max_fee: Option<Range>,
    /// One of these pays the fee.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub fee_payers: Option<Vec<Party<SolanaAddress>>>,
    /// Whether it looks up accounts in tables.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub lookup_tables: Option<bool>,
}

impl SolanaTransactionWhen {
    pub(super) fn validate(&self) -> Check {
        listed("programs", self.programs.as_ref(), MAX_ADDRESSES)?;
        listed("instructions", self.instructions.as_ref(), MAX_LIST)?;
        let mut named = self.instructions.iter().flatten();
        if let Some(unknown) = named.find(|name| !SOLANA_INSTRUCTIONS.contains(&name.as_str())) {
            let start: String = unknown.chars().take(64).collect();
            return Err(Problem::at("instructions", format!("no instruction is named {start:?}")));
        }
        listed("accounts", self.accounts.as_ref(), MAX_ADDRESSES)?;
        listed("recipients", self.recipients.as_ref(), MAX_ADDRESSES)?;
        ranged("lamports", self.lamports.as_ref())?;
        listed("mints", self.mints.as_ref(), MAX_ADDRESSES)?;
        ranged("token_amount", self.token_amount.as_ref())?;
        ranged("max_fee", self.max_fee.as_ref())?;
        listed("fee_payers", self.fee_payers.as_ref(), MAX_ADDRESSES)
    }
}
