//! The result of `eth_signTransaction` as geth shapes it, which web3.py expects: `{raw, tx}`.

use serde_json::{Map, Value, json};
use signer_rules::chain::{
    Facts, SignedEvmTransaction,
    facts::{EvmFees, EvmSignedAuthorization, EvmTransactionFacts, EvmTransactionKind},
};

use crate::api::{Code, Problem};

/// `{raw, tx}`: the signed transaction in bytes, and as its JSON-RPC object.
pub(super) fn shape(facts: &Facts, signed: &SignedEvmTransaction) -> Result<Value, Problem> {
    let Facts::Evm(facts) = facts else {
        return Err(Problem::new(Code::Internal, "not a transaction was signed"));
    };
    Ok(json!({ "raw": hex(&signed.signed_transaction), "tx": transaction(facts, signed) }))
}

fn transaction(facts: &EvmTransactionFacts, signed: &SignedEvmTransaction) -> Value {
    let mut tx = Map::new();
    let mut put = |name: &str, value: Value| drop(tx.insert(name.to_owned(), value));
    let parity = u64::from(signed.y_parity);
    put("type", quantity(type_of(facts.kind)));
    put("chainId", facts.chain_id.map_or(Value::Null, quantity));
    put("nonce", quantity(facts.nonce));
    put("to", json!(facts.to));
    put("gas", quantity(facts.gas));
    match facts.fees {
        EvmFees::GasPrice { gas_price } => put("gasPrice", json!(format!("{gas_price:#x}"))),
        EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } => {
            put("maxFeePerGas", json!(format!("{max_fee_per_gas:#x}")));
            put("maxPriorityFeePerGas", json!(format!("{max_priority_fee_per_gas:#x}")));
        }
    }
    put("value", json!(format!("{:#x}", facts.value)));
    put("input", json!(hex(&facts.input)));
    put("r", scalar(&signed.r));
    put("s", scalar(&signed.s));
    put("v", quantity(signed.v.unwrap_or(parity)));
    put("hash", json!(hex(&signed.transaction_hash)));
    if facts.kind != EvmTransactionKind::Legacy {
        put("yParity", quantity(parity));
        let items = facts.access_list.iter();
        let items = items.map(|item| {
            let keys: Vec<String> = item.storage_keys.iter().map(|key| hex(key)).collect();
            json!({ "address": item.address, "storageKeys": keys })
        });
        put("accessList", items.collect());
    }
    if let Some(blobs) = &facts.blobs {
        put("maxFeePerBlobGas", json!(format!("{:#x}", blobs.max_fee_per_blob_gas)));
        let hashes = blobs.blob_versioned_hashes.iter().map(|hash| Value::from(hex(hash)));
        put("blobVersionedHashes", hashes.collect());
    }
    if facts.kind == EvmTransactionKind::Eip7702 {
        put("authorizationList", facts.authorization_list.iter().map(authorization).collect());
    }
    Value::Object(tx)
}

fn authorization(signed: &EvmSignedAuthorization) -> Value {
    json!({
        "chainId": quantity(signed.authorization.chain_id.unwrap_or_default()),
        "address": signed.authorization.delegate,
        "nonce": quantity(signed.authorization.nonce),
        "yParity": quantity(u64::from(signed.y_parity)),
        "r": format!("{:#x}", signed.r),
        "s": format!("{:#x}", signed.s),
    })
}

fn type_of(kind: EvmTransactionKind) -> u64 {
    match kind {
        EvmTransactionKind::Legacy => 0,
        EvmTransactionKind::Eip2930 => 1,
        EvmTransactionKind::Eip1559 => 2,
        EvmTransactionKind::Eip4844 => 3,
        EvmTransactionKind::Eip7702 => 4,
    }
}

fn quantity(value: u64) -> Value {
    json!(format!("{value:#x}"))
}

/// Without leading zeros.
fn scalar(bytes: &[u8; 32]) -> Value {
    let digits = hex::encode(bytes);
    let digits = digits.trim_start_matches('0');
    json!(format!("0x{}", if digits.is_empty() { "0" } else { digits }))
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
