//! The compute budget program: one byte that tells which, and a number.

use crate::chain::facts::ComputeBudgetInstruction;
use crate::chain::solana::wire::Reader;

/// The program looks at no accounts.
pub(super) fn decode(data: &[u8]) -> Option<ComputeBudgetInstruction> {
    let mut data = Reader::new(data);
    let instruction = match data.byte().ok()? {
        1 => ComputeBudgetInstruction::RequestHeapFrame { bytes: data.u32().ok()? },
        2 => ComputeBudgetInstruction::SetComputeUnitLimit { units: data.u32().ok()? },
        3 => ComputeBudgetInstruction::SetComputeUnitPrice { micro_lamports: data.u64().ok()? },
        4 => ComputeBudgetInstruction::SetLoadedAccountsDataSizeLimit { bytes: data.u32().ok()? },
        _ => return None,
    };
    data.finish().ok()?;
    Some(instruction)
}
