//! What a host stored: segments and attestations, by boot. Nothing of it is believed here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use signer_eif::examine::MAX_ANSWER;
use signer_rules::audit::MAX_SEGMENT;
use signer_terminal::{Failure, files};

use super::BootId;

/// The largest file that `audit export` wrote and that is read.
const MAX_EXPORT: usize = 1024 * 1024 * 1024;
/// How a checkpoint's line begins.
const CHECKPOINT: &[u8] = b"{\"checkpoint\":";
/// The names of segments are sequence numbers of as many digits.
const SEQUENCE_DIGITS: usize = 20;

/// The logs of a folder or of one exported file.
#[derive(Default)]
pub(super) struct Store {
    boots: BTreeMap<BootId, Boot>,
}

/// What there is of a boot.
#[derive(Default)]
struct Boot {
    attestation: Option<Source>,
    /// In the order of their names.
    segments: Vec<Source>,
    /// Files among the segments that are none.
    foreign: Vec<String>,
}

enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

impl Store {
    /// Looks at a host's store, or reads an exported file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
        if fs::metadata(path).map_err(failed)?.is_dir() {
            Self::of_folder(path)
        } else {
            Self::of_export(path)
        }
    }

    fn of_folder(root: &Path) -> Result<Self, Failure> {
        let mut store = Self::default();
        for (name, path) in entries(&root.join("audit"))? {
            let Ok(id) = name.parse::<BootId>() else { continue };
            let boot = store.boots.entry(id).or_default();
            for (name, path) in entries(&path)? {
                if name.len() == SEQUENCE_DIGITS && name.bytes().all(|byte| byte.is_ascii_digit()) {
                    boot.segments.push(Source::File(path));
                } else {
                    boot.foreign.push(name);
                }
            }
        }
        for (name, path) in entries(&root.join("boot"))? {
            if let Ok(id) = name.parse::<BootId>() {
                store.boots.entry(id).or_default().attestation = Some(Source::File(path));
            }
        }
        Ok(store)
    }

    /// The attestation in the first line, then the log.
    fn of_export(path: &Path) -> Result<Self, Failure> {
        let mut content = Vec::new();
        files::read_into(path, MAX_EXPORT, &mut content)?;
        let strange = || {
            Failure::new(format!("{} is not what audit export wrote", path.display()))
                .hint("name the folder of a host's store, or an exported file")
        };
        let mut lines = content.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next().ok_or_else(strange)?;
        let named: Named = serde_json::from_slice(first).map_err(|_| strange())?;
        let mut boot = Boot { attestation: Some(Source::Memory(first.to_vec())), ..Boot::default() };
        let mut segment = Vec::new();
        for line in lines {
            segment.extend_from_slice(line);
            if line.starts_with(CHECKPOINT) {
                boot.segments.push(Source::Memory(std::mem::take(&mut segment)));
            }
        }
        if !segment.is_empty() {
            boot.segments.push(Source::Memory(segment));
        }
        Ok(Self { boots: BTreeMap::from([(named.boot_id, boot)]) })
    }

    /// The boots of which there is anything.
    pub(super) fn boots(&self) -> impl Iterator<Item = BootId> {
        self.boots.keys().copied().collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether there is anything of a boot.
    pub(super) fn has(&self, boot: BootId) -> bool {
        self.boots.contains_key(&boot)
    }

    /// A boot's attestation as it was stored.
    pub(super) fn attestation(&self, boot: BootId) -> Result<Option<Vec<u8>>, Failure> {
        let source = self.boots.get(&boot).and_then(|boot| boot.attestation.as_ref());
        source.map(|source| source.read(MAX_ANSWER)).transpose()
    }

    /// A boot's segments in order, each read when it is its turn.
    pub(super) fn segments(&self, boot: BootId) -> impl Iterator<Item = Result<Vec<u8>, Failure>> {
        let segments = self.boots.get(&boot).map_or(&[][..], |boot| &boot.segments);
        // One byte more, so that the verifier sees what is too large.
        segments.iter().map(|source| source.read(MAX_SEGMENT.saturating_add(1)))
    }

    /// Names of files among a boot's segments that are none.
    pub(super) fn foreign(&self, boot: BootId) -> &[String] {
        self.boots.get(&boot).map_or(&[], |boot| &boot.foreign)
    }

    /// A boot in one file.
    pub(super) fn export(&self, boot: BootId) -> Result<Vec<u8>, Failure> {
        let missing = || Failure::new(format!("the store has no attestation of boot {boot}"));
        let attestation = self.attestation(boot)?.ok_or_else(missing)?;
        let mut content = attestation.trim_ascii().to_vec();
        if content.contains(&b'\n') {
            return Err(Failure::new(format!("the attestation of boot {boot} is not what a host stores")));
        }
        content.push(b'\n');
        for segment in self.segments(boot) {
            content.extend_from_slice(&segment?);
        }
        Ok(content)
    }
}

/// The part of an attestation that says whose it is.
#[derive(serde::Deserialize)]
struct Named {
    boot_id: BootId,
}

impl Source {
    fn read(&self, limit: usize) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Memory(content) => Ok(content.clone()),
            Self::File(path) => {
                let mut content = Vec::new();
                files::read_into(path, limit, &mut content)?;
                Ok(content)
            }
        }
    }
}

/// The plain entries of a folder by name; none if there is no folder.
fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        read => read.map_err(failed)?,
    };
    let mut found = BTreeMap::new();
    for entry in read {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}
