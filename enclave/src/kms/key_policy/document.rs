//! Key policies: JSON in, statements out, everything unknown refused.
//!
//! What is read strictly cannot be misread: a member that this does not know, or that is there
//! twice, makes the policy unreadable, which counts as a deviation.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// The longest policy that KMS stores, in bytes, and as much again for KMS's own spaces.
const MAX_POLICY: usize = 64 * 1024;

/// A policy's statements.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Document {
    version: String,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<Statement>,
}

/// One statement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Statement {
    #[serde(default, rename = "Sid")]
    _sid: Option<String>,
    pub(super) effect: Effect,
    #[serde(default)]
    principal: Option<Principals>,
    #[serde(default)]
    not_principal: Option<Principals>,
    #[serde(default)]
    action: Option<OneOrMany<Text>>,
    #[serde(default)]
    not_action: Option<OneOrMany<Text>>,
    resource: OneOrMany<Text>,
    #[serde(default)]
    condition: Option<Members<Members<OneOrMany<Text>>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// One operator's test of one condition key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition<'a> {
    pub(super) operator: &'a str,
    pub(super) key: &'a str,
    pub(super) values: &'a [Text],
}

impl Document {
    /// Reads a policy's text; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_POLICY {
            return Err("it is too long".to_owned());
        }
        let document: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !matches!(&*document.version, "2012-10-17" | "2008-10-17") {
            return Err("it is of an unknown version".to_owned());
        }
        for statement in document.statements() {
            if statement.principal.is_some() == statement.not_principal.is_some() {
                return Err("a statement must have either Principal or NotPrincipal".to_owned());
            }
            if statement.action.is_some() == statement.not_action.is_some() {
                return Err("a statement must have either Action or NotAction".to_owned());
            }
        }
        Ok(document)
    }

    /// In the order of the policy.
    pub(super) fn statements(&self) -> &[Statement] {
        &self.statement.0
    }
}

impl Statement {
    /// Whether it is for everyone, or for everyone but some.
    pub(super) fn names_everyone(&self) -> bool {
        self.principal.as_ref().is_none_or(|principals| principals.everyone || principals.pattern)
    }

    /// Whether it is for everyone without exception.
    pub(super) fn is_for_everyone(&self) -> bool {
        self.principal.as_ref().is_some_and(|principals| principals.everyone)
    }

    /// Whether it is for others than principals of AWS accounts, such as services.
    pub(super) fn names_others(&self) -> bool {
        self.principal.iter().chain(&self.not_principal).any(|principals| principals.others)
    }

    /// Whether it is about an operation, which is given in lower case.
    pub(super) fn is_about(&self, action: &str) -> bool {
        let listed = |patterns: &OneOrMany<Text>| {
            patterns.0.iter().any(|pattern| matches(&pattern.0.to_ascii_lowercase(), action))
        };
        self.action.as_ref().is_some_and(listed) || self.not_action.as_ref().is_some_and(|not| !listed(not))
    }

    /// Whether it names, exactly or by a wildcard, what is none of the `known` operations, which are in lower case.
    pub(super) fn names_beyond(&self, known: &(impl Iterator<Item = &'static str> + Clone)) -> bool {
        let mut patterns = self.action.iter().flat_map(|actions| &actions.0);
        patterns.any(|pattern| {
            let pattern = pattern.0.to_ascii_lowercase();
            !known.clone().any(|action| matches(&pattern, action))
        })
    }

    /// Whether it is certainly about the key that it is on.
    pub(super) fn covers_key(&self, arn: &str) -> bool {
        self.resource.0.iter().any(|resource| resource.0 == "*" || resource.0 == arn)
    }

    /// All of which must hold.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        self.condition.iter().flat_map(|operators| &operators.0).flat_map(|(operator, keys)| {
            keys.0.iter().map(move |(key, values)| Condition { operator, key, values: &values.0 })
        })
    }
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    // Which prefixes of the text the pattern read so far can match.
    let text: Vec<char> = text.chars().collect();
    let mut reach = vec![false; text.len().saturating_add(1)];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for wanted in pattern.chars() {
        let mut next = vec![false; reach.len()];
        let mut before = false;
        for (at, reached) in next.iter_mut().enumerate() {
            let from = |index: Option<usize>| index.and_then(|index| reach.get(index)).copied() == Some(true);
            let character = at.checked_sub(1).and_then(|index| text.get(index));
            *reached = if wanted == '*' {
                before || from(Some(at))
            } else {
                from(at.checked_sub(1)) && (wanted == '?' || character == Some(&wanted))
            };
            before = *reached;
        }
        reach = next;
    }
    reach.last() == Some(&true)
}

/// A value, or a list of them that is not empty.
#[derive(Debug)]
pub(super) struct OneOrMany<T>(Vec<T>);

/// A string; numbers and booleans as they are written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// The members of an object, each once.
#[derive(Debug)]
struct Members<T>(Vec<(String, T)>);

