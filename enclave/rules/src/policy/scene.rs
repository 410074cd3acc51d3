//! What a request shows to conditions; what several rules ask for is found out once.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use super::Query;
use crate::{
    abi::Function,
    chain::{
        Facts,
        evm::EvmAddress,
        facts::{EvmTransactionFacts, TypedField},
        solana::SolanaAddress,
    },
    token::{self, Movements},
};

/// A function of the policy's table.
pub(super) type FunctionNumber = usize;

/// Arguments of a call; `None` if they are not what the function takes.
pub(super) type Arguments = Rc<Option<Vec<TypedField>>>;

pub(super) struct Scene<'a> {
    pub(super) facts: Option<&'a Facts>,
    /// The signing account, where it has such an address.
    pub(super) evm: Option<EvmAddress>,
    pub(super) solana: Option<SolanaAddress>,
    functions: &'a [Function],
    movements: OnceCell<Movements>,
    arguments: RefCell<Vec<(FunctionNumber, Arguments)>>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(query: &Query<'a>, functions: &'a [Function]) -> Self {
        Self {
            facts: query.facts,
            evm: query.account,
            solana: query.solana_account,
            functions,
            movements: OnceCell::new(),
            arguments: RefCell::new(Vec::new()),
        }
    }

    /// The tokens that are moved.
    pub(super) fn movements(&self) -> &Movements {
        self.movements.get_or_init(|| match self.facts {
            Some(Facts::Evm(facts)) => token::of_call(facts),
            Some(Facts::EvmTypedData(facts)) => token::of_typed_data(facts),
            _ => Movements::None,
        })
    }

    /// The arguments of a call of `function`. Few functions share a selector, so few are remembered.
    pub(super) fn arguments(&self, facts: &EvmTransactionFacts, function: FunctionNumber) -> Arguments {
        let mut remembered = self.arguments.borrow_mut();
        if let Some((_, arguments)) = remembered.iter().find(|(number, _)| *number == function) {
            return Rc::clone(arguments);
        }
        let data = facts.input.get(4..).unwrap_or_default();
        let decoded = self.functions.get(function).and_then(|function| function.decode(data).ok());
        let arguments = Rc::new(decoded);
        remembered.push((function, Rc::clone(&arguments)));
        arguments
    }
}
