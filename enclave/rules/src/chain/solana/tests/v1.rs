//! Version 1: transactions made by `@solana/kit`, and malformed ones by the field each is refused for.

use super::*;
use crate::chain::facts::{SolanaDecodedInstruction, SolanaFees};

/// Made with `@solana/kit` 8.4: we and the key of 32 bytes 7 sign a transfer and a memo; every config value is set.
const KIT_UNSIGNED: &str = "gQIBAh8AAADMSQ6SjNLjhzuzQ/yV2jMXnKYPTb9GwsNukSmdVdTmuQIF11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURrqSmxj4pxSCr71UHsTLsX5lUd2rr6+e5JCHuppFEbSLCIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSlNamSkhBk0k6HFg2jh8fDW13bySu4HkH6hAQQVEjYgTAAAAAAAA4JMEAAAAAQAAAAEAAwIMAAQCCwAAAgIAAABAQg8AAAAAAAABdHdvIHNpZ25lcnMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
/// The same, signed by both.
const KIT_SIGNED: &str = "gQIBAh8AAADMSQ6SjNLjhzuzQ/yV2jMXnKYPTb9GwsNukSmdVdTmuQIF11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURrqSmxj4pxSCr71UHsTLsX5lUd2rr6+e5JCHuppFEbSLCIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSlNamSkhBk0k6HFg2jh8fDW13bySu4HkH6hAQQVEjYgTAAAAAAAA4JMEAAAAAQAAAAEAAwIMAAQCCwAAAgIAAABAQg8AAAAAAAABdHdvIHNpZ25lcnPEeMjvnKnFtLH31pjgARuEMWlKaFsuKWXAsPQ9brYAr2ykbA2i+qoNpSI2n+iHuyB9dWpwhR40vRnzTey8keEDHGNHFE4tvAbHgobAvVhUbTcpK9FG0VcBrRQUwG+1O+vgT/H1kQjqG1M4muUxnvpMsCK+TsksqLLCagVJaNrcCQ==";
/// A transfer paid and signed by the key of 32 bytes 7, from us.
const KIT_PARTIALLY_SIGNED: &str = "gQIAAQQAAADMSQ6SjNLjhzuzQ/yV2jMXnKYPTb9GwsNukSmdVdTmuQEE6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0izXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAwIMAAECAgAAAAcAAAAAAAAAy0uEWmksDR8lupXihjyWt3ESbgjSCvdVM2EQKUbv24zgzsiKTrRD6gix+IOVKuq1fpt9ySa3OA3BqIrdOf+0AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// The same, with our signature.
const KIT_FULLY_SIGNED: &str = "gQIAAQQAAADMSQ6SjNLjhzuzQ/yV2jMXnKYPTb9GwsNukSmdVdTmuQEE6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0izXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAwIMAAECAgAAAAcAAAAAAAAAy0uEWmksDR8lupXihjyWt3ESbgjSCvdVM2EQKUbv24zgzsiKTrRD6gix+IOVKuq1fpt9ySa3OA3BqIrdOf+0AV65EKPtmIMh3nQSTXcEeBKIB5eR60rMLDXpiNEX2D7P8mZfGQfMEUdNL1EVPihpMSH6nS0Vb4WNwe4zVZK5zg4=";
/// Our transfer without any config value.
const KIT_PLAIN: &str = "gQEAAQAAAADMSQ6SjNLjhzuzQ/yV2jMXnKYPTb9GwsNukSmdVdTmuQED11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURoiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgIMAAABAgAAAEBCDwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

fn finish(signable: &dyn Signable) -> SignedSolanaTransaction {
    match signable.finish(&RawSignature::Ed25519(sign(signable))).unwrap() {
        Signed::SolanaTransaction(signed) => signed,
        other => panic!("not a transaction: {other:?}"),
    }
}

#[test]
fn our_signature_is_the_one_that_kit_makes() {
    for (before, after, missing) in
        [(KIT_UNSIGNED, KIT_SIGNED, 1), (KIT_PARTIALLY_SIGNED, KIT_FULLY_SIGNED, 0)]
    {
        let signable = parse_text(before).unwrap();
        let signed = finish(&*signable);
        let [before, after] = [before, after].map(|text| STANDARD.decode(text).unwrap());
        let message = &before[..before.len() - 2 * 64];
        assert_eq!(signable.signing_input(), SigningInput::Message(message));
        assert_eq!(signed.missing_signers.len(), missing);
        if missing == 0 {
            assert_eq!(signed.signed_transaction, after);
        } else {
            let (theirs, empty) = signed.signed_transaction.split_at(before.len() - 64);
            assert_eq!((theirs, empty), (&after[..before.len() - 64], &[0; 64][..]));
        }
        // The payer's signature, whoever that is.
        assert_eq!(signed.transaction_id.unwrap()[..], after[message.len()..][..64]);
    }
}

