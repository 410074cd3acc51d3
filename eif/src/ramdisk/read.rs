//! What is in an archive: names, sizes and digests. Nothing is unpacked.

use std::io::{self, BufRead, BufReader, Read};

use aws_lc_rs::digest::{Context, SHA256};
use flate2::bufread::MultiGzDecoder;
use signer_rules::hex_bytes::HexBytes;

use super::{ENTRY_HEADER, MAGIC, TRAILER, TYPE_FILE, TYPE_MASK};

/// An archive that unpacks to so many bytes is not listed: 4 GiB.
const MAX_UNPACKED: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a name, at most. Linux allows 4,095.
const MAX_NAME: u32 = 4096;
/// Entries of a ramdisk, at most.
const MAX_ENTRIES: usize = 1_000_000;
/// Bytes of all names of a ramdisk, at most: 64 MiB.
const MAX_NAMES: usize = 64 * 1024 * 1024;

/// What a ramdisk holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its entries, in its order.
    pub entries: Vec<Found>,
}

/// An entry of a ramdisk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path, without slashes or `./` at the start. Not to be trusted: it may hold any character.
    pub path: String,
    /// Type and permissions.
    pub mode: u32,
    /// Bytes of its content.
    pub size: u32,
    /// SHA-256 of its content, if it is a regular file.
    pub sha256: Option<HexBytes<32>>,
}

/// Why the content of a ramdisk cannot be listed. The kernel may still unpack it: it knows more forms.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Neither gzip nor a plain archive.
    #[error("neither gzip nor a cpio archive")]
    Form,
    /// Damaged, or cut off.
    #[error("damaged or cut off: {0}")]
    Damaged(#[from] io::Error),
    /// Not an entry in the format `newc`.
    #[error("entry {0} is not in the format newc")]
    Entry(usize),
    /// More entries than we list.
    #[error("more than {MAX_ENTRIES} entries, or more than {MAX_NAMES} bytes of names")]
    TooMany,
    /// It unpacks to more than we read: what lies behind that is not known.
    #[error("unpacks to {0} bytes or more")]
    TooLarge(u64),
}

/// Lists an archive in the format `newc`, plain or in gzip, or several of them one after the other.
pub fn list(ramdisk: &[u8]) -> Result<Listing, ReadError> {
    list_below(ramdisk, MAX_UNPACKED)
}

/// The same for archives that unpack to less than `limit` bytes.
pub(super) fn list_below(ramdisk: &[u8], limit: u64) -> Result<Listing, ReadError> {
    if ramdisk.starts_with(&[0x1f, 0x8b]) {
        return Reader::new(MultiGzDecoder::new(ramdisk), limit).list();
    }
    if ramdisk.starts_with(MAGIC) {
        return Reader::new(ramdisk, limit).list();
    }
    Err(ReadError::Form)
}

struct Reader<R: Read> {
    source: BufReader<io::Take<R>>,
    /// Bytes read of the present archive.
    position: u64,
    limit: u64,
    /// Bytes of all names so far.
    names: usize,
}

/// An entry's header.
struct Header {
    mode: u32,
    size: u32,
    name_size: u32,
}

impl<R: Read> Reader<R> {
    fn new(source: R, limit: u64) -> Self {
        let source = BufReader::with_capacity(64 * 1024, source.take(limit));
        Self { source, position: 0, limit, names: 0 }
    }

    fn list(mut self) -> Result<Listing, ReadError> {
        let mut listing = Listing::default();
        while self.skip_zeros()? {
            self.archive(&mut listing)?;
        }
        // The end of the source, or only of what we read of it? More files may lie behind it.
        if self.source.get_ref().limit() == 0 {
            return Err(ReadError::TooLarge(self.limit));
        }
        Ok(listing)
    }

