//! The document: references, and which operation a request is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

use super::schema;

const TEXT: &str = include_str!("../../../host/openapi.json");

/// A description, and the schemas of it that were needed so far.
#[derive(Debug)]
pub struct Document {
    root: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// A place in the document.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    document: &'a Document,
    pointer: String,
    /// What is there.
    pub value: &'a Value,
}

/// Parameters of a request: names and values.
pub type Parameters = Vec<(String, String)>;

/// What the document has for a request.
#[derive(Debug)]
pub enum Route<'a> {
    /// This operation of this path, with the parameters in the path.
    Operation {
        /// The item of `paths`.
        item: Node<'a>,
        /// The operation.
        operation: Node<'a>,
        /// Names and values.
        parameters: Parameters,
    },
    /// Neither path nor method: what `x-otherwise` says.
    Otherwise(Node<'a>),
}

impl Document {
    /// The committed document.
    pub fn committed() -> &'static Self {
        static DOCUMENT: OnceLock<Document> = OnceLock::new();
        DOCUMENT.get_or_init(|| Self::new(serde_json::from_str(TEXT).expect("host/openapi.json is JSON")))
    }

    /// Any document.
    pub fn new(root: Value) -> Self {
        Self { root, compiled: Mutex::default() }
    }

    /// The document as it is.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, pointer: String::new(), value: &self.root }
    }

    /// A place by its JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<Node<'_>> {
        let value = self.root.pointer(pointer)?;
        Some(Node { document: self, pointer: pointer.to_owned(), value })
    }

    /// The operation that a method and a path (without query) are.
    pub fn route(&self, method: &str, path: &str) -> Route<'_> {
        let otherwise = |what| {
            let node = self.root().member("x-otherwise").and_then(|node| node.member(what));
            Route::Otherwise(node.expect("x-otherwise"))
        };
        let paths = self.root().member("paths").expect("paths");
        let found = paths.members().filter_map(|(template, item)| {
            let (literal, parameters) = matches(&template, path)?;
            Some((literal, item, parameters))
        });
        // A path that is written out comes before one with parameters, segment by segment.
        let Some((_, item, parameters)) = found.max_by_key(|(literal, ..)| literal.clone()) else {
            return otherwise("path");
        };
        match item.member(&method.to_ascii_lowercase()) {
            Some(operation) => Route::Operation { item, operation, parameters },
            None => otherwise("method"),
        }
    }

    fn validator(&self, pointer: &str) -> Result<Arc<Validator>, String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(pointer) {
            return Ok(validator.clone());
        }
        let validator = Arc::new(schema::compile(&self.root, pointer)?);
        compiled.insert(pointer.to_owned(), validator.clone());
        Ok(validator)
    }
}

impl<'a> Node<'a> {
    /// The JSON pointer.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// A member, or what it refers to.
    pub fn member(&self, name: &str) -> Option<Self> {
        self.child(name).map(Self::followed)
    }

    /// A member as it is: for schemas, which may say more beside a reference.
    pub fn child(&self, name: &str) -> Option<Self> {
        let value = match self.value {
            Value::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
            other => other.get(name),
        }?;
        let pointer = format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"));
        Some(Self { document: self.document, pointer, value })
    }

    /// All members or items, with their names or indexes.
    pub fn members(&self) -> impl Iterator<Item = (String, Self)> + use<'a> {
        let names: Vec<String> = match self.value {
            Value::Object(members) => members.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|index| index.to_string()).collect(),
            _ => Vec::new(),
        };
        let this = self.clone();
        names.into_iter().filter_map(move |name| this.member(&name).map(|node| (name, node)))
    }

    /// The text of a member.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str()
    }

    /// Whether there is a schema at this place.
    pub fn is_schema(&self) -> Result<(), String> {
        self.document.validator(&self.pointer).map(drop)
    }

    /// Holds a value against the schema at this place.
    pub fn validate(&self, value: &Value) -> Result<(), String> {
        let validator = self.document.validator(&self.pointer)?;
        schema::explain(&validator, value)
    }

    fn followed(self) -> Self {
        match self.text("$ref").and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => {
                let target = self.document.at(pointer);
                target.unwrap_or_else(|| panic!("{} refers to #{pointer}, which is not there", self.pointer))
            }
            None => self,
        }
    }
}

/// For each segment whether it is literal, and the parameters; none if the template is another path's.
fn matches(template: &str, path: &str) -> Option<(Vec<bool>, Parameters)> {
    let (wanted, found): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != found.len() {
        return None;
    }
    let (mut literal, mut parameters) = (Vec::new(), Vec::new());
    for (wanted, found) in wanted.into_iter().zip(found) {
        let name = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        literal.push(name.is_none());
        match name {
            Some(name) if !found.is_empty() => parameters.push((name.to_owned(), found.to_owned())),
            None if wanted == found => {}
            _ => return None,
        }
    }
    Some((literal, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, path: &str) -> Option<String> {
        match Document::committed().route(method, path) {
            Route::Operation { operation, .. } => operation.text("operationId").map(str::to_owned),
            Route::Otherwise(_) => None,
        }
    }

    #[test]
    fn requests_find_their_operation() {
        for (method, path, id) in [
            ("GET", "/v1/wallets", Some("listWallets")),
            ("GET", "/v1/wallets/a.b", Some("getWallet")),
            ("HEAD", "/healthz", Some("getHealthHead")),
            ("POST", "/rpc/1", Some("rpcOfChain")),
            ("POST", "/rpc/geth", Some("rpcGeth")),
            ("POST", "/v1/wallets/a/rpc/1/geth", Some("rpcOfWalletGeth")),
            ("DELETE", "/v1/wallets/a", None),
            ("GET", "/v1/wallets/", None),
            ("GET", "/v2", None),
        ] {
            assert_eq!(operation(method, path).as_deref(), id, "{method} {path}");
        }
    }
}
