//! Whether one of the rules that allow something has all that it demands: approvals, room in its limits, and a nonce that
//! is still free.

use base64::{Engine, engine::general_purpose::STANDARD};
use signer_rules::{
    approval::{self, Approval, Approver},
    name::Name,
    policy::{CompiledRule, Query},
};

use super::{Call, Code, Problem};
use crate::{
    boot::{Enclave, Ready},
    guards::{Intent, Obstacle},
};

/// The header that carries an approval.
const HEADER: &str = "signer-approval";

/// The rule that allows it, with everything noted that it demands; otherwise the first rule, and what it lacks.
pub(super) fn admit<'a>(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    query: &Query<'_>,
    candidates: &[&'a CompiledRule],
    intent: &Intent<'_>,
) -> Result<&'a Name, (Option<&'a Name>, Obstacle)> {
    let mut first = None;
    for rule in candidates {
        let admitted = approved(ready, call, query, rule).and_then(|()| enclave.guards().admit(rule, intent));
        match admitted {
            Ok(()) => return Ok(rule.id()),
            Err(obstacle) => {
                first.get_or_insert((Some(rule.id()), obstacle));
            }
        }
    }
    Err(first.unwrap_or((None, Obstacle::ApprovalRequired)))
}

/// Whether enough approvers of the rule agreed to this very request.
fn approved(ready: &Ready, call: &Call, query: &Query<'_>, rule: &CompiledRule) -> Result<(), Obstacle> {
    let Some(demanded) = rule.approvals() else { return Ok(()) };
    let header = call.header(HEADER).ok_or(Obstacle::ApprovalRequired)?;
    let envelope = STANDARD.decode(header).map_err(|_| Obstacle::ApprovalInvalid)?;
    let configured = &ready.configured;
    let approvers: Vec<_> = demanded
        .of
        .iter()
        .filter_map(|name| configured.policy.approver(name))
        .map(|approver| Approver { id: approver.id.clone(), key: approver.public_key.clone() })
        .collect();
    let expected = approval::Expected {
        authority: configured.configuration.authority,
        client: query.client,
        request_digest: call.digest(),
        rule: rule.id(),
        policy_digest: configured.bundle.digest,
        now: query.now,
        longest_s: u64::from(demanded.longest_s),
    };
    Approval::verify(&envelope, &approvers, usize::from(demanded.threshold), &expected)
        .map(|_| ())
        .map_err(|_| Obstacle::ApprovalInvalid)
}

impl Obstacle {
    /// The stable name that records have.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LimitReached(_) => "limit_reached",
            Self::LimitClosed(_) => "limit_closed",
            Self::Unmeasurable => "unmeasurable",
            Self::NonceConflict => "nonce_conflict",
            Self::Full => "guard_full",
            Self::ApprovalRequired => "approval_required",
            Self::ApprovalInvalid => "approval_invalid",
        }
    }

    /// What the caller is told.
    pub(super) fn problem(self, rule: Option<&Name>) -> Problem {
        let name = rule.map(Name::as_str).unwrap_or_default();
        let (code, detail) = match self {
            Self::LimitReached(after) => {
                (Code::LimitReached, format!("a limit of rule {name} is used up{}", when(after)))
            }
            Self::LimitClosed(after) => (
                Code::LimitReached,
                format!(
                    "a limit of rule {name} is closed: it counts what was signed before this enclave started, or before the \
                     limit was changed, and that is not known{}",
                    when(after)
                ),
            ),
            Self::Unmeasurable => (
                Code::LimitReached,
                format!("a limit of rule {name} counts what this request does not tell for certain"),
            ),
            Self::NonceConflict => (
                Code::NonceConflict,
                "another transaction was signed for this account, chain and nonce; only a rule that allows replacement, by \
                 a transaction that pays more in both fees, signs a second one"
                    .to_owned(),
            ),
            Self::Full => (
                Code::GuardFull,
                "this enclave can remember no more nonces or limits; it forgets them when it is restarted".to_owned(),
            ),
            Self::ApprovalRequired => (
                Code::ApprovalRequired,
                format!("rule {name} demands approvals: send them in the header {HEADER}"),
            ),
            Self::ApprovalInvalid => (
                Code::ApprovalRequired,
                format!(
                    "the approval is not for this request, this client, rule {name} and the policy bundle in force, has \
                     expired or lasts longer than the rule allows, or lacks approvers: have the request approved anew"
                ),
            ),
        };
        Problem::new(code, detail).by_rule(rule.filter(|_| self != Self::Full))
    }
}

fn when(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("; try again in {seconds} s"))
}
