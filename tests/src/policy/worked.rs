//! The worked policies of `docs/policy.md`: each a heading, a fenced block with part of a bundle, and one with cases.

use serde_json::{Map, Value, json};

use super::compare::{Request, parse};
use super::generate::signer;
use super::naive::Verdict;

/// A worked policy.
#[derive(Clone, Debug)]
pub struct Worked {
    /// Its heading.
    pub title: String,
    /// The bundle, completed with what all have.
    pub bundle: Value,
    /// Requests and what becomes of them.
    pub cases: Vec<Case>,
}

/// A request and what becomes of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about, in words.
    pub about: String,
    /// The request.
    pub request: Request,
    /// The decision: of candidates only the first.
    pub expected: Verdict,
}

/// Those of a document, which are behind the heading "Worked policies".
pub fn read(document: &str) -> Vec<Worked> {
    let (_, part) = document.split_once("\n## Worked policies\n").expect("the heading");
    part.split("\n### ").skip(1).map(worked).collect()
}

fn worked(section: &str) -> Worked {
    let title = section.lines().next().unwrap_or_default().to_owned();
    let mut blocks = section.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("json\n"));
    let mut block = || -> Value {
        let text = blocks.next().unwrap_or_else(|| panic!("{title}: two blocks of JSON"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{title}: {error}"))
    };
    let (fragment, cases) = (block(), block());
    let mut before = Value::Null;
    let mut found = Vec::new();
    for case in cases.as_array().expect("a list of cases") {
        let mut whole = case.clone();
        if let Some(change) = case.get("but") {
            whole = before.clone();
            merge(&mut whole, change);
            whole["about"] = case["about"].clone();
            whole["expected"] = case["expected"].clone();
        } else {
            before = whole.clone();
        }
        found.push(read_case(&title, &whole));
    }
    Worked { title, bundle: complete(&fragment), cases: found }
}

/// What a fragment leaves out: one client that proves nothing, no groups, a month.
fn complete(fragment: &Value) -> Value {
    let mut bundle = json!({
        "format": "nitro-signer/policy/v1", "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [], "clients": [{"id": "backend", "auth": "none"}],
        "wallet_groups": [], "rules": [],
    });
    let members = fragment.as_object().expect("part of a bundle");
    bundle.as_object_mut().expect("an object").extend(members.clone());
    bundle
}

fn read_case(title: &str, case: &Value) -> Case {
    let member = |name: &str| case[name].as_str().map(str::to_owned);
    let about = member("about").unwrap_or_else(|| panic!("{title}: a case says what it is about"));
    let needs = |name: &str| member(name).unwrap_or_else(|| panic!("{title}, {about}: {name} is missing"));
    let operation = needs("operation");
    let known = ["about", "operation", "client", "wallet", "origin", "now", "expected"];
    let body: Map<String, Value> = case.as_object().expect("an object").clone();
    let body = body.into_iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let body = Value::Object(body.collect());
    let facts = (!operation.starts_with("wallet.")).then(|| {
        parse(&operation, &body, Some(&signer()))
            .unwrap_or_else(|rejection| panic!("{title}, {about}: {} {}", rejection.field, rejection.message))
    });
    let expected = match (&case["expected"]["allowed_by"], &case["expected"]["denied_by"], &case["expected"])
    {
        (Value::String(rule), Value::Null, _) => Verdict::Candidates(vec![rule.clone()]),
        (Value::Null, Value::String(rule), _) => Verdict::DeniedBy(rule.clone()),
        (_, _, Value::String(text)) if text == "not_allowed" => Verdict::NotAllowed,
        (_, _, other) => panic!("{title}, {about}: {other} is no decision"),
    };
    let request = Request {
        now: member("now").unwrap_or_else(|| "2026-01-15T12:00:00Z".to_owned()),
        client: needs("client"),
        wallet: needs("wallet"),
        origin: member("origin").unwrap_or_else(|| "hd".to_owned()),
        operation,
        body,
        facts,
        signer: signer(),
    };
    Case { about, request, expected }
}

/// RFC 7396, JSON merge patch.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let members = target.as_object_mut().expect("an object");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
