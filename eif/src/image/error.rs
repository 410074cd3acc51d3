//! Why a file is no image, and why an image cannot be written.

use super::{MAX_IMAGE, MAX_SECTIONS, SectionKind};

/// Why a file is no image that we read. Positions and sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file is longer than [`MAX_IMAGE`].
    #[error("the image has {actual} bytes, more than {MAX_IMAGE}")]
    TooLarge {
        /// Bytes given.
        actual: usize,
    },
    /// The file ends inside its header.
    #[error("the file has {actual} bytes and ends inside the header of 548: it is cut off, or no image")]
    HeaderCutOff {
        /// Bytes given.
        actual: usize,
    },
    /// The file does not start with `.eif`.
    #[error("the file starts with {actual}, not with 2e656966 (\".eif\"): it is no enclave image")]
    Magic {
        /// The first four bytes in hex.
        actual: String,
    },
    /// A version that we do not know.
    #[error("version {actual} of the format is not known; versions 2, 3 and 4 are")]
    Version {
        /// The header's version.
        actual: u16,
    },
    /// The header has flags other than the architecture.
    #[error("the header's flags are {actual:#06x}; only bit 0, the architecture, has a meaning")]
    Flags {
        /// The header's flags.
        actual: u16,
    },
    /// Fewer than two sections, or more than [`MAX_SECTIONS`].
    #[error("the header counts {actual} sections; an image has 2 to {MAX_SECTIONS}")]
    SectionCount {
        /// The header's count.
        actual: u16,
    },
    /// The header's table has something in a row that is not used.
    #[error("the header counts {count} sections, but row {row} of its table is not empty")]
    UnusedRow {
        /// Sections that the header counts.
        count: usize,
        /// The row, from 0.
        row: usize,
    },
    /// A section's end is beyond what a number can hold, or beyond the end of the file.
    #[error(
        "section {index} starts at {offset} with {size} bytes, which is outside the file of {file} bytes: it is cut off, \
         or the table is wrong"
    )]
    Outside {
        /// The section, from 0.
        index: usize,
        /// Where the table says that it starts.
        offset: u64,
        /// The table's size of its content.
        size: u64,
        /// Bytes of the file.
        file: usize,
    },
    /// A section starts before the end of what precedes it.
    #[error("section {index} starts at {offset}, inside what ends at {previous_end}: sections overlap")]
    Overlap {
        /// The section, from 0.
        index: usize,
        /// Where the table says that it starts.
        offset: u64,
        /// Where the section (or header) before it ends.
        previous_end: usize,
    },
    /// Bytes between two sections belong to none.
    #[error("section {index} starts at {offset}, but what precedes it ends at {previous_end}: a gap")]
    Gap {
        /// The section, from 0.
        index: usize,
        /// Where the table says that it starts.
        offset: u64,
        /// Where the section (or header) before it ends.
        previous_end: usize,
    },
    /// A section has a type that the format does not know.
    #[error("section {index} has type {actual}; types 1 to 5 are known")]
    SectionType {
        /// The section, from 0.
        index: usize,
        /// The section header's type.
        actual: u16,
    },
    /// A section's header has flags, which have no meaning yet.
    #[error("section {index} has flags {actual:#06x}; none has a meaning")]
    SectionFlags {
        /// The section, from 0.
        index: usize,
        /// The section header's flags.
        actual: u16,
    },
    /// The header's table and the section's own header disagree about its size.
    #[error("section {index} has {table} bytes by the header's table and {own} by its own header")]
    SizesDisagree {
        /// The section, from 0.
        index: usize,
        /// The table's size.
        table: u64,
        /// The section header's size.
        own: u64,
    },
    /// A section that an image has once at most is there again.
    #[error("the image has two {kind} sections")]
    Twice {
        /// What is there twice.
        kind: SectionKind,
    },
    /// A section that an image needs is not there.
    #[error("the image has no {kind} section")]
    Absent {
        /// What is not there.
        kind: SectionKind,
    },
    /// A ramdisk precedes the kernel.
    #[error("section {index} is a ramdisk, and the kernel comes after it")]
    RamdiskBeforeKernel {
        /// The section, from 0.
        index: usize,
    },
    /// Bytes follow the last section.
    #[error("{count} bytes follow the last section")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

/// Why an image cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// More sections than the header's table has rows.
    #[error("the image would have {actual} sections; the format allows {MAX_SECTIONS}: give fewer ramdisks")]
    TooManySections {
        /// How many there would be.
        actual: usize,
    },
    /// Longer than [`MAX_IMAGE`].
    #[error("the image would have more than {MAX_IMAGE} bytes")]
    TooLarge,
    /// An empty kernel.
    #[error("the kernel is empty")]
    EmptyKernel,
    /// A command line that a kernel would cut off.
    #[error("the command line holds a zero byte, at which a kernel would cut it off")]
    ZeroInCmdline,
}
