//! Wycheproof: what the tests verify our signatures with accepts those that are valid, and nothing else.
//!
//! libsecp256k1 judges ECDSA; AWS-LC and ed25519-dalek's strict verification judge Ed25519. The fixed form is also put
//! in its place by the parsers' own `finish`, which must take no signature that a chain would refuse.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use secp256k1::{Message, PublicKey, Secp256k1, ecdsa::Signature};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use signer_rules::chain::{self, RawSignature, SignBody, Signer, evm::EvmAddress};

use super::{Error, Refusal, Tally, bytes, read};

const HIGH_S: &str = "valid, with s in the upper half";
const HIGH_S_WHY: &str = "EVM chains take only the lower of the two (EIP-2), and the enclave makes no other";

const DER: &[Refusal] =
    &[Refusal { kind: HIGH_S, count: 72, says: "signature failed verification", why: HIGH_S_WHY }];
const FIXED: &[Refusal] =
    &[Refusal { kind: HIGH_S, count: 72, says: "s at most half of it", why: HIGH_S_WHY }];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    public_key: Key,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(alias = "pk")]
    uncompressed: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: u32,
    comment: String,
    msg: String,
    sig: String,
    result: String,
}

/// ECDSA over SHA-256 in DER.
pub(super) fn ecdsa_der(folder: &Path) -> Result<Tally, Error> {
    let name = "Wycheproof ECDSA secp256k1, DER";
    ecdsa(folder, name, "ecdsa_secp256k1_sha256_test", DER, Signature::from_der, |_| Ok(()))
}

/// ECDSA over SHA-256 as r ‖ s, through `finish` as well.
pub(super) fn ecdsa_fixed(folder: &Path) -> Result<Tally, Error> {
    let name = "Wycheproof ECDSA secp256k1, r and s";
    ecdsa(folder, name, "ecdsa_secp256k1_sha256_p1363_test", FIXED, Signature::from_compact, finish)
}

/// Ed25519, twice.
pub(super) fn ed25519(folder: &Path) -> Result<Tally, Error> {
    let mut tally = Tally::new("Wycheproof Ed25519", &[]);
    for (key, test) in tests(folder, "ed25519_test")? {
        let (message, signature) = (bytes(&test.msg)?, bytes(&test.sig)?);
        let by_aws_lc = UnparsedPublicKey::new(&ED25519, &key).verify(&message, &signature).is_ok();
        let by_dalek = strictly(&key, &message, &signature);
        let verdict = if by_aws_lc == by_dalek { Ok(by_dalek) } else { Err("they disagree".to_owned()) };
        tally.judge(label(&test), None, verdict, &(test.result == "valid"));
    }
    Ok(tally)
}

fn strictly(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = <[u8; 32]>::try_from(key) else { return false };
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&key) else { return false };
    let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
    key.verify_strict(message, &signature).is_ok()
}

fn ecdsa(
    folder: &Path,
    name: &'static str,
    file: &str,
    table: &'static [Refusal],
    parse: fn(&[u8]) -> Result<Signature, secp256k1::Error>,
    also: fn(&Signature) -> Result<(), String>,
) -> Result<Tally, Error> {
    let mut tally = Tally::new(name, table);
    let context = Secp256k1::verification_only();
    for (key, test) in tests(folder, file)? {
        let key = PublicKey::from_slice(&key)?;
        let message = Message::from_digest(Sha256::digest(bytes(&test.msg)?).into());
        let verify = |signature: &Signature| {
            also(signature)?;
            context.verify_ecdsa(message, signature, &key).map_err(|error| error.to_string())
        };
        let parsed = parse(&bytes(&test.sig)?).map_err(|error| error.to_string());
        // Nothing else is wrong with a signature that the other s makes valid.
        let lowered = parsed.as_ref().ok().copied().map(|mut signature| {
            signature.normalize_s();
            signature
        });
        let high = lowered.is_some_and(|low| parsed != Ok(low) && verify(&low).is_ok());
        let valid = test.result == "valid";
        let verdict = match parsed.and_then(|signature| verify(&signature)) {
            Err(_) if !valid => Ok(false),
            verified => verified.map(|()| true),
        };
        tally.judge(label(&test), (valid && high).then_some(HIGH_S), verdict, &valid);
    }
    Ok(tally)
}

/// Puts the signature in its place, as after signing.
fn finish(signature: &Signature) -> Result<(), String> {
    let digest = format!("0x{}", "11".repeat(32));
    let body = SignBody { digest: Some(&digest), ..SignBody::default() };
    let signer = Signer { evm_address: Some(EvmAddress::new([1; 20])), ..Signer::default() };
    let signable = chain::parse("raw.digest", &body, &signer).map_err(|rejection| rejection.to_string())?;
    let compact = signature.serialize_compact();
    let (r, s) = compact.split_first_chunk().ok_or("too short")?;
    let s = s.try_into().map_err(|_| "too long")?;
    let signature = RawSignature::Secp256k1 { r: *r, s, y_parity: false };
    signable.finish(&signature).map(|_| ()).map_err(|rejection| rejection.to_string())
}

/// Each test with its group's key.
fn tests(folder: &Path, file: &str) -> Result<Vec<(Vec<u8>, Test)>, Error> {
    let file: File = read(folder, &format!("wycheproof/{file}.json"))?;
    let mut tests = Vec::new();
    for group in file.test_groups {
        let key = bytes(&group.public_key.uncompressed)?;
        tests.extend(group.tests.into_iter().map(|test| (key.clone(), test)));
    }
    Ok(tests)
}

fn label(test: &Test) -> String {
    format!("{} ({}, {})", test.tc_id, test.comment, test.result)
}
