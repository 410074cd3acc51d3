//! The digest that names a request, in records and approvals.

use sha2::{Digest, Sha256};

use crate::hex_bytes::HexBytes;

/// SHA-256 of method, path, query and body, each preceded by its length (8 bytes, big-endian). The query is `?` and what
/// follows it, or empty if the request target has no `?`; `query` is without the `?`.
pub fn request_digest(method: &str, path: &str, query: Option<&str>, body: &[u8]) -> HexBytes<32> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), query.as_bytes(), body] {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    HexBytes(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_fixed_by_its_definition() {
        let mut bytes = Vec::new();
        for part in ["POST", "/v1/wallets/a/sign", "?x=1", "{}"] {
            bytes.extend(part.len().to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        let expected: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(request_digest("POST", "/v1/wallets/a/sign", Some("x=1"), b"{}"), HexBytes(expected));
    }

    #[test]
    fn every_part_has_its_place() {
        let digests = [
            request_digest("GET", "/a", None, b""),
            request_digest("GET", "/a", Some(""), b""),
            request_digest("GET", "/", None, b"a"),
            request_digest("GE", "T/a", None, b""),
            request_digest("GET", "/a", None, b"?"),
            request_digest("GET", "/a", Some("?"), b""),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }
}
