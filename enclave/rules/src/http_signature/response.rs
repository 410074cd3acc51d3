//! Signatures of answers: the enclave says which request it answers, and with what.
//!
//! Without the request an answer would be anybody's: a host could give one client's answer to another, or an old one
//! again.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::bundle::KeyAlgorithm;

use super::{
    Malformed, Unsigned, assemble,
    fields::{SignatureInput, read_signature},
    printable,
};

/// The label of an answer's signature.
pub const LABEL: &str = "enclave";
/// The header that carries the receipt of an audit record.
pub const RECEIPT: &str = "signer-receipt";

/// The request that is answered, as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The raw path.
    pub path: &'a str,
    /// What follows the `?` of the path, if there is one.
    pub query: Option<&'a str>,
    /// The value of `content-digest`, if it had one.
    pub content_digest: Option<&'a str>,
    /// The value of `signature`, if it had one.
    pub signature: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The value of `content-digest`: whoever reads must check that it is the body's.
    pub content_digest: &'a str,
    /// The value of [`RECEIPT`], if there is one.
    pub receipt: Option<&'a str>,
}

/// An answer's signature that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// Now, in Unix seconds.
    pub created: u64,
    /// The boot's id in hexadecimal.
    pub keyid: &'a str,
    /// The authority's id in hexadecimal.
    pub tag: &'a str,
}

/// An answer's signature as it came. Nothing about it is true yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// The boot that made it, in hexadecimal: its attested statement names the key.
    pub keyid: &'a str,
    /// The authority's id in hexadecimal.
    pub tag: &'a str,
    /// The Ed25519 signature.
    pub signature: Vec<u8>,
    covered: &'a str,
    params_text: &'a str,
}

impl Signing<'_> {
    /// What is to be signed for an answer, and its `signature-input`.
    pub fn prepare(&self, request: &Request<'_>, answer: &Answer<'_>) -> Result<Unsigned, Malformed> {
        let lines = lines(request, answer)?;
        let params_text = format!(
            "({});created={};keyid=\"{}\";alg=\"{}\";tag=\"{}\"",
            covered(&lines),
            self.created,
            self.keyid,
            KeyAlgorithm::Ed25519.as_str(),
            self.tag
        );
        let signature_input = format!("{LABEL}={params_text}");
        let base = read(&signature_input, &signature_header(&[]))?.base(request, answer)?;
        Ok(Unsigned { signature_input, base })
    }
}

/// Reads the two headers of a signed answer.
pub fn read<'a>(signature_input: &'a str, signature: &str) -> Result<Presented<'a>, Malformed> {
    let input = SignatureInput::read(signature_input)?;
    let (label, signature) = read_signature(signature)?;
    if label != LABEL || input.label != LABEL {
        return Err(Malformed("the answer's signature has another label than \"enclave\""));
    }
    let parameters = input.parameters;
    if parameters.alg != Some(KeyAlgorithm::Ed25519.as_str()) {
        return Err(Malformed("the answer's signature is not by ed25519"));
    }
    if parameters.expires.is_some() || parameters.nonce.is_some() {
        return Err(Malformed("the answer's signature has a parameter too many"));
    }
    Ok(Presented {
        created: parameters.created.ok_or(Malformed("created is missing"))?,
        keyid: parameters.keyid.ok_or(Malformed("keyid is missing"))?,
        tag: parameters.tag.ok_or(Malformed("tag is missing"))?,
        signature,
        covered: input.covered,
        params_text: input.text,
    })
}

impl Presented<'_> {
    /// The bytes that were signed if this is the answer to that request.
    pub fn base(&self, request: &Request<'_>, answer: &Answer<'_>) -> Result<String, Malformed> {
        let lines = lines(request, answer)?;
        if covered(&lines) != self.covered {
            return Err(Malformed("the answer's signature does not cover what it should"));
        }
        Ok(assemble(lines.iter().map(|(component, value)| (*component, value.as_str())), self.params_text))
    }
}

/// The value of `signature` that goes with [`Signing::prepare`].
pub fn signature_header(signature: &[u8]) -> String {
    format!("{LABEL}=:{}:", STANDARD.encode(signature))
}

type Line = (&'static str, String);

fn lines(request: &Request<'_>, answer: &Answer<'_>) -> Result<Vec<Line>, Malformed> {
    let query = request.query.map(|query| format!("?{query}"));
    let status = answer.status.to_string();
    let all = [
        ("\"@status\"", Some(status.as_str())),
        ("\"content-digest\"", Some(answer.content_digest)),
        ("\"signer-receipt\"", answer.receipt),
        ("\"@method\";req", Some(request.method)),
        ("\"@path\";req", Some(request.path)),
        ("\"@query\";req", query.as_deref()),
        ("\"content-digest\";req", request.content_digest),
        ("\"signature\";req", request.signature),
    ];
    let mut lines = Vec::with_capacity(all.len());
    for (component, value) in all {
        if let Some(value) = value {
            let value = printable(value, "what the answer's signature covers is not printed ASCII")?;
            lines.push((component, value.to_owned()));
        }
    }
    Ok(lines)
}

fn covered(lines: &[Line]) -> String {
    lines.iter().map(|(component, _)| *component).collect::<Vec<_>>().join(" ")
}
