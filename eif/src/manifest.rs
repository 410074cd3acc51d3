//! Manifests: what k of n people state about one image.
//!
//! A manifest names an image by its digests and PCRs, and how it was built: source, toolchain, inputs, command. Whoever
//! signs it says "I built this, or checked it, and got these bytes"; whoever verifies it needs the signers' public keys,
//! and how many of them must agree. It is JSON in a DSSE envelope with Ed25519 signatures, like the appliance's other
//! statements, and with a payload type of its own.
//!
//! There is one spelling: a manifest whose bytes are not those that [`Manifest::to_json`] writes is refused.

mod error;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use serde::{Deserialize, Serialize};
use signer_rules::{
    authority::AdminKey,
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
};

pub use error::ManifestError;

use crate::{
    contents::{self, Kind},
    image::Image,
    measure::{Measurements, Pcr},
    sign::{self, CheckError},
};

/// The DSSE payload type of a manifest.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.image-manifest.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/image-manifest/v1";

/// The longest text in a manifest, in bytes.
pub const MAX_TEXT: usize = 4096;
/// Inputs of a manifest, at most.
pub const MAX_INPUTS: usize = 4096;
/// Configurations of a manifest, at most.
pub const MAX_CONFIGURATIONS: usize = 256;

/// What its signers state about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Whom the image is for. A development image believes an emulated KMS.
    pub kind: Kind,
    /// What the hypervisor attests.
    pub pcrs: Pcrs,
    /// The image's file.
    pub image: File,
    /// The kernel's command line, which is measured.
    pub command_line: String,
    /// The commit of the source, in hexadecimal.
    pub source_commit: String,
    /// The compiler, as it names itself.
    pub toolchain: String,
    /// What else went into the image: packages, kernels, files.
    pub inputs: Vec<Input>,
    /// How to build it again.
    pub build_command: String,
    /// SHA-384 digests of the appliance configurations with which this image may run. An enclave extends its own into
    /// PCR16. PCR0 to 2 alone do not say under whose authority an enclave runs.
    pub configurations: Vec<HexBytes<48>>,
    /// The version of `nitro-cli`, if that built the image: its kernel and init are in PCR0 and PCR1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nitro_cli: Option<String>,
}

/// The PCRs of a manifest. PCR8 is there if the image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "UPPERCASE")]
pub struct Pcrs {
    /// Everything that boots.
    pub pcr0: Pcr,
    /// Kernel, command line and the first ramdisk.
    pub pcr1: Pcr,
    /// The other ramdisks.
    pub pcr2: Pcr,
    /// The signing certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr8: Option<Pcr>,
}

/// A file by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// SHA-256 of the file.
    pub sha256: HexBytes<32>,
    /// SHA-384 of the file.
    pub sha384: HexBytes<48>,
    /// Its bytes.
    pub size: u64,
}

/// One input of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: HexBytes<32>,
}

/// What a builder says of an image, beyond what the image shows itself.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// See [`Manifest::kind`]; `None` is what the ramdisks show.
    pub kind: Option<Kind>,
    /// See [`Manifest::source_commit`].
    pub source_commit: String,
    /// See [`Manifest::toolchain`].
    pub toolchain: String,
    /// See [`Manifest::inputs`].
    pub inputs: Vec<Input>,
    /// See [`Manifest::build_command`].
    pub build_command: String,
    /// See [`Manifest::configurations`].
    pub configurations: Vec<HexBytes<48>>,
    /// See [`Manifest::nitro_cli`].
    pub nitro_cli: Option<String>,
}

/// One comparison of a manifest with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What is compared.
    pub name: &'static str,
    /// What the manifest says.
    pub expected: String,
    /// What the image shows.
    pub actual: String,
}

