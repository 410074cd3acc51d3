//! A request and its answer, held against the document.

use std::fmt;

use serde_json::Value;

use super::{Document, Node, Route};

/// Headers that are HTTP's own, on any answer.
const PLAIN_HEADERS: [&str; 5] =
    ["connection", "content-length", "content-type", "date", "transfer-encoding"];
/// The most of a body that is shown.
const SHOWN: usize = 1500;

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's path, with its query.
    pub path: &'a str,
    /// The request's body.
    pub request: &'a [u8],
    /// The answer's status.
    pub status: u16,
    /// The answer's headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The answer's body.
    pub body: &'a [u8],
}

/// What the document does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {message}")]
pub struct Violation {
    /// Which part of the exchange.
    pub part: &'static str,
    /// Where and what.
    pub message: String,
}

type Verdict = Result<(), Violation>;

impl Exchange<'_> {
    /// Whether the document describes this exchange.
    ///
    /// The answer always has to be one of those of its operation. The request has to be allowed if it was accepted: what
    /// is refused may be anything.
    pub fn check(&self, document: &Document) -> Verdict {
        let (path, query) =
            self.path.split_once('?').map_or((self.path, None), |(path, query)| (path, Some(query)));
        match document.route(self.method, path) {
            Route::Otherwise(otherwise) => self.answer(&otherwise),
            Route::Operation { item, operation, parameters } => {
                self.answer(&operation)?;
                if self.is_accepted(&operation) {
                    check_parameters(&item, &operation, "path", &parameters)?;
                    check_parameters(&item, &operation, "query", &pairs(query.unwrap_or_default()))?;
                    self.request(&operation)?;
                }
                Ok(())
            }
        }
    }

    fn answer(&self, operation: &Node<'_>) -> Verdict {
        let status = self.status.to_string();
        let answers = operation.member("responses");
        let Some(answer) = answers.as_ref().and_then(|answers| answers.member(&status)) else {
            let known: Vec<String> =
                answers.iter().flat_map(Node::members).map(|(status, _)| status).collect();
            let message = format!("{status} is not one of {} ({})", known.join(", "), operation.pointer());
            return Err(Violation { part: "status", message });
        };
        self.headers(&answer)?;
        let kind = self.header("content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let content = answer.member("content");
        let (content, kind) = match (content, kind) {
            (Some(content), Some(kind)) => (content, kind),
            (None, None) if self.body.is_empty() => return Ok(()),
            (content, kind) => {
                let known = content
                    .map_or_else(Vec::new, |content| content.members().map(|(kind, _)| kind).collect());
                return Err(content_type(kind, &known));
            }
        };
        let Some(media) = content.member(kind) else {
            let known: Vec<String> = content.members().map(|(kind, _)| kind).collect();
            return Err(content_type(Some(kind), &known));
        };
        if self.method == "HEAD" {
            let empty = self.body.is_empty();
            return if empty { Ok(()) } else { Err(violation("body", "HEAD has none")) };
        }
        let Some(schema) = media.child("schema") else { return Ok(()) };
        let value = if kind.ends_with("json") {
            serde_json::from_slice(self.body)
                .map_err(|error| violation("body", format!("is no JSON: {error}")))?
        } else {
            Value::String(String::from_utf8_lossy(self.body).into_owned())
        };
        schema.validate(&value).map_err(|message| violation("body", message))
    }

    fn headers(&self, answer: &Node<'_>) -> Verdict {
        let documented = answer.member("headers");
        let documented: Vec<(String, Node<'_>)> = documented.iter().flat_map(Node::members).collect();
        for (name, header) in &documented {
            match self.header(name) {
                Some(text) => check_text(header, text)
                    .map_err(|message| violation("headers", format!("{name}: {message}")))?,
                None if header.value["required"] == true => {
                    return Err(violation("headers", format!("{name} is missing")));
                }
                None => {}
            }
        }
        let known = |name: &str| {
            PLAIN_HEADERS.contains(&name)
                || documented.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        match self.headers.iter().find(|(name, _)| !known(name)) {
            None => Ok(()),
            Some((name, _)) => Err(violation("headers", format!("{name} is not documented"))),
        }
    }

    fn request(&self, operation: &Node<'_>) -> Verdict {
        let schema = operation
            .member("requestBody")
            .and_then(|body| body.member("content")?.member("application/json")?.child("schema"));
        let Some(schema) = schema else { return Ok(()) };
        let body = serde_json::from_slice(self.request)
            .map_err(|error| violation("accepted request", format!("is no JSON: {error}")))?;
        schema.validate(&body).map_err(|message| violation("accepted request", message))
    }

    /// JSON-RPC and batches say in the body whether they accept a request, or all parts of it.
    fn is_accepted(&self, operation: &Node<'_>) -> bool {
        let success = (200..300).contains(&self.status);
        let in_body =
            operation.value["tags"][0] == "json-rpc" || operation.value["operationId"] == "signBatch";
        if !success || !in_body {
            return success;
        }
        match serde_json::from_slice::<Value>(self.body) {
            Ok(Value::Object(answer)) if answer.contains_key("items") => {
                answer["items"].as_array().is_some_and(|items| items.iter().all(|item| item["status"] == 200))
            }
            Ok(Value::Array(answers)) => answers.iter().all(|answer| answer.get("error").is_none()),
            Ok(answer) => answer.get("error").is_none(),
            Err(_) => true,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(SHOWN).collect::<String>();
        writeln!(f, "{} {}\n{}", self.method, self.path, shown(self.request))?;
        write!(f, "-> {} {:?}\n{}", self.status, self.headers, shown(self.body))
    }
}

/// Parameters of one place: each one documented, the required ones there, all of their schema.
fn check_parameters(
    item: &Node<'_>,
    operation: &Node<'_>,
    place: &str,
    given: &[(String, String)],
) -> Verdict {
    let lists = [item.member("parameters"), operation.member("parameters")];
    let documented: Vec<Node<'_>> = lists
        .iter()
        .flatten()
        .flat_map(Node::members)
        .map(|(_, parameter)| parameter)
        .filter(|parameter| parameter.text("in") == Some(place))
        .collect();
    for (name, text) in given {
        let found = documented.iter().find(|parameter| parameter.text("name") == Some(name.as_str()));
        let found = found.ok_or_else(|| {
            violation("accepted request", format!("{place} parameter {name} is not documented"))
        })?;
        check_text(found, text).map_err(|message| {
            violation("accepted request", format!("{place} parameter {name}: {message}"))
        })?;
    }
    let missing = documented
        .iter()
        .filter(|parameter| parameter.value["required"] == true)
        .find(|parameter| !given.iter().any(|(name, _)| parameter.text("name") == Some(name.as_str())));
    match missing {
        None => Ok(()),
        Some(parameter) => Err(violation("accepted request", format!("{} is missing", parameter.pointer()))),
    }
}

/// Parameters and headers are text: a number is one where the schema asks for one.
fn check_text(parameter: &Node<'_>, text: &str) -> Result<(), String> {
    let Some(schema) = parameter.child("schema") else { return Ok(()) };
    let value = match (schema.text("type"), text.parse::<i64>()) {
        (Some("integer"), Ok(number)) => Value::from(number),
        _ => Value::from(text),
    };
    schema.validate(&value)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn content_type(found: Option<&str>, known: &[String]) -> Violation {
    violation("content type", format!("{} is not one of [{}]", found.unwrap_or("none"), known.join(", ")))
}

fn violation(part: &'static str, message: impl Into<String>) -> Violation {
    Violation { part, message: message.into() }
}
