//! The functions of contracts that rules judge calls by.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::check::{Problem, bounded, distinct};
use crate::{abi::Function, name::Name};

/// The most functions of an [`Abi`].
pub const MAX_FUNCTIONS: usize = 256;

/// Functions under a name that rules use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// Its name.
    pub id: Name,
    /// Signatures as [`Function::parse`] reads them: `transfer(address to, uint256 amount)`. Several
    /// can have one name if their types differ.
    pub functions: Vec<String>,
}

/// The ABIs of a bundle, ready to look up.
pub(super) struct Abis<'a>(HashMap<&'a Name, Vec<Function>>);

impl<'a> Abis<'a> {
    /// Reads every function.
    pub(super) fn read(abis: &'a [Abi]) -> Result<Self, Problem> {
        let read = |(index, abi): (usize, &'a Abi)| match abi.read() {
            Ok(functions) => Ok((&abi.id, functions)),
            Err(problem) => Err(problem.within(format_args!("abis[{index}]"))),
        };
        Ok(Self(abis.iter().enumerate().map(read).collect::<Result<_, _>>()?))
    }

    /// The function of this name or canonical signature.
    pub(super) fn function(&self, abi: &Name, function: &str) -> Result<&Function, Problem> {
        let functions =
            self.0.get(abi).ok_or_else(|| Problem::at("abi", format!("no abi is named {abi}")))?;
        let wrong = |problem: String| Err(Problem::at("function", problem));
        if function.contains('(') {
            let found = functions.iter().find(|known| known.canonical() == function);
            return found.map_or_else(
                || wrong(format!("abi {abi} has none of this signature; write it as name(type,type)")),
                Ok,
            );
        }
        let mut named = functions.iter().filter(|known| known.name() == function);
        match (named.next(), named.next()) {
            (Some(found), None) => Ok(found),
            (Some(one), Some(_)) => wrong(format!(
                "abi {abi} has several of this name; write which, for example {}",
                one.canonical()
            )),
            (None, _) => wrong(format!("abi {abi} has none of this name")),
        }
    }
}

impl Abi {
    fn read(&self) -> Result<Vec<Function>, Problem> {
        if self.functions.is_empty() {
            return Err(Problem::at("functions", "must have at least one function"));
        }
        bounded("functions", self.functions.len(), MAX_FUNCTIONS)?;
        let read = |(index, text): (usize, &String)| {
            Function::parse(text)
                .map_err(|error| Problem::at(format!("functions[{index}]"), error.to_string()))
        };
        let functions: Vec<_> = self.functions.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        distinct("functions", functions.iter().map(Function::canonical))?;
        Ok(functions)
    }
}
