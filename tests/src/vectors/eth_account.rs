//! eth-account's own cases: typed data of every shape, valid and not, and EIP-4844.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use signer_rules::chain::SignBody;

use super::{Error, Refusal, Tally, bytes, key::Key, read};
use crate::demo::{Item, rlp_list_header};

/// EIP-2718 type of EIP-4844.
const TYPE: u8 = 3;
/// Of a blob transaction; then y parity, r, s.
const UNSIGNED_FIELDS: usize = 11;

/// Which cases are refused, by name and kind.
const REFUSED: &[(&str, &str)] = &[];

const TABLE: &[Refusal] = &[];

#[derive(Deserialize)]
struct Typed {
    group: String,
    name: String,
    #[serde(rename = "typed_data")]
    data: Box<RawValue>,
    digest: Option<String>,
}

/// Typed data against the digests that eth-account makes; what it refuses must be refused.
pub(super) fn typed_data(folder: &Path) -> Result<Tally, Error> {
    let key = Key::parse(&format!("0x{}", "46".repeat(32)))?;
    let mut tally = Tally::new("eth-account typed data", TABLE);
    for case in read::<Vec<Typed>>(folder, "eth-account/typed-data.json")? {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name).map(|(_, kind)| *kind);
        let made = key.sign_typed_data(&case.data).map(|(digest, _)| Some(digest.to_vec()));
        let published = case.digest.as_deref().map(bytes).transpose()?;
        tally.judge(format!("{}/{}", case.group, case.name), expected, made, &published);
    }
    Ok(tally)
}

#[derive(Deserialize)]
struct Blob {
    name: String,
    key: String,
    signed: String,
}

/// Blob transactions in the form that a chain includes: what travels between nodes has the sidecar beside it.
pub(super) fn blobs(folder: &Path) -> Result<Tally, Error> {
    let mut tally = Tally::new("eth-account blob transactions", &[]);
    for case in read::<Vec<Blob>>(folder, "eth-account/blobs.json")? {
        let published = without_sidecar(&bytes(&case.signed)?)?;
        let unsigned = format!("0x{}", hex::encode(unsigned(&published)?));
        let body = SignBody { unsigned: Some(&unsigned), ..SignBody::default() };
        tally.judge(&case.name, None, Key::parse(&case.key)?.sign_transaction(&body), &published);
    }
    Ok(tally)
}

/// `0x03` and the signed fields, of `0x03` and a list of these, blobs, commitments and proofs.
fn without_sidecar(network: &[u8]) -> Result<Vec<u8>, Error> {
    let fields = items(network.get(1..).ok_or("an empty transaction")?)?;
    let signed = fields.first().ok_or("an empty list")?;
    Ok([&[TYPE], *signed].concat())
}

/// The unsigned serialization of a signed one: without the last three fields.
fn unsigned(signed: &[u8]) -> Result<Vec<u8>, Error> {
    let fields = items(&signed[1..])?;
    let kept = fields.get(..UNSIGNED_FIELDS).ok_or("too few fields")?.concat();
    Ok([vec![TYPE], rlp_list_header(kept.len()), kept].concat())
}

/// The items of an RLP list, each with its header.
fn items(list: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let outer = Item::read(list)?;
    let mut rest = outer.content;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let whole = Item::read(rest)?.whole;
        items.push(whole);
        rest = &rest[whole.len()..];
    }
    Ok(items)
}
