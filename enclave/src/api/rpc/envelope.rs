//! Requests and responses of JSON-RPC 2.0.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{MAX_ITEMS, fault::Fault};
use crate::api::{batch::Items, object};

/// The longest id, in bytes of JSON.
const MAX_ID: usize = 256;
/// The longest name of a method.
const MAX_METHOD: usize = 64;

/// A request, or several.
pub(super) enum Body<'a> {
    One(Result<Request<'a>, Fault>),
    Many(Vec<Result<Request<'a>, Fault>>),
}

/// A request.
pub(super) struct Request<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// Its parameters, by position.
    pub params: Vec<&'a RawValue>,
    /// A string, a number or `null`, as it was spelled; `None`: a notification.
    pub id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestJson<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(default, borrow)]
    params: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// A member that is there, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Body<'a> {
    /// Reads the body of an HTTP request.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Fault> {
        let raw: &RawValue = serde_json::from_slice(body)
            .map_err(|error| Fault::Parse(format!("the body is not JSON: {error}")))?;
        if !raw.get().starts_with('[') {
            return Ok(Self::One(Request::read(raw)));
        }
        let too_many = || Fault::Invalid(format!("a batch has at most {MAX_ITEMS} requests"));
        let Items(items) = serde_json::from_str(raw.get()).map_err(|_| too_many())?;
        if items.is_empty() {
            return Err(Fault::Invalid("the batch is empty".to_owned()));
        }
        Ok(Self::Many(items.into_iter().map(Request::read).collect()))
    }
}

impl<'a> Request<'a> {
    fn read(raw: &'a RawValue) -> Result<Self, Fault> {
        let request: RequestJson<'a> =
            object(raw.get()).map_err(|error| Fault::Invalid(format!("not a request: {error}")))?;
        if request.jsonrpc != "2.0" {
            return Err(Fault::Invalid("jsonrpc must be \"2.0\"".to_owned()));
        }
        if request.method.len() > MAX_METHOD {
            return Err(Fault::Invalid("the method's name is too long".to_owned()));
        }
        if request.id.is_some_and(|id| !is_id(id.get())) {
            return Err(Fault::Invalid("id must be a short string, a number, or null".to_owned()));
        }
        let params = request.params.filter(|params| params.get() != "null");
        let params =
            params.map_or_else(|| Ok(Items(Vec::new())), |params| serde_json::from_str(params.get()));
        let Items(params) = params.map_err(|_| Fault::Invalid("params must be a short array".to_owned()))?;
        Ok(Self { method: request.method, params, id: request.id })
    }
}

fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID && !text.starts_with(['{', '[', 't', 'f'])
}

/// A response.
#[derive(Serialize)]
pub(super) struct Response<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
}

impl<'a> Response<'a> {
    /// Success.
    pub(super) fn result(id: Option<&'a RawValue>, result: Box<RawValue>) -> Self {
        Self { jsonrpc: "2.0", id, result: Some(result), error: None }
    }

    /// An error; without an id where the request's could not be read.
    pub(super) fn fault(id: Option<&'a RawValue>, fault: &Fault, request_id: Option<&str>) -> Self {
        Self { jsonrpc: "2.0", id, result: None, error: Some(fault.json(request_id)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Request<'_>, Fault> {
        match Body::read(text.as_bytes())? {
            Body::One(request) => request,
            Body::Many(_) => panic!("not one"),
        }
    }

    #[test]
    fn ids_are_kept_as_they_were_spelled() {
        for id in ["1", "\"a\\u0062\"", "null", "-1", "1.50"] {
            let text = format!(r#"{{"jsonrpc":"2.0","method":"eth_chainId","id":{id}}}"#);
            let request = one(&text).ok().unwrap();
            assert_eq!(request.id.unwrap().get(), id);
            assert!(request.params.is_empty());
        }
        let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;
        assert!(one(notification).ok().unwrap().id.is_none());
    }

    #[test]
    fn what_is_no_request_is_named() {
        let invalid = [
            "1",
            "{}",
            r#"{"method":"a","id":1}"#,
            r#"{"jsonrpc":"1.0","method":"a","id":1}"#,
            r#"{"jsonrpc":"2.0","method":1,"id":1}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":{}}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":true}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":1,"id":2}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":1,"method":"b"}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":1,"other":1}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":1,"params":{"a":1}}"#,
        ];
        for text in invalid {
            assert!(matches!(one(text), Err(Fault::Invalid(_))), "{text}");
        }
        for text in ["", "{", "[1,", "\u{feff}{}", "{}{}"] {
            assert!(matches!(Body::read(text.as_bytes()), Err(Fault::Parse(_))), "{text}");
        }
        assert!(matches!(Body::read(b"[]"), Err(Fault::Invalid(_))));
        let many = format!("[{}]", vec!["1"; MAX_ITEMS + 1].join(","));
        assert!(matches!(Body::read(many.as_bytes()), Err(Fault::Invalid(_))));
        // An array of a request's values is no request.
        let Ok(Body::Many(requests)) = Body::read(br#"[1, ["2.0","eth_chainId",[],7]]"#) else {
            panic!("not many")
        };
        assert_eq!(requests.iter().filter(|request| request.is_err()).count(), 2);
    }
}
