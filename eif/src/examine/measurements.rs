//! What the image is expected to measure: PCR0, PCR1, PCR2.

use serde::Deserialize;
use signer_rules::hex_bytes::HexBytes;

pub use crate::measure::Pcr;

/// The measurements that an enclave must have: as much of [`measure::Measurements`](crate::measure::Measurements) as the
/// caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// The whole image.
    pub pcr0: Pcr,
    /// Kernel and first ramdisk.
    pub pcr1: Option<Pcr>,
    /// The other ramdisks.
    pub pcr2: Option<Pcr>,
    /// The certificate that signed the image.
    pub pcr8: Option<Pcr>,
}

/// Why a text holds no measurements.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasurementsError {
    /// JSON of another shape.
    #[error("not a file of measurements: {0}")]
    Malformed(String),
    /// Another hash.
    #[error("HashAlgorithm must be Sha384")]
    Algorithm,
    /// Not 96 hexadecimal digits.
    #[error("{0}: a PCR has 96 hexadecimal digits")]
    Digits(&'static str),
    /// All zeros.
    #[error("{0}: all zeros: that is an enclave in debug mode, whose memory can be read")]
    Zero(&'static str),
}

impl Measurements {
    /// Reads what `nitro-cli build-enclave`, `nitro-cli describe-eif` or `signer-eif measure` printed:
    /// `{"Measurements": {"PCR0": …}}`. Other members are passed over.
    pub fn from_json(json: &[u8]) -> Result<Self, MeasurementsError> {
        let File { measurements } =
            serde_json::from_slice(json).map_err(|error| MeasurementsError::Malformed(error.to_string()))?;
        if measurements.algorithm.is_some_and(|algorithm| !is_sha384(&algorithm)) {
            return Err(MeasurementsError::Algorithm);
        }
        Ok(Self {
            pcr0: pcr("PCR0", &measurements.pcr0)?,
            pcr1: measurements.pcr1.as_deref().map(|text| pcr("PCR1", text)).transpose()?,
            pcr2: measurements.pcr2.as_deref().map(|text| pcr("PCR2", text)).transpose()?,
            pcr8: None,
        })
    }
}

/// 96 hexadecimal digits of either case, not all of them zero: those are of an enclave in debug mode.
pub fn parse_pcr(text: &str) -> Result<Pcr, MeasurementsError> {
    pcr("PCR", text)
}

fn pcr(name: &'static str, text: &str) -> Result<Pcr, MeasurementsError> {
    let pcr: Pcr = text.to_ascii_lowercase().parse().map_err(|_| MeasurementsError::Digits(name))?;
    if pcr == HexBytes([0; 48]) { Err(MeasurementsError::Zero(name)) } else { Ok(pcr) }
}

/// The shape that nitro-cli prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    measurements: Values,
}

#[derive(Deserialize)]
struct Values {
    #[serde(rename = "HashAlgorithm")]
    algorithm: Option<String>,
    #[serde(rename = "PCR0")]
    pcr0: String,
    #[serde(rename = "PCR1")]
    pcr1: Option<String>,
    #[serde(rename = "PCR2")]
    pcr2: Option<String>,
}

/// `nitro-cli` prints the name of a type: `Sha384 { ... }`, or with later versions of its library `Sha512_48 { .. }`,
/// which is how that one makes SHA-384.
fn is_sha384(algorithm: &str) -> bool {
    let algorithm = algorithm.to_ascii_lowercase();
    ["sha384", "sha512_48 "].iter().any(|name| algorithm.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nitro_clis_output_is_read() {
        let json = format!(
            r#"{{"Measurements":{{"HashAlgorithm":"Sha384 {{ ... }}","PCR0":"{}","PCR1":"{}","PCR2":"{}","PCR8":"00"}},"X":1}}"#,
            "AB".repeat(48),
            "01".repeat(48),
            "02".repeat(48)
        );
        let parse = |json: &str| Measurements::from_json(json.as_bytes());
        let read = parse(&json).unwrap();
        assert_eq!(read.pcr0, HexBytes([0xab; 48]));
        assert_eq!(read.pcr2, Some(HexBytes([2; 48])));
        let debug = json.replace(&"AB".repeat(48), &"00".repeat(48));
        assert_eq!(parse(&debug), Err(MeasurementsError::Zero("PCR0")));
        assert_eq!(parse(&json.replace("Sha384", "Sha256")), Err(MeasurementsError::Algorithm));
        assert_eq!(parse(&json.replace("\"01", "\"1")), Err(MeasurementsError::Digits("PCR1")));
        assert!(parse("{}").is_err());
    }
}
