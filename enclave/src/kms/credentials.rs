//! AWS credentials, from the host's role. They are the host's own, so they protect nothing from it:
//! what KMS releases is decided by attestation.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use signer_shared::{
    address::Address,
    frame,
    message::PROTOCOL,
    service::{self, CredentialsRequest, CredentialsResponse},
};
use signer_transport::{dial, read_frame, write_frame};
use tokio::time::timeout;

use crate::clock::Clock;

/// The longest that fetching may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Credentials are asked for again after this time, whatever expiry the host names.
const LONGEST_USE_MS: u64 = 3_600_000;
/// The longest of any of their parts.
const MAX_PART: usize = 8 * 1024;

/// Asks the host for credentials whenever the SDK needs fresh ones.
#[derive(Clone)]
pub(super) struct HostCredentials {
    host: Address,
    clock: Clock,
}

impl HostCredentials {
    pub(super) fn new(host: Address, clock: Clock) -> Self {
        Self { host, clock }
    }

    async fn fetch(&self) -> Result<Credentials, CredentialsError> {
        let answer = timeout(LIMIT, self.ask())
            .await
            .map_err(|_| unavailable("the host did not answer in time".into()))?
            .map_err(unavailable)?;
        let answer = match answer {
            CredentialsResponse::Credentials(answer) => answer,
            CredentialsResponse::Unavailable { reason } => {
                return Err(unavailable(reason.chars().take(200).collect()));
            }
        };
        self.bounded(answer).map_err(|problem| unavailable(problem.into()))
    }

    async fn ask(&self) -> Result<CredentialsResponse, String> {
        let mut stream = dial(&self.host, LIMIT).await.map_err(|error| error.to_string())?;
        let request = frame::encode(&CredentialsRequest { protocol: PROTOCOL });
        let request = request.map_err(|error| error.to_string())?;
        write_frame(&mut stream, &request).await.map_err(|error| error.to_string())?;
        let answer = read_frame(&mut stream).await.map_err(|error| error.to_string())?;
        frame::decode(&answer).map_err(|error| error.to_string())
    }

    /// Checks what the host sent, and that it expires: without an expiry nothing would refresh it.
    fn bounded(&self, answer: service::Credentials) -> Result<Credentials, &'static str> {
        let now_ms = self.clock.now_ms().map_err(|_| "there is no time to judge their expiry by")?;
        if answer.expires_at_ms <= now_ms {
            return Err("the host's credentials have expired");
        }
        let header_safe = |part: &str| {
            !part.is_empty() && part.len() <= MAX_PART && part.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let token_safe = answer.session_token.as_deref().is_none_or(header_safe);
        if !(header_safe(&answer.access_key_id) && header_safe(&answer.secret_access_key) && token_safe) {
            return Err("the host's credentials are not of AWS's form");
        }
        let expires_ms = answer.expires_at_ms.min(now_ms.saturating_add(LONGEST_USE_MS));
        let expires = UNIX_EPOCH.checked_add(Duration::from_millis(expires_ms));
        Ok(Credentials::new(
            answer.access_key_id,
            answer.secret_access_key,
            answer.session_token,
            expires,
            "host",
        ))
    }
}

impl ProvideCredentials for HostCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.fetch())
    }
}

impl fmt::Debug for HostCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostCredentials({})", self.host)
    }
}

fn unavailable(reason: String) -> CredentialsError {
    CredentialsError::provider_error(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(change: impl Fn(&mut service::Credentials)) -> Result<Credentials, &'static str> {
        let clock = Clock::default();
        clock.set(1_000_000_000_000);
        let mut answer = service::Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
            expires_at_ms: 1_000_000_900_000,
        };
        change(&mut answer);
        HostCredentials::new(Address::Unix("/nowhere".into()), clock).bounded(answer)
    }

    #[test]
    fn credentials_always_expire() {
        let far = bounded(|answer| answer.expires_at_ms = u64::MAX).unwrap().expiry().unwrap();
        let ms = far.duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!((1_000_003_600_000..1_000_003_700_000).contains(&ms));
        assert!(bounded(|answer| answer.expires_at_ms = 1_000_000_000_000).is_err());
    }

    #[test]
    fn nothing_that_could_leave_a_header_is_taken() {
        assert!(bounded(|answer| answer.session_token = Some("a\r\nX-Amz-Target: b".into())).is_err());
        assert!(bounded(|answer| answer.access_key_id.clear()).is_err());
        assert!(bounded(|answer| answer.secret_access_key = "x".repeat(MAX_PART + 1)).is_err());
    }
}
