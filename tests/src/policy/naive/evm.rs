//! Atoms about EVM transactions, authorizations and messages.

use ruint::aliases::U256;
use serde_json::Value;

use super::{Asked, Truth, abi, amount, any, in_range, list, names, text, token, truth};

/// The blob gas that one blob uses (EIP-4844).
const GAS_PER_BLOB: u64 = 131_072;

pub(super) fn transaction(name: &str, wanted: &Value, asked: &Asked<'_>) -> Truth {
    let facts = asked.facts;
    match name {
        "types" => truth(names(wanted, text(&facts["kind"]))),
        "recipients" => facts["to"].as_str().map_or(Truth::False, |to| asked.lists_evm(wanted, to)),
        "contract_creation" => truth(facts["to"].is_null() == (*wanted == true)),
        "value" => in_range(wanted, amount(&facts["value"])),
        "max_fee" => in_range(wanted, max_fee(facts)),
        "selectors" => truth(
            !facts["to"].is_null()
                && text(&facts["input"]).len() >= 10
                && list(wanted).iter().any(|one| text(one).to_lowercase() == text(&facts["input"])[..10]),
        ),
        "empty_input" => truth((facts["input"] == "0x") == (*wanted == true)),
        "calls" => abi::one_of(wanted, asked),
        "token" => token::of_call(wanted, asked),
        "delegates" => {
            let entries = list(&facts["authorization_list"]).iter();
            asked.each(entries.map(|entry| asked.lists_evm(wanted, text(&entry["address"]))))
        }
        other => panic!("{other} is no atom of a transaction"),
    }
}

pub(super) fn authorization(name: &str, wanted: &Value, asked: &Asked<'_>) -> Truth {
    match name {
        "delegates" => asked.lists_evm(wanted, text(&asked.facts["address"])),
        other => panic!("{other} is no atom of an authorization"),
    }
}

pub(super) fn message(name: &str, wanted: &Value, asked: &Asked<'_>) -> Truth {
    match name {
        "text_prefixes" => {
            let Some(found) = asked.facts["text"].as_str() else { return Truth::False };
            any(list(wanted).iter().map(|prefix| truth(found.starts_with(text(prefix)))))
        }
        "max_bytes" => {
            let digits = text(&asked.facts["message"]).len() - 2;
            truth(digits as u64 / 2 <= wanted.as_u64().expect("a length"))
        }
        other => panic!("{other} is no atom of a message"),
    }
}

/// The most wei that go for gas.
pub(super) fn max_fee(facts: &Value) -> U256 {
    let price = if facts["gas_price"].is_null() { &facts["max_fee_per_gas"] } else { &facts["gas_price"] };
    let gas = amount(price) * amount(&facts["gas"]);
    if facts["max_fee_per_blob_gas"].is_null() {
        return gas;
    }
    let blobs = U256::from(list(&facts["blob_versioned_hashes"]).len());
    gas + amount(&facts["max_fee_per_blob_gas"]) * blobs * U256::from(GAS_PER_BLOB)
}
