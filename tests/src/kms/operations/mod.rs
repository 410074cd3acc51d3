//! The operations. Each reads its parameters, finds its keys, asks whether it may, and acts: in that order.

mod data;
mod grants;
mod keys;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::blob::EncryptionContext;
use super::error::KmsError;
use super::fault::Fault;
use super::policy::{Context, Decision, Question};
use super::principal::Caller;
use super::recipient::{Recipient, RecipientInfo};
use super::service::Service;
use super::store::{Key, Store};
use super::trail::Entry;

/// The operations that the emulator has.
pub(super) const OPERATIONS: [&str; 11] = [
    "CreateGrant",
    "CreateKey",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateRandom",
    "GetKeyPolicy",
    "ListGrants",
    "PutKeyPolicy",
    "ReEncrypt",
];

/// One call by an authenticated caller.
#[derive(Debug)]
pub(super) struct Call<'a> {
    service: &'a Service,
    caller: &'a Caller,
    faults: &'a [Fault],
    now_ms: u64,
    entry: Entry,
}

type Answer = Map<String, Value>;

impl<'a> Call<'a> {
    pub(super) fn new(service: &'a Service, caller: &'a Caller, faults: &'a [Fault], now_ms: u64) -> Self {
        Self { service, caller, faults, now_ms, entry: Entry::default() }
    }

    /// Does `operation` (one of [`OPERATIONS`]) with the parameters in `body`.
    pub(super) fn run(&mut self, operation: &str, body: &[u8]) -> Result<Value, KmsError> {
        let mut answer = match operation {
            "CreateGrant" => self.create_grant(parameters(body)?),
            "CreateKey" => self.create_key(parameters(body)?),
            "Decrypt" => self.decrypt(&parameters(body)?),
            "DescribeKey" => self.describe_key(&parameters(body)?),
            "Encrypt" => self.encrypt(&parameters(body)?),
            "GenerateDataKey" => self.generate_data_key(&parameters(body)?),
            "GenerateRandom" => self.generate_random(&parameters(body)?),
            "GetKeyPolicy" => self.get_key_policy(&parameters(body)?),
            "ListGrants" => self.list_grants(&parameters(body)?),
            "PutKeyPolicy" => self.put_key_policy(&parameters(body)?),
            "ReEncrypt" => self.re_encrypt(&parameters(body)?),
            _ => Err(KmsError::client("UnknownOperationException", "The operation is unknown.")),
        }?;
        for fault in self.faults {
            match fault {
                Fault::WrongKeyId(key_id) => drop(answer.insert("KeyId".to_owned(), key_id.clone().into())),
                Fault::Metadata(member, value) => {
                    if let Some(metadata) = answer.get_mut("KeyMetadata") {
                        metadata[*member] = (*value).into();
                    }
                }
                _ => {}
            }
        }
        Ok(answer.into())
    }

    /// What the log is to say about the call.
    pub(super) fn into_entry(self) -> Entry {
        self.entry
    }

    /// The key that the parameter `KeyId` names.
    fn key<'s>(&mut self, store: &'s Store, name: &str) -> Result<&'s Key, KmsError> {
        self.entry.parameter("keyId", name);
        let key = store
            .find(name)
            .ok_or_else(|| KmsError::client("NotFoundException", format!("Key '{name}' does not exist")))?;
        self.entry.key_arn = Some(key.stored.arn.clone());
        Ok(key)
    }

    /// Whether the caller may do `action` (such as `kms:Decrypt`) with `key`.
    ///
    /// A grant allows what the key policy does not mention. It knows nothing of attestation: only an explicit deny in the
    /// key policy holds against it.
    fn authorize(
        &self,
        key: &Key,
        action: &str,
        encryption_context: &EncryptionContext,
        recipient: Option<&Recipient>,
    ) -> Result<(), KmsError> {
        let mut context = Context::default();
        context.add("aws:PrincipalArn", &self.caller.principal_arn);
        context.add("aws:PrincipalAccount", &self.caller.account);
        context.add("kms:CallerAccount", &self.caller.account);
        for (name, value) in encryption_context {
            context.add(&format!("kms:EncryptionContext:{name}"), value);
            context.add("kms:EncryptionContextKeys", name);
        }
        if let Some(recipient) = recipient {
            recipient.describe(&mut context);
        }
        let question = Question { caller: self.caller, action, resource: &key.stored.arn, context: &context };
        let operation = action.trim_start_matches("kms:");
        let granted =
            || key.stored.grants.iter().any(|grant| grant.allows(self.caller, operation, encryption_context));
        let reason = match key.policy.decide(&question) {
            Decision::Allow => return Ok(()),
            Decision::ImplicitDeny if granted() => return Ok(()),
            Decision::ImplicitDeny => format!("because no resource-based policy allows the {action} action"),
            Decision::ExplicitDeny => "with an explicit deny in a resource-based policy".to_owned(),
        };
        let (user, resource) = (&self.caller.arn, &key.stored.arn);
        let message =
            format!("User: {user} is not authorized to perform: {action} on resource: {resource} {reason}");
        Err(KmsError::client("AccessDeniedException", message))
    }

    /// The verified recipient, if the request has one.
    fn recipient(&mut self, info: Option<&RecipientInfo>) -> Result<Option<Recipient>, KmsError> {
        let Some(info) = info else { return Ok(None) };
        let recipient = Recipient::verify(info, self.service.attestation, self.now_ms)?;
        self.entry.attested_by(&recipient.attested);
        Ok(Some(recipient))
    }

    fn log_context(&mut self, context: &EncryptionContext) {
        if !context.is_empty() {
            let context: Map<_, _> = context.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
            self.entry.parameter("encryptionContext", context);
        }
    }
}

/// A binary parameter.
#[derive(Debug)]
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

fn parameters<T: DeserializeOwned>(body: &[u8]) -> Result<T, KmsError> {
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { "ValidationException" } else { "SerializationException" };
        KmsError::client(code, error.to_string())
    })
}

fn base64(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

fn answer<const N: usize>(fields: [(&str, Value); N]) -> Answer {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
