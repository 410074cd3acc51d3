//! Atoms about Solana transactions.

use ruint::aliases::U256;
use serde_json::Value;

use super::{Asked, Truth, amount, in_range, list, names, text, truth};

/// What the chain takes for each signature.
const LAMPORTS_PER_SIGNATURE: u64 = 5000;

pub(super) fn atom(name: &str, wanted: &Value, asked: &Asked<'_>) -> Truth {
    let facts = asked.facts;
    let instructions = || list(&facts["instructions"]).iter();
    match name {
        "programs" => {
            asked.each(instructions().map(|one| asked.lists_solana(wanted, text(&one["program_id"]))))
        }
        "instructions" => asked.each(instructions().map(|one| match &one["decoded"] {
            Value::Null => Truth::Unknown,
            decoded => truth(names(wanted, &name_of(decoded))),
        })),
        "accounts" => {
            let keys = list(&facts["account_keys"]).iter();
            let named = keys.map(|key| asked.lists_solana(wanted, text(&key["address"])));
            let looked_up = list(&facts["address_table_lookups"]).iter().map(|_| Truth::Unknown);
            asked.each(named.chain(looked_up))
        }
        "recipients" => asked.each(instructions().flat_map(|one| match &one["decoded"] {
            Value::Null => vec![Truth::Unknown],
            decoded => {
                let judge = |account: &Value| match account["address"].as_str().or(account.as_str()) {
                    Some(address) => asked.lists_solana(wanted, address),
                    None => Truth::Unknown,
                };
                destinations(decoded).into_iter().map(judge).collect()
            }
        })),
        "lamports" => lamports(facts).map_or(Truth::Unknown, |sum| in_range(wanted, sum)),
        "mints" => asked.each(instructions().filter_map(|one| match token_movement(&one["decoded"]) {
            Movement::Unknown => Some(Truth::Unknown),
            Movement::Known(mint, _) => {
                Some(mint.map_or(Truth::Unknown, |mint| asked.lists_solana(wanted, mint)))
            }
            Movement::None => None,
        })),
        "token_amount" => {
            asked.each(instructions().filter_map(|one| match token_movement(&one["decoded"]) {
                Movement::Unknown => Some(Truth::Unknown),
                Movement::Known(_, size) => Some(size.map_or(Truth::Unknown, |size| in_range(wanted, size))),
                Movement::None => None,
            }))
        }
        "max_fee" => in_range(wanted, max_fee(facts)),
        "fee_payers" => asked.lists_solana(wanted, text(&facts["fee_payer"])),
        "lookup_tables" => truth(list(&facts["address_table_lookups"]).is_empty() != (*wanted == true)),
        other => panic!("{other} is no atom of a Solana transaction"),
    }
}

/// The lamports that system instructions move; `None` if there is an instruction that nobody understood, that gives an
/// account away, or that moves lamports of which it does not say how many.
pub(super) fn lamports(facts: &Value) -> Option<U256> {
    let mut sum = U256::ZERO;
    for instruction in list(&facts["instructions"]) {
        let decoded = &instruction["decoded"];
        if decoded.is_null() {
            return None;
        }
        if hands_over_control(decoded) || empties_a_token_account(decoded) || pays_rent(decoded) {
            return None;
        }
        if decoded["program"] == "system" && !decoded["lamports"].is_null() {
            sum += amount(&decoded["lamports"]);
        }
    }
    Some(sum)
}

/// Mint and amount of each movement of tokens; `None` if that cannot be known.
pub(super) fn token_amounts(facts: &Value) -> Option<Vec<(String, U256)>> {
    let mut found = Vec::new();
    for instruction in list(&facts["instructions"]) {
        match token_movement(&instruction["decoded"]) {
            Movement::Unknown => return None,
            Movement::Known(mint, size) => found.push((mint?.to_owned(), size?)),
            Movement::None => {}
        }
    }
    Some(found)
}

/// The programs that verify signatures. Their first byte says how many, and each costs as much as the transaction's.
const VERIFIERS: [&str; 3] = [
    "Ed25519SigVerify111111111111111111111111111",
    "KeccakSecp256k11111111111111111111111111111",
    "Secp256r1SigVerify1111111111111111111111111",
];

/// The most lamports that go for signatures and priority.
pub(super) fn max_fee(facts: &Value) -> U256 {
    let mut signatures = U256::from(list(&facts["signers"]).len());
    for instruction in list(&facts["instructions"]) {
        if VERIFIERS.contains(&text(&instruction["program_id"])) {
            // 0x, and two digits if there is a byte.
            let first = text(&instruction["data"]).get(2..4).unwrap_or("0");
            signatures += U256::from_str_radix(first, 16).expect("hexadecimal digits");
        }
    }
    signatures * U256::from(LAMPORTS_PER_SIGNATURE) + amount(&facts["fees"]["max_priority_fee"])
}

