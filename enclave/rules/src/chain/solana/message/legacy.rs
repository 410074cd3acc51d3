//! Messages without a version, and version 0: the same fields, and lookups at the end of the latter.

use super::{Header, RawInstruction, RawMessage, at, reject, whole};
use crate::chain::Rejection;
use crate::chain::facts::{SolanaMessageVersion, SolanaTableLookup};
use crate::chain::solana::wire::{Reader, WireError};

/// The first bit of a versioned message; the other seven are the version.
const VERSION_PREFIX: u8 = 0x80;

/// Reads a message, which must be all of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<RawMessage<'_>, Rejection> {
    let mut reader = Reader::new(bytes);
    let version = read_version(&mut reader)?;
    let message = RawMessage {
        version,
        header: Header::new(reader.array().map_err(at("header"))?),
        fees: None,
        account_keys: reader.items(|reader, _| reader.address()).map_err(at("accountKeys"))?,
        recent_blockhash: reader.array().map_err(at("recentBlockhash"))?,
        instructions: reader.items(|reader, _| read_instruction(reader)).map_err(at("instructions"))?,
        lookups: match version {
            SolanaMessageVersion::V0 => {
                reader.items(|reader, _| read_lookup(reader)).map_err(at("addressTableLookups"))?
            }
            _ => Vec::new(),
        },
    };
    reader.finish().map_err(whole)?;
    check_lookups(&message.lookups)?;
    Ok(message)
}

fn read_version(reader: &mut Reader<'_>) -> Result<SolanaMessageVersion, Rejection> {
    match reader.rest().first() {
        Some(&VERSION_PREFIX) => {
            reader.byte().map_err(at("version"))?;
            Ok(SolanaMessageVersion::V0)
        }
        Some(prefix) if prefix & VERSION_PREFIX != 0 => {
            let message = match prefix & !VERSION_PREFIX {
                1 => "is 1, whose signatures come after the message".to_owned(),
                version => format!("is {version}, which is unknown: use version 1, version 0 or legacy"),
            };
            Err(reject("version", message))
        }
        _ => Ok(SolanaMessageVersion::Legacy),
    }
}

fn read_instruction<'a>(reader: &mut Reader<'a>) -> Result<RawInstruction<'a>, WireError> {
    Ok(RawInstruction { program: reader.byte()?, accounts: reader.bytes()?, data: reader.bytes()? })
}

fn read_lookup(reader: &mut Reader<'_>) -> Result<SolanaTableLookup, WireError> {
    Ok(SolanaTableLookup {
        table: reader.address()?,
        writable_indexes: reader.bytes()?.to_vec(),
        readonly_indexes: reader.bytes()?.to_vec(),
    })
}

fn check_lookups(lookups: &[SolanaTableLookup]) -> Result<(), Rejection> {
    let mut tables = Vec::new();
    for (index, lookup) in lookups.iter().enumerate() {
        let wrong = |message| Err(reject(&format!("addressTableLookups[{index}]"), message));
        if tables.contains(&lookup.table) {
            return wrong("names a table twice: put all its entries into one lookup");
        }
        tables.push(lookup.table);
        let mut entries: Vec<u8> = Vec::new();
        for entry in lookup.writable_indexes.iter().chain(&lookup.readonly_indexes) {
            if entries.contains(entry) {
                return wrong("names an entry of the table twice");
            }
            entries.push(*entry);
        }
        if entries.is_empty() {
            return wrong("looks up no account: leave it out");
        }
    }
    Ok(())
}
