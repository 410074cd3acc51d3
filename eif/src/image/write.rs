//! Sections to bytes.

use super::{
    Architecture, FLAG_ARM64, HEADER, MAGIC, MAX_IMAGE, MAX_SECTIONS, SECTION_HEADER, SectionKind, VERSION,
    WriteError, read::crc,
};

/// Memory that the header suggests, in bytes. Nothing reads it; `nitro-cli` writes the same.
const DEFAULT_MEMORY: u64 = 1024 * 1024 * 1024;
/// Processors that the header suggests. Nothing reads it; `nitro-cli` writes the same.
const DEFAULT_CPUS: u64 = 2;

/// The parts of an image to be written, in version 4 of the format and in `nitro-cli`'s order: kernel, command line,
/// metadata, ramdisks, signature.
#[derive(Clone, Debug)]
pub struct NewImage<'a> {
    /// The processors that it is for.
    pub architecture: Architecture,
    /// The kernel: a bzImage, or on arm64 an Image.
    pub kernel: &'a [u8],
    /// The kernel's command line, without a zero byte at its end.
    pub cmdline: &'a [u8],
    /// JSON, see [`crate::metadata`].
    pub metadata: &'a [u8],
    /// Compressed cpio archives. The first is measured into PCR1, all into PCR0, all but the first into PCR2.
    pub ramdisks: &'a [&'a [u8]],
    /// The content of a signature section, see [`crate::sign`].
    pub signature: Option<&'a [u8]>,
}

impl NewImage<'_> {
    /// The image's bytes. The same parts always give the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        if self.kernel.is_empty() {
            return Err(WriteError::EmptyKernel);
        }
        if self.cmdline.contains(&0) {
            return Err(WriteError::ZeroInCmdline);
        }
        let sections = self.sections();
        if sections.len() > MAX_SECTIONS {
            return Err(WriteError::TooManySections { actual: sections.len() });
        }
        let header = self.header(&sections)?;
        let body = body(&sections);
        let mut file = header;
        let crc = crc(&file, &body);
        file.extend_from_slice(&crc.to_be_bytes());
        file.extend_from_slice(&body);
        Ok(file)
    }

    fn sections(&self) -> Vec<(SectionKind, &[u8])> {
        let mut sections = vec![
            (SectionKind::Kernel, self.kernel),
            (SectionKind::Cmdline, self.cmdline),
            (SectionKind::Metadata, self.metadata),
        ];
        sections.extend(self.ramdisks.iter().map(|ramdisk| (SectionKind::Ramdisk, *ramdisk)));
        sections.extend(self.signature.map(|signature| (SectionKind::Signature, signature)));
        sections
    }

    /// The header without its last field, the CRC.
    fn header(&self, sections: &[(SectionKind, &[u8])]) -> Result<Vec<u8>, WriteError> {
        let mut offsets = [0_u64; MAX_SECTIONS];
        let mut sizes = [0_u64; MAX_SECTIONS];
        let mut end = HEADER;
        for (((_, data), offset), size) in sections.iter().zip(&mut offsets).zip(&mut sizes) {
            *offset = number(end)?;
            *size = number(data.len())?;
            end = end.saturating_add(SECTION_HEADER).saturating_add(data.len());
        }
        if end > MAX_IMAGE {
            return Err(WriteError::TooLarge);
        }
        let flags = match self.architecture {
            Architecture::X86_64 => 0,
            Architecture::Aarch64 => FLAG_ARM64,
        };
        let count = u16::try_from(sections.len()).map_err(|_| WriteError::TooLarge)?;

        let mut header = Vec::with_capacity(end);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_be_bytes());
        header.extend_from_slice(&flags.to_be_bytes());
        header.extend_from_slice(&DEFAULT_MEMORY.to_be_bytes());
        header.extend_from_slice(&DEFAULT_CPUS.to_be_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&count.to_be_bytes());
        for value in offsets.iter().chain(&sizes) {
            header.extend_from_slice(&value.to_be_bytes());
        }
        header.extend_from_slice(&[0; 4]);
        Ok(header)
    }
}

fn body(sections: &[(SectionKind, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, data) in sections {
        body.extend_from_slice(&kind.number().to_be_bytes());
        body.extend_from_slice(&[0; 2]);
        // A length in memory fits in 64 bits.
        body.extend_from_slice(&u64::try_from(data.len()).unwrap_or(u64::MAX).to_be_bytes());
        body.extend_from_slice(data);
    }
    body
}

fn number(value: usize) -> Result<u64, WriteError> {
    u64::try_from(value).map_err(|_| WriteError::TooLarge)
}
