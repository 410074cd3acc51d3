//! The system program: bincode, so numbers are fixed-size and texts have a 64-bit length.

use super::Roles;
use crate::chain::facts::{SolanaAccount, SystemInstruction};
use crate::chain::solana::wire::Reader;

pub(super) fn decode(accounts: &[SolanaAccount], data: &[u8]) -> Option<SystemInstruction> {
    let mut data = Reader::new(data);
    let tag = data.u32().ok()?;
    let decode = match tag {
        4..=7 | 12 => decode_nonce,
        _ => decode_account,
    };
    let instruction = decode(tag, accounts, &mut data)?;
    data.finish().ok()?;
    Some(instruction)
}

// Members of the data are read in the order of the program's own definition, which is the order of the members here.
fn decode_account(tag: u32, accounts: &[SolanaAccount], data: &mut Reader<'_>) -> Option<SystemInstruction> {
    let account = Roles(accounts);
    Some(match tag {
        0 => SystemInstruction::CreateAccount {
            from: account.at(0)?,
            account: account.at(1)?,
            lamports: data.u64().ok()?,
            space: data.u64().ok()?,
            owner: data.address().ok()?,
        },
        1 => SystemInstruction::Assign { account: account.at(0)?, owner: data.address().ok()? },
        2 => SystemInstruction::Transfer {
            from: account.at(0)?,
            to: account.at(1)?,
            lamports: data.u64().ok()?,
        },
        3 => SystemInstruction::CreateAccountWithSeed {
            from: account.at(0)?,
            account: account.at(1)?,
            base: data.address().ok()?,
            seed: text(data)?,
            lamports: data.u64().ok()?,
            space: data.u64().ok()?,
            owner: data.address().ok()?,
        },
        8 => SystemInstruction::Allocate { account: account.at(0)?, space: data.u64().ok()? },
        9 => SystemInstruction::AllocateWithSeed {
            // The base is an account and in the data.
            account: account.at(1).and(account.at(0))?,
            base: data.address().ok()?,
            seed: text(data)?,
            space: data.u64().ok()?,
            owner: data.address().ok()?,
        },
        10 => SystemInstruction::AssignWithSeed {
            // The base is an account and in the data.
            account: account.at(1).and(account.at(0))?,
            base: data.address().ok()?,
            seed: text(data)?,
            owner: data.address().ok()?,
        },
        11 => SystemInstruction::TransferWithSeed {
            from: account.at(0)?,
            base: account.at(1)?,
            to: account.at(2)?,
            lamports: data.u64().ok()?,
            from_seed: text(data)?,
            from_owner: data.address().ok()?,
        },
        13 => {
            let lamports = data.u64().ok()?;
            SystemInstruction::CreateAccountAllowPrefund {
                account: account.at(0)?,
                // Nobody funds it if there is nothing to fund.
                from: if lamports == 0 { None } else { Some(account.at(1)?) },
                lamports,
                space: data.u64().ok()?,
                owner: data.address().ok()?,
            }
        }
        _ => return None,
    })
}

/// The authority over a nonce may be any account of the instruction that signs, so there must be no others but those of
/// the roles.
fn decode_nonce(tag: u32, accounts: &[SolanaAccount], data: &mut Reader<'_>) -> Option<SystemInstruction> {
    Some(match (tag, accounts) {
        // The accounts left out are sysvars.
        (4, &[nonce, _, authority]) => SystemInstruction::AdvanceNonceAccount { nonce, authority },
        (5, &[nonce, to, _, _, authority]) => {
            SystemInstruction::WithdrawNonceAccount { nonce, to, authority, lamports: data.u64().ok()? }
        }
        (6, &[nonce, _, _]) => {
            SystemInstruction::InitializeNonceAccount { nonce, authority: data.address().ok()? }
        }
        (7, &[nonce, authority]) => {
            SystemInstruction::AuthorizeNonceAccount { nonce, authority, new_authority: data.address().ok()? }
        }
        (12, &[nonce]) => SystemInstruction::UpgradeNonceAccount { nonce },
        _ => return None,
    })
}

fn text(data: &mut Reader<'_>) -> Option<String> {
    let length = usize::try_from(data.u64().ok()?).ok()?;
    let bytes = data.take(length).ok()?;
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}
