//! Types 1, 3 and 4: published vectors, what their fields mean, and how a type is inferred.

use serde_json::{Value, json};

use super::*;
use crate::chain::facts::EvmTransactionKind::{Eip1559, Eip2930, Eip4844, Eip7702, Legacy};

const TOKEN: &str = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

pub(super) fn eip_2930() -> Value {
    json!({
        "type": "0x1", "chainId": "0x1", "nonce": "0x7", "gasPrice": "0x4a817c800", "gas": "0x7530", "to": TOKEN,
        "value": "0x1", "data": "0x01020304",
        "accessList": [{"address": TOKEN, "storageKeys": [format!("0x{}", "11".repeat(32))]}],
    })
}

pub(super) fn eip_4844() -> Value {
    json!({
        "type": "0x3", "chainId": "0x1", "nonce": "0x8", "maxFeePerGas": "0x6fc23ac00", "maxPriorityFeePerGas": "0x3b9aca00",
        "gas": "0x5208", "to": TOKEN, "value": "0x0", "maxFeePerBlobGas": "0x12a05f200",
        "blobVersionedHashes": [format!("0x01{}", "aa".repeat(31)), format!("0x01{}", "bb".repeat(31))],
    })
}

pub(super) fn eip_7702() -> Value {
    json!({
        "type": "0x4", "chainId": "0x1", "nonce": "0x9", "maxFeePerGas": "0x6fc23ac00", "maxPriorityFeePerGas": "0x3b9aca00",
        "gas": "0x186a0", "to": "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", "value": "0x0", "data": "0xdeadbeef",
        "authorizationList": [
            {
                "chainId": "0x1", "address": "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B", "nonce": "0xa", "yParity": "0x1",
                "r": "0x898c6a6e6dc44546ef996e768bea3c56915924f62d3c42544e4392d42ca71e03",
                "s": "0x931f3fde1401a8337b95b7ba1084093178be6b8644506df8402fe5fe8386989",
            },
            {
                "chainId": "0x0", "address": "0x0000000000000000000000000000000000000000", "nonce": "0x0", "yParity": "0x0",
                "r": "0x8e704fa3e0bfc681c4db9a5e574329975cf70dbd247993cae3507a65f197e100",
                "s": "0x19b73d1615ca4423ff2074d75c411de6002d5aee73bfbed7dceac02f1122491b",
            },
        ],
    })
}

/// Made by viem 2.57 with the private key 0x46…46, and read by ethers 6.17, which agrees on hash and sender.
pub(super) const EIP_2930: [&str; 3] = [
    "0x01f86001078504a817c80082753094a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48018401020304f838f794a0b86991c6218b36c1d19d4a2e9e\
     b0ce3606eb48e1a01111111111111111111111111111111111111111111111111111111111111111",
    "01f8a301078504a817c80082753094a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48018401020304f838f794a0b86991c6218b36c1d19d4a2e9eb0\
     ce3606eb48e1a0111111111111111111111111111111111111111111111111111111111111111180a0ca634c70a25d9ee2681d3eb925adf2f8633840\
     fdd7ff08abfc3f68c66ececbb3a05260c60f4caea779a60fb4d4b60dbf55d42f8c21df9ea92c97822d98cf6bf03a",
    "e0e14b52d8f573e6039ee47d733e1829a50564148b8b861a64465679bd1f5502",
];
pub(super) const EIP_4844: [&str; 3] = [
    "0x03f8720108843b9aca008506fc23ac0082520894a0b86991c6218b36c1d19d4a2e9eb0ce3606eb488080c085012a05f200f842a001aaaaaaaaaaaa\
     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "03f8b50108843b9aca008506fc23ac0082520894a0b86991c6218b36c1d19d4a2e9eb0ce3606eb488080c085012a05f200f842a001aaaaaaaaaaaaaa\
     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb80a0af43\
     e186916ac9db258c3bf5833a24198f9b90246660c8f8be9e982768cce186a07b0029a47379535210b0ed470a726361995bcafba81c2c94871d6290913\
     db82c",
    "8b4e34c17ab5a9969f014322709cb6da12ab674fa8afd2f4e05f163a8b7ae06b",
];
pub(super) const EIP_7702: [&str; 3] = [
    "0x04f8e70109843b9aca008506fc23ac00830186a0949d8a62f656a8d1615c1294fd71e9cfb3e4855a4f8084deadbeefc0f8b8f85a019463c0c19a28\
     2a1b52b07dd5a65b58948a07dae32b0a01a0898c6a6e6dc44546ef996e768bea3c56915924f62d3c42544e4392d42ca71e03a00931f3fde1401a8337\
     b95b7ba1084093178be6b8644506df8402fe5fe8386989f85a809400000000000000000000000000000000000000008080a08e704fa3e0bfc681c4db\
     9a5e574329975cf70dbd247993cae3507a65f197e100a019b73d1615ca4423ff2074d75c411de6002d5aee73bfbed7dceac02f1122491b",
    "04f9012a0109843b9aca008506fc23ac00830186a0949d8a62f656a8d1615c1294fd71e9cfb3e4855a4f8084deadbeefc0f8b8f85a019463c0c19a28\
     2a1b52b07dd5a65b58948a07dae32b0a01a0898c6a6e6dc44546ef996e768bea3c56915924f62d3c42544e4392d42ca71e03a00931f3fde1401a8337\
     b95b7ba1084093178be6b8644506df8402fe5fe8386989f85a809400000000000000000000000000000000000000008080a08e704fa3e0bfc681c4db\
     9a5e574329975cf70dbd247993cae3507a65f197e100a019b73d1615ca4423ff2074d75c411de6002d5aee73bfbed7dceac02f1122491b80a026cf5a\
     2bb4b429f555b0c5bdbe730efb66f4e611cad086831a4ef847bed23dafa018c6c38a741bf6bb793c22f66c4e415156ef0b084639b9df5868ba29cff9\
     8df4",
    "1b125c8cdf5753823b4f76ca4e26fdfc48ae203d9e92722979e195c31aad1133",
];

