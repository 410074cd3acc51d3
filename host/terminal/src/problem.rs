//! Problem details (RFC 9457): what a server says when it refuses.

use serde::Deserialize;
use serde_json::Value;

use crate::{Failure, clean};

/// The members that are known; others are passed on to programs and not shown.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    title: Option<String>,
    code: Option<String>,
    detail: Option<String>,
    rule: Option<String>,
    field: Option<String>,
    #[serde(default)]
    retryable: bool,
    request_id: Option<String>,
}

/// An error answer as a failure with advice.
pub(crate) fn failure(status: u16, body: &[u8]) -> Failure {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
        return Failure::new(format!("the server answered {status}: {}", clean(start.trim())))
            .hint("check --url: the answer is not one of Nitro Signer's");
    };
    let problem = Problem::deserialize(&value).unwrap_or_default();
    let failure = Failure::new(message(status, &problem)).with_problem(value);
    match advice(&problem) {
        Some(advice) => failure.hint(advice),
        None => failure,
    }
}

fn message(status: u16, problem: &Problem) -> String {
    let code = problem.code.as_deref().or(problem.title.as_deref()).unwrap_or("no code");
    let mut text = format!("the server answered {status} {}", clean(code));
    if let Some(detail) = &problem.detail {
        text = format!("{text}: {}", clean(detail));
    }
    let more = [("rule", &problem.rule), ("field", &problem.field), ("request", &problem.request_id)];
    let more: Vec<String> =
        more.iter().filter_map(|(name, value)| Some(format!("{name} {}", clean(value.as_ref()?)))).collect();
    if more.is_empty() { text } else { format!("{text} ({})", more.join(", ")) }
}

fn advice(problem: &Problem) -> Option<&'static str> {
    let advice = match problem.code.as_deref().unwrap_or_default() {
        "policy_denied" => {
            "the policy in force does not allow this (signerctl policy simulate says why): change its rules, sign it, push it"
        }
        "limit_reached" => {
            "the answer says how long to wait; if it names no time, the request alone is more than the limit, or is nothing that it can measure"
        }
        "unauthenticated" => {
            "sign as a client of the policy in force (--client-key and --key-id, or --session), and check this machine's clock"
        }
        "approval_required" => {
            "have the rule's approvers approve these very bytes for this path, client and policy: signerctl approve --help"
        }
        "wallet_exists" => "the wallet is there already: signerctl wallet show NAME",
        "wallet_not_found" => "list the wallets: signerctl wallet list",
        "not_ready" => "the enclave is starting or has no policy yet: see signerctl status, then try again",
        "keyring_missing" => {
            "see why it is not open: signerctl status. Repair KMS access or the store; create a keyring only if there never was one, since a new one has other wallets"
        }
        "guard_full" => {
            "use another host; restarting the enclave empties its memory, and closes limits that are not \"after_restart\": \"open\""
        }
        "audit_not_stored" => {
            "the audit log is not stored, or KMS was not told of it for long: signerctl status says why under audit; repair the store, or the way to KMS"
        }
        "malformed_request" => "correct what the answer names; signerctl explain checks sign requests",
        "policy_conflict" => {
            "make the next version from the bundle in force: signerctl policy init --version N --previous FILE"
        }
        "nonce_conflict" => "send the transaction that was signed for this nonce, or use the next nonce",
        "overloaded" | "store_unavailable" | "deadline_exceeded" => "try again in a few seconds",
        _ if problem.retryable => "try again in a few seconds",
        _ => return None,
    };
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_known_is_shown() {
        let body = br#"{"title":"Forbidden","status":403,"code":"policy_denied","detail":"no\u001b[2J","rule":"deny-all",
            "field":null,"retryable":false,"request_id":"r1","other":[]}"#;
        let failure = failure(403, body);
        assert_eq!(
            failure.to_string(),
            "the server answered 403 policy_denied: no\\u{1b}[2J (rule deny-all, request r1)"
        );
        assert!(failure.advice().unwrap().contains("policy"));
        assert_eq!(failure.to_json()["error"]["problem"]["rule"], "deny-all");
    }

    #[test]
    fn other_answers_are_quoted() {
        let failure = failure(502, b"<html>Bad gateway</html>");
        assert_eq!(failure.to_string(), "the server answered 502: <html>Bad gateway</html>");
        assert!(failure.advice().unwrap().contains("--url"));
    }
}
