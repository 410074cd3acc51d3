//! Conditions on Solana transactions.

use ruint::aliases::U256;

use super::*;
use crate::bundle::TokenId;
use crate::chain::facts::{
    AssociatedTokenInstruction, MemoInstruction, MemoVersion, SolanaAccount, SolanaAccountKey,
    SolanaDecodedInstruction, SolanaFees, SolanaInstruction, SolanaMessageVersion, SolanaTableLookup,
    SolanaTransactionFacts, SystemInstruction, TokenInstruction,
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
        facts(vec![transfer(account(BOB), 5), transfer(account(MINT), 6), memo()]),
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

fn system(instruction: SystemInstruction) -> SolanaTransactionFacts {
    facts(vec![transfer(account(BOB), 1), SolanaDecodedInstruction::System(instruction)])
}

/// The first is about whoever gets control, the second about the signing account, a stranger and the system program.
fn control_of(instruction: &SystemInstruction, heir: Effects, others: Effects) {
    let others_and_bob = json!({"recipients": ["self", text(BOB), text(MINT), text([0; 32])]});
    check_each(
        system(instruction.clone()),
        &[
            (json!({"recipients": [text(BOB), text(PROGRAM)]}), heir),
            (others_and_bob, others),
            (json!({"recipients": [text(MINT)]}), if heir == Both { Neither } else { DeniesOnly }),
            (json!({"lamports": {"max": "50"}}), DeniesOnly),
            (json!({"lamports": {"min": "50"}}), DeniesOnly),
            (json!({"mints": [text(MINT)]}), DeniesOnly),
            (json!({"token_amount": {"max": "5"}}), DeniesOnly),
        ],
    );
    let amounts = amounts(&Facts::Solana(system(instruction.clone())));
    assert_eq!((amounts.native, amounts.tokens), (None, TokenAmounts::Unknown), "{instruction:?}");
}

#[test]
fn whoever_is_given_control_is_a_recipient() {
    let (nonce, authority) = (account(OURS), account(OURS));
    let (ours, program, base) = (account(OURS), SolanaAddress::new(PROGRAM), SolanaAddress::new(OURS));
    let seed = || "seed".to_owned();
    for instruction in [
        SystemInstruction::InitializeNonceAccount { nonce, authority: program },
        SystemInstruction::AuthorizeNonceAccount { nonce, authority, new_authority: program },
        SystemInstruction::Assign { account: ours, owner: program },
        SystemInstruction::AssignWithSeed { account: ours, base, seed: seed(), owner: program },
        SystemInstruction::AllocateWithSeed { account: ours, base, seed: seed(), space: 80, owner: program },
    ] {
        control_of(&instruction, Both, DeniesOnly);
    }
}

#[test]
fn whoever_comes_first_gets_an_account_with_memory() {
    let (ours, base) = (account(OURS), SolanaAddress::new(OURS));
    let owner = SolanaAddress::new([0; 32]);
    for instruction in [
        SystemInstruction::Allocate { account: ours, space: 80 },
        SystemInstruction::AllocateWithSeed {
            account: ours,
            base,
            seed: "seed".to_owned(),
            space: 80,
            owner,
        },
    ] {
        check_each(
            facts(vec![SolanaDecodedInstruction::System(instruction.clone())]),
            &[
                (json!({"recipients": ["self", text(PROGRAM), text([0; 32])]}), DeniesOnly),
                (json!({"recipients": [text(MINT)]}), DeniesOnly),
                (json!({"lamports": {"max": "50"}}), DeniesOnly),
                (json!({"mints": [text(MINT)]}), DeniesOnly),
                (json!({"token_amount": {"max": "5"}}), DeniesOnly),
            ],
        );
        control_of(&instruction, DeniesOnly, DeniesOnly);
    }
}

#[test]
fn an_account_that_is_made_is_its_owners() {
    let (from, made_account) = (account(OURS), account(BOB));
    let (lamports, space, owner) = (5, 80, SolanaAddress::new(PROGRAM));
    let (base, seed) = (SolanaAddress::new(OURS), "seed".to_owned());
    let made = |instruction| facts(vec![SolanaDecodedInstruction::System(instruction)]);
    let recipients =
        |list: &[[u8; 32]]| json!({"recipients": list.iter().copied().map(text).collect::<Vec<_>>()});
    for instruction in [
        SystemInstruction::CreateAccount { from, account: made_account, lamports, space, owner },
        SystemInstruction::CreateAccountWithSeed {
            from,
            account: made_account,
            base,
            seed,
            lamports,
            space,
            owner,
        },
    ] {
        check_each(
            made(instruction),
            &[
                (recipients(&[BOB, PROGRAM]), Both),
                (recipients(&[BOB]), DeniesOnly),
                (recipients(&[PROGRAM]), DeniesOnly),
                (json!({"lamports": {"min": "5", "max": "5"}}), Both),
                (json!({"mints": [text(MINT)]}), Neither),
            ],
        );
    }
    // The system program's account with memory is anybody's.
    for (space, allowed) in [(80, DeniesOnly), (0, Both)] {
        let owner = SolanaAddress::new([0; 32]);
        let instruction =
            SystemInstruction::CreateAccount { from, account: made_account, lamports, space, owner };
        check_each(made(instruction), &[(recipients(&[BOB, [0; 32]]), allowed)]);
    }
    // A token account that is made is its owner's.
    let initialize = TokenInstruction::InitializeAccount3 {
        account: made_account,
        mint: account(MINT),
        owner: SolanaAddress::new(BOB),
    };
    check_each(
        facts(vec![SolanaDecodedInstruction::Token(initialize)]),
        &[
            (recipients(&[BOB]), Both),
            (recipients(&[OURS]), Neither),
            (json!({"mints": [text(MINT)]}), Neither),
        ],
    );
    // It may have been ours, with all that it has.
    for (owner, of_owner) in [(PROGRAM, Both), ([0; 32], DeniesOnly)] {
        let owner_address = SolanaAddress::new(owner);
        let instruction = SystemInstruction::CreateAccountAllowPrefund {
            account: account(OURS),
            from: None,
            lamports: 0,
            space,
            owner: owner_address,
        };
        check_each(
            made(instruction),
            &[
                (json!({"recipients": ["self", text(owner)]}), of_owner),
                (json!({"recipients": ["self"]}), DeniesOnly),
                (json!({"lamports": {"max": "5"}}), DeniesOnly),
                (json!({"mints": [text(MINT)]}), DeniesOnly),
            ],
        );
    }
}

#[test]
fn a_durable_nonce_moves_nothing() {
    let (nonce, authority) = (account(MINT), account(OURS));
    for instruction in [
        SystemInstruction::AdvanceNonceAccount { nonce, authority },
        SystemInstruction::UpgradeNonceAccount { nonce },
    ] {
        check_each(
            system(instruction),
            &[
                (json!({"recipients": [text(BOB)]}), Both),
                (json!({"recipients": [text(MINT)]}), Neither),
                (json!({"lamports": {"max": "1"}}), Both),
            ],
        );
    }
}

#[test]
fn what_a_closed_account_holds_cannot_be_told() {
    let (source, destination, authority) = (account(OURS), account(BOB), account(OURS));
    let excess = TokenInstruction::WithdrawExcessLamports { source, destination, authority };
    let unwrap = |amount| TokenInstruction::UnwrapLamports { source, destination, authority, amount };
    for instruction in [
        close(),
        SolanaDecodedInstruction::Token2022(excess),
        SolanaDecodedInstruction::Token(unwrap(None)),
        SolanaDecodedInstruction::Token(unwrap(Some(5))),
    ] {
        let facts = || facts(vec![transfer_checked(account(MINT), 1), instruction.clone()]);
        check_each(
            facts(),
            &[
                (json!({"recipients": [text(BOB)]}), Both),
                (json!({"recipients": [text(MINT)]}), Neither),
                (json!({"lamports": {"max": "5"}}), DeniesOnly),
                (json!({"lamports": {"min": "500"}}), DeniesOnly),
                (json!({"mints": [text(MINT)]}), DeniesOnly),
                (json!({"mints": [text(BOB)]}), DeniesOnly),
                (json!({"token_amount": {"max": "1"}}), DeniesOnly),
            ],
        );
        let amounts = amounts(&Facts::Solana(facts()));
        assert_eq!((amounts.native, amounts.tokens), (None, TokenAmounts::Unknown));
    }
}

#[test]
fn a_token_account_that_is_made_is_paid_for() {
    let (from, wallet, mint, token_program) = (account(OURS), account(OURS), account(MINT), account(PROGRAM));
    let made = account(BOB);
    for instruction in [
        AssociatedTokenInstruction::Create { from, account: made, wallet, mint, token_program },
        AssociatedTokenInstruction::CreateIdempotent { from, account: made, wallet, mint, token_program },
    ] {
        let decoded = SolanaDecodedInstruction::AssociatedTokenAccount(instruction);
        check_each(
            facts(vec![decoded.clone()]),
            &[
                (json!({"recipients": [text(BOB)]}), Both),
                (json!({"recipients": ["self", text(MINT)]}), Neither),
                (json!({"lamports": {"max": "5"}}), DeniesOnly),
                (json!({"mints": [text(MINT)]}), Neither),
                (json!({"token_amount": {"max": "5"}}), Neither),
            ],
        );
        // Beside a payment it takes nothing from what can be said of tokens.
        let paid = || facts(vec![decoded.clone(), transfer_checked(account(MINT), 5)]);
        check_each(
            paid(),
            &[
                (json!({"recipients": [text(BOB)]}), Both),
                (json!({"mints": [text(MINT)]}), Both),
                (json!({"token_amount": {"max": "5"}}), Both),
            ],
        );
        let amounts = amounts(&Facts::Solana(paid()));
        let mint = TokenId::Solana(SolanaAddress::new(MINT));
        assert_eq!((amounts.native, amounts.of_token(&mint)), (None, Some(U256::from(5))));
    }
}

#[test]
fn signatures_that_the_runtime_verifies_are_paid_for() {
    let fee = |instructions: &[(&str, &[u8])]| {
        let mut facts = facts::<Option<SolanaDecodedInstruction>>(vec![None; instructions.len()]);
        for (one, (program, data)) in facts.instructions.iter_mut().zip(instructions) {
            one.program_id = program.parse().unwrap();
            one.data = data.to_vec();
        }
        amounts(&Facts::Solana(facts)).fee.unwrap()
    };
    let (ed25519, k1, r1) = (
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    );
    for (instructions, expected) in [
        (&[][..], 10_007_u64),
        (&[(ed25519, &[2, 0][..])], 20_007),
        (&[(k1, &[1])], 15_007),
        (&[(r1, &[255, 9, 9])], 1_285_007),
        (&[(ed25519, &[]), (r1, &[0])], 10_007),
        (&[(ed25519, &[1]), (ed25519, &[1]), (k1, &[3])], 35_007),
        (&[("Vote111111111111111111111111111111111111111", &[9])], 10_007),
    ] {
        assert_eq!(fee(instructions), U256::from(expected), "{instructions:?}");
    }
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
