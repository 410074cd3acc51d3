//! Facts of instructions of the programs that every wallet meets.
//!
//! The members of a variant are the accounts by role and the values in the data. Accounts beyond the roles (signers of a
//! multisig, what a transfer hook takes, references) are in the instruction's own list of accounts.

use serde::Serialize;

use super::{SolanaAccount, optional_text, text};
use crate::chain::solana::SolanaAddress;

/// An instruction that is completely understood. JSON: `program`, `instruction`, and the members of the variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "program", rename_all = "snake_case")]
pub enum SolanaDecodedInstruction {
    /// The compute budget program.
    ComputeBudget(ComputeBudgetInstruction),
    /// The system program.
    System(SystemInstruction),
    /// The SPL token program.
    Token(TokenInstruction),
    /// Token-2022.
    #[serde(rename = "token_2022")]
    Token2022(TokenInstruction),
    /// The program that derives the token accounts of wallets.
    AssociatedTokenAccount(AssociatedTokenInstruction),
    /// The memo program.
    Memo(MemoInstruction),
}

/// An instruction of the compute budget program. Without effect in version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "instruction", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the members are the program's own")]
pub enum ComputeBudgetInstruction {
    /// Asks for a larger heap.
    RequestHeapFrame { bytes: u32 },
    /// Bounds the compute units.
    SetComputeUnitLimit { units: u32 },
    /// Offers a price for each of them.
    SetComputeUnitPrice {
        #[serde(serialize_with = "text")]
        micro_lamports: u64,
    },
    /// Bounds what accounts may be loaded.
    SetLoadedAccountsDataSizeLimit { bytes: u32 },
}

/// An instruction of the system program. Amounts and sizes are decimal strings in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "instruction", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the members are the program's own")]
pub enum SystemInstruction {
    /// Makes `account`, funded by `from`, owned by the program `owner`.
    CreateAccount {
        from: SolanaAccount,
        account: SolanaAccount,
        #[serde(serialize_with = "text")]
        lamports: u64,
        #[serde(serialize_with = "text")]
        space: u64,
        owner: SolanaAddress,
    },
    /// Gives `account` to the program `owner`.
    Assign { account: SolanaAccount, owner: SolanaAddress },
    /// Moves lamports.
    Transfer {
        from: SolanaAccount,
        to: SolanaAccount,
        #[serde(serialize_with = "text")]
        lamports: u64,
    },
    /// [`Self::CreateAccount`] at the address derived from `base`, `seed` and `owner`.
    CreateAccountWithSeed {
        from: SolanaAccount,
        account: SolanaAccount,
        base: SolanaAddress,
        seed: String,
        #[serde(serialize_with = "text")]
        lamports: u64,
        #[serde(serialize_with = "text")]
        space: u64,
        owner: SolanaAddress,
    },
    /// Replaces a durable nonce by its successor.
    AdvanceNonceAccount { nonce: SolanaAccount, authority: SolanaAccount },
    /// Takes lamports from a nonce account.
    WithdrawNonceAccount {
        nonce: SolanaAccount,
        to: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        lamports: u64,
    },
    /// Makes a nonce account that `authority` will control.
    InitializeNonceAccount { nonce: SolanaAccount, authority: SolanaAddress },
    /// Gives a nonce account to `new_authority`.
    AuthorizeNonceAccount { nonce: SolanaAccount, authority: SolanaAccount, new_authority: SolanaAddress },
    /// Gives `account` memory.
    Allocate {
        account: SolanaAccount,
        #[serde(serialize_with = "text")]
        space: u64,
    },
    /// [`Self::Allocate`] and [`Self::Assign`] at the address derived from `base`, `seed` and `owner`.
    AllocateWithSeed {
        account: SolanaAccount,
        base: SolanaAddress,
        seed: String,
        #[serde(serialize_with = "text")]
        space: u64,
        owner: SolanaAddress,
    },
    /// [`Self::Assign`] at the address derived from `base`, `seed` and `owner`.
    AssignWithSeed { account: SolanaAccount, base: SolanaAddress, seed: String, owner: SolanaAddress },
    /// [`Self::Transfer`] from the address derived from `base`, `from_seed` and `from_owner`.
    TransferWithSeed {
        from: SolanaAccount,
        base: SolanaAccount,
        to: SolanaAccount,
        #[serde(serialize_with = "text")]
        lamports: u64,
        from_seed: String,
        from_owner: SolanaAddress,
    },
    /// Brings an old nonce account to today's format.
    UpgradeNonceAccount { nonce: SolanaAccount },
    /// [`Self::CreateAccount`] where lamports may be already; without `from` if none are added.
    CreateAccountAllowPrefund {
        account: SolanaAccount,
        from: Option<SolanaAccount>,
        #[serde(serialize_with = "text")]
        lamports: u64,
        #[serde(serialize_with = "text")]
        space: u64,
        owner: SolanaAddress,
    },
}

