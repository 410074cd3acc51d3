//! The functions of contracts that rules judge calls by.

use serde::{Deserialize, Serialize};

use super::check::{Check, Problem, bounded, short};
use crate::name::Name;

/// The most functions of an [`Abi`].
pub const MAX_FUNCTIONS: usize = 256;
/// The most bytes of a function's signature.
pub const MAX_SIGNATURE: usize = 4_096;

/// Functions under a name that rules use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// Its name.
    pub id: Name,
    /// Signatures as people write them: `transfer(address to, uint256 amount)`.
    pub functions: Vec<String>,
}

/// The ABIs of a bundle, ready to look up.
pub(super) struct Abis<'a> {
    abis: &'a [Abi],
}

impl<'a> Abis<'a> {
    /// Reads every function.
    pub(super) fn read(abis: &'a [Abi]) -> Result<Self, Problem> {
        for (index, abi) in abis.iter().enumerate() {
            abi.validate().map_err(|problem| problem.within(format_args!("abis[{index}]")))?;
        }
        Ok(Self { abis })
    }

    /// Whether there is one of this name.
    pub(super) fn check(&self, abi: &Name) -> Check {
        match self.abis.iter().any(|known| known.id == *abi) {
            true => Ok(()),
            false => Err(Problem::at("abi", format!("no abi is named {abi}"))),
        }
    }
}

impl Abi {
    fn validate(&self) -> Check {
        bounded("functions", self.functions.len(), MAX_FUNCTIONS)?;
        self.functions.iter().try_for_each(|signature| short("functions", signature, MAX_SIGNATURE))
    }
}
