//! What rules call instructions: `program.instruction`, as facts write the two members.

use super::{
    AssociatedTokenInstruction, ComputeBudgetInstruction, SolanaDecodedInstruction, SystemInstruction,
    TokenInstruction,
};

/// The names of all instructions that are understood.
pub const SOLANA_INSTRUCTIONS: &[&str] = &[
    "memo",
    "compute_budget.request_heap_frame",
    "compute_budget.set_compute_unit_limit",
    "compute_budget.set_compute_unit_price",
    "compute_budget.set_loaded_accounts_data_size_limit",
    "system.create_account",
    "system.assign",
    "system.transfer",
    "system.create_account_with_seed",
    "system.advance_nonce_account",
    "system.withdraw_nonce_account",
    "system.initialize_nonce_account",
    "system.authorize_nonce_account",
    "system.allocate",
    "system.allocate_with_seed",
    "system.assign_with_seed",
    "system.transfer_with_seed",
    "system.upgrade_nonce_account",
    "system.create_account_allow_prefund",
    "token.initialize_mint",
    "token.initialize_account",
    "token.initialize_account3",
    "token.initialize_multisig",
    "token.transfer",
    "token.transfer_checked",
    "token.transfer_checked_with_fee",
    "token.approve",
    "token.approve_checked",
    "token.revoke",
    "token.set_authority",
    "token.mint_to",
    "token.mint_to_checked",
    "token.burn",
    "token.burn_checked",
    "token.close_account",
    "token.freeze_account",
    "token.thaw_account",
    "token.sync_native",
    "token.initialize_immutable_owner",
    "token.withdraw_excess_lamports",
    "token.unwrap_lamports",
    "token_2022.initialize_mint",
    "token_2022.initialize_account",
    "token_2022.initialize_account3",
    "token_2022.initialize_multisig",
    "token_2022.transfer",
    "token_2022.transfer_checked",
    "token_2022.transfer_checked_with_fee",
    "token_2022.approve",
    "token_2022.approve_checked",
    "token_2022.revoke",
    "token_2022.set_authority",
    "token_2022.mint_to",
    "token_2022.mint_to_checked",
    "token_2022.burn",
    "token_2022.burn_checked",
    "token_2022.close_account",
    "token_2022.freeze_account",
    "token_2022.thaw_account",
    "token_2022.sync_native",
    "token_2022.initialize_immutable_owner",
    "token_2022.withdraw_excess_lamports",
    "token_2022.unwrap_lamports",
    "associated_token_account.create",
    "associated_token_account.create_idempotent",
    "associated_token_account.recover_nested",
];

impl SolanaDecodedInstruction {
    /// Its name, one of [`SOLANA_INSTRUCTIONS`]. A memo has no kinds, so it is `memo` alone.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ComputeBudget(instruction) => compute_budget(instruction),
            Self::System(instruction) => system(instruction),
            Self::Token(instruction) => token(instruction).0,
            Self::Token2022(instruction) => token(instruction).1,
            Self::AssociatedTokenAccount(instruction) => associated(instruction),
            Self::Memo(_) => "memo",
        }
    }
}

fn compute_budget(instruction: &ComputeBudgetInstruction) -> &'static str {
    use ComputeBudgetInstruction as I;
    match instruction {
        I::RequestHeapFrame { .. } => "compute_budget.request_heap_frame",
        I::SetComputeUnitLimit { .. } => "compute_budget.set_compute_unit_limit",
        I::SetComputeUnitPrice { .. } => "compute_budget.set_compute_unit_price",
        I::SetLoadedAccountsDataSizeLimit { .. } => "compute_budget.set_loaded_accounts_data_size_limit",
    }
}

fn system(instruction: &SystemInstruction) -> &'static str {
    use SystemInstruction as I;
    match instruction {
        I::CreateAccount { .. } => "system.create_account",
        I::Assign { .. } => "system.assign",
        I::Transfer { .. } => "system.transfer",
        I::CreateAccountWithSeed { .. } => "system.create_account_with_seed",
        I::AdvanceNonceAccount { .. } => "system.advance_nonce_account",
        I::WithdrawNonceAccount { .. } => "system.withdraw_nonce_account",
        I::InitializeNonceAccount { .. } => "system.initialize_nonce_account",
        I::AuthorizeNonceAccount { .. } => "system.authorize_nonce_account",
        I::Allocate { .. } => "system.allocate",
        I::AllocateWithSeed { .. } => "system.allocate_with_seed",
        I::AssignWithSeed { .. } => "system.assign_with_seed",
        I::TransferWithSeed { .. } => "system.transfer_with_seed",
        I::UpgradeNonceAccount { .. } => "system.upgrade_nonce_account",
        I::CreateAccountAllowPrefund { .. } => "system.create_account_allow_prefund",
    }
}

