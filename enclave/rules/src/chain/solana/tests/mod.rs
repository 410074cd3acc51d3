//! A transfer signed end to end, and helpers; malformed inputs and comparisons with solana-message are beside.

mod against_solana_message;
mod fees;
mod malformed;
mod v1;

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use serde_json::value::to_raw_value;

use super::*;
use crate::chain::facts::{ChainScope, SolanaAccount, SolanaAccountKey, SolanaMessageVersion};
use crate::chain::parse;
use crate::chain::solana::wire::tests::compact_u16;

/// The key of RFC 8032's first test vector.
fn key() -> SigningKey {
    let secret = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    SigningKey::from_bytes(&secret.try_into().unwrap())
}

fn ours() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

fn parse_wire(wire: &[u8]) -> Result<Box<dyn Signable>, Rejection> {
    parse_text(&STANDARD.encode(wire))
}

fn parse_text(text: &str) -> Result<Box<dyn Signable>, Rejection> {
    let raw = to_raw_value(text).unwrap();
    let signer = Signer { evm_address: None, ed25519: Some(ours()) };
    parse("solana.transaction", &SignBody { transaction: Some(&raw), ..SignBody::default() }, &signer)
}

fn facts_of(signable: &dyn Signable) -> &SolanaTransactionFacts {
    let Facts::Solana(facts) = signable.facts() else { panic!("another chain's facts") };
    facts
}

fn sign(signable: &dyn Signable) -> [u8; 64] {
    match signable.signing_input() {
        SigningInput::Message(message) => key().sign(message).to_bytes(),
        SigningInput::Prehash(_) => panic!("expected a message"),
    }
}

/// The wire format with these signatures.
fn wire(signatures: &[[u8; 64]], message: &[u8]) -> Vec<u8> {
    [&compact_u16(signatures.len().try_into().unwrap()), signatures.as_flattened(), message].concat()
}

type Lookup = ([u8; 32], Vec<u8>, Vec<u8>);

/// A message built by hand, so that tests can bend every part of it.
#[derive(Clone)]
struct Draft {
    prefix: Vec<u8>,
    header: [u8; 3],
    keys: Vec<[u8; 32]>,
    blockhash: Vec<u8>,
    /// Program, accounts, data.
    instructions: Vec<(u8, Vec<u8>, Vec<u8>)>,
    /// Table, writable and read-only indexes; `None` for legacy.
    lookups: Option<Vec<Lookup>>,
    tail: Vec<u8>,
}

impl Draft {
    /// Ours pays 1,000,000 lamports to 0x22…22, and 0x11…11 signs too.
    fn legacy() -> Self {
        let data = [&2_u32.to_le_bytes()[..], &1_000_000_u64.to_le_bytes()].concat();
        Self {
            prefix: vec![],
            header: [2, 1, 1],
            keys: vec![ours(), [0x11; 32], [0x22; 32], [0; 32]],
            blockhash: vec![0x33; 32],
            instructions: vec![(3, vec![0, 2], data)],
            lookups: None,
            tail: vec![],
        }
    }

    fn v0() -> Self {
        let mut draft = Self::legacy();
        draft.prefix = vec![0x80];
        draft.lookups = Some(vec![([0x44; 32], vec![9], vec![5, 6]), ([0x55; 32], vec![9], vec![])]);
        draft.instructions[0].1 = vec![0, 2, 4, 5, 6, 7];
        draft
    }

    fn bytes(&self) -> Vec<u8> {
        let counted = |bytes: &[u8]| [compact_u16(bytes.len().try_into().unwrap()), bytes.to_vec()].concat();
        let count = |length: usize| compact_u16(length.try_into().unwrap());
        let mut out = [
            &self.prefix,
            &self.header[..],
            &count(self.keys.len()),
            self.keys.as_flattened(),
            &self.blockhash,
        ]
        .concat();
        out.extend(count(self.instructions.len()));
        for (program, accounts, data) in &self.instructions {
            out.extend([&[*program][..], &counted(accounts), &counted(data)].concat());
        }
        if let Some(lookups) = &self.lookups {
            out.extend(count(lookups.len()));
            for (table, writable, readonly) in lookups {
                out.extend([&table[..], &counted(writable), &counted(readonly)].concat());
            }
        }
        out.extend(&self.tail);
        out
    }

    /// With as many empty slots as the header asks for, up to what fits a packet.
    fn wire(&self) -> Vec<u8> {
        wire(&vec![EMPTY_SLOT; self.header[0].min(5).into()], &self.bytes())
    }
}

