//! `signer-eif measure`: what an image is.

use std::{fmt::Write as _, path::PathBuf};

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use clap::Args;
use serde_json::{Value, json};
use signer_eif::{
    contents::{self, Kind},
    image::{Image, MAX_IMAGE},
    measure::Measurements,
    metadata::{Metadata, MetadataError},
    sign::{self, CheckError, Signed},
};
use signer_rules::timestamp::Timestamp;
use signer_terminal::{EXIT_FAILED, Failure, Report, Style, Terminal, clean, fields, files};

const EXAMPLES: &str = "\
Examples:
  signer-eif measure nitro-signer.eif
  signer-eif measure nitro-signer.eif --json > eif.json
  signerctl kms-policy --measurements eif.json ...

The JSON has \"Measurements\" in the shape of nitro-cli, whose describe-eif names the rest where it can. Images
of nitro-cli are read, too. Metadata and signature are not measured.

Exit status: 0 if the CRC and the signature, if there is one, hold; 1 otherwise.";

/// Measure an image.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MeasureArgs {
    /// The image.
    #[arg(value_name = "IMAGE.eif")]
    image: PathBuf,
}

pub(crate) fn run(args: &MeasureArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let bytes = read(&args.image)?;
    let image = parse(&bytes, &args.image)?;
    Ok(report(&bytes, &image, terminal))
}

/// Reads an image's file.
pub(super) fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    files::read_into(path, MAX_IMAGE, &mut bytes)?;
    Ok(bytes)
}

/// Takes an image apart.
pub(super) fn parse<'a>(bytes: &'a [u8], path: &std::path::Path) -> Result<Image<'a>, Failure> {
    Image::parse(bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Everything that an image shows of itself.
pub(super) fn report(bytes: &[u8], image: &Image<'_>, terminal: &Terminal) -> Report {
    let found = Found::of(bytes, image);
    let exit = if found.holds() { 0 } else { EXIT_FAILED };
    Report { human: found.human(terminal.style()), json: found.json(), exit }
}

struct Found<'a> {
    image: &'a Image<'a>,
    measurements: Measurements,
    sha256: String,
    sha384: String,
    metadata: Option<Result<Metadata, MetadataError>>,
    signature: Option<Result<Signed, CheckError>>,
    kind: Result<Kind, String>,
}

impl<'a> Found<'a> {
    fn of(bytes: &[u8], image: &'a Image<'a>) -> Self {
        let measurements = Measurements::of(image);
        Self {
            image,
            measurements,
            sha256: hex::encode(digest(&SHA256, bytes)),
            sha384: hex::encode(digest(&SHA384, bytes)),
            metadata: image.metadata().map(Metadata::from_json),
            signature: image.signature().map(|section| sign::check(section, &measurements.pcr0)),
            kind: contents::kind(image),
        }
    }

    fn holds(&self) -> bool {
        self.image.crc_holds() && !matches!(self.signature, Some(Err(_)))
    }

    fn json(&self) -> Value {
        let sections: Vec<Value> = self
            .image
            .sections
            .iter()
            .map(|section| json!({ "Kind": section.kind, "Offset": section.offset, "Size": section.data.len() }))
            .collect();
        let mut value = json!({
            "Measurements": self.measurements,
            "EifVersion": self.image.version,
            "Architecture": self.image.architecture,
            "Size": self.image.size,
            "SHA256": self.sha256,
            "SHA384": self.sha384,
            "CheckCRC": self.image.crc_holds(),
            "IsSigned": self.signature.is_some(),
            "Cmdline": String::from_utf8_lossy(self.image.cmdline()),
            "Kind": self.kind.as_ref().ok(),
            "Sections": sections,
        });
        let mut insert = |name: &str, member: Value| {
            if let Value::Object(members) = &mut value {
                members.insert(name.to_owned(), member);
            }
        };
        match &self.metadata {
            Some(Ok(metadata)) => insert("Metadata", json!(metadata)),
            Some(Err(error)) => insert("MetadataError", error.to_string().into()),
            None => {}
        }
        match &self.signature {
            Some(Ok(signed)) => {
                insert("SignatureCheck", true.into());
                insert("SigningCertificate", certificate_json(signed));
            }
            Some(Err(error)) => {
                insert("SignatureCheck", false.into());
                insert("SignatureError", error.to_string().into());
            }
            None => {}
        }
        if let Err(reason) = &self.kind {
            insert("KindError", reason.clone().into());
        }
        value
    }

