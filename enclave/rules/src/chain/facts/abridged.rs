//! Facts in a few hundred bytes, for records that are kept: who, what, how much; long lists and bytes by their length.

use serde_json::{Map, Value, json};

use super::{EvmTransactionFacts, EvmTypedDataFacts, Facts, SolanaTransactionFacts};

/// The most entries of a list that are shown.
const SHOWN: usize = 8;
/// The most characters of a text that are shown.
const SHOWN_TEXT: usize = 64;

impl Facts {
    /// What matters most, with `"abridged": true`. Bounded, whatever the facts are; the bytes that are signed are named by
    /// their digest elsewhere.
    pub fn abridged(&self) -> Value {
        let mut members = match self {
            Self::Evm(facts) => evm(facts),
            Self::EvmTypedData(facts) => typed_data(facts),
            Self::Solana(facts) => solana(facts),
            Self::EvmMessage(facts) => lengths(&[("message_length", facts.message.len())]),
            Self::SolanaOffchainMessage(facts) => {
                let mut members =
                    lengths(&[("text_length", facts.text.len()), ("signers_count", facts.signers.len())]);
                members.insert("version".to_owned(), json!(facts.version));
                members.insert("text_start".to_owned(), json!(start(&facts.text)));
                members
            }
            Self::RawMessage(facts) => lengths(&[("message_length", facts.message.len())]),
            // Never long.
            Self::EvmAuthorization(_) | Self::RawDigest(_) => Map::new(),
        };
        members.insert("type".to_owned(), json!(self.operation()));
        members.insert("abridged".to_owned(), json!(true));
        Value::Object(members)
    }
}

fn evm(facts: &EvmTransactionFacts) -> Map<String, Value> {
    let mut members = lengths(&[
        ("input_length", facts.input.len()),
        ("access_list_count", facts.access_list.len()),
        ("authorization_count", facts.authorization_list.len()),
        ("blob_count", facts.blobs.as_ref().map_or(0, |blobs| blobs.blob_versioned_hashes.len())),
    ]);
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("kind", json!(facts.kind));
    put("chain_id", json!(facts.chain_id));
    put("nonce", json!(facts.nonce));
    put("to", json!(facts.to));
    put("value", json!(facts.value.to_string()));
    put("gas", json!(facts.gas));
    put("max_cost", json!(facts.max_cost.to_string()));
    put("creates_contract", json!(facts.creates_contract));
    put("selector", json!(facts.selector.map(|selector| format!("0x{}", hex::encode(selector)))));
    let delegates = facts.authorization_list.iter().take(SHOWN);
    put("delegates", delegates.map(|entry| json!(entry.authorization.delegate)).collect());
    members
}

fn typed_data(facts: &EvmTypedDataFacts) -> Map<String, Value> {
    let domain = &facts.domain;
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("chain_id", json!(facts.chain_id));
    put("primary_type", json!(start(&facts.primary_type)));
    put("domain_name", json!(domain.name.as_deref().map(start)));
    put("domain_version", json!(domain.version.as_deref().map(start)));
    put("verifying_contract", json!(domain.verifying_contract));
    members
}

fn solana(facts: &SolanaTransactionFacts) -> Map<String, Value> {
    let mut members = lengths(&[
        ("account_count", facts.account_keys.len()),
        ("instruction_count", facts.instructions.len()),
        ("lookup_count", facts.address_table_lookups.len()),
    ]);
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("version", json!(facts.version));
    put("fee_payer", json!(facts.fee_payer));
    let programs = facts.instructions.iter().take(SHOWN);
    put("programs", programs.map(|instruction| json!(instruction.program_id)).collect());
    members
}

fn lengths(of: &[(&str, usize)]) -> Map<String, Value> {
    of.iter().map(|(name, length)| ((*name).to_owned(), json!(length))).collect()
}

fn start(text: &str) -> String {
    text.chars().take(SHOWN_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use crate::chain::{SignBody, describe};

    #[test]
    fn long_facts_keep_what_matters() {
        let transaction = serde_json::json!({
            "chainId": 1, "nonce": 0, "to": "0x3535353535353535353535353535353535353535", "value": "7", "gas": 21000,
            "maxFeePerGas": 2, "maxPriorityFeePerGas": 1, "input": format!("0xa9059cbb{}", "00".repeat(100_000)),
        });
        let raw = to_raw_value(&transaction).unwrap();
        let facts = describe("evm.transaction", &SignBody { transaction: Some(&raw), ..SignBody::default() })
            .unwrap();
        let short = facts.abridged();
        assert!(short.to_string().len() < 1000, "{short}");
        assert_eq!((&short["type"], &short["abridged"]), (&"evm.transaction".into(), &true.into()));
        assert_eq!((&short["to"], &short["value"]), (&transaction["to"], &"7".into()));
        assert_eq!((&short["selector"], &short["input_length"]), (&"0xa9059cbb".into(), &100_004.into()));
    }

    #[test]
    fn whatever_is_long_becomes_short() {
        let text = "\u{1f600}".repeat(10_000);
        let facts = describe("evm.message", &SignBody { text: Some(&text), ..SignBody::default() }).unwrap();
        assert!(facts.abridged().to_string().len() < 200);
    }
}
