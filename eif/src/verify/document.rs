//! The payload: a CBOR map with nine known keys.

use std::collections::BTreeMap;

use minicbor::{Decoder, data::Type, decode::Error as CborError};

use super::VerifyError;

/// Bytes in a certificate, in `public_key`, in `user_data` and in `nonce`, at most. AWS's bound.
const MAX_FIELD: usize = 1024;
/// Certificates in `cabundle`, at most. Real documents have four.
const MAX_BUNDLE: usize = 8;
/// PCRs are numbered 0 to 31.
const PCRS: usize = 32;
/// PCRs that every enclave has: image, kernel and boot ramdisk, application.
const REQUIRED_PCRS: [u8; 3] = [0, 1, 2];
/// The last millisecond of the year 9999, the last time that X.509 can express.
const MAX_TIMESTAMP: u64 = 253_402_300_799_999;
/// The bytes of a text from the document that an error message repeats, at most.
const MAX_QUOTED: usize = 64;

/// A genuine attestation document. Only [`verify`](super::verify()) makes one.
///
/// Genuine says who speaks, not that what it says is what you want: see the `check_` methods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The enclave's name, `i-<instance>-enc<number>`.
    pub module_id: String,
    /// When the hypervisor made the document, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The locked PCRs by number, each a SHA-384 digest. 0, 1 and 2 are always there.
    pub pcrs: BTreeMap<u8, [u8; 48]>,
    /// The certificate whose key signed the document, in DER.
    pub certificate: Vec<u8>,
    /// The public key that the enclave put into the document: for KMS an RSA key as DER `SubjectPublicKeyInfo`.
    pub public_key: Option<Vec<u8>>,
    /// Data that the enclave put into the document.
    pub user_data: Option<Vec<u8>>,
    /// The challenge that the enclave put into the document.
    pub nonce: Option<Vec<u8>>,
}

/// A parsed payload, not authenticated yet.
pub(super) struct Payload<'a> {
    pub(super) document: Document,
    /// The chain, root first, without the signing certificate. Never empty.
    pub(super) cabundle: Vec<&'a [u8]>,
}

/// Parses a payload and checks every bound.
pub(super) fn parse(bytes: &[u8]) -> Result<Payload<'_>, VerifyError> {
    let mut decoder = Decoder::new(bytes);
    let fields = Fields::read(&mut decoder)?;
    let left = bytes.len().saturating_sub(decoder.position());
    if left != 0 {
        return Err(VerifyError::TrailingPayloadBytes { count: left });
    }
    fields.finish()
}

/// A byte string or null.
type Nullable<'a> = Option<&'a [u8]>;

/// The fields as they are found: `None` is a key that was not there.
#[derive(Default)]
struct Fields<'a> {
    module_id: Option<&'a str>,
    digest: Option<&'a str>,
    timestamp: Option<u64>,
    pcrs: Option<BTreeMap<u8, [u8; 48]>>,
    certificate: Option<&'a [u8]>,
    cabundle: Option<Vec<&'a [u8]>>,
    public_key: Option<Nullable<'a>>,
    user_data: Option<Nullable<'a>>,
    nonce: Option<Nullable<'a>>,
}

impl<'a> Fields<'a> {
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, VerifyError> {
        let mut fields = Self::default();
        let mut items = Items(decoder.map().map_err(malformed("payload"))?);
        while items.more(decoder, "payload")? {
            match decoder.str().map_err(malformed("payload key"))? {
                "module_id" => once(&mut fields.module_id, "module_id", text(decoder, "module_id")?)?,
                "digest" => once(&mut fields.digest, "digest", text(decoder, "digest")?)?,
                "timestamp" => {
                    let value = decoder.u64().map_err(malformed("timestamp"))?;
                    once(&mut fields.timestamp, "timestamp", value)?;
                }
                "pcrs" => once(&mut fields.pcrs, "pcrs", pcrs(decoder)?)?,
                "certificate" => {
                    let value = bytes(decoder, "certificate", 1)?;
                    once(&mut fields.certificate, "certificate", value)?;
                }
                "cabundle" => once(&mut fields.cabundle, "cabundle", cabundle(decoder)?)?,
                "public_key" => {
                    let value = nullable_bytes(decoder, "public_key", 1)?;
                    once(&mut fields.public_key, "public_key", value)?;
                }
                "user_data" => {
                    let value = nullable_bytes(decoder, "user_data", 0)?;
                    once(&mut fields.user_data, "user_data", value)?;
                }
                "nonce" => {
                    let value = nullable_bytes(decoder, "nonce", 0)?;
                    once(&mut fields.nonce, "nonce", value)?;
                }
                "nitrotpm_pcrs" => return Err(VerifyError::NitroTpm),
                other => return Err(VerifyError::UnknownKey { key: quoted(other) }),
            }
        }
        Ok(fields)
    }

