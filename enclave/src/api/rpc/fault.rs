//! Errors of JSON-RPC: the standard's and EIP-1474's codes, with our own `code` in `data`.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::api::{Code, Problem, Stop};

/// Why a request gets an error.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not JSON.
    Parse(String),
    /// JSON, but not a request.
    Invalid(String),
    /// A method that is not served.
    Method(String),
    /// What any other request of the API would have got.
    Problem(Problem),
    /// The host has to be asked first; never shown.
    Stop(Stop),
}

impl<P: Into<Problem>> From<P> for Fault {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
    }
}

#[derive(Serialize)]
struct FaultJson<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct Data<'a> {
    code: &'static str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Fault {
    /// The `error` member.
    pub(super) fn json(&self, request_id: Option<&str>) -> Box<RawValue> {
        let (code, message, data) = match self {
            Self::Parse(message) => (-32700, message.as_str(), None),
            Self::Invalid(message) => (-32600, message.as_str(), None),
            Self::Method(message) => (-32601, message.as_str(), None),
            Self::Problem(problem) => {
                let body = problem.body(request_id);
                let data = Data {
                    code: body.code,
                    retryable: body.retryable,
                    rule: body.rule,
                    field: body.field,
                    request_id,
                };
                (number(problem.code()), problem.detail(), Some(data))
            }
            Self::Stop(_) => (-32603, "something is missing", None),
        };
        // Numbers and strings always serialise.
        to_raw_value(&FaultJson { code, message, data }).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// The codes that clients know: JSON-RPC 2.0, and EIP-1474 where it has a better one.
fn number(code: Code) -> i32 {
    match code {
        Code::MalformedRequest | Code::TransactionRejected => -32602, // invalid params
        Code::WalletNotFound | Code::NotFound => -32001,              // resource not found
        Code::NotReady
        | Code::KeyringMissing
        | Code::KmsFailed
        | Code::NsmFailed
        | Code::GuardFull
        | Code::AuditNotStored
        | Code::ClockUnavailable => -32002, // resource unavailable
        Code::PolicyDenied
        | Code::LimitReached
        | Code::ApprovalRequired
        | Code::NonceConflict
        | Code::Unauthenticated => -32003, // transaction rejected
        Code::Overloaded => -32005,                                   // limit exceeded
        _ => -32603,                                                  // internal error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(fault: impl Into<Fault>) -> Value {
        serde_json::from_str(fault.into().json(Some("r-1")).get()).unwrap()
    }

    #[test]
    fn our_code_is_in_the_data() {
        let problem = Problem::new(Code::TransactionRejected, "gas: is missing").of_field("transaction.gas");
        assert_eq!(
            shown(problem),
            json!({
                "code": -32602, "message": "gas: is missing",
                "data": {
                    "code": "transaction_rejected", "retryable": false, "field": "transaction.gas", "request_id": "r-1"
                },
            })
        );
        assert_eq!(shown(Problem::new(Code::PolicyDenied, "no"))["code"], -32003);
        assert_eq!(
            serde_json::from_str::<Value>(Fault::Method("no".into()).json(None).get()).unwrap(),
            json!({"code": -32601, "message": "no"})
        );
    }
}
