//! Conditions on EIP-712 typed data.

use super::{
    evm::{FieldsAtom, TokenAtom},
    scene::Scene,
    truth::Truth,
    value::Set,
};
use crate::{
    bundle::{Effect, EvmTypedDataWhen},
    chain::{evm::EvmAddress, facts::EvmTypedDataFacts},
};

/// One condition on typed data.
#[derive(Debug)]
pub(super) enum TypedDataAtom {
    Names(Set<String>),
    Versions(Set<String>),
    VerifyingContracts(Set<EvmAddress>),
    PrimaryTypes(Set<String>),
    Fields(FieldsAtom),
    Token(TokenAtom),
}

impl TypedDataAtom {
    /// Those of a condition, the cheap ones first.
    pub(super) fn compile(when: &EvmTypedDataWhen) -> Vec<Self> {
        let texts = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.iter().cloned().collect());
        let contracts = when.verifying_contracts.as_ref().map(|list| list.iter().copied().collect());
        [
            texts(&when.names).map(Self::Names),
            texts(&when.versions).map(Self::Versions),
            contracts.map(Self::VerifyingContracts),
            texts(&when.primary_types).map(Self::PrimaryTypes),
            when.token.as_ref().map(TokenAtom::new).map(Self::Token),
            when.fields.as_ref().map(FieldsAtom::new).map(Self::Fields),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn judge(&self, facts: &EvmTypedDataFacts, effect: Effect, scene: &Scene<'_>) -> Truth {
        let domain = &facts.domain;
        match self {
            Self::Names(names) => domain.name.as_deref().is_some_and(|name| names.contains(name)).into(),
            Self::Versions(versions) => {
                domain.version.as_deref().is_some_and(|version| versions.contains(version)).into()
            }
            Self::VerifyingContracts(contracts) => {
                domain.verifying_contract.is_some_and(|contract| contracts.contains(&contract)).into()
            }
            Self::PrimaryTypes(types) => types.contains(facts.primary_type.as_str()).into(),
            Self::Fields(fields) => fields.judge(&facts.message, effect, scene),
            Self::Token(token) => token.judge(effect, scene),
        }
    }
}
