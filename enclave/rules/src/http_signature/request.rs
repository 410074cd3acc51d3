//! Signatures of requests: what the enclave reads, and what clients write.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    MAX_NONCE, Malformed, Unsigned, assemble,
    fields::{SignatureInput, read_signature},
    printable,
};

/// The label that [`Signing`] writes.
const LABEL: &str = "sig1";

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// `@method`.
    Method,
    /// `@path`: the raw path.
    Path,
    /// `@query`: `?` and the raw query.
    Query,
    /// `content-digest`: the header of RFC 9530.
    ContentDigest,
}

/// A signature as it came. Nothing about it is true yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The label of both headers.
    pub label: &'a str,
    /// What is covered, in the signature's order: method, path and content digest, and perhaps the query.
    pub covered: Vec<Component>,
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// Until when it is meant to be used, in Unix seconds.
    pub expires: Option<u64>,
    /// The key that made it.
    pub keyid: &'a str,
    /// Different for each request of a key.
    pub nonce: &'a str,
    /// Whose appliance it is for: the authority's id in hexadecimal.
    pub tag: &'a str,
    /// How it was made, as the client says. The key's record decides.
    pub alg: Option<&'a str>,
    /// Components and parameters as they are signed.
    pub params_text: &'a str,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

/// Reads the two headers of a signed request.
pub fn read<'a>(signature_input: &'a str, signature: &str) -> Result<Presented<'a>, Malformed> {
    let input = SignatureInput::read(signature_input)?;
    let (label, signature) = read_signature(signature)?;
    if label != input.label {
        return Err(Malformed("the labels of signature-input and signature differ"));
    }
    let covered = components(input.covered)?;
    let parameters = input.parameters;
    let created = parameters.created.ok_or(Malformed("created is missing"))?;
    let nonce = parameters.nonce.ok_or(Malformed("nonce is missing"))?;
    if nonce.len() > MAX_NONCE {
        return Err(Malformed("nonce is too long"));
    }
    if parameters.expires.is_some_and(|expires| expires <= created) {
        return Err(Malformed("expires must be later than created"));
    }
    Ok(Presented {
        label: input.label,
        covered,
        created,
        expires: parameters.expires,
        keyid: parameters.keyid.ok_or(Malformed("keyid is missing"))?,
        nonce,
        tag: parameters.tag.ok_or(Malformed("tag is missing"))?,
        alg: parameters.alg,
        params_text: input.text,
        signature,
    })
}

/// The bytes that were signed if the request is this one. `query` is what follows the `?` of the path, if there is one;
/// it must be covered then, and only then.
pub fn base(
    presented: &Presented<'_>,
    method: &str,
    path: &str,
    query: Option<&str>,
    content_digest: &str,
) -> Result<String, Malformed> {
    let query = query.map(|query| format!("?{query}"));
    if presented.covered.contains(&Component::Query) != query.is_some() {
        return Err(Malformed("cover @query if the path has a query, and only then"));
    }
    let values = [
        (Component::Method, printable(method, "the method is not printed ASCII")?),
        (Component::Path, printable(path, "the path is not printed ASCII")?),
        (
            Component::Query,
            printable(query.as_deref().unwrap_or_default(), "the query is not printed ASCII")?,
        ),
        (Component::ContentDigest, printable(content_digest, "content-digest is not printed ASCII")?),
    ];
    let lines = presented.covered.iter().filter_map(|component| {
        let (_, value) = values.iter().find(|(of, _)| of == component)?;
        Some((component.as_str(), *value))
    });
    Ok(assemble(lines, presented.params_text))
}

/// A signature that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// Now, in Unix seconds.
    pub created: u64,
    /// Until when the request may be taken, in Unix seconds; it is never taken more than five minutes after `created`.
    pub expires: Option<u64>,
    /// The key's id in the policy bundle, or `session:` and the ticket's id.
    pub keyid: &'a str,
    /// Different for each request of the key: 1 to 128 characters of visible ASCII without `"` and `\`.
    pub nonce: &'a str,
    /// The authority's id in hexadecimal.
    pub tag: &'a str,
    /// The algorithm's name; it must be the key record's.
    pub alg: Option<&'a str>,
}

impl Signing<'_> {
    /// What is to be signed for a request, and its `signature-input`. `content_digest` is the header's value, from
    /// [`super::content_digest`].
    pub fn prepare(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
        content_digest: &str,
    ) -> Result<Unsigned, Malformed> {
        let covered_query = if query.is_some() { " \"@query\"" } else { "" };
        let mut parts = vec![
            format!("{LABEL}=(\"@method\" \"@path\"{covered_query} \"content-digest\")"),
            format!("created={}", self.created),
        ];
        parts.extend(self.expires.map(|expires| format!("expires={expires}")));
        let strings = [
            ("keyid", Some(self.keyid)),
            ("nonce", Some(self.nonce)),
            ("tag", Some(self.tag)),
            ("alg", self.alg),
        ];
        parts.extend(strings.into_iter().filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?))));
        let signature_input = parts.join(";");
        // Whatever the caller gave, what is written is what is read.
        let read = read(&signature_input, &signature_header(&[]))?;
        let same = read.keyid == self.keyid
            && read.nonce == self.nonce
            && read.tag == self.tag
            && read.alg == self.alg
            && (read.created, read.expires) == (self.created, self.expires);
        if !same {
            return Err(Malformed("a parameter is not a plain string"));
        }
        let base = base(&read, method, path, query, content_digest)?;
        Ok(Unsigned { signature_input, base })
    }
}

/// The value of `signature` that goes with [`Signing::prepare`].
pub fn signature_header(signature: &[u8]) -> String {
    format!("{LABEL}=:{}:", STANDARD.encode(signature))
}

impl Component {
    const ALL: [Self; 4] = [Self::Method, Self::Path, Self::Query, Self::ContentDigest];

    /// The component's identifier, in quotes.
    fn as_str(self) -> &'static str {
        match self {
            Self::Method => "\"@method\"",
            Self::Path => "\"@path\"",
            Self::Query => "\"@query\"",
            Self::ContentDigest => "\"content-digest\"",
        }
    }
}

fn components(list: &str) -> Result<Vec<Component>, Malformed> {
    let mut covered = Vec::with_capacity(Component::ALL.len());
    for item in list.split(' ') {
        let component = Component::ALL.into_iter().find(|component| component.as_str() == item);
        let component = component.ok_or(Malformed(
            "cover exactly \"@method\" \"@path\" \"content-digest\", and \"@query\" if there is one",
        ))?;
        if covered.contains(&component) {
            return Err(Malformed("a component is covered twice"));
        }
        covered.push(component);
    }
    let needed = [Component::Method, Component::Path, Component::ContentDigest];
    if needed.iter().any(|component| !covered.contains(component)) {
        return Err(Malformed("cover \"@method\", \"@path\" and \"content-digest\""));
    }
    Ok(covered)
}
