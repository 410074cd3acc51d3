//! Answers signed with the boot's identity key, each together with its request.
//!
//! A client cannot see that a refusal, a wallet's address or a listing is the enclave's and not the host's. A signature that
//! it asked for it can check by itself, so anonymous clients and sessions, who ask for speed, get those unsigned.

use signer_rules::http_signature::{check_content_digest, content_digest, response, session};
use signer_shared::message::{ApiRequest, ApiResponse, Header};

use super::problem::header;
use crate::boot::Enclave;

/// An answer on its way out.
pub(super) struct Reply {
    /// The answer.
    pub response: ApiResponse,
    /// Whether it holds nothing but signatures, which prove themselves.
    pub evident: bool,
}

/// The request that is answered.
pub(super) struct Asked {
    method: String,
    path: String,
    content_digest: Option<String>,
    /// Whether the digest, if there is one, is the body's.
    digest_holds: bool,
    signature: Option<String>,
    has_ticket: bool,
}

impl Asked {
    /// What is needed of a request.
    pub(super) fn new(request: &ApiRequest) -> Self {
        let value = |name: &str| value(&request.headers, name).map(str::to_owned);
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            digest_holds: value("content-digest")
                .is_none_or(|digest| check_content_digest(&digest, &request.body)),
            content_digest: value("content-digest"),
            signature: value("signature"),
            has_ticket: value(session::TICKET).is_some(),
        }
    }

    /// Whether an answer to it has to be signed. An answer to another body than its digest's must not be taken for one to
    /// what the client sent.
    pub(super) fn wants_signature(&self, evident: bool) -> bool {
        let by_key = self.signature.is_some() && !self.has_ticket;
        (by_key || !evident) && self.digest_holds
    }
}

impl From<ApiResponse> for Reply {
    fn from(response: ApiResponse) -> Self {
        Self { response, evident: false }
    }
}

/// Adds `content-digest`, `signature-input` and `signature`. Before there is a configuration there is nobody to sign for,
/// and without time, or with a request that is not printed ASCII, nothing to sign: the answer stays as it is.
pub(super) fn sign_answer(enclave: &Enclave, asked: &Asked, response: &mut ApiResponse) {
    let state = enclave.state();
    let (Some(configured), Ok(now)) = (state.configured(), enclave.clock().now()) else { return };
    let digest = content_digest(&response.body);
    let (path, query) =
        asked.path.split_once('?').map_or((asked.path.as_str(), None), |(path, query)| (path, Some(query)));
    let request = response::Request {
        method: &asked.method,
        path,
        query,
        content_digest: asked.content_digest.as_deref(),
        signature: asked.signature.as_deref(),
    };
    let answer = response::Answer {
        status: response.status,
        content_digest: &digest,
        receipt: value(&response.headers, response::RECEIPT),
    };
    let (keyid, tag) =
        (enclave.identity().boot_id().to_string(), configured.configuration.authority.to_string());
    let signing = response::Signing { created: now.seconds(), keyid: &keyid, tag: &tag };
    let Ok(unsigned) = signing.prepare(&request, &answer) else { return };
    let signature = enclave.identity().sign(unsigned.base.as_bytes());
    response.headers.extend([
        header("content-digest", &digest),
        header("signature-input", &unsigned.signature_input),
        header("signature", &response::signature_header(&signature)),
    ]);
}

fn value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}
