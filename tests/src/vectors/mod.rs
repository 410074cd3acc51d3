//! Published cases of other projects, run through what signs here. `scripts/test-vectors` fetches them.
//!
//! A case that is signed must give the published bytes. A case that is refused must have a property for which refusals
//! are expected, found in the case itself and not in what the parser says of it; how many have it is in the suite's table.

mod eth_account;
mod ethers_eip712;
mod ethers_legacy;
mod ethers_typed;
mod fields;
mod key;
mod tally;
mod wycheproof;

use std::{fs, path::Path};

use serde::de::DeserializeOwned;

pub use tally::{Refusal, Tally};

/// Why a suite cannot run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

type Suite = fn(&Path) -> Result<Tally, Error>;

const SUITES: &[Suite] = &[
    ethers_legacy::unsigned,
    ethers_legacy::fields,
    ethers_typed::unsigned,
    ethers_typed::fields,
    ethers_eip712::digests,
    eth_account::typed_data,
    eth_account::blobs,
    wycheproof::ecdsa_der,
    wycheproof::ecdsa_fixed,
    wycheproof::ed25519,
];

/// Runs every suite on the cases in `folder`, one after the other.
pub fn run(folder: &Path) -> impl Iterator<Item = Result<Tally, Error>> {
    SUITES.iter().map(move |suite| suite(folder))
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, Error> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text.trim_start_matches("0x")).map_err(|error| format!("{text}: {error}").into())
}
