//! One record: its frame is read strictly, its content is the enclave's to choose.
//!
//! A record proves itself by its digest, so what a verifier need not understand it need not refuse:
//! a later enclave may say more in an entry.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{authority::AuthorityId, hex_bytes::HexBytes, timestamp::Timestamp};

/// The longest line, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// A record of the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counted from 0 in each boot.
    pub sequence: u64,
    /// When, by the enclave's clock.
    pub time: Timestamp,
    /// SHA-256 of the line before, without its line break; zeros in record 0.
    pub previous: HexBytes<32>,
    /// What it records: `boot`, `decision` and so on.
    pub kind: String,
    /// The details, in JSON as they were written.
    pub entry: Box<RawValue>,
    /// SHA-256 of the record's line.
    pub digest: HexBytes<32>,
}

/// What record 0 says: under what the boot runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Boot {
    /// Whose appliance.
    pub authority: AuthorityId,
    /// The boot.
    pub boot_id: HexBytes<16>,
    /// The boot's public key, Ed25519.
    pub identity_key: HexBytes<32>,
    /// PCR16.
    pub configuration_pcr: HexBytes<48>,
    /// Version of the first policy bundle.
    pub policy_version: u64,
    /// Digest of the first policy bundle.
    pub policy_digest: HexBytes<32>,
}

impl Record {
    /// Reads a line, which proves nothing yet: a chain does.
    pub fn parse(line: &str) -> Result<Self, String> {
        if line.len() > MAX_LINE {
            return Err(format!("it is longer than {MAX_LINE} bytes"));
        }
        let Fields { sequence, time, previous, kind, entry } =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let digest = HexBytes(Sha256::digest(line).into());
        Ok(Self { sequence, time, previous, kind, entry, digest })
    }
}

struct Fields {
    sequence: u64,
    time: Timestamp,
    previous: HexBytes<32>,
    kind: String,
    entry: Box<RawValue>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: sequence, time, previous and one entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let (mut sequence, mut time, mut previous, mut entry) = (None, None, None, None);
        while let Some(member) = map.next_key::<String>()? {
            let again = match member.as_str() {
                "sequence" => sequence.replace(map.next_value()?).is_some(),
                "time" => time.replace(map.next_value()?).is_some(),
                "previous" => previous.replace(map.next_value()?).is_some(),
                _ => entry.replace((member, map.next_value()?)).is_some(),
            };
            if again {
                return Err(A::Error::custom("a member is repeated, or there are two entries"));
            }
        }
        let (kind, entry) = entry.ok_or_else(|| A::Error::custom("there is no entry"))?;
        Ok(Fields {
            sequence: sequence.ok_or_else(|| A::Error::missing_field("sequence"))?,
            time: time.ok_or_else(|| A::Error::missing_field("time"))?,
            previous: previous.ok_or_else(|| A::Error::missing_field("previous"))?,
            kind,
            entry,
        })
    }
}
