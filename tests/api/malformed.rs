//! What is not understood completely is refused, with the member that is wrong: one table for each type.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use signer_tests::stack::Stack;

use crate::{create, solana, transfer};

/// The member of a sign request that is wrong, and its content.
type Row = (Value, &'static str);

/// Each row is a 422 that names its field; afterwards nothing was signed.
async fn refused(stack: &Stack, kind: &str, member: &str, rows: Vec<Row>) {
    for (content, field) in rows {
        let mut body = json!({"type": kind});
        body[member] = content;
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        let found = (reply.status, reply.json["code"].as_str(), reply.json["field"].as_str());
        assert_eq!(found, (422, Some("transaction_rejected"), Some(field)), "{body}: {reply:?}");
    }
    let status = stack.get("/v1/status").await;
    assert_eq!(status.json["enclave"]["signatures"], 0, "{status:?}");
}

async fn stack() -> (Stack, String) {
    let stack = Stack::start_ready().await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let solana = created.json["accounts"][1]["addresses"]["solana"].as_str().unwrap().to_owned();
    (stack, solana)
}

/// `base` with members replaced; `null` takes one out.
fn with(base: &Value, changes: &Value) -> Value {
    let mut members: Map<String, Value> = base.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    Value::Object(members)
}

const TO: &str = "0x3535353535353535353535353535353535353535";

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_evm_transactions() {
    let (stack, _) = stack().await;
    let base = transfer(0);
    let row = |changes: Value, field| (with(&base, &changes), field);
    let blob =
        json!({"maxFeePerBlobGas": "0x1", "blobVersionedHashes": [format!("0x01{}", "00".repeat(31))]});
    let authorization =
        json!({"chainId": "0x1", "address": TO, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1"});
    let with_blob = |changes: Value, field| (with(&with(&base, &blob), &changes), field);
    let with_authorization = |changes: Value, field| {
        let list = json!({"authorizationList": [with(&authorization, &changes)]});
        (with(&base, &list), field)
    };
    let rows = vec![
        row(json!({"gas": "0x05208"}), "transaction.gas"),
        row(json!({"gas": "0x10000000000000000"}), "transaction.gas"),
        row(json!({"gas": 21000.5}), "transaction.gas"),
        row(json!({"gas": null}), "transaction.gas"),
        row(json!({"nonce": "0xffffffffffffffff"}), "transaction.nonce"),
        row(json!({"nonce": "-1"}), "transaction.nonce"),
        row(json!({"value": format!("0x1{}", "0".repeat(64))}), "transaction.value"),
        row(json!({"value": 9_007_199_254_740_992_u64}), "transaction.value"),
        row(json!({"chainId": "0x8000000000000000"}), "transaction.chainId"),
        row(json!({"chainId": null}), "transaction.chainId"),
        row(json!({"to": "0x35"}), "transaction.to"),
        row(json!({"to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49"}), "transaction.to"),
        row(json!({"to": null}), "transaction.input"),
        row(json!({"input": "0x0"}), "transaction.input"),
        row(json!({"input": "0x00", "data": "0x01"}), "transaction.data"),
        row(json!({"gasLimit": "0x5209"}), "transaction.gasLimit"),
        row(json!({"gasPrice": "0x1"}), "transaction.gasPrice"),
        row(json!({"maxPriorityFeePerGas": "0x4a817c801"}), "transaction.maxPriorityFeePerGas"),
        row(json!({"type": "0x1"}), "transaction.maxFeePerGas"),
        row(json!({"type": "0x5"}), "transaction.type"),
        row(json!({"from": TO}), "transaction.from"),
        row(json!({"other": 1}), "transaction.other"),
        row(json!({"r": "0x1"}), "transaction.r"),
        row(json!({"accessList": [{"address": TO}]}), "transaction.accessList[0].storageKeys"),
        row(
            json!({"accessList": [{"address": TO, "storageKeys": ["0x00"]}]}),
            "transaction.accessList[0].storageKeys[0]",
        ),
        with_blob(json!({"blobVersionedHashes": []}), "transaction.blobVersionedHashes"),
        with_blob(
            json!({"blobVersionedHashes": [format!("0x02{}", "00".repeat(31))]}),
            "transaction.blobVersionedHashes[0]",
        ),
        with_blob(json!({"maxFeePerBlobGas": null}), "transaction.maxFeePerBlobGas"),
        with_blob(json!({"blobs": []}), "transaction.blobs"),
        with_blob(json!({"to": null}), "transaction.to"),
        row(json!({"authorizationList": []}), "transaction.authorizationList"),
        with_authorization(json!({"r": "0x0"}), "transaction.authorizationList[0].r"),
        with_authorization(json!({"yParity": "0x2"}), "transaction.authorizationList[0].yParity"),
        with_authorization(json!({"address": null}), "transaction.authorizationList[0].address"),
    ];
    refused(&stack, "evm.transaction", "transaction", rows).await;

    // A name twice is lost in most JSON libraries; not here.
    let text = base.to_string();
    for twice in [r#""nonce":"0x1","#, r#""\u006eonce":"0x1","#] {
        let body = format!(r#"{{"type":"evm.transaction","transaction":{{{twice}{}}}"#, &text[1..]);
        let reply = stack.request("POST", "/v1/wallets/treasury/sign", body.as_bytes()).await.unwrap();
        assert_eq!((reply.status, &reply.json["field"]), (422, &json!("transaction")), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_evm_transactions() {
    let (stack, _) = stack().await;
    // chain 1, nonce 0, fees 1 and 2, gas 21000, to 20 bytes, value 1, no input, no access list.
    let to = "35".repeat(20);
    let eip_1559 = format!("02df0180010282520894{to}0180c0");
    // The same, with a price of 1 and EIP-155.
    let legacy = format!("df800182520894{to}0180018080");
    let rows: Vec<(String, &str)> = vec![
        (format!("{eip_1559}00"), "unsigned"),
        (eip_1559[..eip_1559.len() - 2].to_owned(), "unsigned"),
        (eip_1559.replacen("02df", "02f81f", 1), "unsigned"),
        (eip_1559.replacen("0180010282", "0100010282", 1), "unsigned"),
        (eip_1559.replacen("825208", "83005208", 1).replacen("02df", "02e0", 1), "unsigned"),
        (eip_1559.replacen("02df", "05df", 1), "unsigned"),
        (eip_1559.replacen("02df", "01df", 1), "unsigned"),
        (format!("00{}", &eip_1559[2..]), "unsigned"),
        (format!("{legacy}c0"), "unsigned"),
        (legacy.replacen("018080", "018001", 1), "unsigned"),
        (legacy.replacen("018080", "808080", 1), "unsigned"),
        (String::new(), "unsigned"),
        ("0x02".to_owned(), "unsigned"),
    ];
    let rows = rows.into_iter().map(|(bytes, field)| (json!(format!("0x{bytes}")), field)).collect();
    refused(&stack, "evm.transaction", "unsigned", rows).await;
    for good in [&eip_1559, &legacy] {
        let body = json!({"type": "evm.transaction", "unsigned": format!("0x{good}")});
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        assert_eq!(reply.status, 200, "what the rows are made of is right: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_typed_data_authorizations_and_raw() {
    let (stack, _) = stack().await;
    let authorization = json!({"chainId": "0x1", "address": TO, "nonce": "0x0"});
    let row = |changes: Value, field| (with(&authorization, &changes), field);
    let rows = vec![
        row(json!({"chainId": null}), "authorization.chainId"),
        row(json!({"nonce": "0x00"}), "authorization.nonce"),
        row(json!({"nonce": "0xffffffffffffffff"}), "authorization.nonce"),
        row(json!({"address": "0x"}), "authorization.address"),
        row(json!({"r": "0x1"}), "authorization.r"),
        (json!("0x"), "authorization"),
    ];
    refused(&stack, "evm.authorization", "authorization", rows).await;
    refused(&stack, "evm.message", "message", vec![(json!("0x0"), "message"), (json!("hello"), "message")])
        .await;
    refused(&stack, "evm.message", "text", vec![(json!("x".repeat(64 * 1024 + 1)), "text")]).await;
    let digests = ["0x", "00", &format!("0x{}", "00".repeat(31)), &format!("0x{}", "00".repeat(33))];
    refused(&stack, "raw.digest", "digest", digests.iter().map(|text| (json!(text), "digest")).collect())
        .await;
    refused(&stack, "raw.message", "message", vec![(json!("0x"), "message"), (json!("0x0g"), "message")])
        .await;

    let typed = json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
            "Pay": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint8"}, {"name": "memo", "type": "bytes4"}],
        },
        "primaryType": "Pay",
        "domain": {"name": "Shop", "chainId": 1},
        "message": {"to": TO, "amount": "255", "memo": "0x01020304"},
    });
    let row = |pointer: &str, value: Value, field| {
        let mut changed = typed.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(parent).unwrap();
        match (value, parent) {
            (Value::Null, Value::Object(members)) => drop(members.remove(name)),
            (value, parent) => parent[name] = value,
        }
        (changed, field)
    };
    let fields = |name: &str, kind: &str| json!([{"name": name, "type": kind}]);
    let rows = vec![
        row("/message/amount", json!("256"), "typed_data.message.amount"),
        row("/message/amount", json!("-1"), "typed_data.message.amount"),
        row("/message/amount", json!(1.5), "typed_data.message.amount"),
        row("/message/amount", Value::Null, "typed_data.message.amount"),
        row("/message/extra", json!(1), "typed_data.message.extra"),
        row("/message/memo", json!("0x010203"), "typed_data.message.memo"),
        row("/message/to", json!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49"), "typed_data.message.to"),
        row("/domain/version", json!("1"), "typed_data.domain.version"),
        row("/domain/name", Value::Null, "typed_data.domain.name"),
        row("/domain/chainId", json!("0x10000000000000000"), "typed_data.domain.chainId"),
        row("/primaryType", json!("Receipt"), "typed_data.primaryType"),
        row("/primaryType", Value::Null, "typed_data.primaryType"),
        row("/types/EIP712Domain", Value::Null, "typed_data.types.EIP712Domain"),
        row("/types/Pay", fields("to", "uint7"), "typed_data.types.Pay[0].type"),
        row("/types/Pay", fields("to", "Nothing"), "typed_data.types.Pay[0].type"),
        row("/types/Pay", fields("to it", "address"), "typed_data.types.Pay[0].name"),
        row("/other", json!(1), "typed_data.other"),
        (json!([]), "typed_data"),
    ];
    refused(&stack, "evm.typed_data", "typed_data", rows).await;
    let good = stack
        .post("/v1/wallets/treasury/sign", &json!({"type": "evm.typed_data", "typed_data": typed}))
        .await;
    assert_eq!(good.status, 200, "what the rows are made of is right: {good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn solana_transactions_and_messages() {
    let (stack, address) = stack().await;
    let payer: [u8; 32] = bs58::decode(&address).into_vec().unwrap().try_into().unwrap();
    let message = solana::transfer(&payer);
    let wire = |signatures: usize, message: &[u8]| {
        let count = u8::try_from(signatures).unwrap();
        [&[count][..], &vec![0; 64 * signatures], message].concat()
    };
    let changed = |at: usize, byte: u8| {
        let mut changed = message.clone();
        changed[at] = byte;
        wire(1, &changed)
    };
    let last = message.len() - 1;
    // Header, 3 keys, blockhash; then the instruction: program, accounts, data.
    let program = 3 + 1 + 3 * 32 + 32 + 1;
    let rows: Vec<(Vec<u8>, &str)> = vec![
        ([&wire(1, &message)[..], &[0]].concat(), "transaction.message"),
        (wire(1, &message[..last]), "transaction.message.instructions"),
        (wire(2, &message), "transaction.signatures"),
        (wire(0, &message), "transaction.signatures"),
        (changed(0, 0), "transaction.message.header"),
        (changed(0, 4), "transaction.message.header"),
        (changed(1, 1), "transaction.message.header"),
        (changed(program, 0), "transaction.message.instructions[0].programIdIndex"),
        (changed(program, 3), "transaction.message.instructions[0].programIdIndex"),
        (changed(program + 2, 9), "transaction.message.instructions[0].accounts[0]"),
        (wire(1, &solana::transfer(&[9; 32])), "transaction"),
        (wire(1, &[&[0x82], &message[..]].concat()), "transaction.message.version"),
        (vec![0; 5000], "transaction"),
        (Vec::new(), "transaction.signatures"),
    ];
    let rows = rows.into_iter().map(|(wire, field)| (json!(STANDARD.encode(wire)), field)).collect();
    refused(&stack, "solana.transaction", "transaction", rows).await;
    refused(
        &stack,
        "solana.transaction",
        "transaction",
        vec![(json!("*"), "transaction"), (json!(1), "transaction")],
    )
    .await;

    let offchain = |version: u8, format: u8, text: &[u8]| {
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        let head = [b"\xffsolana offchain", &[version][..], &[0; 32], &[format, 1], &payer].concat();
        [&head[..], &length, text].concat()
    };
    let good = offchain(0, 0, b"hello");
    let rows: Vec<(Vec<u8>, &str)> = vec![
        ([&good[..], b"!"].concat(), "message.text"),
        (good[..good.len() - 1].to_vec(), "message.text"),
        (offchain(7, 0, b"hello"), "message.version"),
        (offchain(0, 9, b"hello"), "message.format"),
        (offchain(0, 0, "grüezi".as_bytes()), "message.text"),
        (offchain(0, 0, b""), "message.text"),
        (message.clone(), "message"),
    ];
    let rows = rows.into_iter().map(|(bytes, field)| (json!(STANDARD.encode(bytes)), field)).collect();
    refused(&stack, "solana.offchain_message", "message", rows).await;
    for (kind, member, bytes) in [
        ("solana.transaction", "transaction", wire(1, &message)),
        ("solana.offchain_message", "message", good),
    ] {
        let mut body = json!({"type": kind});
        body[member] = json!(STANDARD.encode(bytes));
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        assert_eq!(reply.status, 200, "what the rows are made of is right: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_other_members_than_their_types() {
    let (stack, _) = stack().await;
    create(&stack, "other").await;
    let rows = [
        (json!({"type": "evm.dance", "text": "x"}), 422, "type"),
        (json!({"type": "evm.message"}), 422, "message"),
        (json!({"type": "evm.message", "text": "x", "message": "0x00"}), 422, "text"),
        (json!({"type": "evm.message", "digest": "0x00"}), 422, "digest"),
        (json!({"type": "raw.digest", "message": "0x00"}), 422, "message"),
        (json!({"type": "evm.message", "text": "x", "path": "m/44'/60'/0'/0"}), 200, ""),
        (json!({"type": "evm.message", "text": "x", "path": "m"}), 400, "path"),
        (json!({"type": "evm.message", "text": "x", "address": TO}), 422, "address"),
        (json!({"type": "evm.message", "text": "x", "wallet": "other"}), 400, "wallet"),
        (json!({"type": "raw.message", "message": "0x00", "path": "m/44'/501'/0"}), 400, "path"),
    ];
    for (body, status, field) in rows {
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        let found = (reply.status, reply.json["field"].as_str().unwrap_or_default());
        assert_eq!(found, (status, field), "{body}: {reply:?}");
    }
}
