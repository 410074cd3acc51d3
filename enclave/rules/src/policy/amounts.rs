//! How much a request is of what limits count.

use ruint::aliases::U256;

use super::{
    evm,
    moves::{self, Moved},
    solana,
};
use crate::{
    bundle::TokenId,
    chain::{
        Facts,
        facts::{SolanaAccount, SolanaTransactionFacts},
    },
    token::{self, Movements},
};

/// How much a request is. It always counts for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// The chain's own currency that is sent, in wei or lamports; `None` if that cannot be known, or
    /// if it is no transaction.
    pub native: Option<U256>,
    /// The most that it can cost in fees, in wei or lamports; `None` as above.
    pub fee: Option<U256>,
    /// The tokens that are moved.
    pub tokens: TokenAmounts,
}

/// The tokens that a request moves, as far as that is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenAmounts {
    /// So much of these, a token as often as it is moved. None is there if no movement is
    /// recognised.
    Known(Vec<(TokenId, U256)>),
    /// That cannot be known.
    Unknown,
}

impl Amounts {
    /// How much of `token` is moved, all movements together; `None` if that cannot be known, or if
    /// none is recognised.
    pub fn of_token(&self, token: &TokenId) -> Option<U256> {
        let TokenAmounts::Known(moved) = &self.tokens else { return None };
        let mut amounts = moved.iter().filter(|(id, _)| id == token).map(|(_, amount)| *amount);
        let first = amounts.next()?;
        Some(amounts.fold(first, U256::saturating_add))
    }
}

/// How much a request is.
pub fn amounts(facts: &Facts) -> Amounts {
    let of_movements = |movements| match movements {
        Movements::None => TokenAmounts::Known(Vec::new()),
        Movements::Malformed => TokenAmounts::Unknown,
        Movements::Known(movements) => TokenAmounts::Known(
            movements.iter().map(|movement| (TokenId::Evm(movement.contract), movement.amount)).collect(),
        ),
    };
    match facts {
        Facts::Evm(facts) => Amounts {
            native: Some(facts.value),
            fee: evm::max_fee(facts),
            tokens: of_movements(token::of_call(facts)),
        },
        Facts::EvmTypedData(facts) => {
            Amounts { native: None, fee: None, tokens: of_movements(token::of_typed_data(facts)) }
        }
        Facts::Solana(facts) => Amounts {
            native: solana::lamports(facts),
            fee: Some(solana::max_fee(facts)),
            tokens: solana_tokens(facts).map_or(TokenAmounts::Unknown, TokenAmounts::Known),
        },
        Facts::EvmAuthorization(_)
        | Facts::EvmMessage(_)
        | Facts::SolanaOffchainMessage(_)
        | Facts::RawDigest(_)
        | Facts::RawMessage(_) => {
            Amounts { native: None, fee: None, tokens: TokenAmounts::Known(Vec::new()) }
        }
    }
}

/// `None` if an instruction is not understood, hands over control, ends or empties a token account, which may be one of
/// wrapped SOL, or does not name its mint or amount.
fn solana_tokens(facts: &SolanaTransactionFacts) -> Option<Vec<(TokenId, U256)>> {
    let mut tokens = Vec::new();
    for instruction in &facts.instructions {
        for moved in moves::of(instruction.decoded.as_ref()?) {
            let (mint, amount) = match moved.what {
                Moved::Tokens { mint, amount } => (mint, amount),
                Moved::Remainder | Moved::Control => return None,
                Moved::Lamports(_) | Moved::Rent => continue,
            };
            let SolanaAccount::Static(mint) = mint? else { return None };
            tokens.push((TokenId::Solana(mint.address), U256::from(amount?)));
        }
    }
    Some(tokens)
}
