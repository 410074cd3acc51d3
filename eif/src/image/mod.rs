//! Enclave image files (EIF), read strictly and written as `nitro-cli` writes them.
//!
//! A file is a header of 548 bytes with a table of up to 32 sections, then the sections, each behind a header of its own
//! of 12 bytes. All numbers are big-endian. A CRC-32 covers everything but its own four bytes; it finds damage, not
//! malice. Kernel, command line and ramdisks are measured (see [`crate::measure`]); the header, the metadata and the
//! signature are not.
//!
//! Readers of this format take different views of it: some walk the sections one after the other, some follow the
//! header's table. [`Image::parse`] accepts only files in which both say the same.
//!
//! Format: [the specification](https://github.com/aws/aws-nitro-enclaves-image-format#enclave-image-file-eif-specification),
//! versions 2, 3 and 4.

mod error;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use serde::Serialize;

pub use error::{ImageError, WriteError};
pub use write::NewImage;

/// The first four bytes of an image: `.eif`.
pub const MAGIC: [u8; 4] = *b".eif";

/// The version that is written.
pub const VERSION: u16 = 4;

/// The largest image that is looked at, in bytes: 1 GiB. Ours are about 20 MiB.
pub const MAX_IMAGE: usize = 1024 * 1024 * 1024;

/// Sections in an image, at most: the header's table has no more rows.
pub const MAX_SECTIONS: usize = 32;

/// Bytes of the header.
const HEADER: usize = 548;
/// Bytes of the header before the CRC, which is its last field.
const HEADER_BEFORE_CRC: usize = HEADER - 4;
/// Bytes of the header before the table of offsets.
const HEADER_BEFORE_TABLES: usize = 28;
/// Bytes of a section's header.
const SECTION_HEADER: usize = 12;
/// The only flag of the header: the image is for arm64.
const FLAG_ARM64: u16 = 1;

/// An image that was taken apart. It borrows the file's bytes.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The format's version: 2, 3 or 4.
    pub version: u16,
    /// The processors that it is for.
    pub architecture: Architecture,
    /// The sections, in the file's order.
    pub sections: Vec<Section<'a>>,
    /// The CRC-32 that the header names.
    pub stated_crc: u32,
    /// The CRC-32 that the file has.
    pub actual_crc: u32,
    /// Bytes of the whole file.
    pub size: usize,
}

/// A part of an image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it is.
    pub kind: SectionKind,
    /// Where its header starts in the file.
    pub offset: usize,
    /// Its content, without its header.
    pub data: &'a [u8],
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SectionKind {
    /// The Linux kernel: a bzImage, or on arm64 an Image.
    Kernel,
    /// The kernel's command line.
    Cmdline,
    /// A compressed cpio archive. The kernel unpacks all ramdisks over each other, in order.
    Ramdisk,
    /// Who signed PCR0: see [`crate::sign`].
    Signature,
    /// When and with what the image was built, in JSON.
    Metadata,
}

/// The processors that an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// AMD64 and Intel 64.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl<'a> Image<'a> {
    /// Takes an image apart and checks everything but the CRC, the metadata and the signature: those do not change what
    /// an image measures, and whoever asks may want to know both.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        read::parse(bytes)
    }

    /// Whether the file is undamaged. `nitro-cli` and the hypervisor refuse it otherwise.
    pub fn crc_holds(&self) -> bool {
        self.stated_crc == self.actual_crc
    }

    /// The kernel.
    pub fn kernel(&self) -> &'a [u8] {
        self.first(SectionKind::Kernel).unwrap_or_default()
    }

    /// The kernel's command line, as it is in the file.
    pub fn cmdline(&self) -> &'a [u8] {
        self.first(SectionKind::Cmdline).unwrap_or_default()
    }

    /// The metadata, if there are any.
    pub fn metadata(&self) -> Option<&'a [u8]> {
        self.first(SectionKind::Metadata)
    }

    /// The signature section, if there is one.
    pub fn signature(&self) -> Option<&'a [u8]> {
        self.first(SectionKind::Signature)
    }

    /// The ramdisks, in order.
    pub fn ramdisks(&self) -> impl Iterator<Item = &'a [u8]> {
        self.of(SectionKind::Ramdisk)
    }

    fn first(&self, kind: SectionKind) -> Option<&'a [u8]> {
        self.of(kind).next()
    }

    fn of(&self, kind: SectionKind) -> impl Iterator<Item = &'a [u8]> {
        self.sections.iter().filter(move |section| section.kind == kind).map(|section| section.data)
    }
}

impl SectionKind {
    /// The number that stands for it in a section's header.
    pub const fn number(self) -> u16 {
        match self {
            Self::Kernel => 1,
            Self::Cmdline => 2,
            Self::Ramdisk => 3,
            Self::Signature => 4,
            Self::Metadata => 5,
        }
    }

    fn from_number(number: u16) -> Option<Self> {
        [Self::Kernel, Self::Cmdline, Self::Ramdisk, Self::Signature, Self::Metadata]
            .into_iter()
            .find(|kind| kind.number() == number)
    }

    /// Whether an image has more than one of them at most.
    const fn repeats(self) -> bool {
        matches!(self, Self::Ramdisk)
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Cmdline => "cmdline",
            Self::Ramdisk => "ramdisk",
            Self::Signature => "signature",
            Self::Metadata => "metadata",
        })
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} of {} bytes", self.kind, self.offset, self.data.len())
    }
}
