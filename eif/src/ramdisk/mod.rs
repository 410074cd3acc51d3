//! Ramdisks: cpio archives in gzip, made so that the same files always give the same bytes.
//!
//! Archives are in the format `newc` ([kernel
//! documentation](https://docs.kernel.org/driver-api/early-userspace/buffer-format.html)). Entries are sorted by name, and
//! directories precede what is in them; times, owners and devices are zero, inodes count from 1, and the permissions are
//! the caller's, not those of files on the builder's disk. One gzip member holds all, without name and time.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Found, Listing, ReadError, list};
pub use write::{Ramdisk, RamdiskError};

/// The magic number of an entry of a `newc` archive.
const MAGIC: &[u8; 6] = b"070701";
/// Bytes of an entry's header: the magic number and 13 fields of 8 hexadecimal digits.
const ENTRY_HEADER: usize = 110;
/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// File types in an entry's mode.
const TYPE_MASK: u32 = 0o170_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_CHARACTER_DEVICE: u32 = 0o020_000;
