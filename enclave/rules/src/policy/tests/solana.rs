//! Conditions on Solana transactions.

use super::*;
use crate::chain::facts::{
    MemoInstruction, MemoVersion, SolanaAccount, SolanaAccountKey, SolanaDecodedInstruction, SolanaFees,
    SolanaInstruction, SolanaMessageVersion, SolanaTableLookup, SolanaTransactionFacts, SystemInstruction,
    TokenInstruction,
};

/// Ours, Bob, a mint, a program.
const OURS: [u8; 32] = [0x0f; 32];
const BOB: [u8; 32] = [0xbb; 32];
const MINT: [u8; 32] = [0x33; 32];
const PROGRAM: [u8; 32] = [0x44; 32];

pub(super) fn text(address: [u8; 32]) -> String {
    SolanaAddress::new(address).to_string()
}

fn key(address: [u8; 32]) -> SolanaAccountKey {
    SolanaAccountKey { address: SolanaAddress::new(address), signer: false, writable: true }
}

pub(super) fn account(address: [u8; 32]) -> SolanaAccount {
    SolanaAccount::Static(key(address))
}

fn lookup() -> SolanaAccount {
    SolanaAccount::Lookup { table: SolanaAddress::new(PROGRAM), index: 0, writable: true }
}

pub(super) fn facts<D: Into<Option<SolanaDecodedInstruction>>>(decoded: Vec<D>) -> SolanaTransactionFacts {
    let instruction = |decoded: D| SolanaInstruction {
        program_id: SolanaAddress::new(PROGRAM),
        accounts: Vec::new(),
        data: Vec::new(),
        decoded: decoded.into(),
    };
    SolanaTransactionFacts {
        version: SolanaMessageVersion::V0,
        fee_payer: SolanaAddress::new(OURS),
        signers: vec![SolanaAddress::new(OURS), SolanaAddress::new(BOB)],
        recent_blockhash: [0; 32],
        fees: SolanaFees { max_priority_fee: 7, ..SolanaFees::default() },
        account_keys: vec![key(OURS), key(BOB)],
        instructions: decoded.into_iter().map(instruction).collect(),
        address_table_lookups: Vec::new(),
    }
}

pub(super) fn transfer(to: SolanaAccount, lamports: u64) -> SolanaDecodedInstruction {
    let from = account(OURS);
    SolanaDecodedInstruction::System(SystemInstruction::Transfer { from, to, lamports })
}

pub(super) fn transfer_checked(mint: SolanaAccount, amount: u64) -> SolanaDecodedInstruction {
    let (source, destination, authority) = (account(OURS), account(BOB), account(OURS));
    let checked =
        TokenInstruction::TransferChecked { source, mint, destination, authority, amount, decimals: 6 };
    SolanaDecodedInstruction::Token(checked)
}

pub(super) fn plain_transfer(amount: u64) -> SolanaDecodedInstruction {
    let (source, destination, authority) = (account(OURS), account(BOB), account(OURS));
    SolanaDecodedInstruction::Token2022(TokenInstruction::Transfer { source, destination, authority, amount })
}

fn close() -> SolanaDecodedInstruction {
    let (closed, destination, authority) = (account(OURS), account(BOB), account(OURS));
    SolanaDecodedInstruction::Token(TokenInstruction::CloseAccount {
        account: closed,
        destination,
        authority,
    })
}

fn memo() -> SolanaDecodedInstruction {
    let memo = MemoInstruction { version: MemoVersion::V2, text: "hi".to_owned() };
    SolanaDecodedInstruction::Memo(memo)
}

fn check_each(facts: SolanaTransactionFacts, cases: &[(Value, Effects)]) {
    let facts = Facts::Solana(facts);
    let when = |condition: &Value| json!({"solana_transaction": condition});
    let cases: Vec<_> = cases.iter().map(|(condition, expected)| (when(condition), *expected)).collect();
    check(&facts, &cases);
}

#[test]
fn programs_instructions_and_fees() {
    check_each(
        facts(vec![transfer(account(BOB), 5), memo()]),
        &[
            (json!({}), Both),
            (json!({"programs": [text(PROGRAM)]}), Both),
            (json!({"programs": [text(BOB)]}), Neither),
            (json!({"instructions": ["system.transfer", "memo"]}), Both),
            (json!({"instructions": ["system.transfer"]}), DeniesOnly),
            (json!({"instructions": ["token.transfer"]}), Neither),
            (json!({"max_fee": {"max": "10007"}}), Both),
            (json!({"max_fee": {"max": "10006"}}), Neither),
            (json!({"fee_payers": ["self"]}), Both),
            (json!({"fee_payers": [text(BOB)]}), Neither),
            (json!({"lookup_tables": false}), Both),
            (json!({"lookup_tables": true}), Neither),
            (json!({"accounts": ["self", text(BOB)]}), Both),
            (json!({"accounts": ["self"]}), DeniesOnly),
            (json!({"accounts": [text(MINT)]}), Neither),
        ],
    );
}