#[test]
fn kits_transactions_are_described() {
    let signable = parse_text(KIT_UNSIGNED).unwrap();
    let facts = facts_of(&*signable);
    assert_eq!(facts.version, SolanaMessageVersion::V1);
    assert_eq!(
        facts.fees,
        SolanaFees {
            compute_unit_limit: Some(300_000),
            compute_unit_price: None,
            max_priority_fee: 5_000,
            loaded_accounts_data_size_limit: Some(65_536),
            heap_size: Some(65_536),
        }
    );
    assert_eq!(facts.fee_payer, SolanaAddress::new(ours()));
    assert_eq!(facts.signers.len(), 2);
    let json = serde_json::to_value(facts).unwrap();
    assert_eq!(json["version"], "v1");
    assert_eq!(json["recent_blockhash"], "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N");
    assert_eq!(json["instructions"][0]["decoded"]["lamports"], "1000000");
    assert_eq!(json["instructions"][1]["decoded"]["text"], "two signers");
    assert_eq!(json["address_table_lookups"], json!([]));

    let signable = parse_text(KIT_PLAIN).unwrap();
    assert_eq!(facts_of(&*signable).fees, SolanaFees::default());
    assert!(finish(&*signable).missing_signers.is_empty());
}

/// A version 1 transaction built by hand.
#[derive(Clone)]
struct V1Draft {
    version: u8,
    header: [u8; 3],
    mask: u32,
    /// Instructions and addresses, where they are not counted.
    counts: [Option<u8>; 2],
    keys: Vec<[u8; 32]>,
    config: Vec<u8>,
    instructions: Vec<(u8, Vec<u8>, Vec<u8>)>,
    signatures: Vec<[u8; 64]>,
    tail: Vec<u8>,
}

impl V1Draft {
    fn new() -> Self {
        let Draft { header, keys, instructions, .. } = Draft::legacy();
        let config = [&5_000_u64.to_le_bytes()[..], &32_768_u32.to_le_bytes()].concat();
        let signatures = vec![EMPTY_SLOT; 2];
        let (counts, tail) = ([None; 2], vec![]);
        Self { version: 0x81, header, mask: 0b1_0011, counts, keys, config, instructions, signatures, tail }
    }

    fn wire(&self) -> Vec<u8> {
        let length = |length: usize| u8::try_from(length).unwrap();
        let counts = [
            self.counts[0].unwrap_or_else(|| length(self.instructions.len())),
            self.counts[1].unwrap_or_else(|| length(self.keys.len())),
        ];
        let mut out =
            [&[self.version][..], &self.header, &self.mask.to_le_bytes(), &[0x33; 32], &counts].concat();
        out.extend(self.keys.as_flattened());
        out.extend(&self.config);
        for (program, accounts, data) in &self.instructions {
            out.extend([*program, length(accounts.len())]);
            out.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        }
        for (_, accounts, data) in &self.instructions {
            out.extend([&accounts[..], data].concat());
        }
        out.extend(self.signatures.as_flattened());
        out.extend(&self.tail);
        out
    }

    /// With this many accounts, none of them twice.
    fn with_keys(&mut self, count: u8) {
        let more = (self.keys.len()..usize::from(count)).map(|n| [u8::try_from(n).unwrap() + 0x80; 32]);
        self.keys.extend(more);
    }
}

