//! Facts as a listing. It follows their JSON, so that what is new among the facts shows without code here.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use signer_rules::chain::Facts;

use super::units::annotate;
use signer_terminal::{Failure, clean, fields};

/// Longer values are cut, in characters: `--json` has them in full.
const MAX_VALUE: usize = 300;

/// The listing of all facts but their type, which is the title's.
pub(super) fn render(facts: &Facts) -> Result<String, Failure> {
    // Through text, because serde_json's own map would sort the members.
    let json = serde_json::to_string(facts).map_err(Failure::new)?;
    let node = serde_json::from_str(&json).map_err(Failure::new)?;
    let Node::Object(mut members) = node else { return Err(Failure::new("facts are an object")) };
    members.retain(|(name, _)| name != "type");
    Ok(block(facts.operation(), &members))
}

/// JSON with the members of objects in their order.
enum Node {
    Null,
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// An object: what fits a line first, in two columns, then the objects inside it, indented.
fn block(operation: &str, members: &[(String, Node)]) -> String {
    let mut block = Block::default();
    for (name, node) in members {
        block.add(operation, name, clean(&name.replace('_', " ")), node);
    }
    let rows: Vec<(&str, String)> =
        block.rows.iter().map(|(label, value)| (label.as_str(), value.clone())).collect();
    let table = Some(fields(&rows)).filter(|table| !table.is_empty());
    table.into_iter().chain(block.below).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Block {
    rows: Vec<(String, String)>,
    below: Vec<String>,
}

impl Block {
    /// Adds a member; the items of a list are labelled with their places.
    fn add(&mut self, operation: &str, name: &str, label: String, node: &Node) {
        match node {
            Node::Null => self.rows.push((label, absent(operation, name).to_owned())),
            Node::Text(text) => self.rows.push((label, value(operation, name, text))),
            Node::List(items) if items.is_empty() => self.rows.push((label, "none".to_owned())),
            Node::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(operation, name, format!("{label} [{index}]"), item);
                }
            }
            Node::Object(members) if members.is_empty() => self.rows.push((label, "none".to_owned())),
            Node::Object(members) => {
                self.below.push(format!("{label}\n{}", indented(&block(operation, members))));
            }
        }
    }
}

/// What the absence of a member means.
fn absent(operation: &str, name: &str) -> &'static str {
    match (operation.starts_with("evm."), name) {
        (true, "chain_id") => "none: every chain",
        (true, "to") => "none: creates a contract",
        _ => "-",
    }
}

fn value(operation: &str, name: &str, text: &str) -> String {
    if let Some(annotated) = annotate(operation, name, text) {
        return annotated;
    }
    let length = text.chars().count();
    if length > MAX_VALUE {
        let start: String = text.chars().take(MAX_VALUE).collect();
        let rest = length - MAX_VALUE;
        return format!("{}... and {rest} more characters (--json shows all)", clean(&start));
    }
    clean(text)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(if value { "yes" } else { "no" }.to_owned()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}
