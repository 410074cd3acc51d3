//! The associated token account program: at most one byte of data.

use super::Roles;
use crate::chain::facts::{AssociatedTokenInstruction, SolanaAccount};

pub(super) fn decode(accounts: &[SolanaAccount], data: &[u8]) -> Option<AssociatedTokenInstruction> {
    let account = Roles(accounts);
    Some(match data {
        // The program's first version had no other instruction and no data.
        [] | [0] => AssociatedTokenInstruction::Create {
            from: account.at(0)?,
            account: account.at(1)?,
            wallet: account.at(2)?,
            mint: account.at(3)?,
            // 4 is the system program.
            token_program: account.at(5)?,
        },
        [1] => AssociatedTokenInstruction::CreateIdempotent {
            from: account.at(0)?,
            account: account.at(1)?,
            wallet: account.at(2)?,
            mint: account.at(3)?,
            token_program: account.at(5)?,
        },
        [2] => AssociatedTokenInstruction::RecoverNested {
            nested: account.at(0)?,
            nested_mint: account.at(1)?,
            destination: account.at(2)?,
            owner: account.at(3)?,
            owner_mint: account.at(4)?,
            wallet: account.at(5)?,
            token_program: account.at(6)?,
        },
        _ => return None,
    })
}
