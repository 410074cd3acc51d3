//! The published manifest, and who signed it.

use signer_eif::{
    contents::Kind,
    examine::{Check, Measurements, Verdict},
    manifest::{Manifest, ManifestError},
};
use signer_rules::{
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
};
use signer_terminal::{Failure, Terminal, clean, files, keys::read_public};

use super::{ImageArgs, report::Source};

/// A manifest, believed or not: [`Self::checks`] says.
pub(super) struct Published {
    manifest: Manifest,
    signatures: Signatures,
}

/// What is known of who signed it.
enum Signatures {
    /// Nobody said who should have. The caller may have said that this does not matter.
    NotAsked { accepted: bool },
    /// Enough of the signers.
    Enough { threshold: usize, signers: usize },
    /// Not enough, or a signature that does not hold.
    Refused { threshold: usize, signers: usize, reason: String },
}

impl Published {
    /// Reads the manifest, if one was named. What is no manifest is an error; one that the wrong people signed is judged.
    pub(super) fn read(args: &ImageArgs, terminal: &Terminal) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.manifest else { return Ok(None) };
        let failed = |error: String| Failure::new(format!("{}: {}", path.display(), clean(&error)));
        let envelope = Envelope::from_json(&files::read(path)?)
            .map_err(|error| failed(error.to_string()).hint("name what signer-eif manifest create wrote"))?;
        let manifest = Manifest::unverified(&envelope).map_err(|error| failed(error.to_string()))?;
        if args.manifest_signers.is_empty() {
            terminal.warn(&format!(
                "NOBODY'S MANIFEST: no --manifest-signer was given, so {} may be anyone's, and a match says no \
                 more than that this image runs.",
                path.display()
            ));
            let signatures = Signatures::NotAsked { accepted: args.unsigned_manifest };
            return Ok(Some(Self { manifest, signatures }));
        }
        let keys =
            args.manifest_signers.iter().map(|text| read_public(text)).collect::<Result<Vec<_>, _>>()?;
        let (signers, threshold) = (keys.len(), args.manifest_threshold.unwrap_or(keys.len()));
        let signatures = match Manifest::verify(&envelope, &keys, threshold) {
            Ok(_) => Signatures::Enough { threshold, signers },
            Err(ManifestError::Envelope(
                error @ (DsseError::Quorum { .. } | DsseError::BadSignature(_) | DsseError::DuplicateKey(_)),
            )) => Signatures::Refused { threshold, signers, reason: error.to_string() },
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok(Some(Self { manifest, signatures }))
    }

    /// Who says what the image measures.
    pub(super) fn source(&self) -> Source {
        match self.signatures {
            Signatures::NotAsked { .. } => Source::AnyonesManifest,
            Signatures::Enough { .. } | Signatures::Refused { .. } => Source::SignedManifest,
        }
    }

    /// What the image measures.
    pub(super) fn measurements(&self) -> Measurements {
        let pcrs = &self.manifest.pcrs;
        Measurements { pcr0: pcrs.pcr0, pcr1: Some(pcrs.pcr1), pcr2: Some(pcrs.pcr2), pcr8: pcrs.pcr8 }
    }

    /// The configurations under which it may run, if the manifest names any.
    pub(super) fn configurations(&self) -> &[HexBytes<48>] {
        &self.manifest.configurations
    }

    /// Who signed it, and whom the image is for.
    pub(super) fn checks(&self, allow_development: bool) -> Vec<Check> {
        const NAME: &str = "manifest signers";
        let wanted = |threshold, signers| format!("at least {threshold} of {signers}");
        let signed = match &self.signatures {
            Signatures::NotAsked { accepted: true } => {
                Check::shown(NAME, "NOT VERIFIED: --unsigned-manifest accepts anyone's")
            }
            Signatures::NotAsked { accepted: false } => {
                Check::not_checked(NAME, "signed by whom you trust", "nobody was named")
            }
            Signatures::Enough { threshold, signers } => Check::pass(NAME, wanted(threshold, signers)),
            Signatures::Refused { threshold, signers, reason } => {
                Check::fail(NAME, wanted(threshold, signers), reason)
            }
        };
        let verdict = match self.manifest.kind {
            Kind::Production => Verdict::Pass,
            Kind::Development if allow_development => Verdict::Shown,
            Kind::Development => Verdict::Fail,
        };
        let kind = self.manifest.kind.as_str();
        let kind = Check::new("manifest kind", Kind::Production.as_str(), kind, verdict);
        vec![signed, kind, Check::shown("manifest source", &self.manifest.source_commit)]
    }
}