    /// Reads entries up to the trailer.
    fn archive(&mut self, listing: &mut Listing) -> Result<(), ReadError> {
        self.position = 0;
        loop {
            let number = listing.entries.len();
            if number >= MAX_ENTRIES {
                return Err(ReadError::TooMany);
            }
            let header = self.header(number)?;
            let name = self.name(&header, number)?;
            if name == TRAILER.as_bytes() {
                self.content(&header, false)?;
                return Ok(());
            }
            let digested = header.mode & TYPE_MASK == TYPE_FILE;
            let sha256 = self.content(&header, digested)?;
            self.names = self.names.saturating_add(name.len());
            if self.names > MAX_NAMES {
                return Err(ReadError::TooMany);
            }
            let path = plain_path(&String::from_utf8_lossy(&name)).to_owned();
            listing.entries.push(Found { path, mode: header.mode, size: header.size, sha256 });
        }
    }

    fn header(&mut self, number: usize) -> Result<Header, ReadError> {
        let mut bytes = [0; ENTRY_HEADER];
        self.exactly(&mut bytes)?;
        let wrong = || ReadError::Entry(number);
        let fields = bytes.strip_prefix(MAGIC).ok_or_else(wrong)?;
        let field = |index: usize| -> Option<u32> {
            let digits = str::from_utf8(fields.chunks_exact(8).nth(index)?).ok()?;
            // from_str_radix takes a sign, too.
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (Some(mode), Some(size), Some(name_size)) = (field(1), field(6), field(11)) else {
            return Err(wrong());
        };
        Ok(Header { mode, size, name_size })
    }

    fn name(&mut self, header: &Header, number: usize) -> Result<Vec<u8>, ReadError> {
        if !(1..=MAX_NAME).contains(&header.name_size) {
            return Err(ReadError::Entry(number));
        }
        let mut name = vec![0; usize::try_from(header.name_size).unwrap_or_default()];
        self.exactly(&mut name)?;
        self.padding()?;
        match name.pop() {
            Some(0) if !name.contains(&0) => Ok(name),
            _ => Err(ReadError::Entry(number)),
        }
    }

    /// Passes over the content, with or without its digest.
    fn content(&mut self, header: &Header, digested: bool) -> Result<Option<HexBytes<32>>, ReadError> {
        let mut context = Context::new(&SHA256);
        let mut left = u64::from(header.size);
        while left > 0 {
            let buffer = self.source.fill_buf()?;
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let part = buffer.get(..most).unwrap_or(buffer);
            if part.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if digested {
                context.update(part);
            }
            let taken = part.len();
            self.source.consume(taken);
            left = left.saturating_sub(u64::try_from(taken).unwrap_or(left));
        }
        self.position = self.position.saturating_add(u64::from(header.size));
        self.padding()?;
        if !digested {
            return Ok(None);
        }
        Ok(<[u8; 32]>::try_from(context.finish().as_ref()).ok().map(HexBytes))
    }

    /// Passes over what fills up to a multiple of four.
    fn padding(&mut self) -> Result<(), ReadError> {
        let mut padding = [0; 3];
        let length = self.position.next_multiple_of(4).saturating_sub(self.position);
        let length = usize::try_from(length).unwrap_or_default();
        self.exactly(padding.get_mut(..length).unwrap_or_default())
    }

    /// Passes over zeros between archives; `false` at the end.
    fn skip_zeros(&mut self) -> Result<bool, ReadError> {
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            if zeros < buffer.len() {
                self.source.consume(zeros);
                return Ok(true);
            }
            self.source.consume(zeros);
        }
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), ReadError> {
        self.source.read_exact(bytes)?;
        self.position = self.position.saturating_add(u64::try_from(bytes.len()).unwrap_or_default());
        Ok(())
    }
}

/// A path without slashes and `./` at its start, as the kernel takes it.
fn plain_path(mut path: &str) -> &str {
    while let Some(rest) = path.strip_prefix('/').or_else(|| path.strip_prefix("./")) {
        path = rest;
    }
    path
}
