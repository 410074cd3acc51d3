//! The verdict, for people and for programs.

use serde_json::json;
use signer_eif::examine::{Answer, Examination, Outcome};
use signer_terminal::{EXIT_FAILED, EXIT_USAGE, Report, Style};

/// Nothing wrong, and nothing compared.
const EXIT_SIGNATURE_ONLY: u8 = 3;

/// What a match is a match with.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// Whose measurements were compared.
    pub(super) measurements: Source,
    /// Whether documents were believed under AWS's root.
    pub(super) is_aws: bool,
}

/// Where measurements are from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The command line.
    Typed,
    /// A manifest, judged by whom the caller trusts to sign it.
    SignedManifest,
    /// A manifest that may be anyone's.
    AnyonesManifest,
}

impl Claim {
    /// The sentence for a match. It says no more than what was checked.
    fn sentence(self, style: Style) -> String {
        let image = match self.measurements {
            Source::SignedManifest => "the published image",
            Source::Typed => "the image with the PCRs you gave",
            Source::AnyonesManifest => "the image of a manifest whose signers were NOT verified",
        };
        let text = format!("MATCH: this is {image}, under the authority you expect");
        match (self.is_aws, self.measurements) {
            (false, _) => style.caution(&format!(
                "{text}, as far as the given --root can be believed: it is NOT AWS's, so nothing is proven \
                 about AWS hardware."
            )),
            (true, Source::AnyonesManifest) => style.caution(&format!("{text}.")),
            (true, Source::Typed | Source::SignedManifest) => style.good(&format!("{text}.")),
        }
    }
}

/// Everything was asked for.
pub(super) fn full(answer: &Answer, examination: &Examination, claim: Claim, style: Style) -> Report {
    let (verdict, exit) = match examination.outcome() {
        Outcome::Match => (claim.sentence(style), 0),
        Outcome::Mismatch => (mismatch(examination, style), EXIT_FAILED),
        Outcome::Incomplete => (incomplete(&examination.not_checked(), style), EXIT_USAGE),
    };
    let mut json = examination.to_json();
    json["mode"] = json!("full");
    json["boot_id"] = json!(answer.boot_id);
    json["not_checked"] = json!(examination.not_checked());
    json["missing"] = json!(missing(&examination.not_checked()));
    json["exit"] = json!(exit);
    Report { human: format!("{}\n\n{verdict}", examination.table(style)), json, exit }
}

/// Only the signature was asked for.
pub(super) fn signature_only(examination: &Examination, style: Style) -> Report {
    let holds = examination.outcome() != Outcome::Mismatch;
    let (verdict, exit) = if holds {
        let text = format!(
            "{} a Nitro hypervisor made this document, for an enclave that is not in debug mode.\n{} which \
             image that is, whose keys it may open, and whether the document is fresh.\nThis does not say \
             that the enclave can be trusted.",
            style.bold("SIGNATURE ONLY:"),
            style.caution("NOT CHECKED:"),
        );
        (text, EXIT_SIGNATURE_ONLY)
    } else {
        (mismatch(examination, style), EXIT_FAILED)
    };
    let mut json = examination.to_json();
    json["verdict"] = json!(if holds { "signature_only" } else { "mismatch" });
    json["mode"] = json!("signature_only");
    json["not_checked"] = json!(examination.not_checked());
    json["exit"] = json!(exit);
    Report { human: format!("{}\n\n{verdict}", examination.table(style)), json, exit }
}

fn mismatch(examination: &Examination, style: Style) -> String {
    let failing: Vec<&str> =
        examination.checks.iter().filter(|check| check.fails()).map(|check| check.name).collect();
    style.bad(&format!("DOES NOT MATCH ({}): do not trust this enclave.", failing.join(", ")))
}

fn incomplete(open: &[&str], style: Style) -> String {
    format!(
        "{} nothing is wrong, but not compared: {}.\nTo decide, {}.",
        style.caution("INCOMPLETE:"),
        open.join(", "),
        missing(open).join(", and ")
    )
}

/// What to give so that nothing is left open.
fn missing(open: &[&str]) -> Vec<&'static str> {
    let any = |names: &[&str]| open.iter().any(|name| names.contains(name));
    let mut missing = Vec::new();
    if any(&["PCR0", "PCR1", "PCR2"]) {
        missing.push("give measurements: --manifest FILE, or --pcr0, --pcr1 and --pcr2");
    }
    if any(&["manifest signers"]) {
        missing.push(
            "say who may sign the manifest: --manifest-signer KEY (--unsigned-manifest accepts anyone's)",
        );
    }
    if any(&["statement digest"]) {
        missing
            .push("give the whole answer of GET /v1/attestation, whose statement the document vouches for");
    }
    if any(&["authority"]) {
        missing.push("give the authority: --config FILE or --authority HEX");
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for() {
        let text = incomplete(&["PCR0", "authority"], signer_terminal::Terminal::plain().style());
        assert!(text.contains("--manifest") && text.contains("--config"), "{text}");
        assert!(missing(&["statement digest"])[0].contains("GET /v1/attestation"));
        assert!(missing(&["manifest signers"])[0].contains("--manifest-signer"));
    }

    #[test]
    fn a_match_claims_what_was_checked() {
        let style = signer_terminal::Terminal::plain().style();
        let sentence = |measurements, is_aws| Claim { measurements, is_aws }.sentence(style);
        let published = "MATCH: this is the published image, under the authority you expect.";
        assert_eq!(sentence(Source::SignedManifest, true), published);
        assert!(!sentence(Source::Typed, true).contains("published"));
        assert!(!sentence(Source::AnyonesManifest, true).contains("published"));
        for source in [Source::SignedManifest, Source::Typed, Source::AnyonesManifest] {
            assert!(sentence(source, false).contains("NOT AWS's"));
        }
    }
}
