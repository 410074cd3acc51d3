//! `CiphertextForRecipient`: CMS `EnvelopedData` (RFC 5652) as KMS writes it.
//!
//! KMS sends BER with indefinite lengths, always of one shape but for the content, which is either
//! primitive or a constructed string of chunks. So this reads exactly that shape: fixed bytes are
//! compared, the four variable parts are taken, nothing may follow. It is no BER parser, and there
//! is nothing in it to confuse.

/// Bytes of an RSA-2048 ciphertext.
pub(super) const KEY_BYTES: usize = 256;

/// The most content: a data key and its padding take 48 bytes.
const MAX_CONTENT: usize = 1024;

/// What an envelope holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// SHA-256 of the recipient's public key in DER.
    pub key_identifier: [u8; 32],
    /// The content key, encrypted with RSAES-OAEP-SHA-256.
    pub encrypted_key: [u8; KEY_BYTES],
    /// The initialisation vector of AES-256-CBC.
    pub iv: [u8; 16],
    /// The encrypted content.
    pub content: Vec<u8>,
}

/// Why an envelope cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not what KMS writes.
    #[error("CiphertextForRecipient is not the envelope that KMS writes")]
    Malformed,
    /// Made for another recipient key.
    #[error("CiphertextForRecipient was made for another key")]
    ForeignKey,
    /// The content does not decrypt to a data key.
    #[error("CiphertextForRecipient does not decrypt to a data key")]
    Undecryptable,
}

/// `ContentInfo`, `envelopedData`, `EnvelopedData`, version 2, one `KeyTransRecipientInfo` of
/// version 2 with a `subjectKeyIdentifier` of 32 bytes.
const HEAD: &[u8] = &[
    0x30, 0x80, // ContentInfo
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03, // envelopedData
    0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x02, // EnvelopedData, version 2
    0x31, 0x82, 0x01, 0x6b, 0x30, 0x82, 0x01, 0x67, 0x02, 0x01, 0x02, // recipientInfos
    0x80, 0x20, // [0] subjectKeyIdentifier
];

/// `rsaesOaep` with SHA-256 and MGF1 with SHA-256, and the head of a 256-byte string.
const KEY_ALGORITHM: &[u8] = &[
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, // rsaesOaep
    0x30, 0x2f, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
    0x05, 0x00, // [0] sha256
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x08, // [1] mgf1
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, // sha256
    0x04, 0x82, 0x01, 0x00, // encryptedKey
];

/// `EncryptedContentInfo` of type `data`, AES-256-CBC, and the head of its 16-byte vector.
const CONTENT_ALGORITHM: &[u8] = &[
    0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, // data
    0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04,
    0x10, // aes256-CBC
];

/// The ends of `EncryptedContentInfo`, `EnvelopedData`, its `[0]` and `ContentInfo`.
const TAIL: &[u8] = &[0; 8];

impl Envelope {
    /// Reads an envelope of either form.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::read(bytes).ok_or(EnvelopeError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(HEAD)?;
        let (key_identifier, rest) = rest.split_first_chunk::<32>()?;
        let rest = rest.strip_prefix(KEY_ALGORITHM)?;
        let (encrypted_key, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
        let rest = rest.strip_prefix(CONTENT_ALGORITHM)?;
        let (iv, rest) = rest.split_first_chunk::<16>()?;
        let (content, rest) = read_content(rest)?;
        let whole_blocks = !content.is_empty() && content.len().is_multiple_of(16);
        (rest == TAIL && whole_blocks && content.len() <= MAX_CONTENT).then_some(Self {
            key_identifier: *key_identifier,
            encrypted_key: *encrypted_key,
            iv: *iv,
            content,
        })
    }
}