#[test]
fn an_instruction_that_is_not_understood_may_do_anything() {
    check_each(
        facts(vec![Some(transfer(account(BOB), 5)), None]),
        &[
            (json!({"programs": [text(PROGRAM)]}), Both),
            (json!({"instructions": ["system.transfer"]}), DeniesOnly),
            (json!({"instructions": ["token.transfer"]}), DeniesOnly),
            (json!({"recipients": [text(BOB)]}), DeniesOnly),
            (json!({"recipients": [text(MINT)]}), DeniesOnly),
            (json!({"lamports": {"max": "5"}}), DeniesOnly),
            (json!({"lamports": {"min": "50"}}), DeniesOnly),
            (json!({"mints": [text(MINT)]}), DeniesOnly),
            (json!({"token_amount": {"max": "5"}}), DeniesOnly),
            (json!({"lookup_tables": true, "recipients": [text(BOB)]}), Neither),
        ],
    );
}

#[test]
fn lamports_are_summed_and_recipients_judged_one_by_one() {
    check_each(
        facts(vec![transfer(account(BOB), 5), transfer(account(MINT), 6), close(), memo()]),
        &[
            (json!({"lamports": {"min": "11", "max": "11"}}), Both),
            (json!({"lamports": {"max": "10"}}), Neither),
            (json!({"recipients": [text(BOB), text(MINT)]}), Both),
            (json!({"recipients": [text(BOB)]}), DeniesOnly),
            (json!({"recipients": ["self"]}), Neither),
            (json!({"mints": [text(MINT)]}), Neither),
            (json!({"token_amount": {"min": "0"}}), Neither),
        ],
    );
    check_each(
        facts(vec![transfer(account(BOB), u64::MAX), transfer(account(BOB), u64::MAX)]),
        &[(json!({"lamports": {"max": u64::MAX.to_string()}}), Neither)],
    );
    check_each(
        facts(vec![memo()]),
        &[(json!({"recipients": [text(BOB), "self"]}), Neither), (json!({"lamports": {"max": "0"}}), Both)],
    );
    check_each(facts::<SolanaDecodedInstruction>(vec![]), &[(json!({"programs": [text(PROGRAM)]}), Neither)]);
}

#[test]
fn looked_up_accounts_are_unknown() {
    let mut facts = facts(vec![transfer(lookup(), 5), transfer_checked(lookup(), 5)]);
    facts.address_table_lookups = vec![SolanaTableLookup {
        table: SolanaAddress::new(PROGRAM),
        writable_indexes: vec![0],
        readonly_indexes: vec![],
    }];
    check_each(
        facts,
        &[
            (json!({"recipients": [text(BOB)]}), DeniesOnly),
            (json!({"recipients": [text(MINT)]}), DeniesOnly),
            (json!({"accounts": ["self", text(BOB)]}), DeniesOnly),
            (json!({"mints": [text(MINT)]}), DeniesOnly),
            (json!({"lamports": {"max": "5"}}), Both),
            (json!({"lookup_tables": true}), Both),
        ],
    );
}

#[test]
fn tokens_are_judged_movement_by_movement() {
    check_each(
        facts(vec![transfer_checked(account(MINT), 5), transfer_checked(account(MINT), 6)]),
        &[
            (json!({"mints": [text(MINT)]}), Both),
            (json!({"mints": [text(BOB)]}), Neither),
            (json!({"token_amount": {"max": "6"}}), Both),
            (json!({"token_amount": {"max": "5"}}), DeniesOnly),
            (json!({"token_amount": {"max": "4"}}), Neither),
            (json!({"recipients": [text(BOB)]}), Both),
        ],
    );
    check_each(
        facts(vec![plain_transfer(5)]),
        &[(json!({"mints": [text(MINT)]}), DeniesOnly), (json!({"token_amount": {"max": "5"}}), Both)],
    );
}

#[test]
fn the_accounts_own_address_may_be_unknown() {
    let facts = Facts::Solana(facts(vec![transfer(account(OURS), 5)]));
    let when = json!({"solana_transaction": {"recipients": ["self"]}});
    let rule = json!([{"id": "a", "effect": "allow", "operations": ["solana.transaction"], "when": when}]);
    assert!(policy(&rule).decide(&about(&facts)).is_allowed());
    assert!(!policy(&rule).decide(&Query { solana_account: None, ..about(&facts) }).is_allowed());
}