impl Manifest {
    /// A manifest of the image in `file`.
    pub fn of(file: &[u8], build: Build) -> Result<Self, ManifestError> {
        let image = Image::parse(file)?;
        if !image.crc_holds() {
            return Err(ManifestError::Crc);
        }
        let measured = Measurements::of(&image);
        signed(&image, &measured)?;
        let command_line =
            str::from_utf8(image.cmdline()).map_err(|_| ManifestError::CommandLine)?.to_owned();
        let manifest = Self {
            format: FORMAT.to_owned(),
            kind: kind(&image, build.kind)?,
            pcrs: measured.into(),
            image: File::of(file),
            command_line,
            source_commit: build.source_commit,
            toolchain: build.toolchain,
            inputs: build.inputs,
            build_command: build.build_command,
            configurations: build.configurations,
            nitro_cli: build.nitro_cli,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes that are signed: indented JSON with a line feed at its end.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        let json = serde_json::to_string_pretty(self);
        json.map(|text| (text + "\n").into_bytes())
            .map_err(|error| ManifestError::Malformed(error.to_string()))
    }

    /// Reads the bytes that are signed, strictly. Who signed them is not looked at.
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        manifest.check()?;
        if manifest.to_json()? != json {
            return Err(ManifestError::Spelling);
        }
        Ok(manifest)
    }

    /// An envelope for it that nobody has signed yet.
    pub fn to_envelope(&self) -> Result<Envelope, ManifestError> {
        Ok(Envelope::unsigned(PAYLOAD_TYPE, &self.to_json()?))
    }

    /// The manifest in an envelope, if at least `threshold` distinct keys of `signers` signed it. A threshold above the
    /// number of distinct signers can never be met, and zero would mean nobody: both are errors.
    pub fn verify(
        envelope: &Envelope,
        signers: &[AdminKey],
        threshold: usize,
    ) -> Result<Self, ManifestError> {
        let distinct = distinct(signers);
        if !(1..=distinct.len()).contains(&threshold) {
            return Err(ManifestError::Threshold { threshold, signers: distinct.len() });
        }
        Self::from_json(&envelope.verify(PAYLOAD_TYPE, &distinct, threshold)?)
    }

    /// The manifest in an envelope without any check of who signed it: for display and for signing, never for use.
    pub fn unverified(envelope: &Envelope) -> Result<Self, ManifestError> {
        if envelope.payload_type() != PAYLOAD_TYPE {
            let found = envelope.payload_type().to_owned();
            return Err(DsseError::WrongType { expected: PAYLOAD_TYPE, found }.into());
        }
        Self::from_json(&envelope.unverified_payload()?)
    }

    /// Compares with an image: each row holds if its two sides are equal.
    pub fn compare(&self, file: &[u8]) -> Result<Vec<Comparison>, ManifestError> {
        let image = Image::parse(file)?;
        let actual = File::of(file);
        let measured = Measurements::of(&image);
        let pcrs = Pcrs::from(measured);
        let signature = match signed(&image, &measured) {
            Ok(is_signed) => signature_text(is_signed).to_owned(),
            Err(error) => error.to_string(),
        };
        let row = |name, expected: String, actual: String| Comparison { name, expected, actual };
        let kind = contents::kind(&image).map_or_else(
            // An image of nitro-cli may be packed in a form that we do not list; PCRs and digests decide.
            |_| self.kind.as_str(),
            Kind::as_str,
        );
        Ok(vec![
            row("PCR0", self.pcrs.pcr0.to_string(), pcrs.pcr0.to_string()),
            row("PCR1", self.pcrs.pcr1.to_string(), pcrs.pcr1.to_string()),
            row("PCR2", self.pcrs.pcr2.to_string(), pcrs.pcr2.to_string()),
            row("PCR8", shown(self.pcrs.pcr8), shown(pcrs.pcr8)),
            row("signature", signature_text(self.pcrs.pcr8.is_some()).to_owned(), signature),
            row("size", self.image.size.to_string(), actual.size.to_string()),
            row("SHA-256", self.image.sha256.to_string(), actual.sha256.to_string()),
            row("SHA-384", self.image.sha384.to_string(), actual.sha384.to_string()),
            row(
                "command line",
                self.command_line.clone(),
                String::from_utf8_lossy(image.cmdline()).into_owned(),
            ),
            row("kind", self.kind.as_str().to_owned(), kind.to_owned()),
        ])
    }