    fn human(&self, style: Style) -> String {
        let mut rows = vec![
            ("PCR0", self.measurements.pcr0.to_string()),
            ("PCR1", self.measurements.pcr1.to_string()),
            ("PCR2", self.measurements.pcr2.to_string()),
        ];
        rows.extend(self.measurements.pcr8.map(|pcr8| ("PCR8", pcr8.to_string())));
        rows.extend([
            ("kind", self.kind_text(style)),
            ("signature", self.signature_text(style)),
            ("CRC-32", self.crc_text(style)),
            ("SHA-256", self.sha256.clone()),
            ("SHA-384", self.sha384.clone()),
            ("size", format!("{} bytes", self.image.size)),
            ("format", format!("EIF version {}, {}", self.image.version, self.image.architecture)),
            ("cmdline", clean(&String::from_utf8_lossy(self.image.cmdline()))),
        ]);
        rows.extend(self.metadata_rows(style));
        format!("{}\n\n{}", fields(&rows), self.sections_text())
    }

    fn kind_text(&self, style: Style) -> String {
        match &self.kind {
            Ok(Kind::Production) => style.good("production: its ramdisks hold no KMS roots of their own"),
            Ok(Kind::Development) => {
                style.caution("development: it trusts the KMS roots in its ramdisk, not Amazon's")
            }
            Err(reason) => style.caution(&format!("cannot be told: {}", clean(reason))),
        }
    }

    fn signature_text(&self, style: Style) -> String {
        match &self.signature {
            None => "none".to_owned(),
            Some(Ok(signed)) => {
                let [from, to] = [signed.valid.0, signed.valid.1].map(Timestamp::from_seconds);
                format!("{} by {}, valid {from} to {to}", style.good("verifies"), clean(&signed.subject))
            }
            Some(Err(error)) => style.bad(&clean(&error.to_string())),
        }
    }

    fn crc_text(&self, style: Style) -> String {
        let (stated, actual) = (self.image.stated_crc, self.image.actual_crc);
        if self.image.crc_holds() {
            return format!("{} ({actual:08x})", style.good("holds"));
        }
        style.bad(&format!("does NOT hold: the header says {stated:08x}, the file has {actual:08x}"))
    }

    fn metadata_rows(&self, style: Style) -> Vec<(&'static str, String)> {
        match &self.metadata {
            None => vec![("metadata", "none".to_owned())],
            Some(Err(error)) => vec![("metadata", style.caution(&clean(&error.to_string())))],
            Some(Ok(metadata)) => {
                let build = &metadata.build_metadata;
                vec![
                    ("name", clean(&format!("{} {}", metadata.image_name, metadata.image_version))),
                    (
                        "built",
                        clean(&format!(
                            "{} with {} {}",
                            build.build_time, build.build_tool, build.build_tool_version
                        )),
                    ),
                    ("system", clean(&format!("{} {}", build.operating_system, build.kernel_version))),
                ]
            }
        }
    }

    fn sections_text(&self) -> String {
        let mut text = format!("{:9}  {:>10}  {:>10}", "section", "offset", "bytes");
        for section in &self.image.sections {
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "\n{:9}  {:>10}  {:>10}",
                section.kind.to_string(),
                section.offset,
                section.data.len()
            );
        }
        text
    }
}

fn certificate_json(signed: &Signed) -> Value {
    let [from, to] = [signed.valid.0, signed.valid.1].map(Timestamp::from_seconds);
    json!({
        "Subject": signed.subject,
        "NotBefore": from,
        "NotAfter": to,
        "SHA256": hex::encode(digest(&SHA256, &signed.certificate)),
    })
}
