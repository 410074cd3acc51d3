//! Conditions on Solana transactions.

use ruint::aliases::U256;

use super::{
    moves::{self, Holder, Move, Moved},
    scene::Scene,
    truth::{Each, Truth},
    value::{Parties, Set},
};
use crate::{
    bundle::{Effect, Range, SolanaTransactionWhen},
    chain::{
        facts::{SolanaAccount, SolanaDecodedInstruction, SolanaTransactionFacts},
        solana::{SolanaAddress, VERIFIERS},
    },
};

/// What the chain takes for each signature.
const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// One condition on a transaction.
#[derive(Debug)]
pub(super) enum SolanaAtom {
    Programs(Set<SolanaAddress>),
    Instructions(Set<String>),
    Accounts(Parties<SolanaAddress>),
    Recipients(Parties<SolanaAddress>),
    Lamports(Range),
    Mints(Set<SolanaAddress>),
    TokenAmount(Range),
    MaxFee(Range),
    FeePayers(Parties<SolanaAddress>),
    LookupTables(bool),
}

impl SolanaAtom {
    /// Those of a condition, the cheap ones first.
    pub(super) fn compile(when: &SolanaTransactionWhen) -> Vec<Self> {
        let addresses =
            |list: &Option<Vec<SolanaAddress>>| list.as_ref().map(|list| list.iter().copied().collect());
        let instructions = when.instructions.as_ref().map(|list| list.iter().cloned().collect());
        [
            when.lookup_tables.map(Self::LookupTables),
            when.fee_payers.as_deref().map(Parties::new).map(Self::FeePayers),
            when.max_fee.map(Self::MaxFee),
            addresses(&when.programs).map(Self::Programs),
            instructions.map(Self::Instructions),
            when.lamports.map(Self::Lamports),
            when.token_amount.map(Self::TokenAmount),
            addresses(&when.mints).map(Self::Mints),
            when.recipients.as_deref().map(Parties::new).map(Self::Recipients),
            when.accounts.as_deref().map(Parties::new).map(Self::Accounts),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn judge(&self, facts: &SolanaTransactionFacts, effect: Effect, scene: &Scene<'_>) -> Truth {
        match self {
            Self::Programs(programs) => {
                let instructions = facts.instructions.iter();
                Each::of(effect, instructions.map(|one| programs.contains(&one.program_id).into()))
            }
            Self::Instructions(names) => {
                let name = |decoded: &Option<SolanaDecodedInstruction>| {
                    decoded.as_ref().map(|decoded| names.contains(decoded.name()))
                };
                let instructions = facts.instructions.iter();
                Each::of(
                    effect,
                    instructions.map(|one| name(&one.decoded).map_or(Truth::Unknown, Truth::from)),
                )
            }
            Self::Accounts(parties) => {
                let named = facts.account_keys.iter().map(|key| parties.judge(&key.address, scene.solana));
                let looked_up = facts.address_table_lookups.iter().map(|_| Truth::Unknown);
                Each::of(effect, named.chain(looked_up))
            }
            Self::Recipients(parties) => each_move(facts, effect, |moved| {
                Some(match moved.to {
                    Holder::Account(SolanaAccount::Static(key)) => parties.judge(&key.address, scene.solana),
                    Holder::Account(SolanaAccount::Lookup { .. }) | Holder::Anybody => Truth::Unknown,
                    Holder::Address(address) => parties.judge(&address, scene.solana),
                })
            }),
            Self::Lamports(range) => {
                lamports(facts).map_or(Truth::Unknown, |lamports| range.contains(lamports).into())
            }
            Self::Mints(mints) => each_move(facts, effect, |moved| match moved.what {
                Moved::Tokens { mint: Some(SolanaAccount::Static(key)), .. } => {
                    Some(mints.contains(&key.address).into())
                }
                Moved::Tokens { .. } | Moved::Remainder | Moved::Control => Some(Truth::Unknown),
                Moved::Lamports(_) | Moved::Rent => None,
            }),
            Self::TokenAmount(range) => each_move(facts, effect, |moved| match moved.what {
                Moved::Tokens { amount, .. } => {
                    Some(amount.map_or(Truth::Unknown, |amount| range.contains(U256::from(amount)).into()))
                }
                Moved::Remainder | Moved::Control => Some(Truth::Unknown),
                Moved::Lamports(_) | Moved::Rent => None,
            }),
            Self::MaxFee(range) => range.contains(max_fee(facts)).into(),
            Self::FeePayers(parties) => parties.judge(&facts.fee_payer, scene.solana),
            Self::LookupTables(wanted) => (facts.address_table_lookups.is_empty() != *wanted).into(),
        }
    }
}

/// The lamports that the system program moves; `None` if an instruction is not understood, moves lamports without saying
/// how many, or hands over control.
pub(super) fn lamports(facts: &SolanaTransactionFacts) -> Option<U256> {
    let mut sum = U256::ZERO;
    for instruction in &facts.instructions {
        for moved in moves::of(instruction.decoded.as_ref()?) {
            match moved.what {
                Moved::Lamports(lamports) => sum = sum.saturating_add(U256::from(lamports)),
                Moved::Remainder | Moved::Rent | Moved::Control => return None,
                Moved::Tokens { .. } => {}
            }
        }
    }
    Some(sum)
}

/// The most lamports that a transaction can cost.
pub(super) fn max_fee(facts: &SolanaTransactionFacts) -> U256 {
    // Whoever asks the runtime to verify signatures pays for as many as the first byte says.
    let verified = facts.instructions.iter().filter(|one| VERIFIERS.contains(&one.program_id));
    let verified: U256 = verified.filter_map(|one| one.data.first()).map(|count| U256::from(*count)).sum();
    let signatures = U256::from(facts.signers.len()).saturating_add(verified);
    let signatures = signatures.saturating_mul(U256::from(LAMPORTS_PER_SIGNATURE));
    signatures.saturating_add(U256::from(facts.fees.max_priority_fee))
}

/// Over what is moved and `judge` is about. An instruction that is not understood may move anything.
fn each_move(
    facts: &SolanaTransactionFacts,
    effect: Effect,
    judge: impl Fn(Move<'_>) -> Option<Truth>,
) -> Truth {
    let instructions = facts.instructions.iter();
    Each::of(
        effect,
        instructions.flat_map(|instruction| {
            let unknown = instruction.decoded.is_none().then_some(Truth::Unknown);
            let moved = instruction.decoded.iter().flat_map(moves::of).filter_map(&judge);
            unknown.into_iter().chain(moved)
        }),
    )
}