    /// Bounds, and values that say nothing.
    fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::Format { actual: self.format.clone() });
        }
        if [self.pcrs.pcr0, self.pcrs.pcr1, self.pcrs.pcr2].contains(&HexBytes([0; 48])) {
            return Err(ManifestError::ZeroPcr);
        }
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !matches!(self.source_commit.len(), 40 | 64) || !self.source_commit.bytes().all(hex) {
            return Err(ManifestError::Commit);
        }
        if self.inputs.len() > MAX_INPUTS {
            return Err(ManifestError::TooMany { what: "inputs", max: MAX_INPUTS });
        }
        if self.configurations.len() > MAX_CONFIGURATIONS {
            return Err(ManifestError::TooMany { what: "configurations", max: MAX_CONFIGURATIONS });
        }
        check_text("toolchain", &self.toolchain)?;
        check_text("build_command", &self.build_command)?;
        if let Some(version) = &self.nitro_cli {
            check_text("nitro_cli", version)?;
        }
        for input in &self.inputs {
            check_text("inputs[].name", &input.name)?;
            check_text("inputs[].version", &input.version)?;
        }
        Ok(())
    }
}

impl Comparison {
    /// Whether both sides are equal.
    pub fn holds(&self) -> bool {
        self.expected == self.actual
    }
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let mut sha256 = HexBytes([0; 32]);
        sha256.0.copy_from_slice(digest(&SHA256, bytes).as_ref());
        let mut sha384 = HexBytes([0; 48]);
        sha384.0.copy_from_slice(digest(&SHA384, bytes).as_ref());
        Self { sha256, sha384, size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}

impl From<Measurements> for Pcrs {
    fn from(measured: Measurements) -> Self {
        let Measurements { pcr0, pcr1, pcr2, pcr8 } = measured;
        Self { pcr0, pcr1, pcr2, pcr8 }
    }
}

/// What the ramdisks show, or else what the builder says. A builder may call an image a development image that does not
/// look like one, and not the other way.
fn kind(image: &Image<'_>, said: Option<Kind>) -> Result<Kind, ManifestError> {
    match (contents::kind(image), said) {
        (Ok(Kind::Development), Some(Kind::Production)) => Err(ManifestError::DevelopmentImage),
        (_, Some(said)) => Ok(said),
        (Ok(shown), None) => Ok(shown),
        (Err(reason), None) => Err(ManifestError::Kind { reason }),
    }
}

/// Whether the image is signed; an error if the signature does not hold. [`Measurements::of`] has a PCR8 for whatever
/// certificate it can read, and none for one that it cannot.
fn signed(image: &Image<'_>, measured: &Measurements) -> Result<bool, CheckError> {
    let Some(section) = image.signature() else { return Ok(false) };
    sign::check(section, &measured.pcr0).map(|_| true)
}

fn signature_text(is_signed: bool) -> &'static str {
    if is_signed { "verifies" } else { "none" }
}

fn distinct(keys: &[AdminKey]) -> Vec<AdminKey> {
    let mut distinct: Vec<AdminKey> = Vec::with_capacity(keys.len());
    for key in keys {
        if !distinct.contains(key) {
            distinct.push(key.clone());
        }
    }
    distinct
}

fn check_text(member: &'static str, text: &str) -> Result<(), ManifestError> {
    if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(ManifestError::Text { member });
    }
    Ok(())
}

fn shown(pcr: Option<Pcr>) -> String {
    pcr.map_or_else(|| "none".to_owned(), |pcr| pcr.to_string())
}
