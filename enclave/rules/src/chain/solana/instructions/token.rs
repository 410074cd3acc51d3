//! SPL Token and Token-2022, which has the same instructions and more.

use super::Roles;
use crate::chain::facts::{SolanaAccount, TokenAuthority, TokenInstruction};
use crate::chain::solana::SolanaAddress;
use crate::chain::solana::wire::Reader;

/// The powers of SPL Token; Token-2022 knows all.
const CLASSIC_AUTHORITIES: usize = 4;

const AUTHORITIES: [TokenAuthority; 18] = [
    TokenAuthority::MintTokens,
    TokenAuthority::FreezeAccount,
    TokenAuthority::AccountOwner,
    TokenAuthority::CloseAccount,
    TokenAuthority::TransferFeeConfig,
    TokenAuthority::WithheldWithdraw,
    TokenAuthority::CloseMint,
    TokenAuthority::InterestRate,
    TokenAuthority::PermanentDelegate,
    TokenAuthority::ConfidentialTransferMint,
    TokenAuthority::TransferHookProgramId,
    TokenAuthority::ConfidentialTransferFeeConfig,
    TokenAuthority::MetadataPointer,
    TokenAuthority::GroupPointer,
    TokenAuthority::GroupMemberPointer,
    TokenAuthority::ScaledUiAmount,
    TokenAuthority::Pause,
    TokenAuthority::PermissionedBurn,
];

/// An instruction of SPL Token.
pub(super) fn decode(accounts: &[SolanaAccount], data: &[u8]) -> Option<TokenInstruction> {
    decode_as(false, accounts, data)
}

/// An instruction of Token-2022.
pub(super) fn decode_2022(accounts: &[SolanaAccount], data: &[u8]) -> Option<TokenInstruction> {
    decode_as(true, accounts, data)
}

fn decode_as(is_2022: bool, accounts: &[SolanaAccount], data: &[u8]) -> Option<TokenInstruction> {
    let account = Roles(accounts);
    let mut data = Reader::new(data);
    let tag = data.byte().ok()?;
    let instruction = match tag {
        3 | 12 => decode_transfer(tag, &account, &mut data)?,
        26 if is_2022 => decode_transfer_with_fee(&account, &mut data)?,
        4 | 5 | 13 => decode_delegation(tag, &account, &mut data)?,
        7 | 8 | 14 | 15 => decode_supply(tag, &account, &mut data)?,
        6 => {
            let known = if is_2022 { AUTHORITIES.len() } else { CLASSIC_AUTHORITIES };
            let authority_type = data.byte().ok()?;
            TokenInstruction::SetAuthority {
                account: account.at(0)?,
                authority: account.at(1)?,
                authority_type: *AUTHORITIES.get(..known)?.get(usize::from(authority_type))?,
                new_authority: optional(&mut data, address)?,
            }
        }
        9 => TokenInstruction::CloseAccount {
            account: account.at(0)?,
            destination: account.at(1)?,
            authority: account.at(2)?,
        },
        10 => TokenInstruction::FreezeAccount {
            account: account.at(0)?,
            mint: account.at(1)?,
            authority: account.at(2)?,
        },
        11 => TokenInstruction::ThawAccount {
            account: account.at(0)?,
            mint: account.at(1)?,
            authority: account.at(2)?,
        },
        17 => TokenInstruction::SyncNative { account: account.at(0)? },
        38 => TokenInstruction::WithdrawExcessLamports {
            source: account.at(0)?,
            destination: account.at(1)?,
            authority: account.at(2)?,
        },
        45 => TokenInstruction::UnwrapLamports {
            source: account.at(0)?,
            destination: account.at(1)?,
            authority: account.at(2)?,
            amount: optional(&mut data, |data| data.u64().ok())?,
        },
        _ => decode_initialize(tag, accounts, &mut data)?,
    };
    data.finish().ok()?;
    Some(instruction)
}

