//! Malformed transactions, and the field each is refused for.

use super::*;

/// Bends a draft. An empty field in the tables below stands for the transaction or the message as a whole.
type Bend = fn(&mut Draft);

#[test]
fn wrong_messages_are_refused_by_field() {
    let legacy: [(&str, Bend); 28] = [
        ("version", |draft| draft.prefix = vec![0x81]),
        ("version", |draft| draft.prefix = vec![0x82]),
        ("version", |draft| draft.prefix = vec![0xff]),
        ("header", |draft| draft.header = [0, 0, 1]),
        ("header", |draft| draft.header = [5, 0, 0]),
        ("header", |draft| draft.header = [127, 0, 0]),
        ("header", |draft| draft.header = [2, 2, 1]),
        ("header", |draft| draft.header = [2, 3, 1]),
        ("header", |draft| draft.header = [2, 255, 1]),
        ("header", |draft| draft.header = [2, 1, 3]),
        ("header", |draft| draft.header = [2, 1, 255]),
        ("header", |draft| draft.keys.clear()),
        ("accountKeys[1]", |draft| draft.keys[1] = draft.keys[0]),
        ("accountKeys[3]", |draft| draft.keys[3] = draft.keys[2]),
        ("instructions", |draft| draft.blockhash = vec![0xff; 31]),
        ("recentBlockhash", |draft| {
            draft.blockhash.clear();
            draft.instructions.clear();
        }),
        ("instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 0),
        ("instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 4),
        ("instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 255),
        ("instructions[0].accounts[0]", |draft| draft.instructions[0].1 = vec![4]),
        ("instructions[0].accounts[2]", |draft| draft.instructions[0].1 = vec![1, 2, 200]),
        ("instructions[2].accounts[0]", |draft| {
            draft.instructions = vec![(3, vec![0], vec![]), (3, vec![], vec![]), (3, vec![9], vec![])];
        }),
        ("", |draft| draft.tail = vec![0]),
        ("", |draft| draft.tail = vec![1, 2, 3]),
        ("", |draft| draft.lookups = Some(vec![])),
        ("", |draft| draft.lookups = Some(vec![([1; 32], vec![0], vec![])])),
        ("", |draft| draft.keys[0] = [1; 32]),
        ("", |draft| draft.keys.rotate_right(2)),
    ];
    let v0: [(&str, Bend); 17] = [
        ("addressTableLookups", |draft| draft.lookups = None),
        ("addressTableLookups[0]", |draft| draft.lookups.as_mut().unwrap()[0] = ([7; 32], vec![], vec![])),
        ("addressTableLookups[1]", |draft| draft.lookups.as_mut().unwrap()[1].0 = [0x44; 32]),
        ("addressTableLookups[0]", |draft| draft.lookups.as_mut().unwrap()[0].2 = vec![5, 5]),
        ("addressTableLookups[0]", |draft| draft.lookups.as_mut().unwrap()[0].2 = vec![9]),
        ("accountKeys", |draft| {
            draft.lookups.as_mut().unwrap()[0].1 = (0..=255).filter(|n| *n != 5 && *n != 6).collect();
        }),
        ("instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 4),
        ("instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 0),
        ("instructions[0].accounts[0]", |draft| draft.instructions[0].1 = vec![8]),
        ("instructions[0].accounts[1]", |draft| draft.instructions[0].1 = vec![7, 255]),
        ("header", |draft| draft.header = [0, 0, 0]),
        ("header", |draft| draft.header = [4, 0, 1]),
        ("header", |draft| draft.header = [1, 1, 0]),
        ("accountKeys[2]", |draft| draft.keys[2] = draft.keys[0]),
        ("instructions", |draft| draft.prefix = vec![0x80, 0x80]),
        ("", |draft| draft.tail = vec![0]),
        ("", |draft| draft.tail = vec![0x80]),
    ];
    let cases = legacy.map(|case| (Draft::legacy as fn() -> Draft, case));
    for (number, (draft, (field, bend))) in
        cases.into_iter().chain(v0.map(|case| (Draft::v0 as _, case))).enumerate()
    {
        let mut draft = draft();
        bend(&mut draft);
        let rejection =
            parse_wire(&draft.wire()).err().unwrap_or_else(|| panic!("case {number} was accepted"));
        if field.is_empty() {
            assert!(
                ["transaction", "transaction.message"].contains(&&*rejection.field),
                "case {number}: {rejection}"
            );
        } else {
            assert_eq!(rejection.field, format!("transaction.message.{field}"), "case {number}: {rejection}");
        }
    }
}

#[test]
fn wrong_signatures_are_refused() {
    let message = Draft::legacy().bytes();
    let slots = |count| wire(&vec![EMPTY_SLOT; count], &message);
    let long_form = [&[0x82, 0x00][..], &[0; 128], &message].concat();
    let too_many_claimed = [&[0x13][..], &[0; 128]].concat();
    for wrong in [slots(1), slots(3), long_form, too_many_claimed, vec![], vec![0x80], vec![0x80, 0x80, 0x04]]
    {
        assert_eq!(parse_wire(&wrong).err().unwrap().field, "transaction.signatures", "{wrong:02x?}");
    }
    assert_eq!(parse_wire(&slots(0)).err().unwrap().field, "transaction.signatures");
    assert_eq!(parse_wire(&slots(2)[..129]).err().unwrap().field, "transaction.message.header");
    assert_eq!(parse_wire(&slots(2)[..131]).err().unwrap().field, "transaction.message.header");
    let truncated = &slots(2)[..slots(2).len() - 1];
    assert_eq!(parse_wire(truncated).err().unwrap().field, "transaction.message.instructions");
}

#[test]
fn a_transaction_without_our_signature_names_our_address() {
    let mut draft = Draft::legacy();
    draft.keys[0] = [1; 32];
    let rejection = parse_wire(&draft.wire()).err().unwrap();
    assert_eq!(rejection.field, "transaction");
    assert!(rejection.message.contains(&SolanaAddress::new(ours()).to_string()), "{rejection}");
    // Being an account of the transaction is not enough.
    draft.keys[2] = ours();
    assert_eq!(parse_wire(&draft.wire()).err().unwrap().field, "transaction");
}

#[test]
fn lengths_have_one_encoding() {
    let draft = Draft::legacy();
    let bytes = draft.bytes();
    let keys_at = 3;
    let instructions_at = keys_at + 1 + 4 * 32 + 32;
    for (at, field) in
        [(keys_at, "accountKeys"), (instructions_at, "instructions"), (instructions_at + 2, "instructions")]
    {
        let mut long = bytes.clone();
        long[at] |= 0x80;
        long.insert(at + 1, 0);
        let rejection = parse_wire(&wire(&[EMPTY_SLOT; 2], &long)).err().unwrap();
        assert_eq!(rejection.field, format!("transaction.message.{field}"));
    }
}

#[test]
fn only_canonical_base64_of_a_packet_is_read() {
    let text = STANDARD.encode(Draft::legacy().wire());
    assert!(text.ends_with('='));
    let unpadded = text.trim_end_matches('=').to_owned();
    let last = unpadded.len() - 1;
    let stray_bits = format!("{}{}", &text[..last], text[last..].replacen('A', "B", 1));
    assert_ne!(stray_bits, text);
    let url_safe = format!("-_{}", &text[2..]);
    let spaced = format!("{} {}", &text[..8], &text[8..]);
    for wrong in
        ["", "=", &unpadded, &stray_bits, &url_safe, &spaced, &format!("{text}=="), &"A".repeat(50_000)]
    {
        assert!(parse_text(wrong).err().unwrap().field.starts_with("transaction"), "{wrong}");
    }
    for json in ["null", "7", "{}", "[1]"] {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let signer = Signer { evm_address: None, ed25519: Some(ours()) };
        let body = SignBody { transaction: Some(&raw), ..SignBody::default() };
        assert_eq!(parse("solana.transaction", &body, &signer).err().unwrap().field, "transaction");
    }
}

#[test]
fn the_size_bound_is_exact() {
    let with_data = |length: usize| {
        let mut draft = Draft::legacy();
        draft.instructions[0].2 = vec![1; length];
        draft.wire()
    };
    let other = with_data(200).len() - 200;
    assert_eq!(with_data(MAX_WIRE_LEN - other).len(), MAX_WIRE_LEN);
    assert!(parse_wire(&with_data(MAX_WIRE_LEN - other)).is_ok());
    assert_eq!(parse_wire(&with_data(MAX_WIRE_LEN - other + 1)).err().unwrap().field, "transaction");
}

#[test]
fn bodies_need_the_right_member_and_key() {
    let raw = to_raw_value("AA==").unwrap();
    let signer = Signer { evm_address: None, ed25519: Some(ours()) };
    let field = |transaction, unsigned, signer: &Signer| {
        parse("solana.transaction", &SignBody { transaction, unsigned, ..SignBody::default() }, signer)
            .err()
            .unwrap()
            .field
    };
    assert_eq!(field(None, None, &signer), "transaction");
    assert_eq!(field(None, Some("0x"), &signer), "unsigned");
    assert_eq!(field(Some(&*raw), Some("0x"), &signer), "unsigned");
    assert_eq!(field(Some(&*raw), None, &Signer::default()), "path");
}
