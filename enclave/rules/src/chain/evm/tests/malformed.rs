//! Malformed transactions, and the field each is refused for.

use serde_json::json;

use super::*;
use crate::chain::evm::rlp::Writer;

/// Fields of the EIP-1559 sample set to a value, and the member that is blamed.
#[test]
fn wrong_fields_are_refused_by_name() {
    let word = format!("0x{}", "11".repeat(32));
    let max = U256::MAX.to_string();
    let cases = [
        ("nonce", json!(null), "nonce"),
        ("nonce", json!("0x00"), "nonce"),
        ("nonce", json!(-1), "nonce"),
        ("nonce", json!(1.5), "nonce"),
        ("nonce", json!(9_007_199_254_740_992_u64), "nonce"),
        ("nonce", json!("18446744073709551615"), "nonce"),
        ("nonce", json!("18446744073709551616"), "nonce"),
        ("gas", json!(null), "gas"),
        ("gas", json!("0x10000000000000000"), "gas"),
        ("gas", json!("lots"), "gas"),
        ("gasLimit", json!("90001"), "gasLimit"),
        ("input", json!("0x"), "data"),
        ("data", json!("0x0"), "data"),
        ("data", json!("a9059cbb"), "data"),
        ("data", json!("0xzz"), "data"),
        ("data", json!(7), "data"),
        ("to", json!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB4"), "to"),
        ("to", json!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606Eb48"), "to"),
        ("to", json!(""), "to"),
        ("to", json!("0x"), "to"),
        ("value", json!(format!("0x1{}", "0".repeat(64))), "value"),
        ("value", json!(max), "value"),
        ("value", json!("1 ether"), "value"),
        ("maxFeePerGas", json!(max), "gas"),
        ("maxFeePerGas", json!("999999999"), "maxPriorityFeePerGas"),
        ("maxFeePerGas", json!(null), "maxFeePerGas"),
        ("maxPriorityFeePerGas", json!(null), "maxPriorityFeePerGas"),
        ("gasPrice", json!("1"), "gasPrice"),
        ("chainId", json!(null), "chainId"),
        ("chainId", json!("9223372036854775790"), "chainId"),
        ("type", json!("0x0"), "maxFeePerGas"),
        ("type", json!("0x1"), "maxFeePerGas"),
        ("type", json!("0x3"), "maxFeePerBlobGas"),
        ("type", json!("0x4"), "authorizationList"),
        ("type", json!("0x5"), "type"),
        ("type", json!("0x102"), "type"),
        ("type", json!("eip1559"), "type"),
        ("from", json!("0x3535353535353535353535353535353535353535"), "from"),
        ("from", json!("me"), "from"),
        ("v", json!("0x1"), "v"),
        ("blobVersionedHashes", json!([]), "blobVersionedHashes"),
        ("Nonce", json!(1), "Nonce"),
        ("accessList", json!({}), "accessList"),
        ("accessList", json!([[]]), "accessList[0]"),
        ("accessList", json!([{"address": word, "storageKeys": []}]), "accessList[0].address"),
        ("accessList", json!([{"storageKeys": []}]), "accessList[0].address"),
        (
            "accessList",
            json!([{"address": "0x3535353535353535353535353535353535353535"}]),
            "accessList[0].storageKeys",
        ),
        (
            "accessList",
            json!([{"address": "0x3535353535353535353535353535353535353535", "storageKeys": [word, "0x11"]}]),
            "accessList[0].storageKeys[1]",
        ),
        (
            "accessList",
            json!([{"address": "0x3535353535353535353535353535353535353535", "storageKeys": [], "x": 1}]),
            "accessList[0].x",
        ),
    ];
    for (name, value, blamed) in cases {
        let mut fields = eip_1559();
        fields[name] = value.clone();
        let rejection =
            parse_fields(&fields).err().unwrap_or_else(|| panic!("{name} = {value} was accepted"));
        assert_eq!(rejection.field, format!("transaction.{blamed}"), "{name} = {value}: {rejection}");
    }
}

#[test]
fn wrong_combinations_of_fields_are_refused() {
    let cases = [
        (json!({"gasPrice": "1", "maxFeePerGas": null, "maxPriorityFeePerGas": null}), "gasPrice"),
        (
            json!({"type": "0x0", "gasPrice": "1", "maxFeePerGas": null, "maxPriorityFeePerGas": null}),
            "accessList",
        ),
        (json!({"maxFeePerGas": null, "maxPriorityFeePerGas": null}), "maxFeePerGas"),
    ];
    for (edits, blamed) in cases {
        let mut fields = eip_1559();
        fields.as_object_mut().unwrap().extend(edits.as_object().unwrap().clone());
        assert_eq!(parse_fields(&fields).err().unwrap().field, format!("transaction.{blamed}"), "{edits}");
    }
    let mut forgotten = eip_1559();
    for name in ["to", "input", "data"] {
        forgotten.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(parse_fields(&forgotten).err().unwrap().field, "transaction.input");
}

#[test]
fn duplicate_keys_and_other_json_are_refused() {
    let valid = eip_155().to_string();
    let duplicate = valid.replacen('{', r#"{"gas":"0x5208","#, 1);
    let escaped = valid.replacen('{', r#"{"\u0067as":"0x5208","#, 1);
    let null_first = valid.replacen('{', r#"{"gas":null,"#, 1);
    let long = format!("{{{}{}", " ".repeat(4 * MAX_UNSIGNED_LEN), &valid[1..]);
    for text in [
        duplicate.as_str(),
        &escaped,
        &null_first,
        &long,
        "[]",
        "null",
        "\"0x\"",
        "7",
        "{\"\\ud83d\\ude00\":1}",
    ] {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let rejection = parse_raw(&raw).err().unwrap();
        assert!(rejection.field.starts_with("transaction"), "{rejection}");
    }
}

#[test]
fn bodies_need_exactly_one_member_and_the_right_key() {
    let raw = to_raw_value(&eip_155()).unwrap();
    let field = |transaction, unsigned, signer: &Signer| {
        parse("evm.transaction", &SignBody { transaction, unsigned, ..SignBody::default() }, signer)
            .err()
            .unwrap()
            .field
    };
    assert_eq!(field(None, None, &SIGNER), "transaction");
    assert_eq!(field(Some(&*raw), Some("0x"), &SIGNER), "unsigned");
    assert_eq!(field(Some(&*raw), None, &Signer { evm_address: None, ed25519: Some([1; 32]) }), "path");
    assert_eq!(parse("evm.blob", &SignBody::default(), &SIGNER).err().unwrap().field, "type");
}

/// Mutations of well-formed unsigned bytes; `unsigned` is always to blame, the message says where.
#[test]
fn wrong_serializations_are_refused() {
    let to = [0x35; 20];
    let legacy: [&[u8]; 6] = [&[9], &[5], &[0x52, 0x08], &to, &[1], &[]];
    let typed: [&[u8]; 8] = [&[1], &[9], &[1], &[2], &[0x52, 0x08], &to, &[1], &[]];
    let list = |items: &[&[u8]], access_list: Option<Writer>, prefix: &[u8]| {
        let mut writer = Writer::default();
        for item in items {
            writer.bytes(item);
        }
        access_list.inspect(|list| writer.list(list));
        writer.document(prefix)
    };
    let set = |items: &[&'static [u8]], index: usize, value: &'static [u8]| {
        let mut items = items.to_vec();
        items[index] = value;
        items
    };
    let legacy: Vec<&'static [u8]> = legacy.iter().map(|item| &*item.to_vec().leak()).collect();
    let typed: Vec<&'static [u8]> = typed.iter().map(|item| &*item.to_vec().leak()).collect();
    let empty = Writer::default;
    let good_legacy = list(&legacy, None, &[]);
    let good_typed = list(&typed, Some(empty()), &[2]);
    for good in [&good_legacy, &good_typed] {
        parse_unsigned(&format!("0x{}", hex::encode(good))).ok().unwrap();
    }
    let entry = |parts: &[&[u8]], keys: Option<Writer>| {
        let (mut item, mut access_list) = (empty(), empty());
        for part in parts {
            item.bytes(part);
        }
        keys.inspect(|keys| item.list(keys));
        access_list.list(&item);
        Some(access_list)
    };
    let with_key = |length: usize| {
        let mut keys = empty();
        keys.bytes(&vec![7; length]);
        Some(keys)
    };
    let eip_155 = |tail: [&'static [u8]; 3]| list(&[legacy.clone(), tail.to_vec()].concat(), None, &[]);
    let trailing = |good: &[u8], byte| [good, &[byte]].concat();

    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "type"),
        (vec![2], "ends too early"),
        (vec![0xc0], "6 fields"),
        (vec![0x80], "type"),
        (vec![0x05], "type"),
        (list(&typed, Some(empty()), &[0]), "type"),
        (list(&typed, Some(empty()), &[1]), "8 fields of EIP-2930"),
        (list(&typed, Some(empty()), &[3]), "11 fields of EIP-4844"),
        (list(&typed, Some(empty()), &[4]), "10 fields of EIP-7702"),
        (list(&typed, Some(empty()), &[5]), "type"),
        (trailing(&good_legacy, 0), "followed"),
        (trailing(&good_typed, 0x80), "followed"),
        (good_legacy[..good_legacy.len() - 1].to_vec(), "ends too early"),
        (list(&legacy[..5], None, &[]), "6 fields"),
        (eip_155([&[1], &[], &[1]]), "must be unsigned"),
        (eip_155([&[27], &[1; 32], &[1; 32]]), "must be unsigned"),
        (eip_155([&[], &[], &[]]), "chainId"),
        (eip_155([&[0xff; 8], &[], &[]]), "chainId"),
        (eip_155([&[0, 1], &[], &[]]), "leading zeros"),
        (eip_155([&[1], &[0], &[]]), "leading zeros"),
        (list(&set(&legacy, 0, &[0]), None, &[]), "nonce is an integer with leading zeros"),
        (list(&set(&legacy, 0, &[0xff; 8]), None, &[]), "nonce must be below"),
        (list(&set(&legacy, 0, &[1; 9]), None, &[]), "nonce is too large"),
        (list(&set(&legacy, 1, &[1; 33]), None, &[]), "gasPrice is too large"),
        (list(&set(&legacy, 1, &[0xff; 32]), None, &[]), "gas is too large"),
        (list(&set(&legacy, 2, &[1; 9]), None, &[]), "gas is too large"),
        (list(&set(&legacy, 3, &[1; 19]), None, &[]), "to has a wrong length"),
        (list(&set(&legacy, 3, &[1; 32]), None, &[]), "to has a wrong length"),
        (list(&set(&legacy, 4, &[0xff; 32]), None, &[]), "value is too large"),
        (list(&legacy[..5], Some(empty()), &[]), "input must be a byte string"),
        (list(&typed, None, &[2]), "9 fields"),
        (list(&[typed.clone(), vec![&[]]].concat(), None, &[2]), "accessList must be a list"),
        (list(&[typed.clone(), vec![&[], &[], &[1], &[1]]].concat(), None, &[2]), "must be unsigned"),
        (list(&set(&typed, 2, &[3]), Some(empty()), &[2]), "maxPriorityFeePerGas must be at most"),
        (list(&typed, entry(&[&[1; 19]], Some(empty())), &[2]), "accessList has a wrong length"),
        (list(&typed, entry(&[&[1; 20]], None), &[2]), "accessList ends too early"),
        (list(&typed, entry(&[&[1; 20], &[]], None), &[2]), "accessList must be a list"),
        (list(&typed, entry(&[&[1; 20]], with_key(31)), &[2]), "accessList has a wrong length"),
        (list(&typed, entry(&[&[1; 20]], with_key(33)), &[2]), "accessList has a wrong length"),
        (list(&set(&legacy, 5, vec![1; MAX_UNSIGNED_LEN].leak()), None, &[]), "longer"),
    ];
    for (bytes, message) in cases {
        let hex = format!("0x{}", hex::encode(&bytes));
        let rejection = parse_unsigned(&hex).err().unwrap_or_else(|| panic!("{hex} was accepted"));
        assert_eq!(rejection.field, "unsigned");
        assert!(rejection.message.contains(message), "{hex}: {rejection}, not {message}");
    }
    for text in ["", "0x", "02", "0xzz", "0x0", "0X02", " 0x02"] {
        assert_eq!(parse_unsigned(text).err().unwrap().field, "unsigned", "{text}");
    }
}

#[test]
fn the_size_bound_is_exact() {
    let with_input = |length: usize| {
        let mut fields = eip_155();
        fields["input"] = json!(format!("0x{}", "ff".repeat(length)));
        parse_fields(&fields)
    };
    // 43 bytes of other fields, and headers of 4 bytes for the input and for the list.
    let most = MAX_UNSIGNED_LEN - 51;
    assert!(with_input(most).is_ok());
    assert_eq!(with_input(most + 1).err().unwrap().field, "transaction");
}
