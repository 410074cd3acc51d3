//! Rules that allow more than people mean.

use super::{Lints, concerns};
use crate::{
    bundle::{
        AfterRestart, ClientAuth, Effect, EvmAuthorizationWhen, EvmMessageWhen, EvmTransactionWhen,
        EvmTypedDataWhen, Most, NonceUse, Operation, Rule, SolanaTransactionWhen, When,
    },
    policy::describe,
};

pub(super) fn check(rule: &Rule, lints: &mut Lints<'_>) {
    if rule.when.as_ref().is_some_and(is_empty) {
        lints.note("has a condition that looks at nothing: leave \"when\" out");
    }
    if rule.effect == Effect::Deny {
        return;
    }
    let raw = |operation: &&Operation| matches!(operation, Operation::RawDigest | Operation::RawMessage);
    let raw: Vec<Operation> = rule.operations.iter().filter(raw).copied().collect();
    if !raw.is_empty() {
        let message = format!(
            "allows {}: nothing of what is signed is seen, so no other rule protects these accounts",
            describe::operations(&raw)
        );
        lints.warn(message);
    }
    let bundle = lints.bundle;
    let anonymous = bundle.clients.iter().find(|client| client.auth == ClientAuth::None);
    let signs = rule.operations.iter().any(|operation| operation.signs());
    if let Some(client) = anonymous.filter(|client| signs && concerns(rule, client)) {
        lints.warn(format!("lets {} sign, which is whoever reaches the appliance", client.id));
    }
    if rule.nonce == Some(NonceUse::Unguarded) {
        lints.note("does not guard nonces: two transactions that exclude each other can be signed");
    }
    if rule.limits.iter().any(|limit| limit.after_restart == AfterRestart::Open) {
        lints.note("has a limit that starts anew with the enclave: whoever restarts it can spend it again");
    }
    check_solana(rule, lints);
}

/// Instructions that move nothing can still destroy what is there.
fn check_solana(rule: &Rule, lints: &mut Lints<'_>) {
    if !rule.operations.contains(&Operation::SolanaTransaction) {
        return;
    }
    let when = match &rule.when {
        Some(When::SolanaTransaction(when)) => Some(when),
        _ => None,
    };
    let looks = when.is_some_and(|when| {
        when.recipients.is_some()
            || when.lamports.is_some()
            || when.mints.is_some()
            || when.token_amount.is_some()
    });
    let counts = rule.limits.iter().any(|limit| !matches!(limit.most, Most::Count(_)));
    if (looks || counts) && when.is_none_or(|when| when.instructions.is_none()) {
        lints.warn(
            "judges what is moved, and not by which instructions: burn and revoke move nothing, and are allowed beside \
             what is; name the \"instructions\" that it allows",
        );
    }
}

fn is_empty(when: &When) -> bool {
    match when {
        When::EvmTransaction(when) => **when == EvmTransactionWhen::default(),
        When::EvmAuthorization(when) => *when == EvmAuthorizationWhen::default(),
        When::EvmTypedData(when) => **when == EvmTypedDataWhen::default(),
        When::EvmMessage(when) => *when == EvmMessageWhen::default(),
        When::SolanaTransaction(when) => **when == SolanaTransactionWhen::default(),
    }
}