#[test]
fn transactions_of_viem_are_signed_byte_for_byte() {
    for (fields, [unsigned, published, hash], kind) in
        [(eip_2930(), EIP_2930, Eip2930), (eip_4844(), EIP_4844, Eip4844), (eip_7702(), EIP_7702, Eip7702)]
    {
        for signable in [parse_fields(&fields).unwrap(), parse_unsigned(unsigned).unwrap()] {
            assert_eq!(facts_of(&*signable).kind, kind);
            let signature = sign(&hash_of(&*signable));
            let Signed::EvmTransaction(signed) = signable.finish(&signature).unwrap() else {
                panic!("not EVM")
            };
            assert_eq!(hex::encode(signed.signed_transaction), published);
            assert_eq!((hex::encode(signed.transaction_hash).as_str(), signed.v), (hash, None));
        }
    }
}

/// `eip2930-random-301` of npm `@ethersproject/testcases` 5.8.0.
#[test]
fn a_published_eip_2930_transaction_is_signed_byte_for_byte() {
    let secret = hex::decode("9c1e98463d99815fa78c1145aa9fd7d64275f1c40fb17540a9b02539926eb8f3").unwrap();
    let fields = json!({
        "type": 1, "data": "0xb8", "gasLimit": "0xa0", "gasPrice": "0xb5b7da4530", "nonce": 9,
        "to": "0xb08ec4d5db3f7a200bc377758e66f3a40693c082", "value": "0x96", "chainId": 112,
        "accessList": [{"address": "0x90d841c81ded19ecf0ead06e160e03270131f902", "storageKeys": []}],
    });
    let published = "01f87e700985b5b7da453081a094b08ec4d5db3f7a200bc377758e66f3a40693c082819681b8d7d69490d841c81ded19ecf0ead06e\
                     160e03270131f902c080a069440987798607acf8f21a4e01e9d80bd8110ad8c0d388eb3687289e5744824ca00563e6e50931453349\
                     9271711346971010f4f4bc511ee1a557e9387bbe8e3d42";
    let signable = parse_fields(&fields).unwrap();
    let signature = sign_with(&SigningKey::from_slice(&secret).unwrap(), &hash_of(&*signable));
    let Signed::EvmTransaction(signed) = signable.finish(&signature).unwrap() else { panic!("not EVM") };
    assert_eq!(hex::encode(signed.signed_transaction), published);
}

/// Sepolia's transaction 0x9a22ccb0…07e9c0, by which somebody else published five blobs.
#[test]
fn a_transaction_with_blobs_that_a_chain_took_is_put_together_again() {
    let hashes = [
        "012ec3d6f66766bedb002a190126b3549fce0047de0d4c25cffce0dc1c57921a",
        "0152d8e24762ff22b1cfd9f8c0683786a7ca63ba49973818b3d1e9512cd2cec4",
        "013b98c6c83e066d5b14af2b85199e3d4fc7d1e778dd53130d180f5077e2d1c7",
        "01148b495d6e859114e670ca54fb6e2657f0cbae5b08063605093a4b3dc9f8f1",
        "011ac212f13c5dff2b2c6b600a79635103d6f580a4221079951181b25c7e6549",
    ];
    let fields = json!({
        "chainId": 11_155_111, "nonce": "0xfa2", "maxPriorityFeePerGas": "0x77359400", "maxFeePerGas": "0x2e90edd000",
        "gas": 21000, "to": "0x11E9CA82A3a762b4B5bd264d4173a242e7a77064", "maxFeePerBlobGas": "0x4a817c800",
        "blobVersionedHashes": hashes.map(|hash| format!("0x{hash}")),
    });
    let scalar = |digits: &str| hex::decode(digits).unwrap().try_into().unwrap();
    let signature = RawSignature::Secp256k1 {
        r: scalar("c8de4cced43169f9aa3d36506363b2d2c44f6c49fc1fd91ea114c86f3757077e"),
        s: scalar("1e11fdd0d1934eda0492606ee0bb80a7bf8f35cc5f86ec60fe5031ba48bfd544"),
        y_parity: true,
    };
    let signable = parse_fields(&fields).unwrap();
    let Signed::EvmTransaction(signed) = signable.finish(&signature).unwrap() else { panic!("not EVM") };
    assert_eq!(
        hex::encode(signed.transaction_hash),
        "9a22ccb0029bc8b0ddd073be1a1d923b7ae2b2ea52100bae0db4424f9107e9c0"
    );
}

