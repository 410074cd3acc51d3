//! What an image measures: the PCRs that the hypervisor will attest.
//!
//! Each is what a zero register becomes when it is extended once, `SHA-384(48 zero bytes ‖ SHA-384(data))`:
//!
//! | PCR | data |
//! | --- | --- |
//! | 0 | kernel, command line, all ramdisks |
//! | 1 | kernel, command line, the first ramdisk |
//! | 2 | all ramdisks but the first |
//! | 8 | the certificate that signed the image, in DER; no certificate, no PCR8 |
//!
//! Sections follow each other in the file's order and without separators. Header, metadata and signature are not
//! measured.

use aws_lc_rs::digest::{Context, SHA384, digest};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use signer_rules::hex_bytes::HexBytes;

use crate::{
    image::{Image, SectionKind},
    sign,
    verify::pcr_after_extend,
};

/// The value of a PCR.
pub type Pcr = HexBytes<48>;

/// What `nitro-cli` writes for SHA-384.
const ALGORITHM: &str = "Sha384 { ... }";

/// The PCRs of an image. As JSON it has `nitro-cli`'s shape: `{"HashAlgorithm": "Sha384 { ... }", "PCR0": …}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// Everything that boots.
    pub pcr0: Pcr,
    /// Kernel, command line and the first ramdisk.
    pub pcr1: Pcr,
    /// The other ramdisks: the application.
    pub pcr2: Pcr,
    /// The certificate of whoever signed the image. Whether the signature holds is another question, which
    /// [`sign::check`] answers.
    pub pcr8: Option<Pcr>,
}

impl Measurements {
    /// Measures an image. Without a certificate that can be read there is no PCR8, even if there is a signature section:
    /// whoever means the signature asks [`sign::check`] whether it holds.
    pub fn of(image: &Image<'_>) -> Self {
        let certificate = image.signature().and_then(|section| sign::certificate(section).ok());
        Self { pcr8: certificate.map(|der| certificate_pcr(&der)), ..Self::of_sections(image) }
    }

    fn of_sections(image: &Image<'_>) -> Self {
        let [mut whole, mut boot, mut application] = [(); 3].map(|()| Context::new(&SHA384));
        let mut ramdisks = 0_usize;
        for section in &image.sections {
            match section.kind {
                SectionKind::Kernel | SectionKind::Cmdline => boot.update(section.data),
                SectionKind::Ramdisk => {
                    let register = if ramdisks == 0 { &mut boot } else { &mut application };
                    register.update(section.data);
                    ramdisks = ramdisks.saturating_add(1);
                }
                SectionKind::Signature | SectionKind::Metadata => continue,
            }
            whole.update(section.data);
        }
        let [pcr0, pcr1, pcr2] =
            [whole, boot, application].map(|context| HexBytes(pcr_after_extend(context.finish().as_ref())));
        Self { pcr0, pcr1, pcr2, pcr8: None }
    }
}

/// PCR8 of an image that was signed with this certificate, in DER.
pub fn certificate_pcr(der: &[u8]) -> Pcr {
    HexBytes(pcr_after_extend(digest(&SHA384, der).as_ref()))
}

impl Serialize for Measurements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("HashAlgorithm", ALGORITHM)?;
        map.serialize_entry("PCR0", &self.pcr0)?;
        map.serialize_entry("PCR1", &self.pcr1)?;
        map.serialize_entry("PCR2", &self.pcr2)?;
        if let Some(pcr8) = &self.pcr8 {
            map.serialize_entry("PCR8", pcr8)?;
        }
        map.end()
    }
}
