//! Who calls: access keys, and the identities behind them.

use serde::Deserialize;

/// Credentials that the emulator knows, and whose they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSpec {
    /// `AKIA…` or `ASIA…`
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
    /// Temporary credentials must come with this token; long-lived ones with none.
    #[serde(default)]
    pub session_token: Option<String>,
    /// Seconds since the epoch after which the credentials are refused.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// `arn:aws:iam::…:user/…`, `arn:aws:sts::…:assumed-role/…/…` or `arn:aws:iam::…:root`.
    pub arn: String,
}

impl PrincipalSpec {
    /// Long-lived credentials of `arn`, made up.
    pub fn permanent(access_key_id: &str, secret_access_key: &str, arn: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: None,
            expires_at: None,
            arn: arn.to_owned(),
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Caller {
    pub(super) access_key_id: String,
    /// The identity that calls: for a role, its session.
    pub(super) arn: String,
    /// The identity that policies name (`aws:PrincipalArn`): for a session, its role.
    pub(super) principal_arn: String,
    pub(super) account: String,
}

impl From<&PrincipalSpec> for Caller {
    fn from(spec: &PrincipalSpec) -> Self {
        let account = account_of(&spec.arn).to_owned();
        let principal_arn = role_of_session(&spec.arn).unwrap_or_else(|| spec.arn.clone());
        Self { access_key_id: spec.access_key_id.clone(), arn: spec.arn.clone(), principal_arn, account }
    }
}

impl Caller {
    /// Whether `named`, a principal in a policy or grant, is this caller, its role, or its account.
    pub(super) fn is(&self, named: &str) -> bool {
        named == self.arn
            || named == self.principal_arn
            || named == self.account
            || named == self.account_root()
    }

    fn account_root(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account)
    }

    /// `IAMUser`, `AssumedRole` or `Root`, as `CloudTrail` calls them.
    pub(super) fn kind(&self) -> &'static str {
        if self.arn.contains(":assumed-role/") {
            "AssumedRole"
        } else if self.arn.ends_with(":root") {
            "Root"
        } else {
            "IAMUser"
        }
    }
}

/// The fifth part of an ARN.
pub(super) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// `arn:aws:iam::A:role/R` for `arn:aws:sts::A:assumed-role/R/session`.
fn role_of_session(arn: &str) -> Option<String> {
    let (role, _session) = arn.split_once(":assumed-role/")?.1.split_once('/')?;
    Some(format!("arn:aws:iam::{}:role/{role}", account_of(arn)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_role_and_its_account() {
        let session = "arn:aws:sts::111122223333:assumed-role/parent/i-0123";
        let caller = Caller::from(&PrincipalSpec::permanent("AKIA", "secret", session));
        assert_eq!(caller.principal_arn, "arn:aws:iam::111122223333:role/parent");
        for name in [session, &caller.principal_arn, "111122223333", "arn:aws:iam::111122223333:root"] {
            assert!(caller.is(name), "{name}");
        }
        for name in ["arn:aws:iam::111122223333:role/other", "arn:aws:iam::999922223333:root", "999922223333"]
        {
            assert!(!caller.is(name), "{name}");
        }
    }
}
