//! Measurements of the emulated enclave: its executable stands for the image.

use serde_json::{Value, json};

use crate::nsm::Pcr;

/// PCR0 to PCR2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// The whole image.
    pub pcr0: Pcr,
    /// Kernel, command line and first ramdisk, which this enclave does not have.
    pub pcr1: Pcr,
    /// The application.
    pub pcr2: Pcr,
}

impl Measurements {
    /// Of an executable's bytes. Every byte counts.
    pub fn of_image(executable: &[u8]) -> Self {
        Self {
            pcr0: Pcr::measuring(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA384, executable).as_ref()),
            pcr1: Pcr::measuring(b"emulated kernel"),
            pcr2: Pcr::measuring(executable),
        }
    }

    /// As `nitro-cli build-enclave` prints them.
    pub fn to_nitro_cli_json(&self) -> Value {
        json!({"Measurements": {
            "HashAlgorithm": "Sha384 { ... }",
            "PCR0": self.pcr0.to_hex(),
            "PCR1": self.pcr1.to_hex(),
            "PCR2": self.pcr2.to_hex(),
        }})
    }
}
