//! What Solana instructions move, and whereto. Whoever is given control gets whatever is controlled, sooner or later: an
//! approval, a new authority or a new owner is a movement too.

use crate::chain::{
    facts::{
        AssociatedTokenInstruction, SolanaAccount, SolanaDecodedInstruction, SystemInstruction,
        TokenInstruction,
    },
    solana::SolanaAddress,
};

/// Something that an instruction moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move<'a> {
    /// Who gets it.
    pub(super) to: Holder<'a>,
    pub(super) what: Moved<'a>,
}

/// Who gets something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// An account that the instruction refers to.
    Account(&'a SolanaAccount),
    /// An address in its data.
    Address(SolanaAddress),
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
    /// Control over an account, and with it over whatever it has or will have.
    Control,
}

impl Move<'_> {
    fn control(to: SolanaAddress) -> Self {
        Self { to: Holder::Address(to), what: Moved::Control }
    }
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
        I::Assign { owner, .. } | I::AssignWithSeed { owner, .. } | I::AllocateWithSeed { owner, .. } => {
            return Some(Move::control(*owner));
        }
        I::AuthorizeNonceAccount { new_authority, .. } => return Some(Move::control(*new_authority)),
        I::AdvanceNonceAccount { .. }
        | I::InitializeNonceAccount { .. }
        | I::Allocate { .. }
        | I::UpgradeNonceAccount { .. } => return None,
    };
    Some(Move { to: Holder::Account(to), what: Moved::Lamports(*lamports) })
}

fn token(instruction: &TokenInstruction) -> Option<Move<'_>> {
    use TokenInstruction as I;
    let (to, what) = match instruction {
        I::Transfer { destination: to, amount, .. } | I::Approve { delegate: to, amount, .. } => {
            (to, Moved::Tokens { mint: None, amount: Some(*amount) })
        }
        I::TransferChecked { mint, destination: to, amount, .. }
        | I::TransferCheckedWithFee { mint, destination: to, amount, .. }
        | I::ApproveChecked { mint, delegate: to, amount, .. }
        | I::MintTo { mint, account: to, amount, .. }
        | I::MintToChecked { mint, account: to, amount, .. } => {
            (to, Moved::Tokens { mint: Some(mint), amount: Some(*amount) })
        }
        I::CloseAccount { destination, .. }
        | I::WithdrawExcessLamports { destination, .. }
        | I::UnwrapLamports { destination, .. } => (destination, Moved::Remainder),
        // Without a new authority, control ends.
        I::SetAuthority { new_authority, .. } => return new_authority.map(Move::control),
        I::InitializeMint { .. }
        | I::InitializeAccount { .. }
        | I::InitializeAccount3 { .. }
        | I::InitializeMultisig { .. }
        | I::Revoke { .. }
        | I::Burn { .. }
        | I::BurnChecked { .. }
        | I::FreezeAccount { .. }
        | I::ThawAccount { .. }
        | I::SyncNative { .. }
        | I::InitializeImmutableOwner { .. } => return None,
    };
    Some(Move { to: Holder::Account(to), what })
}

fn associated(instruction: &AssociatedTokenInstruction) -> Option<Move<'_>> {
    match instruction {
        AssociatedTokenInstruction::Create { .. } | AssociatedTokenInstruction::CreateIdempotent { .. } => {
            None
        }
        AssociatedTokenInstruction::RecoverNested { destination, nested_mint, .. } => {
            let what = Moved::Tokens { mint: Some(nested_mint), amount: None };
            Some(Move { to: Holder::Account(destination), what })
        }
    }
}