/// `[0] IMPLICIT OCTET STRING`: primitive, or chunks until the end-of-contents octets.
fn read_content(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    match bytes.split_first_chunk::<2>()? {
        ([0xa0, 0x80], mut rest) => {
            let mut content = Vec::new();
            while let Some(chunk) = rest.strip_prefix(&[0x04]) {
                let (chunk, after) = read_string(chunk)?;
                content.extend_from_slice(chunk);
                rest = after;
                if content.len() > MAX_CONTENT {
                    return None;
                }
            }
            rest.strip_prefix(&[0, 0]).map(|rest| (content, rest))
        }
        ([0x80, _], _) => {
            let (content, rest) = read_string(bytes.get(1..)?)?;
            Some((content.to_vec(), rest))
        }
        _ => None,
    }
}

/// A length in its shortest definite form, and as many bytes.
fn read_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes {
        [length @ 0..=0x7f, rest @ ..] | [0x81, length @ 0x80..=0xff, rest @ ..] => {
            (usize::from(*length), rest)
        }
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(content: &[u8]) -> Vec<u8> {
        [HEAD, &[1; 32], KEY_ALGORITHM, &[2; KEY_BYTES], CONTENT_ALGORITHM, &[3; 16], content, TAIL].concat()
    }

    fn primitive() -> Vec<u8> {
        sample(&[&[0x80, 0x30][..], &[4; 48]].concat())
    }

    fn constructed() -> Vec<u8> {
        sample(&[&[0xa0, 0x80, 0x04, 0x10][..], &[4; 16], &[0x04, 0x20], &[4; 32], &[0, 0]].concat())
    }

    #[test]
    fn both_forms_are_read() {
        let one = Envelope::parse(&primitive()).unwrap();
        assert_eq!(one, Envelope::parse(&constructed()).unwrap());
        assert_eq!((one.key_identifier, one.iv, one.content), ([1; 32], [3; 16], vec![4; 48]));
    }

    #[test]
    fn real_envelopes_of_kms_are_read() {
        let folder = std::env::var("NITRO_SIGNER_VECTORS")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors").to_owned());
        for (file, content) in
            [("ciphertext-for-recipient-form-a.ber", 48), ("ciphertext-for-recipient-form-b.ber", 16)]
        {
            let Ok(bytes) = std::fs::read(format!("{folder}/kms/{file}")) else {
                assert!(std::env::var_os("NITRO_SIGNER_VECTORS").is_none(), "{file} is not there");
                println!("skipped: {file} is not here");
                continue;
            };
            assert_eq!(Envelope::parse(&bytes).unwrap().content.len(), content, "{file}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        let no_chunks = sample(&[0xa0, 0x80, 0, 0]);
        let half_block = sample(&[&[0x80, 0x08][..], &[4; 8]].concat());
        let long_length = sample(&[&[0x80, 0x81, 0x30][..], &[4; 48]].concat());
        let longer_length = sample(&[&[0x80, 0x82, 0x00, 0x30][..], &[4; 48]].concat());
        let huge = sample(&[&[0x80, 0x82, 0x04, 0x10][..], &[4; 0x410]].concat());
        let nested = sample(&[&[0xa0, 0x80, 0xa0, 0x80, 0x04, 0x10][..], &[4; 16], &[0, 0, 0, 0]].concat());
        let mut trailing = primitive();
        trailing.push(0);
        for bad in [no_chunks, half_block, long_length, longer_length, huge, nested, trailing] {
            assert_eq!(Envelope::parse(&bad), Err(EnvelopeError::Malformed));
        }
    }

    #[test]
    fn every_cut_and_every_changed_fixed_byte_is_refused() {
        for whole in [primitive(), constructed()] {
            let read = Envelope::parse(&whole).unwrap();
            for end in 0..whole.len() {
                assert!(Envelope::parse(&whole[..end]).is_err());
            }
            for at in 0..whole.len() {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                assert_ne!(Envelope::parse(&changed).ok(), Some(Envelope { ..clone(&read) }), "byte {at}");
            }
        }
    }

    fn clone(envelope: &Envelope) -> Envelope {
        Envelope { content: envelope.content.clone(), ..*envelope }
    }

    proptest! {
        #[test]
        fn arbitrary_content_never_panics(content in proptest::collection::vec(any::<u8>(), 0..80)) {
            drop(Envelope::parse(&sample(&content)));
        }
    }
}