#[test]
fn wrong_messages_are_refused_by_field() {
    type Bend = fn(&mut V1Draft);
    let cases: [(&str, Bend); 35] = [
        ("message.header", |draft| draft.header = [0, 0, 1]),
        ("message.header", |draft| draft.header = [2, 2, 1]),
        ("message.header", |draft| draft.header = [2, 255, 1]),
        ("message.header", |draft| draft.header = [2, 1, 3]),
        ("message.header", |draft| draft.header = [5, 0, 0]),
        ("message.header", |draft| {
            draft.with_keys(20);
            draft.header = [13, 0, 0];
            draft.signatures = vec![EMPTY_SLOT; 13];
        }),
        ("message.config", |draft| draft.mask |= 1 << 5),
        ("message.config", |draft| draft.mask |= 1 << 31),
        ("message.config", |draft| draft.mask = u32::MAX),
        ("message.config.priorityFee", |draft| draft.mask = 0b1_0001),
        ("message.config.priorityFee", |draft| draft.mask = 0b1_0010),
        ("message.config.heapSize", |draft| draft.config[8..].copy_from_slice(&0_u32.to_le_bytes())),
        ("message.config.heapSize", |draft| draft.config[8..].copy_from_slice(&31_744_u32.to_le_bytes())),
        ("message.config.heapSize", |draft| draft.config[8..].copy_from_slice(&32_769_u32.to_le_bytes())),
        ("message.config.heapSize", |draft| draft.config[8..].copy_from_slice(&263_168_u32.to_le_bytes())),
        ("message.config.heapSize", |draft| draft.config[8..].copy_from_slice(&u32::MAX.to_le_bytes())),
        ("message.instructions", |draft| {
            draft.instructions = vec![(3, vec![], vec![]); 65];
        }),
        ("message.instructions", |draft| draft.counts[0] = Some(255)),
        ("message.accountKeys", |draft| draft.with_keys(65)),
        ("message.accountKeys", |draft| draft.counts[1] = Some(255)),
        ("message.accountKeys", |draft| draft.counts[1] = Some(64)),
        ("message.accountKeys[1]", |draft| draft.keys[1] = draft.keys[0]),
        ("message.accountKeys[3]", |draft| draft.keys[3] = draft.keys[2]),
        ("message.instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 0),
        ("message.instructions[0].programIdIndex", |draft| draft.instructions[0].0 = 4),
        ("message.instructions[0].accounts[1]", |draft| draft.instructions[0].1 = vec![0, 4]),
        ("message.instructions[1].accounts[0]", |draft| {
            draft.instructions.push((3, vec![255], vec![]));
        }),
        ("signatures", |draft| draft.signatures = vec![]),
        ("signatures", |draft| draft.signatures = vec![EMPTY_SLOT]),
        ("signatures", |draft| draft.signatures = vec![EMPTY_SLOT; 3]),
        ("signatures", |draft| draft.tail = vec![0]),
        ("", |draft| draft.tail = vec![0; 4096]),
        ("", |draft| draft.keys[0] = [1; 32]),
        ("", |draft| draft.keys.rotate_right(2)),
        // Not version 1, so a number of signatures.
        ("signatures", |draft| draft.version = 0x82),
    ];
    for (number, (field, bend)) in cases.into_iter().enumerate() {
        let mut draft = V1Draft::new();
        bend(&mut draft);
        let rejection =
            parse_wire(&draft.wire()).err().unwrap_or_else(|| panic!("case {number} was accepted"));
        let expected =
            if field.is_empty() { "transaction".to_owned() } else { format!("transaction.{field}") };
        assert_eq!(rejection.field, expected, "case {number}: {rejection}");
    }
    assert!(parse_wire(&V1Draft::new().wire()).is_ok());
}

#[test]
fn every_truncation_is_refused() {
    let wire = V1Draft::new().wire();
    for length in 0..wire.len() {
        let rejection = parse_wire(&wire[..length]).err().unwrap();
        assert!(rejection.field.starts_with("transaction."), "{length}: {rejection}");
    }
}

#[test]
fn the_bounds_are_exact() {
    let mut draft = V1Draft::new();
    draft.with_keys(64);
    draft.header = [12, 0, 0];
    draft.signatures = vec![EMPTY_SLOT; 12];
    draft.instructions = vec![(3, vec![0, 63], vec![]); 64];
    let room = MAX_V1_WIRE_LEN - draft.wire().len();
    draft.instructions[63].2 = vec![7; room];
    assert_eq!(draft.wire().len(), 4096);
    let signable = parse_wire(&draft.wire()).unwrap();
    assert_eq!(finish(&*signable).missing_signers.len(), 11);
    draft.instructions[63].2.push(7);
    assert_eq!(parse_wire(&draft.wire()).err().unwrap().field, "transaction");
}

/// The runtime ignores them, so they must not look like the fee.
#[test]
fn compute_budget_instructions_are_without_effect() {
    let mut draft = V1Draft::new();
    let program: SolanaAddress = "ComputeBudget111111111111111111111111111111".parse().unwrap();
    draft.keys[3] = *program.as_bytes();
    let price = [&[3][..], &u64::MAX.to_le_bytes()].concat();
    draft.instructions = vec![(3, vec![], price.clone()), (3, vec![], price), (3, vec![], vec![9])];
    let signable = parse_wire(&draft.wire()).unwrap();
    let facts = facts_of(&*signable);
    assert_eq!((facts.fees.compute_unit_price, facts.fees.max_priority_fee), (None, 5_000));
    let decoded = |index: usize| facts.instructions[index].decoded.clone();
    assert!(matches!(decoded(0), Some(SolanaDecodedInstruction::ComputeBudget(_))));
    assert_eq!(decoded(2), None);
}
