//! What the image is expected to measure, from the command line.

use std::path::{Path, PathBuf};

use clap::Args;
use signer_terminal::{Failure, files};

pub(crate) use signer_eif::examine::{Measurements, Pcr, parse_pcr};

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
        Ok(self.pcr0.map(|pcr0| Measurements { pcr0, pcr1: self.pcr1, pcr2: self.pcr2, pcr8: None }))
    }
}

/// Reads a file of measurements.
pub(crate) fn read(path: &Path) -> Result<Measurements, Failure> {
    Measurements::from_json(&files::read(path)?).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()))
            .hint("name the JSON that nitro-cli build-enclave or describe-eif printed")
    })
}
