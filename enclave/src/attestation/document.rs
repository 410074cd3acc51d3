//! The one thing that the enclave reads from its own attestation documents: their time.
//!
//! The document comes from the hypervisor, which is trusted, so nothing is verified here. Whoever
//! relies on a document from elsewhere uses the verifier of `signer-eif`.

use aws_nitro_enclaves_nsm_api::api::AttestationDoc;

/// `COSE_Sign1` (RFC 9052, section 4.2) is an array of four: the protected header in a byte string,
/// an empty map of other headers, the payload in a byte string, the signature. The header names the
/// algorithm, ES384 for Nitro and none for QEMU, and nothing here depends on it.
const ARRAY_OF_FOUR: u8 = 0x84;
const EMPTY_MAP: u8 = 0xa0;
/// A byte string of fewer than 24 bytes is this plus its length.
const SHORT_BYTES: u8 = 0x40;
/// A byte string with a length of two bytes.
const LONG_BYTES: u8 = 0x59;

/// The NSM's document is not of the form that every Nitro hypervisor makes.
#[derive(Debug, thiserror::Error)]
#[error("the NSM's attestation document cannot be read")]
pub struct DocumentError;

/// The time at which a document was made, Unix milliseconds.
pub fn timestamp_ms(document: &[u8]) -> Result<u64, DocumentError> {
    let payload = payload(document).ok_or(DocumentError)?;
    AttestationDoc::from_binary(payload).map(|document| document.timestamp).map_err(|_| DocumentError)
}

fn payload(document: &[u8]) -> Option<&[u8]> {
    let rest = document.strip_prefix(&[ARRAY_OF_FOUR])?;
    let (first, rest) = rest.split_first()?;
    let header = usize::from(first.checked_sub(SHORT_BYTES).filter(|length| *length < 24)?);
    let rest = rest.get(header..)?.strip_prefix(&[EMPTY_MAP, LONG_BYTES])?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_documents_tell_their_time() {
        let folder = std::env::var("NITRO_SIGNER_VECTORS")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors").to_owned());
        for (file, expected) in [
            ("real-2021-03-24-with-public-key.bin", 1_616_602_241),
            ("real-2025-09-16-indefinite-map.bin", 1_758_057_949),
        ] {
            let Ok(document) = std::fs::read(format!("{folder}/attestation/{file}")) else {
                assert!(std::env::var_os("NITRO_SIGNER_VECTORS").is_none(), "{file} is not there");
                println!("skipped: {file} is not here");
                continue;
            };
            assert_eq!(timestamp_ms(&document).unwrap() / 1000, expected, "{file}");
        }
    }

    #[test]
    fn other_bytes_are_an_error() {
        let es384 = [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59, 0, 9, 1];
        for length in 0..=es384.len() {
            assert!(timestamp_ms(&es384[..length]).is_err());
        }
        for bytes in [&[0x85, 0x40, 0xa0, 0x59, 0, 0][..], &[0x84, 0x58, 0, 0xa0, 0x59, 0, 0], &[0x84, 0x3f]]
        {
            assert!(timestamp_ms(bytes).is_err());
        }
    }

    #[test]
    fn whatever_the_header_says() {
        assert_eq!(payload(&[0x84, 0x43, 0xa1, 0x01, 0x20, 0xa0, 0x59, 0, 1, 7, 0x40]), Some(&[7][..]));
        assert_eq!(payload(&[0x84, 0x40, 0xa0, 0x59, 0, 2, 7]), None);
        assert_eq!(payload(&[0x84, 0x40, 0xa1, 0x59, 0, 0]), None);
    }
}
