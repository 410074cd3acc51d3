//! What Solana instructions move, and whereto.

use crate::chain::facts::{
    AssociatedTokenInstruction, SolanaAccount, SolanaDecodedInstruction, SystemInstruction, TokenInstruction,
};

/// Something that an instruction moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move<'a> {
    /// Who gets it.
    pub(super) to: &'a SolanaAccount,
    pub(super) what: Moved<'a>,
}

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved<'a> {
    /// So many lamports, by the system program.
    Lamports(u64),
    /// The lamports of a token account, however many there are.
    Remainder,
    /// Tokens. `None`: the instruction does not say.
    Tokens { mint: Option<&'a SolanaAccount>, amount: Option<u64> },
}

/// What an instruction moves; `None`: nothing.
pub(super) fn of(instruction: &SolanaDecodedInstruction) -> Option<Move<'_>> {
    match instruction {
        SolanaDecodedInstruction::System(instruction) => system(instruction),
        SolanaDecodedInstruction::Token(instruction) | SolanaDecodedInstruction::Token2022(instruction) => {
            token(instruction)
        }
        SolanaDecodedInstruction::AssociatedTokenAccount(instruction) => associated(instruction),
        SolanaDecodedInstruction::ComputeBudget(_) | SolanaDecodedInstruction::Memo(_) => None,
    }
}

fn system(instruction: &SystemInstruction) -> Option<Move<'_>> {
    use SystemInstruction as I;
    let (to, lamports) = match instruction {
        I::Transfer { to, lamports, .. }
        | I::TransferWithSeed { to, lamports, .. }
        | I::WithdrawNonceAccount { to, lamports, .. } => (to, lamports),
        I::CreateAccount { account, lamports, .. }
        | I::CreateAccountWithSeed { account, lamports, .. }
        | I::CreateAccountAllowPrefund { account, lamports, .. } => (account, lamports),
        I::Assign { .. }
        | I::AdvanceNonceAccount { .. }
        | I::InitializeNonceAccount { .. }
        | I::AuthorizeNonceAccount { .. }
        | I::Allocate { .. }
        | I::AllocateWithSeed { .. }
        | I::AssignWithSeed { .. }
        | I::UpgradeNonceAccount { .. } => return None,
    };
    Some(Move { to, what: Moved::Lamports(*lamports) })
}

fn token(instruction: &TokenInstruction) -> Option<Move<'_>> {
    use TokenInstruction as I;
    let (to, what) = match instruction {
        I::Transfer { destination, amount, .. } => {
            (destination, Moved::Tokens { mint: None, amount: Some(*amount) })
        }
        I::TransferChecked { mint, destination: to, amount, .. }
        | I::TransferCheckedWithFee { mint, destination: to, amount, .. }
        | I::MintTo { mint, account: to, amount, .. }
        | I::MintToChecked { mint, account: to, amount, .. } => {
            (to, Moved::Tokens { mint: Some(mint), amount: Some(*amount) })
        }
        I::CloseAccount { destination, .. }
        | I::WithdrawExcessLamports { destination, .. }
        | I::UnwrapLamports { destination, .. } => (destination, Moved::Remainder),
        I::InitializeMint { .. }
        | I::InitializeAccount { .. }
        | I::InitializeAccount3 { .. }
        | I::InitializeMultisig { .. }
        | I::Approve { .. }
        | I::ApproveChecked { .. }
        | I::Revoke { .. }
        | I::SetAuthority { .. }
        | I::Burn { .. }
        | I::BurnChecked { .. }
        | I::FreezeAccount { .. }
        | I::ThawAccount { .. }
        | I::SyncNative { .. }
        | I::InitializeImmutableOwner { .. } => return None,
    };
    Some(Move { to, what })
}

fn associated(instruction: &AssociatedTokenInstruction) -> Option<Move<'_>> {
    match instruction {
        AssociatedTokenInstruction::Create { .. } | AssociatedTokenInstruction::CreateIdempotent { .. } => {
            None
        }
        AssociatedTokenInstruction::RecoverNested { destination, nested_mint, .. } => {
            Some(Move { to: destination, what: Moved::Tokens { mint: Some(nested_mint), amount: None } })
        }
    }
}