/// Whom a statement is for.
#[derive(Debug)]
struct Principals {
    everyone: bool,
    /// More than one by one name, if IAM took such names.
    pattern: bool,
    others: bool,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a boolean")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

impl<'de> Deserialize<'de> for OneOrMany<Text> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany<Text>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or a list of strings that is not empty")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![Text(value.to_owned())]))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![Text(value.to_string())]))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![Text(value.to_string())]))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![Text(value.to_string())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                many(list)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl<'de> Deserialize<'de> for OneOrMany<Statement> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Statements;
        impl<'de> Visitor<'de> for Statements {
            type Value = OneOrMany<Statement>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a statement, or a list of statements that is not empty")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                Statement::deserialize(MapAccessDeserializer::new(members)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                many(list)
            }
        }
        deserializer.deserialize_any(Statements)
    }
}

fn many<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut list: A) -> Result<OneOrMany<T>, A::Error> {
    let mut values = Vec::new();
    while let Some(value) = list.next_element()? {
        values.push(value);
    }
    if values.is_empty() { Err(A::Error::custom("an empty list")) } else { Ok(OneOrMany(values)) }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut read: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = members.next_entry::<String, T>()? {
                    if read.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a member that is there twice"));
                    }
                    read.push((name, value));
                }
                Ok(Members(read))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whom;
        impl<'de> Visitor<'de> for Whom {
            type Value = Principals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\" or an object")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                if value == "*" {
                    return Ok(Principals { everyone: true, pattern: false, others: false });
                }
                Err(E::custom("a principal that is neither \"*\" nor an object"))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                let kinds = Members::<OneOrMany<Text>>::deserialize(MapAccessDeserializer::new(members))?.0;
                let (accounts, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|(kind, _)| kind == "AWS");
                let names = || accounts.iter().flat_map(|(_, names)| &names.0).map(|name| &*name.0);
                Ok(Principals {
                    everyone: names().any(|name| name == "*"),
                    pattern: names().any(|name| name != "*" && name.contains(['*', '?'])),
                    others: accounts.is_empty() || !others.is_empty(),
                })
            }
        }
        deserializer.deserialize_any(Whom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_of_iam() {
        for (pattern, text, expected) in [
            ("kms:*", "kms:decrypt", true),
            ("*", "kms:decrypt", true),
            ("kms:d*t", "kms:decrypt", true),
            ("kms:*crypt", "kms:decrypt", true),
            ("kms:?ecrypt", "kms:decrypt", true),
            ("kms:decrypt", "kms:decrypt", true),
            ("kms:decrypt?", "kms:decrypt", false),
            ("kms:generatedatakey", "kms:generatedatakeypair", false),
            ("kms:generatedatakey*", "kms:generatedatakeypair", true),
            ("**", "", true),
            ("", "", true),
            ("", "k", false),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_read() {
        const STATEMENT: &str = r#"{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#;
        let policy = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        assert_eq!(Document::parse(&policy(STATEMENT)).unwrap().statements().len(), 1);
        assert_eq!(
            Document::parse(&policy(&format!("[{STATEMENT},{STATEMENT}]"))).unwrap().statements().len(),
            2
        );
        let bad = [
            String::new(),
            "{}".into(),
            "[]".into(),
            policy("[]"),
            policy("[[]]"),
            policy("\"\""),
            policy(STATEMENT).replace("2012", "2013"),
            policy(STATEMENT).replacen('{', "{\"Extra\":1,", 1),
            policy(STATEMENT).replacen('{', "{\"Version\":\"2012-10-17\",", 1),
            policy(&STATEMENT.replacen('{', "{\"Extra\":1,", 1)),
            policy(&STATEMENT.replacen('{', "{\"Effect\":\"Deny\",", 1)),
            policy(&STATEMENT.replacen('{', "{\"NotAction\":\"kms:Encrypt\",", 1)),
            policy(&STATEMENT.replacen('{', "{\"NotPrincipal\":\"*\",", 1)),
            policy(&STATEMENT.replacen('{', "{\"NotResource\":\"*\",", 1)),
            policy(&STATEMENT.replace("Allow", "allow")),
            policy(&STATEMENT.replace(":\"*\",\"A", ":\"nobody\",\"A")),
            policy(&STATEMENT.replace("\"kms:Decrypt\"", "[]")),
            policy(&STATEMENT.replace("\"kms:Decrypt\"", "null")),
            policy(&STATEMENT.replace("\"kms:Decrypt\"", "{}")),
            policy(&STATEMENT.replacen('{', r#"{"Condition":{"Null":{"a":"b","a":"c"}},"#, 1)),
            policy(&STATEMENT.replacen('{', r#"{"Condition":{"Null":{"a":"b"},"Null":{"c":"d"}},"#, 1)),
            policy(&STATEMENT.replacen('{', r#"{"Condition":{"Null":"a"},"#, 1)),
            policy(&STATEMENT.replacen('{', r#"{"Condition":[],"#, 1)),
            format!("{} {{}}", policy(STATEMENT)),
            " ".repeat(MAX_POLICY) + &policy(STATEMENT),
        ];
        for text in bad {
            assert!(Document::parse(&text).is_err(), "{text}");
        }
    }
}
