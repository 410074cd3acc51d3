//! Solana off-chain messages: texts signed behind a first byte that no transaction has.
//!
//! Version 0 is Anza's proposal "Off-chain message signing"; version 1 and the lengths of both are as `@solana/kit` has
//! them. What is checked is what its codecs check, and a little more: see [`check_text`].

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::wire::{Reader, WireError};
use super::{EMPTY_SLOT, SolanaAddress, slot_filler};
use crate::chain::facts::{Facts, SolanaOffchainFormat, SolanaOffchainMessageFacts};
use crate::chain::{
    Curve, RawSignature, Rejection, SignBody, Signable, Signed, SignedOffchainMessage, Signer, SigningInput,
    absent,
};

const SIGNING_DOMAIN: &[u8; 16] = b"\xffsolana offchain";
/// For texts that a hardware wallet may have to show.
const MAX_LIMITED_TEXT: usize = 1232;
/// What version 0 can say. Version 1 does not say any length; the same bound is ours.
const MAX_TEXT: usize = 65_535;
/// The longest message: the signing domain, the rest of version 0's preamble with the most signers, the text.
const MAX_LEN: usize = 16 + 1 + 32 + 1 + 1 + 255 * 32 + 2 + MAX_TEXT;
const MAX_BASE64_LEN: usize = 4 * MAX_LEN.div_ceil(3);

/// An off-chain message that waits for our signature.
struct OffchainMessage {
    facts: Facts,
    signers: Vec<SolanaAddress>,
    /// `None`: nobody is going to sign.
    our_slot: Option<usize>,
    message: Vec<u8>,
}

/// Parses `solana.offchain_message`: `message`, all that is signed, in base64.
pub(in crate::chain) fn parse(
    body: &SignBody<'_>,
    signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let ours = signer.and_then(|signer| signer.ed25519).map(SolanaAddress::new);
    let text = body.message.ok_or_else(|| absent("message"))?;
    if text.len() > MAX_BASE64_LEN {
        return Err(reject("", "is longer than any off-chain message"));
    }
    let message = STANDARD.decode(text).map_err(|_| reject("", "must be standard base64 with padding"))?;
    let facts = read(&message)?;
    let our_slot = ours.map(|ours| slot_of(ours, &facts)).transpose()?;
    let signers = facts.signers.clone();
    Ok(Box::new(OffchainMessage { facts: Facts::SolanaOffchainMessage(facts), signers, our_slot, message }))
}

impl Signable for OffchainMessage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn curve(&self) -> Curve {
        Curve::Ed25519
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Message(&self.message)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        let signature = slot_filler(signature)?;
        let mut signatures = vec![EMPTY_SLOT; self.signers.len()];
        let slot = self.our_slot.and_then(|slot| signatures.get_mut(slot));
        *slot.ok_or_else(|| reject("", "has no slot for our signature"))? = signature;
        let count = u8::try_from(signatures.len()).map_err(|_| reject("signers", "are too many"))?;
        let missing = self.signers.iter().zip(&signatures).filter(|(_, slot)| **slot == EMPTY_SLOT);
        Ok(Signed::OffchainMessage(SignedOffchainMessage {
            signature,
            signed_message: [&[count], signatures.as_flattened(), &self.message].concat(),
            missing_signers: missing.map(|(signer, _)| *signer).collect(),
        }))
    }
}

fn read(bytes: &[u8]) -> Result<SolanaOffchainMessageFacts, Rejection> {
    let mut reader = Reader::new(bytes);
    if reader.array().as_ref() != Ok(SIGNING_DOMAIN) {
        return Err(reject("", "must start with the byte 0xff and \"solana offchain\""));
    }
    match reader.byte().map_err(at("version"))? {
        0 => read_v0(reader),
        1 => read_v1(reader),
        version => Err(reject("version", format!("is {version}: use version 0 or 1"))),
    }
}

