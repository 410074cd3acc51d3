//! Keys, their policies and their grants; in memory, and in a file if they are to outlive the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::blob::EncryptionContext;
use super::error::KmsError;
use super::policy::Policy;
use super::principal::Caller;

/// A key to make when the emulator starts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// A UUID; random if none is given.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The owning account; the emulator's if none is given.
    #[serde(default)]
    pub account: Option<String>,
    /// `alias/…`
    #[serde(default)]
    pub alias: Option<String>,
    /// The key policy; KMS's default (all to the account) if none is given.
    #[serde(default)]
    pub policy: Option<Value>,
}

/// A key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "StoredKey", into = "StoredKey")]
pub(super) struct Key {
    pub(super) stored: StoredKey,
    pub(super) policy: Policy,
}

/// What of a key is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct StoredKey {
    pub(super) arn: String,
    pub(super) key_id: String,
    pub(super) account: String,
    pub(super) alias: Option<String>,
    pub(super) description: String,
    pub(super) created: u64,
    pub(super) material: [u8; 32],
    /// Exactly as it was put.
    pub(super) policy_text: String,
    pub(super) grants: Vec<Grant>,
}

/// Permission given beside the key policy.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) grantee: String,
    pub(super) retiring: Option<String>,
    pub(super) issuing_account: String,
    pub(super) created: u64,
    pub(super) operations: Vec<String>,
    pub(super) constraints: Option<GrantConstraints>,
}

/// Encryption contexts that a grant is limited to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GrantConstraints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encryption_context_equals: Option<EncryptionContext>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encryption_context_subset: Option<EncryptionContext>,
}

impl Grant {
    /// Whether it lets `caller` do `operation`, such as `Decrypt`.
    pub(super) fn allows(&self, caller: &Caller, operation: &str, context: &EncryptionContext) -> bool {
        let constraints_hold = self.constraints.as_ref().is_none_or(|constraints| {
            let contains = |part: &EncryptionContext| part.iter().all(|(k, v)| context.get(k) == Some(v));
            constraints.encryption_context_equals.as_ref().is_none_or(|whole| whole == context)
                && constraints.encryption_context_subset.as_ref().is_none_or(contains)
        });
        constraints_hold
            && caller.is(&self.grantee)
            && self.operations.iter().any(|granted| granted == operation)
    }
}

impl TryFrom<StoredKey> for Key {
    type Error = KmsError;

    fn try_from(stored: StoredKey) -> Result<Self, KmsError> {
        Ok(Self { policy: Policy::parse(&stored.policy_text)?, stored })
    }
}

impl From<Key> for StoredKey {
    fn from(key: Key) -> Self {
        key.stored
    }
}

/// All keys of the emulator.
#[derive(Debug)]
pub(super) struct Store {
    region: String,
    /// By ARN.
    keys: BTreeMap<String, Key>,
    file: Option<PathBuf>,
}

impl Store {
    /// An empty store, or the one kept in `directory`.
    pub(super) fn open(region: &str, directory: Option<&Path>) -> io::Result<Self> {
        let mut store = Self { region: region.to_owned(), keys: BTreeMap::new(), file: None };
        if let Some(directory) = directory {
            fs::create_dir_all(directory)?;
            let file = directory.join("keys.json");
            if file.exists() {
                let keys: Vec<Key> = serde_json::from_slice(&fs::read(&file)?)?;
                store.keys = keys.into_iter().map(|key| (key.stored.arn.clone(), key)).collect();
            }
            store.file = Some(file);
        }
        Ok(store)
    }

    /// Makes a key, unless one of that ARN is there already: then it stays as it is. Returns its ARN.
    pub(super) fn create(
        &mut self,
        spec: &KeySpec,
        account: &str,
        description: &str,
        now: u64,
    ) -> Result<String, KmsError> {
        let account = spec.account.as_deref().unwrap_or(account).to_owned();
        let key_id = spec.key_id.clone().unwrap_or_else(random_uuid);
        let arn = format!("arn:aws:kms:{}:{account}:key/{key_id}", self.region);
        if self.keys.contains_key(&arn) {
            return Ok(arn);
        }
        let policy = spec.policy.clone().unwrap_or_else(|| default_policy(&account));
        let mut material = [0; 32];
        rand::fill(&mut material).map_err(|_| KmsError::internal())?;
        let stored = StoredKey {
            arn: arn.clone(),
            key_id,
            account,
            alias: spec.alias.clone(),
            description: description.to_owned(),
            created: now,
            material,
            policy_text: policy.to_string(),
            grants: Vec::new(),
        };
        self.keys.insert(arn.clone(), stored.try_into()?);
        self.save();
        Ok(arn)
    }

    /// Finds a key by id, ARN, alias or the alias's ARN.
    pub(super) fn find(&self, name: &str) -> Option<&Key> {
        self.keys.get(name).or_else(|| {
            let alias =
                name.split_once(":alias/").map_or(name, |_| name.splitn(6, ':').last().unwrap_or(name));
            let is_named =
                |key: &&Key| key.stored.key_id == name || key.stored.alias.as_deref() == Some(alias);
            self.keys.values().find(is_named)
        })
    }

    /// Changes the key of this ARN.
    pub(super) fn change<T>(&mut self, arn: &str, change: impl FnOnce(&mut Key) -> T) -> T {
        let result = change(self.keys.get_mut(arn).expect("the caller found it, and keys are never removed"));
        self.save();
        result
    }

    fn save(&self) {
        let Some(file) = &self.file else { return };
        let keys: Vec<_> = self.keys.values().collect();
        let text = serde_json::to_vec_pretty(&keys).expect("keys are plain data");
        let temporary = file.with_extension("tmp");
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, file))
            .expect("the state can be written");
    }
}

/// What KMS gives a key whose creator says nothing: its account may do all.
fn default_policy(account: &str) -> Value {
    json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": "kms:*",
        "Resource": "*",
    }]})
}

/// A version 4 UUID.
pub(super) fn random_uuid() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has randomness");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