    fn finish(self) -> Result<Payload<'a>, VerifyError> {
        let module_id = required(self.module_id, "module_id")?;
        if !module_id.contains("-enc") {
            return Err(VerifyError::ModuleId { actual: quoted(module_id) });
        }
        let digest = required(self.digest, "digest")?;
        if digest != "SHA384" {
            return Err(VerifyError::Digest { actual: quoted(digest) });
        }
        let timestamp_ms = required(self.timestamp, "timestamp")?;
        if !(1..=MAX_TIMESTAMP).contains(&timestamp_ms) {
            return Err(VerifyError::Timestamp { actual: timestamp_ms });
        }
        let document = Document {
            module_id: module_id.to_owned(),
            timestamp_ms,
            pcrs: required(self.pcrs, "pcrs")?,
            certificate: required(self.certificate, "certificate")?.to_vec(),
            public_key: self.public_key.flatten().map(<[u8]>::to_vec),
            user_data: self.user_data.flatten().map(<[u8]>::to_vec),
            nonce: self.nonce.flatten().map(<[u8]>::to_vec),
        };
        Ok(Payload { document, cabundle: required(self.cabundle, "cabundle")? })
    }
}

fn pcrs(decoder: &mut Decoder<'_>) -> Result<BTreeMap<u8, [u8; 48]>, VerifyError> {
    let mut found = BTreeMap::new();
    let mut items = Items(decoder.map().map_err(malformed("pcrs"))?);
    while items.more(decoder, "pcrs")? {
        let number = decoder.u64().map_err(malformed("pcrs"))?;
        let index = match u8::try_from(number) {
            Ok(index) if usize::from(index) < PCRS => index,
            _ => return Err(VerifyError::PcrIndex { index: number }),
        };
        let value = decoder.bytes().map_err(malformed("pcrs"))?;
        let value =
            <[u8; 48]>::try_from(value).map_err(|_| VerifyError::PcrLength { index, actual: value.len() })?;
        if found.insert(index, value).is_some() {
            return Err(VerifyError::PcrTwice { index });
        }
    }
    match REQUIRED_PCRS.iter().find(|i| !found.contains_key(i)) {
        Some(&index) => Err(VerifyError::PcrAbsent { index }),
        None => Ok(found),
    }
}

fn cabundle<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<&'a [u8]>, VerifyError> {
    let mut found = Vec::new();
    let mut items = Items(decoder.array().map_err(malformed("cabundle"))?);
    while items.more(decoder, "cabundle")? {
        if found.len() == MAX_BUNDLE {
            return Err(VerifyError::BundleTooLong { max: MAX_BUNDLE });
        }
        found.push(bytes(decoder, "cabundle", 1)?);
    }
    if found.is_empty() {
        return Err(VerifyError::BundleEmpty);
    }
    Ok(found)
}

fn text<'a>(decoder: &mut Decoder<'a>, key: &'static str) -> Result<&'a str, VerifyError> {
    decoder.str().map_err(malformed(key))
}

fn bytes<'a>(decoder: &mut Decoder<'a>, key: &'static str, min: usize) -> Result<&'a [u8], VerifyError> {
    let value = decoder.bytes().map_err(malformed(key))?;
    if (min..=MAX_FIELD).contains(&value.len()) {
        return Ok(value);
    }
    Err(VerifyError::FieldLength { key, min, max: MAX_FIELD, actual: value.len() })
}

fn nullable_bytes<'a>(
    decoder: &mut Decoder<'a>,
    key: &'static str,
    min: usize,
) -> Result<Nullable<'a>, VerifyError> {
    if decoder.datatype().map_err(malformed(key))? == Type::Null {
        decoder.null().map_err(malformed(key))?;
        return Ok(None);
    }
    bytes(decoder, key, min).map(Some)
}

fn once<T>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), VerifyError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(VerifyError::KeyTwice { key }),
    }
}

fn required<T>(value: Option<T>, key: &'static str) -> Result<T, VerifyError> {
    value.ok_or(VerifyError::KeyAbsent { key })
}

fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect()
}

fn malformed(place: &'static str) -> impl Fn(CborError) -> VerifyError {
    move |error| VerifyError::Malformed { place, reason: error.to_string() }
}

/// Counts the items of a map or array: a number of them, or (`None`) until a break.
struct Items(Option<u64>);

impl Items {
    fn more(&mut self, decoder: &mut Decoder<'_>, place: &'static str) -> Result<bool, VerifyError> {
        match &mut self.0 {
            Some(0) => Ok(false),
            Some(left) => {
                *left = left.saturating_sub(1);
                Ok(true)
            }
            None if decoder.datatype().map_err(malformed(place))? == Type::Break => {
                decoder.set_position(decoder.position().saturating_add(1));
                Ok(false)
            }
            None => Ok(true),
        }
    }
}