/// An instruction of SPL Token or Token-2022. Amounts are in the mint's smallest unit, decimal strings in JSON.
///
/// An `authority` may be a multisig, whose signers follow the roles in the instruction's list of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "instruction", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the members are the program's own")]
pub enum TokenInstruction {
    /// Makes a mint. Also `InitializeMint2`.
    InitializeMint {
        mint: SolanaAccount,
        decimals: u8,
        mint_authority: SolanaAddress,
        freeze_authority: Option<SolanaAddress>,
    },
    /// Makes a token account whose owner is an account of the instruction.
    InitializeAccount { account: SolanaAccount, mint: SolanaAccount, owner: SolanaAccount },
    /// Makes a token account whose owner is in the data. Also `InitializeAccount2`.
    InitializeAccount3 { account: SolanaAccount, mint: SolanaAccount, owner: SolanaAddress },
    /// Makes an authority of `m` of `signers`. Also `InitializeMultisig2`.
    InitializeMultisig { multisig: SolanaAccount, m: u8, signers: Vec<SolanaAccount> },
    /// Moves tokens, of a mint that is not named.
    Transfer {
        source: SolanaAccount,
        destination: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
    },
    /// Moves tokens.
    TransferChecked {
        source: SolanaAccount,
        mint: SolanaAccount,
        destination: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
        decimals: u8,
    },
    /// Moves tokens, of which `fee` are withheld (Token-2022).
    TransferCheckedWithFee {
        source: SolanaAccount,
        mint: SolanaAccount,
        destination: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
        decimals: u8,
        #[serde(serialize_with = "text")]
        fee: u64,
    },
    /// Lets `delegate` spend.
    Approve {
        source: SolanaAccount,
        delegate: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
    },
    /// Lets `delegate` spend.
    ApproveChecked {
        source: SolanaAccount,
        mint: SolanaAccount,
        delegate: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
        decimals: u8,
    },
    /// Ends what a delegate may spend.
    Revoke { source: SolanaAccount, authority: SolanaAccount },
    /// Gives a power over a mint or token account to somebody else, or to nobody for good.
    SetAuthority {
        account: SolanaAccount,
        authority: SolanaAccount,
        authority_type: TokenAuthority,
        new_authority: Option<SolanaAddress>,
    },
    /// Makes tokens.
    MintTo {
        mint: SolanaAccount,
        account: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
    },
    /// Makes tokens.
    MintToChecked {
        mint: SolanaAccount,
        account: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
        decimals: u8,
    },
    /// Destroys tokens.
    Burn {
        account: SolanaAccount,
        mint: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
    },
    /// Destroys tokens.
    BurnChecked {
        account: SolanaAccount,
        mint: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "text")]
        amount: u64,
        decimals: u8,
    },
    /// Ends a token account (or a mint) and moves its lamports.
    CloseAccount { account: SolanaAccount, destination: SolanaAccount, authority: SolanaAccount },
    /// Stops a token account.
    FreezeAccount { account: SolanaAccount, mint: SolanaAccount, authority: SolanaAccount },
    /// Lets a stopped token account move again.
    ThawAccount { account: SolanaAccount, mint: SolanaAccount, authority: SolanaAccount },
    /// Counts the lamports of a wrapped SOL account as its tokens.
    SyncNative { account: SolanaAccount },
    /// Fixes the owner of a token account that is to be made.
    InitializeImmutableOwner { account: SolanaAccount },
    /// Moves the lamports that an account does not need.
    WithdrawExcessLamports { source: SolanaAccount, destination: SolanaAccount, authority: SolanaAccount },
    /// Moves lamports out of a wrapped SOL account; `None`: all.
    UnwrapLamports {
        source: SolanaAccount,
        destination: SolanaAccount,
        authority: SolanaAccount,
        #[serde(serialize_with = "optional_text")]
        amount: Option<u64>,
    },
}

/// A power over a mint or a token account, in the order of the programs' numbers; from the fifth on Token-2022 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the program's own")]
pub enum TokenAuthority {
    MintTokens,
    FreezeAccount,
    AccountOwner,
    CloseAccount,
    TransferFeeConfig,
    WithheldWithdraw,
    CloseMint,
    InterestRate,
    PermanentDelegate,
    ConfidentialTransferMint,
    TransferHookProgramId,
    ConfidentialTransferFeeConfig,
    MetadataPointer,
    GroupPointer,
    GroupMemberPointer,
    ScaledUiAmount,
    Pause,
    PermissionedBurn,
}

/// An instruction of the associated token account program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "instruction", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the members are the program's own")]
pub enum AssociatedTokenInstruction {
    /// Makes the token account of `wallet` for `mint`, paid by `from`.
    Create {
        from: SolanaAccount,
        account: SolanaAccount,
        wallet: SolanaAccount,
        mint: SolanaAccount,
        token_program: SolanaAccount,
    },
    /// [`Self::Create`] unless it is there.
    CreateIdempotent {
        from: SolanaAccount,
        account: SolanaAccount,
        wallet: SolanaAccount,
        mint: SolanaAccount,
        token_program: SolanaAccount,
    },
    /// Moves what is in an associated token account of an associated token account to the wallet's own.
    RecoverNested {
        nested: SolanaAccount,
        nested_mint: SolanaAccount,
        destination: SolanaAccount,
        owner: SolanaAccount,
        owner_mint: SolanaAccount,
        wallet: SolanaAccount,
        token_program: SolanaAccount,
    },
}

/// A memo: text that the chain keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoInstruction {
    /// Which of the two memo programs.
    pub version: MemoVersion,
    /// The text.
    pub text: String,
}

/// The memo programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoVersion {
    /// Looks at no accounts.
    V1,
    /// Requires all accounts to sign.
    V2,
}
