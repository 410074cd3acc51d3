//! Malformed transactions of types 1, 3 and 4, and the field each is refused for.

use serde_json::{Value, json};

use super::types::{EIP_4844, eip_2930, eip_4844, eip_7702};
use super::*;
use crate::chain::evm::rlp::Writer;

fn refused(fields: &Value, cases: &[(&str, Value, &str)]) {
    for (name, value, blamed) in cases {
        let mut fields = fields.clone();
        fields[name] = value.clone();
        let rejection =
            parse_fields(&fields).err().unwrap_or_else(|| panic!("{name} = {value} was accepted"));
        assert_eq!(rejection.field, format!("transaction.{blamed}"), "{name} = {value}: {rejection}");
    }
}

#[test]
fn wrong_fields_of_eip_2930_are_refused_by_name() {
    let cases = [
        ("chainId", json!(null), "chainId"),
        ("chainId", json!("9223372036854775790"), "chainId"),
        ("gasPrice", json!(null), "gasPrice"),
        ("gasPrice", json!("0x04a817c800"), "gasPrice"),
        ("gasPrice", json!(U256::MAX.to_string()), "gas"),
        ("maxFeePerGas", json!("0x1"), "maxFeePerGas"),
        ("maxPriorityFeePerGas", json!("0x1"), "maxPriorityFeePerGas"),
        ("maxFeePerBlobGas", json!("0x1"), "maxFeePerBlobGas"),
        ("authorizationList", json!([]), "authorizationList"),
        ("type", json!("0x0"), "accessList"),
        ("type", json!("0x01"), "type"),
        ("to", json!("0x00"), "to"),
        ("nonce", json!("18446744073709551615"), "nonce"),
        ("accessList", json!("0x"), "accessList"),
        ("accessList", json!([{"address": "0x", "storageKeys": []}]), "accessList[0].address"),
        ("accessList", json!([null]), "accessList[0]"),
        ("yParity", json!("0x0"), "yParity"),
    ];
    refused(&eip_2930(), &cases);
}

#[test]
fn wrong_fields_of_eip_4844_are_refused_by_name() {
    let good = format!("0x01{}", "aa".repeat(31));
    let cases = [
        ("to", json!(null), "to"),
        ("chainId", json!(null), "chainId"),
        ("maxFeePerBlobGas", json!(null), "maxFeePerBlobGas"),
        ("maxFeePerBlobGas", json!("0x00"), "maxFeePerBlobGas"),
        ("maxFeePerBlobGas", json!(format!("0x1{}", "0".repeat(64))), "maxFeePerBlobGas"),
        ("maxFeePerBlobGas", json!(U256::MAX.to_string()), "maxFeePerBlobGas"),
        ("value", json!(U256::MAX.to_string()), "value"),
        ("blobVersionedHashes", json!(null), "blobVersionedHashes"),
        ("blobVersionedHashes", json!([]), "blobVersionedHashes"),
        ("blobVersionedHashes", json!(vec![&good; 7]), "blobVersionedHashes"),
        ("blobVersionedHashes", json!(good), "blobVersionedHashes"),
        ("blobVersionedHashes", json!([good, format!("0x00{}", "aa".repeat(31))]), "blobVersionedHashes[1]"),
        ("blobVersionedHashes", json!([format!("0x02{}", "aa".repeat(31))]), "blobVersionedHashes[0]"),
        ("blobVersionedHashes", json!([format!("0x01{}", "aa".repeat(30))]), "blobVersionedHashes[0]"),
        ("blobVersionedHashes", json!([format!("0x01{}", "aa".repeat(32))]), "blobVersionedHashes[0]"),
        ("blobVersionedHashes", json!([1]), "blobVersionedHashes[0]"),
        ("blobs", json!([]), "blobs"),
        ("commitments", json!(["0x00"]), "commitments"),
        ("proofs", json!(["0x00"]), "proofs"),
        ("sidecar", json!({}), "sidecar"),
        ("gasPrice", json!("0x1"), "gasPrice"),
        ("authorizationList", json!([]), "authorizationList"),
        ("type", json!("0x2"), "blobVersionedHashes"),
        ("maxPriorityFeePerGas", json!("0x6fc23ac01"), "maxPriorityFeePerGas"),
    ];
    refused(&eip_4844(), &cases);
    let rejection = |name: &str| {
        let mut fields = eip_4844();
        fields[name] = json!(["0x00"]);
        parse_fields(&fields).err().unwrap().message
    };
    assert!(rejection("blobs").contains("added after signing"));
}

