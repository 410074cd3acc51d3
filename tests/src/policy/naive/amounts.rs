//! What limits count.

use ruint::aliases::U256;
use serde_json::Value;

use super::{amount, evm, solana, token};

/// The amounts of a request; `None` is what cannot be known, or what a request of this kind does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// The chain's own currency: wei, lamports.
    pub native: Option<U256>,
    /// The most that it can cost in fees: wei, lamports.
    pub fee: Option<U256>,
    /// Each movement of a token that is recognised: contract (in lower case) or mint, and how much.
    pub tokens: Option<Vec<(String, U256)>>,
}

/// The amounts that facts show.
pub fn amounts(facts: &Value) -> Amounts {
    match facts["type"].as_str() {
        Some("evm.transaction") => Amounts {
            native: Some(amount(&facts["value"])),
            fee: Some(evm::max_fee(facts)),
            tokens: token::amounts(facts),
        },
        Some("evm.typed_data") => Amounts { tokens: token::amounts(facts), ..Amounts::default() },
        Some("solana.transaction") => Amounts {
            native: solana::lamports(facts),
            fee: Some(solana::max_fee(facts)),
            tokens: solana::token_amounts(facts),
        },
        _ => Amounts { tokens: Some(Vec::new()), ..Amounts::default() },
    }
}
