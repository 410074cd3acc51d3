//! What Solana instructions move, and whereto. Whoever is given control gets whatever is controlled, sooner or later: an
//! approval, a new authority or a new owner is a movement too.

use crate::chain::{
    facts::{
        AssociatedTokenInstruction, SolanaAccount, SolanaDecodedInstruction, SystemInstruction,
        TokenInstruction,
    },
    solana::{SYSTEM, SolanaAddress},
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
    /// Whoever comes first.
    Anybody,
}

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved<'a> {
    /// So many lamports, by the system program.
    Lamports(u64),
    /// The lamports of a token account, however many there are, and with them the tokens of one of wrapped SOL.
    Remainder,
    /// The lamports that a new account has to hold, however large it becomes.
    Rent,
    /// Tokens. `None`: the instruction does not say.
    Tokens { mint: Option<&'a SolanaAccount>, amount: Option<u64> },
    /// Control over an account, and with it over whatever it has or will have.
    Control,
}

impl<'a> Move<'a> {
    fn lamports(to: &'a SolanaAccount, lamports: u64) -> Self {
        Self { to: Holder::Account(to), what: Moved::Lamports(lamports) }
    }

    fn control(to: SolanaAddress) -> Self {
        Self { to: Holder::Address(to), what: Moved::Control }
    }

    /// Control over an account that has memory now, and maybe lamports already. Its owner has it; but if that is the
    /// system program, the account is as good as a nonce account, and whoever initializes it is its authority: the
    /// program asks for no signature.
    fn memory(owner: SolanaAddress) -> Self {
        let to = if owner == SYSTEM { Holder::Anybody } else { Holder::Address(owner) };
        Self { to, what: Moved::Control }
    }
}

/// What an instruction moves: at most two things.
pub(super) fn of(instruction: &SolanaDecodedInstruction) -> impl Iterator<Item = Move<'_>> {
    let moves = match instruction {
        SolanaDecodedInstruction::System(instruction) => system(instruction),
        SolanaDecodedInstruction::Token(instruction) | SolanaDecodedInstruction::Token2022(instruction) => {
            [token(instruction), None]
        }
        SolanaDecodedInstruction::AssociatedTokenAccount(instruction) => {
            [Some(associated(instruction)), None]
        }
        SolanaDecodedInstruction::ComputeBudget(_) | SolanaDecodedInstruction::Memo(_) => [None, None],
    };
    moves.into_iter().flatten()
}

fn system(instruction: &SystemInstruction) -> [Option<Move<'_>>; 2] {
    use SystemInstruction as I;
    let only = match instruction {
        I::Transfer { to, lamports, .. }
        | I::TransferWithSeed { to, lamports, .. }
        | I::WithdrawNonceAccount { to, lamports, .. } => Move::lamports(to, *lamports),
        // The account was empty, so what its owner gets is what it is given.
        I::CreateAccount { account, lamports, owner, space, .. }
        | I::CreateAccountWithSeed { account, lamports, owner, space, .. } => {
            // Anybody makes a nonce account of his own of one that has memory and stays the system program's.
            let open = *owner == SYSTEM && *space > 0;
            let to = if open { Holder::Anybody } else { Holder::Address(*owner) };
            let owned = Move { to, what: Moved::Lamports(0) };
            return [Some(Move::lamports(account, *lamports)), Some(owned)];
        }
        // It need not have been.
        I::CreateAccountAllowPrefund { account, lamports, owner, .. } => {
            return [Some(Move::lamports(account, *lamports)), Some(Move::memory(*owner))];
        }
        I::Assign { owner, .. } | I::AssignWithSeed { owner, .. } => Move::control(*owner),
        I::Allocate { .. } => Move::memory(SYSTEM),
        I::AllocateWithSeed { owner, .. } => Move::memory(*owner),
        I::InitializeNonceAccount { authority: to, .. }
        | I::AuthorizeNonceAccount { new_authority: to, .. } => Move::control(*to),
        I::AdvanceNonceAccount { .. } | I::UpgradeNonceAccount { .. } => return [None, None],
    };
    [Some(only), None]
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
        // The account is empty, or its owner has it already.
        I::InitializeAccount { owner, .. } => (owner, Moved::Lamports(0)),
        I::InitializeAccount3 { owner, .. } => {
            return Some(Move { to: Holder::Address(*owner), what: Moved::Lamports(0) });
        }
        // Without a new authority, control ends.
        I::SetAuthority { new_authority, .. } => return new_authority.map(Move::control),
        I::InitializeMint { .. }
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

fn associated(instruction: &AssociatedTokenInstruction) -> Move<'_> {
    match instruction {
        // The token program that the instruction names says how large the account is to be.
        AssociatedTokenInstruction::Create { account, .. }
        | AssociatedTokenInstruction::CreateIdempotent { account, .. } => {
            Move { to: Holder::Account(account), what: Moved::Rent }
        }
        AssociatedTokenInstruction::RecoverNested { destination, nested_mint, .. } => {
            let what = Moved::Tokens { mint: Some(nested_mint), amount: None };
            Move { to: Holder::Account(destination), what }
        }
    }
}
