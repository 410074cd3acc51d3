//! What a person should not overlook.

use signer_rules::chain::{
    Facts,
    facts::{ChainScope, EvmAuthorizationFacts, EvmTransactionFacts},
};

/// The warnings about what would be signed.
pub(super) fn of(facts: &Facts) -> Vec<String> {
    let mut warnings = Vec::new();
    if facts.chain() == ChainScope::EveryEvm {
        warnings.push("valid on every chain: nothing in it names one".to_owned());
    }
    match facts {
        Facts::Evm(transaction) => of_transaction(transaction, &mut warnings),
        Facts::EvmAuthorization(authorization) => warnings.push(effect(authorization).to_owned()),
        Facts::RawDigest(_) => warnings.push(
            "signed unseen: it may be the hash of any transaction, message or authorization".to_owned(),
        ),
        Facts::RawMessage(_) => {
            warnings
                .push("signed unseen: it may be a transaction of a chain that nobody looked at".to_owned());
        }
        _ => {}
    }
    warnings
}

fn of_transaction(transaction: &EvmTransactionFacts, warnings: &mut Vec<String>) {
    if transaction.creates_contract {
        warnings.push("creates a contract".to_owned());
    }
    for (index, entry) in transaction.authorization_list.iter().enumerate() {
        let authorization = &entry.authorization;
        warnings.push(format!("authorization list [{index}]: {}", effect(authorization)));
        match authorization.chain_id {
            None => warnings.push(format!("authorization list [{index}]: valid on every chain")),
            chain_id if chain_id != transaction.chain_id => warnings
                .push(format!("authorization list [{index}]: for another chain, without effect on this one")),
            Some(_) => {}
        }
    }
    if !transaction.authorization_list.is_empty() {
        warnings.push(
            "whose accounts the authorization list changes is not checked here: their signatures tell"
                .to_owned(),
        );
    }
}

const fn effect(authorization: &EvmAuthorizationFacts) -> &'static str {
    if authorization.revokes {
        "removes the code that its account was given"
    } else {
        "hands its account to a contract, whose code may do everything with what the account holds"
    }
}
