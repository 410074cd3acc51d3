//! EVM transactions, authorizations and messages.

use serde_json::{Value, json};

use super::Random;
use super::calls::call_data;
use super::world::CHAINS;

pub(super) fn transaction(random: &mut Random) -> Value {
    let mut fields = json!({"nonce": random.below(3), "gas": random.pick(&[21_000, 100_000])});
    let price = *random.pick(&["1", "1000000000", "20000000000"]);
    let kind = *random
        .pick(&["legacy", "eip2930", "eip1559", "eip1559", "eip1559", "eip4844", "eip7702", "eip7702"]);
    fields["chainId"] = json!(random.pick(&CHAINS));
    match kind {
        "legacy" => {
            fields["gasPrice"] = json!(price);
            if random.percent(40) {
                fields["chainId"] = Value::Null;
            }
        }
        "eip2930" => {
            fields["gasPrice"] = json!(price);
            fields["accessList"] = json!([]);
        }
        _ => {
            fields["maxFeePerGas"] = json!(price);
            fields["maxPriorityFeePerGas"] = json!("1");
        }
    }
    if kind == "eip4844" {
        let blobs = 1 + random.below(3);
        fields["maxFeePerBlobGas"] = json!(random.pick(&["1", "1000"]));
        fields["blobVersionedHashes"] =
            (0..blobs).map(|_| json!(format!("0x01{}", "ab".repeat(31)))).collect();
    }
    if kind == "eip7702" {
        let entries = 1 + random.below(3);
        fields["authorizationList"] = (0..entries).map(|_| entry(random)).collect();
    }
    let input = input(random);
    if random.percent(8) {
        fields["to"] = Value::Null;
    } else {
        fields["to"] = json!(random.address());
    }
    fields["input"] = json!(format!("0x{}", hex::encode(input)));
    if random.percent(60) {
        fields["value"] =
            json!(random.pick(&["0", "1", "5", "1000", "1000000000000000000", "1000000000000000001"]));
    }
    json!({"transaction": fields})
}

fn input(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0..=3 => Vec::new(),
        4 => vec![0xa9; 1 + random.below(3)],
        5 => vec![0xde, 0xad, 0xbe, 0xef, 1],
        _ => call_data(random),
    }
}

/// An entry of an authorization list. Nobody checks whose signature it is.
fn entry(random: &mut Random) -> Value {
    json!({
        "chainId": random.pick(&[0, 1, 10]), "address": random.address(), "nonce": random.below(3),
        "yParity": random.below(2), "r": "0x1", "s": "0x1",
    })
}

pub(super) fn authorization(random: &mut Random) -> Value {
    let chain_id = random.pick(&[0, 0, 1, 10, 8453]);
    json!({"authorization": {"chainId": chain_id, "address": random.address(), "nonce": random.below(3)}})
}

/// How the messages of the world begin.
pub(super) const PREFIXES: [&str; 5] =
    ["app.example wants you to sign in", "app.example", "Login: ", "Grüezi", "h"];

pub(super) fn message(random: &mut Random) -> Value {
    match random.below(6) {
        0 => json!({"message": "0xff00"}),
        1 => json!({"message": "0x"}),
        2 => json!({"text": "hello"}),
        3 => json!({"text": format!("x{}", random.pick(&PREFIXES))}),
        _ => {
            let rest = "y".repeat(random.below(4));
            json!({"text": format!("{}{rest}", random.pick(&PREFIXES))})
        }
    }
}
