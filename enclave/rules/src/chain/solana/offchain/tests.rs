//! Off-chain messages made by `@solana/kit`, and malformed ones by the field each is refused for.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chain::{describe, facts, parse};

// Made with `@solana/kit` 8.4. We are the key of RFC 8032's first test vector, the other signer is the key of 32 bytes 7.
// Each is a message and its envelope with our signature.
const KIT: [(&str, &str); 5] = [
    // Version 0, restricted ASCII.
    (
        "ff736f6c616e61206f6666636861696e00f7cb1c5034f0a91315676b775beb0d30c2a994a04e69eb25e8a0312f405912990001d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a0b0048656c6c6f20776f726c64",
        "01c6c56a6aedede995963fa8e2721f68dd8f1ec3c36aa2b805de33cabaf1a2cef7353b2f6b97d64ab23c1ae81ab9e3b814234d9b023d9fbf81610c041068ed0f0f",
    ),
    // Version 0, limited UTF-8, two signers; we are the second.
    (
        "ff736f6c616e61206f6666636861696e00f7cb1c5034f0a91315676b775beb0d30c2a994a04e69eb25e8a0312f405912990102ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22cd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a0c00e29c8cf09f8fbf636f6f6c0a",
        "0200000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000aec01248294119b585052a44f72ba67e6adb79df650775059caad62f7a203278db95b12e10d5ca91670badfcf547e53ff1aa620003578665cd8f9bf8d4ae6a05",
    ),
    // Version 0, extended UTF-8, two signers; we are the first.
    (
        "ff736f6c616e61206f6666636861696e00f7cb1c5034f0a91315676b775beb0d30c2a994a04e69eb25e8a0312f405912990202d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511aea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c04006c6f6e67",
        "02b6fd797d8c78e85243a3a299dd05b24278aed30510caeca9082f383e771742965ae10ec7a55aeb041f6221b5b1406b9f0dc62d451530a5fc47c1b2f1ab3db90500000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    // Version 1.
    (
        "ff736f6c616e61206f6666636861696e0101d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a48656c6c6f0a776f726c6420e29c8cf09f8fbf",
        "012695d26c90a2c3b54685e7649ce25c25ba6f8ca1afc2a6c3b23b813918390601f7ed067625122d2ea6facd0f6b9a901214c7212de6503fcc52f56f274f9a6f0f",
    ),
    // Version 1, two signers.
    (
        "ff736f6c616e61206f6666636861696e0102d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511aea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c626f7468",
        "02cfc43bac1bf8ec7a2b7772b4d20434667a2de2c245676ab64ce2be1346958a9fd280601cca084074f6ddd7dda8d1db6f758bf97fa08cdb78adcf4001644eff0200000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
];

fn key() -> SigningKey {
    let secret = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    SigningKey::from_bytes(&secret.try_into().unwrap())
}

fn ours() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

fn parse_bytes(message: &[u8]) -> Result<Box<dyn Signable>, Rejection> {
    parse_text(&STANDARD.encode(message))
}

fn parse_text(text: &str) -> Result<Box<dyn Signable>, Rejection> {
    let signer = Signer { evm_address: None, ed25519: Some(ours()) };
    parse(facts::SOLANA_OFFCHAIN_MESSAGE, &SignBody { message: Some(text), ..SignBody::default() }, &signer)
}

fn facts_of(signable: &dyn Signable) -> &SolanaOffchainMessageFacts {
    let Facts::SolanaOffchainMessage(facts) = signable.facts() else { panic!("other facts") };
    facts
}

#[test]
fn envelopes_are_those_that_kit_makes() {
    for (message, signatures) in KIT {
        let message = hex::decode(message).unwrap();
        let signable = parse_bytes(&message).unwrap();
        assert_eq!(signable.signing_input(), SigningInput::Message(&message));
        let signature = key().sign(&message).to_bytes();
        let signed = signable.finish(&RawSignature::Ed25519(signature)).unwrap();
        let Signed::OffchainMessage(signed) = signed else { panic!("not an off-chain message") };
        assert_eq!(signed.signed_message, [hex::decode(signatures).unwrap(), message].concat());
        let others = facts_of(&*signable).signers.iter().filter(|signer| *signer.as_bytes() != ours());
        assert_eq!(signed.missing_signers, others.copied().collect::<Vec<_>>());
    }
}

#[test]
fn kits_messages_are_described() {
    let [us, other] =
        ["FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z", "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB"];
    let domain = "HgHLLXT3BVA5m7x66tEp3YNatXLth1hJwVeCva2T9RNx";
    let expected = [
        json!({"version": 0, "application_domain": domain, "format": "restricted_ascii", "signers": [us],
            "text": "Hello world"}),
        json!({"version": 0, "application_domain": domain, "format": "limited_utf8", "signers": [other, us],
            "text": "✌🏿cool\n"}),
        json!({"version": 0, "application_domain": domain, "format": "extended_utf8", "signers": [us, other],
            "text": "long"}),
        json!({"version": 1, "application_domain": null, "format": null, "signers": [us],
            "text": "Hello\nworld ✌🏿"}),
        json!({"version": 1, "application_domain": null, "format": null, "signers": [us, other], "text": "both"}),
    ];
    for ((message, _), mut expected) in KIT.into_iter().zip(expected) {
        let signable = parse_bytes(&hex::decode(message).unwrap()).unwrap();
        expected["type"] = "solana.offchain_message".into();
        assert_eq!(serde_json::to_value(signable.facts()).unwrap(), expected);
    }
}

/// A message built by hand.
#[derive(Clone)]
struct Draft {
    domain: Vec<u8>,
    version: u8,
    /// Version 0 only.
    application: Vec<u8>,
    format: Vec<u8>,
    count: Option<u8>,
    signers: Vec<[u8; 32]>,
    length: Option<u16>,
    text: Vec<u8>,
}

impl Draft {
    fn v0(format: u8) -> Self {
        Self {
            domain: SIGNING_DOMAIN.to_vec(),
            version: 0,
            application: vec![9; 32],
            format: vec![format],
            count: None,
            signers: vec![ours(), [0xee; 32], [1; 32]],
            length: None,
            text: b"pay nobody".to_vec(),
        }
    }

    fn v1() -> Self {
        let signers = vec![[1; 32], ours(), [0xee; 32]];
        Self { version: 1, application: vec![], format: vec![], signers, ..Self::v0(0) }
    }

    fn bytes(&self) -> Vec<u8> {
        let count = self.count.unwrap_or_else(|| self.signers.len().try_into().unwrap());
        let length =
            self.length.unwrap_or_else(|| u16::try_from(self.text.len()).unwrap_or(u16::MAX)).to_le_bytes();
        let length: &[u8] = if self.version == 1 { &[] } else { &length };
        let preamble =
            [&self.domain[..], &[self.version], &self.application, &self.format, &[count]].concat();
        [&preamble, self.signers.as_flattened(), length, &self.text].concat()
    }
}

type Bend = fn(&mut Draft);

const V0: [(&str, Bend); 27] = [
    ("", |draft| draft.domain[0] = 0xfe),
    ("", |draft| draft.domain[15] = b'N'),
    ("", |draft| draft.domain.truncate(15)),
    ("version", |draft| draft.version = 2),
    ("version", |draft| draft.version = 255),
    ("format", |draft| draft.format = vec![3]),
    ("format", |draft| draft.format = vec![255]),
    ("signers", |draft| draft.signers.clear()),
    ("signers", |draft| draft.count = Some(0)),
    ("signers", |draft| draft.count = Some(255)),
    ("text", |draft| draft.count = Some(2)),
    ("signers", |draft| draft.signers[0] = [2; 32]),
    ("signers[1]", |draft| draft.signers[1] = ours()),
    ("signers[2]", |draft| draft.signers[2] = draft.signers[1]),
    ("text", |draft| draft.text.clear()),
    ("text", |draft| draft.length = Some(0)),
    ("text", |draft| draft.length = Some(9)),
    ("text", |draft| draft.length = Some(11)),
    ("text", |draft| draft.length = Some(u16::MAX)),
    ("text", |draft| draft.text = b"line\nbreak".to_vec()),
    ("text", |draft| draft.text = b"tab\t".to_vec()),
    ("text", |draft| draft.text = b"del\x7f".to_vec()),
    ("text", |draft| draft.text = b"nul\0".to_vec()),
    ("text", |draft| draft.text = "\u{e9}".as_bytes().to_vec()),
    ("text", |draft| draft.text = vec![b'a'; 1233]),
    ("text", |draft| (draft.format, draft.text) = (vec![1], vec![b'a'; 1233])),
    ("text", |draft| (draft.format, draft.text) = (vec![1], vec![0xff])),
];

const V0_EXTENDED: [(&str, Bend); 5] = [
    ("text", |draft| draft.text = vec![0xe2, 0x9c]),
    ("text", |draft| draft.text = b"a\0b".to_vec()),
    ("text", |draft| draft.text = "\u{feff}a".as_bytes().to_vec()),
    ("text", |draft| draft.text = vec![b'a'; 65_536]),
    ("text", |draft| draft.text.clear()),
];

const V1: [(&str, Bend); 13] = [
    ("version", |draft| draft.version = 2),
    ("signers", |draft| draft.signers.clear()),
    ("signers", |draft| draft.count = Some(0)),
    ("signers", |draft| draft.count = Some(255)),
    ("signers", |draft| draft.signers.reverse()),
    ("signers", |draft| draft.signers.swap(0, 1)),
    ("signers[2]", |draft| draft.signers[2] = ours()),
    ("signers", |draft| draft.signers[1] = [2; 32]),
    ("text", |draft| draft.text.clear()),
    ("text", |draft| draft.text = vec![0xc0, 0x80]),
    ("text", |draft| draft.text = b"\0".to_vec()),
    ("text", |draft| draft.text = "\u{feff}".as_bytes().to_vec()),
    ("text", |draft| draft.text = vec![b'a'; 65_536]),
];

#[test]
fn wrong_messages_are_refused_by_field() {
    let cases = V0.map(|case| (Draft::v0(0), case)).into_iter();
    let cases = cases.chain(V0_EXTENDED.map(|case| (Draft::v0(2), case)));
    for (number, (mut draft, (field, bend))) in cases.chain(V1.map(|case| (Draft::v1(), case))).enumerate() {
        assert!(parse_bytes(&draft.bytes()).is_ok());
        bend(&mut draft);
        let rejection =
            parse_bytes(&draft.bytes()).err().unwrap_or_else(|| panic!("case {number} was accepted"));
        let expected = if field.is_empty() { "message".to_owned() } else { format!("message.{field}") };
        assert_eq!(rejection.field, expected, "case {number}: {rejection}");
    }
}

#[test]
fn longest_messages_are_accepted() {
    for (format, length) in [(0, 1232), (1, 1232), (2, 65_535)] {
        let draft = Draft { text: vec![b'a'; length], ..Draft::v0(format) };
        assert_eq!(facts_of(&*parse_bytes(&draft.bytes()).unwrap()).text.len(), length);
    }
    let mut signers: Vec<[u8; 32]> = (0..254_u8).map(|n| [n; 32]).chain([ours()]).collect();
    signers.sort_unstable();
    for draft in [Draft::v1(), Draft::v0(2)] {
        let draft = Draft { signers: signers.clone(), text: vec![b'a'; 65_535], ..draft };
        let signable = parse_bytes(&draft.bytes()).unwrap();
        let signed = signable.finish(&RawSignature::Ed25519([1; 64])).unwrap();
        let Signed::OffchainMessage(signed) = signed else { panic!("not an off-chain message") };
        assert_eq!((signed.signed_message[0], signed.missing_signers.len()), (255, 254));
    }
    assert_eq!(parse_text(&"A".repeat(MAX_BASE64_LEN + 4)).err().unwrap().field, "message");
}

#[test]
fn only_canonical_base64_is_read() {
    let text = STANDARD.encode(Draft::v0(0).bytes());
    for wrong in ["", "=", &text[1..], &format!("{text} "), &format!("{text}====")] {
        assert_eq!(parse_text(wrong).err().unwrap().field, "message", "{wrong}");
    }
}

#[test]
fn who_only_describes_cannot_finish() {
    let text = STANDARD.encode(Draft { signers: vec![[2; 32]], ..Draft::v0(1) }.bytes());
    let body = SignBody { message: Some(&text), ..SignBody::default() };
    assert!(describe(facts::SOLANA_OFFCHAIN_MESSAGE, &body).is_ok());
    let signable = super::parse(&body, None).unwrap();
    assert_eq!(signable.finish(&RawSignature::Ed25519([1; 64])).unwrap_err().field, "message");
}

#[test]
fn signatures_of_another_kind_are_not_put_in() {
    let signable = parse_bytes(&Draft::v1().bytes()).unwrap();
    let ecdsa = RawSignature::Secp256k1 { r: [1; 32], s: [1; 32], y_parity: false };
    for signature in [ecdsa, RawSignature::Ed25519(EMPTY_SLOT)] {
        assert_eq!(signable.finish(&signature).unwrap_err().field, "signature");
    }
}

proptest! {
    /// What is accepted is what the facts say, to the last byte.
    #[test]
    fn facts_give_the_message_back(text in "\\PC{1,40}", format in 0_u8..3, v1: bool, at: prop::sample::Index, byte: u8) {
        let draft = if v1 { Draft::v1() } else { Draft::v0(format) };
        let mut bytes = Draft { text: text.into_bytes(), ..draft }.bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(signable) = parse_bytes(&bytes) {
            let facts = facts_of(&*signable);
            let again = Draft {
                domain: SIGNING_DOMAIN.to_vec(),
                version: facts.version,
                application: facts.application_domain.map(|domain| domain.as_bytes().to_vec()).unwrap_or_default(),
                format: facts.format.map(|format| vec![format as u8]).unwrap_or_default(),
                count: None,
                signers: facts.signers.iter().map(|signer| *signer.as_bytes()).collect(),
                length: None,
                text: facts.text.clone().into_bytes(),
            };
            prop_assert_eq!(again.bytes(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in 0_u8..3) {
        let _ = parse_bytes(&bytes);
        let _ = parse_bytes(&[SIGNING_DOMAIN, &[version][..], &bytes].concat());
    }
}
