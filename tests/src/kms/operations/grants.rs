//! Grants: the way around a key policy that forgets to deny.

use aws_lc_rs::rand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, answer, base64};
use crate::kms::blob::EncryptionContext;
use crate::kms::error::KmsError;
use crate::kms::principal::account_of;
use crate::kms::store::{Grant, GrantConstraints};

/// What can be granted on a symmetric key.
const GRANTABLE: [&str; 9] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
];
/// Grants on a page, if the caller does not say.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGrant {
    key_id: String,
    grantee_principal: String,
    retiring_principal: Option<String>,
    operations: Vec<String>,
    constraints: Option<GrantConstraints>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGrants {
    key_id: String,
    limit: Option<usize>,
    marker: Option<String>,
    grant_id: Option<String>,
    grantee_principal: Option<String>,
}

impl Call<'_> {
    pub(super) fn create_grant(&mut self, request: CreateGrant) -> Result<Answer, KmsError> {
        if let Some(other) =
            request.operations.iter().find(|operation| !GRANTABLE.contains(&operation.as_str()))
        {
            return Err(KmsError::validation(format!("{other} cannot be granted on this key.")));
        }
        if request.operations.is_empty() {
            return Err(KmsError::validation("Operations must not be empty."));
        }
        if account_of(&request.grantee_principal).is_empty() {
            return Err(KmsError::client(
                "InvalidArnException",
                "GranteePrincipal is not an ARN of a principal.",
            ));
        }
        self.entry.parameter("granteePrincipal", request.grantee_principal.clone());
        self.entry.parameter("operations", request.operations.clone());
        let mut store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:CreateGrant", &EncryptionContext::new(), None)?;
        let arn = key.stored.arn.clone();
        let [mut id, mut token] = [[0; 32]; 2];
        rand::fill(&mut id).and_then(|()| rand::fill(&mut token)).map_err(|_| KmsError::internal())?;
        let grant = Grant {
            id: hex::encode(id),
            name: request.name,
            grantee: request.grantee_principal,
            retiring: request.retiring_principal,
            issuing_account: self.caller.account.clone(),
            created: self.now_ms / 1_000,
            operations: request.operations,
            constraints: request.constraints,
        };
        let id = grant.id.clone();
        store.change(&arn, |key| key.stored.grants.push(grant));
        Ok(answer([("GrantId", id.into()), ("GrantToken", base64(&token))]))
    }

    /// In pages: a caller who reads the first one only has not seen all grants.
    pub(super) fn list_grants(&mut self, request: &ListGrants) -> Result<Answer, KmsError> {
        let limit = match request.limit {
            None => PAGE,
            Some(limit @ 1..=LARGEST_PAGE) => limit,
            Some(_) => return Err(KmsError::validation("Limit must be 1 to 100.")),
        };
        let invalid_marker = || KmsError::client("InvalidMarkerException", "The marker is not one of ours.");
        let start: usize =
            request.marker.as_deref().map_or(Ok(0), str::parse).map_err(|_| invalid_marker())?;
        let store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:ListGrants", &EncryptionContext::new(), None)?;
        let selected: Vec<_> = key
            .stored
            .grants
            .iter()
            .filter(|grant| request.grant_id.as_ref().is_none_or(|id| *id == grant.id))
            .filter(|grant| {
                request.grantee_principal.as_ref().is_none_or(|grantee| *grantee == grant.grantee)
            })
            .collect();
        let page: Vec<_> =
            selected.iter().skip(start).take(limit).map(|grant| describe(&key.stored.arn, grant)).collect();
        let truncated = start.saturating_add(limit) < selected.len();
        let mut answer = answer([("Grants", page.into()), ("Truncated", truncated.into())]);
        if truncated {
            answer.insert("NextMarker".to_owned(), (start + limit).to_string().into());
        }
        Ok(answer)
    }
}

fn describe(key_arn: &str, grant: &Grant) -> Value {
    let mut described = json!({
        "KeyId": key_arn,
        "GrantId": grant.id,
        "Name": grant.name.as_deref().unwrap_or_default(),
        "CreationDate": grant.created,
        "GranteePrincipal": grant.grantee,
        "IssuingAccount": format!("arn:aws:iam::{}:root", grant.issuing_account),
        "Operations": grant.operations,
    });
    if let Some(retiring) = &grant.retiring {
        described["RetiringPrincipal"] = retiring.clone().into();
    }
    if let Some(constraints) = &grant.constraints {
        described["Constraints"] = json!(constraints);
    }
    described
}
