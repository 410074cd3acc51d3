//! Typed data: permits, right and nearly right, and an application's orders.

use serde_json::{Value, json};

use super::Random;
use super::world::{AMOUNTS, CHAINS, TEXTS};

pub(super) fn body(random: &mut Random) -> Value {
    let (primary, mut types, message) = match random.below(9) {
        0 => eip_2612(random),
        1 => dai(random),
        2..=5 => permit2(random),
        _ => order(random),
    };
    let (domain_type, domain) =
        domain(random, if types.get("Order").is_some() { "Orders" } else { "Permit2" });
    types["EIP712Domain"] = domain_type;
    let mut data = json!({"types": types, "primaryType": primary, "domain": domain, "message": message});
    if random.percent(20) {
        spoil(random, &mut data);
    }
    json!({"typed_data": data})
}

/// Some or all of the members of a domain.
fn domain(random: &mut Random, name: &str) -> (Value, Value) {
    let (mut types, mut domain) = (Vec::new(), json!({}));
    if random.percent(85) {
        types.push(json!({"name": "name", "type": "string"}));
        domain["name"] = json!(if random.percent(85) { name } else { "hello" });
    }
    if random.percent(60) {
        types.push(json!({"name": "version", "type": "string"}));
        domain["version"] = json!(random.pick(&["1", "2"]));
    }
    if random.percent(75) {
        types.push(json!({"name": "chainId", "type": "uint256"}));
        domain["chainId"] = json!(random.pick(&CHAINS));
    }
    if random.percent(75) {
        types.push(json!({"name": "verifyingContract", "type": "address"}));
        domain["verifyingContract"] = json!(random.address());
    }
    (json!(types), domain)
}

/// A list of members from `type name`.
fn members(of: &[&str]) -> Value {
    let member = |text: &&str| {
        let (kind, name) = text.split_once(' ').expect("type and name");
        json!({"name": name, "type": kind})
    };
    of.iter().map(member).collect()
}

fn eip_2612(random: &mut Random) -> (&'static str, Value, Value) {
    let types = json!({"Permit": members(&[
        "address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline",
    ])});
    let message = json!({
        "owner": random.address(), "spender": random.address(), "value": random.amount(), "nonce": "0",
        "deadline": random.amount(),
    });
    ("Permit", types, message)
}

fn dai(random: &mut Random) -> (&'static str, Value, Value) {
    let types = json!({"Permit": members(&[
        "address holder", "address spender", "uint256 nonce", "uint256 expiry", "bool allowed",
    ])});
    let message = json!({
        "holder": random.address(), "spender": random.address(), "nonce": "0", "expiry": "0",
        "allowed": random.percent(60),
    });
    ("Permit", types, message)
}

fn permit2(random: &mut Random) -> (&'static str, Value, Value) {
    let primary = *random.pick(&[
        "PermitSingle",
        "PermitBatch",
        "PermitTransferFrom",
        "PermitBatchTransferFrom",
        "PermitWitnessTransferFrom",
        "PermitBatchWitnessTransferFrom",
    ]);
    let (allowance, batch) = (!primary.contains("Transfer"), primary.contains("Batch"));
    // The types' names are not the primary type's: the last is what is permitted, the first how it is called.
    let (part, list) =
        if allowance { ("PermitDetails", "details") } else { ("TokenPermissions", "permitted") };
    let mut of =
        vec![format!("{part}{} {list}", if batch { "[]" } else { "" }), "address spender".to_owned()];
    let mut message = json!({"spender": random.address()});
    if allowance {
        of.push("uint256 sigDeadline".to_owned());
        message["sigDeadline"] = json!(random.amount());
    } else {
        of.extend(["uint256 nonce".to_owned(), "uint256 deadline".to_owned()]);
        message["nonce"] = json!("7");
        message["deadline"] = json!(random.amount());
    }
    let mut types = json!({part: members(if allowance {
        &["address token", "uint160 amount", "uint48 expiration", "uint48 nonce"]
    } else {
        &["address token", "uint256 amount"]
    })});
    if primary.contains("Witness") {
        // Before and after the permissions in the order of names.
        let witness = *random.pick(&["Intent", "Witness"]);
        of.push(format!("{witness} witness"));
        types[witness] = members(&["address user", "uint256 amount"]);
        message["witness"] = json!({"user": random.address(), "amount": random.amount()});
    }
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    types[primary] = members(&of);
    message[list] = if batch {
        (0..random.below(4)).map(|_| permitted(random, allowance)).collect()
    } else {
        permitted(random, allowance)
    };
    (primary, types, message)
}

fn permitted(random: &mut Random, allowance: bool) -> Value {
    if allowance {
        let amount = *random.pick(&AMOUNTS[..8]);
        json!({"token": random.address(), "amount": amount, "expiration": "0", "nonce": "0"})
    } else {
        json!({"token": random.address(), "amount": random.amount()})
    }
}

fn order(random: &mut Random) -> (&'static str, Value, Value) {
    let types = json!({
        "Order": members(&["Party maker", "Item[] items", "int64 delta", "bool open", "bytes4 tag", "bytes data", "string note", "uint256[2] pair"]),
        "Party": members(&["address wallet", "string name"]),
        "Item": members(&["address token", "uint256 amount"]),
    });
    let items: Vec<Value> =
        (0..random.below(4)).map(|_| json!({"token": random.address(), "amount": random.amount()})).collect();
    let message = json!({
        "maker": {"wallet": random.address(), "name": random.pick(&TEXTS)}, "items": items,
        "delta": random.pick(&["-5", "-1", "0", "1", "5"]), "open": random.percent(50),
        "tag": random.pick(&["0x00000000", "0x01010101"]), "data": random.pick(&["0x", "0x010203"]),
        "note": random.pick(&TEXTS), "pair": [random.amount(), random.amount()],
    });
    ("Order", types, message)
}

/// Makes the definition of the message another one, in a way that a careless reader passes over.
fn spoil(random: &mut Random, data: &mut Value) {
    let primary = data["primaryType"].as_str().expect("a name").to_owned();
    let members = data["types"][&primary].as_array_mut().expect("a list");
    match random.below(4) {
        // Another order of members.
        0 => members.swap(0, 1),
        // One member more.
        1 => {
            members.push(json!({"name": "extra", "type": "uint256"}));
            data["message"]["extra"] = json!("1");
        }
        // A wider or narrower type under the same name.
        2 => {
            let last = members.iter_mut().rev().find(|member| member["type"] == "uint256");
            if let Some(member) = last {
                let name = member["name"].as_str().expect("a name").to_owned();
                member["type"] = json!("uint160");
                data["message"][&name] = json!("5");
            }
        }
        // The name of a permit over something else.
        _ => {
            let name = *random.pick(&[
                "Permit",
                "PermitSingle",
                "PermitBatchTransferFrom",
                "PermitWitnessTransferFrom",
            ]);
            let definition = data["types"][&primary].clone();
            data["types"].as_object_mut().expect("an object").remove(&primary);
            data["types"][name] = definition;
            data["primaryType"] = json!(name);
        }
    }
}
