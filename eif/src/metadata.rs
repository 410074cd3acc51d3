//! The metadata section: when and with what an image was built, in the shape that `nitro-cli describe-eif` reads.
//!
//! It is not measured: it says what the builder said, and proves nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest metadata section that is parsed, in bytes.
pub const MAX_METADATA: usize = 256 * 1024;

/// What an image says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    /// Its name.
    pub image_name: String,
    /// Its version.
    pub image_version: String,
    /// How it was built.
    pub build_metadata: BuildMetadata,
    /// What Docker says of the image that it was made of; null if it was made of none.
    pub docker_info: Value,
    /// Whatever its builder added.
    pub custom_metadata: Value,
}

/// How an image was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BuildMetadata {
    /// When, in RFC 3339.
    pub build_time: String,
    /// With which program.
    pub build_tool: String,
    /// Its version.
    pub build_tool_version: String,
    /// The enclave's operating system.
    pub operating_system: String,
    /// The version of its kernel.
    pub kernel_version: String,
}

/// Why a metadata section cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Longer than [`MAX_METADATA`].
    #[error("the metadata have {0} bytes, more than {MAX_METADATA}")]
    TooLarge(usize),
    /// Not the JSON that `nitro-cli` writes.
    #[error("the metadata are not what nitro-cli writes: {0}")]
    Malformed(String),
}

impl Metadata {
    /// Reads a metadata section. Members that are not known are passed over: other versions of `nitro-cli` may add some.
    pub fn from_json(json: &[u8]) -> Result<Self, MetadataError> {
        if json.len() > MAX_METADATA {
            return Err(MetadataError::TooLarge(json.len()));
        }
        serde_json::from_slice(json).map_err(|error| MetadataError::Malformed(error.to_string()))
    }

    /// The content of a metadata section: compact JSON, as `nitro-cli` writes it.
    pub fn to_json(&self) -> Result<Vec<u8>, MetadataError> {
        serde_json::to_vec(self).map_err(|error| MetadataError::Malformed(error.to_string()))
    }
}

/// The version that a kernel states of itself, if it is an x86 bzImage: the text at the offset that its boot header
/// names ([boot protocol](https://docs.kernel.org/arch/x86/boot.html), `kernel_version`), up to the first space.
pub fn kernel_version(kernel: &[u8]) -> Option<String> {
    const MAGIC_AT: usize = 0x202;
    const POINTER_AT: usize = 0x20e;
    /// Real ones have about 30.
    const LONGEST: usize = 128;
    if kernel.get(MAGIC_AT..)?.first_chunk() != Some(b"HdrS") {
        return None;
    }
    let pointer = u16::from_le_bytes(*kernel.get(POINTER_AT..)?.first_chunk()?);
    // The pointer counts from the second sector.
    let text = kernel.get(usize::from(pointer).checked_add(0x200)?..)?;
    let end = text.iter().take(LONGEST).position(|byte| !byte.is_ascii_graphic())?;
    let text = str::from_utf8(text.get(..end)?).ok()?;
    (pointer != 0 && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_nitro_clis() {
        // As image-format 0.8.1 writes it.
        let json = r#"{"ImageName":"known","ImageVersion":"1.0","BuildMetadata":{"BuildTime":"1970-01-01T00:00:00+00:00","BuildTool":"oracle","BuildToolVersion":"0","OperatingSystem":"Linux","KernelVersion":"6.12"},"DockerInfo":null,"CustomMetadata":null}"#;
        let metadata = Metadata::from_json(json.as_bytes()).unwrap();
        assert_eq!(metadata.build_metadata.kernel_version, "6.12");
        assert_eq!(metadata.to_json().unwrap(), json.as_bytes());
        let more = json.replacen('{', r#"{"Later":1,"#, 1);
        assert_eq!(Metadata::from_json(more.as_bytes()), Ok(metadata));
        assert!(matches!(Metadata::from_json(b"{}"), Err(MetadataError::Malformed(_))));
        assert_eq!(
            Metadata::from_json(&vec![b' '; MAX_METADATA + 1]),
            Err(MetadataError::TooLarge(MAX_METADATA + 1))
        );
    }

    #[test]
    fn a_kernel_states_its_version() {
        let mut kernel = vec![0; 0x400];
        assert_eq!(kernel_version(&kernel), None);
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        assert_eq!(kernel_version(&kernel), None);
        kernel[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        let text = b"6.12.30-cloud-amd64 (debian";
        kernel[0x300..0x300 + text.len()].copy_from_slice(text);
        assert_eq!(kernel_version(&kernel).as_deref(), Some("6.12.30-cloud-amd64"));
        kernel[0x20e..0x210].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(kernel_version(&kernel), None);
        assert_eq!(kernel_version(&kernel[..0x205]), None);
    }
}
