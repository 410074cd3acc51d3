//! Bytes to sections.

use super::{
    Architecture, FLAG_ARM64, HEADER, HEADER_BEFORE_CRC, HEADER_BEFORE_TABLES, Image, ImageError, MAGIC,
    MAX_IMAGE, MAX_SECTIONS, SECTION_HEADER, Section, SectionKind, VERSION,
};

/// The oldest version that was ever published.
const OLDEST_VERSION: u16 = 2;
/// Kernel and command line.
const MIN_SECTIONS: usize = 2;

/// One row of the header's table.
#[derive(Clone, Copy, Default)]
struct Row {
    offset: u64,
    size: u64,
}

/// Everything that the header says.
struct Header {
    version: u16,
    flags: u16,
    count: u16,
    rows: [Row; MAX_SECTIONS],
    crc: u32,
}

pub(super) fn parse(file: &[u8]) -> Result<Image<'_>, ImageError> {
    if file.len() > MAX_IMAGE {
        return Err(ImageError::TooLarge { actual: file.len() });
    }
    if let Some(start) = file.first_chunk()
        && *start != MAGIC
    {
        return Err(ImageError::Magic { actual: hex::encode(start) });
    }
    let cut_off = || ImageError::HeaderCutOff { actual: file.len() };
    let (bytes, body) = file.split_at_checked(HEADER).ok_or_else(cut_off)?;
    let header = Header::read(bytes).ok_or_else(cut_off)?;
    let architecture = header.architecture()?;
    let sections = header.sections(file)?;
    check_kinds(&sections, header.version)?;
    let actual_crc = crc(bytes.get(..HEADER_BEFORE_CRC).unwrap_or_default(), body);
    Ok(Image {
        version: header.version,
        architecture,
        sections,
        stated_crc: header.crc,
        actual_crc,
        size: file.len(),
    })
}

impl Header {
    /// Takes the header's bytes apart; `None` if they are too few.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.get(MAGIC.len()..)?);
        let (version, flags) = (fields.u16()?, fields.u16()?);
        // Default memory and processors: the virtualisation stack ignores them, and so do we. Then a reserved field.
        let _ = (fields.u64()?, fields.u64()?, fields.u16()?);
        let count = fields.u16()?;
        debug_assert_eq!(fields.0.len(), HEADER - HEADER_BEFORE_TABLES);
        let mut rows = [Row::default(); MAX_SECTIONS];
        for row in &mut rows {
            row.offset = fields.u64()?;
        }
        for row in &mut rows {
            row.size = fields.u64()?;
        }
        let _unused = fields.u32()?;
        Some(Self { version, flags, count, rows, crc: fields.u32()? })
    }

    fn architecture(&self) -> Result<Architecture, ImageError> {
        if !(OLDEST_VERSION..=VERSION).contains(&self.version) {
            return Err(ImageError::Version { actual: self.version });
        }
        match self.flags {
            0 => Ok(Architecture::X86_64),
            FLAG_ARM64 => Ok(Architecture::Aarch64),
            actual => Err(ImageError::Flags { actual }),
        }
    }

    /// The sections: one after the other without gaps, as the table says and as their own headers say.
    fn sections<'a>(&self, file: &'a [u8]) -> Result<Vec<Section<'a>>, ImageError> {
        let count = usize::from(self.count);
        if !(MIN_SECTIONS..=MAX_SECTIONS).contains(&count) {
            return Err(ImageError::SectionCount { actual: self.count });
        }
        let mut sections = Vec::with_capacity(count);
        let mut end = HEADER;
        for (index, row) in self.rows.iter().enumerate() {
            if index >= count {
                if row.offset != 0 || row.size != 0 {
                    return Err(ImageError::UnusedRow { count, row: index });
                }
                continue;
            }
            let section = section(file, index, *row, end)?;
            end = end.saturating_add(SECTION_HEADER).saturating_add(section.data.len());
            sections.push(section);
        }
        match file.len().saturating_sub(end) {
            0 => Ok(sections),
            count => Err(ImageError::TrailingBytes { count }),
        }
    }
}

/// The section of one row of the table; what precedes it ends at `previous_end`.
fn section(file: &[u8], index: usize, row: Row, previous_end: usize) -> Result<Section<'_>, ImageError> {
    let outside = || ImageError::Outside { index, offset: row.offset, size: row.size, file: file.len() };
    let offset = usize::try_from(row.offset).map_err(|_| outside())?;
    let size = usize::try_from(row.size).map_err(|_| outside())?;
    let start = offset.checked_add(SECTION_HEADER).ok_or_else(outside)?;
    let end = start.checked_add(size).ok_or_else(outside)?;
    let own_header = file.get(offset..start).ok_or_else(outside)?;
    let data = file.get(start..end).ok_or_else(outside)?;
    if offset < previous_end {
        return Err(ImageError::Overlap { index, offset: row.offset, previous_end });
    }
    if offset > previous_end {
        return Err(ImageError::Gap { index, offset: row.offset, previous_end });
    }

    let mut fields = Fields(own_header);
    let number = fields.u16().ok_or_else(outside)?;
    let flags = fields.u16().ok_or_else(outside)?;
    let own = fields.u64().ok_or_else(outside)?;
    let kind = SectionKind::from_number(number).ok_or(ImageError::SectionType { index, actual: number })?;
    if flags != 0 {
        return Err(ImageError::SectionFlags { index, actual: flags });
    }
    if own != row.size {
        return Err(ImageError::SizesDisagree { index, table: row.size, own });
    }
    Ok(Section { kind, offset, data })
}

/// Checks how often each kind is there, and that no ramdisk precedes the kernel.
fn check_kinds(sections: &[Section<'_>], version: u16) -> Result<(), ImageError> {
    let mut seen: Vec<SectionKind> = Vec::with_capacity(sections.len());
    for (index, section) in sections.iter().enumerate() {
        let kind = section.kind;
        if seen.contains(&kind) && !kind.repeats() {
            return Err(ImageError::Twice { kind });
        }
        if kind == SectionKind::Ramdisk && !seen.contains(&SectionKind::Kernel) {
            return Err(ImageError::RamdiskBeforeKernel { index });
        }
        seen.push(kind);
    }
    let mut required = vec![SectionKind::Kernel, SectionKind::Cmdline];
    if version >= VERSION {
        required.push(SectionKind::Metadata);
    }
    match required.into_iter().find(|kind| !seen.contains(kind)) {
        Some(kind) => Err(ImageError::Absent { kind }),
        None => Ok(()),
    }
}

/// CRC-32 (ISO-HDLC) of the header without its last field, then of the rest.
pub(super) fn crc(header: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(body);
    hasher.finalize()
}

/// Big-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}
