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
const REFUSED: &[(&str, &str)] = &[
    ("valid_space_in_custom_type_fieldname", NAME),
    ("valid_primary_type_is_empty_string", NAME),
    ("valid_space_in_custom_type_metamask_returns_empty_string_if_non_alphanum_in_custom_type", NAME),
    ("invalid_data_field_name_does_not_match_type_field_name", NAME),
    ("valid_missing_eip712_type_metamask_ignores_domain_data_if_domain_types_not_present", MISSING),
    ("valid_missing_primary_type_key_metamask_requires_primary_type_key", MISSING),
    ("valid_missing_primary_type_key_and_eip712domain_type_metamask_needs_primarytype", MISSING),
    ("valid_eip712_example_ethers_does_not_accept_recursive_custom_types", MISSING),
    ("one_arg_invalid_domain_type_not_in_domain_values", MISSING),
    ("one_arg_invalid_non_primary_type_for_primary_type", MISSING),
    ("one_arg_invalid_domain_value_not_in_domain_types", UNDECLARED),
    ("valid_null_value_for_custom_type_ethers_requires_non_null", NULL),
    ("valid_int_value_for_string_type_ethers_handles_mismatched_type_and_value_differently", WRONG_VALUE),
    ("invalid_char_string_invalid_for_int_type", WRONG_VALUE),
    ("invalid_single_array_value_for_nested_array_type", WRONG_VALUE),
    ("invalid_string_array_value_for_nested_string_array_type", WRONG_VALUE),
    ("invalid_bad_uint_field_type_in_types_passed_an_int", NO_TYPE),
    ("invalid_bad_uint_field_type_in_types_passed_a_string", NO_TYPE),
    ("invalid_undefined_field_type_in_types", NO_TYPE),
    ("invalid_custom_typed_used_but_not_defined", NO_TYPE),
    ("one_arg_invalid_undefined_type_for_primary_type", NO_TYPE),
];

const NAME: &str = "a name that is no identifier";
const MISSING: &str = "something is missing";
const UNDECLARED: &str = "a member that no type declares";
const NULL: &str = "null for a struct";
const WRONG_VALUE: &str = "a value of another type than declared";
const NO_TYPE: &str = "a type that does not exist";

const TABLE: &[Refusal] = &[
    Refusal {
        kind: NAME,
        count: 4,
        says: "letter",
        why: "with other characters in names, encodeType would not say where one ends",
    },
    Refusal {
        kind: MISSING,
        count: 6,
        says: "is missing",
        why: "libraries put different things in its place, or leave the domain out of the hash",
    },
    Refusal {
        kind: UNDECLARED,
        count: 1,
        says: "is not a known field",
        why: "it would be shown and not signed",
    },
    Refusal { kind: NULL, count: 1, says: "must not be null", why: "EIP-712 gives it no encoding" },
    Refusal {
        kind: WRONG_VALUE,
        count: 4,
        says: "must ",
        why: "libraries convert it differently, so the signature would be for whichever asks",
    },
    Refusal { kind: NO_TYPE, count: 5, says: "one of the types", why: "nothing says how to encode it" },
];

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