/// The names under the two token programs.
fn token(instruction: &TokenInstruction) -> (&'static str, &'static str) {
    use TokenInstruction as I;
    match instruction {
        I::InitializeMint { .. } => ("token.initialize_mint", "token_2022.initialize_mint"),
        I::InitializeAccount { .. } => ("token.initialize_account", "token_2022.initialize_account"),
        I::InitializeAccount3 { .. } => ("token.initialize_account3", "token_2022.initialize_account3"),
        I::InitializeMultisig { .. } => ("token.initialize_multisig", "token_2022.initialize_multisig"),
        I::Transfer { .. } => ("token.transfer", "token_2022.transfer"),
        I::TransferChecked { .. } => ("token.transfer_checked", "token_2022.transfer_checked"),
        I::TransferCheckedWithFee { .. } => {
            ("token.transfer_checked_with_fee", "token_2022.transfer_checked_with_fee")
        }
        I::Approve { .. } => ("token.approve", "token_2022.approve"),
        I::ApproveChecked { .. } => ("token.approve_checked", "token_2022.approve_checked"),
        I::Revoke { .. } => ("token.revoke", "token_2022.revoke"),
        I::SetAuthority { .. } => ("token.set_authority", "token_2022.set_authority"),
        I::MintTo { .. } => ("token.mint_to", "token_2022.mint_to"),
        I::MintToChecked { .. } => ("token.mint_to_checked", "token_2022.mint_to_checked"),
        I::Burn { .. } => ("token.burn", "token_2022.burn"),
        I::BurnChecked { .. } => ("token.burn_checked", "token_2022.burn_checked"),
        I::CloseAccount { .. } => ("token.close_account", "token_2022.close_account"),
        I::FreezeAccount { .. } => ("token.freeze_account", "token_2022.freeze_account"),
        I::ThawAccount { .. } => ("token.thaw_account", "token_2022.thaw_account"),
        I::SyncNative { .. } => ("token.sync_native", "token_2022.sync_native"),
        I::InitializeImmutableOwner { .. } => {
            ("token.initialize_immutable_owner", "token_2022.initialize_immutable_owner")
        }
        I::WithdrawExcessLamports { .. } => {
            ("token.withdraw_excess_lamports", "token_2022.withdraw_excess_lamports")
        }
        I::UnwrapLamports { .. } => ("token.unwrap_lamports", "token_2022.unwrap_lamports"),
    }
}

fn associated(instruction: &AssociatedTokenInstruction) -> &'static str {
    use AssociatedTokenInstruction as I;
    match instruction {
        I::Create { .. } => "associated_token_account.create",
        I::CreateIdempotent { .. } => "associated_token_account.create_idempotent",
        I::RecoverNested { .. } => "associated_token_account.recover_nested",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::chain::{
        facts::{SolanaAccount, SolanaAccountKey, TokenAuthority},
        solana::SolanaAddress,
    };

    #[test]
    fn names_are_those_that_facts_write() {
        let address = SolanaAddress::new([1; 32]);
        let account = SolanaAccount::Static(SolanaAccountKey { address, signer: false, writable: true });
        let revoke = TokenInstruction::Revoke { source: account, authority: account };
        let authority = TokenInstruction::SetAuthority {
            account,
            authority: account,
            authority_type: TokenAuthority::Pause,
            new_authority: None,
        };
        let close = TokenInstruction::InitializeAccount3 { account, mint: account, owner: address };
        for decoded in [
            SolanaDecodedInstruction::ComputeBudget(ComputeBudgetInstruction::SetComputeUnitLimit {
                units: 1,
            }),
            SolanaDecodedInstruction::System(SystemInstruction::UpgradeNonceAccount { nonce: account }),
            SolanaDecodedInstruction::System(SystemInstruction::Assign { account, owner: address }),
            SolanaDecodedInstruction::Token(revoke.clone()),
            SolanaDecodedInstruction::Token2022(revoke),
            SolanaDecodedInstruction::Token2022(authority),
            SolanaDecodedInstruction::Token(close),
        ] {
            let json = serde_json::to_value(&decoded).unwrap();
            let text = |member: &str| json[member].as_str().map(str::to_owned).unwrap_or_default();
            assert_eq!(decoded.name(), format!("{}.{}", text("program"), text("instruction")));
            assert!(SOLANA_INSTRUCTIONS.contains(&decoded.name()));
            assert_ne!(json["instruction"], Value::Null);
        }
    }

    #[test]
    fn no_name_is_there_twice() {
        assert_eq!(SOLANA_INSTRUCTIONS.iter().collect::<HashSet<_>>().len(), SOLANA_INSTRUCTIONS.len());
    }
}
