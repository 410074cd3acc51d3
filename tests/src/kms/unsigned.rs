//! Documents of QEMU's NSM, which measures as Nitro does and signs nothing: certificates and signature are zeros.
//!
//! Accepting them proves nothing about who asks. The emulator does so only when it is started for QEMU, so that the
//! programs that ship can be booted, and measured, where there is no AWS. No verifier that users run has this.

use std::collections::BTreeMap;

use minicbor::{Decoder, data::Type, decode::Error};

use super::recipient::Attested;

/// `{1: -1}`, no algorithm.
const PROTECTED: [u8; 3] = [0xa1, 0x01, 0x20];

/// Reads a document whose certificates and signature are zero bytes. `None` for any other.
pub(super) fn read(document: &[u8]) -> Option<Attested> {
    let mut cbor = Decoder::new(document);
    let is_cose =
        cbor.array().ok()? == Some(4) && cbor.bytes().ok()? == PROTECTED && cbor.map().ok()? == Some(0);
    let payload = cbor.bytes().ok()?;
    let signature = cbor.bytes().ok()?;
    (is_cose && is_zero(signature) && cbor.position() == document.len()).then_some(())?;
    read_payload(payload).ok().flatten()
}

/// `None` if something in it is signed by someone.
fn read_payload(payload: &[u8]) -> Result<Option<Attested>, Error> {
    let mut cbor = Decoder::new(payload);
    let mut attested = Attested::default();
    let mut zeros = true;
    for _ in 0..cbor.map()?.unwrap_or_default() {
        match cbor.str()? {
            "module_id" => cbor.str()?.clone_into(&mut attested.module_id),
            "digest" => zeros &= cbor.str()? == "SHA384",
            "timestamp" => attested.timestamp_ms = cbor.u64()?,
            "pcrs" => attested.pcrs = pcrs(&mut cbor)?,
            "certificate" => zeros &= is_zero(cbor.bytes()?),
            "cabundle" => {
                for _ in 0..cbor.array()?.unwrap_or_default() {
                    zeros &= is_zero(cbor.bytes()?);
                }
            }
            "public_key" if cbor.datatype()? == Type::Bytes => {
                attested.public_key = Some(cbor.bytes()?.to_vec());
            }
            _ => cbor.skip()?,
        }
    }
    Ok(Some(attested).filter(|_| zeros && cbor.position() == payload.len()))
}

fn pcrs(cbor: &mut Decoder<'_>) -> Result<BTreeMap<u8, [u8; 48]>, Error> {
    let mut pcrs = BTreeMap::new();
    for _ in 0..cbor.map()?.unwrap_or_default() {
        let index = cbor.u8()?;
        let value = cbor.bytes()?.try_into().map_err(|_| Error::message("a PCR has 48 bytes"))?;
        pcrs.insert(index, value);
    }
    Ok(pcrs)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