#[test]
fn facts_describe_a_legacy_transfer() {
    let signable = parse_wire(&Draft::legacy().wire()).unwrap();
    let (us, other) = (SolanaAddress::new(ours()), SolanaAddress::new([0x11; 32]));
    let recipient = SolanaAddress::new([0x22; 32]).to_string();
    assert_eq!(
        (signable.facts().operation(), signable.facts().chain()),
        ("solana.transaction", ChainScope::None)
    );
    assert_eq!(
        serde_json::to_value(signable.facts()).unwrap(),
        json!({"type": "solana.transaction",
            "version": "legacy", "fee_payer": us, "signers": [us, other],
            "recent_blockhash": SolanaAddress::new([0x33; 32]),
            "fees": {"compute_unit_limit": null, "compute_unit_price": null, "max_priority_fee": "0",
                "loaded_accounts_data_size_limit": null, "heap_size": null},
            "account_keys": [
                {"address": us, "signer": true, "writable": true},
                {"address": other, "signer": true, "writable": false},
                {"address": recipient, "signer": false, "writable": true},
                {"address": "11111111111111111111111111111111", "signer": false, "writable": false},
            ],
            "instructions": [{
                "program_id": "11111111111111111111111111111111",
                "accounts": [
                    {"address": us, "signer": true, "writable": true},
                    {"address": recipient, "signer": false, "writable": true},
                ],
                "data": "0x0200000040420f0000000000",
                "decoded": {"program": "system", "instruction": "transfer", "lamports": "1000000",
                    "from": {"address": us, "signer": true, "writable": true},
                    "to": {"address": recipient, "signer": false, "writable": true}},
            }],
            "address_table_lookups": [],
        })
    );
}

#[test]
fn looked_up_accounts_come_after_the_named_ones_writable_first() {
    let signable = parse_wire(&Draft::v0().wire()).unwrap();
    let facts = facts_of(&*signable);
    assert_eq!(facts.version, SolanaMessageVersion::V0);
    let [first, second] = [[0x44; 32], [0x55; 32]].map(SolanaAddress::new);
    let lookup = |table, index, writable| SolanaAccount::Lookup { table, index, writable };
    let recipient =
        SolanaAccountKey { address: SolanaAddress::new([0x22; 32]), signer: false, writable: true };
    let expected = [
        SolanaAccount::Static(SolanaAccountKey {
            address: SolanaAddress::new(ours()),
            signer: true,
            writable: true,
        }),
        SolanaAccount::Static(recipient),
        lookup(first, 9, true),
        lookup(second, 9, true),
        lookup(first, 5, false),
        lookup(first, 6, false),
    ];
    assert_eq!(facts.instructions[0].accounts, expected);
    assert_eq!(
        serde_json::to_value(facts.instructions[0].accounts[2]).unwrap(),
        json!({"table": first, "index": 9, "writable": true})
    );
}

#[test]
fn only_our_slot_is_filled() {
    let other = SigningKey::from_bytes(&[9; 32]);
    let mut draft = Draft::legacy();
    draft.keys[1] = other.verifying_key().to_bytes();
    let message = draft.bytes();
    let theirs = other.sign(&message).to_bytes();
    for (ours_before, theirs) in [(EMPTY_SLOT, EMPTY_SLOT), (EMPTY_SLOT, theirs), ([8; 64], EMPTY_SLOT)] {
        let signable = parse_wire(&wire(&[ours_before, theirs], &message)).unwrap();
        let signature = sign(&*signable);
        let Signed::SolanaTransaction(signed) = signable.finish(&RawSignature::Ed25519(signature)).unwrap()
        else {
            panic!("not Solana")
        };
        assert_eq!(signed.signed_transaction, wire(&[signature, theirs], &message));
        let missing = if theirs == EMPTY_SLOT { vec![SolanaAddress::new(draft.keys[1])] } else { vec![] };
        assert_eq!(signed.missing_signers, missing);
        assert_eq!(signed.transaction_id, Some(signature));
        assert_eq!(signable.signing_input(), SigningInput::Message(&message));
    }
}

#[test]
fn a_slot_that_holds_no_signature_is_refused() {
    let other = SigningKey::from_bytes(&[9; 32]);
    let mut draft = Draft::legacy();
    draft.keys[1] = other.verifying_key().to_bytes();
    let message = draft.bytes();
    let elsewhere = other.sign(b"another message").to_bytes();
    for theirs in [[7; 64], elsewhere, sign(&*parse_wire(&draft.wire()).unwrap())] {
        let refused = parse_wire(&wire(&[EMPTY_SLOT, theirs], &message)).err().unwrap();
        assert_eq!(refused.field, "transaction.signatures[1]");
    }
}

#[test]
fn the_transaction_has_no_id_before_the_fee_payer_signed() {
    let mut draft = Draft::legacy();
    draft.keys.swap(0, 1);
    let signable = parse_wire(&draft.wire()).unwrap();
    let signature = sign(&*signable);
    let signed = signable.finish(&RawSignature::Ed25519(signature)).unwrap();
    assert_eq!(
        serde_json::to_value(&signed).unwrap(),
        json!({
            "signature": bs58::encode(signature).into_string(),
            "signed_transaction": STANDARD.encode(wire(&[EMPTY_SLOT, signature], &draft.bytes())),
            "missing_signers": [SolanaAddress::new([0x11; 32])],
            "transaction_id": null,
        })
    );
}

#[test]
fn signatures_of_another_kind_are_not_put_in() {
    let signable = parse_wire(&Draft::legacy().wire()).unwrap();
    let ecdsa = RawSignature::Secp256k1 { r: [1; 32], s: [1; 32], y_parity: false };
    for signature in [ecdsa, RawSignature::Ed25519(EMPTY_SLOT)] {
        assert_eq!(signable.finish(&signature).unwrap_err().field, "signature");
    }
}
