//! LocalStack's `CiphertextForRecipient`: CMS `EnvelopedData` in DER, of version 0, for a recipient whom it calls by a
//! made-up issuer and serial number.
//!
//! Key encryption (RSAES-OAEP, SHA-256) and content encryption (AES-256-CBC) are KMS's own, with the same parameters,
//! and are compared here byte for byte: so the encrypted parts mean the same in KMS's form, and can be put into it.

use crate::kms::{EnvelopeParts, encode_envelope};

/// Bytes of an RSA-2048 ciphertext.
const KEY_BYTES: usize = 256;
/// Bytes of a data key with its padding.
const CONTENT_BYTES: usize = 48;

/// Everything before the encrypted key.
const HEAD: &[u8] = &[
    0x30, 0x82, 0x01, 0xdc, // ContentInfo
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03, // envelopedData
    0xa0, 0x82, 0x01, 0xcd, 0x30, 0x82, 0x01, 0xc9, 0x02, 0x01, 0x00, // EnvelopedData, version 0
    0x31, 0x82, 0x01, 0x64, 0x30, 0x82, 0x01, 0x60, 0x02, 0x01, 0x00, // recipientInfos, version 0
    0x30, 0x19, 0x30, 0x14, 0x31, 0x12, 0x30, 0x10, 0x06, 0x03, 0x55, 0x04, 0x03, // commonName
    0x0c, 0x09, b'r', b'e', b'c', b'i', b'p', b'i', b'e', b'n', b't', 0x02, 0x01,
    0x01, // serial number 1
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, // rsaesOaep
    0x30, 0x2f, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
    0x05, 0x00, // [0] sha256
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x08, // [1] mgf1
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, // sha256
    0x04, 0x82, 0x01, 0x00, // encryptedKey
];

/// What stands between the encrypted key and the vector.
const CONTENT_ALGORITHM: &[u8] = &[
    0x30, 0x5c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, // data
    0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04,
    0x10, // aes256-CBC
];

/// The head of the encrypted content.
const CONTENT: &[u8] = &[0x80, 0x30];

/// The same encrypted key and content in KMS's form, or nothing if this is not what LocalStack writes for a data key.
///
/// KMS names the recipient by the digest of its key; LocalStack does not, so the caller supplies it.
pub(super) fn in_kms_form(envelope: &[u8], key_identifier: &[u8]) -> Option<Vec<u8>> {
    let rest = envelope.strip_prefix(HEAD)?;
    let (encrypted_key, rest) = rest.split_at_checked(KEY_BYTES)?;
    let rest = rest.strip_prefix(CONTENT_ALGORITHM)?;
    let (iv, rest) = rest.split_at_checked(16)?;
    let content = rest.strip_prefix(CONTENT).filter(|content| content.len() == CONTENT_BYTES)?;
    Some(encode_envelope(&EnvelopeParts { key_identifier, encrypted_key, iv, content }, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        [HEAD, &[1; KEY_BYTES], CONTENT_ALGORITHM, &[2; 16], CONTENT, &[3; CONTENT_BYTES]].concat()
    }

    #[test]
    fn lengths_are_those_of_the_parts() {
        let whole = u16::from_be_bytes([HEAD[2], HEAD[3]]);
        assert_eq!(sample().len(), usize::from(whole) + 4);
    }

    #[test]
    fn parts_stay_as_they_are() {
        let written = in_kms_form(&sample(), &[4; 32]).expect("LocalStack's form");
        for part in [&[1; KEY_BYTES][..], &[2; 16], &[3; CONTENT_BYTES], &[4; 32]] {
            assert!(written.windows(part.len()).any(|window| window == part));
        }
    }

    #[test]
    fn nothing_but_localstacks_form_is_read() {
        let whole = sample();
        for end in 0..whole.len() {
            assert_eq!(in_kms_form(&whole[..end], &[4; 32]), None);
        }
        assert_eq!(in_kms_form(&[whole.as_slice(), &[0]].concat(), &[4; 32]), None);
        for at in 0..HEAD.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(in_kms_form(&changed, &[4; 32]), None, "byte {at}");
        }
    }
}
