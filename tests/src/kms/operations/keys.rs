//! Operations on keys and their policies.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, answer};
use crate::kms::blob::EncryptionContext;
use crate::kms::error::KmsError;
use crate::kms::policy::{Context, Decision, Policy, Question};
use crate::kms::store::{Key, KeySpec, random_uuid};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateKey {
    policy: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
    key_spec: Option<String>,
    key_usage: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeKey {
    key_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
    policy: String,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
}

impl Call<'_> {
    /// The key belongs to the caller's account. Without a key there is no key policy: every known principal may.
    pub(super) fn create_key(&mut self, request: CreateKey) -> Result<Answer, KmsError> {
        let spec = request.key_spec.as_deref().unwrap_or("SYMMETRIC_DEFAULT");
        let usage = request.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT");
        if (spec, usage) != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") {
            return Err(KmsError::client(
                "UnsupportedOperationException",
                "Only symmetric keys are emulated.",
            ));
        }
        let key_id = random_uuid();
        let mut policy = None;
        if let Some(text) = request.policy {
            let arn = format!("arn:aws:kms:{}:{}:key/{key_id}", self.service.region, self.caller.account);
            self.check_new_policy(&text, &arn, request.bypass_policy_lockout_safety_check)?;
            policy = serde_json::from_str(&text).ok();
        }
        let spec = KeySpec { key_id: Some(key_id), policy, ..KeySpec::default() };
        let mut store = self.service.store.lock().expect("no holder panics");
        let arn = store.create(&spec, &self.caller.account, &request.description, self.now_ms / 1_000)?;
        self.entry.key_arn = Some(arn.clone());
        let key = store.find(&arn).ok_or_else(KmsError::internal)?;
        Ok(answer([("KeyMetadata", metadata(key))]))
    }

    pub(super) fn describe_key(&mut self, request: &DescribeKey) -> Result<Answer, KmsError> {
        let store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:DescribeKey", &EncryptionContext::new(), None)?;
        Ok(answer([("KeyMetadata", metadata(key))]))
    }

    /// KMS gives a policy's content, not the text that was put: spaces and the order of members are its own.
    pub(super) fn get_key_policy(&mut self, request: &GetKeyPolicy) -> Result<Answer, KmsError> {
        default_name(request.policy_name.as_deref())?;
        let store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:GetKeyPolicy", &EncryptionContext::new(), None)?;
        let policy: Value =
            serde_json::from_str(&key.stored.policy_text).map_err(|_| KmsError::internal())?;
        Ok(answer([("Policy", format!("{policy:#}").into()), ("PolicyName", "default".into())]))
    }

    pub(super) fn put_key_policy(&mut self, request: &PutKeyPolicy) -> Result<Answer, KmsError> {
        default_name(request.policy_name.as_deref())?;
        let mut store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        let arn = key.stored.arn.clone();
        self.authorize(key, "kms:PutKeyPolicy", &EncryptionContext::new(), None)?;
        let policy =
            self.check_new_policy(&request.policy, &arn, request.bypass_policy_lockout_safety_check)?;
        store.change(&arn, |key| {
            key.policy = policy;
            key.stored.policy_text.clone_from(&request.policy);
        });
        Ok(Answer::new())
    }

    /// Parses a policy, and refuses one that would keep the caller from changing it again.
    fn check_new_policy(&self, text: &str, key_arn: &str, bypass: bool) -> Result<Policy, KmsError> {
        let policy = Policy::parse(text)?;
        let mut context = Context::default();
        context.add("aws:PrincipalArn", &self.caller.principal_arn);
        context.add("aws:PrincipalAccount", &self.caller.account);
        context.add("kms:CallerAccount", &self.caller.account);
        let question = Question {
            caller: self.caller,
            action: "kms:PutKeyPolicy",
            resource: key_arn,
            context: &context,
        };
        if !bypass && policy.decide(&question) != Decision::Allow {
            let message = "The new key policy will not allow you to update the key policy in the future.";
            return Err(KmsError::malformed_policy(message));
        }
        Ok(policy)
    }
}

fn default_name(name: Option<&str>) -> Result<(), KmsError> {
    match name {
        None | Some("default") => Ok(()),
        Some(_) => Err(KmsError::client("NotFoundException", "No such policy exists.")),
    }
}

fn metadata(key: &Key) -> Value {
    json!({
        "AWSAccountId": key.stored.account,
        "Arn": key.stored.arn,
        "CreationDate": key.stored.created,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": key.stored.description,
        "Enabled": true,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key.stored.key_id,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": false,
        "Origin": "AWS_KMS",
    })
}