#[test]
fn wrong_fields_of_eip_7702_are_refused_by_name() {
    let cases = [
        ("to", json!(null), "to"),
        ("chainId", json!("0x0"), "chainId"),
        ("authorizationList", json!(null), "authorizationList"),
        ("authorizationList", json!([]), "authorizationList"),
        ("authorizationList", json!({}), "authorizationList"),
        ("authorizationList", json!(["0x"]), "authorizationList[0]"),
        ("gasPrice", json!("0x1"), "gasPrice"),
        ("blobVersionedHashes", json!([]), "blobVersionedHashes"),
        ("type", json!("0x2"), "authorizationList"),
        ("maxPriorityFeePerGas", json!("0x6fc23ac01"), "maxPriorityFeePerGas"),
    ];
    refused(&eip_7702(), &cases);
}

#[test]
fn wrong_entries_of_an_authorization_list_are_refused_by_name() {
    let word = |value: U256| json!(value.to_string());
    let cases = [
        ("chainId", json!(null), "chainId"),
        ("chainId", json!("9223372036854775790"), "chainId"),
        ("chainId", json!("0x10000000000000000"), "chainId"),
        ("address", json!(null), "address"),
        ("address", json!("0x63c0c19a282a1B52b07dD5a65b58948A07DAE32b"), "address"),
        ("nonce", json!(null), "nonce"),
        ("nonce", json!("18446744073709551615"), "nonce"),
        ("nonce", json!("0x010"), "nonce"),
        ("yParity", json!(null), "yParity"),
        ("yParity", json!("0x2"), "yParity"),
        ("yParity", json!("0x1b"), "yParity"),
        ("yParity", json!(true), "yParity"),
        ("v", json!("0x1b"), "v"),
        ("v", json!("0x1"), "v"),
        ("r", json!(null), "r"),
        ("r", json!("0x0"), "r"),
        ("r", json!("0x01"), "r"),
        ("r", word(ORDER), "r"),
        ("r", json!(format!("0x{}", "00".repeat(32))), "r"),
        ("r", json!(format!("0x1{}", "00".repeat(32))), "r"),
        ("s", json!(null), "s"),
        ("s", json!("0"), "s"),
        ("s", word(HALF_ORDER + U256::ONE), "s"),
        ("s", json!(9_007_199_254_740_992_u64), "s"),
        ("signature", json!("0x"), "signature"),
    ];
    for (name, value, blamed) in cases {
        let mut fields = eip_7702();
        fields["authorizationList"][0][name] = value.clone();
        let rejection =
            parse_fields(&fields).err().unwrap_or_else(|| panic!("{name} = {value} was accepted"));
        let path = format!("transaction.authorizationList[0].{blamed}");
        assert_eq!(rejection.field, path, "{name} = {value}: {rejection}");
    }
    let duplicate =
        eip_7702().to_string().replace(r#""yParity":"0x1""#, r#""yParity":"0x1","yParity":"0x1""#);
    let rejection = parse_raw(&RawValue::from_string(duplicate).unwrap()).err().unwrap();
    assert_eq!(rejection.field, "transaction.authorizationList[0]");
}

#[test]
fn an_authorization_list_is_bounded() {
    let mut fields = eip_7702();
    let entry = fields["authorizationList"][0].clone();
    fields["authorizationList"] = json!(vec![entry.clone(); 670]);
    assert_eq!(facts_of(&*parse_fields(&fields).unwrap()).authorization_list.len(), 670);
    fields["authorizationList"] = json!(vec![entry; 671]);
    assert_eq!(parse_fields(&fields).err().unwrap().field, "transaction.authorizationList");
}

/// A field of an unsigned transaction.
#[derive(Clone)]
enum Item {
    Bytes(Vec<u8>),
    List(Vec<Item>),
}

use Item::{Bytes, List};

fn bytes(bytes: &[u8]) -> Item {
    Bytes(bytes.to_vec())
}

fn write(items: &[Item]) -> Writer {
    let mut writer = Writer::default();
    for item in items {
        match item {
            Bytes(bytes) => writer.bytes(bytes),
            List(items) => writer.list(&write(items)),
        }
    }
    writer
}

/// Chain id, nonce, the fees, gas, to, value, input, an empty access list.
fn typed(fees: &[&[u8]]) -> Vec<Item> {
    let mut items = vec![bytes(&[1]), bytes(&[9])];
    items.extend(fees.iter().map(|fee| bytes(fee)));
    items.extend([bytes(&[0x52, 0x08]), bytes(&[0x35; 20]), bytes(&[1]), bytes(&[]), List(vec![])]);
    items
}

fn hash(version: u8, length: usize) -> Item {
    let mut hash = vec![0xaa; length];
    hash[0] = version;
    Bytes(hash)
}

fn authorization() -> Vec<Item> {
    vec![bytes(&[1]), bytes(&[0x35; 20]), bytes(&[5]), bytes(&[]), bytes(&[7]), bytes(&[8])]
}

fn set(items: &[Item], index: usize, item: Item) -> Vec<Item> {
    let mut items = items.to_vec();
    items[index] = item;
    items
}

fn and(items: &[Item], more: &[Item]) -> Vec<Item> {
    [items, more].concat()
}

fn refused_bytes(byte: u8, good: &[Item], cases: Vec<(Vec<Item>, &str)>) {
    let hex = |items: &[Item]| format!("0x{}", hex::encode(write(items).document(&[byte])));
    let text = hex(good);
    parse_unsigned(&text).unwrap_or_else(|rejection| panic!("{rejection}"));
    for (items, message) in cases {
        let text = hex(&items);
        let rejection = parse_unsigned(&text).err().unwrap_or_else(|| panic!("{text} was accepted"));
        assert_eq!(rejection.field, "unsigned");
        assert!(rejection.message.contains(message), "{text}: {rejection}, not {message}");
    }
    for (text, message) in [
        (text[..text.len() - 2].to_owned(), "ends too early"),
        (format!("{text}00"), "followed"),
        (text.replacen("0x0", "0x8", 1), "type"),
        (text.replacen("0x0", "0x000", 1), "type"),
    ] {
        let rejection = parse_unsigned(&text).err().unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(rejection.message.contains(message), "{text}: {rejection}, not {message}");
    }
}

#[test]
fn wrong_serializations_of_eip_2930_are_refused() {
    let good = typed(&[&[5]]);
    let cases = vec![
        (good[..7].to_vec(), "8 fields of EIP-2930"),
        (and(&good, &[bytes(&[])]), "8 fields of EIP-2930"),
        (and(&good, &[bytes(&[]), bytes(&[1; 32]), bytes(&[1; 32])]), "must be unsigned"),
        (set(&good, 0, bytes(&[0, 1])), "chainId is an integer with leading zeros"),
        (set(&good, 1, bytes(&[0])), "nonce is an integer with leading zeros"),
        (set(&good, 2, bytes(&[1; 33])), "gasPrice is too large"),
        (set(&good, 2, List(vec![])), "gasPrice must be a byte string"),
        (set(&good, 3, bytes(&[1; 9])), "gas is too large"),
        (set(&good, 4, bytes(&[1; 21])), "to has a wrong length"),
        (set(&good, 7, bytes(&[])), "accessList must be a list"),
        (set(&good, 7, List(vec![bytes(&[1; 20])])), "accessList must be a list"),
        (
            set(&good, 7, List(vec![List(vec![bytes(&[1; 20]), List(vec![bytes(&[1; 31])])])])),
            "accessList has a wrong length",
        ),
        (
            set(&good, 7, List(vec![List(vec![bytes(&[1; 20]), List(vec![]), bytes(&[])])])),
            "accessList is followed",
        ),
    ];
    refused_bytes(1, &good, cases);
}

#[test]
fn wrong_serializations_of_eip_4844_are_refused() {
    let good = and(&typed(&[&[1], &[2]]), &[bytes(&[3]), List(vec![hash(1, 32)])]);
    let inner = List(good.clone());
    let (sidecar, list) = ("added after signing", || List(vec![bytes(&[0xee; 48])]));
    let cases = vec![
        (good[..9].to_vec(), "11 fields of EIP-4844"),
        (good[..4].to_vec(), "11 fields of EIP-4844"),
        (and(&good, &[bytes(&[])]), "11 fields of EIP-4844"),
        (and(&good, &[bytes(&[]), bytes(&[1; 32]), bytes(&[1; 32])]), "must be unsigned"),
        (vec![inner.clone(), list(), list(), list()], sidecar),
        (vec![inner, bytes(&[1]), list(), list(), list()], sidecar),
        (set(&good, 0, bytes(&[])), "chainId must not be 0"),
        (set(&good, 2, bytes(&[3])), "maxPriorityFeePerGas must be at most"),
        (set(&good, 5, bytes(&[])), "to is missing"),
        (set(&good, 9, bytes(&[0, 3])), "maxFeePerBlobGas is an integer with leading zeros"),
        (set(&good, 9, bytes(&[1; 33])), "maxFeePerBlobGas is too large"),
        (set(&good, 9, bytes(&[0xff; 32])), "maxFeePerBlobGas is too large"),
        (set(&good, 9, List(vec![])), "maxFeePerBlobGas must be a byte string"),
        (set(&good, 10, bytes(&[])), "blobVersionedHashes must be a list"),
        (set(&good, 10, List(vec![])), "blobVersionedHashes must be 1 to 6"),
        (set(&good, 10, List(vec![hash(1, 32); 7])), "blobVersionedHashes must be 1 to 6"),
        (set(&good, 10, List(vec![hash(1, 32), hash(0, 32)])), "blobVersionedHashes[1] must start with 0x01"),
        (set(&good, 10, List(vec![hash(1, 31)])), "blobVersionedHashes has a wrong length"),
        (set(&good, 10, List(vec![hash(1, 33)])), "blobVersionedHashes has a wrong length"),
        (set(&good, 10, List(vec![List(vec![])])), "blobVersionedHashes must be a byte string"),
    ];
    refused_bytes(3, &good, cases);
    assert_eq!(parse_unsigned(&format!("0x{}", EIP_4844[1])).err().unwrap().field, "unsigned");
    let blobs = format!("0x03{}", "00".repeat(MAX_UNSIGNED_LEN));
    assert!(parse_unsigned(&blobs).err().unwrap().message.contains(sidecar));
}

#[test]
fn wrong_serializations_of_eip_7702_are_refused() {
    let entry = authorization();
    let good = and(&typed(&[&[1], &[2]]), &[List(vec![List(entry.clone())])]);
    let with = |entry: Vec<Item>| set(&good, 9, List(vec![List(authorization()), List(entry)]));
    let half_and_one: [u8; 32] = (HALF_ORDER + U256::ONE).to_be_bytes();
    let order: [u8; 32] = ORDER.to_be_bytes();
    let cases = vec![
        (good[..9].to_vec(), "10 fields of EIP-7702"),
        (and(&good, &[bytes(&[])]), "10 fields of EIP-7702"),
        (and(&good, &[bytes(&[]), bytes(&[1; 32]), bytes(&[1; 32])]), "must be unsigned"),
        (set(&good, 0, bytes(&[])), "chainId must not be 0"),
        (set(&good, 5, bytes(&[])), "to is missing"),
        (set(&good, 9, bytes(&[])), "authorizationList must be a list"),
        (set(&good, 9, List(vec![])), "authorizationList must be 1 to 670"),
        (set(&good, 9, List(vec![bytes(&[1])])), "authorizationList[0] must be a list"),
        (with(entry[..3].to_vec()), "authorizationList[1].yParity ends too early"),
        (with(and(&entry, &[bytes(&[])])), "authorizationList[1] is followed"),
        (with(set(&entry, 0, bytes(&[0]))), "authorizationList[1].chainId is an integer with leading zeros"),
        (with(set(&entry, 0, bytes(&[1; 9]))), "authorizationList[1].chainId is too large"),
        (with(set(&entry, 0, bytes(&[0xff; 8]))), "authorizationList[1].chainId must be at most"),
        (with(set(&entry, 1, bytes(&[1; 19]))), "authorizationList[1].address has a wrong length"),
        (with(set(&entry, 1, bytes(&[]))), "authorizationList[1].address has a wrong length"),
        (with(set(&entry, 2, bytes(&[0xff; 8]))), "authorizationList[1].nonce must be below"),
        (with(set(&entry, 2, bytes(&[1; 9]))), "authorizationList[1].nonce is too large"),
        (with(set(&entry, 3, bytes(&[2]))), "authorizationList[1].yParity must be 0 or 1"),
        (with(set(&entry, 3, bytes(&[0]))), "authorizationList[1].yParity is an integer with leading zeros"),
        (with(set(&entry, 4, bytes(&[]))), "authorizationList[1].r must be above 0"),
        (with(set(&entry, 4, bytes(&[0, 7]))), "authorizationList[1].r is an integer with leading zeros"),
        (with(set(&entry, 4, bytes(&order))), "authorizationList[1].r must be above 0"),
        (with(set(&entry, 4, bytes(&[1; 33]))), "authorizationList[1].r is too large"),
        (with(set(&entry, 5, bytes(&[]))), "authorizationList[1].s must be above 0"),
        (with(set(&entry, 5, bytes(&half_and_one))), "authorizationList[1].s must be above 0"),
        (with(set(&entry, 5, List(vec![]))), "authorizationList[1].s must be a byte string"),
    ];
    refused_bytes(4, &good, cases);
}