// Members of the data are read in the order of the programs' own definitions, which is the order of the members here.
fn decode_transfer(tag: u8, account: &Roles<'_>, data: &mut Reader<'_>) -> Option<TokenInstruction> {
    Some(match tag {
        3 => TokenInstruction::Transfer {
            source: account.at(0)?,
            destination: account.at(1)?,
            authority: account.at(2)?,
            amount: data.u64().ok()?,
        },
        12 => TokenInstruction::TransferChecked {
            source: account.at(0)?,
            mint: account.at(1)?,
            destination: account.at(2)?,
            authority: account.at(3)?,
            amount: data.u64().ok()?,
            decimals: data.byte().ok()?,
        },
        _ => return None,
    })
}

/// The only one of the instructions about transfer fees that holders use.
fn decode_transfer_with_fee(account: &Roles<'_>, data: &mut Reader<'_>) -> Option<TokenInstruction> {
    if data.byte().ok()? != 1 {
        return None;
    }
    Some(TokenInstruction::TransferCheckedWithFee {
        source: account.at(0)?,
        mint: account.at(1)?,
        destination: account.at(2)?,
        authority: account.at(3)?,
        amount: data.u64().ok()?,
        decimals: data.byte().ok()?,
        fee: data.u64().ok()?,
    })
}

fn decode_delegation(tag: u8, account: &Roles<'_>, data: &mut Reader<'_>) -> Option<TokenInstruction> {
    Some(match tag {
        4 => TokenInstruction::Approve {
            source: account.at(0)?,
            delegate: account.at(1)?,
            authority: account.at(2)?,
            amount: data.u64().ok()?,
        },
        5 => TokenInstruction::Revoke { source: account.at(0)?, authority: account.at(1)? },
        13 => TokenInstruction::ApproveChecked {
            source: account.at(0)?,
            mint: account.at(1)?,
            delegate: account.at(2)?,
            authority: account.at(3)?,
            amount: data.u64().ok()?,
            decimals: data.byte().ok()?,
        },
        _ => return None,
    })
}

fn decode_supply(tag: u8, account: &Roles<'_>, data: &mut Reader<'_>) -> Option<TokenInstruction> {
    let (first, second, authority) = (account.at(0)?, account.at(1)?, account.at(2)?);
    let amount = data.u64().ok()?;
    Some(match tag {
        7 => TokenInstruction::MintTo { mint: first, account: second, authority, amount },
        8 => TokenInstruction::Burn { account: first, mint: second, authority, amount },
        14 => {
            let decimals = data.byte().ok()?;
            TokenInstruction::MintToChecked { mint: first, account: second, authority, amount, decimals }
        }
        15 => {
            let decimals = data.byte().ok()?;
            TokenInstruction::BurnChecked { account: first, mint: second, authority, amount, decimals }
        }
        _ => return None,
    })
}

/// Those that exist with and without the rent sysvar among the accounts are told apart by their number.
fn decode_initialize(tag: u8, accounts: &[SolanaAccount], data: &mut Reader<'_>) -> Option<TokenInstruction> {
    Some(match (tag, accounts) {
        (0, &[mint, _, ..]) | (20, &[mint, ..]) => TokenInstruction::InitializeMint {
            mint,
            decimals: data.byte().ok()?,
            mint_authority: address(data)?,
            freeze_authority: optional(data, address)?,
        },
        (1, &[account, mint, owner, _, ..]) => TokenInstruction::InitializeAccount { account, mint, owner },
        (16, &[account, mint, _, ..]) | (18, &[account, mint, ..]) => {
            TokenInstruction::InitializeAccount3 { account, mint, owner: address(data)? }
        }
        (2, [multisig, _, signers @ ..]) | (19, [multisig, signers @ ..]) => {
            TokenInstruction::InitializeMultisig {
                multisig: *multisig,
                m: data.byte().ok()?,
                signers: signers.to_vec(),
            }
        }
        (22, &[account, ..]) => TokenInstruction::InitializeImmutableOwner { account },
        _ => return None,
    })
}

fn address(data: &mut Reader<'_>) -> Option<SolanaAddress> {
    data.address().ok()
}

/// A byte 0, or a byte 1 and the value.
#[expect(clippy::option_option, reason = "the inner one is a fact, the outer one is whether it was read")]
fn optional<'a, T>(
    data: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match data.byte().ok()? {
        0 => Some(None),
        1 => read(data).map(Some),
        _ => None,
    }
}
