//! Rules that can never match, or never be used.

use super::{Lints, concerns};
use crate::{
    bundle::{
        Effect, EvmTransactionWhen, EvmTypedDataWhen, Limit, Most, Operation, Rule, TokenId, TokenWhen, When,
    },
    chain::facts::EvmTransactionKind,
    token::TokenKind,
};

/// What the call data of a transaction can be.
const CALLS: [TokenKind; 7] = [
    TokenKind::Transfer,
    TokenKind::TransferFrom,
    TokenKind::Approve,
    TokenKind::IncreaseAllowance,
    TokenKind::SafeTransferFrom,
    TokenKind::SetApprovalForAll,
    TokenKind::Permit,
];
/// What typed data can be.
const SIGNED: [TokenKind; 3] = [TokenKind::Permit, TokenKind::DaiPermit, TokenKind::Permit2];

pub(super) fn check(rule: &Rule, lints: &mut Lints<'_>) {
    if rule.clients.is_some() && rule.roles.is_some() {
        let bundle = lints.bundle;
        if !bundle.clients.iter().any(|client| concerns(rule, client)) {
            lints.error("can never match: none of its clients has one of its roles");
        }
    }
    match &rule.when {
        Some(When::EvmTransaction(when)) => transaction(when, lints),
        Some(When::EvmTypedData(when)) => typed_data(when, lints),
        _ => {}
    }
    for limit in &rule.limits {
        check_limit(rule, limit, lints);
    }
    let guards = rule.operations.contains(&Operation::EvmTransaction);
    if rule.nonce.is_some() && !guards {
        lints.warn("has a nonce member, which is about evm.transaction only");
    }
}

fn transaction(when: &EvmTransactionWhen, lints: &mut Lints<'_>) {
    let called = [
        ("recipients", when.recipients.is_some()),
        ("selectors", when.selectors.is_some()),
        ("calls", when.calls.is_some()),
        ("token", when.token.is_some()),
    ];
    if when.contract_creation == Some(true)
        && let Some((name, _)) = called.iter().find(|(_, there)| *there)
    {
        lints.error(format!("can never match: a contract creation has no {name}"));
    }
    if when.empty_input == Some(true)
        && let Some((name, _)) = called.iter().skip(1).find(|(_, there)| *there)
    {
        lints.error(format!("can never match: an empty input has no {name}"));
    }
    if let Some(types) = &when.types {
        let creates = |kind: &_| !matches!(kind, EvmTransactionKind::Eip4844 | EvmTransactionKind::Eip7702);
        if when.contract_creation == Some(true) && !types.iter().any(creates) {
            lints.error("can never match: its types cannot create contracts");
        }
        if when.delegates.is_some() && !types.contains(&EvmTransactionKind::Eip7702) {
            lints.error("can never match: only type eip7702 has delegates");
        }
    }
    token(when.token.as_ref(), &CALLS, "call data", lints);
}

fn typed_data(when: &EvmTypedDataWhen, lints: &mut Lints<'_>) {
    token(when.token.as_ref(), &SIGNED, "typed data", lints);
}

fn token(when: Option<&TokenWhen>, possible: &[TokenKind], of: &str, lints: &mut Lints<'_>) {
    let Some(kinds) = when.and_then(|when| when.kinds.as_ref()) else { return };
    if !kinds.iter().any(|kind| possible.contains(kind)) {
        lints.error(format!("can never match: {of} moves tokens in none of its kinds"));
    }
}

fn check_limit(rule: &Rule, limit: &Limit, lints: &mut Lints<'_>) {
    if rule.effect == Effect::Deny {
        return;
    }
    match &limit.most {
        Most::Count(0) => lints.error("can never be used: it is limited to 0 signatures"),
        Most::Token(most) => {
            let measures = |operation: &Operation| match most.id {
                TokenId::Evm(_) => *operation != Operation::SolanaTransaction,
                TokenId::Solana(_) => *operation == Operation::SolanaTransaction,
            };
            if let Some(other) = rule.operations.iter().find(|operation| !measures(operation)) {
                let message = format!(
                    "can never be used for {}: it is limited by a token of another chain",
                    other.as_str()
                );
                lints.error(message);
            }
            if let (Some(contracts), TokenId::Evm(contract)) = (contracts(rule), most.id)
                && !contracts.contains(&contract)
            {
                lints.error(
                    "can never be used: its token condition leaves out the token that it is limited by",
                );
            }
        }
        _ => {}
    }
    let lifetime = lints.bundle.expires.seconds().saturating_sub(lints.bundle.not_before.seconds());
    if u64::from(limit.window_s) > lifetime {
        lints.warn("has a limit whose window is longer than the bundle is in force");
    }
}

fn contracts(rule: &Rule) -> Option<&[crate::chain::evm::EvmAddress]> {
    let token = match rule.when.as_ref()? {
        When::EvmTransaction(when) => when.token.as_ref(),
        When::EvmTypedData(when) => when.token.as_ref(),
        _ => None,
    };
    token?.contracts.as_deref()
}
