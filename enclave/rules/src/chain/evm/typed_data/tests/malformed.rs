//! What is refused, and what the refusal points at.

use super::*;

/// The example with another value at a JSON pointer.
fn with(pointer: &str, value: serde_json::Value) -> String {
    let mut document = mail();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    if let Some(items) = parent.as_array_mut() {
        items[name.parse::<usize>().unwrap()] = value;
    } else {
        parent[name] = value;
    }
    document.to_string()
}

/// The example without the member at a JSON pointer.
fn without(pointer: &str) -> String {
    let mut document = mail();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    assert!(document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).is_some());
    document.to_string()
}

/// Refused, with a rejection of this field below `typed_data`.
fn refused(json: &str, field: &str) {
    let rejection = read(json).expect_err(json);
    assert_eq!(rejection.field, format!("typed_data{field}"), "{json}: {rejection}");
}

#[test]
fn documents() {
    for json in ["[]", "null", "\"{}\"", "1"] {
        refused(json, "");
    }
    refused("{}", ".types");
    for name in ["types", "primaryType", "domain", "message"] {
        refused(&without(&format!("/{name}")), &format!(".{name}"));
        refused(&with(&format!("/{name}"), json!(null)), &format!(".{name}"));
        refused(&with(&format!("/{name}"), json!(7)), &format!(".{name}"));
        let twice = mail().to_string().replacen('{', &format!("{{\"{name}\":0,"), 1);
        refused(&twice, "");
    }
    refused(&with("/account", json!("0x")), ".account");
    refused(&with("/primaryType", json!("Mail[]")), ".primaryType");
    refused(&with("/primaryType", json!("mail")), ".primaryType");
    refused(&with("/primaryType", json!("EIP712Domain")), ".primaryType");
    refused(&with("/primaryType", json!("string")), ".primaryType");
}

