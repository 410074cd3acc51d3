//! Asking KMS about a key. None of it is attested: what is read is no secret, and that it is KMS's is
//! TLS's to show.

use aws_sdk_kms::{
    operation::describe_key::DescribeKeyOutput,
    types::{self, GrantListEntry, MultiRegionKey},
};
use signer_rules::configuration::KmsKey;

use super::{Grant, KeyMetadata, KeyState};
use crate::kms::{Kms, KmsError, failure};

/// The name of the one policy that a key has.
const POLICY_NAME: &str = "default";
/// Grants are asked for in so many pages at most. One grant is a deviation already.
const MAX_PAGES: usize = 10;

impl Kms {
    /// Reads a key's description, policy and grants; each is asked for `attempts` times at most.
    pub async fn key_state(&self, key: &KmsKey, attempts: u32) -> Result<KeyState, KmsError> {
        let metadata = self.key_metadata(key, attempts).await?;
        let policy = self.key_policy(key, attempts).await?;
        let mut grants = self.key_grants(key, attempts).await?;
        grants.sort();
        Ok(KeyState { key: key.arn.clone(), metadata, policy, grants })
    }

    async fn key_metadata(&self, key: &KmsKey, attempts: u32) -> Result<KeyMetadata, KmsError> {
        const OPERATION: &str = "DescribeKey";
        let answer = self.client(key, attempts).describe_key().key_id(&key.arn).send().await;
        metadata(&answer.map_err(|error| failure(OPERATION, key, &error))?, key)
            .map_err(|found| KmsError::ForeignKey { operation: OPERATION, expected: key.arn.clone(), found })
    }

    async fn key_policy(&self, key: &KmsKey, attempts: u32) -> Result<String, KmsError> {
        const OPERATION: &str = "GetKeyPolicy";
        let request = self.client(key, attempts).get_key_policy().key_id(&key.arn).policy_name(POLICY_NAME);
        let answer = request.send().await.map_err(|error| failure(OPERATION, key, &error))?;
        let named = answer.policy_name().is_none_or(|name| name == POLICY_NAME);
        let policy = answer.policy().filter(|_| named);
        policy.map(str::to_owned).ok_or(KmsError::Incomplete(OPERATION))
    }

    async fn key_grants(&self, key: &KmsKey, attempts: u32) -> Result<Vec<Grant>, KmsError> {
        const OPERATION: &str = "ListGrants";
        let client = self.client(key, attempts);
        let mut grants = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = client.list_grants().key_id(&key.arn).set_marker(marker);
            let page = request.send().await.map_err(|error| failure(OPERATION, key, &error))?;
            grants.extend(page.grants().iter().map(grant));
            if !page.truncated() {
                return Ok(grants);
            }
            marker = Some(page.next_marker().ok_or(KmsError::Incomplete(OPERATION))?.to_owned());
        }
        // More than are of interest. That there are none cannot be said without the end of the list.
        if grants.is_empty() { Err(KmsError::Incomplete(OPERATION)) } else { Ok(grants) }
    }
}

/// An error is the ARN that the answer is about.
fn metadata(answer: &DescribeKeyOutput, key: &KmsKey) -> Result<KeyMetadata, String> {
    let metadata = answer.key_metadata().ok_or("none")?;
    if metadata.arn() != Some(key.arn.as_str()) {
        return Err(metadata.arn().unwrap_or("none").to_owned());
    }
    let all = metadata.multi_region_configuration();
    let all = all.into_iter().flat_map(|all| all.primary_key().into_iter().chain(all.replica_keys()));
    let arn = |key: &MultiRegionKey| key.arn().unwrap_or("unnamed").to_owned();
    let mut elsewhere: Vec<String> = all.map(arn).filter(|arn| *arn != key.arn).collect();
    elsewhere.sort();
    let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
    Ok(KeyMetadata {
        enabled: metadata.enabled(),
        state: text(metadata.key_state().map(types::KeyState::as_str)),
        spec: text(metadata.key_spec().map(types::KeySpec::as_str)),
        usage: text(metadata.key_usage().map(types::KeyUsageType::as_str)),
        origin: text(metadata.origin().map(types::OriginType::as_str)),
        manager: text(metadata.key_manager().map(types::KeyManagerType::as_str)),
        elsewhere,
    })
}

fn grant(entry: &GrantListEntry) -> Grant {
    Grant {
        id: entry.grant_id().unwrap_or_default().to_owned(),
        grantee: entry.grantee_principal().unwrap_or_default().to_owned(),
        operations: entry.operations().iter().map(|operation| operation.as_str().to_owned()).collect(),
    }
}
