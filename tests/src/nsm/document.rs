//! Attestation documents: the CBOR payload, and `COSE_Sign1` around it.

use minicbor::Encoder;
use minicbor::encode::Error;

use super::chain::Chain;
use super::pcr::PcrBank;

/// `{1: -35}`: ES384.
const PROTECTED: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];

/// What the device says about the enclave.
pub(super) struct Contents<'a> {
    pub(super) module_id: &'a str,
    pub(super) timestamp_ms: u64,
    pub(super) pcrs: &'a PcrBank,
    pub(super) public_key: Option<&'a [u8]>,
    pub(super) user_data: Option<&'a [u8]>,
    pub(super) nonce: Option<&'a [u8]>,
}

/// How the payload's map is written.
#[derive(Clone, Copy)]
pub(super) enum MapForm {
    /// `a9`
    Definite,
    /// `bf` … `ff`
    Indefinite,
}

/// The document: an untagged `COSE_Sign1` (RFC 9052) signed by the chain's leaf.
pub(super) fn sign(contents: &Contents<'_>, chain: &Chain, form: MapForm) -> Vec<u8> {
    let infallible = "writing to memory cannot fail";
    let payload = payload(contents, chain, form).expect(infallible);
    let signature = chain.sign(&to_be_signed(&payload).expect(infallible));
    cose_sign1(&payload, &signature).expect(infallible)
}

type Written = Result<Vec<u8>, Error<std::convert::Infallible>>;

fn payload(contents: &Contents<'_>, chain: &Chain, form: MapForm) -> Written {
    let mut cbor = Encoder::new(Vec::new());
    match form {
        MapForm::Definite => cbor.map(9)?,
        MapForm::Indefinite => cbor.begin_map()?,
    };
    cbor.str("module_id")?.str(contents.module_id)?;
    cbor.str("digest")?.str("SHA384")?;
    cbor.str("timestamp")?.u64(contents.timestamp_ms)?;
    cbor.str("pcrs")?.map(contents.pcrs.locked().count() as u64)?;
    for (index, value) in contents.pcrs.locked() {
        cbor.u16(index)?.bytes(&value.0)?;
    }
    cbor.str("certificate")?.bytes(chain.leaf())?;
    cbor.str("cabundle")?.array(chain.bundle().len() as u64)?;
    for certificate in chain.bundle() {
        cbor.bytes(certificate)?;
    }
    let optional =
        [("public_key", contents.public_key), ("user_data", contents.user_data), ("nonce", contents.nonce)];
    for (key, value) in optional {
        cbor.str(key)?;
        match value {
            Some(value) => cbor.bytes(value)?,
            None => cbor.null()?,
        };
    }
    if matches!(form, MapForm::Indefinite) {
        cbor.end()?;
    }
    Ok(cbor.into_writer())
}

fn to_be_signed(payload: &[u8]) -> Written {
    let mut cbor = Encoder::new(Vec::new());
    cbor.array(4)?.str("Signature1")?.bytes(&PROTECTED)?.bytes(&[])?.bytes(payload)?;
    Ok(cbor.into_writer())
}

fn cose_sign1(payload: &[u8], signature: &[u8]) -> Written {
    let mut cbor = Encoder::new(Vec::new());
    cbor.array(4)?.bytes(&PROTECTED)?.map(0)?.bytes(payload)?.bytes(signature)?;
    Ok(cbor.into_writer())
}
