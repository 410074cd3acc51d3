//! The one thing that the enclave reads from its own attestation documents: their time.
//!
//! The document comes from the hypervisor, which is trusted, so nothing is verified here. Whoever
//! relies on a document from elsewhere uses the verifier of `signer-eif`.

use aws_nitro_enclaves_nsm_api::api::AttestationDoc;

/// `84`: an array of four. `44 a1013822`: the protected header, ES384. `a0`: no other header.
/// `59`: the payload, a byte string with a length of two bytes.
const COSE_PREFIX: [u8; 8] = [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59];

/// The NSM's document is not of the form that every Nitro hypervisor makes.
#[derive(Debug, thiserror::Error)]
#[error("the NSM's attestation document cannot be read")]
pub struct DocumentError;

/// The time at which a document was made, Unix milliseconds.
pub fn timestamp_ms(document: &[u8]) -> Result<u64, DocumentError> {
    let rest = document.strip_prefix(&COSE_PREFIX).ok_or(DocumentError)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(DocumentError)?;
    let payload = rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(DocumentError)?;
    AttestationDoc::from_binary(payload).map(|document| document.timestamp).map_err(|_| DocumentError)
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
        for bytes in [&[][..], &COSE_PREFIX, &[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59, 0, 9, 1]] {
            assert!(timestamp_ms(bytes).is_err());
        }
    }
}