#[test]
fn facts_of_blobs_and_authorizations() {
    let facts = |fields: &Value| serde_json::to_value(parse_fields(fields).unwrap().facts()).unwrap();
    let blobs = facts(&eip_4844());
    assert_eq!(blobs["kind"], "eip4844");
    assert_eq!(blobs["max_fee_per_blob_gas"], "5000000000");
    assert_eq!(blobs["blob_versioned_hashes"][1], format!("0x01{}", "bb".repeat(31)));
    // 21,000 x 30 gwei + 2 x 131,072 x 5 gwei
    assert_eq!(blobs["max_cost"], "1940720000000000");
    assert_eq!(blobs.get("authorization_list"), None);
    let delegation = facts(&eip_7702());
    assert_eq!(delegation.get("blob_versioned_hashes"), None);
    assert_eq!(
        delegation["authorization_list"],
        json!([
            {
                "chain_id": 1, "address": "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B", "revokes": false, "nonce": 10,
                "y_parity": 1, "r": "0x898c6a6e6dc44546ef996e768bea3c56915924f62d3c42544e4392d42ca71e03",
                "s": "0x0931f3fde1401a8337b95b7ba1084093178be6b8644506df8402fe5fe8386989",
            },
            {
                "chain_id": null, "address": "0x0000000000000000000000000000000000000000", "revokes": true, "nonce": 0,
                "y_parity": 0, "r": "0x8e704fa3e0bfc681c4db9a5e574329975cf70dbd247993cae3507a65f197e100",
                "s": "0x19b73d1615ca4423ff2074d75c411de6002d5aee73bfbed7dceac02f1122491b",
            },
        ])
    );
}

#[test]
fn a_type_need_not_be_named_where_the_fields_tell() {
    for fields in [eip_155(), eip_1559(), eip_2930(), eip_4844(), eip_7702()] {
        let named = hash_of(&*parse_fields(&fields).unwrap());
        let mut unnamed = fields.clone();
        unnamed["type"] = json!(null);
        assert_eq!(hash_of(&*parse_fields(&unnamed).unwrap()), named, "{fields}");
    }
    let kind = |edits: Value| {
        let mut fields = eip_155();
        fields.as_object_mut().unwrap().extend(edits.as_object().unwrap().clone());
        facts_of(&*parse_fields(&fields).unwrap()).kind
    };
    assert_eq!(kind(json!({})), Legacy);
    assert_eq!(kind(json!({"accessList": null})), Legacy);
    assert_eq!(kind(json!({"accessList": []})), Eip2930);
    assert_eq!(kind(json!({"type": "0x1"})), Eip2930);
    assert_eq!(kind(json!({"type": "0x1", "accessList": []})), Eip2930);
    let dynamic = json!({"gasPrice": null, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x1"});
    assert_eq!(kind(dynamic), Eip1559);
}

/// What ethers 6.17 (`Transaction.toJSON`), viem 2.57 and web3.py 8 list beside the fields that count.
#[test]
fn what_libraries_send_is_understood() {
    let same = |mut fields: Value, edits: Value| {
        let plain = hash_of(&*parse_fields(&fields).unwrap());
        fields.as_object_mut().unwrap().extend(edits.as_object().unwrap().clone());
        assert_eq!(hash_of(&*parse_fields(&fields).unwrap()), plain, "{edits}");
    };
    let ethers =
        json!({"sig": null, "type": 2, "gasPrice": null, "chainId": "1", "gas": null, "gasLimit": "90000"});
    same(eip_1559(), ethers);
    same(eip_4844(), json!({"accessList": [], "input": "0x", "data": "0x", "blobs": null}));
    same(eip_2930(), json!({"input": "0x01020304", "from": "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"}));

    let mut list = eip_7702()["authorizationList"].clone();
    list[0]["v"] = json!("0x1c");
    list[0].as_object_mut().unwrap().remove("yParity");
    list[0]["s"] = json!("0x0931f3fde1401a8337b95b7ba1084093178be6b8644506df8402fe5fe8386989");
    list[1]["v"] = json!(27);
    list[1]["yParity"] = json!(0);
    same(eip_7702(), json!({"authorizationList": list}));
}