/// `program.instruction`. A memo program has one instruction, which has no name.
fn name_of(decoded: &Value) -> String {
    let program = text(&decoded["program"]);
    decoded["instruction"].as_str().map_or(program.to_owned(), |name| format!("{program}.{name}"))
}

/// The system program.
const SYSTEM: &str = "11111111111111111111111111111111";

/// Who gets lamports, tokens or control of an account. `Null`: nobody can say who.
fn destinations(decoded: &Value) -> Vec<&Value> {
    let members: &[&str] = match name_of(decoded).as_str() {
        "system.transfer" | "system.transfer_with_seed" | "system.withdraw_nonce_account" => &["to"],
        // The system program lets anybody make a nonce account of one of its accounts that has memory.
        "system.create_account" | "system.create_account_with_seed"
            if decoded["owner"] == SYSTEM && amount(&decoded["space"]) > U256::ZERO =>
        {
            &["account", ""]
        }
        "system.create_account_allow_prefund" if decoded["owner"] == SYSTEM => &["account", ""],
        "system.create_account"
        | "system.create_account_with_seed"
        | "system.create_account_allow_prefund" => &["account", "owner"],
        "system.allocate" => &[""],
        "system.allocate_with_seed" if decoded["owner"] == SYSTEM => &[""],
        "system.assign" | "system.assign_with_seed" | "system.allocate_with_seed" => &["owner"],
        "system.initialize_nonce_account" => &["authority"],
        "system.authorize_nonce_account" => &["new_authority"],
        "associated_token_account.create" | "associated_token_account.create_idempotent" => &["account"],
        "associated_token_account.recover_nested" => &["destination"],
        name => match name.strip_prefix("token.").or(name.strip_prefix("token_2022.")).unwrap_or_default() {
            "transfer"
            | "transfer_checked"
            | "transfer_checked_with_fee"
            | "close_account"
            | "withdraw_excess_lamports"
            | "unwrap_lamports" => &["destination"],
            "mint_to" | "mint_to_checked" => &["account"],
            "approve" | "approve_checked" => &["delegate"],
            "initialize_account" | "initialize_account3" => &["owner"],
            "set_authority" if decoded["new_authority"].is_string() => &["new_authority"],
            _ => &[],
        },
    };
    members.iter().map(|member| &decoded[*member]).collect()
}

/// Whether somebody gets an account, and nobody can say what that is worth.
fn hands_over_control(decoded: &Value) -> bool {
    match name_of(decoded).as_str() {
        "system.assign"
        | "system.assign_with_seed"
        | "system.allocate"
        | "system.allocate_with_seed"
        | "system.create_account_allow_prefund"
        | "system.initialize_nonce_account"
        | "system.authorize_nonce_account" => true,
        "token.set_authority" | "token_2022.set_authority" => decoded["new_authority"].is_string(),
        _ => false,
    }
}

/// Whether lamports leave a token account, and nobody can say how many, and whether they are wrapped SOL.
fn empties_a_token_account(decoded: &Value) -> bool {
    let name = name_of(decoded);
    let name = name.strip_prefix("token.").or(name.strip_prefix("token_2022."));
    ["close_account", "withdraw_excess_lamports", "unwrap_lamports"].map(Some).contains(&name)
}

/// Whether lamports go into a new token account, as many as its size takes.
fn pays_rent(decoded: &Value) -> bool {
    decoded["program"] == "associated_token_account" && name_of(decoded).contains(".create")
}

/// What an instruction does to tokens.
enum Movement<'a> {
    None,
    /// Nobody understood the instruction, or can say what is moved.
    Unknown,
    /// The mint and the amount, as far as the instruction says them.
    Known(Option<&'a str>, Option<U256>),
}

fn token_movement(decoded: &Value) -> Movement<'_> {
    if decoded.is_null() {
        return Movement::Unknown;
    }
    if hands_over_control(decoded) || empties_a_token_account(decoded) {
        return Movement::Unknown;
    }
    let name = name_of(decoded);
    if name == "associated_token_account.recover_nested" {
        // All that is in the account, whatever that is.
        return Movement::Known(decoded["nested_mint"]["address"].as_str(), None);
    }
    match name.strip_prefix("token.").or(name.strip_prefix("token_2022.")).unwrap_or_default() {
        "transfer"
        | "transfer_checked"
        | "transfer_checked_with_fee"
        | "mint_to"
        | "mint_to_checked"
        | "approve"
        | "approve_checked" => {
            Movement::Known(decoded["mint"]["address"].as_str(), Some(amount(&decoded["amount"])))
        }
        _ => Movement::None,
    }
}
