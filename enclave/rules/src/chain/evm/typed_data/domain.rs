//! `domain`: who the message is for.

use super::DOMAIN_TYPE;
use super::encode::Word;
use super::types::{StructType, Types};
use super::value::Reader;
use crate::chain::Rejection;
use crate::chain::facts::{TypedDataDomain, TypedField, TypedValue};
use crate::chain::json::Value;

/// The members of EIP-712, in its order. A definition has some of them, or none, in this order: that is the only one in
/// which ethers and eth-account hash them, whatever the definition says, so in another one clients would disagree.
const STANDARD: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];

/// The domain and its separator.
pub(super) fn read(types: &Types, value: Value<'_>) -> Result<(TypedDataDomain, Word), Rejection> {
    let one = types.domain()?;
    check_definition(one)?;
    let (fields, separator) = Reader::new(types).structure(one, value)?;
    let mut domain = TypedDataDomain::default();
    for field in fields {
        set(&mut domain, field)?;
    }
    Ok((domain, separator))
}

fn check_definition(one: &StructType) -> Result<(), Rejection> {
    let mut standard = STANDARD.iter();
    for (index, field) in one.fields.iter().enumerate() {
        if !standard.any(|known| *known == (field.name.as_str(), field.type_name.as_str())) {
            let message = "is not a member of EIP-712's domain at this place: string name, string version, uint256 \
                           chainId, address verifyingContract, bytes32 salt, in this order";
            return Err(Rejection::new(format!("typed_data.types.{DOMAIN_TYPE}[{index}]"), message));
        }
    }
    Ok(())
}

fn set(domain: &mut TypedDataDomain, field: TypedField) -> Result<(), Rejection> {
    let reject = |message| Rejection::new(format!("typed_data.domain.{}", field.name), message);
    match (field.name.as_str(), field.value) {
        ("name", TypedValue::String(name)) => domain.name = Some(name),
        ("version", TypedValue::String(version)) => domain.version = Some(version),
        ("chainId", TypedValue::Uint(chain_id)) => {
            // No chain has this id. Some contracts take it for every chain, which is said by leaving the member out.
            if chain_id.is_zero() {
                return Err(reject("must not be 0: no chain has this id"));
            }
            let chain_id = u64::try_from(chain_id).map_err(|_| reject("must be below 2^64"))?;
            domain.chain_id = Some(chain_id);
        }
        ("verifyingContract", TypedValue::Address(contract)) => domain.verifying_contract = Some(contract),
        ("salt", TypedValue::FixedBytes(salt)) => {
            domain.salt = Some(salt.try_into().map_err(|_| reject("must be 32 bytes"))?);
        }
        _ => return Err(reject("is not a member of EIP-712's domain")),
    }
    Ok(())
}
