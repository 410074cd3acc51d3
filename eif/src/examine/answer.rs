//! What is examined: the answer of `GET /v1/attestation`, or a document alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use signer_rules::hex_bytes::HexBytes;

/// The largest file that may hold an answer or a document, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024;

/// A proof, not examined yet. As JSON it is the answer of `GET /v1/attestation`; other members are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Answer {
    /// Which boot answers, if the source says so.
    pub boot_id: Option<HexBytes<16>>,
    /// The attestation document.
    pub document: Vec<u8>,
    /// The exact bytes of the statement that the document vouches for, if the source has them.
    pub statement: Option<Vec<u8>>,
}

/// Why bytes are no [`Answer`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Larger than [`MAX_ANSWER`].
    #[error("has {0} bytes, more than the {MAX_ANSWER} allowed")]
    TooLarge(usize),
    /// JSON of another shape.
    #[error("not an answer of GET /v1/attestation: {0}")]
    Json(String),
    /// Neither a document, nor one in base64, nor JSON.
    #[error(
        "neither an attestation document (COSE_Sign1), nor one in base64, nor JSON with boot_id, document and statement"
    )]
    Unknown,
}

impl Answer {
    /// Reads what a file holds: JSON, a document, or a document in base64.
    ///
    /// Nothing is verified. A document starts with the CBOR of an array (or of a tag, which is refused later, with its
    /// reason), which is no text; so the three cannot be mistaken for each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AnswerError> {
        if bytes.len() > MAX_ANSWER {
            return Err(AnswerError::TooLarge(bytes.len()));
        }
        let text = bytes.trim_ascii();
        match text.first() {
            Some(b'{') => serde_json::from_slice(text).map_err(|error| AnswerError::Json(error.to_string())),
            Some(0x80..=0xdf) => Ok(Self::document(bytes.to_vec())),
            Some(_) => {
                let digits: Vec<u8> =
                    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
                STANDARD.decode(digits).map(Self::document).map_err(|_| AnswerError::Unknown)
            }
            None => Err(AnswerError::Unknown),
        }
    }

    /// A document without a statement.
    pub const fn document(document: Vec<u8>) -> Self {
        Self { boot_id: None, document, statement: None }
    }
}

/// The JSON.
#[derive(Deserialize)]
struct Wire {
    boot_id: HexBytes<16>,
    document: String,
    statement: String,
}

impl TryFrom<Wire> for Answer {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        Ok(Self {
            boot_id: Some(wire.boot_id),
            document: STANDARD.decode(wire.document).map_err(|_| "document is not base64")?,
            statement: Some(STANDARD.decode(wire.statement).map_err(|_| "statement is not base64")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_are_told_apart() {
        let document = vec![0x84, 0x44, 0x0a];
        let alone = Answer::document(document.clone());
        assert_eq!(Answer::from_bytes(&document).unwrap(), alone);
        assert_eq!(Answer::from_bytes(b" hE\nQK\n").unwrap(), alone);
        let json =
            br#" {"boot_id":"00000000000000000000000000000000","document":"hEQK","statement":"e30=","x":1}"#;
        let answer = Answer::from_bytes(json).unwrap();
        assert_eq!((answer.document, answer.statement), (document, Some(b"{}".to_vec())));
        assert_eq!(answer.boot_id, Some(HexBytes([0; 16])));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], b"  ", b"hello!", b"\0\0"] {
            assert_eq!(Answer::from_bytes(bytes), Err(AnswerError::Unknown), "{bytes:?}");
        }
        let good = r#"{"boot_id":"00000000000000000000000000000000","document":"hEQK","statement":"e30="}"#;
        for (from, to) in
            [("hEQK", "?"), ("e30=", "?"), ("0000", "00"), ("\"statement\"", "\"x\""), ("}", "")]
        {
            let bytes = good.replacen(from, to, 1);
            assert!(matches!(Answer::from_bytes(bytes.as_bytes()), Err(AnswerError::Json(_))), "{bytes}");
        }
        let large = vec![0x84; MAX_ANSWER + 1];
        assert_eq!(Answer::from_bytes(&large), Err(AnswerError::TooLarge(large.len())));
    }
}
