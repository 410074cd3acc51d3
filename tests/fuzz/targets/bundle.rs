//! What admins sign, before anybody knows whether they did: envelopes, configurations, bundles. No panic, and a bundle that
//! passes can be decided with and written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use signer_rules::{bundle::Bundle, configuration::SignedConfiguration, dsse::Envelope, policy::Policy};

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    let _ = SignedConfiguration::verify(data);
    if let Ok(envelope) = Envelope::from_json(data) {
        let _ = envelope.unverified_payload();
    }
    if let Ok(bundle) = Bundle::from_json(data) {
        let policy = Policy::new(&bundle);
        assert_eq!(policy.version(), bundle.version);
        let written = serde_json::to_vec(&bundle).expect("what was read can be written");
        assert_eq!(Bundle::from_json(&written).as_ref(), Ok(&bundle));
    }
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let address = "0x3535353535353535353535353535353535353535";
    let bundle = json!({
        "format": "nitro-signer/policy/v1", "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z", "least_configuration_epoch": 0,
        "keyrings": [{"id": "default", "fingerprint": "08".repeat(32)}],
        "clients": [{"id": "backend", "auth": {"keys": [{"id": "key", "algorithm": "ed25519",
            "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}]}, "roles": ["trader"],
            "sessions": {"longest_s": 3600}}],
        "approvers": [{"id": "alice",
            "public_key": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"}],
        "abis": [{"id": "router", "functions": ["swap((address token, uint24 fee)[] path, uint256 amount)"]}],
        "wallet_groups": [{"id": "hot", "wallets": [format!("w_{}", "01".repeat(16))]}],
        "rules": [
            {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"], "chain_ids": [1],
             "roles": ["trader"], "when": {"evm_transaction": {
                "recipients": [address, "self"], "value": {"max": "1000"}, "selectors": ["0xa9059cbb"],
                "token": {"kinds": ["transfer"], "contracts": [address], "amount": {"max": "5"}},
                "calls": [{"abi": "router", "function": "swap", "arguments": {"path[].token": {"in": [address]}}}]}},
             "limits": [{"window_s": 60, "per": "client", "most": {"count": 5}, "after_restart": "open"}],
             "approvals": {"threshold": 1, "of": ["alice"]}, "nonce": "replaceable"},
            {"id": "typed", "effect": "deny", "operations": ["evm.typed_data"], "when": {"evm_typed_data": {
                "primary_types": ["Permit"], "fields": {"details.amount": {"range": {"min": "0x1"}}}}}},
            {"id": "sol", "effect": "allow", "operations": ["solana.transaction"], "when": {"solana_transaction": {
                "instructions": ["system.transfer"], "lamports": {"max": "5"}, "lookup_tables": false}}},
        ],
    });
    vec![("bundle", bundle.to_string().into_bytes())]
}
