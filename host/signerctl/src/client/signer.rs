//! Signatures of requests: with a key of the policy, or in a session.

use aws_lc_rs::hmac;
use signer_eif::options::now_ms;
use signer_rules::{
    authority::AuthorityId,
    hex_bytes::HexBytes,
    http_signature::{self, Signing, session},
};
use signer_terminal::{
    Failure,
    client_keys::ClientSecret,
    http::{Asked, Headers},
};

const CONTENT_DIGEST: &str = "content-digest";
const SIGNATURE: &str = "signature";
const SIGNATURE_INPUT: &str = "signature-input";

/// Signs requests as one client.
pub(crate) struct Signer {
    authority: AuthorityId,
    keyid: String,
    key: Key,
}

enum Key {
    Client(ClientSecret),
    Session { mac: Box<hmac::Key>, ticket: String },
}

impl Signer {
    /// Signs with a key of the policy bundle.
    pub(super) fn with_key(key: ClientSecret, key_id: String, authority: AuthorityId) -> Self {
        Self { authority, keyid: key_id, key: Key::Client(key) }
    }

    /// Signs in a session.
    pub(super) fn in_session(
        id: HexBytes<16>,
        mac_key: &[u8; 32],
        ticket: String,
        authority: AuthorityId,
    ) -> Self {
        let mac = Box::new(hmac::Key::new(hmac::HMAC_SHA256, mac_key));
        Self { authority, keyid: session::keyid(id), key: Key::Session { mac, ticket } }
    }

    /// The headers that make the request this client's.
    pub(super) fn headers(&self, asked: &Asked<'_>) -> Result<Headers, Failure> {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::new("the system gives no randomness"))?;
        let digest = content_digest(asked);
        let (nonce, tag) = (hex::encode(nonce), self.authority.to_string());
        let signing = Signing {
            created: now_ms() / 1000,
            expires: None,
            keyid: &self.keyid,
            nonce: &nonce,
            tag: &tag,
            alg: Some(self.algorithm()),
        };
        let unsigned = signing
            .prepare(asked.method, asked.path, asked.query, &digest.1)
            .map_err(|error| Failure::usage(format!("the request cannot be signed: {error}")))?;
        let signature = self.sign(unsigned.base.as_bytes())?;
        let mut headers = vec![
            digest,
            (SIGNATURE_INPUT, unsigned.signature_input),
            (SIGNATURE, http_signature::signature_header(&signature)),
        ];
        if let Key::Session { ticket, .. } = &self.key {
            headers.push((session::TICKET, ticket.clone()));
        }
        Ok(headers)
    }

    fn algorithm(&self) -> &'static str {
        match &self.key {
            Key::Client(key) => key.algorithm().as_str(),
            Key::Session { .. } => session::ALGORITHM,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match &self.key {
            Key::Client(key) => key.sign(message),
            Key::Session { mac, .. } => Ok(hmac::sign(mac, message).as_ref().to_vec()),
        }
    }
}

/// The header that says what the body is (RFC 9530).
pub(super) fn content_digest(asked: &Asked<'_>) -> (&'static str, String) {
    (CONTENT_DIGEST, http_signature::content_digest(asked.body))
}

/// The value of a header that was sent.
pub(super) fn sent<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use signer_terminal::client_keys::ClientAlgorithm;

    use super::*;

    #[test]
    fn a_request_carries_what_the_enclave_reads() {
        let asked = Asked { method: "GET", path: "/v1/wallets", query: Some("limit=1"), body: b"" };
        let authority = HexBytes([7; 32]);
        let key = ClientSecret::generate(ClientAlgorithm::Ed25519).ok().unwrap();
        let signers = [
            Signer::with_key(key, "backend-1".into(), authority),
            Signer::in_session(HexBytes([1; 16]), &[2; 32], "ticket".into(), authority),
        ];
        for signer in signers {
            let headers = signer.headers(&asked).unwrap();
            let input = sent(&headers, SIGNATURE_INPUT).unwrap();
            let read = http_signature::read(input, sent(&headers, SIGNATURE).unwrap()).unwrap();
            assert_eq!((read.keyid, read.tag), (signer.keyid.as_str(), authority.to_string().as_str()));
            let digest = sent(&headers, CONTENT_DIGEST).unwrap();
            let base = http_signature::base(&read, "GET", asked.path, asked.query, digest).unwrap();
            match &signer.key {
                Key::Client(key) => assert_eq!(key.sign(base.as_bytes()).unwrap(), read.signature),
                Key::Session { mac, ticket } => {
                    assert!(hmac::verify(mac, base.as_bytes(), &read.signature).is_ok());
                    assert_eq!(sent(&headers, session::TICKET), Some(ticket.as_str()));
                }
            }
            let again = signer.headers(&asked).unwrap();
            assert_ne!(sent(&again, SIGNATURE), sent(&headers, SIGNATURE), "a nonce is used once");
        }
        let signer = Signer::in_session(HexBytes([1; 16]), &[2; 32], "ticket".into(), authority);
        let odd = Asked { method: "GET", path: "/v1/\n", query: None, body: b"" };
        assert!(signer.headers(&odd).is_err());
    }
}
