//! Who asks, whether they may, and the record of it.

use std::io;

use serde_json::value::RawValue;
use signer_rules::{
    bundle::{Operation, Origin, WalletId},
    chain::{Facts, facts::ChainScope},
    hex_bytes::HexBytes,
    policy::{CompiledRule, Decision, Judgement, Query},
};

use super::{Call, Code, Problem};
use crate::{
    audit::Entry,
    auth::{Caller, Request, SpendError, Unauthenticated},
    boot::{Enclave, Ready},
    guards::Obstacle,
};

/// The longest facts in a record, in bytes of JSON: records are kept in memory.
const MAX_FACTS: usize = 2048;

/// Who asks. Uses up nothing: [`spend`] does.
pub(super) fn who(enclave: &Enclave, ready: &Ready, call: &Call) -> Result<Caller, Problem> {
    let request = Request {
        headers: &call.headers,
        method: &call.method,
        path: &call.path,
        query: call.query.as_deref(),
        body: &call.body,
        digest: call.digest(),
    };
    let now_ms = enclave.clock().now_ms()?;
    Ok(enclave.authenticator().authenticate(&ready.configured.realm(), &request, now_ms)?)
}

/// What may come again once its nonce is used up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeatable {
    /// Nothing.
    No,
    /// The very same request: its answer has `writes`, and the host asks again if the store has one of the names.
    Yes,
}

/// Uses up the request's nonce. Called once for a request, when nothing more has to be fetched and nothing was signed,
/// recorded or written yet: from here on a copy of the request is refused.
pub(super) fn spend(enclave: &Enclave, caller: &Caller, repeatable: Repeatable) -> Result<(), Problem> {
    let now_ms = enclave.clock().now_ms()?;
    let repeatable = repeatable == Repeatable::Yes;
    Ok(enclave.authenticator().spend(caller, now_ms, repeatable)?)
}

/// What a client asks of a wallet, now.
pub(super) fn query<'a>(
    enclave: &Enclave,
    caller: &'a Caller,
    operation: Operation,
    wallet: WalletId,
) -> Result<Query<'a>, Problem> {
    Ok(Query {
        now: enclave.clock().now()?,
        client: &caller.client,
        role: caller.role.as_ref(),
        operation,
        wallet,
        origin: Origin::Hd,
        chain: ChainScope::None,
        facts: None,
        account: None,
        solana_account: None,
    })
}

/// What came of a request, for its record.
#[derive(Default)]
pub(super) struct Deed<'a> {
    /// The account's address.
    pub account: Option<&'a str>,
    /// The member that was not understood.
    pub rejected: Option<&'a str>,
    /// What the rule demands and was not there.
    pub obstacle: Option<Obstacle>,
    /// What would be signed.
    pub facts: Option<&'a Facts>,
    /// Which part of the request it is, if it has several.
    pub item: Option<u32>,
    /// SHA-256 of what was signed.
    pub result_digest: Option<HexBytes<32>>,
}

/// Decides. A no is recorded here; a yes is recorded by the caller, once it is known what came of it. Rules for what signs
/// nothing demand nothing beyond their conditions; for signatures there is [`judge`].
pub(super) fn check(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    query: &Query<'_>,
    deed: &Deed<'_>,
) -> Result<Decision, Problem> {
    let candidates = judge(enclave, ready, call, query, deed)?;
    let rule = candidates.first().map(|rule| rule.id().clone());
    rule.map(Decision::Allowed).ok_or_else(|| Problem::new(Code::Internal, "the decision is unclear"))
}

/// The rules that allow it, whose demands are still to be met. A no is recorded here.
pub(super) fn judge<'a>(
    enclave: &Enclave,
    ready: &'a Ready,
    call: &Call,
    query: &Query<'_>,
    deed: &Deed<'_>,
) -> Result<Vec<&'a CompiledRule>, Problem> {
    match ready.configured.policy.judge(query) {
        Judgement::Candidates(rules) => Ok(rules),
        Judgement::Denied(decision) => {
            record(enclave, ready, call, query, &decision, deed);
            Err(denial(&decision).unwrap_or_else(|| Problem::new(Code::Internal, "the decision is unclear")))
        }
    }
}

/// Appends a decision to the audit chain.
pub(super) fn record(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    query: &Query<'_>,
    decision: &Decision,
    deed: &Deed<'_>,
) {
    let receipt = enclave.audit().record(
        query.now,
        &Entry::Decision {
            client: query.client,
            wallet: Some(query.wallet),
            operation: query.operation,
            account: deed.account.map(str::to_owned),
            chain_id: match query.chain {
                ChainScope::Evm(id) => Some(id),
                ChainScope::None | ChainScope::EveryEvm => None,
            },
            every_chain: query.chain == ChainScope::EveryEvm,
            request_digest: call.digest(),
            allowed: decision.is_allowed(),
            rule: decision.rule(),
            rejected: deed.rejected,
            obstacle: deed.obstacle.map(Obstacle::as_str),
            facts: deed.facts.and_then(shown).as_deref(),
            item: deed.item,
            policy_version: ready.configured.policy.version(),
            result_digest: deed.result_digest,
        },
    );
    call.keep(receipt);
}

/// Facts as a record shows them: in full, or abridged where that would be long. Writing stops where it gets too long, so
/// that a small request does not cost a long text.
fn shown(facts: &Facts) -> Option<Box<RawValue>> {
    let mut full = Bounded(Vec::with_capacity(512));
    if serde_json::to_writer(&mut full, facts).is_ok() {
        return RawValue::from_string(String::from_utf8(full.0).ok()?).ok();
    }
    serde_json::value::to_raw_value(&facts.abridged()).ok()
}

/// Takes [`MAX_FACTS`] bytes and no more.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_FACTS {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the caller is told about a decision that is not a yes.
pub(super) fn denial(decision: &Decision) -> Option<Problem> {
    let detail = match decision {
        Decision::Allowed(_) => return None,
        Decision::DeniedBy(rule) => format!("rule {rule} denies it"),
        Decision::NotAllowed => "no rule allows it".to_owned(),
        Decision::NotYetInForce => "the policy bundle is not in force yet".to_owned(),
        Decision::Expired => "the policy bundle has expired; the admins must sign a new one".to_owned(),
    };
    Some(Problem::new(Code::PolicyDenied, detail).by_rule(decision.rule()))
}

impl From<Unauthenticated> for Problem {
    fn from(_: Unauthenticated) -> Self {
        Self::new(Code::Unauthenticated, "sign the request as a client of the policy bundle")
    }
}

impl From<SpendError> for Problem {
    fn from(error: SpendError) -> Self {
        match error {
            SpendError::Unauthenticated(error) => error.into(),
            SpendError::Full => Self::new(Code::Overloaded, error.to_string()),
        }
    }
}
