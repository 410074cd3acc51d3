//! The functions of contracts that rules judge calls by.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::check::{Problem, bounded};
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
pub(super) struct Abis<'a>(HashMap<&'a Name, Functions>);

/// The functions of one, by what rules call them.
struct Functions {
    by_signature: HashMap<String, Function>,
    /// Canonical signatures; `None`: several functions have the name.
    by_name: HashMap<String, Option<String>>,
}

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
        let signature = match functions.by_name.get(function) {
            Some(Some(signature)) => signature,
            Some(None) => {
                let problem = format!("abi {abi} has several of this name; write which, as name(type,type)");
                return Err(Problem::at("function", problem));
            }
            None => function,
        };
        functions.by_signature.get(signature).ok_or_else(|| {
            let problem = format!("abi {abi} has no such function; write its name, or name(type,type)");
            Problem::at("function", problem)
        })
    }
}

impl Abi {
    fn read(&self) -> Result<Functions, Problem> {
        if self.functions.is_empty() {
            return Err(Problem::at("functions", "must have at least one function"));
        }
        bounded("functions", self.functions.len(), MAX_FUNCTIONS)?;
        let (mut by_signature, mut by_name) = (HashMap::new(), HashMap::new());
        for (index, text) in self.functions.iter().enumerate() {
            let wrong = |problem: String| Problem::at(format!("functions[{index}]"), problem);
            let function = Function::parse(text).map_err(|error| wrong(error.to_string()))?;
            let signature = function.canonical();
            by_name
                .entry(function.name().to_owned())
                .and_modify(|one| *one = None)
                .or_insert_with(|| Some(signature.clone()));
            if by_signature.insert(signature.clone(), function).is_some() {
                return Err(wrong(format!("{signature} appears twice")));
            }
        }
        Ok(Functions { by_signature, by_name })
    }
}