fn read_v0(mut reader: Reader<'_>) -> Result<SolanaOffchainMessageFacts, Rejection> {
    let application_domain = reader.address().map_err(at("applicationDomain"))?;
    let format = match reader.byte().map_err(at("format"))? {
        0 => SolanaOffchainFormat::RestrictedAscii,
        1 => SolanaOffchainFormat::LimitedUtf8,
        2 => SolanaOffchainFormat::ExtendedUtf8,
        format => return Err(reject("format", format!("is {format}: use 0, 1 or 2"))),
    };
    let signers = read_signers(&mut reader)?;
    let length = reader.u16().map_err(at("text"))?;
    let text = reader.take(length.into()).map_err(at("text"))?;
    reader.finish().map_err(at("text"))?;
    check_format(format, text)?;
    Ok(SolanaOffchainMessageFacts {
        version: 0,
        application_domain: Some(application_domain),
        format: Some(format),
        signers,
        text: check_text(text)?,
    })
}

fn read_v1(mut reader: Reader<'_>) -> Result<SolanaOffchainMessageFacts, Rejection> {
    let signers = read_signers(&mut reader)?;
    if !signers.is_sorted() {
        return Err(reject("signers", "must be sorted by their bytes"));
    }
    let text = reader.rest();
    if text.len() > MAX_TEXT {
        return Err(reject("text", "must be at most 65535 bytes"));
    }
    let text = check_text(text)?;
    Ok(SolanaOffchainMessageFacts { version: 1, application_domain: None, format: None, signers, text })
}

fn read_signers(reader: &mut Reader<'_>) -> Result<Vec<SolanaAddress>, Rejection> {
    let count = reader.byte().map_err(at("signers"))?;
    if count == 0 {
        return Err(reject("signers", "must not be empty"));
    }
    let mut signers = Vec::new();
    for index in 0..count {
        let signer = reader.address().map_err(at("signers"))?;
        if signers.contains(&signer) {
            return Err(reject(&format!("signers[{index}]"), "is there twice"));
        }
        signers.push(signer);
    }
    Ok(signers)
}

fn check_format(format: SolanaOffchainFormat, text: &[u8]) -> Result<(), Rejection> {
    if format != SolanaOffchainFormat::ExtendedUtf8 && text.len() > MAX_LIMITED_TEXT {
        return Err(reject("text", "must be at most 1232 bytes in this format: use format 2"));
    }
    let printable = text.iter().all(|byte| (b' '..=b'~').contains(byte));
    if format == SolanaOffchainFormat::RestrictedAscii && !printable {
        return Err(reject("text", "must be printable ASCII in this format: use format 1 or 2"));
    }
    Ok(())
}

/// The text, if everybody will see the same one: kit's decoders drop NUL characters and a leading byte order mark.
fn check_text(text: &[u8]) -> Result<String, Rejection> {
    let text = std::str::from_utf8(text).map_err(|_| reject("text", "must be UTF-8"))?;
    if text.is_empty() {
        return Err(reject("text", "must not be empty"));
    }
    if text.contains('\0') || text.starts_with('\u{feff}') {
        return Err(reject(
            "text",
            "must not contain NUL or start with a byte order mark: readers drop them",
        ));
    }
    Ok(text.to_owned())
}

fn slot_of(ours: SolanaAddress, facts: &SolanaOffchainMessageFacts) -> Result<usize, Rejection> {
    let slot = facts.signers.iter().position(|signer| *signer == ours);
    slot.ok_or_else(|| reject("signers", format!("must include {ours}")))
}

/// `field` is inside the message; empty for the message as a whole.
fn reject(field: &str, message: impl Into<String>) -> Rejection {
    let path = if field.is_empty() { "message".to_owned() } else { format!("message.{field}") };
    Rejection::new(path, message)
}

fn at(field: &str) -> impl Fn(WireError) -> Rejection {
    move |cause| reject(field, cause.to_string())
}
