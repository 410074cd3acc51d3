//! Whether the hypervisor made the document: [`verify`]'s one answer as the rules that it stands for.

use super::Check;
use crate::verify::{Document, Root, VerifyError, verify};

/// The rules in the order in which they are judged. Those of one stage are judged together: when one fails, nothing is
/// said of the others.
const RULES: [(Rule, usize, &str, &str); 8] = [
    (Rule::Envelope, 0, "COSE envelope", "an untagged COSE_Sign1 with ES384"),
    (Rule::Payload, 1, "payload", "an enclave's document, its nine fields within AWS's bounds"),
    (Rule::Digest, 1, "digest", "SHA384"),
    (Rule::Pcrs, 1, "PCR shapes", "numbers 0 to 31, each once, 48 bytes; PCR0 to PCR2 are there"),
    (Rule::Root, 2, "root", ""),
    (Rule::Chain, 3, "chain", "P-384 certificates from the root to the signing certificate, in order"),
    (Rule::Validity, 3, "validity", "every certificate valid when the document was made"),
    (Rule::Signature, 4, "signature", "made with the signing certificate's key"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Envelope,
    Payload,
    Digest,
    Pcrs,
    Root,
    Chain,
    Validity,
    Signature,
}

/// Verifies a document. The document comes back only if every rule holds.
pub(super) fn check(bytes: &[u8], root: &Root) -> (Vec<Check>, Option<Document>) {
    match verify(bytes, root) {
        Ok(document) => (rows(root, None), Some(document)),
        Err(error) => (rows(root, Some(&error)), None),
    }
}

fn rows(root: &Root, error: Option<&VerifyError>) -> Vec<Check> {
    let broken = error.map(|error| (error, rule_of(error)));
    let stage_of = |wanted| RULES.iter().find(|(rule, ..)| *rule == wanted).map(|(_, stage, ..)| *stage);
    let until = broken.and_then(|(_, rule)| stage_of(rule));
    let row = |&(rule, stage, name, expected): &(Rule, usize, &'static str, &str)| {
        let expected = if rule == Rule::Root { root_text(root) } else { expected.to_owned() };
        match broken {
            Some((error, broken)) if broken == rule => Check::fail(name, expected, error.to_string()),
            Some(_) if until.is_none_or(|until| stage >= until) => {
                Check::not_checked(name, expected, "not reached")
            }
            _ => Check::pass(name, expected),
        }
    };
    RULES.iter().map(row).collect()
}

fn root_text(root: &Root) -> String {
    let whose = if *root == Root::aws() { "AWS Nitro Enclaves" } else { "the given root, not AWS's" };
    format!("{whose} {}", hex::encode(root.fingerprint()))
}

fn rule_of(error: &VerifyError) -> Rule {
    use VerifyError as E;
    match error {
        E::DocumentTooLarge { .. }
        | E::NotCoseSign1 { .. }
        | E::Tagged
        | E::ProtectedHeader { .. }
        | E::UnprotectedHeader
        | E::SignatureLength { .. }
        | E::TrailingBytes { .. }
        | E::NotShortestForm => Rule::Envelope,
        E::Malformed { place, .. } if *place == crate::verify::ENVELOPE => Rule::Envelope,
        E::Malformed { place: "digest", .. } | E::Digest { .. } => Rule::Digest,
        E::Malformed { place: "pcrs", .. }
        | E::PcrIndex { .. }
        | E::PcrLength { .. }
        | E::PcrTwice { .. }
        | E::PcrAbsent { .. } => Rule::Pcrs,
        E::UnusableRoot { .. } | E::WrongRoot { .. } => Rule::Root,
        E::CertificateTime { .. } => Rule::Validity,
        E::BadCertificate { .. }
        | E::CertificateAlgorithm { .. }
        | E::CertificateKey { .. }
        | E::KeyUsage { .. }
        | E::ExtendedKeyUsage
        | E::NotCa { .. }
        | E::LeafIsCa
        | E::PathLength
        | E::UnknownIssuer
        | E::CertificateSignature
        | E::CriticalExtension
        | E::BundleOrder
        | E::Chain { .. } => Rule::Chain,
        E::BadSignature => Rule::Signature,
        // The payload's own; and what `verify` does not answer, so that it cannot pass.
        _ => Rule::Payload,
    }
}
