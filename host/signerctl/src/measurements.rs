//! What the image is expected to measure: PCR0, PCR1, PCR2.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use signer_rules::hex_bytes::HexBytes;
use signer_terminal::{Failure, files};

/// A PCR's value.
pub(crate) type Pcr = HexBytes<48>;

/// The measurements of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measurements {
    /// The whole image.
    pub(crate) pcr0: Pcr,
    /// Kernel and first ramdisk.
    pub(crate) pcr1: Option<Pcr>,
    /// The other ramdisks.
    pub(crate) pcr2: Option<Pcr>,
}

/// The measurements that an enclave must have.
#[derive(Args)]
pub(crate) struct MeasurementArgs {
    /// What `nitro-cli build-enclave` or `signer-eif measure` printed: {"Measurements":{"PCR0":...}}.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pcr0", "pcr1", "pcr2"])]
    pub(crate) measurements: Option<PathBuf>,
    /// The image's PCR0, 96 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr)]
    pub(crate) pcr0: Option<Pcr>,
    /// The image's PCR1.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pub(crate) pcr1: Option<Pcr>,
    /// The image's PCR2.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pub(crate) pcr2: Option<Pcr>,
}

impl MeasurementArgs {
    /// The measurements, if any were given.
    pub(crate) fn read(&self) -> Result<Option<Measurements>, Failure> {
        if let Some(path) = &self.measurements {
            return read(path).map(Some);
        }
        Ok(self.pcr0.map(|pcr0| Measurements { pcr0, pcr1: self.pcr1, pcr2: self.pcr2 }))
    }
}

/// The shape that nitro-cli prints; other members are ignored.
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

/// Reads a file of measurements.
pub(crate) fn read(path: &Path) -> Result<Measurements, Failure> {
    parse(&files::read(path)?).map_err(|problem| {
        Failure::new(format!("{}: {problem}", path.display()))
            .hint("name the JSON that nitro-cli build-enclave or describe-eif printed")
    })
}

/// 96 hexadecimal digits, not all of them zero: those are of an enclave in debug mode.
pub(crate) fn parse_pcr(text: &str) -> Result<Pcr, String> {
    let pcr: Pcr =
        text.to_ascii_lowercase().parse().map_err(|_| "a PCR has 96 hexadecimal digits".to_owned())?;
    if pcr == HexBytes([0; 48]) {
        return Err("all zeros: that is an enclave in debug mode, whose memory can be read".to_owned());
    }
    Ok(pcr)
}

fn parse(json: &[u8]) -> Result<Measurements, String> {
    let File { measurements } =
        serde_json::from_slice(json).map_err(|error| format!("not a file of measurements: {error}"))?;
    if let Some(algorithm) = &measurements.algorithm
        && !algorithm.to_ascii_lowercase().starts_with("sha384")
    {
        return Err("HashAlgorithm must be Sha384".to_owned());
    }
    let pcr = |name: &str, text: &str| parse_pcr(text).map_err(|problem| format!("{name}: {problem}"));
    Ok(Measurements {
        pcr0: pcr("PCR0", &measurements.pcr0)?,
        pcr1: measurements.pcr1.as_deref().map(|text| pcr("PCR1", text)).transpose()?,
        pcr2: measurements.pcr2.as_deref().map(|text| pcr("PCR2", text)).transpose()?,
    })
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
        let read = parse(json.as_bytes()).unwrap();
        assert_eq!(read.pcr0, HexBytes([0xab; 48]));
        assert_eq!(read.pcr2, Some(HexBytes([2; 48])));
        let debug = json.replace(&"AB".repeat(48), &"00".repeat(48));
        assert!(parse(debug.as_bytes()).unwrap_err().contains("debug"));
        assert!(parse(json.replace("Sha384", "Sha256").as_bytes()).is_err());
        assert!(parse(b"{}").is_err());
    }
}
