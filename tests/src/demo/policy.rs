//! The demo's policy: one client with a key, two approvers, and a rule of each kind.

use serde_json::{Value, json};

/// The chains that the rules allow: Ethereum and its test network.
pub(super) const CHAIN: u64 = 1;
const TEST_CHAIN: u64 = 11_155_111;
/// A chain that no rule allows: BNB Smart Chain.
pub(super) const OTHER_CHAIN: u64 = 56;

/// The client that asks for signatures.
pub(super) const CLIENT: &str = "backend";
/// The name of its key.
pub(super) const KEY_ID: &str = "backend-1";
/// The file of its key.
pub(super) const KEY_FILE: &str = "backend.pem";
/// Those whose approval large payouts need; their keys are in `NAME.pem`.
pub(super) const APPROVERS: [&str; 2] = ["alice", "bob"];
/// The client of requests without a signature, if there is one.
pub(super) const OPEN: &str = "open";

/// Who is paid.
pub(super) const RECIPIENT: &str = "0x3535353535353535353535353535353535353535";
/// The same on Solana, by its public key.
pub(super) const SOLANA_RECIPIENT: [u8; 32] = [0x35; 32];
/// Who must not be paid.
pub(super) const SANCTIONED: &str = "0x7f367cc41522ce07553e823bf3be79a889debe1b";
/// A token's contract: USDC.
pub(super) const TOKEN: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
/// Who may be permitted to take tokens: a settlement contract.
pub(super) const SPENDER: &str = "0x9008d19f58aabd9ed0d60971565aa8510560ab41";
/// Who may not.
pub(super) const OTHER_SPENDER: &str = "0x6666666666666666666666666666666666666666";

/// Wei, of one payout and of all within an hour; what is more needs approval.
const MOST_WEI: &str = "10000000000000000";
/// Wei from which a payout needs approval.
const LARGE_WEI: &str = "10000000000000001";
/// Wei that nobody can pay at once.
const MOST_LARGE_WEI: &str = "1000000000000000000";
/// Wei of fees.
const MOST_FEE: &str = "1000000000000000";
const MOST_TOKEN_FEE: &str = "3000000000000000";
/// The token's smallest units: 1,000 USDC.
const MOST_TOKEN: &str = "1000000000";
/// Lamports of one payout.
const MOST_LAMPORTS: &str = "1000000";
/// Lamports of fees: one signature.
const MOST_SOLANA_FEE: &str = "5000";
const HOUR_S: u32 = 3600;

/// The client, with its key's entry.
pub(super) fn clients(key: &Value) -> Value {
    json!([{"id": CLIENT, "auth": {"keys": [key]}, "roles": ["payer"], "sessions": {"longest_s": HOUR_S}}])
}

/// Everything that is allowed, and what is denied by name. All else is denied without one.
pub(super) fn rules() -> Value {
    let chains = [CHAIN, TEST_CHAIN];
    json!([
        {"id": "contract-creation", "effect": "deny", "operations": ["evm.transaction"],
         "when": {"evm_transaction": {"contract_creation": true}}},
        {"id": "sanctioned", "effect": "deny", "operations": ["evm.transaction"],
         "when": {"evm_transaction": {"recipients": [SANCTIONED]}}},
        {"id": "token-approvals", "effect": "deny", "operations": ["evm.transaction"],
         "when": {"evm_transaction": {"token": {
             "kinds": ["approve", "increase_allowance", "set_approval_for_all", "permit"]}}}},

        {"id": "wallets", "effect": "allow", "operations": ["wallet.create", "wallet.read"], "clients": [CLIENT]},
        {"id": "payouts", "effect": "allow", "operations": ["evm.transaction"], "clients": [CLIENT],
         "chain_ids": chains,
         "when": {"evm_transaction": {
             "recipients": [RECIPIENT], "empty_input": true, "value": {"max": MOST_WEI}, "max_fee": {"max": MOST_FEE}}},
         "limits": [
             {"window_s": HOUR_S, "most": {"count": 100}, "after_restart": "open"},
             {"window_s": HOUR_S, "most": {"native": MOST_WEI}, "after_restart": "open"}]},
        {"id": "large-payouts", "effect": "allow", "operations": ["evm.transaction"], "roles": ["payer"],
         "chain_ids": chains,
         "when": {"evm_transaction": {
             "recipients": [RECIPIENT], "empty_input": true, "value": {"min": LARGE_WEI, "max": MOST_LARGE_WEI},
             "max_fee": {"max": MOST_FEE}}},
         "approvals": {"threshold": 2, "of": APPROVERS}},
        {"id": "token-payouts", "effect": "allow", "operations": ["evm.transaction"], "clients": [CLIENT],
         "chain_ids": [CHAIN],
         "when": {"evm_transaction": {
             "value": {"max": "0"}, "max_fee": {"max": MOST_TOKEN_FEE},
             "token": {"kinds": ["transfer"], "contracts": [TOKEN], "recipients": [RECIPIENT],
                       "amount": {"max": MOST_TOKEN}}}}},
        {"id": "permits", "effect": "allow", "operations": ["evm.typed_data"], "clients": [CLIENT],
         "chain_ids": [CHAIN],
         "when": {"evm_typed_data": {
             "token": {"kinds": ["permit"], "contracts": [TOKEN], "recipients": [SPENDER],
                       "amount": {"max": MOST_TOKEN}}}}},
        {"id": "solana-payouts", "effect": "allow", "operations": ["solana.transaction"], "clients": [CLIENT],
         "when": {"solana_transaction": {
             "instructions": ["system.transfer"], "recipients": [bs58::encode(SOLANA_RECIPIENT).into_string()],
             "lamports": {"max": MOST_LAMPORTS}, "max_fee": {"max": MOST_SOLANA_FEE}}}},
    ])
}

/// What whoever reaches the appliance may do with one wallet, without a signature. What is denied by name stays denied.
pub(super) fn open_rule(wallet: &str) -> Value {
    json!({
        "id": "open-demo", "effect": "allow", "clients": [OPEN], "wallets": [wallet], "nonce": "unguarded",
        "operations": [
            "wallet.read", "wallet.account", "evm.transaction", "evm.message", "evm.typed_data", "solana.transaction",
            "solana.offchain_message"],
    })
}
