//! JSON Schema, and what to tell of what does not satisfy it.

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};

/// The most violations that are told.
const MOST: usize = 8;

/// The schema at `pointer` of a document.
///
/// The document itself becomes the schema: what it has beside schemas means nothing to JSON Schema, references stay what
/// they are, and the one that is added leads to where to begin.
pub(super) fn compile(document: &Value, pointer: &str) -> Result<Validator, String> {
    let mut root = document.clone();
    let members = root.as_object_mut().ok_or("the document is no object")?;
    members.insert("$ref".to_owned(), json!(format!("#{}", fragment(pointer))));
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(&root)
        .map_err(|error| format!("the schema at {pointer} is none: {error}"))
}

/// Holds a value against a schema; says where it does not satisfy it.
pub(super) fn explain(validator: &Validator, value: &Value) -> Result<(), String> {
    // Nearly every value does, and that alone is found out faster.
    if validator.is_valid(value) {
        return Ok(());
    }
    let mut told = Vec::new();
    for error in validator.iter_errors(value) {
        tell(&error, &mut told);
    }
    let more = told.len().saturating_sub(MOST);
    told.truncate(MOST);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    Err(told.join("; "))
}

/// Of alternatives, what keeps the likeliest from being the one: those that are ruled out by a constant were not meant.
fn tell(error: &ValidationError<'_>, told: &mut Vec<String>) {
    let (ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context }) =
        error.kind()
    else {
        let place = error.instance_path().to_string();
        let text: String = error.masked().to_string().chars().take(300).collect();
        told.push(format!("at {}: {text}", if place.is_empty() { "the top" } else { &place }));
        return;
    };
    let ruled_out = |branch: &&Vec<ValidationError<'_>>| {
        branch.iter().any(|error| {
            matches!(error.kind(), ValidationErrorKind::Constant { .. } | ValidationErrorKind::Type { .. })
        })
    };
    let meant: Vec<_> = context.iter().filter(|branch| !ruled_out(branch)).collect();
    if meant.is_empty() {
        told.push(format!("at {}: {}", error.instance_path(), error.masked()));
    }
    for error in meant.into_iter().flatten() {
        tell(error, told);
    }
}

/// A JSON pointer as the fragment of a URI.
fn fragment(pointer: &str) -> String {
    pointer.replace('%', "%25").replace('{', "%7B").replace('}', "%7D")
}
