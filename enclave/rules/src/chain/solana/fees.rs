//! What a transaction asks of the compute budget, as the runtime reads it from instructions (legacy, version 0).

use super::instructions::COMPUTE_BUDGET;
use crate::chain::Rejection;
use crate::chain::facts::{
    ComputeBudgetInstruction, SolanaDecodedInstruction, SolanaFees, SolanaInstruction,
};

/// The largest limit of compute units; the runtime lowers larger ones to it.
const MAX_COMPUTE_UNIT_LIMIT: u32 = 1_400_000;
const MIN_HEAP_SIZE: u32 = 32 * 1024;
const MAX_HEAP_SIZE: u32 = 256 * 1024;
const HEAP_GRANULARITY: u32 = 1024;

const MICRO_LAMPORTS_PER_LAMPORT: u128 = 1_000_000;

/// The budget that `instructions` ask for. Fails where the runtime would refuse the transaction, and where it would
/// overlook bytes after an instruction that still takes effect.
pub(super) fn of_instructions(instructions: &[SolanaInstruction]) -> Result<SolanaFees, Rejection> {
    let mut fees = SolanaFees::default();
    for (index, instruction) in instructions.iter().enumerate() {
        if instruction.program_id == COMPUTE_BUDGET {
            let Some(SolanaDecodedInstruction::ComputeBudget(budget)) = &instruction.decoded else {
                return Err(reject(index, "is not an instruction that the compute budget program knows"));
            };
            apply(*budget, &mut fees).map_err(|message| reject(index, message))?;
        }
    }
    fees.max_priority_fee = max_priority_fee(&fees);
    Ok(fees)
}

/// Whether the runtime grants a heap of `bytes`.
pub(super) fn is_heap_size(bytes: u32) -> bool {
    (MIN_HEAP_SIZE..=MAX_HEAP_SIZE).contains(&bytes) && bytes.is_multiple_of(HEAP_GRANULARITY)
}

fn apply(budget: ComputeBudgetInstruction, fees: &mut SolanaFees) -> Result<(), &'static str> {
    match budget {
        ComputeBudgetInstruction::RequestHeapFrame { bytes } if !is_heap_size(bytes) => {
            Err("must ask for a heap of 32 to 256 KiB, in whole KiB")
        }
        ComputeBudgetInstruction::SetLoadedAccountsDataSizeLimit { bytes: 0 } => {
            Err("must allow more than 0 bytes of accounts")
        }
        ComputeBudgetInstruction::RequestHeapFrame { bytes } => set(&mut fees.heap_size, bytes),
        ComputeBudgetInstruction::SetComputeUnitLimit { units } => set(&mut fees.compute_unit_limit, units),
        ComputeBudgetInstruction::SetComputeUnitPrice { micro_lamports } => {
            set(&mut fees.compute_unit_price, micro_lamports)
        }
        ComputeBudgetInstruction::SetLoadedAccountsDataSizeLimit { bytes } => {
            set(&mut fees.loaded_accounts_data_size_limit, bytes)
        }
    }
}

fn set<T>(value: &mut Option<T>, new: T) -> Result<(), &'static str> {
    match value.replace(new) {
        None => Ok(()),
        Some(_) => Err("repeats a kind of compute budget instruction: leave one of them out"),
    }
}

/// Without a limit the runtime chooses one by what is executed, up to the largest.
fn max_priority_fee(fees: &SolanaFees) -> u64 {
    let limit = fees.compute_unit_limit.unwrap_or(MAX_COMPUTE_UNIT_LIMIT).min(MAX_COMPUTE_UNIT_LIMIT);
    let price = u128::from(fees.compute_unit_price.unwrap_or(0));
    let micro_lamports = price.saturating_mul(u128::from(limit));
    u64::try_from(micro_lamports.div_ceil(MICRO_LAMPORTS_PER_LAMPORT)).unwrap_or(u64::MAX)
}

fn reject(index: usize, message: &str) -> Rejection {
    Rejection::new(format!("transaction.message.instructions[{index}]"), message)
}