#[test]
fn definitions() {
    refused(&without("/types/EIP712Domain"), ".types.EIP712Domain");
    refused(&without("/types/Person"), ".types.Mail[0].type");
    refused(&with("/types/Person", json!({})), ".types.Person");
    refused(&with("/types/Person/1", json!("address wallet")), ".types.Person[1]");
    refused(&with("/types/Person/1", json!({"name": "wallet"})), ".types.Person[1].type");
    refused(&with("/types/Person/1", json!({"type": "address"})), ".types.Person[1].name");
    refused(
        &with("/types/Person/1", json!({"name": "wallet", "type": "address", "value": 1})),
        ".types.Person[1].value",
    );
    refused(&with("/types/Person/0/name", json!("wallet")), ".types.Person[1].name");
    for name in ["", "1st", "wal let", "wal-let", "ä", "a,uint256 b", "a(", &"a".repeat(65)] {
        refused(&with("/types/Person/1/name", json!(name)), ".types.Person[1].name");
    }
    refused(&with("/types/Person/1/name", json!(1)), ".types.Person[1].name");
    for name in ["", "a b", "<b>", "A.B", "Person[]", "Grüezi", &"a".repeat(65)] {
        refused(&with(&format!("/types/{name}"), json!([])), ".types");
    }
    for name in ["uint256", "uint", "int", "bytes33", "uint7", "bool", "address", "string", "function", "1st"]
    {
        refused(&with(&format!("/types/{name}"), json!([])), &format!(".types.{name}"));
    }
    let twice = mail().to_string().replacen("\"Person\":", r#""\u0050erson":[],"Person":"#, 1);
    refused(&twice, ".types");
}

#[test]
fn types_of_members() {
    let types = [
        "",
        "uint",
        "int",
        "uint0",
        "uint7",
        "uint08",
        "uint264",
        "int512",
        "uint+8",
        "bytes0",
        "bytes33",
        "bytes032",
        "byte",
        "Bool",
        "bool ",
        " bool",
        "person",
        "address payable",
        "tuple",
        "fixed",
        "function",
        "EIP712Domain",
        "EIP712Domain[]",
        "Person[",
        "Person]",
        "Person[]]",
        "Person[0]",
        "Person[01]",
        "Person[-1]",
        "Person[1]x",
        "Person[ ]",
        "Person[[]]",
        "Person[+1]",
        "Person[99999999999999999999999]",
        "[]",
        "[2]",
        "uint256,",
        "string)",
    ];
    for type_name in types {
        refused(&with("/types/Mail/2/type", json!(type_name)), ".types.Mail[2].type");
    }
    refused(&with("/types/Mail/2/type", json!(null)), ".types.Mail[2].type");
    refused(&with("/types/Mail/2/type", json!(["string"])), ".types.Mail[2].type");
    // A type that the message does not use is no less wrong.
    refused(&with("/types/Unused", json!([{"name": "a", "type": "Nothing"}])), ".types.Unused[0].type");
}

#[test]
fn domains() {
    let domain = ".types.EIP712Domain";
    let members = [
        (0, "name", "bytes32"),
        (0, "chain", "uint256"),
        (2, "chainId", "uint64"),
        (3, "extensions", "uint256[]"),
    ];
    for (index, name, type_name) in members {
        let member = json!({"name": name, "type": type_name});
        refused(&with(&format!("/types/EIP712Domain/{index}"), member), &format!("{domain}[{index}]"));
    }
    let mut swapped = mail();
    swapped["types"]["EIP712Domain"].as_array_mut().unwrap().swap(0, 1);
    refused(&swapped.to_string(), &format!("{domain}[1]"));
    refused(&with("/domain/salt", json!(format!("0x{}", "00".repeat(32)))), ".domain.salt");
    refused(&with("/domain/<b>", json!(1)), ".domain");
    refused(&without("/domain/version"), ".domain.version");
    refused(&with("/domain/version", json!(1)), ".domain.version");
    refused(&with("/domain/version", json!(null)), ".domain.version");
    for chain_id in
        [json!(0), json!("0x0"), json!(-1), json!("18446744073709551616"), json!("eip155:1"), json!(1.5)]
    {
        refused(&with("/domain/chainId", chain_id), ".domain.chainId");
    }
    refused(&with("/domain/verifyingContract", json!("0x00")), ".domain.verifyingContract");
    let twice = mail().to_string().replacen("\"chainId\":1", "\"chainId\":1,\"chain\\u0049d\":2", 1);
    refused(&twice, ".domain");
}

#[test]
fn messages() {
    refused(&without("/message/to/wallet"), ".message.to.wallet");
    refused(&without("/message/contents"), ".message.contents");
    refused(&with("/message/amount", json!("1")), ".message.amount");
    refused(&with("/message/to/amount", json!("1")), ".message.to.amount");
    refused(&with("/message/to/$", json!("1")), ".message.to.$");
    // Such a name is not repeated in paths and logs.
    refused(&with("/message/to/a b", json!("1")), ".message.to");
    refused(&with("/message/to", json!(null)), ".message.to");
    refused(&with("/message/to", json!([])), ".message.to");
    refused(&with("/message/contents", json!(null)), ".message.contents");
    refused(&with("/message/contents", json!(12345)), ".message.contents");
    refused(
        &with("/message/from/wallet", json!("0xcD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")),
        ".message.from.wallet",
    );
    let twice = mail().to_string().replacen("\"contents\":", "\"c\\u006fntents\":\"\",\"contents\":", 1);
    refused(&twice, ".message");
    refused(&mail().to_string().replacen("Hello", "\\ud800", 1), ".message.contents");
    // Nothing ends a struct that has itself as a member.
    let mut endless = mail();
    endless["types"]["Person"][1] = json!({"name": "friend", "type": "Person"});
    endless["message"]["to"] = json!({"name": "a", "friend": {"name": "b"}});
    endless["message"]["from"] = endless["message"]["to"].clone();
    refused(&endless.to_string(), ".message.from.friend.friend");
}

#[test]
fn values() {
    let wrong: &[(&str, &[&str])] = &[
        ("bool", &["0", "1", "\"true\"", "\"\"", "null", "[]"]),
        ("string", &["1", "true", "null", "{}"]),
        ("bytes", &["\"\"", "\"00\"", "\"0x0\"", "\"0xzz\"", "\"hello\"", "[0]", "1", "null"]),
        ("bytes2", &["\"0x\"", "\"0x00\"", "\"0x000000\"", "\"0x0g00\"", "7"]),
        ("bytes32", &["\"0x00\"", "\"0X00\""]),
        ("address", &["\"0x\"", "0", "\"0x00000000000000000000000000000000000000000\"", "\"vitalik.eth\""]),
        (
            "uint8",
            &[
                "256",
                "-1",
                "\"-1\"",
                "\"256\"",
                "\"0x100\"",
                "\"0x\"",
                "\"\"",
                "1.0",
                "1e2",
                "0.5",
                "true",
                "null",
                "[]",
            ],
        ),
        (
            "uint8",
            &[
                "\"01\"", "\"00\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1_0\"", "\"0X1\"", "\"ff\"", "\"-0\"",
                "-0", "\"1e2\"", "\"٣\"",
            ],
        ),
        ("uint8", &["\"-0x1\"", "\"0x-1\"", "\"0x+1\"", "\"0b1\"", "\"0o7\""]),
        (
            "uint256",
            &[
                "115792089237316195423570985008687907853269984665640564039457584007913129639936",
                "\"0x10000000000000000000000000000000000000000000000000000000000000000\"",
                "\"0x00000000000000000000000000000000000000000000000000000000000000001\"",
                "1e18",
            ],
        ),
        ("int8", &["128", "-129", "\"0x80\"", "\"0xff\"", "\"-128.0\"", "\"--1\"", "\"-01\"", "\"-0x80\""]),
        ("int256", &["57896044618658097711785492504343953926634992332820282019728792003956564819968"]),
        ("uint8[]", &["1", "{}", "null", "\"0x01\""]),
        ("uint8[2]", &["[1]", "[1,2,3]", "[]"]),
    ];
    for (type_name, values) in wrong {
        for value in *values {
            refused(&one_value(type_name, value), ".message.v");
        }
    }
    refused(&one_value("uint8[]", "[1,256]"), ".message.v[1]");
    refused(&one_value("uint8[][2]", "[[1],[2,-3]]"), ".message.v[1][1]");
    refused(&one_value("uint8[2][]", "[[1,2],[2]]"), ".message.v[1]");
    refused(&one_value("bool[]", "[true,null]"), ".message.v[1]");
    refused(&one_value("T[]", "[{\"v\":[]},{\"v\":[{}]}]"), ".message.v[1].v[0].v");
}
